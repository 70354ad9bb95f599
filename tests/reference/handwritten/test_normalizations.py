"""Layer, RMS and batch normalization against the textbook's formulas to hundreds of digits."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference

NAMES = ("layer_norm", "rms_norm", "batch_norm")
# In ulps of the terms that cancel; float32 and float16 are rounded once.
VALUE, SLOPE, PARAMETERS = 5.0, 16.0, 8.0
EPS = {"layer_norm": 1e-5, "rms_norm": 1e-6, "batch_norm": 1e-5}

every_layer = pytest.mark.parametrize("name", NAMES)


def batches(rng: np.random.Generator, dtype: type, count: int) -> Iterator[np.ndarray]:
    """Batches of every spread and offset, huge, subnormal, tied, with an outlier."""
    info = np.finfo(dtype)
    for shape in ((count, 1), (count, 2), (count, 3), (count, 8), (1, 5)):
        normal = rng.standard_normal(shape)
        outlier = normal.copy()
        outlier[0] *= 1e6
        kinds = (
            normal,
            1e-9 * normal,
            1e6 * normal,
            normal + rng.choice([100.0, -1e4, 1e10]),
            outlier,
            np.full(shape, 0.1),
            normal * 10.0 ** rng.uniform(-20, 20, shape),
            normal / 5 * float(info.max),
            rng.integers(-1000, 1000, shape) * float(info.smallest_subnormal),
        )
        for kind in kinds:
            with np.errstate(all="ignore"):
                x = kind.astype(dtype)
            if np.isfinite(x).all():
                yield x


def parameters(rng: np.random.Generator, x: np.ndarray) -> tuple[np.ndarray, ...]:
    gamma, beta = rng.standard_normal((2, x.shape[1])).astype(x.dtype)
    v = (rng.standard_normal(x.shape) + rng.choice([0, 10.0])).astype(x.dtype)
    return gamma, beta, v


def lanes_of(name: str, a: np.ndarray) -> np.ndarray:
    return a.T if name == "batch_norm" else a


def standardized(name: str, lane: list[Any]) -> tuple[list[Any], list[Any], Any]:
    """Return x̂, the size of what cancels in it, and √(σ²+ε), by the textbook."""
    mean = mpf(0) if name == "rms_norm" else mp.fsum(lane) / len(lane)
    deviations = [x - mean for x in lane]
    root = mp.sqrt(mp.fsum(d**2 for d in deviations) / len(lane) + mpf(EPS[name]))
    typical = mp.fsum(abs(d) for d in deviations) / len(lane)
    typical = mpf(0) if name == "rms_norm" else typical
    return [d / root for d in deviations], [(abs(d) + typical) / root for d in deviations], root


def slope(name: str, shares: list[Any], g: list[Any], root: Any) -> tuple[list[Any], list[Any]]:
    """Return the gradient of a lane, and the size of its three terms."""
    n = len(g)
    mean = mpf(0) if name == "rms_norm" else mp.fsum(g) / n
    along = mp.fsum(a * b for a, b in zip(g, shares, strict=True)) / n
    gradient = [(a - mean - s * along) / root for a, s in zip(g, shares, strict=True)]
    mean = mean if name == "batch_norm" else mpf(0)  # γ differs along a row, so that γ·v is rounded
    typical = mp.fsum(abs(a - mean) for a in g) / n
    along_size = mp.fsum(abs((a - mean) * b) for a, b in zip(g, shares, strict=True)) / n
    size = [
        (abs(a - mean) + typical + abs(s) * along_size) / root
        for a, s in zip(g, shares, strict=True)
    ]
    return gradient, size


def truth(oracle: ModuleType, name: str, x: Any, gamma: Any, beta: Any, v: Any) -> dict[str, Any]:
    """Return values and sizes of everything, as lists in the order of the lanes."""
    rows = name != "batch_norm"
    scale, shift = oracle.exact(gamma), oracle.exact(beta)
    out: dict[str, Any] = {key: [] for key in ("y", "y size", "dx", "dx size", "dgamma terms")}
    for lane, upstream in zip(lanes_of(name, x), lanes_of(name, v), strict=True):
        row = len(out["y"]) // len(lane)
        a = scale if rows else [scale[row]] * len(lane)
        b = shift if rows else [shift[row]] * len(lane)
        b = [mpf(0)] * len(lane) if name == "rms_norm" else b
        shares, sizes, root = standardized(name, oracle.exact(lane))
        w = oracle.exact(upstream)
        out["y"] += [p * s + q for p, s, q in zip(a, shares, b, strict=True)]
        out["y size"] += [abs(p) * s + abs(q) for p, s, q in zip(a, sizes, b, strict=True)]
        g = [p * u for p, u in zip(a, w, strict=True)]
        dx, size = slope(name, shares, g, root)
        out["dx"] += dx
        out["dx size"] += size
        out["dgamma terms"].append(
            [(u * s, abs(u) * t) for u, s, t in zip(w, shares, sizes, strict=True)]
        )
    return out


def summed(terms: list[list[Any]], by_lane: bool, which: int) -> list[Any]:
    groups = terms if by_lane else list(zip(*terms, strict=True))
    return [mp.fsum(abs(t[which]) if which else t[0] for t in group) for group in groups]


def call(name: str, x: Any, gamma: Any, beta: Any, *v: Any) -> Any:
    function = getattr(reference, f"{name}_vjp" if v else name)
    return function(x, gamma, *v) if name == "rms_norm" else function(x, gamma, beta, *v)


@every_layer
def test_accuracy(oracle: ModuleType, name: str, dtype: type, effort, bound) -> None:
    rng, points = effort
    for x in batches(rng, dtype, max(3, points // 30)):
        gamma, beta, v = parameters(rng, x)
        true = truth(oracle, name, x, gamma, beta, v)
        y = lanes_of(name, call(name, x, gamma, beta))
        assert oracle.ulps(y, true["y"], true["y size"]) <= bound(VALUE, dtype)
        dx, dgamma, *dbeta = call(name, x, gamma, beta, v)
        assert oracle.ulps(lanes_of(name, dx), true["dx"], true["dx size"]) <= bound(SLOPE, dtype)
        by_lane = name == "batch_norm"
        total, size = (summed(true["dgamma terms"], by_lane, which) for which in (0, 1))
        assert oracle.ulps(dgamma, total, size) <= bound(PARAMETERS, dtype)
        for gradient in dbeta:
            columns = [oracle.exact(column) for column in v.T]
            total = [mp.fsum(column) for column in columns]
            size = [mp.fsum(map(abs, column)) for column in columns]
            assert oracle.ulps(gradient, total, size) <= bound(PARAMETERS, dtype)


@every_layer
def test_range(name: str, dtype: type, strictly) -> None:
    rng = np.random.default_rng(4)
    for x in batches(rng, dtype, 5):
        gamma, beta, v = parameters(rng, x)
        for scale in (1.0, float(np.finfo(dtype).max) / 20, float(np.finfo(dtype).tiny)):
            upstream = (scale * v).astype(dtype)
            y = strictly(lambda *a: call(name, *a), x, gamma, beta)
            assert y.dtype == dtype
            assert np.isfinite(y).all()
            gradients = strictly(lambda *a: call(name, *a), x, gamma, beta, upstream)
            for gradient, argument in zip(gradients, (x, gamma, beta), strict=False):
                assert gradient.dtype == dtype
                assert gradient.shape == argument.shape
                assert not np.isnan(gradient).any()


@every_layer
def test_lanes_that_only_eps_lets_vary(oracle: ModuleType, name: str) -> None:
    """x̂ of two numbers is ±1 (of one, without a mean, too) but for ε: here the three terms of the
    gradient cancel to ε/(σ²+ε), and still it has all its digits.
    """
    length = 1 if name == "rms_norm" else 2
    rng = np.random.default_rng(10)
    x, v = rng.standard_normal((2, 30, length)) * 10.0 ** rng.uniform(-3, 3, (2, 30, 1))
    x, v = (a.T if name == "batch_norm" else a for a in (x, v))
    gamma, beta = rng.standard_normal((2, x.shape[1]))
    true = truth(oracle, name, x, gamma, beta, v)
    dx = lanes_of(name, call(name, x, gamma, beta, v)[0])
    if name == "layer_norm":  # γ·v is rounded before its mean is taken off
        roots = [standardized(name, oracle.exact(row))[2] for row in x for _ in range(length)]
        kept = (mpf(EPS[name]) / root**2 for root in roots)
        sizes = [s * k for s, k in zip(true["dx size"], kept, strict=True)]
        assert oracle.ulps(dx, true["dx"], sizes) <= SLOPE
    else:
        assert oracle.ulps(dx, true["dx"]) <= SLOPE


@every_layer
def test_only_its_own_lane_becomes_nan(name: str) -> None:
    x = np.random.default_rng(5).standard_normal((4, 4))
    x[2, 2] = np.nan
    y = call(name, x, np.ones(4), np.zeros(4))
    dx = call(name, x, np.ones(4), np.zeros(4), x[::-1].copy())[0]
    lane = np.zeros((4, 4), bool)
    lane[(slice(None), 2) if name == "batch_norm" else 2] = True
    assert np.isnan(y[lane]).all()
    assert np.isfinite(y[~lane]).all()
    assert np.isnan(dx[lane]).all()


@every_layer
def test_a_lane_does_not_see_its_neighbours(name: str, dtype: type) -> None:
    """To the last bit, alone and beside lanes that have to be scaled: huge, tiny, zero, constant."""
    rng = np.random.default_rng(11)
    sizes = 10.0 ** rng.choice([0.0, -2.0, 3.0, 300.0, -310.0, 40.0], 60)
    with np.errstate(all="ignore"):
        x, v = (sizes[:, None] * rng.standard_normal((2, 60, 9))).astype(dtype)
    x[::7], v[::11], x[::13] = 0, 0, 3
    x, v = (np.nan_to_num(a) for a in (x, v))
    one, zero = np.ones(9, dtype), np.zeros(9, dtype)
    if name == "batch_norm":
        one, zero, x, v = np.ones(60, dtype), np.zeros(60, dtype), x.T, v.T
    y, dx = call(name, x, one, zero), call(name, x, one, zero, v)[0]
    for k in range(60):
        lane = (slice(None), [k]) if name == "batch_norm" else [k]
        few = (one[[k]], zero[[k]]) if name == "batch_norm" else (one, zero)
        np.testing.assert_array_equal(call(name, x[lane], *few), y[lane])
        np.testing.assert_array_equal(call(name, x[lane], *few, v[lane])[0], dx[lane])


@every_layer
@pytest.mark.parametrize("eps", [0.0, 1e-5, 1e300])
def test_scale_without_eps(name: str, eps: float) -> None:
    """With ε = 0 the scale of x does not matter, down to the subnormals; a huge ε gives zero."""
    x = np.random.default_rng(6).integers(-9, 9, (5, 6)).astype(float)
    arguments = (np.ones(6),) if name == "rms_norm" else (np.ones(6), np.zeros(6))
    function = getattr(reference, name)
    y = function(x, *arguments, eps=eps)
    for power in (-1070, 900):
        scaled = function(np.ldexp(x, power), *arguments, eps=eps)
        if eps == 0:
            np.testing.assert_array_equal(scaled, y)
        assert np.isfinite(scaled).all()


@pytest.mark.parametrize("function", [reference.layer_norm, reference.batch_norm])
def test_a_large_offset_costs_no_digits(function) -> None:
    """(x − mean)² of 1e9 + 0, 1, 2 …: naive float64 is left with seven digits or none."""
    x = np.arange(8.0).reshape(4, 2)
    one, zero = np.ones(2), np.zeros(2)
    np.testing.assert_allclose(function(x + 2.0**40, one, zero), function(x, one, zero), rtol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)), np.ones(2), np.ones(3)), "gamma must have the shape"),
        ((np.ones((2, 3)), np.ones(3), np.ones(2)), "beta must have the shape"),
        ((np.ones((2, 0)), np.ones(0), np.ones(0)), "entries to normalize"),
        ((np.ones((2, 3)), np.ones(3), np.ones(3), -1.0), "eps must be"),
        ((np.ones((2, 3)), np.ones(3), np.ones(3), np.nan), "eps must be"),
    ],
)
def test_errors_name_the_argument(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference.layer_norm(*arguments)


def test_a_batch_needs_samples() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        reference.batch_norm(np.ones((0, 3)), np.ones(3), np.ones(3))
