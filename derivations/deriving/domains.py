"""Where an expression and its derivative are defined, each condition examined.

A condition is proved to hold everywhere, or shown by a point to exclude something, or else it is
undecided.  Either way the list is exact: the value is defined where all conditions of its kind
hold, and nowhere else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.deriving.conditions import (
    JUMP,
    Condition,
    Need,
    Status,
    collected,
    of_constants,
    polynomial_of,
)
from derivations.deriving.intervals import LINE, EmptyError, Interval, enclose, is_infinite, point
from derivations.text import reading
from derivations.text.grammar import ExpressionError, variables, written

if TYPE_CHECKING:
    from derivations.text.grammar import Tree

_TRIES = 200
_BISECTIONS = 80
LINEAR = "linear in its variable"


@dataclass(frozen=True, slots=True)
class Domain:
    """Where an expression and its derivatives are defined.

    Parameters
    ----------
    variables : tuple of str
        The variables.
    conditions : tuple of Condition
        All of them; those of the value are needed for the derivative too.
    value_bounds, bounds : Mapping of str to Interval
        What follows for single variables from the linear conditions of the value, and from those of
        value and derivative.
    """

    variables: tuple[str, ...]
    conditions: tuple[Condition, ...]
    value_bounds: Mapping[str, Interval]
    bounds: Mapping[str, Interval]

    @property
    def undecided(self) -> tuple[Condition, ...]:
        """The conditions of which it is not known whether they exclude anything."""
        return tuple(c for c in self.conditions if c.status is Status.UNDECIDED)

    def restricting(self, *needs: Need) -> tuple[Condition, ...]:
        """Return the conditions for these needs that do not hold everywhere."""
        return tuple(
            c for c in self.conditions if c.need in needs and c.status is not Status.ALWAYS
        )

    def contains(self, at: Mapping[str, Any], ctx: Any) -> bool:
        """Whether value and derivative are defined at a point and it is not on a kink."""
        try:
            return all(c.holds(at, ctx) for c in self.conditions)
        except reading.UndefinedError:
            return False

    def holds_on(self, box: Mapping[str, Interval]) -> bool:
        """Whether value and derivative are proved to be defined, without kinks, on a whole box."""
        try:
            return all(c.holds_on(box) for c in self.conditions)
        except EmptyError:
            return False


def domain(tree: Tree, text: str) -> Domain:
    """Return where a tree and its derivatives are defined.

    Parameters
    ----------
    tree : Tree
        Within the limits of `reading.check_limits`.
    text : str
        What it was parsed from, for messages.

    Raises
    ------
    ExpressionError
        If it is proved that the expression is defined nowhere.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> [c.status.value for c in domain(parse("log(1 + exp(x))"), "").conditions]
    ['holds everywhere']
    >>> domain(parse("log(x - 1)"), "").bounds["x"].low
    Fraction(1, 1)
    """
    names = variables(tree)
    needed = collected(tree)
    of_value: dict[str, Interval] = dict.fromkeys(names, LINE)
    bounds = dict(of_value)
    examined = []
    for condition in of_constants(tree):
        with _naming(condition, text):
            _refuse_never(condition, enclose(condition.tree, {}))
    for condition in needed:
        with _naming(condition, text):
            _tighten(bounds, condition)
            if condition.need is Need.VALUE:
                _tighten(of_value, condition)
    _open_ends(of_value, [c for c in needed if c.need is Need.VALUE])
    _open_ends(bounds, needed)
    for condition in needed:
        # That the value is defined must not be shown by what the derivative needs.
        known = of_value if condition.need is Need.VALUE else bounds
        with _naming(condition, text):
            examined.append(_examined(condition, known))
    return Domain(names, tuple(examined), of_value, bounds)


@contextmanager
def _naming(condition: Condition, text: str) -> Iterator[None]:
    """Say which condition holds nowhere, where one does."""
    try:
        yield
    except EmptyError as error:
        what = "this" if condition.need is Need.VALUE else "the derivative of this"
        problem = f"{what} is defined for no real number: {condition.cause} is never allowed"
        raise ExpressionError(problem, text, condition.span.start, condition.span.end) from error


def _tighten(bounds: dict[str, Interval], condition: Condition) -> None:
    """Use a condition a·x + b > 0, or ≥ 0, on one variable."""
    names = variables(condition.tree)
    if len(names) != 1 or condition.relation == "≠":
        return
    polynomial = polynomial_of(condition.tree)
    if polynomial is None or polynomial.degree() != 1:
        return
    slope, offset = (Fraction(int(c.p), int(c.q)) for c in polynomial.all_coeffs())
    edge, strict = -offset / slope, condition.relation == ">"
    side = (
        Interval(edge, math.inf, strict, True)
        if slope > 0
        else Interval(-math.inf, edge, True, strict)
    )
    bounds[names[0]] = bounds[names[0]].meet(side)


def _open_ends(bounds: dict[str, Interval], conditions: Sequence[Condition]) -> None:
    """Leave an end out that a condition x ≠ end excludes."""
    for condition in conditions:
        names = variables(condition.tree)
        polynomial = polynomial_of(condition.tree) if len(names) == 1 else None
        if condition.relation == "≠" and polynomial is not None and polynomial.degree() == 1:
            slope, offset = (Fraction(int(c.p), int(c.q)) for c in polynomial.all_coeffs())
            old, root = bounds[names[0]], -offset / slope
            low_open, high_open = old.low_open or old.low == root, old.high_open or old.high == root
            bounds[names[0]] = replace(old, low_open=low_open, high_open=high_open)


def _examined(condition: Condition, bounds: Mapping[str, Interval]) -> Condition:
    """Return the condition with its status; EmptyError if it holds nowhere."""
    by_bounds = _tightened_only_by_itself(condition, bounds)
    if by_bounds is not None:
        return by_bounds
    _refuse_never(condition, enclose(condition.tree, bounds))
    if condition.holds_on(bounds):
        return _with(condition, Status.ALWAYS, "interval arithmetic")
    if len(variables(condition.tree)) == 1:
        polynomial = polynomial_of(condition.tree)
        if polynomial is not None:
            return _by_roots(condition, polynomial)
    return _by_points(condition, bounds)


def _refuse_never(condition: Condition, found: Interval) -> None:
    """Raise EmptyError if the condition holds for no value in an interval."""
    if condition.relation in (">", "≥") and (-found).positive:
        raise EmptyError("never")
    always_zero = found == point(Fraction(0)) and condition.relation != "≥"
    if always_zero or (condition.relation == ">" and (-found).nonnegative):
        raise EmptyError("never")


def _with(condition: Condition, status: Status, reason: str) -> Condition:
    return replace(condition, status=status, reason=reason)


def _tightened_only_by_itself(
    condition: Condition, bounds: Mapping[str, Interval]
) -> Condition | None:
    """Return a linear condition that made a bound as a restriction: the bound proves nothing."""
    names = variables(condition.tree)
    polynomial = polynomial_of(condition.tree) if len(names) == 1 else None
    if polynomial is None or polynomial.degree() != 1:
        return None
    slope, offset = (Fraction(int(c.p), int(c.q)) for c in polynomial.all_coeffs())
    at_end = -offset / slope in (bounds[names[0]].low, bounds[names[0]].high)
    if condition.relation == "≠" and not at_end:
        return None
    return _with(condition, Status.RESTRICTS, LINEAR)


def _by_roots(condition: Condition, polynomial: Any) -> Condition:
    """Decide a polynomial in one variable exactly, by its number of real roots."""
    if polynomial.is_zero:
        if condition.relation != "≥":
            raise EmptyError("never")
        return _with(condition, Status.ALWAYS, "it is 0")
    if polynomial.count_roots() > 0:
        if condition.relation != "≠" and not _takes_a_forbidden_value(condition, polynomial):
            return _with(condition, Status.ALWAYS, "the roots of a polynomial")
        return _with(condition, Status.RESTRICTS, "the roots of a polynomial")
    if condition.relation != "≠" and polynomial.eval(0) < 0:
        raise EmptyError("never")
    return _with(condition, Status.ALWAYS, "a polynomial without real roots")


def _takes_a_forbidden_value(condition: Condition, polynomial: Any) -> bool:
    """Whether a polynomial with roots is somewhere negative, or zero where that counts."""
    if condition.relation == ">":
        return True
    roots = [interval for interval, _ in polynomial.intervals()]
    edges = [sp.Integer(0)] if not roots else []
    for (_, left), (right, _) in pairwise(roots):
        edges.append((left + right) / 2)
    if roots:
        edges += [roots[0][0] - 1, roots[-1][1] + 1]
    return any(polynomial.eval(x) < 0 for x in edges)


def _by_points(condition: Condition, bounds: Mapping[str, Interval]) -> Condition:
    """Look for a point that the condition excludes."""
    generator = random.Random(written(condition.tree))
    names = variables(condition.tree)
    signs: dict[int, dict[str, Fraction]] = {}
    for attempt in range(_TRIES):
        at = {name: coordinate(bounds[name], generator, attempt) for name in names}
        try:
            found = enclose(condition.tree, {name: point(x) for name, x in at.items()})
        except EmptyError:
            continue
        if found == point(Fraction(0)) and condition.relation != "≥":
            return _with(condition, Status.RESTRICTS, f"it is 0 at {_described(at)}")
        sign = 1 if found.positive else -1 if (-found).positive else 0
        if sign < 0 and condition.relation != "≠" and found.bounded:
            return _with(condition, Status.RESTRICTS, f"it is negative at {_described(at)}")
        if sign and found.bounded:
            signs.setdefault(sign, at)
        if len(signs) == 2:
            crossing = _crossing(condition.tree, signs[1], signs[-1])
            if crossing is not None:
                reason = f"it is 0 near {_described(crossing)}"
                return _with(condition, Status.RESTRICTS, reason)
            signs = {sign: at}
    return _with(condition, Status.UNDECIDED, f"no proof, and no counterexample in {_TRIES} points")


def coordinate(bounds: Interval, generator: random.Random, attempt: int) -> Fraction:
    """Return a short number within bounds; later attempts reach farther."""
    reach = 2 ** (1 + attempt % 6)
    low, high = bounds.low, bounds.high
    if attempt == 0 and low <= 0 < high and not (low == 0 and bounds.low_open):
        return Fraction(0)
    if not is_infinite(low) and not is_infinite(high):
        share = Fraction(generator.randint(1, 255), 256)
        return Fraction(low) + share * (Fraction(high) - Fraction(low))
    if not is_infinite(low):
        return Fraction(low) + Fraction(generator.randint(1, 64 * reach), 64)
    if not is_infinite(high):
        return Fraction(high) - Fraction(generator.randint(1, 64 * reach), 64)
    if attempt % 4 == 0:
        return Fraction(generator.randint(-4, 4))
    return Fraction(generator.randint(-64 * reach, 64 * reach), 64)


def _crossing(
    tree: Tree, up: Mapping[str, Fraction], down: Mapping[str, Fraction]
) -> dict[str, Fraction] | None:
    """Return a point near a zero between two points of different sign, if there must be one.

    Bisection ends in a short segment with different signs at its ends.  If the tree has a bounded
    enclosure there, all its parts are continuous on the segment, and it is zero somewhere on it.
    """
    for _ in range(_BISECTIONS):
        middle = {name: (up[name] + down[name]) / 2 for name in up}
        try:
            found = enclose(tree, {name: point(x) for name, x in middle.items()})
        except EmptyError:
            return None
        if found.positive:
            up = middle
        elif (-found).positive:
            down = middle
        else:
            break
    box = {name: Interval(min(up[name], down[name]), max(up[name], down[name])) for name in up}
    continuous = (c for c in collected(tree) if c.need is Need.VALUE or c.cause == JUMP)
    return dict(up) if all(c.holds_on(box) for c in continuous) else None


def _described(at: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{name} = {float(x):.6g}" for name, x in at.items())
