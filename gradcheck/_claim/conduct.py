"""How f and the claim must behave apart from the values: deterministic, without memory, linear in v.

Shape, dtype, NaN, mutation and exceptions are looked after wherever the claim is called
(`Problem`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.numbers import is_sparse
from gradcheck._case.steps import spacing
from gradcheck._case.tree import describe, equal_numbers
from gradcheck._claim.compare import Made
from gradcheck._claim.finding import failure, undecided
from gradcheck._claim.problem import Problem
from gradcheck._report.report import Diagnosis, Reason

_SAME = 1e-9  # two runs of a parallel sum may differ in the last digits


def function_is_usable(problem: Problem) -> str:
    """Check that f is finite at x and returns the same twice; return a note or an empty string.

    Raises
    ------
    Violation
        If f isn't finite at x, returns nothing, or returns something else the second time, or x
        can't move.
    """
    if problem.outputs.size == 0 or problem.inputs.layout.size == 0:
        empty = "f returns no values" if problem.outputs.size == 0 else "x holds no numbers"
        raise undecided(Reason.EMPTY, f"there is nothing to differentiate: {empty}")
    if not problem.inputs.can_move:
        raise undecided(
            Reason.EMPTY, "there is nothing to differentiate: no direction stays in the domain"
        )
    finite = np.isfinite(problem.value)
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        slot, index = problem.outputs.locate(bad)
        where = f" at {slot.path}{list(index)}" if problem.outputs.size > 1 else ""
        raise undecided(Reason.DOMAIN, f"f(x) is {problem.value[bad]}{where}")
    try:
        again = problem.again()
    except Exception as error:
        raised = f"{type(error).__name__}: {error}"
        raise undecided(
            Reason.NONDETERMINISTIC, f"f raised when it was asked again at the same x: {raised}"
        ) from error
    if equal_numbers(problem.value, again):
        return ""
    if again.shape != problem.value.shape:
        raise undecided(
            Reason.NONDETERMINISTIC, "f returned another number of values at the same x"
        )
    if not np.isfinite(again).all():
        raise undecided(Reason.NONDETERMINISTIC, "f was finite at x, and isn't when asked again")
    change = _change(problem.value, again)
    if change > _SAME:
        raise undecided(
            Reason.NONDETERMINISTIC,
            f"f returned another value at the same x (relative difference {change:.1e}); fix its random state",
        )
    return f"f is not bit-reproducible: two calls differ by {change:.1e}" if change else ""


def claim_is_linear(problem: Problem) -> None:
    """Check that a zero cotangent (or direction, for a jvp) gives zero, and −2 times one −2 times as much.

    Raises
    ------
    Violation
        If they don't.
    """
    ask: Callable[[Array], Array]
    match problem.kind:
        case "vjp":
            ask, size, what = problem.pullback, problem.outputs.size, "upstream gradient"
        case "jvp":
            ask, size, what = problem.pushforward, problem.inputs.layout.size, "direction"
        case "hvp":
            ask, size, what = problem.hessian_product, problem.inputs.layout.size, "direction"
        case _:
            return
    out, once = ask(np.zeros(size)), ask(np.ones(size))
    if np.any(out):
        worst = float(out[np.argmax(np.abs(out))])
        ignored = _ignored(problem, out, once)
        says = (
            "ignores its last argument"
            if equal_numbers(out, once)
            else "adds something that its last argument has no part in"
        )
        raise failure(
            Reason.NONLINEAR,
            f"a zero {what} gives {worst:.6g}, not 0: the {problem.kind} {says}",
            Diagnosis("upstream", f"the {what} is {ignored}") if ignored else None,
        )
    del out
    once *= -2
    # the other sign shows what is cut off at zero, another size what is clipped
    if _change(once, ask(np.full(size, -2.0))) > _SAME:
        raise failure(
            Reason.NONLINEAR,
            f"−2 times the {what} doesn't give −2 times the answer: "
            f"the {problem.kind} isn't linear in its last argument",
        )


def _ignored(problem: Problem, at_zero: Array, at_ones: Array) -> str:
    """Say that what a claim is asked with is ignored, or in which arguments it is; empty if it isn't."""
    if equal_numbers(at_zero, at_ones):
        return "ignored"
    if problem.kind == "jvp":
        return ""
    slots = problem.inputs.layout.slots
    parts = [(s, at_zero[s.start : s.stop], at_ones[s.start : s.stop]) for s in slots]
    moved = [s for s, zero, _ in parts if np.any(zero)]
    if any(np.any(zero) and not equal_numbers(zero, ones) for _, zero, ones in parts):
        return ""
    return "ignored in " + " and ".join(f"argument {s.argument}{s.path}" for s in moved)


def looked_at_in_float64(problem: Problem) -> list[str]:
    """Go over to float64 if f goes along, and return a note on that."""
    if not problem.seek_float64():
        return []
    native = max(problem.inputs.layout.slots, key=lambda slot: spacing(slot.dtype)).dtype
    return [f"f was evaluated in float64 for the numerical side; x is {native}"]


def overlooked(problem: Problem) -> list[str]:
    """Return notes on what stands in x and was not varied, once the claim has answered."""
    return list(problem.overlooked or ())


def must_suit_output(problem: Problem) -> None:
    """Raise a TypeError for a gradient, or second derivatives, of an f that doesn't return one real number."""
    match problem.kind:
        case "grad":
            _must_return_one_number(problem)
        case "hess" | "hvp":
            outputs, layout = problem.outputs, problem.inputs.layout
            if outputs.size != 1 or outputs.is_complex or layout.is_complex:
                raise TypeError(
                    f"{problem.kind}= is for an f of real numbers that returns one real number"
                )


def _must_return_one_number(problem: Problem) -> None:
    if problem.outputs.is_complex:
        raise TypeError(
            "grad= is for an f that returns one real number, this one's is complex: use vjp="
        )
    if len(problem.outputs.slots) != 1:
        raise TypeError(
            "grad= is for an f that returns one number, this one returns "
            f"{describe(problem.output)}: let f return the number alone, or use vjp="
        )
    if problem.outputs.size != 1:
        shape = problem.outputs.slots[0].shape
        raise TypeError(
            f"grad= is for an f that returns one number, this one returns shape {shape}: use vjp=, or "
            "vjp=gradcheck.Elementwise(derivative) for a function that acts entry by entry"
        )


class Witnessed:
    """One answer of the claim, kept to see whether it holds later.

    Parameters
    ----------
    problem : Problem
        The problem whose claim is asked.
    probe : callable
        Makes the cotangent (the direction, for a jvp), the same each time.
    """

    def __init__(self, problem: Problem, probe: Made) -> None:
        self._problem = problem
        self._probe = probe
        self._held = problem.answer(probe())
        self._copy = [a.copy() for a in _arrays(self._held)]

    def still_holds(self) -> None:
        """Ask again, after f has been evaluated elsewhere, and compare.

        Raises
        ------
        Violation
            If the array returned first has changed since, or the same question has another answer.
        """
        self._must_be_intact()
        again = self._problem.answer(self._probe())
        change = _largest_change(self._copy, _arrays(again))
        if change > _SAME:
            raise failure(
                Reason.STATE,
                f"asked twice at the same point, the {self._problem.kind} gives different answers "
                f"(relative difference {change:.1e}): it remembers something between calls or is random",
            )
        if any(map(_share_memory, self._held, again)):  # the same numbers, perhaps written anew
            self._problem.answer_elsewhere(self._probe())
            self._must_be_intact()

    def repeats_itself(self, direction: Array, t: float) -> bool:
        """Whether the claim gives the very same numbers at x + t·d."""
        beside = self._problem.answer_beside(direction, t, self._probe())
        if beside is None:
            return False
        arrays = _arrays(beside)
        return len(arrays) == len(self._copy) and all(map(np.array_equal, self._copy, arrays))

    def _must_be_intact(self) -> None:
        if not all(map(equal_numbers, _arrays(self._held), self._copy)):
            raise failure(
                Reason.ALIASING,
                f"the {self._problem.kind} returns a buffer that its next call overwrites; return a new array",
            )


def _largest_change(some: Sequence[Array], others: Sequence[Array]) -> float:
    """Largest change of any array; infinite if there are more of them, or fewer."""
    if len(some) != len(others):
        return float("inf")
    return max(map(_change, some, others), default=0.0)


def _change(a: Array, b: Array) -> float:
    """Largest difference relative to the largest entry."""
    if a.shape != b.shape:
        return float("inf")
    if equal_numbers(a, b) or not a.size:
        return 0.0
    size = float(np.max(np.abs(a)))
    difference = float(np.max(np.abs(a - b)))
    return difference / size if size else float("inf")


def _share_memory(a: Any, b: Any) -> bool:
    arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    return arrays and np.may_share_memory(a, b)


def _arrays(answer: Sequence[Any]) -> list[Array]:
    """Return the arrays of a claim's answer; of a sparse matrix what it stores, and where, each by itself."""
    arrays: list[Array] = []
    for part in answer:
        if is_sparse(part):
            rows = part.tocsr()
            arrays += [rows.data, rows.indices, rows.indptr]
        else:
            arrays.append(np.asarray(part))
    return arrays
