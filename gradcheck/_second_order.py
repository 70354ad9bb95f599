"""A claimed Hessian, or its product with a vector, against second differences of f.

For random signed directions u and v the claimed uᵀHv is compared with the numerical one, which two
curvatures along u + v and u − v give.  An error of the claim is a matrix, and one pair misses it as
a pair of a cotangent and a direction misses that of a Jacobian (`_directions`).  Differences don't
see whether the claim is symmetric, because f's Hessian always is; the claim alone shows it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
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
from gradcheck._problem import Problem, Violation, failure
from gradcheck._report import Outcome, Reason, Report, WrongEntry, number
from gradcheck._search import Goal
from gradcheck._verdict import Verdict

_GOAL = Goal(rtol=1e-8)
_MOST_SEARCHED = 64  # comparisons of a search for the wrong entry


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
        required = self._settings.rtol or COARSEST_RESOLUTION
        if wrong or not self._resolution(lambda c: 2 * c.found.radius) <= required:
            why = (
                "one direction of three disagrees"
                if wrong
                else "f's rounding or noise hides its second derivatives"
            )
            return Verdict(Outcome.INCONCLUSIVE, Reason.NOISE, why, resolution)
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
        entries = self._located(worst)
        if entries:
            e = entries[0]
            message = (
                f"H[{_index(e.output)}, {_index(e.index)}] is wrong: claimed {number(e.claimed)}, "
                f"numerical {number(e.numerical)} ± {e.radius:.1e}"
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
            entries,
            diagnosis,
        )

    def _located(self, worst: Comparison) -> tuple[WrongEntry, ...]:
        """Halve the two directions in turn as long as a half disagrees."""
        u, v = worst.cotangent, worst.direction
        c = worst
        for _ in range(_MOST_SEARCHED):
            halved = [(a, v) for a in _halves(u)] if np.count_nonzero(u) > 1 else []
            halved += [(u, b) for b in _halves(v)] if not halved and np.count_nonzero(v) > 1 else []
            if not halved:
                break
            c = max((self._compared(*pair) for pair in halved), key=lambda c: c.excess)
            if c.agrees:
                return ()
            u, v = c.cotangent, c.direction
        (row,), (column,) = np.flatnonzero(u), np.flatnonzero(v)
        step = float(u[row] * v[column])
        layout = self._problem.inputs.layout
        slot, index = layout.locate(int(column))
        _, output = layout.locate(int(row))
        return (
            WrongEntry(
                argument=slot.argument,
                path=slot.path,
                index=index,
                output=output,
                claimed=c.claimed / step,
                numerical=c.found.value / step,
                radius=abs(c.found.radius / step),
            ),
        )


def _halves(d: Array) -> list[Array]:
    positions = np.flatnonzero(d)
    middle = positions.size // 2
    parts = []
    for part in (positions[:middle], positions[middle:]):
        half = np.zeros_like(d)
        half[part] = d[part]
        parts.append(half)
    return parts


def _index(index: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, index or ())) or "0"
