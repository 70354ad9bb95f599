"""Pairs of expressions that differ in the names of their symbols only, recognised.

An identity stays one if its symbols are renamed, no two to the same and each to one of which the
same is assumed; so it needs to be proved once.  The new names are given out in an order that does
not depend on the old ones where the symbols play different roles; where that fails, a proof is
merely repeated.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Mapping

import sympy as sp


def renaming(expressions: tuple[sp.Expr, ...]) -> Mapping[sp.Symbol, sp.Symbol]:
    """Return new names for all symbols of some expressions, by the roles that they play.

    Examples
    --------
    >>> a, b, c = sp.symbols("a b c", real=True)
    >>> first, second = (a - b**2, sp.exp(a)), (c - a**2, sp.exp(c))
    >>> [e.xreplace(renaming(first)) for e in first] == [e.xreplace(renaming(second)) for e in second]
    True
    """
    roles = _Roles()
    found = sorted(set().union(*(roles.symbols(e) for e in expressions)), key=str)
    ordered = sorted(found, key=lambda s: (_kind(s), *(roles.of(s, e) for e in expressions)))
    return {s: _canonical(position, s) for position, s in enumerate(ordered)}


# The kernel reasons from every assumption: a name may be shared where all of them agree only.
_Assumptions = tuple[tuple[str, bool], ...]


@functools.cache
def _assumptions(symbol: sp.Symbol) -> _Assumptions:
    return tuple(sorted(symbol.assumptions0.items()))


def _kind(symbol: sp.Symbol) -> int:
    return zlib.crc32(repr(_assumptions(symbol)).encode())


_NAMES: dict[tuple[int, _Assumptions], sp.Symbol] = {}


def _canonical(position: int, like: sp.Symbol) -> sp.Symbol:
    key = position, _assumptions(like)
    if key not in _NAMES:
        _NAMES[key] = sp.Dummy(f"s{position}", **like.assumptions0)
    return _NAMES[key]


class _Roles:
    """What the places of a symbol in expressions look like if the names of others are not seen."""

    def __init__(self) -> None:
        self._symbols: dict[sp.Expr, frozenset[sp.Symbol]] = {}
        self._nameless: dict[sp.Expr, int] = {}

    def symbols(self, e: sp.Expr) -> frozenset[sp.Symbol]:
        """Return the symbols in an expression."""
        if e not in self._symbols:
            own = (e,) if isinstance(e, sp.Symbol) else ()
            self._symbols[e] = frozenset(own).union(*map(self.symbols, e.args))
        return self._symbols[e]

    def of(self, symbol: sp.Symbol, e: sp.Expr) -> int:
        """Return a number for the role of one symbol."""
        memo: dict[sp.Expr, int] = {}

        def role(part: sp.Expr) -> int:
            if symbol not in self.symbols(part):
                return self.without_names(part)
            if part == symbol:
                return 0
            if part not in memo:
                memo[part] = _combined(part, map(role, part.args))
            return memo[part]

        return role(e)

    def without_names(self, e: sp.Expr) -> int:
        """Return a number that does not depend on the names of symbols."""
        if e not in self._nameless:
            if isinstance(e, sp.Symbol):
                self._nameless[e] = _kind(e)
            elif not e.args:
                self._nameless[e] = zlib.crc32(str(e).encode())
            else:
                self._nameless[e] = _combined(e, map(self.without_names, e.args))
        return self._nameless[e]


def _combined(e: sp.Expr, parts: Iterable[int]) -> int:
    ordered = sorted(parts) if e.is_Add or e.is_Mul else parts
    return hash((zlib.crc32(e.func.__name__.encode()), *ordered))
