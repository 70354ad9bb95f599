"""What the symbols of an expression stand for when it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import sympy as sp

from derivations.records import Definition


class EvaluationError(ValueError):
    """An expression has no value: an unbound symbol, an index out of range, a logarithm of −1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What the symbols of an expression stand for.

    Parameters
    ----------
    arrays : mapping of sympy.IndexedBase to array_like
        The families: ``z[1]`` is the first entry of the array bound to ``z``.  Floats enter
        exactly.
    labels : mapping of sympy.IndexedBase to array_like of int
        Families of class indices, counted from 0 in the array and from 1 in the expression.
    scalars : mapping of sympy.Symbol to number
        The symbols without index.
    sizes : mapping of sympy.Symbol to int
        The bounds of sums; they may also occur as numbers, as in a mean.
    definitions : tuple of Definition
        Names that stand for expressions, such as ``y`` for a softmax.  The value of a name is
        computed once, however often it occurs.
    functions : mapping of str to callable
        For the letter of an opaque function the symbolic function that it is, such as
        ``{"phi": sympy.tanh}``; its derivatives are differentiated from it.

    Raises
    ------
    EvaluationError
        If an array is complex or holds a value that is not finite.
    """

    arrays: Mapping[sp.IndexedBase, npt.ArrayLike] = field(default_factory=dict)
    labels: Mapping[sp.IndexedBase, npt.ArrayLike] = field(default_factory=dict)
    scalars: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    sizes: Mapping[sp.Symbol, int] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    functions: Mapping[str, Callable[[sp.Expr], sp.Expr]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in (*self.arrays.items(), *self.labels.items(), *self.scalars.items()):
            _require_finite_real(name, values)
        for name, labels in self.labels.items():
            if np.asarray(labels).dtype.kind not in "iu":
                raise EvaluationError(f"{name}: labels are integers, got {np.asarray(labels)!r}")


def _require_finite_real(name: Any, values: Any) -> None:
    array = np.asarray(values)
    if array.dtype.kind not in "biufO":
        raise EvaluationError(f"{name}: real numbers are needed, got an array of {array.dtype}")
    finite = (
        np.frompyfunc(_is_finite_real, 1, 1)(array)
        if array.dtype.kind == "O"
        else np.isfinite(array)
    )
    for where in np.argwhere(~np.asarray(finite, dtype=bool)):
        entry = tuple(int(w) for w in where)
        raise EvaluationError(
            f"{name}: entry {entry} is {array[entry]!r}, not a finite real number"
        )


def _is_finite_real(x: Any) -> bool:
    return (hasattr(x, "_mpf_") or isinstance(x, (int, float))) and bool(mpmath.isfinite(x))
