"""Cross-entropies of rows: labels of every kind, reductions, axes, and the ends of the range."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference

LOSSES = ("cross_entropy", "softmax_cross_entropy")
shapes = st.tuples(st.integers(1, 4), st.integers(1, 7))
logit = st.floats(-700, 700) | st.floats(-5, 5)


@st.composite
def logits_and_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count, n = draw(shapes)
    z = draw(hnp.arrays(np.float64, (count, n), elements=logit))
    return z, draw(hnp.arrays(np.int64, count, elements=st.integers(0, n - 1)))


@st.composite
def logits_and_weights(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    z = draw(hnp.arrays(np.float64, shape, elements=logit))
    return z, draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 10)))


def one_hot(labels: np.ndarray, n: int) -> np.ndarray:
    return np.eye(n)[labels]


@given(logits_and_classes())
def test_class_indices_are_one_hot_weights(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Both kinds of label give the same loss and the same gradient, up to rounding."""
    z, labels = data
    hot = one_hot(labels, z.shape[1])
    for inputs, name in ((z, LOSSES[1]), (reference.softmax(z), LOSSES[0])):
        loss, grad = getattr(reference, name), getattr(reference, f"{name}_grad")
        by_index, by_weight = (loss(inputs, t, reduction="none") for t in (labels, hot))
        np.testing.assert_allclose(by_weight, by_index, rtol=1e-15)
        by_index, by_weight = (grad(inputs, t, reduction="none") for t in (labels, hot))
        np.testing.assert_allclose(by_weight, by_index, rtol=1e-15, atol=1e-320)


@given(logits_and_weights())
def test_gradient_in_the_logits_is_p_sum_y_minus_y(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Claim B2, for labels that do not sum to one; p − Y itself is right to its own rounding."""
    z, weights = data
    total = weights.sum(axis=1, keepdims=True)
    expected = reference.softmax(z) * total - weights
    gradient = reference.softmax_cross_entropy_grad(z, weights, reduction="none")
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-14 * (1 + total.max()))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-14 * (1 + total.max()))


@given(logits_and_weights())
def test_fused_loss_agrees_with_log_of_softmax(data: tuple[np.ndarray, np.ndarray]) -> None:
    z, weights = data
    expected = -np.sum(weights * reference.log_softmax(z), axis=1)
    got = reference.softmax_cross_entropy(z, weights, reduction="none")
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-320)


@given(logits_and_classes())
def test_fused_gradient_is_the_chain_rule(data: tuple[np.ndarray, np.ndarray]) -> None:
    """The gradient in the probabilities, sent through softmax, is the one in the logits."""
    z, labels = data
    z = np.clip(z, -30, 30)
    p = reference.softmax(z)
    upstream = reference.cross_entropy_grad(p, labels, reduction="none")
    chained = reference.softmax_vjp(z, upstream)
    fused = reference.softmax_cross_entropy_grad(z, labels, reduction="none")
    np.testing.assert_allclose(chained, fused, rtol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
@given(data=logits_and_classes())
def test_reductions(name: str, data: tuple[np.ndarray, np.ndarray]) -> None:
    z, labels = data
    x = reference.softmax(np.clip(z, -300, 300)) if name == "cross_entropy" else z
    loss, grad = getattr(reference, name), getattr(reference, f"{name}_grad")
    each = loss(x, labels, reduction="none")
    assert each.shape == labels.shape
    assert loss(x, labels, reduction="sum") == pytest.approx(math.fsum(each), rel=1e-15)
    assert loss(x, labels) == pytest.approx(math.fsum(each) / len(each), rel=1e-15)
    each = grad(x, labels, reduction="none")
    np.testing.assert_array_equal(grad(x, labels, reduction="sum"), each)
    np.testing.assert_allclose(grad(x, labels), each / len(labels), rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize("soft", [False, True], ids=["classes", "weights"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("name", LOSSES)
def test_every_axis(name: str, axis: int, soft: bool) -> None:
    rng = np.random.default_rng(6)
    z = rng.standard_normal((2, 4, 5))
    x = reference.softmax(z, axis=axis) if name == "cross_entropy" else z
    labels = rng.random(z.shape) if soft else rng.integers(0, 2, np.delete(z.shape, axis))
    loss, grad = getattr(reference, name), getattr(reference, f"{name}_grad")
    last_x = np.moveaxis(x, axis, -1)
    last_labels = np.moveaxis(labels, axis, -1) if soft else labels
    for reduction in ("mean", "sum", "none"):
        got = loss(x, labels, axis=axis, reduction=reduction)
        np.testing.assert_array_equal(got, loss(last_x, last_labels, reduction=reduction))
        got = grad(x, labels, axis=axis, reduction=reduction)
        expected = np.moveaxis(grad(last_x, last_labels, reduction=reduction), -1, axis)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "weights"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_row_does_not_see_its_neighbours(name: str, soft: bool, n: int) -> None:
    rng = np.random.default_rng(n)
    count = 4 + 140000 // n if n >= 100 else 50
    z = rng.choice([1e-8, 1.0, 300.0, 1e5], (count, 1)) * rng.standard_normal((count, n))
    x = reference.softmax(z) if name == "cross_entropy" else z
    labels = rng.random(z.shape) if soft else rng.integers(0, n, count)
    for function in (getattr(reference, name), getattr(reference, f"{name}_grad")):
        batch = function(x, labels, reduction="none")
        for k in rng.permutation(count)[:25]:
            np.testing.assert_array_equal(batch[k], function(x[k], labels[k], reduction="none"))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "weights"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_loss_and_gradient_together_are_the_two_apart(
    dtype: type, soft: bool, reduction: str
) -> None:
    """To the last bit, in several blocks, along any axis; the caller's arrays are not written to."""
    rng = np.random.default_rng(8)
    z = rng.choice([1.0, 300.0, 1e5], (7, 400, 1)) * rng.standard_normal((7, 400, 60))
    z[0, 0, :7] = -np.inf
    z = z.astype(dtype)
    for axis in (0, 1, 2):
        labels = rng.random(z.shape) if soft else rng.integers(0, 7, np.delete(z.shape, axis))
        z.flags.writeable = labels.flags.writeable = False
        loss, gradient = reference.softmax_cross_entropy_with_grad(z, labels, axis, reduction)
        alone = reference.softmax_cross_entropy(z, labels, axis, reduction)
        np.testing.assert_array_equal(loss, alone)
        assert np.asarray(loss).dtype == dtype
        alone = reference.softmax_cross_entropy_grad(z, labels, axis, reduction)
        np.testing.assert_array_equal(gradient, alone)
        assert gradient.dtype == dtype


def test_a_batch_of_nothing_with_gradient() -> None:
    z, labels = np.zeros((0, 3)), np.zeros(0, int)
    loss, gradient = reference.softmax_cross_entropy_with_grad(z, labels, reduction="sum")
    assert loss == 0
    assert gradient.shape == (0, 3)
    with pytest.raises(ValueError, match="mean over an empty batch"):
        reference.softmax_cross_entropy_with_grad(z, labels)
    with pytest.raises(ValueError, match="reduction must be"):
        reference.softmax_cross_entropy_with_grad(z, labels, reduction="Mean")  # type: ignore[arg-type]  # that is the error


def test_a_label_that_the_logits_rule_out() -> None:
    """Its share is beyond float64's range, up to the point where it is none: the loss is not."""
    gaps = np.array([600.0, 690.0, 700.0, 745.0, 1100.0, 1e6, 1e308, np.inf])
    z = np.stack([np.zeros(len(gaps)), -gaps], axis=1)
    for shift in (0.0, 330.0, 1e5):
        with np.errstate(all="raise"):
            losses = reference.softmax_cross_entropy(z + shift, np.ones(8, int), reduction="none")
        np.testing.assert_array_equal(losses, (shift - (z + shift)[:, 1]))


def test_zeros_have_no_sign() -> None:
    """A loss of −0 reads like a mistake."""
    certain, hot = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for labels in (0, hot):
        assert str(reference.cross_entropy(certain, labels)) == "0.0"
        assert not np.signbit(reference.cross_entropy_grad(certain, labels)[1])


def test_label_smoothing() -> None:
    """Smoothed labels sum to one: the gradient is p − Y, and its size shows the smoothing."""
    z = np.array([[2.0, -1.0, 0.5, 0.0]])
    smooth = 0.9 * one_hot(np.array([0]), 4) + 0.1 / 4
    gradient = reference.softmax_cross_entropy_grad(z, smooth)
    np.testing.assert_allclose(gradient, reference.softmax(z) - smooth, rtol=1e-14)


def test_labels_of_zero_weight_alone_give_zero() -> None:
    z = np.array([[1.0, 2.0]])
    assert reference.softmax_cross_entropy(z, np.zeros((1, 2))) == 0
    np.testing.assert_array_equal(reference.softmax_cross_entropy_grad(z, np.zeros((1, 2))), 0 * z)


def test_weight_zero_does_not_count_where_the_probability_is_zero() -> None:
    p, weights = np.array([[0.5, 0.5, 0.0]]), np.array([[0.5, 0.5, 0.0]])
    assert reference.cross_entropy(p, weights) == pytest.approx(math.log(2))
    np.testing.assert_array_equal(reference.cross_entropy_grad(p, weights), [[-1, -1, 0]])
    masked = np.array([[1.0, 1.0, -np.inf]])
    assert reference.softmax_cross_entropy(masked, weights) == pytest.approx(math.log(2))
    np.testing.assert_allclose(
        reference.softmax_cross_entropy_grad(masked, weights), [[0, 0, 0]], atol=1e-16
    )


def test_impossible_target() -> None:
    """A target of probability 0 costs infinity; in the logits its gradient is still −1."""
    assert reference.cross_entropy([0.0, 1.0], 0) == np.inf
    np.testing.assert_array_equal(reference.cross_entropy_grad([0.0, 1.0], 0), [-np.inf, 0])
    assert reference.softmax_cross_entropy([-np.inf, 1.0], 0) == np.inf
    np.testing.assert_array_equal(
        reference.softmax_cross_entropy_grad([-np.inf, 1.0], 0), [-1.0, 1.0]
    )


@pytest.mark.parametrize("margin", [20.0, 36.5, 40.0, 300.0, 700.0, 744.0])
def test_confident_and_right(margin: float) -> None:
    """Loss and gradient of a sample with a margin d are e^-d, not 0, until e^-d is 0 itself."""
    z, tail = np.array([margin, 0.0]), math.exp(-margin)
    assert reference.softmax_cross_entropy(z, 0) == pytest.approx(tail, rel=1e-8)
    gradient = reference.softmax_cross_entropy_grad(z, 0)
    np.testing.assert_allclose(gradient, [-tail, tail], rtol=1e-8)
    assert gradient[0] == -gradient[1]


def test_confident_and_wrong() -> None:
    assert reference.softmax_cross_entropy([1e4, 0.0], 1) == 1e4
    assert reference.softmax_cross_entropy([1e308, -0.5e308], 1) == 1.5e308
    np.testing.assert_array_equal(reference.softmax_cross_entropy_grad([1e4, 0.0], 1), [1.0, -1.0])


def test_overflow_only_where_the_loss_overflows() -> None:
    """z_top − z_i is 2e308, a quarter of it is not; the sum of two losses is too large, the mean not."""
    huge = np.array([1e308, -1e308])
    assert reference.softmax_cross_entropy(huge, [0.75, 0.25]) == pytest.approx(5e307)
    assert reference.softmax_cross_entropy(huge, 1) == np.inf
    batch = np.array([[1.2e308, 0.0], [1.2e308, 0.0]])
    assert reference.softmax_cross_entropy(batch, [1, 1]) == 1.2e308
    assert reference.softmax_cross_entropy(batch, [1, 1], reduction="sum") == np.inf


@given(st.floats(-745, 745), st.floats(0, 1))
def test_two_classes_are_binary_cross_entropy(x: float, y: float) -> None:
    """Claim E1: softmax over (x, 0) is (σ(x), 1−σ(x)); losses and gradients agree."""
    z, weights = np.array([x, 0.0]), np.array([y, 1 - y])
    np.testing.assert_allclose(
        reference.softmax(z), [reference.sigmoid(x), reference.sigmoid(-x)], rtol=1e-15, atol=5e-324
    )
    binary = reference.binary_cross_entropy_with_logits(x, y)
    assert reference.softmax_cross_entropy(z, weights) == pytest.approx(
        binary, rel=1e-14, abs=1e-322
    )
    slope = reference.binary_cross_entropy_with_logits_grad(x, y)
    gradient = reference.softmax_cross_entropy_grad(z, weights)
    np.testing.assert_allclose(gradient, [slope, -slope], rtol=1e-12, atol=3e-16)


def test_huge_weights() -> None:
    """Loss and gradient are linear in the weights, up to the largest numbers."""
    z, weights = np.array([1.0, -2.0, 0.5]), np.array([0.25, 0.5, 0.125])
    huge = np.ldexp(weights, 1023)
    loss = reference.softmax_cross_entropy(z, huge / 4)
    assert loss == pytest.approx(np.ldexp(reference.softmax_cross_entropy(z, weights), 1021))
    np.testing.assert_allclose(
        reference.softmax_cross_entropy_grad(z, huge),
        np.ldexp(reference.softmax_cross_entropy_grad(z, weights), 1023),
        rtol=1e-14,
    )


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_of_zero_do_not_hide_a_sample_without_a_loss(wrong: float) -> None:
    z = [[wrong, 0.0], [1.0, 0.0], [-np.inf, -np.inf]]
    loss = reference.softmax_cross_entropy(z, np.zeros((3, 2)), reduction="none")
    np.testing.assert_array_equal(loss, [np.nan, 0.0, np.nan])


def test_gradients_of_means_are_divided_before_they_overflow() -> None:
    """−1/1e-309 is beyond the largest float64, and a tenth of it is not."""
    tiny = np.float64(1e-309)
    slope = -1 / (10 * tiny)  # one subnormal number and its tenfold: exact to their own digits
    p = np.tile([tiny, 0.5], (10, 1))
    for labels in (np.zeros(10, int), np.tile([1.0, 0.0], (10, 1))):
        got = reference.cross_entropy_grad(p, labels)
        np.testing.assert_allclose(got, np.tile([slope, 0.0], (10, 1)), rtol=1e-15)
    of_ones = reference.binary_cross_entropy_grad([tiny] * 9 + [0.5], 1.0)
    np.testing.assert_allclose(of_ones, [slope] * 9 + [-0.2], rtol=1e-15)
    _, in_q = reference.kl_divergence_grad(np.tile([1.0, 0.0], (10, 1)), p)
    np.testing.assert_allclose(in_q, np.tile([slope, 0.0], (10, 1)), rtol=1e-15)
    of_squares = reference.squared_error_grad([1.7e308] * 10, [-1.7e308] * 10)
    np.testing.assert_allclose(of_squares, 3.4e307, rtol=1e-15)
    assert reference.cross_entropy_grad([[0.0, 1.0]] * 10, [0] * 10)[0, 0] == -np.inf
