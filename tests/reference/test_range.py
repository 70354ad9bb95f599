"""The whole range of every dtype: no warning, no floating-point exception, no NaN for numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import reference

DTYPES = (np.float64, np.float32, np.float16)
ACTIVATIONS = ("sigmoid", "tanh", "log_sigmoid", "softplus", "identity", "relu")
ELEMENTWISE = (*ACTIVATIONS, *(f"{name}_grad" for name in ACTIVATIONS))
OF_ROWS = ("softmax", "log_softmax", "logsumexp", "logsumexp_grad", "softmax_jacobian")
WITH_VECTOR = ("softmax_vjp", "softmax_jvp", "log_softmax_vjp", "log_softmax_jvp")
NODES = ("exp_node", "reciprocal_node", "negate_node")

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def values(dtype: type) -> np.ndarray:
    """Zeros, subnormals, ordinary numbers, crossovers, the largest; both signs."""
    info = np.finfo(dtype)
    low, high = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
    ends = [0.0, float(info.smallest_subnormal), float(info.tiny), float(info.max)]
    with np.errstate(all="ignore"):
        every_size = 10.0 ** np.linspace(low, high, 100)
        x = np.concatenate([ends, np.linspace(0, 800, 161), every_size]).astype(dtype)
    x = x[np.isfinite(x)]
    return np.concatenate([x, -x])


def rows_of(dtype: type, n: int) -> np.ndarray:
    """Rows that mix all those values, and rows of one magnitude."""
    x = values(dtype)
    rng = np.random.default_rng(n)
    mixed = rng.choice(x, (400, n))
    factors = rng.uniform(-1, 1, (len(x), n)).astype(dtype)
    with np.errstate(all="ignore"):
        return np.concatenate([mixed, (x[:, None] * factors).astype(dtype)])


def strictly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call under NumPy's default error state (warnings are errors) and then with all raising."""
    result = function(*arguments)
    with np.errstate(all="raise"):
        again = function(*arguments)
    pairs = zip(result, again, strict=True) if isinstance(result, tuple) else [(result, again)]
    for first, second in pairs:
        np.testing.assert_array_equal(first, second)
    return result


@every_dtype
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, dtype: type) -> None:
    y = strictly(getattr(reference, name), values(dtype))
    assert y.dtype == dtype
    assert np.isfinite(y).all()


@every_dtype
@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("name", OF_ROWS)
def test_functions_of_rows(name: str, n: int, dtype: type) -> None:
    y = strictly(getattr(reference, name), rows_of(dtype, n))
    assert y.dtype == dtype
    assert not np.isnan(y).any()
    assert name == "log_softmax" or np.isfinite(y).all()


@every_dtype
@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("name", WITH_VECTOR)
def test_products_with_vectors(name: str, n: int, dtype: type) -> None:
    z = rows_of(dtype, n)
    for v in (np.flip(z, axis=0), np.roll(z, 1, axis=1), np.ones_like(z)):
        y = strictly(getattr(reference, name), z, v)
        assert y.dtype == dtype
        assert not np.isnan(y).any()


@every_dtype
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_softmax_cross_entropy(n: int, reduction: str, dtype: type) -> None:
    z = rows_of(dtype, n)
    rng = np.random.default_rng(n)
    weights = rng.dirichlet(np.ones(n), len(z)).astype(dtype)
    for labels in (rng.integers(0, n, len(z)), weights, np.eye(n, dtype=dtype)[z.argmax(axis=1)]):
        loss = strictly(partial(reference.softmax_cross_entropy, reduction=reduction), z, labels)
        assert loss.dtype == dtype
        assert not np.isnan(loss).any()
        assert np.all(loss >= 0)
        slope = partial(reference.softmax_cross_entropy_grad, reduction=reduction)
        gradient = strictly(slope, z, labels)
        assert gradient.dtype == dtype
        assert np.isfinite(gradient).all()


@every_dtype
@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_losses_of_probabilities(y: float, dtype: type) -> None:
    p = values(dtype)
    p = p[(p >= 0) & (p <= 1)]
    p = np.concatenate([p, 1 - p])
    for name in ("binary_cross_entropy", "cross_entropy"):
        for suffix in ("", "_grad"):
            function = partial(getattr(reference, name + suffix), reduction="none")
            if name == "cross_entropy":
                result = strictly(function, np.stack([p, 1 - p]).T, [[y, 1 - y]] * len(p))
            else:
                result = strictly(function, p, y)
            assert result.dtype == dtype
            assert not np.isnan(result).any()


@every_dtype
@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_losses_of_real_numbers(y: float, dtype: type) -> None:
    x = values(dtype)
    for name in ("binary_cross_entropy_with_logits", "squared_error"):
        for suffix in ("", "_grad"):
            for reduction in ("mean", "sum", "none"):
                function = partial(getattr(reference, name + suffix), reduction=reduction)
                result = strictly(function, x, y)
                assert result.dtype == dtype
                assert not np.isnan(result).any()


@every_dtype
@pytest.mark.parametrize("name", NODES)
def test_nodes(name: str, dtype: type) -> None:
    x = values(dtype)
    assert strictly(getattr(reference, name), x).dtype == dtype
    assert strictly(getattr(reference, f"{name}_vjp"), x, np.flip(x)).dtype == dtype
    for function in (reference.multiply_node, reference.add_node):
        assert strictly(function, x, np.flip(x)).dtype == dtype
    positive = np.abs(x)
    assert strictly(reference.log_node, positive).dtype == dtype
    assert strictly(reference.log_node_vjp, positive, x).dtype == dtype
    for function in (reference.multiply_node_vjp, reference.add_node_vjp):
        down = strictly(function, x, x[:1], np.flip(x))
        assert [d.dtype for d in down] == [dtype, dtype]
    assert strictly(reference.sum_node, x).dtype == dtype


@every_dtype
def test_layers(dtype: type) -> None:
    z = rows_of(dtype, 4)
    labels = np.zeros(len(z), int)
    assert strictly(reference.softmax_with_loss, z, labels).dtype == dtype
    assert strictly(reference.softmax_with_loss_vjp, z, labels, 2.0).dtype == dtype
    W, b = z[:4, :3], z[0, :3]
    G = strictly(reference.affine, z, W, b)
    assert G.dtype == dtype
    assert [d.dtype for d in strictly(reference.affine_vjp, z, W, b, G)] == [dtype] * 3


def test_errors_of_the_caller_still_raise() -> None:
    """The error state is the caller's again afterwards: this test sees what `strictly` relies on."""
    with np.errstate(all="raise"):
        reference.sigmoid(np.array([1e4]))
        with pytest.raises(FloatingPointError):
            np.exp(np.array([1e4]))
