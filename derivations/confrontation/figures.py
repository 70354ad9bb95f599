"""Measurements that the report plots: the error of a fixed-step difference against the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mpmath
import numpy as np

import gradcheck
import reference

if TYPE_CHECKING:
    from derivations.rows.row import Row

_POINT = 0.75


@dataclass(frozen=True, slots=True)
class StepCurve:
    """The relative error of the central difference for a range of steps, and what `gradcheck` says.

    Parameters
    ----------
    title : str
        The function and the point.
    steps, errors : tuple of float
        Steps and the relative error of (f(x+h) − f(x−h))/2h at each.
    estimate_error, estimate_radius : float
        Relative error of `gradcheck.differentiate`, and the radius that it claims, also relative.
    evaluations : int
        Calls of the function that it made.
    estimate_step : float, optional
        The coarsest step that it chose; the others are finer.  0 where it is not known.
    """

    title: str
    steps: tuple[float, ...]
    errors: tuple[float, ...]
    estimate_error: float
    estimate_radius: float
    evaluations: int
    estimate_step: float = 0.0


def step_curve(row: Row) -> StepCurve:
    """Measure the curve for the sigmoid, against the derivative derived in `row` at 50 digits.

    Parameters
    ----------
    row : Row
        The derivation row of the case ``sigmoid``.
    """
    point = np.array([_POINT])
    (exact,) = row.vjp((point,), np.ones(1))
    true = mpmath.mpf(exact[0])
    # Powers of two keep x+h exact, so that the plot shows the function's rounding and not the
    # point's.
    steps = tuple(2.0**-k for k in range(1, 51))
    errors = tuple(_relative_error(_central(h), true) for h in steps)
    estimate = gradcheck.differentiate(reference.sigmoid, _POINT)
    return StepCurve(
        title=f"σ at x = {_POINT}",
        steps=steps,
        errors=errors,
        estimate_error=_relative_error(float(estimate.value), true),
        estimate_radius=float(abs(float(estimate.radius) / true)),
        evaluations=estimate.evaluations,
        estimate_step=float(estimate.step),
    )


def _central(h: float) -> float:
    above, below = reference.sigmoid(_POINT + h), reference.sigmoid(_POINT - h)
    return float((above - below) / (2 * h))


def _relative_error(value: float, true: mpmath.mpf) -> float:
    return float(abs(mpmath.mpf(float(value)) - true) / abs(true))
