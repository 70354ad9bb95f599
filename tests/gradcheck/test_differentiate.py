"""The contract of `differentiate`: where it evaluates, what it accepts, what it says at kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import (
    Interval,
    Outcome,
    Reason,
    check,
    curvature,
    differentiate,
    hessian_vector,
    jacobian,
)
from gradcheck._case.domain import Simplex

Floats = npt.NDArray[np.float64]


def holds(estimate: Any, truth: Any) -> bool:
    """Whether the radius contains the error, and is small enough to say something."""
    error = np.abs(np.asarray(estimate.value) - truth)
    radius = np.asarray(estimate.radius)
    return bool(
        np.all(error <= radius) and np.all(radius <= 1e-6 * np.maximum(np.abs(truth), 1e-9))
    )


# -- where f is evaluated ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "slope", "x", "low", "high"),
    [
        (np.log, lambda x: 1 / x, 1e-9, 0.0, math.inf),
        (np.log, lambda x: 1 / x, 3.0, 0.0, math.inf),
        (lambda x: np.sqrt(-x), lambda x: -0.5 / math.sqrt(-x), -1e-5, -math.inf, 0.0),
        (np.arcsin, lambda x: 1 / math.sqrt((1 - x) * (1 + x)), 1 - 1e-4, -1.0, 1.0),
        (np.arcsin, lambda x: 1 / math.sqrt((1 - x) * (1 + x)), -1 + 1e-4, -1.0, 1.0),
        (np.arcsin, lambda x: 1 / math.sqrt((1 - x) * (1 + x)), 0.0, -1.0, 1.0),
        (np.exp, math.exp, 1.0, 1.0 - 1e-7, 1.0 + 1e-3),
        (np.exp, math.exp, 1.0, 1.0 - 1e-3, 1.0 + 1e-7),
    ],
)
def test_the_domain_is_never_left(
    f: Callable[[Any], Any], slope: Callable[[float], float], x: float, low: float, high: float
) -> None:
    seen: list[float] = []

    def spied(t: float) -> Any:
        seen.append(float(t))
        return f(t)

    e = differentiate(spied, x, domain=Interval(low, high))
    outside = [t for t in seen if not low < t < high]
    assert outside == []
    assert len(seen) == e.evaluations
    assert abs(e.value - slope(x)) <= e.radius <= 1e-5 * abs(slope(x))


def test_the_simplex_is_never_left() -> None:
    p = np.array([1e-6, 0.2, 0.8 - 1e-6])
    d = np.array([1.0, -0.5, -0.5])
    seen: list[Floats] = []

    def entropy(q: Floats) -> float:
        seen.append(q)
        return float(-(q * np.log(q)).sum())

    e = differentiate(entropy, p, d, domain=Simplex())
    assert all(Simplex().contains(q) for q in seen)
    truth = float(-(d * (np.log(p) + 1)).sum())
    assert abs(e.value - truth) <= e.radius <= 1e-6 * abs(truth)


def test_a_point_outside_the_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not lie in"):
        differentiate(np.log, -1.0, domain=Interval(0.0))


def test_mutation_by_f_does_no_harm() -> None:
    x = np.array([0.5, -0.25, 2.0])
    d = np.array([1.0, 1.0, -1.0])
    seen: set[int] = set()
    kept: list[Any] = []

    def rude(a: Floats) -> float:
        y = float(np.sin(a).sum())
        assert id(a) not in seen
        seen.add(id(a))
        kept.append(a)  # keeps the identity from being reused
        a[:] = math.nan
        return y

    e = differentiate(rude, x, d)
    assert holds(e, float((np.cos(np.array([0.5, -0.25, 2.0])) * d).sum()))
    assert x.tolist() == [0.5, -0.25, 2.0]
    assert d.tolist() == [1.0, 1.0, -1.0]


def test_an_output_that_f_overwrites_later_does_no_harm() -> None:
    buffer = np.zeros(2)

    def reused(x: Any) -> Floats:
        np.multiply([1.0, 2.0], np.sin(x), out=buffer)
        return buffer

    e = differentiate(reused, 0.75)
    assert holds(e, np.array([1.0, 2.0]) * math.cos(0.75))


# -- f that fails on one side ----------------------------------------------------------------------


def _nan(_: Any) -> float:
    return math.nan


def _inf(_: Any) -> float:
    return math.inf


def _raise(_: Any) -> float:
    raise ArithmeticError("not here")


@pytest.mark.parametrize("beyond", [_nan, _inf, _raise])
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("x", [0.0, 2.0])
def test_one_sided(beyond: Callable[[Any], float], side: float, x: float) -> None:
    e = differentiate(lambda t: math.exp(t) if (t - x) * side >= 0 else beyond(t), x)
    assert e.reason == "one-sided"
    assert abs(e.value - math.exp(x)) <= e.radius <= 1e-4


@pytest.mark.parametrize("x", [0.0, 2.7])
@pytest.mark.parametrize(
    ("f", "slope", "radius"),
    [
        (math.expm1, 1.0, 1e-9),
        (lambda u: math.sin(3 * u), 3.0, 1e-8),
    ],
)
def test_one_sided_from_zero(
    f: Callable[[float], float], slope: float, radius: float, x: float
) -> None:
    """Where f(x) is zero it has no rounding to judge that of its neighbours by."""
    e = differentiate(lambda t: f(t - x) if t >= x else math.nan, x)
    assert e.reason == "one-sided"
    assert abs(e.value - slope) <= e.radius <= radius


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (math.sqrt, 0.0),
        (math.acosh, 1.0),
        (np.arccos, 1.0),
        (np.arcsin, -1.0),
        (lambda x: x * math.log(x) + 5.0 if x else 5.0, 0.0),
    ],
)
def test_an_infinite_derivative_at_the_edge_of_the_domain(
    f: Callable[[Any], Any], x: float
) -> None:
    e = differentiate(f, x)
    assert (e.reason, e.radius) == ("domain", math.inf)
    assert math.isnan(e.value)
    assert jacobian(f, x).reason == "domain"
    report = check(f, x, grad=lambda _: 5.0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DOMAIN)


@pytest.mark.parametrize("beyond", [_nan, _inf, _raise])
def test_nothing_around_x(beyond: Callable[[Any], float]) -> None:
    e = differentiate(lambda t: 1.0 if t == 2.0 else beyond(t), 2.0)
    assert e.reason == "domain"
    assert math.isinf(e.radius)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_f_not_finite_at_x_tells_nothing(bad: float) -> None:
    e = differentiate(lambda t: bad if t == 1.0 else t, 1.0)
    assert math.isinf(e.radius)


def test_an_exception_at_x_propagates() -> None:
    with pytest.raises(ArithmeticError, match="not here"):
        differentiate(_raise, 1.0)


def test_an_interrupt_at_a_probe_propagates() -> None:
    def interrupted(t: float) -> float:
        if t != 1.0:
            raise KeyboardInterrupt
        return t

    with pytest.raises(KeyboardInterrupt):
        differentiate(interrupted, 1.0)


def test_a_shape_that_changes_is_a_missing_value() -> None:
    e = differentiate(lambda t: np.array([t, t]) if t <= 1.0 else np.array([t]), 1.0)
    assert e.value.shape == e.radius.shape == (2,)
    assert np.all(np.abs(e.value - 1.0) <= e.radius)


# -- extreme and ordinary arguments ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "truth"),
    [
        (np.sin, 0.0, 1.0),
        (np.exp, 0.0, 1.0),
        (lambda x: 3.0 * x, 1e-300, 3.0),
        (lambda x: x * 1e-200 + 1.0, 1e300, 1e-200),
        (np.sqrt, 1e300, 0.5e-150),
        (np.log, 1e-300, 1e300),
        (np.log, 1e300, 1e-300),
        (np.sqrt, 1e-300, 0.5e150),
        (lambda x: 2.0 * x, 5e-324, 2.0),
        (lambda x: 0.5 * x, 1.7e308, 0.5),
    ],
)
def test_extreme_points(f: Callable[[Any], Any], x: float, truth: float) -> None:
    e = differentiate(f, x)
    assert abs(e.value - truth) <= e.radius
    assert e.radius <= 1e-6 * truth


def test_float32_array() -> None:
    x = np.array([0.5, 1.5], dtype=np.float32)
    dtypes: set[Any] = set()

    def f(a: Any) -> Any:
        dtypes.add(a.dtype)
        return np.sin(a).sum()

    e = differentiate(f, x, np.array([1.0, -1.0]))
    truth = math.cos(0.5) - math.cos(1.5)
    assert dtypes == {np.dtype(np.float32), np.dtype(np.float64)}
    assert abs(e.value - truth) <= e.radius <= 1e-10 * truth


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=2))
def test_a_direction_keeps_its_digits_where_x_is_coarse(
    dtype: type[np.floating[Any]], direction: list[float]
) -> None:
    x, d = np.array([0.75, -1.5], dtype), np.array(direction)
    gradient = np.array([0.75 * 2 * 1.5**2, -1.5 * 2 * 0.75**2])
    truth = gradient @ d

    def f(x: Any) -> Any:
        return x[0] ** 2 * x[1] ** 2

    e = differentiate(f, x, d)
    assert abs(e.value - truth) <= e.radius <= 1e-9 * np.abs(gradient) @ d
    coarse = differentiate(lambda x: dtype(f(x)), x, d)  # it stays in x's precision
    assert abs(coarse.value - truth) <= coarse.radius


def test_a_direction_that_the_dtype_of_x_does_not_hold() -> None:
    x = np.array([1.0, 2.0], np.float16)
    with pytest.raises(ValueError, match="direction is too large for x's dtype float16"):
        differentiate(np.sum, x, np.array([1e6, 1.0]))
    with pytest.raises(ValueError, match="direction is zero"):
        differentiate(np.sum, x, np.array([1e-12, 0.0]))


def test_float64_array() -> None:
    x = np.linspace(-2.0, 1.0, 12).reshape(3, 4)
    d = np.where(np.arange(12).reshape(3, 4) % 2 == 0, 1.0, -1.0)
    e = differentiate(lambda a: np.tanh(a).sum(), x, d)
    assert isinstance(e.value, float)
    assert isinstance(e.radius, float)
    assert holds(e, float((d / np.cosh(x) ** 2).sum()))


def test_directions_are_linear() -> None:
    x = np.array([0.3, 0.7])
    for d in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([3.0, -5.0])):
        e = differentiate(lambda a: a[0] ** 2 * np.exp(a[1]), x, d)
        gradient = np.array([2 * 0.3 * math.exp(0.7), 0.09 * math.exp(0.7)])
        assert holds(e, float(gradient @ d))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (0,)])
def test_vector_functions(shape: tuple[int, ...]) -> None:
    """Values and radii have f's shape and come from one set of evaluations."""
    rates = np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape)
    calls = 0

    def f(t: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.sin(rates * t)

    e = differentiate(f, 0.5)
    assert e.value.shape == e.radius.shape == shape
    assert e.evaluations == calls <= 60
    assert holds(e, rates * np.cos(rates * 0.5))


def test_components_of_different_size_have_their_own_radii() -> None:
    e = differentiate(lambda t: np.array([1e12 * np.exp(t), np.exp(t), 1e-12 * np.exp(t)]), 1.0)
    assert holds(e, math.e * np.array([1e12, 1.0, 1e-12]))


@pytest.mark.parametrize("x", [2, np.int64(2), True, [2.0], (2.0,), [2], 2.0, np.float32(2)])
def test_ways_to_give_x(x: Any) -> None:
    point = np.asarray(x, dtype=float)
    direction = np.ones_like(point) if point.ndim else None
    e = differentiate(lambda t: np.sum(np.asarray(t, dtype=float) ** 2), x, direction)
    truth = float(2 * point.sum())
    assert abs(e.value - truth) <= e.radius <= 1e-4


# -- kinks, jumps, constants -----------------------------------------------------------------------


def _relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


def _leaky(x: Any) -> Any:
    return np.where(x > 0, x, 0.125 * x)


@pytest.mark.parametrize("at", [0.0, 1.0, -1000.0])
@pytest.mark.parametrize(
    ("f", "slopes"), [(np.abs, (-1.0, 1.0)), (_relu, (0.0, 1.0)), (_leaky, (0.125, 1.0))]
)
def test_kinks(f: Callable[[Any], Any], slopes: tuple[float, float], at: float) -> None:
    e = differentiate(lambda x: f(x - at), at)
    assert e.reason == "kink"
    assert e.interval is not None
    assert e.interval[0] <= slopes[0] < slopes[1] <= e.interval[1]
    assert e.interval == pytest.approx(slopes, abs=1e-6)
    assert e.value - e.radius <= slopes[0] < slopes[1] <= e.value + e.radius


@pytest.mark.parametrize("at", [0.0, 1.0])
@pytest.mark.parametrize(
    "f", [lambda u: u**3, lambda u: u**4, lambda u: u * abs(u), lambda u: u * u]
)
def test_smooth_minima_are_not_kinks(f: Callable[[Any], Any], at: float) -> None:
    e = differentiate(lambda x: f(x - at), at)
    assert e.reason != "kink"
    assert e.interval is None
    assert abs(e.value) <= e.radius <= 1e-6


@pytest.mark.parametrize("x", [0.0, 1.0])
@pytest.mark.parametrize("f", [lambda u: float(u > 0), lambda u: float(u >= 0), np.sign])
def test_jumps(f: Callable[[Any], Any], x: float) -> None:
    e = differentiate(lambda t: f(t - x) + 0.5 * t, x)
    assert e.reason == "jump"
    assert math.isinf(e.radius)


def _odd_power(u: Any, p: float) -> Any:
    return math.copysign(abs(u) ** p, u)


@pytest.mark.parametrize("x", [0.0, 1.0])
@pytest.mark.parametrize(
    "f",
    [
        math.cbrt,
        lambda u: math.cbrt(u) + math.exp(u),
        lambda u: _odd_power(u, 0.2),
        lambda u: u * math.log(abs(u)) + 3.0 if u else 3.0,
        lambda u: abs(u) * math.log(abs(u)) if u else 0.0,
        lambda u: abs(u) ** 0.5,
        lambda u: abs(u) ** 0.99,
        lambda u: u + 0.01 * abs(u) ** 0.9,  # of a complex step u alone has an imaginary part
        lambda u: math.sqrt(u) if u >= 0 else u,
        lambda u: np.cbrt(np.float32(u)),
    ],
)
def test_cusps(f: Callable[[Any], Any], x: float) -> None:
    """Slopes that grow without bound have a few digits in common wherever one looks."""
    e = differentiate(lambda t: f(t - x), x)
    assert (e.reason, e.radius) == ("cusp", math.inf)
    assert math.isnan(e.value)


def test_cusps_in_single_precision_arithmetic() -> None:
    """There is room for a dozen steps between an argument of one and its rounding."""
    one = np.float32(1)
    for f in (np.cbrt, lambda u: np.abs(u) ** np.float32(0.9)):
        assert differentiate(lambda t, f=f: f(np.float32(t) - one), one).reason == "cusp"
    # where the derivative is of use there is no need to look at each of the steps
    assert differentiate(lambda t: np.sin(100 * np.float32(t)), one).evaluations <= 36


@pytest.mark.parametrize("claim", [538806.0, 33.0, 0.0])
def test_a_claim_at_a_cusp_is_neither_right_nor_wrong(claim: float) -> None:
    assert check(math.cbrt, 0.0, grad=lambda _: claim).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("f", "x", "slope", "radius"),
    [
        (math.sqrt, 1e-12, 0.5e6, 1e-6),
        (lambda x: math.cbrt(x - 1.0), 1.0 + 2.0**-21, 2.0**14 / 3, 0.1),
        (lambda x: math.cbrt(x - 1.0), 1.0 + 2.0**-39, 2.0**26 / 3, 2.0**20),
        # math.log returns floats, whatever it is given: there are differences alone
        (lambda x: x * math.log(x * x + 1e-20), 0.0, math.log(1e-20), 1.0),
        (lambda x: x * abs(x), 0.0, 0.0, 1e-15),
        (lambda x: abs(x) ** 1.5, 0.0, 0.0, 1e-15),
        (lambda x: math.cbrt(x) ** 5, 0.0, 0.0, 1e-9),
    ],
)
def test_derivatives_that_look_like_cusps(
    f: Callable[[Any], Any], x: float, slope: float, radius: float
) -> None:
    e = differentiate(f, x)
    assert abs(e.value - slope) <= e.radius <= radius


@pytest.mark.parametrize(
    ("c", "x"),
    [(0.0, 0.0), (0.0, 1.0), (3.0, 0.0), (3.0, 1.0), (3.0, 1e-200), (-1e300, 1.0), (5e-324, 1.0)],
)
def test_constants(c: float, x: float) -> None:
    e = differentiate(lambda _: c, x)
    assert e.reason == "constant"
    assert e.value == 0.0
    assert 0.0 <= e.radius < math.inf


# -- scales ----------------------------------------------------------------------------------------

_SHAPES: dict[str, Callable[[Any], Any]] = {
    "smooth": lambda u: np.exp(np.sin(3.0 * u)),
    "rational": lambda u: 1.0 / (1.0 + u * u),
    "kink": lambda u: abs(u - 0.75) + u * u,
    "near a kink": lambda u: abs(u - 0.7421875) + u * u,
    "wave": lambda u: np.sin(1000.0 * u),
}


@given(st.sampled_from(sorted(_SHAPES)), st.integers(-200, 200), st.integers(-200, 200))
def test_powers_of_two_change_nothing_else(shape: str, a: int, b: int) -> None:
    """f(x·2^b)·2^a at x·2^−b has the derivative times 2^(a+b), to the last bit."""
    f = _SHAPES[shape]
    plain = differentiate(f, 0.75)
    scaled = differentiate(lambda t: f(t * 2.0**b) * 2.0**a, 0.75 * 2.0**-b)
    assert scaled.value == math.ldexp(plain.value, a + b)
    assert scaled.radius == math.ldexp(plain.radius, a + b)
    assert (scaled.reason, scaled.evaluations) == (plain.reason, plain.evaluations)
    assert scaled.step == math.ldexp(plain.step, -b)


@given(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3))
def test_reflection(x: float) -> None:
    """f(−x) at −x has the opposite derivative and the same radius."""
    f = _SHAPES["smooth"]
    plain, mirrored = differentiate(f, x), differentiate(lambda t: f(-t), -x)
    assert (mirrored.value, mirrored.radius) == (-plain.value, plain.radius)


def test_rtol_buys_evaluations() -> None:
    coarse = differentiate(lambda x: np.sin(30 * x), 1.0, rtol=1e-3)
    fine = differentiate(lambda x: np.sin(30 * x), 1.0, rtol=1e-12)
    truth = 30 * math.cos(30)
    assert coarse.evaluations < fine.evaluations
    assert abs(coarse.value - truth) <= coarse.radius <= 1e-3 * abs(truth)
    assert abs(fine.value - truth) <= fine.radius < coarse.radius


# -- bad arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3.0, 1.0), TypeError, "f must be callable, got float"),
        ((None, 1.0), TypeError, "f must be callable, got NoneType"),
        ((np.sin, math.nan), ValueError, r"x must be finite.*nan"),
        ((np.sin, math.inf), ValueError, r"x must be finite.*inf"),
        ((np.sum, [1.0, math.nan], [1.0, 1.0]), ValueError, r"entry \[1\] is nan"),
        ((np.sum, [1.0, 2.0]), ValueError, "direction"),
        ((np.sum, [1.0, 2.0], [1.0]), ValueError, r"shape \(1,\).*shape \(2,\)"),
        ((np.sum, [1.0, 2.0], 1.0), ValueError, r"shape \(\).*shape \(2,\)"),
        ((np.sum, [1.0, 2.0], [0.0, 0.0]), ValueError, "direction is zero"),
        ((np.sum, [1.0, 2.0], [1.0, math.nan]), ValueError, "direction must be finite"),
        ((np.sum, [1.0], [1j]), TypeError, "direction must hold real numbers.*complex"),
        ((np.sin, 1j), TypeError, "x must hold real numbers.*complex"),
        ((np.sin, "1.0"), TypeError, "x must hold real numbers"),
        ((np.sin, None), TypeError, "x must hold real numbers"),
        ((np.sum, [[1.0], [1.0, 2.0]], [1.0]), (TypeError, ValueError), "x"),
        ((np.sum, np.array([]), np.array([])), ValueError, "x.*empty"),
        ((lambda _: "one", 1.0), TypeError, "f must return real numbers"),
        ((lambda _: None, 1.0), TypeError, "f must return real numbers"),
        ((lambda _: object(), 1.0), TypeError, "f must return real numbers"),
        ((lambda x: x + 1j, 1.0), TypeError, "f must return real numbers.*complex"),
        ((lambda _: [1.0, [2.0]], 1.0), (TypeError, ValueError), "f must return"),
        ((lambda x: {"y": x}, 1.0), TypeError, "f must return real numbers"),
    ],
)
def test_bad_arguments(arguments: tuple[Any, ...], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        differentiate(*arguments)


@pytest.mark.parametrize("rtol", [0.0, -1e-6, math.nan])
def test_bad_rtol(rtol: float) -> None:
    with pytest.raises(ValueError, match="rtol must be positive"):
        differentiate(np.sin, 1.0, rtol=rtol)


@pytest.mark.parametrize("rtol", ["a", None, True, 1j, [1e-3]])
@pytest.mark.parametrize(
    "estimate",
    [
        lambda rtol: differentiate(np.sin, 1.0, rtol=rtol),
        lambda rtol: curvature(np.sin, 1.0, rtol=rtol),
        lambda rtol: hessian_vector(np.sum, [1.0], [1.0], rtol=rtol),
    ],
    ids=["differentiate", "curvature", "hessian_vector"],
)
def test_a_tolerance_is_a_number(estimate: Callable[[Any], Any], rtol: Any) -> None:
    with pytest.raises(TypeError, match="rtol must be a positive number, got"):
        estimate(rtol)


def test_an_estimate_is_immutable() -> None:
    e = differentiate(np.sin, 1.0)
    with pytest.raises(AttributeError):
        e.value = 0.0  # type: ignore[misc]  # that is what the test is about
