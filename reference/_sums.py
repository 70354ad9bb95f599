"""Sums of losses and of rows, whose errors hardly grow with the number of terms.

Halves are added up until few numbers are left: that rounds a number once in a halving, not once in
a term, and like numbers mostly not at all.  The sums are formed in place of the terms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference._validate import Array

_FEW = 128  # numbers that are added up exactly
_FEW_IN_ROWS = 10
_BLOCK = 128


def summed(terms: Array) -> Any:
    """Return the sum of a vector; of up to 128 terms it is correctly rounded.

    It is one of Python's numbers, which never warn: to keep NumPy's from it takes longer than a short sum.
    """
    if terms.dtype == object:  # numbers that do not round, such as a proof's symbols
        return np.add.reduce(terms)
    few = terms
    if terms.size > _FEW:
        with np.errstate(all="ignore"):
            few = _halved(terms[None], _FEW)[0]
    numbers = few.tolist()
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # too large for a sum on the way, or +inf and −inf
        return sum(numbers)


def row_sums(terms: Array) -> Any:
    """Return the sum of each row, of shape (r,)."""
    return _halved(terms, _FEW_IN_ROWS).sum(axis=1)


def row_square_sums(x: Array) -> Any:
    """Return the sum of each row's squares, of shape (r,); whole blocks by dot products, faster."""
    rest = x[:, : x.shape[1] % _BLOCK]
    total = row_sums(rest * rest)
    blocks = x.shape[1] // _BLOCK
    if not blocks:
        return total
    whole = x[:, rest.shape[1] :].reshape(len(x), blocks, _BLOCK)
    return total + row_sums(np.vecdot(whole, whole))


def _halved(terms: Array, few: int) -> Array:
    n = terms.shape[1]
    while n > few:
        half = n // 2
        terms[:, :half] += terms[:, half : 2 * half]
        if n % 2:
            terms[:, 0] += terms[:, n - 1]
        n = half
    return terms[:, :n]
