"""Arrays of symbolic numbers that NumPy code runs on unchanged.

What only selects a number (``np.where``, ``argmax`` and indexing with it, ``abs``, ``max``) leaves
the choice open; what Python has to know (``if``, a boolean mask) is decided, one path at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp

from derivations.code.choices import Deferred, Path, mapped
from derivations.code.choosing import CHOOSING, COMPARISONS, REDUCING, by_lanes
from derivations.code.traced import (
    NotTraceableError,
    Objects,
    Traced,
    chosen,
    exact,
    is_index,
    number,
)


class TracedArray(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of `Traced` numbers; constants that code mixes in become `Traced` as well."""

    path: Path

    def __array_finalize__(self, obj: Any) -> None:
        self.path = getattr(obj, "path", None) or Path()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Run NumPy's own loop on exact numbers, or choose."""
        out = options.pop("out", None)
        if method == "at":
            return self._added_at(ufunc, *inputs)
        if method == "reduce":
            result = self._reduced(ufunc, inputs[0], options)
        elif method == "__call__" and ufunc in CHOOSING:
            entrywise = np.frompyfunc(
                lambda *xs: CHOOSING[ufunc](self.path, *xs), ufunc.nin, ufunc.nout
            )
            found = entrywise(*map(plain, inputs))
            if ufunc.nout > 1:
                return tuple(map(self._wrapped, found))
            result = self._wrapped(found)
        elif ufunc in COMPARISONS:
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
        if func is np.clip and not kwargs:
            x, low, high = args
            return np.minimum(np.maximum(x, low), high)
        if func is np.take_along_axis:
            return self._taken(*args, **kwargs)
        if func is np.count_nonzero and len(args) == 1 and not kwargs:
            return sum(bool(x) for x in np.ravel(plain(args[0])))
        return self._viewed(super().__array_function__(func, types, args, kwargs))

    def __getitem__(self, key: Any) -> Any:
        """Look up; an open index gives a number that stands for all it may be."""
        places = _open_places((key,) if self.ndim == 1 else key)
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
        places = _open_places((key,) if self.ndim == 1 else key)
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

    def _taken(self, array: Any, indices: Any, axis: int = -1) -> Any:
        """Look up along an axis, at places that may be open."""
        values = np.moveaxis(np.asarray(plain(array), dtype=object), axis, -1)
        places = np.moveaxis(np.asarray(plain(indices), dtype=object), axis, -1)
        out = np.empty(places.shape, dtype=object)
        for spot in np.ndindex(*places.shape):
            row = values[spot[:-1]]
            out[spot] = self._entry_of(row, places[spot])
        return self._wrapped(np.moveaxis(out, -1, axis))

    def _entry_of(self, row: Any, place: Any) -> Any:
        if not isinstance(place, Deferred):
            return row[place]
        leaves = [row[leaf] for leaf in place.leaves()]
        if all(isinstance(leaf, int | np.integer | np.bool_) for leaf in leaves):
            return place.mapped(lambda leaf: row[leaf])
        return Traced(place.selected(lambda leaf: number(row[leaf])), self.path)

    def _added_at(self, ufunc: np.ufunc, target: Any, places: Any, values: Any) -> None:
        """Add each of the values to its row of an array of symbols; the row may be open."""
        if ufunc is not np.add or target.dtype != object:
            raise NotTraceableError(f"the code runs {ufunc.__name__}.at on {target.dtype}")
        rows = plain(target)
        target.path = self.path = values.path if isinstance(values, TracedArray) else self.path
        for place, entry in zip(plain(places).tolist(), plain(values), strict=True):
            for leaf in place.leaves() if isinstance(place, Deferred) else (place,):
                rows[leaf] = rows[leaf] + self._if(mapped(place, _equals(leaf)), entry)

    def _if(self, truth: Any, entry: Objects) -> Any:
        """Return the numbers of a row where something is true, else zeros."""
        return np.frompyfunc(lambda x: chosen(truth, x, 0, self.path), 1, 1)(entry)

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
            inside = [k for k, x in enumerate(lane) if not _never(x, sign)]
            if not inside:
                return 0
            found = self.path.largest([sign * number(lane[k]) for k in inside])
            return mapped(found, lambda k: inside[k])

        return self._wrapped(by_lanes(place, plain(self), axis, keepdims))

    def _reduced(self, ufunc: np.ufunc, array: Any, options: dict[str, Any]) -> Any:
        if ufunc not in REDUCING:
            (lifted,) = self._operands((array,))
            return self._wrapped(ufunc.reduce(lifted, **options))
        first = [options["initial"]] if options.get("initial") is not None else []

        def reduce(lane: Sequence[Any]) -> Any:
            return REDUCING[ufunc](self.path, [*first, *lane])

        axis, keepdims = options.get("axis", 0), options.get("keepdims", False)
        return self._wrapped(by_lanes(reduce, plain(array), axis, keepdims))

    def _operands(self, inputs: Sequence[Any]) -> list[Any]:
        """Return what arithmetic is done with: exact numbers, or places as they are."""
        arrays = [plain(x) for x in inputs]
        entries = [e for x in arrays for e in (x.ravel() if isinstance(x, np.ndarray) else [x])]
        if any(isinstance(e, Deferred) for e in entries) and all(map(is_index, entries)):
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


def _equals(leaf: int) -> Callable[[int], bool]:
    return lambda index: bool(index == leaf)


def _never(x: Any, sign: int) -> bool:
    """Whether an entry is the infinity that no number is beyond."""
    return isinstance(x, float) and x == -sign * np.inf


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
    if last.dtype != object or not all(map(is_index, last.ravel())):
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
