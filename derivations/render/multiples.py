"""Small plots of one kind, one for each function: its error in ulps over the range of its input."""

from __future__ import annotations

import itertools
import math
from html import escape
from typing import TYPE_CHECKING

from derivations.confrontation.profiles import BINS
from derivations.render.wording import figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from derivations.confrontation.profiles import Errors, Profile

_WIDTH = 240
_LEFT, _TOP, _BIN, _GAP, _ULP = 24, 24, 4, 12, 13
_MIDDLE = _LEFT + BINS * _BIN + _GAP // 2
_RIGHT = _MIDDLE + _GAP // 2 + BINS * _BIN
_LEAST_REACH = 2


def ulp_profiles(profiles: Mapping[str, Profile]) -> str:
    """Return the plots side by side, all to the same scale.

    Parameters
    ----------
    profiles : Mapping of str to Profile
        What was measured, by the name of the function.
    """
    reach = _reach(profiles.values())
    panels: list[str] = []
    for name, measured in profiles.items():
        frame = '<use href="#ulp-axes"/>' if panels else _axes(reach)
        panels.append(_panel(name, measured, frame, reach))
    return f"<div class=multiples>{''.join(panels)}</div>"


def _reach(profiles: Iterable[Profile]) -> int:
    """Return how many ulps the plots show: every bound with room above it."""
    bounds = (e.bound for p in profiles for e in (p.value, p.derivative))
    return max(_LEAST_REACH, *(math.ceil(b.ulps) for b in bounds if b is not None), 0) + 1


def _panel(name: str, p: Profile, frame: str, reach: int) -> str:
    height = _TOP + _ULP * reach + 26
    said = (
        f"{name}: error of the value at most {_said(p.value)}, of the derivative at most "
        f"{_said(p.derivative)}"
    )
    return (
        f'<svg class="plot panel" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(said)}</title>{frame}"
        f"<text x={_LEFT} y=14>{escape(name)}</text>"
        f"<text class=end x={_RIGHT} y=14><tspan class=value-dot>{figure(p.value.largest)}"
        f"</tspan> <tspan class=slope-dot>{figure(p.derivative.largest)}</tspan></text>"
        f'<path class=area d="{_outline(p.value.ulps, reach)}"/>'
        f'<path class=slope d="{_outline(p.derivative.ulps, reach)}"/>'
        f"{_bound('value-bound', p.value, reach)}{_bound('slope-bound', p.derivative, reach)}</svg>"
    )


def _said(e: Errors) -> str:
    if e.bound is None:
        return f"{figure(e.largest)} ulp"
    unit = f" of {e.bound.unit}" if e.bound.unit else ""
    return f"{figure(e.largest)} ulp{unit} (stated: {e.bound.ulps:g})"


def _level(ulps: float, reach: int) -> int:
    return round(_ULP * min(ulps, reach))


def _outline(ulps: tuple[float, ...], reach: int) -> str:
    """Return the steps over the bins of both sides; what is above the frame is cut off there."""
    bottom = _TOP + _ULP * reach
    parts = []
    for start, bins in ((_LEFT, ulps[:BINS]), (_MIDDLE + _GAP // 2, ulps[BINS:])):
        parts.append(f"M{start} {bottom}")
        now = 0
        for level, run in itertools.groupby(_level(e, reach) for e in bins):
            parts.append((f"v{now - level}" if level != now else "") + f"h{_BIN * len(list(run))}")
            now = level
        parts.append(f"V{bottom}")
    return "".join(parts)


def _bound(css: str, e: Errors, reach: int) -> str:
    if e.bound is None:
        return ""
    y = _TOP + _ULP * reach - _level(e.bound.ulps, reach)
    return f'<path class={css} d="M{_LEFT} {y}H{_RIGHT}"/>'


def _axes(reach: int) -> str:
    """Return the frame of a plot; the other plots refer to that of the first.

    Its style must not depend on what it is in: what is referred to is a tree of its own.
    """
    bottom = _TOP + _ULP * reach
    levels = range(0, reach + 1, 2)
    lines = "".join(f"M{_LEFT} {bottom - _ULP * q}H{_RIGHT}" for q in levels)
    numbers = "".join(
        f'<text class=end x="{_LEFT - 5}" y="{bottom - _ULP * q + 4}">{q}</text>' for q in levels
    )
    half = BINS * _BIN // 2
    marks = (
        (_LEFT + 8, "−10³"),
        (_LEFT + half, "−1"),
        (_MIDDLE, "±10⁻³"),
        (_RIGHT - half, "1"),
        (_RIGHT - 8, "10³"),
    )
    texts = "".join(f'<text x="{x}" y="{bottom + 17}">{text}</text>' for x, text in marks)
    ticks = "".join(
        f"M{x} {_TOP}V{bottom + 4}"
        for x in (_LEFT, _LEFT + half, _MIDDLE - 6, _MIDDLE + 6, _RIGHT - half, _RIGHT)
    )
    return f'<g id="ulp-axes" class=axes><path class=grid d="{lines}{ticks}"/>{numbers}{texts}</g>'
