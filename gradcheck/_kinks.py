"""Which entries sit at a kink: halving the support of a direction along which f has one."""

from __future__ import annotations

import numpy as np

from gradcheck._compare import Comparison, compare
from gradcheck._domain import Array
from gradcheck._ladder import BASE, CHECK, SIGMAS, STRIDE, Component
from gradcheck._problem import Problem, undecided
from gradcheck._report import Reason

_MOST_KINKS = 64


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
    """Whether the bend stays as the step shrinks, which takes four evaluations to see."""
    line = problem.line(_part_of(problem, found, positions), found.cotangent[None, :])
    component = Component(line, 0)
    coarse, fine = component.rung(BASE + STRIDE), component.rung(min(CHECK, component.depth))
    rounding = 2 * SIGMAS * max(found.found.noise, component.modelled_noise([coarse, fine]))
    return not abs(fine.bend) <= max(abs(coarse.bend) / 4, rounding / fine.step)
