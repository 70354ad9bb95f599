"""What a tree of the grammar means: its value to many digits, and as an expression of SymPy.

The two share no code: `value` computes with mpmath straight from the tree, so it can judge what was
made of the SymPy expression.  Every number that it meets is bounded, because mpmath would happily
spend hours and gigabytes on e^(e^(e^9)).
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp

from derivations.text.grammar import (
    CONSTANTS,
    Call,
    ExpressionError,
    Name,
    Number,
    parts,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from derivations.text.grammar import Tree

DIGITS = 60
_MOST_BITS = 512  # of an exact constant
_LARGEST_EXPONENT = 64  # of a whole power
_LARGEST_DEGREE = 100
_LARGEST_ARGUMENT = 100_000  # of exp and its relatives
_LARGEST_ANGLE = 10**40
_SMALLEST_CONSTANT, _LARGEST_CONSTANT = -40, 100  # decimal exponents


class UndefinedError(ValueError):
    """Something has no real value at a point, or one that is too large to be computed.

    Attributes
    ----------
    tree : Tree or None
        The part of a tree that is meant, where there is one.
    """

    def __init__(self, problem: str, tree: Tree | None = None) -> None:
        super().__init__(problem)
        self.tree = tree


@functools.cache
def context(digits: int = DIGITS) -> Any:
    """Return an mpmath context of our own with so many digits; nobody changes its precision."""
    made = mpmath.MPContext()
    made.dps = digits
    return made


# --- exact constants -----------------------------------------------------------------------------


def exact(tree: Tree) -> Fraction | None:
    """Return the value of a tree made of numbers and ``+ - * / ^`` alone, else None.

    Raises
    ------
    UndefinedError
        If it divides by zero, or a power would be too long.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> exact(parse("2^3/6")), exact(parse("2*pi"))
    (Fraction(4, 3), None)
    """
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, (Name, Call)):
        return None
    left, right = exact(tree.left), exact(tree.right)
    if left is None or right is None:
        return None
    if tree.sign == "^":
        return _exact_power(left, right, tree)
    if tree.sign == "/" and right == 0:
        raise UndefinedError("a division by zero", tree)
    combine: dict[str, Callable[[], Fraction]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
    }
    return _short(combine[tree.sign](), tree)


def _exact_power(base: Fraction, exponent: Fraction, tree: Tree) -> Fraction | None:
    if exponent.denominator != 1:
        return None
    if base == 0 and exponent <= 0:
        raise UndefinedError("zero to a power that is not positive", tree)
    if abs(exponent) * _bits(base) > _MOST_BITS:
        raise UndefinedError(f"a number of more than {_MOST_BITS} bits", tree)
    return Fraction(base**exponent.numerator)


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _short(number: Fraction, tree: Tree) -> Fraction:
    if _bits(number) > _MOST_BITS:
        raise UndefinedError(f"a number of more than {_MOST_BITS} bits", tree)
    return number


# --- values --------------------------------------------------------------------------------------


def value(tree: Tree, at: Mapping[str, Any], ctx: Any) -> Any:
    """Return the real value of a tree at a point.

    Parameters
    ----------
    tree : Tree
        From `grammar.parse`.
    at : Mapping of str to mpf
        A value for each variable, a number of `ctx`.
    ctx : mpmath.MPContext
        The precision.

    Raises
    ------
    UndefinedError
        If there is no real value, or it is out of reach.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> ctx = context()
    >>> ctx.nstr(value(parse("sqrt(x)*e"), {"x": ctx.mpf(4)}, ctx), 10)
    '5.436563657'
    """
    if isinstance(tree, Number):
        return ctx.mpf(tree.value.numerator) / tree.value.denominator
    if isinstance(tree, Name):
        return {"pi": +ctx.pi, "e": +ctx.e}[tree.name] if tree.name in CONSTANTS else at[tree.name]
    values = [value(part, at, ctx) for part in parts(tree)]
    try:
        if isinstance(tree, Call):
            return applied(tree.function, values, ctx)
        left, right = values
        return _combined(tree, left, right, ctx)
    except UndefinedError as error:
        raise UndefinedError(str(error), tree) from error


def _combined(tree: Any, left: Any, right: Any, ctx: Any) -> Any:
    if tree.sign == "^":
        exponent = None if variables(tree.right) else exact(tree.right)
        if exponent is not None and exponent.denominator == 1:
            return whole_power(left, exponent.numerator, ctx)
        if left == 0 and exponent is not None and exponent > 0:
            return ctx.mpf(0)
        return raised(left, right, ctx)
    if tree.sign == "/":
        if right == 0:
            raise UndefinedError("a division by zero")
        return left / right
    if tree.sign == "*":
        return left * right
    return left + right if tree.sign == "+" else left - right


def whole_power(base: Any, exponent: int, ctx: Any) -> Any:
    """Return an integer power; UndefinedError for a negative power of zero."""
    if base == 0:
        if exponent < 0:
            raise UndefinedError("a negative power of zero")
        return ctx.mpf(int(exponent == 0))
    _within(exponent * ctx.log(abs(base)), _LARGEST_ARGUMENT)
    return base**exponent


def raised(base: Any, exponent: Any, ctx: Any) -> Any:
    """Return a real power; UndefinedError unless the base is positive."""
    if not base > 0:
        raise UndefinedError("a power of a number that is not positive")
    product = exponent * ctx.log(base)
    _within(product, _LARGEST_ARGUMENT)
    return ctx.exp(product)


def _within(size: Any, limit: Any) -> None:
    if not abs(size) <= limit:
        raise UndefinedError("a number too large to compute with")


def applied(name: str, values: list[Any], ctx: Any) -> Any:
    """Return the value of a function of the grammar; UndefinedError outside of its domain."""
    a = values[0]
    problem = _outside(name, a, ctx)
    if problem:
        raise UndefinedError(problem)
    if name in ("exp", "expm1", "sinh", "cosh", "tanh", "sigmoid", "softplus"):
        _within(a, _LARGEST_ARGUMENT)
    if name in ("sin", "cos", "tan"):
        _within(a, _LARGEST_ANGLE)
    if name in _SPECIAL:
        return _SPECIAL[name](ctx, *values)
    return getattr(ctx, name)(a)


def _outside(name: str, a: Any, ctx: Any) -> str:
    """Return why an argument is outside of the domain of a function; empty if it is not."""
    allowed = {
        "acos": abs(a) <= 1,
        "acosh": a >= 1,
        "asin": abs(a) <= 1,
        "atanh": abs(a) < 1,
        "log": a > 0,
        "log10": a > 0,
        "log1p": a > -1,
        "log2": a > 0,
        "sqrt": a >= 0,
    }
    if not allowed.get(name, True):
        return f"{name} of {ctx.nstr(a, 5)}, outside of its domain"
    if name == "tan" and abs(a) <= _LARGEST_ANGLE:
        return "" if abs(ctx.cos(a)) > ctx.mpf(10) ** _SMALLEST_CONSTANT else "tan where cos is 0"
    return ""


_SPECIAL: Mapping[str, Callable[..., Any]] = {
    "abs": lambda _, a: abs(a),
    "hypot": lambda ctx, a, b: ctx.sqrt(a * a + b * b),
    "log10": lambda ctx, a: ctx.log(a) / ctx.log(10),
    "log2": lambda ctx, a: ctx.log(a) / ctx.log(2),
    "max": lambda _, *values: max(values),
    "min": lambda _, *values: min(values),
    "relu": lambda ctx, a: max(a, ctx.mpf(0)),
    "sigmoid": lambda ctx, a: 1 / (1 + ctx.exp(-a)),
    "sign": lambda ctx, a: ctx.sign(a),
    "softplus": lambda ctx, a: max(a, ctx.mpf(0)) + ctx.log1p(ctx.exp(-abs(a))),
}


# --- the expression of SymPy ---------------------------------------------------------------------


def expression(tree: Tree, symbols: Mapping[str, sp.Symbol]) -> sp.Expr:
    """Return the tree as an expression; SymPy collects equal terms while it is made.

    Parameters
    ----------
    tree : Tree
        Checked by `check_limits` before.
    symbols : Mapping of str to sympy.Symbol
        One for each variable, declared real.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> from derivations.expressions.language import x
    >>> expression(parse("softplus(x) + 2*x - x"), {"x": x})
    x + log(exp(x) + 1)
    """
    if isinstance(tree, Number):
        return sp.Rational(tree.value.numerator, tree.value.denominator)
    if isinstance(tree, Name):
        return {"pi": sp.pi, "e": sp.E}[tree.name] if tree.name in CONSTANTS else symbols[tree.name]
    below = [expression(part, symbols) for part in parts(tree)]
    if isinstance(tree, Call):
        return _BUILT[tree.function](*below)
    left, right = below
    if tree.sign == "^":
        return sp.exp(right) if left is sp.E else left**right
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
    }[tree.sign]()


_BUILT: Mapping[str, Callable[..., sp.Expr]] = {
    **{
        name: getattr(sp, name)
        for name in (
            *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh"),
            *("exp", "log", "sign", "sin", "sinh", "sqrt", "tan", "tanh"),
        )
    },
    "abs": sp.Abs,
    "expm1": lambda a: sp.exp(a) - 1,
    "hypot": lambda a, b: sp.sqrt(a**2 + b**2),
    "log10": lambda a: sp.log(a) / sp.log(10),
    "log1p": lambda a: sp.log(1 + a),
    "log2": lambda a: sp.log(a) / sp.log(2),
    "max": sp.Max,
    "min": sp.Min,
    "relu": lambda a: sp.Max(a, 0),
    "sigmoid": lambda a: 1 / (1 + sp.exp(-a)),
    "softplus": lambda a: sp.log(1 + sp.exp(a)),
}


# --- limits --------------------------------------------------------------------------------------


def check_limits(tree: Tree, text: str) -> None:
    """Refuse a tree whose constants or powers would make work without end.

    Every part without variables must have a real value of moderate size, whole exponents are at
    most 64, and what the powers multiply to is at most 100.

    Raises
    ------
    ExpressionError
        Pointing at the part.
    """
    try:
        _check(tree, context())
    except UndefinedError as error:
        span = (error.tree or tree).span
        problem = f"{error}: this cannot be derived"
        raise ExpressionError(problem, text, span.start, span.end) from error


def _check(tree: Tree, ctx: Any) -> int:
    """Return the degree: what the whole powers on the way to a variable multiply to."""
    degrees = [_check(part, ctx) for part in parts(tree)]
    if not variables(tree):
        if exact(tree) is None:
            _check_constant(tree, ctx)
        return 0
    degree = max(degrees, default=1)
    if isinstance(tree, Call):
        degree = 1
    elif not isinstance(tree, (Name, Number)):
        if tree.sign == "^":
            degree = degrees[0] * _whole_exponent(tree)
        elif tree.sign in "*/":
            degree = sum(degrees)
    if degree > _LARGEST_DEGREE:
        problem = f"a power of degree {degree} (at most {_LARGEST_DEGREE})"
        raise UndefinedError(problem, tree)
    return degree


def _whole_exponent(tree: Any) -> int:
    exponent = None if variables(tree.right) else exact(tree.right)
    if exponent is None:
        return 1
    size = max(abs(exponent.numerator), exponent.denominator)
    if exponent.denominator == 1 and size > _LARGEST_EXPONENT:
        problem = f"the exponent {exponent} (whole exponents go up to {_LARGEST_EXPONENT})"
        raise UndefinedError(problem, tree)
    return max(1, int(abs(exponent)))


def _check_constant(tree: Tree, ctx: Any) -> None:
    size = abs(value(tree, {}, ctx))
    if size != 0 and not _SMALLEST_CONSTANT <= ctx.log10(size) <= _LARGEST_CONSTANT:
        limit = f"1e{_SMALLEST_CONSTANT} … 1e{_LARGEST_CONSTANT}"
        raise UndefinedError(
            f"a constant outside of {limit}, or one that is zero in disguise", tree
        )
