"""Extrapolation on a ladder of symmetric steps, with rounding and truncation carried along.

One component of φ along a line is sampled at ±h for h = unit·2⁻ᵏ.  Each *rung* k gives the central
slope D(h) = (φ(h) − φ(−h))/2h, whose error is even in h for smooth φ, and the bend B(h) = (φ(h) −
2φ(0) + φ(−h))/2h, half the difference of the one-sided slopes, which vanishes linearly in h for
smooth φ and tends to a constant at a kink.

A *window* of four rungs is extrapolated to h = 0 (Richardson 1911; Ridders 1982).  Its radius is

* the truncation: a multiple of the last corrections of the table, which must shrink from column to
  column, plus
* the rounding: the noise of φ carried through the weights of the table, which are solved in exact
  rationals.

The noise is the larger of a model (half an ulp of φ and of the argument) and what the finest rungs
show: there the slopes differ by noise alone, so that their differences measure it, in the spirit of
Hamming's difference table and of Moré & Wild's ECnoise (2011).  It is inflated by the chi-square
quantile of the number of samples.

A window counts only if finer rungs agree with it within the noise.  That is what keeps an aliased
pair of coarse steps (sin 1000x at h = 0.1) or a kink close by from passing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gradcheck._estimate.line import Line
from gradcheck._estimate.scatter import scatter_about_polynomial, uneven_places, upper_noise

BASE = 4  # the coarsest rung of the first window: steps of 1/16 of the argument's size
WIDTH = 4  # rungs in a window: three extrapolations, truncation of order h⁸
SHORT = 3  # rungs in the window of a glance
PAIR = 2  # rungs in a window that is finer than one along another line, which was smooth
CHECK = 12.7  # the fine rung that a first window must agree with; off the ladder, against aliasing
STRIDE = 3  # spacing of the rungs of a survey
ONE_SIDED_WIDTH = 6
COARSEST = -1  # beyond its own size, an argument has structure that noise could hide
_NOISE_TRIPLES = 5
ORDINARY = 1000.0  # multiples of the modelled rounding that an ordinary computation stays below
SIGMAS = 3.0  # how many standard deviations of noise a radius covers
TRUNCATION_SAFETY = 4.0
_FORESEEN = 2.0**-10  # of a pair's only correction, the next one
_NEXT = 4  # rungs finer than a window that show the noise at its place
GROWN = 2.0  # times φ at the point
_LOUDEST = 0.1  # of φ: more than the coarsest arithmetic and the worst solver leave
SMALLEST = 5e-324
_USEFUL = 1e-3
_MOST_STAIRS = 4096  # beyond as many stairs their noise shows itself
_WHOLE = 1e-3  # of a stair
_SCATTERED = 10
CUBIC = 4


class Rung(NamedTuple):
    """φ at ±step; `slope` and `bend` are NaN, and it isn't `finite`, where a side is missing.

    `size` is that of the larger side.
    """

    step: float
    plus: float
    minus: float
    size: float
    slope: float
    bend: float
    flat: bool
    finite: bool


class Window(NamedTuple):
    """An extrapolated derivative from `width` rungs, and the parts of its radius."""

    start: int
    width: int
    value: float
    truncation: float
    rounding: float
    movement: float
    tail: Rung

    @property
    def radius(self) -> float:
        """What is meant to contain the error."""
        return self.truncation + self.rounding

    @property
    def useful(self) -> bool:
        """Whether the radius is small enough to end a search."""
        return self.radius <= _USEFUL * max(abs(self.value), self.movement)

    @property
    def stop(self) -> int:
        """The first rung that is finer."""
        return self.start + self.width

    @property
    def noise(self) -> float:
        """The noise that its rounding stands for."""
        coarsest = self.tail.step * 2.0 ** (self.width - 1)
        return self.rounding * coarsest / (SIGMAS * _GAINS[self.width])

    def slope_at(self, step: float) -> float:
        """Return the slope that the window's polynomial has at a finer step."""
        return self.value + (self.tail.slope - self.value) * (step / self.tail.step) ** 2


def _central_weights(width: int) -> tuple[float, ...]:
    """Weights of the slopes at h, h/2, … that cancel h², h⁴, …: products of h_m²/(h_m² − h_k²)."""
    squares = [Fraction(1, 4**k) for k in range(width)]
    return tuple(float(math.prod(m / (m - own) for m in squares if m != own)) for own in squares)


def _one_sided_weights(width: int) -> tuple[float, ...]:
    steps = [Fraction(1, 2**k) for k in range(width)]
    return tuple(float(math.prod(m / (m - own) for m in steps if m != own)) for own in steps)


# Rounding of an extrapolated slope in units of σ/h of the coarsest rung.  A central slope has the
# noise of two values, each of deviation σ; one-sided slopes share the value at the origin.
_GAINS = {
    width: math.hypot(*(w * 2**k for k, w in enumerate(_central_weights(width)))) / math.sqrt(2)
    for width in (PAIR, SHORT, WIDTH)
}
CENTRAL_GAIN = _GAINS[WIDTH]
_ONE_SIDED_GAIN = math.hypot(
    *(w * 2**k for k, w in enumerate(_one_sided_weights(ONE_SIDED_WIDTH))),
    sum(w * 2**k for k, w in enumerate(_one_sided_weights(ONE_SIDED_WIDTH))),
)


class Component:
    """One component of φ on a lazily evaluated ladder.

    Parameters
    ----------
    line : Line
        Where values come from; its cache is shared by all components of a vector.
    index : int
        Which entry of φ.
    """

    __slots__ = ("depth", "index", "line", "origin", "rungs", "stair")

    def __init__(self, line: Line, index: int) -> None:
        self.line = line
        self.index = index
        self.depth = line.depth
        self.origin = float(line.origin[index])
        self.rungs: dict[float, Rung] = {}
        self.stair = 0.0

    def rung(self, k: float) -> Rung:
        """Return rung k, evaluating φ at ±h if no component has asked for it yet."""
        if k not in self.rungs:
            h = self.line.unit * 2.0**-k
            plus = float(self.line.value(h)[self.index])
            minus = float(self.line.value(-h)[self.index])
            up, down = plus - self.origin, minus - self.origin
            if h == 0.0:  # below the smallest float there are no steps
                h = plus = minus = math.nan
            # halved before they are added, so that values near the largest float don't overflow
            slope, bend = (plus / 2 - minus / 2) / h, (up / 2 + down / 2) / h
            self.rungs[k] = Rung(
                step=h,
                plus=plus,
                minus=minus,
                size=max(abs(plus), abs(minus)),
                slope=slope,
                bend=bend,
                flat=up == 0.0 and down == 0.0,
                finite=math.isfinite(slope) and math.isfinite(bend),
            )
        return self.rungs[k]

    def known(self) -> list[float]:
        """Return the evaluated rungs with both sides, coarsest first."""
        return sorted(k for k, r in self.rungs.items() if r.finite)

    def uphill(self) -> float:
        """Return the side on which φ grows, so that φ(−t) is looked at in the same places."""
        known = self.known()
        return -1.0 if known and self.rungs[known[0]].slope < 0 else 1.0

    # -- noise -----------------------------------------------------------------------------------

    def modelled_noise(self, rungs: Sequence[Rung]) -> float:
        """Return half an ulp of the largest value and of the argument, or half a stair: no code can promise less."""
        return max(self._arithmetic_noise(rungs), self.line.noise, 0.5 * self.stair)

    def _arithmetic_noise(self, rungs: Sequence[Rung]) -> float:
        finite = [r for r in rungs if r.finite]
        if not finite:
            return self._rounding_of(abs(self.origin), 0.0)
        return self._rounding_of(max([r.size for r in finite]), min([abs(r.slope) for r in finite]))

    def _rounding_of(self, value: float, slope: float) -> float:
        rounding = 0.5 * (self.line.eps * value + self.line.argument_noise * slope)
        return max(rounding, self.line.rounding, SMALLEST)

    def look_for_stairs(self) -> None:
        """Note the height of φ's stairs, if all that it has moved by are a few of them.

        A computation such as log(1 + eˣ) at x = −36 rounds an intermediate result to coarse steps.
        One rung is off the ladder, so that the values of a linear φ are no multiples of one another.
        """
        values = [y for r in self.rungs.values() if r.finite for y in (r.plus, r.minus)]
        moved = sorted({abs(y - self.origin) for y in values} - {0.0})
        # next to a pole, too, all values are as far away from φ(0) as φ(0) from zero
        if not moved or self.origin not in values:
            return
        step = _common_step(moved)
        # a single one may be all that is seen beyond a kink; of rounding it is a number of few bits
        if len(moved) > 1 or _has_few_bits(step):
            self.stair = step

    def base_noise(self) -> float:
        """Return an ordinary computation's noise on the first window and its check."""
        return self._arithmetic_noise(
            [self.rungs[k] for k in self.known() if k >= BASE][: WIDTH + 1]
        )

    def noise_beside(self, w: Window) -> float:
        """Return φ's noise as the next rungs finer than a window show it: their distance from its polynomial.

        Only the next ones, since noise need not be the same everywhere: where φ(0) is zero at x = 0,
        it shrinks with the step.
        """
        finer = [self.rungs[k] for k in self.known() if k >= w.stop][:_NEXT]
        curvatures = [r.bend / r.step for r in self._rungs_of(w)]
        curvature, _ = extrapolate(curvatures, ratio=4)
        # where φ grows from next to nothing its noise is taken to grow as well, and what a quartic
        # adds to the bend must not be mistaken for it
        growth = curvatures[-1] - curvature if self._grows(w.tail) else 0.0
        samples: list[float] = []
        for r in (r for r in finer if not r.flat):
            samples.append(math.sqrt(2.0) * r.step * abs(r.slope - w.slope_at(r.step)))
            there = curvature + growth * (r.step / w.tail.step) ** 2
            samples.append(math.sqrt(2.0 / 3.0) * r.step * abs(r.bend - there * r.step))
        return max(upper_noise(samples), 3.0 * self.modelled_noise([*finer, w.tail]))

    def _grows(self, tail: Rung) -> bool:
        return min(abs(tail.plus), abs(tail.minus)) > GROWN * abs(self.origin)

    def fine_noise(self) -> float:
        """Return φ's noise as the finest rungs show it by themselves.

        There a smooth φ has slopes v + ch² and bends bh (or J + bh at a kink); three neighbouring
        rungs eliminate v and c, two eliminate b or J, and what is left is noise.
        """
        known = [self.rungs[k] for k in self.known() if k >= BASE]
        moving = [r for r in known if not r.flat]
        samples: list[float] = []
        bounds: list[float] = []
        triples = list(zip(moving, moving[1:], moving[2:], strict=False))
        for a, b, c in triples[: -_NOISE_TRIPLES - 1 : -1]:
            curve = ((c.step / b.step) ** 2 - 1) / (1 - (a.step / b.step) ** 2)
            slope = c.slope - b.slope - (b.slope - a.slope) * curve
            bend = min(abs(c.bend - b.bend * (c.step / b.step)), abs(c.bend - b.bend))
            samples.append(math.sqrt(2.0) * c.step * abs(slope))
            samples.append(math.sqrt(2.0 / 3.0) * c.step * bend)
            bounds.append(upper_noise(samples))
        # a few of the finest bound it as well as all of them, and take no fast oscillation for noise
        return max(min(bounds, default=0.0), 3.0 * self.modelled_noise(known[-3:]))

    def irregularity(self, low: float, high: float, side: float | None = None) -> float:
        """Return an upper estimate of φ's noise from its scatter about a cubic on low … high.

        It looks to one side, where at most one part of a kink lies: to the given one, or uphill.
        """
        side = side or self.uphill()
        t = side * (low + (high - low) * uneven_places(_SCATTERED))
        values = np.array([float(self.line.value(step)[self.index]) for step in t.tolist()])
        if not np.isfinite(values).all():
            return 0.0
        return scatter_about_polynomial(t / high, values, CUBIC)

    def credible(self, noise: float) -> bool:
        """Whether φ may have that much noise: as large as φ itself, it is an oscillation too fast to be seen."""
        values = [abs(y) for r in self.rungs.values() for y in (r.plus, r.minus)]
        seen = [y for y in values if math.isfinite(y)]  # at the edge of a domain on one side only
        return not noise > _LOUDEST * max(seen, default=abs(self.origin))

    # -- windows ---------------------------------------------------------------------------------

    def window(self, start: int, noise: float, width: int = WIDTH) -> Window | None:
        """Extrapolate `width` rungs from `start` on; None where they don't look like a smooth function's."""
        rungs = [self.rung(start + k) for k in range(width)]
        if not all(r.finite for r in rungs):
            return None
        noise = self._noise_in(rungs, noise)
        rounding = SIGMAS * noise * _GAINS[width] / rungs[0].step
        slopes = [r.slope for r in rungs]
        if not converges(slopes, 2.5, rounding / 2):
            return None
        value, corrections = extrapolate(slopes, ratio=4)
        bends = [abs(r.bend) for r in rungs]
        shrinking = bends[-1] <= max(bends[:-1]) / (3.0 if width > PAIR else 1.5)
        if not shrinking and bends[-1] > 2 * SIGMAS * noise / rungs[-1].step:
            return None
        return Window(
            start=start,
            width=width,
            value=value,
            # a bend that stays may be noise, or a kink as weak as that
            truncation=truncation(corrections) + (0.0 if shrinking else bends[-1]),
            rounding=rounding + self.line.eps * abs(value),
            movement=max([abs(r.slope) + abs(r.bend) for r in rungs]),
            tail=rungs[-1],
        )

    def with_noise(self, w: Window, noise: float) -> Window:
        """Return a window with the rounding of more noise than it was made for."""
        rungs = self._rungs_of(w)
        rounding = SIGMAS * self._noise_in(rungs, noise) * _GAINS[w.width] / rungs[0].step
        return w._replace(rounding=rounding + self.line.eps * abs(w.value))

    def _rungs_of(self, w: Window) -> list[Rung]:
        return [self.rungs[w.start + k] for k in range(w.width)]

    def _noise_in(self, rungs: Sequence[Rung], noise: float) -> float:
        """Noise at large steps: at least the model there, and grown with φ where φ has grown."""
        largest = max([r.size for r in rungs])
        level = self._level_below(rungs[-1]) if self.origin else 0.0
        grown = max(1.0, largest / level) if level else 1.0
        return max(noise * grown, 3.0 * self.modelled_noise(rungs))

    def _level_below(self, tail: Rung) -> float:
        """Return the size of φ where its noise was taken: on the next rung finer than `tail`, or at the point.

        At the minimum of a loss that vanishes there φ(0) may be nothing but rounding itself.
        """
        finer = [r for r in self.rungs.values() if r.finite and r.step < tail.step]
        if not finer:
            return abs(self.origin)
        next_one = max(finer, key=lambda r: r.step)
        return max(abs(self.origin), next_one.size)

    def contradicted(self, w: Window, noise: float) -> bool:
        """Whether a finer rung says otherwise than the window, beyond noise."""
        for k in self.known():
            r = self.rungs[k]
            if k < w.stop or r.flat:
                continue
            slack = w.radius + 2 * SIGMAS * noise / r.step
            if abs(r.slope - w.value) > slack + 2 * abs(w.slope_at(r.step) - w.value):
                return True
            if abs(r.bend) > slack + 2 * abs(w.tail.bend) * (r.step / w.tail.step):
                return True
        return False

    def one_sided(self, side: int, start: int, noise: float) -> Window | None:
        """Extrapolate the slopes of one side (+1 forward, −1 backward) from rungs start … start+5."""
        rungs = [self.rung(k) for k in range(start, start + ONE_SIDED_WIDTH)]
        values = [r.plus if side > 0 else r.minus for r in rungs]
        slopes = [side * (y - self.origin) / r.step for y, r in zip(values, rungs, strict=True)]
        if not all(map(math.isfinite, slopes)):
            return None
        # φ may have grown from zero, which has no rounding to tell of
        modelled = self._rounding_of(max(map(abs, values)), min(map(abs, slopes)))
        noise = max(noise, modelled)
        rounding = SIGMAS * noise * _ONE_SIDED_GAIN / self.rungs[start].step
        value, corrections = extrapolate(slopes, ratio=2)
        if not converges(slopes, 1.5, rounding / 2):
            return None
        rounding += self.line.eps * abs(value)
        return Window(
            start=start,
            width=ONE_SIDED_WIDTH,
            value=value,
            truncation=TRUNCATION_SAFETY * max(corrections[-2:]),
            rounding=rounding,
            movement=max(map(abs, slopes)),
            tail=rungs[-1],
        )

    def scale(self) -> float:
        """Return the natural size of a derivative here: how far φ moves over how far t moves."""
        coarsest = [self.rungs[k] for k in self.known() if k >= BASE][:WIDTH]
        return max([abs(r.slope) + abs(r.bend) for r in coarsest], default=0.0)


def _common_step(numbers: Sequence[float]) -> float:
    """Return the largest number that all of them are a multiple of, or zero if that is small beside them."""
    least = numbers[-1] / _MOST_STAIRS
    step = numbers[0]
    if step < least:
        return 0.0
    for a in numbers[1:]:  # Euclid's algorithm, with remainders of either sign
        rest = a - step * round(a / step)
        while abs(rest) > _WHOLE * step:
            step, rest = abs(rest), step - abs(rest) * round(step / abs(rest))
            if step < least:
                return 0.0
    return step


def _has_few_bits(number: float) -> bool:
    """Whether a number is a multiple of a thousandth of its own power of two, but for rounding."""
    mantissa = 1024 * math.frexp(number)[0]
    return abs(mantissa - round(mantissa)) < _WHOLE**2


def extrapolate(slopes: Sequence[float], ratio: int) -> tuple[float, list[float]]:
    """Richardson's table on steps that halve; return the corner and the sizes of the corrections that led to it.

    ``ratio`` is 4 for errors in h², h⁴, … and 2 for errors in h, h², …
    """
    column = list(slopes)
    corrections = []
    factor = 1
    while len(column) > 1:
        factor *= ratio
        column = [b + (b - a) / (factor - 1) for a, b in pairwise(column)]
        corrections.append(column[-1])
    tails = [slopes[-1], *corrections]
    sizes = [abs(b - a) for a, b in pairwise(tails)]
    return tails[-1], sizes


def converges(slopes: Sequence[float], factor: float, rounding: float) -> bool:
    """Whether the slopes approach a limit as they must: their differences shrink, down to rounding.

    The differences of a smooth φ shrink by four from step to step (by two on one side); `factor` is
    a little less.
    """
    differences = [abs(b - a) for a, b in pairwise(slopes)]
    return all(b <= max(a / factor, rounding) for a, b in pairwise(differences))


def truncation(corrections: Sequence[float]) -> float:
    """Bound the error of the corner, which is about the correction that the next column would make.

    Each correction is that of a power of h² more: they shrink in ratios that grow by four from
    column to column, because the steps halve.  One of them may be small by accident, so the last is
    taken to be at least what the ratio before it foretells, and no error less than 2⁻¹⁴ of the last
    but one.  Two corrections can't tell such an accident: the bound is the last of them, which is more
    than the error that any single power of h² leaves there.  One tells nothing of the next: that of a
    pair is foreseen from steps four times as large, along another line, which showed φ smooth.
    """
    if len(corrections) == 1:
        return _FORESEEN * corrections[0]
    if len(corrections) == 2:
        first, second = corrections
        return second * (TRUNCATION_SAFETY if 8 * second > first else 1.0)
    first, second, third = corrections[-3:]
    if second == 0.0:  # a correction after one of exactly zero follows no law
        return TRUNCATION_SAFETY * third
    foretold = 4 * second / first if first > 0 else 0.0
    last = max(third, second * min(1.0, foretold))
    ratio = max(foretold, third / second)
    return TRUNCATION_SAFETY * max(last * min(1.0, 4 * ratio), second * 2.0**-14)
