"""A claimed Hessian, or its product with a vector, against second differences of f.

For random signed directions u and v the claimed uᵀHv is compared with the numerical one, which two
curvatures along u + v and u − v give.  An error of the claim is a matrix, and one pair misses it as
a pair of a cotangent and a direction misses that of a Jacobian (`_directions`).  Differences don't
see whether the claim is symmetric, because f's Hessian always is; the claim alone shows it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck._case import SecondKind
from gradcheck._compare import CLOSELY, Comparison, claim_rtol, norm
from gradcheck._conduct import claim_is_linear, function_is_usable
from gradcheck._diagnose import diagnose_throughout
from gradcheck._directions import (
    MISS_PROBABILITY,
    detectable_matrix,
    signed,
)
from gradcheck._domain import Array
from gradcheck._examine import COARSEST_RESOLUTION, DIRECTIONS, Settings
from gradcheck._hessian import bilinear
from gradcheck._inputs import Inputs
from gradcheck._line import quiet
from gradcheck._locate import MOST_ENTRIES, Located
from gradcheck._problem import Problem, Violation, failure
from gradcheck._report import (
    Outcome,
    Reason,
    Report,
    WrongEntry,
    entry_label,
    hessian_label,
    number,
)
from gradcheck._search import Goal
from gradcheck._verdict import Verdict, constant, single_disagreement

_GOAL = Goal(rtol=1e-8)
_MOST_HALVED = 64  # blocks of H, in the search for a wrong entry
_ENOUGH_HALVED = 30  # once one is found: at some 35 evaluations each

# by why the numerical side says little
_WHY = {
    "kink": (Reason.KINK, "f or its slope has a kink at x, and no second derivative there"),
    "cusp": (Reason.ROUGH, "f has a cusp at x, and no second derivative there"),
    "jump": (Reason.ROUGH, "f jumps at x"),
    "domain": (Reason.DOMAIN, "f isn't finite around x"),
    "one-sided": (Reason.DOMAIN, "f isn't finite around x"),
    "rough": (Reason.ROUGH, "no step sizes agree on second derivatives of f at x"),
    "disagreement": (Reason.ROUGH, "two ways to f's second derivatives contradict each other"),
}
_HIDDEN = (Reason.NOISE, "f's rounding or noise hides its second derivatives")


def examine_second_order(
    f: Callable[..., Any],
    inputs: Inputs,
    kind: SecondKind,
    claim: Callable[..., Any],
    *,
    bare: bool,
    settings: Settings,
) -> Report:
    """Check a claim about second derivatives and report."""
    return _SecondOrder(Problem(f, inputs, kind, claim, bare=bare), kind, settings).report()


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows and columns of H, and the comparison that moves these alone."""

    rows: Array
    columns: Array
    comparison: Comparison


class _SecondOrder:
    """A check under way."""

    def __init__(self, problem: Problem, kind: SecondKind, settings: Settings) -> None:
        self._problem = problem
        self._kind = kind
        self._settings = settings
        self._rng = np.random.default_rng(settings.seed)
        self._rtol = 0.0
        self._pairs: list[Comparison] = []
        self._notes: list[str] = []

    def report(self) -> Report:
        """Run the check."""
        try:
            with quiet():
                found = self._verdict()
        except Violation as finding:
            found = Verdict(finding.outcome, finding.reason, finding.message)
        problem = self._problem
        return Report(
            outcome=found.outcome,
            reason=found.reason,
            message=found.message,
            name=self._settings.name,
            kind=self._kind,
            evaluations=problem.calls.calls,
            claim_evaluations=problem.claim_calls.calls,
            resolution=found.resolution,
            miss_probability=MISS_PROBABILITY,
            rtol=self._rtol,
            seed=self._settings.seed,
            wrong_entries=found.wrong_entries,
            diagnosis=found.diagnosis,
            probes=tuple(c.probe() for c in self._pairs),
            notes=tuple(self._notes),
        )

    def _verdict(self) -> Verdict:
        problem = self._problem
        problem.begin()
        note = function_is_usable(problem)
        if note:
            self._notes.append(note)
        if (
            problem.outputs.size != 1
            or problem.outputs.is_complex
            or problem.inputs.layout.is_complex
        ):
            raise TypeError(
                f"{self._kind}= is for an f of real numbers that returns one real number"
            )
        problem.seek_float64()
        self._rtol = claim_rtol(problem, self._settings.rtol)
        for _ in range(DIRECTIONS):
            self._pairs.append(self._compared(self._direction(), self._direction()))
        if self._kind == "hvp":
            claim_is_linear(problem)
        self._is_symmetric()
        self._pairs = [self._closer(c) if c.slight else c for c in self._pairs]
        wrong = [c for c in self._pairs if not c.agrees]
        if len(wrong) >= 2:
            return self._failed(max(wrong, key=lambda c: c.excess))
        resolution = self._resolution(lambda c: c.missed)
        if wrong:
            return single_disagreement(wrong[0], len(self._pairs), resolution)
        if all(c.found.reason == "constant" for c in self._pairs):
            return constant(self._pairs, resolution)
        required = self._settings.rtol or COARSEST_RESOLUTION
        if not self._resolution(lambda c: 2 * c.found.radius) <= required:
            bluntest = max(self._pairs, key=lambda c: c.found.radius)
            reason, why = _WHY.get(bluntest.found.reason, _HIDDEN)
            return Verdict(Outcome.INCONCLUSIVE, reason, why, resolution)
        message = f"agrees with numerical second derivatives along {DIRECTIONS} random pairs, and is symmetric"
        return Verdict(Outcome.PASS, Reason.AGREEMENT, message, resolution)

    def _direction(self) -> Array:
        inputs = self._problem.inputs
        d = inputs.sizes * signed(self._rng, inputs.sizes.shape)
        return inputs.tangent(d)

    def _compared(self, u: Array, v: Array, goal: Goal = _GOAL) -> Comparison:
        terms = u * self._problem.hessian_product(v)
        found = bilinear(self._problem, u, v, goal)
        scale = norm(terms)
        natural = self._rtol * found.scale
        allowed = found.radius + self._rtol * scale + (natural if scale <= 8 * natural else 0.0)
        claimed = float(np.sum(terms))
        return Comparison("random", v, u, claimed, found, scale, allowed, self._rtol)

    def _closer(self, c: Comparison) -> Comparison:
        return self._compared(c.cotangent, c.direction, CLOSELY)

    def _is_symmetric(self) -> None:
        """Compare uᵀ(Hv) with vᵀ(Hu), both of the claim.

        Raises
        ------
        Violation
            If they differ by more than rounding.
        """
        c = self._pairs[0]
        u, v = c.cotangent, c.direction
        one, other = u * self._problem.hessian_product(v), v * self._problem.hessian_product(u)
        apart, scale = abs(float(np.sum(one) - np.sum(other))), max(norm(one), norm(other))
        if apart > self._rtol * scale:
            raise failure(
                Reason.ASYMMETRIC,
                f"the {self._kind} isn't symmetric: uᵀHv and vᵀHu differ by {apart / scale:.1e} of their size",
            )

    def _resolution(self, allowed: Callable[[Comparison], float]) -> float:
        size = statistics.median(max(c.scale, c.found.scale) for c in self._pairs)
        if size == 0:
            return math.inf
        return detectable_matrix([allowed(c) / size for c in self._pairs])

    def _failed(self, worst: Comparison) -> Verdict:
        diagnosis = diagnose_throughout(self._problem, self._pairs, self._rtol)
        # of a mistake that is everywhere one entry is enough
        located = self._located(worst, MOST_ENTRIES if diagnosis is None else 1)
        if located.entries:
            e, count = located.entries[0], len(located.entries)
            at_least = "" if located.complete else "at least "
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
            self._resolution(lambda c: c.missed),
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
        step = float(worst.cotangent[row] * worst.direction[column])
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
            claimed=c.claimed / step,
            numerical=c.found.value / step,
            radius=abs(c.found.radius / step),
        )


def _halved(positions: Array) -> Sequence[Array]:
    middle = positions.size // 2
    return positions[:middle], positions[middle:]
