"""A whole Jacobian, column by column, each entry with an error bar: `jacobian`.

One line through x for each input gives the derivatives of all outputs from the same evaluations.
Steps are measured by the input's own size, rounded to a power of two, so that inputs of 1e-8 and
1e8 fare alike, and scaling x by a power of two scales the result exactly.  Where the sparsity is
known, inputs that share no output move at once.

A sparsity that leaves out a place that isn't zero would make other entries wrong without a trace:
what the hidden input does is put down to its neighbour in the group.  So the finished Jacobian is
held against one step along a random direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from gradcheck._case.domain import Array, Domain
from gradcheck._estimate.batch import Batched, Filler
from gradcheck._estimate.differentiate import (
    DEFAULT_RTOL,
    Estimate,
    FloatOrArray,
    at_point,
    must_be_positive,
)
from gradcheck._estimate.directions import signed
from gradcheck._estimate.forward import Forward
from gradcheck._estimate.ladder import BASE, CHECK, ORDINARY, SIGMAS, WIDTH, Component
from gradcheck._estimate.line import Line, quiet
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import Goal
from gradcheck._estimate.singular import Found
from gradcheck._estimate.sparsity import Indices, Pattern, everything, groups, pattern_of
from gradcheck._estimate.together import Many, first_look, first_steps, search_each

_SUSPICIOUS = (
    1e-6  # of an output's movement: more than the truncation of one fine step along all inputs
)
_MOST_KEPT = 64 * 2**20  # bytes of evaluations that wait for a second look
_NAMED = 6  # inputs of a group that a message lists


def jacobian(
    f: Callable[[Any], Any],
    x: Any,
    *,
    domain: Domain | None = None,
    rtol: float = DEFAULT_RTOL,
    vectorized: bool = False,
    sparsity: Any = None,
) -> Estimate:
    """Differentiate f at x in every entry of x, with an error bar for every entry of the result.

    The derivatives are those of `gradcheck.differentiate` along each input by itself, with its
    oracles and its reasons; a smooth, well-scaled f takes ten evaluations an input.  (Of an output
    among several that doesn't move with an input the radius is what rounding could hide in a step of
    1/16 of the input's size.)

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a real scalar or array.  It is called with fresh arrays, and never outside
        `domain`.  With ``vectorized=True`` it takes an array of shape ``(B, *x.shape)`` and returns
        one of shape ``(B, *f.shape)``, row by row; a single point is a batch of one.
    x : float or array_like
        Where to differentiate.  Floating point; integers are converted to float64.
    domain : Domain, optional
        Where f may be evaluated.  It must let every entry of x move by itself.
    rtol : float
        Relative radius at which the search for an entry may stop, positive: relative to the entry's
        natural size or, for an f of several values, to the largest entry of the same output, both
        times the input's size.
    vectorized : bool
        Whether f takes a batch.  The first steps of many inputs are then evaluated together, in
        chunks that stay in cache; further steps where an entry needs them are batches of one.  A
        row of a batch must not depend on the others: three rows are compared with single
        evaluations.
    sparsity : array_like or sparse array, optional
        Shape (m, n) for an f of m values and an x of n entries, flat in C order: nonzero (stored,
        in a SciPy sparse array) where the Jacobian may be nonzero.  Inputs that share no output
        are moved together.

    Returns
    -------
    Estimate
        `value` and `radius` have the shape ``f.shape + x.shape``: the gradient, where f is scalar.
        Where `sparsity` is a SciPy sparse array both are of its kind, in column format and of shape
        (m, n).  Outside the sparsity both are exactly zero.  `evaluations` counts points: every row
        of a batch, the one at x and the two or three that look after `vectorized` and `sparsity`
        included.  `reason`, `oracle` and `step` (in multiples of the input's size) are those of
        the worst entry, `noise` that of the noisiest.

    Raises
    ------
    TypeError
        If f isn't callable, or x, f's values or `sparsity` aren't real numbers.
    ValueError
        If x is empty, not finite or not in the domain; if an input can't move by itself in the
        domain; if f doesn't take batches as said; if the sparsity has another shape, or an output
        moves where it says that it can't.

    References
    ----------
    Curtis, Powell & Reid (1974), "On the estimation of sparse Jacobian matrices".

    Examples
    --------
    >>> import numpy as np
    >>> def f(x):
    ...     return np.stack([x[..., 0] * x[..., 1], np.sin(x[..., 1])], axis=-1)
    >>> e = jacobian(f, np.array([2.0, 0.0]))
    >>> np.round(e.value, 9) + 0.0
    array([[0., 2.],
           [0., 1.]])
    >>> bool(np.all(e.radius < 1e-10)), e.evaluations
    (True, 21)
    >>> bool(np.all(jacobian(f, np.array([2.0, 0.0]), vectorized=True).value == e.value))
    True
    """
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}: {f!r:.80}")
    must_be_positive(rtol)
    batch = Batched(f) if vectorized else None
    forward = at_point(f if batch is None else batch.one, x, domain=domain)
    with quiet():
        forward.begin()
        forward.seek_float64()
        shape = forward.outputs.size, forward.inputs.layout.size
        pattern = everything(shape) if sparsity is None else pattern_of(sparsity, shape)
        sweep = _Sweep(forward, pattern, Goal(rtol))
        if sparsity is None:
            sweep.run([np.array([i]) for i in range(shape[1])], batch)
        else:
            sweep.run(groups(pattern), batch)
            sweep.must_be_all()
    return sweep.estimate()


@dataclass(frozen=True, slots=True)
class _Blunt:
    """Places of one line that a longer search could make more accurate; None for a line that must be walked again."""

    columns: Indices
    line: Line | None
    places: Indices


class _Sweep:
    """The columns of one Jacobian, as they come in.

    Parameters
    ----------
    forward : Forward
        f at x.
    pattern : Pattern
        The places to fill.
    goal : Goal
        When the search for an entry may stop.
    """

    def __init__(self, forward: Forward, pattern: Pattern, goal: Goal) -> None:
        self._forward = forward
        self._pattern = pattern
        self._goal = goal
        self._sizes = forward.arithmetic.inputs.sizes
        places = pattern.rows.size
        self._value = np.zeros(places)  # along size·e_i, as is the radius, until the end
        self._radius = np.zeros(places)
        self._noise = 0.0
        self._steps = np.zeros(pattern.shape[1])  # coarsest of each column's first window
        self._still = np.zeros(places, dtype=bool)  # what didn't move at all
        self._singles: dict[int, Found] = {}  # what was searched by itself, by place
        self._blunt: list[_Blunt] = []
        self._kept = 0
        self._moved = np.zeros(pattern.shape[0])  # how far each output has, where it may
        self._strays: list[tuple[Indices, Array, Indices]] = []

    def run(self, moves: Sequence[Indices], batch: Batched | None) -> None:
        """Differentiate along every group of columns."""
        forward = self._forward
        if batch is None:
            for columns in moves:
                self._take(columns, forward.curve(self._direction(columns)))
        else:
            row = 8 * (self._sizes.size + forward.outputs.size)
            filler = Filler(batch, forward.calls, row)
            for block in _blocks(moves, max(1, filler.rows // (2 * (WIDTH + 1)))):
                directions = [self._direction(columns) for columns in block]
                lines = [forward.curve(d) for d in directions]
                filler.fill(lines, [self._places(d) for d in directions])
                for columns, line in zip(block, lines, strict=True):
                    self._take(columns, line)
        self._refine()

    def _direction(self, columns: Indices) -> Array:
        d = np.zeros_like(self._sizes)
        d[columns] = self._sizes[columns]
        inputs = self._forward.inputs
        if not np.array_equal(inputs.tangent(d), d):
            where = inputs.layout.locate(int(columns[0]))[1]
            raise ValueError(
                f"x[{', '.join(map(str, where))}] can't move by itself inside the domain: there are no partial "
                "derivatives; use differentiate along directions that stay inside"
            )
        return d

    def _places(self, direction: Array) -> Callable[[float], Array]:
        move = self._forward.arithmetic.inputs.mover(direction)
        return lambda t: np.asarray(move(t)[0])

    def _take(self, columns: Indices, line: Line) -> None:
        places = self._pattern.places(columns)
        rows = self._pattern.rows[places]
        if not self._pattern.full:
            self._watch(columns, rows, line)
        # a single output is searched as fast by itself
        look = search_each if rows.size == 1 or line.depth < CHECK else first_look
        many = look(line, rows, self._goal)
        self._put(places, many)
        self._steps[columns] = math.ldexp(line.unit, -BASE)
        if not np.all(many.sharp):
            self._kept += 2 * (WIDTH + 1) * line.origin.nbytes
            kept = line if self._kept < _MOST_KEPT else None
            self._blunt.append(_Blunt(columns, kept, places[~many.sharp]))

    def _put(self, places: Indices, many: Many) -> None:
        self._value[places] = many.value
        self._radius[places] = many.radius
        self._still[places] = many.still
        self._noise = max(self._noise, float(np.max(many.noise, initial=0.0)))
        self._singles |= {int(places[k]): found for k, found in many.singular.items()}

    def _refine(self) -> None:
        """Search on where an entry is too inaccurate both by itself and beside the largest of its output."""
        rows = self._pattern.rows
        largest = np.zeros(self._pattern.shape[0])
        np.fmax.at(largest, rows, np.abs(self._value))
        for blunt in self._blunt:
            wanted = self._radius[blunt.places] > self._goal.rtol * largest[rows[blunt.places]]
            places = blunt.places[wanted]
            if places.size:
                line = blunt.line or self._forward.curve(self._direction(blunt.columns))
                self._put(places, search_each(line, rows[places], self._goal))

    # -- the sparsity ----------------------------------------------------------------------------

    def _watch(self, columns: Indices, rows: Indices, line: Line) -> None:
        """Note the outputs that move although no column of the group may move them."""
        moved = np.zeros_like(self._moved)
        for h in first_steps(line):
            for t in (h, -h):
                moved = np.fmax(moved, np.abs(line.value(t) - line.origin))
        self._moved[rows] = np.fmax(self._moved[rows], moved[rows])
        moved[rows] = 0.0
        strays = np.flatnonzero(moved > ORDINARY * line.eps * np.abs(line.origin))
        if strays.size:
            self._strays.append((strays, moved[strays], columns))

    def must_be_all(self) -> None:
        """Check that no output moves outside the sparsity.

        Raises
        ------
        ValueError
            If one does.
        """
        eps = self._forward.arithmetic.eps
        for outputs, moved, columns in self._strays:
            # no more than that of what the output does elsewhere is rounding
            beyond = outputs[moved > ORDINARY * eps * self._moved[outputs]]
            if beyond.size:
                raise ValueError(
                    f"the sparsity is wrong: {self._output(int(beyond[0]))} moves with {self._inputs(columns)}, "
                    "none of which it is said to depend on"
                )
        self._must_add_up()

    def _must_add_up(self) -> None:
        """Compare one fine step along all inputs with the Jacobian, and where that is off a whole ladder."""
        d = self._sizes * signed(np.random.default_rng(0), self._sizes.shape)
        line = self._forward.curve(d)
        rows = self._pattern.rows
        share = (d / self._sizes)[self._pattern.column]
        count = self._moved.size
        sums = np.bincount(rows, self._value * share, count)
        terms = np.bincount(rows, np.abs(self._value * share), count)
        radius = np.bincount(rows, self._radius * np.abs(share), count)
        h = line.unit * 2.0**-CHECK
        slope = (line.value(h) - line.value(-h)) / (2 * h)
        rounding = SIGMAS * self._noise / h
        allowed = radius + _SUSPICIOUS * (terms + np.abs(slope)) + rounding
        for j in np.flatnonzero(np.abs(slope - sums) > allowed):
            found = derivative(Component(line, int(j)), self._goal)
            apart = abs(found.value - sums[j])
            if apart > found.radius + radius[j] + ORDINARY * line.eps * terms[j]:
                raise ValueError(
                    f"the sparsity is wrong: along a direction that moves all inputs, {self._output(int(j))} has "
                    f"the derivative {found.value:.10g} ± {found.radius:.1e}, its entries inside the sparsity "
                    f"add up to {sums[j]:.10g}; it depends on an input that it is said not to depend on"
                )

    def _output(self, j: int) -> str:
        index = self._forward.outputs.locate(j)[1]
        return f"output [{', '.join(map(str, index))}]" if index else "f"

    def _inputs(self, columns: Indices) -> str:
        layout = self._forward.inputs.layout
        shown = [layout.locate(int(i))[1] for i in columns[:_NAMED]]
        names = ", ".join(f"x[{', '.join(map(str, index))}]" for index in shown)
        more = f" … ({columns.size} inputs moved together)" if columns.size > _NAMED else ""
        return names + more

    # -- the result ------------------------------------------------------------------------------

    def estimate(self) -> Estimate:
        """Return the whole Jacobian."""
        (out,), (into,) = (s.slots for s in (self._forward.outputs, self._forward.inputs.layout))
        shape = (*out.shape, *into.shape)
        worst = self._worst()
        size = self._sizes[self._pattern.column]
        return Estimate(
            value=self._shaped(self._value / size, shape),
            radius=self._shaped(self._radius / size, shape),
            evaluations=self._forward.calls.calls,
            reason="constant" if worst is None else worst.reason,
            noise=self._noise,
            step=math.nan if worst is None else worst.step,
            interval=worst.interval if shape == () and worst is not None else None,
            oracle="differences" if worst is None else worst.oracle,
            native_error=self._forward.arithmetic.native_error,
        )

    def _worst(self) -> Found | None:
        if not self._radius.size:
            return None
        k = int(np.argmax(self._radius))
        if k in self._singles:
            return self._singles[k]
        blunt = any(k in b.places for b in self._blunt)
        value, radius = float(self._value[k]), float(self._radius[k])
        step = float(self._steps[self._pattern.column[k]])
        reason = "constant" if self._still[k] else "noise" if blunt else "smooth"
        return Found(value, radius, reason, self._noise, step, abs(value))

    def _shaped(self, data: Array, shape: tuple[int, ...]) -> FloatOrArray:
        if shape == ():
            return float(data[0]) if data.size else 0.0
        pattern = self._pattern
        if pattern.sparse is not None:
            filled = pattern.sparse.copy()
            filled.data = data
            return cast("Array", filled)  # a SciPy sparse array, which has no type here
        if pattern.full:
            return data.reshape(pattern.shape[::-1]).T.reshape(shape)
        dense = np.zeros(pattern.shape)
        dense[pattern.rows, pattern.column] = data
        return dense.reshape(shape)


def _blocks(moves: Sequence[Indices], size: int) -> Iterator[Sequence[Indices]]:
    """Cut a sequence into parts of at most that size."""
    return (moves[k : k + size] for k in range(0, len(moves), size))
