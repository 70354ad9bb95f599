"""A claimed Hessian, or its product with a vector, against second differences of f.

For random signed directions u and v the claimed uᵀHv is compared with the numerical one, which two
curvatures along u + v and u − v give.  An error of the claim is a matrix, and one pair misses it as
a pair of a cotangent and a direction misses that of a Jacobian (`_estimate.directions`).  Differences don't
see whether the claim is symmetric, because f's Hessian always is; the claim alone shows it.

Noise enters second derivatives with 1/h², so that of a coarse f it takes many pairs to see an error
of 1 %.  They are added as long as that can be reached.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import CLOSELY, Comparison, Made, norm
from gradcheck._claim.conduct import Witnessed
from gradcheck._claim.second_problem import SecondProblem
from gradcheck._claim.tolerance import Tolerance, claim_eps
from gradcheck._diagnosis.diagnose import diagnose_throughout
from gradcheck._diagnosis.locate import MOST_ENTRIES, Located
from gradcheck._diagnosis.places import diagnose_hessian_entries
from gradcheck._estimate.directions import detectable_matrix, signed
from gradcheck._estimate.hessian import bilinear
from gradcheck._estimate.search import Goal
from gradcheck._estimate.singular import Found
from gradcheck._report.report import (
    Outcome,
    Reason,
    WrongEntry,
    entry_label,
    hessian_label,
    number,
)
from gradcheck._verdict.course import COARSEST_RESOLUTION, DIRECTIONS, Course
from gradcheck._verdict.endings import Verdict, constant, doubtful
from gradcheck._verdict.settings import Settings

_GOAL = Goal(rtol=1e-8)
_TIMES = 100.0  # the claim's tolerance, which some fifteen pairs see
_MOST_PAIRS = 30  # an f in float32 shows errors of a few percent with as many
_HOPELESS = 2.0  # times what has to be seen, to be expected of so many pairs
_CONFIRMATIONS = 2  # further pairs, where a single one disagrees
_POLARISED = 4.0  # what a pair takes the difference of has about four times the size of its product
_NOTHING = 1e-3  # of a natural size: the most that passes for the rounding of a zero
_ROUNDED = 1024.0  # ulps of f's size over x's squared: a claim that is no more is a zero
_PLAINLY = 100.0  # error bars: a change of f's curvature that no noise explains
_ASIDE = 0.125  # of the natural step, to where a claim is asked whether it looks at x
_MOST_HALVED = 64  # blocks of H, in the search for a wrong entry
_ENOUGH_HALVED = 30  # once one is found: at some 35 evaluations each

# by why the numerical side says little
_WHY = {
    "kink": (Reason.KINK, "f or its slope has a kink at x, and no second derivative there"),
    "cusp": (Reason.CUSP, "f has a cusp at x, and no second derivative there"),
    "jump": (Reason.JUMP, "f jumps at x"),
    "domain": (Reason.DOMAIN, "f isn't finite around x"),
    "one-sided": (Reason.DOMAIN, "f isn't finite around x"),
    "rough": (Reason.ROUGH, "no step sizes agree on second derivatives of f at x"),
    "disagreement": (Reason.ROUGH, "two ways to f's second derivatives contradict each other"),
}
_HIDDEN = (Reason.NOISE, "f's rounding or noise hides its second derivatives")


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows and columns of H, and the comparison that moves these alone."""

    rows: Array
    columns: Array
    comparison: Comparison


class SecondOrder(Course):
    """A check of second derivatives."""

    def __init__(self, problem: SecondProblem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self._problem = problem
        self._rng = np.random.default_rng(settings.seed)
        self._claims_something = False
        self._pairs: list[Comparison] = []

    def comparisons(self) -> Sequence[Comparison]:
        """Return those along random pairs of directions."""
        return self._pairs

    def question(self) -> Made:
        """Return what makes the direction that an hvp is asked twice."""
        # a generator of its own: which pairs a seed gives is up to the pairs
        return lambda: self._direction(np.random.default_rng(self.settings.seed))

    def verdict(self) -> Verdict:
        """Run the check."""
        witnessed, required = self.begin(), self.required
        for _ in range(DIRECTIONS):
            self._add_pair()
        self._pairs = [self._closer(c) if c.slight else c for c in self._pairs]
        skewed = self._asymmetry()
        if not skewed:
            self._see(required)
        self.finish(witnessed)
        wrong = self._disagreeing()
        if skewed:
            return self._asymmetric(skewed, wrong)
        if len(wrong) >= 2:
            return self._failed(wrong)
        seen = self._resolution()
        if wrong:
            return doubtful(wrong, len(self._pairs), seen)
        if all(map(_is_flat, self._found())) and self._claims_something:
            return _hidden(self._found())
        if all(found.reason == "constant" for found in self._found()):
            return constant(self._pairs, seen)
        if self._numerical_resolution() > required:
            bluntest = max(self._found(), key=lambda found: found.radius)
            reason, why = _WHY.get(bluntest.reason, _HIDDEN)
            best = self._within_reach()
            if math.isfinite(best):
                why += f": at best an error of {best:.1e} could be seen"
            return Verdict(Outcome.INCONCLUSIVE, reason, why, seen)
        self._look_aside(witnessed)
        pairs = len(self._pairs)
        message = (
            f"agrees with numerical second derivatives along {pairs} random pairs, and is symmetric"
        )
        return Verdict(Outcome.PASS, Reason.AGREEMENT, message, seen)

    def _add_pair(self) -> None:
        self._pairs.append(self._compared(self._direction(self._rng), self._direction(self._rng)))

    def _see(self, required: float) -> None:
        """Add pairs until they see enough, can't be expected to, or two of them disagree."""
        confirmations = _CONFIRMATIONS
        while len(self._pairs) < _MOST_PAIRS:
            wrong = self._disagreeing()
            if len(wrong) >= 2 or (wrong and confirmations == 0):
                return
            if wrong:
                confirmations -= 1
            elif self._sees_enough(required) or self._within_reach() > _HOPELESS * required:
                return
            self._add_pair()
            if self._pairs[-1].slight:
                self._pairs[-1] = self._closer(self._pairs[-1])

    def _sees_enough(self, required: float) -> bool:
        blunt = self._numerical_resolution() > required
        return not blunt and self._resolution() <= max(COARSEST_RESOLUTION, _TIMES * self.rtol)

    def _disagreeing(self) -> list[Comparison]:
        return [c for c in self._pairs if not c.agrees]

    def _found(self) -> list[Found]:
        return [c.found for c in self._pairs]

    def _direction(self, rng: np.random.Generator) -> Array:
        inputs = self._problem.inputs
        d = inputs.sizes * signed(rng, inputs.sizes.shape)
        return inputs.tangent(d)

    def _compared(self, u: Array, v: Array, goal: Goal = _GOAL) -> Comparison:
        product = self._problem.hessian_product(v)
        self._claims_something |= bool(np.any(product))  # the terms of a tiny x may underflow
        terms = u * product
        found = bilinear(self._problem, u, v, goal)
        scale, claimed = norm(terms), float(np.sum(terms))
        allowed = found.radius + self.rtol * scale
        natural = min(self.rtol, _NOTHING) * found.scale
        if abs(claimed - found.value) > allowed and scale <= 8 * natural:
            allowed += natural  # large terms that cancel leave their rounding
        return Comparison("random", v, u, claimed, found, scale, allowed, self.rtol)

    def _closer(self, c: Comparison) -> Comparison:
        return self._compared(c.cotangent, c.direction, CLOSELY)

    def _asymmetry(self) -> str:
        """Compare uᵀ(Hv) with vᵀ(Hu), both of the claim; say how they differ by more than rounding."""
        c = self._pairs[0]
        u, v = c.cotangent, c.direction
        one, other = u * self._problem.hessian_product(v), v * self._problem.hessian_product(u)
        apart, scale = abs(float(np.sum(one) - np.sum(other))), max(norm(one), norm(other))
        if not apart > self.rtol * scale:  # nor where both overflow
            return ""
        return (
            f"the {self._problem.kind} isn't symmetric: uᵀHv and vᵀHu differ by "
            f"{apart / scale:.1e} of their size"
        )

    def _asymmetric(self, skewed: str, wrong: Sequence[Comparison]) -> Verdict:
        """Say that the claim isn't symmetric, and which of its entries are wrong if f shows that."""
        alone = Verdict(Outcome.FAIL, Reason.ASYMMETRIC, skewed, self._resolution())
        found = self._failed(wrong) if wrong else alone
        if found.diagnosis is not None and found.diagnosis.kind == "precision":
            return found  # which leaves no matrix symmetric
        if not found.wrong_entries:
            return replace(alone, diagnosis=found.diagnosis)
        message = f"{found.message}; the {self._problem.kind} isn't symmetric"
        return replace(found, reason=Reason.ASYMMETRIC, message=message)

    def _resolution(self) -> float:
        return detectable_matrix(self._missed())

    def _numerical_resolution(self) -> float:
        """Return the same if no error of the claim were tolerated: what the numerical side can do."""
        return detectable_matrix(self._missed(tolerant=False))

    def _within_reach(self) -> float:
        """Return what the numerical side could do with as many pairs as are ever tried."""
        missed = self._missed(tolerant=False)
        more = _MOST_PAIRS - len(missed)
        return detectable_matrix([*missed, *[statistics.median(missed)] * more])

    def _missed(self, *, tolerant: bool = True) -> list[float]:
        """Return how much a claim may be wrong and agree with each pair, relative to its size."""
        size = statistics.median(map(self._size, self._pairs))
        missed = [c.missed - (0.0 if tolerant else c.rtol * c.scale) for c in self._pairs]
        return [m / size if size else math.inf for m in missed]

    def _size(self, c: Comparison) -> float:
        """Return the size of uᵀHv, which an error is relative to: the claim's, unless that is a zero.

        It is one beside how f's slope moves near x, or beside f's size over x's squared if that is
        less.
        """
        moved = c.found.size / _POLARISED
        if c.scale >= moved or c.scale <= _ROUNDED * claim_eps(self._problem) * moved:
            return max(c.scale, moved)
        (value,), unit = self._problem.arithmetic.value, self._problem.course(c.direction).unit
        return max(c.scale, min(moved, abs(float(value)) / unit / unit))

    def _look_aside(self, witnessed: Witnessed) -> None:
        """Note a claim that has the same numbers at x + 2h·d, though f's second derivatives change on the way.

        φ(2h) − 2φ(h) + φ(0) is h²φ″ somewhere between; by a claim that is the same all the way it
        is h²dᵀHd.
        """
        problem, c = self._problem, self._pairs[0]
        d, h = c.direction, _ASIDE * problem.course(c.direction).unit
        if not witnessed.repeats_itself(d, 2 * h):
            return
        curve = problem.curve(d)
        start, middle, end = (float(curve.value(k * h)[0]) for k in range(3))
        terms = d * problem.hessian_product(d)
        noise = max(c.found.noise, curve.eps * max(abs(start), abs(middle), abs(end)))
        apart = (end - middle) - (middle - start) - h * h * float(np.sum(terms))
        if abs(apart) > _PLAINLY * (noise + self.rtol * h * h * norm(terms)):
            self.notes.append(
                f"asked at another point, the {problem.kind} gives the very same numbers, though f's second "
                "derivatives change on the way there: it is right at x, but doesn't look at its argument"
            )

    def _failed(self, wrong: Sequence[Comparison]) -> Verdict:
        worst = max(wrong, key=lambda c: c.excess)
        named = diagnose_throughout(self._problem, self._pairs, Tolerance(self.rtol))
        # of a mistake that is everywhere one entry is enough
        located = self._located(worst, MOST_ENTRIES if named is None else 1)
        diagnosis = named.diagnosis if named else diagnose_hessian_entries(self._problem, located)
        if located.entries:
            e, count = located.entries[0], len(located.entries)
            at_least = "" if located.complete or named else "at least "
            what = "wrong entry" if count == 1 else "wrong entries"
            more = f" ({at_least}{count} {what})" if at_least or count > 1 else ""
            message = (
                f"{hessian_label(e)} is wrong: claimed {number(e.claimed)}, "
                f"numerical {number(e.numerical)} ± {e.radius:.1e}{more}"
            )
        else:
            message = (
                f"uᵀHv along a random pair is wrong: claimed {number(worst.claimed)}, "
                f"numerical {number(worst.found.value)} ± {worst.found.radius:.1e}"
            )
        return Verdict(
            Outcome.FAIL,
            Reason.DISAGREEMENT,
            message,
            self._resolution(),
            located.entries,
            diagnosis,
        )

    def _located(self, worst: Comparison, most: int) -> Located:
        """Halve a wrong pair's directions, rows first, as long as a half disagrees; the worst half first."""
        rows, columns = np.flatnonzero(worst.cotangent), np.flatnonzero(worst.direction)
        stack = [_Block(rows, columns, worst)]
        entries: list[WrongEntry] = []
        halved, lost = 0, False
        while (
            stack and len(entries) < most and halved < (_ENOUGH_HALVED if entries else _MOST_HALVED)
        ):
            block = stack.pop()
            if block.rows.size == block.columns.size == 1:
                entries.append(self._entry(worst, block))
                continue
            halved += 1
            halves = self._halves(worst, block)
            wrong = [half for half in halves if not half.comparison.agrees]
            lost = lost or not wrong
            stack += sorted(wrong, key=lambda half: half.comparison.excess)
        entries.sort(key=lambda e: -abs(e.claimed - e.numerical))
        return Located(tuple(entries), complete=not (stack or lost))

    def _halves(self, worst: Comparison, block: _Block) -> list[_Block]:
        """Compare along the two halves of a block's rows or, of a single row, of its columns."""
        if block.rows.size > 1:
            parts = [(part, block.columns) for part in _halved(block.rows)]
        else:
            parts = [(block.rows, part) for part in _halved(block.columns)]
        return [
            _Block(
                rows,
                columns,
                self._compared(
                    self._part(worst.cotangent, rows), self._part(worst.direction, columns)
                ),
            )
            for rows, columns in parts
        ]

    def _part(self, direction: Array, positions: Array) -> Array:
        """Return what a direction moves in some entries, inside the domain."""
        part = np.zeros_like(direction)
        part[positions] = direction[positions]
        return self._problem.inputs.tangent(part)

    def _entry(self, worst: Comparison, block: _Block) -> WrongEntry:
        (row,), (column,) = block.rows, block.columns
        u, v = float(worst.cotangent[row]), float(worst.direction[column])
        layout, c = self._problem.inputs.layout, block.comparison
        slot, index = layout.locate(int(column))
        row_slot, row_index = layout.locate(int(row))
        several = len(layout.slots) > 1
        return WrongEntry(
            argument=slot.argument,
            path=slot.path,
            index=index,
            output=row_index,
            output_path=entry_label(row_slot.argument, row_slot.path, ()) if several else "",
            # the product of two tiny steps underflows
            claimed=c.claimed / u / v,
            numerical=c.found.value / u / v,
            radius=abs(c.found.radius / u / v),
        )


def _halved(positions: Array) -> Sequence[Array]:
    middle = positions.size // 2
    return positions[:middle], positions[middle:]


def _is_flat(found: Found) -> bool:
    """Whether f's slope didn't vary at all, as far as its rounding shows."""
    by_slopes = found.oracle == "complex step" and found.near is None and found.value == 0
    return by_slopes or found.reason == "constant"


def _hidden(flat: Sequence[Found]) -> Verdict:
    what = "f" if all(found.reason == "constant" for found in flat) else "f's slope"
    return Verdict(
        Outcome.INCONCLUSIVE,
        Reason.NOISE,
        f"{what} did not vary at all; the claimed second derivatives aren't zero, but so small that "
        "f's rounding hides them",
    )
