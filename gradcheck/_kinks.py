"""Which entries sit at a kink: halving the support of a direction along which f has one."""

from __future__ import annotations

import math

import numpy as np

from gradcheck._compare import Comparison, compare
from gradcheck._domain import Array
from gradcheck._ladder import BASE, CHECK, SIGMAS, STRIDE, Component
from gradcheck._problem import Problem, undecided
from gradcheck._report import Reason

_MOST_KINKS = 64
_WEAK = 2.0**-6  # of a derivative's natural size
_PLAIN = 256.0  # times f's noise that the kink moves it


def find_kinks(problem: Problem, found: Comparison, rtol: float) -> list[Comparison]:
    """Return one comparison for each entry at which f has a kink, from one that met a kink.

    Raises
    ------
    Violation
        If there are too many to judge each by itself.
    """
    kinks: list[Comparison] = []
    stack = [np.flatnonzero(found.direction)]
    tested = 0
    while stack:
        positions = stack.pop()
        if positions.size > 1:
            middle = positions.size // 2
            halves = positions[:middle], positions[middle:]
            stack += [half for half in halves if _has_kink(problem, found, half)]
            tested += 2
            if tested > 40 * _MOST_KINKS or len(stack) + len(kinks) > _MOST_KINKS:
                raise undecided(
                    Reason.KINK,
                    f'f has kinks at x in more than {_MOST_KINKS} entries; move x off them, or use mode="full"',
                )
            continue
        kinks.append(_along(problem, found, positions, rtol))
    return kinks


def _along(problem: Problem, found: Comparison, positions: Array, rtol: float) -> Comparison:
    direction = _part_of(problem, found, positions)
    return compare(problem, "kink", direction, found.cotangent, rtol)


def _part_of(problem: Problem, found: Comparison, positions: Array) -> Array:
    direction = np.zeros_like(found.direction)
    direction[positions] = found.direction[positions]
    return problem.inputs.tangent(direction)


def _has_kink(problem: Problem, found: Comparison, positions: Array) -> bool:
    """Whether the bend stays as the step shrinks, which takes four evaluations to see.

    A kink far weaker than f's curvature takes steps as small as f's noise allows.
    """
    line = problem.line(_part_of(problem, found, positions), found.cotangent[None, :])
    component = Component(line, 0)
    if _stays_bent(component, found, BASE + STRIDE, min(CHECK, component.depth)):
        return True
    low, high = found.found.interval or (0.0, 0.0)
    if not 0 < high - low < _WEAK * found.found.scale or not found.found.noise > 0:
        return False
    closest = math.log2(line.unit * (high - low) / (_PLAIN * found.found.noise))
    finest = min(int(closest), component.depth)
    return finest > CHECK and _stays_bent(component, found, finest - STRIDE, finest)


def _stays_bent(c: Component, found: Comparison, coarse: float, fine: float) -> bool:
    """Whether the bend at the finer of two rungs is more than a quarter of that at the coarser, and no noise."""
    large, small = c.rung(coarse), c.rung(fine)
    rounding = 2 * SIGMAS * max(found.found.noise, c.modelled_noise([large, small]))
    return not abs(small.bend) <= max(abs(large.bend) / 4, rounding / small.step)
