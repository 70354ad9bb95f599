"""`jacobian`: truth inside every error bar, points watched, batches and sparsity that aren't what they say."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import Interval, Simplex, differentiate
from gradcheck._estimate.batch import NotBatchedError
from gradcheck._estimate.jacobian import jacobian
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import Goal
from gradcheck._estimate.sparsity import groups, pattern_of
from gradcheck._estimate.together import first_look


class Spy:
    """f with a count of its calls and its points."""

    def __init__(self, f: Callable[[Any], Any]) -> None:
        self.f = f
        self.calls = 0
        self.points: list[Any] = []

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        self.points.append(np.array(x))
        return self.f(x)


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_jacobian(z: np.ndarray) -> np.ndarray:
    p = softmax(z)
    return np.diag(p) - np.outer(p, p)


def rosenbrock(x: Any) -> Any:
    a, b = x[..., :-1], x[..., 1:]
    return np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2, axis=-1)


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


def broyden(x: Any) -> Any:
    """Broyden's tridiagonal system."""
    y = (3 - 2 * x) * x + 1
    y[..., 1:] -= x[..., :-1]
    y[..., :-1] -= 2 * x[..., 1:]
    return y


def tridiagonal(n: int) -> np.ndarray:
    return np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1


def broyden_jacobian(x: np.ndarray) -> np.ndarray:
    below, above = -np.ones(x.size - 1), -2 * np.ones(x.size - 1)
    return np.diag(3 - 4 * x) + np.diag(below, -1) + np.diag(above, 1)


def contains(e: Any, truth: np.ndarray, rounding: float = 1e-16) -> bool:
    """Whether every entry of the truth, which is itself rounded, lies within its radius."""
    return bool(np.all(np.abs(e.value - truth) <= e.radius + rounding * np.abs(truth)))


# -- dense -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectorized", [False, True])
def test_softmax_of_three_hundred(vectorized: bool) -> None:
    z = np.random.default_rng(0).standard_normal(300)
    e = jacobian(softmax, z, vectorized=vectorized)
    assert e.value.shape == e.radius.shape == (300, 300)
    assert contains(e, softmax_jacobian(z))
    assert np.max(e.radius) < 1e-10
    assert e.evaluations <= 10 * 300 + 10


def test_affine_layer() -> None:
    rng = np.random.default_rng(1)
    W, X = rng.standard_normal((7, 4)), rng.standard_normal((5, 4))
    e = jacobian(lambda X: X @ W.T + 1, X)
    assert e.value.shape == (5, 7, 5, 4)
    assert contains(e, np.einsum("ab,jk->ajbk", np.eye(5), W))
    assert np.all(e.radius[0, :, 1] < 1e-12)


def test_gradient_of_a_scalar_function_has_the_shape_of_x() -> None:
    x = np.random.default_rng(2).standard_normal((6, 7))
    e = jacobian(lambda x: rosenbrock(x.reshape(-1)), x)
    assert e.value.shape == (6, 7)
    assert contains(e, rosenbrock_gradient(x.reshape(-1)).reshape(6, 7), 1e-14)


def test_entries_are_those_of_differentiate() -> None:
    x = np.array([0.7, -1.3, 2.0])
    e = jacobian(rosenbrock, x)
    for i in range(3):
        one = differentiate(rosenbrock, x, 2.0 ** math.floor(math.log2(abs(x[i]))) * np.eye(3)[i])
        size = 2.0 ** math.floor(math.log2(abs(x[i])))
        assert (e.value[i], e.radius[i]) == (one.value / size, one.radius / size)


@pytest.mark.parametrize("f", [softmax, broyden, np.tanh])
def test_the_first_look_is_the_search(f: Callable[[Any], Any]) -> None:
    """Where all components at once are settled, each by itself ends the same."""
    from gradcheck._estimate.differentiate import at_point
    from gradcheck._estimate.line import quiet

    x = np.random.default_rng(3).standard_normal(40)
    goal = Goal(1e-8)
    compared = 0
    with quiet():
        forward = at_point(f, x, domain=None)
        forward.begin()
        for i in range(0, 40, 7):
            line = forward.curve(np.eye(40)[i])
            many = first_look(line, np.arange(40), goal)
            for j in (j for j in np.flatnonzero(many.sharp) if j not in many.singular):
                found = derivative(Component(line, int(j)), goal)
                if found.reason != "smooth":
                    continue  # an outlier, with a wider bar here
                if not math.isclose(found.noise, many.noise[j], rel_tol=1e-12):
                    assert many.noise[j] > found.noise
                    continue
                assert found.value == many.value[j]
                assert math.isclose(found.radius, many.radius[j], rel_tol=1e-12)
                compared += 1
    assert compared >= 3


def test_mixed_scales() -> None:
    x = np.array([3e-8, 2.0, 5e8, -7e-3, 1e4])
    scale = np.array([1e8, 1.0, 1e-8, 1e3, 1e-4])
    e = jacobian(lambda x: np.array([np.sum(np.sin(scale * x)), np.exp(-x[0] * 1e8) * x[2]]), x)
    first = scale * np.cos(scale * x)
    second = np.array([-1e8 * x[2], 0, 1, 0, 0]) * np.exp(-x[0] * 1e8)
    truth = np.stack([first, second])
    assert contains(e, truth, 1e-15)
    assert np.all(
        e.radius <= 1e-9 * np.abs(truth) + 1e-10 * np.max(np.abs(truth * x), 1)[:, None] / abs(x)
    )


@given(k=st.integers(-40, 40), m=st.integers(-40, 40))
def test_powers_of_two_scale_the_result_exactly(k: int, m: int) -> None:
    x = np.array([0.3, -1.7, 12.0])

    def f(x: Any) -> Any:
        return np.array([np.sin(x[0]) * x[1], x[2] ** 3 / 7 + np.exp(x[1])])

    e = jacobian(f, x)
    scaled = jacobian(lambda y: 2.0**m * f(y * 2.0**-k), x * 2.0**k)
    assert np.array_equal(scaled.value, 2.0 ** (m - k) * e.value)
    assert np.array_equal(scaled.radius, 2.0 ** (m - k) * e.radius)
    assert scaled.evaluations == e.evaluations


def test_scalars_in_and_out() -> None:
    e = jacobian(math.exp, 1.0)
    assert isinstance(e.value, float)
    assert abs(e.value - math.e) <= e.radius < 1e-11
    e = jacobian(lambda t: np.array([t, t**2]), np.float64(3.0))
    assert e.value.shape == (2,)
    assert contains(e, np.array([1.0, 6.0]))
    e = jacobian(lambda t: t**2, np.array(3.0), vectorized=True)
    assert abs(e.value - 6.0) <= e.radius


def test_float32_is_raised_where_f_goes_along() -> None:
    z = np.array([0.5, -1.0, 2.0], dtype=np.float32)
    e = jacobian(softmax, z)
    assert contains(e, softmax_jacobian(z.astype(float)))
    assert np.max(e.radius) < 1e-11
    assert e.native_error > 0
    stays = jacobian(lambda z: softmax(z.astype(np.float32)), z)
    assert contains(stays, softmax_jacobian(z.astype(float)))
    assert 1e-8 < np.max(stays.radius) < 1e-2


def test_a_kink_is_an_interval() -> None:
    e = jacobian(lambda x: np.maximum(x, 0) + np.sum(x), np.array([0.0, 1.0]))
    assert e.reason == "kink"
    assert e.value[0, 0] == pytest.approx(1.5)
    assert 0.5 <= e.radius[0, 0] < 0.5001, "the bar spans both one-sided derivatives"
    assert np.all(e.radius[[0, 1, 1], [1, 0, 1]] < 1e-10)
    assert jacobian(abs, 0.0).interval == pytest.approx((-1.0, 1.0))


def test_noisy_entries_are_searched_on() -> None:
    """Entries that are noisy beside their own output's largest go beyond the first steps, the others don't."""
    W = np.random.default_rng(4).standard_normal((6, 8))
    offset = jacobian(lambda x: 1e6 + np.sin(x @ W.T), np.linspace(0.5, 2, 8))
    truth = np.cos(np.linspace(0.5, 2, 8) @ W.T)[:, None] * W
    assert contains(offset, truth, 1e-15)
    assert np.max(offset.radius) < 1e-9, "first steps reach 1e-8"
    assert offset.evaluations > 2 * 81


class NonNegative(Interval):
    """Closed at zero."""

    def contains(self, x: np.ndarray) -> bool:
        return bool(np.all(x >= 0))


@pytest.mark.parametrize("vectorized", [False, True])
def test_at_the_edge_of_a_domain_one_side_is_taken(vectorized: bool) -> None:
    spy = Spy(lambda x: np.sqrt(1 + x) + x[..., ::-1] ** 2)
    domain = NonNegative(0.0)
    x = np.array([0.0, 2.0])
    e = jacobian(spy, x, domain=domain, vectorized=vectorized)
    assert all(domain.contains(p) for p in spy.points)
    assert contains(e, np.array([[0.5, 4.0], [0.0, 0.5 / np.sqrt(3.0)]]), 1e-15)
    assert np.max(e.radius) < 1e-6


def test_an_f_of_no_values() -> None:
    assert jacobian(lambda x: x[:0], np.ones(3)).value.shape == (0, 3)


def test_constant_f() -> None:
    e = jacobian(lambda x: np.array([5.0, 2.0]), np.ones(3))
    assert not np.any(e.value)
    assert e.reason == "constant"


# -- the domain, evaluations, the caller's arrays ---------------------------------------------------


@pytest.mark.parametrize("vectorized", [False, True])
def test_never_outside_the_domain(vectorized: bool) -> None:
    domain = Interval(0.0, 1.0)
    spy = Spy(lambda x: np.log(x) + np.sqrt(1 - x))
    x = np.array([1e-6, 0.5, 1 - 1e-7])
    e = jacobian(spy, x, domain=domain, vectorized=vectorized)
    assert all(domain.contains(p) for p in spy.points)
    assert contains(e, np.diag(1 / x - 0.5 / np.sqrt(1 - x)), 1e-9)
    assert np.all(np.isfinite(e.radius))


def test_a_domain_in_which_no_input_moves_by_itself() -> None:
    with pytest.raises(ValueError, match=r"x\[0\] can't move by itself"):
        jacobian(np.sum, np.full(4, 0.25), domain=Simplex())


@pytest.mark.parametrize("f", [rosenbrock, broyden, softmax])
def test_evaluations_are_counted(f: Callable[[Any], Any]) -> None:
    spy = Spy(f)
    x = np.linspace(0.3, 2.0, 9)
    assert jacobian(spy, x).evaluations == spy.calls
    spy = Spy(f)
    e = jacobian(spy, x, vectorized=True)
    assert e.evaluations == sum(len(p) for p in spy.points)


def test_a_batch_takes_few_calls() -> None:
    spy = Spy(np.tanh)
    e = jacobian(spy, np.linspace(0.5, 1.5, 60), vectorized=True, rtol=1e-6)
    assert e.evaluations >= 600
    assert spy.calls <= 10
    assert max(p.nbytes for p in spy.points) <= 120 * 1024


@pytest.mark.parametrize("f", [rosenbrock, broyden, np.tanh])
def test_vectorized_is_the_same_to_the_last_bit(f: Callable[[Any], Any]) -> None:
    x = np.random.default_rng(5).standard_normal(50)
    e, v = jacobian(f, x), jacobian(f, x, vectorized=True)
    assert np.array_equal(e.value, v.value)
    assert np.array_equal(e.radius, v.radius)
    assert (e.reason, e.oracle, e.noise, e.step) == (v.reason, v.oracle, v.noise, v.step)


@pytest.mark.parametrize("vectorized", [False, True])
def test_an_f_that_writes_into_its_argument(vectorized: bool) -> None:
    def careless(x: np.ndarray) -> np.ndarray:
        x *= 2
        return np.sin(x)

    x = np.array([0.3, 0.8])
    e = jacobian(careless, x, vectorized=vectorized)
    assert np.array_equal(x, [0.3, 0.8])
    assert contains(e, np.diag(2 * np.cos(2 * x)), 1e-15)


def test_an_f_that_returns_the_same_buffer() -> None:
    buffer = np.zeros(3)

    def reusing(x: np.ndarray) -> np.ndarray:
        np.exp(x, out=buffer)
        return buffer

    x = np.array([0.3, 0.8, -1.0])
    assert contains(jacobian(reusing, x), np.diag(np.exp(x)), 1e-15)


def test_a_batch_that_raises_is_taken_apart() -> None:
    def picky(x: np.ndarray) -> np.ndarray:
        if np.any(x < 0.4):
            raise FloatingPointError("too small")
        return np.log(x)

    x = np.array([0.41, 1.0])
    e = jacobian(picky, x, vectorized=True)
    assert contains(e, np.diag(1 / x), 1e-15)


# -- what can't be done -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "error", "message"),
    [
        (None, 1.0, TypeError, "f must be callable"),
        (np.sum, np.zeros((0, 3)), ValueError, "x is empty"),
        (np.sum, [1.0, math.nan], ValueError, "must be finite"),
        (np.sum, ["a"], TypeError, "real numbers"),
        (lambda x: x * 1j, np.ones(2), TypeError, "real numbers"),
        (lambda x: "high", np.ones(2), TypeError, "real numbers"),
        (lambda x: {"y": x}, np.ones(2), TypeError, "real numbers"),
        (lambda x: [x, x[:1]], np.ones(2), TypeError, "regular shape"),
    ],
)
def test_clear_errors(f: Any, x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        jacobian(f, x)


def test_rtol_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rtol must be positive"):
        jacobian(np.sum, np.ones(2), rtol=0.0)


MIXING: dict[str, Callable[[Any], Any]] = {
    "softmax over all axes": lambda X: np.exp(X) / np.exp(X).sum(),
    "mean over the batch, kept": lambda X: np.tanh(X) - X.mean(axis=0, keepdims=True),
    "batch normalisation": lambda X: (X - X.mean(0)) / (X.std(0) + 1e-3) + X,
    "running sum over the batch": lambda X: np.cumsum(np.sin(X), axis=0),
    "a neighbour's row": lambda X: X + 1e-3 * np.roll(X, 1, axis=0),
}


@pytest.mark.parametrize("name", MIXING)
def test_an_f_that_mixes_the_rows_of_a_batch(name: str) -> None:
    with pytest.raises(NotBatchedError, match="alone"):
        jacobian(MIXING[name], np.array([0.3, 1.2, -0.7]), vectorized=True)


@pytest.mark.parametrize("f", [lambda X: X.sum(), lambda X: X.mean(axis=0), lambda X: X.T])
def test_an_f_without_a_batch_axis(f: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="returns a row for each"):
        jacobian(f, np.array([0.3, 1.2, -0.7]), vectorized=True)


# -- sparsity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectorized", [False, True])
def test_ten_thousand_inputs_in_three_groups(vectorized: bool) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    n = 10_000
    x = np.random.default_rng(1).standard_normal(n)
    ones = np.ones(n)
    pattern = sparse.diags_array([ones[1:], ones, ones[1:]], offsets=[-1, 0, 1])
    spy = Spy(broyden)
    e = jacobian(spy, x, sparsity=pattern, vectorized=vectorized)
    truth = sparse.diags_array([-ones[1:], 3 - 4 * x, -2 * ones[1:]], offsets=[-1, 0, 1]).tocsc()
    assert e.evaluations <= 40
    assert e.evaluations == (sum(len(p) for p in spy.points) if vectorized else spy.calls)
    assert e.value.shape == e.radius.shape == (n, n)
    assert e.value.nnz == e.radius.nnz == 3 * n - 2
    e.value.sort_indices()
    truth.sort_indices()
    assert np.array_equal(e.value.indices, truth.indices)
    assert np.all(np.abs(e.value.data - truth.data) <= e.radius.data)


@pytest.mark.parametrize("kind", ["bool", "int", "csr", "coo", "lil"])
def test_the_sparsity_may_come_in_any_form(kind: str) -> None:
    x = np.linspace(-1, 2, 12)
    pattern: Any = tridiagonal(12)
    if kind == "int":
        pattern = pattern.astype(int).tolist()
    elif kind != "bool":
        sparse = pytest.importorskip("scipy.sparse")
        pattern = getattr(sparse, f"{kind}_array")(pattern.astype(float))
    e = jacobian(broyden, x, sparsity=pattern)
    value, radius = (a.toarray() if hasattr(a, "toarray") else a for a in (e.value, e.radius))
    assert np.all(np.abs(value - broyden_jacobian(x)) <= radius + 1e-15)
    assert not np.any(value[~tridiagonal(12)])
    assert not np.any(radius[~tridiagonal(12)])
    assert e.evaluations < 60


def test_sparsity_of_arrays_of_several_axes() -> None:
    x = np.random.default_rng(7).standard_normal((3, 4))
    rows = np.repeat(np.eye(3, dtype=bool), 4, axis=1)
    e = jacobian(lambda x: np.sum(np.sin(x), axis=1), x, sparsity=rows)
    assert e.value.shape == (3, 3, 4)
    truth = np.zeros((3, 3, 4))
    truth[np.arange(3), np.arange(3)] = np.cos(x)
    assert contains(e, truth, 1e-15)


def test_an_output_that_no_input_of_the_group_may_move() -> None:
    pattern = np.eye(4, dtype=bool)
    pattern[0] = [True, False, False, False]

    def f(x: np.ndarray) -> np.ndarray:
        return np.append(np.sin(x[:3]), 1.0) + np.array([0, 0, 0, x[2]])

    pattern[3] = False
    with pytest.raises(ValueError, match=r"output \[3\] moves with x\[0\], x\[1\], x\[2\], x\[3\]"):
        jacobian(f, np.array([0.3, 0.5, 0.7, 0.9]), sparsity=pattern)


@pytest.mark.parametrize("strength", [1.0, 1e-4])
def test_a_missing_place_that_its_group_hides(strength: float) -> None:
    """Every row has a declared input in every group, so nothing moves that may not."""

    def f(x: np.ndarray) -> np.ndarray:
        y = broyden(x)
        y[5] += strength * x[9]
        return y

    with pytest.raises(
        ValueError, match=r"the sparsity is wrong: .*output \[5\] has the derivative"
    ):
        jacobian(f, np.linspace(0.5, 2, 12), sparsity=tridiagonal(12))


def test_a_pattern_with_more_places_than_needed() -> None:
    x = np.linspace(0.5, 2, 12)
    wide = np.abs(np.subtract.outer(np.arange(12), np.arange(12))) <= 2
    e = jacobian(broyden, x, sparsity=wide)
    assert contains(e, broyden_jacobian(x), 1e-15)


@pytest.mark.parametrize("pattern", [np.ones((3, 4)), np.ones(3), np.ones((4, 3)), True])
def test_a_sparsity_of_another_shape(pattern: Any) -> None:
    with pytest.raises(ValueError, match=r"sparsity has shape \(.*\), expected \(3, 3\)"):
        jacobian(np.sin, np.ones(3), sparsity=pattern)


def test_a_sparsity_of_other_things() -> None:
    with pytest.raises(ValueError, match="zeros and ones"):
        jacobian(np.sin, np.ones(2), sparsity=np.full((2, 2), 0.5))
    with pytest.raises(TypeError, match="booleans"):
        jacobian(np.sin, np.ones(2), sparsity=np.full((2, 2), "x"))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_groups_share_no_row(m: int, n: int, seed: int, density: float) -> None:
    dense = np.random.default_rng(seed).random((m, n)) < density
    parts = groups(pattern_of(dense, (m, n)))
    assert sorted(np.concatenate(parts)) == list(range(n))
    for part in parts:
        assert np.all(dense[:, part].sum(axis=1) <= 1)
    assert len(parts) >= dense.sum(axis=1).max()


def test_no_more_groups_than_a_band_is_wide() -> None:
    for width in (0, 1, 2, 5):
        band = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) <= width
        assert len(groups(pattern_of(band, (60, 60)))) <= 2 * width + 1
