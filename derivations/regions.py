"""Rational points on a branch: where all its conditions hold for sure, by interval arithmetic."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sympy as sp

from derivations.choices import Picks
from derivations.kernels import witness
from derivations.order import Condition

_SCALES = 1, 1, 1, 20, 400
_COTANGENTS = 1, 1, 1, 2**600, sp.Rational(1, 2**600)


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
    """

    def __init__(self, named: Iterable[sp.Symbol], picks: Picks, size: int) -> None:
        ordered = sorted(named, key=str)
        self._picks = picks
        self._context = witness.interval_context()
        self._points = [_point(ordered, number) for number in range(size)]
        self._signs: list[dict[sp.Expr, int]] = [{} for _ in range(size)]

    def points(self, conditions: Sequence[Condition]) -> Iterator[dict[sp.Symbol, Any]]:
        """Yield the points at which every condition holds for sure."""
        for number, point in enumerate(self._points):
            if all(self._holds(condition, number) for condition in conditions):
                yield point

    def separating(
        self, conditions: Sequence[Condition], residual: sp.Expr
    ) -> witness.Point | None:
        """Return a point where every condition holds and a residual is not zero, for sure."""
        for point in self.points(conditions):
            try:
                enclosure = witness.enclose(residual, point, self._context)
            except (ValueError, ZeroDivisionError):
                continue
            if enclosure.a > 0 or enclosure.b < 0:
                return witness.Point(point, float(enclosure.a), float(enclosure.b))
        return None

    def _holds(self, condition: Condition, number: int) -> bool:
        return self._sign(condition.difference, number) == (1 if condition.holds else -1)

    def _sign(self, difference: sp.Expr, number: int) -> int:
        """Return the sign at a point, 0 where it is not known for sure."""
        signs = self._signs[number]
        if difference not in signs:
            try:
                here = self._without_picks(difference, number)
                enclosure = witness.enclose(here, self._points[number], self._context)
                signs[difference] = int(enclosure.a > 0) - int(enclosure.b < 0)
            except (ValueError, ZeroDivisionError):
                signs[difference] = 0
        return signs[difference]

    def _without_picks(self, expression: sp.Expr, number: int) -> sp.Expr:
        inside = [s for s in expression.free_symbols if s in self._picks]
        return expression.xreplace({s: self._picked(s, number) for s in inside})

    def _picked(self, symbol: sp.Symbol, number: int) -> sp.Expr:
        pick = self._picks[symbol]
        for conditions, expression in zip(pick.choice.alternatives, pick.expressions, strict=True):
            if all(self._holds(condition, number) for condition in conditions):
                return self._without_picks(expression, number)
        raise ValueError(f"no outcome of the choice behind {symbol} holds for sure at the point")


def _point(named: Sequence[sp.Symbol], number: int) -> dict[sp.Symbol, Any]:
    generator = random.Random(number)
    scale, other = generator.choice(_SCALES), generator.choice(_COTANGENTS)
    return {
        s: (other if s.name[:1] == "v" else scale) * witness.coordinate(s, generator, number)
        for s in named
    }


def all_symbols(expression: sp.Expr, picks: Picks) -> set[sp.Symbol]:
    """Return all symbols, those inside of open choices as well."""
    out: set[sp.Symbol] = set()
    for symbol in expression.free_symbols:
        if symbol in picks:
            pick = picks[symbol]
            inner = [c.difference for part in pick.choice.alternatives for c in part]
            out = out.union(*(all_symbols(e, picks) for e in (*pick.expressions, *inner)))
        else:
            out.add(symbol)
    return out
