"""Hessian-vector products from f alone, against closed forms."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from gradcheck import Estimate, Interval, Simplex, differentiate
from gradcheck._estimate.hessian import curvature, hessian_vector

Floats = npt.NDArray[np.float64]


def judged(f: Callable[[Any], Any], x: Any, v: Any, H: Floats, within: float) -> Estimate:
    """Take the product; every radius must hold, and stay within a part of the largest entry."""
    calls = 0

    def spied(t: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(t)

    e = hessian_vector(spied, x, v)
    exact = (H @ np.asarray(v, dtype=float).reshape(-1)).reshape(np.shape(x))
    assert np.shape(e.value) == np.shape(e.radius) == np.shape(x)
    assert e.evaluations == calls
    assert np.all(np.abs(e.value - exact) <= e.radius)
    assert np.all(e.radius <= within * np.max(np.abs(exact)))
    return e


# -- closed forms ----------------------------------------------------------------------------------


def _rosenbrock(x: Floats) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def _rosenbrock_hessian(x: Floats) -> Floats:
    n = x.size
    H = np.zeros((n, n))
    k = np.arange(n - 1)
    H[k, k] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    H[k + 1, k + 1] += 200
    H[k, k + 1] -= 400 * x[:-1]
    H[k + 1, k] -= 400 * x[:-1]
    return H


@pytest.mark.parametrize("n", [2, 5, 12])
def test_rosenbrock(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(3):
        x, v = rng.uniform(-2, 2, n), rng.standard_normal(n)
        judged(_rosenbrock, x, v, _rosenbrock_hessian(x), 1e-7)


@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_softmax_cross_entropy(spread: float) -> None:
    """The Hessian of logsumexp(z) − z_k is diag(p) − p·pᵀ."""
    rng = np.random.default_rng(1)
    z, v = spread * rng.standard_normal(10), rng.standard_normal(10)
    p = np.exp(z - z.max())
    p /= p.sum()

    def loss(z: Floats) -> float:
        top = z.max()
        return float(top + np.log(np.exp(z - top).sum()) - z[3])

    judged(loss, z, v, np.diag(p) - np.outer(p, p), 1e-5)


def test_logistic_loss_on_real_data() -> None:
    """The mean over rows a of log(1 + exp(−y·aᵀw)) has the Hessian Aᵀ diag(s(1 − s)) A / n."""
    data = load_breast_cancer()
    A = (data.data - data.data.mean(0)) / data.data.std(0)
    y = 2.0 * data.target - 1.0
    rng = np.random.default_rng(2)
    w, v = 0.3 * rng.standard_normal(A.shape[1]), rng.standard_normal(A.shape[1])
    s = 1 / (1 + np.exp(-A @ w))
    e = judged(
        lambda w: float(np.logaddexp(0.0, -y * (A @ w)).mean()),
        w,
        v,
        A.T @ ((s * (1 - s))[:, None] * A) / y.size,
        1e-4,
    )
    gradient = differentiate(lambda w: A.T @ (-y / (1 + np.exp(y * (A @ w)))) / y.size, w, v)
    assert np.all(np.abs(e.value - gradient.value) <= e.radius + gradient.radius)
    assert gradient.evaluations < e.evaluations / 10  # what the docstring says


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_quadratic_form(order: Any) -> None:
    rng = np.random.default_rng(3)
    A = rng.integers(-4, 5, (6, 6)).astype(float)
    A += A.T
    x = np.asarray(rng.standard_normal((2, 3)), order=order)
    v = np.asarray(rng.standard_normal((2, 3)), order=order)

    def form(x: Floats) -> float:
        u = np.ascontiguousarray(x).reshape(-1)
        return float(u @ A @ u) / 2

    assert x.flags.f_contiguous == (order == "F")
    judged(form, x, v, A, 1e-7)


def test_an_affine_function_has_none() -> None:
    x = np.array([0.5, -3.0, 20.0])
    e = hessian_vector(lambda x: x @ np.array([1.0, 2.0, -1.0]) + 4.0, x, np.ones(3))
    assert np.all(np.abs(e.value) <= e.radius)
    assert np.all(e.radius <= 1e-10)


# -- scales ----------------------------------------------------------------------------------------

SIZES = 10.0 ** np.linspace(-8, 8, 6)


@pytest.mark.parametrize("v", [np.ones(6), SIZES, 1 / SIZES, np.eye(6)[2]])
def test_entries_of_very_different_sizes(v: Floats) -> None:
    """A full Hessian, H_ij ∝ 1/(s_i s_j): each entry of the product to nine digits."""
    d = 1 / SIZES
    H = -0.09 * math.sin(0.3 * 0.7 * 6) * np.outer(d, d)
    e = hessian_vector(lambda x: math.sin(0.3 * np.sum(x * d)), 0.7 * SIZES, v)
    exact = H @ v
    assert np.all(np.abs(e.value - exact) <= e.radius)
    assert np.all(e.radius <= 1e-7 * np.abs(exact))


def test_a_diagonal_hessian_of_very_different_sizes() -> None:
    e = hessian_vector(lambda x: np.sum(np.cos(x / SIZES)), 0.7 * SIZES, SIZES)
    exact = -math.cos(0.7) / SIZES
    assert np.all(np.abs(e.value - exact) <= e.radius)
    assert np.all(e.radius <= 1e-7 * np.abs(exact))


def test_steps_suit_each_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same step for all entries, the largest would drown."""

    def worst() -> float:
        e = hessian_vector(lambda x: math.sin(0.3 * np.sum(x * d)), 0.7 * SIZES, np.ones(6))
        exact = -0.09 * math.sin(0.3 * 0.7 * 6) * d * d.sum()
        assert np.all(np.abs(e.value - exact) <= e.radius)
        return float(np.max(e.radius / np.abs(exact)))

    d = 1 / SIZES
    assert worst() <= 1e-7
    monkeypatch.setattr("gradcheck._estimate.hessian._unit", lambda *_: 1.0)
    assert worst() >= 1.0


@given(st.integers(-100, 100), st.integers(-100, 100), st.integers(-20, 20))
def test_powers_of_two_change_nothing_else(a: int, b: int, c: int) -> None:
    """2^a·f(2^b·x) at 2^−b·x times 2^c·v has 2^(a+2b+c) times the product, to the last bit."""
    x, v = np.array([0.5, -1.25, 3.0]), np.array([1.0, -0.5, 2.0])

    def f(x: Floats) -> float:
        return math.exp(math.sin(x[0] * x[1]) + 0.1 * x[2]) + x[2] * x[0] ** 2

    plain = hessian_vector(f, x, v)
    scaled = hessian_vector(lambda x: f(x * 2.0**b) * 2.0**a, x * 2.0**-b, v * 2.0**c)
    assert np.array_equal(scaled.value, np.ldexp(plain.value, a + 2 * b + c))
    assert np.array_equal(scaled.radius, np.ldexp(plain.radius, a + 2 * b + c))
    assert scaled.evaluations == plain.evaluations


# -- conventions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [1.0, np.float64(1.0), np.array(1.0), 1])
def test_scalars(x: Any) -> None:
    e = hessian_vector(lambda t: math.exp(float(t)), x, 3.0)
    assert isinstance(e.value, float)
    assert isinstance(e.radius, float)
    assert abs(e.value - 3 * math.e) <= e.radius <= 1e-7
    assert e.evaluations == curvature(lambda t: math.exp(float(t)), x).evaluations


@pytest.mark.parametrize(
    ("f", "x", "truth"),
    [
        (lambda x: np.sqrt(-x), -1e-200, -2.5e299),
        (lambda x: np.sqrt(-x), -1e-300, -math.inf),
        (lambda x: np.sqrt(-x), -1e-320, -math.inf),
        (lambda x: np.sqrt(-x), -1e200, -2.5e-301),
        (lambda x: x * x, -1e-300, 2.0),  # φ itself is below the smallest float
        (np.square, -1e-160, 2.0),
        (np.square, -1e150, 2.0),
        (np.exp, -1e-300, 1.0),
        (np.sin, -1e-320, 1e-320),
    ],
)
@pytest.mark.parametrize("high", [None, 0.0, 1e-300])
def test_squares_of_steps_may_leave_the_range_of_floats(
    f: Callable[[Any], Any], x: float, truth: float, high: float | None
) -> None:
    e = curvature(f, x, domain=None if high is None else Interval(high=high))
    assert math.isinf(e.radius) or abs(e.value - truth) <= e.radius


def test_float32() -> None:
    x = np.array([0.5, -1.5, 0.25], dtype=np.float32)
    v = np.array([1.0, 2.0, -1.0])
    e = hessian_vector(lambda x: (x[0] * np.exp(x[1])) * np.cos(x[2]), x, v)
    a, b, c = x.astype(float)
    g, s, t = math.exp(b), math.sin(c), math.cos(c)
    H = np.array(
        [[0, g * t, -g * s], [g * t, a * g * t, -a * g * s], [-g * s, -a * g * s, -a * g * t]]
    )
    assert np.all(np.abs(e.value - H @ v) <= e.radius)
    assert np.max(e.radius) <= 1e-7
    assert 0 < e.native_error < 1e-6


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=2))
def test_a_factor_keeps_its_digits_where_x_is_coarse(
    dtype: type[np.floating[Any]], factor: list[float]
) -> None:
    x, v = np.array([0.75, -1.5], dtype), np.array(factor)
    H = np.array([[2 * 1.5**2, 4 * 0.75 * -1.5], [4 * 0.75 * -1.5, 2 * 0.75**2]])
    e = hessian_vector(lambda x: x[0] ** 2 * x[1] ** 2, x, v)
    assert np.all(np.abs(e.value - H @ v) <= e.radius)
    assert np.all(e.radius <= 1e-7 * np.abs(v).max())
    along = curvature(lambda x: x[0] ** 2 * x[1] ** 2, x, v)
    assert abs(along.value - v @ H @ v) <= along.radius <= 1e-7 * (v @ v)


def test_a_product_takes_little_memory_besides() -> None:
    """Unit vectors are made one by one: together they would be as large as the Hessian."""
    n = 2000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="f must return a scalar"):
            hessian_vector(lambda x: x, np.ones(n), np.ones(n))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n * n  # a byte for each entry


def test_the_domain_is_never_left() -> None:
    x, v = np.array([1e-3, 0.5, 0.999]), np.array([1.0, -2.0, 0.5])
    seen: list[Floats] = []

    def entropy(p: Floats) -> float:
        seen.append(p)
        return float(np.sum(p * np.log(p) + (1 - p) * np.log(1 - p)))

    e = hessian_vector(entropy, x, v, domain=Interval(0.0, 1.0))
    assert all(np.all((p > 0) & (p < 1)) for p in seen)
    assert len(seen) == e.evaluations
    exact = v / (x * (1 - x))
    assert np.all(np.abs(e.value - exact) <= e.radius)
    assert np.all(e.radius <= 1e-4 * np.max(np.abs(exact)))


def test_a_kink_of_one_entry_leaves_the_others() -> None:
    """|x₀| at 0 has no second derivative, and says so in the entries that it is part of."""
    x, v = np.array([0.0, 0.5, 2.0]), np.array([0.0, 1.0, 0.0])
    e = hessian_vector(lambda x: abs(x[0]) + math.exp(x[1] * x[2]), x, v)
    assert e.reason == "kink"
    assert math.isinf(e.radius[0])
    g = math.exp(1.0)
    exact = np.array([4 * g, (1 + 1.0) * g])
    assert np.all(np.abs(e.value[1:] - exact) <= e.radius[1:])
    assert np.all(e.radius[1:] <= 1e-6 * exact)


def test_an_entry_at_the_edge_of_the_domain_has_no_radius() -> None:
    e = hessian_vector(lambda x: np.sqrt(x).sum(), [0.0, 1.0], [1.0, 1.0])
    assert (e.reason, e.radius[0]) == ("domain", math.inf)


def test_mutation_by_f_does_no_harm() -> None:
    x, v = np.array([0.5, -0.25]), np.array([1.0, -1.0])

    def rude(a: Floats) -> float:
        y = float(np.sin(a[0]) * a[1] ** 2)
        a[:] = math.nan
        return y

    e = hessian_vector(rude, x, v)
    s, c = math.sin(0.5), math.cos(0.5)
    exact = np.array([[-s * 0.0625, -0.5 * c], [-0.5 * c, 2 * s]]) @ v
    assert np.all(np.abs(e.value - exact) <= e.radius)
    assert (x.tolist(), v.tolist()) == ([0.5, -0.25], [1.0, -1.0])


@pytest.mark.parametrize(
    ("f", "x", "v", "error", "message"),
    [
        (3.0, [1.0], [1.0], TypeError, "f must be callable"),
        (np.sin, [1.0, 2.0], [1.0, 0.0], ValueError, r"f must return a scalar.*shape \(2,\)"),
        (np.sum, [1.0, 2.0], [1.0], ValueError, r"shape \(1,\).*shape \(2,\)"),
        (np.sum, [1.0, 2.0], [0.0, 0.0], ValueError, "zero"),
        (np.sum, [1.0, math.nan], [1.0, 1.0], ValueError, r"entry \[1\] is nan"),
        (np.sum, [], [], ValueError, "x.*empty"),
        (np.sum, [1.0], [1j], TypeError, "must hold real numbers"),
    ],
)
def test_bad_arguments(f: Any, x: Any, v: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        hessian_vector(f, x, v)


@pytest.mark.parametrize("rtol", [0.0, math.nan])
def test_bad_rtol(rtol: float) -> None:
    with pytest.raises(ValueError, match="rtol must be positive"):
        hessian_vector(np.sum, [1.0], [1.0], rtol=rtol)


def test_a_domain_without_room_for_single_entries_is_refused() -> None:
    p = np.array([0.25, 0.75])
    with pytest.raises(ValueError, match="can't move alone in Simplex"):
        hessian_vector(np.sum, p, np.array([1.0, -1.0]), domain=Simplex())
