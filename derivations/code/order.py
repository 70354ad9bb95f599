"""What a list of comparisons implies about another one: the closure of difference constraints.

Every comparison is brought to the form a − b < c or a − b ≤ c, where a and b are expressions that
are not looked into, or zero, and c is a number.  Sums of such constraints along a path are all that
is concluded, which is complete for constraints of this form and sound for every other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp


@dataclass(frozen=True, slots=True)
class Condition:
    """An answer that was given: `difference` > 0 is `holds`.

    Parameters
    ----------
    difference : sympy.Expr
        What was compared with zero.
    holds : bool
        Whether it was taken to be positive; if not, it was taken to be negative.
    """

    difference: sp.Expr
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.difference} {'>' if self.holds else '<'} 0"


# A bound (c, 0) means below c, (c, 1) at most c; the smaller of two is the tighter.
_Bound = tuple[Fraction, int]
_EQUAL: _Bound = (Fraction(0), 1)
_ZERO = sp.Integer(0)


class Order:
    """Comparisons between expressions, with all that follows from them along chains.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> order = Order((Condition(x - y), Condition(y - 3)))
    >>> order.implied(x - 2), order.implied(2 - x), order.implied(x - 4)
    (True, False, None)
    """

    def __init__(self, conditions: Iterable[Condition] = ()) -> None:
        self._bounds: dict[sp.Expr, dict[sp.Expr, _Bound]] = {_ZERO: {_ZERO: _EQUAL}}
        self.consistent = True
        for condition in conditions:
            self.require(condition)

    def copy(self) -> Order:
        """Return an order that can grow on its own."""
        other = Order()
        other._bounds = {a: dict(row) for a, row in self._bounds.items()}
        other.consistent = self.consistent
        return other

    def add(self, condition: Condition) -> None:
        """Conclude what follows from one more comparison."""
        if condition.difference.is_Rational:
            return
        sign = 1 if condition.holds else -1
        a, b, c = _parted(sign * condition.difference)
        self._tighten(b, a, (c, 0))  # a − b + c > 0

    def require(self, condition: Condition) -> None:
        """Conclude what follows, and notice a condition that contradicts the others."""
        known = self.implied(condition.difference)
        if known is (not condition.holds):
            self.consistent = False
        elif not known:  # "zero at most" is less than "negative"
            self.add(condition)

    def add_at_least(self, larger: sp.Expr, smaller: sp.Expr) -> None:
        """Conclude what follows from larger ≥ smaller."""
        a, b, c = _parted(larger - smaller)
        self._tighten(b, a, (c, 1))

    def implied(self, difference: sp.Expr) -> bool | None:
        """Return whether a difference is positive; False also stands for zero at most."""
        if difference.is_Rational:
            return bool(difference > 0)
        if difference.is_positive:
            return True
        if difference.is_nonpositive:
            return False
        a, b, c = _parted(difference)
        for node in (a, b):
            self._meet(node)
        upper = self._bounds[b].get(a)
        if upper is not None and upper < (c, 1):
            return True
        lower = self._bounds[a].get(b)
        return False if lower is not None and lower[0] <= -c else None

    def allows(self, conditions: Iterable[Condition]) -> bool:
        """Return whether conditions do not contradict what is known, as far as this can tell."""
        extended = self.copy()
        for condition in conditions:
            extended.require(condition)
        return extended.consistent

    def _tighten(self, a: sp.Expr, b: sp.Expr, bound: _Bound) -> None:
        """Use a − b < bound."""
        for node in (a, b):
            self._meet(node)
        if not bound < self._bounds[a].get(b, (bound[0] + 1, 1)):
            return
        into = [(x, row[a]) for x, row in self._bounds.items() if a in row]
        out = list(self._bounds[b].items())
        for x, first in into:
            row = self._bounds[x]
            for y, last in out:
                total = first[0] + bound[0] + last[0], first[1] & bound[1] & last[1]
                if y not in row or total < row[y]:
                    row[y] = total
                    self.consistent = self.consistent and (x != y or total >= _EQUAL)

    def _meet(self, node: sp.Expr) -> None:
        if node in self._bounds:
            return
        self._bounds[node] = {node: _EQUAL}
        if node.is_positive:
            self._tighten(_ZERO, node, (Fraction(0), 0))


def _parted(difference: sp.Expr) -> tuple[sp.Expr, sp.Expr, Fraction]:
    """Return a, b and c such that the difference is a positive multiple of a − b + c."""
    constant, terms = difference.as_coeff_add()
    if not constant.is_Rational:
        constant, terms = _ZERO, (difference,)
    split = [term.as_coeff_Mul() for term in terms]
    scale = abs(split[0][0])
    rest = sp.Add(*terms)
    if len(split) == 1 and scale.is_Rational:
        coefficient, node = split[0]
        a, b = (node, _ZERO) if coefficient > 0 else (_ZERO, node)
    elif len(split) == 2 and scale.is_Rational and split[0][0] == -split[1][0]:
        (coefficient, first), (_, second) = split
        a, b = (first, second) if coefficient > 0 else (second, first)
    elif rest.could_extract_minus_sign():
        a, b, scale = _ZERO, -rest, sp.Integer(1)
    else:
        a, b, scale = rest, _ZERO, sp.Integer(1)
    c = constant / scale
    return a, b, Fraction(int(c.p), int(c.q))
