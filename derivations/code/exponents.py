"""Powers of two that code scales with: any power will do, so a symbol stands for each.

``np.frexp`` takes a float apart into a mantissa and a power of two.  Which power depends on the
number, but does not change near it, and scaling by it is exact; so the exponent becomes an integer
symbol, its power of two a positive one, and what is proved with them holds whatever they are.  At a
sample point they are what they are there (`derivations.code.regions`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.code.traced import NotTraceableError, Traced, number

if TYPE_CHECKING:
    from derivations.code.choices import Path


def mantissa_and_exponent(path: Path, x: Any) -> tuple[Any, Any]:
    """Return a number as mantissa and exponent: ``np.frexp``."""
    expression = path.now(number(x))
    if expression.is_Rational:
        exponent = math.frexp(float(expression))[1]
        return Traced(expression / sp.Integer(2) ** exponent, path), exponent
    scale = path.scale(expression)
    return Traced(expression / scale.power, path), Traced(scale.exponent, path)


def scaled(path: Path, x: Any, exponent: Any) -> Any:
    """Return a number times a power of two: ``np.ldexp``."""
    return Traced(number(x) * power_of_two(path, number(exponent)), path)


def power_of_two(path: Path, exponent: sp.Expr) -> sp.Expr:
    """Return 2 to a sum of exponents and integers.

    Raises
    ------
    NotTraceableError
        If something else is in the exponent.
    """
    power = sp.Integer(1)
    for term in sp.Add.make_args(sp.expand(path.now(exponent))):
        coefficient, factor = term.as_coeff_Mul()
        if not coefficient.is_Integer:
            raise NotTraceableError(f"the code scales by 2 to the power {exponent}")
        power *= (
            sp.Integer(2) ** coefficient if factor == 1 else _power(path, factor) ** coefficient
        )
    return power


def _power(path: Path, factor: sp.Expr) -> sp.Expr:
    if factor in path.scales:
        return path.scales[factor].power
    if factor in path.picks:
        pick = path.picks[factor]
        return path.picked(pick.choice, tuple(power_of_two(path, e) for e in pick.expressions))
    raise NotTraceableError(f"the code scales by 2 to the power {factor}")
