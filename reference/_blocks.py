"""How a formula is run on arrays of any size, layout and dtype.

A *formula* is a plain function of arrays, free of casts, so that it also runs on arrays of symbolic
numbers.  The functions here feed it float64 blocks that fit the cache, so that its temporaries
never travel to main memory, and round its results once to the caller's dtype.  A formula that takes
`out` writes into it, which in float64 is a part of the result itself, and saves the copy.  Blocks
are contiguous, and formulas treat entries (or rows) independently; therefore neither the layout of
the caller's array nor a row's neighbours change a bit of the result.

A row longer than a block is one block.  Its terms are needed more than once, and in float64: where
the result has no room for them (float32, float16, or one number for the row), they take a copy of
that one row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference._sums import summed
from reference._validate import Array, Reduction, reduction_name

Formula = Callable[..., Any]

_ENTRIES = 131072  # 1 MiB of float64: larger ones leave the cache, smaller ones wait for Python
_WIDE = np.dtype(np.float64)


def elementwise(formula: Formula, *arrays: Array, dtype: np.dtype[Any]) -> Any:
    """Return ``formula(*arrays)``, entry by entry, in `dtype`; the arrays have one shape."""
    return elementwise_into(into(formula), *arrays, dtype=dtype)


def into(formula: Formula) -> Formula:
    """Return the formula as one that writes its result into ``out``."""

    def writing(*blocks: Array, out: Array) -> Array:
        out[...] = formula(*blocks)
        return out

    return writing


def elementwise_into(formula: Formula, *arrays: Array, dtype: np.dtype[Any]) -> Any:
    """Do the same with a formula that writes its result into ``out``, as NumPy's own do.

    In float64 that is the caller's result itself: nothing is copied.
    """
    return _entry_blocks(formula, arrays, _WIDE, dtype)


def exact_elementwise_into(formula: Formula, *arrays: Array, dtype: np.dtype[Any]) -> Any:
    """Do the same in the arrays' own dtype: for what NumPy rounds correctly in every dtype.

    A difference, a maximum or a sign gains nothing from float64.
    """
    return _entry_blocks(formula, arrays, np.result_type(dtype, *arrays), dtype)


def _entry_blocks(
    formula: Formula, arrays: tuple[Array, ...], working: np.dtype[Any], dtype: np.dtype[Any]
) -> Any:
    flat = [_flatten(a) for a in arrays]
    out = np.empty(flat[0].size, dtype)
    buffer = out if dtype == working else np.empty(min(out.size, _ENTRIES), working)
    with np.errstate(all="ignore"):
        if isinstance(formula, np.ufunc) and all(a.dtype == dtype == working for a in flat):
            return formula(*flat, out=out).reshape(arrays[0].shape)[()]  # has no temporaries
        for start in range(0, out.size, _ENTRIES):
            part = slice(start, start + _ENTRIES)
            result = out[part] if buffer is out else buffer[: out.size - start]
            formula(*(np.ascontiguousarray(a[part], dtype=working) for a in flat), out=result)
            if buffer is not out:
                out[part] = result
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
        first = np.asarray(formula(*(_wide(a[:step]) for a in arrays))).astype(dtype, copy=False)
        if rows <= step:
            return first
        out = np.empty((rows, *first.shape[1:]), dtype)
        out[:step] = first
        for start in range(step, rows, step):
            part = slice(start, start + step)
            out[part] = formula(*(_wide(a[part]) for a in arrays))
    return out


@np.errstate(all="ignore")
def by_rows_into(formula: Formula, *arrays: Array, dtype: np.dtype[Any]) -> Array:
    """Do the same with a formula that writes its result, in the first array's shape, into ``out``.

    In float64 that is the caller's result itself, which also has room for what comes before it.
    """
    rows, n = arrays[0].shape
    step = max(1, _ENTRIES // n)
    out = np.empty((rows, n), dtype)
    if rows <= step and dtype == _WIDE:
        formula(*map(_wide, arrays), out=out)
        return out
    buffer = out if dtype == _WIDE else np.empty((min(rows, step), n))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        result = out[part] if buffer is out else buffer[: rows - start]
        formula(*(_wide(a[part]) for a in arrays), out=result)
        if buffer is not out:
            out[part] = result
    return out


def summed_rows(formula: Formula, *arrays: Array) -> Any:
    """Return the sum over all rows of ``formula(*arrays)``, of shape (n,), in float64."""
    rows, n = arrays[0].shape
    step = max(1, _ENTRIES // n)

    def sum_of(*block: Array) -> Any:
        return np.add.reduce(formula(*block), axis=0, keepdims=True)

    starts = range(0, rows, step)
    parts = (by_rows(sum_of, *(a[k : k + step] for a in arrays), dtype=_WIDE) for k in starts)
    return sum(parts, start=np.zeros((1, n)))[0]


def columns(n: int) -> list[slice]:
    """Return the parts, each no longer than a block, that a row of n entries is worked on in."""
    return [slice(start, start + _ENTRIES) for start in range(0, n, _ENTRIES)]


def to_rows(array: Array, axis: int) -> Array:
    """Return an array of shape (rows, n), n the length of `axis`; no copy if that can be."""
    if array.ndim == 2 and axis == 1 and array.flags.c_contiguous:
        return array
    moved = array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1)
    return moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def from_rows(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Undo `to_rows` for an array of the given shape."""
    if axis == len(shape) - 1:
        return rows if rows.shape == shape else rows.reshape(shape)
    moved = (*shape[:axis], *shape[axis + 1 :], shape[axis])
    return np.moveaxis(rows.reshape(moved), -1, axis)


def per_row(values: Array, shape: tuple[int, ...], axis: int) -> Any:
    """Return one value (or matrix) for each row, in the caller's shape without `axis`."""
    return values.reshape((*shape[:axis], *shape[axis + 1 :], *values.shape[1:]))[()]


def reduced(losses: Array, reduction: Reduction, dtype: np.dtype[Any]) -> Any:
    """Return the mean or sum of float64 losses, or the losses themselves, rounded to `dtype`."""
    if reduction == "none":
        with np.errstate(all="ignore"):
            return losses.astype(dtype, copy=False)[()]

    def total(divisor: int) -> Any:
        return summed(losses.flatten() if divisor == 1 else losses.reshape(-1) / divisor)

    return _mean_or_sum(total, losses.size, reduction, dtype)


def reduced_entries(
    formula: Formula, *arrays: Array, reduction: Reduction, dtype: np.dtype[Any]
) -> Any:
    """Return the mean or sum of ``formula(*arrays)``, entry by entry, or all the entries.

    The formula writes into ``out``.  For a mean or sum no more than a block of entries is kept.
    """
    if reduction == "none":
        return elementwise_into(formula, *arrays, dtype=dtype)
    flat, count = [_flatten(a) for a in arrays], arrays[0].size

    def total(divisor: int) -> Any:
        sums = []
        for part in columns(count):
            losses = elementwise_into(formula, *(a[part] for a in flat), dtype=_WIDE)
            sums.append(summed(losses if divisor == 1 else losses / divisor))
        return summed(np.array(sums)) if len(sums) != 1 else sums[0]

    return _mean_or_sum(total, count, reduction, dtype)


def _mean_or_sum(
    total: Callable[[int], Any], count: int, reduction: Reduction, dtype: np.dtype[Any]
) -> Any:
    """Return a mean or a sum; ``total(d)`` is the sum of the losses, each divided by d."""
    value = total(1)
    if reduction == "mean":
        value /= count
    if not isinstance(value, float):
        return value  # a proof's symbol
    if dtype == _WIDE and math.isfinite(value):
        return np.float64(value)  # which can't warn, so that NumPy need not be told: a microsecond
    with np.errstate(all="ignore"):
        if reduction == "mean" and math.isinf(value):
            value = total(count)  # the sum may overflow where the mean does not
        return dtype.type(value)


def averaged(
    gradient: Formula,
    samples: int,
    reduction: Reduction,
    smaller: Callable[..., tuple[Array, ...]] | None = None,
) -> Formula:
    """Return the gradient's formula, divided by the number of samples if the loss is a mean.

    Where the gradient itself may overflow, ``smaller(k, *arrays)`` are arguments of which an entry
    that does is 2^-k times as large.
    """
    if reduction_name(reduction) != "mean":
        return gradient

    def divided(*arrays: Array, **out: Any) -> Any:
        return np.divide(gradient(*arrays, **out), samples, **out)

    if smaller is None:
        return divided

    def safe(*arrays: Array, **out: Any) -> Any:
        # The processor says whether anything overflows, which costs nothing where nothing does.
        try:
            with np.errstate(over="raise"):
                return divided(*arrays, **out)
        except FloatingPointError:
            slopes, spare = divided(*arrays, **out), samples.bit_length()
            again = gradient(*smaller(spare, *arrays)) / np.ldexp(samples, -spare)
            np.copyto(slopes, again, where=np.isinf(slopes))
            return slopes

    return safe


def _flatten(array: Array) -> Array:
    if array.size and not any(array.strides):
        return np.broadcast_to(array.reshape(-1)[:1], (array.size,))
    return array.reshape(-1)


def _wide(block: Array) -> Array:
    if block.dtype.kind != "f" or (block.dtype == _WIDE and block.flags.c_contiguous):
        return block
    return np.ascontiguousarray(block, _WIDE)
