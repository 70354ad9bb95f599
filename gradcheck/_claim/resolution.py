"""The smallest error that comparisons along random directions would have shown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from gradcheck._claim.compare import Comparison, size_of_value
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import claim_eps
from gradcheck._estimate.directions import detectable_gradient, detectable_matrix

BARELY = 0.3  # what must be seen where f moves a thousand times more beside x than its slope there
_ROUNDED = 1024.0  # ulps of large terms that cancel: what is left of a million of them


def resolution(problem: Problem, comparisons: Sequence[Comparison]) -> float:
    """Return its size relative to the derivative's; inf if no comparison says anything."""
    return _detectable(problem, comparisons, lambda c: c.missed)


def numerical_resolution(problem: Problem, comparisons: Sequence[Comparison]) -> float:
    """Return the same if no error of the claim were tolerated: what the numerical side can do."""
    return _detectable(problem, comparisons, lambda c: c.missed - c.rtol * c.scale)


def _detectable(
    problem: Problem, comparisons: Sequence[Comparison], missed: Callable[[Comparison], float]
) -> float:
    seen = [c for c in comparisons if c.resolved and c.found.interval is None]
    if not seen:
        return math.inf
    sizes = [size_of(problem, c) for c in seen]
    if is_one_number(problem) and all(sizes):  # which every direction shows the whole of
        return min([missed(c) / size for c, size in zip(seen, sizes, strict=True)])
    size = statistics.median(sizes)
    if size == 0:
        return 0.0 if all(c.allowed == 0 for c in seen) else math.inf
    relative = [missed(c) / size for c in seen]
    detectable = detectable_gradient if problem.outputs.size == 1 else detectable_matrix
    return detectable(relative)


def is_one_number(problem: Problem) -> bool:
    """Whether all directions are one, forward and back."""
    return problem.inputs.sizes.size == 1 == problem.outputs.size


def size_of(problem: Problem, c: Comparison) -> float:
    """Return the size of a derivative along a direction, which an error of the claim is relative to.

    It is the claim's, unless that vanishes: beside f's size over x's, or how far f moves if that is
    less.  A claim that is no more than what rounding x makes of such a movement is a zero.
    """
    moved = c.found.size
    if c.scale >= moved:
        return c.scale
    if c.scale <= min(_ROUNDED * claim_eps(problem) * moved, c.missed):
        return moved
    return max(c.scale, min(moved, size_of_value(problem, c.direction, c.cotangent)))
