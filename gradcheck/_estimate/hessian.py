"""Second derivatives with an error bar, from f alone: `curvature` and `hessian_vector`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck._case.domain import Array, Domain
from gradcheck._estimate.curvature import second_derivative
from gradcheck._estimate.differentiate import (
    Estimate,
    assemble,
    at_point,
    direction_in,
    must_be_positive,
)
from gradcheck._estimate.directions import unit_vector
from gradcheck._estimate.forward import Forward
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.line import quiet
from gradcheck._estimate.search import Goal
from gradcheck._estimate.singular import Found

DEFAULT_RTOL = 1e-8
_EPS = 2.0**-52


def curvature(
    f: Callable[[Any], Any],
    x: Any,
    direction: Any = None,
    *,
    domain: Domain | None = None,
    rtol: float = DEFAULT_RTOL,
) -> Estimate:
    """Return the second derivative of f at x along a direction, with an error bar.

    That is φ″(0) of φ(t) = f(x + t·d), or dᵀHd with the Hessian H of a scalar f: the second
    differences (φ(h) − 2φ(0) + φ(−h))/h² on the ladder of steps of `differentiate`, extrapolated
    to h = 0 (Richardson 1911).  The radius is the truncation, from the last corrections of the
    table, plus f's rounding noise, as the search for the first derivative measured it and finer
    steps show it, carried through the table.  Noise enters with 1/h²: of the sixteen digits of an
    ordinary f, about ten are left.

    Where that misses `rtol`, f is asked at complex numbers, as `differentiate` does (Squire & Trapp
    1998): the slopes Im f(x + t·d + ih·d)/h hold no difference, and one of theirs is good to about
    twelve digits (`Estimate.oracle` is ``complex step``).

    Where f has a kink at x, or a jump, there is no second derivative, and the radius is inf.  Where
    only the slope has a kink, the radius spans the one-sided second derivatives.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a real scalar or array.  It is called with fresh arrays, and never outside
        `domain`.
    x : float or array_like
        Where to differentiate.  Floating point; integers are converted to float64.
    direction : array_like, optional
        Same shape as x.  May be left out where x is a scalar: the ordinary second derivative.
    domain : Domain, optional
        Where f may be evaluated.
    rtol : float
        Relative radius at which the search may stop, positive.

    Returns
    -------
    Estimate
        `value` and `radius` are those of the second derivative, in f's output shape; `reason` is
        ``kink`` also for a kink of the slope, and `interval` then holds the one-sided second
        derivatives (scalar f only).

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
    >>> import math
    >>> from gradcheck import curvature
    >>> e = curvature(math.exp, 1.0)
    >>> abs(e.value - math.e) <= e.radius < 1e-8, e.evaluations <= 15
    (True, True)
    >>> e = curvature(lambda x: max(x, 0.0) ** 2, 0.0)  # its slope has a kink
    >>> e.reason, [round(end, 6) for end in e.interval]
    ('kink', [0.0, 2.0])
    """
    forward = _looked_at(f, x, domain, rtol)
    along = direction_in(forward, direction)
    with quiet():
        forward.begin()
        forward.seek_float64()
        line = forward.curve(along)
        goal = Goal(rtol)
        found = [second_derivative(Component(line, i), goal) for i in range(line.origin.size)]
    return assemble(forward, found)


def hessian_vector(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    *,
    domain: Domain | None = None,
    rtol: float = DEFAULT_RTOL,
) -> Estimate:
    """Return the Hessian of a scalar f at x times v, with an error bar for every entry, from f alone.

    Entry i is (κ(v + s·eᵢ) − κ(v − s·eᵢ))/4s, where κ(d) = dᵀHd is the `curvature` along d, and s is
    a power of two by which both parts move x about as far as it may go.  So x may hold entries of
    1e-8 and of 1e8.  What f's rounding can hide of H's entry i, j grows with 1/(sᵢsⱼ) for arguments
    of the sizes sᵢ and sⱼ: where v moves a small entry of x, the product's entries for the large
    ones have radii of that size.

    That costs about 30 evaluations of f per entry of x.  With a gradient at hand,
    ``differentiate(gradient, x, v)`` gives the same product, more accurate and at the price of one
    derivative.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a real scalar.
    x : float or array_like
        Where to differentiate, any shape.
    v : array_like
        What to multiply by, of x's shape.
    domain : Domain, optional
        Where f may be evaluated; every entry of x must be able to move alone
        in it (as in an `Interval`; not in a `Simplex`).
    rtol : float
        Relative radius of the curvatures at which their search may stop, positive.

    Returns
    -------
    Estimate
        `value` and `radius` have x's shape.  The other fields are those of the entry with the
        largest radius.

    Raises
    ------
    TypeError
        If f isn't callable, or x, v, `rtol` or f's values aren't real numbers.
    ValueError
        If f doesn't return a scalar, x isn't finite or not in the domain, v's shape isn't x's, v is
        zero or too large for x's dtype, `rtol` isn't positive, or the entries of x can't move alone
        in the domain.

    Examples
    --------
    >>> import numpy as np
    >>> from gradcheck import hessian_vector
    >>> x, v = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, 1.0])
    >>> e = hessian_vector(lambda x: x[0] * x[1] ** 2 * x[2], x, v)
    >>> exact = np.array([1.0, -2 * 2.0 - 2 * 0.5, 1.0])
    >>> bool(np.all(np.abs(e.value - exact) <= e.radius)), bool(np.max(e.radius) < 1e-7)
    (True, True)
    """
    forward = _looked_at(f, x, domain, rtol)
    along = direction_in(forward, v)
    (point,) = forward.inputs.point
    if not all(np.array_equal(forward.inputs.tangent(e), e) for e in _axes(along.size)):
        raise ValueError(
            f"a single entry of x can't move alone in {domain}, so that the Hessian's entries mean "
            "nothing there; take `curvature` along directions that stay inside"
        )
    with quiet():
        forward.begin()
        if not forward.scalar:
            (slot,) = forward.outputs.slots
            raise ValueError(
                f"f must return a scalar, got an array of shape {slot.shape}: "
                "say which function of it is meant, its sum for example"
            )
        forward.seek_float64()
        found = [bilinear(forward, e, along, Goal(rtol)) for e in _axes(along.size)]
    worst = max(found, key=lambda r: r.radius)
    value, radius = (
        np.array([getattr(r, name) for r in found]).reshape(point.shape)
        for name in ("value", "radius")
    )
    scalar = point.ndim == 0
    return replace(
        assemble(forward, [worst]),
        value=float(value) if scalar else value,
        radius=float(radius) if scalar else radius,
        noise=max(r.noise for r in found),
    )


def _looked_at(f: Callable[[Any], Any], x: Any, domain: Domain | None, rtol: float) -> Forward:
    forward = at_point(f, x, domain=domain)
    must_be_positive(rtol)
    return forward


def _axes(size: int) -> Iterator[Array]:
    """Yield the unit vectors one at a time: together they take as much memory as the Hessian."""
    return (unit_vector(size, i) for i in range(size))


def _unit(forward: Forward, direction: Array) -> float:
    return forward.course(direction).unit


def bilinear(forward: Forward, u: Array, v: Array, goal: Goal) -> Found:
    """Return uᵀ H v of a scalar f by polarisation."""
    moving = np.flatnonzero((u != 0) | (v != 0))
    if moving.size == 1:  # along an axis there is nothing to polarise
        ratio = float(v[moving[0]] / u[moving[0]])
        return _combined(_along(forward, u, goal), None, ratio)
    # both units are the same constant times a power of two, and so their ratio is exact
    s = _unit(forward, u) / _unit(forward, v)
    plus, minus = (_along(forward, v + side * s * u, goal) for side in (1.0, -1.0))
    return _combined(plus, minus, 0.25 / s)


def _along(forward: Forward, direction: Array, goal: Goal) -> Found:
    return second_derivative(Component(forward.curve(direction), 0), goal)


def _combined(a: Found, b: Found | None, factor: float) -> Found:
    """Return (a − b)·factor, or a·factor, with the radius that follows."""
    worse = a if b is None or a.radius >= b.radius else b
    value = (a.value - (0.0 if b is None else b.value)) * factor
    radius = (a.radius + (0.0 if b is None else b.radius)) * abs(factor)
    if math.isfinite(radius):
        radius += _EPS * abs(value)  # the arithmetic here rounds too
    return worse._replace(value=value, radius=radius, interval=None)
