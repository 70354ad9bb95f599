"""What φ is where the slopes of symmetric steps don't settle it: constant, on a plateau, a jump, a kink, an edge."""

from __future__ import annotations

import math
from typing import NamedTuple

from gradcheck._estimate.ladder import (
    BASE,
    CHECK,
    ONE_SIDED_WIDTH,
    PAIR,
    SIGMAS,
    STRIDE,
    Component,
    Rung,
    Window,
)

_LOUDER = 32.0  # times the noise at the finest steps, which a window shows to be too little
_SIDE_SAFETY = 3.0
_SLIGHTLY = 1e-5  # part of a slope by which two sides may differ that mean the same
_VANISHING = 1e-3
_GRADUAL = 2.0**-14  # part of a movement that is none: a staircase has climbed at most some stairs
_BISECTIONS = 20
_FEW_ULPS = 16.0  # of φ: what two rungs, up to eight apart, climb of its own rounding
_REGULAR = 64.0  # a movement is that many times its distance from a cubic
_FAR_DOWN = 24  # rungs: a ten-millionth of x
_ALIKE = 8.0  # times: sizes of slopes that go with the steps
_CLEAR = 100.0  # how many radii apart the sides of a kink are that needs no further search


class Found(NamedTuple):
    """A derivative along a line, its radius, and how it came about.

    Parameters
    ----------
    value, radius : float
        The derivative and the radius that is meant to contain its error; inf where it can't be
        told.
    reason : str
        ``smooth``, ``noise``, ``kink``, ``one-sided``, ``constant``, ``jump``, ``cusp``, ``domain``,
        ``rough`` or ``disagreement``.
    noise : float
        Upper estimate of the standard deviation of φ's noise.
    step : float
        The coarsest step used.
    scale : float
        Natural size of a derivative here: how far φ moves over how far t moves, at coarse steps.
    interval : tuple of float or None
        The one-sided derivatives at a kink, smaller first, widened by their radii.
    oracle : str
        What said so: ``differences``, ``complex step`` or ``mpmath``.
    near : float or None
        The same at the steps that the value comes from, where they are known; beside a pole or an
        exponential it may be far smaller.
    finest : int
        The finest rung of the window that showed φ smooth; 0 if none did.
    bend : float
        Half the difference of the one-sided slopes over `step`, where known: of a smooth φ about
        half of what the derivative changes by over it.
    grown : float
        How many times larger φ is at `step` than at the point, at least one: rounding grows with it.
    scales : tuple of Found
        Where φ is a saw of many teeth: what it is inside the tooth at x, and across many of them.  A
        sawtooth of (10x mod 1) is meant to have the first derivative, and (eˣ − 1)/x near zero,
        where rounding makes teeth, the second.  The radius covers both.
    """

    value: float
    radius: float
    reason: str
    noise: float
    step: float
    scale: float
    interval: tuple[float, float] | None = None
    oracle: str = "differences"
    near: float | None = None
    finest: int = 0
    bend: float = 0.0
    grown: float = 1.0
    scales: tuple[Found, ...] = ()

    def at_the_scale_of(self, claimed: float, slack: float) -> Found:
        """Return what a claim is to be compared with: of two scales the one that it agrees with, or the finer."""
        agreeing = (f for f in self.scales if abs(claimed - f.value) <= f.radius + slack)
        return next(agreeing, self.scales[0]) if self.scales else self

    @property
    def noise_at_point(self) -> float:
        """What the noise is where φ is no larger than at the point."""
        return self.noise / self.grown

    @property
    def vanishes(self) -> bool:
        """Whether the derivative is nothing beside its natural size near the point."""
        return self.near is not None and abs(self.value) <= _VANISHING * self.near

    @property
    def size(self) -> float:
        """Natural size of a derivative, from near the point where it doesn't vanish there."""
        return self.scale if self.near is None or self.vanishes else self.near


def found_in(c: Component, w: Window, reason: str, noise: float) -> Found:
    """Return what a window says."""
    step = math.ldexp(c.line.unit, -w.start)
    # steps as large as x itself, which noise may ask for, say nothing of sizes at x
    movement = w.movement if w.start >= BASE else abs(w.tail.slope) + abs(w.tail.bend)
    near = max(movement, abs(w.value))
    scale = max(c.scale(), near)
    fades = abs(w.value) <= w.radius and _fades(c, w)
    if w.noise > _LOUDER * noise:  # beyond the first stair there is more than at the finest steps
        noise = w.noise
    # a pair lies just below the window that it relies on
    finest = w.start - 1 if w.width == PAIR else w.stop - 1
    coarsest = c.rung(w.start)
    own = abs(c.origin)
    return Found(
        w.value,
        w.radius,
        reason,
        noise,
        step,
        scale,
        near=None if fades else near,
        finest=finest,
        bend=coarsest.bend,
        grown=max(1.0, coarsest.size / own if own else math.inf),
    )


def _fades(c: Component, w: Window) -> bool:
    """Whether slopes vanish with the steps all the way down to a window: those of x·|x| at zero.

    No window is smooth there, and all that is found is how far the steps went down.
    """
    above = [c.rungs[k] for k in c.known() if BASE <= k <= w.start]
    if w.start < _FAR_DOWN or len(above) < 2:
        return False
    growth = [(abs(r.slope) + abs(r.bend)) / r.step for r in above]
    return max(growth) <= _ALIKE * min(growth)


def on_two_scales(c: Component, tooth: Window, across: Found) -> Found:
    """Return both what a window inside a tooth says and what many teeth do."""
    inside = found_in(c, tooth, "smooth", tooth.noise)
    radius = abs(across.value - inside.value) + across.radius + inside.radius
    return across._replace(radius=radius, reason="disagreement", scales=(inside, across))


def is_constant(c: Component) -> bool:
    """Whether φ has not moved on any rung."""
    known = c.known()
    return bool(known) and all(c.rungs[k].flat for k in known)


def constant(c: Component) -> Found:
    """Return zero for a φ that didn't move at all, to what its rounding could hide at the coarsest step.

    There is no movement to take the natural size of a derivative from; it is φ's size over the
    argument's.
    """
    for k in range(BASE - STRIDE, BASE - 4 * STRIDE, -STRIDE):
        r = c.rung(k)
        if not r.finite or not r.flat:
            break
    flat = [r.step for r in c.rungs.values() if r.flat]
    noise = max(c.line.eps * abs(c.origin), SIGMAS * max(c.line.rounding, c.line.noise))
    natural = abs(c.origin) / c.line.unit
    return Found(0.0, noise / max(flat), "constant", noise, max(flat), natural)


def is_on_a_plateau(c: Component) -> bool:
    """Whether φ is constant around the point, rather than rounded to coarse steps (a staircase).

    Both look flat on the finest rungs.  Where the flat part ends, a staircase rises by a stair at
    once, but a φ that is constant up to there gradually.
    """
    known = c.known()
    flat = [k for k in known if c.rungs[k].flat]
    moving = [k for k in known if not c.rungs[k].flat]
    if len(flat) < 2 or not moving or max(moving) > min(flat):
        return False
    still, moved = c.rungs[min(flat)].step, c.rungs[max(moving)].step
    side = max((1.0, -1.0), key=lambda side: abs(_movement(c, side * moved)))
    # the finest rung that moves may lie just beyond the edge
    height = abs(_movement(c, side * c.rungs[moving[-2:][0]].step))
    if height <= _FEW_ULPS * c.line.eps * abs(c.origin):
        return False
    for _ in range(_BISECTIONS):
        middle = (still + moved) / 2
        movement = abs(_movement(c, side * middle))
        if 0.0 < movement <= _GRADUAL * height:
            # opposite stairs of two entries may cancel, too, but not everywhere
            beyond = 3 * middle
            climbed = abs(_movement(c, side * beyond))
            return _REGULAR * c.irregularity(middle, beyond, side) <= climbed
        still, moved = (middle, moved) if movement == 0.0 else (still, middle)
    return False


def _movement(c: Component, t: float) -> float:
    """Return how far φ has moved at t; NaN where it has no value."""
    return float(c.line.value(t)[c.index]) - c.origin


def _moved(c: Component, k: float) -> float:
    """Return how far φ has moved at rung k."""
    r = c.rungs[k]
    return max(abs(r.plus - c.origin), abs(r.minus - c.origin))


def jumps(c: Component) -> bool:
    """Whether φ stays apart from its value at the point by the same amount, however small the step."""
    fine = c.known()[-4:]
    moved = [_moved(c, k) for k in fine]
    if len(fine) < 4 or moved[-1] <= 1e3 * c.line.eps * (abs(c.origin) + moved[-1]):
        return False
    return max(moved) - min(moved) <= 1e-3 * moved[-1]


def plateau(c: Component) -> Found:
    """Return zero for a φ that is constant around the point."""
    coarsest = max(r.step for r in c.rungs.values() if r.flat)
    noise = c.modelled_noise([r for r in c.rungs.values() if r.flat])
    return Found(0.0, 2 * SIGMAS * noise / coarsest, "smooth", noise, coarsest, c.scale())


def two_sides(c: Component, best: Window | None, noise: float) -> Found:
    """Extrapolate each side by itself: a kink, the edge of a domain, a jump, or nothing that can be told."""
    forward, backward = _side(c, +1, noise), _side(c, -1, noise)
    if forward is not None and backward is not None:
        low = min(forward.value - forward.radius, backward.value - backward.radius)
        high = max(forward.value + forward.radius, backward.value + backward.radius)
        gap = abs(forward.value - backward.value)
        size = max(abs(forward.value), abs(backward.value), c.scale())
        if gap > 2 * (forward.radius + backward.radius) and _bend_persists(c, gap, noise):
            step = math.ldexp(c.line.unit, -min(forward.start, backward.start))
            middle, radius = (low + high) / 2, (high - low) / 2
            return Found(middle, radius, "kink", noise, step, size, (low, high))
        # close to where only f″ jumps the point lies on one side of that, and both slopes are near
        alike = gap <= max(forward.radius + backward.radius, _SLIGHTLY * size)
        if alike and (best is None or high - low < best.radius):
            step = math.ldexp(c.line.unit, -min(forward.start, backward.start))
            return Found((low + high) / 2, high - low, "smooth", noise, step, size)
    if best is not None:
        return found_in(c, best, "noise" if best.rounding > best.truncation else "rough", noise)
    only = forward if backward is None else backward if forward is None else None
    if only is not None and not c.known():
        step = math.ldexp(c.line.unit, -only.start)
        return Found(only.value, only.radius, "one-sided", noise, step, abs(only.value))
    return rough(c, noise)


def rough(c: Component, noise: float) -> Found:
    """Return the finest slope, of which nothing is known: no steps agree, or there are none in the domain."""
    known = c.known()
    if not known:
        return Found(math.nan, math.inf, "domain", noise, math.nan, c.scale())
    return Found(c.rungs[known[-1]].slope, math.inf, "rough", noise, math.nan, c.scale())


def quick_kink(c: Component) -> Found | None:
    """Return a kink that the first rungs show as clearly as they show a derivative elsewhere, or None.

    Each side is extrapolated by itself from the first rungs, and the check rung must agree.
    """
    check = c.rung(min(CHECK, c.depth))
    noise = 3.0 * c.modelled_noise([check])
    if not check.finite or not _bends_alike(c.rung(BASE), c.rung(BASE + 1)):
        return None
    sides = [_checked_side(c, side, check, noise) for side in (+1, -1)]
    forward, backward = sides
    if forward is None or backward is None:
        return None
    gap, radii = abs(forward.value - backward.value), forward.radius + backward.radius
    if gap <= _CLEAR * radii:
        return None
    low = min(forward.value - forward.radius, backward.value - backward.radius)
    high = max(forward.value + forward.radius, backward.value + backward.radius)
    step = math.ldexp(c.line.unit, -BASE)
    size = max(abs(low), abs(high), c.scale())
    return Found((low + high) / 2, (high - low) / 2, "kink", noise, step, size, (low, high))


def _bends_alike(coarse: Rung, fine: Rung) -> bool:
    """Whether the bend stays as large as the step shrinks; that of a smooth φ is halved."""
    return coarse.finite and fine.finite and abs(fine.bend) > 0.7 * abs(coarse.bend) > 0


def _checked_side(c: Component, side: int, check: Rung, noise: float) -> Window | None:
    w = c.one_sided(side, BASE, noise)
    if w is None:
        return None
    w = w._replace(rounding=_SIDE_SAFETY * w.rounding)
    return None if _contradicts(check, w, side, noise) else w


def _contradicts(fine: Rung, w: Window, side: int, noise: float) -> bool:
    """Whether a finer rung says otherwise than a window of one side, beyond noise."""
    tail, slope = w.tail.slope + side * w.tail.bend, fine.slope + side * fine.bend
    bent = 2 * abs(tail - w.value) * (fine.step / w.tail.step)
    return abs(slope - w.value) > w.radius + bent + 2 * SIGMAS * noise / fine.step


def stays_bent(c: Component, radius: float, noise: float) -> bool:
    """Whether the finest rungs show one-sided slopes apart by as much as matters beside a radius.

    A kink far weaker than φ's curvature at coarse steps doesn't keep windows there from being smooth.
    """
    fine = [c.rungs[k] for k in c.known() if not c.rungs[k].flat]
    gaps = [abs(2 * r.bend) for r in fine if 4 * noise / r.step < abs(r.bend) / 4]
    last = gaps[-3:]
    return len(last) == 3 and min(last) > max(radius / 8, max(last) / 1.25)


def _bend_persists(c: Component, gap: float, noise: float) -> bool:
    """Whether the finest rungs still show the one-sided slopes apart."""
    fine = [c.rungs[k] for k in c.known() if not c.rungs[k].flat]
    seen = [abs(2 * r.bend) for r in fine if 4 * noise / r.step < gap / 4]
    return bool(seen) and all(abs(s - gap) <= gap / 2 for s in seen[-2:])


def _side(c: Component, side: int, noise: float) -> Window | None:
    """Return the best extrapolation on one side."""
    best: Window | None = None
    for a in range(BASE, c.depth - ONE_SIDED_WIDTH, 2 * STRIDE):
        w = c.one_sided(side, a, noise)
        if w is None:
            continue
        finer = [c.rungs[k] for k in c.known() if k >= w.stop and not c.rungs[k].flat]
        if any(_contradicts(r, w, side, noise) for r in finer):
            continue
        if best is None or w.radius < best.radius:
            best = w
        if w.rounding > w.truncation:
            break
    # the smallest of several radii is smaller than it should be
    return None if best is None else best._replace(rounding=_SIDE_SAFETY * best.rounding)
