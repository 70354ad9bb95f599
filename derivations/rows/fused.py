"""The gradient and the second derivatives of softmax with cross-entropy, one sample, every n.

Four ways: over every output with the Jacobian; through ln y_i = z_i − ln Σ_j e^{z_j}; split into the
term i = k and the others; and without indexed sums, what the other classes add being a constant.
Labels are arbitrary reals until a step names the hypothesis that they sum to 1.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    Y,
    delta,
    derivative,
    ell,
    i,
    index,
    j,
    k,
    n,
    plus,
    real,
    times,
    total,
    y,
    z,
)
from derivations.records import Definition, Derivation, Hypothesis
from derivations.rows.jacobian import OTHERS, SOFTMAX, jacobian_entry
from derivations.steps.build import Builder
from derivations.steps.rules import (
    ENTRY,
    EXP,
    LINEAR,
    LOG,
    PULL_OUT,
    QUOTIENT,
    RECIPROCAL,
    SIFT,
    SPLIT,
    TERM_BY_TERM,
    separate,
    use,
)

_T = total(Y[i], i, n)
ONE_SUM = Hypothesis(_T, sp.Integer(1), "Σ_i Y_i = 1")
LOSS = real("E")
CROSS_ENTROPY = Definition(LOSS, (), -total(Y[i] * sp.log(y[i]), i, n), "E = −Σ_i Y_i ln y_i")
TARGET = index("c")  # the class of the sample
_DEFINED = (SOFTMAX, CROSS_ENTROPY)


@functools.cache
def fused_gradient() -> Derivation:
    """Derive ∂E/∂z_k = y_k ΣY − Y_k, and y_k − Y_k where ΣY = 1."""
    return (
        Builder(
            "softmax_cross_entropy_gradient",
            "The gradient of softmax with cross-entropy",
            derivative(LOSS, z[k]),
            definitions=_DEFINED,
            ranges={k: n},
            remark="Labels that sum to 1 are enough; they need not be one-hot.",
        )
        .step(
            "chain rule over every output",
            total(times(derivative(LOSS, y[i]), derivative(y[i], z[k])), i, n),
        )
        .step("∂E/∂y_i = −Y_i/y_i", total(times(-Y[i] / y[i], derivative(y[i], z[k])), i, n))
        .step("Jacobian of softmax", total(times(-Y[i] / y[i], jacobian_entry(i, k)), i, n))
        .step("cancel y_i", total(times(-Y[i], plus(delta(i, k), -y[k])), i, n))
        .step(SPLIT.name, plus(total(Y[i] * y[k], i, n), -total(Y[i] * delta(i, k), i, n)))
        .apply(SIFT)
        .apply(PULL_OUT)
        .apply(use(ONE_SUM))
        .done()
    )


@functools.cache
def fused_gradient_any_labels() -> Derivation:
    """Derive ∂E/∂z_k = y_k ΣY − Y_k through ln y_i = z_i − ln S, whatever the labels sum to."""
    logarithm = sp.log(total(sp.exp(z[j]), j, n))
    return (
        Builder(
            "softmax_cross_entropy_gradient_any_labels",
            "The gradient of softmax with cross-entropy, labels of any sum",
            derivative(-total(Y[i] * sp.log(y[i]), i, n), z[k]),
            definitions=(SOFTMAX,),
            ranges={k: n},
        )
        .step(
            "ln y_i = z_i − ln Σ_j e^{z_j}",
            derivative(-total(Y[i] * (z[i] - logarithm), i, n), z[k]),
        )
        .step(
            "split the sum",
            derivative(plus(-total(Y[i] * z[i], i, n), times(_T, logarithm)), z[k]),
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .step(
            "the gradient of log-sum-exp is softmax",
            plus(times(y[k], _T), -total(Y[i] * derivative(z[i], z[k]), i, n)),
        )
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


@functools.cache
def fused_gradient_by_cases() -> Derivation:
    """Derive ∂E/∂z_k as document A does: the term i = k and the terms i ≠ k."""
    others = plus(1, -delta(i, k))
    rest = total(times(others, Y[i]), i, n)
    return (
        Builder(
            "softmax_cross_entropy_gradient_by_cases",
            "The gradient of softmax with cross-entropy, i = k and i ≠ k",
            total(times(-Y[i] / y[i], derivative(y[i], z[k])), i, n),
            definitions=_DEFINED,
            ranges={k: n},
            remark="The factor 1 − δ_ik leaves the terms with i ≠ k.",
        )
        .apply(separate(k))
        .step(
            "∂y_k/∂z_k = y_k(1 − y_k) and ∂y_i/∂z_k = −y_i y_k",
            plus(
                times(-Y[k] / y[k], y[k], plus(1, -y[k])),
                total(times(others, -Y[i] / y[i], -y[i] * y[k]), i, n),
            ),
        )
        .step(
            "cancel y_k and y_i",
            plus(times(-Y[k], plus(1, -y[k])), total(times(others, Y[i], y[k]), i, n)),
        )
        .step("take y_k out of the sum", plus(times(-Y[k], plus(1, -y[k])), times(y[k], rest)))
        .step(
            "Σ_{i≠k} Y_i = 1 − Y_k",
            plus(times(-Y[k], plus(1, -y[k])), times(y[k], plus(1, -Y[k]))),
            (ONE_SUM,),
        )
        .step("multiply out", plus(y[k], -Y[k]))
        .done()
    )


@functools.cache
def fused_gradient_one_class() -> Derivation:
    """Derive the case of one class index c: y_k − δ_kc."""
    return (
        Builder(
            "softmax_cross_entropy_gradient_one_class",
            "The gradient of softmax with cross-entropy for a class index",
            derivative(-total(delta(i, TARGET) * sp.log(y[i]), i, n), z[k]),
            definitions=(SOFTMAX,),
            ranges={k: n, TARGET: n},
            pairs=((k, TARGET),),
            remark="The one-hot label Y_i = δ_ic: subtract 1 from the output of the true class.",
        )
        .step("the delta selects i = c", derivative(-sp.log(y[TARGET]), z[k]))
        .step(
            "ln y_c = z_c − ln Σ_j e^{z_j}",
            derivative(plus(sp.log(total(sp.exp(z[j]), j, n)), -z[TARGET]), z[k]),
        )
        .apply(LINEAR)
        .step("the gradient of log-sum-exp is softmax", plus(y[k], -derivative(z[TARGET], z[k])))
        .apply(ENTRY)
        .done()
    )


@functools.cache
def hessian() -> Derivation:
    """Derive ∂²E/∂z_k∂z_l = T(δ_kl y_k − y_k y_l) with T = ΣY."""
    return (
        Builder(
            "softmax_cross_entropy_hessian",
            "The second derivatives of softmax with cross-entropy",
            derivative(derivative(LOSS, z[k]), z[ell]),
            definitions=_DEFINED,
            ranges={k: n, ell: n},
            pairs=((k, ell),),
            remark="It depends on the labels through their sum alone.",
        )
        .step("the gradient for any labels", derivative(plus(times(y[k], _T), -Y[k]), z[ell]))
        .step("Y does not depend on z", times(_T, derivative(y[k], z[ell])))
        .step("Jacobian of softmax", times(_T, jacobian_entry(k, ell)))
        .step("multiply out", times(_T, plus(delta(k, ell) * y[k], -y[k] * y[ell])))
        .done()
    )


# --- the second way: every other exponential is a constant R -------------------------------------

_ZK, _ZL = real("z_k"), real("z_l")
_YK, _YL, _YR, _CONSTANT = real("Y_k"), real("Y_l"), real("Y_R"), real("A")
_SPLITTING = (
    "The other classes enter the loss through constants only: R = Σ e^{z_j} ≥ 0, Y_R = Σ Y_j and "
    "A = Σ Y_j z_j over the indices that are not named.  So one identity of real numbers covers "
    "every n."
)


@functools.cache
def fused_gradient_by_splitting() -> Derivation:
    """Derive ∂E/∂z_k = y_k ΣY − Y_k with the other terms as constants."""
    s = sp.exp(_ZK) + OTHERS
    loss = plus(times(plus(_YK, _YR), sp.log(s)), -_YK * _ZK, -_CONSTANT)
    return (
        Builder(
            "softmax_cross_entropy_gradient_by_splitting",
            "The gradient of softmax with cross-entropy: a second way",
            derivative(loss, _ZK),
            scope="every n ≥ 1 and every k",
            remark=_SPLITTING,
        )
        .apply(LINEAR)
        .apply(LOG)
        .apply(LINEAR)
        .apply(EXP)
        .done()
    )


@functools.cache
def hessian_by_splitting() -> tuple[Derivation, Derivation]:
    """Derive both cases of the second derivatives with the other terms as constants."""
    one, two = sp.exp(_ZK) + OTHERS, sp.exp(_ZK) + sp.exp(_ZL) + OTHERS
    first = plus(times(plus(_YK, _YR), sp.exp(_ZK) / one), -_YK)
    mixed = plus(times(plus(_YK, _YL, _YR), sp.exp(_ZK) / two), -_YK)
    share = sp.exp(_ZK) / one
    return (
        Builder(
            "softmax_cross_entropy_hessian_diagonal_by_splitting",
            "The second derivatives of softmax with cross-entropy, k = l: a second way",
            derivative(first, _ZK),
            scope="every n ≥ 1 and every k",
            remark=_SPLITTING,
        )
        .apply(LINEAR)
        .apply(QUOTIENT)
        .apply(LINEAR)
        .apply(EXP)
        .step("factor", times(plus(_YK, _YR), share, plus(1, -share)))
        .done(),
        Builder(
            "softmax_cross_entropy_hessian_off_diagonal_by_splitting",
            "The second derivatives of softmax with cross-entropy, k ≠ l: a second way",
            derivative(mixed, _ZL),
            scope="every n ≥ 2 and every k ≠ l",
            remark=_SPLITTING,
        )
        .apply(LINEAR)
        .apply(RECIPROCAL)
        .apply(LINEAR)
        .apply(EXP)
        .step(
            "write as a product",
            times(-1, plus(_YK, _YL, _YR), sp.exp(_ZK) / two, sp.exp(_ZL) / two),
        )
        .done(),
    )
