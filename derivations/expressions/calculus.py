"""Capture-avoiding calculus on expressions with bound summation indices.

SymPy's own ``diff``, ``subs`` and ``xreplace`` confuse a bound index with a free one of the same
name: ``Sum(exp(z[j]), (j, 1, n)).diff(z[j])`` is wrong without a word.  Every function here renames
a bound index before a free one can slip under it.  The table of derivatives in `sdiff` is ours and
short enough to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import sympy as sp

from derivations.expressions.language import OpaqueFunction
from derivations.records import Definition

_INDEX_NAMES = ("j", "i", "k", "l", "m", "p", "q", "r", "s")


class CalculusError(ValueError):
    """An expression is outside what this module can treat; the message says which part."""


def free_symbols(expression: sp.Expr) -> frozenset[sp.Symbol]:
    """Return the symbols that occur free; families count by their indices, not by their own name.

    Examples
    --------
    >>> from derivations.expressions.language import i, j, n, z, total
    >>> sorted(map(str, free_symbols(total(z[i] * z[j], j, n))))
    ['i', 'n']
    """
    if isinstance(expression, sp.Symbol):
        return frozenset((expression,))
    if isinstance(expression, sp.Indexed):
        return _union(expression.indices)
    if isinstance(expression, sp.Sum):
        inner = free_symbols(expression.function)
        for bound, lower, upper in expression.limits:  # the first limit is the innermost sum
            inner = (inner - {bound}) | free_symbols(lower) | free_symbols(upper)
        return inner
    if isinstance(expression, sp.Derivative):
        return _union((expression.expr, *expression.variables))
    return _union(expression.args)


def _union(parts: Iterable[sp.Expr]) -> frozenset[sp.Symbol]:
    return frozenset().union(*(free_symbols(part) for part in parts))


def fresh_index(like: sp.Symbol, avoid: Iterable[sp.Symbol]) -> sp.Symbol:
    """Return an index symbol whose name is not among those of `avoid`; `like` itself if it is free.

    Parameters
    ----------
    like : sympy.Symbol
        Its kind (integer, positive) and, if possible, its name are taken.
    avoid : iterable of sympy.Symbol
        The names that are taken already.
    """
    taken = {s.name for s in avoid}
    names = (like.name, *_INDEX_NAMES, *(f"{like.name}_{q}" for q in range(1, len(taken) + 2)))
    name = next(name for name in names if name not in taken)
    return sp.Symbol(name, **like.assumptions0)


_Change = Callable[[sp.Expr], sp.Expr]
_NOTHING: frozenset[sp.Symbol] = frozenset()


def rebuild(
    expression: sp.Expr, change: _Change, avoid: frozenset[sp.Symbol] = _NOTHING
) -> sp.Expr:
    """Apply `change` to the direct parts of an expression, keeping bound indices out of `avoid`.

    Parameters
    ----------
    expression : sympy.Expr
        The node; it is returned as it is (and as unevaluated as it was) when no part changes.
    change : callable
        What to do with each part.
    avoid : frozenset of sympy.Symbol
        Free symbols that `change` may bring in: no bound index may carry their names.
    """
    if isinstance(expression, sp.Symbol) or not expression.args:
        return expression
    if isinstance(expression, sp.Indexed):
        indices = tuple(change(a) for a in expression.indices)
        return expression if indices == expression.indices else expression.base[indices]
    if isinstance(expression, sp.Sum):
        return _rebuild_sum(expression, change, avoid)
    if isinstance(expression, sp.Derivative):
        variables = tuple(change(v) for v in expression.variables)
        inner = change(expression.expr)
        if inner == expression.expr and variables == expression.variables:
            return expression
        return sp.Derivative(inner, *variables, evaluate=False)
    args = tuple(change(a) for a in expression.args)
    return expression if args == expression.args else expression.func(*args)


def _rebuild_sum(expression: sp.Sum, change: _Change, avoid: frozenset[sp.Symbol]) -> sp.Expr:
    *inner, (bound, lower, upper) = expression.limits
    body = sp.Sum(expression.function, *inner) if inner else expression.function
    if bound in avoid:
        fresh = fresh_index(bound, avoid | free_symbols(body))
        body, bound = rename_free(body, {bound: fresh}), fresh
    changed = change(body)
    limit = (bound, change(lower), change(upper))
    if changed == expression.function and limit == tuple(expression.limits[-1]) and not inner:
        return expression
    return sp.Sum(changed, limit)


def rename_free(expression: sp.Expr, mapping: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Replace free symbols; a bound index that would capture a new one is renamed first.

    Parameters
    ----------
    expression : sympy.Expr
        Where to replace.
    mapping : Mapping of sympy.Symbol to sympy.Expr
        What to replace, simultaneously.

    Examples
    --------
    >>> from derivations.expressions.language import i, j, n, z, total
    >>> rename_free(total(z[i] * z[j], j, n), {i: j})
    Sum(z[j]*z[k], (k, 1, n))
    """
    if isinstance(expression, sp.Symbol):
        return mapping.get(expression, expression)
    present = free_symbols(expression)
    active = {old: new for old, new in mapping.items() if old in present and old != new}
    if not active:
        return expression
    if isinstance(expression, sp.Sum):
        bound = expression.limits[-1][0]
        incoming = _union(active.values())
        if bound in active:  # free in a limit, say: keep the bound one apart
            incoming |= {bound}
        return rebuild(expression, lambda part: rename_free(part, active), incoming)
    return rebuild(expression, lambda part: rename_free(part, active))


def sdiff(expression: sp.Expr, variable: sp.Expr) -> sp.Expr:
    """Differentiate, treating z_i and z_k as different variables unless i = k (a Kronecker delta).

    Parameters
    ----------
    expression : sympy.Expr
        Sums, products, powers with constant exponent, exp, log, tanh, sinh, cosh, erf, finite
        sums, opaque functions; no unevaluated derivative (see `meaning`).
    variable : sympy.Symbol or sympy.Indexed
        What to differentiate in.

    Raises
    ------
    CalculusError
        If a function has no row in the table, or the variable is neither a symbol nor an entry.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import j, k, n, z, total
    >>> sdiff(total(sp.exp(z[j]), j, n), z[j])
    Sum(exp(z[i])*KroneckerDelta(i, j), (i, 1, n))
    """
    if not isinstance(variable, sp.Symbol | sp.Indexed):
        raise CalculusError(
            f"a derivative in {variable}: it must be a symbol or an entry like z[k]"
        )
    if isinstance(expression, sp.Indexed):
        return _same_entry(expression, variable)
    if isinstance(expression, sp.Symbol):
        return sp.Integer(int(expression == variable))
    if not depends(expression, variable):
        return sp.Integer(0)
    if isinstance(expression, sp.Sum):
        return rebuild(expression, _keep_limits(expression, variable), free_symbols(variable))
    if expression.is_Add:
        return sp.Add(*(sdiff(term, variable) for term in expression.args))
    if expression.is_Mul:
        head, rest = expression.args[0], sp.Mul(*expression.args[1:])
        return sdiff(head, variable) * rest + head * sdiff(rest, variable)
    return _outer(expression, variable)


def _keep_limits(expression: sp.Sum, variable: sp.Expr) -> _Change:
    bounds = {part for _, lower, upper in expression.limits for part in (lower, upper)}
    if any(depends(part, variable) for part in bounds):
        raise CalculusError(f"the limits of {expression} depend on {variable}")
    return lambda part: part if part in bounds else sdiff(part, variable)


def _outer(expression: sp.Expr, variable: sp.Expr) -> sp.Expr:
    """Chain rule: the outer derivative at the argument, times the derivative of the argument."""
    if expression.is_Pow and expression.base is not sp.E:
        base, exponent = expression.args
        if depends(exponent, variable):
            raise CalculusError(f"the exponent of {expression} depends on {variable}")
        return exponent * base ** (exponent - 1) * sdiff(base, variable)
    if isinstance(expression, sp.Max):
        return sdiff(_larger(expression), variable)
    if len(expression.args) != 1:
        raise CalculusError(f"no derivative is known for {expression.func}")
    (inner,) = expression.args
    return _table(expression, inner) * sdiff(inner, variable)


def _table(expression: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return the derivative of an elementary function: the table."""
    if isinstance(expression, sp.exp):
        return expression
    if isinstance(expression, sp.log):
        return 1 / inner
    if isinstance(expression, sp.tanh):
        return 1 - expression**2
    if isinstance(expression, sp.sinh):
        return sp.cosh(inner)
    if isinstance(expression, sp.cosh):
        return sp.sinh(inner)
    if isinstance(expression, sp.erf):
        return 2 / sp.sqrt(sp.pi) * sp.exp(-(inner**2))
    if isinstance(expression, OpaqueFunction):
        return expression.fdiff()
    raise CalculusError(f"no derivative is known for {expression.func}")


def _larger(maximum: sp.Max) -> sp.Expr:
    """Return the argument that is strictly the largest at every point that is allowed."""
    for candidate in maximum.args:
        others = (a for a in maximum.args if a is not candidate)
        if all((candidate - other).is_positive for other in others):
            return candidate
    raise CalculusError(f"which argument of {maximum} is the largest is not known: is it a kink?")


def _same_entry(entry: sp.Indexed, variable: sp.Expr) -> sp.Expr:
    if not isinstance(variable, sp.Indexed) or entry.base != variable.base:
        return sp.Integer(0)
    if len(entry.indices) != len(variable.indices):
        raise CalculusError(f"{entry} and {variable} have different numbers of indices")
    pairs = zip(entry.indices, variable.indices, strict=True)
    return sp.Mul(*(sp.KroneckerDelta(a, b) for a, b in pairs))


def depends(expression: sp.Expr, variable: sp.Expr) -> bool:
    """Whether the value may change with `variable`; for z_k, any entry of the family z counts."""
    if isinstance(expression, sp.Indexed):
        return isinstance(variable, sp.Indexed) and expression.base == variable.base
    if isinstance(expression, sp.Symbol):
        return bool(expression == variable)
    if isinstance(expression, sp.Derivative):
        return depends(expression.expr, variable)
    return any(depends(part, variable) for part in expression.args)


def expand_definitions(expression: sp.Expr, definitions: Sequence[Definition]) -> sp.Expr:
    """Replace every defined name by what it stands for, last definition first.

    Parameters
    ----------
    expression : sympy.Expr
        Where to replace; unevaluated derivatives are entered, so use `meaning` when it has any.
    definitions : sequence of Definition
        Each may use the names before it.
    """
    for definition in reversed(definitions):
        expression = unfold(expression, definition)
    return expression


def unfold(expression: sp.Expr, definition: Definition) -> sp.Expr:
    """Replace one defined name by its body wherever it occurs."""
    loose = free_symbols(definition.body) - set(definition.indices)

    def change(part: sp.Expr) -> sp.Expr:
        if isinstance(part, sp.Symbol):
            return definition.body if part == definition.symbol else part
        if isinstance(part, sp.Indexed) and part.base == definition.symbol:
            actual = dict(zip(definition.indices, map(change, part.indices), strict=True))
            return rename_free(definition.body, actual)
        return rebuild(part, change, loose)

    return change(expression)


def meaning(expression: sp.Expr, definitions: Sequence[Definition] = ()) -> sp.Expr:
    """Evaluate every unevaluated derivative and unfold every definition.

    In a derivative by a defined name, such as ∂E/∂y_i where y is softmax of z, that name is an
    independent variable: the definitions after it are unfolded first, then the derivative is taken,
    and only then the name itself is unfolded.  This is the partial derivative of a computation
    graph cut at that name.

    Parameters
    ----------
    expression : sympy.Expr
        With unevaluated derivatives, possibly nested.
    definitions : sequence of Definition
        Each may use the names before it.

    Examples
    --------
    >>> from derivations.expressions.language import derivative, x
    >>> meaning(derivative(x**3, x) + 1)
    3*x**2 + 1
    """
    return expand_definitions(evaluate_derivatives(expression, definitions), definitions)


def evaluate_derivatives(expression: sp.Expr, definitions: Sequence[Definition] = ()) -> sp.Expr:
    """Evaluate every unevaluated derivative, unfolding what lies between it and its variable."""
    if isinstance(expression, sp.Derivative):
        inner = evaluate_derivatives(expression.expr, definitions)
        for variable in expression.variables:
            inner = sdiff(expand_definitions(inner, _later(definitions, variable)), variable)
        return inner
    loose = _union(d.body for d in definitions)  # unfolding may bring them in
    return rebuild(expression, lambda part: evaluate_derivatives(part, definitions), loose)


def _later(definitions: Sequence[Definition], variable: sp.Expr) -> Sequence[Definition]:
    name = variable.base if isinstance(variable, sp.Indexed) else variable
    for position, definition in enumerate(definitions):
        if definition.symbol == name:
            return definitions[position + 1 :]
    return definitions
