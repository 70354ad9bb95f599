"""What is known about the symbols of one statement: their kind, their range, which are distinct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from derivations.kernels.terms import Atom, Index, Monomial, OutOfClassError, Poly

_Scope = Mapping[sp.Symbol, Index]


class Vocabulary:
    """Translates symbols, indices and entries, and answers questions about them.

    Parameters
    ----------
    ranges : Mapping
        The upper limit of every free index, and of every family whose entries are indices.
    equal, distinct : sequences of pairs
        Indices known to be equal or different.

    Raises
    ------
    OutOfClassError
        If a symbol is not real, two symbols share a name, an upper limit is not a positive integer,
        or indices of different ranges are declared equal.
    """

    def __init__(
        self,
        ranges: Mapping[sp.Basic, sp.Expr],
        equal: Sequence[tuple[sp.Expr, sp.Expr]] = (),
        distinct: Sequence[tuple[sp.Expr, sp.Expr]] = (),
    ) -> None:
        self.symbols: dict[tuple[str, str], sp.Basic] = {}
        self._opened = 0
        self._alias: dict[Index, Index] = {}
        self._upper: dict[Index, Index] = {}
        for symbol, limit in ranges.items():
            self._upper[self._range_key(symbol)] = self.size(limit)
        for a, b in equal:
            self._identify(self.index(a, {}), self.index(b, {}))
        pairs = ((self.index(a, {}), self.index(b, {})) for a, b in distinct)
        self._distinct = {frozenset(pair) for pair in pairs}

    @property
    def contradictory(self) -> bool:
        """Whether some pair is declared both equal and distinct: there is no such case."""
        return any(len(pair) == 1 for pair in self._distinct)

    @property
    def ranged(self) -> tuple[Index, ...]:
        """The index symbols that have a range."""
        return tuple(index for index in self._upper if index[0] == "f")

    def fresh(self, upper: Index) -> str:
        """Return a new name for an opened bound index that runs from 1 to `upper`."""
        self._opened += 1
        name = f"#{self._opened:06d}"  # no symbol is called so; sorts before every letter
        self._upper["f", name] = upper
        return name

    def index(self, e: sp.Basic, bound: _Scope) -> Index:
        """Translate an index, an entry or a symbol; `bound` holds the opened indices in scope."""
        if e in bound:
            return bound[e]
        if isinstance(e, sp.Integer):
            return ("i", int(e))
        if isinstance(e, sp.Symbol):
            self._register("f", e.name, e)
            return self.resolve(("f", e.name))
        if isinstance(e, sp.Indexed):
            name = str(e.base.label)
            self._register("e", name, e)
            return self.resolve(("e", name, tuple(self.index(part, bound) for part in e.indices)))
        raise OutOfClassError(f"{e} is not an index")

    def size(self, limit: sp.Expr) -> Index:
        """Translate an upper limit: a positive integer symbol or number, so no sum is empty."""
        if isinstance(limit, sp.Symbol | sp.Integer) and limit.is_integer and limit.is_positive:
            return self.index(limit, {})
        raise OutOfClassError(f"the upper limit {limit} is not a positive integer symbol or number")

    def resolve(self, index: Index) -> Index:
        """Return the index that stands for all that are declared equal to this one."""
        while index in self._alias:
            index = self._alias[index]
        return index

    def range(self, index: Index) -> Index | None:
        """Return the upper limit of an index, or None if it is not known."""
        return self._upper.get(index[:2] if index[0] == "e" else index)

    def in_range(self, index: Index, upper: Index) -> bool:
        """Whether an index is known to lie in 1 … upper."""
        if index[0] == "i":
            return 1 <= int(index[1]) <= (int(upper[1]) if upper[0] == "i" else 1)
        return self.range(index) == upper

    def surely_distinct(self, a: Index, b: Index) -> bool:
        """Whether two indices are known to differ."""
        return (a[0] == b[0] == "i" and a != b) or frozenset((a, b)) in self._distinct

    def sign(self, poly: Poly) -> int | None:
        """Return 1 if surely positive, 0 if surely not negative, None if not known."""
        signs = [self._sign_monomial(m) if c > 0 else None for m, c in poly.items()]
        known = [s for s in signs if s is not None]
        return max(known) if known and len(known) == len(signs) else None

    def _sign_monomial(self, monomial: Monomial) -> int | None:
        sign = 1
        for atom, exponent in monomial:
            s = self._sign_atom(atom)
            if s == 1:
                continue
            if exponent < 0 or (s is None and exponent % 2):
                return None
            sign = 0
        return sign

    def _sign_atom(self, atom: Atom) -> int | None:
        if atom[0] == "exp":
            return 1
        if atom[0] == "delta":
            return 0
        if atom[0] == "root":
            return 1 if self.sign(dict(atom[1])) == 1 else 0
        if atom[0] == "inv":
            return 1 if self.sign(dict(atom[1])) == 1 else None
        if atom[0] == "sum":  # never empty, so positive if its terms are
            return self._sign_monomial(atom[2])
        return self._sign_index(atom[1]) if atom[0] == "at" else None

    def _sign_index(self, index: Index) -> int | None:
        if index[0] == "b" or (index[0] == "f" and index[1].startswith("#")):
            return 1  # a bound index is 1, 2, …
        symbol = self.symbols[index[:2]]
        return 1 if symbol.is_positive else 0 if symbol.is_nonnegative else None

    def _register(self, tag: str, name: str, symbol: sp.Basic) -> None:
        """Refuse values that are not real, and two symbols of one name."""
        if not symbol.is_real:
            raise OutOfClassError(f"{symbol} is not declared real")
        if name.startswith("#"):
            raise OutOfClassError(f"the name {name!r} is reserved")
        known = self.symbols.setdefault((tag, name), symbol)
        if known.assumptions0 != symbol.assumptions0 or type(known) is not type(symbol):
            raise OutOfClassError(f"two different symbols are called {name!r}")

    def _range_key(self, symbol: sp.Basic) -> Index:
        if isinstance(symbol, sp.IndexedBase):
            return ("e", str(symbol.label))
        return self.index(symbol, {})

    def _identify(self, a: Index, b: Index) -> None:
        if a == b:
            return
        if self.range(a) is None or self.range(a) != self.range(b):
            raise OutOfClassError(f"{a[1]} and {b[1]} have no common range, so cannot be equal")
        self._alias[b] = a
