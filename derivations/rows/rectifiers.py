"""Derivatives of the piecewise activations, each on its open pieces.

Everything here is about one real number x; the functions act entry by entry.  At a kink there is
no derivative; the remarks say which subgradient is taken.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import derivative, fraction, negative, plus, positive, real, x
from derivations.records import Derivation
from derivations.rows.entries import Piece, of_pieces
from derivations.rows.row import Row
from derivations.steps.build import Builder
from derivations.steps.rules import EXP, ITSELF, LINEAR, PRODUCT, QUOTIENT, then

RIGHT, LEFT = positive("x"), negative("x")
ALPHA, LAMBDA = real("alpha"), positive("lambda")
_EXPONENTIAL = then("differentiation is linear, derivative of exp", LINEAR, EXP)


def _line(name: str, title: str, remark: str, slope: sp.Expr = sp.S.One) -> Derivation:
    builder = Builder(
        f"{name}_right", f"{title}, x > 0", derivative(slope * RIGHT, RIGHT), remark=remark
    )
    return builder.apply(ITSELF if slope == 1 else LINEAR).done()


@functools.cache
def leaky_relu() -> tuple[Derivation, ...]:
    """Derive 1 on x > 0 and α on x < 0."""
    title = "The derivative of the leaky rectified linear unit"
    kink = "At x = 0 the slopes from the two sides are α and 1; the one taken is α."
    left = Builder(
        "leaky_relu_left", f"{title}, x < 0", derivative(ALPHA * LEFT, LEFT), remark=kink
    )
    return _line("leaky_relu", title, kink), left.apply(LINEAR).done()


@functools.cache
def elu() -> tuple[Derivation, ...]:
    """Derive 1 on x > 0 and αe^x on x < 0."""
    title = "The derivative of the exponential linear unit"
    kink = (
        "At x = 0 the slopes from the two sides are α and 1: equal for α = 1, else a kink, where "
    )
    kink += "α is taken."
    left = Builder(
        "elu_left", f"{title}, x < 0", derivative(ALPHA * (sp.exp(LEFT) - 1), LEFT), remark=kink
    )
    return _line("elu", title, kink), left.apply(LINEAR).apply(_EXPONENTIAL).done()


@functools.cache
def selu() -> tuple[Derivation, ...]:
    """Derive λ on x > 0 and λαe^x on x < 0."""
    title = "The derivative of the scaled exponential linear unit"
    kink = "At x = 0 the slopes from the two sides are λα and λ; the one taken is λα."
    left = Builder(
        "selu_left",
        f"{title}, x < 0",
        derivative(LAMBDA * ALPHA * (sp.exp(LEFT) - 1), LEFT),
        remark=kink,
    )
    right = _line("selu", title, kink, LAMBDA)
    return right, left.apply(LINEAR).apply(_EXPONENTIAL).done()


@functools.cache
def hardswish() -> tuple[Derivation, ...]:
    """Derive 0, (2x+3)/6 and 1 on the three pieces."""
    title = "The derivative of hardswish"
    kink = (
        "At x = −3 the slopes from the two sides are 0 and −1/2, at x = 3 they are 3/2 and 1.  "
        "There the outer slopes 0 and 1 are taken."
    )
    above, below = positive("p"), positive("q")
    return (
        Builder(
            "hardswish_outside_right",
            f"{title}, x = 3 + p > 3",
            derivative((3 + above) * _gate(6 + above) / 6, above),
            remark=kink,
        )
        .step("min(max(x + 3, 0), 6) = 6 where x > 3", derivative(3 + above, above))
        .apply(LINEAR)
        .done(),
        Builder(
            "hardswish_inside",
            f"{title}, −3 < x < 3",
            derivative(x * (x + 3) / 6, x),
            scope="all −3 < x < 3",
            remark="There min(max(x + 3, 0), 6) = x + 3.",
        )
        .apply(LINEAR)
        .apply(PRODUCT)
        .apply(LINEAR)
        .step("collect", fraction(plus(2 * x, 3), 6))
        .done(),
        Builder(
            "hardswish_outside_left",
            f"{title}, x = −3 − q < −3",
            derivative((-3 - below) * _gate(-below) / 6, below),
            remark=kink,
        )
        .step("min(max(x + 3, 0), 6) = 0 where x < −3", derivative(sp.Integer(0), below))
        .step("a constant has derivative 0", sp.Integer(0))
        .done(),
    )


def _gate(a: sp.Expr) -> sp.Expr:
    """Return min(max(a, 0), 6) as max(a, 0) − max(a − 6, 0)."""
    return sp.Max(a, 0, evaluate=False) - sp.Max(a - 6, 0, evaluate=False)


@functools.cache
def softsign() -> tuple[Derivation, ...]:
    """Derive 1/(1 + x)² on x > 0 and 1/(1 − x)² on x < 0."""
    title = "The derivative of softsign"
    joint = "Both are 1/(1 + |x|)².  At x = 0 both are 1, so that the derivative is continuous."

    def piece(name: str, where: str, variable: sp.Symbol, size: sp.Expr) -> Derivation:
        return (
            Builder(
                f"softsign_{name}",
                f"{title}, {where}",
                derivative(variable / (1 + size), variable),
                remark=joint,
            )
            .apply(QUOTIENT)
            .apply(LINEAR)
            .step("collect", 1 / (1 + size) ** 2)
            .done()
        )

    return piece("right", "x > 0", RIGHT, RIGHT), piece("left", "x < 0", LEFT, -LEFT)


# --- rows ----------------------------------------------------------------------------------------

# The paper's constants to 32 digits.
_SELU = {
    LAMBDA: sp.Rational("1.0507009873554804934193349852946"),
    ALPHA: sp.Rational("1.6732632423543772848170429916717"),
}
_LEAKY, _ELU = {ALPHA: sp.Rational(0.01)}, {ALPHA: sp.Integer(1)}  # as in the cases
_P, _Q = positive("p"), positive("q")

ROWS: tuple[Row, ...] = (
    of_pieces("leaky_relu", leaky_relu, Piece(x > 0, {RIGHT: x}), Piece(True, {LEFT: x, **_LEAKY})),
    of_pieces("elu", elu, Piece(x > 0, {RIGHT: x}), Piece(True, {LEFT: x, **_ELU})),
    of_pieces("selu", selu, Piece(x > 0, {RIGHT: x, **_SELU}), Piece(True, {LEFT: x, **_SELU})),
    of_pieces(
        "hardswish",
        hardswish,
        Piece(x >= 3, {_P: x - 3}),
        Piece(x > -3),
        Piece(True, {_Q: -3 - x}),
    ),
    of_pieces("softsign", softsign, Piece(x > 0, {RIGHT: x}), Piece(True, {LEFT: x})),
)
