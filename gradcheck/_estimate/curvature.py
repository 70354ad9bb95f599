"""The second derivative of a component of φ, from the ladder that its first derivative stands on.

A rung gives C(h) = (φ(h) − 2φ(0) + φ(−h))/h², whose error is even in h for smooth φ, as a slope's
is.  Four rungs are extrapolated to h = 0 by the same table; but rounding enters with 1/h² instead
of 1/h, so that the best window lies at coarser steps than the first derivative's.  The search
begins where the first derivative was found, with the noise that was measured for it, and walks to
larger or to smaller steps as long as that shrinks the radius.

Symmetric differences can't see a jump of φ″ at the point itself: there C(h) tends to the mean of
the two sides.  The slopes do: they approach φ′(0) with h instead of h².  That linear part is sought
in every window and added to its radius; where no window is of use, the two sides are extrapolated
by themselves.

Where f takes complex numbers there is a better way: the complex step gives slopes without a
difference, and one difference of these has noise with 1/h.  They are asked where second differences
miss the goal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gradcheck._estimate.cusps import is_cusp_of_slope
from gradcheck._estimate.ladder import (
    BASE,
    COARSEST,
    ONE_SIDED_WIDTH,
    ORDINARY,
    SIGMAS,
    STRIDE,
    WIDTH,
    Component,
    Rung,
    converges,
    extrapolate,
    truncation,
)
from gradcheck._estimate.line import Counter, Line
from gradcheck._estimate.oracles import complex_step
from gradcheck._estimate.search import Goal, search
from gradcheck._estimate.singular import Found, is_on_a_plateau

_FIRST = 1e-7  # of the first derivative only its noise and its kind are needed
_USEFUL = 1e-3
_SIDE_SAFETY = 3.0
_FINER = (0, 1, 2, 3, 4, 6, 8, 11, 14, 17, 20, 24, 28)  # where a window is looked for
_MODEL = 3.0  # modelled rounding is half an ulp; few computations stay below three of these
_UNEVEN_SAFETY = 1.5
_GROWING = 5  # rungs on which C grows before it counts as unbounded
_POWER = 0.2  # … with this power of 1/h at least
_SMALLEST = math.ulp(0.0)
_TINY = 2.0**-60  # of the natural step: no truncation is left, and no underflow near
_BESIDE = 2.0  # upper bound of a deviation over the largest of a few samples


@dataclass(frozen=True, slots=True)
class _Window:
    """An extrapolated second derivative and the parts of its radius."""

    start: int
    value: float
    truncation: float
    rounding: float
    movement: float
    bent: tuple[float, ...]
    tail_step: float

    @property
    def radius(self) -> float:
        """What is meant to contain the error."""
        return self.truncation + self.rounding

    def at(self, step: float) -> float:
        """Return the C that the window's polynomial in h² has at a finer step."""
        column = list(self.bent)
        squares = [4.0 ** (WIDTH - 1 - k) for k in range(WIDTH)]
        where = (step / self.tail_step) ** 2
        for width in range(1, WIDTH):
            column = [
                b + (b - a) * (where - squares[k + width]) / (squares[k + width] - squares[k])
                for k, (a, b) in enumerate(pairwise(column))
            ]
        return column[0]


def _over_square(a: float, h: float) -> float:
    """Return a/h², for steps whose squares leave the range of floats, too."""
    return a / h / h


def _weights(width: int, ratio: int) -> list[Fraction]:
    """Weights of the table's corner on steps that halve; ratio 4 for errors in h², 2 for errors in h."""
    steps = [Fraction(1, ratio**k) for k in range(width)]
    return [
        math.prod((m / (m - own) for m in steps if m != own), start=Fraction(1)) for own in steps
    ]


def _central_gain() -> float:
    """Return the rounding of an extrapolated C in units of σ/h² of the coarsest rung.

    Both ends of every rung have noise of their own; that of φ(0) is common to all.
    """
    parts = [float(w * 4**k) for k, w in enumerate(_weights(WIDTH, 4))]
    return math.hypot(*(math.sqrt(2.0) * p for p in parts), 2 * sum(parts))


def _one_sided_gain() -> float:
    """Return the same for one side's difference quotients of slopes."""
    weights = _weights(ONE_SIDED_WIDTH - 1, 2)
    quotients = [4 * w * 2**k for k, w in enumerate(weights)]  # of s_k − s_{k+1}
    slopes = [a - b for a, b in zip([*quotients, 0], [0, *quotients], strict=True)]
    parts = [float(s * 2**k) for k, s in enumerate(slopes)]
    return math.hypot(*parts, sum(parts))


_CENTRAL_GAIN = _central_gain()
_ONE_SIDED_GAIN = _one_sided_gain()
_SLOPE_GAIN = math.hypot(*(float(w * 2**k) for k, w in enumerate(_weights(WIDTH, 4)))) / math.sqrt(
    2.0
)
_C_NOISE = math.sqrt(6.0)  # deviation of one C in units of σ/h²


def _bent(r: Rung) -> float:
    """Return C(h)."""
    return 2 * r.bend / r.step


def second_derivative(component: Component, goal: Goal) -> Found:
    """Find φ″(0) of one component: by differences, and from complex slopes where they leave the goal unmet."""
    first = search(component, Goal(max(goal.rtol, _FIRST)))
    found = _by_differences(component, first, goal)
    if found.interval is not None or found.reason == "constant" or math.isinf(found.radius):
        return found
    if found.radius <= max(goal.rtol * found.scale, goal.atol):
        return found
    better = _by_complex_slopes(component, first, goal)
    return found if better is None else _reconciled(found, better)


def _by_differences(c: Component, first: Found, goal: Goal) -> Found:
    if first.reason == "constant":
        return _constant(c, first)
    if first.reason in ("jump", "cusp", "domain") or first.interval is not None:
        return first._replace(value=math.nan, radius=math.inf, interval=None)
    noise = _noise_of(c, first)
    found = _found_by(c, _walk(c, _start(c, first), noise, goal), noise, goal)
    return _rough(c, noise) if is_cusp_of_slope(c, found) else found


def _found_by(c: Component, best: _Window | None, noise: float, goal: Goal) -> Found:
    """Return what the best window says, or the two sides where it is of little use."""
    if not c.credible(noise) and (best is None or best.rounding > best.truncation):
        return _rough(c, noise)
    if best is not None and _useful(best):
        sharp = best.truncation >= best.rounding or _sharp(best, goal)
        return _found(c, best, "smooth" if sharp else "noise", noise)
    return _two_sides(c, best, noise)


def _constant(c: Component, first: Found) -> Found:
    """Return zero for a φ that didn't move up to a step, to what its rounding could hide there.

    What it does beyond may be the height of a stair.
    """
    moved = [r for r in c.rungs.values() if r.finite and not r.flat]
    stair = 0.0
    if moved and not is_on_a_plateau(c):
        stair = min(max(abs(r.plus - c.origin), abs(r.minus - c.origin)) for r in moved)
    noise, natural = max(first.noise, stair), _over_square(abs(c.origin), c.line.unit)
    radius = _over_square(
        2 * max(noise, _SMALLEST), first.step
    )  # φ may have fallen below all floats
    return Found(0.0, radius, "constant", noise, first.step, natural)


def _found(c: Component, w: _Window, reason: str, noise: float) -> Found:
    step = math.ldexp(c.line.unit, -w.start)
    return Found(w.value, w.radius, reason, noise, step, max(w.movement, abs(w.value)))


def _start(c: Component, first: Found) -> int:
    """Return a rung just above those of the first derivative."""
    if not (math.isfinite(first.step) and first.step > 0):
        return BASE
    return max(round(math.log2(c.line.unit / first.step)) - 1, COARSEST)


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
    """Return the first window that is of use, or that of smallest radius."""
    best: _Window | None = None
    for k in _FINER:
        a = start + k
        if a > c.depth - WIDTH:
            break
        w = _confirmed(c, a, noise)
        if w is not None and (best is None or w.radius < best.radius):
            best = w
        if best is not None and (_useful(best) or best.rounding > best.truncation):
            break
    return best


def _confirmed(c: Component, start: int, noise: float) -> _Window | None:
    """Extrapolate a window on the noise that finer rungs show beside it."""
    w = _window(c, start, noise)
    if w is None:
        return None
    louder = _noise_beside(c, w)
    return w if louder <= noise else _window(c, start, louder)


def _noise_beside(c: Component, w: _Window) -> float:
    """Return φ's noise as rungs finer than a window show it: their distance from its polynomial."""
    known = (c.rungs[k] for k in c.known() if k >= w.start + WIDTH)
    finer = [r for r in known if not r.flat]
    apart = (max(abs(_bent(r) - w.at(r.step)) - w.truncation, 0.0) * r.step * r.step for r in finer)
    return _BESIDE * max(apart, default=0.0) / _C_NOISE


def _window(c: Component, start: int, noise: float) -> _Window | None:
    """Extrapolate rungs start … start+3; None where they don't look like a smooth function's."""
    rungs = [c.rung(start + k) for k in range(WIDTH)]
    if not all(r.finite for r in rungs):
        return None
    noise = _noise_in(c, rungs, noise)
    bent = [_bent(r) for r in rungs]
    rounding = _over_square(SIGMAS * noise * _CENTRAL_GAIN, rungs[0].step)
    value, corrections = extrapolate(bent, ratio=4)
    uneven = _unevenness(c, start)
    if not math.isfinite(value + uneven) or not converges(bent, 2.5, rounding / 2):
        return None
    slopes = [r.slope for r in rungs]
    movement = max(
        abs(b) + 2 * abs(s - slopes[-1]) / r.step
        for b, s, r in zip(bent, slopes, rungs, strict=True)
    )
    return _Window(
        start=start,
        value=value,
        truncation=truncation(corrections) + uneven,
        rounding=rounding + c.line.eps * abs(value),
        movement=movement,
        bent=tuple(bent),
        tail_step=rungs[-1].step,
    )


def _unevenness(c: Component, start: int) -> float:
    """Return how far φ″ on either side is from the mean of both: twice the linear part of the slopes.

    A slope is φ′(0) + Jh/4 + O(h²) where φ″ jumps by J.  Its difference quotients J/4 + O(h) have
    errors in h, h³ and h⁵.
    """
    found = _linear_part([c.rung(start + k) for k in range(WIDTH + 1)])
    if start + WIDTH + 1 in c.rungs:  # where it's no jump, smaller steps have far less of it
        found = min(found, _linear_part([c.rung(start + k) for k in range(1, WIDTH + 2)]))
    return 2 * _UNEVEN_SAFETY * found


def _linear_part(rungs: Sequence[Rung]) -> float:
    linear = [2 * (a.slope - b.slope) / a.step for a, b in pairwise(rungs)]
    for power in (1, 3, 5):
        linear = [b + (b - a) / (2**power - 1) for a, b in pairwise(linear)]
    return abs(linear[0])


def _noise_in(c: Component, rungs: Sequence[Rung], noise: float) -> float:
    """Return the noise at the steps of some rungs."""
    largest = max(max(abs(r.plus), abs(r.minus)) for r in rungs)
    return _grown(c, largest, max(abs(r.slope) + 2 * abs(r.bend) for r in rungs), noise)


def _grown(c: Component, largest: float, steepest: float, noise: float) -> float:
    """Return noise grown with φ where φ has grown, at least that of rounding φ and its argument there."""
    grown = max(1.0, largest / abs(c.origin)) if c.origin else 1.0
    rounding = 0.5 * (c.line.eps * largest + c.line.argument_noise * steepest)
    return max(noise * grown, _MODEL * max(rounding, c.line.noise))


def _noise_of(c: Component, first: Found) -> float:
    """Return the noise that the first derivative's radius stands on."""
    noise = first.noise
    if first.reason == "noise":  # there may be more of it than the finest rungs have shown
        noise = max(noise, first.radius * first.step / (SIGMAS * _SLOPE_GAIN))
    # a rung that doesn't move hides what the slope promises
    hidden = max((r.step for r in c.rungs.values() if r.flat), default=0.0)
    return max(noise, abs(first.value) * hidden)


# -- one side by itself ----------------------------------------------------------------------------


def _two_sides(c: Component, best: _Window | None, noise: float) -> Found:
    """Extrapolate each side by itself: a jump of φ″, the edge of a domain, or nothing that can be told."""
    if _diverges(c, noise):
        return _rough(c, noise)
    forward, backward = (_side(c, side, noise) for side in (+1, -1))
    if forward is not None and backward is not None:
        low = min(forward.value - forward.radius, backward.value - backward.radius)
        high = max(forward.value + forward.radius, backward.value + backward.radius)
        gap = abs(forward.value - backward.value)
        step = math.ldexp(c.line.unit, -min(forward.start, backward.start))
        size = max(abs(forward.value), abs(backward.value))
        middle = low / 2 + high / 2
        if gap > 2 * (forward.radius + backward.radius):
            radius = high / 2 - low / 2 + c.line.eps * size
            return Found(middle, radius, "kink", noise, step, size, (low, high))
        if gap <= forward.radius + backward.radius and (best is None or high - low < best.radius):
            return Found(middle, high - low, "smooth", noise, step, size)
    if best is not None:
        return _found(c, best, "noise" if best.rounding > best.truncation else "rough", noise)
    only = forward if backward is None else backward if forward is None else None
    if only is not None and not c.known():
        return _found(c, only, "one-sided", noise)
    return _rough(c, noise)


def _rough(c: Component, noise: float) -> Found:
    """Return nothing that is known: no steps agree."""
    value = _bent(c.rungs[c.known()[-1]]) if c.known() else math.nan
    return Found(value, math.inf, "rough", noise, math.nan, abs(value))


def _diverges(c: Component, noise: float) -> bool:
    """Whether C keeps growing with a power of 1/h, down to where noise drowns it."""
    rungs = [c.rungs[k] for k in c.known()]
    drowned = 2 * SIGMAS * _C_NOISE
    seen = [
        r for r in rungs if abs(_bent(r)) * r.step * r.step > drowned * _noise_in(c, [r], noise)
    ]
    seen = seen[-_GROWING:]
    return len(seen) == _GROWING and all(
        abs(_bent(b)) > abs(_bent(a)) * (a.step / b.step) ** _POWER for a, b in pairwise(seen)
    )


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
    values = [r.plus if side > 0 else r.minus for r in rungs]
    slopes = [side * (y - c.origin) / r.step for y, r in zip(values, rungs, strict=True)]
    if not all(map(math.isfinite, slopes)):
        return None
    steps = [r.step for r in rungs]
    bent = [side * 4 * (a - b) / h for a, b, h in zip(slopes, slopes[1:], steps, strict=False)]
    # the slope at a step is that of the chord and as much again at most, or φ isn't smooth there
    noise = _grown(c, max(map(abs, values)), 2 * max(map(abs, slopes)), noise)
    rounding = _over_square(SIGMAS * noise * _ONE_SIDED_GAIN, steps[0])
    value, corrections = extrapolate(bent, ratio=2)
    if not math.isfinite(value) or not converges(bent, 1.5, rounding / 2):
        return None
    return _Window(
        start=start,
        value=value,
        truncation=4.0 * max(corrections[-2:]),
        rounding=rounding + c.line.eps * abs(value),
        movement=max(map(abs, bent)),
        bent=tuple(bent),
        tail_step=steps[-1],
    )


# -- complex slopes --------------------------------------------------------------------------------


def _by_complex_slopes(c: Component, first: Found, goal: Goal) -> Found | None:
    """Differentiate the slope Im φ(t + ih)/h, which has no difference in it: its noise is that of a value.

    It counts under the conditions that the complex step itself has to meet at x; what rounds inside
    φ more than arithmetic does would round the slopes too.
    """
    noisy = first.noise > ORDINARY * c.base_noise()
    if c.line.extended is None or noisy or complex_step(c, first) is None:
        return None
    h = c.line.unit * _TINY

    def slopes(t: float) -> npt.NDArray[np.float64]:
        y = c.line.beyond(complex(t, h))
        if y is None or y.dtype.kind != "c":
            raise TypeError("f takes complex numbers at x only")
        return np.asarray(y.imag / h)

    origin = slopes(0.0)
    line = Line(
        at=slopes,
        extended=None,
        origin=origin,
        unit=c.line.unit,
        reach=c.line.reach,
        eps=c.line.eps,
        argument_noise=c.line.argument_noise,
        depth=c.line.depth,
        rounding=c.line.rounding / c.line.unit,
        noise=c.line.noise / c.line.unit,
        counter=Counter(),  # evaluations are counted once, by the line below
        effort=c.line.effort,
    )
    found = search(Component(line, c.index), goal)
    # a slope that is always zero may be that of an imaginary part that got lost
    return None if found.reason == "constant" and origin[c.index] == 0.0 else found


def _reconciled(found: Found, better: Found) -> Found:
    """Take the smaller radius of two that overlap; one as large as the contradiction of two that don't."""
    if better.reason not in ("smooth", "noise", "constant"):
        return found
    apart = abs(found.value - better.value)
    if apart > found.radius + better.radius:
        return found._replace(radius=apart + better.radius, reason="disagreement")
    if better.radius >= found.radius:
        return found
    reason = "smooth" if better.reason == "constant" else better.reason  # a constant slope
    return better._replace(noise=found.noise, reason=reason, oracle="complex step")
