"""Right gradients that are easily accused, and wrong ones that are easily passed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, Report, check, differentiate

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


def test_stairs_in_step_with_the_steps() -> None:
    """Here four slopes and a finer one agree on a derivative that is 1.5 % too large."""

    def f(x: float) -> float:
        return (1e8 + x) - 1e8

    e = differentiate(f, 1e-5)
    assert abs(e.value - 1) <= e.radius
    assert Outcome.FAIL not in outcomes(f, 1e-5, lambda x: 1.0, "full")


def test_thousands_of_stairs_are_ordinary_noise() -> None:
    x = -27.682
    found = outcomes(lambda x: np.log(1 + np.exp(x)), x, lambda x: 1 / (1 + np.exp(-x)), "full")
    assert found == {Outcome.PASS}


@pytest.mark.parametrize(("x", "power"), [(1 - 1e-9, 1), (1 + 1e-6, 2)])
@pytest.mark.parametrize("mode", ["fast", "full"])
def test_next_to_a_pole(x: float, power: int, mode: str) -> None:
    """Coarse steps all leave f's value by f's value, as if by one and the same stair."""

    def grad(x: float) -> float:
        return -power / (x - 1) ** (power + 1)

    def f(x: float) -> float:
        return 1 / (x - 1) ** power

    assert outcomes(f, x, grad, mode) == {Outcome.PASS}
    assert outcomes(f, x, lambda x: 1.1 * grad(x), mode) == {Outcome.FAIL}


@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: 1 - np.cos(x), np.sin, 1e-6),
        (
            lambda x: np.polyval([1, -7, 21, -35, 35, -21, 7, -1], x),
            lambda x: 7 * (x - 1) ** 6,
            0.99,
        ),
        (
            lambda x: np.polyval([1, -7, 21, -35, 35, -21, 7, -1], x),
            lambda x: 7 * (x - 1) ** 6,
            1.02,
        ),
        (lambda x: 1 - np.tanh(x), lambda x: -1 / np.cosh(x) ** 2, 17.0),
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


def test_an_explosion_further_out_is_no_measure_of_what_noise_hides() -> None:
    """Beside an offset of 1e5 a third of the derivative could be wrong unseen, if not beside e⁶⁰."""
    x = np.array([0.0, 100.0])

    def f(x: np.ndarray) -> float:
        return 1e5 + 1e-12 * math.expm1(x[0] / 0.02585) + 1e-6 * float(x[1])

    assert outcomes(f, x, diode_grad) == {Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("width", [1e-5, 1e-7])
def test_a_bump_narrower_than_most_steps(mode: str, width: float) -> None:
    """A claim that ignores it agrees with f at every step that leaps over it, and a right one doesn't."""
    x = np.random.default_rng(0).standard_normal(5)
    peak = x[0] - 0.7 * width

    def bump(x: np.ndarray) -> Any:
        return 0.1 * width * np.exp(-(((x[0] - peak) / width) ** 2))

    def f(x: np.ndarray) -> Any:
        return 0.5 * np.sum(x * x) + bump(x)

    def grad(x: np.ndarray) -> np.ndarray:
        g = x.copy()
        g[0] -= 2 * (x[0] - peak) / width**2 * bump(x)
        return g

    assert Outcome.PASS not in outcomes(f, x, lambda x: x.copy(), mode)
    assert outcomes(f, x, grad, mode) == {Outcome.PASS}


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


@pytest.mark.parametrize("rtol", [None, 1e-3])
def test_what_is_said_to_accept_a_claim_does(rtol: float | None) -> None:
    x, claim = 10.0 ** np.arange(-8, 9), np.ones(17)
    claim[6] = 1.01

    def checked(rtol: float | None) -> Report:
        return check(
            lambda x: float(np.sum(x)), x, grad=lambda x: claim, mode="full", rtol=rtol, rng=0
        )

    report = checked(rtol)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "differ by 29 radii only" in report.message
    accepted = re.search(r"rtol=(\S+) accepts it", report.message)
    assert accepted is not None
    assert checked(float(accepted[1])).outcome is not Outcome.FAIL
    assert "differ" not in checked(float(accepted[1])).message


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


def test_every_error_bar_holds_the_noise() -> None:
    """Those of later directions, too, for which the first one's noise has to do."""
    x = np.random.default_rng(0).standard_normal(20)

    def noisy(x: np.ndarray) -> float:
        bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
        return float(10 + np.sum(np.sin(x))) + 1e-12 * (int.from_bytes(bits) / 2**63 - 1)

    for seed in range(30):
        report = check(noisy, x, grad=np.cos, rng=seed)
        for probe in report.probes:
            rounding = 1e-15 * probe.scale
            assert abs(probe.claimed - probe.numerical) <= probe.radius + rounding, str(report)


def test_where_f_is_exactly_zero_nothing_could_be_missed() -> None:
    report = check(lambda x: 0.0 * np.sum(x), np.ones(3), grad=lambda x: 0.0 * x, rng=0)
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.CONSTANT)
    assert report.resolution == 0.0


# -- near the resolution ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("power", [2, 3, 5, 7])
def test_a_degenerate_zero_passes(power: int, mode: str) -> None:
    """There the numerical derivative and its natural size near the point vanish together."""
    found = outcomes(lambda x: np.sum(x**power), np.zeros(1), lambda x: 0 * x, mode)
    assert found == {Outcome.PASS}


def test_second_derivatives_that_vanish_but_for_rounding() -> None:
    """Of sin² + cos², both sides of the comparison are a few ulps of their terms."""

    def f(x: np.ndarray) -> Any:
        return np.sum(np.sin(x) ** 2 + np.cos(x) ** 2)

    def hvp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (2 * np.cos(2 * x) - 2 * (np.cos(x) ** 2 - np.sin(x) ** 2)) * v

    for seed in SEEDS:
        x = np.random.default_rng(seed).uniform(0.5, 2.0, 6)
        assert check(f, x, hvp=hvp, rng=seed).outcome is not Outcome.FAIL


def test_rounding_of_zero_is_no_excuse_for_a_derivative_that_is_not_zero() -> None:
    """Beside f's offset it is small, and right to six digits."""

    def f(x: float) -> Any:
        return 1 + 1e-12 * np.expm1(x / 0.02585)

    report = check(f, 0.0, grad=lambda x: 1e-12 / 0.02585 * np.exp(x / 0.02585), rng=0)
    assert report.outcome is Outcome.PASS
    assert report.resolution < 1e-4


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


def test_a_small_entry_beside_noisy_ones() -> None:
    """Along random directions the noise of the others hides it: it has to be moved by itself."""
    x = np.random.default_rng(0).uniform(0.5, 2.0, 6)
    weight = 1e-6

    def f(x: np.ndarray) -> Any:
        bits = hashlib.blake2b(x[:5].tobytes(), digest_size=8).digest()
        noise = 3e-9 * (int.from_bytes(bits) / 2**63 - 1)
        return np.sum(np.sin(x[:5])) + noise + weight * np.sin(x[5])

    def grad(x: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return np.cos(x) * np.array([1, 1, 1, 1, 1, factor * weight])

    assert outcomes(f, x, grad) == {Outcome.PASS}
    assert outcomes(f, x, lambda x: grad(x, 1.5)) == {Outcome.FAIL}


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


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: np.sum(1 - np.cos(x)), np.sin, 2e-8),
        (lambda x: np.sum(np.sqrt(1 + x) - 1), lambda x: 0.5 / np.sqrt(1 + x), 1e-15),
        (lambda x: np.sum(np.exp(x) - 1), np.exp, 1e-15),
    ],
)
def test_a_function_that_rounding_makes_flat(
    f: Callable[..., Any], grad: Callable[..., Any], x: float, mode: Any
) -> None:
    """Its values are the same all around x, and say nothing of its derivative, or move by a few stairs."""
    assert Outcome.FAIL not in outcomes(f, np.array([x, 1.1 * x]), grad, mode)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_flat_entries_excuse_no_other(mode: Any) -> None:
    def f(x: np.ndarray) -> Any:
        return 1 - np.cos(x[0]) + 0.2 * x[1] ** 2

    def wrong(x: np.ndarray) -> np.ndarray:
        return np.array([np.sin(x[0]), 0.6 * x[1]])

    assert outcomes(f, np.array([2e-8, 3e-8]), wrong, mode) == {Outcome.FAIL}


@pytest.mark.parametrize("seed", range(3))
def test_no_claim_is_a_multiple_of_nothing(seed: int) -> None:
    x = np.array([0.5, -1.0, 2.0])

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.exp(x) / np.sum(np.exp(x))

    report = check(lambda x: np.sum(softmax(x)), x, grad=softmax, rng=seed)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_function_that_is_flat(mode: Any) -> None:
    """Nor do complex numbers move it by more than their rounding."""
    x = np.array([0.5, -1.0, 2.0])

    def one(x: np.ndarray) -> Any:
        total = np.sum(np.exp(x) / np.sum(np.exp(x)))
        return total - total.real + 1.0

    assert outcomes(one, x, lambda x: np.exp(x) / np.sum(np.exp(x)), mode) == {Outcome.FAIL}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_float32_part_beside_a_float64_one(mode: Any) -> None:
    """Inside one stair of the first only the second moves, smoothly and wrong."""
    x = np.random.default_rng(0).uniform(0.5, 2, 6)
    W = np.random.default_rng(1).standard_normal((20, 6)).astype(np.float32)

    def f(x: np.ndarray) -> float:
        return float(np.mean(np.tanh(W @ x.astype(np.float32)) ** 2)) + 0.005 * np.sum(x * x)

    def grad(x: np.ndarray) -> np.ndarray:
        t = np.tanh(W.astype(float) @ x)
        return W.astype(float).T @ (2 * t * (1 - t * t)) / 20 + 0.01 * x

    assert Outcome.FAIL not in outcomes(f, x, grad, mode)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.maximum(np.sin(x), 0), 6.1898),
        (lambda x: np.maximum(x - 6.2832, 0), 6.1898),
        (lambda x: np.maximum(x - 1.015, 0), 1.0),
    ],
)
def test_a_zero_not_far_from_a_kink(f: Callable[..., Any], x: float) -> None:
    """The one step that leaps over the kink is no stair."""
    assert outcomes(f, x, lambda x: 0.0 * x) == {Outcome.PASS}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: x + 2.0**46, np.ones_like, 1.0),
        (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, 37.0),
        (np.tanh, lambda x: 1 / np.cosh(x) ** 2, 19.0),
        (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), -37.4),
        (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), -27.682),
    ],
)
def test_noise_excuses_no_wrong_claim(
    f: Callable[..., Any], grad: Callable[..., Any], x: float, mode: Any
) -> None:
    """Off by one per cent, which f's rounding would hide; the complex step doesn't."""
    assert Outcome.PASS not in outcomes(f, x, lambda x: 1.01 * grad(x), mode)


@pytest.mark.parametrize("seed", [8, 86])
def test_noise_that_the_first_steps_happen_to_miss(seed: int) -> None:
    """Of two values only; one-sided derivatives that finer steps contradict show nothing."""
    x = np.random.default_rng(1000).standard_normal(4)

    def f(x: np.ndarray) -> Any:
        return np.sum(np.sin(x)) + 1e-10 * np.sign(np.sin(1e6 * np.sum(np.cos(1e9 * x))))

    assert check(f, x, vjp=lambda x, v: v * np.cos(x), rng=seed)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: (np.exp(x) - 1) / x, lambda x: 0.5 + x / 3, 3.3e-12),
        (lambda x: (np.exp(x) - 1) / x, lambda x: 0.5 + x / 3, 5.9e-12),
        (lambda x: np.log(1 + x) / x, lambda x: -0.5 + 2 * x / 3, 4.1e-11),
        (lambda x: (np.sqrt(1 + x) - 1) / x, lambda x: -0.125 + x / 8, 7.3e-11),
        (lambda x: (1 - np.cos(x)) / x**2, lambda x: -x / 12, 3.1e-6),
        (lambda x: (x - np.sin(x)) / x**3, lambda x: -x / 60, 2.7e-6),
    ],
)
def test_slanted_stairs(
    f: Callable[..., Any], grad: Callable[..., Any], x: float, mode: Any
) -> None:
    """Where r(x)/x has a rounded r, f is smooth inside every stair, with the slope of 1/x."""
    assert Outcome.FAIL not in outcomes(f, x, grad, mode)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (lambda x: 100 + (1000 * x) % 1, 1000.0, 1.7236),
        (lambda x: x + 0.001 * ((37 * x) % 1), 1.037, 2.118),
        (lambda x: 10 + np.abs((200 * x) % 2 - 1), 200.0, 0.8171),
    ],
)
def test_a_saw(f: Callable[..., Any], slope: float, x: float, mode: Any) -> None:
    """Its teeth are no stairs of rounding: the derivative is the one inside the tooth."""
    assert outcomes(f, x, lambda x: slope, mode) == {Outcome.PASS}
    assert outcomes(f, x, lambda x: 1.01 * slope, mode) == {Outcome.FAIL}


def test_a_saw_has_two_scales() -> None:
    """Which of them is meant isn't known: the radius covers both."""
    found = differentiate(lambda x: 100 + (1000 * x) % 1, 1.7236)
    assert found.reason == "disagreement"
    assert abs(found.value - 1000) <= found.radius < 2000


def switched(r: Any) -> Any:
    """An energy that a smooth step takes to zero between 1 and 1.5."""
    t = np.clip((r - 1) / 0.5, 0.0, 1.0)
    return (1 - 10 * t**3 + 15 * t**4 - 6 * t**5) / r


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("x", [1.5005, 1.5024, 1.5067, 1.52])
def test_just_beyond_a_smooth_cutoff(x: float, mode: Any) -> None:
    """There f is constant; where it begins to move it does so gradually, unlike a staircase."""
    assert outcomes(switched, x, lambda x: 0.0 * x, mode) == {Outcome.PASS}
    assert outcomes(switched, x, lambda x: 1e-4, mode) == {Outcome.FAIL}


@pytest.mark.parametrize("x", [1.5022290065655424, 1.5024133302306542, 1.51])
def test_derivative_just_beyond_a_smooth_cutoff(x: float) -> None:
    found = differentiate(switched, x)
    assert abs(found.value) <= found.radius < 1e-6


def test_opposite_stairs_are_no_plateau() -> None:
    """Along some directions one entry climbs a stair where another descends one."""
    x = np.linspace(25, 37, 30)[9] * -1 + np.arange(5) * 0.3

    def f(x: np.ndarray) -> Any:
        return np.sum(np.log(1 + np.exp(x)))

    for seed in range(8):
        assert check(f, x, grad=lambda x: 1 / (1 + np.exp(-x)), rng=seed)


def test_a_plateau_between_kinks() -> None:
    """What counts is how f goes on where it moves first, not on the other side."""

    def f(x: Any) -> Any:
        above = np.maximum(x - 1 - 1.2e-5, 0) + np.maximum(x - 1 - 2.2e-5, 0)
        return above - 3 * np.maximum(1 - x - 1e-5, 0)

    assert outcomes(f, 1.0, lambda x: 0.0 * x) == {Outcome.PASS}


def test_kinks_very_close_by() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([[1 + 1e-6, -1 - 1e-9, 2.0, -1.7], rng.normal(0, 1.2, 8)[4:]])

    def grad(x: np.ndarray) -> Any:
        return 2 * np.clip(x, -1, 1) * (np.abs(x) < 1)

    assert check(lambda x: np.sum(np.clip(x, -1, 1) ** 2), x, grad=grad, rng=0)


@pytest.mark.parametrize(
    ("f", "grad", "x"),
    [
        (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), -37.0),
        (lambda x: 1 - np.tanh(x), lambda x: -1 / np.cosh(x) ** 2, 14.0),
        (lambda x: np.sqrt(1 + x) - 1, lambda x: 0.5 / np.sqrt(1 + x), 1.1721e-14),
    ],
)
def test_the_imaginary_part_has_met_no_stairs(f: Any, grad: Any, x: float) -> None:
    assert outcomes(f, x, grad) == {Outcome.PASS}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("dtypes", [("f4", "f8"), ("f8", "f4")])
def test_one_argument_in_float32(dtypes: tuple[str, str], mode: Any) -> None:
    rng = np.random.default_rng(0)
    x = tuple(rng.standard_normal((3, 4)).astype(dtype) for dtype in dtypes)

    def vjp(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> Any:
        upstream = v[:, None] * np.exp(b)
        return upstream * np.cos(a), upstream * np.sin(a)

    def f(a: np.ndarray, b: np.ndarray) -> Any:
        return np.sum(np.sin(a) * np.exp(b), axis=1)

    for seed in SEEDS:
        assert check(f, x, vjp=vjp, mode=mode, rng=seed)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("off", [1e-6, 1e-7, 1e-8])
def test_close_to_the_minimum_of_a_loss_that_vanishes(off: float, mode: Any) -> None:
    """There f(x) is far smaller than f at any step, and what is known of its noise comes from steps."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        a, minimum = rng.standard_normal((8, 4)), rng.standard_normal(4)
        b, x = a @ minimum, minimum + off * rng.standard_normal(4)

        def f(x: np.ndarray, a: Any = a, b: Any = b) -> float:
            return float(0.5 * np.sum((a @ x - b) ** 2))

        def grad(x: np.ndarray, a: Any = a, b: Any = b) -> Any:
            return a.T @ (a @ x - b)

        assert check(f, x, grad=grad, mode=mode, rng=seed)
        wrong = np.array([1.0, 1.5, 1.0, 1.0])
        report = check(f, x, grad=lambda x, g=grad, w=wrong: w * g(x), mode=mode, rng=seed)
        assert report.outcome is Outcome.FAIL


def springs(far: float, seed: int) -> tuple[Any, np.ndarray, Any]:
    """Return the energy of a chain, the positions of its masses and its gradient.

    Steps as large as x stretch these springs a thousandfold and more.
    """
    rng = np.random.default_rng(seed)
    k = 1e3 * rng.uniform(0.5, 2, 21)
    x = far + np.arange(1.0, 21.0) + 0.01 * rng.standard_normal(20).cumsum()

    def strain(x: np.ndarray) -> Any:
        return np.diff(np.concatenate([[far], x, [far + 21.0]])) - 1

    def f(x: np.ndarray) -> float:
        d = strain(x)
        return float(k @ (0.5 * d**2 + 0.25 * d**4))

    def grad(x: np.ndarray) -> Any:
        d = strain(x)
        return -np.diff(k * (d + d**3))

    return f, x, grad


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("penalty", [1e-3, 1e-5, 1e-7, 1e-9])
def test_a_kink_far_weaker_than_curvature(penalty: float, mode: Any) -> None:
    """The L1 norm beside a logistic loss at weights that are zero: sign(0) = 0 is a subgradient.

    Only small steps show the kink, and complex numbers don't show the slope of abs.
    """
    rng = np.random.default_rng(1)
    a, y = rng.standard_normal((50, 8)), rng.choice([-1.0, 1.0], 50)

    def f(w: np.ndarray) -> Any:
        return np.mean(np.log1p(np.exp(-y * (a @ w)))) + penalty * np.sum(np.abs(w))

    def grad(w: np.ndarray) -> Any:
        return a.T @ (-y / (1 + np.exp(y * (a @ w)))) / 50 + penalty * np.sign(w)

    for seed in SEEDS:
        w = rng.standard_normal(8)
        w[[1, 4]] = 0.0
        report = check(f, w, grad=grad, mode=mode, rng=seed)
        assert report.outcome is Outcome.PASS, str(report)
        beside = check(
            f,
            w,
            grad=lambda w: grad(w) + 3 * penalty * (np.arange(8) == 4),
            mode=mode,
            rng=seed,
        )
        # beside weaker ones an error of 3 penalties is below the stated resolution
        assert beside.outcome is Outcome.FAIL or penalty < 1e-5, str(beside)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        (lambda g: g, Outcome.PASS),
        (lambda g: -g, Outcome.FAIL),
        (lambda g: 1.01 * g, Outcome.FAIL),
        (lambda g: np.append(g[:-1], 1.5 * g[-1]), Outcome.FAIL),
    ],
    ids=["right", "sign", "one percent", "last entry"],
)
@pytest.mark.parametrize("far", [1e4, 1e5, 1e6])
def test_positions_that_are_large_beside_their_distances(
    far: float, wrong: Any, outcome: Outcome, mode: Any
) -> None:
    for seed in SEEDS[: 3 if mode == "full" else None]:
        f, x, grad = springs(far, seed)
        report = check(f, x, grad=lambda x, grad=grad: wrong(grad(x)), mode=mode, rng=seed)
        assert report.outcome is outcome, str(report)
        if mode == "fast" and report:  # of the claim, not of how far springs move
            assert report.resolution < (2e-4 if far == 1e4 else 1e-2)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("far", [1e4, 1e5])
def test_no_gradient_at_all_beside_large_positions(far: float, mode: Any) -> None:
    """A zero is the right answer where the slope is what rounding leaves, not where large steps hide it."""
    for seed in SEEDS[: 3 if mode == "full" else None]:
        f, x, _ = springs(far, seed)
        report = check(f, x, grad=lambda x: 0 * x, mode=mode, rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


def test_next_to_the_minimum_of_a_quartic() -> None:
    """There a quartic's growth must not be taken for noise, which would hide a wrong term."""
    x = 1 + 1e-5 * np.random.default_rng(0).standard_normal(12)

    def f(x: np.ndarray) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def grad(x: np.ndarray, linear: float) -> np.ndarray:
        d = x[1:] - x[:-1] ** 2
        inner = -400 * x[:-1] * d - linear * (1 - x[:-1])
        return np.append(inner, 0.0) + np.append(0.0, 200 * d)

    assert check(f, x, grad=lambda x: grad(x, 2.0), mode="full", rng=0)
    report = check(f, x, grad=lambda x: grad(x, -2.0), mode="full", rng=0)
    assert report.outcome is Outcome.FAIL, str(report)


def test_small_steps_inside_a_stair_accuse_nobody() -> None:
    """The loss of a confident row moves in steps of 1e-16, and grows to 10 at steps as large as x."""
    x = np.array([34.743589743589745, 0.3, -1.0, 0.5])
    p = np.exp(x) / np.exp(x).sum()
    right = np.append(-p[1:].sum(), p[1:])
    for seed in SEEDS:
        report = check(
            lambda x: -np.log(np.exp(x[0]) / np.exp(x).sum()), x, grad=lambda x: right, rng=seed
        )
        assert report.outcome is not Outcome.FAIL, str(report)


def test_a_variance_beside_a_large_mean() -> None:
    def grad(x: np.ndarray, degrees: int) -> Any:
        return 2 * (x - np.mean(x)) / degrees

    for seed in SEEDS:
        x = 1e8 + np.random.default_rng(seed).standard_normal(500)
        assert check(lambda x: np.var(x, ddof=1), x, grad=lambda x: grad(x, 499), rng=seed)
        report = check(lambda x: np.var(x, ddof=1), x, grad=lambda x: grad(x, 500), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("inside", [1e-7, 1e-8, 1e-9, -1e-8])
def test_close_to_where_only_the_second_derivative_jumps(inside: float, mode: Any) -> None:
    """Huber's loss next to its threshold: no steps fit between, but the slopes of both sides are near."""
    x = np.array([0.3, -1.7, 1 - inside, -0.6, 2.2, 1.0])

    def f(x: np.ndarray) -> Any:
        return np.sum(np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5))

    def grad(x: np.ndarray) -> Any:
        return np.clip(x, -1, 1)

    assert outcomes(f, x, grad, mode) == {Outcome.PASS}
    wrong = np.array([1.0, 1.0, 1.01, 1.0, 1.0, 1.0])
    assert outcomes(f, x, lambda x: wrong * grad(x), mode) == {Outcome.FAIL}


@pytest.mark.parametrize("seed", range(3))
def test_every_entry_of_a_layer_in_single_precision(seed: int) -> None:
    """Sums that cancel, and slopes of 1 − tanh² that are next to nothing, keep few digits."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((6, 8)).astype(np.float32)
    x = rng.standard_normal((8, 4)).astype(np.float32)
    weights[0] *= 4

    def vjp(x: np.ndarray, v: np.ndarray, factor: float = 1.0) -> np.ndarray:
        g = weights.T @ (v * (1 - np.tanh(weights @ x) ** 2))
        g[3] *= np.float32(factor)
        return g

    layer = (lambda x: np.tanh(weights @ x)), x
    assert check(*layer, vjp=vjp, mode="full", rng=seed)
    report = check(*layer, vjp=lambda x, v: vjp(x, v, 1.001), mode="full", rng=seed)
    assert report.outcome is Outcome.FAIL


def test_a_slope_that_abs_keeps_from_the_complex_step_accuses_nobody() -> None:
    """|z| drops the imaginary part, where f's offset hides from differences that it moves."""
    x = np.array([2.0, -30.0])

    def f(x: np.ndarray) -> Any:
        return 10 + 0.05 * np.sum(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))

    for seed in range(3):
        report = check(f, x, grad=lambda x: 0.05 / (1 + np.exp(-x)), mode="full", rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)


def test_entries_that_are_zero_but_for_rounding_are_told() -> None:
    """A slope of 9e-17 beside one of 1 is below f's rounding, and below the claim's."""
    x = np.array([1.9, -37.0, 0.4, 0.75])

    def f(x: np.ndarray) -> Any:
        return np.cumsum(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))

    def jac(x: np.ndarray) -> Any:
        return np.tril(np.ones((4, 4))) / (1 + np.exp(-x))

    assert check(f, x, jac=jac, mode="full", rng=0)
    report = check(f, x, jac=lambda x: jac(x) + 1e-9 * (x == -37.0), mode="full", rng=0)
    assert report.outcome is Outcome.FAIL


# -- small parts beside a kink elsewhere -----------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 0.0, -1.0, 5.0])
def test_small_outputs_are_seen_beside_a_kink(factor: float) -> None:
    x = np.array([0.7, 1.3, 0.0])

    def f(x: np.ndarray) -> Any:
        return np.array([2e11 * x[0] * x[1], 1e-6 * np.sin(x[1]), 1e11 * np.abs(x[2])])

    def jac(x: np.ndarray) -> Any:
        small = factor * 1e-6 * np.cos(x[1])
        return np.array(
            [[2e11 * x[1], 2e11 * x[0], 0], [0, small, 0], [0, 0, 1e11 * np.sign(x[2])]]
        )

    for seed in SEEDS:
        report = check(f, x, jac=jac, rng=seed)
        assert report.outcome is (Outcome.PASS if factor == 1 else Outcome.FAIL), str(report)


@pytest.mark.parametrize("factor", [1.0, 0.0, -1.0, 2.0])
def test_small_entries_are_seen_beside_a_kink(factor: float) -> None:
    weights = np.ones(1000)
    weights[:8] = 1e-7
    x = np.random.default_rng(0).uniform(0.5, 2, 1000)
    x[500] = 0

    def f(x: np.ndarray) -> Any:
        return 0.5 * (x * x) @ weights + abs(x[500])

    def grad(x: np.ndarray) -> Any:
        out = weights * x
        out[:8] *= factor
        out[500] += np.sign(x[500])
        return out

    for seed in SEEDS:
        report = check(f, x, grad=grad, rng=seed)
        assert report.outcome is (Outcome.PASS if factor == 1 else Outcome.FAIL), str(report)


def test_directions_that_disagree_by_too_little_are_counted() -> None:
    x = 1e12 + np.random.default_rng(0).standard_normal(6)
    report = check(
        lambda x: np.sum((x - 1e12) ** 2), x, grad=lambda x: 2 * (x - 1e12) * 1.02, rng=0
    )
    assert report.outcome is Outcome.INCONCLUSIVE
    count = sum(abs(p.claimed - p.numerical) > p.allowed for p in report.probes)
    assert count > 1
    assert report.message.startswith(f"{count} of {len(report.probes)} directions disagree")


@pytest.mark.parametrize(
    ("fidelity", "outcome"),
    [(1.0, Outcome.INCONCLUSIVE), (0.5, Outcome.FAIL), (-1.0, Outcome.FAIL)],
)
def test_more_kinks_than_can_be_looked_at(fidelity: float, outcome: Outcome) -> None:
    """Total variation of an image with a flat part: what is wrong outside that part is seen."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((24, 24))
    image[:12, :12] = 0.5
    data = rng.standard_normal((24, 24))

    def f(u: np.ndarray) -> Any:
        edges = np.sum(np.abs(np.diff(u, axis=0))) + np.sum(np.abs(np.diff(u, axis=1)))
        return 0.5 * np.sum((u - data) ** 2) + 0.3 * edges

    def grad(u: np.ndarray) -> Any:
        down, right = np.sign(np.diff(u, axis=0)), np.sign(np.diff(u, axis=1))
        out = fidelity * (u - data)
        out += 0.3 * (np.pad(down, ((1, 0), (0, 0))) - np.pad(down, ((0, 1), (0, 0))))
        return out + 0.3 * (np.pad(right, ((0, 0), (1, 0))) - np.pad(right, ((0, 0), (0, 1))))

    for seed in SEEDS:
        report = check(f, image, grad=grad, rng=seed)
        assert report.outcome is outcome, str(report)
        if outcome is Outcome.INCONCLUSIVE:
            assert report.reason is Reason.KINK


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "reason", "text"),
    [
        (lambda x: np.sum(np.cbrt(x)), Reason.CUSP, "f has a cusp at x"),
        (lambda x: np.sum(x + (x > 0)), Reason.JUMP, "f jumps at x"),
    ],
)
def test_where_f_has_no_derivative_the_report_says_why(
    f: Any, reason: Reason, text: str, mode: Any
) -> None:
    report = check(f, np.zeros(1), grad=np.ones_like, mode=mode, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, reason), str(report)
    assert text in report.message


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: np.sum(np.maximum(x, 0) ** 2), lambda x: 2 * np.maximum(x, 0)),
        (lambda x: np.sum(x * np.abs(x)), lambda x: 2 * np.abs(x)),
        (lambda x: np.sum(x**3 + x * np.abs(x)), lambda x: 3 * x**2 + 2 * np.abs(x)),
    ],
)
def test_slopes_that_vanish_with_the_steps(f: Any, slope: Any, n: int, mode: Any) -> None:
    """No window of steps is smooth at a jump of f″ where f′ is zero."""
    for seed in range(3):
        report = check(f, np.zeros(n), grad=slope, mode=mode, rng=seed)
        assert report.outcome is Outcome.PASS, str(report)
        for error in (1e-2, 1e-9):
            wrong = check(f, np.zeros(n), grad=lambda x, e=error: slope(x) + e, mode=mode, rng=seed)
            assert wrong.outcome is not Outcome.PASS, str(wrong)
