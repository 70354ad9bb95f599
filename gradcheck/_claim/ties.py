"""Whether a claim at several kinks holds for all of them together.

Entries at a kink are judged one by one, by their own one-sided derivatives.  Where kinks belong
together, as in max(x) at a tie, that is not enough: a claim that gives every tied entry the whole
slope lies between the sides of each, and is no subgradient.

Where f bends one way along all directions looked at, it is taken to be convex (or concave) around x.
Then g is a subgradient just if g·d lies between the one-sided derivatives along every d (Rockafellar,
Convex Analysis, 1970, theorem 23.2), and some d that move several of the entries are looked at.
Where it bends both ways, as a network of ReLUs with weights of both signs, nothing more is asked:
there autodiff's convention, ReLU′(0) = 0, may lie outside along some d without being a mistake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison, compare
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.directions import unit_vector
from gradcheck._estimate.ladder import CHECK

TOGETHER = "kinks together"
_MOST_PAIRS = 16
_MOST_OUTPUTS = 8  # a vjp is asked once for each
_PLAIN = 1e-2  # part of a slope by which sides differ at a kink, or a claim lies outside
_ULPS = 4.0


@dataclass(frozen=True, slots=True)
class Sides:
    """One-sided derivatives of all outputs along a direction, from a single fine step."""

    right: Array
    left: Array
    doubt: Array

    @property
    def low(self) -> Array:
        """The smaller of the two."""
        return np.minimum(self.left, self.right)

    @property
    def high(self) -> Array:
        """The larger of the two."""
        return np.maximum(self.left, self.right)

    @property
    def bend(self) -> npt.NDArray[np.int_]:
        """1 where an output bends upward beyond doubt, −1 downward, 0 elsewhere."""
        gap = self.right - self.left
        return np.where(np.abs(gap) > self.doubt, np.sign(gap), 0.0).astype(int)

    def of(self, outputs: Array) -> Sides:
        """Return those of some outputs."""
        return Sides(self.right[outputs], self.left[outputs], self.doubt[outputs])

    def exclude(self, output: int, claimed: float) -> bool:
        """Whether a claimed derivative lies plainly outside."""
        doubt = float(self.doubt[output]) + _PLAIN * abs(claimed)
        return bool(claimed < self.low[output] - doubt or claimed > self.high[output] + doubt)


def disagreement_of_ties(
    problem: Problem, kinks: Sequence[Array], tolerance: Tolerance
) -> Comparison | None:
    """Return a comparison that a claim fails along several entries at once; None where none is found.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    kinks : sequence of ndarray
        A direction for each entry at a kink; the claim agrees along each.
    tolerance : Tolerance
        What is forgiven of the claim.
    """
    if len(kinks) < 2:
        return None
    # as long as entries may move: parts of a projected direction may be of any length
    directions = np.array([d / np.max(np.abs(d) / problem.inputs.sizes) for d in kinks])
    alone = np.array([sides_along(problem, d).bend for d in directions])
    count = np.count_nonzero(alone, axis=0)
    one_way = (count >= 2) & (np.abs(alone.sum(axis=0)) == count)
    outputs = np.flatnonzero(one_way)[:_MOST_OUTPUTS]
    if not outputs.size:
        return None
    way = np.sign(alone.sum(axis=0))
    suspects: list[tuple[int, Array]] = []
    for d in filter(np.any, _several_at_once(problem, directions, outputs)):
        sides = sides_along(problem, d)
        outputs = outputs[sides.bend[outputs] != -way[outputs]]
        suspects += [(j, d) for j in outputs if sides.exclude(j, _claimed(problem, d, j))]
    for j, d in (s for s in suspects if s[0] in outputs):
        c = compare(problem, TOGETHER, d, unit_vector(problem.outputs.size, j), tolerance)
        if not c.agrees:
            return c
    return None


def _several_at_once(problem: Problem, directions: Array, outputs: Array) -> Iterator[Array]:
    """Yield sums and differences of neighbours, all entries up, and what the claim calls steepest."""
    for a, b in islice(pairwise(directions), _MOST_PAIRS):
        yield a + b
        yield a - b
    yield np.where(directions.sum(axis=1) < 0, -1.0, 1.0) @ directions
    if problem.kind == "jvp":
        return
    for j in outputs:
        slopes = directions @ problem.pullback(unit_vector(problem.outputs.size, j))
        largest = float(np.max(np.abs(slopes)))
        if 0 < largest < math.inf:
            yield (slopes / largest) @ directions


def sides_along(problem: Problem, direction: Array, rung: float = CHECK) -> Sides:
    """Return f's one-sided derivatives along a direction, which takes two evaluations."""
    line = problem.curve(direction)
    h = line.unit * 2.0 ** -min(rung, line.depth)
    up, down = line.value(h), line.value(-h)
    right, left = (up - line.origin) / h, (line.origin - down) / h
    size = np.maximum(np.maximum(np.abs(up), np.abs(down)), np.abs(line.origin))
    doubt = _ULPS * line.eps * size / h + _PLAIN * np.maximum(np.abs(right), np.abs(left))
    return Sides(right, left, doubt)


def _claimed(problem: Problem, direction: Array, output: int) -> float:
    if problem.kind == "jvp":
        return float(problem.pushforward(direction)[output])
    return float(problem.pullback(unit_vector(problem.outputs.size, output)) @ direction)
