"""Whether a claim is off because its formula loses digits: 1 − tanh² keeps six of them at x = 10.

Such a claim scatters about the derivative by as much as it is off, at distances from x large and
small, while one that is wrong is off by nearly the same everywhere near x.  The scatter shows in
fourth differences: those of a smooth function fall with the fourth power of the distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck._claim.compare import Comparison, norm, size_of_value
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import claim_eps, rounding_of_value

_COARSEST, _FINEST = -4, -46  # log₂ of the distances, in units of x's size
_STRIDE = 2
_PERSISTENT = 3  # distances at which it scatters
_LOST = 2  # distances in a row at which it doesn't move: closer to x there is no more scatter
_STAIR = 1e-7  # times what it is off by: as still as a stair
# A smooth claim falls by about 2⁸ from one distance to the next, until it is less than what a single
# quantum makes of what the claim is off by; from scatter to a stair it is all at once.
_CALM, _SLOWLY, _FAST = 2.0**-7, 2.0**-4, 2.0**-12
_PLACES, _DIFFERENCE = 7, (1.0, -4.0, 6.0, -4.0, 1.0)
_LESS, _MORE = 1 / 8, 64.0  # times what it is off by


def scatters(problem: Problem, c: Comparison) -> bool:
    """Whether the claim scatters beside x by about as much as a comparison is off.

    It is looked at on one side, where no branch at x is seen, from afar to as close as it scatters:
    on a stair of an inner rounding it doesn't move at all, while a fast oscillation calms down.
    """
    off = c.off
    backward, forward = problem.inputs.reach(c.direction)
    side = 1.0 if forward >= backward else -1.0
    size = min(problem.course(c.direction).unit, max(backward, forward) / 2)
    still = max(_STAIR * off, 4 * claim_eps(problem) * abs(c.claimed))
    many = unmoved = 0
    before = math.inf
    for k in range(_COARSEST, _FINEST, -_STRIDE):
        scatter = _scatter(problem, c, side * size * 2.0**k)
        if scatter >= _LESS * off:
            many = many + 1 if scatter <= _MORE * off else 0
        elif still < scatter <= _CALM * off and _FAST * before <= scatter <= _SLOWLY * before:
            return False
        unmoved = unmoved + 1 if scatter <= still else 0
        if unmoved == _LOST:
            break
        before = scatter
    return many >= _PERSISTENT


def _scatter(problem: Problem, c: Comparison, step: float) -> float:
    """Return the standard deviation that fourth differences of the claim show, as if they were all scatter."""
    at = (problem.claimed_beside(c.direction, j * step, c.cotangent) for j in range(1, _PLACES + 1))
    claims = np.array([math.nan if claimed is None else claimed for claimed in at])
    return norm(np.convolve(claims, _DIFFERENCE, "valid")) / math.sqrt(70 * (_PLACES - 4))


def is_rounding(problem: Problem, wrong: Sequence[Comparison]) -> bool:
    """Whether all that disagrees is off by what rounding f's value explains, and the claim is seen to scatter."""
    if any(c.found.interval is not None or _is_more(problem, c) for c in wrong):
        return False
    return any(scatters(problem, c) for c in wrong)


def _is_more(problem: Problem, c: Comparison) -> bool:
    value = size_of_value(problem, c.direction, c.cotangent)
    return c.off > float(rounding_of_value(problem, value, c.scale))
