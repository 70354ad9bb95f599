"""Derivatives of the activations, each from its definition, and the identities between them.

Everything here is about one real number x; the functions act entry by entry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import sympy as sp

from derivations.expressions.calculus import expand_definitions
from derivations.expressions.language import (
    derivative,
    fraction,
    negative,
    plus,
    positive,
    times,
    x,
)
from derivations.records import Definition, Derivation
from derivations.rows.row import Evaluation, Row, elementwise
from derivations.steps.build import Builder
from derivations.steps.rules import (
    EXP,
    ITSELF,
    LINEAR,
    LOG,
    POWER,
    QUOTIENT,
    RECIPROCAL,
    TANH,
    then,
)

SIGMOID = 1 / (1 + sp.exp(-x))
SIGMA = Definition(positive("sigma"), (), SIGMOID, "σ = 1/(1 + e^−x)")
TANH_RATIO = (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x))
_SIGMA = SIGMA.symbol
_EXP = then("derivative of exp", LINEAR, EXP)


# --- the sigmoid ---------------------------------------------------------------------------------


@functools.cache
def sigmoid() -> tuple[Derivation, ...]:
    """Derive σ′ = σ(1 − σ) and σ″ = σ(1 − σ)(1 − 2σ)."""
    first = (
        Builder(
            "sigmoid_derivative",
            "The derivative of the sigmoid",
            derivative(SIGMOID, x),
            definitions=(SIGMA,),
            remark="The derivative needs no new exponential: it is made of the output alone.",
        )
        .apply(RECIPROCAL)
        .apply(_EXP)
        .step("split the fraction", times(SIGMOID, fraction(sp.exp(-x), 1 + sp.exp(-x))))
        .step("e^−x = (1 + e^−x) − 1", times(SIGMOID, plus(1, -SIGMOID)))
        .step(f"definition {SIGMA.text}", times(_SIGMA, plus(1, -_SIGMA)))
        .done()
    )
    return first, _sigmoid_second(first)


def _sigmoid_second(first: Derivation) -> Derivation:
    product = times(_SIGMA, plus(1, -_SIGMA))
    return (
        Builder(
            "sigmoid_second_derivative",
            "The second derivative of the sigmoid",
            derivative(derivative(SIGMOID, x), x),
            definitions=(SIGMA,),
            remark="It vanishes where σ = ½, that is at x = 0: the sigmoid is steepest there.",
        )
        .step("the first derivative", derivative(first.result, x))
        .step(
            "product rule",
            plus(derivative(_SIGMA, x) * (1 - _SIGMA), -_SIGMA * derivative(_SIGMA, x)),
        )
        .step("σ′ = σ(1 − σ)", plus(product * (1 - _SIGMA), -_SIGMA * product))
        .step("factor", times(_SIGMA, plus(1, -_SIGMA), plus(1, -2 * _SIGMA)))
        .done()
    )


@functools.cache
def log_sigmoid() -> tuple[Derivation, ...]:
    """Derive (ln σ)′ = 1/(1 + e^x) = σ(−x)."""
    return (
        Builder(
            "log_sigmoid_derivative",
            "The derivative of the logarithm of the sigmoid",
            derivative(sp.log(SIGMOID), x),
            remark="The result is σ(−x) = 1 − σ(x), without the cancellation of the latter.",
        )
        .step("ln(1/a) = −ln a", derivative(-sp.log(1 + sp.exp(-x)), x))
        .apply(LINEAR)
        .apply(LOG)
        .apply(_EXP)
        .step("multiply numerator and denominator by e^x", 1 / (1 + sp.exp(x)))
        .done(),
    )


@functools.cache
def softplus() -> tuple[Derivation, ...]:
    """Derive (ln(1 + e^x))′ = σ(x)."""
    return (
        Builder(
            "softplus_derivative",
            "The derivative of softplus is the sigmoid",
            derivative(sp.log(1 + sp.exp(x)), x),
            definitions=(SIGMA,),
        )
        .apply(LOG)
        .apply(_EXP)
        .step("divide numerator and denominator by e^x", SIGMOID)
        .step(f"definition {SIGMA.text}", _SIGMA)
        .done(),
    )


# --- the hyperbolic tangent ----------------------------------------------------------------------


@functools.cache
def tanh() -> tuple[Derivation, ...]:
    """Derive tanh′ = 1 − tanh², tanh″ and tanh x = 2σ(2x) − 1."""
    up, down = sp.exp(x) + sp.exp(-x), sp.exp(x) - sp.exp(-x)
    first = (
        Builder(
            "tanh_derivative",
            "The derivative of the hyperbolic tangent",
            derivative(TANH_RATIO, x),
            remark="Like that of the sigmoid it is made of the output alone.",
        )
        .apply(QUOTIENT)
        .apply(LINEAR)
        .apply(EXP)
        .step("collect equal factors", fraction(plus(up**2, -(down**2)), up**2))
        .step("divide each term", plus(1, -(TANH_RATIO**2)))
        .step("definition tanh x = (e^x − e^−x)/(e^x + e^−x)", plus(1, -(sp.tanh(x) ** 2)))
        .done()
    )
    return first, _tanh_second(first), _tanh_from_sigmoid()


def _tanh_second(first: Derivation) -> Derivation:
    return (
        Builder(
            "tanh_second_derivative",
            "The second derivative of the hyperbolic tangent",
            derivative(derivative(sp.tanh(x), x), x),
        )
        .step("the first derivative", derivative(first.result, x))
        .apply(LINEAR)
        .apply(POWER)
        .apply(TANH)
        .done()
    )


def _tanh_from_sigmoid() -> Derivation:
    doubled = sp.exp(-2 * x)
    return (
        Builder(
            "tanh_from_sigmoid",
            "The hyperbolic tangent is a stretched sigmoid",
            plus(2 / (1 + doubled), -1),
            remark="It starts from 2σ(2x) − 1.",
        )
        .step("common denominator", (1 - doubled) / (1 + doubled))
        .step("multiply numerator and denominator by e^x", TANH_RATIO)
        .step("definition tanh x = (e^x − e^−x)/(e^x + e^−x)", sp.tanh(x))
        .done()
    )


# --- piecewise linear ----------------------------------------------------------------------------


@functools.cache
def identity() -> tuple[Derivation, ...]:
    """Derive dx/dx = 1."""
    name, title = "identity_derivative", "The derivative of the identity"
    return (Builder(name, title, derivative(x, x)).apply(ITSELF).done(),)


@functools.cache
def relu() -> tuple[Derivation, ...]:
    """Derive max(x, 0)′ on x > 0 and on x < 0; at the kink there is no derivative."""
    right, left = positive("x"), negative("x")
    kink = (
        "At x = 0 the slopes from the two sides differ: 0 and 1.  There is no derivative; every "
        "number from 0 to 1 is a subgradient, and 0 is the one taken by convention."
    )
    return (
        Builder(
            "relu_derivative_right",
            "The derivative of the rectified linear unit, x > 0",
            derivative(_rectified(right), right),
            remark=kink,
        )
        .step("max(x, 0) = x where x > 0", derivative(right, right))
        .apply(ITSELF)
        .done(),
        Builder(
            "relu_derivative_left",
            "The derivative of the rectified linear unit, x < 0",
            derivative(_rectified(left), left),
            remark=kink,
        )
        .step("max(x, 0) = 0 where x < 0", derivative(sp.Integer(0), left))
        .step("a constant has derivative 0", sp.Integer(0))
        .done(),
    )


def _rectified(argument: sp.Symbol) -> sp.Expr:
    return sp.Max(argument, 0, evaluate=False)


# --- rows ----------------------------------------------------------------------------------------


def _value(derive: Callable[[], tuple[Derivation, ...]]) -> sp.Expr:
    return derive()[0].start.expr


def _slope(derive: Callable[[], tuple[Derivation, ...]]) -> sp.Expr:
    derivation = derive()[0]
    return expand_definitions(derivation.result, derivation.definitions)


def _relu_value() -> sp.Expr:
    return _rectified(x)


def _relu_slope() -> sp.Expr:
    """Join the two open pieces; 0 at the kink is the convention, not a result."""
    right, left = (derivation.result for derivation in relu())
    return sp.Piecewise((right, x > 0), (left, x < 0), (sp.Integer(0), True))


def _evaluation(derive: Callable[[], tuple[Derivation, ...]]) -> Evaluation:
    return elementwise(x, functools.partial(_value, derive), functools.partial(_slope, derive))


ROWS: tuple[Row, ...] = (
    _evaluation(sigmoid).row("sigmoid", sigmoid),
    _evaluation(tanh).row("tanh", tanh),
    _evaluation(log_sigmoid).row("log_sigmoid", log_sigmoid),
    _evaluation(softplus).row("softplus", softplus),
    _evaluation(identity).row("identity", identity),
    elementwise(x, _relu_value, _relu_slope).row("relu", relu),
)
