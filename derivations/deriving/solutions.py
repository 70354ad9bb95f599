"""The domain in words: "all real x", "x > 0", "x < −1 or x > 1", "sin(x) ≠ 0"."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import sympy as sp

from derivations.deriving.conditions import Need, polynomial_of
from derivations.deriving.domains import LINEAR
from derivations.deriving.intervals import is_infinite
from derivations.text.grammar import Call, Name, Number, variables, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from derivations.deriving.conditions import Condition
    from derivations.deriving.domains import Domain
    from derivations.deriving.intervals import Interval
    from derivations.text.grammar import Tree

_MOST_ROOTS = 4
_TIGHTNESS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


def value_statement(where: Domain) -> str:
    """Return where the value is defined."""
    return _statement(where, where.value_bounds, (Need.VALUE,))


def derivative_statement(where: Domain) -> str:
    """Return where the derivative is shown to exist: no border, no kink.

    Examples
    --------
    >>> from derivations.deriving.domains import domain
    >>> from derivations.text.grammar import parse
    >>> derivative_statement(domain(parse("sqrt(x)/(x - 1)*abs(y)"), ""))
    'x > 0; x ≠ 1; y ≠ 0'
    """
    return _statement(where, where.bounds, tuple(Need))


def _statement(where: Domain, bounds: Mapping[str, Interval], needs: tuple[Need, ...]) -> str:
    parts = [_bounded(name, bounds[name]) for name in where.variables]
    restricting = _without_weaker(where.restricting(*needs))
    parts += [described(condition) for condition in restricting if condition.reason != LINEAR]
    kept = list(dict.fromkeys(part for part in parts if part))
    return "; ".join(kept) or f"all real {', '.join(where.variables)}"


def _without_weaker(conditions: tuple[Condition, ...]) -> list[Condition]:
    """Leave a ≥ 0 and a ≠ 0 out where a > 0 is asked for as well."""
    strict = {written(c.tree) for c in conditions if c.relation == ">"}
    return [c for c in conditions if c.relation == ">" or written(c.tree) not in strict]


def _bounded(name: str, interval: Interval) -> str:
    low, high = interval.low, interval.high
    below = "" if is_infinite(low) else f"{_exact(low)} {'<' if interval.low_open else '≤'} "
    above = "" if is_infinite(high) else f" {'<' if interval.high_open else '≤'} {_exact(high)}"
    if below and above:
        return f"{below}{name}{above}"
    if below:
        return f"{name} {'>' if interval.low_open else '≥'} {_exact(low)}"
    return f"{name}{above}" if above else ""


def _exact(x: Fraction | float) -> str:
    return str(x).replace("-", "−")


def described(condition: Condition) -> str:
    """Return a condition in words, solved for its variable where that is a polynomial's matter.

    Examples
    --------
    >>> from derivations.deriving.domains import domain
    >>> from derivations.text.grammar import parse
    >>> [described(c) for c in domain(parse("log(x^2 - 1)/sin(x)"), "").conditions]
    ['x < −1 or x > 1', 'sin(x) ≠ 0']
    """
    if len(variables(condition.tree)) == 1:
        solved = _solved(condition)
        if solved:
            return solved
    return f"{shown(condition.tree)} {condition.relation} 0"


def _solved(condition: Condition) -> str:
    polynomial = polynomial_of(condition.tree)
    if polynomial is None or not 0 < polynomial.count_roots() <= _MOST_ROOTS:
        return ""
    (name,) = variables(condition.tree)
    roots = sorted(polynomial.ground_roots(), key=float)
    if len(roots) != polynomial.count_roots():
        return ""  # a root that is not rational: the condition itself says it best
    if condition.relation == "≠":
        return ", ".join(f"{name} ≠ {_exact(root)}" for root in roots)
    strict = condition.relation == ">"
    inner = [(left + right) / 2 for left, right in pairwise(roots)]
    tested = [roots[0] - 1, *inner, roots[-1] + 1]
    edges = [-sp.oo, *roots, sp.oo]
    pieces = []
    for k, x in enumerate(tested):
        if polynomial.eval(x) > 0:
            pieces.append(_piece(name, edges[k], edges[k + 1], strict))
    return " or ".join(pieces) if strict or pieces else ""


def _piece(name: str, low: sp.Expr, high: sp.Expr, strict: bool) -> str:
    sign = "<" if strict else "≤"
    if low == -sp.oo:
        return f"{name} {sign} {_exact(high)}"
    if high == sp.oo:
        return f"{name} {'>' if strict else '≥'} {_exact(low)}"
    return f"{_exact(low)} {sign} {name} {sign} {_exact(high)}"


def shown(tree: Tree) -> str:
    """Return a tree as text with the brackets it needs.

    Examples
    --------
    >>> from derivations.text.grammar import parse
    >>> shown(parse("1 - (x + 2*y)^2/sin(x)"))
    '1 − (x + 2·y)^2/sin(x)'
    """
    return _shown(tree, 0)


def _shown(tree: Tree, at_least: int) -> str:
    if isinstance(tree, Number):
        return f"({tree.value})" if tree.value.denominator > 1 and at_least > 1 else str(tree.value)
    if isinstance(tree, Name):
        return tree.name
    if isinstance(tree, Call):
        return f"{tree.function}({', '.join(shown(a) for a in tree.arguments)})"
    tightness = _TIGHTNESS[tree.sign]
    is_power = tree.sign == "^"
    left = _shown(tree.left, tightness + is_power)
    right = _shown(tree.right, tightness + (not is_power and tree.sign in "-/"))
    if is_power and not isinstance(tree.right, (Number, Name)):
        right = f"({shown(tree.right)})"
    sign = {"+": " + ", "-": " − ", "*": "·", "/": "/", "^": "^"}[tree.sign]
    leading = tree.sign == "-" and isinstance(tree.left, Number) and tree.left.value == 0
    text = f"−{right}" if leading else f"{left}{sign}{right}"
    return f"({text})" if tightness < at_least else text
