"""The tail of the normal distribution, to the last digits, without a library for special functions.

1 − Φ(t) = E(t)·e^(−t²/2), and E falls slowly: from ½ at 0 like 1/(t√(2π)).  What falls fast is the
exponential, and `gaussian` hands it over in a form that loses nothing.
"""

from __future__ import annotations

from typing import Any

from reference._tails import times_exp, two_product

FARTHEST = 40.0  # e^(−t²/2) is zero from here on, and stays so times anything of interest
DENSITY = 0.3989422804014327  # 1/√(2π)

# (1 + t)·E(t) in Chebyshev polynomials of u = (t−5)/(t+5), which maps 0 … ∞ to −1 … 1 (M. M.
# Shepherd and J. G. Laframboise, "Chebyshev approximation of (1+2x)exp(x²)erfc x in 0 ≤ x < ∞",
# Mathematics of Computation 36, 1981); interpolated to 40 digits at the 60 Chebyshev nodes.
_COEFFICIENTS = (
    0.4619742120721857,
    -0.06516520239491264,
    -0.005458781501136567,
    0.01229619904556344,
    -0.006470872915703688,
    0.0022407355224168305,
    -0.0005638623774651974,
    9.984031082925812e-05,
    -9.849514843168493e-06,
    -4.032494233045217e-07,
    2.99023962013034e-07,
    -3.032070748442814e-08,
    -4.617665713929027e-09,
    1.3298288008382692e-09,
    3.007242719019045e-11,
    -4.4299537255328156e-11,
    1.3999857147018152e-12,
    1.4718957028912571e-12,
    -9.325953119165372e-14,
    -5.294681169067695e-14,
    3.958188414414517e-15,
    2.1048214642963194e-15,
    -1.345671286136144e-16,
    -9.097614914495833e-17,
)


def tail_ratio(t: Any) -> Any:
    """Return E(t) = (1 − Φ(t))·e^(t²/2) for t ≥ 0."""
    u = (t - 5) / (t + 5)
    ahead = after = 0.0 * u
    for coefficient in _COEFFICIENTS[:0:-1]:  # C. W. Clenshaw's recurrence
        ahead, after = coefficient + 2 * u * ahead - after, ahead
    return (_COEFFICIENTS[0] + (u * ahead - after)) / (1 + t)


def gaussian(factor: Any, t: Any) -> Any:
    """Return factor·e^(−t²/2) for 0 ≤ t ≤ 40, with the rounding error of the square put back."""
    square, lost = two_product(t, t)
    return times_exp(factor * (1 - lost / 2), -square / 2)
