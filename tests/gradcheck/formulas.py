"""Formulas as text, read in three ways: in NumPy, in mpmath, and in mpmath with derivatives.

A formula such as ``"exp(-x)*sin(3.0*x)"`` is at once the function under test, the source of its
exact derivative and, when something goes wrong, the reproducer to paste.  Number literals are
exact in every reading.  Two roads lead to a derivative: `dual_slope` carries it through every
operation by the chain rule; `limit_slope` knows no rule at all (mpmath's difference quotients at a
hundred digits).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import mpmath as mp
import numpy as np
from scipy.special import erf

DUAL_DIGITS = 60
LIMIT_DIGITS = 120
_MIX = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)


def noise(x: Any) -> Any:
    """Return numbers in [−1, 1) that look random and depend on the bits of x alone."""
    bits = np.array(x, dtype=np.float64).view(np.uint64)
    with np.errstate(over="ignore"):
        for factor in _MIX:
            bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(factor)
        bits = bits ^ (bits >> np.uint64(33))
    return 2.0 * (bits.astype(np.float64) / 2.0**64) - 1.0


def single(x: Any) -> Any:
    """Round to float32, in which everything that follows is then computed."""
    return np.asarray(x).astype(np.float32)[()]


def double(x: Any) -> Any:
    """Return to float64."""
    return np.asarray(x).astype(np.float64)[()]


_NUMPY_NAMES = ("exp", "log", "log1p", "sin", "cos", "tan", "tanh", "sqrt", "abs", "round")
_MPMATH_NAMES = ("exp", "log", "log1p", "sin", "cos", "tan", "tanh", "sqrt", "asin", "atanh", "erf")

NUMPY = {name: getattr(np, name) for name in (*_NUMPY_NAMES, "where", "maximum")} | {
    "asin": np.arcsin,
    "atanh": np.arctanh,
    "erf": erf,
    "noise": noise,
    "single": single,
    "double": double,
}

MPMATH = {name: getattr(mp, name) for name in _MPMATH_NAMES}


@lru_cache(maxsize=4096)
def _compiled(text: str) -> CodeType:
    return compile(text, text, "eval")


def function(text: str) -> Callable[[Any], Any]:
    """Return the formula as a NumPy function of a number or an array."""
    code = _compiled(text)
    return lambda x: eval(code, NUMPY, {"x": x})


def limit_slope(text: str, x: float) -> mp.mpf:
    """Differentiate by mpmath's difference quotients, which know nothing of the formula."""
    code = _compiled(text)
    with mp.workdps(LIMIT_DIGITS):
        return mp.mpf(
            mp.re(mp.diff(lambda t: mp.mpmathify(eval(code, MPMATH, {"x": t})), mp.mpf(x)))
        )


@dataclass(frozen=True, slots=True)
class Dual:
    """A number and its derivative, in mpmath."""

    v: Any
    d: Any

    def __add__(self, o: Any) -> Dual:
        o = _dual(o)
        return Dual(self.v + o.v, self.d + o.d)

    def __neg__(self) -> Dual:
        return Dual(-self.v, -self.d)

    def __sub__(self, o: Any) -> Dual:
        return self + -_dual(o)

    def __rsub__(self, o: Any) -> Dual:
        return _dual(o) + -self

    def __mul__(self, o: Any) -> Dual:
        o = _dual(o)
        return Dual(self.v * o.v, self.d * o.v + self.v * o.d)

    def __truediv__(self, o: Any) -> Dual:
        o = _dual(o)
        return Dual(self.v / o.v, (self.d - self.v / o.v * o.d) / o.v)

    def __rtruediv__(self, o: Any) -> Dual:
        return _dual(o) / self

    def __pow__(self, n: int) -> Dual:
        return Dual(self.v**n, n * self.v ** (n - 1) * self.d)

    __radd__ = __add__
    __rmul__ = __mul__


def _dual(o: Any) -> Dual:
    return o if isinstance(o, Dual) else Dual(mp.mpf(o), mp.mpf(0))


def _lifted(f: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Dual]:
    def lifted(u: Any) -> Dual:
        u = _dual(u)
        return Dual(f(u.v), slope(u.v) * u.d)

    return lifted


DUAL = {
    "exp": _lifted(mp.exp, mp.exp),
    "log": _lifted(mp.log, lambda u: 1 / u),
    "log1p": _lifted(mp.log1p, lambda u: 1 / (1 + u)),
    "sin": _lifted(mp.sin, mp.cos),
    "cos": _lifted(mp.cos, lambda u: -mp.sin(u)),
    "tan": _lifted(mp.tan, lambda u: 1 + mp.tan(u) ** 2),
    "tanh": _lifted(mp.tanh, lambda u: mp.sech(u) ** 2),
    "sqrt": _lifted(mp.sqrt, lambda u: 1 / (2 * mp.sqrt(u))),
    "asin": _lifted(mp.asin, lambda u: 1 / mp.sqrt(1 - u * u)),
    "atanh": _lifted(mp.atanh, lambda u: 1 / (1 - u * u)),
}


def dual_slope(text: str, x: float) -> mp.mpf:
    """Differentiate by the chain rule, at sixty digits."""
    with mp.workdps(DUAL_DIGITS):
        return mp.mpf(
            mp.re(_dual(eval(_compiled(text), DUAL, {"x": Dual(mp.mpf(x), mp.mpf(1))})).d)
        )


def error_of(value: float, truth: mp.mpf) -> float:
    """Return |value − truth|, subtracted before it is rounded; inf for NaN."""
    if not math.isfinite(value):
        return math.inf
    with mp.workdps(DUAL_DIGITS):
        return float(abs(mp.mpf(value) - truth))


# -- second derivatives ----------------------------------------------------------------------------


def limit_curvature(text: str, x: float) -> mp.mpf:
    """Differentiate twice by mpmath's difference quotients, which know nothing of the formula."""
    code = _compiled(text)
    with mp.workdps(LIMIT_DIGITS):
        return mp.mpf(
            mp.re(mp.diff(lambda t: mp.mpmathify(eval(code, MPMATH, {"x": t})), mp.mpf(x), 2))
        )


@dataclass(frozen=True, slots=True)
class Jet:
    """A number and its first two derivatives, in mpmath."""

    v: Any
    d: Any
    c: Any

    def __add__(self, o: Any) -> Jet:
        o = _jet(o)
        return Jet(self.v + o.v, self.d + o.d, self.c + o.c)

    def __neg__(self) -> Jet:
        return Jet(-self.v, -self.d, -self.c)

    def __sub__(self, o: Any) -> Jet:
        return self + -_jet(o)

    def __rsub__(self, o: Any) -> Jet:
        return _jet(o) + -self

    def __mul__(self, o: Any) -> Jet:
        o = _jet(o)
        return Jet(
            self.v * o.v,
            self.d * o.v + self.v * o.d,
            self.c * o.v + 2 * self.d * o.d + self.v * o.c,
        )

    def __truediv__(self, o: Any) -> Jet:
        o = _jet(o)
        return self * o.chained(1 / o.v, -1 / o.v**2, 2 / o.v**3)

    def __rtruediv__(self, o: Any) -> Jet:
        return _jet(o) / self

    def __pow__(self, n: int) -> Jet:
        u = self.v
        return self.chained(u**n, n * u ** (n - 1), n * (n - 1) * u ** (n - 2) if n > 1 else 0)

    __radd__ = __add__
    __rmul__ = __mul__

    def chained(self, f: Any, slope: Any, bent: Any) -> Jet:
        """Return g of this, given g and its derivatives at the value: (g∘u)″ = g″u′² + g′u″."""
        return Jet(f, slope * self.d, bent * self.d**2 + slope * self.c)


def _jet(o: Any) -> Jet:
    return o if isinstance(o, Jet) else Jet(mp.mpf(o), mp.mpf(0), mp.mpf(0))


def _jets(rule: Callable[[Any], tuple[Any, Any, Any]]) -> Callable[[Any], Jet]:
    def lifted(u: Any) -> Jet:
        u = _jet(u)
        return u.chained(*rule(u.v))

    return lifted


def _tan(u: Any) -> tuple[Any, Any, Any]:
    t = mp.tan(u)
    return t, 1 + t * t, 2 * t * (1 + t * t)


def _tanh(u: Any) -> tuple[Any, Any, Any]:
    t, s = mp.tanh(u), mp.sech(u) ** 2
    return t, s, -2 * t * s


JET = {
    "exp": _jets(lambda u: (mp.exp(u),) * 3),
    "log": _jets(lambda u: (mp.log(u), 1 / u, -1 / u**2)),
    "log1p": _jets(lambda u: (mp.log1p(u), 1 / (1 + u), -1 / (1 + u) ** 2)),
    "sin": _jets(lambda u: (mp.sin(u), mp.cos(u), -mp.sin(u))),
    "cos": _jets(lambda u: (mp.cos(u), -mp.sin(u), -mp.cos(u))),
    "tan": _jets(_tan),
    "tanh": _jets(_tanh),
    "sqrt": _jets(lambda u: (mp.sqrt(u), 1 / (2 * mp.sqrt(u)), -1 / (4 * u * mp.sqrt(u)))),
    "asin": _jets(
        lambda u: (mp.asin(u), 1 / mp.sqrt(1 - u * u), u / ((1 - u * u) * mp.sqrt(1 - u * u)))
    ),
    "atanh": _jets(lambda u: (mp.atanh(u), 1 / (1 - u * u), 2 * u / (1 - u * u) ** 2)),
}


def jet_curvature(text: str, x: float) -> mp.mpf:
    """Differentiate twice by the chain rule, at sixty digits."""
    with mp.workdps(DUAL_DIGITS):
        start = Jet(mp.mpf(x), mp.mpf(1), mp.mpf(0))
        return mp.mpf(mp.re(_jet(eval(_compiled(text), JET, {"x": start})).c))
