"""Derivatives of softmax and its relatives on N rows of n entries, as `reference` computes them.

The derivative is contracted with a cotangent v or a tangent u, so that no Jacobian is ever formed;
`derivations.rows.jacobian` has the Jacobian of one row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import sympy as sp

from derivations.expressions.language import (
    N,
    delta,
    derivative,
    i,
    j,
    k,
    m,
    n,
    plus,
    r,
    times,
    total,
    u,
    v,
    y,
    z,
)
from derivations.records import Definition, Derivation
from derivations.rows.jacobian import (
    SOFTMAX,
    binary,
    by_splitting,
    jacobian,
    jacobian_diagonal,
    jacobian_off_diagonal,
    jacobian_rows_sum_to_zero,
    shift_by_splitting,
    shift_invariance,
    sums_to_one,
)
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder
from derivations.steps.rules import (
    ENTRY,
    EXP,
    LOG,
    PULL_OUT,
    QUOTIENT,
    SIFT,
    SPLIT,
    TERM_BY_TERM,
)

ROW_SOFTMAX = Definition(
    y,
    (m, i),
    sp.exp(z[m, i]) / total(sp.exp(z[m, j]), j, n),
    "y_mi = e^{z_mi}/Σ_j e^{z_mj}",
)
_ROW_SUM = total(sp.exp(z[r, j]), j, n)
_FOLD = "definition of y"


@functools.cache
def row_jacobian() -> Derivation:
    """Derive ∂y_mi/∂z_rk = δ_mr y_mi(δ_ik − y_mk): rows do not mix."""
    row = total(sp.exp(z[m, j]), j, n)
    inner = plus(delta(i, k), -y[m, k])
    return (
        Builder(
            "softmax_jacobian_of_rows",
            "The Jacobian of softmax on rows",
            derivative(sp.exp(z[m, i]) / row, z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={m: N, i: n, r: N, k: n},
        )
        .apply(QUOTIENT)
        .apply(TERM_BY_TERM)
        .apply(EXP)
        .apply(ENTRY)
        .apply(SIFT)
        .step(
            "definition of y, and δ_mr in every term",
            plus(delta(m, r) * y[m, i] * delta(i, k), -delta(m, r) * y[m, i] * y[m, k]),
        )
        .step("factor", times(delta(m, r), y[m, i], inner))
        .done()
    )


@functools.cache
def vjp() -> Derivation:
    """Derive the gradient of ⟨v, y⟩: y_rk(v_rk − Σ_i v_ri y_ri)."""
    inner = plus(delta(i, k), -y[m, k])
    return (
        Builder(
            "softmax_vjp",
            "A cotangent pulled back through softmax",
            derivative(total(total(v[m, i] * y[m, i], i, n), m, N), z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n},
            remark="One pass over each row; the Jacobian itself is never formed.",
        )
        .step(
            "differentiate the sums term by term",
            total(total(v[m, i] * derivative(y[m, i], z[r, k]), i, n), m, N),
        )
        .step(
            "Jacobian of softmax on rows",
            total(total(times(delta(m, r), v[m, i], y[m, i], inner), i, n), m, N),
        )
        .step(
            "the delta selects row m = r",
            total(v[r, i] * times(y[r, i], plus(delta(i, k), -y[r, k])), i, n),
        )
        .apply(SPLIT)
        .apply(SIFT)
        .apply(PULL_OUT)
        .step("factor", times(y[r, k], plus(v[r, k], -total(v[r, i] * y[r, i], i, n))))
        .done()
    )


@functools.cache
def jvp() -> Derivation:
    """Derive the derivative of y_ri along u: y_ri(u_ri − Σ_k y_rk u_rk)."""
    entry = total(times(y[r, i], plus(delta(i, k), -y[r, k])) * u[r, k], k, n)
    return (
        Builder(
            "softmax_jvp",
            "A tangent pushed through softmax",
            total(total(derivative(y[r, i], z[m, k]) * u[m, k], k, n), m, N),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, i: n},
            remark="The Jacobian of each row is symmetric, so this is the vjp with u for v.",
        )
        .step(
            "Jacobian of softmax on rows",
            total(
                total(times(delta(m, r), y[r, i], plus(delta(i, k), -y[r, k]), u[m, k]), k, n),
                m,
                N,
            ),
        )
        .step("the delta selects row m = r", entry)
        .apply(SPLIT)
        .apply(SIFT)
        .apply(PULL_OUT)
        .step("factor", times(y[r, i], plus(u[r, i], -total(u[r, k] * y[r, k], k, n))))
        .done()
    )


@functools.cache
def log_softmax_vjp() -> Derivation:
    """Derive the gradient of ⟨v, log y⟩: v_rk − y_rk Σ_i v_ri."""
    logarithm = z[m, i] - sp.log(total(sp.exp(z[m, j]), j, n))
    slope = plus(delta(i, k), -y[r, k])
    return (
        Builder(
            "log_softmax_vjp",
            "A cotangent pulled back through the logarithm of softmax",
            derivative(total(total(v[m, i] * sp.log(y[m, i]), i, n), m, N), z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n},
        )
        .step(
            "ln of a fraction",
            derivative(total(total(v[m, i] * logarithm, i, n), m, N), z[r, k]),
        )
        .step(
            "differentiate the sums term by term",
            total(total(v[m, i] * derivative(logarithm, z[r, k]), i, n), m, N),
        )
        .step(
            "∂z_mi/∂z_rk = δ_mr δ_ik, and the gradient of ln Σ exp is y",
            total(total(v[m, i] * times(delta(m, r), slope), i, n), m, N),
        )
        .step("the delta selects row m = r", total(v[r, i] * slope, i, n))
        .apply(SPLIT)
        .apply(SIFT)
        .apply(PULL_OUT)
        .done()
    )


@functools.cache
def logsumexp_gradient() -> Derivation:
    """Derive ∂ ln Σ_j e^{z_rj} / ∂z_rk = y_rk."""
    return (
        Builder(
            "logsumexp_gradient",
            "The gradient of log-sum-exp is softmax",
            derivative(sp.log(_ROW_SUM), z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n},
        )
        .apply(LOG)
        .apply(TERM_BY_TERM)
        .apply(EXP)
        .step("∂z_rj/∂z_rk = δ_jk", total(delta(j, k) * sp.exp(z[r, j]), j, n) / _ROW_SUM)
        .apply(SIFT)
        .step(_FOLD, y[r, k])
        .done()
    )


@functools.cache
def logsumexp_vjp() -> Derivation:
    """Derive the gradient of Σ_m v_m ln Σ_j e^{z_mj}: v_r y_rk."""
    lse = sp.log(total(sp.exp(z[m, j]), j, n))
    return (
        Builder(
            "logsumexp_vjp",
            "A cotangent pulled back through log-sum-exp",
            derivative(total(v[m] * lse, m, N), z[r, k]),
            definitions=(ROW_SOFTMAX,),
            ranges={r: N, k: n},
        )
        .apply(TERM_BY_TERM)
        .step("the gradient of log-sum-exp is softmax", total(v[m] * delta(m, r) * y[m, k], m, N))
        .apply(SIFT)
        .done()
    )


# --- rows ----------------------------------------------------------------------------------------


def softmax() -> tuple[Derivation, ...]:
    """Return the derivations about softmax itself."""
    return (
        vjp(),
        jvp(),
        row_jacobian(),
        sums_to_one(),
        jacobian_rows_sum_to_zero(),
        shift_invariance(),
        *binary(),
        shift_by_splitting(),
    )


def softmax_jacobian() -> tuple[Derivation, ...]:
    """Return the derivations of the Jacobian, with its two cases and the second way."""
    return jacobian(), jacobian_diagonal(), jacobian_off_diagonal(), *by_splitting()


def log_softmax() -> tuple[Derivation, ...]:
    """Return the derivation about the logarithm of softmax."""
    return (log_softmax_vjp(),)


def logsumexp() -> tuple[Derivation, ...]:
    """Return the derivations about log-sum-exp."""
    return logsumexp_vjp(), logsumexp_gradient()


_LOGITS = ((z, (N, n)),)


def _gradient(derive: Callable[[], Derivation]) -> tuple[Formula, ...]:
    derivation = derive()
    return (Formula(derivation.result, {r: N, k: n}, derivation.definitions),)


def _softmax_value() -> Formula:
    return Formula(y[r, i], {r: N, i: n}, (ROW_SOFTMAX,))


def _log_softmax_value() -> Formula:
    return Formula(sp.log(y[r, i]), {r: N, i: n}, (ROW_SOFTMAX,))


def _logsumexp_value() -> Formula:
    return Formula(logsumexp_gradient().start.expr, {r: N})


def _single_value() -> Formula:
    return Formula(y[i], {i: n}, (SOFTMAX,))


def _single_gradient() -> tuple[Formula, ...]:
    entry = jacobian()
    return (Formula(total(v[i] * entry.result, i, n), {k: n}, entry.definitions),)


ROWS: tuple[Row, ...] = (
    Evaluation(_LOGITS, _softmax_value, functools.partial(_gradient, vjp), v).row(
        "softmax", softmax
    ),
    Evaluation(((z, (n,)),), _single_value, _single_gradient, v).row(
        "softmax_jacobian", softmax_jacobian
    ),
    Evaluation(_LOGITS, _log_softmax_value, functools.partial(_gradient, log_softmax_vjp), v).row(
        "log_softmax", log_softmax
    ),
    Evaluation(_LOGITS, _logsumexp_value, functools.partial(_gradient, logsumexp_vjp), v).row(
        "logsumexp", logsumexp
    ),
)
