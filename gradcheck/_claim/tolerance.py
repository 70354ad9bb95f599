"""By how much a right claim may differ from the exact derivative, because it was computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._claim.problem import Problem

ULPS = 16.0
_COARSE_ULPS = 8 * ULPS
# Of a formula with f's value in it: what ulps of that leave, over the size of x, and which part of
# the digits it must keep (six in float64).
_ULPS_OF_VALUE, _KEPT = 64.0, 0.4


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is forgiven of a claim.

    Parameters
    ----------
    rtol : float
        A part of its size.
    rounding : float
        What its smallest entries may be off by, because its largest were rounded on the way; along
        whatever doesn't hold those.
    loses_digits : bool
        Whether it has shown to be as good as the rounding of f's value.
    """

    rtol: float
    rounding: float = 0.0
    loses_digits: bool = False


def claim_rtol(problem: Problem, rtol: float | None) -> float:
    """Return the tolerated relative error: the caller's, but no less than a computed gradient's own rounding.

    That is ε^(2/3) of the coarsest arithmetic involved: 3.7e-11 in float64, 2.4e-5 in float32.  A
    gradient that is right loses some digits to sums and cancellation; one that is wrong by less
    than that is as good as right.
    """
    return max(float(claim_eps(problem) ** (2 / 3)), rtol or 0.0)


def claim_rounding(problem: Problem, scale: float) -> float:
    """Return what a derivative's smallest entries may be off by, because its largest were rounded on the way.

    A textbook gradient such as (p − 1)·w leaves a few ulps of its terms in entries that ought to
    vanish.  So does 1 − tanh² at x = 20, in ulps of a slope of one, while x·(1 − tanh²) is 0.4 at most
    where it is largest.  f's own rounding there covers that, unless f is looked at in finer arithmetic.
    """
    eps = claim_eps(problem)
    return (ULPS if eps <= problem.arithmetic.eps else _COARSE_ULPS) * eps * scale


def rounding_of_value(problem: Problem, values: npt.ArrayLike, sizes: npt.ArrayLike) -> Array:
    """Return what derivatives of such sizes may be off by, if f's value is in their formula and most of it cancels.

    `values` are f's over the size of x.  A formula such as 1 − tanh² keeps few digits where tanh is nearly one.
    """
    eps = claim_eps(problem)
    lost, kept = _ULPS_OF_VALUE * eps * np.asarray(values), eps**_KEPT * np.asarray(sizes)
    return np.asarray(np.minimum(lost, kept))


def claim_eps(problem: Problem) -> float:
    """Relative spacing of the coarsest arithmetic that the claim may be computed in."""
    return max(problem.inputs.layout.eps, problem.outputs.eps)
