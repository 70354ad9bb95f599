"""Symbolic numbers, and arrays of them that NumPy code runs on unchanged.

Arithmetic builds SymPy expressions.  What only selects a number (``np.where``, ``argmax`` and
indexing with it, ``abs``, ``max``) leaves the choice open; what Python has to know (``if``, a
boolean mask) is decided, one path at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from derivations.choices import Deferred, Path, mapped

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
        return bool(self.expression != 0)  # zero only by chance: a border, left out

    def _same(self, other: object) -> bool:
        if isinstance(other, float | np.floating) and not math.isfinite(other):
            return False
        value = exact(other)
        return value is not None and bool(sp.expand(self.expression - value) == 0)

    def __float__(self) -> float:
        raise NotTraceableError(f"the code casts {self.expression} to float")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Be an array of no axes."""
        arrays = (traced(x, self.path) if isinstance(x, Traced) else x for x in inputs)
        result = getattr(ufunc, method)(*arrays, **options)
        return result[()] if isinstance(result, np.ndarray) and not result.ndim else result

    def __repr__(self) -> str:
        return f"Traced({self.expression})"

    def astype(self, dtype: Any, copy: bool = True) -> Traced:
        """Return the number itself: nothing is rounded here."""
        del copy
        if np.dtype(dtype).kind not in "fO":
            raise NotTraceableError(f"the code casts {self.expression} to {dtype}")
        return self

    # The names that NumPy's loops over objects call.

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
    if _is_index(yes) and _is_index(no):
        return truth.mapped(lambda leaf: yes if leaf else no)
    both = number(yes), number(no)
    return Traced(truth.selected(lambda leaf: both[not leaf]), path)


def _is_index(value: Any) -> bool:
    if isinstance(value, Deferred):
        return not any(isinstance(leaf, bool) for leaf in value.leaves())
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


class TracedArray(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of `Traced` numbers; constants that code mixes in become `Traced` as well."""

    path: Path

    def __array_finalize__(self, obj: Any) -> None:
        self.path = getattr(obj, "path", None) or Path()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Run NumPy's own loop on exact numbers, or choose."""
        out = options.pop("out", None)
        if method == "reduce":
            result = self._reduced(ufunc, inputs[0], options)
        elif method == "__call__" and ufunc in _CHOOSING:
            pairwise = np.frompyfunc(lambda *xs: _CHOOSING[ufunc](self.path, *xs), ufunc.nin, 1)
            result = self._wrapped(pairwise(*map(plain, inputs)))
        elif ufunc in _COMPARISONS:
            result = self._wrapped(ufunc(*map(plain, inputs), dtype=object))
        else:
            lifted = self._operands(inputs)
            result = self._wrapped(getattr(ufunc, method)(*lifted, **options))
        if out is None:
            return result
        plain(out[0])[...] = plain(result)
        return out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Run NumPy's own function, but for those that only choose."""
        if func is np.where and len(args) == 3:
            choose = np.frompyfunc(lambda truth, a, b: chosen(truth, a, b, self.path), 3, 1)
            return self._wrapped(choose(*(_objects(x) for x in args)))
        if func is np.count_nonzero and len(args) == 1 and not kwargs:
            return sum(bool(x) for x in np.ravel(plain(args[0])))
        return self._viewed(super().__array_function__(func, types, args, kwargs))

    def __getitem__(self, key: Any) -> Any:
        """Look up; an open index gives a number that stands for all it may be."""
        places = _open_places(key)
        if places is None:
            found = super().__getitem__(_decided(key))
            is_view = isinstance(found, np.ndarray) and found.base is not None
            return found if is_view else self._wrapped(found)
        values, *index = plain(self), *places
        look_up = np.frompyfunc(lambda *place: self._at(values, place), len(index), 1)
        return self._wrapped(np.asarray(look_up(*index), dtype=object))

    def _at(self, values: Objects, place: Sequence[Any]) -> Traced:
        *before, last = place
        row = values[tuple(before)]
        if isinstance(last, Deferred):
            return Traced(last.selected(lambda leaf: number(row[leaf])), self.path)
        return Traced(number(row[last]), self.path)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign; at an open index every place it may be gets a number that stands for both."""
        places = _open_places(key)
        if places is None:
            super().__setitem__(_decided(key), plain(value))
            return
        values = plain(self)
        for *place, new in zip(
            *(x.ravel() for x in np.broadcast_arrays(*places, value)), strict=True
        ):
            *before, last = place
            for leaf in last.leaves() if isinstance(last, Deferred) else (last,):
                here = mapped(last, _equals(leaf))
                spot = (*before, leaf)
                values[spot] = chosen(here, new, values[spot], self.path)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """Return where the largest entries are."""
        return self._extreme(axis, 1, out, keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """Return where the smallest entries are."""
        return self._extreme(axis, -1, out, keepdims)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Any:
        """Return the array itself: nothing is rounded here."""
        if np.dtype(dtype).kind not in "fO":
            raise NotTraceableError(f"the code casts symbolic numbers to {dtype}")
        return self

    def _extreme(self, axis: Any, sign: int, out: Any, keepdims: Any) -> Any:
        if out is not None:
            raise NotTraceableError("the code writes the place of an extreme into an array")

        def place(lane: Sequence[Any]) -> Any:
            return self.path.largest([sign * number(x) for x in lane])

        return self._wrapped(_by_lanes(place, plain(self), axis, keepdims))

    def _reduced(self, ufunc: np.ufunc, array: Any, options: dict[str, Any]) -> Any:
        if ufunc not in _REDUCING:
            (lifted,) = self._operands((array,))
            return self._wrapped(ufunc.reduce(lifted, **options))
        first = [options["initial"]] if options.get("initial") is not None else []

        def reduce(lane: Sequence[Any]) -> Any:
            return _REDUCING[ufunc](self.path, [*first, *lane])

        axis, keepdims = options.get("axis", 0), options.get("keepdims", False)
        return self._wrapped(_by_lanes(reduce, plain(array), axis, keepdims))

    def _operands(self, inputs: Sequence[Any]) -> list[Any]:
        """Return what arithmetic is done with: exact numbers, or places as they are."""
        arrays = [plain(x) for x in inputs]
        entries = [e for x in arrays for e in (x.ravel() if isinstance(x, np.ndarray) else [x])]
        if any(isinstance(e, Deferred) for e in entries) and all(map(_is_index, entries)):
            return arrays
        return [self._lifted(x) if isinstance(x, np.ndarray) else x for x in arrays]

    def _lifted(self, array: Objects) -> Objects:
        if array.dtype != object:
            return array
        out = np.empty(array.shape, dtype=object)
        for place, value in np.ndenumerate(array):
            expression = exact(value)
            out[place] = value if expression is None else Traced(expression, self.path)
        return out

    def _wrapped(self, result: Any) -> Any:
        if not isinstance(result, np.ndarray) or result.dtype != object:
            return result
        entries = plain(result).ravel()
        if entries.size and all(type(e) is bool for e in entries):
            return plain(result).astype(bool)
        if entries.size and all(type(e) is int for e in entries):
            return plain(result).astype(np.intp)
        return self._viewed(result)

    def _viewed(self, result: Any) -> Any:
        if not isinstance(result, np.ndarray) or result.dtype != object:
            return result
        wrapped = plain(result).view(TracedArray)
        wrapped.path = self.path
        return wrapped


class Places(np.ndarray[Any, np.dtype[np.intp]]):
    """An array of integers in which symbols may be looked up by a mask that is still open."""

    def __getitem__(self, key: Any) -> Any:
        """Look up; the mask is decided."""
        return super().__getitem__(_decided(key))


def _larger(path: Path, a: Any, b: Any) -> Any:
    return chosen(path.positive(number(a) - number(b)), a, b, path)


def _extreme_of(sign: int) -> Callable[[Path, Sequence[Any]], Any]:
    def extreme(path: Path, lane: Sequence[Any]) -> Any:
        entries = [number(x) for x in lane]
        place = path.largest([sign * e for e in entries])
        if not isinstance(place, Deferred):
            return Traced(entries[place], path)
        value = place.selected(lambda leaf: entries[leaf])
        for entry in entries:
            path.order.add_at_least(*((value, entry) if sign == 1 else (entry, value)))
        return Traced(value, path)

    return extreme


def _negated(path: Path, truth: Any) -> Any:
    del path
    return mapped(truth, lambda leaf: not leaf)


def _both(path: Path, a: Any, b: Any) -> Any:
    del path
    return a & b if isinstance(a, Deferred) or isinstance(b, Deferred) else bool(a and b)


def _either(path: Path, a: Any, b: Any) -> Any:
    del path
    return a | b if isinstance(a, Deferred) or isinstance(b, Deferred) else bool(a or b)


def _folded(fold: Callable[[Path, Any, Any], Any], start: bool) -> Callable[[Path, Any], Any]:
    def folded(path: Path, lane: Sequence[Any]) -> Any:
        out: Any = start
        for truth in lane:
            out = fold(path, out, truth)
        return out

    return folded


_CHOOSING: dict[np.ufunc, Callable[..., Any]] = {
    np.maximum: _larger,
    np.fmax: _larger,
    np.minimum: lambda path, a, b: chosen(path.positive(number(a) - number(b)), b, a, path),
    np.fmin: lambda path, a, b: chosen(path.positive(number(a) - number(b)), b, a, path),
    np.sign: lambda path, x: chosen(
        path.positive(number(x)), Traced(1, path), Traced(-1, path), path
    ),
    np.bitwise_and: _both,
    np.logical_and: _both,
    np.bitwise_or: _either,
    np.logical_or: _either,
    np.invert: _negated,
    np.logical_not: _negated,
    np.isfinite: lambda _path, _x: True,
    np.isnan: lambda _path, _x: False,
    np.isinf: lambda _path, _x: False,
}
_REDUCING: dict[np.ufunc, Callable[[Path, Sequence[Any]], Any]] = {
    np.maximum: _extreme_of(1),
    np.minimum: _extreme_of(-1),
    np.logical_and: _folded(_both, True),
    np.logical_or: _folded(_either, False),
}
_COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}


def _by_lanes(
    reduce: Callable[[Sequence[Any]], Any], array: Objects, axis: Any, keepdims: Any
) -> Any:
    """Reduce an array along one axis, or along all for None."""
    if axis is None:
        out = reduce(list(array.ravel()))
        return np.full((1,) * array.ndim, out, dtype=object) if keepdims is True else out
    (one,) = axis if isinstance(axis, tuple) else (axis,)
    lanes = np.moveaxis(array, one, -1)
    out = np.empty(lanes.shape[:-1], dtype=object)
    for place in np.ndindex(*out.shape):
        out[place] = reduce(list(lanes[place]))
    return np.expand_dims(out, one) if keepdims is True else out


def _equals(leaf: int) -> Callable[[int], bool]:
    return lambda index: bool(index == leaf)


def _objects(x: Any) -> Objects:
    if isinstance(x, np.ndarray):
        return np.asarray(plain(x), dtype=object)
    out = np.empty((), dtype=object)
    out[()] = x
    return out


def _open_places(key: Any) -> list[Objects] | None:
    """Return the indices of a look-up by arrays of which the last is open; None for any other."""
    if not isinstance(key, tuple) or not key or not all(isinstance(k, np.ndarray) for k in key):
        return None
    *before, last = key
    if last.dtype != object or not all(map(_is_index, last.ravel())):
        return None
    if any(k.dtype.kind not in "iu" for k in before):
        return None
    return [*(np.asarray(k, dtype=object) for k in before), plain(last)]


def _decided(key: Any) -> Any:
    """Return an index or mask that NumPy understands."""
    if isinstance(key, tuple):
        return tuple(map(_decided, key))
    if not isinstance(key, np.ndarray) or key.dtype != object:
        return key
    values = [x.decided() if isinstance(x, Deferred) else x for x in key.ravel()]
    return np.array(values).reshape(key.shape)


def plain(array: Any) -> Any:
    """Return an array without this module's behaviour."""
    return array.view(np.ndarray) if isinstance(array, TracedArray) else array


def traced(array: Any, path: Path | None = None) -> TracedArray:
    """Return an array of symbolic numbers, or of expressions, as one that can be computed with."""
    entries = np.asarray(plain(array), dtype=object)
    if path is None:
        path = next((x.path for x in entries.ravel() if isinstance(x, Traced)), Path())
    out = np.empty(entries.shape, dtype=object).view(TracedArray)
    out.path = path
    for place, value in np.ndenumerate(entries):
        expression = value if isinstance(value, sp.Expr) else number(value)
        plain(out)[place] = Traced(expression, path)
    return out
