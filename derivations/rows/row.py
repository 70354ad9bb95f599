"""One row ties a derivation to the case of `reference` that it proves, and evaluates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import sympy as sp

from derivations.expressions.calculus import rename_free
from derivations.expressions.evaluate import Binding, evaluate
from derivations.expressions.language import family, index, size
from derivations.records import Definition, Derivation

Array = npt.NDArray[np.generic]
Numbers = npt.NDArray[np.object_]
"""An object array of ``mpmath.mpf``."""


@dataclass(frozen=True, slots=True)
class Row:
    """The derivation of one case.

    Parameters
    ----------
    case : str
        Name of a row of ``reference.CASES``.
    derive : callable
        ``derive()`` builds and checks the derivations.
    value : callable
        ``value(arguments)``: the function at 50 digits, evaluated from the definition that the
        derivation starts with; an object array of ``mpmath.mpf`` with the function's output shape.
    vjp : callable
        ``vjp(arguments, v)``: the derived derivative at 50 digits contracted with the cotangent
        `v`, one object array for every differentiated argument.
    """

    case: str
    derive: Callable[[], tuple[Derivation, ...]]
    value: Callable[[tuple[Array, ...]], Numbers]
    vjp: Callable[[tuple[Array, ...], Array], tuple[Numbers, ...]]


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression with the indices that it is evaluated over.

    Parameters
    ----------
    expression : sympy.Expr
        Without unevaluated derivatives.
    axes : Mapping of sympy.Symbol to sympy.Symbol
        The size of every free index, in the order of the result's axes.
    definitions : tuple of Definition
        Names that occur in it.
    """

    expression: sp.Expr
    axes: Mapping[sp.Symbol, sp.Symbol] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the formulas of a derivation are evaluated on the arguments of a case.

    Parameters
    ----------
    arguments : tuple of (sympy.IndexedBase, tuple of sympy.Symbol)
        For every argument its family and the sizes of its shape.  A family of integers holds class
        indices, counted from 0 in the argument and from 1 in the formulas.
    value : callable
        ``value()``: the formula of the function.
    derivatives : callable
        ``derivatives()``: for every differentiated argument the formula of its derivative,
        contracted with the cotangent.
    cotangent : sympy.IndexedBase or sympy.Symbol
        The name of the cotangent in these formulas; a symbol where the output is a scalar.
    """

    arguments: tuple[tuple[sp.IndexedBase, tuple[sp.Symbol, ...]], ...]
    value: Callable[[], Formula]
    derivatives: Callable[[], tuple[Formula, ...]]
    cotangent: sp.IndexedBase | sp.Symbol

    def value_at(self, arguments: tuple[Array, ...]) -> Numbers:
        """Return the function's value to 50 digits."""
        return self._evaluate(self.value(), arguments, {})

    def vjp_at(self, arguments: tuple[Array, ...], v: Array) -> tuple[Numbers, ...]:
        """Return the derived derivative contracted with `v`, to 50 digits."""
        formulas = self.derivatives()
        return tuple(self._evaluate(f, arguments, {self.cotangent: v}) for f in formulas)

    def row(self, case: str, derive: Callable[[], tuple[Derivation, ...]]) -> Row:
        """Return the row of a case."""
        return Row(case, derive, self.value_at, self.vjp_at)

    def _evaluate(
        self, formula: Formula, arguments: tuple[Array, ...], extra: Mapping[sp.Basic, Array]
    ) -> Numbers:
        sizes: dict[sp.Symbol, int] = {}
        arrays = {symbol: v for symbol, v in extra.items() if isinstance(symbol, sp.IndexedBase)}
        single = {symbol: v for symbol, v in extra.items() if isinstance(symbol, sp.Symbol)}
        scalars = {symbol: np.asarray(v)[()] for symbol, v in single.items()}
        labels: dict[sp.IndexedBase, Array] = {}
        for (base, shape), argument in zip(self.arguments, arguments, strict=True):
            argument = np.asarray(argument)
            sizes |= dict(zip(shape, argument.shape, strict=True))
            (labels if base.label.is_integer else arrays)[base] = argument
        binding = Binding(
            arrays=arrays,
            labels=labels,
            scalars=scalars,
            sizes=sizes,
            definitions=formula.definitions,
        )
        return evaluate(formula.expression, binding, formula.axes)


_N, _I = size("n"), index("i")
_X, _V = family("x"), family("v")


def elementwise(
    variable: sp.Symbol, value: Callable[[], sp.Expr], slope: Callable[[], sp.Expr]
) -> Evaluation:
    """Return the evaluation of a function that acts entry by entry on a vector.

    Parameters
    ----------
    variable : sympy.Symbol
        The entry.
    value, slope : callable
        ``value()`` and ``slope()``: the function and its derivative in `variable`.
    """

    def at_entry(expression: sp.Expr) -> sp.Expr:
        return rename_free(expression, {variable: _X[_I]})

    return Evaluation(
        arguments=((_X, (_N,)),),
        value=lambda: Formula(at_entry(value()), {_I: _N}),
        derivatives=lambda: (Formula(_V[_I] * at_entry(slope()), {_I: _N}),),
        cotangent=_V,
    )
