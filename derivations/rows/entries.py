"""Rows of functions that act entry by entry, derived in one formula or piece by piece.

The losses among them are means over the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from derivations.expressions.calculus import expand_definitions, rename_free
from derivations.expressions.language import family, i, k, n, real, t, total, x
from derivations.records import Derivation
from derivations.rows.row import Evaluation, Formula, Row, elementwise

Derive = Callable[[], tuple[Derivation, ...]]
Constants = Mapping[sp.Symbol, sp.Expr]
_NONE: Constants = {}


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a derivation on an open piece of the real line speaks about x.

    Parameters
    ----------
    condition : relation or True
        Where the piece is used; the first condition that holds counts.  A kink belongs to the piece
        whose slope is its subgradient by convention.
    names : Mapping of sympy.Symbol to sympy.Expr
        What the derivation's own symbols are: its variable in terms of x, and constants.
    """

    condition: Any
    names: Constants = field(default_factory=dict)


def of_entries(case: str, derive: Derive, constants: Constants = _NONE) -> Row:
    """Return the row of a function whose first derivation holds everywhere.

    Parameters
    ----------
    case : str
        The row of ``reference.CASES``.
    derive : callable
        The derivations; the first starts from the derivative in `x`.
    constants : Mapping
        The values that the case has for symbols that the derivation leaves open.
    """
    return of_pieces(case, derive, Piece(True, constants))


def of_pieces(case: str, derive: Derive, *pieces: Piece) -> Row:
    """Return the row of a function derived piece by piece.

    Parameters
    ----------
    case : str
        The row of ``reference.CASES``.
    derive : callable
        One derivation for each piece, in the order of `pieces`; more may follow.
    *pieces : Piece
        The last condition is True.
    """

    def value() -> sp.Expr:
        return _joined(pieces, [_value(derivation) for derivation in derive()])

    def slope() -> sp.Expr:
        return _joined(pieces, [_slope(derivation) for derivation in derive()])

    return elementwise(x, value, slope).row(case, derive)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a loss takes of each entry of its two arguments.

    Parameters
    ----------
    variable : sympy.Symbol
        The variable of the derivations of one entry.
    argument : callable
        ``argument(y, t)``: what that variable is for an entry.
    factor : callable
        ``factor(y, t)``: the derivative of the argument in y.
    """

    variable: sp.Symbol
    argument: Callable[[sp.Expr, sp.Expr], sp.Expr]
    factor: Callable[[sp.Expr, sp.Expr], sp.Expr]


FIRST = family("y")
_UPSTREAM = real("v")  # the cotangent of a loss is one number


def mean_of_pieces(case: str, derive: Derive, entry: Entry, *pieces: Piece) -> Row:
    """Return the row of a loss that is the mean of a function of one number per entry.

    Parameters
    ----------
    case : str
        The row of ``reference.CASES``; its arguments are two vectors of one length.
    derive : callable
        One derivation for each piece of the function, in the order of `pieces`; more may follow.
    entry : Entry
        What the number is.
    *pieces : Piece
        The last condition is True.
    """

    def at(place: sp.Symbol, part: Callable[[Derivation], sp.Expr]) -> sp.Expr:
        y, target = FIRST[place], t[place]
        joined = _joined(pieces, [part(derivation) for derivation in derive()])
        return rename_free(joined, {entry.variable: entry.argument(y, target)})

    def value() -> Formula:
        return Formula(total(at(i, _value), i, n) / n)

    def derivatives() -> tuple[Formula, ...]:
        factor = entry.factor(FIRST[k], t[k])
        return (Formula(_UPSTREAM * factor * at(k, _slope) / n, {k: n}),)

    return Evaluation(((FIRST, (n,)), (t, (n,))), value, derivatives, _UPSTREAM).row(case, derive)


def _value(derivation: Derivation) -> sp.Expr:
    return expand_definitions(derivation.start.expr, derivation.definitions)


def _slope(derivation: Derivation) -> sp.Expr:
    return expand_definitions(derivation.result, derivation.definitions)


def _joined(pieces: tuple[Piece, ...], expressions: list[sp.Expr]) -> sp.Expr:
    named = [
        rename_free(expression, piece.names)
        for piece, expression in zip(pieces, expressions, strict=False)
    ]
    if len(named) == 1:
        return named[0]
    cases = [(e, piece.condition) for e, piece in zip(named, pieces, strict=True)]
    return sp.Piecewise(*cases)
