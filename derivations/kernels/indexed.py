"""Does an expression with finite sums of symbolic length vanish for every length?  A normal form decides.

Rules, each an equality for all real entries, all sizes ≥ 1 and all index values in range, wherever both sides
are defined; the comments ``R1`` … mark the lines that use them:

R1  finite sums are linear
R2  Σ_{j=1..n} c = n·c, and a factor free of j leaves the sum
R3  Σ_{j=1..n} δ_ja f(j) = f(a), only when a is known to lie in 1 … n
R4  δ_ab f(a, b) = δ_ab f(a, a); δ_aa = 1; δ_ab² = δ_ab; δ_ab = 0 for indices declared distinct
R5  exp(a + b) = exp a · exp b; exp(c·m) = exp(m)^c; exp log p = p and log exp r = r;
    log of a product of positive factors is the sum of their logs
R6  the order and the names of bound indices do not matter, nor the order of summation
R7  1/(q·m) = 1/q · 1/m; fractions inside a denominator are cleared
R8  m/(c + m) = 1 − c/(c + m) for a number c
R9  tanh a = 1 − 2/(1 + e^2a), cosh a = (e^a + e^−a)/2, sinh a = (e^a − e^−a)/2
R10 a hypothesis Σ_j f(j) = e, given by the caller, replaces that sum

Whatever is left is an atom, known only to be equal to itself.  The result is zero if its numerator is the zero
polynomial in the atoms.  Anything outside the class is refused with `OutOfClassError`; a non-zero normal form
says nothing by itself (see `derivations.kernels.witness`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count, product
from typing import TYPE_CHECKING

import sympy as sp

from derivations.kernels import terms
from derivations.kernels.terms import OutOfClassError
from derivations.language import OpaqueFunction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from derivations.kernels.terms import Atom, FrozenPoly, Index, Monomial, Number, Poly
    from derivations.records import Hypothesis

_LARGEST_POWER = 12
_LARGEST_FACTORED = 10**6


@dataclass(frozen=True, slots=True)
class IndexedCase:
    """One case of the split on pairs of free indices.

    Parameters
    ----------
    equal, distinct : tuple of pairs
        Which pairs were taken to be equal, which to be different.
    proved : bool
        Whether the normal form is zero.
    residual : sympy.Expr
        The normal form, as an expression.
    """

    equal: tuple[tuple[sp.Expr, sp.Expr], ...]
    distinct: tuple[tuple[sp.Expr, sp.Expr], ...]
    proved: bool
    residual: sp.Expr


@dataclass(frozen=True, slots=True)
class IndexedProof:
    """Whether an expression is zero for every size.

    Parameters
    ----------
    proved : bool
        Whether every case has the normal form zero.  False means "not proved", not "false".
    residual : sympy.Expr
        The first normal form that is not zero; 0 if all are.
    cases : tuple of IndexedCase
        The cases of the split.
    """

    proved: bool
    residual: sp.Expr
    cases: tuple[IndexedCase, ...]


def prove_zero(
    expression: sp.Expr,
    ranges: Mapping[sp.Basic, sp.Expr],
    pairs: Sequence[tuple[sp.Expr, sp.Expr]] = (),
    hypotheses: Sequence[Hypothesis] = (),
) -> IndexedProof:
    """Try to prove that an expression is zero for every size and every index in range.

    Parameters
    ----------
    expression : sympy.Expr
        Derivatives evaluated, definitions unfolded.
    ranges : Mapping
        Upper limit of every free index, and of every family whose entries are indices (class labels).
    pairs : sequence of pairs
        Free indices to be split into equal and distinct; the statement is proved in every case.  The second
        of a pair must be a free index symbol.
    hypotheses : sequence of Hypothesis
        Equations that may be used, left side a sum.  A free index of theirs that has a range and does not occur
        in `expression` stands for every value in that range.

    Raises
    ------
    OutOfClassError
        If the expression has a part that no rule covers.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.language import i, j, n, z, total
    >>> shares = total(sp.exp(z[i]) / total(sp.exp(z[j]), j, n), i, n)
    >>> prove_zero(shares - 1, {}).proved
    True
    >>> prove_zero(shares - n, {}).residual
    1 - n
    """
    cases = []
    for choice in product((True, False), repeat=len(pairs)):
        equal = tuple(pair for pair, same in zip(pairs, choice, strict=True) if same)
        distinct = tuple(pair for pair, same in zip(pairs, choice, strict=True) if not same)
        form = Normaliser(ranges, equal, distinct)
        if form.contradictory:
            continue
        form.assume(hypotheses, expression)
        residual = form.normal(expression)
        proved = not form.numerator(residual)
        shown = sp.Integer(0) if proved else to_sympy(residual, form)
        cases.append(IndexedCase(equal, distinct, proved, shown))
    open_cases = [case for case in cases if not case.proved]
    residual_shown = open_cases[0].residual if open_cases else sp.Integer(0)
    return IndexedProof(bool(cases) and not open_cases, residual_shown, tuple(cases))


def normal_form(expression: sp.Expr, ranges: Mapping[sp.Basic, sp.Expr]) -> sp.Expr:
    """Return the normal form as an expression (for reports and for the kernel's own tests)."""
    form = Normaliser(ranges)
    return to_sympy(form.normal(expression), form)


class Normaliser:
    """The rules, with what is known about the symbols of one statement.

    Parameters
    ----------
    ranges : Mapping
        As in `prove_zero`.
    equal, distinct : sequences of pairs
        Indices known to be equal or different.
    """

    def __init__(
        self,
        ranges: Mapping[sp.Basic, sp.Expr],
        equal: Sequence[tuple[sp.Expr, sp.Expr]] = (),
        distinct: Sequence[tuple[sp.Expr, sp.Expr]] = (),
    ) -> None:
        self._names: dict[str, sp.Basic] = {}
        self._counter = count()
        self._replacements: list[tuple[Atom, Atom, FrozenPoly, frozenset[str]]] = []
        self._alias: dict[Index, Index] = {}
        self.upper: dict[Index, Index] = {}
        for symbol, limit in ranges.items():
            self.upper[self._range_key(symbol)] = self._size(limit)
        for a, b in equal:
            self._identify(self._index(a, {}), self._index(b, {}))
        self.distinct = {frozenset((self._index(a, {}), self._index(b, {}))) for a, b in distinct}

    @property
    def contradictory(self) -> bool:
        """Whether some pair is declared both equal and distinct: the case is empty."""
        return any(len(pair) == 1 for pair in self.distinct)

    def normal(self, expression: sp.Expr) -> Poly:
        """Return the normal form of an expression."""
        return self._convert(sp.sympify(expression), {})

    def assume(self, hypotheses: Sequence[Hypothesis], statement: sp.Expr) -> None:
        """Let every hypothesis replace its left side from now on (R10)."""
        stated = {("f", symbol.name) for symbol in statement.atoms(sp.Symbol)}
        for hypothesis in hypotheses:
            left = self.normal(hypothesis.lhs)
            right = self.normal(hypothesis.rhs)
            if len(left) != 1 or len(only := next(iter(left))) != 1 or only[0][1] != 1:
                raise OutOfClassError(f"the hypothesis {hypothesis.text} is not about one sum")
            schematic = [
                index[1]
                for index in self.upper
                if index[0] == "f" and index not in stated and terms.occurs(index, only)
            ]
            value = terms.freeze(terms.scale(right, 1 / Fraction(left[only])))
            self._replacements.append((only[0][0], only[0][0], value, frozenset(schematic)))
