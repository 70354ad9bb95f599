"""The start of the search for many components at once: whole vectors in the place of single numbers.

A Jacobian of three hundred outputs by three hundred inputs has ninety thousand derivatives, of
which all but a few end with the first window of the ladder.  Those are settled here, with the
formulas of `gradcheck._estimate.ladder` and the decision of `gradcheck._estimate.search` on arrays; whatever isn't
smooth there is searched one by one, from the same evaluations.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck._estimate.ladder import (
    BASE,
    CENTRAL_GAIN,
    CHECK,
    GROWN,
    ORDINARY,
    SIGMAS,
    SMALLEST,
    TRUNCATION_SAFETY,
    WIDTH,
    Component,
)
from gradcheck._estimate.line import Line, Values
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.scatter import NOISE_CONFIDENCE
from gradcheck._estimate.search import Goal
from gradcheck._estimate.singular import Found

Indices = npt.NDArray[np.intp]
_OUTLIER = 8.0  # multiples of the modelled noise that one component in thousands may show


@dataclass(frozen=True, slots=True)
class Many:
    """Derivatives of several components along one line.

    Parameters
    ----------
    value, radius, noise : ndarray of float64
        As in `Found`, one a component.
    sharp : ndarray of bool
        Where the search is over: at its goal, or at its end.
    still : ndarray of bool
        Which didn't move at all.
    singular : dict of int to Found
        By position, those that the first window didn't see as smooth.
    step : float
        The coarsest step of the others.
    """

    value: Values
    radius: Values
    noise: Values
    sharp: npt.NDArray[np.bool_]
    still: npt.NDArray[np.bool_]
    singular: dict[int, Found]
    step: float


@dataclass(frozen=True, slots=True)
class _Rungs:
    """The rungs of `Component`, for several components: one row a rung, one column a component."""

    step: Values
    plus: Values
    minus: Values
    slope: Values
    bend: Values
    flat: npt.NDArray[np.bool_]

    def __getitem__(self, part: slice) -> _Rungs:
        return _Rungs(
            step=self.step[part],
            plus=self.plus[part],
            minus=self.minus[part],
            slope=self.slope[part],
            bend=self.bend[part],
            flat=self.flat[part],
        )

    @property
    def finite(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.all(np.isfinite(self.slope) & np.isfinite(self.bend), axis=0))


@dataclass(frozen=True, slots=True)
class _Windows:
    """The first windows of several components; meaningless where they aren't smooth."""

    value: Values
    radius: Values
    movement: Values
    curvature: Values


def first_steps(line: Line) -> list[float]:
    """Return the steps of the first window and of its check, as `Component.rung` takes them."""
    return [line.unit * 2.0**-k for k in (*range(BASE, BASE + WIDTH), min(CHECK, line.depth))]


def first_look(line: Line, index: Indices, goal: Goal) -> Many:
    """Differentiate each component of `index` as far as the first window goes, or to the end where it isn't smooth.

    Where `Many.sharp` is true a search would stop, too; elsewhere it could make the radius smaller.
    """
    rungs = _rungs(line, index, line.origin[index])
    smooth, w, noise = _look(line, index, rungs, 1.0)
    if not np.all(smooth):
        # Of thousands of components a few are noisier on four rungs than the model says.  They get
        # a wider bar, so that not all of f goes down the whole ladder because of them.
        settled, wider, louder = _look(line, index, rungs, _OUTLIER)
        w = _Windows(
            value=np.where(smooth, w.value, wider.value),
            radius=np.where(smooth, w.radius, wider.radius),
            movement=w.movement,
            curvature=w.curvature,
        )
        noise = np.where(smooth, noise, louder)
        smooth |= settled
    scale = np.maximum(w.movement, np.abs(w.value))
    still = rungs.finite & np.all(rungs.flat, axis=0)
    # as `constant` in gradcheck._estimate.singular, without steps beyond x's own size to make the bar smaller
    hidden = line.eps * np.abs(line.origin[index])
    value = np.where(still, 0.0, w.value)
    radius = np.where(still, hidden / rungs.step[0], w.radius)
    noise = np.where(still, hidden, noise)
    sharp = ~smooth | (radius <= np.maximum(goal.rtol * scale, goal.atol))
    many = Many(value, radius, noise, sharp, still, {}, math.ldexp(line.unit, -BASE))
    _search_singly(line, index, np.flatnonzero(~smooth & ~still), goal, many)
    return many


def _look(
    line: Line, index: Indices, rungs: _Rungs, factor: float
) -> tuple[npt.NDArray[np.bool_], _Windows, Values]:
    """Return which components are smooth, their windows and their noise, if that is `factor` times the model."""
    window, check = rungs[:WIDTH], rungs[WIDTH:]
    origin = np.abs(line.origin[index])
    level = np.where(origin > 0.0, np.maximum(origin, _largest(check)), 0.0)
    model = 3.0 * factor * _modelled(line, check)
    converges, w = _window(line, window, level, model)
    noise = np.maximum(_beside(line, rungs, w, origin), model)
    ordinary = noise <= ORDINARY * _modelled(line, rungs)
    still, w = _window(line, window, level, noise)
    moving = ~np.all(rungs.flat, axis=0)
    return rungs.finite & converges & still & ordinary & moving, w, noise


def search_each(line: Line, index: Indices, goal: Goal) -> Many:
    """Differentiate each component of `index` by `gradcheck._estimate.oracles.derivative`."""
    count = index.size
    value, radius, noise = np.zeros((3, count))
    over, still = np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
    many = Many(value, radius, noise, over, still, {}, math.nan)
    _search_singly(line, index, np.arange(count), goal, many)
    return many


def _search_singly(line: Line, index: Indices, places: Indices, goal: Goal, into: Many) -> None:
    for k in places:
        found = derivative(Component(line, int(index[k])), goal)
        into.singular[int(k)] = found
        into.value[k], into.radius[k], into.noise[k] = found.value, found.radius, found.noise


def _rungs(line: Line, index: Indices, origin: Values) -> _Rungs:
    steps = first_steps(line)
    plus = np.array([line.value(h)[index] for h in steps])
    minus = np.array([line.value(-h)[index] for h in steps])
    step = np.array(steps)[:, None]
    up, down = plus - origin, minus - origin
    return _Rungs(
        step=step,
        plus=plus,
        minus=minus,
        slope=(plus / 2 - minus / 2) / step,
        bend=(up / 2 + down / 2) / step,
        flat=(up == 0.0) & (down == 0.0),
    )


def _largest(r: _Rungs) -> Values:
    return np.asarray(np.max(np.maximum(np.abs(r.plus), np.abs(r.minus)), axis=0))


def _modelled(line: Line, r: _Rungs) -> Values:
    """`Component.modelled_noise`."""
    slope = np.min(np.abs(r.slope), axis=0)
    rounding = 0.5 * (line.eps * _largest(r) + line.argument_noise * slope)
    return np.asarray(np.maximum(rounding, SMALLEST))


def _window(
    line: Line, r: _Rungs, level: Values, noise: Values
) -> tuple[npt.NDArray[np.bool_], _Windows]:
    """`Component.window` at the first rung; also say where it is one.  The noise is that of a φ of size `level`."""
    grown = np.where(level > 0.0, np.maximum(1.0, _largest(r) / level), 1.0)
    noise = np.maximum(noise * grown, 3.0 * _modelled(line, r))
    rounding = SIGMAS * noise * CENTRAL_GAIN / r.step[0]
    value, corrections = _extrapolate(r.slope)
    steps = [np.abs(b - a) for a, b in zip(r.slope, r.slope[1:], strict=False)]
    converges = np.all(
        [b <= np.maximum(a / 2.5, rounding / 2) for a, b in itertools.pairwise(steps)],
        axis=0,
    )
    bends = np.abs(r.bend)
    shrinking = bends[-1] <= np.max(bends[:-1], axis=0) / 3
    bent = ~shrinking & (bends[-1] > 2 * SIGMAS * noise / r.step[-1])
    truncation = _truncation(corrections) + np.where(shrinking, 0.0, bends[-1])
    return converges & ~bent, _Windows(
        value=value,
        radius=truncation + (rounding + line.eps * np.abs(value)),
        movement=np.max(np.abs(r.slope) + bends, axis=0),
        curvature=_extrapolate(r.bend / r.step)[0],
    )


def _beside(line: Line, rungs: _Rungs, w: _Windows, origin: Values) -> Values:
    """`Component.noise_beside`, of the check rung."""
    h, tail = float(rungs.step[-1, 0]), float(rungs.step[-2, 0])
    slope_there = w.value + (rungs.slope[-2] - w.value) * (h / tail) ** 2
    slope = math.sqrt(2.0) * h * np.abs(rungs.slope[-1] - slope_there)
    smallest = np.minimum(np.abs(rungs.plus[-2]), np.abs(rungs.minus[-2]))
    grows = smallest > GROWN * origin
    growth = np.where(grows, rungs.bend[-2] / tail - w.curvature, 0.0)
    bend_there = h * (w.curvature + growth * (h / tail) ** 2)
    bend = math.sqrt(2.0 / 3.0) * h * np.abs(rungs.bend[-1] - bend_there)
    upper = NOISE_CONFIDENCE * np.hypot(slope, bend) / math.sqrt(2.0)
    seen = np.where(rungs.flat[-1], 0.0, upper)
    return np.maximum(seen, 3.0 * _modelled(line, rungs[-2:]))


def _extrapolate(rows: Values) -> tuple[Values, list[Values]]:
    """Richardson's table in h²; the corner, and the corrections that led to it."""
    column: Sequence[Values] = list(rows)
    tails = [rows[-1]]
    factor = 1
    while len(column) > 1:
        factor *= 4
        column = [b + (b - a) / (factor - 1) for a, b in itertools.pairwise(column)]
        tails.append(column[-1])
    return tails[-1], [np.abs(b - a) for a, b in itertools.pairwise(tails)]


def _truncation(corrections: Sequence[Values]) -> Values:
    """`gradcheck._estimate.ladder.truncation`."""
    first, second, third = corrections
    foretold = np.where(first > 0, 4 * second / first, 0.0)
    last = np.maximum(third, second * np.minimum(1.0, foretold))
    ratio = np.maximum(foretold, third / second)
    bound = np.maximum(last * np.minimum(1.0, 4 * ratio), second * 2.0**-14)
    return np.asarray(TRUNCATION_SAFETY * np.where(second > 0, bound, third))
