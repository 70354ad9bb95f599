"""The figures that the source documents print, and the two that are wrong there."""

import numpy as np
import pytest

import reference

A = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])
T = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def test_a9_softmax_of_three_logits() -> None:
    y = reference.softmax([2.0, 1.0, 0.1])
    np.testing.assert_allclose(y, [0.659, 0.242, 0.099], atol=5e-4)
    loss = pytest.approx(0.4170300162778335, rel=5e-16)
    assert reference.softmax_cross_entropy([2.0, 1.0, 0.1], 0) == loss
    assert reference.cross_entropy(y, 0) == loss


def test_c4_scalar_graph() -> None:
    product = reference.multiply_node(100.0, 2.0)
    assert reference.add_node(product, 300.0) == 500.0
    to_product, to_third = reference.add_node_vjp(product, 300.0, 1.0)
    assert (*reference.multiply_node_vjp(100.0, 2.0, to_product), to_third) == (2.0, 100.0, 1.0)


def test_c4_array_graph() -> None:
    x1, x2, x3 = [100.0, 101.0, 102.0], [2.0, 3.0, 4.0], [300.0, 301.0, 302.0]
    product = reference.multiply_node(x1, x2)
    np.testing.assert_array_equal(reference.add_node(product, x3), [500, 604, 710])
    to_product, to_third = reference.add_node_vjp(product, x3, np.ones(3))
    to_first, to_second = reference.multiply_node_vjp(x1, x2, to_product)
    np.testing.assert_array_equal(to_first, [2, 3, 4])
    np.testing.assert_array_equal(to_second, [100, 101, 102])
    np.testing.assert_array_equal(to_third, [1, 1, 1])


def test_c8_softmax_with_loss() -> None:
    """The printed digits of softmax and gradient; the exact loss."""
    y = [[0.2312239, 0.62853172, 0.14024438], [0.1553624, 0.4223188, 0.4223188]]
    gradient = [[-0.38438805, 0.31426586, 0.07012219], [0.0776812, -0.2888406, 0.2111594]]
    np.testing.assert_allclose(reference.softmax(A), y, atol=5e-9)
    layer = reference.SoftmaxWithLoss()
    assert layer.forward(A, T) == 1.163181794083098
    np.testing.assert_allclose(layer.backward(), gradient, atol=5e-9)


def test_c8_printed_loss_comes_from_the_constant_in_its_logarithm() -> None:
    printed = 1.1631814594485623
    y = reference.softmax(A)
    shifted = -np.mean(np.log(y[[0, 1], [0, 1]] + 1e-7))
    assert shifted == pytest.approx(printed, rel=1e-15)
    assert reference.softmax_with_loss(A, T) - printed == pytest.approx(3.3463e-7, rel=1e-4)


def test_c9_gradient_of_the_printed_loss_differs() -> None:
    """Its relative error is up to 4.3e-7 at this point: ours belongs to the exact loss."""
    y = reference.softmax(A)
    slope = -T / (y + 1e-7) / 2
    of_printed_loss = reference.softmax_vjp(A, slope)
    ours = reference.softmax_with_loss_vjp(A, T, 1.0)
    error = np.abs(ours / of_printed_loss - 1)
    assert error.max() == pytest.approx(4.3e-7, rel=0.01)


def test_c10_upstream_gradient_counts() -> None:
    layer = reference.SoftmaxWithLoss()
    layer.forward(A, T)
    np.testing.assert_array_equal(layer.backward(-4.0), -4 * layer.backward())
    np.testing.assert_array_equal(layer.backward(0.0), 0 * A)


def test_c11_soft_labels_stay_soft() -> None:
    soft = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    hard = soft.argmax(axis=1)
    y = reference.softmax(A)
    assert reference.softmax_with_loss(A, soft) == pytest.approx(-np.sum(soft * np.log(y)) / 2)
    assert abs(reference.softmax_with_loss(A, soft) - reference.softmax_with_loss(A, hard)) > 0.05


def linear_network() -> tuple[reference.Network, list[dict[str, np.ndarray]]]:
    network = reference.Network(activation="identity", criterion="squared_error")
    hidden = {"W": np.array([[0.5, 2.3], [1.5, 3.0]]), "b": np.zeros(2)}
    return network, [hidden, {"W": np.ones((2, 1)), "b": np.zeros(1)}]


X, TARGET = np.array([[1.0, 0.5]]), np.array([[4.0]])


def test_e3_forward_and_gradient() -> None:
    network, parameters = linear_network()
    np.testing.assert_allclose(reference.affine(X, *parameters[0].values()), [[1.25, 3.8]])
    assert network.forward(X, parameters) == pytest.approx(5.05)
    assert network.loss(X, TARGET, parameters) == pytest.approx(0.55125)
    first, second = network.backward(X, TARGET, parameters).parameters
    np.testing.assert_allclose(first["W"].T.ravel(), [1.05, 0.525, 1.05, 0.525])
    np.testing.assert_allclose(second["W"].ravel(), [1.3125, 3.99])


def test_e3_one_step() -> None:
    """The example has no biases: only the weights move."""
    network, parameters = linear_network()
    gradient = network.backward(X, TARGET, parameters).parameters
    for layer in gradient:
        layer["b"][:] = 0
    hidden, output = reference.sgd_step(parameters, gradient, 0.1)
    np.testing.assert_allclose(hidden["W"].T.ravel(), [0.395, 1.4475, 2.195, 2.9475])
    np.testing.assert_allclose(output["W"].ravel(), [0.86875, 0.601])
    assert network.forward(X, [hidden, output]) == pytest.approx(3.1768, abs=5e-5)
    assert network.loss(X, TARGET, [hidden, output]) == pytest.approx(0.3388, abs=5e-5)
