"""Which entries sit at a kink: halving the support of a direction along which f has one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison, compare
from gradcheck._claim.finding import Violation, undecided
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.ladder import BASE, CHECK, SIGMAS, STRIDE, Component
from gradcheck._report.report import Reason

_MOST_KINKS = 64
_WEAK = 2.0**-6  # of a derivative's natural size
_PLAIN = 256.0  # times f's noise that the kink moves it


@dataclass(frozen=True, slots=True)
class Kinks:
    """Where f has kinks along a direction.

    Parameters
    ----------
    entries : tuple of Comparison
        One for each entry at a kink.
    crowds : tuple of ndarray
        Positions among which there are more kinks, too many to look at one by one.
    """

    entries: tuple[Comparison, ...]
    crowds: tuple[Array, ...] = ()


def find_kinks(problem: Problem, found: Comparison, tolerance: Tolerance) -> Kinks:
    """Return the entries at kinks, from a comparison that met one: halving as long as that stays cheap."""
    kinks: list[Array] = []
    groups = [np.flatnonzero(found.direction)]
    while groups and len(groups) + len(kinks) <= _MOST_KINKS:
        kinks += [g for g in groups if g.size == 1]
        halves = [half for g in groups if g.size > 1 for half in np.array_split(g, 2)]
        groups = [half for half in halves if _has_kink(problem, found, half)]
    entries = tuple(_along(problem, found, k, tolerance) for k in kinks)
    return Kinks(entries, tuple(groups))


def too_many_kinks() -> Violation:
    """Return what to raise where nothing else is wrong."""
    return undecided(
        Reason.KINK,
        f'f has kinks at x in more than {_MOST_KINKS} entries; move x off them, or use mode="full"',
    )


def _along(
    problem: Problem, found: Comparison, positions: Array, tolerance: Tolerance
) -> Comparison:
    def direction() -> Array:
        return _part_of(problem, found, positions)

    c = compare(problem, "kink", direction(), found.cotangent, tolerance)
    return replace(c, d=direction, v=found.v)


def _part_of(problem: Problem, found: Comparison, positions: Array) -> Array:
    whole = found.direction
    direction = np.zeros_like(whole)
    direction[positions] = whole[positions]
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
    with np.errstate(over="ignore"):
        closest = np.log2(line.unit * (high - low) / np.float64(_PLAIN * found.found.noise))
    finest = int(min(closest, component.depth))
    return finest > CHECK and _stays_bent(component, found, finest - STRIDE, finest)


def _stays_bent(c: Component, found: Comparison, coarse: float, fine: float) -> bool:
    """Whether the bend at the finer of two rungs is more than a quarter of that at the coarser, and no noise."""
    large, small = c.rung(coarse), c.rung(fine)
    rounding = 2 * SIGMAS * max(found.found.noise, c.modelled_noise([large, small]))
    return not abs(small.bend) <= max(abs(large.bend) / 4, rounding / small.step)
