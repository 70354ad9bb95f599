"""The numerator of a rational function, by arithmetic on sparse polynomials.

A quotient is a polynomial over a product of powers of polynomials, which is never multiplied out:
sums are brought over the least common multiple of those factors, and no greatest common divisor is
ever taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.polys.rings import PolyRing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class _Quotient:
    """A polynomial over a product of powers of monic polynomials."""

    top: Any
    bottom: Mapping[Any, int]


_NO_SYMBOL = sp.Dummy()  # a ring of polynomials needs one


def numerator(expression: sp.Expr) -> sp.Expr:
    """Return the expanded numerator of a rational function, over some common denominator.

    Parameters
    ----------
    expression : sympy.Expr
        Sums, products and integer powers of symbols and rational numbers.

    Examples
    --------
    >>> x, y = sp.symbols("x y")
    >>> numerator(1 / (x + y) + x / (x + y) ** 2), numerator(1 / x - 1 / x / y - (y - 1) / x / y)
    (2*x + y, 0)
    """
    symbols = sorted(expression.free_symbols, key=lambda s: s.sort_key())
    return _Arithmetic(symbols or [_NO_SYMBOL]).of(expression).top.as_expr()


class _Arithmetic:
    """Quotients in some symbols; parts that occur again are converted once."""

    def __init__(self, symbols: list[sp.Symbol]) -> None:
        self._ring = PolyRing(symbols, sp.QQ)
        self._memo: dict[sp.Expr, _Quotient] = {
            symbol: _Quotient(generator, {})
            for symbol, generator in zip(symbols, self._ring.gens, strict=True)
        }

    def of(self, e: sp.Expr) -> _Quotient:
        """Return an expression as a quotient."""
        if e not in self._memo:
            self._memo[e] = self._of(e)
        return self._memo[e]

    def _of(self, e: sp.Expr) -> _Quotient:
        if e.is_Rational:
            return _Quotient(self._ring.ground_new(sp.QQ(int(e.p), int(e.q))), {})
        if e.is_Add:
            return self._sum([self.of(part) for part in e.args])
        if e.is_Mul:
            return self._product([self.of(part) for part in e.args])
        if e.is_Pow and e.exp.is_Integer:
            return self._power(self.of(e.base), int(e.exp))
        raise ValueError(f"{e} is not a rational function")

    def _sum(self, parts: list[_Quotient]) -> _Quotient:
        common: dict[Any, int] = {}
        for part in parts:
            for factor, power in part.bottom.items():
                common[factor] = max(power, common.get(factor, 0))
        groups: dict[tuple[Any, ...], Any] = {}
        for part in parts:  # what has the same denominator is added before it is widened
            key = tuple(power - part.bottom.get(factor, 0) for factor, power in common.items())
            groups[key] = groups[key] + part.top if key in groups else part.top
        factors = list(common)
        top = self._ring.zero
        for key, group in groups.items():
            top = top + group * self._powers(zip(factors, key, strict=True))
        return _Quotient(top, common)

    def _product(self, parts: list[_Quotient]) -> _Quotient:
        bottom: dict[Any, int] = {}
        for part in parts:
            for factor, power in part.bottom.items():
                bottom[factor] = bottom.get(factor, 0) + power
        return _Quotient(math.prod((part.top for part in parts), start=self._ring.one), bottom)

    def _power(self, base: _Quotient, power: int) -> _Quotient:
        if power >= 0:
            return _Quotient(base.top**power, {f: k * power for f, k in base.bottom.items()})
        if not base.top:
            raise ValueError("a denominator is zero")
        top = self._powers((f, -k * power) for f, k in base.bottom.items())
        leading = base.top.LC
        bottom = {} if base.top.is_ground else {base.top.monic(): -power}
        return _Quotient(top * leading**power, bottom)

    def _powers(self, factors: Iterable[tuple[Any, int]]) -> Any:
        return math.prod((f**k for f, k in factors if k), start=self._ring.one)
