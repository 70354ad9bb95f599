"""Normal forms as SymPy expressions, for people; no proof rests on this module."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import sympy as sp

from derivations.expressions.language import index as index_symbol
from derivations.expressions.language import opaque

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from derivations.kernels.terms import Atom, Index, Monomial, Poly

_NAMES = ("j", "i", "p", "q", "s")


def to_sympy(poly: Poly, symbols: Mapping[tuple[str, str], sp.Basic]) -> sp.Expr:
    """Return a polynomial over atoms as an expression.

    Parameters
    ----------
    poly : Poly
        See `derivations.kernels.terms`.
    symbols : Mapping
        The symbol of each ``("f", name)``, and one entry of the family of each ``("e", name)``.
    """
    return _Writer(symbols).poly(poly, ())


class _Writer:
    """Holds the names; `scopes` are the bound symbols of the sums around, innermost last."""

    def __init__(self, symbols: Mapping[tuple[str, str], sp.Basic]) -> None:
        self._symbols = symbols
        self._taken = {name for _, name in symbols}

    def poly(self, poly: Poly, scopes: tuple[tuple[sp.Symbol, ...], ...]) -> sp.Expr:
        """Write a polynomial."""
        parts = (sp.Rational(c) * self.monomial(m, scopes) for m, c in poly.items())
        return sp.Add(*parts)

    def monomial(self, monomial: Monomial, scopes: tuple[tuple[sp.Symbol, ...], ...]) -> sp.Expr:
        """Write a monomial."""
        return sp.Mul(*(self.atom(a, scopes) ** sp.Rational(e) for a, e in monomial))

    def atom(self, atom: Atom, scopes: tuple[tuple[sp.Symbol, ...], ...]) -> sp.Expr:
        """Write an atom."""
        tag = atom[0]
        if tag == "at":
            return self.index(atom[1], scopes)
        if tag == "delta":
            return sp.KroneckerDelta(*(self.index(a, scopes) for a in atom[1:]))
        if tag == "exp":
            return sp.exp(self.monomial(atom[1], scopes))
        if tag == "fun":
            name, order = atom[1].rsplit("_", 1)
            return opaque(name, int(order))(*(self.poly(dict(p), scopes) for p in atom[2]))
        if tag == "sum":
            fresh = self._fresh(scopes)
            bound = tuple(next(fresh) for _ in atom[1])
            limits = [(b, 1, self.index(u, scopes)) for b, u in zip(bound, atom[1], strict=True)]
            return sp.Sum(self.monomial(atom[2], (*scopes, bound)), *limits)
        inner = self.poly(dict(atom[1]), scopes)
        if tag == "root":
            return sp.sqrt(inner)
        return sp.log(inner) if tag == "log" else 1 / inner

    def index(self, index: Index, scopes: tuple[tuple[sp.Symbol, ...], ...]) -> sp.Expr:
        """Write an index, an entry or a number."""
        if index[0] == "i":
            return sp.Integer(index[1])
        if index[0] == "b":
            return scopes[-1 - index[1]][index[2]]
        if index[0] == "e":
            parts = tuple(self.index(part, scopes) for part in index[2])
            return self._symbols["e", index[1]].base[parts]
        if (known := self._symbols.get(index)) is not None:
            return known
        return index_symbol(index[1])

    def _fresh(self, scopes: tuple[tuple[sp.Symbol, ...], ...]) -> Iterator[sp.Symbol]:
        taken = self._taken | {symbol.name for symbol in chain.from_iterable(scopes)}
        numbered = (f"j_{number}" for number in range(len(taken) + 64))
        return (index_symbol(name) for name in chain(_NAMES, numbered) if name not in taken)
