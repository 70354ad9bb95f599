"""Identities that tie the activations together, and their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference

finite = st.floats(allow_nan=False, allow_infinity=False)
arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=5), elements=finite)
moderate = hnp.arrays(np.float64, 8, elements=st.floats(-300, 300))

NAMES = ("sigmoid", "tanh", "log_sigmoid", "softplus", "identity", "relu")


@given(arrays)
def test_sigmoid_of_both_signs_sums_to_one(x: np.ndarray) -> None:
    np.testing.assert_allclose(reference.sigmoid(x) + reference.sigmoid(-x), 1, rtol=1e-15)


@given(arrays)
def test_even_and_odd_functions_are_so_to_the_last_bit(x: np.ndarray) -> None:
    for even in (reference.sigmoid_grad, reference.tanh_grad):
        np.testing.assert_array_equal(even(-x), even(x))
    np.testing.assert_array_equal(reference.tanh(-x), -reference.tanh(x))
    np.testing.assert_array_equal(reference.softplus(-x), -reference.log_sigmoid(x))


@given(moderate)
def test_sigmoid_and_tanh_are_one_function(x: np.ndarray) -> None:
    """tanh(x) = σ(2x) − σ(−2x) and tanh'(x) = 4σ'(2x)."""
    s = reference.sigmoid
    np.testing.assert_allclose(reference.tanh(x), s(2 * x) - s(-2 * x), rtol=1e-14, atol=5e-16)
    np.testing.assert_allclose(
        reference.tanh_grad(x), 4 * reference.sigmoid_grad(2 * x), rtol=1e-14
    )


@given(moderate)
def test_sigmoid_grad_is_the_product_of_both_tails(x: np.ndarray) -> None:
    product = reference.sigmoid(x) * reference.sigmoid(-x)
    np.testing.assert_allclose(reference.sigmoid_grad(x), product, rtol=2e-15)


@given(moderate)
def test_log_sigmoid_is_the_logarithm(x: np.ndarray) -> None:
    np.testing.assert_allclose(np.exp(reference.log_sigmoid(x)), reference.sigmoid(x), rtol=1e-13)
    np.testing.assert_array_equal(reference.log_sigmoid_grad(x), reference.sigmoid(-x))


@given(moderate)
def test_softplus_grows_by_its_argument(x: np.ndarray) -> None:
    """softplus(x) − softplus(−x) = x."""
    difference = reference.softplus(x) - reference.softplus(-x)
    np.testing.assert_allclose(difference, x, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(reference.softplus_grad(x), reference.sigmoid(x))


def test_relu_and_identity() -> None:
    x = np.array([-np.inf, -2.0, -0.0, 0.0, 0.25, np.inf])
    np.testing.assert_array_equal(reference.relu(x), [0, 0, 0, 0, 0.25, np.inf])
    np.testing.assert_array_equal(reference.relu_grad(x), [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(reference.identity(x), x)
    np.testing.assert_array_equal(reference.identity_grad(x), np.ones(6))


def test_identity_returns_a_copy() -> None:
    x = np.ones(3)
    assert not np.shares_memory(reference.identity(x), x)


@pytest.mark.parametrize(
    ("name", "at_minus_inf", "at_inf"),
    [
        ("sigmoid", 0, 1),
        ("sigmoid_grad", 0, 0),
        ("tanh", -1, 1),
        ("tanh_grad", 0, 0),
        ("log_sigmoid", -np.inf, 0),
        ("log_sigmoid_grad", 1, 0),
        ("softplus", 0, np.inf),
        ("softplus_grad", 0, 1),
    ],
)
def test_limits_and_nan(name: str, at_minus_inf: float, at_inf: float) -> None:
    got = getattr(reference, name)([-np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(got, [at_minus_inf, at_inf, np.nan])


@pytest.mark.parametrize("name", [*NAMES, *(f"{name}_grad" for name in NAMES)])
def test_nan_stays_nan_and_neighbours_do_not_notice(name: str) -> None:
    function = getattr(reference, name)
    x = np.linspace(-800, 800, 41)
    with_nan = np.insert(x, 17, np.nan)
    got = function(with_nan)
    assert np.isnan(got[17])
    np.testing.assert_array_equal(np.delete(got, 17), function(x))


@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid", "softplus", "tanh"])
def test_monotone_over_the_whole_range(name: str) -> None:
    """Within the rounding of neighbouring values."""
    x = np.concatenate([np.linspace(-760, 760, 40001), [-1e308, 1e308, -5e-324, 5e-324]])
    x.sort()
    y = getattr(reference, name)(x)
    assert np.all(np.diff(y) >= -4 * np.spacing(np.abs(y[:-1])))


def test_derivatives_live_where_products_of_values_are_zero() -> None:
    """At x = 40 the product σ(1−σ) is exactly 0 in float64, and from 19.1 on 1 − tanh² is too."""
    assert reference.sigmoid(40.0) * (1 - reference.sigmoid(40.0)) == 0
    assert reference.sigmoid_grad(40.0) == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert reference.tanh_grad(40.0) == pytest.approx(4 * np.exp(-80.0), rel=1e-15)
    assert reference.sigmoid_grad(-740.0) == pytest.approx(np.exp(-740.0), rel=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [*NAMES, *(f"{name}_grad" for name in NAMES)])
def test_neither_neighbours_nor_layout_change_a_bit(name: str, dtype: type) -> None:
    """Each kind of entry alone, and in blocks whose extremes ask for other branches; strided."""
    function = getattr(reference, name)
    rng = np.random.default_rng(3)
    x = rng.standard_normal(200_000) * rng.choice([1.0, 30.0, 1e4], 200_000)
    x[::977] = rng.choice([np.nan, np.inf, -np.inf, 705.0, -720.0, 360.0], len(x[::977]))
    with np.errstate(all="ignore"):
        x = x.astype(dtype)
    batch = function(x)
    for k in rng.integers(0, len(x), 40):
        np.testing.assert_array_equal(function(x[k]), batch[k])
        np.testing.assert_array_equal(function(x[k : k + 1]), batch[k : k + 1])
    np.testing.assert_array_equal(function(x[::-1])[::-1], batch)
    np.testing.assert_array_equal(function(x.reshape(400, 500).T), batch.reshape(400, 500).T)


@pytest.mark.parametrize("slope", [0.0, -0.0, 0.5, -2.0])
def test_leaky_relu_at_the_ends(slope: float) -> None:
    """With the slope 0 it is 0 all along, so that this is the limit too."""
    got = reference.leaky_relu([-np.inf, -1e308, np.inf, np.nan], slope=slope)
    left = 0.0 if slope == 0 else -slope * np.inf
    np.testing.assert_array_equal(got, [left, -slope * 1e308, np.inf, np.nan])
