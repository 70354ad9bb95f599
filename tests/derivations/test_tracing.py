"""The code of `reference` proved branch by branch, and wrong code refuted at a point of its branch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

import reference
from derivations import branches
from derivations.branches import Code, prove
from derivations.code import CODE, evidence
from derivations.kernels import witness
from derivations.records import Standing
from derivations.tracing import Condition, NotTraceableError, runs, symbols

X = symbols("x", (2,))
Z = symbols("z", (1, 2))


# --- the code of `reference` -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CODE)
def test_the_formulas_of_reference_are_proved(name: str) -> None:
    found = evidence(name)
    assert found.standing is Standing.PROVED_CODE, found.detail


def test_every_entry_is_a_case_of_reference() -> None:
    assert set(CODE) <= {case.name for case in reference.CASES}


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name", ["softmax_jacobian", "logsumexp", "softmax_cross_entropy", "softmax_cross_entropy_soft"]
)
def test_the_formulas_of_reference_are_proved_for_three_classes(name: str) -> None:
    _, *others = CODE[name].inputs
    wide = [symbols("w", (1, 3), positive=True) if x.dtype == object else x for x in others]
    found = prove(replace(CODE[name], inputs=(symbols("z", (1, 3)), *wide)))
    assert found.standing is Standing.PROVED_CODE, found.detail


@pytest.mark.parametrize("name", CODE)
def test_a_wrong_gradient_of_the_same_code_is_refuted(name: str) -> None:
    """Twice the gradient, and the gradient with one entry's sign changed."""
    code = CODE[name]

    def doubled(*inputs: Any) -> tuple[Any, ...]:
        return tuple(2 * part for part in code.vjp(*inputs))

    def one_sign(*inputs: Any) -> tuple[Any, ...]:
        first, *others = code.vjp(*inputs)
        signs = np.ones(first.shape)
        signs.flat[-1] = -1
        return (first * signs, *others)

    for wrong in (doubled, one_sign):
        found = prove(replace(code, vjp=wrong))
        assert found.standing is Standing.REFUTED, found.detail
        assert "claimed − true = " in found.detail


# --- wrong code of its own -------------------------------------------------------------------------


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_vjp(z: Any, v: Any) -> tuple[Any, ...]:
    y = softmax(z)
    return (y * (v - (y * v).sum(axis=1, keepdims=True)),)


def diagonal_only(z: Any, v: Any) -> tuple[Any, ...]:
    y = softmax(z)
    return (v * y * (1 - y),)


def numerator_shifted(z: Any) -> Any:
    return np.exp(z - z.max(axis=1, keepdims=True)) / np.exp(z).sum(axis=1, keepdims=True)


def wrong_branch(x: Any) -> Any:
    e = np.exp(-abs(x))
    return np.where(x > 0, 1 / (1 + e), 1 / (1 + e))  # e/(1 + e) for x < 0


def sigmoid_vjp(x: Any, v: Any) -> tuple[Any, ...]:
    e = np.exp(-abs(x))
    return (v * e / (1 + e) ** 2,)


def relu_with_a_slope_of_one_half(x: Any, v: Any) -> tuple[Any, ...]:
    return (v * np.where(x > 0, 1.0, 0.5),)


WRONG: dict[str, tuple[Callable[..., Any], Callable[..., Any], Any, str]] = {
    "diagonal only": (softmax, diagonal_only, Z, r"z_1,[12] "),
    "numerator shifted": (numerator_shifted, softmax_vjp, Z, r"z_1,[12] "),
    "wrong branch of σ": (wrong_branch, sigmoid_vjp, X, r"x_[12] < 0"),
    "relu": (lambda x: np.maximum(x, 0), relu_with_a_slope_of_one_half, X, r"x_2 < 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_code_is_refuted_on_the_branch_where_it_is_wrong(name: str) -> None:
    value, vjp, inputs, where = WRONG[name]
    found = prove(Code(name=name, value=value, vjp=vjp, inputs=(inputs,)))
    assert found.standing is Standing.REFUTED
    branch, point = found.detail.split(":", maxsplit=1)
    assert "claimed − true = " in point
    assert re.search(where, branch)


def test_right_code_of_its_own_is_proved() -> None:
    assert prove(Code(name="softmax", value=softmax, vjp=softmax_vjp, inputs=(Z,))).standing is (
        Standing.PROVED_CODE
    )


def test_a_mean_without_its_divisor_is_refuted() -> None:
    t = symbols("t", (2,))

    def loss(y: Any, t: Any) -> Any:
        return ((y - t) ** 2).sum() / (2 * len(y))

    def right(y: Any, t: Any, v: Any) -> tuple[Any, ...]:
        return (v * (y - t) / len(y),)

    def wrong(y: Any, t: Any, v: Any) -> tuple[Any, ...]:
        return (v * (y - t),)

    code = Code(name="mean", value=loss, vjp=right, inputs=(X, t))
    assert prove(code).standing is Standing.PROVED_CODE
    assert prove(replace(code, vjp=wrong)).standing is Standing.REFUTED


def test_the_cap_of_the_sigmoid_is_seen_beyond_700() -> None:
    """There σ is constant in the code, but its derivative is not: equal to the last bit only."""
    assert prove(replace(CODE["sigmoid"], assumed=())).standing is Standing.REFUTED


def test_a_gradient_of_the_wrong_shape_is_an_error() -> None:
    code = Code(name="sum", value=lambda x: x.sum(), vjp=lambda x, v: (v,), inputs=(X,))
    with pytest.raises(ValueError, match=r"shape \(\) for an argument of \(2,\)"):
        prove(code)


def test_what_the_kernel_cannot_tell_is_undecided() -> None:
    code = Code(
        name="root",
        value=lambda x: x**2,
        vjp=lambda x, v: (2 * v * (x**2) ** 0.5 * (1 - 2 * (x < 0)),),
        inputs=(X,),
    )
    assert prove(code).standing is Standing.UNDECIDED


# --- paths -----------------------------------------------------------------------------------------


def outcomes(function: Callable[..., Any], *inputs: Any) -> list[tuple[str, list[Any]]]:
    return [
        (" and ".join(map(str, run.conditions)), list(run.outputs[0].ravel()))
        for run in runs(lambda *xs: (function(*xs),), inputs)
    ]


def test_every_branch_is_taken_once() -> None:
    a, b = X
    assert outcomes(lambda x: x.max(), X) == [(f"{a - b} > 0", [a]), (f"{a - b} < 0", [b])]
    found = outcomes(np.abs, X)
    assert [values for _, values in found] == [[a, b], [a, -b], [-a, b], [-a, -b]]


def test_masks_and_item_assignment() -> None:
    def piecewise(x: Any) -> Any:
        out = np.zeros_like(x)
        out[x > 1] = x[x > 1] - 1
        return out

    a, b = X
    assert [values for _, values in outcomes(piecewise, X)] == [
        [a - 1, b - 1],
        [a - 1, 0],
        [0, b - 1],
        [0, 0],
    ]


def test_an_answer_is_remembered() -> None:
    def twice(x: Any) -> Any:
        first = np.where(x > 0, 1, 2)
        return np.where(-x > 0, 10, 20) + first + 0 * x

    assert [values for _, values in outcomes(twice, X[:1])] == [[21], [12]]


def test_constants_become_exact() -> None:
    (_, [value]), *more = outcomes(lambda x: np.log1p(np.where(x > x - 1, 0.1, x)), X[:1])
    assert not more
    assert value == sp.log(1 + sp.Rational(0.1))


def test_what_needs_a_float_is_refused() -> None:
    for cast in (
        lambda x: x.astype(float),
        lambda x: np.asarray(x, dtype=float),
        lambda x: x + np.inf,
    ):
        with pytest.raises(NotTraceableError):
            outcomes(cast, X)


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(NotTraceableError, match="more than 2048 paths"):
        outcomes(np.abs, symbols("x", (12,)))


def test_a_witness_lies_on_its_path() -> None:
    x = sp.Symbol("x", real=True)
    conditions = (Condition(x - 100), Condition(x - 120, holds=False))
    point = branches._witness(conditions, x - 1)
    assert point is not None
    assert 100 < point.values[x] < 120
    assert branches._witness((Condition(-1 - x**2),), x) is None
    context = witness.interval_context()
    assert branches._holds(conditions[0], {x: sp.Integer(101)}, context)
    assert not branches._holds(conditions[0], {x: sp.Integer(100)}, context)
