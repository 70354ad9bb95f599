"""Symbolic numbers that record what is done to them.

Arithmetic builds SymPy expressions; a comparison is answered by the path that the code is on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from derivations.code.choices import Deferred, Path

Objects = npt.NDArray[np.object_]


class NotTraceableError(TypeError):
    """The code does something to a symbolic number that only a float can stand."""


class Traced:
    """A symbolic number that records what is done to it.

    Parameters
    ----------
    expression : sympy.Expr
        Its value.
    path : Path
        Who answers comparisons.
    """

    __hash__ = None  # type: ignore[assignment]  # as unhashable as an array
    __slots__ = ("expression", "path")

    def __init__(self, expression: sp.Expr, path: Path) -> None:
        self.expression = sp.sympify(expression)
        self.path = path

    def _with(self, expression: sp.Expr) -> Traced:
        return Traced(expression, self.path)

    def _binary(self, other: Any, operate: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> Any:
        value = exact(other)
        return NotImplemented if value is None else self._with(operate(self.expression, value))

    def __add__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return self._binary(other, lambda a, b: a**b)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Traced:
        return self._with(-self.expression)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        size: Traced = chosen(self.path.positive(self.expression), self, -self, self.path)
        return size

    def __gt__(self, other: Any) -> Any:
        return self._above(other, 1)

    def __lt__(self, other: Any) -> Any:
        return self._above(other, -1)

    def __ge__(self, other: Any) -> Any:
        return self._same(other) or self > other

    def __le__(self, other: Any) -> Any:
        return self._same(other) or self < other

    def _above(self, other: Any, sign: int) -> Any:
        if isinstance(other, float | np.floating) and not math.isfinite(other):
            return bool(sign * other < 0.0)  # a real number lies between the infinities
        value = exact(other)
        if value is None:
            return NotImplemented
        return self.path.positive(sign * (self.expression - value))

    def __eq__(self, other: object) -> bool:
        return self._same(other)  # equal only by chance: a border, left out

    def __bool__(self) -> bool:
        return bool(self.path.nonzero(self.expression))

    def _same(self, other: object) -> bool:
        if isinstance(other, float | np.floating) and not math.isfinite(other):
            return False
        value = exact(other)
        return value is not None and bool(sp.expand(self.expression - value) == 0)

    def __float__(self) -> float:
        raise NotTraceableError(f"the code casts {self.expression} to float")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Be an array of no axes."""
        # only now: arrays are made of these numbers
        from derivations.code.traced_arrays import traced

        arrays = (traced(x, self.path) if isinstance(x, Traced) else x for x in inputs)
        result = getattr(ufunc, method)(*arrays, **options)
        if isinstance(result, tuple):
            return tuple(_entry(x) for x in result)
        return _entry(result)

    def __repr__(self) -> str:
        return f"Traced({self.expression})"

    def astype(self, dtype: Any, copy: bool = True) -> Traced:
        """Return the number itself: nothing is rounded here."""
        del copy
        if np.dtype(dtype).kind not in "fO":
            raise NotTraceableError(f"the code casts {self.expression} to {dtype}")
        return self

    # The names that NumPy's loops over objects call.

    def conjugate(self) -> Traced:
        """Return the number itself: it is real."""
        return self

    def exp(self) -> Traced:
        """Return e to this power."""
        return self._with(sp.exp(self.expression))

    def expm1(self) -> Traced:
        """Return e^x − 1."""
        return self._with(sp.exp(self.expression) - 1)

    def log(self) -> Traced:
        """Return the natural logarithm."""
        return self._with(sp.log(self.expression))

    def log1p(self) -> Traced:
        """Return ln(1 + x)."""
        return self._with(sp.log(1 + self.expression))

    def sqrt(self) -> Traced:
        """Return the square root."""
        return self._with(sp.sqrt(self.expression))

    def tanh(self) -> Traced:
        """Return the hyperbolic tangent."""
        return self._with(sp.tanh(self.expression))


def exact(value: Any) -> sp.Expr | None:
    """Return a number exactly as an expression; None for what is no number."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, bool | int | np.bool_ | np.integer):
        return sp.Integer(int(value))
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            raise NotTraceableError(f"the code uses {value} with a symbolic number")
        return sp.Rational(Fraction(float(value)))
    if isinstance(value, Deferred):
        return value.selected(lambda leaf: sp.Integer(int(leaf)))
    if isinstance(value, sp.Expr) and value.is_real:
        return value
    return None


def number(value: Any) -> sp.Expr:
    """Return a number exactly as an expression, or raise `NotTraceableError`."""
    expression = exact(value)
    if expression is None:
        raise NotTraceableError(f"the code returned {value!r}, which is not a number")
    return expression


def chosen(truth: Any, yes: Any, no: Any, path: Path) -> Any:
    """Return one of two values; where the truth is open, a value that stands for both."""
    if not isinstance(truth, Deferred):
        return yes if truth else no
    if is_index(yes) and is_index(no):
        return truth.mapped(lambda leaf: yes if leaf else no)
    both = number(yes), number(no)
    return Traced(truth.selected(lambda leaf: both[not leaf]), path)


def is_index(value: Any) -> bool:
    """Whether a value is an integer, or one that hangs on a choice, and no truth value."""
    if isinstance(value, Deferred):
        return not any(isinstance(leaf, bool) for leaf in value.leaves())
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _entry(result: Any) -> Any:
    return result[()] if isinstance(result, np.ndarray) and not result.ndim else result
