"""The proof that an expression with finite sums of symbolic length is zero for every length.

A normal form decides: `derivations.kernels.algebra` and `derivations.kernels.sums` hold its rules
R1 … R8, R10 and R11, this module the translation from SymPy, the case split and

R9  tanh a = 1 − 2/(1 + e^2a), cosh a = (e^a + e^−a)/2, sinh a = (e^a − e^−a)/2

What no rule takes apart is an atom, known only to be equal to itself.  The expression is zero if
the numerator of its normal form is the zero polynomial in the atoms.  What is outside the class is
refused with `OutOfClassError`; a non-zero normal form says nothing by itself
(see `derivations.kernels.witness`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import sympy as sp

from derivations.expressions.calculus import free_symbols
from derivations.expressions.language import OpaqueFunction
from derivations.kernels import terms
from derivations.kernels.sums import Replacement, Summation
from derivations.kernels.terms import Index, OutOfClassError, Poly
from derivations.kernels.vocabulary import Vocabulary
from derivations.records import Hypothesis

__all__ = ["IndexedCase", "IndexedProof", "OutOfClassError", "normal_form", "prove_zero"]

_Pairs = tuple[tuple[sp.Expr, sp.Expr], ...]
_Scope = Mapping[sp.Symbol, Index]


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

    equal: _Pairs
    distinct: _Pairs
    proved: bool
    residual: sp.Expr


@dataclass(frozen=True, slots=True)
class IndexedProof:
    """Whether an expression is zero for every size.

    Parameters
    ----------
    proved : bool
        Whether every case has the normal form zero; also the truth value of the record.  False
        means "not proved", not "false".
    residual : sympy.Expr
        The first normal form that is not zero; 0 if all are.
    cases : tuple of IndexedCase
        The cases of the split.
    """

    proved: bool
    residual: sp.Expr
    cases: tuple[IndexedCase, ...]

    def __bool__(self) -> bool:
        return self.proved


def prove_zero(
    expression: sp.Expr,
    ranges: Mapping[sp.Basic, sp.Expr],
    pairs: Sequence[tuple[sp.Expr, sp.Expr]] = (),
    hypotheses: Sequence[Hypothesis] = (),
    fixed: Collection[sp.Symbol] = (),
) -> IndexedProof:
    """Try to prove that an expression is zero for every size and every index in range.

    Parameters
    ----------
    expression : sympy.Expr
        Derivatives evaluated, definitions unfolded.
    ranges : Mapping
        Upper limit of every free index, and of every family whose entries are indices (labels).
    pairs : sequence of pairs
        Indices to be split into equal and distinct; the statement is proved in every case.
    hypotheses : sequence of Hypothesis
        Equations that may be used, the left side a single sum.  A free index of theirs that has a
        range and does not occur free in `expression` stands for every value in that range.
    fixed : collection of sympy.Symbol
        Indices that stand for themselves in the hypotheses although `expression`, a difference of
        two sides perhaps, no longer has them.

    Raises
    ------
    OutOfClassError
        If the expression has a part that no rule covers.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import i, j, n, z, total
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
        form = _NormalForm(Vocabulary(ranges, equal, distinct))
        if form.vocabulary.contradictory:
            continue
        form.assume(hypotheses, free_symbols(expression) | set(fixed))
        residual = form.normal(expression)
        proved = not form.cleared(residual)[0]
        shown = sp.Integer(0) if proved else form.show(residual)
        cases.append(IndexedCase(equal, distinct, proved, shown))
    left = [case.residual for case in cases if not case.proved]
    return IndexedProof(not left, (left or [sp.Integer(0)])[0], tuple(cases))


def normal_form(expression: sp.Expr, ranges: Mapping[sp.Basic, sp.Expr]) -> sp.Expr:
    """Return the normal form as an expression, for reports and for tests of the rules.

    Examples
    --------
    >>> from derivations.expressions.language import delta, i, j, n, total, z
    >>> normal_form(total(delta(i, j) * z[j] ** 2, j, n), {i: n})
    z[i]**2
    """
    form = _NormalForm(Vocabulary(ranges))
    return form.show(form.normal(expression))


class _NormalForm(Summation):
    """The rules, with the translation from SymPy."""

    def normal(self, expression: sp.Expr) -> Poly:
        """Return the normal form of an expression."""
        return self._convert(sp.sympify(expression), {})

    def assume(self, hypotheses: Sequence[Hypothesis], stated: Collection[sp.Symbol]) -> None:
        """Let every hypothesis replace its left side from now on (R10).

        An index that is not among the `stated` symbols is schematic: it stands for every value.
        """
        names = {symbol.name for symbol in stated}
        free = [index for index in self.vocabulary.ranged if index[1] not in names]
        for hypothesis in hypotheses:
            left, right = self.normal(hypothesis.lhs), self.normal(hypothesis.rhs)
            monomial, coefficient = next(iter(left.items()), ((), 0))
            if len(left) != 1 or len(monomial) != 1 or monomial[0][1] != 1:
                raise OutOfClassError(f"the hypothesis {hypothesis.text!r} is not about one sum")
            schematic = frozenset(index for index in free if terms.occurs(index, monomial))
            value = terms.freeze(terms.scale(right, 1 / Fraction(coefficient)))
            self.replacements.append(Replacement(monomial[0][0], value, schematic))

    def _convert(self, e: sp.Expr, bound: _Scope) -> Poly:
        if isinstance(e, sp.Rational):
            return terms.constant(int(e) if e.is_Integer else Fraction(int(e.p), int(e.q)))
        if isinstance(e, sp.Symbol | sp.Indexed):
            return self.value(self.vocabulary.index(e, bound))
        if isinstance(e, sp.Sum):
            return self._convert_sum(e, bound)
        if isinstance(e, sp.KroneckerDelta) and len(e.args) == 2:
            return self.delta(*(self.vocabulary.index(part, bound) for part in e.args))
        if e is sp.E:
            return terms.single(("exp", terms.ONE))
        return self._convert_operation(e, [self._convert(part, bound) for part in e.args])

    def _convert_operation(self, e: sp.Expr, parts: Sequence[Poly]) -> Poly:
        if isinstance(e, sp.Add):
            return terms.add(*parts)
        if isinstance(e, sp.Mul):
            return self.multiply(*parts)
        if isinstance(e, sp.exp):  # or a power of e that was left as it is
            return self.exp(parts[-1])
        if isinstance(e, sp.Pow) and e.exp.is_Integer:
            return self.power(parts[0], int(e.exp))
        if isinstance(e, sp.Pow) and e.exp.is_Rational and e.exp.q == 2:
            return self.power(self.root(parts[0]), int(e.exp.p))
        if isinstance(e, sp.log) and len(parts) == 1:
            return self.log(parts[0])
        if isinstance(e, OpaqueFunction):
            return terms.single(("fun", e.func.__name__, tuple(map(terms.freeze, parts))))
        if isinstance(e, sp.tanh | sp.cosh | sp.sinh):
            return self._convert_hyperbolic(e, parts[0])
        raise OutOfClassError(f"there is no rule for {e.func.__name__} in {e}")

    def _convert_hyperbolic(self, e: sp.Expr, a: Poly) -> Poly:
        """R9."""
        if isinstance(e, sp.tanh):
            share = self.reciprocal(terms.add(terms.constant(1), self.exp(terms.scale(a, 2))))
            return terms.add(terms.constant(1), terms.scale(share, -2))
        up, down = self.exp(a), self.exp(terms.scale(a, -1))
        sign = 1 if isinstance(e, sp.cosh) else -1
        return terms.scale(terms.add(up, terms.scale(down, sign)), Fraction(1, 2))

    def _convert_sum(self, e: sp.Sum, bound: _Scope) -> Poly:
        """Open every limit with a fresh name, normalise the body, sum from the innermost out."""
        limits = []
        for symbol, lower, upper in reversed(e.limits):  # the last limit is the outermost
            if lower != 1:
                raise OutOfClassError(f"{e} does not start at 1")
            size = self.vocabulary.size(upper)
            name = self.vocabulary.fresh(size)
            limits.append((name, size))
            bound = {**bound, symbol: ("f", name)}
        out = self._convert(e.function, bound)
        for name, size in reversed(limits):
            out = self.sum_over({name: size}, out)
        return out
