"""A function along a line: φ(t) = f(x + t·d), evaluated on a ladder of symmetric steps.

Every evaluation along a line goes through here: it is counted, cached, kept inside the declared
domain, given a fresh array each time, and turned into NaN where the function raises.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gradcheck._estimate.effort import Effort

Values = npt.NDArray[np.float64]


class _Here(threading.local):
    """What holds for the warnings of one thread."""

    refuses_to_discard = False


class _Silence:
    """Silences warnings while any thread is inside: the first one in does it, the last one out undoes it.

    Their filters are those of the whole process.  Were each thread to put back the ones that it
    had found, as `warnings.catch_warnings` does, a thread could put back the silence of another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = warnings.catch_warnings()

    def enter(self) -> warnings.catch_warnings[Any] | None:
        """Begin; return what `leave` takes: filters that f has set around a check inside it."""
        with self._lock:
            self._inside += 1
            if self._inside > 1 and warnings.filters[:2] == _FILTERS:
                return None
            found = warnings.catch_warnings()
            found.__enter__()
            warnings.showwarning = _heard
            for action, category in _ACTIONS:
                warnings.simplefilter(action, category)
            if self._inside > 1:
                return found
            self._before = found
            return None

    def leave(self, found: warnings.catch_warnings[Any] | None) -> None:
        """End, and put back what was found."""
        with self._lock:
            self._inside -= 1
            if found is not None:
                found.__exit__(None, None, None)
            if self._inside == 0:
                self._before.__exit__(None, None, None)


# A filter has no notion of threads, but what shows a warning runs in the one that gave it.
_ACTIONS: tuple[tuple[Literal["ignore", "always"], type[Warning]], ...] = (
    ("ignore", Warning),
    ("always", np.exceptions.ComplexWarning),
)
_FILTERS = [(action, None, category, None, 0) for action, category in reversed(_ACTIONS)]
_here = _Here()
_silence = _Silence()


def _heard(message: Warning | str, *_: object, **__: object) -> None:
    """Stand in for `warnings.showwarning`: a thread that refuses to lose imaginary parts hears of it."""
    if _here.refuses_to_discard and isinstance(message, np.exceptions.ComplexWarning):
        # another one: the caller's frame, which will be in its traceback, holds this one
        raise type(message)(*message.args)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence NumPy's floating-point errors and all warnings: a probe goes where a function isn't at its best.

    Entered once around a whole estimation: it costs as much as a small function.
    """
    found = _silence.enter()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _silence.leave(found)


@contextmanager
def _no_discarding() -> Iterator[None]:
    """Make NumPy raise where an imaginary part would be lost, in this thread alone."""
    before, found = _here.refuses_to_discard, _silence.enter()
    _here.refuses_to_discard = True
    try:
        yield
    finally:
        _here.refuses_to_discard = before
        _silence.leave(found)


@dataclass(slots=True)
class Counter:
    """Counts the calls of one function and keeps the last error that a probe met."""

    calls: int = 0
    error: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, calls: int) -> None:
        """Count calls that several threads may have made at the same time."""
        with self._lock:
            self.calls += calls


class _Changes(dict[float, Any]):
    """Values along a line, each kept as its difference from an origin where that is small."""

    def __init__(self, origin: Values) -> None:
        super().__init__()
        self._origin = origin

    def __setitem__(self, t: float, values: Values) -> None:
        # of the bits: NaN may stay NaN, and 0 become −0
        (changed,) = (values.view(np.int64) != self._origin.view(np.int64)).nonzero()
        few = 2 * changed.size < values.size
        super().__setitem__(t, (changed, values[changed]) if few else values)

    def __getitem__(self, t: float) -> Values:
        kept = super().__getitem__(t)
        if isinstance(kept, np.ndarray):
            return kept
        values = self._origin.copy()
        values[kept[0]] = kept[1]
        return values


@dataclass(frozen=True, slots=True)
class Line:
    """φ(t) for a curve through the point of interest.

    Parameters
    ----------
    at : callable
        ``at(t)`` returns the values of f at x + t·d, flattened to float64; it may raise.
    extended : callable or None
        The same for complex and mpmath's t, in their own kind of numbers; None where x + t·d would
        leave a declared domain or x's arithmetic is too coarse.
    origin : ndarray of float64
        φ(0).
    unit : float
        The size of t at which x has moved by about its own size.
    reach : tuple of float
        Largest |t| backward and forward that stay in the domain.
    eps : float
        Relative spacing of the arithmetic that f's values came in.
    argument_noise : float
        By how much t is uncertain because x is rounded: x's relative spacing times its size along d.
    depth : int
        The finest rung k whose step unit·2⁻ᵏ the argument's precision still resolves; negative if
        these are too few to tell anything.
    rounding : float
        Of the sum that φ is: half an ulp of its terms.
    noise : float
        What other lines have shown of φ's noise: it is at least this.
    counter : Counter
        Shared by every line of a check.
    effort : Effort
        Whether f may be asked at mpmath's numbers: it takes them one by one.
    """

    at: Callable[[float], Values]
    extended: Callable[[Any], npt.NDArray[Any]] | None
    origin: Values
    unit: float
    reach: tuple[float, float]
    eps: float
    argument_noise: float
    depth: int
    rounding: float
    noise: float
    counter: Counter
    effort: Effort
    _seen: dict[float, Values] = field(default_factory=dict)
    _beyond: dict[Any, npt.NDArray[Any] | None] = field(default_factory=dict)

    def in_longer_steps(self, times: float) -> Line:
        """Return the same curve with a unit so many times larger: x moves by more than its own size."""
        unit, noise = self.unit * times, self.argument_noise * times
        return replace(self, unit=unit, argument_noise=noise, _seen={}, _beyond={})

    def keeping_changes(self) -> Line:
        """Return the same curve, with little kept of a φ of which few values change."""
        return replace(self, _seen=_Changes(self.origin))

    def value(self, t: float) -> Values:
        """Return φ(t); NaN outside the domain and where f raises."""
        if t == 0.0:
            return self.origin
        if t not in self._seen:
            self._seen[t] = self._evaluate(t)
        return self._seen[t]

    def know(self, t: float, values: Values) -> None:
        """Take φ(t) from an evaluation of many points at once, which counts them itself."""
        self._seen[t] = values

    def _evaluate(self, t: float) -> Values:
        limit = self.reach[1] if t > 0 else self.reach[0]
        if abs(t) >= limit:
            return np.full_like(self.origin, math.nan)
        self.counter.calls += 1
        try:
            out = self.at(t)
        except Exception as error:  # noqa: BLE001 -- a probe may leave f's domain in any way that f likes
            self.counter.error = f"{type(error).__name__}: {error}"
            return np.full_like(self.origin, math.nan)
        if out.shape != self.origin.shape:
            self.counter.error = f"f returned {out.size} values here and {self.origin.size} at x"
            return np.full_like(self.origin, math.nan)
        return out

    def beyond(self, t: Any) -> npt.NDArray[Any] | None:
        """Return φ(t) at a complex or an mpmath t; None where f doesn't take it or discards a part of it."""
        if self.extended is None:
            return None
        if t not in self._beyond:
            self._beyond[t] = self._extend(self.extended, t)
        return self._beyond[t]

    def _extend(
        self, extended: Callable[[Any], npt.NDArray[Any]], t: Any
    ) -> npt.NDArray[Any] | None:
        self.counter.calls += 1
        try:
            with _no_discarding():
                return extended(t)
        except Exception:  # noqa: BLE001 -- most functions take real numbers only, and say so in any way
            return None

    def projected(self, rows: Values) -> Line:
        """Return t ↦ rows @ φ(t); it shares this line's evaluations."""

        def extended(t: Any) -> npt.NDArray[Any]:
            values = self.beyond(t)
            if values is None:
                raise TypeError("f takes real numbers in its own precision only")
            return project(rows, values)

        return Line(
            at=lambda t: project(rows, self.value(t)),
            extended=None if self.extended is None else extended,
            origin=project(rows, self.origin),
            unit=self.unit,
            reach=self.reach,
            eps=self.eps,
            argument_noise=self.argument_noise,
            depth=self.depth,
            rounding=rounding(rows, self.origin, self.eps),
            noise=0.0,
            counter=Counter(),  # evaluations are counted once, by the line below
            effort=self.effort,
        )


def project(rows: Values, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ⟨v, y⟩ for each row v; a zero in v hides whatever y holds there."""
    if flat.dtype.kind != "O":
        out = np.asarray(rows @ flat)
        if np.isfinite(out).all():
            return out
    return np.array([np.dot(v[v != 0], flat[v != 0]) for v in rows])


def rounding(rows: Values, flat: Values, eps: float) -> float:
    """Half an ulp of the terms that the largest of the sums ⟨v, y⟩ adds up."""
    if rows.size == 1:
        return 0.5 * eps * abs(float(rows[0, 0] * flat[0])) if rows[0, 0] else 0.0
    terms = np.where(rows != 0, rows * flat, 0.0)
    largest = float(np.max(np.abs(terms), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return 0.5 * eps * largest
    terms /= largest  # squares of large values overflow
    return 0.5 * eps * largest * math.sqrt(float(np.max(np.sum(terms * terms, axis=-1))))
