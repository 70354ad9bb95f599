"""What would have been seen in single entries: which size an error in one is relative to.

It is the entry's own, unless rounding hides that beside larger entries: f's rounding, or that of
the claim, which has large terms where other entries are large.  Then it is the largest entry's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._claim.compare import SMALL, Comparison, norm
from gradcheck._claim.problem import Problem
from gradcheck._claim.resolution import BARELY, size_of
from gradcheck._claim.tolerance import ULPS, Tolerance, claim_eps, claim_rounding, rounding_of_value
from gradcheck._estimate.line import Values

Mask = npt.NDArray[np.bool_]
# Parts of what is asked for, times an output's largest entry, that its others may hide: with no
# closer look, and after one.
_TRIFLE, _LITTLE = 1e-4, 1e-2


@dataclass(frozen=True, slots=True)
class Seen:
    """What would have been seen in some entries.

    Parameters
    ----------
    resolution : float
        Largest part of an entry's size by which it could be wrong unseen.
    hidden : int
        Entries that rounding hides beside larger ones.
    beneath : float
        Largest part of their output's largest entry by which those could be wrong unseen.
    """

    resolution: float = 0.0
    hidden: int = 0
    beneath: float = 0.0

    def beside(self, other: Seen) -> Seen:
        """Return the same of these entries and others."""
        return Seen(
            max(self.resolution, other.resolution),
            self.hidden + other.hidden,
            max(self.beneath, other.beneath),
        )


class Yardstick:
    """The sizes that errors in the entries of one claim are measured by.

    Parameters
    ----------
    problem : Problem
        f and the claim, begun.
    claimed : ndarray of float64
        The claim, of shape (outputs, inputs), for movements of each input by its size.
    required : float
        The part of an entry that must be seen.
    tolerance : Tolerance
        What is forgiven of the claim.

    Attributes
    ----------
    size : ndarray of float64
        |claimed|.
    norm : ndarray of float64
        That of each output's.
    rounding : ndarray of float64
        What right entries may be off by, because larger ones were rounded on the way.
    """

    def __init__(
        self, problem: Problem, claimed: Array, required: float, tolerance: Tolerance
    ) -> None:
        self._problem = problem
        self._required = required
        self._sharp = required / 2  # what a radius may be: an error hides behind two of them
        # what arithmetic as coarse as float16 rounds isn't asked of a claim
        self._roundable = max(required, 2 * ULPS * claim_eps(problem))
        self._trifle, self._little = _TRIFLE * required, _LITTLE * required
        self.size = np.abs(claimed)
        self.norm = np.array([norm(row) for row in self.size])[:, None]
        self.rounding = _rounding_of(problem, self.size, self.norm, tolerance)
        self._largest = _largest_of(problem, self.size)

    @cached_property
    def _whole(self) -> Values:
        """The largest entry as the caller has it, without the inputs' sizes."""
        sizes = self._problem.arithmetic.inputs.sizes
        whole = _largest_of(self._problem, self.size / sizes) * sizes
        moves = self.size.any(axis=1, keepdims=True)
        return np.where(moves, whole, self._largest)

    def shows(self, radius: Values) -> Mask:
        """Say in which entries a pair of steps with such a radius shows enough.

        Of one output's gradient small entries are looked at more closely, of many outputs they are
        too many.
        """
        enough = radius <= self._sharp * self.size
        if enough.all():
            return np.asarray(enough)
        small = (self.size == 0) | (self.size.shape[0] > 1)
        enough |= small & (radius <= self._trifle * self._largest)
        return np.asarray(enough & (radius <= self._whole))

    def seen_by_pairs(self, settled: Mask, radius: Values, missed: Values) -> Seen:
        """Return what would have been seen in the entries that pairs of steps have settled.

        `missed` is how much a claim of them may be wrong and agree.
        """
        visible = radius <= self._sharp * self.size
        visible &= self.rounding <= self._roundable * self.size
        claimed = settled & (self.size > 0)
        plain, hidden = claimed & visible, claimed & ~visible
        resolution = float((missed / self.size).max(where=plain, initial=0.0))
        if not hidden.any():
            return Seen(resolution)
        beneath = float((missed / self._whole).max(where=hidden, initial=0.0))
        return Seen(resolution, int(np.count_nonzero(hidden)), beneath)

    def seen_in(self, i: int, j: int, c: Comparison, missed_by_pair: float) -> Seen | None:
        """Return what would have been seen in entry (j, i) that agrees; None if that is too little.

        A pair of steps may have shown that there is little where the search found nothing.
        """
        radius, own = c.found.radius, max(abs(c.claimed), abs(c.found.value))
        rounding = c.allowed - radius - c.rtol * c.scale
        if radius <= self._sharp * own and rounding <= self._roundable * own:
            return Seen(resolution=_part(c.missed, own))
        largest = float(self._largest[j, 0])
        hidden, whole = int(c.claimed != 0 or own > radius), float(self._whole[j, i])
        if radius <= self._sharp * own or c.missed <= min(self._little * largest, whole):
            return Seen(hidden=hidden, beneath=_part(c.missed, whole))
        if missed_by_pair <= min(self._required * largest, whole):
            return Seen(hidden=hidden, beneath=_part(missed_by_pair, whole))
        if c.found.reason == "constant" and c.claimed != 0:
            return None
        size = size_of(self._problem, c)
        if radius <= size * (BARELY if c.found.vanishes else self._sharp):
            return Seen(resolution=_part(c.missed, size))
        return Seen() if c.found.reason == "constant" else None


def _part(missed: float, size: float) -> float:
    return missed / size if missed else 0.0


def _rounding_of(problem: Problem, claimed: Array, sizes: Array, tolerance: Tolerance) -> Array:
    """Return what right entries may be off by, because larger ones were rounded on the way.

    In arithmetic coarser than the one that f is looked at in that may be any entry, and the larger
    ones another output's: a slope of 1 − tanh² near zero is what is left of one.
    """
    rounding = np.where(claimed < SMALL * sizes, claim_rounding(problem, 1.0) * sizes, 0.0)
    eps = claim_eps(problem)
    if eps > problem.arithmetic.eps:
        np.maximum(rounding, ULPS * eps * claimed.max(initial=0.0), out=rounding)
    if tolerance.loses_digits:
        values = np.abs(problem.arithmetic.value)[:, None]
        np.maximum(rounding, rounding_of_value(problem, values, claimed), out=rounding)
    return rounding


def _largest_of(problem: Problem, claimed: Array) -> Values:
    """Return each output's largest entry; of an output without any, the output's own size.

    For a claim in coarser arithmetic it is the largest of all, as in `_rounding_of`.
    """
    largest = claimed.max(axis=1, initial=0.0)
    if claim_eps(problem) > problem.arithmetic.eps:
        largest = np.full_like(largest, largest.max(initial=0.0))
    return np.where(largest > 0, largest, np.abs(problem.arithmetic.value))[:, None]
