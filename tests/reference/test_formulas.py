"""The formulas themselves, in numbers of hundreds of digits, against the textbook's.

In `reference` a formula is a plain function of arrays; blocks, dtypes and validation are elsewhere.  So
it also runs on arrays of other numbers.  With those here a difference is no rounding: a formula that
is right for float64 alone (a cap, a dropped term) is caught.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from reference import (
    _exponentials,
    activations,
    elementwise_losses,
    layers,
    losses,
    nodes,
    pair_nodes,
    softmaxes,
)

TOLERANCE = mpf(10) ** -100


def lifted(operation: Callable[[Any, Any], Any]) -> Callable[[Precise, Any], Any]:
    def method(self: Precise, other: Any) -> Any:
        result = operation(
            self.value, other.value if isinstance(other, Precise) else mpf(float(other))
        )
        return Precise(result) if isinstance(result, mpf) else result

    return method


class Precise:
    """A number with many digits and the methods that NumPy's functions call on objects."""

    def __init__(self, value: Any) -> None:
        self.value = value

    __add__ = __radd__ = lifted(operator.add)
    __mul__ = __rmul__ = lifted(operator.mul)
    __sub__, __rsub__ = lifted(operator.sub), lifted(lambda a, b: b - a)
    __truediv__, __rtruediv__ = lifted(operator.truediv), lifted(lambda a, b: b / a)
    __pow__ = lifted(operator.pow)
    __gt__, __ge__ = lifted(operator.gt), lifted(operator.ge)
    __lt__, __le__ = lifted(operator.lt), lifted(operator.le)
    __eq__ = lifted(operator.eq)  # type: ignore[assignment]  # compares with numbers too
    __hash__ = None  # type: ignore[assignment]  # numbers that may be unequal by a digit

    def __neg__(self) -> Precise:
        return Precise(-self.value)

    def __abs__(self) -> Precise:
        return Precise(abs(self.value))

    def conjugate(self) -> Precise:
        return self

    def exp(self) -> Precise:
        return Precise(mp.exp(self.value))

    def log(self) -> Precise:
        return Precise(mp.log(self.value))

    def log1p(self) -> Precise:
        return Precise(mp.log(1 + self.value))


class PreciseArray(np.ndarray):
    """An object array that also turns the plain numbers in it into `Precise` ones."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(o.view(np.ndarray) for o in options["out"])
        result = getattr(ufunc, method)(*map(precise, inputs), **options)
        wrap = isinstance(result, np.ndarray) and result.dtype == object
        return result.view(PreciseArray) if wrap else result


def precise(x: Any) -> Any:
    if isinstance(x, np.ndarray) and x.dtype == object:
        plain = [v if isinstance(v, Precise) else Precise(mpf(float(v))) for v in x.flat]
        return np.array(plain, dtype=object).reshape(x.shape)
    return x.view(np.ndarray) if isinstance(x, PreciseArray) else x


def array(values: np.ndarray) -> PreciseArray:
    entries = [Precise(mpf(float(v))) for v in values.flat]
    return np.array(entries, dtype=object).reshape(values.shape).view(PreciseArray)


def assert_equal(got: Any, truth: list[Any]) -> None:
    values = [v.value if isinstance(v, Precise) else mpf(float(v)) for v in np.ravel(got)]
    assert len(values) == len(truth)
    for value, true in zip(values, truth, strict=True):
        assert abs(value - true) <= TOLERANCE * abs(true)


POINTS = np.array([-360.0, -45.5, -2.0, -1e-9, 1e-9, 0.75, 41.25, 360.0])
ROWS = np.array(
    [
        [0.5, -1.25, 3.0, 2.0],
        [50.0, 0.0, 1.0, -700.0],
        [-40.0, -41.0, -42.0, -43.0],
        [1e4, 9.5e3, 9.9e3, 9.25e3],
    ]
)
VECTORS = np.array(
    [[1.0, -2.0, 0.25, 4.0], [0.0, 3.0, 1.0, 1e6], [1e6, 1e6, 2e6, 1.0], [1, 1, 1, 2.0]]
)
WEIGHTS = np.array([[0.25, 0.5, 0.25, 0.125], [1, 2, 3, 4.0], [0.5, 0.5, 1.0, 1.0], [1, 1, 1, 1.0]])
LABELS = np.array([2, 1, 3, 0])


@pytest.mark.parametrize(
    "name", ["sigmoid", "sigmoid_grad", "tanh_grad", "log_sigmoid", "softplus"]
)
def test_activations(oracle: ModuleType, name: str) -> None:
    formula = getattr(activations, f"_{name}")
    truth = [getattr(oracle, name)(x) for x in oracle.exact(POINTS)]
    assert_equal(formula(array(POINTS)), truth)


@pytest.mark.parametrize(
    "name",
    [
        "binary_cross_entropy",
        "binary_cross_entropy_grad",
        "binary_cross_entropy_with_logits",
        "binary_cross_entropy_with_logits_grad",
        "squared_error",
        "squared_error_grad",
    ],
)
def test_elementwise_losses(oracle: ModuleType, name: str) -> None:
    formula = getattr(elementwise_losses, f"_{name}")
    of_logits = "logits" in name or "squared" in name
    x = POINTS if of_logits else np.array([1e-300, 0.125, 0.5, 0.75, 1 - 2.0**-53] * 2)[:8]
    y = np.array([0.0, 1.0, 0.25, 0.5, 0.75, 0.125, 1.0, 0.0])
    truth = [getattr(oracle, name)(*p) for p in zip(oracle.exact(x), oracle.exact(y), strict=True)]
    assert_equal(formula(array(x), array(y)), truth)


def truths(oracle: ModuleType, name: str, *rows: np.ndarray) -> list[Any]:
    answers = [getattr(oracle, name)(*map(oracle.exact, row)) for row in zip(*rows, strict=True)]
    return [x for a in answers for x in (a if isinstance(a, list) else [a])]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "softmax_jacobian"])
def test_functions_of_rows(oracle: ModuleType, name: str) -> None:
    formula = getattr(softmaxes, f"_{name}")
    assert_equal(formula(array(ROWS)), truths(oracle, name, ROWS))


@pytest.mark.parametrize("name", ["softmax_vjp", "log_softmax_vjp", "log_softmax_jvp"])
def test_products_with_vectors(oracle: ModuleType, name: str) -> None:
    formula = getattr(softmaxes, f"_{name}")
    assert_equal(formula(array(ROWS), array(VECTORS)), truths(oracle, name, ROWS, VECTORS))


def test_softmax_cross_entropy(oracle: ModuleType) -> None:
    z, hot = array(ROWS), np.eye(4)[LABELS]
    for suffix in ("", "_grad"):
        name = f"softmax_cross_entropy{suffix}"
        by_class = getattr(losses, f"_softmax_cross_entropy_index{suffix}")
        assert_equal(by_class(z, LABELS), truths(oracle, name, ROWS, hot))
        by_weight = getattr(losses, f"_softmax_cross_entropy_soft{suffix}")
        assert_equal(by_weight(z, array(WEIGHTS)), truths(oracle, name, ROWS, WEIGHTS))


def test_cross_entropy(oracle: ModuleType) -> None:
    P = np.array([[0.5, 0.25, 0.125, 0.125], [1e-300, 0.5, 0.25, 1.0]] * 2)
    hot = np.eye(4)[LABELS]
    p, weights = array(P), array(WEIGHTS)
    assert_equal(losses._cross_entropy_index(p, LABELS), truths(oracle, "cross_entropy", P, hot))
    assert_equal(
        losses._cross_entropy_index_grad(p, LABELS), truths(oracle, "cross_entropy_grad", P, hot)
    )
    assert_equal(
        losses._cross_entropy_soft(p, weights), truths(oracle, "cross_entropy", P, WEIGHTS)
    )
    assert_equal(
        losses._cross_entropy_soft_grad(p, weights),
        truths(oracle, "cross_entropy_grad", P, WEIGHTS),
    )


def test_any_shift_gives_the_same_softmax(oracle: ModuleType) -> None:
    """The choice of the shift is a matter of range and digits, not of mathematics."""
    truth = truths(oracle, "softmax", ROWS)
    for shift in (0.0, 0.125, -77.0):
        e = _exponentials.exponentials(array(ROWS), np.full((4, 1), shift))
        assert_equal(e / _exponentials.total(e), truth)
        assert_equal(e / _exponentials.row_sums(e, LABELS).total, truth)


def test_affine_and_nodes(oracle: ModuleType) -> None:
    """Small integers: every formula is exact in float64 too, so that is the truth here."""
    H, W, b, G = (
        np.arange(n, dtype=float).reshape(s) - 3
        for n, s in ((6, (3, 2)), (8, (2, 4)), (4, (4,)), (12, (3, 4)))
    )
    assert_equal(layers._affine(array(H), array(W), array(b)), oracle.exact((H @ W + b).ravel()))
    down = layers._affine_vjp(array(H), array(W), array(G))
    for got, expected in zip(down, (G @ W.T, H.T @ G, G.sum(axis=0)), strict=True):
        assert_equal(got, oracle.exact(expected.ravel()))
    x, v = np.array([0.5, 2.0, 4.0]), np.array([1.0, -3.0, 8.0])
    for formula, expected in (
        (nodes._reciprocal_vjp, -v / x**2),
        (nodes._log_vjp, v / x),
        (nodes._negate_vjp, -v),
    ):
        assert_equal(formula(array(x), array(v)), oracle.exact(expected))
    assert_equal(
        nodes._exp_vjp(array(x), array(v)),
        [a * mp.exp(c) for a, c in zip(oracle.exact(v), oracle.exact(x), strict=True)],
    )
    assert_equal(
        pair_nodes._multiply_vjp(array(G), array(W[:1]), (4,)),
        oracle.exact((G * W[:1]).sum(axis=0)),
    )
