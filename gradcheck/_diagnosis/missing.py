"""Whether a claim leaves arguments out: their part of it is zero, though f depends on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import Slot
from gradcheck._claim.compare import Comparison, compare
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.answers import GROSS, Answers, Named, asked, is_second, names, probe_of
from gradcheck._estimate.hessian import bilinear
from gradcheck._estimate.search import Goal
from gradcheck._report.report import Diagnosis

_MOST = 3  # arguments; each takes a derivative of f
_ROUGHLY = Goal(rtol=1e-2)


def ignored_arguments(
    problem: Problem, usable: Sequence[Comparison], given: Answers, tolerance: Tolerance
) -> Named | None:
    """Name the arguments whose part of the claim is all zero, while others' isn't and f depends on them."""
    slots, failed = problem.inputs.layout.slots, usable[0]
    zero = [slot for slot in slots if not _answers_with(problem, failed, given, slot)]
    if not 0 < len(zero) < len(slots) or len(zero) > _MOST:
        return None
    missing = [slot for slot in zero if _matters(problem, failed, slot, tolerance)]
    if not missing:
        return None
    what = "gradients" if len(missing) > 1 else "gradient"
    are = "are" if len(missing) > 1 else "is"
    if problem.kind == "jvp" or is_second(problem):
        text = f"the {problem.kind} leaves out {names(missing)}"
        return Named(Diagnosis("argument", text), missing)
    text = f"the {what} of {names(missing)} {are} missing (zero)"
    return Named(Diagnosis("argument", text), missing)


def _answers_with(problem: Problem, c: Comparison, given: Answers, slot: Slot) -> bool:
    """Whether an argument has a part in what the claim answers."""
    if problem.kind == "jvp":
        return bool(np.any(asked(problem, _part(probe_of(problem, c), slot))))
    return bool(np.any(given.numbers[0][slot.start : slot.stop]))


def _part(numbers: Array, slot: Slot) -> Array:
    part = np.zeros_like(numbers)
    part[slot.start : slot.stop] = numbers[slot.start : slot.stop]
    return part


def _matters(problem: Problem, failed: Comparison, slot: Slot, tolerance: Tolerance) -> bool:
    """Whether f's derivative changes with an argument alone."""
    if is_second(problem):
        alone = problem.inputs.tangent(_part(failed.cotangent, slot))
        found = bilinear(problem, alone, failed.direction, _ROUGHLY)
        return abs(found.value) > GROSS * found.radius
    alone = problem.inputs.tangent(_part(failed.direction, slot))
    return (
        bool(alone.any())
        and not compare(problem, "argument", alone, failed.cotangent, tolerance).agrees
    )
