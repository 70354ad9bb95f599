"""A numerical derivative with an error bar: `differentiate` and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck._domain import Domain
from gradcheck._ladder import Component
from gradcheck._line import Counter, Line, values_of
from gradcheck._search import Goal, search
from gradcheck._singular import Found

FloatOrArray = float | npt.NDArray[np.float64]
DEFAULT_RTOL = 1e-10
_OFF_GRID = 0.7390851332151607  # the root of cos t = t; any irrational number would do
_SMALLEST_UNIT = 2.0**-1020  # so that the finest steps are not zero
_ENDLESS = (math.inf, math.inf)
_ZERO_DEPTH = 120  # at x = 0 the argument's precision sets no end to the ladder


@dataclass(frozen=True, slots=True)
class Estimate:
    """A directional derivative and the radius that is meant to contain its error.

    Parameters
    ----------
    value : float or ndarray of float64
        The derivative; an array in f's output shape where f returns one.
    radius : float or ndarray of float64
        |value − truth| is meant not to exceed it; inf where it can't be told.
    evaluations : int
        Calls of f, the one at x included.
    reason : str
        What limited the radius (of the worst component): ``smooth`` (truncation and rounding are
        both small), ``noise`` (f's rounding or noise), ``kink`` (the one-sided derivatives
        differ: `interval`), ``one-sided`` (f exists on one side only), ``constant`` (f didn't
        move), ``jump``, ``domain`` (f isn't finite around x), ``rough`` (no steps agree).
    noise : float
        Upper estimate of the standard deviation of f's noise (of the noisiest component).
    step : float
        Coarsest step used, in multiples of the direction (of the worst component).
    interval : tuple of float or None
        The one-sided derivatives at a kink; scalar f only.

    Examples
    --------
    >>> import math
    >>> from gradcheck import differentiate
    >>> e = differentiate(math.exp, 1.0)
    >>> abs(e.value - math.e) <= e.radius < 1e-11, e.evaluations
    (True, 11)
    """

    value: FloatOrArray
    radius: FloatOrArray
    evaluations: int
    reason: str
    noise: float
    step: float
    interval: tuple[float, float] | None = None


def differentiate(
    f: Callable[[Any], Any],
    x: Any,
    direction: Any = None,
    *,
    domain: Domain | None = None,
    rtol: float = DEFAULT_RTOL,
) -> Estimate:
    """Differentiate f at x along a direction, with an error bar.

    Central differences on a ladder of steps are extrapolated (Richardson 1911; Ridders 1982).  The
    radius is the truncation, from the last corrections of the table, plus f's rounding noise,
    measured on the finest steps (after Hamming; Moré & Wild 2011) and carried through the table.
    An extrapolation counts only if finer steps confirm it; at a kink the radius spans the one-sided
    derivatives.

    The search stops as soon as the radius is at most `rtol` of the derivative's natural size; on
    smooth, well-scaled functions that takes eleven evaluations.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a real scalar or array.  It is called with fresh arrays, and never outside
        `domain`.
    x : float or array_like
        Where to differentiate.  Floating point; integers are converted to float64.
    direction : array_like, optional
        Same shape as x.  May be left out where x is a scalar: the ordinary derivative.
    domain : Domain, optional
        Where f may be evaluated.
    rtol : float
        Relative radius at which the search may stop, positive.

    Returns
    -------
    Estimate

    Raises
    ------
    TypeError
        If f isn't callable, or x or f's values aren't real numbers.
    ValueError
        If x isn't finite or not in the domain, the direction's shape isn't x's, the direction is
        zero, or x is an array and no direction is given.

    Examples
    --------
    >>> import numpy as np
    >>> e = differentiate(lambda x: np.sin(x).sum(), np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    >>> bool(abs(e.value - (1 + np.cos(1.0))) <= e.radius)
    True
    >>> e = differentiate(abs, 0.0)
    >>> e.reason, e.interval
    ('kink', (-1.0, 1.0))
    """
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}: {f!r:.80}")
    if not rtol > 0:
        raise ValueError(f"rtol must be positive, got {rtol!r}")
    point = real_array(x, "x")
    if point.size == 0:
        raise ValueError(f"x is empty (shape {point.shape}): there is nothing to differentiate in")
    along = _direction(direction, point)
    if domain is not None and not domain.contains(point):
        raise ValueError(f"x does not lie in {domain}")
    counter = Counter(calls=1)
    y = as_array(f(_like(x, point.copy())), "f must return real numbers; its value").copy()
    if not (np.issubdtype(y.dtype, np.floating) or np.issubdtype(y.dtype, np.integer)):
        raise TypeError(f"f must return real numbers, got dtype {y.dtype}")
    reach = (math.inf, math.inf) if domain is None else domain.reach(point, along)

    def at(t: float) -> npt.NDArray[np.float64]:
        return values_of(f(_like(x, step_to(point, along, t))))

    line = Line(
        at=at,
        origin=values_of(y),
        unit=unit_of(point, along, reach),
        reach=reach,
        eps=spacing(y.dtype),
        argument_noise=spacing(point.dtype) * unit_of(point, along, _ENDLESS),
        depth=depth_of(point),
        noise=0.0,
        counter=counter,
    )
    found = [search(Component(line, i), Goal(rtol)) for i in range(line.origin.size)]
    return _assemble(found, y.shape, counter.calls)


def _assemble(found: list[Found], shape: tuple[int, ...], evaluations: int) -> Estimate:
    worst = max(found, key=lambda r: r.radius, default=None)
    values = np.array([r.value for r in found]).reshape(shape)
    radii = np.array([r.radius for r in found]).reshape(shape)
    scalar = shape == ()
    return Estimate(
        value=float(values) if scalar else values,
        radius=float(radii) if scalar else radii,
        evaluations=evaluations,
        reason="constant" if worst is None else worst.reason,
        noise=max((r.noise for r in found), default=0.0),
        step=math.nan if worst is None else worst.step,
        interval=worst.interval if scalar and worst is not None else None,
    )


def real_array(x: Any, name: str) -> npt.NDArray[Any]:
    """Return x as a floating-point array (integers and bools become float64), or raise with its name."""
    a = as_array(x, name)
    if np.issubdtype(a.dtype, np.integer) or a.dtype == np.bool_:
        a = a.astype(np.float64)
    if not np.issubdtype(a.dtype, np.floating):
        raise TypeError(f"{name} must hold real numbers, got dtype {a.dtype}")
    if not np.all(np.isfinite(a)):
        bad = np.argwhere(~np.isfinite(a))[0].tolist()
        raise ValueError(f"{name} must be finite, but entry {bad} is {a[tuple(bad)]}")
    return a


def as_array(value: Any, name: str) -> npt.NDArray[Any]:
    """Return value as an array, or raise with its name where it is ragged."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} must hold real numbers in a regular shape: {error}") from error


def _direction(direction: Any, point: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if direction is None:
        if point.ndim:
            raise ValueError(
                f"x has shape {point.shape}: say along which direction to differentiate "
                "(direction=, an array of that shape)"
            )
        return np.ones((), point.dtype)
    along = real_array(direction, "direction").astype(point.dtype)
    if along.shape != point.shape:
        raise ValueError(f"direction has shape {along.shape}, x has shape {point.shape}")
    if not np.any(along):
        raise ValueError("direction is zero: there is nothing to differentiate along")
    return along


def _like(x: Any, value: npt.NDArray[Any]) -> Any:
    """Hand f a plain float where the caller's x was a Python number, an array otherwise."""
    return float(value) if isinstance(x, (int, float)) and not isinstance(x, np.generic) else value


def step_to(point: npt.NDArray[Any], along: npt.NDArray[Any], t: float) -> npt.NDArray[Any]:
    """Return x + t·d in x's dtype."""
    return np.asarray(point + point.dtype.type(t) * along, dtype=point.dtype)


def spacing(dtype: np.dtype[Any]) -> float:
    """Machine epsilon of a floating dtype; that of float64 for integers."""
    return float(np.finfo(dtype if np.issubdtype(dtype, np.floating) else np.float64).eps)


def natural_size(x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How far each entry may move: its own size; for zeros the typical size of the others, or one."""
    size = np.asarray(np.abs(x), dtype=np.float64)
    if np.all(size):
        return size
    nonzero = size[size > 0]
    typical = float(np.median(nonzero)) if nonzero.size else 1.0
    return np.asarray(np.where(size > 0, size, typical), dtype=np.float64)


def unit_of(point: npt.NDArray[Any], along: npt.NDArray[Any], reach: tuple[float, float]) -> float:
    """Return the t at which the entry that moves most has moved by about its own size.

    It is a power of two times a constant: scaling x by a power of two scales it exactly, and steps that halve from it
    meet no function of period 2⁻ᵏ at the same phase again and again, as sin(2πkx) at x = 1 would be met.
    """
    moving = along != 0
    relative = natural_size(point)[moving] / np.abs(along[moving].astype(np.float64))
    unit = min(float(relative.min()), *(r for r in reach if r > 0))
    return _OFF_GRID * max(2.0 ** math.floor(math.log2(unit)), _SMALLEST_UNIT)


def depth_of(point: npt.NDArray[Any]) -> int:
    """Return the finest rung: steps that the argument's precision still resolves to some bits."""
    if not np.any(point):
        return _ZERO_DEPTH
    return round(-math.log2(spacing(point.dtype))) - 6
