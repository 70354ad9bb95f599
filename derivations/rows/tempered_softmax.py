"""Derivatives of softmax with a temperature, in the logits and in the temperature."""

from __future__ import annotations

import functools

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
    positive,
    r,
    times,
    total,
    v,
    y,
    z,
)
from derivations.records import Definition, Derivation
from derivations.rows.row import Array, Evaluation, Formula, Numbers, Row
from derivations.steps.build import Builder
from derivations.steps.rules import PULL_OUT, SIFT, SPLIT

T = positive("T")
TEMPERED = Definition(
    y,
    (m, i),
    sp.exp(z[m, i] / T) / total(sp.exp(z[m, j] / T), j, n),
    "y = softmax of the rows of z/T",
)
_ARRIVING = total(total(v[m, i] * y[m, i], i, n), m, N)


@functools.cache
def in_logits() -> Derivation:
    """Derive y(v − Σ y·v)/T."""
    inner = plus(delta(i, k), -y[m, k])
    return (
        Builder(
            "temperature_softmax_logits",
            "Softmax with a temperature: what is passed down to the logits",
            derivative(_ARRIVING, z[r, k]),
            definitions=(TEMPERED,),
            ranges={r: N, k: n},
        )
        .step(
            "Jacobian of softmax on rows; d(z/T)/dz = 1/T",
            total(total(v[m, i] * times(delta(m, r), y[m, i], inner), i, n), m, N) / T,
        )
        .step(
            "the delta selects row m = r",
            total(v[r, i] * times(y[r, i], plus(delta(i, k), -y[r, k])), i, n) / T,
        )
        .apply(SPLIT)
        .apply(SIFT)
        .apply(PULL_OUT)
        .step("factor", times(y[r, k] / T, plus(v[r, k], -total(v[r, i] * y[r, i], i, n))))
        .done()
    )


@functools.cache
def in_temperature() -> Derivation:
    """Derive −Σ z·dz/T, dz the gradient in the logits."""
    mean = total(z[m, j] * y[m, j], j, n)
    upstream = total(v[m, j] * y[m, j], j, n)
    return (
        Builder(
            "temperature_softmax_temperature",
            "Softmax with a temperature: what is passed down to the temperature",
            derivative(_ARRIVING, T),
            definitions=(TEMPERED,),
            remark="The last factor is T·dz: the gradient in T is −Σ z·dz/T.",
        )
        .step(
            "term by term, quotient rule; d(z/T)/dT = −z/T²",
            -total(total(v[m, i] * y[m, i] * plus(z[m, i], -mean), i, n), m, N) / T**2,
        )
        .step(
            "exchange the roles of z and v",
            -total(total(z[m, i] * times(y[m, i], plus(v[m, i], -upstream)), i, n), m, N) / T**2,
        )
        .done()
    )


def temperature_softmax() -> tuple[Derivation, ...]:
    """Return the derivations of softmax with a temperature."""
    return in_logits(), in_temperature()


def _at(temperature: Array) -> Evaluation:
    """Return the evaluation at one temperature, the float that it is."""
    definitions = (Definition(T, (), sp.Rational(float(temperature)), "T"), TEMPERED)
    return Evaluation(
        ((z, (N, n)),),
        lambda: Formula(y[r, i], {r: N, i: n}, definitions),
        lambda: (
            Formula(in_logits().result, {r: N, k: n}, definitions),
            Formula(in_temperature().result, {}, definitions),
        ),
        v,
    )


def _value(arguments: tuple[Array, ...]) -> Numbers:
    logits, temperature = arguments
    return _at(temperature).value_at((logits,))


def _vjp(arguments: tuple[Array, ...], cotangent: Array) -> tuple[Numbers, ...]:
    logits, temperature = arguments
    return _at(temperature).vjp_at((logits,), cotangent)


ROWS: tuple[Row, ...] = (Row("temperature_softmax", temperature_softmax, _value, _vjp),)
