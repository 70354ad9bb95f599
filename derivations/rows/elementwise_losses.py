"""Gradients of the losses that act entry by entry: squared error and binary cross-entropy.

The mean over n entries is what `reference` computes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import sympy as sp

from derivations.expressions.language import (
    delta,
    derivative,
    family,
    fraction,
    i,
    k,
    n,
    plus,
    positive,
    positive_family,
    real,
    t,
    times,
    total,
    z,
)
from derivations.records import Definition, Derivation
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder
from derivations.steps.rules import ENTRY, LINEAR, LOG, POWER, SIFT, TERM_BY_TERM

_P = positive_family("p")


# --- squared error -------------------------------------------------------------------------------


@functools.cache
def squared_error_sum() -> Derivation:
    """Derive ∂/∂y_k ½Σ_i(y_i − t_i)² = y_k − t_k."""
    p = family("y")
    return (
        Builder(
            "squared_error_gradient",
            "The gradient of the squared error",
            derivative(fraction(total((p[i] - t[i]) ** 2, i, n), 2), p[k]),
            ranges={k: n},
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(POWER)
        .apply(LINEAR)
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


@functools.cache
def squared_error_mean() -> Derivation:
    """Derive the gradient of the mean of ½(y_i − t_i)²: (y_k − t_k)/n."""
    p = family("y")
    return (
        Builder(
            "squared_error_mean_gradient",
            "The gradient of the mean squared error",
            derivative(fraction(total((p[i] - t[i]) ** 2 / 2, i, n), n), p[k]),
            ranges={k: n},
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(POWER)
        .apply(LINEAR)
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


# --- binary cross-entropy ------------------------------------------------------------------------

_A, _LABEL, _LOGIT = positive("a"), real("y"), real("z")
_ACTIVATION = Definition(_A, (), 1 / (1 + sp.exp(-_LOGIT)), "a = 1/(1 + e^−z)")
_BINARY = -(_LABEL * sp.log(_A) + (1 - _LABEL) * sp.log(1 - _A))
_BINARY_LOSS = Definition(real("L"), (), _BINARY, "L = −(y ln a + (1 − y) ln(1 − a))")


@functools.cache
def binary_in_probability() -> Derivation:
    """Derive ∂L/∂a = (a − y)/(a(1 − a))."""
    return (
        Builder(
            "binary_cross_entropy_gradient",
            "The gradient of binary cross-entropy in the probability",
            derivative(_BINARY, _A),
            scope="every 0 < a < 1 and every real y",
        )
        .apply(LINEAR)
        .apply(LOG)
        .step("d(1 − a)/da = −1", plus(-_LABEL / _A, (1 - _LABEL) / (1 - _A)))
        .step("common denominator", fraction(plus(_A, -_LABEL), times(_A, plus(1, -_A))))
        .done()
    )


@functools.cache
def binary_in_logit() -> Derivation:
    """Derive ∂L/∂z = a − y."""
    loss = _BINARY_LOSS.symbol
    return (
        Builder(
            "binary_cross_entropy_with_logits_gradient",
            "The gradient of binary cross-entropy in the logit",
            derivative(loss, _LOGIT),
            definitions=(_ACTIVATION, _BINARY_LOSS),
            remark="The denominator of ∂L/∂a is σ′: it cancels, and with it the division by 0.",
        )
        .step("chain rule", times(derivative(loss, _A), derivative(_A, _LOGIT)))
        .step(
            "∂L/∂a = (a − y)/(a(1 − a))",
            times(fraction(plus(_A, -_LABEL), times(_A, plus(1, -_A))), derivative(_A, _LOGIT)),
        )
        .step(
            "σ′ = σ(1 − σ)",
            times(fraction(plus(_A, -_LABEL), times(_A, plus(1, -_A))), _A, plus(1, -_A)),
        )
        .step("cancel a(1 − a)", plus(_A, -_LABEL))
        .done()
    )


@functools.cache
def binary_mean() -> Derivation:
    """Derive the gradient of the mean over n samples in the probabilities."""
    loss = -(t[i] * sp.log(_P[i]) + (1 - t[i]) * sp.log(1 - _P[i]))
    return (
        Builder(
            "binary_cross_entropy_mean_gradient",
            "The gradient of mean binary cross-entropy in the probabilities",
            derivative(fraction(total(loss, i, n), n), _P[k]),
            ranges={k: n},
            scope="every n ≥ 1, every k in 1 … n and all 0 < p_i < 1",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .step(
            "the gradient of one sample",
            total(delta(i, k) * (_P[i] - t[i]) / (_P[i] * (1 - _P[i])), i, n) / n,
        )
        .apply(SIFT)
        .done()
    )


_LOGISTIC = Definition(
    positive_family("a"), (i,), 1 / (1 + sp.exp(-z[i])), "a_i = 1/(1 + e^{−z_i})"
)


@functools.cache
def binary_logits_mean() -> Derivation:
    """Derive the gradient of the mean over n samples in the logits: (a_k − t_k)/n."""
    a = _LOGISTIC.symbol
    loss = -(t[i] * sp.log(a[i]) + (1 - t[i]) * sp.log(1 - a[i]))
    return (
        Builder(
            "binary_cross_entropy_with_logits_mean_gradient",
            "The gradient of mean binary cross-entropy in the logits",
            derivative(fraction(total(loss, i, n), n), z[k]),
            definitions=(_LOGISTIC,),
            ranges={k: n},
        )
        .step(
            "differentiate the sum term by term, chain rule",
            total((a[i] - t[i]) / (a[i] * (1 - a[i])) * derivative(a[i], z[k]), i, n) / n,
        )
        .step(
            "σ′ = σ(1 − σ)",
            total(times((a[i] - t[i]) / (a[i] * (1 - a[i])), a[i] * (1 - a[i]), delta(i, k)), i, n)
            / n,
        )
        .step("cancel a_i(1 − a_i)", total((a[i] - t[i]) * delta(i, k), i, n) / n)
        .apply(SIFT)
        .done()
    )


# --- rows ----------------------------------------------------------------------------------------


def squared_error() -> tuple[Derivation, ...]:
    """Return the derivations about the squared error."""
    return squared_error_mean(), squared_error_sum()


def binary_cross_entropy() -> tuple[Derivation, ...]:
    """Return the derivations of binary cross-entropy of probabilities."""
    return binary_mean(), binary_in_probability()


def binary_cross_entropy_with_logits() -> tuple[Derivation, ...]:
    """Return the derivations of binary cross-entropy of logits."""
    return binary_logits_mean(), binary_in_logit()


_UPSTREAM = real("v")  # the cotangent of a loss is one number


def _loss(derive: Callable[[], Derivation]) -> Formula:
    derivation = derive()
    return Formula(derivation.start.expr, {}, derivation.definitions)


def _over_entries(derive: Callable[[], Derivation]) -> tuple[Formula, ...]:
    derivation = derive()
    return (Formula(_UPSTREAM * derivation.result, {k: n}, derivation.definitions),)


def _entries(
    first: sp.IndexedBase, targets: sp.IndexedBase, derive: Callable[[], Derivation]
) -> Evaluation:
    return Evaluation(
        ((first, (n,)), (targets, (n,))),
        functools.partial(_loss, derive),
        functools.partial(_over_entries, derive),
        _UPSTREAM,
    )


ROWS: tuple[Row, ...] = (
    _entries(_P, t, binary_mean).row("binary_cross_entropy", binary_cross_entropy),
    _entries(z, t, binary_logits_mean).row(
        "binary_cross_entropy_with_logits", binary_cross_entropy_with_logits
    ),
    _entries(family("y"), t, squared_error_mean).row("squared_error", squared_error),
)
