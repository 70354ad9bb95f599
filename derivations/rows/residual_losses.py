"""Gradients of the losses that are the mean of a function of one number per entry.

That number is the residual d = y − t for Huber, smooth L1 and log-cosh, and what the margin lacks,
b = 1 − s·y, for the hinge loss.  The mean is dealt with once, for any function φ; then φ piece by piece.
"""

from __future__ import annotations

import functools

import sympy as sp

from derivations.expressions.language import (
    derivative,
    fraction,
    i,
    k,
    n,
    negative,
    phi,
    positive,
    real,
    t,
    times,
    total,
)
from derivations.records import Derivation
from derivations.rows.entries import FIRST, Entry, Piece, mean_of_pieces
from derivations.rows.row import Row
from derivations.steps.build import Builder
from derivations.steps.rules import (
    CONSTANT,
    ENTRY,
    ITSELF,
    LINEAR,
    LOG,
    OPAQUE,
    POWER,
    SIFT,
    TERM_BY_TERM,
)

D, B = real("d"), real("b")
DELTA, WIDTH = positive("delta"), positive("beta")
_JOINT = "At {0} both slopes are the same: the loss has a continuous derivative."


@functools.cache
def mean_of_residuals() -> Derivation:
    """Derive ∂/∂y_k (1/n)Σ φ(y_i − t_i) = φ′(y_k − t_k)/n."""
    return (
        Builder(
            "mean_of_residuals",
            "The gradient of a mean over residuals",
            derivative(fraction(total(phi(FIRST[i] - t[i]), i, n), n), FIRST[k]),
            ranges={k: n},
            remark="φ is any differentiable function of one number.",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(OPAQUE)
        .apply(LINEAR)
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


@functools.cache
def mean_of_margins() -> Derivation:
    """Derive ∂/∂y_k (1/n)Σ φ(1 − t_i y_i) = −t_k φ′(1 − t_k y_k)/n."""
    return (
        Builder(
            "mean_of_margins",
            "The gradient of a mean over margins",
            derivative(fraction(total(phi(1 - t[i] * FIRST[i]), i, n), n), FIRST[k]),
            ranges={k: n},
            remark="φ is any differentiable function of one number; t_i is a sign.",
        )
        .apply(LINEAR)
        .apply(TERM_BY_TERM)
        .apply(OPAQUE)
        .apply(LINEAR)
        .apply(ENTRY)
        .apply(SIFT)
        .done()
    )


def _parabola(name: str, title: str, loss: sp.Expr, width: sp.Symbol) -> Derivation:
    return (
        Builder(
            f"{name}_inside",
            f"{title}: small residuals",
            derivative(loss, D),
            scope=f"all |d| ≤ {width}",
            remark=_JOINT.format(f"|d| = {width}"),
        )
        .apply(LINEAR)
        .apply(POWER)
        .done()
    )


def _line(name: str, title: str, where: str, loss: sp.Expr, slope: sp.Expr) -> Derivation:
    return (
        Builder(
            f"{name}_{where[:5]}", f"{title}: {where}", derivative(loss, D), scope=f"all {where}"
        )
        .step("multiply out; the slope of a straight line", slope)
        .done()
    )


@functools.cache
def huber() -> tuple[Derivation, ...]:
    """Derive the Huber loss: d inside, ±δ outside."""
    title = "The Huber loss"
    return (
        _parabola("huber", title, D**2 / 2, DELTA),
        _line("huber_right", title, "d > δ", times(DELTA, D - DELTA / 2), DELTA),
        _line("huber_left", title, "d < −δ", times(DELTA, -D - DELTA / 2), -DELTA),
        mean_of_residuals(),
    )


@functools.cache
def smooth_l1() -> tuple[Derivation, ...]:
    """Derive smooth L1: d/β inside, ±1 outside."""
    title = "Smooth L1"
    return (
        _parabola("smooth_l1", title, D**2 / (2 * WIDTH), WIDTH),
        _line("smooth_l1_right", title, "d > β", D - WIDTH / 2, sp.Integer(1)),
        _line("smooth_l1_left", title, "d < −β", -D - WIDTH / 2, sp.Integer(-1)),
        mean_of_residuals(),
    )


@functools.cache
def log_cosh() -> tuple[Derivation, ...]:
    """Derive (ln cosh d)′ = tanh d."""
    return (
        Builder(
            "log_cosh_derivative",
            "The derivative of log-cosh",
            derivative(sp.log(sp.cosh(D)), D),
        )
        .apply(LOG)
        .step("cosh′ = sinh", fraction(sp.sinh(D), sp.cosh(D)))
        .step("definition tanh d = sinh d/cosh d", sp.tanh(D))
        .done(),
        mean_of_residuals(),
    )


@functools.cache
def hinge() -> tuple[Derivation, ...]:
    """Derive max(b, 0)′ on b > 0 and on b < 0, b = 1 − s·y; at the kink there is no derivative."""
    lacking, met = positive("b"), negative("b")
    kink = (
        "b = 1 − s·y is what the margin lacks.  At b = 0 the slopes from the two sides differ: 0 "
        "and 1.  There is no derivative; every number from 0 to 1 is a subgradient, and 0 is the "
        "one taken by convention."
    )
    return (
        Builder(
            "hinge_lacking",
            "The hinge loss: a margin below one",
            derivative(sp.Max(lacking, 0, evaluate=False), lacking),
            remark=kink,
        )
        .step("max(b, 0) = b where b > 0", derivative(lacking, lacking))
        .apply(ITSELF)
        .done(),
        Builder(
            "hinge_met",
            "The hinge loss: a margin above one",
            derivative(sp.Max(met, 0, evaluate=False), met),
            remark=kink,
        )
        .step("max(b, 0) = 0 where b < 0", derivative(sp.Integer(0), met))
        .apply(CONSTANT)
        .done(),
        mean_of_margins(),
    )


# --- rows ----------------------------------------------------------------------------------------


def _unit_slope(y: sp.Expr, target: sp.Expr) -> sp.Expr:
    del y, target
    return sp.Integer(1)


def _minus_sign(y: sp.Expr, target: sp.Expr) -> sp.Expr:
    del y
    return -target


_RESIDUAL = Entry(D, lambda y, target: y - target, _unit_slope)
_LACK = Entry(B, lambda y, target: 1 - target * y, _minus_sign)
_UNIT = {DELTA: sp.Integer(1), WIDTH: sp.Integer(1)}  # δ = β = 1 in the cases

ROWS: tuple[Row, ...] = (
    mean_of_pieces(
        "huber",
        huber,
        _RESIDUAL,
        Piece(sp.Abs(D) <= 1, _UNIT),
        Piece(D > 1, _UNIT),
        Piece(True, _UNIT),
    ),
    mean_of_pieces(
        "smooth_l1",
        smooth_l1,
        _RESIDUAL,
        Piece(sp.Abs(D) <= 1, _UNIT),
        Piece(D > 1, _UNIT),
        Piece(True, _UNIT),
    ),
    mean_of_pieces("log_cosh", log_cosh, _RESIDUAL, Piece(True)),
    mean_of_pieces(
        "hinge", hinge, _LACK, Piece(B > 0, {positive("b"): B}), Piece(True, {negative("b"): B})
    ),
)
