"""Matrix products and sums into places, without overflow on the way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from reference._validate import Array

_SHORT = 16  # terms that a product adds up in a row


def wide(x: Array) -> Array:
    """Return `x` as float64, contiguous and aligned.

    In another layout a product would add up its terms in another order.
    """
    x = x.astype(np.float64, order="C", copy=False)
    return x if x.flags.aligned else x.copy()


def product(a: Array, b: Array, scale: float = 1.0) -> Any:
    """Return scale·(a @ b); where that overflows, again with rows and columns scaled down.

    The products of a stack are taken one by one: the others do not change a bit of a result.
    """
    return _without_overflow(np.matmul, a, b, scale)


def product_by_rows(a: Array, b: Array, scale: float = 1.0) -> Any:
    """Do the same, row by row of `a`: neither do the other rows change a bit.

    The sums in a product of whole matrices are in an order that depends on how many rows there are.
    This takes several times as long.  Blocks of terms are added up in a tree: the error grows with
    the logarithm of their number.
    """
    return _without_overflow(_by_rows, a, b, scale)


def _by_rows(a: Array, b: Array) -> Any:
    waiting: list[Any] = []  # sums of 2^k blocks, each of another k, as in a number's binary digits
    for count, start in enumerate(range(0, max(a.shape[-1], 1), _SHORT), start=1):
        part = slice(start, start + _SHORT)
        total = (a[..., :, None, part] @ b[..., None, part, :])[..., 0, :]
        for _ in range((count & -count).bit_length() - 1):
            total = waiting.pop() + total
        waiting.append(total)
    return functools.reduce(lambda total, more: more + total, reversed(waiting))


def _without_overflow(
    multiply: Callable[[Array, Array], Any], a: Array, b: Array, scale: float
) -> Any:
    plain = scale * multiply(a, b)
    if np.isfinite(plain).all():
        return plain
    of_rows = np.frexp(abs(a).max(axis=-1, keepdims=True, initial=0))[1]
    of_columns = np.frexp(abs(b).max(axis=-2, keepdims=True, initial=0))[1]
    again = multiply(np.ldexp(a, -of_rows), np.ldexp(b, -of_columns))
    return np.where(np.isfinite(plain), plain, np.ldexp(scale * again, of_rows + of_columns))


def scattered(values: Array, places: Array, count: int) -> Any:
    """Return `count` rows (or numbers), each the sum of those of `values` whose place it is.

    Like numbers of one size add up without rounding, whatever their order: what is above the grid
    of the sum of their sizes is added exactly, and what is below hardly counts.  Numbers of another
    size at other places cost a sum no digit.
    """
    size, total, rest = (np.zeros((count, *values.shape[1:])) for _ in range(3))
    spare = len(values).bit_length()  # a power of two above the number of terms
    # Sizes that vanish here are so small that their sum is exact without a grid.
    np.add.at(size, places, np.ldexp(abs(values), -spare))
    exponent = np.frexp(size)[1]
    scaled = np.ldexp(values, -exponent[places])
    grid = 4 * 2.0**spare
    high = (scaled + grid) - grid
    np.add.at(total, places, high)
    np.add.at(rest, places, np.where(np.isfinite(high), scaled - high, 0.0))
    return np.ldexp(total + rest, exponent)
