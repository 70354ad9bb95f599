"""Whether f has a derivative at x at all: its directional derivatives must add up.

Where three entries tie, their median has a derivative along every line, but moving one of them
alone shows zero and moving them all shows one.  No claim can agree with that, so none is wrong.

A smooth f whose slopes vanish at x moves by products of the entries' steps, which don't add up either,
but shrink faster than the steps: what counts stays as it is at smaller ones.  And it excuses no
claim that is off by far more.

Of directions d = a + b the sides of a kink may add up in any way that stays within their sums, as
they do for every convex f and for one of separate kinks; a claim there is judged by the sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison
from gradcheck._claim.problem import Problem
from gradcheck._claim.ties import sides_along
from gradcheck._estimate.directions import signed
from gradcheck._estimate.ladder import CHECK
from gradcheck._report.report import WrongEntry

_SPLITS = 4  # of six evaluations each: of a median of three most of them show it
# Rungs, at which what stays is looked for: the entries of a matrix that is next to singular may have
# to move by far less than their sizes, for f to be anything like linear.
_FINER = (4.0, 12.0)
_STAYS = 0.5  # part of itself
_MATTERS = 0.1  # part of what a claim is off by


def is_contradictory(
    problem: Problem, wrong: Sequence[WrongEntry], worst: Comparison | None
) -> bool:
    """Whether all that is wrong lies in entries that tie, along which f's derivatives don't add up.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    wrong : sequence of WrongEntry
        Where the claim disagrees, as far as known.
    worst : Comparison or None
        A disagreement; what is looked at where no entry is known.
    """
    if wrong:
        return all(_is_excused(problem, entry) for entry in wrong)
    if worst is None:
        return False
    rng = np.random.default_rng(0)
    tied = _with_a_twin(problem.inputs.layout.flatten(problem.inputs.point))
    outputs = np.flatnonzero(worst.cotangent)
    length = np.max(np.abs(worst.direction) / problem.inputs.sizes)
    off = worst.off / length
    for _ in range(_SPLITS if tied.size else 0):
        first = tied[rng.random(tied.size) < 0.5]
        if _defect(problem, _moves(problem, tied, rng), first, outputs) > _MATTERS * off:
            return True
    return False


def _is_excused(problem: Problem, entry: WrongEntry) -> bool:
    """Whether an entry's own derivative and that of its twins don't add up, in the output in question."""
    inputs = problem.inputs
    j, position = problem.place(entry)
    x = inputs.layout.flatten(inputs.point)
    tied = np.flatnonzero(x == x[position])
    del x
    if tied.size < 2:
        return False
    rng = np.random.default_rng(0)
    for _ in range(_SPLITS):
        moves = _moves(problem, tied, rng)
        off = abs(entry.claimed - entry.numerical) * abs(moves[position])
        if _defect(problem, moves, np.array([position]), np.array([j])) > _MATTERS * off:
            return True
    return False


def _defect(problem: Problem, moves: Array, first: Array, outputs: Array) -> float:
    """Return by how much f's derivatives along a direction's two parts fail to add up, at any step."""
    coarse = _split(problem, moves, first, outputs, CHECK)
    if coarse is None or not coarse.defect.any():
        return 0.0
    stays = coarse.defect
    for finer in _FINER:
        fine = _split(problem, moves, first, outputs, CHECK + finer)
        assert fine is not None  # the same parts move
        stays = np.where(fine.defect >= _STAYS * coarse.defect, fine.defect, 0.0) * (stays > 0)
    return float(np.max(stays, initial=0.0))


class _Split(NamedTuple):
    """f's one-sided derivatives along a direction and along its two parts, of some outputs."""

    low: Array
    high: Array
    doubt: Array

    @property
    def defect(self) -> Array:
        """How far the sides of the whole lie beyond the sums of those of the parts; zero within doubt."""
        low, high = self.low[1:].sum(axis=0), self.high[1:].sum(axis=0)
        beyond = np.maximum(low - self.low[0], self.high[0] - high)
        # NaN, where a step leaves the domain, contradicts nothing
        return np.where(beyond > self.doubt, beyond, 0.0)


def _split(
    problem: Problem, moves: Array, first: Array, outputs: Array, rung: float
) -> _Split | None:
    """Split a direction in two; None where a domain lets a part not move."""
    a = np.zeros_like(moves)
    a[first] = moves[first]
    a, b = problem.inputs.tangent(a), problem.inputs.tangent(moves - a)
    if not (a.any() and b.any()):
        return None
    sides = [sides_along(problem, d, rung).of(outputs) for d in (a + b, a, b)]
    return _Split(
        low=np.array([s.low for s in sides]),
        high=np.array([s.high for s in sides]),
        doubt=np.sum([s.doubt for s in sides], axis=0),
    )


def _moves(problem: Problem, positions: Array, rng: np.random.Generator) -> Array:
    moves = np.zeros(problem.inputs.layout.size)
    lengths = rng.uniform(0.5, 1, positions.size)
    moves[positions] = problem.inputs.sizes[positions] * signed(rng, positions.shape) * lengths
    return moves


def _with_a_twin(x: Array) -> Array:
    """Return the positions of numbers that occur more than once."""
    ordered = np.sort(x)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    del ordered
    if not again.size:
        return np.zeros(0, dtype=np.intp)
    places = np.searchsorted(again, x)
    np.minimum(places, again.size - 1, out=places)
    return np.flatnonzero(again[places] == x)
