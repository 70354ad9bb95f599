"""Named rules: a step's result is made by the rule, so the name printed beside it is what was done.

A rule rewrites the outermost places where it applies and refuses (`RuleError`) where it applies
nowhere.  Rules only propose; `derivations.steps.build.Builder` has the kernels check every result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from derivations.expressions.calculus import depends, free_symbols, fresh_index, rename_free
from derivations.expressions.language import OpaqueFunction, derivative, plus, times, total
from derivations.records import Hypothesis

_Rewrite = Callable[[sp.Expr], sp.Expr | None]


class RuleError(ValueError):
    """A rule does not apply to an expression."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rewriting.

    Parameters
    ----------
    name : str
        What the step is called in the report.
    rewrite : callable
        The new form of a node, or None where the rule does not apply.
    using : tuple of Hypothesis
        The hypotheses that make it true.

    Examples
    --------
    >>> from derivations.expressions.language import derivative, x
    >>> POWER(derivative(x**3, x))
    3*x**2
    """

    name: str
    rewrite: _Rewrite
    using: tuple[Hypothesis, ...] = ()

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """Return the expression with the rule applied at its outermost places.

        Raises
        ------
        RuleError
            If there is no such place.
        """
        changed = _everywhere(expression, self.rewrite)
        if changed is None:
            raise RuleError(f"the rule {self.name!r} does not apply to {expression}")
        return changed


def then(name: str, *rules: Rule) -> Rule:
    """Return the rule that applies several in turn, shown as one step."""

    def rewrite(expression: sp.Expr) -> sp.Expr:
        for rule in rules:
            expression = rule(expression)
        return expression

    return Rule(name, rewrite, tuple(h for rule in rules for h in rule.using))


def _everywhere(expression: sp.Expr, rewrite: _Rewrite) -> sp.Expr | None:
    """Rewrite the outermost matching nodes; None if there is none.

    A sum or product that was written without being evaluated stays so: only what the rule touches
    changes its form.
    """
    found = rewrite(expression)
    if found is not None:
        return found
    if isinstance(expression, sp.Symbol | sp.Indexed) or not expression.args:
        return None
    parts = _parts(expression)
    changed = [_everywhere(part, rewrite) for part in parts]
    if all(part is None for part in changed):
        return None
    new = [old if part is None else part for old, part in zip(parts, changed, strict=True)]
    if isinstance(expression, sp.Sum):
        return sp.Sum(new[0], *expression.limits)
    if isinstance(expression, sp.Derivative):
        return sp.Derivative(new[0], *expression.variables, evaluate=False)
    if expression.func(*parts) != expression:
        return expression.func(*new, evaluate=False)
    return expression.func(*new)


def _parts(expression: sp.Expr) -> tuple[sp.Expr, ...]:
    if isinstance(expression, sp.Sum):
        return (expression.function,)
    if isinstance(expression, sp.Derivative):
        return (expression.expr,)
    return tuple(expression.args)


# --- differentiation: each acts on an unevaluated derivative by one variable ---------------------


def _of_derivative(rewrite: Callable[[sp.Expr, sp.Expr], sp.Expr | None]) -> _Rewrite:
    def at(node: sp.Expr) -> sp.Expr | None:
        if isinstance(node, sp.Derivative) and len(node.variables) == 1:
            return rewrite(node.expr, node.variables[0])
        return None

    return at


def _constant(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    return None if depends(f, v) else sp.Integer(0)


def _linear(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    if f.is_Add:
        return sp.Add(*(_differentiated(term, v) for term in f.args))
    if f.is_Mul:
        constants = [a for a in f.args if not depends(a, v)]
        if constants:
            rest = sp.Mul(*(a for a in f.args if depends(a, v)))
            return sp.Mul(*constants) * _differentiated(rest, v)
    return None


def _differentiated(f: sp.Expr, v: sp.Expr) -> sp.Expr:
    """Return the unevaluated derivative, with constants and the variable itself dealt with."""
    if f == v:
        return sp.Integer(1)
    if not depends(f, v):
        return sp.Integer(0)
    if f.is_Mul and (rest := _linear(f, v)) is not None:
        return rest
    return derivative(f, v)


def _product(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    if not f.is_Mul or sum(depends(a, v) for a in f.args) < 2:
        return None
    head, rest = f.args[0], sp.Mul(*f.args[1:])
    return plus(_differentiated(head, v) * rest, head * _differentiated(rest, v))


def _quotient(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    numerator, denominator = _fraction(f)
    if not depends(denominator, v) or not depends(numerator, v):
        return None
    above = plus(
        _differentiated(numerator, v) * denominator,
        -numerator * _differentiated(denominator, v),
    )
    return above / denominator**2


def _reciprocal(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    numerator, denominator = _fraction(f)
    if not depends(denominator, v) or depends(numerator, v):
        return None
    return -numerator * derivative(denominator, v) / denominator**2


def _fraction(f: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Split by the sign of integer exponents; exp(−x) is a numerator."""
    above, below = [], []
    for factor in sp.Mul.make_args(f):
        if factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative:
            below.append(factor.base**-factor.exp)
        else:
            above.append(factor)
    return sp.Mul(*above), sp.Mul(*below)


def _power(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    if f.is_Pow and f.exp.is_Rational and depends(f.base, v):
        return f.exp * f.base ** (f.exp - 1) * _differentiated(f.base, v)
    return None


def _chain(kind: Any, outer: Callable[[sp.Expr], sp.Expr]) -> _Rewrite:
    """Return the chain rule for a function: its derivative at f, times the derivative inside."""

    def rewrite(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
        if not isinstance(f, kind) or not depends(f, v):
            return None
        return outer(f) * _differentiated(f.args[-1], v)  # e^a is a power to SymPy, too

    return _of_derivative(rewrite)


def _term_by_term(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    if not isinstance(f, sp.Sum):
        return None
    *inner, (bound, _, upper) = f.limits
    body = sp.Sum(f.function, *inner) if inner else f.function
    if bound in free_symbols(v):
        fresh = fresh_index(bound, free_symbols(v) | free_symbols(body))
        body, bound = rename_free(body, {bound: fresh}), fresh
    return total(_differentiated(body, v), bound, upper)


def _entry(f: sp.Expr, v: sp.Expr) -> sp.Expr | None:
    if f == v:
        return sp.Integer(1)
    if isinstance(f, sp.Indexed) and isinstance(v, sp.Indexed) and f.base == v.base:
        pairs = zip(f.indices, v.indices, strict=True)
        return sp.Mul(*(sp.KroneckerDelta(a, b) for a, b in pairs))
    return None


CONSTANT = Rule("a constant has derivative 0", _of_derivative(_constant))
LINEAR = Rule("differentiation is linear", _of_derivative(_linear))
PRODUCT = Rule("product rule", _of_derivative(_product))
QUOTIENT = Rule("quotient rule", _of_derivative(_quotient))
RECIPROCAL = Rule("reciprocal rule", _of_derivative(_reciprocal))
POWER = Rule("power rule", _of_derivative(_power))
EXP = Rule("derivative of exp", _chain(sp.exp, lambda f: f))
LOG = Rule("derivative of ln, chain rule", _chain(sp.log, lambda f: 1 / f.args[0]))
TANH = Rule("derivative of tanh, chain rule", _chain(sp.tanh, lambda f: 1 - f**2))
ERF = Rule(
    "derivative of erf, chain rule",
    _chain(sp.erf, lambda f: 2 / sp.sqrt(sp.pi) * sp.exp(-(f.args[0] ** 2))),
)
OPAQUE = Rule("chain rule", _chain(OpaqueFunction, lambda f: f.fdiff()))
TERM_BY_TERM = Rule("differentiate the sum term by term", _of_derivative(_term_by_term))
ITSELF = Rule("dx/dx = 1", _of_derivative(lambda f, v: sp.Integer(1) if f == v else None))
ENTRY = Rule("different entries do not depend on each other", _of_derivative(_entry))


# --- sums and deltas -----------------------------------------------------------------------------


def _of_sum(rewrite: Callable[[sp.Expr, sp.Symbol, sp.Expr], sp.Expr | None]) -> _Rewrite:
    """Lift a rewriting of Σ_j body, given as (body, j, upper)."""

    def at(node: sp.Expr) -> sp.Expr | None:
        if isinstance(node, sp.Sum) and len(node.limits) == 1:
            bound, _, upper = node.limits[0]
            return rewrite(node.function, bound, upper)
        return None

    return at


def _sift(body: sp.Expr, bound: sp.Symbol, upper: sp.Expr) -> sp.Expr | None:
    del upper
    factors = list(sp.Mul.make_args(body))
    for position, factor in enumerate(factors):
        if isinstance(factor, sp.KroneckerDelta) and bound in factor.args:
            (other,) = (a for a in factor.args if a != bound)
            rest = sp.Mul(*factors[:position], *factors[position + 1 :])
            return rename_free(rest, {bound: other})
    return None


def _pull_out(body: sp.Expr, bound: sp.Symbol, upper: sp.Expr) -> sp.Expr | None:
    factors = sp.Mul.make_args(body)
    outside = [a for a in factors if bound not in free_symbols(a)]
    inside = [a for a in factors if bound in free_symbols(a)]
    if not outside or outside == [1]:
        return None
    return sp.Mul(*outside) * total(sp.Mul(*inside), bound, upper)


def _split(body: sp.Expr, bound: sp.Symbol, upper: sp.Expr) -> sp.Expr | None:
    terms = sp.Add.make_args(sp.expand_mul(body))
    if len(terms) < 2:
        return None
    return plus(*(total(term, bound, upper) for term in terms))


SIFT = Rule("the delta selects one term of the sum", _of_sum(_sift))
PULL_OUT = Rule("take the constant factor out of the sum", _of_sum(_pull_out))
SPLIT = Rule("multiply out and split the sum", _of_sum(_split))


def separate(index: sp.Symbol) -> Rule:
    """Return the rule Σ_i f(i) = f(k) + Σ_i (1 − δ_ik) f(i): the term i = k and the others."""

    def rewrite(body: sp.Expr, bound: sp.Symbol, upper: sp.Expr) -> sp.Expr | None:
        others = sp.Add(1, -sp.KroneckerDelta(bound, index), evaluate=False)
        return plus(rename_free(body, {bound: index}), total(times(others, body), bound, upper))

    return Rule(f"split the sum into i = {index} and i ≠ {index}", _of_sum(rewrite))


# --- hypotheses ----------------------------------------------------------------------------------


def use(hypothesis: Hypothesis, name: str = "") -> Rule:
    """Return the rule that replaces the left side of a hypothesis by its right side."""

    def rewrite(node: sp.Expr) -> sp.Expr | None:
        if node == hypothesis.lhs or _same_sum(node, hypothesis.lhs):
            return hypothesis.rhs
        return None

    return Rule(name or hypothesis.text, rewrite, (hypothesis,))


def _same_sum(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether two sums differ only in the name of their index."""
    if not (isinstance(a, sp.Sum) and isinstance(b, sp.Sum)):
        return False
    if len(a.limits) != 1 or len(b.limits) != 1 or a.limits[0][1:] != b.limits[0][1:]:
        return False
    (bound, *_), (other, *_) = a.limits[0], b.limits[0]
    return bool(rename_free(a.function, {bound: other}) == b.function)
