"""How far to step from a point: an argument's natural size, the unit of a ladder of steps, its finest rung."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_OFF_GRID = 0.7390851332151607  # the root of cos t = t; any irrational number would do
_SMALLEST_UNIT = 2.0**-1020  # so that the finest steps are not zero
_LARGEST_UNIT = 2.0**1020
_EXPONENT_BITS = np.int64(0x7FF0000000000000)
_ZERO_DEPTH = 120  # at x = 0 the argument's precision sets no end to the ladder


@lru_cache
def spacing(dtype: np.dtype[Any]) -> float:
    """Machine epsilon of a floating or complex dtype; that of float64 for integers."""
    return float(np.finfo(dtype if np.issubdtype(dtype, np.inexact) else np.float64).eps)


def step_to(point: npt.NDArray[Any], along: npt.NDArray[Any], t: float) -> npt.NDArray[Any]:
    """Return x + t·d in x's dtype, as a new array."""
    moved = np.asarray(along * point.dtype.type(t), dtype=point.dtype)
    moved += point
    return moved


def natural_size(x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How far each entry may move: its own size, or for zeros the typical size of the others, or one.

    It is rounded down to a power of two, so that multiplying by it is exact.
    """
    size = np.asarray(np.abs(x), dtype=np.float64)
    if size.min(initial=1.0) == 0.0:
        nonzero = size[size > 0]
        size[size == 0] = float(np.median(nonzero)) if nonzero.size else 1.0
    return down_to_power_of_two(size)


def down_to_power_of_two(size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round positive float64 numbers down to powers of two."""
    rounded = (size.view(np.int64) & _EXPONENT_BITS).view(np.float64)
    if rounded.min(initial=1.0) == 0.0:  # subnormal numbers have no exponent of their own
        _, exponent = np.frexp(size)
        return np.asarray(np.ldexp(1.0, exponent - 1))
    return rounded


def furthest(size: npt.NDArray[np.float64], along: npt.NDArray[Any]) -> float:
    """Return the t at which x + t·d has first moved an entry by its natural size.

    NumPy complains of an entry that doesn't move, unless it was told not to.
    """
    times = np.abs(along)
    np.divide(size, times, out=times)
    return float(times.min(initial=math.inf))


def unit_of(furthest: float, reach: tuple[float, float]) -> float:
    """Return the unit of a ladder of steps: about how far x can move without changing its character.

    It is a power of two times a constant: scaling x by a power of two scales it exactly, and steps that halve from it
    meet no function of period 2⁻ᵏ at the same phase again and again, as sin(2πkx) at x = 1 would be met.
    """
    unit = min(furthest, *[r for r in reach if r > 0])
    unit = min(max(unit, _SMALLEST_UNIT), _LARGEST_UNIT)
    return _OFF_GRID * 2.0 ** math.floor(math.log2(unit))


def depth_of(point: npt.NDArray[Any]) -> int:
    """Return the finest rung: steps that the argument's precision still resolves to some bits."""
    if not point.any():
        return _ZERO_DEPTH
    return round(-math.log2(spacing(point.dtype))) - 6
