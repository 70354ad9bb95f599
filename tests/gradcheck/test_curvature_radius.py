"""The parts of a second derivative's radius: truncation, and the noise that finer steps show."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gradcheck._estimate.curvature import _confirmed, _window
from gradcheck._estimate.differentiate import at_point
from gradcheck._estimate.ladder import Component, truncation


def component(f: Callable[[Any], Any], x: float) -> Component:
    forward = at_point(f, x, domain=None)
    forward.begin()
    return Component(forward.curve(np.ones(1)), 0)


@pytest.mark.parametrize("x", [0.75, -1.5, 4.0])
@pytest.mark.parametrize(
    ("f", "bend"),
    [
        (np.cos, -1.0),  # even functions: nothing else of theirs adds to the radius
        (lambda u: 1 / (1 + u * u), -2.0),
        (lambda u: np.exp(-u * u), -2.0),
        (lambda u: np.log(2 + u * u), 1.0),
        (lambda u: np.sin(u + 1.0), -math.sin(1.0)),
    ],
)
def test_truncation_covers_windows_of_all_sizes(
    f: Callable[[Any], Any], bend: float, x: float
) -> None:
    truncated = 0
    for w in (0.5, 1.0, 2.0, 3.0):
        c = component(lambda t, w=w: f(w * (t - x)), x)
        for start in range(-1, 6):
            found = _window(c, start, 1e-16)
            if found is not None:
                error = abs(found.value - w * w * bend)
                assert error <= found.radius
                truncated += error > found.rounding
    assert truncated >= 2  # or nothing would be shown


def test_a_correction_after_none_at_all_counts() -> None:
    """Three equal values and one that is off, as where the coarsest step alone crosses a kink."""
    assert truncation([0.0, 0.0, 1.0]) >= 1.0


def test_finer_steps_show_noise_that_was_not_known(formulas: ModuleType) -> None:
    short = 0
    for x in np.linspace(0.5, 2.0, 20):
        c = component(lambda t: np.sin(t) + 1e-9 * formulas.noise(t), float(x))
        for k in (7, 8, 10, 13):
            c.rung(k)
        naive, found = _window(c, 2, 1e-16), _confirmed(c, 2, 1e-16)
        if naive is not None:
            short += abs(naive.value + math.sin(x)) > naive.radius
        assert found is None or abs(found.value + math.sin(x)) <= found.radius
    assert short >= 3
