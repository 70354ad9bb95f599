"""The functions of NumPy that choose a number, on symbols: what each of them selects.

A choice stays open where it only selects (`derivations.code.choices`); nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from derivations.code.choices import Deferred, Path, mapped
from derivations.code.exponents import mantissa_and_exponent, scaled
from derivations.code.traced import Objects, Traced, chosen, number


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
        for x in lane:
            out = fold(path, out, path.nonzero(x.expression) if isinstance(x, Traced) else x)
        return out

    return folded


CHOOSING: dict[np.ufunc, Callable[..., Any]] = {
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
    np.frexp: mantissa_and_exponent,
    np.ldexp: scaled,
}
REDUCING: dict[np.ufunc, Callable[[Path, Sequence[Any]], Any]] = {
    np.maximum: _extreme_of(1),
    np.minimum: _extreme_of(-1),
    np.logical_and: _folded(_both, True),
    np.logical_or: _folded(_either, False),
}
COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}


def by_lanes(
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
