"""What each part of an expression needs: the conditions of its value and of its derivative.

They are read off the tree as it was written, before anything is simplified: x/x keeps its x ≠ 0.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.deriving.intervals import Interval, enclose
from derivations.text import reading
from derivations.text.grammar import Call, Name, Number, Operation, Span, parts, variables, written

if TYPE_CHECKING:
    from derivations.text.grammar import Tree


class Need(enum.Enum):
    """What needs a condition: the value, the derivative only, or the absence of a kink."""

    VALUE = "value"
    DERIVATIVE = "derivative"
    KINK = "kink"


class Status(enum.Enum):
    """What is known about a condition."""

    ALWAYS = "holds everywhere"
    RESTRICTS = "excludes points"
    UNDECIDED = "not decided whether it excludes any point"


@dataclass(frozen=True, slots=True)
class Condition:
    """A tree that must be positive, not negative, or not zero.

    Parameters
    ----------
    tree : Tree
        What is compared with zero.
    relation : {">", "≥", "≠"}
        How.
    need : Need
        What for.
    cause : str
        Where it comes from: "the argument of log", …
    span : Span
        The part of the text that needs it.
    status : Status
        What is known about it.
    reason : str
        How that is known.
    """

    tree: Tree
    relation: str
    need: Need
    cause: str
    span: Span
    status: Status = Status.UNDECIDED
    reason: str = ""

    def holds(self, at: Mapping[str, Any], ctx: Any) -> bool:
        """Whether it holds at a point, to the digits of `ctx`; UndefinedError if it makes no sense."""
        x = reading.value(self.tree, at, ctx)
        tiny = ctx.mpf(10) ** (-ctx.dps // 2)
        return bool({">": x > tiny, "≥": x >= 0, "≠": abs(x) > tiny}[self.relation])

    def holds_on(self, box: Mapping[str, Interval]) -> bool:
        """Whether it is proved to hold on a whole box."""
        found = enclose(self.tree, box)
        if self.relation == ">":
            return found.positive
        if self.relation == "≥":
            return found.nonnegative
        return found.positive or (-found).positive


def _needs(tree: Tree) -> Iterator[Condition]:
    """Yield the conditions of one node, not of its parts."""
    if isinstance(tree, Operation):
        yield from _of_operation(tree)
    if isinstance(tree, Call):
        yield from _of_call(tree)


def _of_operation(tree: Operation) -> Iterator[Condition]:
    if tree.sign == "/":
        for factor in _zeros(tree.right):
            yield Condition(factor, "≠", Need.VALUE, "a denominator", tree.right.span)
    if tree.sign != "^":
        return
    exponent = None if variables(tree.right) else reading.exact(tree.right)
    base, span = tree.left, tree.span
    if exponent is None or (exponent.denominator != 1 and exponent < 0):
        yield Condition(base, ">", Need.VALUE, "the base of a power", span)
    elif exponent.denominator != 1:
        yield Condition(base, "≥", Need.VALUE, "the base of a power", span)
        yield Condition(base, ">", Need.DERIVATIVE, "the base of a power", span)
    elif exponent < 0:
        for factor in _zeros(base):
            yield Condition(factor, "≠", Need.VALUE, "the base of a negative power", span)


def _zeros(tree: Tree) -> Iterator[Tree]:
    """Yield trees one of which is zero where the given one is: a·b, a/b and a^k taken apart."""
    if isinstance(tree, Operation) and tree.sign == "*":
        yield from _zeros(tree.left)
        yield from _zeros(tree.right)
    elif isinstance(tree, Operation) and (
        tree.sign == "/" or (tree.sign == "^" and _is_positive_constant(tree.right))
    ):
        yield from _zeros(tree.left)
    elif isinstance(tree, Call) and tree.function in _ZERO_AT_0:
        yield from _zeros(tree.arguments[0])
    elif isinstance(tree, Call) and tree.function in _ZERO_AT_1:
        yield _combined(tree.arguments[0], "-", _ONE)
    else:
        yield tree


# Functions that are zero where their argument is 0, or 1, and nowhere else.
_ZERO_AT_0 = ("abs", "asin", "asinh", "atan", "atanh", "expm1", "log1p", "sinh", "sqrt", "tanh")
_ZERO_AT_1 = ("acosh", "log", "log10", "log2")


def _positive(tree: Tree) -> Tree:
    """Return a tree that is positive where the given one is: roots are taken off."""
    if isinstance(tree, Call) and tree.function == "sqrt":
        return _positive(tree.arguments[0])
    if isinstance(tree, Operation) and tree.sign == "^" and _is_positive_constant(tree.right):
        exponent = reading.exact(tree.right)
        if exponent is not None and exponent.denominator != 1:
            return _positive(tree.left)
    return tree


def _is_positive_constant(exponent: Tree) -> bool:
    found = None if variables(exponent) else reading.exact(exponent)
    return found is not None and found > 0


def _of_call(tree: Call) -> Iterator[Condition]:
    name, span, a = tree.function, tree.span, tree.arguments[0]
    cause = f"the argument of {name}"
    if name in ("log", "log2", "log10", "log1p"):
        inside = _combined(_ONE, "+", a) if name == "log1p" else a
        yield Condition(inside, ">", Need.VALUE, cause, span)
    elif name == "sqrt":
        yield Condition(a, "≥", Need.VALUE, cause, span)
        yield Condition(a, ">", Need.DERIVATIVE, cause, span)
    elif name in ("asin", "acos", "atanh"):
        for side in (_combined(_ONE, "-", a), _combined(_ONE, "+", a)):
            relation = ">" if name == "atanh" else "≥"
            yield Condition(side, relation, Need.VALUE, cause, span)
            if name != "atanh":
                yield Condition(side, ">", Need.DERIVATIVE, cause, span)
    elif name == "acosh":
        above = _combined(a, "-", _ONE)
        yield Condition(above, "≥", Need.VALUE, cause, span)
        yield Condition(above, ">", Need.DERIVATIVE, cause, span)
    elif name == "tan":
        yield Condition(Call("cos", (a,), a.span), "≠", Need.VALUE, cause, span)
    elif name in ("abs", "relu", "sign"):
        yield Condition(a, "≠", Need.KINK, JUMP if name == "sign" else _KINK, span)
    elif name in ("max", "min"):
        for k, first in enumerate(tree.arguments):
            for other in tree.arguments[k + 1 :]:
                difference = _combined(first, "-", other)
                if _is_zero(difference):
                    continue  # the same argument twice is no kink
                yield Condition(difference, "≠", Need.KINK, f"{name} of equal arguments", span)
    elif name == "hypot":
        squares = [_combined(part, "^", _TWO) for part in tree.arguments]
        yield Condition(_combined(squares[0], "+", squares[1]), ">", Need.DERIVATIVE, cause, span)


def _is_zero(tree: Tree) -> bool:
    """Whether a tree in one variable is the zero polynomial."""
    polynomial = polynomial_of(tree) if len(variables(tree)) == 1 else None
    return polynomial is not None and bool(polynomial.is_zero)


_KINK, JUMP = "a kink at 0", "a jump at 0"


def _number(n: int) -> Number:
    return Number(Fraction(n), Span(0, 0))


_ONE, _TWO = _number(1), _number(2)


def _combined(left: Tree, sign: str, right: Tree) -> Operation:
    return Operation(sign, left, right, left.span)


def collected(tree: Tree) -> list[Condition]:
    """Return every condition with a variable once, those of inner parts first."""
    found: dict[tuple[str, str, Need], Condition] = {}
    for condition in _all(tree):
        if variables(condition.tree):
            key = (written(condition.tree), condition.relation, condition.need)
            found.setdefault(key, condition)
    return list(found.values())


def of_constants(tree: Tree) -> list[Condition]:
    """Return every condition of the value that has no variable: it holds always or never."""
    return [c for c in _all(tree) if c.need is Need.VALUE and not variables(c.tree)]


def _all(tree: Tree) -> Iterator[Condition]:
    """Yield every condition, those of inner parts first."""
    stack = [(tree, False)]
    while stack:
        node, done = stack.pop()
        if not done:
            stack.append((node, True))
            stack += [(part, False) for part in reversed(parts(node))]
            continue
        for condition in _needs(node):
            if condition.relation == ">":
                condition = replace(condition, tree=_positive(condition.tree))
            yield condition


def polynomial_of(tree: Tree) -> Any:
    """Return a tree in one variable as a `sympy.Poly` over the rationals, or None."""
    (name,) = variables(tree)
    x = sp.Symbol(name, real=True)
    if not _is_polynomial(tree):
        return None
    return sp.Poly(reading.expression(tree, {name: x}), x, domain="QQ")


def _is_polynomial(tree: Tree) -> bool:
    if isinstance(tree, Call) or (isinstance(tree, Name) and not variables(tree)):
        return False
    if isinstance(tree, Operation) and variables(tree.right):
        if tree.sign in ("/", "^"):
            return False
    elif isinstance(tree, Operation) and tree.sign == "^":
        exponent = reading.exact(tree.right)
        if exponent is None or exponent.denominator != 1 or exponent < 0:
            return False
    return all(map(_is_polynomial, parts(tree)))
