"""A claim that lost its digits is named by what is seen of it: its numbers, or that they scatter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, check

X = np.random.default_rng(5).standard_normal(20)
A = np.random.default_rng(6).standard_normal((8, 6))


def as_type(dtype: Any) -> Callable[[Any], Any]:
    return lambda g: g.astype(dtype).astype(np.float64)


def to_bits(bits: int) -> Callable[[Any], Any]:
    def rounded(g: Any) -> Any:
        mantissa, exponent = np.frexp(g)
        return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)

    return rounded


def sentence(report: Any) -> str:
    """Return what is said of a failure's precision; empty if nothing is."""
    assert report.outcome is Outcome.FAIL, str(report)
    if report.diagnosis is None or report.diagnosis.kind != "precision":
        return ""
    return str(report.diagnosis.sentence)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("coarsened", "words"),
    [
        (as_type(np.float32), "are float32 numbers"),
        (as_type(np.float16), "are float16 numbers"),
        (to_bits(8), "have no more than 8 significant bits, as bfloat16 numbers have"),
        (to_bits(15), "have no more than 15 significant bits"),
        (lambda g: g.astype(np.float32), "come back in float32, where x is float64"),
    ],
)
def test_coarse_numbers_are_named_by_what_they_are(coarsened: Any, words: str, mode: Any) -> None:
    for seed in range(3):
        report = check(
            lambda x: np.sum(np.cosh(x)),
            X,
            grad=lambda x: coarsened(np.sinh(x)),
            mode=mode,
            rng=seed,
        )
        assert sentence(report).startswith(f"the claimed values {words}"), str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_one_coarse_leaf_among_others_is_named(mode: Any) -> None:
    """And not its only entry that rounding has moved far enough."""
    x = {"w": X[:6], "b": X[6:10]}

    def grad(p: Any) -> Any:
        w = 2 * A.T @ (A @ p["w"] - 1)
        return {"w": w.astype(np.float32).astype(np.float64), "b": np.sinh(p["b"])}

    for seed in range(5):
        report = check(
            lambda p: np.sum((A @ p["w"] - 1) ** 2) + np.sum(np.cosh(p["b"])),
            x,
            grad=grad,
            mode=mode,
            rng=seed,
        )
        assert sentence(report).startswith(
            "the claimed values of argument 0['w'] are float32 numbers"
        )


@pytest.mark.parametrize(
    "claim",
    [
        {"jac": lambda x: np.diag(np.cos(x)).astype(np.float32)},
        {"jac": lambda x: np.diag(np.cos(x)).astype(np.float32).astype(np.float64)},
        {"jvp": lambda x, u: np.cos(x).astype(np.float32).astype(np.float64) * u},
        {"vjp": lambda x, v: (np.cos(x) * v).astype(np.float32).astype(np.float64)},
    ],
)
def test_other_claims_in_coarse_numbers(claim: Any) -> None:
    for seed in range(3):
        assert "float32" in sentence(check(np.sin, X, rng=seed, **claim))


@pytest.mark.parametrize(
    "rounded",
    [
        lambda x: np.round(np.sinh(x), 4),
        lambda x: np.sinh(x.astype(np.float32).astype(np.float64)),
    ],
)
def test_a_scatter_may_have_several_causes(rounded: Any) -> None:
    said = {
        sentence(check(lambda x: np.sum(np.cosh(x)), X, grad=rounded, rng=seed))
        for seed in range(5)
    }
    assert any("scatters" in s for s in said)
    assert all("a coarser type or rounding" in s for s in said if s), said


def test_exact_differences_of_tiny_numbers_are_not_in_float32() -> None:
    """exp(x) − 1 at 10⁻¹¹ is a small multiple of 2⁻⁵², which any type holds."""
    x = np.array([1.3e-11, 2.7e-11, -1.9e-11, 4.1e-11])
    report = check(lambda x: np.sum(x * x * (0.5 + x / 6)), x, grad=lambda x: np.exp(x) - 1, rng=0)
    assert "float32" not in sentence(report)


def test_a_jump_is_no_lost_digit() -> None:
    """The largest's one-hot for softmax is off by all of it, and jumps where another becomes the largest."""
    z = np.random.default_rng(1364).normal(size=(6, 8))

    def one_hot(z: Any, v: Any) -> Any:
        out = np.zeros_like(z)
        out[np.arange(6), z.argmax(1)] = v
        return out

    for seed in range(40):
        assert not sentence(check(lambda z: np.log(np.exp(z).sum(1)), z, vjp=one_hot, rng=seed))


@pytest.mark.parametrize("entry", range(0, 24, 5))
def test_a_wrong_entry_of_a_function_with_kinks_is_no_lost_digit(entry: int) -> None:
    """The claim jumps at each kink, by more than it is off; near x it is off by the same everywhere."""
    rng = np.random.default_rng(3)
    data, target = rng.normal(size=(100, 4)), rng.normal(size=100)
    weights = rng.normal(size=(4, 6)), rng.normal(size=6)

    def loss(a: Any, w: Any) -> Any:
        return np.mean((np.maximum(data @ a, 0) @ w - target) ** 2)

    def grad(a: Any, w: Any) -> Any:
        hidden = np.maximum(data @ a, 0)
        back = 2 * (hidden @ w - target) / 100
        of_a = data.T @ (np.outer(back, w) * (hidden > 0))
        of_a.flat[entry] *= 1.01
        return of_a, hidden.T @ back

    for seed in range(4):
        assert not sentence(check(loss, weights, grad=grad, rng=seed))


def test_noise_of_a_percent_is_no_lost_digit() -> None:
    def grad(x: Any) -> Any:
        noise = np.random.default_rng(int(abs(x.sum()) * 1e12) % 2**32).normal(size=x.shape)
        return np.sinh(x) * (1 + 0.01 * noise)

    for seed in range(5):
        assert not sentence(check(lambda x: np.sum(np.cosh(x)), X, grad=grad, rng=seed))


def test_simple_numbers_of_x_are_no_coarse_type() -> None:
    """The gradient of x has no more digits than x, and f has a little more to it."""
    x = np.round(X * 2**9) / 2**9
    report = check(
        lambda x: np.sum(x * x / 2 + 1e-4 * np.sin(x)), x, grad=lambda x: x.copy(), rng=0
    )
    assert not sentence(report)
