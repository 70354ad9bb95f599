"""The piecewise activations against the truth to hundreds of digits, over the whole range."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from reference import rectifiers

# Ulps of the value and of the derivative.  The worst of 6e6 points searched for hardswish 1.90 and
# 1.00, for softsign 1.50 and 3.46.
BOUNDS = {
    "leaky_relu": (0.5, 0.5),
    "elu": (2.0, 2.0),
    "selu": (2.5, 2.5),
    "hardswish": (2.5, 2.0),
    "softsign": (1.5, 4.5),
}
NEAR = (1.5, 3.0, 36.7, 650.0, 708.4, 745.1)
every_one = pytest.mark.parametrize("name", BOUNDS)


def selu_constants() -> tuple[Any, Any]:
    """Return λ and α in the closed form of the paper's supplement (equation 14)."""
    root, e = mp.erfc(1 / mp.sqrt(2)), mp.e
    alpha = -mp.sqrt(2 / mp.pi) / (root * mp.sqrt(e) - 1)
    inner = 2 * mp.erfc(mp.sqrt(2)) * e**2 + mp.pi * root**2 * e
    inner += -2 * (2 + mp.pi) * root * mp.sqrt(e) + mp.pi + 2
    return (1 - root * mp.sqrt(e)) * mp.sqrt(2 * mp.pi) / mp.sqrt(inner), alpha


def exponential(x: Any) -> Any:
    return mp.exp(x) if x > -2000 else mpf(0)


def truth(name: str, x: Any, alpha: Any) -> tuple[Any, Any]:
    """Return value and derivative; at a kink the slope that the documentation names."""
    if name == "leaky_relu":
        return (x, mpf(1)) if x > 0 else (alpha * x, alpha)
    if name == "hardswish":
        if abs(x) >= 3:
            return (x, mpf(1)) if x > 0 else (mpf(0), mpf(0))
        return x * (x + 3) / 6, (2 * x + 3) / 6
    if name == "softsign":
        return x / (1 + abs(x)), 1 / (1 + abs(x)) ** 2
    scale = mpf(1)
    if name == "selu":
        scale, alpha = selu_constants()
    if x > 0:
        return scale * x, scale
    e = exponential(x)
    return scale * alpha * (e - 1 if abs(x) < 2000 else mpf(-1)), scale * alpha * e


def call(name: str, suffix: str, alpha: float | None) -> Any:
    function = getattr(rectifiers, name + suffix)
    if alpha is None or name not in ("leaky_relu", "elu"):
        return function
    return partial(function, **{"slope" if name == "leaky_relu" else "alpha": alpha})


@every_one
@pytest.mark.parametrize("alpha", [1.0, 0.01, 0.3, 1e4])
def test_accuracy(
    oracle: ModuleType, name: str, alpha: float, dtype: type, effort, numbers, bound
) -> None:
    rng, points = effort
    x = numbers(rng, dtype, points, NEAR)
    pairs = [truth(name, v, mpf(alpha)) for v in oracle.exact(x)]
    for suffix, limit, true in zip(
        ("", "_grad"), BOUNDS[name], zip(*pairs, strict=True), strict=True
    ):
        assert oracle.ulps(call(name, suffix, alpha)(x), true) <= bound(limit, dtype)


@every_one
@pytest.mark.parametrize("suffix", ["", "_grad"])
def test_range(name: str, suffix: str, dtype: type, numbers, strictly) -> None:
    function = getattr(rectifiers, name + suffix)
    x = numbers(np.random.default_rng(3), dtype, 300, NEAR)
    y = strictly(function, x)
    assert y.dtype == dtype
    assert np.isfinite(y[abs(x) < np.finfo(dtype).max / 2]).all()  # SELU's line is steeper than 1
    assert not np.isnan(y).any()
    ends = strictly(function, np.array([np.inf, -np.inf, np.nan], dtype))
    assert np.isnan(ends[2])
    assert not np.isnan(ends[:2]).any()


def test_softsign_flattens_out_slowly(oracle: ModuleType) -> None:
    """(1 + |x|)² overflows from 1e154 on, its reciprocal goes on to 1e162."""
    x = 10.0 ** np.linspace(153, 161, 60)
    true = [truth("softsign", v, None)[1] for v in oracle.exact(x)]
    assert oracle.ulps(rectifiers.softsign_grad(x), true) <= 4.5


LIMITS = {
    "leaky_relu": ((np.inf, -np.inf), (1, 0.01)),
    "elu": ((np.inf, -1), (1, 0)),
    "selu": ((np.inf, -1.7580993408473768), (1.0507009873554805, 0)),
    "hardswish": ((np.inf, 0), (1, 0)),
    "softsign": ((1, -1), (0, 0)),
}


@every_one
def test_limits(name: str) -> None:
    ends = np.array([np.inf, -np.inf])
    for suffix, limits in zip(("", "_grad"), LIMITS[name], strict=True):
        assert getattr(rectifiers, name + suffix)(ends).tolist() == list(limits)


@pytest.mark.parametrize(
    ("function", "kink", "slope"),
    [
        (rectifiers.leaky_relu, 0.0, rectifiers.leaky_relu_grad),
        (partial(rectifiers.elu, alpha=0.5), 0.0, partial(rectifiers.elu_grad, alpha=0.5)),
        (rectifiers.selu, 0.0, rectifiers.selu_grad),
        (rectifiers.hardswish, -3.0, rectifiers.hardswish_grad),
        (rectifiers.hardswish, 3.0, rectifiers.hardswish_grad),
    ],
)
def test_the_slope_at_a_kink_is_one_of_the_two(function, kink: float, slope) -> None:
    h = 2.0**-30
    left, right = ((function(kink + s * h) - function(kink)) / (s * h) for s in (-1, 1))
    assert abs(left - right) > 0.3
    assert min(abs(slope(kink) - left), abs(slope(kink) - right)) < 1e-8


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_parameters_are_finite(wrong: float) -> None:
    with pytest.raises(ValueError, match="slope must be a finite number"):
        rectifiers.leaky_relu([1.0], slope=wrong)
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        rectifiers.elu_grad([1.0], alpha=wrong)
