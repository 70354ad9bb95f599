"""Sums of exponentials, row by row, with all their digits: what softmax and its kin are made of.

Three things cost digits in the textbook's ``e = exp(z − max)``, ``e / e.sum()``:

* z − max is rounded, and exp turns an error in its argument into a relative one: 500 ulp at a
  distance of 700.  `exponentials` puts the error back, or does not shift where nothing would
  overflow.
* A term far below the largest underflows although its product with something large would not.  The
  largest term is therefore not shifted to 1 but to e³⁰⁰.
* S − e_k is nothing but rounding when e_k is nearly all of S.  The others are summed without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference._blocks import Formula
from reference._validate import Array

_WINDOW = 340.0  # exp(±340) and the ratio of two such numbers are normal in float64
_LOWEST_TOP = -30.0  # e^-30 and larger: products with the terms have room below
_LIFT = 300.0  # terms down to 2^-1074 of the largest stay normal, products have room above


@dataclass(frozen=True, slots=True)
class RowSums:
    """Rows of terms with their sums, arranged so that no difference cancels.

    Parameters
    ----------
    terms : array, shape (r, n)
        The terms.
    top : array of int, shape (r,)
        The column of each row's largest term in absolute value.
    rest : array, shape (r, 1)
        The sum of all terms but the top one.
    total : array, shape (r, 1)
        The sum of all terms.
    """

    terms: Array
    top: Array
    rest: Array
    total: Array

    @property
    def shares(self) -> Any:
        """Each term divided by the total; of exponentials the softmax."""
        return self.terms / self.total

    @property
    def others(self) -> Any:
        """The sum of the row's other terms, for each term."""
        others = self.total - self.terms
        others[np.arange(len(others)), self.top] = self.rest[:, 0]
        return others

    def others_at(self, columns: Array) -> Any:
        """Return the sum of the row's other terms for one term of each row, shape (r, 1)."""
        is_top = (columns == self.top)[:, None]
        return np.where(is_top, self.rest, self.total - at(self.terms, columns))

    @property
    def log_excess(self) -> Any:
        """log(total / top term) = log1p(rest / top term), shape (r, 1)."""
        return np.log1p(self.rest / at(self.terms, self.top))


def softmax_sums(z: Array) -> RowSums:
    """Return the exponentials of the rows of z, up to a factor for each row, and their sums."""
    top = z.argmax(axis=1)
    return row_sums(exponentials(z, shifts(z, top)), top)


def shifts(z: Array, top: Array) -> Any:
    """Return, with shape (r, 1), what is subtracted from each row of z before exponentiating.

    Nothing where every entry lies within ±340 and the largest, in column `top`, is not below −30;
    else so much that the largest becomes 300.
    """
    largest = at(z, top)
    inside = (largest >= _LOWEST_TOP) & (largest <= _WINDOW)
    if z.size and not z.min() >= -_WINDOW:
        inside &= z.min(axis=1, keepdims=True) >= -_WINDOW
    return np.where(inside, 0.0, largest - _LIFT)


def exponentials(z: Array, shift: Array) -> Any:
    """Return exp(z − shift), with the rounding error of the difference put back."""
    if not shift.any():
        return np.exp(z)
    # Knuth's two-sum: z − shift == d + lost exactly, and exp(d + lost) = exp(d)·(1 + lost).
    d = z - shift
    back = d - z
    lost = (z - (d - back)) - (shift + back)
    # Where d is −inf, exp(d) is zero and lost is NaN; fmin lets the number win.
    e = np.exp(d)
    return e + e * np.fmin(lost, 1.0)


def row_sums(terms: Array, top: Array) -> RowSums:
    """Return `terms` with their sums; `top` holds the column of each row's largest |term|."""
    others = terms.copy()
    others[np.arange(len(others)), top] = 0
    rest = _sum(others)
    return RowSums(terms=terms, top=top, rest=rest, total=rest + at(terms, top))


def at(values: Array, columns: Array) -> Any:
    """Return each row's entry in its own column, with shape (r, 1)."""
    return values[np.arange(len(values)), columns][:, None]


def _sum(terms: Array) -> Any:
    """Return the sum of each row, with shape (r, 1), as if added exactly and rounded once."""
    # (t + grid) − grid is t rounded to the spacing of numbers near `grid`.  Such multiples add up
    # without any rounding; what they leave of t is too small for the rounding of its sum to matter.
    grid = 2 * terms.shape[1] * abs(terms).max(axis=1, keepdims=True)
    high = (terms + grid) - grid
    low = terms - high
    return high.sum(axis=1, keepdims=True) + low.sum(axis=1, keepdims=True)


def scaled(product: Formula) -> Formula:
    """Return a formula that is linear in its second argument, made safe for huge and tiny ones.

    A product of a term with a vector beyond 2^±500 may overflow or underflow where the result does
    not; a power of two in and out changes no digit.
    """

    def safe(z: Array, v: Array) -> Any:
        size = abs(v).max(axis=1, keepdims=True, initial=0)
        huge, tiny = size > 2.0**500, size < 2.0**-500
        if not (huge | tiny).any():
            return product(z, v)
        scale = np.where(huge, 2.0**-600, np.where(tiny, 2.0**600, 1.0))
        return product(z, v * scale) / scale

    return safe
