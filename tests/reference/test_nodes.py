"""Graph nodes: local rules, broadcasting, and shapes of what is passed down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference

small = st.floats(-8, 8)
pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4)


@given(pairs, st.data())
def test_gradients_of_spread_operands_are_summed(
    shapes: hnp.BroadcastableShapes, data: st.DataObject
) -> None:
    """Against the same node on operands that were spread by hand, summed entry by entry."""
    x, y = (data.draw(hnp.arrays(np.float64, s, elements=small)) for s in shapes.input_shapes)
    v = data.draw(hnp.arrays(np.float64, shapes.result_shape, elements=small))
    product, total = reference.multiply_node(x, y), reference.add_node(x, y)
    np.testing.assert_array_equal(product, np.asarray(x) * y)
    np.testing.assert_array_equal(total, np.asarray(x) + y)
    for vjp, local in (
        (reference.multiply_node_vjp, (y, x)),
        (reference.add_node_vjp, (np.ones_like(y), np.ones_like(x))),
    ):
        for got, operand, factor in zip(vjp(x, y, v), (x, y), local, strict=True):
            spread = np.broadcast_to(factor, shapes.result_shape) * v
            origin = np.broadcast_to(
                np.arange(np.size(operand)).reshape(np.shape(operand)), v.shape
            )
            expected = np.zeros(np.size(operand))
            np.add.at(expected, origin.ravel(), spread.ravel())
            assert np.shape(got) == np.shape(operand)
            np.testing.assert_allclose(np.ravel(got), expected, rtol=1e-13, atol=1e-13)


def test_c1_square_of_a_sum() -> None:
    """z = t², t = x+y at (3, 4): both gradients are 2(x+y)."""
    t = reference.add_node(3.0, 4.0)
    assert reference.multiply_node(t, t) == 49.0
    to_first, to_second = reference.multiply_node_vjp(t, t, 1.0)
    assert reference.add_node_vjp(3.0, 4.0, to_first + to_second) == (14.0, 14.0)


def test_one_operand_nodes_by_hand() -> None:
    x, v = np.array([0.5, 2.0, 4.0]), np.array([1.0, -3.0, 8.0])
    np.testing.assert_array_equal(reference.exp_node_vjp(x, v), v * np.exp(x))
    np.testing.assert_array_equal(reference.reciprocal_node(x), [2, 0.5, 0.25])
    np.testing.assert_array_equal(reference.reciprocal_node_vjp(x, v), [-4, 0.75, -0.5])
    np.testing.assert_array_equal(reference.log_node_vjp(x, v), [2, -1.5, 2])
    np.testing.assert_array_equal(reference.negate_node_vjp(x, v), -v)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_sum_node_keeps_its_axis(axis: int) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    total = reference.sum_node(x, axis=axis)
    np.testing.assert_array_equal(total, x.sum(axis=axis, keepdims=True))
    v = 1.0 + np.arange(total.size).reshape(total.shape)
    np.testing.assert_array_equal(reference.sum_node_vjp(x, v, axis=axis), v + 0 * x)


def test_reciprocal_node_where_the_square_leaves_the_range() -> None:
    """x² underflows to 0 at 1e-200 and overflows at 1e200; v/x² is an ordinary number."""
    got = reference.reciprocal_node_vjp([1e-200, 1e200], [1e-300, 1e300])
    np.testing.assert_allclose(got, [-1e100, -1e-100], rtol=1e-15)


def test_nodes_follow_ieee_at_the_ends() -> None:
    np.testing.assert_array_equal(reference.exp_node([1e4, -np.inf]), [np.inf, 0])
    np.testing.assert_array_equal(reference.reciprocal_node([0.0, -0.0]), [np.inf, -np.inf])
    assert reference.log_node(0.0) == -np.inf


def test_passed_down_gradients_are_new_arrays() -> None:
    """What two parents receive must not be one array: adding to one would change the other."""
    v = np.ones(3)
    first, second = reference.add_node_vjp(np.zeros(3), np.zeros(3), v)
    down = reference.sum_node_vjp(np.zeros((3, 1)), v[:, None])
    assert not np.shares_memory(first, second)
    assert not any(np.shares_memory(a, v) for a in (first, second, down))
