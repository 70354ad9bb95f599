"""The gradients of the Kullback-Leibler divergence, in both of its arguments."""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    N,
    delta,
    derivative,
    i,
    k,
    m,
    n,
    plus,
    positive_family,
    r,
    real,
    times,
    total,
)
from derivations.records import Derivation
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder

P, Q = positive_family("p"), positive_family("q")
_RATIO = sp.log(P[m, i] / Q[m, i], evaluate=False)
_SELECT = "the deltas select m = r and i = k"


def _mean(term: sp.Expr) -> sp.Expr:
    return total(total(term, i, n), m, N) / N


@functools.cache
def in_first() -> Derivation:
    """Derive ∂KL/∂p_rk = (ln(p_rk/q_rk) + 1)/N."""
    chosen = delta(m, r) * delta(i, k)
    return (
        Builder(
            "kl_divergence_first",
            "The Kullback-Leibler divergence: the gradient in p",
            derivative(_mean(P[m, i] * _RATIO), P[r, k]),
            ranges={r: N, k: n},
            remark="Entries are independent here; where they must sum to one, the 1 drops out.",
        )
        .step("product rule", _mean(plus(chosen * _RATIO, P[m, i] * derivative(_RATIO, P[r, k]))))
        .step("(ln p)′ = 1/p", _mean(plus(chosen * _RATIO, times(P[m, i], chosen / P[m, i]))))
        .step(_SELECT, plus(sp.log(P[r, k] / Q[r, k], evaluate=False), 1) / N)
        .done()
    )


@functools.cache
def in_second() -> Derivation:
    """Derive ∂KL/∂q_rk = −p_rk/(N q_rk)."""
    chosen = delta(m, r) * delta(i, k)
    return (
        Builder(
            "kl_divergence_second",
            "The Kullback-Leibler divergence: the gradient in q",
            derivative(_mean(P[m, i] * _RATIO), Q[r, k]),
            ranges={r: N, k: n},
        )
        .step("ln(p/q) = ln p − ln q, (ln q)′ = 1/q", _mean(times(P[m, i], -chosen / Q[m, i])))
        .step(_SELECT, -P[r, k] / (N * Q[r, k]))
        .done()
    )


def kl_divergence() -> tuple[Derivation, ...]:
    """Return the derivations of the divergence."""
    return in_first(), in_second()


_UPSTREAM = real("v")


def _value() -> Formula:
    return Formula(in_first().start.expr)


def _gradients() -> tuple[Formula, ...]:
    axes = {r: N, k: n}
    return tuple(Formula(_UPSTREAM * d.result, axes) for d in (in_first(), in_second()))


ROWS: tuple[Row, ...] = (
    Evaluation(((P, (N, n)), (Q, (N, n))), _value, _gradients, _UPSTREAM).row(
        "kl_divergence", kl_divergence
    ),
)
