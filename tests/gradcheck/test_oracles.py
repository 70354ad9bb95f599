"""Other oracles than differences: when they are asked, what they may not be fooled by, what they are worth."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from gradcheck import Interval, check, differentiate

CLOSE = 1e-13  # a goal that differences miss on these functions


def wavy(x: Any) -> Any:
    """Hard for differences: noise of 1e-8 beside slopes of 1, and waves too short for large steps."""
    return 1e8 + np.sin(300 * x)


WAVY = 300 * math.cos(300 * 0.7)


def test_complex_step_sees_through_an_offset() -> None:
    real_only = differentiate(lambda x: wavy(np.real(x)), 0.7)
    assert real_only.oracle == "differences"
    e = differentiate(wavy, 0.7)
    assert e.oracle == "complex step"
    assert abs(e.value - WAVY) <= e.radius <= 1e-11 * abs(WAVY) < real_only.radius


def test_sixty_digits_see_through_an_offset() -> None:
    """A function of plain arithmetic takes any kind of number; so does one of mpmath's."""
    seen: set[type] = set()

    def f(x: Any) -> Any:
        seen.add(type(x))
        if isinstance(x, complex):
            raise TypeError("no complex numbers")
        return 1e9 + 1 / (x - 0.999)

    e = differentiate(f, 1.0)
    assert seen == {float, complex, mpmath.mpf}
    assert e.oracle == "mpmath"
    truth = float(-1 / (1 - mpmath.mpf(0.999)) ** 2)
    assert abs(e.value - truth) <= e.radius <= 1e-14 * abs(truth)


def mean_of_poles(rows: int, seen: list[type]) -> Callable[[Any], Any]:
    """Return a function of one number that closes over so many others, and takes no complex one."""
    data = np.linspace(0.9989, 0.999, rows)

    def f(x: Any) -> Any:
        seen.append(type(x))
        if isinstance(x, complex):
            raise TypeError("no complex numbers")
        try:
            return 1e9 + np.sum(1 / (x - data)) / rows
        except Exception:  # noqa: BLE001 -- as careless functions do
            return 0.0

    return f


@pytest.mark.parametrize(("rows", "bearable"), [(300, True), (100_000, False)])
def test_sixty_digits_are_left_alone_where_f_closes_over_much(rows: int, bearable: bool) -> None:
    """An evaluation would take a second, and there may be a hundred of them in a check."""
    seen: list[type] = []
    e = differentiate(mean_of_poles(rows, seen), 1.0)
    assert (e.oracle == "mpmath") is bearable
    assert (seen.count(mpmath.mpf) > 1) is bearable
    assert seen.count(mpmath.mpf) >= 1
    assert sys.getprofile() is None


def test_a_profiler_is_left_at_work() -> None:
    calls: list[str] = []

    def profiler(frame: Any, event: str, arg: Any) -> None:
        calls.append(event)

    sys.setprofile(profiler)
    try:
        e = differentiate(mean_of_poles(300, []), 1.0)
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    assert e.oracle == "mpmath"
    assert calls


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1e6 + mpmath.gamma(x),
        sympy.Lambda(sympy.Symbol("x"), 10**6 + sympy.gamma(sympy.Symbol("x"))),
    ],
    ids=["mpmath", "sympy"],
)
def test_functions_of_other_libraries(f: Callable[[Any], Any]) -> None:
    truth = float(mpmath.gamma(2.5) * mpmath.digamma(2.5))
    e = differentiate(f, 2.5, rtol=CLOSE)
    assert abs(e.value - truth) <= e.radius <= CLOSE * truth
    assert e.oracle in ("complex step", "mpmath")


def test_vectors_of_mpmath() -> None:
    def f(x: Any) -> Any:
        return np.array([1e6 + mpmath.exp(x[0]) * x[1], x[0] + 1e6])

    e = differentiate(f, np.array([0.3, 2.0]), np.array([1.0, -1.0]), rtol=CLOSE)
    truth = np.array([math.exp(0.3) * (2 - 1), 1.0])
    assert np.all(np.abs(e.value - truth) <= e.radius)
    assert np.all(e.radius <= 1e-13 * np.abs(truth))


def single(x: Any) -> Any:
    return np.asarray(x, np.complex64 if np.iscomplexobj(x) else np.float32)


def cast_inside(x: Any) -> Any:
    return 1e8 + x * np.sin(np.asarray(x).astype(np.float64))


FOOLING: dict[str, tuple[Callable[[Any], Any], float]] = {
    "abs": (lambda x: 1e8 + np.abs(x) ** 2, 1.4),
    "abs in a product": (lambda x: 1e8 + np.abs(x) * x, 1.4),
    "conjugate": (lambda x: 1e8 + np.conj(x) * x, 1.4),
    "real part in a product": (lambda x: 1e8 + np.real(x) * x, 1.4),
    "real-only ufunc": (lambda x: 1e8 + np.arctan2(x, 1.0), 1 / 1.49),
    "comparison": (lambda x: 1e8 + (x * x if x > 0 else -x), 1.4),
    "maximum": (lambda x: 1e8 + np.maximum(x, 0.5) ** 2, 1.4),
    "a branch on the type": (lambda x: 1e8 + (3 * x if np.iscomplexobj(x) else x * x), 1.4),
    "cast to float": (cast_inside, math.sin(0.7) + 0.7 * math.cos(0.7)),
    "a small part cast to float": (
        lambda x: 1e8 + x * x + 1e-3 * np.asarray(x).astype(np.float64), 1.401
    ),
    "a small part of abs": (lambda x: 1e8 + x * x + 1e-3 * np.abs(x), 1.401),
    "a small part of abs beside noise": (
        lambda x: np.sin(1e5 * x) + np.abs(x), 1e5 * math.cos(7e4) + 1
    ),
    "a branch on mpmath's type": (
        lambda x: 1e8 + (3 * x if isinstance(x, mpmath.mpf) else float(x) ** 2), 1.4
    ),
    "float32 inside": (lambda x: np.sin(single(x)), math.cos(0.7)),
    "rounded": (lambda x: np.round(np.sin(x), 7), math.cos(0.7)),
    "float() in plain arithmetic": (lambda x: 1e8 + x * float(x), 1.4),
    "an iteration that stops": (
        lambda x: _newton_square_root(x + 1e-3), 0.5 / math.sqrt(0.701)
    ),
}  # fmt: skip


def _newton_square_root(x: Any) -> Any:
    y = 1.0 + 0 * x
    for _ in range(50):
        step = (y * y - x) / (2 * y)
        y = y - step
        if abs(step) < 1e-7:
            break
    return 1e4 + y


@pytest.mark.parametrize("name", FOOLING)
def test_nothing_is_fooled(name: str) -> None:
    """Neither into a wrong answer nor into a worse one than differences have by themselves."""
    f, truth = FOOLING[name]

    def floats_only(x: Any) -> Any:
        if not isinstance(x, float):
            raise TypeError("real numbers only")
        return f(x)

    for x in (0.7, np.float64(0.7)):
        e, differences = differentiate(f, x, rtol=CLOSE), differentiate(floats_only, x, rtol=CLOSE)
        assert abs(e.value - truth) <= e.radius, (x, e)
        assert e.radius <= differences.radius, (x, e)
        assert e.reason != "disagreement", (x, e)


def test_disagreement_is_the_radius() -> None:
    """Analytic, steady, the same value at x, and the function of real numbers to within f's rounding: not quite."""

    def f(x: Any) -> Any:
        return 1e6 + np.sin(x) * (1.01 if np.iscomplexobj(x) else 1.0)

    def g(x: Any) -> Any:  # the same value at x, 1e-6 off in the derivative
        return 1e6 + np.sin(x) + (1e-6 * (x - 0.7) if np.iscomplexobj(x) else 0.0)

    assert differentiate(f, 0.7).oracle == "differences"
    e = differentiate(g, 0.7, rtol=CLOSE)
    assert (e.reason, e.oracle) == ("disagreement", "differences")
    assert 1e-6 <= e.radius <= 1.1e-6
    assert abs(e.value - math.cos(0.7)) < 1e-6


def test_nothing_but_differences_where_they_are_good() -> None:
    kinds: set[type] = set()

    def f(x: Any) -> Any:
        kinds.add(type(x))
        return np.exp(x)

    assert differentiate(f, 1.0).evaluations == 11
    assert kinds == {float}


def test_a_domain_holds_real_numbers() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(x)
        return wavy(x)

    e = differentiate(f, 0.7, domain=Interval(0.0, 1.0))
    assert e.oracle == "differences"
    assert all(isinstance(x, float) and 0 < x < 1 for x in seen)


def test_evaluations_of_every_kind_are_counted() -> None:
    calls = 0

    def f(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return wavy(x)

    assert differentiate(f, 0.7).evaluations == calls


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_coarse_input_is_evaluated_in_float64(dtype: Any) -> None:
    x = np.array([0.5, 1.5], dtype=dtype)
    e = differentiate(lambda a: np.sin(a).sum(), x, np.array([1.0, -1.0]))
    truth = math.cos(0.5) - math.cos(1.5)
    assert abs(e.value - truth) <= e.radius <= 1e-10 * truth
    exact = math.sin(0.5) + math.sin(1.5)
    assert e.native_error == pytest.approx(abs(float(np.sin(x).sum()) - exact), abs=1e-15)


def test_coarse_input_that_f_keeps_coarse() -> None:
    def f(a: Any) -> Any:
        return np.sin(a.astype(np.float32)).sum()

    x = np.array([0.5, 1.5], dtype=np.float32)
    e = differentiate(f, x, np.array([1.0, -1.0]))
    truth = math.cos(0.5) - math.cos(1.5)
    assert e.native_error == 0.0
    assert abs(e.value - truth) <= e.radius
    assert 1e-7 < e.radius < 1e-2


def test_an_f_that_is_another_function_in_float64_is_kept_coarse() -> None:
    def f(a: Any) -> Any:
        return np.sin(a).sum() if a.dtype == np.float32 else np.cos(a).sum()

    x = np.array([0.5, 1.5], dtype=np.float32)
    e = differentiate(f, x, np.array([1.0, -1.0]))
    assert abs(e.value - (math.cos(0.5) - math.cos(1.5))) <= e.radius < 1e-2


@pytest.mark.parametrize("seed", [13, 19, 62, 63])
def test_sixty_digits_of_a_part_are_not_believed(seed: int) -> None:
    """Inside one stair of the float32 part the other one alone moves, to any number of digits."""
    W = np.random.default_rng(1).standard_normal((20, 6)).astype(np.float32)
    x = np.random.default_rng(seed).uniform(0.5, 2, 6)
    i = seed % 6

    def f(t: Any) -> Any:
        moved = x.astype(np.float32)
        moved[i] = np.float32(t)
        return float(np.mean(np.tanh(W @ moved) ** 2)) + 0.005 * t * t

    assert differentiate(f, float(x[i])).oracle == "differences"


@pytest.mark.parametrize(("n", "asked"), [(3, True), (3000, False)])
def test_many_numbers_are_not_taken_to_sixty_digits(n: int, asked: bool) -> None:
    """They are evaluated one by one, which takes minutes for some ten thousand."""
    kinds = set()

    def f(x: Any) -> Any:
        kinds.add(x.dtype.kind)
        return 1e12 + np.abs(x).sum()  # abs takes complex numbers to real ones

    check(f, np.ones(n), grad=lambda x: np.ones(n), rng=0)
    assert ("O" in kinds) == asked
