"""The sets that arguments come from: where to draw them and how far a probe may go.

A domain answers four questions about one array argument: what a typical value is (`sample`),
whether a value lies inside (`contains`), which directions stay inside (`tangent`), and how far one
may go along such a direction (`reach`).  The estimator never evaluates a function outside a
declared domain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from gradcheck._case.options import is_number, is_whole

Array = npt.NDArray[Any]
Sizes = Mapping[str, int]
_PART = 8192  # numbers


@runtime_checkable
class Domain(Protocol):
    """A set of arrays: `Interval`, `Simplex`, `Symmetric`, `PositiveDefinite`, `Classes`.

    Or an object of your own that has what these have, which is the following.
    """

    @property
    def differentiable(self) -> bool:
        """Whether a derivative with respect to such an argument makes sense."""
        ...

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw one value of the given shape; `sizes` resolves named sizes such as ``Classes("n")``."""
        ...

    def contains(self, x: Array) -> bool:
        """Whether `x` lies in the domain."""
        ...

    def tangent(self, x: Array, direction: Array) -> Array:
        """Project `direction` so that a small step from `x` along it stays in the domain."""
        ...

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """Largest steps ``(backward, forward)`` from `x` along `direction` that stay in the domain."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Real arrays whose entries lie strictly between `low` and `high`.

    Parameters
    ----------
    low, high : float
        The ends, excluded.  The default is the whole real line.
    kinks : tuple of float
        Points at which the function has no derivative.  Samples keep a distance of 1e-2 (times the
        point's size, if that is larger than one) from them, or a quarter of the way to the next
        kink or end, if that is shorter; probes do not avoid them.
    spread : float
        Typical size of the samples: the standard deviation on the real line; on half-lines and
        bounded intervals that of the logarithm or the logit.

    Raises
    ------
    TypeError
        If one of these isn't made of real numbers.
    ValueError
        If `low` isn't below `high`, a kink isn't finite, or `spread` isn't positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> positive = Interval(0.0)
    >>> positive.contains(np.array([1e-300, 5.0])), positive.contains(np.array([0.0]))
    (True, False)
    >>> positive.reach(np.array([2.0, 3.0]), np.array([1.0, -1.0]))
    (2.0, 3.0)
    """

    low: float = -math.inf
    high: float = math.inf
    kinks: tuple[float, ...] = ()
    spread: float = 2.0

    def __post_init__(self) -> None:
        for name in ("low", "high", "spread"):
            _must_be_number(getattr(self, name), f"Interval's {name}")
        if not self.low < self.high:  # nor is NaN
            raise ValueError(
                f"Interval's low must be below its high, got Interval({self.low!r}, {self.high!r})"
            )
        if not 0 < self.spread < math.inf:
            raise ValueError(f"Interval's spread must be positive and finite, got {self.spread!r}")
        _must_be_points(self.kinks, "Interval's kinks")

    def __str__(self) -> str:
        """Return the set alone; how it is drawn from is of no interest in a message."""
        return f"Interval({self.low:g}, {self.high:g})"

    @property
    def differentiable(self) -> bool:
        """Always true: an interval has interior points."""
        return True

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw float64 entries that cover several magnitudes of the interval."""
        del sizes
        with np.errstate(over="ignore"):  # the ends are as far as a sample goes
            x = np.asarray(self._from_normal(self.spread * rng.standard_normal(shape)))
        for kink in self.kinks:
            further = 1.0 + rng.random(shape)
            away = x - kink
            above, below = (self._gap(kink, side) for side in (+1, -1))
            x = np.where((away >= 0) & (away < above), kink + above * further, x)
            x = np.where((away < 0) & (-away < below), kink - below * further, x)
        # rounding takes a sample to an end, which is excluded
        inside = math.nextafter(self.low, math.inf), math.nextafter(self.high, -math.inf)
        return np.asarray(np.clip(x, *inside))

    def _gap(self, kink: float, side: int) -> float:
        """Return how far samples keep from a kink on one side; twice that is still clear of what comes next."""
        others = (side * (p - kink) for p in (*self.kinks, self.low, self.high))
        room = min((distance for distance in others if distance > 0), default=0.0)
        return min(1e-2 * max(1.0, abs(kink)), room / 4)

    def _from_normal(self, g: Array) -> Array:
        if math.isinf(self.low) and math.isinf(self.high):
            return g
        if math.isinf(self.high):
            return np.asarray(self.low + np.exp(g))
        if math.isinf(self.low):
            return np.asarray(self.high - np.exp(g))
        part = 1.0 / (1.0 + np.exp(-g))  # the length of the widest intervals overflows
        return np.asarray(self.low * (1.0 - part) + self.high * part)

    def contains(self, x: Array) -> bool:
        """Whether every entry lies strictly inside; NaN does not."""
        _must_be_real(x, self)
        return bool(np.all((x > self.low) & (x < self.high)))

    def tangent(self, x: Array, direction: Array) -> Array:
        """Every direction stays inside for a small step."""
        del x
        return direction

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """Distance to the nearest end backward and forward, in multiples of `direction`."""
        if math.isinf(self.low) and math.isinf(self.high):
            return math.inf, math.inf
        at, along = np.ravel(x), np.ravel(direction)
        backward = forward = math.inf
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # in parts that stay in the cache, of an x that may be large
            for k in range(0, at.size, _PART):
                back, ahead = self._reach_of(at[k : k + _PART], along[k : k + _PART])
                backward, forward = min(backward, back), min(forward, ahead)
        return backward, forward

    def reach_alone(self, x: Array, sizes: Array) -> Array:
        """Return how often each entry may move by its size either way."""
        with np.errstate(over="ignore"):
            return np.minimum(x - self.low, self.high - x) / sizes

    def _reach_of(self, x: Array, direction: Array) -> tuple[float, float]:
        length = np.abs(direction)
        to_low, to_high = (x - self.low) / length, (self.high - x) / length
        moving = direction != 0
        up = direction > 0
        forward = np.where(up, to_high, to_low)[moving]
        backward = np.where(up, to_low, to_high)[moving]
        return float(backward.min(initial=math.inf)), float(forward.min(initial=math.inf))


@dataclass(frozen=True, slots=True)
class Simplex:
    """Arrays whose rows along the last axis are probability vectors with positive entries.

    Directions are projected to sum to zero along that axis, so probes keep the rows' sums.

    Examples
    --------
    >>> import numpy as np
    >>> Simplex().tangent(np.full(4, 0.25), np.array([1.0, 0.0, 0.0, 0.0]))
    array([ 0.75, -0.25, -0.25, -0.25])
    """

    @property
    def differentiable(self) -> bool:
        """True, along directions that sum to zero."""
        return True

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw rows uniformly from the simplex (flat Dirichlet)."""
        del sizes
        x = rng.standard_exponential(shape)
        return np.asarray(x / x.sum(axis=-1, keepdims=True))

    def contains(self, x: Array) -> bool:
        """Whether every entry is positive and every row sums to one within rounding."""
        _must_be_real(x, self)
        if x.ndim == 0 or x.size == 0 or not np.all(x > 0):
            return False
        slack = 4 * x.shape[-1] * np.finfo(x.dtype).eps
        return bool(np.all(np.abs(x.sum(axis=-1) - 1) <= slack))

    def tangent(self, x: Array, direction: Array) -> Array:
        """Subtract each row's mean, so that the step keeps the row's sum."""
        del x
        return np.asarray(direction - direction.mean(axis=-1, keepdims=True))

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """Distance to the first entry that would vanish."""
        return Interval(0.0).reach(x, direction)


@dataclass(frozen=True, slots=True)
class Classes:
    """Integer class labels ``0 … count−1``; not differentiable.

    Parameters
    ----------
    count : str or int
        The number of classes, or the name of the size that gives it.

    Raises
    ------
    TypeError, ValueError
        If it is neither a positive int nor a name.
    """

    count: str | int

    def __post_init__(self) -> None:
        _must_be_count(self.count)

    @property
    def differentiable(self) -> bool:
        """Always false: labels are integers."""
        return False

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw labels uniformly."""
        count = sizes[self.count] if isinstance(self.count, str) else self.count
        return rng.integers(0, count, shape)

    def contains(self, x: Array) -> bool:
        """Whether `x` holds non-negative integers (the count is known only with the sizes)."""
        return bool(np.issubdtype(x.dtype, np.integer) and np.all(x >= 0))

    def tangent(self, x: Array, direction: Array) -> Array:
        """No direction stays inside: zero."""
        del x
        return np.zeros_like(direction)

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """No step stays inside: zero."""
        del x, direction
        return 0.0, 0.0


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Real symmetric matrices (or stacks of them, in the last two axes).

    Directions are symmetric too, so that a gradient is judged by its symmetric part: the two usual
    conventions, the symmetric gradient and the one in unrelated entries, agree on these.

    Examples
    --------
    >>> import numpy as np
    >>> Symmetric().tangent(np.eye(2), np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[0. , 0.5],
           [0.5, 0. ]])
    """

    @property
    def differentiable(self) -> bool:
        """True, along symmetric directions."""
        return True

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw the symmetric part of a standard normal matrix."""
        del sizes
        return _symmetric_part(rng.standard_normal(_square(shape)))

    def contains(self, x: Array) -> bool:
        """Whether the matrices are square and exactly symmetric."""
        _must_be_real(x, self)
        return _is_square(x) and bool(np.array_equal(x, np.swapaxes(x, -1, -2)))

    def tangent(self, x: Array, direction: Array) -> Array:
        """Return the symmetric part."""
        del x
        return _symmetric_part(direction)

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """No end in sight."""
        del x, direction
        return math.inf, math.inf


@dataclass(frozen=True, slots=True)
class PositiveDefinite:
    """Real symmetric positive definite matrices (or stacks of them, in the last two axes).

    Examples
    --------
    >>> import numpy as np
    >>> PositiveDefinite().reach(np.diag([2.0, 3.0]), np.diag([1.0, -1.0]))
    (2.0, 3.0)
    """

    @property
    def differentiable(self) -> bool:
        """True, along symmetric directions."""
        return True

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
        """Draw A·Aᵀ/n + I/4 for a standard normal A: condition numbers of some tens."""
        del sizes
        a = rng.standard_normal(_square(shape))
        n = shape[-1]
        return _symmetric_part(a @ np.swapaxes(a, -1, -2) / n + np.eye(n) / 4)

    def contains(self, x: Array) -> bool:
        """Whether the matrices are exactly symmetric and have a Cholesky factor."""
        _must_be_real(x, self)
        if not Symmetric().contains(x):
            return False
        try:
            np.linalg.cholesky(x.astype(np.float64))
        except np.linalg.LinAlgError:
            return False
        return True

    def tangent(self, x: Array, direction: Array) -> Array:
        """Return the symmetric part."""
        return Symmetric().tangent(x, direction)

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """Distance to the first singular matrix: the largest eigenvalues of ∓L⁻¹·D·L⁻ᵀ for x = L·Lᵀ."""
        lower = np.linalg.cholesky(x.astype(np.float64))
        half = np.linalg.solve(lower, direction.astype(np.float64))
        growth = np.linalg.eigvalsh(
            _symmetric_part(np.linalg.solve(lower, np.swapaxes(half, -1, -2)))
        )
        fastest = float(growth.max(initial=0.0)), float((-growth).max(initial=0.0))
        backward, forward = (1 / g if g > 0 else math.inf for g in fastest)
        return backward, forward


_PARTS = ("differentiable", "sample", "contains", "tangent", "reach")


def must_be_domain(domain: Any, what: str = "domain") -> None:
    """Raise a ``TypeError`` that says what to write, unless `domain` is one.

    Examples
    --------
    >>> must_be_domain((0, 2))
    Traceback (most recent call last):
    TypeError: domain must be a domain, got (0, 2): write gradcheck.Interval(0, 2)
    """
    missing = [part for part in _PARTS if not hasattr(domain, part)]
    if isinstance(domain, type) and not missing:
        hint = f"that is the class; write {domain.__name__}() or what else it takes"
    elif not missing:
        return
    elif len(missing) < len(_PARTS):
        hint = f"a gradcheck.Domain has {', '.join(missing)}, too"
    else:
        ends = domain if _is_pair(domain) else (0, 2)
        hint = f"write gradcheck.Interval({ends[0]!r}, {ends[1]!r})"
        hint += "" if _is_pair(domain) else ", for example, for numbers between 0 and 2"
    given = " ".join(repr(domain).split())
    raise TypeError(f"{what} must be a domain, got {given:.80}: {hint}")


def _is_pair(ends: Any) -> bool:
    return isinstance(ends, (tuple, list)) and len(ends) == 2 and all(map(is_number, ends))


def _must_be_number(value: Any, what: str) -> None:
    if not is_number(value):
        raise TypeError(f"{what} must be a number, got {value!r:.80}")


def _must_be_points(points: Any, what: str) -> None:
    if not isinstance(points, tuple) or not all(map(is_number, points)):
        raise TypeError(f"{what} must be a tuple of numbers, got {points!r:.80}")
    if not all(map(math.isfinite, points)):
        raise ValueError(f"{what} must be finite, got {points!r:.80}")


def _must_be_count(count: Any) -> None:
    if not (isinstance(count, str) or is_whole(count)):
        raise TypeError(f"Classes takes a number or the name of a size, got {count!r:.80}")
    if not (count.strip() if isinstance(count, str) else count > 0):
        raise ValueError(f"Classes takes a positive number or the name of a size, got {count!r}")


def _must_be_real(x: Array, domain: Domain) -> None:
    """Raise a ``TypeError`` for complex numbers, which NumPy would compare by their real parts first."""
    if np.iscomplexobj(x):
        raise TypeError(
            f"{domain} is a domain of real numbers, but x is of dtype {x.dtype}: "
            "give the real and the imaginary parts as two arguments, each with its domain"
        )


def _symmetric_part(a: Array) -> Array:
    return np.asarray((a + np.swapaxes(a, -1, -2)) / 2)


def _is_square(x: Array) -> bool:
    return x.ndim >= 2 and x.shape[-1] == x.shape[-2]


def _square(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape if it is one of square matrices, else raise ``ValueError``."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"matrices must be square in the last two axes, got the shape {shape}")
    return shape
