"""Arrays of high-precision numbers with named axes, each entry with a running bound of its error.

A `Tensor` holds mpmath numbers over axes named by SymPy index symbols and, beside them, the binary
logarithm of a bound of each entry's absolute error.  `Arithmetic` combines tensors at a fixed
working precision and carries the bounds along: rounding adds a unit in the last place, an addition
adds the bounds of its terms (so cancellation is seen), a function multiplies by a bound of its
derivative.  A bound of +∞ means that the entry cannot be told at this precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import numpy.typing as npt
import sympy as sp
from mpmath.ctx_mp import MPContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Objects = npt.NDArray[np.object_]
Bounds = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EXACT = -math.inf
UNKNOWN = math.inf
SLACK = 2.0**-30  # the bounds themselves are rounded: to about 2^-43 in their logarithm


class DomainError(ValueError):
    """A function is asked for outside of its domain, such as the logarithm of a negative number."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Numbers over named axes.

    Parameters
    ----------
    axes : tuple of sympy.Symbol
        One name for each axis of `values`, without repetition.
    values : ndarray of object
        The numbers.
    error : ndarray of float64
        log₂ of a bound of each entry's absolute error; −∞ where the entry is exact.
    """

    axes: tuple[sp.Symbol, ...]
    values: Objects
    error: Bounds


def _magnitude_of(x: Any) -> float:
    _, mantissa, exponent, bits = x._mpf_
    return float(exponent + bits) if mantissa else -math.inf


_MAGNITUDES = np.frompyfunc(_magnitude_of, 1, 1)


def magnitude(values: Objects) -> Bounds:
    """Return e with 2^(e−1) ≤ |x| < 2^e for each entry, −∞ for a zero."""
    return np.asarray(_MAGNITUDES(values), dtype=np.float64)


def _broadcast(a: npt.NDArray[Any], own: Sequence[sp.Symbol], axes: Sequence[sp.Symbol]) -> Any:
    """Order the axes of `a` as in `axes`, with length one where it has none."""
    order = [own.index(s) for s in axes if s in own]
    return a.transpose(order)[tuple(slice(None) if s in own else None for s in axes)]


def _plus(*bounds: Bounds) -> Bounds:
    total = bounds[0]
    for bound in bounds[1:]:
        total = np.logaddexp2(total, bound)
    return total


def _times(a: Bounds, b: Bounds) -> Bounds:
    """log₂ of a product of bounds; zero times an unknown is unknown."""
    with np.errstate(invalid="ignore"):
        product = a + b
    return np.where(np.isnan(product), UNKNOWN, product)


@dataclass(frozen=True, slots=True)
class _Elementwise:
    """How mpmath calls a function, and a bound of |f(x+δ) − f(x)| for |δ| ≤ 2^error.

    The bound, as log₂, is a function of the magnitudes of x and f(x) and of the error of x.
    """

    name: str
    spread: Callable[[Bounds, Bounds, Bounds], Bounds]


def _lipschitz(x: Bounds, y: Bounds, error: Bounds) -> Bounds:
    del x, y  # |derivative| ≤ 1 everywhere
    return error


def _twice(x: Bounds, y: Bounds, error: Bounds) -> Bounds:
    del x, y  # |derivative| ≤ 2 everywhere
    return error + 1


def _exponential(x: Bounds, y: Bounds, error: Bounds) -> Bounds:
    del x
    return np.where(error <= 0, y + error + 1, UNKNOWN)  # e^δ − 1 ≤ 2δ for δ ≤ 1


def _hyperbolic(x: Bounds, y: Bounds, error: Bounds) -> Bounds:
    del x  # |derivative| ≤ cosh(|x| + δ) ≤ e·(1 + |y|) for δ ≤ 1
    return np.where(error <= 0, np.maximum(y, 0) + error + 3, UNKNOWN)


def _logarithm(x: Bounds, y: Bounds, error: Bounds) -> Bounds:
    del y
    relative = error - (x - 1)
    return np.where(relative <= -1, relative + 1, UNKNOWN)  # |ln(1+r)| ≤ 2|r| for |r| ≤ ½


ELEMENTWISE: dict[Any, _Elementwise] = {
    sp.exp: _Elementwise("exp", _exponential),
    sp.log: _Elementwise("log", _logarithm),
    sp.tanh: _Elementwise("tanh", _lipschitz),
    sp.sinh: _Elementwise("sinh", _hyperbolic),
    sp.cosh: _Elementwise("cosh", _hyperbolic),
    sp.sin: _Elementwise("sin", _lipschitz),
    sp.cos: _Elementwise("cos", _lipschitz),
    sp.erf: _Elementwise("erf", _twice),
    sp.atan: _Elementwise("atan", _lipschitz),
    sp.Abs: _Elementwise("fabs", _lipschitz),
}


class Arithmetic:
    """Operations on tensors at one working precision, in an mpmath context of its own.

    Parameters
    ----------
    precision : int
        Working precision in bits.
    """

    def __init__(self, precision: int) -> None:
        self.context = MPContext()
        self.context.prec = precision
        self.precision = precision

    # -- making tensors ---------------------------------------------------------------------------

    def exact(self, values: npt.ArrayLike, axes: tuple[sp.Symbol, ...] = ()) -> Tensor:
        """Wrap numbers (int, float, mpf) without rounding."""
        numbers = np.asarray(values, dtype=object)
        converted = np.empty(numbers.shape, dtype=object)
        converted[...] = np.frompyfunc(self._number, 1, 1)(numbers)
        return Tensor(axes, converted, np.full(numbers.shape, EXACT))

    def _number(self, x: Any) -> Any:
        if hasattr(x, "_mpf_"):
            return self.context.make_mpf(x._mpf_)
        if isinstance(x, (int, np.integer, np.bool_)):
            return self.context.make_mpf(mpmath.libmp.from_int(int(x)))
        if isinstance(x, np.longdouble):
            head = float(x)
            return self._sum_exactly(head, float(x - np.longdouble(head)))
        return self.context.make_mpf(mpmath.libmp.from_float(float(x)))

    def _sum_exactly(self, head: float, tail: float) -> Any:
        terms = [mpmath.libmp.from_float(t) for t in (head, tail)]
        return self.context.make_mpf(mpmath.libmp.mpf_add(*terms))

    def rational(self, numerator: int, denominator: int) -> Tensor:
        """Return numerator/denominator, rounded to the working precision."""
        if denominator == 1:
            return self.exact(numerator)
        return self._rounded((), self.context.mpf(numerator) / denominator)

    def constant(self, name: str) -> Tensor:
        """Return a constant that mpmath knows by name, such as ``"pi"``."""
        return self._rounded((), +getattr(self.context, name))

    def _rounded(self, axes: tuple[sp.Symbol, ...], values: Any, *errors: Bounds) -> Tensor:
        """Attach the bound: those of the operands and one unit of the last place."""
        values = _as_objects(values)
        rounding = magnitude(values) - self.precision
        return Tensor(axes, values, np.asarray(_plus(rounding, *errors) + SLACK))

    # -- combining tensors ------------------------------------------------------------------------

    def add(self, terms: Sequence[Tensor]) -> Tensor:
        """Add tensors over the union of their axes."""
        total = terms[0]
        for term in terms[1:]:
            axes, (a, b) = _aligned(total, term)
            total = self._rounded(axes, a.values + b.values, a.error, b.error)
        return total

    def multiply(self, factors: Sequence[Tensor]) -> Tensor:
        """Multiply tensors over the union of their axes, those with few entries first."""
        product, *rest = sorted(factors, key=lambda t: t.values.size)
        for factor in rest:
            axes, (a, b) = _aligned(product, factor)
            values = _as_objects(a.values * b.values)
            size_a, size_b = magnitude(a.values), magnitude(b.values)
            product = self._rounded(
                axes,
                values,
                _times(size_a, b.error),
                _times(size_b, a.error),
                _times(a.error, b.error),
            )
        return product

    def sum_over(self, tensor: Tensor, axis: sp.Symbol) -> Tensor:
        """Add up along one axis with a single rounding."""
        position = tensor.axes.index(axis)
        axes = tuple(s for s in tensor.axes if s != axis)
        columns = np.moveaxis(tensor.values, position, -1)
        values = np.empty(columns.shape[:-1], dtype=object)
        for where in np.ndindex(values.shape):
            values[where] = self.context.fsum(columns[where])
        error = np.logaddexp2.reduce(tensor.error, axis=position, initial=EXACT)
        return self._rounded(axes, values, np.asarray(error))

    def power(self, base: Tensor, numerator: int, denominator: int = 1) -> Tensor:
        """Raise to a rational power.

        Raises
        ------
        DomainError
            For a power of zero that is not positive, or a root of a negative number.
        """
        size = magnitude(base.values)
        known = base.error < size - 1  # the sign is certain
        if denominator != 1:
            _require(base, (base.values > 0) | ~known, f"power {numerator}/{denominator}")
        if numerator < 0:
            _require(base, (base.values != 0) | (base.error != EXACT), f"power {numerator}")
        usable = known | (base.error == EXACT)
        if denominator == 1 and numerator > 0:
            values = _as_objects(base.values**numerator)
            top = np.maximum(size, base.error) + 1
            spread = math.log2(numerator) + _times(base.error, (numerator - 1) * top)
            spread = np.where(base.error == EXACT, EXACT, spread)
            return self._rounded(base.axes, values, spread)
        exponent = self.context.mpf(numerator) / denominator
        safe = np.where(usable, base.values, self.context.one)
        values = _as_objects(np.frompyfunc(lambda x: x**exponent, 1, 1)(safe))
        relative = base.error - (size - 1) + max(0.0, math.log2(abs(numerator) / denominator))
        spread = np.where(relative <= -2, magnitude(values) + relative + 1, UNKNOWN)
        spread = np.where(base.error == EXACT, EXACT, spread)
        return self._rounded(base.axes, values, np.where(usable, spread, UNKNOWN))

    def apply(self, function: Any, x: Tensor) -> Tensor:
        """Apply a function of `ELEMENTWISE` entry by entry.

        Raises
        ------
        DomainError
            For the logarithm of a number that is not positive.
        """
        row = ELEMENTWISE[function]
        values = x.values
        usable = np.ones(values.shape, dtype=bool)
        if function is sp.log:
            usable = np.asarray(values > 0, dtype=bool)
            _require(x, usable | ~_certain(x), "logarithm")
            values = np.where(usable, values, self.context.one)
        result = _as_objects(np.frompyfunc(getattr(self.context, row.name), 1, 1)(values))
        size = magnitude(result)
        spread = row.spread(magnitude(values), size, x.error)
        spread = np.where(x.error == EXACT, EXACT, spread)
        rounding = size - self.precision + 1
        return self._rounded(x.axes, result, rounding, np.where(usable, spread, UNKNOWN))

    def sign_of_difference(self, a: Tensor, b: Tensor) -> Tensor:
        """Return −1, 0 or 1 for each entry of a − b; unknown where the errors leave it open."""
        axes, (a, b) = _aligned(a, b)
        values = _as_objects(a.values - b.values)  # correctly rounded: zero only if they are equal
        x = Tensor(axes, values, np.logaddexp2(a.error, b.error))
        signs = np.where(values > 0, 1, np.where(values < 0, -1, 0))
        return Tensor(axes, self.exact(signs).values, np.where(_certain(x), EXACT, UNKNOWN))

    def select(self, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        """Take `yes` where the condition (1 or 0) holds and `no` elsewhere."""
        axes, (c, a, b) = _aligned(condition, yes, no)
        holds = np.asarray(c.values != 0, dtype=bool)
        error = np.where(holds, a.error, b.error)
        error = np.where(c.error == UNKNOWN, UNKNOWN, error)
        return Tensor(axes, _as_objects(np.where(holds, a.values, b.values)), error)

    def spread(
        self, tensor: Tensor, axes: tuple[sp.Symbol, ...], lengths: tuple[int, ...]
    ) -> Tensor:
        """Repeat along the axes that are missing, and order them."""
        values = np.broadcast_to(_broadcast(tensor.values, tensor.axes, axes), lengths)
        error = np.broadcast_to(_broadcast(tensor.error, tensor.axes, axes), lengths)
        return Tensor(axes, values, error)

    def take(
        self, tensor: Tensor, axis: sp.Symbol, where: Integers, along: tuple[sp.Symbol, ...]
    ) -> Tensor:
        """Replace an axis by the entries at the positions `where`, an array over the axes `along`.

        An axis of `along` that the tensor has already is shared: a diagonal is taken.
        """
        kept = tuple(s for s in tensor.axes if s != axis)
        axes = kept + tuple(s for s in along if s not in kept)
        index = []
        for position, name in enumerate(tensor.axes):
            if name == axis:
                index.append(_broadcast(where, along, axes))
            else:
                index.append(_broadcast(np.arange(tensor.values.shape[position]), (name,), axes))
        at = tuple(np.broadcast_arrays(*index))
        return Tensor(axes, _as_objects(tensor.values[at]), np.asarray(tensor.error[at]))


def _certain(x: Tensor) -> Any:
    """Whether the sign of each entry is beyond doubt."""
    return (x.error == EXACT) | (x.error < magnitude(x.values) - 1)


def _require(x: Tensor, allowed: Any, what: str) -> None:
    bad = np.argwhere(~np.asarray(allowed, dtype=bool))
    if len(bad):
        entry = tuple(int(b) for b in bad[0])
        at = ", ".join(f"{s} = {e + 1}" for s, e in zip(x.axes, entry, strict=True))
        value = mpmath.nstr(x.values[entry], 8)
        raise DomainError(f"{what} of {value}" + (f" (at {at})" if at else ""))


def _as_objects(values: Any) -> Objects:
    """NumPy returns a bare number for an object array without axes: put it back into an array."""
    if isinstance(values, np.ndarray):
        return values
    wrapped = np.empty((), dtype=object)
    wrapped[()] = values
    return wrapped


def _aligned(*tensors: Tensor) -> tuple[tuple[sp.Symbol, ...], list[Tensor]]:
    """Bring tensors to the union of their axes; missing axes get length one."""
    axes = tuple(dict.fromkeys(s for t in tensors for s in t.axes))
    return axes, [
        Tensor(axes, _broadcast(t.values, t.axes, axes), _broadcast(t.error, t.axes, axes))
        for t in tensors
    ]
