"""φ's stairs, where an intermediate result is rounded: the noise that they are at steps larger than a window's.

Inside one stair all is smooth, and wrong.  What tells of the others is that slopes break off beyond
a window, and values scatter there by as much at one distance as at the next.  Kinks make slopes
break off as well, and many of them far from x scatter as stairs do, but φ doesn't jump at a kink:
what a window inside of the nearest one says is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gradcheck._estimate.ladder import (
    BASE,
    ORDINARY,
    SIGMAS,
    STRIDE,
    WIDTH,
    Component,
    Window,
)

Departure = Callable[[float], float]  # of φ from a window's polynomial, at t

_FURTHEST = 4.0  # part of x's own size
_NEAREST = 3  # distances, of which one may be that of a kink
_ALIKE = 2.5  # times another; of a root of x it would be 2.8
_NARROW = BASE + 3 * STRIDE, BASE + 5 * STRIDE  # rungs
_QUIET = 3  # distances in a row at which φ is not irregular: a stair may be wider than it seems
_INNER = 64.0  # ulps
_GRADUAL = 1 / 32  # of a departure; between two rungs of a survey there are eight stairs or so
_CONTINUOUS = 1 / 64  # of that: a jump would be one of thousands before the departure is as large
_BISECTIONS = 18  # after which it is as little, if it grows evenly


class Louder(NamedTuple):
    """φ's noise on larger steps, and whether it is that of stairs for certain."""

    noise: float
    certain: bool


def noise_beyond(c: Component, w: Window, noise: float) -> Louder | None:
    """Return the noise at larger steps than a window's; None where that doesn't matter.

    It matters where slopes break off beyond the window, or where the window is of little use.
    """
    edge = _breaks_off(c, w, noise)
    if edge is not None:
        stairs, seen = _noise_of_stairs(c, 2 * edge, noise)
        louder = stairs or sorted([0.0, 0.0, *seen[:_NEAREST]])[-2]
        return Louder(max(noise, louder), certain=louder > 4 * noise)
    if w.useful:
        return None
    step = c.rung(BASE + WIDTH - 1).step
    return Louder(max(noise, c.irregularity(step / 3, step)), certain=False)


def _noise_of_stairs(c: Component, start: float, noise: float) -> tuple[float, list[float]]:
    """Return φ's noise at ever larger distances, and its irregularity at each; zero where it shows none.

    That of stairs is alike at two neighbouring distances, the nearest of which may still lie inside
    one stair: a kink or a jump is met once, and curvature grows with the distance.
    """
    ordinary = _ordinary(c, noise)
    seen: list[float] = []
    while start <= c.line.unit / _FURTHEST and not _are_quiet(seen[-_QUIET:], ordinary):
        seen.append(c.irregularity(start, 3 * start))
        louder, quieter = max(seen[-2:]), min(seen[-2:])
        if len(seen) > 1 and ordinary < louder <= _ALIKE * quieter:
            return louder, seen
        start *= 2.0**STRIDE
    return 0.0, seen


def noise_of_narrow_stairs(c: Component, noise: float) -> float:
    """Return the noise of stairs that are all narrower than some steps, so narrow that no window is smooth inside."""
    wide, narrow = (math.ldexp(c.line.unit, -k) for k in _NARROW)
    if c.irregularity(wide, 3 * wide) <= _ordinary(c, noise):
        return 0.0
    return _noise_of_stairs(c, narrow, noise)[0]


def _are_quiet(seen: list[float], ordinary: float) -> bool:
    return len(seen) == _QUIET and max(seen) <= ordinary


def _ordinary(c: Component, noise: float) -> float:
    return max(4 * noise, ORDINARY * c.base_noise())


def is_inner_rounding(c: Component, noise: float) -> bool:
    """Whether φ's stairs are no more than the rounding of what it is where x is moved by its own size.

    x·(1 − erf x) is next to nothing at x = 5, and has stairs of x·2⁻⁵³.
    """
    steps = [side * math.ldexp(c.line.unit, k) for k in range(-1, 3) for side in (1.0, -1.0)]
    moved = [abs(float(c.line.value(t)[c.index]) - c.origin) for t in steps]
    return noise <= _INNER * c.line.eps * max((m for m in moved if math.isfinite(m)), default=0.0)


def _breaks_off(c: Component, w: Window, noise: float) -> float | None:
    """Return the first larger step at which slopes leave a window's value all at once, if there is one.

    The slopes of a smooth φ leave it with h²; at the edge of a stair, and at a kink, they break off.
    """
    finer = w.tail
    for k in (k for k in reversed(c.known()) if k < w.start + WIDTH - 1):
        r = c.rungs[k]
        visible = [
            max(abs(q.slope - w.value), w.radius + 2 * SIGMAS * noise / q.step) for q in (finer, r)
        ]
        if visible[1] > 4 * (r.step / finer.step) ** 2 * visible[0]:
            return r.step
        if abs(r.slope - w.value) > abs(w.value) / 2:
            return None  # by now a smooth φ may do anything
        finer = r
    return None


def leaves_gradually(c: Component, w: Window, noise: float) -> bool:
    """Whether φ has a kink, rather than a jump, where its slopes first break off a window's."""
    edge = _breaks_off(c, w, noise)
    if edge is None:
        return False
    curvature = w.tail.bend / w.tail.step

    def departure(t: float) -> float:
        moved = float(c.line.value(t)[c.index]) - c.origin
        return abs(moved - t * (w.slope_at(abs(t)) + curvature * t))

    def grows(outside: float, level: float) -> bool:
        inside = math.copysign(w.tail.step, outside)
        return _grows_to(_GRADUAL * level, departure, inside, outside)

    side = max((edge, -edge), key=departure)
    if grows(side, departure(side)):
        return True
    # a kink may lie right before the edge, or before one of these places, and shows better further away
    beyond = [(sign * 1.5 * edge, sign * 2 * edge) for sign in (1, -1)]
    levels = [min(map(departure, places)) for places in beyond]
    level = max(levels)
    if level < departure(side):
        return False  # φ comes back, as from one stair to another
    return grows(beyond[levels.index(level)][-1], level)


def _grows_to(little: float, departure: Departure, inside: float, outside: float) -> bool:
    """Whether a departure doesn't jump where it first is more than a little, as bisection shows."""
    low, high = departure(inside), departure(outside)
    for _ in range(_BISECTIONS):
        if low > little or high - low <= _CONTINUOUS * little:
            break
        middle = (inside + outside) / 2
        there = departure(middle)
        if there <= little:
            inside, low = middle, there
        else:
            outside, high = middle, there
    return low <= little and high - low <= _CONTINUOUS * little
