"""Better than differences where f allows it: the complex step, and differences at sixty digits.

Both need f to take other numbers than floats, and both can be fooled by an f that takes them and
does something else: discards the imaginary part, casts to a float inside, isn't analytic.  So they
are asked only where differences left something to be wished for, and believed only if

* the value at x is the same,
* the derivative is steady: it approaches a limit with h² as the step shrinks from where f is smooth,
* (complex step) the Cauchy–Riemann equations hold off the real axis, and slopes add up to how far f
  moves along it,
* f's noise is no more than an ordinary computation's: what rounds inside (float32, a cast, the
  stop of an iteration) would round the derivative too.  The complex step shows whether it does: it
  is believed in spite of noise if it is as steady over many stairs of it.

An oracle that passes all of that and yet disagrees with differences beyond both radii makes the
radius as large as the disagreement.

Squire & Trapp (1998), "Using complex variables to estimate derivatives of real functions".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck._case.numbers import is_precise
from gradcheck._estimate.ladder import CUBIC, ORDINARY, SIGMAS, Component
from gradcheck._estimate.line import Values
from gradcheck._estimate.scatter import GOLDEN, scatter_about_polynomial, uneven_places
from gradcheck._estimate.search import Goal, search
from gradcheck._estimate.singular import Found

_TINY = 60  # steps of 2⁻⁶⁰: no truncation is left, and no underflow near
_SCALES = (4, 9)
# A derivative is a cubic to the last bit over this part of the scale on which it is analytic.
_WIDE = 2.0**-7
_NARROW = 2.0**-26  # many ulps of the argument
# Over this part of x's own size, or of a scale that is finer, it is a polynomial of this many
# coefficients to eight digits.
_FAR_OFF, _FAR_OFF_PLACES, _FAR_OFF_COEFFICIENTS = 0.125, 19, 9
_NEAR, _FAR = 5, 7  # places in the narrow and in the wide neighbourhood
_STEADY = 1e-6  # relative change below which a derivative counts as steady whatever its trend
_ANALYTIC = 2.0**-4
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)  # exact to rounding where φ is analytic
_DIGITS = 60
_ROUNDED = (
    20  # steps of 2⁻²⁰: wider than the stairs of float32, and nothing beside φ to the sixth power
)
_NOISY = 64.0
_NONE_EXISTS = ("jump", "cusp", "domain")


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What an oracle says."""

    oracle: str
    value: float
    radius: float
    despite_noise: bool = False  # whether the radius covers what noise in φ does to it


def derivative(c: Component, goal: Goal) -> Found:
    """Find the derivative of one component: by differences, and by another oracle where they leave the goal unmet."""
    found = search(c, goal)
    if c.line.extended is None or found.interval is not None or found.reason in _NONE_EXISTS:
        return found
    if found.radius <= max(goal.rtol * max(abs(found.value), found.scale), goal.atol):
        return found
    opinion = complex_step(c, found)
    if opinion is None or (_is_noisy(c, found) and opinion.radius > goal.rtol * found.scale):
        opinion = sixty_digits(c, found) or opinion
    return found if opinion is None else _reconciled(c, found, opinion)


def movement_along_imaginary_axis(c: Component) -> float:
    """Return Im φ(ih)/h at a tiny h; zero where f doesn't take complex numbers.

    Where f has lost its digits, as 1 − cos x near zero, real steps show a constant.  The imaginary
    part has not met those digits: whether f is analytic or not, it isn't constant.
    """
    slope = _imaginary_slope(c, 0.0, c.line.unit * 2.0**-_TINY)
    return slope if slope is not None and math.isfinite(slope) else 0.0


def _reconciled(c: Component, found: Found, opinion: _Opinion) -> Found:
    apart = abs(found.value - opinion.value)
    # what rounds f's values more than arithmetic does may round the oracle's derivative too
    noisy = _is_noisy(c, found) and not opinion.despite_noise
    slack = _NOISY * found.noise / c.line.unit if noisy else 0.0
    if apart > found.radius + opinion.radius + slack:
        radius = apart + opinion.radius + slack
        return found._replace(radius=radius, reason="disagreement", scales=())
    if noisy or opinion.radius >= found.radius:
        return found
    return found._replace(
        value=opinion.value,
        radius=opinion.radius,
        reason="smooth",
        oracle=opinion.oracle,
        scales=(),
    )


def _is_same(c: Component, found: Found, value: float) -> bool:
    """Whether an oracle's value at x is φ's own, but for noise."""
    allowed = max(ORDINARY * c.base_noise(), 2 * SIGMAS * found.noise)
    return abs(value - c.origin) <= allowed


def _is_noisy(c: Component, found: Found) -> bool:
    return found.noise > ORDINARY * c.base_noise()


# -- the complex step ------------------------------------------------------------------------------


def complex_step(c: Component, found: Found) -> _Opinion | None:
    """Return Im φ(ih)/h at a step so small that nothing is left of its truncation."""
    unit = c.line.unit
    centre = _imaginary_slope(c, 0.0, unit * 2.0**-_TINY)
    # of exactly nothing it can't be told whether f has no slope, or dropped the imaginary part
    if centre is None or centre == 0.0:
        return None
    scale = _analytic_scale(c, found, centre)
    if scale is None:
        return None
    spread = _scatter(c, scale)
    if spread is not None and _is_noisy(c, found):
        spread = max(spread, _scatter_of_stairs(c, found, scale))
    if spread is None:
        return None
    # a derivative is at best as good as its rounding, and as that of where it is taken
    model = 4 * c.line.eps * (abs(centre) + found.scale)
    return _Opinion("complex step", centre, SIGMAS * spread + model, despite_noise=True)


def _scatter(c: Component, scale: float) -> float | None:
    """Return an upper estimate of the derivative's rounding noise, from its scatter about a cubic near x.

    It looks on two scales, since a stair of an inner rounding may be as narrow as an ulp or much
    wider, and at places without symmetry: the rounding errors at x ± t are opposite to each other.
    """
    unit = c.line.unit
    wide, narrow = scale * _WIDE, unit * _NARROW
    widths = [narrow if j < _NEAR else wide for j in range(_NEAR + _FAR)]
    return _spread(c, (uneven_places(_NEAR + _FAR) - 0.5) * widths, CUBIC)


def _scatter_of_stairs(c: Component, found: Found, scale: float) -> float:
    """Return the same over many stairs of a φ that has more noise than arithmetic; inf where it can't be told.

    Where φ = r(x)/x with a rounded r, as (eˣ − 1)/x near zero, each stair is slanted, and has an
    imaginary part that is smooth and wrong.
    """
    if not _spans_stairs(c, found, scale, scale * _WIDE):
        return math.inf
    width = c.line.unit * _FAR_OFF if scale >= _coarsest(c) else scale * _FAR_OFF
    places = uneven_places(_FAR_OFF_PLACES) - 0.5
    spread = _spread(c, width * places, _FAR_OFF_COEFFICIENTS)
    return math.inf if spread is None else spread


def _spans_stairs(c: Component, found: Found, scale: float, width: float) -> bool:
    """Whether φ is analytic on so coarse a scale, or so noisy over a width of it, that it isn't one stair only."""
    return scale >= _coarsest(c) or c.irregularity(width / 3, width) > found.noise / _NOISY


def _coarsest(c: Component) -> float:
    return c.line.unit * 2.0 ** -_SCALES[0]


def _spread(c: Component, t: Values, coefficients: int) -> float | None:
    """Return an upper estimate of how far imaginary slopes at t scatter about a polynomial."""
    # steps of different mantissas, so that products with them round differently
    steps = c.line.unit * 2.0 ** -(_TINY + np.arange(t.size) * GOLDEN % 1.0)
    places = zip((c.uphill() * t).tolist(), steps.tolist(), strict=True)
    found = [_imaginary_slope(c, *place) for place in places]
    if not all(g is not None and math.isfinite(g) for g in found):
        return None
    widest = float(np.max(np.abs(t)))
    return scatter_about_polynomial(t / widest, np.array(found, dtype=np.float64), coefficients)


def _imaginary_slope(c: Component, t: float, h: float) -> float | None:
    """Im φ(t + ih)/h, or None where f doesn't take complex numbers or says something else there."""
    y = c.line.beyond(complex(t, h)) if h else None  # next to zero it underflows
    if y is None or y.dtype.kind != "c":
        return None
    return float(y[c.index].imag) / h


def _analytic_scale(c: Component, found: Found, centre: float) -> float | None:
    """Return a step on which f is analytic, and from which its derivative runs steadily down to the tiny one."""
    y = c.line.beyond(complex(0.0, c.line.unit * 2.0**-_TINY))
    if y is None or not _is_same(c, found, float(y[c.index].real)):
        return None
    for step in _scales(c, found):
        coarse, fine = (_imaginary_slope(c, 0.0, h) for h in (step, step / 2))
        if coarse is None or fine is None:
            return None
        if _runs_to(coarse, fine, centre) and _cauchy_riemann(c, step, found.noise):
            return step if _adds_up(c, found, step) else None
    return None


def _scales(c: Component, found: Found) -> tuple[float, ...]:
    """Return steps on which φ may be smooth: coarse ones, and the one on which differences found it so.

    The coarse ones come first: within one stair of an inner rounding everything looks smooth.
    """
    scales = tuple(c.line.unit * 2.0**-k for k in _SCALES)
    if math.isfinite(found.step) and 0 < found.step < scales[-1]:
        return (*scales, found.step)
    return scales


def _runs_to(coarse: float, fine: float, limit: float) -> bool:
    """Whether slopes at h and h/2 lead to the limit as h² does, which leaves a third of their difference."""
    if not (math.isfinite(coarse) and math.isfinite(fine)):
        return False
    size = max(abs(coarse), abs(fine), abs(limit))
    return (
        abs(fine - limit) <= max(abs(coarse - fine) / 1.5, _STEADY * size)
        and abs(coarse - fine) <= 0.5 * size
    )


def _cauchy_riemann(c: Component, step: float, noise: float) -> bool:
    """Whether φ has the same derivative along the real and the imaginary axis at a point off the real one."""
    half = step / 2
    places = [complex(s, step) for s in (half, -half)] + [
        complex(0, step + s) for s in (half, -half)
    ]
    values = [c.line.beyond(z) for z in places]
    if any(v is None for v in values):
        return False
    east, west, north, south = (complex(v[c.index]) for v in values if v is not None)
    real, imaginary = (east - west) / step, (north - south) / (1j * step)
    slack = 2 * SIGMAS * max(noise, c.base_noise()) / step
    return abs(real - imaginary) <= max(_ANALYTIC * (abs(real) + abs(imaginary)), slack)


def _adds_up(c: Component, found: Found, scale: float) -> bool:
    """Whether the imaginary slopes around x add up to how far φ moves there along the real axis.

    They don't where f drops the imaginary part of one term, as abs does, beside others that are
    analytic.
    """
    tiny = c.line.unit * 2.0**-_TINY
    asked = [_imaginary_slope(c, scale * place, tiny) for place in _NODES.tolist()]
    slopes = [g for g in asked if g is not None]
    if len(slopes) < len(asked):
        return False
    ahead, behind = (float(c.line.value(t)[c.index]) for t in (scale, -scale))
    allowed = ORDINARY * c.base_noise()
    if _is_noisy(c, found):
        allowed += _NOISY * SIGMAS * found.noise
    return abs(ahead - behind - scale * float(np.dot(_WEIGHTS, slopes))) <= allowed


# -- sixty digits ----------------------------------------------------------------------------------


def sixty_digits(c: Component, found: Found) -> _Opinion | None:
    """Return a central difference at sixty digits, where there is room for steps of 2⁻⁶⁰."""
    if not c.line.effort.bearable:
        return None
    import mpmath

    with mpmath.workdps(_DIGITS):
        unit = mpmath.mpf(c.line.unit)
        tiny = unit * mpmath.mpf(2) ** -_TINY
        y = _precise(c, mpmath.mpf(0))
        if y is None or not _is_same(c, found, float(y)):
            return None
        fine, finer = _difference(c, 2 * tiny), _difference(c, tiny)
        if fine is None or finer is None:
            return None
        value = float(finer)
        if not _is_precise_around(c):
            return None
        for step in _scales(c, found):
            h = mpmath.mpf(step)
            coarse, near = _difference(c, h), _difference(c, h / 2)
            if coarse is None or near is None:
                return None
            if _runs_to(float(coarse), float(near), value):
                many = not _is_noisy(c, found) or _spans_stairs(c, found, step, step)
                error = 4 * abs(float(finer - fine)) + c.line.eps * abs(value)
                return _Opinion("mpmath", value, error, despite_noise=many)
    return None


def _is_precise_around(c: Component) -> bool:
    """Whether no part of φ is computed in floats: their rounding would be seen in a sixth divided difference.

    At places without a common step, since φ may climb by the same number of stairs at each step.
    """
    import mpmath

    width = mpmath.mpf(c.line.unit) * mpmath.mpf(2) ** -_ROUNDED
    places = [width * (j + j * GOLDEN % 1.0) for j in range(-3, 4)]
    values = [_precise(c, t) for t in places]
    if any(y is None for y in values):
        return False
    weights = [1 / mpmath.fprod(t - other for other in places if other != t) for t in places]
    # as large as one with a common step
    sixth = math.comb(6, 3) * mpmath.fdot(weights, values) / max(map(abs, weights))
    return bool(abs(sixth) <= c.line.eps / _NOISY * max(map(abs, values)))


def _difference(c: Component, h: Any) -> Any:
    up, down = _precise(c, h), _precise(c, -h)
    return None if up is None or down is None else (up - down) / (2 * h)


def _precise(c: Component, t: Any) -> Any:
    """Return φ(t) as an mpf, or None where f returns ordinary floats."""
    import mpmath

    y = c.line.beyond(t)
    if y is None or y.dtype.kind != "O" or not is_precise(y[c.index]):
        return None
    value = y[c.index]
    if hasattr(value, "evalf"):  # SymPy's
        value = value.evalf(_DIGITS)
    return mpmath.mpf(value)
