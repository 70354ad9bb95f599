"""The second derivative of a component of φ, from the ladder that its first derivative stands on.

A rung gives C(h) = (φ(h) − 2φ(0) + φ(−h))/h², whose error is even in h for smooth φ, as a slope's
is.  Four rungs are extrapolated to h = 0 by the same table; but rounding enters with 1/h² instead
of 1/h, so that the best window lies at coarser steps than the first derivative's.  The search
begins where the first derivative was found, with the noise that was measured for it, and walks to
larger or to smaller steps as long as that shrinks the radius.

Symmetric differences can't see a jump of φ″ at the point itself: there C(h) tends to the mean of
the two sides.  The slopes do: they approach φ′(0) with h instead of h².  So a window counts only if
its slopes converge as a smooth function's; where none does, the two sides are extrapolated by
themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from gradcheck._ladder import (
    BASE,
    COARSEST,
    ONE_SIDED_WIDTH,
    SIGMAS,
    STRIDE,
    WIDTH,
    Component,
    Rung,
    _converges,
    _extrapolate,
    _truncation,
)
from gradcheck._search import Goal, search
from gradcheck._singular import Found, is_on_a_plateau

_FIRST = 1e-7  # of the first derivative only its noise and its kind are needed
_USEFUL = 1e-3
_SIDE_SAFETY = 3.0
_FINER = (0, 1, 2, 3, 4, 6, 8, 11, 14, 17, 20, 24, 28)  # where a window is looked for
_MAX_WINDOWS = 10


@dataclass(frozen=True, slots=True)
class _Window:
    """An extrapolated second derivative and the parts of its radius."""

    start: int
    value: float
    truncation: float
    rounding: float
    movement: float
    tail: float
    tail_step: float

    @property
    def radius(self) -> float:
        """What is meant to contain the error."""
        return self.truncation + self.rounding

    def at(self, step: float) -> float:
        """Return the C that the window's polynomial has at a finer step."""
        return self.value + (self.tail - self.value) * (step / self.tail_step) ** 2


def _weights(width: int, ratio: int) -> list[Fraction]:
    """Weights of the table's corner on steps that halve; ratio 4 for errors in h², 2 for errors in h."""
    steps = [Fraction(1, ratio**k) for k in range(width)]
    return [math.prod((m / (m - own) for m in steps if m != own), start=Fraction(1)) for own in steps]


def _central_gain() -> float:
    """Rounding of an extrapolated C in units of σ/h² of the coarsest rung.

    Both ends of every rung have noise of their own; that of φ(0) is common to all.
    """
    parts = [float(w * 4**k) for k, w in enumerate(_weights(WIDTH, 4))]
    return math.hypot(*(math.sqrt(2.0) * p for p in parts), 2 * sum(parts))


def _one_sided_gain() -> float:
    """The same for one side's difference quotients of slopes."""
    weights = _weights(ONE_SIDED_WIDTH - 1, 2)
    quotients = [4 * w * 2**k for k, w in enumerate(weights)]  # of s_k − s_{k+1}
    slopes = [a - b for a, b in zip([*quotients, 0], [0, *quotients], strict=True)]
    parts = [float(s * 2**k) for k, s in enumerate(slopes)]
    return math.hypot(*parts, sum(parts))


_CENTRAL_GAIN = _central_gain()
_ONE_SIDED_GAIN = _one_sided_gain()
_C_NOISE = math.sqrt(6.0)  # deviation of one C in units of σ/h²


def second_derivative(component: Component, goal: Goal) -> Found:
    """Find φ″(0) of one component, as accurate as `goal` asks for or as f allows."""
    c = component
    first = search(c, Goal(max(goal.rtol, _FIRST)))
    if first.reason == "constant":
        return _flat(c, first.noise, first.step, "constant")
    if first.reason in ("jump", "domain") or first.interval is not None:
        return replace(first, value=math.nan, radius=math.inf, interval=None)
    if is_on_a_plateau(c):
        coarsest = max(r.step for r in c.rungs.values() if r.flat)
        return _flat(c, SIGMAS * first.noise, coarsest, "smooth")
    noise = first.noise
    best = _walk(c, _start(c, first), noise, goal)
    if best is not None and (_useful(best) or first.reason in ("smooth", "noise")):
        sharp = best.truncation >= best.rounding or _sharp(best, goal)
        return _found(c, best, "smooth" if sharp else "noise", noise)
    return _two_sides(c, best, noise)


def _flat(c: Component, noise: float, step: float, reason: str) -> Found:
    """Return zero for a φ that is flat up to a step, to what its rounding could hide there."""
    natural = abs(c.origin) / c.line.unit**2
    return Found(0.0, 2 * noise / step**2, reason, noise, step, natural)


def _found(c: Component, w: _Window, reason: str, noise: float) -> Found:
    step = math.ldexp(c.line.unit, -w.start)
    return Found(w.value, w.radius, reason, noise, step, max(w.movement, abs(w.value)))


def _start(c: Component, first: Found) -> int:
    """Return the rung at which the first derivative's steps begin."""
    if not (math.isfinite(first.step) and first.step > 0):
        return BASE
    return round(math.log2(c.line.unit / first.step))


def _useful(w: _Window) -> bool:
    return w.radius <= _USEFUL * max(abs(w.value), w.movement)


def _sharp(w: _Window, goal: Goal) -> bool:
    return w.radius <= max(goal.rtol * max(abs(w.value), w.movement), goal.atol)


# -- windows ---------------------------------------------------------------------------------------


def _walk(c: Component, start: int, noise: float, goal: Goal) -> _Window | None:
    """Walk from the first confirmed window to larger or smaller steps, as long as the radius shrinks."""
    best = _first_confirmed(c, start, noise)
    if best is None:
        return None
    way = 1 if best.truncation > best.rounding else -1
    a = best.start + way
    while not _sharp(best, goal) and COARSEST <= a <= c.depth - WIDTH:
        w = _confirmed(c, a, noise)
        if w is None or w.radius >= best.radius:
            break
        best = w
        a += way
        if (w.truncation > w.rounding) != (way > 0):
            break
    return best


def _first_confirmed(c: Component, start: int, noise: float) -> _Window | None:
    for k in _FINER:
        a = start + k
        if a > c.depth - WIDTH:
            break
        w = _confirmed(c, a, noise)
        if w is not None:
            return w
    return None


def _confirmed(c: Component, start: int, noise: float) -> _Window | None:
    w = _window(c, start, noise)
    return None if w is None or _contradicted(c, w, noise) else w


def _window(c: Component, start: int, noise: float) -> _Window | None:
    """Extrapolate rungs start … start+3; None where they don't look like a smooth function's."""
    rungs = [c.rung(start + k) for k in range(WIDTH)]
    if not all(r.finite for r in rungs):
        return None
    noise = _noise_in(c, rungs, noise)
    h = rungs[0].step
    bent = [2 * r.bend / r.step for r in rungs]
    rounding = SIGMAS * noise * _CENTRAL_GAIN / h**2
    value, corrections = _extrapolate(bent, ratio=4)
    if not math.isfinite(value) or not _converges(bent, 2.5, rounding / 2):
        return None
    slopes = [r.slope for r in rungs]
    if not _converges(slopes, 2.5, SIGMAS * noise / rungs[-1].step):
        return None
    before, last = abs(slopes[-2] - slopes[-3]), abs(slopes[-1] - slopes[-2])
    # slopes that shrink too little may be noise, or a jump of φ″ as weak as that
    uneven = 4 * last / rungs[-2].step if last > before / 2.5 else 0.0
    movement = max(
        abs(b) + 2 * abs(s - slopes[-1]) / r.step for b, s, r in zip(bent, slopes, rungs, strict=True)
    )
    return _Window(
        start=start,
        value=value,
        truncation=_truncation(corrections) + uneven,
        rounding=rounding + c.line.eps * abs(value),
        movement=movement,
        tail=bent[-1],
        tail_step=rungs[-1].step,
    )


def _noise_in(c: Component, rungs: Sequence[Rung], noise: float) -> float:
    """Noise at large steps: at least the model there, and grown with φ where φ has grown."""
    largest = max(max(abs(r.plus), abs(r.minus)) for r in rungs)
    grown = max(1.0, largest / abs(c.origin)) if c.origin else 1.0
    return max(noise * grown, 3.0 * c.modelled_noise(rungs))


def _contradicted(c: Component, w: _Window, noise: float) -> bool:
    """Whether a finer rung says otherwise than the window, beyond noise."""
    for k in c.known():
        r = c.rungs[k]
        if k < w.start + WIDTH or r.flat:
            continue
        slack = w.radius + SIGMAS * _C_NOISE * noise / r.step**2
        if abs(2 * r.bend / r.step - w.value) > slack + 2 * abs(w.at(r.step) - w.value):
            return True
    return False


# -- one side by itself ----------------------------------------------------------------------------


def _two_sides(c: Component, best: _Window | None, noise: float) -> Found:
    """Extrapolate each side by itself: a jump of φ″, the edge of a domain, or nothing that can be told."""
    forward, backward = _side(c, +1, noise), _side(c, -1, noise)
    if forward is not None and backward is not None:
        low = min(forward.value - forward.radius, backward.value - backward.radius)
        high = max(forward.value + forward.radius, backward.value + backward.radius)
        gap = abs(forward.value - backward.value)
        step = math.ldexp(c.line.unit, -min(forward.start, backward.start))
        size = max(abs(forward.value), abs(backward.value))
        middle = low / 2 + high / 2
        if gap > 2 * (forward.radius + backward.radius):
            radius = high / 2 - low / 2
            return Found(middle, radius, "kink", noise, step, size, (low, high))
        if gap <= forward.radius + backward.radius and (best is None or high - low < best.radius):
            return Found(middle, high - low, "smooth", noise, step, size)
    if best is not None:
        return _found(c, best, "noise" if best.rounding > best.truncation else "rough", noise)
    only = forward if backward is None else backward if forward is None else None
    if only is not None and not c.known():
        return _found(c, only, "one-sided", noise)
    value = 2 * c.rungs[c.known()[-1]].bend / c.rungs[c.known()[-1]].step if c.known() else math.nan
    return Found(value, math.inf, "rough", noise, math.nan, abs(value))


def _side(c: Component, side: int, noise: float) -> _Window | None:
    """Return the best extrapolation on one side."""
    best: _Window | None = None
    for a in range(BASE - STRIDE, c.depth - ONE_SIDED_WIDTH, STRIDE):
        w = _one_sided(c, side, a, noise)
        if w is None:
            continue
        if best is None or w.radius < best.radius:
            best = w
        if w.rounding > w.truncation:
            break
    # the smallest of several radii is smaller than it should be
    return None if best is None else replace(best, rounding=_SIDE_SAFETY * best.rounding)


def _one_sided(c: Component, side: int, start: int, noise: float) -> _Window | None:
    """Extrapolate the difference quotients of one side's slopes, from rungs start … start+5."""
    rungs = [c.rung(start + k) for k in range(ONE_SIDED_WIDTH)]
    slopes = [side * ((r.plus if side > 0 else r.minus) - c.origin) / r.step for r in rungs]
    if not all(map(math.isfinite, slopes)):
        return None
    steps = [r.step for r in rungs]
    bent = [
        side * 4 * (a - b) / h for a, b, h in zip(slopes, slopes[1:], steps, strict=False)
    ]
    rounding = SIGMAS * noise * _ONE_SIDED_GAIN / steps[0] ** 2
    value, corrections = _extrapolate(bent, ratio=2)
    if not math.isfinite(value) or not _converges(bent, 1.5, rounding / 2):
        return None
    return _Window(
        start=start,
        value=value,
        truncation=4.0 * max(corrections[-2:]),
        rounding=rounding + c.line.eps * abs(value),
        movement=max(map(abs, bent)),
        tail=bent[-1],
        tail_step=steps[-1],
    )
