"""Focal loss and smoothed labels against the truth to hundreds of digits."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference

NEAR = (16.6, 36.7, 186.3, 248.0, 354.0, 372.6, 709.8, 745.1)


def focal(s: Any, gamma: Any) -> tuple[Any, Any]:
    """Return l(s) and l'(s) by the textbook; 2400 bits bear the cancellation up to |s| = 800."""
    if abs(s) > 800:  # the limits, to more digits than any float has
        return (mpf(0), mpf(0)) if s > 0 and gamma else (max(-s, mpf(0)), mpf(-(s < 0)))
    p = 1 / (1 + mp.exp(-s))
    q = 1 - p
    power = q**gamma if gamma else mpf(1)
    return -power * mp.log(p), -power * (q - gamma * p * mp.log(p))


@pytest.mark.parametrize("gamma", [2.0, 0.0, 0.5, 5.0])
@pytest.mark.parametrize("hard", [True, False], ids=["hard targets", "soft targets"])
def test_focal_loss(
    oracle: ModuleType, gamma: float, hard: bool, dtype: type, effort, numbers, bound
) -> None:
    rng, points = effort
    z = numbers(rng, dtype, points, NEAR)
    y = (rng.integers(0, 2, z.shape) if hard else rng.random(z.shape)).astype(dtype)
    losses, slopes, sizes = [], [], []
    for a, t in zip(oracle.exact(z), oracle.exact(y), strict=True):
        (up, up_slope), (down, down_slope) = focal(a, mpf(gamma)), focal(-a, mpf(gamma))
        losses.append(t * up + (1 - t) * down)
        slopes.append(t * up_slope - (1 - t) * down_slope)
        sizes.append(t * abs(up_slope) + (1 - t) * abs(down_slope))
    got = reference.focal_loss(z, y, gamma=gamma, reduction="none")
    assert oracle.ulps(got, losses) <= bound(4 + 3 * gamma, dtype)
    got = reference.focal_loss_grad(z, y, gamma=gamma, reduction="none")
    assert oracle.ulps(got, slopes, None if hard else sizes) <= bound(5 + 3 * gamma, dtype)


def test_focal_loss_without_focus_is_binary_cross_entropy(numbers) -> None:
    z = numbers(np.random.default_rng(1), np.float64, 50, NEAR)
    y = np.random.default_rng(2).random(z.shape)
    for suffix in ("", "_grad"):
        focal_loss = getattr(reference, f"focal_loss{suffix}")
        plain = getattr(reference, f"binary_cross_entropy_with_logits{suffix}")
        np.testing.assert_allclose(
            focal_loss(z, y, gamma=0.0), plain(z, y), rtol=1e-14, atol=1e-16 * (suffix != "")
        )


@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_focal_range(y: float, dtype: type, numbers, strictly) -> None:
    z = numbers(np.random.default_rng(4), dtype, 300, NEAR)
    for suffix in ("", "_grad"):
        for reduction in ("none", "mean", "sum"):
            function = partial(getattr(reference, f"focal_loss{suffix}"), reduction=reduction)
            result = strictly(function, z, y)
            assert result.dtype == dtype
            assert not np.isnan(result).any()


def test_focal_limits() -> None:
    z = np.array([np.inf, -np.inf, np.nan])
    loss = reference.focal_loss(z, 1.0, reduction="none")
    slope = reference.focal_loss_grad(z, 1.0, reduction="none")
    assert loss.tolist()[:2] == [0.0, np.inf]
    assert slope.tolist()[:2] == [0.0, -1.0]
    assert np.isnan([loss[2], slope[2]]).all()
    loss = reference.focal_loss(-z, 0.0, reduction="none")
    slope = reference.focal_loss_grad(-z, 0.0, reduction="none")
    assert loss.tolist()[:2] == [0.0, np.inf]
    assert slope.tolist()[:2] == [0.0, 1.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
def test_label_smoothing(oracle: ModuleType, smoothing: float, dtype: type, effort, bound) -> None:
    rng, points = effort
    for n in (1, 2, 5, 9):
        z = (rng.choice([1.0, 8.0, 100.0]) * rng.standard_normal((points, n))).astype(dtype)
        labels = rng.integers(0, n, points)
        e = mpf(smoothing)
        losses, slopes, sizes = [], [], []
        for row, label in zip(z, labels, strict=True):
            weights = [(1 - e) * (j == label) + e / n for j in range(n)]
            logits = oracle.exact(row)
            losses.append(oracle.softmax_cross_entropy(logits, weights))
            slopes += oracle.softmax_cross_entropy_grad(logits, weights)
            sizes += oracle.log_softmax_vjp_size(logits, weights)
        arguments = {"smoothing": smoothing, "reduction": "none"}
        got = reference.label_smoothing_cross_entropy(z, labels, **arguments)
        assert oracle.ulps(got, losses) <= bound(6.0, dtype)
        got = reference.label_smoothing_cross_entropy_grad(z, labels, **arguments)
        assert oracle.ulps(got, slopes, sizes) <= bound(8.0, dtype)


def test_label_smoothing_of_weights_and_along_other_axes() -> None:
    rng = np.random.default_rng(5)
    z, labels = rng.standard_normal((4, 3, 2)), rng.integers(0, 3, (4, 2))
    hot = np.moveaxis(np.eye(3)[labels], -1, 1)
    for suffix in ("", "_grad"):
        function = getattr(reference, f"label_smoothing_cross_entropy{suffix}")
        expected = function(np.moveaxis(z, 1, -1), labels, reduction="sum")
        expected = np.moveaxis(expected, -1, 1) if suffix else expected
        for given in (labels, hot):
            got = function(z, given, axis=1, reduction="sum")
            np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_label_smoothing_of_weights_that_do_not_sum_to_one() -> None:
    z, weights = np.array([[1.0, 2.0, 0.5]]), np.array([[0.5, 0.25, 1.0]])
    smoothed = 0.75 * weights + 0.25 / 3
    gradient = reference.label_smoothing_cross_entropy_grad(z, weights, smoothing=0.25)
    expected = reference.softmax(z) * smoothed.sum() - smoothed
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_label_smoothing_range(dtype: type, strictly) -> None:
    info = np.finfo(dtype)
    rng = np.random.default_rng(6)
    for scale in (1.0, float(info.max), float(info.tiny)):
        z = (scale * rng.uniform(-1, 1, (20, 4))).astype(dtype)
        labels = rng.integers(0, 4, 20)
        for suffix in ("", "_grad"):
            function = getattr(reference, f"label_smoothing_cross_entropy{suffix}")
            result = strictly(function, z, labels)
            assert result.dtype == dtype
            assert not np.isnan(result).any()


def test_a_masked_class_is_as_documented() -> None:
    z = np.array([[0.0, -np.inf]])
    assert reference.label_smoothing_cross_entropy(z, [0]) == np.inf
    assert reference.label_smoothing_cross_entropy(z, [0], smoothing=0.0) == 0
    assert np.isfinite(reference.label_smoothing_cross_entropy_grad(z, [0])).all()


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match="gamma must be zero or a positive number, got -1"):
        reference.focal_loss([0.0], 1.0, gamma=-1)
    with pytest.raises(ValueError, match=r"smoothing must lie in \[0, 1\], got 2"):
        reference.label_smoothing_cross_entropy([[0.0, 1.0]], [0], smoothing=2)
    with pytest.raises(ValueError, match="class indices 0 … 1"):
        reference.label_smoothing_cross_entropy([[0.0, 1.0]], [2])
