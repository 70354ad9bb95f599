"""Properties of softmax, log-softmax and log-sum-exp that hold whatever the formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference
from reference import _blocks

shapes = st.tuples(st.integers(1, 4), st.integers(1, 9))
logit = st.floats(-745, 745) | st.floats(-5, 5) | st.sampled_from([0.0, 340.0, -340.0, 1e4, -1e4])
any_logit = st.floats(allow_nan=False, allow_infinity=False) | logit
number = st.floats(-100, 100)

ROW_FUNCTIONS = ("softmax", "log_softmax", "logsumexp", "logsumexp_grad", "softmax_jacobian")
PRODUCTS = ("softmax_vjp", "softmax_jvp", "log_softmax_vjp", "log_softmax_jvp")


def rows(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=elements))


@st.composite
def rows_and_vectors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = draw(shapes)
    vector = hnp.arrays(np.float64, shape, elements=number)
    return draw(hnp.arrays(np.float64, shape, elements=logit)), draw(vector), draw(vector)


@given(rows(any_logit))
def test_softmax_is_a_probability_vector(z: np.ndarray) -> None:
    y = reference.softmax(z)
    assert np.all((y >= 0) & (y <= 1))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-15 * z.shape[1])
    np.testing.assert_array_equal(
        y.max(axis=1), np.take_along_axis(y, z.argmax(axis=1)[:, None], 1)[:, 0]
    )


@given(rows(st.integers(-700, 700).map(lambda k: k / 4)), st.integers(-(2**20), 2**20))
def test_softmax_does_not_see_a_common_shift(z: np.ndarray, shift: int) -> None:
    """Quarters plus integers add exactly, so only the code's own rounding differs."""
    np.testing.assert_allclose(reference.softmax(z + shift), reference.softmax(z), rtol=2e-15)
    np.testing.assert_allclose(
        reference.log_softmax(z + shift), reference.log_softmax(z), rtol=2e-15
    )
    moved = reference.logsumexp(z + shift) - shift
    np.testing.assert_allclose(moved, reference.logsumexp(z), rtol=1e-15, atol=1e-9)


@given(rows(any_logit))
def test_log_softmax_and_softmax_agree(z: np.ndarray) -> None:
    """exp amplifies the rounding of a log-probability by its size."""
    log_y, y = reference.log_softmax(z), reference.softmax(z)
    assert np.all(log_y <= 0)
    seen = y > 1e-300
    error = np.abs(np.exp(log_y[seen]) / y[seen] - 1)
    assert np.all(error <= 1e-15 * (2 + np.abs(log_y[seen])))


@given(rows(logit))
def test_logsumexp_bounds(z: np.ndarray) -> None:
    top = z.max(axis=1)
    value = reference.logsumexp(z)
    slack = 1e-15 * np.abs(top)
    assert np.all(value >= top - slack)
    assert np.all(value <= top + np.log(z.shape[1]) + slack + 1e-15)
    np.testing.assert_array_equal(reference.logsumexp_grad(z), reference.softmax(z))


@given(rows_and_vectors())
def test_vjp_and_jvp_are_adjoint(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """⟨v, J·u⟩ = ⟨Jᵀ·v, u⟩, up to rounding (of subnormal products: 36 quanta times 100)."""
    z, u, v = data
    for name in ("softmax", "log_softmax"):
        forward = np.sum(v * getattr(reference, f"{name}_jvp")(z, u))
        backward = np.sum(getattr(reference, f"{name}_vjp")(z, v) * u)
        size = np.sum(np.abs(u)) * np.sum(np.abs(v))
        assert abs(forward - backward) <= 1e-14 * size + 3600 * 5e-324


@given(rows_and_vectors())
def test_products_agree_with_the_dense_jacobian(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Up to the rounding of n products, and of n subnormal entries times 100."""
    z, v, _ = data
    n = z.shape[1]
    jacobian = reference.softmax_jacobian(z)
    assert jacobian.shape == (*z.shape, n)
    size = (np.abs(jacobian) @ np.abs(v)[:, :, None])[:, :, 0]
    for name, matrix in (("vjp", np.swapaxes(jacobian, 1, 2)), ("jvp", jacobian)):
        product = (matrix @ v[:, :, None])[:, :, 0]
        error = np.abs(getattr(reference, f"softmax_{name}")(z, v) - product)
        assert np.all(error <= n * (2e-15 * size + 100 * 5e-324))


@given(rows(logit))
def test_jacobian_is_symmetric_and_its_rows_sum_to_zero(z: np.ndarray) -> None:
    jacobian = reference.softmax_jacobian(z)
    np.testing.assert_array_equal(jacobian, np.swapaxes(jacobian, 1, 2))
    size = np.abs(jacobian).sum(axis=2)
    assert np.all(np.abs(jacobian.sum(axis=2)) <= 1e-14 * size + z.shape[1] * 5e-324)


@given(rows(logit), number)
def test_constant_vectors_give_exactly_zero(z: np.ndarray, constant: float) -> None:
    """Softmax does not see a common shift: its derivative along one is 0, and not nearly 0."""
    v = np.full_like(z, constant)
    for name in ("softmax_vjp", "softmax_jvp", "log_softmax_jvp"):
        np.testing.assert_array_equal(getattr(reference, name)(z, v), 0 * z)


@given(rows_and_vectors())
def test_logsumexp_vjp_scales_rows(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Up to rounding; that of a subnormal probability is multiplied by 100 at most."""
    z, v, _ = data
    upstream = v[:, 0]
    error = np.abs(reference.logsumexp_vjp(z, upstream) - upstream[:, None] * reference.softmax(z))
    assert np.all(error <= 1e-15 * np.abs(upstream)[:, None] * reference.softmax(z) + 100 * 5e-324)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("name", [*ROW_FUNCTIONS, *PRODUCTS])
def test_every_axis(name: str, axis: int) -> None:
    rng = np.random.default_rng(5)
    z, v = 40 * rng.standard_normal((2, 3, 4, 5))[:, 0], rng.standard_normal((2, 4, 5))
    function = getattr(reference, name)
    last = [np.moveaxis(a, axis, -1) for a in ((z, v) if name in PRODUCTS else (z,))]
    expected = function(*last)
    if expected.shape == last[0].shape:
        expected = np.moveaxis(expected, -1, axis)
    got = function(z, v, axis=axis) if name in PRODUCTS else function(z, axis=axis)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 100, 300, 1000])
@pytest.mark.parametrize("name", [*ROW_FUNCTIONS, *PRODUCTS])
def test_a_row_does_not_see_its_neighbours(name: str, n: int) -> None:
    """Rows of all kinds in one batch (large enough for several blocks) and each of them alone."""
    n = min(n, 150) if name == "softmax_jacobian" else n  # n² entries to a row
    rng = np.random.default_rng(n)
    count = 4 + 140000 // n if n >= 100 else 50
    scale = rng.choice([1e-8, 1.0, 30.0, 300.0, 1e5], (count, 1))
    z = scale * rng.standard_normal((count, n)) + rng.choice([0.0, -100.0, 1e6], (count, 1))
    z[rng.random(z.shape) < 0.1] = -np.inf
    z[:, 0] = rng.standard_normal(count)
    z[1, 0] = np.nan
    v = rng.choice([1.0, 1e200], (count, 1)) * rng.standard_normal((count, n))
    function = getattr(reference, name)
    arguments = (z, v) if name in PRODUCTS else (z,)
    batch = function(*arguments)
    for k in rng.permutation(count)[:25]:
        alone = function(*(a[k] for a in arguments))
        np.testing.assert_array_equal(batch[k], alone)
    backwards = function(*(np.asfortranarray(a)[::-1] for a in arguments))
    np.testing.assert_array_equal(backwards[::-1], batch)


def test_masked_classes_have_probability_zero_and_no_gradient() -> None:
    z, v = np.array([0.25, -np.inf, 1.5]), np.array([1.0, 7.0, 2.0])
    seen = [0, 2]
    for got, alone in (
        (reference.softmax(z), reference.softmax(z[seen])),
        (reference.softmax_vjp(z, v), reference.softmax_vjp(z[seen], v[seen])),
    ):
        assert got[1] == 0
        np.testing.assert_allclose(got[seen], alone, rtol=4e-15)
    assert reference.log_softmax(z)[1] == -np.inf
    assert reference.logsumexp(z) == pytest.approx(reference.logsumexp(z[seen]), rel=1e-15)


@pytest.mark.parametrize("row", [[np.inf, 1.0], [np.inf, np.inf], [-np.inf] * 3, [np.nan, 1.0]])
def test_rows_without_an_answer_are_nan(row: list[float]) -> None:
    for name in ("softmax", "log_softmax", "logsumexp_grad"):
        assert np.isnan(getattr(reference, name)(row)).all()
    assert np.isnan(reference.softmax_cross_entropy(row, 1))


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ([-np.inf] * 3, -np.inf),
        ([-np.inf], -np.inf),
        ([np.inf, 1.0], np.inf),
        ([-np.inf, np.inf, np.inf], np.inf),
        ([np.nan, 1.0], np.nan),
        ([np.inf, np.nan], np.nan),
    ],
)
def test_the_logsumexp_of_infinities_is_its_limit(row: list[float], limit: float) -> None:
    beside = np.array([row, np.arange(len(row))])  # another row keeps its value
    got = reference.logsumexp(beside)
    np.testing.assert_array_equal(got, [limit, reference.logsumexp(beside[1])])
    assert reference.logsumexp(beside.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", PRODUCTS)
def test_huge_and_tiny_vectors_scale_the_result(name: str) -> None:
    """A product with the Jacobian is linear in the vector, also at the ends of the range."""
    function = getattr(reference, name)
    v = np.array([0.5, -1.0, 0.75, 0.25])
    spread = np.array([1.5, -20.0, 0.25, -1.0])
    for z in (spread, spread + 398, spread + 336, spread - 31, spread - 319, 30 * spread):
        expected = function(z, v)
        for exponent in (1020, 600, -600, -1000):
            scaled = np.ldexp(function(z, np.ldexp(v, exponent)), -exponent)
            quantum = np.ldexp(5e-324, -exponent)  # of a subnormal result, scaled back
            np.testing.assert_allclose(scaled, expected, rtol=1e-14, atol=2 * quantum)


def test_opposite_huge_vector_entries() -> None:
    """Their difference overflows, the result does not."""
    np.testing.assert_array_equal(
        reference.softmax_vjp([0.0, 0.0], [1e308, -1e308]), [5e307, -5e307]
    )


def test_terms_far_below_the_largest_keep_their_digits() -> None:
    """e^-720 is subnormal, with 6 digits; times 1e12, or summed a thousand times, it needs all 16."""
    z = np.array([0.0, -720.0])
    down = reference.softmax_vjp(z, [0.0, 1e12])
    expected = math.exp(-700) * (1e12 * math.exp(-20))
    np.testing.assert_allclose(down, [-expected, expected], rtol=1e-13)
    np.testing.assert_allclose(
        reference.log_softmax_vjp(z, [1e12, 0.0]), [expected, -expected], rtol=1e-13
    )
    down = reference.logsumexp_vjp(z, 1e12)
    np.testing.assert_allclose(down, [1e12, expected], rtol=1e-13)
    many = np.full(1000, -720.0)
    many[3] = 0.0
    expected = math.exp(-700) * (999 * math.exp(-20))
    assert reference.logsumexp(many) == pytest.approx(expected, rel=1e-13)
    assert reference.softmax_cross_entropy(many, 3) == pytest.approx(expected, rel=1e-13)
    for distance in np.linspace(714, 744, 31):
        many[many != 0] = -distance
        expected = math.exp(-700) * (999 * math.exp(700 - distance))
        for loss in (reference.logsumexp(many), reference.softmax_cross_entropy(many, 3)):
            assert loss == pytest.approx(expected, rel=1e-13, abs=5e-324)
        gradient = reference.softmax_cross_entropy_grad(many, 3)
        assert gradient[3] == pytest.approx(-expected, rel=1e-13, abs=5e-324)
        assert reference.log_softmax(many)[3] == pytest.approx(-expected, rel=1e-13, abs=5e-324)


def test_log_softmax_vjp_beside_a_dominating_entry() -> None:
    """What the others of the entry 1 sum to has its own digits; 1 + 1e-17 − 1 has none."""
    down = reference.log_softmax_vjp([0.0, 0.0], [1.0, 1e-17])
    np.testing.assert_array_equal(down, [0.5 - 0.5e-17, 0.5e-17 - 0.5])
    down = reference.log_softmax_vjp([40.0, 0.0], [1.0, 1e-17])
    expected = math.exp(-40) - 1e-17
    np.testing.assert_allclose(down, [expected, -expected], rtol=1e-15)


def test_a_row_longer_than_a_block_is_worked_on_in_parts() -> None:
    """Every product and sum of 2e5 entries against the same in extended precision."""
    n = 200_000
    rng = np.random.default_rng(9)
    for shift, spread in ((0.0, 4.0), (1e3, 200.0), (-50.0, 1e-3)):
        z, v = shift + spread * rng.standard_normal(n), 1e3 + rng.standard_normal(n)
        z[n - 3] = z.max() + 1
        d = z.astype(np.longdouble) - z.max()
        e = np.exp(d)
        total, p = e.sum(), e / e.sum()
        expected = {
            "softmax": p,
            "log_softmax": d - np.log(total),
            "softmax_vjp": p * (v - (p * v).sum()),
            "log_softmax_jvp": v - (p * v).sum(),
            "log_softmax_vjp": v - p * v.astype(np.longdouble).sum(),
        }
        for name, truth in expected.items():
            function = getattr(reference, name)
            got = function(z, v) if name in PRODUCTS else function(z)
            size = np.abs(truth) + (np.abs(v) * p if name == "softmax_vjp" else 0)
            size = size + (np.abs(v) if name.startswith("log_softmax_") else 0)
            assert np.all(np.abs(got - truth) <= 1e-14 * size + 5e-324), name
        assert reference.logsumexp(z) == pytest.approx(float(z.max() + np.log(total)), rel=1e-15)


@pytest.mark.parametrize("start", [0.0, 1e9, -1e6])
def test_a_long_row_whose_start_is_unlike_the_rest(start: float) -> None:
    """Its first part, of little weight, holds entries far away from the mean of the others."""
    n, rng = 200_000, np.random.default_rng(10)
    z, v = rng.standard_normal(n), rng.standard_normal(n)
    z[:140_000] -= 60
    v[:140_000] += start
    must_keep_the_digits_of_deviations(z, v)


@pytest.mark.parametrize("start", [0.0, 1e9, -1e6])
def test_a_long_row_none_of_whose_parts_is_heavy(
    start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heaviest part holds little of the weight, and entries far away from the mean of the others."""
    monkeypatch.setattr(_blocks, "_ENTRIES", 16)
    v = np.random.default_rng(10).standard_normal(1600)
    z = np.zeros_like(v)
    z[:16] = 0.1
    v[:16] += start
    must_keep_the_digits_of_deviations(z, v)


def must_keep_the_digits_of_deviations(z: np.ndarray, v: np.ndarray) -> None:
    p = np.exp(z.astype(np.longdouble))
    p /= p.sum()
    drift = (p * (v - v[-1])).sum()
    truth, mean_distance = v - v[-1] - drift, (p * np.abs(v - v[-1] - drift)).sum()
    unit = 2.0**-52 * (np.abs(truth) + mean_distance)
    assert np.all(np.abs(reference.log_softmax_jvp(z, v) - truth) <= 16 * unit)
    assert np.all(np.abs(reference.softmax_vjp(z, v) - p * truth) <= 16 * p * unit)
