"""Products with exponentials that keep their digits where the exponential leaves float64's range.

exp turns an error in its argument into a relative one, and a subnormal exponential has few digits
left.  So an argument that is a product is kept as an unevaluated sum of two numbers (T. J. Dekker,
"A floating-point technique for extending the available precision", 1971), and a far tail is
multiplied before it is scaled down.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference._validate import Array

_FAR = -650.0  # from here on e^exponent nears the subnormal numbers
_SHIFT = 64.0  # exponent + 64 is exact there: both lie between the same two powers of two
_UNSHIFT = 1.603810890548638e-28  # e^-64
_FRACTION = 0.5435260251614942  # e^-831·2^1198
_SPLITTER = 134217729.0  # 2^27 + 1


def times_exp(factor: Any, exponent: Any) -> Any:
    """Return factor·e^exponent, rounded only once where e^exponent itself is subnormal."""
    far = exponent < _FAR
    return factor * np.exp(exponent + _SHIFT * far) * np.where(far, _UNSHIFT, 1.0)


def times_far_exp(factor: float, exponent: Any) -> Any:
    """Return factor·e^exponent for exponents below −700, as far down as any factor reaches."""
    # e^-831 is 0.5435…·2^-1198, and a float64 is nearly exactly that: powers of two come in last.
    mantissa, power = np.frexp(factor)
    return np.ldexp(mantissa * _FRACTION * np.exp(exponent + 831), power - 1198)


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return a·b as the rounded product and its rounding error, for |a|, |b| < 2^990."""
    product = a * b
    high_a, low_a = _halves(a)
    high_b, low_b = _halves(b)
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, error


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Return a + b as the rounded sum and its rounding error (D. E. Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _halves(a: Array | float) -> tuple[Any, Any]:
    """Split a number into two of 26 bits."""
    big = _SPLITTER * a
    high = big - (big - a)
    return high, a - high
