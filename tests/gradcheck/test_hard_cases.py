"""Right gradients that are easily accused, and wrong ones that are easily passed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, check, differentiate

SEEDS = range(10)


def outcomes(
    f: Callable[..., Any], x: Any, grad: Callable[..., Any], mode: Any = "fast"
) -> set[Outcome]:
    return {check(f, x, grad=grad, mode=mode, rng=seed).outcome for seed in SEEDS}


# -- right ones ------------------------------------------------------------------------------------


def spline(x: float) -> float:
    """Two cubics that agree at 1 up to the second derivative."""
    u = x - 1.0
    return 1 + u + u * u + u**3 + (5.0 * u**3 if u > 0 else 0.0)


def spline_grad(x: float) -> float:
    u = x - 1.0
    return 1 + 2 * u + 3 * u * u + (15 * u * u if u > 0 else 0.0)


@pytest.mark.parametrize("off", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 0.0, -1e-6, -1e-4])
def test_beside_the_knot_of_a_spline(off: float) -> None:
    """Windows that just reach the knot look smooth and are wrong by some 1e-10."""
    e = differentiate(spline, 1.0 + off)
    assert abs(e.value - spline_grad(1.0 + off)) <= 2 * e.radius
    assert outcomes(spline, 1.0 + off, spline_grad) == {Outcome.PASS}


@pytest.mark.parametrize("data", [0, 5, 38])
@pytest.mark.parametrize("mode", ["fast", "full"])
def test_small_entries_of_a_textbook_gradient_keep_few_digits(data: int, mode: str) -> None:
    """(p − 1)·b of a confident row is off by ulps of the largest entries, which is no mistake."""
    a, b = np.random.default_rng(data).standard_normal((2, 8, 6))

    def probabilities(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s = a @ b.T / 0.07
        largest = s.max(axis=1, keepdims=True)
        total = largest + np.log(np.exp(s - largest).sum(axis=1, keepdims=True))
        return s, total

    def f(a: np.ndarray, b: np.ndarray) -> Any:
        s, total = probabilities(a, b)
        return -np.mean(np.diag(s) - total[:, 0])

    def grad(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s, total = probabilities(a, b)
        p = (np.exp(s - total) - np.eye(8)) / (8 * 0.07)
        return p @ b, p.T @ a

    assert Outcome.FAIL not in outcomes(f, (a, b), grad, mode)


@pytest.mark.parametrize("x", [-30.0, -34.0, -35.0, -36.0, -36.6, -37.0])
def test_stairs_of_an_inner_rounding(x: float) -> None:
    """Near −36, log(1 + eˣ) moves by a few ulps of one."""
    naive = outcomes(lambda x: np.log(1 + np.exp(x)), x, lambda x: 1 / (1 + np.exp(-x)))
    assert Outcome.FAIL not in naive


@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: 1 - np.cos(x), np.sin, 1e-6),
        (
            lambda x: np.polyval([1, -7, 21, -35, 35, -21, 7, -1], x),
            lambda x: 7 * (x - 1) ** 6,
            0.99,
        ),
    ],
)
def test_cancellation_leaves_enough_to_pass(f: Any, grad: Any, x: float) -> None:
    assert outcomes(f, x, grad) == {Outcome.PASS}


def test_a_kink_hidden_in_noise_along_some_directions() -> None:
    """Entry 1 is at a kink: directions that moved it and only looked noisy say nothing of the others."""
    x = np.array([0.001, np.pi / 2])
    g = np.array([7.859684667868344e32, -3.176112722477096e29])

    def f(x: np.ndarray) -> Any:
        zigzag = np.arcsin(np.sin(x[1]))
        return (x[0] + 0.5 * x[1] - zigzag) / (np.exp(-x[1]) * x[0] ** 3) ** 3

    reports = [check(f, x, grad=lambda x: g, rng=seed) for seed in range(20)]
    assert sum(r.outcome is Outcome.FAIL for r in reports) <= 1  # where no direction shows a kink


# -- wrong ones ------------------------------------------------------------------------------------


def diode(x: np.ndarray) -> Any:
    return 1e-12 * np.expm1(x[0] / 0.02585) + 1e-6 * x[1]


def diode_grad(x: np.ndarray) -> np.ndarray:
    return np.array([1e-12 / 0.02585 * np.exp(x[0] / 0.02585), 1e-6])


@pytest.mark.parametrize("factor", [2.0, 1.1, -1.0, 0.0])
def test_a_function_that_explodes_further_out(factor: float) -> None:
    """One of x's own size away f is e⁶⁰ times as steep: no measure for what a claim may be off by."""
    x = np.array([0.0, 100.0])
    assert outcomes(diode, x, diode_grad) == {Outcome.PASS}
    assert outcomes(diode, x, lambda x: factor * diode_grad(x)) == {Outcome.FAIL}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("width", [1e-5, 1e-7])
def test_a_bump_narrower_than_most_steps(mode: str, width: float) -> None:
    """A claim that ignores it agrees with f at every step that leaps over it."""
    x = np.random.default_rng(0).standard_normal(5)
    peak = x[0] - 0.7 * width

    def f(x: np.ndarray) -> Any:
        return 0.5 * np.sum(x * x) + 0.1 * width * np.exp(-(((x[0] - peak) / width) ** 2))

    assert Outcome.PASS not in outcomes(f, x, lambda x: x.copy(), mode)


@pytest.mark.parametrize("seed", range(5))
def test_a_disagreement_too_small_to_accuse_for(seed: int) -> None:
    """It doesn't pass, either; the complex step, where f takes it, settles the matter."""
    x = np.linspace(0.5, 2.0, 7)

    def off(x: np.ndarray) -> np.ndarray:
        return np.cos(x) * (1 + 2e-9)

    def real(x: np.ndarray) -> Any:
        return sum(math.sin(t) for t in x)

    report = check(real, x, grad=off, rng=seed)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.ROUGH)
    assert "rtol=1e-07 accepts it" in report.message
    assert check(real, x, grad=off, rtol=1e-7, rng=seed)
    assert check(lambda x: np.sum(np.sin(x)), x, grad=off, rng=seed).outcome is Outcome.FAIL


def test_one_entry_that_is_grossly_wrong_is_a_mistake_however_little_it_weighs() -> None:
    x = np.linspace(0.5, 2.0, 7)
    x[3] = 1e-10

    def grad(x: np.ndarray) -> np.ndarray:
        g = np.cos(x)
        g[3] *= 1.5  # of 1e-10, in a direction of size 1
        return g

    report = check(lambda x: np.sum(np.sin(x)), x, grad=grad, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.wrong_entries[0].index == (3,)


def test_a_ratio_that_overflows_is_no_diagnosis() -> None:
    report = check(lambda x: 1e-310 * np.sin(x), 1.0, grad=lambda x: 1.0, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None


# -- near the resolution ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("power", [2, 3, 5, 7])
def test_a_degenerate_zero_passes(power: int, mode: str) -> None:
    """There the numerical derivative and its natural size near the point vanish together."""
    found = outcomes(lambda x: np.sum(x**power), np.zeros(1), lambda x: 0 * x, mode)
    assert found == {Outcome.PASS}


@pytest.mark.parametrize("weight", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0])
def test_one_of_a_few_tiny_entries_among_many(weight: float, factor: float) -> None:
    w = np.ones(1000)
    w[:8] = weight
    w[0] = weight / 10
    x = np.random.default_rng(0).uniform(0.5, 2.0, 1000)

    def grad(x: np.ndarray) -> np.ndarray:
        g = w * x
        g[0] *= factor
        return g

    assert outcomes(lambda x: 0.5 * (x * x) @ w, x, grad) == {Outcome.FAIL}


@pytest.mark.parametrize("scale", [1e-3, 1e-6])
def test_every_entry_beside_an_offset(scale: float) -> None:
    x = np.array([0.3, 1.2, -2.0])

    def grad(x: np.ndarray) -> np.ndarray:
        g = scale * np.cos(x)
        g[0] *= 1 + 1e-5
        return g

    assert outcomes(lambda x: 1 + scale * np.sum(np.sin(x)), x, grad, "full") == {Outcome.FAIL}


@pytest.mark.parametrize("n", [2, 30])
def test_every_entry_in_half_precision(n: int) -> None:
    x = np.ones(n, np.float16)

    def grad(x: np.ndarray) -> np.ndarray:
        g = 2 * x
        g[0] *= np.float16(1.05)
        return g

    assert outcomes(lambda x: np.sum(x * x), x, lambda x: 2 * x, "full") == {Outcome.PASS}
    assert outcomes(lambda x: np.sum(x * x), x, grad, "full") == {Outcome.FAIL}


@pytest.mark.parametrize("seed", [8, 86])
def test_noise_that_the_first_steps_happen_to_miss(seed: int) -> None:
    """Of two values only; one-sided derivatives that finer steps contradict show nothing."""
    x = np.random.default_rng(1000).standard_normal(4)

    def f(x: np.ndarray) -> Any:
        return np.sum(np.sin(x)) + 1e-10 * np.sign(np.sin(1e6 * np.sum(np.cos(1e9 * x))))

    assert check(f, x, vjp=lambda x, v: v * np.cos(x), rng=seed)
