"""Slopes that grow without bound as the steps shrink: at a cusp there is no derivative, or it is infinite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from gradcheck._estimate.ladder import BASE, STRIDE, Component, Rung
from gradcheck._estimate.singular import Found

_STRIDES = 8  # on so many in a row noise doesn't pass for a law of growth
_UNABATED = 0.98  # of the stride before; those of sign(x)·|x|ᵖ, p > 1.01, abate faster
_BOUNDED = 6.0  # … and of |x|ᵖ, p > 0.14, grow slower; the noise of φ(0) grows by eight
_SETTLED = 0.25  # of the last stride of slopes that run on: they stop within that
_BLUNT = 1e-3  # relative radius of a derivative of little use


@dataclass(frozen=True, slots=True)
class _Run:
    """The end of slopes that move on from stride to stride, each time by as much as before or more.

    So they do at a cusp: those of |x|ᵖ with p < 1 grow by a factor, those of x·log|x| by a constant.

    Parameters
    ----------
    last : float
        The finest step.
    move : float
        By how much they moved on the last stride.
    """

    last: float
    move: float

    def allows(self, found: Found) -> bool:
        """Whether a derivative stands on steps beyond the run, where slopes have settled by comparison."""
        return found.step < self.last * 2.0**STRIDE and found.radius < _SETTLED * self.move


def is_cusp(c: Component, found: Found) -> bool:
    """Whether slopes, of both sides together or of one by itself, grow without bound where a survey has looked.

    To a search for a limit that is noise, and in noise that is loud enough it finds one: `found`.
    """
    survey = _surveyed(c)
    runs = list(_runs(c, survey, STRIDE, _slopes))
    if 0 < len(survey) <= _STRIDES and _is_blunt(found):
        # coarse arithmetic has room for few strides, but for as many rungs
        runs += _runs(c, range(BASE, survey[-1] + 1), 1, _slopes)
    return not all(run.allows(found) for run in runs)


def is_cusp_of_slope(c: Component, found: Found) -> bool:
    """Whether second difference quotients do the same; rounding leaves them few strides, but as many rungs."""
    survey = _surveyed(c)
    if len(survey) < _STRIDES or not _is_blunt(found):
        return False
    dense = range(BASE, min(survey[-1], BASE + _STRIDES * STRIDE) + 1)
    runs = [*_runs(c, survey, STRIDE, _second), *_runs(c, dense, 1, _second)]
    return not all(run.allows(found) for run in runs)


def cusp(c: Component, noise: float) -> Found:
    """Return nothing, for want of a derivative; at the edge of the domain that is the reason."""
    reason = "cusp" if c.known() else "domain"
    return Found(math.nan, math.inf, reason, noise, math.nan, c.scale())


def _is_blunt(found: Found) -> bool:
    return found.radius > _BLUNT * max(abs(found.value), found.scale)


def _surveyed(c: Component) -> list[int]:
    return list(takewhile(c.rungs.__contains__, range(BASE, c.depth + 1, STRIDE)))


def _slopes(c: Component, rungs: Sequence[Rung]) -> list[list[float]]:
    """Return slopes and bends, or at the edge of a domain the slopes of either side."""
    if c.known():
        return [[r.slope for r in rungs], [r.bend for r in rungs]]
    forward = [(r.plus - c.origin) / r.step for r in rungs]
    return [forward, [(c.origin - r.minus) / r.step for r in rungs]]


def _second(c: Component, rungs: Sequence[Rung]) -> list[list[float]]:
    """Return second difference quotients, or at the edge of a domain those of either side."""
    if c.known():
        return [[2 * r.bend / r.step for r in rungs]]
    steps = [r.step for r in rungs]
    return [
        [
            math.nan,
            *(2 * (s - t) / (h - k) for (h, s), (k, t) in pairwise(zip(steps, side, strict=True))),
        ]
        for side in _slopes(c, rungs)
    ]


def _runs(
    c: Component,
    places: Sequence[int],
    stride: int,
    quotients: Callable[[Component, Sequence[Rung]], list[list[float]]],
) -> Iterator[_Run]:
    rungs = [c.rung(k) for k in places]
    for each in quotients(c, rungs):
        yield from _runs_of([r.step for r in rungs], each, stride)


def _runs_of(steps: Sequence[float], slopes: Sequence[float], stride: int) -> Iterator[_Run]:
    moves = [b - a for a, b in pairwise(slopes)]
    growth = [b / a if a else math.inf for a, b in pairwise(moves)]
    parts = (growth[k : k + _STRIDES - 1] for k in range(len(moves) - _STRIDES + 1))
    steady = [_is_steady(part, stride / STRIDE) for part in parts]
    for k, (here, further) in enumerate(pairwise([*steady, False])):
        if here and not further:
            last = k + _STRIDES
            yield _Run(steps[last], abs(slopes[last] - slopes[last - STRIDE // stride]))


def _is_steady(growth: Sequence[float], part: float) -> bool:
    """Whether moves grow as they do at a cusp, by these factors from one step to the next, that part of a stride."""
    return all(_UNABATED**part <= g <= _BOUNDED**part for g in growth)
