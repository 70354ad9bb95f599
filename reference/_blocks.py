"""How a formula is run on arrays of any size, layout and dtype.

A *formula* is a plain function of arrays, free of casts, so that it also runs on arrays of symbolic
numbers.  The functions here feed it float64 blocks that fit the cache, so that its temporaries
never travel to main memory, and round its results once to the caller's dtype.  Blocks are
contiguous, and formulas treat entries (or rows) independently; therefore neither the layout of the
caller's array nor a row's neighbours change a bit of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference._validate import Array, Reduction

Formula = Callable[..., Any]

_ENTRIES = 16384  # 128 KiB of float64: several temporaries fit the second-level cache


def elementwise(formula: Formula, *arrays: Array, dtype: np.dtype[Any]) -> Any:
    """Return ``formula(*arrays)``, entry by entry, in `dtype`; the arrays have one shape."""
    flat = [_flatten(a) for a in arrays]
    out = np.empty(flat[0].size, dtype)
    with np.errstate(all="ignore"):
        for start in range(0, out.size, _ENTRIES):
            part = slice(start, start + _ENTRIES)
            out[part] = formula(*(np.ascontiguousarray(a[part], dtype=np.float64) for a in flat))
    return out.reshape(arrays[0].shape)[()]


def by_rows(formula: Formula, *arrays: Array, dtype: np.dtype[Any], row_entries: int = 0) -> Array:
    """Return ``formula(*arrays)``, row by row, in `dtype`.

    The first array has shape (rows, n), the others as many rows; integers are passed on as they
    are.  The formula maps r rows to an array whose first axis is r, and its work for a row is that
    of `row_entries` numbers (n, if not given).
    """
    rows = len(arrays[0])
    step = max(1, _ENTRIES // (row_entries or arrays[0].shape[1]))
    with np.errstate(all="ignore"):
        first = _row_block(formula, arrays, slice(0, step)).astype(dtype, copy=False)
        if rows <= step:
            return first
        out = np.empty((rows, *first.shape[1:]), dtype)
        out[:step] = first
        for start in range(step, rows, step):
            part = slice(start, start + step)
            out[part] = _row_block(formula, arrays, part)
    return out


def to_rows(array: Array, axis: int) -> Array:
    """Return a contiguous array of shape (rows, n), n the length of `axis`."""
    moved = array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1)
    rows = math.prod(moved.shape[:-1])
    return np.ascontiguousarray(moved).reshape(rows, moved.shape[-1])


def from_rows(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Undo `to_rows` for an array of the given shape."""
    if axis == len(shape) - 1:
        return rows.reshape(shape)
    moved = (*shape[:axis], *shape[axis + 1 :], shape[axis])
    return np.moveaxis(rows.reshape(moved), -1, axis)


def per_row(values: Array, shape: tuple[int, ...], axis: int) -> Any:
    """Return one value (or matrix) for each row, in the caller's shape without `axis`."""
    return values.reshape((*shape[:axis], *shape[axis + 1 :], *values.shape[1:]))[()]


def reduced(losses: Array, reduction: Reduction, dtype: np.dtype[Any]) -> Any:
    """Return the mean or sum of float64 losses, or the losses themselves, rounded to `dtype`."""
    with np.errstate(all="ignore"):
        if reduction == "none":
            return losses.astype(dtype, copy=False)[()]
        if reduction == "sum":
            return losses.sum().astype(dtype)
        mean = losses.sum() / losses.size
        if np.isinf(mean):
            # The sum may overflow where the mean does not.
            mean = (losses / losses.size).sum()
        return mean.astype(dtype)


def averaged(gradient: Formula, samples: int, reduction: Reduction) -> Formula:
    """Return the gradient's formula, divided by the number of samples if the loss is a mean."""
    if reduction != "mean":
        return gradient
    return lambda *arrays: gradient(*arrays) / samples


def _flatten(array: Array) -> Array:
    if array.size and not any(array.strides):
        return np.broadcast_to(array.reshape(-1)[:1], (array.size,))
    return array.reshape(-1)


def _row_block(formula: Formula, arrays: tuple[Array, ...], part: slice) -> Array:
    blocks = (a[part] for a in arrays)
    wide = (b.astype(np.float64, copy=False) if b.dtype.kind == "f" else b for b in blocks)
    return np.asarray(formula(*wide))
