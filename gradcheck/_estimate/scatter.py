"""How much noise a few samples of it may stand for, and how values scatter about a polynomial."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck._estimate.line import Values

# Multiples of the golden ratio are spread evenly, and meet no staircase at the same place of its stairs.
GOLDEN = (math.sqrt(5) - 1) / 2
# Upper 99.5 % bound of a standard deviation over its estimate from m samples: √(m / χ²_m(0.005)).
NOISE_CONFIDENCE = 14.2  # of two samples, as the first window has them
_CONFIDENCE = {
    1: 160.0,
    2: NOISE_CONFIDENCE,
    3: 6.5,
    4: 4.4,
    5: 3.5,
    6: 3.0,
    7: 2.7,
    8: 2.45,
    9: 2.3,
    10: 2.15,
}


def uneven_places(count: int) -> Values:
    """Return so many places between zero and one, without a common step."""
    return np.array([math.fmod(j * GOLDEN, 1.0) for j in range(1, count + 1)])


def upper_noise(samples: Sequence[float]) -> float:
    """Return an upper bound of the standard deviation behind some samples of noise."""
    if not samples:
        return 0.0
    return _confidence(len(samples)) * math.hypot(*samples) / math.sqrt(len(samples))


def scatter_about_polynomial(places: Values, values: Values, coefficients: int) -> float:
    """Return an upper bound of how far values at places of order one scatter about a polynomial; zero for zeros."""
    size = float(np.max(np.abs(values)))
    if size == 0.0:
        return 0.0
    basis = np.vander(places, coefficients)
    relative = values / size
    residual = relative - basis @ np.linalg.lstsq(basis, relative, rcond=None)[0]
    samples = places.size - coefficients
    return _confidence(samples) * math.sqrt(float(np.sum(residual**2)) / samples) * size


def _confidence(samples: int) -> float:
    return _CONFIDENCE[min(samples, len(_CONFIDENCE))]
