"""What `curvature` says of a point: values of simple functions, where there is none, and how it is asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import Estimate, Interval, curvature


def holds(e: Estimate, truth: Any, within: float = 1e-6) -> bool:
    """Whether the radius contains the error, and is small enough to say something."""
    error, radius = np.abs(np.asarray(e.value) - truth), np.asarray(e.radius)
    return bool(np.all(error <= radius) and np.all(radius <= within * np.max(np.abs(truth))))


# -- where there is no second derivative -----------------------------------------------------------


def _relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("at", [0.0, 1.0, -1000.0])
@pytest.mark.parametrize("f", [np.abs, _relu, lambda u: np.where(u > 0, u, 0.125 * u)])
def test_at_a_kink_there_is_none(f: Callable[[Any], Any], at: float) -> None:
    e = curvature(lambda x: f(x - at) + np.sin(x), at)
    assert e.reason == "kink"
    assert math.isinf(e.radius)
    assert e.interval is None


@pytest.mark.parametrize("at", [0.0, 1.0, -64.0])
@pytest.mark.parametrize(
    ("f", "ends"),
    [
        (lambda u: u * abs(u), (-2.0, 2.0)),
        (lambda u: _relu(u) ** 2, (0.0, 2.0)),
        (lambda u: np.exp(u) + _relu(u) ** 2, (1.0, 3.0)),
        (lambda u: np.where(u < 0, 0.5 * u * u, np.expm1(u) - u), None),  # no kink: both are 1
        (lambda u: np.where(u > 0, u, np.expm1(u)), (0.0, 1.0)),  # ELU
    ],
)
def test_a_kink_of_the_slope_is_an_interval(
    f: Callable[[Any], Any], ends: tuple[float, float] | None, at: float
) -> None:
    e = curvature(lambda x: f(x - at), at)
    if ends is None:
        assert e.interval is None
        assert abs(e.value - 1.0) <= e.radius <= 1e-3
        return
    assert e.reason == "kink"
    assert e.interval == pytest.approx(ends, abs=1e-3)
    assert e.interval[0] <= ends[0] < ends[1] <= e.interval[1]
    assert e.value - e.radius <= ends[0] < ends[1] <= e.value + e.radius


@pytest.mark.parametrize("power", [0.5, 0.9, 1.25, 1.5, 1.75, 1.9])
@pytest.mark.parametrize("at", [0.0, 2.0])
def test_no_radius_where_the_slope_is_vertical(power: float, at: float) -> None:
    """|x|^p has no second derivative at 0, on neither side."""

    def f(x: float) -> float:
        return abs(x - at) ** power

    assert math.isinf(curvature(f, at).radius)
    assert math.isinf(curvature(lambda x: f(x) if x >= at else math.nan, at).radius)


@pytest.mark.parametrize(
    ("f", "x", "reason"),
    [(math.sqrt, 0.0, "domain"), (math.acosh, 1.0, "domain"), (math.cbrt, 0.0, "cusp")],
)
def test_no_radius_where_the_function_is_vertical(
    f: Callable[[Any], Any], x: float, reason: str
) -> None:
    e = curvature(f, x)
    assert (e.reason, e.radius) == (reason, math.inf)


@pytest.mark.parametrize(("power", "truth"), [(2.0, 2.0), (3.0, 0.0)])
def test_one_sided_from_zero(power: float, truth: float) -> None:
    e = curvature(lambda x: (x - 2.0) ** power if x >= 2.0 else math.nan, 2.0)
    assert e.reason == "one-sided"
    assert abs(e.value - truth) <= e.radius <= 1e-6


@pytest.mark.parametrize("f", [lambda u: abs(u) ** 3, lambda u: u**3, lambda u: u**4])
def test_flat_points(f: Callable[[Any], Any]) -> None:
    for at in (0.0, 1.0):
        e = curvature(lambda x, at=at: f(x - at), at)
        assert abs(e.value) <= e.radius <= 1e-3


@pytest.mark.parametrize("f", [lambda u: float(u > 0), lambda u: float(u >= 0), np.sign])
def test_jumps(f: Callable[[Any], Any]) -> None:
    for x in (0.0, 1.0):
        e = curvature(lambda t, x=x: f(t - x) + 0.5 * t, x)
        assert (e.reason, e.radius) == ("jump", math.inf)


def test_nothing_around_x() -> None:
    e = curvature(lambda t: 1.0 if t == 2.0 else math.nan, 2.0)
    assert (e.reason, e.radius) == ("domain", math.inf)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("x", [0.0, 2.0])
def test_one_sided(side: float, x: float) -> None:
    e = curvature(lambda t: math.exp(t) if (t - x) * side >= 0 else math.nan, x)
    assert e.reason == "one-sided"
    assert abs(e.value - math.exp(x)) <= e.radius <= 1e-2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_f_not_finite_at_x_tells_nothing(bad: float) -> None:
    assert math.isinf(curvature(lambda t: bad if t == 1.0 else t, 1.0).radius)


# -- constants, lines and parabolas ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("c", "x"), [(0.0, 0.0), (0.0, 1.0), (3.0, 0.0), (3.0, 1.0), (3.0, 1e-100), (-1e300, 1.0)]
)
def test_constants(c: float, x: float) -> None:
    e = curvature(lambda _: c, x)
    assert (e.reason, e.value) == ("constant", 0.0)
    assert e.radius <= 1e-14 * abs(c) / (x * x or 1.0)


@pytest.mark.parametrize(("slope", "offset"), [(3.0, 0.0), (-2.5, 1.0), (1e-8, 1e8), (1e200, 0.0)])
@pytest.mark.parametrize("x", [1.0, -1e-6, 3e5])
def test_lines(slope: float, offset: float, x: float) -> None:
    e = curvature(lambda t: slope * float(t) + offset, x)
    size = abs(slope * x) + abs(offset)
    assert abs(e.value) <= e.radius <= 1e-12 * size / (x * x)
    assert e.evaluations <= 27


@pytest.mark.parametrize(("a", "b", "c"), [(1.0, 0.0, 0.0), (0.5, -3.0, 2.0), (1e-3, 1e3, 1.0)])
def test_parabolas(a: float, b: float, c: float) -> None:
    e = curvature(lambda t: (a * t + b) * t + c, 1.5)
    assert abs(e.value - 2 * a) <= e.radius <= 1e-8 * (abs(a) + abs(b) + abs(c))


def test_a_plateau() -> None:
    e = curvature(_relu, -1.0)
    assert abs(e.value) <= e.radius <= 1e-12


# -- conventions shared with `differentiate` -------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "bend", "x", "low", "high"),
    [
        (np.log, lambda x: -1 / x**2, 1e-9, 0.0, math.inf),
        (np.log, lambda x: -1 / x**2, 3.0, 0.0, math.inf),
        (np.sqrt, lambda x: -0.25 * x**-1.5, 1e-5, 0.0, math.inf),
        (np.arcsin, lambda x: x / ((1 - x) * (1 + x)) ** 1.5, 1 - 1e-4, -1.0, 1.0),
        (np.exp, math.exp, 1.0, 1.0 - 1e-3, 1.0 + 1e-2),
    ],
)
def test_the_domain_is_never_left(
    f: Callable[[Any], Any], bend: Callable[[float], float], x: float, low: float, high: float
) -> None:
    seen: list[float] = []

    def spied(t: float) -> Any:
        seen.append(float(t))
        return f(t)

    e = curvature(spied, x, domain=Interval(low, high))
    assert [t for t in seen if not low < t < high] == []
    assert len(seen) == e.evaluations
    assert abs(e.value - bend(x)) <= e.radius <= 1e-3 * abs(bend(x))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (0,)])
def test_vector_functions(judging: ModuleType, shape: tuple[int, ...]) -> None:
    """Values and radii have f's shape and come from one set of evaluations."""
    rates = np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape)
    e = judging.counted(curvature, lambda t: np.sin(rates * t), 0.5)
    assert e.value.shape == e.radius.shape == shape
    assert e.evaluations <= 40
    if rates.size:
        assert holds(e, -(rates**2) * np.sin(rates * 0.5))


def test_directions_are_quadratic() -> None:
    x = np.array([0.3, 0.7])
    g = math.exp(0.7)
    H = np.array([[2 * g, 0.6 * g], [0.6 * g, 0.09 * g]])
    for d in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([3.0, -5.0])):
        e = curvature(lambda a: a[0] ** 2 * np.exp(a[1]), x, d)
        assert isinstance(e.value, float)
        assert holds(e, d @ H @ d)


def test_float32_is_raised_where_f_goes_along() -> None:
    x, d = np.array([0.5, 1.5], dtype=np.float32), np.array([1.0, -1.0])
    e = curvature(lambda a: np.sin(a).sum(), x, d)
    assert holds(e, -math.sin(0.5) - math.sin(1.5))
    assert 0 < e.native_error < 1e-6


def test_float32_inside() -> None:
    e = curvature(lambda t: float(np.exp(np.float32(t))), 0.5)
    assert abs(e.value - math.exp(0.5)) <= e.radius <= 0.1
    assert e.reason == "noise"


@pytest.mark.parametrize("x", [2, np.int64(2), [2.0], 2.0, np.array(2.0), np.float32(2)])
def test_ways_to_give_x(x: Any) -> None:
    direction = [1.0] if isinstance(x, list) else None
    e = curvature(lambda t: np.sum(np.asarray(t, dtype=float) ** 3), x, direction)
    assert abs(e.value - 12.0) <= e.radius <= 0.5


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "smooth": lambda u: np.exp(np.sin(3.0 * u)),
    "rational": lambda u: 1.0 / (1.0 + u * u),
    "line": lambda u: 3.0 * u - 1.0,
    "kink": lambda u: abs(u - 0.75) + u * u,
    "kink of slope": lambda u: np.maximum(u - 0.75, 0.0) ** 2 + u,
    "near a kink": lambda u: abs(u - 0.7421875) + u * u,
    "wave": lambda u: np.sin(1000.0 * u),
}


@given(st.sampled_from(sorted(_SHAPES)), st.integers(-150, 150), st.integers(-150, 150))
def test_powers_of_two_change_nothing_else(shape: str, a: int, b: int) -> None:
    """f(x·2^b)·2^a at x·2^−b has the second derivative times 2^(a+2b), to the last bit."""
    f = _SHAPES[shape]
    plain = curvature(f, 0.75)
    scaled = curvature(lambda t: f(t * 2.0**b) * 2.0**a, 0.75 * 2.0**-b)
    np.testing.assert_array_equal(scaled.value, math.ldexp(plain.value, a + 2 * b))  # NaN too
    assert scaled.radius == math.ldexp(plain.radius, a + 2 * b)
    assert (scaled.reason, scaled.evaluations) == (plain.reason, plain.evaluations)


@given(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3))
def test_reflection(x: float) -> None:
    """f(−x) at −x has the same second derivative and the same radius."""
    f = _SHAPES["smooth"]
    plain, mirrored = curvature(f, x), curvature(lambda t: f(-t), -x)
    assert (mirrored.value, mirrored.radius) == (plain.value, plain.radius)


def test_rtol_buys_evaluations() -> None:
    coarse = curvature(lambda x: np.sin(3 * x), 1.0, rtol=1e-4)
    fine = curvature(lambda x: np.sin(3 * x), 1.0, rtol=1e-11)
    truth = -9 * math.sin(3)
    assert coarse.evaluations < fine.evaluations
    assert abs(fine.value - truth) <= fine.radius < coarse.radius
    assert abs(coarse.value - truth) <= coarse.radius


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3.0, 1.0), TypeError, "f must be callable, got float"),
        ((np.sin, math.nan), ValueError, r"x must be finite.*nan"),
        ((np.sum, [1.0, 2.0]), ValueError, "direction"),
        ((np.sum, [1.0, 2.0], [1.0]), ValueError, r"shape \(1,\).*shape \(2,\)"),
        ((np.sum, [1.0, 2.0], [0.0, 0.0]), ValueError, "direction is zero"),
        ((np.sin, 1j), TypeError, "x must hold real numbers"),
        ((lambda _: "one", 1.0), TypeError, "f must return real numbers"),
    ],
)
def test_bad_arguments(arguments: tuple[Any, ...], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        curvature(*arguments)


@pytest.mark.parametrize("rtol", [0.0, -1e-6, math.nan])
def test_bad_rtol(rtol: float) -> None:
    with pytest.raises(ValueError, match="rtol must be positive"):
        curvature(np.sin, 1.0, rtol=rtol)


def test_a_point_outside_the_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not lie in"):
        curvature(np.log, -1.0, domain=Interval(0.0))
