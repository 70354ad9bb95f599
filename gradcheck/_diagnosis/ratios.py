"""Numbers that one recognises: p/q with small p or q, and how many digits of a number are known."""

from __future__ import annotations

import math
from fractions import Fraction

CLOSE = 1e-6
_WHOLE = 0.01  # from a large number that counts something
_LARGEST_SIMPLE = 64
_PLAIN = 4
_MOST_DOUBT = 0.02
_QUARTER = 0.25  # of the way to the next whole number
_MOST_COUNTED = 2.0**40  # more entries than an axis has: such a factor counts nothing


def simple_ratio(factor: float, doubt: float = 0.0) -> Fraction | None:
    """Recognise p/q with small p or q: within 1e-6, which by chance happens to one small number in thousands.

    Of the largest, one in fifty is as close to a whole number.  A factor that isn't known as well
    may be one of the plainest.
    """
    if not 1 / _MOST_COUNTED <= abs(factor) <= _MOST_COUNTED or abs(factor - 1) < CLOSE:
        return None
    for q in range(1, _LARGEST_SIMPLE + 1):
        p = round(factor * q)
        if p and p != q and _is_near(factor * q, p) and (abs(p) <= _LARGEST_SIMPLE or q == 1):
            return Fraction(p, q)
    whole = round(1 / factor)
    if whole not in (0, 1) and _is_near(1 / factor, whole):
        return Fraction(1, whole)
    plain = Fraction(factor).limit_denominator(_PLAIN)
    is_near = abs(plain - Fraction(factor)) <= min(doubt, _MOST_DOUBT) * abs(factor)
    return plain if is_near and plain != 1 and is_plain(plain) else None


def _is_near(number: float, whole: int) -> bool:
    return abs(number - whole) < min(CLOSE * abs(whole), _WHOLE)


def whole_ratio(factor: float, doubt: float) -> Fraction | None:
    """Recognise a whole number, or one over it, that is known just well enough for that."""
    if not 1 / _MOST_COUNTED <= abs(factor) <= _MOST_COUNTED:
        return None
    size = round(max(abs(factor), 1 / abs(factor)))
    if size == 1 or doubt * size >= _QUARTER:
        return None
    ratio = Fraction(size) if abs(factor) > 1 else Fraction(1, size)
    ratio = ratio if factor > 0 else -ratio
    return ratio if abs(factor / float(ratio) - 1) <= doubt else None


def is_plain(ratio: Fraction | None) -> bool:
    """Whether a ratio is no accident even where there is one number only."""
    return ratio is not None and max(abs(ratio.numerator), ratio.denominator) <= _PLAIN


def quotient(a: float, b: float) -> float | None:
    """Return a/b, where that is a number that one may divide by."""
    found = a / b if b else 0.0
    return found if found and math.isfinite(found) else None


def digits(doubt: float) -> int:
    """Return how many digits of a number are known."""
    return min(8, max(2, math.floor(-math.log10(doubt)))) if doubt else 8
