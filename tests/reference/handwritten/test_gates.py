"""SiLU, GELU (both forms) and Mish against the truth to hundreds of digits, over the whole range."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from reference import gates

NAMES = ("silu", "gelu", "gelu_tanh", "mish")
# Ulps of the value, and ulps of the two terms of the derivative, which cancel at its zero.  The worst
# found by search (SiLU and Mish: 1e8 points; GELU: 1e6; by tanh: 6e6): 2.22, 4.11, 3.88, 4.35 and
# 3.48, 3.88, 5.02, 5.35.
VALUES = {"silu": 3.0, "gelu": 5.0, "gelu_tanh": 5.0, "mish": 5.0}
SLOPES = {"silu": 4.0, "gelu": 5.0, "gelu_tanh": 6.0, "mish": 7.0}
# Zeros of the derivatives, and where exponentials meet the ends of the range.
NEAR = (
    1.2785,
    0.7518,
    1.1925,
    8.3,
    21.4,
    25.0,
    37.5,
    38.6,
    40.0,
    650.0,
    680.0,
    709.8,
    745.1,
    752.0,
)

every_gate = pytest.mark.parametrize("name", NAMES)


def gate(name: str, x: Any) -> tuple[Any, Any]:
    """Return the textbook's gate(x) and gate'(x)."""
    if name == "gelu":
        return (1 + mp.erf(x / mp.sqrt(2))) / 2, mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi)
    if name == "gelu_tanh":
        b, a = mpf("0.044715"), mp.sqrt(2 / mp.pi)
        w = mp.tanh(a * (x + b * x**3))
        return (1 + w) / 2, (1 - w**2) / 2 * a * (1 + 3 * b * x**2)
    s = 1 / (1 + mp.exp(-x))
    if name == "silu":
        return s, s * (1 - s)
    w = mp.tanh(mp.log(1 + mp.exp(x)))
    return w, (1 - w**2) * s


def truths(name: str, numbers: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return values, slopes, and the sizes of what cancels in the slopes."""
    values, slopes, sizes = [], [], []
    for x in numbers:
        if abs(x) > 800:  # the limit is reached to more digits than any float has
            opened = mpf(int(x > 0))
            g, slope = opened, mpf(0)
        else:
            g, slope = gate(name, x)
        values.append(x * g)
        slopes.append(g + x * slope)
        sizes.append(g + abs(x * slope))
    return values, slopes, sizes


@every_gate
def test_accuracy(oracle: ModuleType, name: str, dtype: type, effort, numbers, bound) -> None:
    rng, points = effort
    x = numbers(rng, dtype, points, NEAR)
    values, slopes, sizes = truths(name, oracle.exact(x))
    assert oracle.ulps(getattr(gates, name)(x), values) <= bound(VALUES[name], dtype)
    assert oracle.ulps(getattr(gates, f"{name}_grad")(x), slopes, sizes) <= bound(
        SLOPES[name], dtype
    )


@every_gate
@pytest.mark.parametrize("suffix", ["", "_grad"])
def test_range(name: str, suffix: str, dtype: type, numbers, strictly) -> None:
    function = getattr(gates, name + suffix)
    x = numbers(np.random.default_rng(3), dtype, 400, NEAR)
    y = strictly(function, x)
    assert y.dtype == dtype
    assert np.isfinite(y).all()
    up, down, unknown = strictly(function, np.array([np.inf, -np.inf, np.nan], dtype))
    assert up == (1 if suffix else np.inf)
    assert down == 0
    assert np.isnan(unknown)


@every_gate
@pytest.mark.parametrize("suffix", ["", "_grad"])
def test_neighbours_do_not_change_a_bit(name: str, suffix: str, dtype: type) -> None:
    """Entries alone, and among others in two blocks that have to be mended far away."""
    function, rng = getattr(gates, name + suffix), np.random.default_rng(4)
    x = rng.standard_normal(150_000) * rng.choice([0.1, 3.0, 30.0], 150_000)
    with np.errstate(all="ignore"):
        x[::977] = rng.choice([np.nan, np.inf, -np.inf, 705.0, -720.0, 101.0], len(x[::977]))
        x = x.astype(dtype)
    batch = function(x)
    for k in (*rng.integers(0, len(x), 40), *range(0, len(x), 9770)):
        np.testing.assert_array_equal(function(x[k : k + 1]), batch[k : k + 1])
    np.testing.assert_array_equal(function(x[::-1])[::-1], batch)


@every_gate
def test_symmetry(name: str) -> None:
    """f(x) − f(−x) is x and f'(x) + f'(−x) is 1 where the gate is g(x) = 1 − g(−x): not in Mish."""
    x = np.linspace(-9, 9, 37)
    f, slope = getattr(gates, name), getattr(gates, f"{name}_grad")
    odd = np.allclose(f(x) - f(-x), x, rtol=1e-14, atol=1e-15)
    even = np.allclose(slope(x) + slope(-x), 1, rtol=1e-14)
    assert odd == even == (name != "mish")


def test_the_far_tail_of_gelu_is_not_lost(oracle: ModuleType) -> None:
    """½x(1+erf(x/√2)) is −0 from −8.3 down; the function goes on to −38."""
    x = np.linspace(-38.0, -8.3, 100)
    values, _, _ = truths("gelu", oracle.exact(x))
    assert oracle.ulps(gates.gelu(x), values) <= 5
    assert (gates.gelu(x) < 0).all()
