"""Random points inside of a domain, each with a box around it in which everything is defined.

That the box lies in the domain, without a kink, is proved by interval arithmetic; so the numerical
derivative of `gradcheck` never steps over a border.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from derivations.deriving.domains import coordinate
from derivations.deriving.intervals import EmptyError, Interval, enclose
from derivations.text.reading import UndefinedError, value

if TYPE_CHECKING:
    from derivations.deriving.domains import Domain
    from derivations.text.grammar import Tree

_TRIES = 40  # draws for each point wanted
_SECONDS = 6.0
_LARGEST = 1e8  # of the value
_EPSILON = 2.0**-52
_LOST = 1e-8  # what rounding the arguments may move the value by, relative to it or to 1
_SMALLEST_RADIUS = 1e-4  # relative to the point, or to 1
_HALVINGS = 14
_FARTHER = 40.0
_WIDE = 5  # an attempt of `coordinate` that reaches far


@dataclass(frozen=True, slots=True)
class Place:
    """A point and how far one may go from it in every variable.

    Parameters
    ----------
    at : Mapping of str to float
        The coordinates.
    radius : float
        Half the side of the box.
    """

    at: Mapping[str, float]
    radius: float

    def values(self, ctx: Any) -> dict[str, Any]:
        """Return the coordinates as numbers of an mpmath context."""
        return {name: ctx.mpf(x) for name, x in self.at.items()}


def draw_places(tree: Tree, where: Domain, ctx: Any, wanted: int, seed: int) -> list[Place]:
    """Return random places of a domain, as many as wanted unless they are hard to find.

    Parameters
    ----------
    tree : Tree
        The expression; its value at a place is at most 1e8, and rounding the arguments to floats
        leaves it at least eight digits.
    where : Domain
        Its domain.
    ctx : mpmath.MPContext
        The precision in which conditions are examined.
    wanted, seed : int
        How many, and from which stream.
    """
    generator = random.Random(seed)
    found: list[Place] = []
    end = time.monotonic() + _SECONDS
    for attempt in range(_TRIES * wanted):
        if len(found) == wanted or time.monotonic() > end:
            break
        at = {n: float(coordinate(where.bounds[n], generator, attempt)) for n in where.variables}
        place = _place(tree, where, at, ctx)
        if place is not None:
            found.append(place)
    return found


def _place(tree: Tree, where: Domain, at: dict[str, float], ctx: Any) -> Place | None:
    numbers = {name: ctx.mpf(x) for name, x in at.items()}
    if not where.contains(numbers, ctx):
        return None
    try:
        if not _keeps_digits(tree, numbers, ctx):
            return None
    except UndefinedError:
        return None
    size = max(1.0, *map(abs, at.values()))
    radius = size / 4
    for _ in range(_HALVINGS):
        box = {n: _around(x, radius) for n, x in at.items()}
        if where.holds_on(box) and _is_moderate(tree, box):
            return Place(at, radius)
        radius /= 2
        if radius < _SMALLEST_RADIUS * size:
            break
    return None


def _keeps_digits(tree: Tree, numbers: Mapping[str, Any], ctx: Any) -> bool:
    """Whether rounding the arguments to floats leaves the value some digits: not sin(e^60)."""
    centre = value(tree, numbers, ctx)
    step, moved = ctx.mpf(10) ** -20, ctx.mpf(0)
    for name, x in numbers.items():
        up, down = (value(tree, {**numbers, name: x + move}, ctx) for move in (step, -step))
        moved += abs(x * (up - down) / (2 * step))
    return bool(abs(centre) <= _LARGEST and moved * _EPSILON <= _LOST * max(1, abs(centre)))


def _around(x: float, radius: float) -> Interval:
    return Interval(Fraction(x) - Fraction(radius), Fraction(x) + Fraction(radius))


def _is_moderate(tree: Tree, box: Mapping[str, Interval]) -> bool:
    """Whether the value cannot leave the range of what is worth comparing."""
    try:
        found = enclose(tree, box)
    except EmptyError:
        return False
    return found.bounded and max(-found.low, found.high) <= 1e4 * _LARGEST


def draw_far_places(tree: Tree, where: Domain, ctx: Any, wanted: int, seed: int) -> list[Place]:
    """Return places much farther out, where the value is still a float; no box is proved there.

    Code that overflows on the way to a moderate result is found out at such places.
    """
    generator = random.Random(seed)
    found: list[Place] = []
    end = time.monotonic() + _SECONDS / 4
    for _ in range(_TRIES):
        if len(found) == wanted or time.monotonic() > end:
            break
        near = {n: float(coordinate(where.bounds[n], generator, _WIDE)) for n in where.variables}
        at = {name: _FARTHER * x for name, x in near.items()}
        numbers = {name: ctx.mpf(x) for name, x in at.items()}
        try:
            is_float = abs(value(tree, numbers, ctx)) <= _LARGEST
        except UndefinedError:
            continue
        if is_float and where.contains(numbers, ctx):
            found.append(Place(at, 0.0))
    return found
