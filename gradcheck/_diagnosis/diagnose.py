"""Which mistake a wrong derivative looks like: corrections that would make it agree with all the evidence.

Each hypothesis is a correction of the claim (negate it, divide by N, transpose it, …).  It is named
only if the corrected claim agrees with every numerical derivative at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from gradcheck._claim.compare import Comparison
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.answers import (
    GROSS,
    Answers,
    Hypothesis,
    Named,
    answers,
    answers_by_outputs,
    asked,
    is_square,
    probe_of,
)
from gradcheck._diagnosis.factors import everywhere, of_arguments, of_slices
from gradcheck._diagnosis.matrices import of_matrix
from gradcheck._diagnosis.missing import ignored_arguments
from gradcheck._diagnosis.rearrangements import Rearrange, rearrangements
from gradcheck._diagnosis.shifts import shifted_with_a_zero
from gradcheck._diagnosis.symmetry import right_where_symmetric
from gradcheck._report.report import Diagnosis

_PATIENCE = 2  # steps of a shift for which a claim is asked again


def diagnose_throughout(
    problem: Problem, comparisons: Sequence[Comparison], tolerance: Tolerance
) -> Named | None:
    """Name a mistake that spoils the whole derivative, or that in some arguments; None where none is seen."""
    usable = _usable(comparisons)
    if not usable:
        return None
    given = answers(problem, usable)
    for hypothesis in _hypotheses(problem, usable, given):
        if hypothesis.explains(usable, tolerance.rtol):
            return Named(hypothesis.diagnosis, hypothesis.leaves)
    diagnosis = right_where_symmetric(problem, usable, tolerance, 1 / GROSS)
    if diagnosis is not None:
        return Named(diagnosis)
    return ignored_arguments(problem, usable, given, tolerance) or shifted_with_a_zero(
        problem, usable, given, tolerance
    )


def diagnose_slice(
    problem: Problem, comparisons: Sequence[Comparison], tolerance: Tolerance
) -> Diagnosis | None:
    """Name a row, a column or the like whose sign or plain factor is all that is wrong."""
    usable = _usable(comparisons)
    if not usable:
        return None
    views = (answers(problem, usable), answers_by_outputs(problem, usable))
    for hypothesis in chain.from_iterable(of_slices(problem, usable, v) for v in views if v):
        if hypothesis.explains(usable, tolerance.rtol):
            return hypothesis.diagnosis
    return None


def _usable(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the random directions' comparisons, if there are several and all disagree grossly."""
    usable = [
        c for c in comparisons if c.resolved and c.found.interval is None and c.label == "random"
    ]
    return [] if len(usable) < 2 or any(c.excess < GROSS for c in usable) else usable


def _hypotheses(
    problem: Problem, usable: Sequence[Comparison], given: Answers
) -> Iterator[Hypothesis]:
    if not any(c.claimed for c in usable):
        zero = Diagnosis("zero", "the claimed derivative is zero")
        yield Hypothesis(zero, [c.found.value for c in usable])
        return
    by_outputs = answers_by_outputs(problem, usable)
    views = [given] if by_outputs is None else [given, by_outputs]
    yield from everywhere(problem, usable, given)
    if is_square(problem):
        yield _transposed(problem, usable)
    yield from of_arguments(problem, usable, given)
    yield from of_matrix(problem, usable)
    for view in views:
        yield from _rearranged(view)
    yield from _asked_in_another_order(problem, usable, given)


def _transposed(problem: Problem, usable: Sequence[Comparison]) -> Hypothesis:
    """Return that a claim answers what its transpose should, which is asked for on demand."""
    text = "the claim is the Jacobian's product where that of its transpose is meant"
    if problem.kind == "jvp":
        text = "the claim is the product of the Jacobian's transpose where that of itself is meant"
    elif problem.kind == "jac":
        text = "the Jacobian is transposed"
    if problem.kind == "jvp":
        swapped = (float(np.sum(problem.pushforward(c.cotangent) * c.direction)) for c in usable)
    else:
        swapped = (float(np.sum(problem.pullback(c.direction) * c.cotangent)) for c in usable)
    return Hypothesis(Diagnosis("transpose", text), swapped)


def _rearranged(given: Answers) -> Iterator[Hypothesis]:
    """Yield orders that the answers may stand in."""
    for diagnosis, undo in rearrangements(given.layout, given.noun):
        yield Hypothesis(diagnosis, (float(np.sum(undo(n) * w)) for n, w in given.weighed()))


def _asked_in_another_order(
    problem: Problem, usable: Sequence[Comparison], given: Answers
) -> Iterator[Hypothesis]:
    """Yield orders in which a claim may have taken what it is asked with: a few, as each takes a call."""
    if problem.kind not in ("vjp", "jvp") or (problem.kind == "vjp" and problem.scalar):
        return
    layout = problem.inputs.layout if problem.kind == "jvp" else problem.outputs
    what = "the direction" if problem.kind == "jvp" else "the upstream gradient"
    orders = rearrangements(layout, lambda slot: f"{what}{slot.path}", most_shifts=_PATIENCE)
    for diagnosis, undo in orders:
        yield Hypothesis(diagnosis, _asked_again(problem, usable, given, undo))


def _asked_again(
    problem: Problem, usable: Sequence[Comparison], given: Answers, undo: Rearrange
) -> Iterator[float]:
    for c, (_, weights) in zip(usable, given.weighed(), strict=True):
        yield float(np.sum(asked(problem, undo(probe_of(problem, c))) * weights))
