"""Sums of exponentials, row by row, with all their digits: what softmax and its kin are made of.

Three things cost digits in the textbook's ``e = exp(z − max)``, ``e / e.sum()``:

* z − max is rounded, and exp turns an error in its argument into a relative one: 500 ulp at a
  distance of 700.  `exponentials` puts the error back, or does not shift where nothing would
  overflow.
* A term far below the largest underflows although its product with something large would not.  The
  largest term is therefore not shifted to 1 but to e³⁰⁰.
* S − e_k is nothing but rounding when e_k is nearly all of S.  The others are summed without it.

Most rows need no shift: they are exponentiated as they are, and their sums tell which of them have to
be done again.

Functions that take `out` write into it, if given.  Rows longer than a block are worked on in parts,
so that temporaries stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from reference._blocks import Formula, columns
from reference._validate import Array

_WINDOW = 340.0  # exp(±340) and the ratio of two such numbers are normal in float64
_LOWEST_TOP = -30.0  # e^-30 and larger: products with the terms have room below
_SHORT = 1024  # entries of a row
_LEAST, _MOST = 0.5, 2.0**28  # sums of terms: the logarithms are −0.7 and 19.4
_HUGE, _TINY = 2.0**490, 2.0**-900
_ZERO = np.array(0.0)  # as an array, which NumPy would make of it in every call
_HEAVY = 16.0  # a part of that weight, 1/16 of the whole, is a good one to take the centre from
_LIFT = 300.0  # terms down to 2^-1074 of the largest stay normal, products have room above


@dataclass(frozen=True, slots=True)
class RowSums:
    """Rows of terms with their sums, arranged so that no difference cancels.

    Parameters
    ----------
    terms : array, shape (r, n)
        The terms.
    apart : array of int, shape (r,)
        For each row the column of one term that is summed apart from the rest.
    own : array, shape (r, 1)
        That term.
    rest : array, shape (r, 1)
        The sum of all terms but that one.
    total : array, shape (r, 1)
        The sum of all terms.
    """

    terms: Array
    apart: Array
    own: Array
    rest: Array
    total: Array

    def others(self, part: slice) -> Any:
        """Return the sum of the row's other terms, for each term in a part of the columns.

        The term apart must be the largest in absolute value; else the difference cancels.
        """
        others = self.total - self.terms[:, part]
        others[_places(self.apart, part)] = self.rest[_places(self.apart, part)[0], 0]
        return others

    @property
    def log_excess(self) -> Any:
        """log(total / own term) = log1p(rest / own term), shape (r, 1)."""
        return np.log1p(self.rest / self.own)


class RestSums(NamedTuple):
    """Rows of terms with their sums, where one term of each row is only in the total.

    A tuple, which is made in a third of the time of a dataclass: it counts for small batches.

    Parameters
    ----------
    terms : array, shape (r, n)
        The terms, with zero in place of the one apart.
    places : array of int, shape (r,)
        Where those zeros are, among all entries.
    own, rest, total : array, shape (r,)
        The term apart, the sum of all others, and the sum of both.
    """

    terms: Array
    places: Array
    own: Array
    rest: Array
    total: Array

    @property
    def log_excess(self) -> Any:
        """log(total / own term) = log1p(rest / own term), shape (r,)."""
        return np.log1p(self.rest / self.own)


def softmax_terms(z: Array, out: Array | None = None) -> Any:
    """Return exp(z), up to a factor for each row that keeps it in range."""
    return exponentials(z, shifts(z), out)


def softmax_sums(z: Array, apart: Array, out: Array | None = None) -> RowSums:
    """Return the terms of softmax and their sums, with the term in column `apart` summed apart."""
    return row_sums(softmax_terms(z, out), apart)


def terms_and_total(z: Array, out: Array | None = None) -> tuple[Any, Any]:
    """Return terms of softmax, good for their shares alone, and their sums, of shape (r, 1)."""
    terms = np.exp(z, out=out)
    sums = _quick_sum(terms)
    if not _usual(sums, sums):
        _improve(sums, terms)
        rows = _to_be_shifted(sums, sums)
        if rows is not None:
            again = softmax_terms(z[rows])
            terms[rows], sums[rows] = again, _sum(again)
    return terms, sums[:, None]


def rest_sums(z: Array, apart: Array, out: Array | None = None) -> RestSums:
    """Return the same with the term in column `apart` of each row summed apart."""
    terms, places = np.exp(z, out=out), entries_at(apart, z.shape[1])
    own = _taken_out(terms, places)
    rest = _quick_sum(terms)
    total = rest + own
    if not _usual(rest, total):
        _improve(rest, terms)
        rows = _to_be_shifted(rest, rest + own)
        if rows is not None:
            again = softmax_terms(z[rows])
            own[rows] = _taken_out(again, entries_at(apart[rows], z.shape[1]))
            terms[rows], rest[rows] = again, _sum(again)
        total = rest + own
    return RestSums(terms, places, own, rest, total)


def _to_be_shifted(rest: Array, total: Array) -> Any:
    """Return which rows of unshifted terms have sums that are not good enough, or None.

    A subnormal term is wrong by half the smallest number, and so is its share of a total that is
    not small.  A rest far above the subnormal numbers does not notice.  Of symbols all rows are
    shifted, which is right for numbers of any size.
    """
    if rest.dtype == object:
        return np.ones(len(rest), dtype=bool)
    good = total >= _LEAST
    good &= total <= _HUGE
    good &= rest >= _TINY
    return None if np.count_nonzero(good) == len(good) else ~good


def _taken_out(terms: Array, places: Array) -> Any:
    """Return the entries at these places among all, and leave zero there."""
    entries = terms.ravel()
    own = entries[places]
    entries[places] = _ZERO
    return own


def entries_at(columns: Array, n: int) -> Any:
    """Return where each row's own column lies among all the entries of rows of length n."""
    return _row_starts(len(columns), n) + columns


def shifts(z: Array) -> Any:
    """Return, with shape (r, 1), what is subtracted from each row of z before exponentiating.

    Nothing where every entry lies within ±340 and the largest is not below −30; else so much that
    the largest becomes 300.  None if it is nothing in every row.
    """
    lowest = z.min(initial=0)
    if lowest >= _LOWEST_TOP and z.max(initial=0) <= _WINDOW:
        return None
    largest = at(z, z.argmax(axis=1))
    inside = (largest >= _LOWEST_TOP) & (largest <= _WINDOW)
    if not lowest >= -_WINDOW:
        inside &= z.min(axis=1, keepdims=True) >= -_WINDOW
    return None if inside.all() else np.where(inside, 0.0, largest - _LIFT)


def exponentials(z: Array, shift: Array | None, out: Array | None = None) -> Any:
    """Return exp(z − shift), with the rounding error of the difference put back."""
    if shift is None:
        return np.exp(z, out=out)
    terms = np.empty_like(z) if out is None else out
    for part in columns(z.shape[1]):
        # Knuth's two-sum: z − shift == d + lost exactly, and exp(d + lost) = exp(d)·(1 + lost).
        d = z[:, part] - shift
        back = d - z[:, part]
        lost = (z[:, part] - (d - back)) - (shift + back)
        # Where d is −inf, exp(d) is zero and lost is NaN; fmin lets the number win.
        e = np.exp(d)
        terms[:, part] = e + e * np.fmin(lost, 1.0)
    return terms


def row_sums(terms: Array, apart: Array) -> RowSums:
    """Return `terms`, none of them negative, with their sums; they are written to meanwhile."""
    places = entries_at(apart, terms.shape[1])
    own = _taken_out(terms, places)
    rest = total(terms)
    terms.ravel()[places] = own
    own = own[:, None]
    return RowSums(terms=terms, apart=apart, own=own, rest=rest, total=rest + own)


def signed_row_sums(terms: Array) -> RowSums:
    """Return `terms` of any sign with their sums; the largest in absolute value is apart."""
    highest, lowest = terms.argmax(axis=1), terms.argmin(axis=1)
    upward = at(terms, highest) >= -at(terms, lowest)
    apart = np.where(upward[:, 0], highest, lowest)
    sizes = [abs(block).max(axis=1, keepdims=True) for block in _without(terms, apart)]
    grid = 2.0 * terms.shape[1] * np.max(sizes, axis=0)
    rest: Any = sum(sum(_parts_of_sum(block, grid)) for block in _without(terms, apart))
    rest, own = rest[:, None], at(terms, apart)
    return RowSums(terms=terms, apart=apart, own=own, rest=rest, total=rest + own)


def total(terms: Array) -> Any:
    """Return the sum of each row, with shape (r, 1), as if exact and rounded once.

    No term is negative.
    """
    return _sum(terms)[:, None]


def _sum(terms: Array) -> Any:
    sums = _quick_sum(terms)
    _improve(sums, terms)
    return sums


def _quick_sum(terms: Array) -> Any:
    """Return the sum of each row, of shape (r,), which `_improve` improves where it is not usual."""
    if terms.dtype == object:  # numbers that do not round, such as a proof's symbols
        return terms.sum(axis=1)
    if terms.shape[1] > _SHORT:
        return _sum_on_own_grid(terms)
    # One grid for all is twice as fast as one for each row.  It serves rows whose sum is of the
    # usual size: their terms are not too large for it, and not too small.
    sums, low = _parts_of_sum(terms, _grid(terms.shape[1]))
    sums += low
    return sums


def _usual(rest: Array, total: Array) -> bool:
    """Whether sums need no closer look.  Symbols get one: it holds for numbers of any size."""
    if rest.dtype == object or not rest.size:
        return False
    # The place of an extreme entry, or of NaN, takes NumPy a fifth of the time of the entry itself.
    return bool(rest.item(rest.argmin()) >= _LEAST and total.item(total.argmax()) <= _MOST)


def _improve(sums: Array, terms: Array) -> None:
    n = terms.shape[1]
    if terms.dtype == object or n > _SHORT:
        return
    good = sums >= _least(n)
    good &= sums <= _MOST
    if np.count_nonzero(good) < len(good):
        rows = ~good
        sums[rows] = _sum_on_own_grid(terms[rows])


@lru_cache(maxsize=4)
def _least(n: int) -> Array:
    """Return the least sum of n terms whose rounding on the one grid does not matter."""
    return np.array(min(0.25, n**3 * 2.0**-18))


@lru_cache(maxsize=4)
def _grid(n: int) -> Array:
    return np.array(2 * n * _MOST)


def _sum_on_own_grid(terms: Array) -> Any:
    n = terms.shape[1]
    grid = 2.0 * n * at(terms, terms.argmax(axis=1))
    high: Any = 0.0
    low: Any = 0.0
    for part in columns(n):
        more_high, more_low = _parts_of_sum(terms[:, part], grid)
        high, low = high + more_high, low + more_low
    return high + low


def _parts_of_sum(terms: Array, grid: Any) -> tuple[Any, Any]:
    """Return two numbers for each row, of shape (r,), that add up to the sum of its terms.

    The grid is at least 2n times the largest term.
    """
    # (t + grid) − grid is t rounded to the spacing of numbers near `grid`.  Such multiples add up
    # without any rounding; what they leave of t is too small for the rounding of its sum to matter.
    coarse = terms + grid
    coarse -= grid
    ones = _ones(coarse.shape[1])
    high = coarse.dot(ones)  # exact in whatever order
    left = np.subtract(terms, coarse, out=coarse)
    return high, np.vecdot(left, ones)


@lru_cache(maxsize=4)
def _ones(n: int) -> Array:
    """Return a constant that takes longer to make than a short row to sum."""
    ones = np.ones(n)
    ones.flags.writeable = False
    return ones


@lru_cache(maxsize=4)
def _row_starts(rows: int, n: int) -> Array:
    starts = np.arange(0, rows * n, n)
    starts.flags.writeable = False
    return starts


def at(values: Array, columns: Array) -> Any:
    """Return each row's entry in its own column, with shape (r, 1)."""
    return values.ravel()[entries_at(columns, values.shape[1])][:, None]


def _without(terms: Array, apart: Array) -> Iterator[Array]:
    """Yield copies of the parts of `terms` with zero in the columns `apart`."""
    for part in columns(terms.shape[1]):
        block = terms[:, part].copy()
        block[_places(apart, part)] = 0
        yield block


def _places(apart: Array, part: slice) -> tuple[Array, Array]:
    """Return rows and columns, within a part, of those entries `apart` that lie in it."""
    rows = np.flatnonzero((part.start <= apart) & (apart < part.stop))
    return rows, apart[rows] - part.start


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """The mean of a row's entries, weighted with terms, in a form that differences keep digits in.

    Parameters
    ----------
    total : array, shape (r, 1)
        The sum of the weights.
    centre : array, shape (r, 1)
        An entry near the mean.
    drift : array, shape (r, 1)
        What the mean exceeds it by.
    """

    total: Array
    centre: Array
    drift: Array

    def deviations(self, v: Array) -> Any:
        """Return v less the mean, for any part of the columns; exactly zero where v is constant."""
        w = v - self.centre
        w -= self.drift
        return w


def weighted_mean(terms: Array, v: Array) -> WeightedMean:
    """Return the mean of each row of v, weighted with `terms`."""
    # Any constant may be taken from v first.  With the entry nearest to the mean, what is left is
    # no larger than the spread of v, so that a large common part costs no digits.  Of a long row the
    # entry nearest to the heaviest part's mean serves as well: a part of weight w keeps the mean
    # within 1/2w times the spread.  That costs 3 bits at most, or else the mean is looked at.
    parts = columns(v.shape[1])
    sums = [np.add.reduce(terms[:, part], axis=1, keepdims=True) for part in parts]
    total: Any = sum(sums)
    k = max(range(len(parts)), key=lambda k: sums[k].sum())
    weights, values = terms[:, parts[k]], v[:, parts[k]]
    about = np.vecdot(weights, values)[:, None] / sums[k]
    centre = at(values, abs(values - about).argmin(axis=1))
    drift = _sum_of_distances(terms, v, centre) / total
    if len(parts) > 1 and (sums[k] < total / _HEAVY).any():
        spread = np.vecdot(weights, abs(values - centre))[:, None] / total
        if (abs(drift) > 4 * spread).any():
            centre = _nearest(v, centre + drift)
            drift = _sum_of_distances(terms, v, centre) / total
    return WeightedMean(total=total, centre=centre, drift=drift)


def _sum_of_distances(terms: Array, v: Array, centre: Array) -> Any:
    """Return the weighted sum of each row's distances from its centre."""
    parts = columns(v.shape[1])
    return sum(np.vecdot(terms[:, part], v[:, part] - centre)[:, None] for part in parts)


def _nearest(v: Array, value: Array) -> Any:
    """Return the entry of each row of v that is nearest to a value, with shape (r, 1)."""
    candidates = []
    for part in columns(v.shape[1]):
        distance = v[:, part] - value
        candidates.append(at(v[:, part], np.abs(distance, out=distance).argmin(axis=1)))
    best = np.concatenate(candidates, axis=1)
    return at(best, abs(best - value).argmin(axis=1))


def _moderate(v: Array) -> bool:
    """Whether each row has a size within 2^±500 for sure.  Symbols get a closer look."""
    if v.dtype == object:
        return False
    squares = np.vecdot(v, v)
    moderate = squares >= 2.0**-999 * v.shape[1]
    moderate &= squares <= 2.0**999
    return bool(np.count_nonzero(moderate) == len(v))


def scaled(product: Formula) -> Formula:
    """Return a formula that is linear in its second argument, made safe for huge and tiny ones.

    A product of a term with a vector beyond 2^±500 may overflow or underflow where the result does
    not; a power of two in and out changes no digit.
    """

    def safe(z: Array, v: Array, **out: Any) -> Any:
        if _moderate(v):
            return product(z, v, **out)
        size = np.maximum(v.max(axis=1, keepdims=True), -v.min(axis=1, keepdims=True))
        huge, tiny = size > 2.0**500, size < 2.0**-500
        if not (huge | tiny).any():
            return product(z, v, **out)
        scale = np.where(huge, 2.0**-600, np.where(tiny, 2.0**600, 1.0))
        return np.divide(product(z, v * scale, **out), scale, **out)

    return safe
