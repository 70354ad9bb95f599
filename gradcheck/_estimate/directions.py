"""Random signed directions, and what they are known to miss.

A direction has entries ±s·m with independent signs and m uniform on [½, 1), where s is the entry's
own size (a power of two).  So no entry is left out, no entry is moved across zero, x and 2ᵏx get
the same evidence, and the sum x + t·d is exact for most entries, because m has few bits.

Let e be the error of a claimed gradient and a = e∘s.  One direction misses it only if
|Σ aᵢ(±mᵢ)| ≤ r for the largest error r that can agree: what the comparison allows, and its radius
once more.  Each ±mᵢ has a density of at most one, so by Rogozin (1987) the sum is at least as spread
out as one of uniform variables on unit intervals, whose density is at most √2/‖a‖ by Ball (1986):
P(miss) ≤ c·r/‖a‖ with c = 2√2, and the product of these for independent ones.

For an error matrix E, tested as vᵀ(E∘s)(±m) with random cotangents v too, let ρ be the largest norm
of a column of E∘s.  The bound above holds given v with the entry of vᵀ(E∘s) at that column in the
place of ‖a‖, and that entry is itself such a sum: averaging gives P(miss) ≤ q(1 + ln 1/q), q =
c²r/ρ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck._case.domain import Array

# Twenty bits of a magnitude are fine enough for the bound above, and coarse enough for exact sums.
_SIGN_AND_FRACTION = np.uint32(0x807FFFF0)
_HALF = np.uint32(0x3F000000)  # the exponent of float32 numbers from ½ to 1
MISS_PROBABILITY = 1e-9
_SPREAD = 2 * math.sqrt(2)
_BISECTIONS = 30  # to seven digits, of which the report shows two


def signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw ±m with m uniform on [½, 1) in steps of 2⁻²⁰."""
    count = math.prod(shape)
    # the generators of 64 bits a number, as default_rng's is, give two of 32 each
    bits = rng.bit_generator.random_raw((count + 1) // 2).view(np.uint32)[:count]
    # random bits become the sign and the leading part of the fraction of a float32
    bits &= _SIGN_AND_FRACTION
    bits |= _HALF
    return bits.view(np.float32).astype(np.float64).reshape(shape)


def unit_vector(size: int, k: int) -> Array:
    """Return e_k, flat, of that size."""
    e = np.zeros(size)
    e[k] = 1.0
    return e


def detectable_gradient(radii: Sequence[float], probability: float = MISS_PROBABILITY) -> float:
    """Return the smallest ‖e∘s‖ that independent directions miss with at most that probability.

    Parameters
    ----------
    radii : sequence of float
        The largest error that can agree in each comparison; inf where it says nothing.
    probability : float
        The chance to stay below.

    Examples
    --------
    >>> round(detectable_gradient([1e-12] * 3) / 1e-12)
    2828
    >>> detectable_gradient([])
    inf
    """
    finite = sorted(filter(math.isfinite, radii))
    # Π min(1, c·r/size) = probability, where the looser comparisons count if their bound is below one
    for count in range(len(finite), 0, -1):
        used = finite[:count]
        size = math.exp((math.fsum(map(_log, used)) - math.log(probability)) / count) * _SPREAD
        if size >= _SPREAD * used[-1]:
            return size
    return math.inf


def _log(radius: float) -> float:
    return math.log(radius) if radius > 0 else -math.inf


def detectable_matrix(radii: Sequence[float], probability: float = MISS_PROBABILITY) -> float:
    """Return the smallest column ρ of an error matrix that independent (v, d) pairs miss with that probability.

    The parameters are those of `detectable_gradient`.

    Examples
    --------
    >>> detectable_matrix([1e-12] * 3) > detectable_gradient([1e-12] * 3)
    True
    """
    finite = sorted(filter(math.isfinite, radii))
    if not finite:
        return math.inf
    if finite[0] == 0.0:
        return 0.0
    low, high = math.log(finite[0]), math.log(finite[-1]) - math.log(probability) + 10
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        size = math.exp(middle)
        chance = math.prod([_miss_matrix(r / size) for r in finite])
        low, high = (low, middle) if chance <= probability else (middle, high)
    return math.exp(high)


def _miss_matrix(ratio: float) -> float:
    """Bound the chance that one (v, d) pair misses an error matrix, from r/ρ."""
    q = _SPREAD**2 * ratio
    return q * (1 - math.log(q)) if 0 < q < 1 else min(1.0, q)
