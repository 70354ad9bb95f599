"""Second derivatives from complex slopes: better where f takes them, and fooled by nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gradcheck import Interval, curvature


@pytest.mark.parametrize(
    ("f", "x", "truth", "within"),
    [
        (lambda x: 1e8 + np.sin(x), 1.0, -math.sin(1.0), 1e-10),
        (lambda x: np.exp(x) + 3.0 * (np.real(x) > 1.0001), 1.0, math.e, 1e-10),
        (lambda x: 3.0 * x + 1.0, 1.0, 0.0, 1e-14),
    ],
)
def test_complex_slopes_are_better(
    judging: ModuleType, f: Callable[[Any], Any], x: float, truth: float, within: float
) -> None:
    e = judging.counted(curvature, f, x)
    plain = judging.counted(curvature, lambda t: f(float(t)), x)  # takes no complex numbers
    assert (e.oracle, plain.oracle) == ("complex step", "differences")
    assert abs(e.value - truth) <= e.radius <= within
    assert abs(plain.value - truth) <= plain.radius
    assert plain.radius > 30 * e.radius


_FOOLED: dict[str, Callable[[Any], Any]] = {
    "real part": lambda x: 1e6 + np.real(x) ** 2,
    "modulus": lambda x: 1e6 + np.real(x * np.conj(x)),
    "cast inside": lambda x: 1e6 + x * float(np.real(x)),
    "float32 inside": lambda x: np.complex64(x) ** 2 if np.iscomplexobj(x) else np.float32(x) ** 2,
    "another function": lambda x: 1e6 + (x**3 if np.iscomplexobj(x) else x**2),
    "another beyond": lambda x: 1e6 + x**2 + (np.iscomplexobj(x) and np.real(x) != 1.0) * x**3,
    "rounded": lambda x: np.round(1e9 * x * x) / 1e9,
}


@pytest.mark.parametrize("way", sorted(_FOOLED))
def test_what_fools_complex_numbers(judging: ModuleType, way: str) -> None:
    """f(1)'' is 2 in all of them, whatever they do to imaginary parts."""
    e = judging.counted(curvature, _FOOLED[way], 1.0)
    assert abs(e.value - 2.0) <= e.radius


def test_a_lost_imaginary_part_is_no_constant_slope(judging: ModuleType) -> None:
    """Rounding takes the tiny imaginary part to zero, and the stairs are too low to count as noise."""
    e = judging.counted(curvature, lambda x: np.round(1e14 * (1 + 1e-12 * x * x)) / 1e14, 1.0)
    assert abs(e.value - 2e-12) <= e.radius


def test_noise_is_not_asked_at_complex_numbers(formulas: ModuleType) -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x)
        return math.sin(x) + 1e-6 * float(formulas.noise(x))

    e = curvature(f, 1.0)
    assert abs(e.value + math.sin(1.0)) <= e.radius
    assert not any(np.iscomplexobj(x) for x in seen)


def test_a_declared_domain_is_real() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x)
        return 1e8 + np.log(x)

    e = curvature(f, 1.0, domain=Interval(0.0))
    assert not any(np.iscomplexobj(x) for x in seen)
    assert (e.oracle, abs(e.value + 1.0) <= e.radius) == ("differences", True)
