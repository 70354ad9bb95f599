"""Formulas that round an intermediate value and multiply it: inside one stair of that f is smooth and wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from gradcheck import Elementwise, Outcome, check, differentiate

MODES: list[Any] = ["fast", "full"]


def x_erfc(x: float) -> float:
    """x·erfc(x) as it is often written: 1 − erf is a multiple of 2⁻⁵³."""
    return x * (1 - math.erf(x))


def x_erfc_slope(x: Any) -> Any:
    return mpmath.erfc(x) - 2 * x * mpmath.exp(-x * x) / mpmath.sqrt(mpmath.pi)


def x_sigmoid(x: float) -> float:
    return x * 0.5 * (1 - math.tanh(x / 2))


def x_sigmoid_slope(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(x)) - x / 4 / mpmath.cosh(x / 2) ** 2


def integrated_erfc(x: float) -> float:
    return math.exp(-x * x) / math.sqrt(math.pi) - x * (1 - math.erf(x))


def integrated_erfc_slope(x: Any) -> Any:
    return -mpmath.erfc(x)


CASES: list[tuple[Callable[[float], float], Callable[[Any], Any], list[float]]] = [
    (x_erfc, x_erfc_slope, [3.3, 3.9, 4.2, 4.4, 4.75, 5.0, 5.55, 5.7, 5.8]),
    (x_sigmoid, x_sigmoid_slope, [10.0, 17.0, 21.0, 28.5, 34.0]),
    (integrated_erfc, integrated_erfc_slope, [3.8, 4.0, 4.75, 5.5]),
]
POINTS = [(f, slope, x) for f, slope, points in CASES for x in points]


@pytest.mark.parametrize(("f", "slope", "x"), POINTS)
@pytest.mark.parametrize("rtol", [1e-10, 1e-8])
def test_the_radius_holds_the_error(f: Any, slope: Any, x: float, rtol: float) -> None:
    e = differentiate(f, x, rtol=rtol)
    with mpmath.workdps(30):
        truth = float(slope(mpmath.mpf(x)))
    assert abs(e.value - truth) <= e.radius


@pytest.mark.parametrize("x", [3.5, 3.9, 4.2, 4.4, 4.75, 5.0])
@pytest.mark.parametrize("mode", MODES)
def test_a_forgotten_product_rule_fails_and_the_right_one_does_not(x: float, mode: Any) -> None:
    def right(x: float) -> float:
        return math.erfc(x) - 2 * x * math.exp(-x * x) / math.sqrt(math.pi)

    for seed in range(3):
        report = check(x_erfc, x, grad=lambda x: 1 - math.erf(x), mode=mode, rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)
        report = check(x_erfc, x, grad=right, mode=mode, rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)


@pytest.mark.parametrize("mode", MODES)
def test_the_tail_of_gelu(mode: Any) -> None:
    """x·(1 + erf x)/2 with an erf of real and complex numbers, as SciPy has it."""
    scipy_special = pytest.importorskip("scipy.special")
    erf = scipy_special.erf

    def gelu(x: np.ndarray) -> Any:
        return x * 0.5 * (1 + erf(x / math.sqrt(2)))

    def grad(x: np.ndarray) -> Any:
        return 0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    x = np.array([0.3, -4.5, -5.5, -5.9, -6.05])
    for seed in range(3):
        report = check(gelu, x, vjp=Elementwise(grad), mode=mode, rng=seed)
        assert report.outcome is Outcome.PASS, str(report)
        wrong = Elementwise(lambda x: 0.5 * (1 + erf(x / math.sqrt(2))))
        assert check(gelu, x[2:], vjp=wrong, mode=mode, rng=seed).outcome is Outcome.FAIL


def test_a_part_that_climbs_by_the_same_number_of_stairs_is_still_a_float() -> None:
    """At x = 4.4 erf climbs by 85 stairs at every step of 2⁻²⁰, as if it were precise."""
    for slope in (2.9, 3.0392, 3.2):
        e = differentiate(x_erfc, 4.4, slope)
        assert e.oracle == "differences"
        assert abs(e.value / slope + 1.8918e-8) <= 1e-11


def test_an_odd_function_of_floats_is_not_precise() -> None:
    """At places that lie alike on both sides its sixth differences vanish, whatever it is computed in."""
    assert differentiate(lambda x: x * math.log(x * x + 1e-20), 0.0).oracle == "differences"
