"""A function that takes many points at once, along a leading batch axis.

Whether it does is looked at before it is believed: the result must have the batch axis, and a row
of a batch must be what f says of that point alone.  A softmax over all axes, or a mean that runs
over the batch too, mixes the rows; every derivative taken from such a batch would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck._case.numbers import as_array, is_real, numeric
from gradcheck._estimate.ladder import WIDTH
from gradcheck._estimate.line import Counter, Line, Values
from gradcheck._estimate.together import first_steps

# Bytes of points in one call.  f's temporaries are as large: they stay in a core's second-level
# cache, and below the 128 KiB from which on a C library gets fresh pages for each of them, which
# costs more than the batch gains.
CHUNK = 120 * 1024
_ROUNDING = 1e4  # ulps by which a row may differ from the single evaluation: sums in another order
_MIXED = 1e-6  # of f's movement between the rows
_STEPS = 2 * (WIDTH + 1)  # of a line: both signs of every first step

Place = Callable[[float], npt.NDArray[Any]]


class NotBatchedError(ValueError):
    """A function that was said to take a batch doesn't."""


class Batched:
    """f over a leading batch axis.

    Parameters
    ----------
    f : callable
        Takes an array of points and returns an array of values, one row a point.
    """

    def __init__(self, f: Callable[[Any], Any]) -> None:
        self._f = f

    def one(self, x: Any) -> Any:
        """Return f at a single point."""
        return self.rows(np.asarray(x)[None])[0]

    def rows(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return f at the points that an array holds along its first axis."""
        count = len(x)
        y = as_array(self._f(x), "f must return real numbers; its value")
        if y.ndim == 0 or len(y) != count:
            raise NotBatchedError(
                f"with vectorized=True f takes a batch of points and returns a row for each: for {count} of "
                f"them, an array of shape {x.shape}, it returned shape {y.shape}, expected ({count},) or ({count}, …)"
            )
        return y

    def values(self, points: npt.NDArray[Any], size: int) -> Values | None:
        """Return f at points, `size` numbers each; None where f raises, or returns something else than at x.

        Which of the points it is shows when they are evaluated one by one.
        """
        try:
            y = self.rows(points)
        except NotBatchedError:
            raise
        except Exception:  # noqa: BLE001 -- a probe may leave f's domain in any way that f likes
            return None
        if y.size != len(points) * size or not is_real(y):
            return None
        # a copy: f may reuse its buffer
        return np.array(numeric(y), dtype=np.float64).reshape(len(points), size)


class Filler:
    """Puts the values of many points, evaluated together, where lines look for them.

    Parameters
    ----------
    f : Batched
        The function.
    counter : Counter
        Counts every row.
    row_bytes : int
        What one point and its values take.
    """

    def __init__(self, f: Batched, counter: Counter, row_bytes: int) -> None:
        self._f = f
        self._counter = counter
        self._trusted = False
        self.rows = max(1, CHUNK // max(1, row_bytes))

    def fill(self, lines: Sequence[Line], places: Sequence[Place]) -> None:
        """Evaluate the first steps of every line, chunk by chunk; ``places[k](t)`` is a point of line k.

        Raises
        ------
        NotBatchedError
            If f's rows aren't what it says of single points.
        """
        todo = [
            (line, place, t)
            for line, place in zip(lines, places, strict=True)
            for h in first_steps(line)
            for t in (h, -h)
            if 0.0 < h < line.reach[t > 0]
        ]
        if not todo or not (self._trusted or self._rows_agree(todo)):
            return
        for k in range(0, len(todo), self.rows):
            part = todo[k : k + self.rows]
            values = self._evaluated([place(t) for _, place, t in part], lines[0].origin.size)
            if values is None:
                continue  # the lines ask for their points one by one, and see which of them raises
            for (line, _, t), row in zip(part, values, strict=True):
                line.know(t, row)

    def _evaluated(self, points: list[npt.NDArray[Any]], size: int) -> Values | None:
        self._counter.calls += len(points)
        return self._f.values(np.stack(points), size)

    def _rows_agree(self, todo: Sequence[tuple[Line, Place, float]]) -> bool:
        """Compare three unlike rows of a batch with the same points alone; say whether that was possible.

        x itself, a coarse step along the first line and a fine one along the last: no symmetry
        between them hides an f that sums over rows.
        """
        first, last = todo[0], todo[max(0, len(todo) - _STEPS + 2)]
        singles = [first[0].origin, first[0].value(first[2]), last[0].value(last[2])]
        points = [first[1](0.0), first[1](first[2]), last[1](last[2])]
        rows = self._evaluated(points, singles[0].size)
        if rows is None or not all(np.any(np.isfinite(s)) for s in singles):
            return False
        must_keep_rows_apart(rows, np.array(singles), singles[0], first[0].eps)
        self._trusted = True
        return True


def must_keep_rows_apart(rows: Values, alone: Values, origin: Values, eps: float) -> None:
    """Compare rows of one batch with the same points evaluated alone; `origin` is f at x.

    Raises
    ------
    NotBatchedError
        If they differ by more than sums in another order may.
    """
    if (rows == alone).all():
        return
    moved = np.abs(alone - origin)
    size = float(np.max(np.abs(alone), where=np.isfinite(alone), initial=0.0))
    movement = float(np.max(moved, where=np.isfinite(moved), initial=0.0))
    allowed = _ROUNDING * eps * size + _MIXED * movement
    same = (rows == alone) | (np.isnan(rows) & np.isnan(alone))
    wrong = ~same & ~(np.abs(rows - alone) <= allowed)
    if np.any(wrong):
        k, j = (int(i) for i in np.argwhere(wrong)[0])
        raise NotBatchedError(
            "with vectorized=True a row of f's result must depend on the same row of its argument alone: "
            f"in a batch, value {j} of a point is {rows[k, j]:.10g}, for that point alone "
            f"{alone[k, j]:.10g}; reduce over the axes of one point, not over the batch axis 0"
        )
