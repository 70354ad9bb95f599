"""The rules by which a scalar expression is differentiated, one step at a time.

The rules of `derivations.steps.rules` for sums, products, quotients, exp, ln and tanh, and those for the
other functions of the grammar.  A rule proposes; `derivations.steps.judge` checks what it made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from derivations.expressions.calculus import depends
from derivations.expressions.language import derivative, plus
from derivations.steps.rules import (
    CONSTANT,
    EXP,
    ITSELF,
    LINEAR,
    LOG,
    POWER,
    PRODUCT,
    QUOTIENT,
    RECIPROCAL,
    TANH,
    Rule,
)

_Outer = Callable[[sp.Expr], sp.Expr]


def _slope(f: sp.Expr, v: sp.Symbol) -> sp.Expr:
    """Return the unevaluated derivative, 1 for the variable itself and 0 for a constant."""
    if f == v:
        return sp.Integer(1)
    return derivative(f, v) if depends(f, v) else sp.Integer(0)


def _rule(name: str, rewrite: Callable[[sp.Expr, sp.Symbol], sp.Expr | None]) -> Rule:
    def at(node: sp.Expr) -> sp.Expr | None:
        if isinstance(node, sp.Derivative) and len(node.variables) == 1:
            return rewrite(node.expr, node.variables[0])
        return None

    return Rule(name, at)


def _chain(kind: Any, called: str, outer: _Outer) -> Rule:
    def rewrite(f: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
        return outer(f.args[0]) * _slope(f.args[0], v) if isinstance(f, kind) else None

    return _rule(f"derivative of {called}, chain rule", rewrite)


def _constant_exponent(f: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
    if not f.is_Pow or depends(f.exp, v):
        return None
    return f.exp * f.base ** (f.exp - 1) * _slope(f.base, v)


def _constant_base(f: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
    if not f.is_Pow or depends(f.base, v):
        return None
    return f * sp.log(f.base) * _slope(f.exp, v)


def _general_power(f: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
    if not f.is_Pow:
        return None
    logarithm = sp.log(f.base)
    return f * plus(_slope(f.exp, v) * logarithm, f.exp * _slope(f.base, v) / f.base)


def _extreme(f: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
    if not isinstance(f, (sp.Max, sp.Min)):
        return None
    first, *others = f.args
    rest = f.func(*others)
    first_wins = sp.Gt(first, rest) if isinstance(f, sp.Max) else sp.Lt(first, rest)
    cases = ((_slope(first, v), first_wins), (_slope(rest, v), True))
    return sp.Piecewise(*cases, evaluate=False)


# In the order in which they are tried; the first that applies is used.
RULES: tuple[Rule, ...] = (
    CONSTANT,
    ITSELF,
    LINEAR,
    RECIPROCAL,
    POWER,
    QUOTIENT,
    PRODUCT,
    EXP,
    LOG,
    TANH,
    _rule("power rule", _constant_exponent),
    _rule("(a^u)′ = a^u ln a · u′", _constant_base),
    _rule("(b^u)′ = b^u (u ln b)′", _general_power),
    _chain(sp.sin, "sin", sp.cos),
    _chain(sp.cos, "cos", lambda a: -sp.sin(a)),
    _chain(sp.tan, "tan", lambda a: 1 + sp.tan(a) ** 2),
    _chain(sp.sinh, "sinh", sp.cosh),
    _chain(sp.cosh, "cosh", sp.sinh),
    _chain(sp.asin, "arcsin", lambda a: 1 / sp.sqrt(1 - a**2)),
    _chain(sp.acos, "arccos", lambda a: -1 / sp.sqrt(1 - a**2)),
    _chain(sp.atan, "arctan", lambda a: 1 / (1 + a**2)),
    _chain(sp.asinh, "arsinh", lambda a: 1 / sp.sqrt(1 + a**2)),
    _chain(sp.acosh, "arcosh", lambda a: 1 / sp.sqrt(a**2 - 1)),
    _chain(sp.atanh, "artanh", lambda a: 1 / (1 - a**2)),
    _chain(sp.Abs, "abs away from its kink", sp.sign),
    _chain(sp.sign, "sgn away from its jump", lambda _: sp.Integer(0)),
    _rule("the derivative of an extreme is that of the argument it takes", _extreme),
)


def next_rule(expression: sp.Expr) -> Rule | None:
    """Return the rule for the first unevaluated derivative; None if there is none left.

    Raises
    ------
    LookupError
        If no rule applies to it.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> next_rule(derivative(sp.sin(x) * x, x)).name
    'product rule'
    """
    node = next(_derivatives(expression), None)
    if node is None:
        return None
    for rule in RULES:
        if rule.rewrite(node) is not None:
            return rule
    raise LookupError(f"no rule applies to {node}")


def _derivatives(expression: sp.Expr) -> Iterator[sp.Derivative]:
    if isinstance(expression, sp.Derivative):
        yield expression
        return
    for part in expression.args:
        yield from _derivatives(part)
