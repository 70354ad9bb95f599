"""Derivatives of the activations x·gate(x): SiLU, GELU in both forms, and Mish.

Everything here is about one real number x; the functions act entry by entry.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import derivative, fraction, plus, positive, real, times, x
from derivations.records import Definition, Derivation
from derivations.rows.entries import of_entries
from derivations.rows.row import Row
from derivations.steps.build import Builder
from derivations.steps.rules import ERF, LINEAR, PRODUCT

SIGMA = Definition(positive("sigma"), (), 1 / (1 + sp.exp(-x)), "σ = 1/(1 + e^−x)")
_SIGMA = SIGMA.symbol
_PRODUCT_RULE = "product rule, dx/dx = 1"


@functools.cache
def silu() -> tuple[Derivation, ...]:
    """Derive (xσ)′ = σ(1 + x(1 − σ))."""
    return (
        Builder(
            "silu_derivative",
            "The derivative of SiLU",
            derivative(x * _SIGMA, x),
            definitions=(SIGMA,),
        )
        .step(_PRODUCT_RULE, plus(_SIGMA, x * derivative(_SIGMA, x)))
        .step("σ′ = σ(1 − σ)", plus(_SIGMA, times(x, _SIGMA, plus(1, -_SIGMA))))
        .step("factor", times(_SIGMA, plus(1, times(x, plus(1, -_SIGMA)))))
        .done(),
    )


@functools.cache
def gelu() -> tuple[Derivation, ...]:
    """Derive (xΦ)′ = Φ + xφ with Φ = ½(1 + erf(x/√2)) and φ = e^(−x²/2)/√(2π)."""
    above = 1 + sp.erf(x / sp.sqrt(2))
    bell = fraction(sp.exp(-(x**2) / 2), sp.sqrt(2 * sp.pi))
    return (
        Builder(
            "gelu_derivative",
            "The derivative of GELU",
            derivative(x * above / 2, x),
            remark="Φ + xφ: the normal distribution function plus x times its density.",
        )
        .apply(LINEAR)
        .apply(PRODUCT)
        .apply(LINEAR)
        .apply(ERF)
        .step("d(x/√2)/dx = 1/√2", plus(above / 2, x * bell))
        .done(),
    )


_A = Definition(positive("a"), (), sp.sqrt(2 / sp.pi), "a = √(2/π)")
_B = Definition(positive("b"), (), sp.Rational("0.044715"), "b = 0.044715")
_U = Definition(real("u"), (), _A.symbol * (x + _B.symbol * x**3), "u = a(x + bx³)")


@functools.cache
def gelu_tanh() -> tuple[Derivation, ...]:
    """Derive (½x(1 + tanh u))′ = ½(1 + tanh u) + ½x(1 − tanh²u)u′, u = a(x + bx³)."""
    a, b, u = (definition.symbol for definition in (_A, _B, _U))
    half = sp.Rational(1, 2)
    first = half * (1 + sp.tanh(u))
    return (
        Builder(
            "gelu_tanh_derivative",
            "The derivative of GELU's approximation by tanh",
            derivative(x * (1 + sp.tanh(u)) / 2, x),
            definitions=(_A, _B, _U),
        )
        .step(_PRODUCT_RULE, plus(first, times(x, half, derivative(sp.tanh(u), x))))
        .step(
            "derivative of tanh, chain rule",
            plus(first, times(x, half, plus(1, -(sp.tanh(u) ** 2)), derivative(u, x))),
        )
        .step(
            "u′ = a(1 + 3bx²)",
            plus(first, times(half * a * x, plus(1, -(sp.tanh(u) ** 2)), plus(1, 3 * b * x**2))),
        )
        .done(),
    )


@functools.cache
def mish() -> tuple[Derivation, ...]:
    """Derive (xw)′ = w + xσ(1 − w²) with w = tanh(ln(1 + e^x))."""
    soft = sp.log(1 + sp.exp(x))
    w = Definition(real("w"), (), sp.tanh(soft), "w = tanh(ln(1 + e^x))")
    inner = plus(1, -(w.symbol**2))
    return (
        Builder(
            "mish_derivative",
            "The derivative of Mish",
            derivative(x * w.symbol, x),
            definitions=(SIGMA, w),
        )
        .step(_PRODUCT_RULE, plus(w.symbol, x * derivative(w.symbol, x)))
        .step(
            "derivative of tanh, chain rule", plus(w.symbol, times(x, inner, derivative(soft, x)))
        )
        .step("(ln(1 + e^x))′ = σ", plus(w.symbol, times(x, _SIGMA, inner)))
        .done(),
    )


ROWS: tuple[Row, ...] = (
    of_entries("silu", silu),
    of_entries("gelu", gelu),
    of_entries("gelu_tanh", gelu_tanh),
    of_entries("mish", mish),
)
