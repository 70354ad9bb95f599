"""A function at a point, in flat coordinates: its values, and the curves through the point that it is probed along.

Every call of f at a single point is made here, or by a line that is made here, and is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._case.inputs import Course, Inputs
from gradcheck._case.numbers import NotANumberError, full_name, is_numeric, kind_of, numeric
from gradcheck._case.steps import spacing
from gradcheck._case.tree import Layout, leaves, like, mapped
from gradcheck._estimate.effort import Effort
from gradcheck._estimate.line import Counter, Line

_FLOAT64 = np.dtype(np.float64)
_ENDLESS = (math.inf, math.inf)
_MOST_PRECISE = 2000  # numbers in x: of more, mpmath's arithmetic takes seconds
_SAME_FUNCTION = 1e4  # ulps by which a coarse evaluation may differ from one in float64


class Arithmetic(NamedTuple):
    """What the numerical side evaluates f in: as it is given, or finer.

    Parameters
    ----------
    inputs : Inputs
        The point in that arithmetic.
    value : ndarray
        f there, flat.
    eps : float
        Relative spacing of f's values.
    native_error : float
        How far f's values in x's own precision are from these; 0 where they are the same.
    """

    inputs: Inputs
    value: Array
    eps: float
    native_error: float = 0.0


class Forward:
    """f at x.

    Parameters
    ----------
    f : callable
        The function.
    inputs : Inputs
        Its arguments.
    """

    def __init__(self, f: Callable[..., Any], inputs: Inputs) -> None:
        self._f = f
        self.inputs = inputs
        self.calls = Counter()
        self.output: Any = None
        self.outputs = Layout.of(())
        self.value = np.zeros(0)
        self.arithmetic = Arithmetic(inputs, self.value, spacing(_FLOAT64))
        self._latest: tuple[ReferenceType[Array], Course] | None = None
        self._effort = Effort(bearable=inputs.layout.size <= _MOST_PRECISE)

    def begin(self) -> tuple[Any, ...]:
        """Evaluate f at x for the first time; return the arguments that it was given.

        Raises
        ------
        NotANumberError
            If f returns something that isn't numbers; whatever f raises goes through.
        """
        args = self.inputs.guarded()
        y = self._call(args)
        found = leaves(y)
        for leaf in found:
            where = leaf.path and f" at {leaf.path}"
            try:
                fine = is_numeric(leaf.value)
            except Exception as error:
                what = f"a {full_name(leaf.value)} that doesn't become a NumPy array: {error}"
                raise NotANumberError(f"f must return numbers, got {what}{where}") from error
            if not fine:
                raise NotANumberError(f"f must return numbers, got {kind_of(leaf.value)}{where}")
        self.outputs = Layout.of((0, leaf.path, numeric(leaf.value)) for leaf in found)
        self.value = self._flat_output(y)  # a copy: f may reuse the buffer that it returned
        parts = iter(self.outputs.split(self.value))
        self.output = mapped(lambda value: like(next(parts), value), y)
        self.arithmetic = Arithmetic(self.inputs, self.value, self.outputs.eps)
        return args

    def seek_float64(self) -> bool:
        """Evaluate f in float64 from now on, where x is coarser and f allows it; say whether it does."""
        if self.inputs.layout.eps <= spacing(_FLOAT64):
            return False
        wide = self.inputs.widened()
        try:
            y = self._call(wide.original())
        except Exception:  # noqa: BLE001 -- an f that takes no float64 is evaluated in its own precision
            return False
        parts = [np.asarray(leaf.value) for leaf in leaves(y)]
        if [a.shape for a in parts] != [slot.shape for slot in self.outputs.slots]:
            return False
        if any(a.dtype not in (np.float64, np.complex128) for a in parts):
            return False
        value = self._flat_output(y)
        size = float(np.max(np.abs(self.value), initial=0.0))
        difference = float(np.max(np.abs(value - self.value), initial=0.0))
        eps = max(self.arithmetic.eps, self.inputs.layout.eps)  # one coarse argument rounds f, too
        if not difference <= _SAME_FUNCTION * eps * size:
            return False
        self.arithmetic = Arithmetic(wide, value, spacing(_FLOAT64), difference)
        self._latest = None
        return True

    def again(self) -> Array:
        """Evaluate f at x once more."""
        return self._flat_output(self._call(self.inputs.original()))

    def values_at(self, points: Iterable[tuple[Any, ...]]) -> Array:
        """Evaluate f at points, which are given as its arguments; return a row for each.

        A row is NaN where f raises, or returns something else than at x.  Several threads may call
        this at once; each has its own NumPy error state.
        """
        f, single = self._f, self.outputs.size == 1
        values: list[Any] = []
        for args in points:
            try:
                y = f(*args)
                # a float is a result as it stands; of an array a copy is taken, since f may reuse it
                values.append(
                    y if single and isinstance(y, float) else self._sized(self._flat_output(y))
                )
            except Exception as error:  # noqa: BLE001 -- a probe may leave f's domain in any way that f likes
                self.calls.error = f"{type(error).__name__}: {error}"
                values.append(math.nan)  # for as many values as f returns
        self.calls.add(len(values))
        rows = np.empty((len(values), self.outputs.size))
        for row, value in zip(rows, values, strict=True):
            row[:] = value
        return rows

    @property
    def scalar(self) -> bool:
        """Whether f returns one number."""
        return self.outputs.size == 1 and self.outputs.slots[0].shape == ()

    def course(self, direction: Array) -> Course:
        """Say how far, and in how fine steps, the numerical side can go along a direction."""
        if self._latest is None or self._latest[0]() is not direction:
            self._latest = ref(direction), self.arithmetic.inputs.course(direction)
        return self._latest[1]

    def curve(self, direction: Array) -> Line:
        """Return the curve t ↦ f(x + t·d), all outputs."""
        return self._line(direction, lambda y: y)

    def curve_of(self, output: int, direction: Array) -> Line:
        """Return the curve of one output alone, which keeps no others."""
        return self._line(direction, lambda y: y[[output]])

    def _line(
        self,
        direction: Array,
        view: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
        rounding: float = 0.0,
        noise: float = 0.0,
    ) -> Line:
        inputs = self.arithmetic.inputs
        move = inputs.mover(direction)
        course = self.course(direction)

        def at(t: float) -> Array:
            return view(self._sized(self._flat_output(self._f(*move(t)))))

        def extended(t: Any) -> npt.NDArray[Any]:
            args = inputs.extended(direction, t)
            y = (
                self._f(*args)
                if isinstance(t, complex)
                else self._effort.limited(partial(self._f, *args))
            )
            parts = [np.asarray(leaf.value).reshape(-1) for leaf in leaves(y)]
            return view(self._sized(np.concatenate(parts)))

        return Line(
            at=at,
            extended=extended if self._extensible(course) else None,
            origin=view(self.arithmetic.value),
            unit=course.unit,
            reach=course.reach,
            eps=self.arithmetic.eps,
            argument_noise=course.argument_noise,
            depth=course.depth,
            rounding=rounding,
            noise=noise,
            counter=self.calls,
            effort=self._effort,
        )

    def _extensible(self, course: Course) -> bool:
        """Whether f may be asked at complex and at finer numbers: all is real, in float64, and undeclared."""
        real = not self.outputs.is_complex
        return real and course.reach == _ENDLESS and self.arithmetic.inputs.extensible

    def _call(self, args: tuple[Any, ...]) -> Any:
        self.calls.calls += 1
        return self._f(*args)

    def _sized(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if flat.size != self.outputs.size:
            raise ValueError(f"f returns {flat.size} values here, {self.outputs.size} at x")
        return flat

    def _flat_output(self, y: Any) -> Array:
        if isinstance(y, (np.ndarray, float)) and not self.outputs.is_complex:
            # the common case, without a walk through a tree; a copy: f may reuse its buffer
            return np.array(y, dtype=np.float64).reshape(-1)
        return self.outputs.flatten(numeric(leaf.value) for leaf in leaves(y))
