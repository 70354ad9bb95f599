"""Layers on a batch, for every shape: the affine map, and softmax with cross-entropy.

The affine layer is Z = H·W + 1·bᵀ.  With G the gradient that arrives from above, the derivations
give dH = G·Wᵀ, dW = Hᵀ·G and db = 1ᵀ·G entry by entry.  The loss layer averages over the batch,
which is where the 1/N of its gradient comes from; v is the number that arrives from above.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    D,
    K,
    N,
    delta,
    derivative,
    family,
    i,
    index,
    j,
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
)
from derivations.records import Definition, Derivation, Hypothesis
from derivations.rows.graph import softmax_with_loss_backward
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder

H, W, B, G = family("H"), family("W"), family("b"), family("G")
d = index("d")
_SELECT = "the deltas select"
_TERM_BY_TERM = "differentiate the sums term by term"

# --- the affine layer -------------------------------------------------------------------------

AFFINE = total(H[m, i] * W[i, j], i, D) + B[j]


def arriving(*factors: sp.Expr) -> sp.Expr:
    """Return Σ_mj G_mj·f_mj: an output of the layer times what arrives from above."""
    return total(total(times(G[m, j], *factors), j, K), m, N)


@functools.cache
def affine() -> tuple[Derivation, ...]:
    """Derive dH = G·Wᵀ, dW = Hᵀ·G and db = 1ᵀ·G."""
    return _affine_input(), _affine_weights(), _affine_bias()


def _affine_input() -> Derivation:
    entry = H[r, d]
    return (
        Builder(
            "affine_input",
            "The affine layer: dH = G·Wᵀ",
            derivative(arriving(AFFINE), entry),
            ranges={r: N, d: D},
        )
        .step(_TERM_BY_TERM, arriving(total(derivative(H[m, i], entry) * W[i, j], i, D)))
        .step("∂H_mi/∂H_rd = δ_mr δ_id", arriving(total(delta(m, r) * delta(i, d) * W[i, j], i, D)))
        .step(f"{_SELECT} m = r and i = d", total(G[r, j] * W[d, j], j, K))
        .done()
    )


def _affine_weights() -> Derivation:
    entry = W[d, k]
    return (
        Builder(
            "affine_weights",
            "The affine layer: dW = Hᵀ·G",
            derivative(arriving(AFFINE), entry),
            ranges={d: D, k: K},
        )
        .step(_TERM_BY_TERM, arriving(total(H[m, i] * derivative(W[i, j], entry), i, D)))
        .step("∂W_ij/∂W_dk = δ_id δ_jk", arriving(total(H[m, i] * delta(i, d) * delta(j, k), i, D)))
        .step(f"{_SELECT} i = d and j = k", total(H[m, d] * G[m, k], m, N))
        .done()
    )


def _affine_bias() -> Derivation:
    return (
        Builder(
            "affine_bias",
            "The affine layer: db = 1ᵀ·G",
            derivative(arriving(AFFINE), B[k]),
            ranges={k: K},
        )
        .step(_TERM_BY_TERM, arriving(derivative(B[j], B[k])))
        .step("∂b_j/∂b_k = δ_jk", arriving(delta(j, k)))
        .step("the delta selects j = k", total(G[m, k], m, N))
        .done()
    )


def _affine_value() -> Formula:
    return Formula(AFFINE, {m: N, j: K})


def _affine_gradients() -> tuple[Formula, ...]:
    to_input, to_weights, to_bias = affine()
    return (
        Formula(to_input.result, {r: N, d: D}),
        Formula(to_weights.result, {d: D, k: K}),
        Formula(to_bias.result, {k: K}),
    )


# --- softmax with cross-entropy on a batch ----------------------------------------------------

A = family("a")
LABELS = label_family("c")
PROBABILITY = positive_family("y")
UPSTREAM = real("v")

BATCH_SOFTMAX = Definition(
    PROBABILITY,
    (m, i),
    sp.exp(A[m, i]) / total(sp.exp(A[m, j]), j, n),
    "y_{mi} = e^{a_{mi}}/Σ_j e^{a_{mj}}",
)
ROWS_SUM_TO_ONE = Hypothesis(total(t[m, j], j, n), sp.Integer(1), "Σ_j t_{mj} = 1 for every m")
HARD_LOSS = -total(sp.log(PROBABILITY[m, LABELS[m]]), m, N) / N
SOFT_LOSS = -total(total(t[m, i] * sp.log(PROBABILITY[m, i]), i, n), m, N) / N


def _jacobian(output: sp.Expr) -> sp.Expr:
    """Return ∂y_{m,output}/∂a_rk as softmax on rows has it."""
    y = PROBABILITY
    return times(delta(m, r), y[m, output], plus(delta(output, k), -y[m, k]))


@functools.cache
def softmax_with_loss_hard() -> Derivation:
    """Derive v(y − δ)/N for class indices: subtract one at the label, divide by N."""
    y, c, v = PROBABILITY, LABELS, UPSTREAM
    chosen = y[m, c[m]]
    return (
        Builder(
            "softmax_with_loss",
            "Softmax with cross-entropy on a batch: class indices",
            derivative(times(v, HARD_LOSS), A[r, k]),
            definitions=(BATCH_SOFTMAX,),
            ranges={r: N, k: n, c: n},
            remark="Subtract 1 at the label, divide by N.  No hypothesis: a label names one class.",
        )
        .step(
            "differentiate the mean term by term",
            -v / N * total(derivative(sp.log(chosen), A[r, k]), m, N),
        )
        .step("(ln y)′ = 1/y", -v / N * total(times(1 / chosen, derivative(chosen, A[r, k])), m, N))
        .step(
            "Jacobian of softmax on rows",
            -v / N * total(times(1 / chosen, _jacobian(c[m])), m, N),
        )
        .step("cancel y", -v / N * total(times(delta(m, r), plus(delta(c[m], k), -y[m, k])), m, N))
        .step("the delta selects row m = r", times(-v / N, plus(delta(c[r], k), -y[r, k])))
        .step("collect the signs", times(v / N, plus(y[r, k], -delta(c[r], k))))
        .done()
    )


@functools.cache
def softmax_with_loss_soft() -> Derivation:
    """Derive v(y − t)/N for labels as weights that sum to one; without that, v(y Σt − t)/N."""
    y, v = PROBABILITY, UPSTREAM
    inner = plus(delta(i, k), -y[m, k])
    weights = total(t[r, j], j, n)

    def mean(term: sp.Expr) -> sp.Expr:
        return -v / N * total(total(term, i, n), m, N)

    return (
        Builder(
            "softmax_with_loss_soft",
            "Softmax with cross-entropy on a batch: labels as weights",
            derivative(times(v, SOFT_LOSS), A[r, k]),
            definitions=(BATCH_SOFTMAX,),
            ranges={r: N, k: n, m: N},
            remark="Labels need not be one-hot; that they sum to one is used in the last step.",
        )
        .step(
            "differentiate the mean term by term",
            mean(t[m, i] * derivative(sp.log(y[m, i]), A[r, k])),
        )
        .step("(ln y)′ = 1/y", mean(times(t[m, i] / y[m, i], derivative(y[m, i], A[r, k]))))
        .step("Jacobian of softmax on rows", mean(times(t[m, i] / y[m, i], _jacobian(i))))
        .step("cancel y", mean(times(t[m, i], delta(m, r), inner)))
        .step(
            "the deltas select row m = r and column i = k",
            times(-v / N, plus(t[r, k], -total(t[r, i] * y[r, k], i, n))),
        )
        .step(
            "take y out of the sum and collect the signs",
            times(v / N, plus(times(y[r, k], weights), -t[r, k])),
        )
        .step(
            "the labels of a sample sum to one",
            times(v / N, plus(y[r, k], -t[r, k])),
            (ROWS_SUM_TO_ONE,),
        )
        .done()
    )


def softmax_with_loss() -> tuple[Derivation, ...]:
    """Return the derivations about the loss layer: on a batch, and node by node for one sample."""
    return softmax_with_loss_hard(), softmax_with_loss_soft(), *softmax_with_loss_backward()


def _hard_value() -> Formula:
    return Formula(HARD_LOSS, {}, (BATCH_SOFTMAX,))


def _hard_gradient() -> tuple[Formula, ...]:
    return (Formula(softmax_with_loss_hard().result, {r: N, k: n}, (BATCH_SOFTMAX,)),)


ROWS: tuple[Row, ...] = (
    Evaluation(((A, (N, n)), (LABELS, (N,))), _hard_value, _hard_gradient, UPSTREAM).row(
        "softmax_with_loss", softmax_with_loss
    ),
    Evaluation(((H, (N, D)), (W, (D, K)), (B, (K,))), _affine_value, _affine_gradients, G).row(
        "affine", affine
    ),
)
