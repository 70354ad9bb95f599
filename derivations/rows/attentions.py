"""Scaled dot-product attention, for every number of queries, keys and features.

The graph has three stages: logits a = Q·Kᵀ/√D, weights y = softmax(a), output y·V.  What arrives at
the weights is p = G·Vᵀ, and what is passed to the logits b = y(p − Σ y·p).
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    D,
    N,
    delta,
    derivative,
    family,
    i,
    index,
    j,
    k,
    m,
    n,
    plus,
    positive_family,
    r,
    size,
    times,
    total,
)
from derivations.records import Definition, Derivation
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder
from derivations.steps.rules import PULL_OUT, SIFT, SPLIT

F = size("F")
d, f = index("d"), index("f")
QUERY, KEY, VALUE, G = family("Q"), family("K"), family("V"), family("G")

_LOGIT, _WEIGHT, _AT_WEIGHT, _AT_LOGIT = (
    family("a"),
    positive_family("y"),
    family("p"),
    family("b"),
)
LOGIT = Definition(_LOGIT, (m, i), total(QUERY[m, d] * KEY[i, d], d, D) / sp.sqrt(D), "a = Q·Kᵀ/√D")
WEIGHT = Definition(
    _WEIGHT,
    (m, i),
    sp.exp(_LOGIT[m, i]) / total(sp.exp(_LOGIT[m, j]), j, n),
    "y = softmax of the rows of a",
)
AT_WEIGHT = Definition(_AT_WEIGHT, (m, i), total(G[m, f] * VALUE[i, f], f, F), "p = G·Vᵀ")
AT_LOGIT = Definition(
    _AT_LOGIT,
    (m, i),
    _WEIGHT[m, i] * (_AT_WEIGHT[m, i] - total(_WEIGHT[m, j] * _AT_WEIGHT[m, j], j, n)),
    "b = y(p − Σ y·p)",
)
_OUTPUT = total(_WEIGHT[m, i] * VALUE[i, f], i, n)
_ARRIVING = total(total(G[m, f] * _OUTPUT, f, F), m, N)
_TERM_BY_TERM = "differentiate the sums term by term"


@functools.cache
def to_values() -> Derivation:
    """Derive dV = yᵀ·G."""
    entry = VALUE[k, r]
    inner = total(_WEIGHT[m, i] * delta(i, k) * delta(f, r), i, n)
    return (
        Builder(
            "attention_values",
            "Attention: what is passed down to the values",
            derivative(_ARRIVING, entry),
            definitions=(WEIGHT,),
            ranges={k: n, r: F},
        )
        .step(_TERM_BY_TERM, total(total(G[m, f] * inner, f, F), m, N))
        .step("the deltas select", total(G[m, r] * _WEIGHT[m, k], m, N))
        .done()
    )


@functools.cache
def to_weights() -> Derivation:
    """Derive dy = G·Vᵀ."""
    inner = total(delta(m, r) * delta(i, k) * VALUE[i, f], i, n)
    return (
        Builder(
            "attention_weights",
            "Attention: what is passed down to the weights",
            derivative(_ARRIVING, _WEIGHT[r, k]),
            definitions=(AT_WEIGHT,),
            ranges={r: N, k: n},
        )
        .step(_TERM_BY_TERM, total(total(G[m, f] * inner, f, F), m, N))
        .step("the deltas select", total(G[r, f] * VALUE[k, f], f, F))
        .step("definition p = G·Vᵀ", _AT_WEIGHT[r, k])
        .done()
    )


@functools.cache
def to_logits() -> Derivation:
    """Derive da = y(p − Σ y·p)."""
    y, p = _WEIGHT, _AT_WEIGHT
    return (
        Builder(
            "attention_logits",
            "Attention: what is passed down to the logits",
            derivative(total(total(p[m, i] * y[m, i], i, n), m, N), _LOGIT[r, k]),
            definitions=(WEIGHT,),
            ranges={r: N, k: n},
            remark="p is what arrives at the weights from the stage above.",
        )
        .step(
            "Jacobian of softmax on rows",
            total(
                total(p[m, i] * times(delta(m, r), y[m, i], plus(delta(i, k), -y[m, k])), i, n),
                m,
                N,
            ),
        )
        .step(
            "the delta selects row m = r",
            total(p[r, i] * times(y[r, i], plus(delta(i, k), -y[r, k])), i, n),
        )
        .apply(SPLIT)
        .apply(SIFT)
        .apply(PULL_OUT)
        .step("factor", times(y[r, k], plus(p[r, k], -total(y[r, i] * p[r, i], i, n))))
        .done()
    )


def _to_factor(name: str, entry: sp.Indexed, selected: sp.Expr, result: sp.Expr) -> Derivation:
    b = _AT_LOGIT
    return (
        Builder(
            f"attention_{name}",
            f"Attention: what is passed down to the {name}",
            derivative(total(total(b[m, i] * _LOGIT[m, i], i, n), m, N), entry),
            definitions=(LOGIT,),
            ranges={r: N if name == "queries" else n, k: D},
            remark="b is what arrives at the logits from the stages above, by the chain rule.",
        )
        .step(_TERM_BY_TERM, total(total(b[m, i] * selected, i, n), m, N) / sp.sqrt(D))
        .step("the deltas select", result / sp.sqrt(D))
        .done()
    )


@functools.cache
def to_queries() -> Derivation:
    """Derive dQ = b·K/√D."""
    selected = total(delta(m, r) * delta(d, k) * KEY[i, d], d, D)
    result = total(_AT_LOGIT[r, i] * KEY[i, k], i, n)
    return _to_factor("queries", QUERY[r, k], selected, result)


@functools.cache
def to_keys() -> Derivation:
    """Derive dK = bᵀ·Q/√D."""
    selected = total(delta(i, r) * delta(d, k) * QUERY[m, d], d, D)
    result = total(_AT_LOGIT[m, r] * QUERY[m, k], m, N)
    return _to_factor("keys", KEY[r, k], selected, result)


@functools.cache
def attention() -> tuple[Derivation, ...]:
    """Return the derivations of attention, from the output down."""
    return to_queries(), to_keys(), to_values(), to_weights(), to_logits()


# --- rows ----------------------------------------------------------------------------------------

_NAMES = (LOGIT, WEIGHT, AT_WEIGHT, AT_LOGIT)


def _value() -> Formula:
    return Formula(_OUTPUT, {m: N, f: F}, _NAMES)


def _gradients() -> tuple[Formula, ...]:
    return (
        Formula(to_queries().result, {r: N, k: D}, _NAMES),
        Formula(to_keys().result, {r: n, k: D}, _NAMES),
        Formula(to_values().result, {k: n, r: F}, _NAMES),
    )


ROWS: tuple[Row, ...] = (
    Evaluation(((QUERY, (N, D)), (KEY, (n, D)), (VALUE, (n, F))), _value, _gradients, G).row(
        "attention", attention
    ),
)
