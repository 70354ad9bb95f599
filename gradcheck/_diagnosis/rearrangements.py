"""Orders that the entries of an answer may have been put in by mistake, and how to undo each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._case.tree import Layout, Slot
from gradcheck._diagnosis.answers import name
from gradcheck._report.report import Diagnosis

Rearrange = Callable[[Array], Array]  # of a flat answer
Noun = Callable[[Slot], str]  # what the part of it in a leaf is called
_Leaf = Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]]
_MOST_NUMBERS = 2**22  # that all shifts of an axis may move


def rearrangements(
    layout: Layout, noun: Noun, *, most_shifts: int | None = None
) -> Iterator[tuple[Diagnosis, Rearrange]]:
    """Yield mistakes of order in each leaf of an answer, and between leaves of the same shape.

    Each comes with the function of a flat answer that undoes it.  Shifts go so far at most, unless all
    of them are looked at.
    """
    for k, slot in enumerate(layout.slots):
        for diagnosis, undo in _of_a_leaf(slot, noun(slot), most_shifts):
            yield diagnosis, partial(_in_leaf, layout, k, undo)
    for j, k in combinations(range(len(layout.slots)), 2):
        first, second = layout.slots[j], layout.slots[k]
        if first.shape == second.shape and first.parts == second.parts and first.shape != ():
            text = f"{noun(first)} and {noun(second)} are exchanged"
            if noun(first) == f"the gradient of {name(first)}":
                text = f"the gradients of {name(first)} and {name(second)} are exchanged"
            yield Diagnosis("exchange", text), partial(_exchanged, layout, j, k)


def _of_a_leaf(slot: Slot, what: str, most_shifts: int | None) -> Iterator[tuple[Diagnosis, _Leaf]]:
    shape = slot.shape
    if slot.parts == 2:
        text = f"{what} is conjugated (df = Re Σ conj(g)·dx is expected)"
        yield Diagnosis("conjugate", text), np.conj
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        yield Diagnosis("transpose", f"{what} is transposed"), np.transpose
    elif len(shape) > 2:
        yield from _transposed(what, shape)
    if sum(n > 1 for n in shape) > 1:
        text = f"the entries of {what} stand in column-major order"
        yield Diagnosis("transpose", text), _row_major
        yield Diagnosis("transpose", text), _read_column_major
    for axis, n in enumerate(shape):
        cheap = n * math.prod(shape) <= _MOST_NUMBERS
        further = range(2, n - 1) if cheap else range(0)
        if most_shifts is not None:
            further = range(2, min(most_shifts, n - 2) + 1)
        yield from _along(what, axis, n, further)


def _transposed(what: str, shape: tuple[int, ...]) -> Iterator[tuple[Diagnosis, _Leaf]]:
    for a, b in combinations(range(len(shape)), 2):
        if shape[a] == shape[b] > 1:
            text = f"axes {a} and {b} of {what} are exchanged"
            yield Diagnosis("transpose", text), partial(np.swapaxes, axis1=a, axis2=b)


def _along(what: str, axis: int, n: int, further: range) -> Iterator[tuple[Diagnosis, _Leaf]]:
    if n == 2:
        text = f"the two parts of {what} along axis {axis} are exchanged"
        yield Diagnosis("exchange", text), partial(np.flip, axis=axis)
    if n < 3:
        return
    for shift in (1, -1, *further):
        by = shift if 2 * shift <= n else shift - n
        text = f"{what} is shifted by {by:+d} along axis {axis}"
        yield Diagnosis("shift", text), partial(np.roll, shift=-shift, axis=axis)
    text = f"{what} is in reverse order along axis {axis}"
    yield Diagnosis("reverse", text), partial(np.flip, axis=axis)


def _row_major(a: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return a.reshape(-1).reshape(a.shape, order="F")


def _read_column_major(a: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return a.reshape(-1, order="F").reshape(a.shape)


def _in_leaf(layout: Layout, k: int, undo: _Leaf, flat: Array) -> Array:
    parts = layout.split(flat)
    parts[k] = undo(parts[k])
    return layout.flatten(parts)


def _exchanged(layout: Layout, j: int, k: int, flat: Array) -> Array:
    parts = layout.split(flat)
    parts[j], parts[k] = parts[k], parts[j]
    return layout.flatten(parts)
