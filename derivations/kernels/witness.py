"""Points at which two sides differ, for sure: rational coordinates and interval arithmetic.

`instantiate` writes an indexed expression out for given sizes and indices.  `find` looks for a
rational point at which an enclosure of the residual excludes zero.  Nothing is ever called wrong
without such a point.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath
import sympy as sp

from derivations.expressions.language import OpaqueFunction

_DIGITS = 40
_NOTHING: Mapping[sp.Expr, int] = {}


@dataclass(frozen=True, slots=True)
class Point:
    """A rational point and an enclosure of the residual there that does not contain zero.

    Parameters
    ----------
    values : Mapping of sympy.Symbol to sympy.Rational
        The coordinates.
    lower, upper : float
        The enclosure, rounded.
    """

    values: Mapping[sp.Symbol, sp.Rational]
    lower: float
    upper: float

    def __str__(self) -> str:
        where = ", ".join(f"{symbol} = {value}" for symbol, value in self.values.items())
        return f"{where or 'any point'}: before − after = {(self.lower + self.upper) / 2:.6g}"


def instantiate(
    expression: sp.Expr,
    sizes: Mapping[sp.Symbol, int],
    indices: Mapping[sp.Symbol, int] = _NOTHING,
    labels: Mapping[sp.Indexed, int] = _NOTHING,
) -> sp.Expr:
    """Write sums, deltas and families out for fixed sizes and indices.

    Parameters
    ----------
    expression : sympy.Expr
        May hold unevaluated derivatives; they stay.
    sizes, indices : Mapping of sympy.Symbol to int
        A value for each size, and for each free index.
    labels : Mapping of sympy.Indexed to int
        A value for each entry of a family of labels, such as ``{c[1]: 2}``.

    Returns
    -------
    sympy.Expr
        Over plain symbols such as ``z_1`` and ``t_1,2``.

    Examples
    --------
    >>> from derivations.expressions.language import i, j, n, delta, total, z
    >>> instantiate(total(delta(i, j) * z[j], j, n), {n: 3}, {i: 2})
    z_2
    """
    if isinstance(expression, sp.Symbol):
        value = indices.get(expression, sizes.get(expression))
        return expression if value is None else sp.Integer(value)
    if isinstance(expression, sp.Indexed):
        return _entry(expression, sizes, indices, labels)
    if isinstance(expression, sp.Sum):
        *inner, (bound, lower, upper) = expression.limits
        body = sp.Sum(expression.function, *inner) if inner else expression.function
        last = int(instantiate(upper, sizes, indices, labels))
        return sp.Add(
            *(
                instantiate(body, sizes, {**indices, bound: value}, labels)
                for value in range(int(lower), last + 1)
            )
        )
    parts = [instantiate(part, sizes, indices, labels) for part in _parts(expression)]
    if isinstance(expression, sp.Derivative):
        return sp.Derivative(*parts, evaluate=False)
    return expression.func(*parts) if parts else expression


def _parts(expression: sp.Expr) -> tuple[sp.Expr, ...]:
    if isinstance(expression, sp.Derivative):
        return (expression.expr, *expression.variables)
    return tuple(expression.args)


def _entry(
    entry: sp.Indexed,
    sizes: Mapping[sp.Symbol, int],
    indices: Mapping[sp.Symbol, int],
    labels: Mapping[sp.Indexed, int],
) -> sp.Expr:
    place = tuple(instantiate(part, sizes, indices, labels) for part in entry.indices)
    if entry.is_integer:
        return sp.Integer(labels[entry.base[place]])
    name = f"{entry.base.label}_{','.join(map(str, place))}"
    return sp.Symbol(name, positive=True) if entry.is_positive else sp.Symbol(name, real=True)


def find(residual: sp.Expr, tries: int = 60, seed: int = 0) -> Point | None:
    """Look for a rational point at which the residual is not zero, for sure.

    Parameters
    ----------
    residual : sympy.Expr
        Over plain symbols; an opaque function is tried as a polynomial, because what fails for one
        function does not hold for all.
    tries : int
        How many points.
    seed : int
        Of the points.

    Returns
    -------
    Point or None
        None says nothing: the residual may be zero, or undefined at the points tried.
    """
    residual = _with_polynomials(residual)
    symbols = sorted(residual.free_symbols, key=str)
    if any(symbol.is_real is not True for symbol in symbols):
        return None
    generator = random.Random(seed)
    context = interval_context()
    for attempt in range(tries):
        values = {symbol: coordinate(symbol, generator, attempt) for symbol in symbols}
        try:
            enclosure = enclose(residual, values, context)
        except (ValueError, ZeroDivisionError):
            continue
        if enclosure.a > 0 or enclosure.b < 0:
            return Point(values, float(enclosure.a), float(enclosure.b))
    return None


def coordinate(symbol: sp.Symbol, generator: random.Random, spread: int = 9) -> sp.Rational:
    """Return a short number of the declared sign; later attempts reach farther."""
    reach = min(2 + spread, 12)
    size = sp.Rational(generator.randint(1, 2 * reach), 4)
    if symbol.is_positive:
        return size
    if symbol.is_negative:
        return -size
    if symbol.is_nonnegative:
        return sp.Rational(generator.randint(0, 2 * reach), 4)
    return sp.Rational(generator.randint(-reach, reach), 2)


def interval_context(digits: int = _DIGITS) -> Any:
    """Return an interval arithmetic of its own, so that no global precision is touched."""
    context = mpmath.iv.__class__()
    context.dps = digits
    return context


def enclose(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Rational], context: Any) -> Any:
    """Return an interval that contains the value of an expression at a rational point.

    Raises
    ------
    ValueError, ZeroDivisionError
        If the value is undefined there, or the enclosure is too wide to tell.
    """
    if expression in values:
        expression = values[expression]
    if expression.is_Rational:
        return context.mpf(int(expression.p)) / int(expression.q)
    if expression is sp.E:
        return context.exp(context.mpf(1))
    if expression is sp.pi:
        return +context.pi
    parts = [enclose(part, values, context) for part in expression.args]
    if expression.is_Add:
        return sum(parts, start=context.mpf(0))
    if expression.is_Mul:
        out = context.mpf(1)
        for part in parts:
            out = out * part
        return out
    return _enclose_function(expression, parts, context)


def _enclose_function(expression: sp.Expr, parts: list[Any], context: Any) -> Any:
    a: Any = parts[0] if parts else None
    if expression.is_Pow and expression.exp.is_Integer:
        exponent = int(expression.exp)
        if exponent < 0 and a.a <= 0 <= a.b:
            raise ZeroDivisionError(f"{expression} at a zero of its base")
        return a**exponent if exponent > 0 else 1 / a**-exponent
    if expression.is_Pow and expression.exp.is_Rational and expression.exp.q == 2:
        if not a.a > 0:
            raise ValueError(f"{expression} where its base is not positive")
        return context.sqrt(a) ** int(expression.exp.p)
    if isinstance(expression, sp.exp):  # or a power of e that was left as it is
        return context.exp(parts[-1])
    if isinstance(expression, sp.log) and len(parts) == 1:
        if not a.a > 0:
            raise ValueError(f"{expression} where its argument is not positive")
        return context.log(a)
    if isinstance(expression, sp.Max):
        lower, upper = (max(getattr(part, end) for part in parts) for end in ("a", "b"))
        return context.mpf([lower, upper])
    if isinstance(expression, sp.tanh | sp.sinh | sp.cosh):
        up, down = context.exp(a), context.exp(-a)
        if isinstance(expression, sp.tanh):
            return 1 - 2 / (1 + up * up)
        return (up + down) / 2 if isinstance(expression, sp.cosh) else (up - down) / 2
    if isinstance(expression, sp.erf):
        return _enclose_erf(a, context)
    raise ValueError(f"no interval rule for {expression.func.__name__}")


def _enclose_erf(a: Any, context: Any) -> Any:
    """Return an interval around the values of erf, which increases, with digits to spare."""
    with mpmath.workdps(context.dps + 15):
        slack = mpmath.mpf(10) ** -context.dps
        low, high = (mpmath.erf(mpmath.mpf(getattr(a, end))) for end in ("a", "b"))
        return context.mpf([low - slack, high + slack])


def _with_polynomials(expression: sp.Expr) -> sp.Expr:
    """Replace every opaque function by a cubic of its own, its derivatives likewise."""
    if not expression.args:
        return expression
    parts = [_with_polynomials(part) for part in expression.args]
    if not isinstance(expression, OpaqueFunction):
        return expression.func(*parts)
    s = sp.Symbol("s", real=True)
    leading = 1 + sum(map(ord, expression.base_name)) % 5
    cubic = leading * s**3 - 2 * s**2 + s - 1
    return sp.diff(cubic, s, expression.order).xreplace({s: parts[0]})


def index_values(
    ranges: Mapping[sp.Basic, sp.Expr], sizes: Mapping[sp.Symbol, int]
) -> list[dict[sp.Symbol, int]]:
    """Return every choice of values of the index symbols in `ranges`, for given sizes."""
    symbols = [s for s in ranges if isinstance(s, sp.Symbol)]
    limits = [int(sp.sympify(ranges[s]).subs(sizes)) for s in symbols]
    choices = product(*(range(1, limit + 1) for limit in limits))
    return [dict(zip(symbols, choice, strict=True)) for choice in choices]


def index_patterns(
    ranges: Mapping[sp.Basic, sp.Expr], sizes: Mapping[sp.Symbol, int]
) -> list[dict[sp.Symbol, int]]:
    """Return one choice of index values for every pattern of equal and different indices.

    The others follow by renaming entries, if there is one size, no entry is named by its number and
    no index is used as a number (`is_symmetric`).

    Examples
    --------
    >>> from derivations.expressions.language import i, k, n
    >>> index_patterns({i: n, k: n}, {n: 3})
    [{i: 1, k: 1}, {i: 1, k: 2}]
    """

    def is_first(choice: Mapping[sp.Symbol, int]) -> bool:
        highest: dict[sp.Expr, int] = {}
        for symbol, value in choice.items():
            upper = ranges[symbol]
            if value > highest.get(upper, 0) + 1:
                return False
            highest[upper] = max(value, highest.get(upper, 0))
        return True

    return [choice for choice in index_values(ranges, sizes) if is_first(choice)]


def is_symmetric(expression: sp.Expr, indices: Collection[sp.Symbol]) -> bool:
    """Whether an expression uses indices to name entries only: neither z_1 nor k·z_k occurs."""
    if isinstance(expression, sp.Symbol):
        return expression not in indices
    if isinstance(expression, sp.Indexed | sp.KroneckerDelta):
        parts = expression.indices if isinstance(expression, sp.Indexed) else expression.args
        return all(isinstance(part, sp.Symbol) for part in parts)
    if isinstance(expression, sp.Sum):
        bound = {limit[0] for limit in expression.limits}
        return is_symmetric(expression.function, {*indices, *bound})
    return all(is_symmetric(part, indices) for part in expression.args)
