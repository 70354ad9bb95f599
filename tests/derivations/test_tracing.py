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
from derivations.code.branches import Code, prove
from derivations.code.execution import CODE, codes_of, evidence
from derivations.code.order import Condition
from derivations.code.regions import Sample
from derivations.code.traced import NotTraceableError
from derivations.code.tracing import runs, symbols
from derivations.records import Standing
from reference import losses, networks, softmaxes

X = symbols("x", (2,))
Z = symbols("z", (1, 2))
NAMES = [case.name for case in reference.CASES]
QUICK = [name for name in NAMES if not name.startswith("network")]


# --- the code of `reference` -----------------------------------------------------------------------


@pytest.mark.parametrize("name", QUICK)
def test_the_functions_of_reference_are_proved(name: str) -> None:
    found = evidence(name)
    assert found.standing is Standing.PROVED_CODE, found.detail


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(QUICK)))
def test_the_networks_of_reference_are_proved(name: str) -> None:
    found = evidence(name)
    assert found.standing is Standing.PROVED_CODE, found.detail


def test_every_entry_is_a_case_of_reference() -> None:
    assert set(CODE) <= set(NAMES)


def test_the_shapes_are_those_that_are_promised() -> None:
    shapes = {name: [x.shape for x in codes_of(name)[-1].inputs] for name in NAMES}
    assert shapes["affine"] == [(2, 3), (3, 2), (2,)]
    assert shapes["softmax_jacobian"] == [(8,)]
    assert shapes["softmax_cross_entropy"] == [(3, 4), (3,)]
    assert shapes["softmax_cross_entropy_soft"] == [(3, 4), (3, 4)]
    assert shapes["network_tanh"] == [(1, 2), (1,), (2, 3), (3,), (3, 3), (3,)]
    assert CODE["softmax_cross_entropy"][1].assumed == ()


def test_every_function_has_a_proof_of_its_code() -> None:
    assert all(map(codes_of, NAMES))


@pytest.mark.parametrize("name", [n for n in QUICK if codes_of(n)[0].vjp is not None])
def test_a_wrong_gradient_of_the_same_code_is_refuted(name: str) -> None:
    """Twice the gradient, and the gradient with one entry's sign changed; of logits, two will do."""
    code = codes_of(name)[0]
    if "softmax" in name or name == "logsumexp":
        code = replace(code, inputs=tuple(x[..., :2] if x.ndim else x for x in code.inputs))
    vjp = code.vjp
    assert vjp is not None

    def doubled(*inputs: Any) -> tuple[Any, ...]:
        return tuple(2 * part for part in vjp(*inputs))

    def one_sign(*inputs: Any) -> tuple[Any, ...]:
        first, *others = vjp(*inputs)
        signs = np.ones(first.shape)
        signs.flat[0] = -1
        return (first * signs, *others)

    for wrong in (doubled, one_sign):
        found = prove(replace(code, vjp=wrong))
        assert found.standing is Standing.REFUTED, found.detail
        assert "claimed − true = " in found.detail


# --- mutants of `reference` itself -----------------------------------------------------------------


def shifted_in_the_numerator_only(z: Any, out: Any = None) -> Any:
    y = np.exp(z - z.max(axis=1, keepdims=True)) / np.exp(z).sum(axis=1, keepdims=True)
    return np.multiply(y, 1, out=out)


def diagonal_jacobian(z: Any) -> Any:
    y = softmaxes._softmax(z)
    return (y * (1 - y))[:, :, None] * np.eye(z.shape[1])


def gradient_with_the_wrong_sign(sums: Any, samples: int) -> Any:
    gradient = sums.terms / (sums.total * samples)[:, None]
    gradient.reshape(-1)[sums.places] = sums.rest / (sums.total * samples)
    return gradient


def gradient_without_the_mean(sums: Any, samples: int) -> Any:
    return INDEX_GRADIENT(sums, 1)


def gradient_of_the_next_class(sums: Any, samples: int) -> Any:
    gradient = sums.terms / (sums.total * samples)[:, None]
    rows, classes = divmod(sums.places, gradient.shape[1])
    gradient[rows, classes - 1] = -sums.rest / (sums.total * samples)
    return gradient


def far_loss_at_the_wrong_place(z: Any, labels: Any) -> Any:
    return z.max(axis=1) + z[np.arange(len(z)), labels]


def affine_vjp_transposed(H: Any, W: Any, b: Any, G: Any) -> Any:
    dH, dW, db = AFFINE_VJP(H, W, b, G)
    return dH, dW[::-1], db


INDEX_GRADIENT, AFFINE_VJP = losses._index_gradient, networks.affine_vjp
MUTANTS: dict[str, tuple[Any, str, Callable[..., Any], str, int]] = {
    "numerator": (softmaxes, "_softmax", shifted_in_the_numerator_only, "softmax", 0),
    "diagonal": (softmaxes, "_softmax_jacobian", diagonal_jacobian, "softmax_jacobian", 0),
    "sign": (losses, "_index_gradient", gradient_with_the_wrong_sign, "softmax_cross_entropy", 1),
    "mean": (losses, "_index_gradient", gradient_without_the_mean, "softmax_cross_entropy", 1),
    "index": (losses, "_index_gradient", gradient_of_the_next_class, "softmax_cross_entropy", 1),
    "branch": (losses, "_far_loss", far_loss_at_the_wrong_place, "softmax_cross_entropy", 0),
    "layer": (networks, "affine_vjp", affine_vjp_transposed, "network_sigmoid", 0),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_of_reference_are_refuted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, wrong, case, which = MUTANTS[name]
    monkeypatch.setattr(module, function, wrong)
    code = CODE[case][which]
    if case == "softmax":
        code = replace(code, inputs=tuple(x[..., :2] for x in code.inputs))
    found = prove(code)
    assert found.standing is Standing.REFUTED, found.detail
    assert "claimed − true = " in found.detail


def test_what_stands_in_for_validation_is_gone_afterwards() -> None:
    with pytest.raises(TypeError, match="must hold real numbers"):
        reference.sigmoid(X)
    evidence("sigmoid")
    with pytest.raises(TypeError, match="must hold real numbers"):
        reference.sigmoid(X)


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
    "relu": (lambda x: np.maximum(x, 0), relu_with_a_slope_of_one_half, X, r"x_1 < 0"),
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


def test_the_cap_of_the_sigmoid_is_seen_beyond_700() -> None:
    """There σ is constant in the code, but its derivative is not: equal to the last bit only."""
    assert prove(replace(CODE["sigmoid"][0], assumed=())).standing is Standing.REFUTED


def test_a_gradient_of_the_wrong_shape_is_an_error() -> None:
    code = Code(name="sum", value=lambda x: x.sum(), vjp=lambda x, v: (v,), inputs=(X,))
    with pytest.raises(ValueError, match=r"shape \(\) where it should be \(2,\)"):
        prove(code)


def test_a_missing_gradient_is_an_error() -> None:
    code = Code(name="sum", value=lambda x: x.sum(), vjp=lambda x, v: (), inputs=(X,))
    with pytest.raises(ValueError, match="0 gradients for 1 arguments"):
        prove(code)


def test_what_the_kernel_cannot_tell_is_undecided() -> None:
    code = Code(
        name="root",
        value=lambda x: x**2,
        vjp=lambda x, v: (2 * v * (x**2) ** 0.25 * (x**2) ** 0.25 * (1 - 2 * (x < 0)),),
        inputs=(X,),
    )
    assert prove(code).standing is Standing.UNDECIDED


# --- choices and paths -----------------------------------------------------------------------------


def outcomes(function: Callable[..., Any], *inputs: Any) -> list[tuple[str, list[Any]]]:
    return [
        (" and ".join(map(str, run.conditions)), list(run.outputs[0].ravel()))
        for run in runs(lambda *xs: (function(*xs),), inputs)
    ]


def choices(function: Callable[..., Any], *inputs: Any) -> list[list[Any]]:
    """Return what each entry may be, of code with one path."""
    (run,) = runs(lambda *xs: (function(*xs),), inputs)
    picks = run.path.picks
    return [list(picks[y].expressions) if y in picks else [y] for y in run.outputs[0].ravel()]


def test_what_selects_a_number_is_left_open() -> None:
    a, b, c = x = symbols("x", (3,))
    assert choices(lambda x: x.max(), x) == [[a, b, c]]
    assert choices(lambda x: x.min(initial=0), x) == [[0, a, b, c]]
    assert choices(np.abs, x) == [[a, -a], [b, -b], [c, -c]]
    assert choices(lambda x: np.where(x > 1, x, 7), x) == [[a, 7], [b, 7], [c, 7]]
    assert choices(lambda x: np.minimum(x, 2), x[:1]) == [[2, a]]


def test_an_open_index_reads_and_writes_what_it_may_point_at() -> None:
    a, b, c = x = symbols("x", (3,))

    def at_largest(x: Any) -> Any:
        rows = x[None, :]
        return rows[np.arange(1), rows.argmax(axis=1)]

    def without_largest(x: Any) -> Any:
        rows = x[None, :].copy()
        rows[np.arange(1), rows.argmax(axis=1)] = 0
        return rows

    assert choices(at_largest, x) == [[a, b, c]]
    assert choices(without_largest, x) == [[0, a, a], [b, 0, b], [c, c, 0]]


def test_what_python_has_to_know_is_decided() -> None:
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


def test_impossible_paths_are_not_taken() -> None:
    def steps(x: Any) -> Any:
        return x * (2 if x[0] > 1 else 3) * (5 if x[0] > 0 else 7)

    (a,) = X[:1]
    assert [values for _, values in outcomes(steps, X[:1])] == [[10 * a], [15 * a], [21 * a]]


def test_an_answer_is_remembered() -> None:
    def twice(x: Any) -> Any:
        first = 1 if x[0] > 0 else 2
        return np.where(-x > 0, 10, 20) + first + 0 * x

    assert [values for _, values in outcomes(twice, X[:1])] == [[21], [12]]


def test_constants_become_exact() -> None:
    (_, [value]), *more = outcomes(lambda x: np.log1p(np.where(x > x - 1, 0.1, x)), X[:1])
    assert not more
    assert value == sp.log(1 + sp.Rational(0.1))


def test_what_needs_a_float_is_refused() -> None:
    for cast in (
        lambda x: x.astype(int),
        lambda x: np.asarray(x, dtype=float),
        lambda x: x + np.inf,
    ):
        with pytest.raises(NotTraceableError):
            outcomes(cast, X)


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(NotTraceableError, match="more than 2048 paths"):
        outcomes(lambda x: x[x > 0].sum() + x, symbols("x", (12,)))


def test_a_witness_lies_on_its_branch() -> None:
    x = sp.Symbol("x", real=True)
    conditions = (Condition(x - 100), Condition(x - 120, holds=False))
    point = Sample([x], {}, 400).separating(conditions, x - 1)
    assert point is not None
    assert 100 < point.values[x] < 120
    assert Sample([x], {}, 400).separating((Condition(-1 - x**2),), x) is None
