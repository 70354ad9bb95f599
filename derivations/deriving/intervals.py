"""Enclosures of the range of a tree: proofs that something is positive, or never zero.

An interval has exact rational ends (or infinite ones), each open or closed, so that e^x > 0 and
e^x ≥ 0 are different statements.  Ends that are not rational are rounded outwards.  Where a
function is not defined on all of its argument's interval, the rest of it counts: that the argument
stays inside is a condition of its own.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath

from derivations.text.grammar import CONSTANTS, Call, Name, Number, variables, written
from derivations.text.reading import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from derivations.text.grammar import Tree

_PRECISION = 160  # bits of an end; the widening below is far larger than the error of mpmath
_WIDER = Fraction(1, 2**120)
_LARGEST = 5000  # beyond this e^x lies between e^5000 and infinity
End = Fraction | float


def is_infinite(end: End) -> bool:
    """Whether an end is ±∞; the only floats that are ends (a long fraction has no float)."""
    return isinstance(end, float)


class EmptyError(ValueError):
    """A function's argument lies outside of its domain everywhere."""


@dataclass(frozen=True, slots=True)
class Interval:
    """All reals between two ends; an infinite end is always open.

    Parameters
    ----------
    low, high : Fraction or ±inf
        The ends.
    low_open, high_open : bool
        Whether the end itself is left out.
    """

    low: End
    high: End
    low_open: bool = False
    high_open: bool = False

    @property
    def positive(self) -> bool:
        """Whether every number in it is > 0."""
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def nonnegative(self) -> bool:
        """Whether every number in it is ≥ 0."""
        return self.low >= 0

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return not (is_infinite(self.low) or is_infinite(self.high))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Interval) -> Interval:
        return _made(
            _sum(self.low, other.low),
            _sum(self.high, other.high),
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __mul__(self, other: Interval) -> Interval:
        ends = [
            _product(a, b)
            for a in ((self.low, self.low_open), (self.high, self.high_open))
            for b in ((other.low, other.low_open), (other.high, other.high_open))
        ]
        low, high = min(e for e, _ in ends), max(e for e, _ in ends)
        return _made(
            low,
            high,
            all(is_open for e, is_open in ends if e == low),
            all(is_open for e, is_open in ends if e == high),
        )

    def reciprocal(self) -> Interval:
        """Return 1/x for the x ≠ 0 in it."""
        if self.low < 0 < self.high:
            return LINE
        if self.low >= 0:
            if self.high == 0:
                raise EmptyError("a division by zero")
            high: End = math.inf if self.low == 0 else 1 / Fraction(self.low)
            low = Fraction(0) if is_infinite(self.high) else 1 / Fraction(self.high)
            open_low = self.high_open or is_infinite(self.high)
            return _made(low, high, open_low, self.low_open or self.low == 0)
        return -((-self).reciprocal())

    def meet(self, other: Interval) -> Interval:
        """Return what both contain; EmptyError if that is nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        low_open = any(i.low_open for i in (self, other) if i.low == low)
        high_open = any(i.high_open for i in (self, other) if i.high == high)
        if low > high or (low == high and (low_open or high_open)):
            raise EmptyError("the argument lies outside of the function's domain")
        return Interval(low, high, low_open, high_open)


LINE = Interval(-math.inf, math.inf, True, True)


def point(x: Fraction) -> Interval:
    """Return the interval of one number."""
    return Interval(x, x)


def _sum(a: End, b: End) -> End:
    return a + b  # never ∞ − ∞: two lower ends are below ∞, two upper ones above −∞


def _product(a: tuple[End, bool], b: tuple[End, bool]) -> tuple[End, bool]:
    """Multiply two ends; a zero that is taken makes a zero that is taken, whatever the other is."""
    (x, x_open), (y, y_open) = a, b
    if x == 0 or y == 0:
        taken = (x == 0 and not x_open) or (y == 0 and not y_open)
        return Fraction(0), not taken
    return x * y, x_open or y_open


def _made(low: End, high: End, low_open: bool, high_open: bool) -> Interval:
    """Return an interval with short ends: long ones are rounded outwards, and are open then."""
    short_low, short_high = _rounded(low, -1), _rounded(high, 1)
    return Interval(
        short_low,
        short_high,
        low_open or short_low != low or is_infinite(short_low),
        high_open or short_high != high or is_infinite(short_high),
    )


def _rounded(end: End, direction: int) -> End:
    if isinstance(end, float) or end.denominator.bit_length() + end.numerator.bit_length() < 600:
        return end
    scale = 2 ** max(0, _PRECISION + end.denominator.bit_length() - end.numerator.bit_length())
    scaled = end * scale
    return Fraction(math.floor(scaled) if direction < 0 else math.ceil(scaled), scale)


# --- functions -----------------------------------------------------------------------------------

_HALF_LINE = Interval(Fraction(0), math.inf, True, True)
_CLOSED_HALF_LINE = Interval(Fraction(0), math.inf, False, True)
_UNIT = Interval(Fraction(-1), Fraction(1))
_OPEN_UNIT = Interval(Fraction(-1), Fraction(1), True, True)


@functools.cache
def _context() -> Any:
    """Return an mpmath context of our own; its precision is set here and never changed."""
    made = mpmath.MPContext()
    made.prec = _PRECISION + 40
    return made


def _end(function: Callable[[Any], Any], x: Fraction, direction: int) -> Fraction:
    """Return f(x) rounded down (−1) or up (1), by more than mpmath errs."""
    context = _context()
    y = function(context)(context.mpf(x.numerator) / x.denominator)
    man, exp = (int(part) for part in y.man_exp)
    exact_value = Fraction(-man if y < 0 and man > 0 else man) * Fraction(2) ** exp
    return exact_value + direction * _WIDER * max(abs(exact_value), _WIDER)


@dataclass(frozen=True, slots=True)
class _Increasing:
    """An increasing function: where it is defined, its range, and the one point known exactly."""

    domain: Interval
    image: Interval
    known: tuple[int, int] | None = (0, 0)

    def __call__(self, name: str, a: Interval) -> Interval:
        a = a.meet(self.domain)
        low, low_open = self._at(name, a.low, a.low_open, -1)
        high, high_open = self._at(name, a.high, a.high_open, 1)
        return Interval(low, high, low_open, high_open).meet(self.image)

    def _at(self, name: str, x: End, is_open: bool, direction: int) -> tuple[End, bool]:
        edge, value = (
            (self.domain.low, (self.image.low, self.image.low_open)),
            (self.domain.high, (self.image.high, self.image.high_open)),
        )[direction > 0]
        if x == edge and (is_open or is_infinite(x) or value[1]):
            return value[0], True
        if self.known is not None and x == self.known[0]:
            return Fraction(self.known[1]), is_open
        if name in _EXPONENTIAL:
            if direction * x > _LARGEST:
                return value[0], True  # e^5000 bounds a larger power from below only
            x = max(-_LARGEST, min(x, _LARGEST))
        x = Fraction(x)
        return _end(lambda ctx: getattr(ctx, name), x, direction), True


_EXPONENTIAL = ("exp", "sinh", "tanh")
_INCREASING = {
    "asin": _Increasing(_UNIT, Interval(Fraction(-8, 5), Fraction(8, 5))),
    "acosh": _Increasing(Interval(Fraction(1), math.inf, False, True), _CLOSED_HALF_LINE, (1, 0)),
    "asinh": _Increasing(LINE, LINE),
    "atan": _Increasing(LINE, Interval(Fraction(-8, 5), Fraction(8, 5))),
    "atanh": _Increasing(_OPEN_UNIT, LINE),
    "exp": _Increasing(LINE, _HALF_LINE, (0, 1)),
    "log": _Increasing(_HALF_LINE, LINE, (1, 0)),
    "sinh": _Increasing(LINE, LINE),
    "sqrt": _Increasing(_CLOSED_HALF_LINE, _CLOSED_HALF_LINE),
    "tanh": _Increasing(LINE, _OPEN_UNIT),
}


def _increasing(name: str, a: Interval) -> Interval:
    return _INCREASING[name](name, a)


def _absolute(a: Interval) -> Interval:
    if a.low >= 0:
        return a
    if a.high <= 0:
        return -a
    ends = ((-a.low, a.low_open), (a.high, a.high_open))
    high = max(e for e, _ in ends)
    return Interval(Fraction(0), high, False, all(o for e, o in ends if e == high))


def _wave(name: str, a: Interval) -> Interval:
    """Sine and cosine: slope at most 1, so no farther from the middle's value than the radius."""
    if not a.bounded or a.high - a.low > 7:
        return _UNIT
    middle = (Fraction(a.low) + Fraction(a.high)) / 2
    if middle > 10**30 or middle < -(10**30):
        return _UNIT
    radius = (Fraction(a.high) - Fraction(a.low)) / 2
    if radius == 0 and middle == 0:
        return point(Fraction(int(name == "cos")))
    low = _end(lambda ctx: getattr(ctx, name), middle, -1) - radius
    high = _end(lambda ctx: getattr(ctx, name), middle, 1) + radius
    return Interval(max(low, Fraction(-1)), min(high, Fraction(1)))


def _arccosine(a: Interval) -> Interval:
    quarter = Interval(Fraction(157, 100), Fraction(158, 100))
    return (quarter + -_increasing("asin", a)).meet(_CLOSED_HALF_LINE)


def _extreme(choose: Callable[[End, End], End], a: Interval, b: Interval) -> Interval:
    low, high = choose(a.low, b.low), choose(a.high, b.high)
    low_open = all(i.low_open for i in (a, b) if i.low == low)
    high_open = all(i.high_open for i in (a, b) if i.high == high)
    if a.low == b.low:
        low_open = a.low_open and b.low_open if choose is min else a.low_open or b.low_open
    if a.high == b.high:
        high_open = a.high_open and b.high_open if choose is max else a.high_open or b.high_open
    return Interval(low, high, low_open, high_open)


def power(a: Interval, exponent: Fraction) -> Interval:
    """Return the powers of an interval, for a constant exponent."""
    if exponent.denominator != 1:
        base = a.meet(_CLOSED_HALF_LINE)
        if base.high == 0 and exponent > 0:
            return point(Fraction(0))  # which has no logarithm
        found = _increasing("exp", point(exponent) * _increasing("log", base))
        holds_zero = base.low == 0 and exponent > 0
        return Interval(Fraction(0), found.high, False, found.high_open) if holds_zero else found
    if exponent < 0:
        return power(a, -exponent).reciprocal()
    if exponent % 2 == 0:
        a = _absolute(a)
    low, high = (
        end if is_infinite(end) else Fraction(end) ** int(exponent) for end in (a.low, a.high)
    )
    if exponent == 0:
        return point(Fraction(1))
    return _made(low, high, a.low_open, a.high_open)


def _sigmoid(a: Interval) -> Interval:
    return (point(Fraction(1)) + _increasing("exp", -a)).reciprocal()


_ONE = point(Fraction(1))
_UNARY: dict[str, Callable[[Interval], Interval]] = {
    "abs": _absolute,
    "acos": _arccosine,
    "cos": lambda a: _wave("cos", a),
    "cosh": lambda a: (
        _ONE
        + power(_increasing("sinh", a * point(Fraction(1, 2))), Fraction(2)) * point(Fraction(2))
    ),
    "expm1": lambda a: _increasing("exp", a) + -_ONE,
    "log10": lambda a: _increasing("log", a) * _constant_log(10).reciprocal(),
    "log1p": lambda a: _increasing("log", _ONE + a),
    "log2": lambda a: _increasing("log", a) * _constant_log(2).reciprocal(),
    "relu": lambda a: _extreme(max, a, point(Fraction(0))),
    "sigmoid": _sigmoid,
    "sign": lambda a: _ONE if a.positive else -_ONE if (-a).positive else _UNIT,
    "sin": lambda a: _wave("sin", a),
    "softplus": lambda a: _increasing("log", _ONE + _increasing("exp", a)),
    "tan": lambda a: _wave("sin", a) * _wave("cos", a).reciprocal(),
}


def _constant_log(base: int) -> Interval:
    return _increasing("log", point(Fraction(base)))


def enclose(tree: Tree, box: Mapping[str, Interval]) -> Interval:
    """Return an interval that contains every value of a tree over a box.

    Parameters
    ----------
    tree : Tree
        From `grammar.parse`.
    box : Mapping of str to Interval
        Where each variable lies.

    Raises
    ------
    EmptyError
        If some part is defined nowhere in the box.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> enclose(parse("log(1 + exp(x))"), {"x": LINE}).positive
    True
    >>> enclose(parse("2 + sin(x)"), {"x": LINE}).low
    Fraction(1, 1)
    """
    if isinstance(tree, Number):
        return point(tree.value)
    if isinstance(tree, Name):
        if tree.name in CONSTANTS:
            return _constant(tree.name)
        return box[tree.name]
    if isinstance(tree, Call):
        return _called(tree.function, [enclose(a, box) for a in tree.arguments])
    if tree.sign == "^":
        return _raised(tree, box)
    left, right = enclose(tree.left, box), enclose(tree.right, box)
    if tree.sign == "+":
        return left + right
    if tree.sign == "-":
        return left + -right
    if tree.sign == "/":
        return left * right.reciprocal()
    same = written(tree.left) == written(tree.right)
    return power(left, Fraction(2)) if same else left * right


def _constant(name: str) -> Interval:
    low, high = (_end(lambda c: lambda _: +getattr(c, name), Fraction(0), d) for d in (-1, 1))
    return Interval(low, high, True, True)


def _called(name: str, arguments: list[Interval]) -> Interval:
    if name == "hypot":
        a, b = (power(i, Fraction(2)) for i in arguments)
        return _increasing("sqrt", a + b)
    if name in ("max", "min"):
        result = arguments[0]
        for other in arguments[1:]:
            result = _extreme(max if name == "max" else min, result, other)
        return result
    return _UNARY[name](arguments[0]) if name in _UNARY else _increasing(name, arguments[0])


def _raised(tree: Any, box: Mapping[str, Interval]) -> Interval:
    base = enclose(tree.left, box)
    exponent = None if variables(tree.right) else exact(tree.right)
    if exponent is not None:
        return power(base, exponent)
    logarithm = _increasing("log", base)
    return _increasing("exp", enclose(tree.right, box) * logarithm)
