"""Lanes of numbers with their mean taken off and their size divided out, in all digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference._tails import two_sum
from reference._validate import Array

LIFT = 200


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

    @property
    def shares(self) -> Any:
        """x̂, the deviations divided by the root."""
        return self.deviations / self.root

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
            left = g * self.kept
        else:
            shares = self.shares
            left = g - shares * (g * shares).mean(axis=1, keepdims=True)
        return np.ldexp(left / self.root, exponent - self.exponent)


def mean_free(x: Array, eps: float) -> Lanes:
    """Return (x − mean)/√(variance + ε) for every row."""
    exponent = size_exponent(x)
    return _divided(centred(np.ldexp(x, -exponent)), exponent, eps)


def as_they_are(x: Array, eps: float) -> Lanes:
    """Return x/√(mean square + ε) for every row."""
    exponent = size_exponent(x)
    return _divided(np.ldexp(x, -exponent), exponent, eps)


def centred(x: Array) -> Any:
    """Return the deviations of the rows of x from their means, in ulps of the deviations."""
    # The rounded mean is taken off exactly, then the mean of what is left.
    deviation, lost = two_sum(x, -x.mean(axis=1, keepdims=True))
    return (deviation - (deviation + lost).mean(axis=1, keepdims=True)) + lost


def scaled_down(x: Array) -> tuple[Any, Any]:
    """Return x as numbers of at most 1 along the last axis, and the exponents that they lack."""
    exponent = size_exponent(x)
    return np.ldexp(x, -exponent), exponent


def size_exponent(x: Array) -> Any:
    """Return the binary exponent of the largest entry along the last axis, which is kept."""
    return np.frexp(abs(x).max(axis=-1, keepdims=True, initial=0))[1]


def _divided(deviations: Array, exponent: Array, eps: float) -> Lanes:
    """Divide by √(mean square + ε) what is given times 2^-exponent."""
    # Scaled to about 1, so that squares neither overflow nor vanish; but ε is scaled with them, and
    # must not overflow where the deviations are tiny or zero.
    lowest = (np.frexp(eps)[1] - 1000) // 2 if eps else -2200
    own = np.where(deviations.any(axis=1, keepdims=True), size_exponent(deviations), -2200)
    scale = np.maximum(exponent + own, lowest)
    x, small = np.ldexp(deviations, exponent - scale), np.ldexp(eps, -2 * scale)
    square = (x * x).mean(axis=1, keepdims=True) + small
    root = np.sqrt(square)
    return Lanes(deviations=x, root=root, exponent=scale, kept=small / square)
