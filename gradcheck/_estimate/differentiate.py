"""A numerical derivative with an error bar: `differentiate` and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array, Domain, must_be_domain
from gradcheck._case.inputs import Inputs
from gradcheck._case.numbers import NotANumberError, as_array, is_real, kind_of, real_array
from gradcheck._case.options import is_number
from gradcheck._case.outside import why_outside
from gradcheck._estimate.forward import Forward
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.line import quiet
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import Goal
from gradcheck._estimate.singular import Found

FloatOrArray = float | npt.NDArray[np.float64]
DEFAULT_RTOL = 1e-10


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
        move), ``jump``, ``cusp`` (slopes grow without bound as steps shrink), ``domain`` (f isn't
        finite around x, and no one-sided derivative can be told), ``rough`` (no steps agree),
        ``disagreement`` (differences and another oracle contradict each other).
    noise : float
        Upper estimate of the standard deviation of f's noise (of the noisiest component).
    step : float
        Coarsest step used, in multiples of the direction (of the worst component).
    interval : tuple of float or None
        The one-sided derivatives at a kink; scalar f only.
    oracle : str
        What the value comes from (that of the worst component): ``differences``, ``complex step``
        or ``mpmath`` (differences at sixty digits).
    native_error : float
        Where x is float32 or coarser and f was evaluated in float64: how far its values at x are
        from those in x's precision, the largest.  0 where f was evaluated as given.

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
    oracle: str = "differences"
    native_error: float = 0.0


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

    Where that misses `rtol`, f is asked for more: at complex numbers (the complex step of Squire &
    Trapp 1998), or at sixty digits, if it takes mpmath's numbers.  Either counts only if f is the
    same function there (`Estimate.oracle` says what the value comes from), and if it contradicts
    the differences the radius is as large as the contradiction.  A float32 or float16 x is raised
    to float64 where f goes along.  Inside a declared domain f is evaluated at real numbers alone.

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
        If f isn't callable, or x, `rtol` or f's values aren't real numbers.
    ValueError
        If x isn't finite or not in the domain, the direction's shape isn't x's, the direction is
        zero or too large for x's dtype, x is an array and no direction is given, or `rtol` isn't
        positive.

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
    forward = at_point(f, x, domain=domain)
    must_be_positive(rtol)
    along = direction_in(forward, direction)
    with quiet():
        forward.begin()
        forward.seek_float64()
        line = forward.curve(along)
        goal = Goal(rtol)
        found = [derivative(Component(line, i), goal) for i in range(line.origin.size)]
    return assemble(forward, found)


def must_be_positive(rtol: Any) -> None:
    """Raise a ``TypeError`` or a ``ValueError`` unless `rtol` is a positive number."""
    if not is_number(rtol):
        raise TypeError(f"rtol must be a positive number, got {rtol!r:.80}")
    if not rtol > 0:
        raise ValueError(f"rtol must be positive, got {rtol!r}")


def assemble(forward: Forward, found: list[Found]) -> Estimate:
    worst = max(found, key=lambda r: r.radius, default=None)
    (shape,) = (slot.shape for slot in forward.outputs.slots)
    values = np.array([r.value for r in found]).reshape(shape)
    radii = np.array([r.radius for r in found]).reshape(shape)
    scalar = shape == ()
    return Estimate(
        value=float(values) if scalar else values,
        radius=float(radii) if scalar else radii,
        evaluations=forward.calls.calls,
        reason="constant" if worst is None else worst.reason,
        noise=max((r.noise for r in found), default=0.0),
        step=math.nan if worst is None else worst.step,
        interval=worst.interval if scalar and worst is not None else None,
        oracle="differences" if worst is None else worst.oracle,
        native_error=forward.arithmetic.native_error,
    )


def at_point(f: Callable[[Any], Any], x: Any, *, domain: Domain | None) -> Forward:
    """Return f at x, after looking at both.

    Raises
    ------
    TypeError, ValueError
        As `differentiate` says.
    """
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}: {f!r:.80}")
    point = real_array(x, "x")
    if point.size == 0:
        raise ValueError(f"x is empty (shape {point.shape}): there is nothing to differentiate in")
    if domain is not None:
        must_be_domain(domain)
        if not domain.contains(point):
            why = why_outside(point, domain)
            raise ValueError(f"x does not lie in {domain}" + (why and f": {why}"))
    scalar = point.ndim == 0 and not isinstance(x, np.ndarray)
    kept = (
        point.dtype.type(point) if isinstance(x, np.generic) else float(point) if scalar else point
    )

    def real_valued(value: Any) -> npt.NDArray[Any]:
        y = as_array(f(value), "f must return real numbers; its value")
        if not (is_real(y) or np.iscomplexobj(value)):
            raise NotANumberError(f"f must return real numbers, got {kind_of(y)}")
        return y

    return Forward(
        real_valued,
        Inputs((kept,), (0,), {} if domain is None else {0: domain}),
    )


def direction_in(forward: Forward, direction: Any) -> Array:
    """Return a direction in x's space as a flat float64 vector.

    Raises
    ------
    TypeError, ValueError
        If it isn't one, or is zero.
    """
    (point,) = forward.inputs.point
    if direction is None:
        if point.ndim:
            raise ValueError(
                f"x has shape {point.shape}: say along which direction to differentiate "
                "(direction=, an array of that shape)"
            )
        return np.ones(1)
    along = real_array(direction, "direction")
    if along.shape != point.shape:
        raise ValueError(f"direction has shape {along.shape}, x has shape {point.shape}")
    with np.errstate(over="ignore"):
        coarse = along.astype(point.dtype)  # what an f that takes no float64 moves along
    if not np.any(coarse):
        raise ValueError("direction is zero: there is nothing to differentiate along")
    if not np.all(np.isfinite(coarse)):
        raise ValueError(f"direction is too large for x's dtype {point.dtype}")
    return forward.inputs.layout.flatten([along])
