"""The Jacobian of softmax and its identities for one row of n entries: y_i = e^{z_i} / Σ_j e^{z_j}.

Each holds for every n.  The last section proves the Jacobian a second time without indexed sums:
every exponential but one or two is a constant R.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    c,
    delta,
    derivative,
    fraction,
    i,
    j,
    k,
    n,
    nonnegative,
    plus,
    real,
    times,
    total,
    x,
    y,
    z,
)
from derivations.records import Definition, Derivation
from derivations.steps.build import Builder
from derivations.steps.rules import (
    ENTRY,
    EXP,
    LINEAR,
    PULL_OUT,
    QUOTIENT,
    RECIPROCAL,
    SIFT,
    SPLIT,
    TERM_BY_TERM,
)

SOFTMAX = Definition(y, (i,), sp.exp(z[i]) / total(sp.exp(z[j]), j, n), "y_i = e^{z_i}/Σ_j e^{z_j}")
_S = total(sp.exp(z[j]), j, n)
_FOLD = "definition of y"


def jacobian_entry(row: sp.Expr, column: sp.Expr) -> sp.Expr:
    """Return y_i(δ_ik − y_k) as written."""
    return times(y[row], plus(delta(row, column), -y[column]))


@functools.cache
def jacobian() -> Derivation:
    """Derive ∂y_i/∂z_k = y_i(δ_ik − y_k)."""
    return (
        Builder(
            "softmax_jacobian",
            "The Jacobian of softmax",
            derivative(sp.exp(z[i]) / _S, z[k]),
            definitions=(SOFTMAX,),
            ranges={i: n, k: n},
            pairs=((i, k),),
            remark="Every output depends on every input: through the denominator.",
        )
        .apply(QUOTIENT)
        .apply(TERM_BY_TERM)
        .apply(EXP)
        .apply(ENTRY)
        .apply(SIFT)
        .step(
            "divide each term",
            plus(
                times(fraction(sp.exp(z[i]), _S), delta(i, k)),
                times(-1, fraction(sp.exp(z[i]), _S), fraction(sp.exp(z[k]), _S)),
            ),
        )
        .step(_FOLD, plus(y[i] * delta(i, k), -y[i] * y[k]))
        .step("factor", jacobian_entry(i, k))
        .done()
    )


@functools.cache
def jacobian_diagonal() -> Derivation:
    """Derive the case i = k: ∂y_k/∂z_k = y_k(1 − y_k)."""
    return (
        Builder(
            "softmax_jacobian_diagonal",
            "The Jacobian of softmax, i = k",
            derivative(sp.exp(z[k]) / _S, z[k]),
            definitions=(SOFTMAX,),
            ranges={k: n},
        )
        .apply(QUOTIENT)
        .step(
            "∂S/∂z_k = e^{z_k}",
            plus(derivative(sp.exp(z[k]), z[k]) * _S, -(sp.exp(z[k]) ** 2)) / _S**2,
        )
        .apply(EXP)
        .step("factor", times(fraction(sp.exp(z[k]), _S), fraction(plus(_S, -sp.exp(z[k])), _S)))
        .step(_FOLD, times(y[k], plus(1, -y[k])))
        .done()
    )


@functools.cache
def jacobian_off_diagonal() -> Derivation:
    """Derive the case i ≠ k: ∂y_i/∂z_k = −y_i y_k, as a statement about every i and k."""
    others = plus(1, -delta(i, k))
    return (
        Builder(
            "softmax_jacobian_off_diagonal",
            "The Jacobian of softmax, i ≠ k",
            times(others, derivative(sp.exp(z[i]) / _S, z[k])),
            definitions=(SOFTMAX,),
            ranges={i: n, k: n},
            pairs=((i, k),),
            remark="The factor 1 − δ_ik is 1 where i ≠ k; where i = k both sides are 0.",
        )
        .step(
            "e^{z_i} does not depend on z_k: reciprocal rule",
            times(others, -sp.exp(z[i]) * derivative(_S, z[k]) / _S**2),
        )
        .apply(TERM_BY_TERM)
        .apply(EXP)
        .apply(ENTRY)
        .apply(SIFT)
        .step(_FOLD, times(others, -y[i] * y[k]))
        .done()
    )


@functools.cache
def sums_to_one() -> Derivation:
    """Derive Σ_i y_i = 1."""
    return (
        Builder(
            "softmax_sums_to_one",
            "The outputs of softmax sum to 1",
            total(y[i], i, n),
            definitions=(SOFTMAX,),
        )
        .step("definition of y", total(sp.exp(z[i]) / _S, i, n))
        .apply(PULL_OUT)
        .step("a sum over itself", sp.Integer(1))
        .done()
    )


@functools.cache
def jacobian_rows_sum_to_zero() -> Derivation:
    """Derive Σ_i ∂y_i/∂z_k = 0."""
    return (
        Builder(
            "softmax_jacobian_sums_to_zero",
            "The rows of the Jacobian of softmax sum to 0",
            total(derivative(y[i], z[k]), i, n),
            definitions=(SOFTMAX,),
            ranges={k: n},
            remark="Whatever one output gains, the others lose: the outputs sum to 1 throughout.",
        )
        .step("Jacobian of softmax", total(jacobian_entry(i, k), i, n))
        .apply(SPLIT)
        .apply(SIFT)
        .step("take y_k out of the sum", plus(y[k], -y[k] * total(y[i], i, n)))
        .step("Σ_i y_i = 1", plus(y[k], -y[k]))
        .step("cancel", sp.Integer(0))
        .done()
    )


@functools.cache
def shift_invariance() -> Derivation:
    """Derive that a constant added to every logit changes nothing."""
    return (
        Builder(
            "softmax_shift_invariance",
            "A constant added to every logit changes nothing",
            sp.exp(z[i] + c) / total(sp.exp(z[j] + c), j, n),
            definitions=(SOFTMAX,),
            ranges={i: n},
            remark="With c = −max z no exponential overflows: this is how softmax is computed.",
        )
        .step(
            "e^{a+b} = e^a·e^b",
            fraction(times(sp.exp(c), sp.exp(z[i])), total(times(sp.exp(c), sp.exp(z[j])), j, n)),
        )
        .apply(PULL_OUT)
        .step("cancel e^c", sp.exp(z[i]) / _S)
        .step(_FOLD, y[i])
        .done()
    )


@functools.cache
def binary() -> tuple[Derivation, Derivation]:
    """Derive that softmax over (x, 0) is (σ(x), 1 − σ(x))."""
    sigma = 1 / (1 + sp.exp(-x))
    both = plus(sp.exp(x), sp.exp(sp.Integer(0), evaluate=False))
    first = (
        Builder("softmax_of_two_first", "Softmax over (x, 0): the first output", sp.exp(x) / both)
        .step("e^0 = 1", sp.exp(x) / (sp.exp(x) + 1))
        .step("divide numerator and denominator by e^x: the sigmoid", sigma)
        .done()
    )
    second = (
        Builder("softmax_of_two_second", "Softmax over (x, 0): the second output", 1 / both)
        .step("e^0 = 1", 1 / (sp.exp(x) + 1))
        .step("1 = (1 + e^x) − e^x", plus(1, -sp.exp(x) / (sp.exp(x) + 1)))
        .step("the first output is the sigmoid", plus(1, -sigma))
        .done()
    )
    return first, second


# --- the second way: every other exponential is a constant R -------------------------------------

OTHERS = nonnegative("R")  # Σ e^{z_j} over the indices that are not named; 0 if there are none
_ZI, _ZK = real("z_i"), real("z_k")
_SPLITTING = (
    "For fixed indices every other exponential is a constant in the sum: R ≥ 0, and R = 0 where "
    "there is none.  So one identity of real numbers covers every n."
)


@functools.cache
def by_splitting() -> tuple[Derivation, Derivation]:
    """Derive both cases of the Jacobian with the other exponentials as one constant."""
    one, two = sp.exp(_ZK) + OTHERS, sp.exp(_ZI) + sp.exp(_ZK) + OTHERS
    return (
        Builder(
            "softmax_jacobian_diagonal_by_splitting",
            "The Jacobian of softmax, i = k: a second way",
            derivative(sp.exp(_ZK) / one, _ZK),
            scope="every n ≥ 1, every k",
            remark=_SPLITTING,
        )
        .apply(QUOTIENT)
        .apply(LINEAR)
        .apply(EXP)
        .step("factor", times(sp.exp(_ZK) / one, fraction(plus(one, -sp.exp(_ZK)), one)))
        .step("divide", times(sp.exp(_ZK) / one, plus(1, -sp.exp(_ZK) / one)))
        .done(),
        Builder(
            "softmax_jacobian_off_diagonal_by_splitting",
            "The Jacobian of softmax, i ≠ k: a second way",
            derivative(sp.exp(_ZI) / two, _ZK),
            scope="every n ≥ 2, every i ≠ k",
            remark=_SPLITTING,
        )
        .apply(RECIPROCAL)
        .apply(LINEAR)
        .apply(EXP)
        .step("write as a product", times(-1, sp.exp(_ZI) / two, sp.exp(_ZK) / two))
        .done(),
    )


@functools.cache
def shift_by_splitting() -> Derivation:
    """Derive the shift invariance with the other exponentials as one constant."""
    start = sp.exp(_ZI + c) / (sp.exp(_ZI + c) + times(OTHERS, sp.exp(c)))
    return (
        Builder(
            "softmax_shift_invariance_by_splitting",
            "A constant added to every logit: a second way",
            start,
            scope="every n ≥ 1, every i and every real c",
            remark=_SPLITTING,
        )
        .step(
            "take e^c out of the denominator",
            fraction(times(sp.exp(c), sp.exp(_ZI)), times(sp.exp(c), plus(sp.exp(_ZI), OTHERS))),
        )
        .step("cancel e^c", sp.exp(_ZI) / (sp.exp(_ZI) + OTHERS))
        .done()
    )
