"""What arguments may be, what comes back, and what a person is told when they are wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

import reference as r

Z = np.array([[1.0, 2.0, 0.5], [0.75, 1.0, -1.0]])
P = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])
W, B = np.ones((3, 2)), np.zeros(2)
NETWORK = r.Network()
PARAMETERS = [{"W": np.ones((3, 3)), "b": np.zeros(3)}]
fit = partial(r.train, NETWORK, PARAMETERS, epochs=1, batch_size=1, learning_rate=0.1)

# call, error, what its message must contain
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "complex": (lambda: r.sigmoid(1j), TypeError, "x must hold real numbers"),
    "complex hint": (lambda: r.softmax([1j]), TypeError, "x.real"),
    "boolean": (lambda: r.tanh([True]), TypeError, "astype(float)"),
    "object": (lambda: r.softplus(np.array([1, None])), TypeError, "got dtype object"),
    "text": (lambda: r.relu("1"), TypeError, "convert to numbers first"),
    "extended": (lambda: r.softmax(Z.astype(np.longdouble)), TypeError, "extended precision"),
    "masked": (lambda: r.sigmoid(np.ma.masked_equal(Z, 1)), TypeError, "masked array"),
    "masked entry": (lambda: r.sigmoid([np.ma.masked, 1.0]), TypeError, "x is a masked array"),
    "masked row": (
        lambda: r.softmax([[1.0, 2.0], np.ma.masked_equal([1.0, 2.0], 1)]),
        TypeError,
        "z is a masked array",
    ),
    "ragged": (lambda: r.softmax([[1.0], [1.0, 2.0]]), ValueError, "z is not an array"),
    "scalar": (lambda: r.softmax(1.0), ValueError, "z must have at least one axis, got the scalar"),
    "axis": (lambda: r.softmax(Z, axis=2), ValueError, "shape (2, 3), so axis may be -2 … 1"),
    "axis below": (lambda: r.logsumexp(Z, axis=-3), ValueError, "axis -3 is out of range"),
    "axis tuple": (lambda: r.softmax(Z, axis=(0, 1)), TypeError, "one integer, got (0, 1)"),
    "axis bool": (lambda: r.softmax(Z, axis=True), TypeError, "one integer, got True"),
    "axis float": (lambda: r.softmax(Z, axis=1.0), TypeError, "one integer, got 1.0"),
    "no classes": (lambda: r.softmax(Z[:, :0]), ValueError, "axis 1 holds no entries"),
    "v shape": (lambda: r.softmax_vjp(Z, Z[0]), ValueError, "v must have the shape (2, 3) of z"),
    "u shape": (lambda: r.log_softmax_jvp(Z, 1.0), ValueError, "u must have the shape (2, 3)"),
    "v rows": (lambda: r.logsumexp_vjp(Z, Z), ValueError, "the shape (2,) of logsumexp(z)"),
    "label high": (
        lambda: r.softmax_cross_entropy(Z, [0, 3]),
        ValueError,
        "class indices 0 … 2 for 3 classes; got 3 at index (1,)",
    ),
    "label low": (lambda: r.cross_entropy(P, [0, -1]), ValueError, "got -1 at index (1,)"),
    "label count": (
        lambda: r.softmax_cross_entropy_grad(Z, [0, 1, 2]),
        ValueError,
        "must have the shape (2,) ((2, 3) without axis 1), got (3,)",
    ),
    "label column": (lambda: r.cross_entropy_grad(P, [[0], [1]]), ValueError, "got (2, 1)"),
    "one-hot integers": (
        lambda: r.softmax_cross_entropy(Z, [[1, 0, 0], [0, 1, 0]]),
        ValueError,
        "convert one-hot labels with labels.astype(float)",
    ),
    "one-hot mask": (
        lambda: r.softmax_cross_entropy(Z, P > 0.4),
        TypeError,
        "labels must be class indices (integers) or probabilities (floats), got dtype bool",
    ),
    "classes as floats": (
        lambda: r.softmax_cross_entropy(Z, [0.0, 1.0]),
        ValueError,
        "class indices must have an integer dtype",
    ),
    "weights transposed": (
        lambda: r.softmax_cross_entropy(Z, P.T),
        ValueError,
        "must have the shape (2, 3), got (3, 2)",
    ),
    "weight negative": (
        lambda: r.softmax_cross_entropy(Z, P - 0.25),
        ValueError,
        "not negative; got -0.125 at index (1, 0)",
    ),
    "weight nan": (lambda: r.softmax_cross_entropy(Z, P * np.nan), ValueError, "got nan"),
    "weight inf": (lambda: r.cross_entropy(P, P + np.inf), ValueError, "finite; got inf"),
    "labels as text": (lambda: r.cross_entropy(P, ["a", "b"]), TypeError, "labels must hold real"),
    "p negative": (lambda: r.cross_entropy(-P, [0, 1]), ValueError, "[0, 1]; got -0.5"),
    "p nan": (lambda: r.cross_entropy(P * np.nan, [0, 1]), ValueError, "p must not hold NaN"),
    "p above one": (
        lambda: r.cross_entropy(np.abs(Z), [0, 1]),
        ValueError,
        "logits belong in a loss that takes logits",
    ),
    "binary p": (lambda: r.binary_cross_entropy(1.5, 1.0), ValueError, "p must lie in [0, 1]"),
    "binary target": (
        lambda: r.binary_cross_entropy_with_logits([0.0], [-1.0]),
        ValueError,
        "targets must lie in [0, 1]; got -1.0 at index (0,)",
    ),
    "target nan": (lambda: r.binary_cross_entropy_grad(0.5, np.nan), ValueError, "not hold NaN"),
    "target shape": (
        lambda: r.squared_error(np.ones(3), np.ones((3, 1))),
        ValueError,
        "targets must have the shape (3,) of y, got (3, 1); it is not broadcast",
    ),
    "reduction": (
        lambda: r.squared_error(Z, Z, reduction="avg"),
        ValueError,
        "reduction must be 'mean', 'sum' or 'none', got 'avg'",
    ),
    "reduction none": (
        lambda: r.softmax_cross_entropy(Z, [0, 1], reduction=None),
        ValueError,
        "got None",
    ),
    "empty rows": (
        lambda: r.softmax_cross_entropy(Z[:0], np.zeros(0, int)),
        ValueError,
        "the mean over an empty batch is undefined",
    ),
    "empty rows grad": (lambda: r.cross_entropy_grad(P[:0], P[:0]), ValueError, "empty batch"),
    "empty entries": (lambda: r.squared_error([], []), ValueError, "reduction='sum'"),
    "empty entries grad": (lambda: r.binary_cross_entropy_grad([], []), ValueError, "empty batch"),
    "log of negative": (
        lambda: r.log_node([1.0, -2.0]),
        ValueError,
        "must not be negative, or its logarithm is not real; got -2.0 at index (1,)",
    ),
    "node upstream": (
        lambda: r.exp_node_vjp(Z, Z[0]),
        ValueError,
        "v must have the shape (2, 3) of the node's output, got (3,)",
    ),
    "node operands": (lambda: r.add_node(Z, np.ones(2)), ValueError, "do not broadcast"),
    "layer axes": (lambda: r.softmax_with_loss(Z[None], 0), ValueError, "(N, n) of logits, got"),
    "layer empty": (
        lambda: r.softmax_with_loss_graph(Z[:0], np.zeros(0, int)),
        ValueError,
        "empty batch",
    ),
    "layer upstream": (
        lambda: r.softmax_with_loss_vjp(Z, [0, 1], [1.0, 1.0]),
        ValueError,
        "v must have the shape () of a scalar loss, got (2,)",
    ),
    "affine W": (lambda: r.affine(Z, B, B), ValueError, "W must have the shape (inputs, outputs)"),
    "affine H": (lambda: r.affine(Z.T, W, B), ValueError, "H must have the shape (N, 3) or (3,)"),
    "affine b": (lambda: r.affine(Z, W, B[:1]), ValueError, "b must have the shape (2,)"),
    "affine G": (lambda: r.affine_vjp(Z, W, B, Z), ValueError, "G must have the shape (2, 2)"),
    "activation": (
        lambda: r.Network(activation="swish"),
        ValueError,
        "activation must be one of identity, log_sigmoid, relu, sigmoid, softplus, tanh; got 'swish'",
    ),
    "criterion": (lambda: r.Network(criterion="mse"), ValueError, "criterion must be one of"),
    "no layers": (lambda: NETWORK.forward(Z, []), ValueError, "at least one layer"),
    "no bias": (
        lambda: NETWORK.forward(Z, [{"W": W}]),
        ValueError,
        "layer 0 must have the keys 'W' and 'b', got ['W']",
    ),
    "odd parameters": (lambda: r.network_loss("tanh", Z, [0, 1], W), ValueError, "pairs W, b"),
    "no parameters": (
        lambda: r.network_loss_vjp("tanh", Z, [0, 1], 1.0),
        ValueError,
        "pairs W, b; got 0 arrays",
    ),
    "network without upstream": (
        lambda: r.network_loss_vjp("tanh", Z, [0, 1], W, B),
        ValueError,
        "the upstream gradient follows them; got 2 arrays",
    ),
    "neither parameters nor upstream": (
        lambda: r.network_loss_vjp("tanh", Z, [0, 1]),
        ValueError,
        "the upstream gradient follows them; got 0 arrays",
    ),
    "network upstream": (
        lambda: r.network_loss_vjp("tanh", Z, [0, 1], W, B, np.ones(2)),
        ValueError,
        "v must have the shape () of a scalar loss, got (2,)",
    ),
    "no sizes": (lambda: r.initial_parameters([3]), ValueError, "at least two positive numbers"),
    "batch size": (lambda: r.minibatches(3, 0), ValueError, "must be positive, got 3 and 0"),
    "step keys": (
        lambda: r.sgd_step(PARAMETERS, [{"W": W}], 0.1),
        ValueError,
        "the same layers with the same keys",
    ),
    "step shapes": (
        lambda: r.sgd_step([{"b": B}], [{"b": np.zeros(3)}], 0.1),
        ValueError,
        "a parameter of shape (2,) cannot follow a gradient of shape (3,)",
    ),
    "step rate": (
        lambda: r.sgd_step(PARAMETERS, PARAMETERS, math.nan),
        ValueError,
        "learning_rate must be a finite number, got nan",
    ),
    "samples": (lambda: fit(Z, [0, 1, 2]), ValueError, "labels N entries, got (2, 3) and (3,)"),
    "epochs": (lambda: fit(Z, [0, 1], epochs=0), ValueError, "must be positive, got 0"),
    "masked samples' labels": (
        lambda: fit(Z, np.ma.masked_equal([0, 1], 1)),
        TypeError,
        "labels is a masked array",
    ),
    "ragged samples' labels": (
        lambda: fit(Z, [[1.0, 0.0, 0.0], [1.0]]),
        ValueError,
        "labels is not an array",
    ),
    "masked indices": (
        lambda: r.embedding(Z, np.ma.masked_equal([0, 1], 1)),
        TypeError,
        "indices is a masked array",
    ),
    "ragged indices": (
        lambda: r.embedding_vjp(Z, [[0], [0, 1]], Z),
        ValueError,
        "indices is not an array",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=re.escape(message)):
        call()


# Every keyword that takes one number, and a function that takes it.
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "alpha": lambda k: r.elu(Z, alpha=k),
    "slope": lambda k: r.leaky_relu(Z, slope=k),
    "delta": lambda k: r.huber(Z, P, delta=k),
    "beta": lambda k: r.smooth_l1_grad(Z, P, beta=k),
    "gamma": lambda k: r.focal_loss(Z, P, gamma=k),
    "smoothing": lambda k: r.label_smoothing_cross_entropy(Z, [0, 2], smoothing=k),
    "eps": lambda k: r.rms_norm(Z, np.ones(3), eps=k),
    "learning_rate": lambda k: fit(Z, [0, 1], learning_rate=k),
}
INTEGERS: dict[str, Callable[[Any], Any]] = {
    "axis": lambda k: r.softmax(Z, axis=k),
    "stride": lambda k: r.max_pool2d(Z[None, None], window=1, stride=k),
    "batch_size": lambda k: r.minibatches(6, batch_size=k),
    "epochs": lambda k: fit(Z, [0, 1], epochs=k),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_shown(name: str) -> None:
    for value in ([1, 2], [1.0], None, "1", 1j, True, np.ones(1), np.ones(2), np.array("a")):
        message = f"{name} must be one real number, got {value!r}"
        with pytest.raises(TypeError, match=re.escape(message)):
            NUMBERS[name](value)
    with pytest.raises(
        ValueError, match=f"{name} must fit into float64, got an integer of 1329 bits"
    ):
        NUMBERS[name](10**400)
    with pytest.raises(ValueError, match=rf"{name}.* got .*nan"):
        NUMBERS[name](math.nan)
    for value in (1, 0.5, np.float32(0.5), np.array(0.5), np.longdouble(0.5)):
        NUMBERS[name](value)
    for value in (Fraction(1, 2), Decimal("0.5")):
        NUMBERS[name](value)


@pytest.mark.parametrize("number", [np.float16(0.1), np.float32(0.1), np.longdouble("0.1")])
@pytest.mark.parametrize("name", [n for n in NUMBERS if n != "learning_rate"])  # that one shuffles
def test_a_number_of_another_dtype_is_a_float64(name: str, number: np.floating) -> None:
    """What is computed from it is computed in float64."""
    np.testing.assert_equal(NUMBERS[name](number), NUMBERS[name](float(number)))


def test_integers_are_numbers_up_to_the_end_of_float64() -> None:
    largest = 2**1024 - 2**970 - 1  # above the largest float, and nearest to it
    for alpha in (2**1023, largest):
        np.testing.assert_array_equal(r.elu(Z, alpha=alpha), r.elu(Z, alpha=float(alpha)))
    with pytest.raises(
        ValueError, match="alpha must fit into float64, got an integer of 1024 bits"
    ):
        r.elu(Z, alpha=largest + 1)


@pytest.mark.parametrize("name", INTEGERS)
def test_what_is_no_integer_is_shown(name: str) -> None:
    for value in ([1], "1", 1.0, True, np.ones(1), np.array(1.5), np.array([1, 2])):
        message = f"{name} must be one integer, got {value!r}"
        with pytest.raises(TypeError, match=re.escape(message)):
            INTEGERS[name](value)
    INTEGERS[name](np.array(1))


@pytest.mark.parametrize(
    "function",
    [
        r.squared_error,
        r.squared_error_grad,
        r.huber_grad,
        r.kl_divergence_grad,
        r.cross_entropy_grad,
    ],
)
def test_what_is_no_reduction_is_shown(function: Callable[..., Any]) -> None:
    for value in ("avg", None, np.ones(2)):
        with pytest.raises(ValueError, match=re.escape(f"or 'none', got {value!r}")):
            function(P, P, reduction=value)


def test_empty_batches_without_a_mean() -> None:
    nobody = np.zeros(0, int)
    assert r.softmax(Z[:0]).shape == (0, 3)
    assert r.softmax_jacobian(Z[:0]).shape == (0, 3, 3)
    assert r.softmax_vjp(Z[:0], Z[:0]).shape == (0, 3)
    assert r.softmax_cross_entropy(Z[:0], nobody, reduction="sum") == 0
    assert r.softmax_cross_entropy(Z[:0], nobody, reduction="none").shape == (0,)
    assert r.softmax_cross_entropy_grad(Z[:0], nobody, reduction="sum").shape == (0, 3)
    assert r.sigmoid(np.zeros((0, 4))).shape == (0, 4)
    assert r.squared_error([], [], reduction="sum") == 0


# Functions of one array, and what stands for the others.
LABELS = np.array([0, 2])
ONE_ARRAY: dict[str, Callable[[Any], Any]] = {
    name: getattr(r, name)
    for name in [
        "sigmoid",
        "sigmoid_grad",
        "tanh",
        "tanh_grad",
        "log_sigmoid",
        "log_sigmoid_grad",
        "softplus",
        "softplus_grad",
        "identity",
        "identity_grad",
        "relu",
        "relu_grad",
        "softmax",
        "log_softmax",
        "logsumexp",
        "logsumexp_grad",
        "softmax_jacobian",
        "exp_node",
        "reciprocal_node",
        "negate_node",
        "sum_node",
    ]
} | {
    "softmax_vjp": lambda z: r.softmax_vjp(z, P),
    "log_softmax_vjp": lambda z: r.log_softmax_vjp(z, P),
    "softmax_cross_entropy": lambda z: r.softmax_cross_entropy(z, LABELS),
    "softmax_cross_entropy_grad": lambda z: r.softmax_cross_entropy_grad(z, LABELS),
    "softmax_cross_entropy soft": lambda z: r.softmax_cross_entropy(z, P),
    "softmax_cross_entropy_grad soft": lambda z: r.softmax_cross_entropy_grad(z, P),
    "binary_cross_entropy_with_logits": lambda z: r.binary_cross_entropy_with_logits(z, P),
    "binary_cross_entropy_with_logits_grad": lambda z: r.binary_cross_entropy_with_logits_grad(
        z, P
    ),
    "squared_error": lambda z: r.squared_error(z, P),
    "squared_error_grad": lambda z: r.squared_error_grad(z, P),
    "affine": lambda z: r.affine(z, W, B),
    "softmax_with_loss": lambda z: r.softmax_with_loss(z, LABELS),
    "softmax_with_loss_vjp": lambda z: r.softmax_with_loss_vjp(z, LABELS, 1.0),
}
every_function = pytest.mark.parametrize("name", ONE_ARRAY)


@every_function
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_dtypes_are_kept(name: str, dtype: type) -> None:
    """The result is the float64 result rounded once; Z is exact in float16."""
    got = ONE_ARRAY[name](Z.astype(dtype))
    assert got.dtype == dtype
    exact = ONE_ARRAY[name](Z)
    step = np.spacing(np.abs(exact).astype(dtype)).astype(float)
    own_arithmetic = name.endswith("_node")
    assert np.all(np.abs(got - exact) <= (2.0 if own_arithmetic else 0.51) * step)


@every_function
def test_integers_and_lists_are_float64(name: str) -> None:
    integers = np.array([[3, -1, 4], [1, 2, 2]])
    expected = ONE_ARRAY[name](integers.astype(float))
    for given in (integers, integers.astype(np.int8), integers.tolist()):
        got = ONE_ARRAY[name](given)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected)


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in memory in other ways."""
    wide = np.zeros((4, 9))
    wide[::2, ::3] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    return {
        "Fortran": np.asfortranarray(x),
        "strided": wide[::2, ::3],
        "reversed": x[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": frozen,
        "byte-swapped": x.astype(x.dtype.newbyteorder()),
        "unaligned": np.frombuffer(b"\0" + x.tobytes(), dtype=np.uint8)[1:]
        .view(x.dtype)
        .reshape(2, 3),
    }


@every_function
def test_layout_changes_no_bit_and_nothing_is_written_to(name: str) -> None:
    function = ONE_ARRAY[name]
    expected = function(Z)
    for x in layouts(Z).values():
        before = x.copy()
        got = function(x)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(x, before)


@every_function
def test_results_own_their_memory(name: str) -> None:
    """Writing to a result changes neither the argument nor a later result."""
    x = Z.copy()
    first = np.asarray(ONE_ARRAY[name](x))
    kept = first.copy()
    assert not np.shares_memory(first, x)
    first = np.array(first)
    first[...] = 99
    np.testing.assert_array_equal(ONE_ARRAY[name](x), kept)
    np.testing.assert_array_equal(x, Z)


@pytest.mark.parametrize("name", ["sigmoid", "softplus_grad", "exp_node"])
def test_a_number_gives_a_number(name: str) -> None:
    function = ONE_ARRAY[name]
    for value in (0.5, np.float64(0.5), np.array(0.5)):
        got = function(value)
        assert isinstance(got, np.float64)
        assert got == function([0.5])[0]
    assert isinstance(function(np.float32(0.5)), np.float32)


def test_labels_may_be_any_integers() -> None:
    expected = r.softmax_cross_entropy(Z, [0, 2])
    for labels in (np.array([0, 2], np.uint8), np.array([0, 2], np.int16), (0, 2)):
        assert r.softmax_cross_entropy(Z, labels) == expected


def test_mixed_dtypes_follow_the_first_argument() -> None:
    z = Z.astype(np.float32)
    assert r.softmax_vjp(z, P).dtype == np.float32
    assert r.softmax_cross_entropy(z, P).dtype == np.float32
    assert r.squared_error(z, P).dtype == np.float32
    down = r.multiply_node_vjp(z, P, P)
    assert [d.dtype for d in down] == [np.float32, np.float64]
    assert [d.dtype for d in r.affine_vjp(z, W, B, P[:, :2])] == [
        np.float32,
        np.float64,
        np.float64,
    ]
