"""Gradients of cross-entropy, of probabilities and of logits, from its definition.

The mean over N samples is what `reference` computes.  `derivations.rows.fused` has softmax with
cross-entropy for one sample, with its second derivatives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import sympy as sp

from derivations.expressions.language import (
    N,
    Y,
    delta,
    derivative,
    fraction,
    i,
    k,
    label_family,
    m,
    n,
    plus,
    positive_family,
    r,
    real,
    t,
    times,
    total,
    y,
    z,
)
from derivations.records import Derivation, Hypothesis
from derivations.rows.fused import (
    fused_gradient,
    fused_gradient_any_labels,
    fused_gradient_by_cases,
    fused_gradient_by_splitting,
    fused_gradient_one_class,
    hessian,
    hessian_by_splitting,
)
from derivations.rows.row import Evaluation, Formula, Row
from derivations.rows.softmaxes import ROW_SOFTMAX
from derivations.steps.build import Builder
from derivations.steps.rules import ENTRY, LINEAR, LOG, SIFT, TERM_BY_TERM

ROW_SUMS = Hypothesis(total(t[m, i], i, n), sp.Integer(1), "Σ_i t_mi = 1 for every sample m")
CLASSES = label_family("c")  # the class of every sample
_P = positive_family("p")


# --- cross-entropy of probabilities --------------------------------------------------------------


@functools.cache
def cross_entropy_gradient() -> Derivation:
    """Derive ∂E/∂y_k = −Y_k/y_k."""
    return (
        Builder(
            "cross_entropy_gradient",
            "The gradient of cross-entropy in the probabilities",
            derivative(-total(Y[i] * sp.log(y[i]), i, n), y[k]),
            ranges={k: n},
            remark="In the probabilities, not in the logits: no Σ Y_i appears, no y_k − Y_k.",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(LOG)
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


@functools.cache
def cross_entropy_mean() -> Derivation:
    """Derive the gradient of the mean over N samples: −t_rk/(N p_rk)."""
    return (
        Builder(
            "cross_entropy_mean_gradient",
            "The gradient of the mean cross-entropy in the probabilities",
            derivative(
                fraction(-total(total(t[m, i] * sp.log(_P[m, i]), i, n), m, N), N), _P[r, k]
            ),
            ranges={r: N, k: n},
        )
        .apply(LINEAR)
        .step(
            "differentiate the sums term by term",
            -total(total(t[m, i] * derivative(sp.log(_P[m, i]), _P[r, k]), i, n), m, N) / N,
        )
        .apply(LOG)
        .apply(ENTRY)
        .step("the deltas select m = r and i = k", -t[r, k] / (N * _P[r, k]))
        .done()
    )


@functools.cache
def cross_entropy_classes() -> Derivation:
    """Derive the same for class indices: −δ_{k c_r}/(N p_rk)."""
    return (
        Builder(
            "cross_entropy_classes_gradient",
            "The gradient of the mean cross-entropy for class indices",
            derivative(fraction(-total(sp.log(_P[m, CLASSES[m]]), m, N), N), _P[r, k]),
            ranges={r: N, k: n, CLASSES: n},
            remark="A class index is the one-hot label t_ri = δ_{i c_r}.",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(LOG)
        .apply(ENTRY)
        .apply(SIFT)
        .step("where the delta is not 0, c_r is k", -delta(k, CLASSES[r]) / (N * _P[r, k]))
        .done()
    )


# --- softmax and cross-entropy fused, the mean over N samples ------------------------------------


@functools.cache
def fused_mean() -> Derivation:
    """Derive the gradient of the mean over N samples: (y_rk Σ_i t_ri − t_rk)/N, and (y − t)/N."""
    loss = fraction(-total(total(t[m, i] * sp.log(y[m, i]), i, n), m, N), N)
    slope = plus(delta(i, k), -y[r, k])
    return (
        Builder(
            "softmax_cross_entropy_mean_gradient",
            "The gradient of softmax with mean cross-entropy",
            derivative(loss, z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n, m: N},
        )
        .step(
            "differentiate the sums term by term",
            -total(total(t[m, i] * derivative(sp.log(y[m, i]), z[r, k]), i, n), m, N) / N,
        )
        .step(
            "∂ ln y_mi/∂z_rk = δ_mr(δ_ik − y_rk)",
            -total(total(times(delta(m, r), t[m, i], slope), i, n), m, N) / N,
        )
        .step("the delta selects sample m = r", -total(times(t[r, i], slope), i, n) / N)
        .step(
            "multiply out and split the sum",
            fraction(plus(y[r, k] * total(t[r, i], i, n), -total(t[r, i] * delta(i, k), i, n)), N),
        )
        .apply(SIFT)
        .step(ROW_SUMS.text, fraction(plus(y[r, k], -t[r, k]), N), (ROW_SUMS,))
        .done()
    )


@functools.cache
def fused_mean_classes() -> Derivation:
    """Derive the same for class indices: (y_rk − δ_{k c_r})/N."""
    return (
        Builder(
            "softmax_cross_entropy_classes_mean_gradient",
            "The gradient of softmax with mean cross-entropy for class indices",
            derivative(fraction(-total(sp.log(y[m, CLASSES[m]]), m, N), N), z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n, CLASSES: n},
            remark="Subtract 1 at the label, divide by N.",
        )
        .step(
            "differentiate the sum term by term",
            -total(derivative(sp.log(y[m, CLASSES[m]]), z[r, k]), m, N) / N,
        )
        .step(
            "∂ ln y_mi/∂z_rk = δ_mr(δ_ik − y_rk)",
            -total(times(delta(m, r), plus(delta(k, CLASSES[m]), -y[r, k])), m, N) / N,
        )
        .step(
            "the delta selects sample m = r",
            fraction(plus(y[r, k], -delta(k, CLASSES[r])), N),
        )
        .done()
    )


# --- rows ----------------------------------------------------------------------------------------


def cross_entropy() -> tuple[Derivation, ...]:
    """Return the derivation of cross-entropy for class indices."""
    return (cross_entropy_classes(),)


def cross_entropy_soft() -> tuple[Derivation, ...]:
    """Return the derivations of cross-entropy for probabilities as labels."""
    return cross_entropy_mean(), cross_entropy_gradient()


def softmax_cross_entropy() -> tuple[Derivation, ...]:
    """Return the derivations of the fused loss for class indices."""
    return fused_mean_classes(), fused_gradient_one_class()


def softmax_cross_entropy_soft() -> tuple[Derivation, ...]:
    """Return the derivations of the fused loss for probabilities as labels, and its Hessian."""
    return (
        fused_mean(),
        fused_gradient(),
        fused_gradient_any_labels(),
        fused_gradient_by_cases(),
        hessian(),
        fused_gradient_by_splitting(),
        *hessian_by_splitting(),
    )


_UPSTREAM = real("v")  # the cotangent of a loss is one number


def _loss(derive: Callable[[], Derivation]) -> Formula:
    derivation = derive()
    return Formula(derivation.start.expr, {}, derivation.definitions)


def _over_rows(derive: Callable[[], Derivation]) -> tuple[Formula, ...]:
    derivation = derive()
    return (Formula(_UPSTREAM * derivation.result, {r: N, k: n}, derivation.definitions),)


def _rows(
    first: sp.IndexedBase, labels: sp.IndexedBase, derive: Callable[[], Derivation]
) -> Evaluation:
    shape = (N,) if labels is CLASSES else (N, n)
    return Evaluation(
        ((first, (N, n)), (labels, shape)),
        functools.partial(_loss, derive),
        functools.partial(_over_rows, derive),
        _UPSTREAM,
    )


ROWS: tuple[Row, ...] = (
    _rows(_P, CLASSES, cross_entropy_classes).row("cross_entropy", cross_entropy),
    _rows(_P, t, cross_entropy_mean).row("cross_entropy_soft", cross_entropy_soft),
    _rows(z, CLASSES, fused_mean_classes).row("softmax_cross_entropy", softmax_cross_entropy),
    _rows(z, t, fused_mean).row("softmax_cross_entropy_soft", softmax_cross_entropy_soft),
)
