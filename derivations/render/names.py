"""How symbols are called in print: Greek letters, subscripts, and one name for one symbol."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.render.boxes import Box, Script, mi, mn

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALL = {unicodedata.name(c).rpartition(" ")[2].lower(): c for c in "αβγδεζηθικλμνξοπρστυφχψω"}
# Unicode spells it "lamda", programs "lambda".
_NAMED = _SMALL | {"lambda": "λ"}
GREEK: Mapping[str, str] = {
    **_NAMED,
    **{name.title(): letter.upper() for name, letter in _NAMED.items()},
}
_SHAPE = re.compile(r"(?P<stem>.*?)_?(?P<digits>\d*)(?P<primes>['′]*)")


@dataclass(frozen=True, slots=True)
class Naming:
    """The printed name of every symbol of an expression.

    Two different symbols that would look alike (a bound index and a free one, say) are told apart
    by primes.
    """

    primes: Mapping[sp.Symbol, int]

    @classmethod
    def of(cls, *expressions: Any) -> Naming:
        """Return the naming for expressions that are shown together.

        Examples
        --------
        >>> import sympy as sp
        >>> j, other = sp.Symbol("j"), sp.Dummy("j")
        >>> naming = Naming.of(j + other)
        >>> naming.symbol(j) != naming.symbol(other)
        True
        """
        symbols = {s for e in expressions for s in sp.sympify(e).atoms(sp.Symbol)}
        # Proper symbols first, in a fixed order, so that they keep their plain name.
        ordered = sorted(symbols, key=lambda s: (isinstance(s, sp.Dummy), s.name, s.sort_key()))
        seen: dict[str, int] = {}
        primes = {}
        for s in ordered:
            label = s.name.strip("_")
            primes[s] = seen.get(label, 0)
            seen[label] = primes[s] + 1
        return cls(primes)

    def symbol(self, s: sp.Symbol) -> Box:
        """Return the box of a symbol."""
        return named(s.name.strip("_"), self.primes.get(s, 0))


def named(name: str, extra_primes: int = 0) -> Box:
    """Return the box of a name: ``sigma`` is σ, ``w12`` is w with the subscript 12."""
    shape = _SHAPE.fullmatch(name)
    assert shape is not None  # the pattern matches every text
    stem, digits = shape["stem"], shape["digits"]
    if not stem:
        return mn(name)
    stem, _, word = stem.partition("_")
    upper = "′" * (len(shape["primes"]) + extra_primes)
    base: Box = mi(GREEK.get(stem, stem) + upper)
    if word:
        return Script(base, lower=mi(GREEK.get(word, word) + digits))
    return Script(base, lower=mn(digits)) if digits else base
