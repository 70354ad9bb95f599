"""The tail of the normal distribution, to the last digits, without a library for special functions.

1 − Φ(t) = E(t)·e^(−t²/2), and E falls slowly: from ½ at 0 like 1/(t√(2π)).  What falls fast is the
exponential, and `gaussian` hands it over in a form that loses nothing.
"""

from __future__ import annotations

from typing import Any

from reference._tails import times_exp

FARTHEST = 40.0  # e^(−t²/2) is zero from here on, and stays so times anything of interest
DENSITY = 0.3989422804014327  # 1/√(2π)

# (1 + t)·E(t) as a polynomial of u = (t−5)/(t+5), which maps 0 … ∞ to −1 … 1 (M. M. Shepherd and
# J. G. Laframboise, "Chebyshev approximation of (1+2x)exp(x²)erfc x in 0 ≤ x < ∞", Mathematics of
# Computation 36, 1981): 24 terms of the interpolation, to 60 digits, at 60 Chebyshev nodes.  They
# fall off so fast that powers of u do as well as Chebyshev's polynomials, and take fewer steps.
_COEFFICIENTS = (
    0.46151582985003775,
    -0.09155228183400904,
    0.031030368425963708,
    0.010002352385229382,
    -0.026401042966308307,
    0.024536963243678652,
    -0.015170415402514863,
    0.006522000667783896,
    -0.00167607234455447,
    7.791597409338999e-06,
    0.00018233414511643843,
    -5.36075811148722e-05,
    -9.896097759279782e-06,
    9.05982468125664e-06,
    -7.034644683537101e-08,
    -1.3074486019237587e-06,
    1.27878221820937e-07,
    1.9627809920091187e-07,
    -2.6286205089898754e-08,
    -3.095201755804207e-08,
    3.627373163401201e-09,
    4.4011596227599254e-09,
    -2.8220772290629865e-10,
    -3.815816262632953e-10,
)
_GRID = 1.5 * 2.0**32  # adding it rounds to multiples of 2^-20


def tail_ratio(t: Any) -> Any:
    """Return E(t) = (1 − Φ(t))·e^(t²/2) for t ≥ 0."""
    u = (t - 5) / (t + 5)
    ratio = u * _COEFFICIENTS[-1]
    for coefficient in _COEFFICIENTS[-2:0:-1]:  # W. G. Horner's scheme
        ratio += coefficient
        ratio *= u
    ratio += _COEFFICIENTS[0]
    ratio /= 1 + t
    return ratio


def gaussian(factor: Any, t: Any) -> Any:
    """Return factor·e^(−t²/2) for 0 ≤ t ≤ 40, with the rounding error of the square put back."""
    square, lost = _square(t)
    lost *= -0.5
    lost *= factor
    lost += factor
    square *= -0.5
    return times_exp(lost, square)


def _square(t: Any) -> tuple[Any, Any]:
    """Return t² as the rounded square and its rounding error."""
    # high has 26 bits, so that its own square is exact; (t − high)(t + high) is tiny beside it.
    high = t + _GRID
    high -= _GRID
    low = t - high
    low *= t + high
    high *= high
    square = high + low
    high -= square
    high += low
    return square, high
