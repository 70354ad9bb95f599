"""The claims of document B: softmax cross-entropy, and a wrong conclusion appended to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

import gradcheck
from derivations.claims.document_a import jacobian_by_cases, softmax_of
from derivations.claims.examine import Setting, caught, corroborated, exactly, for_every_size, minus
from derivations.confrontation.confront import backed
from derivations.expressions.calculus import meaning
from derivations.expressions.language import (
    delta,
    derivative,
    family,
    i,
    index,
    j,
    k,
    n,
    positive_family,
    total,
    z,
)
from derivations.kernels.witness import instantiate
from derivations.plan import generator
from derivations.records import Claim, Finding, Standing, Witness

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_SOURCE = "document B"
_APPENDED = "document B, appended text"
_EVERY_I = Setting(ranges={i: n}, scope="every n ≥ 1 and every i")
_EVERY_K = Setting(ranges={k: n}, scope="every n ≥ 1 and every k")
_EVERY_PAIR = Setting(ranges={i: n, j: n}, pairs=((i, j),), scope="every n ≥ 1, every i and j")

_LABELS = family("y")  # the document calls the labels y and the probabilities a


def _slope(label: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """Return ∂L/∂z_i of L = −Σ_k label_k·ln a_k, unevaluated."""
    return derivative(-total(label(k) * sp.log(softmax_of(k)), k, n), z[i])


def _any_label(entry: sp.Expr) -> sp.Expr:
    return _LABELS[entry]


def _b1() -> Finding:
    slope = _slope(_any_label)
    every_output = for_every_size(
        total(-_LABELS[j] / softmax_of(j) * jacobian_by_cases(j, i), j, n),
        slope,
        _EVERY_I,
        "the chain rule over every output a_j, with both cases of its derivative",
    )
    alone = for_every_size(
        -_LABELS[i] / softmax_of(i) * jacobian_by_cases(i, i), slope, _EVERY_I, ""
    )
    needed = corroborated(
        every_output,
        alone.standing is Standing.REFUTED,
        f"with j = i alone it fails, as at {alone.scope}: {alone.detail}",
    )
    cases = for_every_size(
        jacobian_by_cases(j, i), derivative(softmax_of(j), z[i]), _EVERY_PAIR, "the two cases"
    )
    return backed(
        (needed, cases),
        "softmax_jacobian",
        show=("softmax_jacobian_diagonal", "softmax_jacobian_off_diagonal"),
    )


def _b2() -> Finding:
    target = index("c")
    general = for_every_size(
        softmax_of(i) * total(_LABELS[j], j, n) - _LABELS[i],
        _slope(_any_label),
        _EVERY_I,
        "∂L/∂z_i = a_i·Σ_j y_j − y_i for any labels",
    )
    one_hot = for_every_size(
        softmax_of(i) - delta(i, target),
        _slope(lambda entry: delta(entry, target)),
        Setting(
            ranges={i: n, target: n},
            pairs=((i, target),),
            scope="every n ≥ 1, every i and every target class",
        ),
        "one-hot labels: a_i − y_i",
    )
    at_target = for_every_size(
        softmax_of(i) - 1,
        _slope(lambda entry: delta(entry, i)),
        _EVERY_I,
        "at the target class: a_i − 1",
    )
    return backed(
        (general, one_hot, at_target),
        "softmax_cross_entropy_soft",
        "softmax_cross_entropy",
        show=(
            "softmax_cross_entropy_gradient_any_labels",
            "softmax_cross_entropy_gradient_one_class",
        ),
    )


# The appended text calls the labels z and the probabilities y.
_Z, _P = family("z"), positive_family("y")


def _slope_in_probabilities() -> sp.Expr:
    return derivative(-total(_Z[j] * sp.log(_P[j]), j, n), _P[k])


def _b3() -> Finding:
    evidence = for_every_size(
        -_Z[k] / _P[k], _slope_in_probabilities(), _EVERY_K, "∂L/∂y_k + z_k/y_k = 0"
    )
    return backed((evidence,), "cross_entropy_soft", show=("cross_entropy_gradient",))


_POINT = {
    _P[1]: sp.Rational(1, 4),
    _P[2]: sp.Rational(3, 4),
    _Z[1]: sp.Integer(1),
    _Z[2]: sp.Integer(0),
}


def _b4() -> Finding:
    """Compare y_k − z_k (which is y_k where k is not the target) with the derivative, exactly."""
    claimed, true = _at_the_point(_P[k] - _Z[k]), _at_the_point(meaning(_slope_in_probabilities()))
    contradicted = exactly(
        claimed == true,
        "exact rational arithmetic",
        "n = 2, y = (1/4, 3/4), z = (1, 0)",
        f"claimed − true is {minus(claimed[0] - true[0])} at k = 1 and "
        f"{minus(claimed[1] - true[1])} at k = 2",
    )
    seen = caught(
        gradcheck.check(
            _loss, _PROBABILITIES, grad=_claimed, rng=int(generator("B4").integers(2**31))
        ),
        "y = (1/4, 3/4), z = (1, 0)",
    )
    in_logits = for_every_size(
        softmax_of(i) - delta(i, j),
        _slope(lambda entry: delta(entry, j)),
        _EVERY_PAIR,
        "what the formula is: the derivative in the logits, for the target class j",
    )
    witness = Witness(
        point="y = (1/4, 3/4), z = (1, 0), k = 1",
        claimed=f"y_1 − z_1 = {minus(claimed[0])}",
        true=f"−z_1/y_1 = {minus(true[0])}",
        explanation="The formula is the derivative in the logits, not in the probabilities; it "
        "contradicts the derivative −z_k/y_k that the same text states before (B3).",
    )
    return backed((contradicted, seen, in_logits), witness=witness)


def _at_the_point(expression: sp.Expr) -> tuple[sp.Rational, sp.Rational]:
    """Return the exact value of an expression in k at the rational point, for k = 1 and k = 2."""
    point = {instantiate(entry, {}): value for entry, value in _POINT.items()}
    first, second = (instantiate(expression, {n: 2}, {k: q}).subs(point) for q in (1, 2))
    return first, second


_PROBABILITIES = np.array([0.25, 0.75])
_ONE_HOT = np.array([1.0, 0.0])


def _loss(y: Array) -> float:
    return float(-np.sum(_ONE_HOT * np.log(y)))


def _claimed(y: Array) -> Array:
    return np.where(_ONE_HOT == 1, y - _ONE_HOT, y)


CLAIMS = (
    Claim(
        "B1",
        "The chain rule sums over every output",
        _SOURCE,
        "all outputs a_j depend on z_i through the denominator, so ∂L/∂z_i sums over every j; "
        "∂a_j/∂z_i = a_i(1 − a_i) if j = i, −a_j·a_i if j ≠ i",
        _b1,
    ),
    Claim(
        "B2",
        "The gradient in the logits",
        _SOURCE,
        "∂L/∂z_i = a_i·Σ_j y_j − y_i; for one-hot labels a_i − y_i; for the target class a_i − 1",
        _b2,
    ),
    Claim(
        "B3",
        "The gradient in the probabilities",
        _APPENDED,
        "∂L/∂y_k = −z_k/y_k, with labels z and probabilities y",
        _b3,
    ),
    Claim(
        "B4",
        "A gradient in the probabilities that is not one",
        f"{_APPENDED}, its conclusion",
        "∂L/∂y_k = y_k − z_k if k is the target, y_k otherwise",
        _b4,
        known_wrong=True,
    ),
)
