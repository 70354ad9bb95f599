"""NumPy code for an expression: printed, and run as printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from derivations.deriving.stable_forms import Expm1, Hypot, Log1p, LogAddExp, Logistic

_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(5)
_NAMES = {
    sp.Abs: "abs",
    sp.acos: "arccos",
    sp.acosh: "arccosh",
    sp.asin: "arcsin",
    sp.asinh: "arcsinh",
    sp.atan: "arctan",
    sp.atanh: "arctanh",
    sp.cos: "cos",
    sp.cosh: "cosh",
    sp.log: "log",
    sp.sign: "sign",
    sp.sin: "sin",
    sp.sinh: "sinh",
    sp.tan: "tan",
    sp.tanh: "tanh",
    Log1p: "log1p",
    Expm1: "expm1",
    LogAddExp: "logaddexp",
    Hypot: "hypot",
}


def printed(e: Any) -> str:
    """Return an expression as NumPy code.

    Raises
    ------
    TypeError
        If a function has no counterpart.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> from derivations.deriving.stable_forms import stable
    >>> printed(stable(sp.log(1 + x) / (2 * sp.sqrt(x)) - 1).form)
    'np.log1p(x) / (2 * np.sqrt(x)) - 1'
    >>> printed(Logistic(x)), printed(sp.Rational(1, 3) * x), printed(-x ** -2)
    ('np.exp(-np.logaddexp(0, -x))', 'x / 3', '-1 / x**2')
    """
    return _print(e, _SUM)


def _print(e: Any, at_least: int) -> str:
    text, tightness = _dispatch(e)
    return f"({text})" if tightness < at_least else text


def _dispatch(e: Any) -> tuple[str, int]:
    if isinstance(e, sp.Symbol):
        return e.name, _ATOM
    if e.is_Rational:
        return _number(e)
    if e is sp.pi or e is sp.E:
        return ("np.pi" if e is sp.pi else "np.e"), _ATOM
    if isinstance(e, sp.Piecewise):
        return _where(e), _ATOM
    if isinstance(e, (sp.Gt, sp.Ge, sp.Lt, sp.Le)):
        return f"{_print(e.lhs, _SUM)} {e.rel_op} {_print(e.rhs, _SUM)}", _SUM
    if e.is_Add:
        return _added(e), _SUM
    if e.is_Mul:
        return _multiplied(e)
    if e.is_Pow and not isinstance(e, sp.exp):
        return _raised(e)
    return _called(e), _ATOM


def _number(e: sp.Rational) -> tuple[str, int]:
    p, q = int(e.p), int(e.q)
    if q == 1 and abs(p) < 2**53:
        return str(p), _ATOM if p >= 0 else _UNARY
    if max(abs(p), q) < 2**53 and sp.Rational(repr(p / q)) != e:
        return f"{p} / {q}", _PRODUCT  # correctly rounded by the division
    return repr(p / q), _ATOM if p >= 0 else _UNARY


def _where(e: sp.Piecewise) -> str:
    *cases, (last, _) = e.args
    text = printed(last)
    for value, condition in reversed(cases):
        text = f"np.where({printed(condition)}, {printed(value)}, {text})"
    return text


def _added(e: sp.Add) -> str:
    out = ""
    terms = e.as_ordered_terms()
    ordered = sorted(terms, key=lambda t: t.as_coeff_Mul()[0].is_negative)  # a positive one first
    for term in ordered:
        negative = bool(out) and term.as_coeff_Mul()[0].is_negative
        text = _print(-term if negative else term, _PRODUCT)
        out += f" - {text}" if negative else f" + {text}" if out else text
    return out


def _multiplied(e: sp.Mul) -> tuple[str, int]:
    coefficient, rest = e.as_coeff_Mul()
    if coefficient.is_negative:
        return f"-{_print(-e, _PRODUCT)}", _UNARY if (-e).is_Mul else _PRODUCT
    above = [] if coefficient.p == 1 else [sp.Integer(coefficient.p)]
    below = [] if coefficient.q == 1 else [sp.Integer(coefficient.q)]
    factors = sp.Mul.make_args(rest)
    logistic = [factor for factor in factors if _is_logistic(factor)]
    for factor in factors:
        if factor in logistic:
            continue
        if factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(1 / factor)
        else:
            above.append(factor)
    above_texts = [_print(f, _UNARY) for f in above]
    above_texts += [_logistics(logistic)] if logistic else []
    top = " * ".join(above_texts) or "1"
    if not below:
        return top, _PRODUCT
    bottom = " * ".join(_print(f, _UNARY) for f in below)
    return f"{top} / {bottom}" if len(below) == 1 else f"{top} / ({bottom})", _PRODUCT


def _logistics(factors: Sequence[sp.Expr]) -> str:
    """Print a product of powers of logistic functions as one exponential."""
    text = ""
    for factor in factors:
        base, exponent = factor.as_base_exp()
        logarithm = _print(exponent * LogAddExp(0, -base.args[0]), _PRODUCT)
        text += f" - {logarithm}" if text else f"-{logarithm}"
    return f"np.exp({text})"


def _is_logistic(f: sp.Expr) -> bool:
    base, exponent = f.as_base_exp()
    return isinstance(base, Logistic) and bool(exponent.is_Integer and exponent > 0)


def _raised(e: sp.Pow) -> tuple[str, int]:
    if _is_logistic(e):
        return _logistics([e]), _ATOM
    if e.exp.is_Rational and e.exp.is_negative:
        return f"1 / {_print(1 / e, _UNARY)}", _PRODUCT
    if e.exp == sp.Rational(1, 2):
        return f"np.sqrt({printed(e.base)})", _ATOM
    return f"{_print(e.base, _ATOM)}**{_print(e.exp, _POWER)}", _POWER


def _called(e: Any) -> str:
    if isinstance(e, Logistic):
        return _logistics([e])
    if isinstance(e, (sp.Max, sp.Min)):
        name = "np.maximum" if isinstance(e, sp.Max) else "np.minimum"
        text = printed(e.args[0])
        for other in e.args[1:]:
            text = f"{name}({text}, {printed(other)})"
        return text
    if isinstance(e, sp.exp):
        return f"np.exp({printed(e.exp)})"
    if e.func not in _NAMES:
        raise TypeError(f"no NumPy code for {e.func.__name__}")
    return f"np.{_NAMES[e.func]}({', '.join(map(printed, e.args))})"


# --- functions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Code:
    """The printed functions.

    Parameters
    ----------
    source : str
        Python source that needs ``import numpy as np`` alone, which is its first line.
    value : str
        The name of the function.
    partials : tuple of str
        The names of its derivatives, in the order of the variables asked for.
    """

    source: str
    value: str
    partials: tuple[str, ...]

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that the source defines.

        The source is our own: made of names that the grammar allows and of NumPy's functions.
        """
        body = self.source.partition("\n")[2]
        namespace: dict[str, Any] = {"np": np, "__builtins__": {}}
        exec(compile(body, "<derived>", "exec"), namespace)  # our own text, never the user's
        return {name: namespace[name] for name in (self.value, *self.partials)}


def code(value: sp.Expr, partials: Mapping[str, sp.Expr], arguments: Sequence[str]) -> Code:
    """Return the code of a function and its partial derivatives.

    Parameters
    ----------
    value : sympy.Expr
        The function.
    partials : Mapping of str to sympy.Expr
        Its derivative in each variable asked for.
    arguments : sequence of str
        The variables, in the order of the parameters.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> print(code(x**2, {"x": 2 * x}, ["x"]).source)
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x):
        return x**2
    <BLANKLINE>
    <BLANKLINE>
    def df_dx(x):
        return 2 * x
    <BLANKLINE>
    """
    names = tuple(f"df_d{name}" for name in partials)
    bodies = {"f": value, **dict(zip(names, partials.values(), strict=True))}
    functions = [_function(name, e, arguments) for name, e in bodies.items()]
    return Code("\n\n\n".join(("import numpy as np", *functions)) + "\n", "f", names)


def _function(name: str, e: sp.Expr, arguments: Sequence[str]) -> str:
    taken = {*arguments, "np"}
    temporaries = (sp.Symbol(t) for t in _numbered() if t not in taken)
    shared, last = sp.cse(e, symbols=temporaries, order="none", list=False)
    lines = [f"{symbol} = {printed(part)}" for symbol, part in shared]
    result = printed(last)
    if not e.free_symbols:
        result = f"np.full(np.shape({' + '.join(arguments)}), {result}, dtype=np.float64)"
    inside = "".join(f"    {line}\n" for line in (*lines, f"return {result}"))
    return f"def {name}({', '.join(arguments)}):\n{inside}".rstrip("\n")


def _numbered() -> Iterable[str]:
    return (f"t{number}" for number in range(1, 1000))
