"""Rules for products, powers, denominators, exponentials and logarithms of polynomials over atoms.

R4  δ_ab f(a, b) = δ_ab f(a, a); δ_aa = 1; δ_ab² = δ_ab; δ_ab = 0 for indices known to be distinct
R5  exp(a + b) = exp a · exp b; exp(c·m) = exp(m)^c; exp log p = p and log exp r = r;
    log of a product of positive factors is the sum of their logs
R7  1/(q·m) = 1/q · 1/m; fractions inside a denominator are cleared
R8  m/(c + m) = 1 − c/(c + m) for a number c
R11 (√p)² = p and 1/√p = √p/p

Each is an equality of real numbers wherever both sides are defined.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

import sympy as sp

from derivations.kernels import terms
from derivations.kernels.shown import to_sympy
from derivations.kernels.terms import (
    Atom,
    FrozenPoly,
    Index,
    Monomial,
    Number,
    OutOfClassError,
    Poly,
)
from derivations.kernels.vocabulary import Vocabulary

_LARGEST_POWER = 12
_LARGEST_FACTORED = 10**6


class Algebra(ABC):
    """Arithmetic that keeps polynomials in normal form.

    Parameters
    ----------
    vocabulary : Vocabulary
        What is known about the symbols.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @abstractmethod
    def substitute(self, monomial: Monomial, old: Index, new: Index) -> Poly:
        """Replace an index and normalise again."""

    def value(self, index: Index) -> Poly:
        """Return the value of an index or entry."""
        if index[0] == "i":
            return terms.constant(index[1])
        return terms.single(("at", index))

    def delta(self, a: Index, b: Index) -> Poly:
        """R4: the delta of equal or of surely different indices is a number."""
        if a == b:
            return terms.constant(1)
        if self.vocabulary.surely_distinct(a, b):
            return {}
        return terms.single(("delta", *sorted((a, b))))

    def multiply(self, *polys: Poly) -> Poly:
        """Multiply out, reducing every monomial."""
        out = terms.constant(1)
        for poly in polys:
            products = (
                terms.scale(self.reduce(terms.merge(left, right)), c * d)
                for left, c in out.items()
                for right, d in poly.items()
            )
            out = terms.add(*products)
        return out

    def power(self, poly: Poly, exponent: Number) -> Poly:
        """Return an integer power, or any power of a monomial in exponentials alone."""
        if len(poly) == 1 and next(iter(poly.values())) == 1:
            ((monomial, _),) = poly.items()
            tags = {atom[0] for atom, _ in monomial}
            if tags <= {"exp"} or (
                isinstance(exponent, int) and not tags & {"inv", "delta", "root"}
            ):
                return {tuple((atom, e * exponent) for atom, e in monomial if exponent): 1}
        if not isinstance(exponent, int) or abs(exponent) > _LARGEST_POWER:
            raise OutOfClassError(f"the power {exponent}: integers to {_LARGEST_POWER} are treated")
        if exponent < 0:
            return self.power(self.reciprocal(poly), -exponent)
        return self.multiply(*[poly] * exponent)

    def reduce(self, monomial: Monomial) -> Poly:
        """Apply what deltas and denominators imply to a product whose exponents are added."""
        for atom, exponent in monomial:
            reduced = None
            if atom[0] == "delta":
                reduced = self._reduce_delta(monomial, atom, exponent)
            elif atom[0] == "inv":
                reduced = self._reduce_inverse(monomial, atom)
            elif atom[0] == "root":
                reduced = self._reduce_root(monomial, atom, int(exponent))
            if reduced is not None:
                return reduced
        return {monomial: 1}

    def _reduce_delta(self, monomial: Monomial, atom: Atom, exponent: Number) -> Poly | None:
        """R4: under δ_ab every b may be written a, and δ_ab² = δ_ab."""
        _, keep, drop = atom
        if terms.occurs(drop, keep):
            keep, drop = drop, keep
        rest = terms.merge(monomial, ((atom, -exponent),))
        if terms.occurs(drop, rest):
            return self.multiply(terms.single(atom), self.substitute(rest, drop, keep))
        return None if exponent == 1 else self.reduce(terms.merge(rest, ((atom, 1),)))

    def _reduce_inverse(self, monomial: Monomial, atom: Atom) -> Poly | None:
        """R8: m/(c + b·m) = (1 − c/(c + b·m))/b where c and b are numbers."""
        denominator = dict(atom[1])
        if len(denominator) != 2 or terms.ONE not in denominator:
            return None
        c = denominator.pop(terms.ONE)
        ((m, b),) = denominator.items()
        present = dict(monomial)
        if any(present.get(part, 0) < e for part, e in m):
            return None
        quotient = terms.merge(monomial, tuple((part, -e) for part, e in m))
        without = terms.merge(quotient, ((atom, -1),))
        rest = terms.scale(self.reduce(quotient), -c)
        return terms.scale(terms.add(self.reduce(without), rest), 1 / Fraction(b))

    def _reduce_root(self, monomial: Monomial, atom: Atom, exponent: int) -> Poly | None:
        """R11: leave at most one √p."""
        pairs, single = divmod(exponent, 2)
        if not pairs:
            return None
        rest = terms.merge(monomial, ((atom, single - exponent),))
        return self.multiply({rest: 1}, self.power(dict(atom[1]), pairs))

    def root(self, poly: Poly) -> Poly:
        """R11: the square root of a polynomial, an atom."""
        return terms.single(("root", terms.freeze(poly)))

    def reciprocal(self, poly: Poly) -> Poly:
        """R7: one over a polynomial, its factors inverted one by one."""
        numerator, denominators = self.cleared(poly)
        if not numerator:
            raise OutOfClassError("a denominator is identically zero")
        content, common, rest = terms.split(numerator)
        out = terms.constant(1 / content)
        for atom, exponent in common:
            if atom[0] == "delta":
                raise OutOfClassError("a Kronecker delta in a denominator")
            out = self.multiply(out, terms.single(atom, -exponent))
        for denominator, exponent in denominators.items():
            out = self.multiply(out, self.power(dict(denominator), exponent))
        if len(rest) == 1:  # the rest is then 1 or −1
            return terms.scale(out, rest[terms.ONE])
        sign = 1 if terms.freeze(rest)[0][1] > 0 else -1
        inverse: Atom = ("inv", terms.freeze(terms.scale(rest, sign)))
        return self.multiply(out, terms.scale(terms.single(inverse), sign))

    def cleared(self, poly: Poly) -> tuple[Poly, dict[FrozenPoly, int]]:
        """R7: return the numerator without ``inv`` atoms, and the denominators with exponents."""
        denominators: dict[FrozenPoly, int] = {}
        while highest := _highest_inverses(poly):
            atom, most = max(highest.items())
            denominators[atom[1]] = denominators.get(atom[1], 0) + most
            parts = []
            for monomial, coefficient in poly.items():
                present = int(dict(monomial).get(atom, 0))
                rest = terms.merge(monomial, ((atom, -present),))
                missing = self.power(dict(atom[1]), most - present)
                parts.append(self.multiply({rest: coefficient}, missing))
            poly = terms.add(*parts)
        return poly, denominators

    def exp(self, poly: Poly) -> Poly:
        """R5: the exponential of a sum."""
        out = terms.constant(1)
        for monomial, coefficient in poly.items():
            if len(monomial) == 1 and monomial[0][0][0] == "log" and monomial[0][1] == 1:
                factor = self.power(dict(monomial[0][0][1]), coefficient)
            else:
                factor = terms.single(("exp", monomial), coefficient)
            out = self.multiply(out, factor)
        return out

    def log(self, poly: Poly) -> Poly:
        """R5: the logarithm of a product of factors that are known to be positive."""
        numerator, denominators = self.cleared(poly)
        if not numerator:
            raise OutOfClassError("the logarithm of zero")
        content, common, rest = terms.split(numerator)
        parts = [self._log_number(content), self._log_factor(rest)]
        parts += [terms.scale(self._log_atom(atom), e) for atom, e in common]
        parts += [terms.scale(self.log(dict(p)), -e) for p, e in denominators.items()]
        return terms.add(*parts)

    def _log_number(self, number: Fraction) -> Poly:
        """Split the logarithm of a positive rational over its primes."""
        if max(number.numerator, number.denominator) > _LARGEST_FACTORED:
            raise OutOfClassError(f"log({number}): the number is too large to factor")
        top, bottom = sp.factorint(number.numerator), sp.factorint(number.denominator)
        powers = (*top.items(), *((prime, -e) for prime, e in bottom.items()))
        logs = ((("log", terms.freeze(terms.constant(int(prime)))), e) for prime, e in powers)
        return terms.add(*(terms.scale(terms.single(atom), e) for atom, e in logs))

    def _log_atom(self, atom: Atom) -> Poly:
        return {atom[1]: 1} if atom[0] == "exp" else self._log_factor(terms.single(atom))

    def _log_factor(self, factor: Poly) -> Poly:
        if factor == {terms.ONE: 1}:
            return {}
        if self.vocabulary.sign(factor) != 1:
            raise OutOfClassError(f"the logarithm of {self.show(factor)}, whose sign is not known")
        return terms.single(("log", terms.freeze(factor)))

    def show(self, poly: Poly) -> sp.Expr:
        """Return a polynomial as an expression, for messages."""
        return to_sympy(poly, self.vocabulary.symbols)


def _highest_inverses(poly: Poly) -> dict[Atom, int]:
    highest: dict[Atom, int] = {}
    for monomial in poly:
        for atom, exponent in monomial:
            if atom[0] == "inv":
                highest[atom] = max(highest.get(atom, 0), int(exponent))
    return highest
