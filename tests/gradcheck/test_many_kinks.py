"""Losses over thousands of rows: each has a kink, and all together look like noise from afar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, check, differentiate

Loss = tuple[Callable[[Any], Any], Callable[[Any], Any]]
ROWS = 30_000


def hinge(data: Any, target: Any) -> Loss:
    sign = np.sign(target)
    return (
        lambda b: np.mean(np.maximum(0, 1 - sign * (data @ b))) + 0.05 * b @ b,
        lambda b: -(data.T @ (sign * (sign * (data @ b) < 1))) / ROWS + 0.1 * b,
    )


def absolute(data: Any, target: Any) -> Loss:
    return (
        lambda b: np.mean(np.abs(data @ b - target)),
        lambda b: data.T @ np.sign(data @ b - target) / ROWS,
    )


def quantile(data: Any, target: Any) -> Loss:
    def loss(b: Any) -> Any:
        rest = target - data @ b
        return np.mean(np.maximum(0.9 * rest, -0.1 * rest)) + 0.01 * np.sum(np.sin(b))

    return (
        loss,
        lambda b: -data.T @ np.where(target > data @ b, 0.9, -0.1) / ROWS + 0.01 * np.cos(b),
    )


def huber(data: Any, target: Any) -> Loss:
    """Only the curvature jumps."""

    def loss(b: Any) -> Any:
        rest = np.abs(target - data @ b)
        return np.mean(np.where(rest < 0.5, rest * rest / 2, 0.5 * rest - 0.125))

    return loss, lambda b: -data.T @ np.clip(target - data @ b, -0.5, 0.5) / ROWS


def rows(seed: int) -> tuple[Any, Any, Any]:
    """Return data, a target and where to look."""
    rng = np.random.default_rng([seed, ROWS])
    return rng.normal(size=(ROWS, 4)), rng.normal(size=ROWS), rng.normal(size=4)


LOSSES = pytest.mark.parametrize("loss", [hinge, absolute, quantile, huber])


@LOSSES
def test_radii_contain_the_derivative(loss: Callable[..., Loss]) -> None:
    data, target, x = rows(0)
    f, grad = loss(data, target)
    for direction in np.random.default_rng(1).normal(size=(40, 4)):
        estimate = differentiate(f, x, direction)
        terms = grad(x) * direction
        rounding = 1e-14 * np.abs(terms).sum()
        assert abs(estimate.value - terms.sum()) <= estimate.radius + rounding


@LOSSES
def test_right_gradients_pass(loss: Callable[..., Loss]) -> None:
    outcomes = []
    for k in range(3):
        data, target, x = rows(k)
        f, grad = loss(data, target)
        outcomes += [check(f, x, grad=grad, rng=seed).outcome for seed in range(8)]
    assert Outcome.FAIL not in outcomes
    assert outcomes.count(Outcome.PASS) >= 23


@LOSSES
def test_a_tenth_of_a_percent_in_one_entry_fails(loss: Callable[..., Loss]) -> None:
    data, target, x = rows(0)
    f, grad = loss(data, target)
    for k in range(4):
        report = check(f, x, grad=lambda b, k=k: grad(b) * (1 + 1e-3 * (np.arange(4) == k)), rng=k)
        assert report.outcome is Outcome.FAIL
        assert [e.index for e in report.wrong_entries] == [(k,)]
