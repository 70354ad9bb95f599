"""The vocabulary of every derivation: symbols, indices, sizes, families, opaque functions.

SymPy is the language that formulas are written in.  Nothing here star-imports it: SymPy exports
names such as ``N``, ``E``, ``S``, ``I``, ``field`` and ``re`` that would silently replace
ours.  Every value is declared real and every index a positive integer, because the kernels refuse
to reason about symbols of unknown kind.
"""

from __future__ import annotations

import functools
from typing import Any

import sympy as sp


def real(name: str) -> sp.Symbol:
    """Return a real scalar."""
    return sp.Symbol(name, real=True)


def positive(name: str) -> sp.Symbol:
    """Return a positive real scalar."""
    return sp.Symbol(name, positive=True)


def negative(name: str) -> sp.Symbol:
    """Return a negative real scalar."""
    return sp.Symbol(name, negative=True)


def nonnegative(name: str) -> sp.Symbol:
    """Return a scalar that is zero or positive, such as a sum over a possibly empty set."""
    return sp.Symbol(name, nonnegative=True)


def index(name: str) -> sp.Symbol:
    """Return an index symbol; it counts from 1 to a size."""
    return sp.Symbol(name, integer=True, positive=True)


def size(name: str) -> sp.Symbol:
    """Return a size symbol: any integer from 1 on."""
    return sp.Symbol(name, integer=True, positive=True)


def family(name: str) -> sp.IndexedBase:
    """Return a real array with any number of indices: ``family("z")[i]`` is z_i."""
    return sp.IndexedBase(name, real=True)


def positive_family(name: str) -> sp.IndexedBase:
    """Return an array of positive reals, such as probabilities inside a logarithm."""
    return sp.IndexedBase(name, positive=True)


def label_family(name: str) -> sp.IndexedBase:
    """Return an array of indices: ``label_family("c")[m]`` is the class of sample m."""
    return sp.IndexedBase(name, integer=True, positive=True)


i, j, k, ell, m, r = (index(_name) for _name in ("i", "j", "k", "l", "m", "r"))
n, N, D, K = (size(_name) for _name in ("n", "N", "D", "K"))
x, c = real("x"), real("c")
z, Y, t, u, v = (family(_name) for _name in ("z", "Y", "t", "u", "v"))
y = positive_family("y")


class OpaqueFunction(sp.Function):  # type: ignore[misc]  # SymPy ships no types
    """A differentiable function R → R of which nothing else is known; made by `opaque`.

    Attributes
    ----------
    base_name : str
        The letter, such as ``phi``.
    order : int
        How often it has been differentiated.
    """

    nargs = 1
    base_name = ""
    order = 0

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return the next derivative at the same argument (SymPy's hook for the chain rule)."""
        del argindex
        return opaque(self.base_name, self.order + 1)(self.args[0])

    def _eval_is_extended_real(self) -> bool | None:
        return True if self.args[0].is_extended_real else None

    def _eval_is_finite(self) -> bool | None:
        return True if self.args[0].is_finite else None

    def _sympystr(self, printer: Any) -> str:
        return f"{self.base_name}{chr(39) * self.order}({printer.doprint(self.args[0])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        letter = printer.doprint(sp.Symbol(self.base_name)) + "'" * self.order
        power = "" if exp is None else f"^{{{exp}}}"
        return f"{{{letter}}}{power}\\left({printer.doprint(self.args[0])}\\right)"


@functools.cache
def opaque(name: str, order: int = 0) -> type[OpaqueFunction]:
    """Return an opaque differentiable function, or its derivative of a given order.

    Parameters
    ----------
    name : str
        The letter.
    order : int
        0 for the function itself.

    Examples
    --------
    >>> phi = opaque("phi")
    >>> phi(x**2).diff(x)
    2*x*phi'(x**2)
    """
    return type(f"{name}_{order}", (OpaqueFunction,), {"base_name": name, "order": order})


phi = opaque("phi")


def total(term: sp.Expr, over: sp.Symbol, upto: sp.Expr) -> sp.Sum:
    """Return the unevaluated sum of `term` for `over` = 1 … `upto`."""
    return sp.Sum(term, (over, 1, upto))


def derivative(expression: sp.Expr, variable: sp.Expr) -> sp.Derivative:
    """Return the unevaluated derivative: where a derivation starts."""
    return sp.Derivative(expression, variable, evaluate=False)


def delta(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """Return the Kronecker delta: 1 if the indices are equal, 0 otherwise."""
    return sp.KroneckerDelta(a, b)


def plus(*terms: Any) -> sp.Expr:
    """Return a sum as written: nothing is collected, cancelled or reordered."""
    return sp.Add(*map(sp.sympify, terms), evaluate=False)


def times(*factors: Any) -> sp.Expr:
    """Return a product as written: nothing is collected, cancelled or reordered."""
    return sp.Mul(*map(sp.sympify, factors), evaluate=False)


def fraction(numerator: Any, denominator: Any) -> sp.Expr:
    """Return a fraction as written."""
    power = sp.Pow(sp.sympify(denominator), -1, evaluate=False)
    return sp.Mul(sp.sympify(numerator), power, evaluate=False)
