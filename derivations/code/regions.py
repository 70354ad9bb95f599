"""Rational points on a branch: where all its conditions hold for sure, by interval arithmetic."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sympy as sp

from derivations.code.choices import Picks, Scale
from derivations.code.order import Condition
from derivations.kernels import witness

# What the coordinates of a point are multiplied by, most often 1.  Code has branches for exponents of
# some tens and some hundreds, and for cotangents whose products would leave the range of float64.
_SCALES = 1, 1, 1, 20, 400
_COTANGENTS = 1, 1, 1, 2**600, sp.Rational(1, 2**600)
_COTANGENT = "v"  # what the symbols of a cotangent begin with


class Sample:
    """Random points, and what holds at them.

    Parameters
    ----------
    named : iterable of sympy.Symbol
        The coordinates.
    picks : Mapping of sympy.Symbol to Pick
        What symbols of open choices stand for: at a point, whatever holds there.
    size : int
        How many points.
    scales : Mapping of sympy.Symbol to Scale
        What symbols are the exponent or the power of two of: at a point, what they are there.
    """

    def __init__(
        self,
        named: Iterable[sp.Symbol],
        picks: Picks,
        size: int,
        scales: Mapping[sp.Symbol, Scale] = MappingProxyType({}),
    ) -> None:
        ordered = sorted(named, key=str)
        self._picks, self._scales = picks, scales
        self._context = witness.interval_context()
        self._points = [_point(ordered, number) for number in range(size)]
        self._signs: list[dict[sp.Expr, int | None]] = [{} for _ in range(size)]

    def points(self, conditions: Sequence[Condition]) -> Iterator[dict[sp.Symbol, Any]]:
        """Yield the points at which every condition holds for sure."""
        for _, point in self._numbered(conditions):
            yield point

    def _numbered(
        self, conditions: Sequence[Condition]
    ) -> Iterator[tuple[int, dict[sp.Symbol, Any]]]:
        for number, point in enumerate(self._points):
            if all(self._holds(condition, number) for condition in conditions):
                yield number, point

    def separating(
        self, conditions: Sequence[Condition], residual: sp.Expr
    ) -> witness.Point | None:
        """Return a point where every condition holds and a residual is not zero, for sure."""
        for number, point in self._numbered(conditions):
            try:
                here = self._at_point(residual, number)
                enclosure = witness.enclose(here, point, self._context)
            except (ValueError, ZeroDivisionError):
                continue
            if enclosure.a > 0 or enclosure.b < 0:
                return witness.Point(point, float(enclosure.a), float(enclosure.b))
        return None

    def _holds(self, condition: Condition, number: int) -> bool:
        return self._sign(condition.difference, number) == (1 if condition.holds else -1)

    def _sign(self, difference: sp.Expr, number: int) -> int | None:
        """Return the sign at a point, None where it is not known for sure."""
        signs = self._signs[number]
        if difference not in signs:
            try:
                here = self._at_point(difference, number)
                enclosure = witness.enclose(here, self._points[number], self._context)
                signs[difference] = _sign_of(enclosure)
            except (ValueError, ZeroDivisionError):
                signs[difference] = None
        return signs[difference]

    def _at_point(self, expression: sp.Expr, number: int) -> sp.Expr:
        """Return an expression in the coordinates alone."""
        known = {
            **{s: self._picked(s, number) for s in expression.free_symbols if s in self._picks},
            **{s: self._scale(s, number) for s in expression.free_symbols if s in self._scales},
        }
        return expression.xreplace(known)

    def _scale(self, symbol: sp.Symbol, number: int) -> sp.Expr:
        """Return the exponent of a number at a point, or that power of two."""
        scale = self._scales[symbol]
        here = self._at_point(scale.of, number)
        enclosure = witness.enclose(here, self._points[number], self._context)
        low, high = (math.frexp(float(getattr(enclosure, end)))[1] for end in ("a", "b"))
        if low != high:
            raise ValueError(f"the exponent of {scale.of} is not known for sure at the point")
        return sp.Integer(low) if symbol == scale.exponent else sp.Integer(2) ** low

    def _picked(self, symbol: sp.Symbol, number: int) -> sp.Expr:
        pick = self._picks[symbol]
        tied = []
        for conditions, expression in zip(pick.choice.alternatives, pick.expressions, strict=True):
            signs = [self._sign(c.difference, number) for c in conditions]
            wanted = [1 if c.holds else -1 for c in conditions]
            if signs == wanted:
                return self._at_point(expression, number)
            if all(sign in (0, want) for sign, want in zip(signs, wanted, strict=True)):
                tied.append(self._at_point(expression, number))
        if len({e.xreplace(self._points[number]) for e in tied}) == 1:
            return tied[0]  # whatever is chosen, the number is the same
        raise ValueError(f"no outcome of the choice behind {symbol} holds for sure at the point")


def _sign_of(enclosure: Any) -> int | None:
    if enclosure.a == enclosure.b == 0:
        return 0
    return 1 if enclosure.a > 0 else -1 if enclosure.b < 0 else None


def _point(named: Sequence[sp.Symbol], number: int) -> dict[sp.Symbol, Any]:
    generator = random.Random(number)
    scale, other = generator.choice(_SCALES), generator.choice(_COTANGENTS)
    return {
        s: (other if s.name[:1] == _COTANGENT else scale) * witness.coordinate(s, generator, number)
        for s in named
    }


class Reach:
    """All symbols that expressions depend on, those inside of choices and of powers of two as well.

    Parameters
    ----------
    picks : Mapping of sympy.Symbol to Pick
        What the symbols of open choices stand for.
    scales : Mapping of sympy.Symbol to Scale
        What symbols are the exponent or the power of two of.
    """

    def __init__(self, picks: Picks, scales: Mapping[sp.Symbol, Scale]) -> None:
        self._picks, self._scales = picks, scales
        self._known: dict[sp.Symbol, frozenset[sp.Symbol]] = {}

    def of(self, expression: sp.Expr) -> frozenset[sp.Symbol]:
        """Return the symbols that an expression depends on."""
        return frozenset().union(*map(self._of_symbol, expression.free_symbols))

    def _of_symbol(self, symbol: sp.Symbol) -> frozenset[sp.Symbol]:
        if symbol not in self._known:
            self._known[symbol] = self._found(symbol)
        return self._known[symbol]

    def _found(self, symbol: sp.Symbol) -> frozenset[sp.Symbol]:
        if symbol in self._scales:
            return self.of(self._scales[symbol].of)
        if symbol not in self._picks:
            return frozenset((symbol,))
        pick = self._picks[symbol]
        inner = [c.difference for part in pick.choice.alternatives for c in part]
        return frozenset().union(*map(self.of, (*pick.expressions, *inner)))
