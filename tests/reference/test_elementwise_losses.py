"""Binary cross-entropies and squared error: identities, ends of the range, reductions."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference

LOSSES = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "squared_error")
unit = hnp.arrays(np.float64, 6, elements=st.floats(0, 1))
interior = hnp.arrays(np.float64, 6, elements=st.floats(1e-6, 1 - 1e-6))
reals = hnp.arrays(np.float64, 6, elements=st.floats(-700, 700))


@given(reals, unit)
def test_binary_loss_is_symmetric(z: np.ndarray, y: np.ndarray) -> None:
    """Swapping the classes (z → −z, y → 1−y) changes nothing; 1 − (1−y) may differ from y."""
    y = 1 - (1 - y)
    loss = reference.binary_cross_entropy_with_logits(z, y, reduction="none")
    swapped = reference.binary_cross_entropy_with_logits(-z, 1 - y, reduction="none")
    np.testing.assert_allclose(swapped, loss, rtol=1e-14, atol=1e-320)
    slope = reference.binary_cross_entropy_with_logits_grad(z, y, reduction="none")
    swapped = reference.binary_cross_entropy_with_logits_grad(-z, 1 - y, reduction="none")
    np.testing.assert_allclose(-swapped, slope, rtol=1e-12, atol=1e-15)


@given(reals, unit)
def test_binary_loss_of_logits_by_its_definition(z: np.ndarray, y: np.ndarray) -> None:
    """y·softplus(−z) + (1−y)·softplus(z), and the derivative σ(z) − y."""
    expected = y * reference.softplus(-z) + (1 - y) * reference.softplus(z)
    loss = reference.binary_cross_entropy_with_logits(z, y, reduction="none")
    np.testing.assert_allclose(loss, expected, rtol=1e-14, atol=1e-320)
    slope = reference.binary_cross_entropy_with_logits_grad(z, y, reduction="none")
    np.testing.assert_allclose(slope, reference.sigmoid(z) - y, rtol=0, atol=3e-16)


@given(interior, unit)
def test_binary_gradient_of_probabilities_has_two_forms(p: np.ndarray, y: np.ndarray) -> None:
    """Claim D3: −y/p + (1−y)/(1−p) = (p−y)/(p(1−p))."""
    expected = -y / p + (1 - y) / (1 - p)
    slope = reference.binary_cross_entropy_grad(p, y, reduction="none")
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-15 * np.max(1 / p + 1 / (1 - p)))


@given(interior, unit)
def test_binary_loss_is_cross_entropy_of_two_classes(p: np.ndarray, y: np.ndarray) -> None:
    p = 1 - (1 - p)
    pairs, weights = np.stack([p, 1 - p], axis=1), np.stack([y, 1 - y], axis=1)
    np.testing.assert_allclose(
        reference.binary_cross_entropy(p, y, reduction="none"),
        reference.cross_entropy(pairs, weights, reduction="none"),
        rtol=1e-14,
        atol=1e-15,
    )


def test_binary_loss_at_the_ends_of_the_unit_interval() -> None:
    """0·log 0 counts 0, a wrong certainty costs infinity."""
    p, y = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0, 0.5, 0.5])
    infinite = [0, 0, np.inf, np.inf, np.inf, np.inf]
    np.testing.assert_array_equal(reference.binary_cross_entropy(p, y, reduction="none"), infinite)
    slopes = [1, -1, -np.inf, np.inf, -np.inf, np.inf]
    np.testing.assert_array_equal(
        reference.binary_cross_entropy_grad(p, y, reduction="none"), slopes
    )


def test_binary_loss_of_infinite_logits() -> None:
    z, y = np.array([np.inf, -np.inf, np.inf, -np.inf, np.nan]), np.array([1.0, 0.0, 0.0, 0.5, 0.5])
    loss = reference.binary_cross_entropy_with_logits(z, y, reduction="none")
    np.testing.assert_array_equal(loss, [0, 0, np.inf, np.inf, np.nan])
    slope = reference.binary_cross_entropy_with_logits_grad(z, y, reduction="none")
    np.testing.assert_array_equal(slope, [0, 0, 1, -0.5, np.nan])


@pytest.mark.parametrize("z", [20.0, 40.0, 700.0, 744.0])
def test_confident_and_right(z: float) -> None:
    """The loss and its slope are e^-z, not 0 (claim D5 near the label, with all digits)."""
    tail = math.exp(-z)
    assert reference.binary_cross_entropy_with_logits(z, 1.0) == pytest.approx(tail, rel=1e-8)
    assert reference.binary_cross_entropy_with_logits(-z, 0.0) == pytest.approx(tail, rel=1e-8)
    assert reference.binary_cross_entropy_with_logits_grad(z, 1.0) == pytest.approx(-tail, rel=1e-8)
    assert reference.binary_cross_entropy_with_logits_grad(-z, 0.0) == pytest.approx(tail, rel=1e-8)


@given(reals, reals)
def test_squared_error(y: np.ndarray, t: np.ndarray) -> None:
    np.testing.assert_allclose(
        reference.squared_error(y, t, reduction="none"), (y - t) ** 2 / 2, rtol=1e-15, atol=5e-324
    )
    np.testing.assert_array_equal(reference.squared_error_grad(y, t, reduction="none"), y - t)


@pytest.mark.parametrize("y", [1.6e154, -1.8e154, 2.6e-162, -2.0e-162])
def test_half_of_a_square_that_float64_cannot_hold(y: float) -> None:
    """The square overflows, or is no normal number; its half is the number nearest to the true one."""
    expected = [float(Fraction(y) ** 2 / 2), 1.125]
    np.testing.assert_array_equal(
        reference.squared_error([y, 1.5], 0.0, reduction="none"), expected
    )


def test_wrong_entries_are_found_in_any_block() -> None:
    """Entries are looked at block by block; the message speaks of the whole array, −0 is allowed."""
    p, targets = np.full((2, 150_000), 0.5), np.zeros((2, 150_000))
    p[0, 7], targets[1, 5] = -0.0, -0.0
    mean = math.log(2) * (p.size - 1) / p.size
    assert reference.binary_cross_entropy(p, targets) == pytest.approx(mean)
    targets[1, 149_999] = -1e-300
    expected = re.escape("targets must lie in [0, 1]; got -1e-300 at index (1, 149999)")
    for function in (reference.binary_cross_entropy_grad, reference.binary_cross_entropy):
        with pytest.raises(ValueError, match=expected):
            function(p, targets)
    p[1, 140_000] = np.nan
    with pytest.raises(
        ValueError, match=re.escape("p must not hold NaN; got nan at index (1, 140000)")
    ):
        reference.binary_cross_entropy(p, targets)


@pytest.mark.parametrize("name", LOSSES)
@given(x=unit, y=unit)
def test_reductions(name: str, x: np.ndarray, y: np.ndarray) -> None:
    loss, grad = getattr(reference, name), getattr(reference, f"{name}_grad")
    x = np.clip(x, 1e-9, 1 - 1e-9).reshape(2, 3)
    y = y.reshape(2, 3)
    each = loss(x, y, reduction="none")
    assert each.shape == (2, 3)
    assert loss(x, y, reduction="sum") == pytest.approx(math.fsum(each.flat), rel=1e-15)
    assert loss(x, y) == pytest.approx(math.fsum(each.flat) / 6, rel=1e-15)
    each = grad(x, y, reduction="none")
    np.testing.assert_array_equal(grad(x, y, reduction="sum"), each)
    np.testing.assert_allclose(grad(x, y), each / 6, rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize("name", LOSSES)
def test_one_target_for_all_entries(name: str) -> None:
    x = np.array([[0.25, 0.5], [0.75, 0.125]])
    for function in (getattr(reference, name), getattr(reference, f"{name}_grad")):
        np.testing.assert_array_equal(function(x, 1.0), function(x, np.ones((2, 2))))


def test_losses_of_a_residual_that_overflows() -> None:
    """The losses themselves are in range: δ is small, or half of β is taken off."""
    options = {"reduction": "none"}
    y, t = np.array([1.7e308, -1.7e308, 3.0]), np.array([-1.7e308, 1.7e308, 1.0])
    np.testing.assert_array_equal(
        reference.huber(y, t, delta=0.25, **options), [8.5e307, 8.5e307, 0.46875]
    )
    np.testing.assert_allclose(
        reference.smooth_l1(y / 1.7, t / 1.7, beta=1.79e308, **options)[:2], 1.105e308, rtol=1e-15
    )
    assert reference.huber([np.inf], [-np.inf], **options) == np.inf
