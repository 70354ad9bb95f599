"""Gradients of cross-entropies that weigh anew: focal loss, and smoothed labels."""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.calculus import expand_definitions, rename_free
from derivations.expressions.language import (
    N,
    delta,
    derivative,
    family,
    fraction,
    i,
    k,
    m,
    n,
    phi,
    plus,
    positive,
    r,
    real,
    t,
    times,
    total,
    z,
)
from derivations.records import Definition, Derivation
from derivations.rows.layers import BATCH_SOFTMAX, LABELS, PROBABILITY, A
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder
from derivations.steps.rules import ENTRY, LINEAR, OPAQUE, SIFT, SPLIT, TERM_BY_TERM

# --- focal loss ----------------------------------------------------------------------------------

S, GAMMA = real("s"), real("gamma")
_P, _Q = positive("p"), positive("q")
RIGHT = Definition(_P, (), 1 / (1 + sp.exp(-S)), "p = 1/(1 + e^−s)")
WRONG = Definition(_Q, (), 1 / (1 + sp.exp(S)), "q = 1/(1 + e^s) = 1 − p")
_POWER = sp.exp(GAMMA * sp.log(_Q))


@functools.cache
def focal_of_right() -> Derivation:
    """Derive (−q^γ ln p)′ = −q^γ(q − γ p ln p)."""
    return (
        Builder(
            "focal_loss_derivative",
            "The derivative of the focal loss of one sample",
            derivative(-_POWER * sp.log(_P), S),
            definitions=(RIGHT, WRONG),
            remark="s is the logit of the right class, and q^γ is written e^{γ ln q}.  For γ = 0 "
            "the slope is −q, that of the cross-entropy.",
        )
        .step(
            "product rule",
            plus(-derivative(_POWER, S) * sp.log(_P), -_POWER * derivative(sp.log(_P), S)),
        )
        .step(
            "q′ = −p·q, p′ = p·q, chain rule",
            plus(times(GAMMA * _P, _POWER, sp.log(_P)), -_POWER * _Q),
        )
        .step("factor", times(-_POWER, plus(_Q, -GAMMA * _P * sp.log(_P))))
        .done()
    )


@functools.cache
def focal_mean() -> Derivation:
    """Derive the gradient of (1/n)Σ t φ(z) + (1−t)φ(−z): (t_k φ′(z_k) − (1−t_k)φ′(−z_k))/n."""
    term = t[i] * phi(z[i]) + (1 - t[i]) * phi(-z[i])
    return (
        Builder(
            "focal_loss_mean_gradient",
            "The gradient of a mean over two classes",
            derivative(fraction(total(term, i, n), n), z[k]),
            ranges={k: n},
            remark="φ is the loss as a function of the logit of the right class.",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(LINEAR)
        .apply(OPAQUE)
        .apply(ENTRY)
        .apply(SPLIT)
        .apply(SIFT)
        .done()
    )


def focal_loss() -> tuple[Derivation, ...]:
    """Return the derivations of the focal loss."""
    return focal_of_right(), focal_mean()


_UPSTREAM = real("v")


def _focal_at(part: sp.Expr, logit: sp.Expr) -> sp.Expr:
    """Return a part of the derivation at a logit, for γ = 2 as in the case."""
    written = expand_definitions(part, (RIGHT, WRONG))
    return rename_free(written, {S: logit, GAMMA: sp.Integer(2)})


def _focal_value() -> Formula:
    loss = focal_of_right().start.expr
    term = t[i] * _focal_at(loss, z[i]) + (1 - t[i]) * _focal_at(loss, -z[i])
    return Formula(total(term, i, n) / n)


def _focal_gradient() -> tuple[Formula, ...]:
    slope = focal_of_right().result
    entry = t[k] * _focal_at(slope, z[k]) - (1 - t[k]) * _focal_at(slope, -z[k])
    return (Formula(_UPSTREAM * entry / n, {k: n}),)


# --- smoothed labels -----------------------------------------------------------------------------

EPSILON = real("epsilon")


def _weight(sample: sp.Expr, which: sp.Expr) -> sp.Expr:
    return (1 - EPSILON) * delta(LABELS[sample], which) + EPSILON / n


_TARGET = Definition(
    family("t"), (m, i), _weight(m, i), "t_{mi} = (1 − ε)·[i is the label of m] + ε/n"
)


@functools.cache
def label_smoothing() -> Derivation:
    """Derive (y − t)/N for labels t = (1 − ε)·one-hot + ε/n, which sum to one."""
    y = PROBABILITY

    def mean(term: sp.Expr) -> sp.Expr:
        return -total(total(term, i, n), m, N) / N

    inner = plus(delta(i, k), -y[m, k])
    return (
        Builder(
            "label_smoothing_gradient",
            "Softmax with cross-entropy and smoothed labels",
            derivative(mean(t[m, i] * sp.log(y[m, i])), A[r, k]),
            definitions=(BATCH_SOFTMAX, _TARGET),
            ranges={r: N, k: n, LABELS: n},
            remark="Smoothed labels sum to one by themselves: no hypothesis is needed.",
        )
        .step(
            "differentiate the mean term by term, (ln y)′ = 1/y",
            mean(times(t[m, i] / y[m, i], derivative(y[m, i], A[r, k]))),
        )
        .step(
            "Jacobian of softmax on rows; cancel y",
            mean(times(t[m, i], delta(m, r), inner)),
        )
        .step(
            "the deltas select row m = r and column i = k",
            times(-1 / N, plus(t[r, k], -total(t[r, i] * y[r, k], i, n))),
        )
        .step(
            "the labels of a sample sum to 1 − ε + n·ε/n = 1",
            times(1 / N, plus(y[r, k], -t[r, k])),
        )
        .done()
    )


def label_smoothing_cross_entropy() -> tuple[Derivation, ...]:
    """Return the derivation for smoothed labels."""
    return (label_smoothing(),)


_NAMES = (
    Definition(EPSILON, (), sp.Rational(0.1), "ε = 0.1"),
    BATCH_SOFTMAX,
    _TARGET,
)


def _smoothed_value() -> Formula:
    return Formula(label_smoothing().start.expr, {}, _NAMES)


def _smoothed_gradient() -> tuple[Formula, ...]:
    return (Formula(_UPSTREAM * label_smoothing().result, {r: N, k: n}, _NAMES),)


ROWS: tuple[Row, ...] = (
    Evaluation(((z, (n,)), (t, (n,))), _focal_value, _focal_gradient, _UPSTREAM).row(
        "focal_loss", focal_loss
    ),
    Evaluation(((A, (N, n)), (LABELS, (N,))), _smoothed_value, _smoothed_gradient, _UPSTREAM).row(
        "label_smoothing_cross_entropy", label_smoothing_cross_entropy
    ),
)
