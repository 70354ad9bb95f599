"""Forms of an expression that neither overflow nor cancel, as far as one is known.

`stable` rewrites an expression with the functions that libraries provide for that purpose, each a
node that stands for a plain expression: log1p, expm1, logaddexp, hypot and the logistic function.
It returns the identities that it used; a form counts only if the kernels prove all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp


class _Node(sp.Function):  # type: ignore[misc]  # SymPy ships no types
    """A function of a library that stands for a plain expression of real numbers."""

    is_real = True


class Log1p(_Node):
    """ln(1 + a), accurate for small a."""

    nargs = 1


class Expm1(_Node):
    """e^a − 1, accurate for small a."""

    nargs = 1


class LogAddExp(_Node):
    """ln(e^a + e^b), without overflow."""

    nargs = 2


class Logistic(_Node):
    """1/(1 + e^−a), without overflow."""

    nargs = 1


class Hypot(_Node):
    """√(a² + b²), without overflow."""

    nargs = 2


_MEANINGS: Mapping[Any, Callable[..., sp.Expr]] = {
    Log1p: lambda a: sp.log(1 + a),
    Expm1: lambda a: sp.exp(a) - 1,
    LogAddExp: lambda a, b: sp.log(sp.exp(a) + sp.exp(b)),
    Logistic: lambda a: 1 / (1 + sp.exp(-a)),
    Hypot: lambda a, b: sp.sqrt(a**2 + b**2),
}


def plain(e: sp.Expr) -> sp.Expr:
    """Write every node out as what it stands for.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> plain(Log1p(x) + Logistic(x))
    log(x + 1) + 1/(1 + exp(-x))
    """
    if not e.args:
        return e
    parts = [plain(part) for part in e.args]
    return _MEANINGS[e.func](*parts) if e.func in _MEANINGS else _remade(e, parts)


def _remade(e: sp.Expr, parts: Sequence[Any]) -> sp.Expr:
    if all(a is b for a, b in zip(e.args, parts, strict=True)):
        return e
    return e.func(*parts, evaluate=False) if isinstance(e, sp.Piecewise) else e.func(*parts)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A form for code, and the identities that it was made with.

    Parameters
    ----------
    form : sympy.Expr
        With nodes.
    identities : frozenset of pairs
        Equations between plain expressions of the symbols a and b.  If they hold for all reals
        (where both sides are defined), the form is equal to what it was made of: each rewriting put
        one side in the other's place.
    """

    form: sp.Expr
    identities: frozenset[tuple[sp.Expr, sp.Expr]]


def stable(e: sp.Expr) -> Rewritten:
    """Return an equal expression whose code keeps its digits better, as far as one is known.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> stable(sp.log(1 + sp.exp(x)) + sp.exp(x) / (1 + sp.exp(x))).form
    LogAddExp(0, x) + Logistic(x)
    >>> found = stable(sp.sqrt(1 + x**2) + (1 - sp.tanh(x) ** 2))
    >>> found.form
    Hypot(1, x) + 4*Logistic(-2*x)*Logistic(2*x)
    >>> sorted(map(str, found.identities))[0]
    '(1 - tanh(a)**2, 4/((1 + exp(-2*a))*(exp(2*a) + 1)))'
    """
    rewriter = _Rewriter()
    form = rewriter.stable(e)
    return Rewritten(form, frozenset(rewriter.identities))


_A, _B = sp.Symbol("a", real=True), sp.Symbol("b", real=True)


class _Rewriter:
    """Rewrites from the inside out; every replacement notes the identity that it is one case of."""

    def __init__(self) -> None:
        self.identities: set[tuple[sp.Expr, sp.Expr]] = set()

    def note(self, old: sp.Expr, new: sp.Expr) -> None:
        old, new = plain(old), plain(new)
        if old != new:
            self.identities.add((old, new))

    def stable(self, e: sp.Expr) -> sp.Expr:
        if not e.free_symbols:
            return e  # a constant: SymPy cannot compare nodes of numbers, in a maximum say
        if e.is_Mul or (e.is_Pow and e.exp.is_Integer and e.exp < 0):
            e = self.logistic_factors(e)
        e = _remade(e, [self.stable(part) for part in e.args])
        if isinstance(e, sp.log):
            return self.log(e.args[0])
        if e.is_Add:
            return self.sum(e)
        if e.is_Pow and e.exp.is_Rational and e.exp.q == 2:
            return self.root(e.base) ** (2 * e.exp)
        return e

    def logistic_factors(self, e: sp.Expr) -> sp.Expr:
        """Write e^(ka)/(1 + e^a)^n with 0 ≤ k ≤ n as σ(a)^k σ(−a)^(n−k)."""
        factors = list(sp.Mul.make_args(e))
        for factor in tuple(factors):
            a = _one_plus_exp(factor.base) if factor.is_Pow and factor.exp.is_Integer else None
            if a is None or factor.exp > 0:
                continue
            n, k, used = -int(factor.exp), 0, None
            for other in factors:
                ratio = other.exp / a if isinstance(other, sp.exp) else None
                if ratio is not None and ratio.is_Integer and 0 < ratio <= n:
                    k, used = int(ratio), other
            factors.remove(factor)
            if used is not None:
                factors.remove(used)
            factors += [Logistic(a) ** k, Logistic(-a) ** (n - k)]
            old = sp.exp(k * _A) / (1 + sp.exp(_A)) ** n
            self.note(old, Logistic(_A) ** k * Logistic(-_A) ** (n - k))
        return sp.Mul(*factors)

    def log(self, a: sp.Expr) -> sp.Expr:
        if isinstance(a, Logistic):
            self.note(sp.log(Logistic(_A)), -LogAddExp(0, -_A))
            return -LogAddExp(0, -a.args[0])
        if a.is_Add and len(a.args) == 2:
            exponents = [sp.Integer(0) if t == 1 else _exponent(t) for t in a.args]
            if None not in exponents:
                self.note(sp.log(sp.exp(_A) + sp.exp(_B)), LogAddExp(_A, _B))
                return LogAddExp(*exponents)
        if a.is_Add and 1 in a.args:
            self.note(sp.log(1 + _A), Log1p(_A))
            return Log1p(a - 1)
        return sp.log(a)

    def sum(self, e: sp.Expr) -> sp.Expr:
        """Rewrite c − c·g for the functions g that come close to 1."""
        constant, rest = e.as_coeff_Add()
        if constant == 0:
            return e
        for term in sp.Add.make_args(rest):
            coefficient, inner = term.as_coeff_Mul()
            better = _one_minus(inner) if coefficient == -constant else None
            if better is not None:
                general = _of_symbol(inner)
                self.note(1 - general, _one_minus(general))
                return constant * better + (rest - term)
        return e

    def root(self, a: sp.Expr) -> sp.Expr:
        """Return √a."""
        if a.is_Add and len(a.args) == 2:
            sides = [_square_root(term) for term in a.args]
            if None not in sides:
                self.note(sp.sqrt(_A**2 + _B**2), Hypot(_A, _B))
                return Hypot(*sides)
        return sp.sqrt(a)


def _one_plus_exp(e: sp.Expr) -> sp.Expr | None:
    """Return a if e is 1 + e^a."""
    if e.is_Add and len(e.args) == 2 and e.args[0] == 1 and isinstance(e.args[1], sp.exp):
        return e.args[1].exp
    return None


def _exponent(e: sp.Expr) -> sp.Expr | None:
    return e.exp if isinstance(e, sp.exp) else None


def _of_symbol(g: sp.Expr) -> sp.Expr:
    """Return g with the symbol a for its argument; for a square, in the function squared."""
    if g.is_Pow and g.exp == 2 and not isinstance(g, sp.exp):
        base = g.base
        return (base.func(_A) if isinstance(base, _SQUARED) else _A) ** 2
    return g.func(_A)


_SQUARED = (sp.tanh, sp.sin, sp.cos)


def _one_minus(g: sp.Expr) -> sp.Expr | None:
    """Return a form of 1 − g that does not cancel, if one is known."""
    if isinstance(g, sp.exp):
        return -Expm1(g.exp)
    if isinstance(g, Logistic):
        return Logistic(-g.args[0])
    if isinstance(g, sp.cos):
        return 2 * sp.sin(g.args[0] / 2) ** 2
    if isinstance(g, sp.cosh):
        return -2 * sp.sinh(g.args[0] / 2) ** 2
    if not (g.is_Pow and g.exp == 2):
        return None
    inner = g.base
    if isinstance(inner, sp.tanh):
        a = 2 * inner.args[0]
        return 4 * Logistic(a) * Logistic(-a)
    if isinstance(inner, sp.sin):
        return sp.cos(inner.args[0]) ** 2
    if isinstance(inner, sp.cos):
        return sp.sin(inner.args[0]) ** 2
    return sp.Mul(1 - inner, 1 + inner)


def _square_root(e: sp.Expr) -> sp.Expr | None:
    if e.is_Pow and e.exp == 2:
        return e.base
    if e.is_Rational and e > 0 and sp.sqrt(e).is_Rational:
        return sp.sqrt(e)
    return None
