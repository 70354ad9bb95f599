"""The proof that an identity in exp, log, tanh, erf, roots and fractions holds for all reals.

Every exponential becomes a power of a generator u = exp(m/q), every logarithm a combination of
generators L = log p, and the difference of the two sides a rational function of symbols and
generators.  If its numerator is the zero polynomial, the identity holds wherever both sides are
defined.  The rules, each sound for real values only, which is why a symbol that is not declared
real is refused:

E   exp(Σ c_m m) = Π exp(m/q)^(c_m q), with q a common denominator of the rational coefficients c_m,
    and exp(c log p) = p^c for an integer c
L   log(c Π p^e) = Σ e log p, every factor p being positive for sure (`_sign`), and log exp m = m
H   tanh a = (e^a − e^−a)/(e^a + e^−a), and the like
M   max(a, b) = a where a − b is positive for sure
F   an opaque function and erf are generators, one for each argument, and so is π
R   √p is a generator r with r² = p, and p^(k/2) = r^k

This kernel shares no code with `derivations.kernels.indexed`: its arithmetic is that of SymPy's
sparse polynomials (`derivations.kernels.quotients`), that kernel's is its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sympy as sp

from derivations.expressions.language import OpaqueFunction
from derivations.kernels import quotients, witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class UndecidedError(ValueError):
    """An expression is outside the class; the message names the part."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the kernel found out about an identity.

    Parameters
    ----------
    kind : {"proved", "different", "undecided"}
        ``different`` only with a point at which interval arithmetic separates the two sides.
    reason : str
        Why it is undecided.
    conditions : tuple of sympy.Expr
        Denominators that were not shown to be non-zero: the identity holds where they are.
    point : Point or None
        Where the sides differ.
    """

    kind: Literal["proved", "different", "undecided"]
    reason: str = ""
    conditions: tuple[sp.Expr, ...] = ()
    point: witness.Point | None = None


def decide(lhs: sp.Expr, rhs: sp.Expr | int = 0) -> Decision:
    """Decide whether two expressions are equal for all real values of their symbols.

    Parameters
    ----------
    lhs, rhs : sympy.Expr
        Without unevaluated derivatives, sums or indexed families.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import x
    >>> decide(sp.log(1 + sp.exp(x)) - x, sp.log(1 + sp.exp(-x))).kind
    'proved'
    >>> decide(sp.tanh(x), 2 * sp.tanh(x / 2)).kind
    'different'
    >>> decide(sp.log(x**2), 2 * sp.log(x)).reason
    'the sign of x inside a logarithm is not known'
    """
    lhs, rhs = sp.sympify(lhs), sp.sympify(rhs)
    decision = prove(lhs, rhs)
    if decision.kind == "proved":
        return decision
    point = witness.find(lhs - rhs)
    return decision if point is None else Decision("different", point=point)


def prove(lhs: sp.Expr, rhs: sp.Expr) -> Decision:
    """Do the same, but look for no point where the sides differ.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> prove(x + 1, x).kind
    'undecided'
    """
    try:
        tower = _Tower(_common_denominator(lhs, rhs))
        numerator = tower.numerator(tower.convert(lhs) - tower.convert(rhs))
    except UndecidedError as error:
        return Decision("undecided", reason=str(error))
    if numerator == 0:
        return Decision("proved", conditions=tuple(tower.conditions()))
    return Decision("undecided", reason="the normal form is not zero, but no witness was found")


def _common_denominator(*expressions: sp.Expr) -> int:
    """Return the least common multiple of the denominators in all exponents (q of rule E)."""
    exponents = (part.args[0] for e in expressions for part in _exponentials(e))
    numbers = (number.q for exponent in exponents for number in exponent.atoms(sp.Rational))
    return math.lcm(*numbers)


def _exponentials(expression: sp.Expr) -> Iterator[sp.Expr]:
    yield from expression.atoms(sp.exp, *_HYPERBOLIC)


_HYPERBOLIC: Mapping[type, Callable[[sp.Expr], sp.Expr]] = {  # rule H
    sp.tanh: lambda a: (sp.exp(a) - sp.exp(-a)) / (sp.exp(a) + sp.exp(-a)),
    sp.sinh: lambda a: (sp.exp(a) - sp.exp(-a)) / 2,
    sp.cosh: lambda a: (sp.exp(a) + sp.exp(-a)) / 2,
}


class _Tower:
    """The generators of one identity, made as they are met."""

    def __init__(self, unit: int) -> None:
        self._unit = unit  # q of rule E
        self._memo: dict[sp.Expr, sp.Expr] = {}
        self._exponentials: dict[sp.Expr, sp.Symbol] = {}  # m -> exp(m/q)
        self._logarithms: dict[sp.Expr, sp.Symbol] = {}  # irreducible p -> log p
        self._opaque: dict[tuple[type, sp.Expr], sp.Symbol] = {}
        self._roots: dict[sp.Expr, sp.Symbol] = {}  # p -> √p, those inside of others first
        self._pi = sp.Dummy(positive=True)
        self._denominators: dict[sp.Expr, sp.Expr] = {}  # as written -> in generators

    def convert(self, e: sp.Expr) -> sp.Expr:
        """Return a rational function of the generators."""
        if e not in self._memo:
            self._memo[e] = self._convert(e)
        return self._memo[e]

    def numerator(self, expression: sp.Expr) -> sp.Expr:
        """Return the expanded numerator, no root in it squared (rule R)."""
        top = quotients.numerator(expression)
        for argument, root in reversed(self._roots.items()):
            if top.has(root):
                powers = sp.Poly(top, root).as_dict()
                terms = (c * argument ** (e // 2) * root ** (e % 2) for (e,), c in powers.items())
                top = quotients.numerator(sp.Add(*terms))
        return top

    def conditions(self) -> Iterator[sp.Expr]:
        """Yield the denominators whose sign is not known."""
        for written, converted in self._denominators.items():
            if _sign(converted) is None:
                yield written

    def _convert(self, e: sp.Expr) -> sp.Expr:
        if e.is_Rational:
            return e
        if e.is_Symbol:
            if not e.is_real:
                raise UndecidedError(f"the symbol {e} is not declared real")
            return e
        if e.is_Add or e.is_Mul:
            return e.func(*(self.convert(part) for part in e.args))
        if e is sp.E:
            return self._exp(sp.Integer(1))
        if e is sp.pi:
            return self._pi
        if e.is_Pow:
            return self._power(e)
        if isinstance(e, sp.exp):
            return self._exp(self.convert(e.exp))
        if isinstance(e, sp.log) and len(e.args) == 1:
            return self._log(self.convert(e.args[0]))
        if type(e) in _HYPERBOLIC:
            return self.convert(_HYPERBOLIC[type(e)](e.args[0]))
        if isinstance(e, sp.Max):
            return self._larger(e)
        if isinstance(e, OpaqueFunction | sp.erf):
            key = e.func, _simplest(self.convert(e.args[0]))
            return self._opaque.setdefault(key, sp.Dummy(real=True))
        raise UndecidedError(f"no rule for {e.func.__name__} in {e}")

    def _power(self, e: sp.Expr) -> sp.Expr:
        base, exponent = e.args
        if not (exponent.is_Rational and exponent.q in (1, 2)):
            raise UndecidedError(f"no rule for the power {e}")
        converted = self.convert(base)
        if exponent.q == 2:
            converted, exponent = self._root(converted), sp.Integer(exponent.p)
        if exponent.is_negative:
            if self.numerator(converted) == 0:
                raise UndecidedError(f"the denominator {base} is identically zero")
            self._denominators[base] = converted
        return converted**exponent

    def _root(self, argument: sp.Expr) -> sp.Symbol:
        """Rule R."""
        argument = _simplest(argument)
        kind = {"positive": True} if _sign(argument) == 1 else {"nonnegative": True}
        return self._roots.setdefault(argument, sp.Dummy(**kind))

    def _exp(self, exponent: sp.Expr) -> sp.Expr:
        """Rule E."""
        out = sp.Integer(1)
        for term in sp.Add.make_args(_simplest(exponent)):
            coefficient, monomial = term.as_coeff_Mul()
            if monomial in self._logarithms.values() and coefficient.is_Integer:
                out *= self._argument_of(monomial) ** coefficient
                continue
            multiple = coefficient * self._unit
            if not multiple.is_Integer:
                raise UndecidedError(f"the coefficient {coefficient} in an exponent")
            generator = self._exponentials.setdefault(monomial, sp.Dummy(positive=True))
            out *= generator**multiple
        return out

    def _argument_of(self, logarithm: sp.Symbol) -> sp.Expr:
        return next(p for p, generator in self._logarithms.items() if generator == logarithm)

    def _log(self, argument: sp.Expr) -> sp.Expr:
        """Rule L."""
        numerator, denominator = sp.fraction(sp.together(argument))
        if sp.expand(numerator) == 0:
            raise UndecidedError("the logarithm of zero")
        top, bottom = self._log_polynomial(numerator), self._log_polynomial(denominator)
        if top[1] != bottom[1]:
            raise UndecidedError("the logarithm of a negative number")
        return top[0] - bottom[0]

    def _log_polynomial(self, polynomial: sp.Expr) -> tuple[sp.Expr, int]:
        """Return log |p| and the sign of p."""
        content, factors = sp.factor_list(polynomial)
        sign = 1 if content > 0 else -1
        out = sum(
            (e * self._generator(sp.Integer(p)) for p, e in sp.factorrat(abs(content)).items()),
            start=sp.Integer(0),
        )
        exponentials = {u: m for m, u in self._exponentials.items()}
        for factor, multiplicity in factors:
            positive = _sign(factor)
            if positive is None:
                raise UndecidedError(f"the sign of {factor} inside a logarithm is not known")
            sign *= positive**multiplicity
            if factor in exponentials:
                out += multiplicity * exponentials[factor] / self._unit
            else:
                out += multiplicity * self._generator(sp.expand(positive * factor))
        return out, sign

    def _generator(self, factor: sp.Expr) -> sp.Symbol:
        return self._logarithms.setdefault(factor, sp.Dummy(real=True))

    def _larger(self, e: sp.Max) -> sp.Expr:
        """Rule M."""
        for candidate in e.args:
            rest = [other for other in e.args if other is not candidate]
            if all(_sign(self.convert(candidate - other)) == 1 for other in rest):
                return self.convert(candidate)
        raise UndecidedError(f"which argument of {e} is the largest is not known")


def _simplest(expression: sp.Expr) -> sp.Expr:
    """Write a rational function as a sum of monomials over one denominator."""
    numerator, denominator = sp.fraction(sp.together(expression))
    return sp.expand(sp.expand(numerator) / sp.expand(denominator))


def _sign(expression: sp.Expr) -> int | None:
    """Return 1 or −1 where an expression is positive or negative for sure, None otherwise.

    Every term of the expanded numerator and denominator must have the same sign, judged by the
    declared signs of its symbols and by even powers, and at least one must not vanish.
    """
    signs = [_sign_sum(sp.expand(part)) for part in sp.fraction(sp.together(expression))]
    return None if None in signs else math.prod(s for s in signs if s is not None)


def _sign_sum(expanded: sp.Expr) -> int | None:
    kinds = [_sign_term(term) for term in sp.Add.make_args(expanded)]
    if any(sign is None for sign, _ in kinds) or not any(strict for _, strict in kinds):
        return None
    signs = {sign for sign, _ in kinds if sign is not None}
    return signs.pop() if len(signs) == 1 else None


def _sign_term(term: sp.Expr) -> tuple[int | None, bool]:
    """Return the sign that a monomial has where it is not zero, and whether it never is."""
    coefficient, monomial = term.as_coeff_Mul()
    sign: int = 1 if coefficient > 0 else -1
    strict = coefficient != 0
    for factor in sp.Mul.make_args(monomial):
        base, exponent = factor.as_base_exp()
        if base.is_positive or base == 1:
            continue
        if base.is_negative:
            sign *= (-1) ** int(exponent)
        elif base.is_nonnegative or (base.is_real and exponent.is_even):
            strict = False
        else:
            return None, False
    return sign, strict
