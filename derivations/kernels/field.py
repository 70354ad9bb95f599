"""A differential field: expressions as rational functions of generators, each with its derivative.

Every function in an expression becomes a generator with a derivative and, for some, an algebraic
relation: e^a, ln a, sin a and cos a (c² = 1 − s²), sinh a and cosh a, the roots (r^q = a), general
powers a^b, the inverse functions, and the sign σ of a (σ² = 1, derivative 0, wherever a ≠ 0), of
which |a| = σa, max(a, b) = (a + b + σ(a − b)(a − b))/2 and conditions are made.  An expression is
zero, wherever its parts are defined, if its numerator is the zero polynomial after the relations
have been used.  The converse fails: this kernel does not know that ln(xy) = ln x + ln y.

What is trusted: SymPy's construction of expressions, ``together`` and ``expand``, its ``diff`` of a
rational function, and the table of derivatives below, which is not the one of the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp


class OutsideFieldError(ValueError):
    """An expression has a part that there is no generator for."""


@dataclass(frozen=True, slots=True)
class _Relation:
    """generator^degree = value, an expression in generators made earlier."""

    generator: sp.Symbol
    degree: int
    value: sp.Expr


class Field:
    """The generators of one identity, made as they are met.

    Examples
    --------
    >>> from derivations.expressions.language import derivative, x
    >>> Field().is_zero(derivative(sp.sin(x) ** 2, x) - 2 * sp.sin(x) * sp.cos(x))
    True
    >>> Field().is_zero(sp.cos(x) ** 2 + sp.sin(x) ** 2 - 1), Field().is_zero(sp.cos(x) - 1)
    (True, False)
    """

    def __init__(self) -> None:
        self._memo: dict[sp.Expr, sp.Expr] = {}
        self._made: dict[tuple[Any, ...], sp.Symbol] = {}
        self._slopes: dict[sp.Symbol, Callable[[sp.Symbol], sp.Expr]] = {}
        self._known_slopes: dict[tuple[sp.Symbol, sp.Symbol], sp.Expr] = {}
        self._relations: list[_Relation] = []

    def is_zero(self, expression: sp.Expr) -> bool:
        """Whether an expression is shown to be zero; False says nothing.

        Parameters
        ----------
        expression : sympy.Expr
            Over real symbols; unevaluated derivatives by a symbol are evaluated.

        Raises
        ------
        OutsideFieldError
            If some part has no generator.
        """
        numerator = _numerator(self.convert(expression))
        for relation in reversed(self._relations):  # a value holds earlier generators only
            if numerator == 0:
                return True
            numerator = _reduced(numerator, relation)
        return bool(numerator == 0)

    def convert(self, e: sp.Expr) -> sp.Expr:
        """Return a rational function of symbols and generators."""
        if e not in self._memo:
            self._memo[e] = self._convert(e)
        return self._memo[e]

    def _convert(self, e: sp.Expr) -> sp.Expr:
        if e.is_Rational:
            return e
        if isinstance(e, sp.Symbol):
            if not e.is_real:
                raise OutsideFieldError(f"the symbol {e} is not declared real")
            return e
        if e.is_Add or e.is_Mul:
            return e.func(*(self.convert(part) for part in e.args))
        if e is sp.pi or e is sp.E:
            return self._generator(("constant", e), lambda _: sp.Integer(0), positive=True)
        if isinstance(e, sp.Derivative):
            return self._differentiated(e)
        if isinstance(e, sp.Piecewise):
            return self._piecewise(e)
        if isinstance(e, (sp.exp, sp.Pow)):
            return self._power(e)
        return self._function(e)

    def _generator(
        self, key: tuple[Any, ...], slope: Callable[[sp.Symbol], sp.Expr], *, positive: bool = False
    ) -> sp.Symbol:
        if key not in self._made:
            kind = {"positive": True} if positive else {"real": True}
            self._made[key] = sp.Dummy(str(key[0]), **kind)
            self._slopes[self._made[key]] = slope
        return self._made[key]

    def _related(self, generator: sp.Symbol, degree: int, value: sp.Expr) -> None:
        if all(r.generator != generator for r in self._relations):
            self._relations.append(_Relation(generator, degree, value))

    # --- derivatives -----------------------------------------------------------------------------

    def _differentiated(self, e: sp.Derivative) -> sp.Expr:
        result = self.convert(e.expr)
        for variable in e.variables:
            result = self.slope(result, variable)
        return result

    def slope(self, converted: sp.Expr, v: sp.Symbol) -> sp.Expr:
        """Return the derivative of a rational function of generators: the chain rule."""
        out = sp.diff(converted, v)
        for g in sorted(converted.free_symbols & self._slopes.keys(), key=str):
            if (g, v) not in self._known_slopes:
                self._known_slopes[g, v] = self._slopes[g](v)
            if self._known_slopes[g, v] != 0:
                out += sp.diff(converted, g) * self._known_slopes[g, v]
        return out

    # --- powers ----------------------------------------------------------------------------------

    def _power(self, e: sp.Expr) -> sp.Expr:
        base, exponent = e.base, e.exp
        if exponent.is_Integer:
            return self.convert(base) ** exponent
        if base.is_Rational and 0 < base < 1:
            base, exponent = 1 / base, -exponent
        out = sp.Integer(1)
        for term in sp.Add.make_args(exponent):
            coefficient, rest = term.as_coeff_Mul()
            if rest == 1:
                out *= self._root(base, coefficient)
            else:
                out *= self._general(base, rest / coefficient.q) ** coefficient.p
        return out

    def _root(self, base: sp.Expr, exponent: sp.Rational) -> sp.Expr:
        a, q = self.convert(base), int(exponent.q)
        if q == 1:
            return a**exponent

        def slope(v: sp.Symbol) -> sp.Expr:
            return self.slope(a, v) * root / (q * a)

        root = self._generator(("root", a, q), slope, positive=True)
        self._related(root, q, a)
        return root**exponent.p

    def _general(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        b = self.convert(exponent)
        if b.could_extract_minus_sign():
            return 1 / self._general(base, -exponent)
        if base is sp.E:
            power = self._generator(("exp", b), lambda v: power * self.slope(b, v), positive=True)
            return power
        a, logarithm = self.convert(base), self.convert(sp.log(base))

        def slope(v: sp.Symbol) -> sp.Expr:
            return power * (self.slope(b, v) * logarithm + b * self.slope(a, v) / a)

        power = self._generator(("power", a, b), slope, positive=True)
        return power

    # --- functions -------------------------------------------------------------------------------

    def _function(self, e: sp.Expr) -> sp.Expr:
        if isinstance(e, (sp.Max, sp.Min)):
            return self._extreme(e)
        if len(e.args) != 1:
            raise OutsideFieldError(f"no generator for {e.func.__name__}")
        a = self.convert(e.args[0])
        if isinstance(e, sp.Abs):
            return self._sign(a) * a
        if isinstance(e, sp.sign):
            return self._sign(a)
        if isinstance(e, (sp.sin, sp.cos, sp.tan)):
            s, c = self._circular(a)
            return {sp.sin: s, sp.cos: c, sp.tan: s / c}[e.func]
        if isinstance(e, (sp.sinh, sp.cosh, sp.tanh)):
            s, c = self._pair("sinh", "cosh", a, 1)
            return {sp.sinh: s, sp.cosh: c, sp.tanh: s / c}[e.func]
        if e.func not in _INVERSE:
            raise OutsideFieldError(f"no generator for {e.func.__name__}")
        factor = self.convert(_INVERSE[e.func](e.args[0]))
        return self._generator((e.func.__name__, a), lambda v: factor * self.slope(a, v))

    def _circular(self, a: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """Return sine and cosine; those of m and of m/2 are made of the same generators."""
        coefficient, rest = a.as_coeff_Mul()
        if coefficient not in (1, -1) or rest == 1:
            return self._pair("sin", "cos", a, -1)
        s, c = self._pair("sin", "cos", a / 2, -1)
        return 2 * s * c, c**2 - s**2

    def _pair(self, odd: str, even: str, a: sp.Expr, sign: int) -> tuple[sp.Expr, sp.Expr]:
        """Return sine and cosine, or their hyperbolic relatives: c² = 1 + sign·s²."""
        if a.could_extract_minus_sign():
            s, c = self._pair(odd, even, -a, sign)
            return -s, c
        s = self._generator((odd, a), lambda v: c * self.slope(a, v))
        c = self._generator((even, a), lambda v: sign * s * self.slope(a, v))
        self._related(c, 2, 1 + sign * s**2)
        return s, c

    def _sign(self, a: sp.Expr) -> sp.Expr:
        if a.could_extract_minus_sign():
            return -self._sign(-a)
        sign = self._generator(("sign", a), lambda _: sp.Integer(0))
        self._related(sign, 2, sp.Integer(1))
        return sign

    def _extreme(self, e: sp.Expr) -> sp.Expr:
        first, *others = e.args
        a = self.convert(first)
        if not others:
            return a
        b = self._extreme(_Arguments(e.func, tuple(others)))
        side = 1 if e.func is sp.Max else -1
        return (a + b + side * self._sign(a - b) * (a - b)) / 2

    def _piecewise(self, e: sp.Piecewise) -> sp.Expr:
        *cases, (last, otherwise) = e.args
        if otherwise != sp.true:
            raise OutsideFieldError("the last case must hold always")
        out = self.convert(last)
        for value, condition in reversed(cases):
            if not isinstance(condition, (sp.Gt, sp.Ge, sp.Lt, sp.Le)):
                raise OutsideFieldError(f"no rule for the condition {condition}")
            difference = self.convert(condition.gts) - self.convert(condition.lts)
            holds = (1 + self._sign(difference)) / 2
            out = holds * self.convert(value) + (1 - holds) * out
        return out


@dataclass(frozen=True, slots=True)
class _Arguments:
    """What is left of a maximum without its first argument."""

    func: Any
    args: tuple[sp.Expr, ...]


# The derivative of each function of one argument that has no relation.
_INVERSE: dict[Any, Callable[[sp.Expr], sp.Expr]] = {
    sp.log: lambda a: 1 / a,
    sp.asin: lambda a: 1 / sp.sqrt(1 - a**2),
    sp.acos: lambda a: -1 / sp.sqrt(1 - a**2),
    sp.atan: lambda a: 1 / (1 + a**2),
    sp.asinh: lambda a: 1 / sp.sqrt(1 + a**2),
    sp.acosh: lambda a: 1 / sp.sqrt(a**2 - 1),
    sp.atanh: lambda a: 1 / (1 - a**2),
}


def _numerator(expression: sp.Expr) -> sp.Expr:
    return sp.expand(sp.fraction(sp.together(expression))[0])


def _reduced(numerator: sp.Expr, relation: _Relation) -> sp.Expr:
    """Replace every power of a generator that its relation can lower."""
    g, out = relation.generator, []
    for term in sp.Add.make_args(numerator):
        exponent = int(term.as_coeff_exponent(g)[1])
        often, rest = divmod(exponent, relation.degree)
        if often:
            term = term / g**exponent * g**rest * relation.value**often
        out.append(term)
    return _numerator(sp.Add(*out))
