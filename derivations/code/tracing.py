"""NumPy code run on symbols: what it computes on every branch, in exact real arithmetic.

A function runs unchanged on arrays of symbolic numbers.  Choices that Python has to know are
decided, and the run is repeated until every combination has been taken; choices that only select a
number stay open in the result (`derivations.code.choices`).

Rounding, overflow and NaN do not happen here, and the points where a compared pair is equal are
left out: a kink, or the border between two branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from derivations.code.choices import Path, Register
from derivations.code.order import Condition
from derivations.code.traced import NotTraceableError, Objects, number
from derivations.code.traced_arrays import traced

_MOST_PATHS = 2048


@dataclass(frozen=True, slots=True)
class Run:
    """What the code computed on one path.

    Parameters
    ----------
    path : Path
        What was decided, and what the open choices are.
    outputs : tuple of ndarray of sympy.Expr
        The results.
    """

    path: Path
    outputs: tuple[Objects, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What holds on the path."""
        return self.path.conditions


def runs(
    function: Callable[..., tuple[Any, ...]],
    inputs: Sequence[Objects],
    assumed: Sequence[Condition] = (),
    largest_exponent: int | None = None,
) -> Iterator[Run]:
    """Run a function on symbols, once for every path through it.

    Parameters
    ----------
    function : callable
        From arrays to a tuple of arrays.
    inputs : sequence of ndarray
        Arrays of SymPy expressions are traced, arrays of numbers passed on as they are.
    assumed : sequence of Condition
        What holds on every path.
    largest_exponent : int or None
        What exponents of numbers are assumed to lie below, in absolute value.

    Raises
    ------
    NotTraceableError
        If the code casts a symbol to float, or has more than 2048 paths.

    Examples
    --------
    >>> def halved(x):
    ...     return (x / 2 if x[0] > 0 else x,)
    >>> x = np.array([sp.Symbol("x", real=True)], dtype=object)
    >>> [(str(run.conditions[0]), run.outputs[0][0]) for run in runs(halved, (x,))]
    [('x > 0', x/2), ('x < 0', x)]
    """
    register, script = Register(), ()  # type: tuple[Register, tuple[int, ...] | None]
    for _ in range(_MOST_PATHS):
        assert script is not None
        path = Path(assumed, script, register, largest_exponent)
        with np.errstate(all="ignore"):  # big integers leave flags that mean nothing here
            outputs = function(*(traced(x, path) if x.dtype == object else x for x in inputs))
        yield Run(path, tuple(_expressions(output, path) for output in outputs))
        script = path.successor()
        if script is None:
            return
    raise NotTraceableError(f"the code has more than {_MOST_PATHS} paths")


def _expressions(output: Any, path: Path) -> Objects:
    array = np.asarray(output, dtype=object)
    out = np.empty(array.shape, dtype=object)
    for place, value in np.ndenumerate(array):
        out[place] = path.now(number(value))
    return out


def symbols(name: str, shape: tuple[int, ...], positive: bool = False) -> Objects:
    """Return an array of real symbols such as ``z_1,2``."""
    out = np.empty(shape, dtype=object)
    kind = {"positive": True} if positive else {"real": True}
    for place in np.ndindex(*shape):
        numbers = ",".join(str(q + 1) for q in place)
        out[place] = sp.Symbol(f"{name}_{numbers}" if shape else name, **kind)
    return out


def probabilities(name: str, shape: tuple[int, ...]) -> Objects:
    """Return an array of numbers between 0 and 1: s/(1 + s) with a positive s each."""
    odds = symbols(name, shape, positive=True)
    return np.asarray(odds / (1 + odds), dtype=object)
