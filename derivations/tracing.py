"""NumPy code run on symbols: what it computes on every branch, in exact real arithmetic.

A function runs unchanged on arrays of `Traced` numbers.  Arithmetic builds SymPy expressions; a
comparison is answered by a `Path`, and the run is repeated until every combination of answers has
been taken.  So masks, ``np.where``, ``argmax``, ``min`` and ``if`` work as they are.

Rounding, overflow and NaN do not happen here, and the points where a compared pair is equal are
left out: a kink, or the border between two branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

Objects = npt.NDArray[np.object_]
_MOST_PATHS = 2048


class NotTraceableError(TypeError):
    """The code does something to a symbolic number that only a float can stand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An answer that was given: `difference` > 0 is `holds`.

    Parameters
    ----------
    difference : sympy.Expr
        What was compared with zero.
    holds : bool
        Whether it was taken to be positive; if not, it was taken to be negative.
    """

    difference: sp.Expr
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.difference} {'>' if self.holds else '<'} 0"


class Path:
    """One way through the code: the answers to the comparisons, in order.

    Parameters
    ----------
    assumed : sequence of Condition
        What holds from the start.
    script : sequence of bool
        The answers to give first; after them every answer is yes.
    """

    def __init__(self, assumed: Sequence[Condition] = (), script: Sequence[bool] = ()) -> None:
        self._script = tuple(script)
        self._assumed = tuple(assumed)
        self.taken: list[Condition] = []

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What is assumed and what was answered."""
        return (*self._assumed, *self.taken)

    def positive(self, difference: sp.Expr) -> bool:
        """Return whether a difference is positive on this path; borders are left out."""
        known = _known_sign(difference)
        if known is not None:
            return known
        for condition in self.conditions:
            if condition.difference == difference:
                return condition.holds
            if condition.difference == -difference:
                return not condition.holds
        position = len(self.taken)
        answer = self._script[position] if position < len(self._script) else True
        self.taken.append(Condition(difference, answer))
        return answer

    def successor(self) -> tuple[bool, ...] | None:
        """Return the script of the next path, depth first; None after the last."""
        answers = [condition.holds for condition in self.taken]
        while answers and not answers[-1]:
            answers.pop()
        return (*answers[:-1], False) if answers else None


def _known_sign(difference: sp.Expr) -> bool | None:
    if difference.is_Rational:
        return bool(difference > 0)
    if difference.is_positive:
        return True
    return False if difference.is_nonpositive else None


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
        value = _exact(other)
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

    def __abs__(self) -> Traced:
        return self if self.path.positive(self.expression) else -self

    def __gt__(self, other: Any) -> Any:
        value = _exact(other)
        return NotImplemented if value is None else self.path.positive(self.expression - value)

    def __lt__(self, other: Any) -> Any:
        value = _exact(other)
        return NotImplemented if value is None else self.path.positive(value - self.expression)

    def __ge__(self, other: Any) -> Any:
        return self._same(other) or self > other

    def __le__(self, other: Any) -> Any:
        return self._same(other) or self < other

    def __eq__(self, other: object) -> bool:
        return self._same(other)  # equal only by chance: a border, left out

    def __bool__(self) -> bool:
        return bool(self.expression != 0)  # zero only by chance: a border, left out

    def _same(self, other: object) -> bool:
        value = _exact(other)
        return value is not None and bool(sp.expand(self.expression - value) == 0)

    def __float__(self) -> float:
        raise NotTraceableError(f"the code casts {self.expression} to float")

    def __repr__(self) -> str:
        return f"Traced({self.expression})"

    # The names that NumPy's loops over objects call.

    def exp(self) -> Traced:
        """Return e to this power."""
        return self._with(sp.exp(self.expression))

    def log(self) -> Traced:
        """Return the natural logarithm."""
        return self._with(sp.log(self.expression))

    def log1p(self) -> Traced:
        """Return ln(1 + x)."""
        return self._with(sp.log(1 + self.expression))

    def tanh(self) -> Traced:
        """Return the hyperbolic tangent."""
        return self._with(sp.tanh(self.expression))


def _exact(value: Any) -> sp.Expr | None:
    """Return a number exactly as an expression; None for what is no number."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, bool | int | np.bool_ | np.integer):
        return sp.Integer(int(value))
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            raise NotTraceableError(f"the code uses {value} with a symbolic number")
        return sp.Rational(Fraction(float(value)))
    return None


class TracedArray(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of `Traced` numbers; constants that code mixes in become `Traced` as well."""

    path: Path

    def __array_finalize__(self, obj: Any) -> None:
        self.path = getattr(obj, "path", None) or Path()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Run NumPy's own loop on lifted inputs."""
        plain = [self._lifted(x) if isinstance(x, np.ndarray) else x for x in inputs]
        if (out := options.get("out")) is not None:
            options["out"] = tuple(_plain(x) for x in out)
            getattr(ufunc, method)(*plain, **options)
            return out[0] if len(out) == 1 else out
        return self._wrapped(getattr(ufunc, method)(*plain, **options))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Run NumPy's own function, and wrap what it returns."""
        return self._wrapped(super().__array_function__(func, types, args, kwargs))

    def _lifted(self, array: Objects) -> Objects:
        plain: Objects = _plain(array)
        if plain.dtype != object:
            return plain
        out = np.empty(plain.shape, dtype=object)
        for place, value in np.ndenumerate(plain):
            exact = _exact(value)
            out[place] = value if exact is None else Traced(exact, self.path)
        return out

    def _wrapped(self, result: Any) -> Any:
        if isinstance(result, np.ndarray) and result.dtype == object:
            wrapped = _plain(result).view(TracedArray)
            wrapped.path = self.path
            return wrapped
        return result


def _plain(array: Any) -> Any:
    return array.view(np.ndarray) if isinstance(array, TracedArray) else array


@dataclass(frozen=True, slots=True)
class Run:
    """What the code computed on one path.

    Parameters
    ----------
    conditions : tuple of Condition
        What holds on it.
    outputs : tuple of ndarray of sympy.Expr
        The results.
    """

    conditions: tuple[Condition, ...]
    outputs: tuple[Objects, ...]


def runs(
    function: Callable[..., tuple[Any, ...]],
    inputs: Sequence[Objects],
    assumed: Sequence[Condition] = (),
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

    Raises
    ------
    NotTraceableError
        If the code casts a symbol to float, or has more than 2048 paths.

    Examples
    --------
    >>> x = np.array([sp.Symbol("x", real=True)], dtype=object)
    >>> [(str(run.conditions[0]), run.outputs[0][0]) for run in runs(lambda x: (abs(x),), (x,))]
    [('x > 0', x), ('x < 0', -x)]
    """
    script: tuple[bool, ...] | None = ()
    for _ in range(_MOST_PATHS):
        assert script is not None
        path = Path(assumed, script)
        outputs = function(*(_traced(x, path) for x in inputs))
        yield Run(path.conditions, tuple(_expressions(output) for output in outputs))
        script = path.successor()
        if script is None:
            return
    raise NotTraceableError(f"the code has more than {_MOST_PATHS} paths")


def _traced(array: Objects, path: Path) -> Any:
    if array.dtype != object:
        return array
    out = np.empty(array.shape, dtype=object).view(TracedArray)
    out.path = path
    for place, expression in np.ndenumerate(array):
        out[place] = Traced(expression, path)
    return out


def _expressions(output: Any) -> Objects:
    array = np.asarray(output, dtype=object)
    out = np.empty(array.shape, dtype=object)
    for place, value in np.ndenumerate(array):
        exact = _exact(value)
        if exact is None:
            raise NotTraceableError(f"the code returned {value!r}")
        out[place] = exact
    return out


def symbols(name: str, shape: tuple[int, ...], positive: bool = False) -> Objects:
    """Return an array of real symbols such as ``z_1,2``."""
    out = np.empty(shape, dtype=object)
    kind = {"positive": True} if positive else {"real": True}
    for place in np.ndindex(*shape):
        out[place] = sp.Symbol(f"{name}_{','.join(str(q + 1) for q in place)}", **kind)
    return out


def probabilities(name: str, shape: tuple[int, ...]) -> Objects:
    """Return an array of numbers between 0 and 1: s/(1 + s) with a positive s each."""
    odds = symbols(name, shape, positive=True)
    return np.asarray(odds / (1 + odds), dtype=object)
