"""Networks: structure of what comes back, agreement with layers applied by hand, all activations."""

import numpy as np
import pytest

import gradcheck
import reference
from gradcheck import Outcome

ACTIVATIONS = ("identity", "log_sigmoid", "relu", "sigmoid", "softplus", "tanh")
TARGETS = {
    "softmax_cross_entropy": np.array([0, 2, 1, 1, 0]),
    "binary_cross_entropy_with_logits": np.linspace(0, 1, 15).reshape(5, 3),
    "squared_error": np.linspace(-1, 1, 15).reshape(5, 3),
}


def setting() -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    rng = np.random.default_rng(8)
    parameters = reference.initial_parameters([4, 6, 5, 3], rng)
    for layer in parameters:
        layer["b"] += rng.standard_normal(layer["b"].shape)
    return rng.standard_normal((5, 4)), parameters


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_is_layer_after_layer(activation: str) -> None:
    x, parameters = setting()
    hidden = x
    for layer in parameters[:-1]:
        hidden = getattr(reference, activation)(hidden @ layer["W"] + layer["b"])
    expected = hidden @ parameters[-1]["W"] + parameters[-1]["b"]
    got = reference.Network(activation).forward(x, parameters)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("criterion", TARGETS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_three_layers_in_nested_parameters(activation: str, criterion: str) -> None:
    """The table of cases holds two of these networks, flat; here are all, nested as users pass them."""
    x, parameters = setting()
    network, targets = reference.Network(activation, criterion), TARGETS[criterion]
    report = gradcheck.check(
        lambda p, x: network.loss(x, targets, p),
        (parameters, x),
        grad=lambda p, x: (
            network.backward(x, targets, p).parameters,
            network.backward(x, targets, p).x,
        ),
        rng=9,
    )
    assert report.outcome is Outcome.PASS, str(report)


def test_gradient_has_the_structure_of_the_parameters() -> None:
    x, parameters = setting()
    parameters[1]["W"] = parameters[1]["W"].astype(np.float32)
    gradient = reference.Network().backward(x, TARGETS["softmax_cross_entropy"], parameters)
    assert gradient.x.shape == x.shape
    assert [list(layer) for layer in gradient.parameters] == [["W", "b"]] * 3
    for layer, slope in zip(parameters, gradient.parameters, strict=True):
        for key in layer:
            assert slope[key].shape == layer[key].shape
            assert slope[key].dtype == layer[key].dtype


def test_flat_parameters_are_the_nested_ones() -> None:
    x, parameters = setting()
    labels = TARGETS["softmax_cross_entropy"]
    flat = [layer[key] for layer in parameters for key in ("W", "b")]
    network = reference.Network("sigmoid")
    assert reference.network_loss("sigmoid", x, labels, *flat) == network.loss(
        x, labels, parameters
    )
    gradient = network.backward(x, labels, parameters)
    slopes = [gradient.x, *(layer[key] for layer in gradient.parameters for key in ("W", "b"))]
    for got, slope in zip(
        reference.network_loss_vjp("sigmoid", x, labels, *flat, -2.0), slopes, strict=True
    ):
        np.testing.assert_array_equal(got, -2 * slope)


@pytest.mark.parametrize("v", [-2.0, -2, np.float64(-2), np.float16(-2), np.array(-2)])
def test_gradients_have_the_dtypes_of_the_arguments(v: float) -> None:
    """Whatever the type of the upstream number; computed in float64 and rounded once."""
    x, parameters = setting()
    arrays = [x, *(layer[key] for layer in parameters for key in ("W", "b"))]
    dtypes = (np.float32, np.float16, np.float64, np.float64, np.float32, np.float32, np.float16)
    arrays = [array.astype(dtype) for array, dtype in zip(arrays, dtypes, strict=True)]
    labels = TARGETS["softmax_cross_entropy"]
    got = reference.network_loss_vjp("tanh", arrays[0], labels, *arrays[1:], v)
    x, *flat = (array.astype(float) for array in arrays)
    exact = reference.network_loss_vjp("tanh", x, labels, *flat, -2.0)
    for one, other, dtype in zip(got, exact, dtypes, strict=True):
        assert one.dtype == dtype
        np.testing.assert_array_equal(one, other.astype(dtype))


def test_one_sample_is_a_batch_of_one() -> None:
    x, parameters = setting()
    network = reference.Network()
    alone, batch = network.backward(x[0], 2, parameters), network.backward(x[:1], [2], parameters)
    np.testing.assert_array_equal(alone.x, batch.x[0])
    for one, other in zip(alone.parameters, batch.parameters, strict=True):
        np.testing.assert_array_equal(one["W"], other["W"])
        np.testing.assert_array_equal(one["b"], other["b"])
