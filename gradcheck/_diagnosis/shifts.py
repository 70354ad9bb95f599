"""Whether what a claim answers is shifted by one, with a zero where nothing moved in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import Slot
from gradcheck._claim.compare import Comparison, compare
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.answers import GROSS, Answers, Named, is_second
from gradcheck._report.report import Diagnosis

_SHORTEST = 3  # of what is shifted


def shifted_with_a_zero(
    problem: Problem, usable: Sequence[Comparison], given: Answers, tolerance: Tolerance
) -> Named | None:
    """Name a shift by one that a zero was filled in for: what moved out is known to nobody, all else is right.

    It is looked for only where the first or the last of an axis is exactly zero, as it takes a derivative of f.
    """
    if is_second(problem):
        return None
    for slot, axis, shift in _candidates(given):
        if _is_right_but_for_the_end(problem, usable[0], given, slot, axis, shift, tolerance):
            text = f"{given.noun(slot)} is shifted by {shift:+d} along axis {axis}, with a zero filled in"
            return Named(Diagnosis("shift", text), () if given.by_outputs else (slot,))
    return None


def _candidates(given: Answers) -> Iterator[tuple[Slot, int, int]]:
    for slot in given.layout.slots:
        numbers = _of(given.numbers[0], slot)
        for axis, n in enumerate(slot.shape):
            filled = np.any(numbers != 0, axis=tuple(a for a in range(numbers.ndim) if a != axis))
            if n < _SHORTEST or not np.any(filled):
                continue
            if not filled[0] and filled[1:].all():
                yield slot, axis, 1
            elif not filled[-1] and filled[:-1].all():
                yield slot, axis, -1


def _is_right_but_for_the_end(
    problem: Problem,
    c: Comparison,
    given: Answers,
    slot: Slot,
    axis: int,
    shift: int,
    tolerance: Tolerance,
) -> bool:
    """Whether the answer moved back agrees, where what moved out has no part in the comparison."""
    numbers, weights = (a.copy() for a in given.first())
    end = [slice(None)] * (len(slot.shape) + 1)
    end[axis] = slice(-1, None) if shift > 0 else slice(0, 1)
    _of(weights, slot)[tuple(end)] = 0.0
    before = float(np.sum(numbers * weights))
    _of(numbers, slot)[...] = np.roll(_of(numbers, slot), -shift, axis=axis)
    after = float(np.sum(numbers * weights))
    if given.by_outputs:
        looked = compare(problem, "part", c.direction, weights, tolerance)
    else:
        tangent = problem.inputs.tangent(weights)
        if not np.array_equal(tangent, weights):
            return False
        looked = compare(problem, "part", tangent, c.cotangent, tolerance)
    left = abs(after - looked.found.value)
    return left <= looked.allowed and left <= abs(before - looked.found.value) / GROSS


def _of(numbers: Array, slot: Slot) -> Array:
    """Return the part of a flat answer in a leaf, which may be written to."""
    return numbers[slot.start : slot.stop].reshape(*slot.shape, slot.parts)
