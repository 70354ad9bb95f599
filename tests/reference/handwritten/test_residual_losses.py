"""Huber, smooth L1, log-cosh and hinge against the truth to hundreds of digits."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference

# The loss and its slope, in ulps.  The worst of 6e6 points searched: 1.91, 2.70, 5.26; slopes 0.5,
# 1.23, 1.95.
BOUNDS = {"huber": (3.0, 0.5), "smooth_l1": (3.5, 1.5), "log_cosh": (6.0, 3.0), "hinge": (0.5, 0.5)}
NEAR = (0.5, 1.0, 1.4, 19.1, 354.0, 710.0)
every_loss = pytest.mark.parametrize("name", BOUNDS)


def truth(name: str, y: Any, t: Any, width: Any) -> tuple[Any, Any]:
    """Return the textbook's loss and slope."""
    if name == "hinge":
        return max(mpf(0), 1 - t * y), -t if t * y < 1 else mpf(0)
    d = y - t
    if name == "log_cosh":
        if abs(d) > 2000:
            return abs(d) - mp.log(2), mp.sign(d)
        return mp.log(mp.cosh(d)), mp.sinh(d) / mp.cosh(d)
    inside = abs(d) <= width
    loss = d**2 / 2 if inside else width * (abs(d) - width / 2)
    slope = d if inside else width * mp.sign(d)
    return (loss, slope) if name == "huber" else (loss / width, slope / width)


def targets_for(name: str, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    if name == "hinge":
        return rng.choice([-1.0, 1.0], y.shape).astype(y.dtype)
    with np.errstate(all="ignore"):
        close = (y + rng.standard_normal(y.shape) * 10.0 ** rng.uniform(-17, 0)).astype(y.dtype)
    return np.where(
        rng.random(y.shape) < 0.5, rng.permutation(y), np.where(close == close, close, y)
    )


def call(name: str, suffix: str, width: float) -> Any:
    function = partial(getattr(reference, name + suffix), reduction="none")
    if name in ("huber", "smooth_l1"):
        return partial(function, **{"delta" if name == "huber" else "beta": width})
    return function


@every_loss
@pytest.mark.parametrize("width", [1.0, 0.3, 1e-3, 1e5])
def test_accuracy(
    oracle: ModuleType, name: str, width: float, dtype: type, effort, numbers, bound
) -> None:
    rng, points = effort
    y = numbers(rng, dtype, points, (*NEAR, width))
    t = targets_for(name, rng, y)
    pairs = zip(oracle.exact(y), oracle.exact(t), strict=True)
    losses, slopes = zip(*(truth(name, *pair, mpf(width)) for pair in pairs), strict=True)
    of_value, of_slope = BOUNDS[name]
    limit = bound(of_value, dtype) + 0.01
    assert oracle.ulps(call(name, "", width)(y, t), losses) <= limit
    limit = bound(of_slope, dtype) + 0.01
    assert oracle.ulps(call(name, "_grad", width)(y, t), slopes) <= limit


@every_loss
def test_range(name: str, dtype: type, numbers, strictly) -> None:
    rng = np.random.default_rng(2)
    y = numbers(rng, dtype, 200, NEAR)
    t = targets_for(name, rng, y)
    for reduction in ("none", "mean", "sum"):
        for suffix in ("", "_grad"):
            function = partial(getattr(reference, name + suffix), reduction=reduction)
            result = strictly(function, y, t)
            assert result.dtype == dtype
            assert not np.isnan(result).any()
            assert not suffix or np.isfinite(result).all()


@every_loss
def test_limits_and_nan(name: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan])
    loss, slope = call(name, "", 1.0)(x, 1.0), call(name, "_grad", 1.0)(x, 1.0)
    assert loss.tolist()[:2] == ([0.0, np.inf] if name == "hinge" else [np.inf, np.inf])
    assert slope.tolist()[:2] == ([0.0, -1.0] if name == "hinge" else [1.0, -1.0])
    assert np.isnan(loss[2])
    assert np.isnan(slope[2])


@every_loss
def test_reductions(name: str) -> None:
    rng = np.random.default_rng(9)
    y, t = rng.standard_normal((3, 4)), rng.choice([-1.0, 1.0], (3, 4))
    for suffix in ("", "_grad"):
        function = getattr(reference, name + suffix)
        each = function(y, t, reduction="none")
        assert each.shape == (3, 4)
        mean, total = (function(y, t, reduction=r) for r in ("mean", "sum"))
        np.testing.assert_allclose(total, each if suffix else each.sum(), rtol=1e-15)
        np.testing.assert_allclose(mean, each / 12 if suffix else each.mean(), rtol=1e-15)
    with pytest.raises(ValueError, match="reduction must be"):
        getattr(reference, name)(y, t, reduction="median")
    with pytest.raises(ValueError, match="empty batch"):
        getattr(reference, name)(y[:0], t[:0])


def test_slopes_at_the_kink_and_at_the_joints() -> None:
    assert reference.hinge_grad([1.0, -1.0], [1, -1], reduction="none").tolist() == [0, 0]
    assert reference.huber_grad([2.0, -2.0], 0.0, delta=2.0, reduction="none").tolist() == [2, -2]
    assert reference.smooth_l1_grad([2.0, -2.0], 0.0, 2.0, reduction="none").tolist() == [1, -1]


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match="delta must be a positive number, got 0"):
        reference.huber([1.0], 0.0, delta=0)
    with pytest.raises(ValueError, match="beta must be a positive number, got -1"):
        reference.smooth_l1([1.0], 0.0, beta=-1)
    with pytest.raises(ValueError, match=r"signs must be -1 or 1 .*; got 0.0 at index"):
        reference.hinge([1.0, 2.0], [1, 0])
