"""Lanes of numbers with their mean taken off and their size divided out, in all digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference._sums import row_square_sums
from reference._validate import Array

LIFT = 200
_LEAST_USUAL = 2.0**-900  # of ε; its quotient by a square of a usual size has all its digits


@dataclass(frozen=True, slots=True)
class Lanes:
    """Standardized lanes (rows of shape (r, n)) and what their derivative needs.

    Parameters
    ----------
    deviations : array, shape (r, n)
        The lane, its mean taken off or not, times 2^-exponent.
    root : array, shape (r, 1)
        The root of the deviations' mean square plus ε, times 2^-exponent.
    exponent : array of int, shape (r, 1)
        The lane's size.
    kept : array, shape (r, 1)
        ε/(mean square + ε) = 1 − mean(x̂²), without the cancellation of the latter.
    """

    deviations: Array
    root: Array
    exponent: Array
    kept: Array

    def shares_into(self, out: Array | None) -> Any:
        """Return x̂, the deviations divided by the root; written into `out`, if given."""
        return np.divide(self.deviations, self.root, out=out)

    @property
    def lifted(self) -> Any:
        """x̂·2^200: normal numbers also where x̂ is subnormal."""
        return np.ldexp(self.deviations, LIFT) / self.root

    def pulled_back(self, g: Array, exponent: Array, fixed: int) -> Any:
        """Return (g − x̂·mean(g·x̂))/root, times 2^exponent.

        Where a lane is no longer than the number of directions that standardizing fixes, g has no
        part across x̂: what is left is g·(1 − mean x̂²), and nothing has to cancel.
        """
        if g.shape[1] == fixed:
            left = g / self.root * self.kept
        else:
            shares = self.shares_into(None)
            left = g * shares
            shares *= left.mean(axis=1, keepdims=True)
            left = np.subtract(g, shares, out=left)
            left /= self.root
        lacking = exponent - self.exponent
        return np.ldexp(left, lacking) if lacking.any() else left


def scaled_shares(
    lanes: Callable[[], Lanes], gamma: Array, out: Array, x: Array | None = None
) -> Any:
    """Return x̂·γ, written into `out`, with the digits that x̂ has lost where it is subnormal.

    Where no mean is taken off, `x` are the rows themselves: scaled down some may be subnormal.
    """
    # The processor says whether anything became subnormal, which costs nothing where nothing did.
    # Then fractions are multiplied, and the powers of two come in last.
    try:
        with np.errstate(under="raise"):
            return np.multiply(lanes().shares_into(out), gamma, out=out)
    except FloatingPointError:
        lane, (scale, power) = lanes(), np.frexp(gamma)
        fraction, own = np.frexp(lane.deviations if x is None else x)
        lacking = own + power - (0 if x is None else lane.exponent)
        return np.ldexp(fraction / lane.root * scale, lacking, out=out)


def mean_free(x: Array, eps: float) -> Lanes:
    """Return (x − mean)/√(variance + ε) for every row."""
    small, exponent = scaled_down(x)
    return _divided(centred(small), exponent, eps)


def as_they_are(x: Array, eps: float) -> Lanes:
    """Return x/√(mean square + ε) for every row."""
    small, exponent = scaled_down(x)
    return _divided(small, exponent, eps)


def centred(x: Array) -> Any:
    """Return the deviations of the rows of x from their means, in ulps of the deviations."""
    # Where x is near the mean, the rounded mean is taken off exactly.  What its rounding leaves in
    # every entry is the mean of what is left.
    deviations = x - x.mean(axis=1, keepdims=True)
    deviations -= deviations.mean(axis=1, keepdims=True)
    return deviations


def scaled_down(x: Array) -> tuple[Any, Any]:
    """Return x in a usual size along the last axis, and the exponents that it then lacks."""
    exponent = size_exponent(x)
    return (np.ldexp(x, -exponent) if exponent.any() else x), exponent


def size_exponent(x: Array) -> Any:
    """Return the binary exponent of the largest entry along the last axis, which is kept.

    It is 0 for every usual size, 2^±100: a power of two changes no digit, but takes its time.
    """
    largest, lowest = (f(x, axis=-1, keepdims=True, initial=0) for f in (np.max, np.min))
    exponent = np.frexp(np.maximum(largest, -lowest))[1]
    return np.where(abs(exponent) <= 100, 0, exponent)


def _divided(deviations: Array, exponent: Array, eps: float) -> Lanes:
    """Divide by √(mean square + ε) what is given times 2^-exponent."""
    x, small, scale = deviations, np.float64(eps), exponent
    if exponent.any() or eps < _LEAST_USUAL:
        # Scaled to about 1, so that squares neither overflow nor vanish; but ε is scaled with them,
        # and must not overflow where the deviations are tiny or zero.
        lowest = (np.frexp(eps)[1] - 1000) // 2 if eps else -2200
        own = np.frexp(abs(deviations).max(axis=1, keepdims=True))[1]
        own = np.where(deviations.any(axis=1, keepdims=True), own, -2200)
        scale = np.maximum(exponent + own, lowest)
        x, small = np.ldexp(deviations, exponent - scale), np.ldexp(eps, -2 * scale)
    square = row_square_sums(x)[:, None] / x.shape[1] + small
    return Lanes(deviations=x, root=np.sqrt(square), exponent=scale, kept=small / square)
