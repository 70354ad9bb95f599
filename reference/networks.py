"""Networks of affine layers with an activation between them: forward, loss, backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Elementwise, Interval
from reference import activations, elementwise_losses, losses
from reference._products import wide
from reference._validate import Array, of_shape, real
from reference.layers import affine, affine_vjp

Layer = Mapping[str, Any]
Parameters = Sequence[Layer]


@dataclass(frozen=True, slots=True)
class _Pair:
    f: Callable[..., Any]
    grad: Callable[..., Any]


# Every row of the activations' table can stand between two layers.
_ACTIVATIONS = {
    case.name: _Pair(case.f, case.vjp.derivative)
    for case in activations.CASES
    if isinstance(case.vjp, Elementwise)
}
_CRITERIA = {
    "binary_cross_entropy_with_logits": _Pair(
        elementwise_losses.binary_cross_entropy_with_logits,
        elementwise_losses.binary_cross_entropy_with_logits_grad,
    ),
    "softmax_cross_entropy": _Pair(losses.softmax_cross_entropy, losses.softmax_cross_entropy_grad),
    "squared_error": _Pair(elementwise_losses.squared_error, elementwise_losses.squared_error_grad),
}


@dataclass(frozen=True, slots=True)
class NetworkGradient:
    """The gradient of a network's loss.

    Parameters
    ----------
    x : array
        In the network's input.
    parameters : list of dict
        In the parameters, one dict with ``"W"`` and ``"b"`` for each layer.
    """

    x: Array
    parameters: list[dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Network:
    """An L-layer network: affine layers with an activation after each but the last.

    The network holds no parameters; they are passed as a sequence of L mappings with the keys
    ``"W"``, of shape (inputs, outputs), and ``"b"``, of shape (outputs,).

    Parameters
    ----------
    activation : str
        Name of an elementwise row of `reference.activations.CASES`, such as relu; the message about
        an unknown name lists them all.
    criterion : str
        Name of the loss: softmax_cross_entropy, binary_cross_entropy_with_logits or squared_error;
        its mean over the samples (of the elementwise ones: over all entries).

    Raises
    ------
    ValueError
        If a name is unknown.

    Notes
    -----
    Source: document E, claim E2.

    Examples
    --------
    The linear network of document E, claim E3:

    >>> network = Network(activation="identity", criterion="squared_error")
    >>> parameters = [
    ...     {"W": [[0.5, 2.3], [1.5, 3.0]], "b": [0.0, 0.0]},
    ...     {"W": [[1.0], [1.0]], "b": [0.0]},
    ... ]
    >>> network.forward([[1.0, 0.5]], parameters)
    array([[5.05]])
    >>> network.loss([[1.0, 0.5]], [[4.0]], parameters)
    np.float64(0.55125)
    >>> network.backward([[1.0, 0.5]], [[4.0]], parameters).parameters[1]["W"]
    array([[1.3125],
           [3.99  ]])
    """

    activation: str = "tanh"
    criterion: str = "softmax_cross_entropy"

    def __post_init__(self) -> None:
        _check_name("activation", self.activation, _ACTIVATIONS)
        _check_name("criterion", self.criterion, _CRITERIA)

    def forward(self, x: Any, parameters: Parameters) -> Array:
        """Return the output of the last layer (for a classifier: the logits).

        Parameters
        ----------
        x : array_like, shape (N, D) or (D,)
            The input.
        parameters : sequence of mapping
            One ``{"W": …, "b": …}`` for each layer.

        Raises
        ------
        TypeError
            If an array does not hold real numbers.
        ValueError
            If there is no layer, a layer lacks ``"W"`` or ``"b"``, or the shapes do not fit.
        """
        return self._pre_activations(x, parameters)[-1]

    def loss(self, x: Any, labels: Any, parameters: Parameters) -> Any:
        """Return the mean loss of a batch.

        Parameters
        ----------
        x : array_like, shape (N, D) or (D,)
            The input.
        labels : array_like
            What the criterion compares the output with.
        parameters : sequence of mapping
            One ``{"W": …, "b": …}`` for each layer.

        Raises
        ------
        TypeError
            If an array has an unsuitable dtype.
        ValueError
            If there is no layer, a layer lacks ``"W"`` or ``"b"``, the shapes do not fit, or a
            label is out of range.
        """
        return _CRITERIA[self.criterion].f(self.forward(x, parameters), labels)

    def backward(self, x: Any, labels: Any, parameters: Parameters) -> NetworkGradient:
        """Return the gradient of `loss` in the parameters and in the input.

        Parameters
        ----------
        x : array_like, shape (N, D) or (D,)
            The input.
        labels : array_like
            What the criterion compares the output with.
        parameters : sequence of mapping
            One ``{"W": …, "b": …}`` for each layer.

        Raises
        ------
        TypeError
            If an array has an unsuitable dtype.
        ValueError
            If there is no layer, a layer lacks ``"W"`` or ``"b"``, the shapes do not fit, or a
            label is out of range.

        Notes
        -----
        Source: document E, claim E2: from the last layer down, with G the gradient in a
        layer's output and H the layer's input, dW = HᵀG and db = 1ᵀG; the layer below receives
        (G·Wᵀ)·φ'.
        """
        activation = _ACTIVATIONS[self.activation]
        outputs = self._pre_activations(x, parameters)
        G = _CRITERIA[self.criterion].grad(outputs[-1], labels)
        gradients = []
        for k in reversed(range(len(parameters))):
            W, b = _layer(parameters, k)
            H = activation.f(outputs[k - 1]) if k else x
            G, dW, db = affine_vjp(H, W, b, G)
            gradients.append({"W": dW, "b": db})
            if k:
                G = G * activation.grad(outputs[k - 1])
        return NetworkGradient(x=G, parameters=gradients[::-1])

    def _pre_activations(self, x: Any, parameters: Parameters) -> list[Array]:
        """Return the output of every affine layer, before the activation."""
        if len(parameters) == 0:
            raise ValueError("a network needs at least one layer, got no parameters")
        activation = _ACTIVATIONS[self.activation]
        outputs: list[Array] = []
        for k in range(len(parameters)):
            H = activation.f(outputs[-1]) if outputs else x
            outputs.append(affine(H, *_layer(parameters, k)))
        return outputs


def network_loss(activation: str, x: Any, labels: Any, *flat: Any) -> Any:
    """Return the softmax cross-entropy of a network with positional parameters W1, b1, W2, b2, ….

    Parameters
    ----------
    activation : str
        Name of the activation, as in `Network`.
    x : array_like, shape (N, D) or (D,)
        The input.
    labels : array_like
        Class indices or weights, as in `softmax_cross_entropy`.
    *flat : array_like
        Weights and biases, layer by layer.

    Raises
    ------
    TypeError
        If an array has an unsuitable dtype.
    ValueError
        If the number of parameters is odd or zero, the shapes do not fit, or a label is out of
        range.

    Notes
    -----
    Source: document E, claim E2.

    Examples
    --------
    >>> network_loss("tanh", [[0.5]], [0], [[1.0, -1.0]], [0.0, 0.0])
    np.float64(0.31326168751822286)
    """
    return Network(activation).loss(x, labels, _nested(flat))


def network_loss_vjp(activation: str, x: Any, labels: Any, *flat_and_v: Any) -> tuple[Array, ...]:
    """Return the gradients of `network_loss` in x, W1, b1, W2, b2, …, times the upstream number.

    Parameters
    ----------
    activation : str
        Name of the activation, as in `Network`.
    x : array_like, shape (N, D) or (D,)
        The input.
    labels : array_like
        Class indices or weights, as in `softmax_cross_entropy`.
    *flat_and_v : array_like
        Weights and biases, layer by layer, and at last the upstream gradient, one number.

    Returns
    -------
    tuple of array
        The gradients, in the shapes and dtypes of `x` and the parameters; computed in float64 and
        rounded once.

    Raises
    ------
    TypeError
        If an array has an unsuitable dtype.
    ValueError
        If the number of parameters is odd or zero, the upstream gradient is missing or not one
        number, the shapes do not fit, or a label is out of range.

    Notes
    -----
    Source: document E, claim E2.

    Examples
    --------
    >>> dx, dW, db = network_loss_vjp("tanh", [[0.5]], [0], [[0.0, 0.0]], [0.0, 0.0], 2.0)
    >>> dW
    array([[-0.5,  0.5]])
    """
    if len(flat_and_v) % 2 == 0:
        raise ValueError(
            "parameters come in pairs W, b, and the upstream gradient follows them; "
            f"got {len(flat_and_v)} arrays"
        )
    *flat, v = flat_and_v
    v = of_shape("v", real("v", v), (), "a scalar loss")
    names = ("x", *("W", "b") * (len(flat) // 2))
    arrays = [real(name, array) for name, array in zip(names, (x, *flat), strict=True)]
    x, *flat = map(wide, arrays)
    gradient = Network(activation).backward(x, labels, _nested(flat))
    parts = [gradient.x, *(layer[key] for layer in gradient.parameters for key in ("W", "b"))]
    with np.errstate(all="ignore"):
        return tuple((v * p).astype(a.dtype) for p, a in zip(parts, arrays, strict=True))


def _check_name(what: str, name: str, table: Mapping[str, _Pair]) -> None:
    if name not in table:
        raise ValueError(f"{what} must be one of {', '.join(sorted(table))}; got {name!r}")


def _layer(parameters: Parameters, k: int) -> tuple[Any, Any]:
    layer = parameters[k]
    missing = [key for key in ("W", "b") if key not in layer]
    if missing:
        raise ValueError(f"layer {k} must have the keys 'W' and 'b', got {sorted(layer)}")
    return layer["W"], layer["b"]


def _nested(flat: Sequence[Any]) -> list[dict[str, Any]]:
    if len(flat) % 2 or not flat:
        raise ValueError(f"parameters come in pairs W, b; got {len(flat)} arrays")
    return [{"W": W, "b": b} for W, b in zip(flat[::2], flat[1::2], strict=True)]


_TWO_LAYERS = (
    Argument("x", Interval(spread=1.0), ("N", "D")),
    Argument("labels", Classes("K"), ("N",)),
    Argument("W1", Interval(spread=1.0), ("D", "M")),
    Argument("b1", Interval(spread=1.0), ("M",)),
    Argument("W2", Interval(spread=1.0), ("M", "K")),
    Argument("b2", Interval(spread=1.0), ("K",)),
)

CASES = (
    Case(
        name="network_tanh",
        f=partial(network_loss, "tanh"),
        vjp=partial(network_loss_vjp, "tanh"),
        arguments=_TWO_LAYERS,
        argnums=(0, 2, 3, 4, 5),
        source="document E, claim E2",
    ),
    Case(
        name="network_sigmoid",
        f=partial(network_loss, "sigmoid"),
        vjp=partial(network_loss_vjp, "sigmoid"),
        arguments=_TWO_LAYERS,
        argnums=(0, 2, 3, 4, 5),
        source="document E, claim E2",
    ),
)
