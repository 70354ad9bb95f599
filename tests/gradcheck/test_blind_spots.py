"""What gradient checkers are known to overlook, or to accuse: found, located, or left in peace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, Simplex, check

SEEDS = range(5)


# -- one entry of a million ------------------------------------------------------------------------


def quadratic(x: Any) -> Any:
    return 0.5 * np.sum(x * x)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_entry_of_a_million_off_by_ten_percent(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(1_000_000)
    place = int(np.random.default_rng(seed).integers(x.size))

    def grad(x: Any) -> Any:
        g = x.copy()
        g[place] *= 1.1
        return g

    report = check(quadratic, x, grad=grad, rng=seed)
    assert report.outcome is Outcome.FAIL
    assert [e.index for e in report.wrong_entries] == [(place,)]
    assert report.evaluations <= 250


# -- softmax cross-entropy at 64 × 1000 ------------------------------------------------------------

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((64, 1000))
LABELS = RNG.integers(0, 1000, 64)
ROWS = np.arange(64)


def cross_entropy(z: Any) -> Any:
    top = z.max(axis=1)
    return np.mean(top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[ROWS, LABELS])


def its_gradient(z: Any) -> Any:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[ROWS, LABELS] -= 1
    return p / 64


def test_softmax_cross_entropy_right() -> None:
    assert check(cross_entropy, LOGITS, grad=its_gradient, rng=0).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(0.0, "zero"), (-1.0, "sign"), (1.5, "factor"), (64.0, "reduction"), (1 + 1e-6, "factor")],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_cross_entropy_scaled(factor: float, kind: str, seed: int) -> None:
    report = check(cross_entropy, LOGITS, grad=lambda z: factor * its_gradient(z), rng=seed)
    assert report.outcome is Outcome.FAIL
    if factor != 1 + 1e-6:  # too little beside what may be left to be named for certain
        assert report.diagnosis is not None
        assert report.diagnosis.kind == kind


# -- scales ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-12, 1e-150, 1e12, 1e150])
def test_zero_gradient_of_a_scaled_loss(scale: float) -> None:
    x = np.array([0.3, -0.7, 2.0])
    report = check(lambda x: scale * np.sum(np.sin(x)), x, grad=np.zeros_like, rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.DISAGREEMENT)


MIXED = 10.0 ** np.arange(-8, 9)
MIXED[1::2] *= -1


def mixed(x: Any) -> Any:
    """Every entry matters alike, whatever its size."""
    return np.sum(np.sin(x / np.abs(MIXED)))


def its_mixed_gradient(x: Any) -> Any:
    return np.cos(x / np.abs(MIXED)) / np.abs(MIXED)


def test_inputs_of_many_sizes_right() -> None:
    assert check(mixed, MIXED, grad=its_mixed_gradient, rng=0).outcome is Outcome.PASS


@pytest.mark.parametrize("place", range(MIXED.size))
def test_inputs_of_many_sizes_one_entry_off_by_a_percent(place: int) -> None:
    def grad(x: Any) -> Any:
        g = its_mixed_gradient(x)
        g[place] *= 1.01
        return g

    report = check(mixed, MIXED, grad=grad, rng=0)
    assert report.outcome is Outcome.FAIL
    assert [e.index for e in report.wrong_entries] == [(place,)]


# -- functions that are hard to differentiate ------------------------------------------------------

HARD: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], float]] = [
    ("offset", lambda x: 1e8 + x, np.ones_like, 1.0),
    ("frequency", lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x), 1.0),
    ("pole", lambda x: 1 / x, lambda x: -1 / x**2, 1e-6),
    ("log", np.log, lambda x: 1 / x, 1e-6),
    ("arcsin", np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)), 1 - 1e-7),
    ("cube at zero", lambda x: x**3, lambda x: 3 * x**2, 0.0),
    ("exp", np.exp, np.exp, 30.0),
]


@pytest.mark.parametrize(("name", "f", "slope", "x"), HARD, ids=[row[0] for row in HARD])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_hard_functions_are_not_accused(
    name: str, f: Any, slope: Any, x: float, dtype: Any
) -> None:
    x = np.array([x], dtype=dtype)
    if name == "arcsin" and dtype is np.float32:
        x = np.array([1 - 1e-5], dtype=dtype)  # the next float32 but one is the end of the domain
    for seed in SEEDS:
        report = check(lambda x: np.sum(f(x)), x, grad=slope, rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)
        if dtype is np.float64:
            assert report.outcome is Outcome.PASS, str(report)


@pytest.mark.parametrize(("name", "f", "slope", "x"), HARD, ids=[row[0] for row in HARD])
def test_hard_functions_with_a_wrong_gradient_fail(name: str, f: Any, slope: Any, x: float) -> None:
    point = np.array([x])
    wrong = (lambda x: slope(x) + 0.01) if x == 0 else (lambda x: 1.01 * slope(x))
    for seed in SEEDS:
        report = check(lambda x: np.sum(f(x)), point, grad=wrong, rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


def test_float32_throughout() -> None:
    x = np.linspace(-2, 2, 64, dtype=np.float32)

    def f(x: Any) -> Any:
        return np.sum(np.tanh(x.astype(np.float32)), dtype=np.float32)

    def grad(x: Any) -> Any:
        return (1 - np.tanh(x) ** 2).astype(np.float32)

    for seed in SEEDS:
        assert check(f, x, grad=grad, rng=seed).outcome is not Outcome.FAIL
        assert check(f, x, grad=lambda x: 2 * grad(x), rng=seed).outcome is Outcome.FAIL


# -- nothing passes in silence ---------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_fails(bad: float) -> None:
    x = np.ones(3)
    report = check(np.sum, x, grad=lambda x: np.array([1.0, bad, 1.0]))
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.NONFINITE_CLAIM)
    assert "[1]" in report.message


def test_nan_does_not_equal_nan() -> None:
    report = check(lambda x: np.sum(x) * np.nan, np.ones(3), grad=lambda x: x * np.nan)
    assert report.outcome is not Outcome.PASS


def test_a_constant_function_is_said_to_be_one() -> None:
    report = check(lambda x: 4.0, np.ones(3), grad=np.zeros_like)
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.CONSTANT)
    assert "did not vary" in str(report).splitlines()[0]
    assert check(lambda x: 4.0, np.ones(3), grad=np.ones_like).outcome is not Outcome.PASS


@pytest.mark.parametrize(
    ("shape", "claimed"), [((3, 1), (3,)), ((3,), (1, 3)), ((3,), ()), ((3,), (1,)), ((1,), ())]
)
def test_another_shape_fails_where_broadcasting_would_hide_it(
    shape: tuple[int, ...], claimed: tuple[int, ...]
) -> None:
    x = np.ones(shape)
    report = check(np.sum, x, grad=lambda x: np.ones(claimed))
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.SHAPE)


# -- large terms that cancel -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_a_gradient_that_vanishes_because_its_terms_cancel_is_not_accused(seed: int) -> None:
    """All that is left of f's derivative is rounding, and so is all that is left of the claim."""
    report = check(
        lambda x: min(x, 3.0) - np.arctanh(x), 0.0, grad=lambda x: 1 - 1 / (1 - x**2), rng=seed
    )
    assert report.outcome is not Outcome.FAIL, str(report)


# -- a kink that isn't there -----------------------------------------------------------------------


@pytest.mark.parametrize("claimed", [1.0, 0.5, -0.25])
def test_what_looks_like_a_kink_from_afar_is_none(claimed: float) -> None:
    """|x| beyond 5e-4, |x|³ inside: the slope at 0 is 0, and nothing else is a subgradient."""

    def f(x: float) -> float:
        return abs(x) * min(1.0, (x / 5e-4) ** 2)

    assert check(f, 0.0, grad=lambda x: 0.0, rng=0)
    report = check(f, 0.0, grad=lambda x: claimed, rng=0)
    assert report.outcome is Outcome.FAIL, str(report)


# -- outputs in far smaller units than the others
# -------------------------------------------------------------------


def stress_and_shift(x: np.ndarray) -> np.ndarray:
    """A stress in pascals, and shifts in metres."""
    return np.array([2e11 * x[0] * x[1], 1e-6 * np.sin(x[1]), 1e-3 * x[0] ** 2])


def stress_and_shift_jac(x: np.ndarray) -> np.ndarray:
    return np.array([[2e11 * x[1], 2e11 * x[0]], [0, 1e-6 * np.cos(x[1])], [2e-3 * x[0], 0]])


AS_CLAIM: dict[str, Callable[[np.ndarray], Callable[..., Any]]] = {
    "jac": lambda factors: lambda x: factors[:, None] * stress_and_shift_jac(x),
    "vjp": lambda factors: lambda x, v: (factors * v) @ stress_and_shift_jac(x),
    "jvp": lambda factors: lambda x, u: factors * (stress_and_shift_jac(x) @ u),
}


@pytest.mark.parametrize("kind", AS_CLAIM)
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.1])
@pytest.mark.parametrize("output", [1, 2])
def test_wrong_rows_of_outputs_in_small_units(kind: str, factor: float, output: int) -> None:
    x, right, wrong = np.array([0.7, 1.3]), np.ones(3), np.ones(3)
    wrong[output] = factor
    for seed in range(5):
        assert check(stress_and_shift, x, rng=seed, **{kind: AS_CLAIM[kind](right)})
        report = check(stress_and_shift, x, rng=seed, **{kind: AS_CLAIM[kind](wrong)})
        assert report.outcome is Outcome.FAIL, str(report)
        assert all(e.output == (output,) for e in report.wrong_entries), str(report)


def test_a_tolerance_holds_for_outputs_in_small_units_too() -> None:
    claim = AS_CLAIM["jac"](np.array([1.0, 1.03, 1.0]))
    x = np.array([0.7, 1.3])
    assert check(stress_and_shift, x, jac=claim, rtol=0.05, rng=0)
    assert check(stress_and_shift, x, jac=claim, rng=0).outcome is Outcome.FAIL


def test_small_outputs_are_asked_inside_the_domain() -> None:
    def f(p: np.ndarray) -> np.ndarray:
        if abs(p.sum() - 1) > 1e-12:
            raise ValueError("no distribution")
        return np.array([1e9, 1e-9, 1.0]) * p**2

    def vjp(p: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 2 * p * np.array([1e9, 2e-9, 1.0]) * v

    report = check(f, np.array([0.2, 0.5, 0.3]), vjp=vjp, domain=Simplex(), rng=0)
    assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("seed", [9, 25, 35])
def test_small_outputs_that_are_made_of_rounding_are_not_accused(seed: int) -> None:
    """1 − cos x at 1e-8 is a few stairs, among outputs that are smooth."""
    x = 10.0 ** np.random.default_rng(seed).uniform(-8, 1, 20)
    assert check(lambda x: 1 - np.cos(x), x, vjp=lambda x, v: v * np.sin(x), rng=seed)


@pytest.mark.parametrize("seed", [3, 4])
def test_small_outputs_whose_claim_is_rounded_are_not_accused(seed: int) -> None:
    """1 − tanh² keeps some digits only, where the outputs hardly move."""
    x = 8 * np.random.default_rng(seed).standard_normal(30)
    assert check(np.tanh, x, vjp=lambda x, v: v * (1 - np.tanh(x) ** 2), rng=seed)


def test_an_output_in_subnormal_units_does_no_harm() -> None:
    weights = np.array([1.0, 1e-310])
    assert check(lambda x: weights * x, np.ones(2), vjp=lambda x, v: weights * v, rng=0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [30, (200, 50)])
def test_saturated_slopes_in_float32_are_not_accused(seed: int, shape: Any) -> None:
    """The textbook's 1 − tanh² and s(1 − s) keep no digits there, and f is looked at in float64."""
    rng = np.random.default_rng(seed)

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    x = (8 * rng.standard_normal(shape)).astype(np.float32)
    assert check(np.tanh, x, vjp=lambda x, v: v * (1 - np.tanh(x) ** 2), rng=seed)
    assert check(sigmoid, x, vjp=lambda x, v: v * sigmoid(x) * (1 - sigmoid(x)), rng=seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_saturated_layer_in_float32_is_not_accused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((30, 50)).astype(np.float32)
    x = rng.standard_normal(50).astype(np.float32)

    def layer(x: np.ndarray) -> np.ndarray:
        return np.tanh(weights.astype(x.dtype) @ x)

    def layer_vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return weights.T @ (v * (1 - layer(x) ** 2))

    assert check(layer, x, vjp=layer_vjp, rng=seed)


@pytest.mark.parametrize("n", [3, 1000, 10_000])
@pytest.mark.parametrize("tiny", [1e-8, 1e-12, 1e-14])
def test_the_gradient_of_a_tiny_entry_beside_many(n: int, tiny: float) -> None:
    """Moved by its own size it gives less than the rounding of what the others give."""
    x = np.random.default_rng(0).uniform(1, 2, n)
    x[1] = tiny

    def doubled(x: Any) -> Any:
        g = np.cos(x)
        g[1] *= 2
        return g

    for seed in range(3):
        assert check(lambda x: np.sum(np.sin(x)), x, grad=np.cos, rng=seed)
        wrong = check(lambda x: np.sum(np.sin(x)), x, grad=doubled, rng=seed)
        assert wrong.outcome is not Outcome.PASS, str(wrong)


@pytest.mark.parametrize(
    ("f", "grad"),
    [
        (lambda x: np.sum(np.log(x)), lambda x: 1 / x),
        (lambda x: np.sum(1 / x), lambda x: -1 / x**2),
        (lambda x: np.sum((x - 1) ** 2 + np.abs(x)), lambda x: 2 * (x - 1) + np.sign(x)),
        (
            lambda x: x[1] ** 2 + 1e-3 * np.exp(-((x[0] / 1e-8) ** 2)),
            lambda x: np.array(
                [-2e-3 * x[0] / 1e-16 * np.exp(-((x[0] / 1e-8) ** 2)), 2 * x[1], 0.0]
            ),
        ),
    ],
)
def test_a_right_gradient_of_a_tiny_entry(f: Any, grad: Any) -> None:
    """What f is like as far off as the other entries' sizes is held against no claim."""
    for seed in range(5):
        report = check(f, np.array([1e-10, 0.9, 1.2]), grad=grad, rng=seed)
        assert report, str(report)
