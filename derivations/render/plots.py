"""Plots as static SVG: no script, colours from the page, every point with its value as a title."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from derivations.comparison import Comparison
    from derivations.confrontation.figures import StepCurve

_WIDTH, _HEIGHT = 660, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 92, 22, 14, 50
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# An error of exactly zero has no logarithm; it is drawn at the bottom of the frame.
_FLOOR = 1e-18


def power_of_ten(exponent: int) -> str:
    """Return 10 to a power as plain text.

    Examples
    --------
    >>> power_of_ten(-12)
    '10⁻¹²'
    """
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps powers of ten to the pixels of the plot."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        share = (math.log10(value) - self.x_low) / (self.x_high - self.x_low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        clipped = min(max(math.log10(max(value, _FLOOR)), self.y_low), self.y_high)
        share = (clipped - self.y_low) / (self.y_high - self.y_low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def step_plot(curve: StepCurve) -> str:
    """Return the plot of the error of a central difference against the step."""
    f = _Frame(math.log10(curve.steps[-1]) - 0.3, 0.0, -17, 0)
    points = " ".join(
        f"{f.x(h):.1f},{f.y(e):.1f}" for h, e in zip(curve.steps, curve.errors, strict=True)
    )
    dots = "".join(
        f'<circle cx="{f.x(h):.1f}" cy="{f.y(e):.1f}">'
        f"<title>h = {h:.1e}: error {e:.1e}</title></circle>"
        for h, e in zip(curve.steps, curve.errors, strict=True)
    )
    left, right = _LEFT, _WIDTH - _RIGHT
    radius, error = f.y(curve.estimate_radius), f.y(curve.estimate_error)
    best = min(curve.errors)
    description = (
        f"The best fixed step reaches a relative error of {best:.1e}; gradcheck.differentiate has "
        f"an error of {curve.estimate_error:.1e} and states a radius of "
        f"{curve.estimate_radius:.1e}."
    )
    body = (
        _grid(f, range(-15, 1, 3), range(-16, 1, 4))
        + f'<polyline class="line" points="{points}"/><g class="dot">{dots}</g>'
        + f'<line class="radius" x1="{left}" y1="{radius:.1f}" x2="{right}" y2="{radius:.1f}"/>'
        + f'<line class="value" x1="{left}" y1="{error:.1f}" x2="{right}" y2="{error:.1f}"/>'
        + f'<text class=radius-label x="{left + 6}" y="{radius - 6:.1f}">'
        f"radius stated by gradcheck: {curve.estimate_radius:.0e}</text>"
        + f'<text class=value-label x="{left + 6}" y="{error + 15:.1f}">'
        f"its error: {curve.estimate_error:.0e}</text>"
        + _chosen_step(f, curve.estimate_step)
        + _axis_titles("step h", "relative error of the derivative")
    )
    title = f"Central difference of {curve.title}: relative error against the step"
    return _svg("step-plot step", title, description, body, (_WIDTH, _HEIGHT))


def _chosen_step(f: _Frame, step: float) -> str:
    if not step:
        return ""
    x = f"{f.x(step):.1f}"
    return (
        f'<path class=chosen d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        f'<text class=end x="{f.x(step) - 6:.1f}" y="{_TOP + 14}">'
        f"coarsest step chosen by gradcheck: {step:.0e}</text>"
    )


_NAMES_END, _NARROW, _LINE, _FIRST_LINE = 232, 460, 22, 30
_DIAMOND = "l5 5-5 5-5-5z"


def ulp_plot(comparisons: Sequence[Comparison]) -> str:
    """Return the plot of the closed forms' errors in ulps, a line for each case with figures."""
    comparisons = [c for c in comparisons if math.isfinite(_largest(c))]
    worst = max(comparisons, key=_largest, default=None)
    reach = max(2.0, math.ceil(0.0 if worst is None else _largest(worst)))
    scale = (_NARROW - _NAMES_END - 24) / reach
    height = _FIRST_LINE + _LINE * len(comparisons) + 42
    rows = [_ulp_row(c, _FIRST_LINE + _LINE * q + 6, scale) for q, c in enumerate(comparisons)]
    description = (
        ""
        if worst is None
        else (f"The largest error is that of {worst.case}: {_largest(worst):.2f} ulp.")
    )
    title = "Error of the closed forms against their derivations at 50 digits"
    body = _ulp_axis(reach, scale, height) + "".join(rows)
    return _svg("ulp-plot narrow", title, description, body, (_NARROW, height))


def _largest(c: Comparison) -> float:
    return max(c.value_ulps, c.derivative_ulps)


def _ulp_row(c: Comparison, y: int, scale: float) -> str:
    left, name = _NAMES_END, escape(c.case)
    value, slope = left + scale * c.value_ulps, left + scale * c.derivative_ulps
    return (
        f'<text x="{left - 12}" y="{y + 4}" class=end>{name}</text>'
        f'<path class=grid d="M{left} {y}H{_NARROW - 16}"/>'
        f'<circle class=value-dot cx="{value:.1f}" cy="{y}">'
        f"<title>value {c.value_ulps:.2f} ulp</title></circle>"
        f'<path class=slope-dot d="M{slope:.1f} {y - 5}{_DIAMOND}">'
        f"<title>derivative {c.derivative_ulps:.2f} ulp</title></path>"
    )


def _ulp_axis(reach: float, scale: float, height: int) -> str:
    left, bottom = _NAMES_END, height - 40
    parts = [
        f'<circle class=value-dot cx="{left + 4}" cy="11"/>'
        f'<text x="{left + 14}" y="15">value</text>',
        f'<path class="slope-dot" d="M{left + 76} 6{_DIAMOND}"/>'
        f'<text x="{left + 88}" y="15">derivative</text>',
        f'<text x="{_NARROW // 2}" y="{height - 6}" text-anchor="middle">'
        "largest error of the code, in ulps of the largest entry</text>",
    ]
    for tick in _ticks(reach):
        x = f"{left + scale * tick:.1f}"
        parts.append(
            f'<line class="grid" x1="{x}" y1="{_FIRST_LINE - 8}" x2="{x}" y2="{bottom}"/>'
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
        )
    return "".join(parts)


def _svg(name: str, title: str, description: str, body: str, size: tuple[int, int]) -> str:
    """Return a plot; the name is its id, and after a space the class of its style."""
    name, css = name.split()
    return (
        f'<svg class="plot {css}" viewBox="0 0 {size[0]} {size[1]}" role="img" '
        f'aria-labelledby="{name}-title {name}-text">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-text">{escape(description)}</desc>{body}</svg>'
    )


def _grid(f: _Frame, x_ticks: range, y_ticks: range) -> str:
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
    lines, texts = [], []
    for tick in x_ticks:
        x = f"{f.x(10.0**tick):.1f}"
        lines.append(f'<line x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>')
        texts.append(
            f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{power_of_ten(tick)}</text>'
        )
    for tick in y_ticks:
        y = f.y(10.0**tick)
        lines.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        texts.append(
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{power_of_ten(tick)}</text>'
        )
    return f'<g class="grid">{"".join(lines)}</g>{"".join(texts)}'


def _axis_titles(x: str, y: str) -> str:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    across = (_LEFT + _WIDTH - _RIGHT) / 2
    return (
        f'<text x="{across:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{x}</text>'
        f'<text x="14" y="{middle:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {middle:.0f})">{y}</text>'
    )


def _ticks(upper: float) -> list[float]:
    """Return between three and eight round numbers from 0 to `upper`."""
    step = next(
        s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e6, 1e9, math.inf) if upper / s <= 8
    )
    return [0.0] if math.isinf(step) else [step * k for k in range(int(upper / step) + 1)]
