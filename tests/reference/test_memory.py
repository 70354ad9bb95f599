"""Memory beside the result: temporaries of a few cache blocks, however large the arrays are.

What a function holds beside its result is measured with arrays of half a million entries and of two
million.  A temporary of the size of the arguments would make a difference of 1.5 million times its
itemsize, even one of truth values; those of blocks make none.

What needs more, and is not listed here: softmax and its kin of float32 rows that are longer than a
block, whose terms are needed twice and in float64 (one such row at a time); losses of rows, which
keep one number for each row; label smoothing, which makes weights for all classes; an axis that is
not the last of three or more; attention (its weights), conv2d and pooling (their windows), the
logarithm's node (a truth value for each entry) and what a product's node passes down (a product).
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import reference

SMALL, LARGE = 500_000, 2_000_000
BLOCK = 2**20
CLASSES = 1000
Arguments = tuple[np.ndarray, ...]

ELEMENTWISE = (
    *("sigmoid", "tanh", "log_sigmoid", "softplus", "identity", "relu"),
    *("silu", "gelu", "gelu_tanh", "mish"),
    *("elu", "selu", "hardswish", "leaky_relu", "softsign"),
)
NODES = ("exp_node", "reciprocal_node", "negate_node")
OF_NUMBERS = ("squared_error", "huber", "smooth_l1", "log_cosh")
OF_ROWS = ("softmax", "log_softmax", "logsumexp", "logsumexp_grad")
WITH_VECTOR = ("softmax_vjp", "softmax_jvp", "log_softmax_vjp", "log_softmax_jvp")
NORMS = ("layer_norm", "rms_norm", "batch_norm")

every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda d: d.__name__)


def beside_result(function: Callable[..., Any], arguments: Arguments) -> int:
    """Return the largest number of bytes in use during a call, less those of the result."""
    tracemalloc.start()
    try:
        result = function(*arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    parts = result if isinstance(result, tuple) else (result,)
    return peak - sum(np.asarray(part).nbytes for part in parts)


def assert_blockwise(function: Callable[..., Any], arguments: Callable[[int], Arguments]) -> None:
    small, large = (beside_result(function, arguments(count)) for count in (SMALL, LARGE))
    assert large <= small + BLOCK
    assert large <= 18 * BLOCK


def numbers(count: int, dtype: type) -> np.ndarray:
    return (4 * np.random.default_rng(1).standard_normal(count)).astype(dtype)


def chances(count: int, dtype: type) -> np.ndarray:
    return np.random.default_rng(2).random(count).astype(dtype)


def rows(count: int, dtype: type) -> np.ndarray:
    return numbers(count, dtype).reshape(-1, CLASSES)


@every_dtype
@pytest.mark.parametrize("suffix", ["", "_grad"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_activations(name: str, suffix: str, dtype: type) -> None:
    assert_blockwise(getattr(reference, name + suffix), lambda n: (numbers(n, dtype),))


@every_dtype
@pytest.mark.parametrize("name", NODES)
def test_nodes(name: str, dtype: type) -> None:
    assert_blockwise(getattr(reference, name), lambda n: (numbers(n, dtype),))
    vjp = getattr(reference, f"{name}_vjp")
    assert_blockwise(vjp, lambda n: (numbers(n, dtype), chances(n, dtype)))


@every_dtype
def test_nodes_of_two_operands(dtype: type) -> None:
    def pair(count: int) -> Arguments:
        return numbers(count, dtype), chances(count, dtype)

    assert_blockwise(reference.add_node, pair)
    assert_blockwise(reference.multiply_node, pair)
    assert_blockwise(reference.add_node_vjp, lambda n: (*pair(n), chances(n, dtype)))


@every_dtype
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("suffix", ["", "_grad"])
def test_losses_of_entries(suffix: str, reduction: str, dtype: type) -> None:
    def check(name: str, arguments: Callable[[int], Arguments]) -> None:
        function = getattr(reference, name + suffix)
        assert_blockwise(partial(function, reduction=reduction), arguments)

    for name in OF_NUMBERS:
        check(name, lambda n: (numbers(n, dtype), chances(n, dtype)))
    check("binary_cross_entropy", lambda n: (chances(n, dtype), chances(n, dtype)[::-1]))
    for name in ("binary_cross_entropy_with_logits", "focal_loss"):
        check(name, lambda n: (numbers(n, dtype), chances(n, dtype)))
    check("hinge", lambda n: (chances(n, dtype), np.sign(numbers(n, dtype))))


@every_dtype
@pytest.mark.parametrize("name", [*OF_ROWS, *WITH_VECTOR])
def test_functions_of_rows(name: str, dtype: type) -> None:
    count = 2 if name in WITH_VECTOR else 1
    assert_blockwise(getattr(reference, name), lambda n: (rows(n, dtype),) * count)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", *WITH_VECTOR])
def test_one_long_row_of_float64(name: str) -> None:
    """The result itself has room for the terms."""
    count = 2 if name in WITH_VECTOR else 1
    assert_blockwise(getattr(reference, name), lambda n: (numbers(n, np.float64)[None],) * count)


@every_dtype
def test_softmax_along_the_first_axis(dtype: type) -> None:
    assert_blockwise(partial(reference.softmax, axis=0), lambda n: (rows(n, dtype).T,))


@every_dtype
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "weights"])
def test_losses_of_rows(soft: bool, dtype: type) -> None:
    def arguments(count: int) -> Arguments:
        z = rows(count, dtype)
        return z, (abs(z) if soft else np.arange(len(z)) % CLASSES)

    for suffix in ("", "_grad", "_with_grad"):
        assert_blockwise(getattr(reference, f"softmax_cross_entropy{suffix}"), arguments)
    for suffix in ("", "_grad"):
        function = getattr(reference, f"cross_entropy{suffix}")
        assert_blockwise(function, lambda n: (reference.softmax(rows(n, dtype)), arguments(n)[1]))


@every_dtype
@pytest.mark.parametrize("name", NORMS)
def test_normalizations(name: str, dtype: type) -> None:
    def arguments(count: int) -> Arguments:
        x, gamma = rows(count, dtype), np.ones(CLASSES, dtype)
        return (x, gamma) if name == "rms_norm" else (x, gamma, gamma)

    assert_blockwise(getattr(reference, name), arguments)
    vjp = getattr(reference, f"{name}_vjp")
    assert_blockwise(vjp, lambda n: (*arguments(n), rows(n, dtype)))


def test_divergences_and_tempered_softmax() -> None:
    def pair(count: int) -> Arguments:
        p = reference.softmax(rows(count, np.float64))
        return p, np.flip(p, axis=0)

    assert_blockwise(reference.kl_divergence, pair)
    assert_blockwise(reference.kl_divergence_grad, pair)
    assert_blockwise(
        lambda z: reference.temperature_softmax(z, 2.0), lambda n: (rows(n, np.float64),)
    )


def test_a_batch_of_jacobians_is_computed_in_small_blocks() -> None:
    """400 Jacobians of 100 × 100: beside the result, four blocks are in use and not another 32."""
    z = np.random.default_rng(1).standard_normal((400, 100))
    assert beside_result(reference.softmax_jacobian, (z,)) < 4 * BLOCK


def test_a_temporary_of_truth_values_is_seen() -> None:
    """What the tests above rely on."""

    def with_mask(x: np.ndarray) -> np.ndarray:
        unknown = np.isnan(x)
        y = x.copy()
        y[unknown] = 0
        return y

    with pytest.raises(AssertionError):
        assert_blockwise(with_mask, lambda n: (np.ones(n),))
