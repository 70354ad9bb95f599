"""The error of a function's code over the range of its input: the figures behind the plots.

A comparison knows the largest error over a few random inputs.  Where in its range a function errs
is another question: this module asks it for the functions of one real number, bin by bin, with the
derivation at 50 digits as the truth, and sets the bound beside it that the function's documentation
states.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from derivations.plan import generator
from gradcheck import Elementwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from derivations.rows.row import Row
    from gradcheck import Case

SMALLEST, LARGEST = 1e-3, 1e3
BINS = 24  # on each side of zero, four to a decade
_POINTS = 6  # in each bin
_STATED = re.compile(r"accurate to ([\d.]+) ulp(?: of (?!this function)([^.;]+))?")


@dataclass(frozen=True, slots=True)
class Bound:
    """What the documentation of a function states about its error.

    Parameters
    ----------
    ulps : float
        At most so many.
    unit : str
        Ulps of what, where not of the result: the terms that cancel in it.
    """

    ulps: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of one function over the bins.

    Parameters
    ----------
    ulps : tuple of float
        The largest error in each bin, from the most negative x to the most positive; `BINS` of them
        on each side of zero.  inf where the code gives no finite number.
    bound : Bound, optional
        What is stated; the errors are in its unit.
    """

    ulps: tuple[float, ...]
    bound: Bound | None

    @property
    def largest(self) -> float:
        """The largest of all."""
        return max(self.ulps)

    @property
    def kept(self) -> bool:
        """Whether the stated bound holds; true where none is stated."""
        return self.bound is None or self.largest <= self.bound.ulps


@dataclass(frozen=True, slots=True)
class Profile:
    """The errors of the value and of the derivative of a function of one real number."""

    value: Errors
    derivative: Errors

    @property
    def problems(self) -> tuple[str, ...]:
        """Stated bounds that do not hold."""
        return tuple(
            f"the {what} of the code is {e.largest:.3g} ulp from the derivation; its documentation "
            f"states {e.bound.ulps:g}"
            for what, e in (("value", self.value), ("derivative", self.derivative))
            if e.bound is not None and not e.kept
        )


def profile(case: Case, row: Row) -> Profile | None:
    """Measure the errors of a function that acts entry by entry on one array.

    Parameters
    ----------
    case : Case
        The code.
    row : Row
        Its derivation, which gives the truth at 50 digits.

    Returns
    -------
    Profile or None
        None for any other function.
    """
    if not isinstance(case.vjp, Elementwise) or len(case.arguments) != 1:
        return None
    slope = case.vjp.derivative
    x = _inputs(generator(f"profile {case.name}"))
    if not case.arguments[0].domain.contains(x):
        return None
    exact, (derived,) = row.value((x,)), row.vjp((x,), np.ones_like(x))
    bounds = stated(case.f), stated(slope)
    return Profile(
        _errors(np.asarray(case.f(x)), exact, exact, bounds[0]),
        _errors(
            np.asarray(slope(x)),
            derived,
            _terms(x, exact, derived) if bounds[1] is not None and bounds[1].unit else derived,
            bounds[1],
        ),
    )


def stated(function: Callable[..., Any]) -> Bound | None:
    """Return the bound that the documentation of a function states, or None.

    Examples
    --------
    >>> import reference
    >>> stated(reference.sigmoid)
    Bound(ulps=3.0, unit='')
    >>> stated(reference.silu_grad)
    Bound(ulps=4.0, unit="σ(x) + |x·σ'(x)|")
    """
    text = " ".join((function.__doc__ or "").split())
    if "; correctly rounded." in text:
        return Bound(0.5)
    found = _STATED.search(text)
    return None if found is None else Bound(float(found[1]), found[2] or "")


def _inputs(rng: np.random.Generator) -> Any:
    """Draw numbers of both signs, the same number in every bin, from the most negative on."""
    edges = np.geomspace(SMALLEST, LARGEST, BINS + 1)
    below, above = (rng.uniform(edges[:-1], edges[1:], (_POINTS, BINS)).T for _ in range(2))
    return np.concatenate([-below[::-1].ravel(), above.ravel()])


def _terms(x: Any, value: Any, slope: Any) -> Any:
    """Return |g| + |x·g'| for value = x·g(x): the two terms of the derivative, which may cancel."""
    with mpmath.workdps(60):
        g = [f / mpmath.mpf(float(a)) for a, f in zip(x, value, strict=True)]
        return [abs(a) + abs(d - a) for a, d in zip(g, slope, strict=True)]


def _errors(computed: Any, exact: Any, unit: Any, bound: Bound | None) -> Errors:
    with mpmath.workdps(60):
        ulps = [
            float(abs(mpmath.mpf(float(c)) - e) / math.ulp(float(u)))
            if np.isfinite(c)
            else math.inf
            for c, e, u in zip(computed, exact, unit, strict=True)
        ]
    bins = np.max(np.reshape(ulps, (2 * BINS, _POINTS)), axis=1)
    return Errors(tuple(map(float, bins)), bound)
