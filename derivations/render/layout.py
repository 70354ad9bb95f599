"""From SymPy expressions to boxes: brackets, signs, fractions and order are decided here, once.

SymPy's own printers are not used, because they lose meaning that a derivation needs: the derivative
of a product comes out without brackets, the terms of a deliberately ordered sum are rearranged, and
two bound indices of one name cannot be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.core.function import Application, AppliedUndef
from sympy.core.relational import Relational

from derivations.expressions.language import OpaqueFunction
from derivations.render.boxes import (
    Atom,
    BigOperator,
    Box,
    Cases,
    Fence,
    Fraction,
    Kind,
    Root,
    Row,
    Script,
    fenced,
    mi,
    mn,
    mo,
    row,
    separated,
    words,
)
from derivations.render.names import Naming, named

if TYPE_CHECKING:
    from collections.abc import Callable

# How tightly an expression holds together; a box is bracketed where its place demands more.  An
# OPEN one (a sum sign, a derivative sign) reaches to the right as far as it can: bracketed unless
# it comes last. APPLIED is a function before an unbracketed argument: a dot keeps what follows out
# of the argument.
RELATION, SUM, OPEN, PRODUCT, APPLIED, POWER, CLOSED = range(7)

APPLY = "\u2061"  # function application: no ink
TIMES = "\u2062"  # invisible multiplication

_RELATIONS = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_FUNCTIONS = {"log": "ln", "Max": "max", "Min": "min", "sign": "sgn", "DiracDelta": "δ"}
_UNBRACKETED = (sp.Symbol, sp.Indexed, sp.Integer)


def layout(expr: Any, naming: Naming | None = None) -> Box:
    r"""Return the boxes of an expression.

    Parameters
    ----------
    expr : sympy.Basic
        What to show.  Sums and products that SymPy did not order itself keep the order they have.
    naming : Naming, optional
        The names of symbols, where several expressions are shown together.

    Raises
    ------
    TypeError
        If the expression contains something that there is no notation for.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.render.tex import tex
    >>> x = sp.Symbol("x", real=True)
    >>> print(tex(layout(sp.Derivative(x * sp.exp(x), x))))
    \frac{d}{d x} \left( x e^{x} \right)
    """
    e = sp.sympify(expr)
    return _Layout(naming or Naming.of(e)).box(e)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The walk.  Methods named after a class return its box and how tightly it holds together."""

    naming: Naming

    def box(self, e: Any, at_least: int = RELATION) -> Box:
        """Return the box of `e`, bracketed if its place needs something tighter."""
        box, tightness = self._dispatch(e)
        return fenced(box) if tightness < at_least else box

    def _dispatch(self, e: Any) -> tuple[Box, int]:
        for kind, method in _TABLE:
            if isinstance(e, kind):
                return method(self, e)
        raise TypeError(f"no notation for {type(e).__name__}: {e}")

    # -- numbers and names

    def number(self, e: sp.Number) -> tuple[Box, int]:
        if e.is_extended_negative:
            return row(mo("−"), self.box(-e, PRODUCT)), SUM
        if e is sp.oo:
            return mi("∞"), CLOSED
        if isinstance(e, sp.Rational) and e.q != 1:
            return Fraction(mn(str(e.p)), mn(str(e.q))), PRODUCT
        return mn(str(e)), CLOSED

    def constant(self, e: sp.NumberSymbol) -> tuple[Box, int]:
        return mi("e" if e is sp.E else str(e.name if hasattr(e, "name") else e)), CLOSED

    def symbol(self, e: sp.Symbol) -> tuple[Box, int]:
        return self.naming.symbol(e), CLOSED

    def _indices(self, indices: tuple[Any, ...]) -> Box:
        boxes = [self.box(i) for i in indices]
        if all(isinstance(b, Atom) and len(b.text) == 1 for b in boxes):
            return row(*boxes)
        return separated(boxes, mo(","))

    def indexed(self, e: sp.Indexed) -> tuple[Box, int]:
        base = self.naming.symbol(e.base.label)
        indices = self._indices(e.indices)
        if isinstance(base, Script) and base.lower is not None:  # W_1 with indices i, j: W_{1,ij}
            return Script(base.base, separated([base.lower, indices], mo(","))), CLOSED
        return Script(base, indices), CLOSED

    def family(self, e: sp.IndexedBase) -> tuple[Box, int]:
        return self.naming.symbol(e.label), CLOSED

    def delta(self, e: sp.KroneckerDelta) -> tuple[Box, int]:
        return Script(mi("δ"), self._indices(e.args[:2])), CLOSED

    # -- sums and products

    def add(self, e: sp.Add) -> tuple[Box, int]:
        terms = _displayed_terms(e)
        items: list[Box] = []
        for position, term in enumerate(terms):
            sign, rest = _signed(term)
            if sign < 0 or position:
                items.append(mo("−" if sign < 0 else "+"))
            # Only the last term may reach to the right; after a minus a sum needs its brackets.
            items.append(self.box(rest, OPEN))
        return row(*items), SUM

    def mul(self, e: sp.Mul) -> tuple[Box, int]:
        sign, rest = _signed(e)
        if sign < 0:
            return row(mo("−"), self.box(rest, OPEN)), SUM
        if not isinstance(e, sp.Mul):
            return self._dispatch(e)
        if _kept_order(e):
            return self._as_written(e)
        above, below, beside = _parts(e)
        if (
            above
            and all(isinstance(b, sp.Integer) for b in below)
            and isinstance(above[-1], sp.Sum)
        ):
            above, beside = above[:-1], [*beside, above[-1]]  # ½ Σ … rather than (Σ …)/2
        if not below:
            return self._factors(_open_last(above + beside))
        top = self._factors(_open_last(above))[0] if above else mn("1")
        fraction = Fraction(top, self._factors(_open_last(below))[0])
        if not beside:
            return fraction, PRODUCT
        return self._side_by_side([(fraction, PRODUCT), *map(self._dispatch, _open_last(beside))])

    def _as_written(self, e: sp.Mul) -> tuple[Box, int]:
        """Keep the order; a denominator goes under the factors before it, as in a·b·(1/c)."""
        boxes: list[tuple[Box, int]] = []
        pending: list[Any] = []
        for f in e.args:
            if pending and _is_denominator(f):
                above = [p for p in pending if p != 1] or pending[:1]
                below = self.box(_denominator(f))
                boxes.append((Fraction(self._factors(above)[0], below), PRODUCT))
                pending = []
            elif _is_denominator(f) or _holds_fraction(f):
                boxes += [*map(self._dispatch, pending), self._dispatch(f)]
                pending = []
            else:
                pending.append(f)
        return self._side_by_side([*boxes, *map(self._dispatch, pending)])

    def _factors(self, factors: list[Any]) -> tuple[Box, int]:
        return self._side_by_side([self._dispatch(f) for f in factors])

    def _side_by_side(self, factors: list[tuple[Box, int]]) -> tuple[Box, int]:
        *before, (last, tightness) = factors
        if not before:
            return last, tightness
        boxes = [fenced(box) if t < PRODUCT else box for box, t in before]
        boxes.append(fenced(last) if tightness < OPEN else last)
        items = [boxes[0]]
        for left, right in pairwise(boxes):
            items += [mo("·" if _needs_dot(left, right) else TIMES), right]
        return row(*items), OPEN if tightness == OPEN else PRODUCT

    def power(self, e: sp.Pow) -> tuple[Box, int]:
        base, exponent = e.args
        if exponent == sp.Rational(1, 2):
            return Root(self.box(base)), CLOSED
        if _is_denominator(e):
            positive = sp.Pow(base, -exponent, evaluate=False) if exponent != -1 else base
            return Fraction(mn("1"), self.box(positive)), PRODUCT
        upper = self.box(exponent)
        if isinstance(base, (sp.tanh, sp.log, sp.cosh, sp.sinh)) and exponent.is_Integer:
            raised = Script(_function_name(base), upper=upper)
            bracketed = not isinstance(base.args[0], _UNBRACKETED)
            return self._applied(raised, base.args, bracketed=bracketed)
        inner = self.box(base, CLOSED)
        if isinstance(inner, Script) and inner.upper is None:
            return Script(inner.base, inner.lower, upper), POWER
        return Script(inner, upper=upper), POWER

    def exponential(self, e: Any) -> tuple[Box, int]:
        return Script(mi("e"), upper=self.box(e.exp)), POWER

    def big_sum(self, e: sp.Sum) -> tuple[Box, int]:
        return self._big("∑", e)

    def big_product(self, e: sp.Product) -> tuple[Box, int]:
        return self._big("∏", e)

    def _big(self, sign: str, e: Any) -> tuple[Box, int]:
        signs = [
            BigOperator(sign, row(self.box(v), mo("="), self.box(low)), self.box(high))
            for v, low, high in reversed(e.limits)
        ]
        return row(*signs, self.box(e.function, OPEN)), OPEN

    # -- derivatives and functions

    def derivative(self, e: sp.Derivative) -> tuple[Box, int]:
        d = mi("d") if e.expr.free_symbols == set(e.variables) else mi("∂")
        order = sum(count for _, count in e.variable_count)
        top = Script(d, upper=self.box(order)) if order != 1 else d
        below: list[Box] = []
        for variable, count in reversed(e.variable_count):
            box = self.box(variable, CLOSED)
            below += [d, _raised(box, self.box(count)) if count != 1 else box]
        if isinstance(e.expr, (sp.Symbol, sp.Indexed, AppliedUndef, OpaqueFunction)):
            return Fraction(row(top, self.box(e.expr)), row(*below)), PRODUCT
        # A sum reaches to the right by itself; a product would not tell where the operand ends.
        operand = self.box(e.expr, OPEN if isinstance(e.expr, sp.Sum) else APPLIED)
        return row(Fraction(top, row(*below)), mo(TIMES), operand), OPEN

    def substitution(self, e: sp.Subs) -> tuple[Box, int]:
        inner, (variable,), (point,) = e.expr, e.variables, e.point
        if (
            isinstance(inner, sp.Derivative)
            and inner.expr.args == (variable,)
            and len(inner.variables) < 3
        ):
            primes = "′" * len(inner.variables)
            name = _function_name(inner.expr)
            primed = Atom(name.kind, name.text + primes) if isinstance(name, Atom) else name
            return self._applied(primed, (point,), bracketed=True)
        at = row(self.box(variable), mo("="), self.box(point))
        return Script(Fence("", self.box(inner, OPEN), "|"), lower=at), CLOSED

    def function(self, e: Application) -> tuple[Box, int]:
        opaque = isinstance(e, (AppliedUndef, OpaqueFunction))
        plain = len(e.args) == 1 and isinstance(e.args[0], _UNBRACKETED) and not opaque
        return self._applied(_function_name(e), e.args, bracketed=not plain)

    def _applied(self, name: Box, args: tuple[Any, ...], *, bracketed: bool) -> tuple[Box, int]:
        inside = separated([self.box(a) for a in args], mo(","))
        if bracketed:
            return row(name, mo(APPLY), fenced(inside)), CLOSED
        return row(name, mo(APPLY), inside), APPLIED

    def absolute(self, e: sp.Abs) -> tuple[Box, int]:
        return Fence("|", self.box(e.args[0]), "|"), CLOSED

    # -- conditions

    def piecewise(self, e: sp.Piecewise) -> tuple[Box, int]:
        return Cases(tuple((self.box(value), self._condition(c)) for value, c in e.args)), SUM

    def _condition(self, condition: Any) -> Box:
        if condition == sp.true:
            return words("otherwise")
        return row(words("if\u00a0"), self.box(condition))

    def relation(self, e: Relational) -> tuple[Box, int]:
        return row(self.box(e.lhs, SUM), mo(_RELATIONS[e.rel_op]), self.box(e.rhs, SUM)), RELATION

    def conjunction(self, e: Any) -> tuple[Box, int]:
        word = "and" if isinstance(e, sp.And) else "or"
        parts = [self.box(a) for a in e.args]
        return separated(parts, words(f"\u00a0{word}\u00a0")), RELATION

    def tuple(self, e: sp.Tuple) -> tuple[Box, int]:
        return fenced(separated([self.box(a) for a in e.args], mo(","))), CLOSED


_TABLE: tuple[tuple[Any, Callable[[_Layout, Any], tuple[Box, int]]], ...] = (
    (sp.Number, _Layout.number),
    (sp.NumberSymbol, _Layout.constant),
    (sp.Symbol, _Layout.symbol),
    (sp.IndexedBase, _Layout.family),
    (sp.Indexed, _Layout.indexed),
    (sp.KroneckerDelta, _Layout.delta),
    (sp.Add, _Layout.add),
    (sp.Mul, _Layout.mul),
    (sp.exp, _Layout.exponential),
    (sp.Pow, _Layout.power),
    (sp.Sum, _Layout.big_sum),
    (sp.Product, _Layout.big_product),
    (sp.Derivative, _Layout.derivative),
    (sp.Subs, _Layout.substitution),
    (sp.Piecewise, _Layout.piecewise),
    (sp.Abs, _Layout.absolute),
    (Relational, _Layout.relation),
    (sp.And, _Layout.conjunction),
    (sp.Or, _Layout.conjunction),
    (Application, _Layout.function),
    (sp.Tuple, _Layout.tuple),
)


def _function_name(e: Any) -> Box:
    name = type(e).__name__
    if isinstance(e, AppliedUndef):
        return named(name)
    if isinstance(e, OpaqueFunction):
        return named(e.base_name + "'" * e.order)
    return Atom(Kind.FUNCTION, _FUNCTIONS.get(name, name))


def _raised(box: Box, exponent: Box) -> Box:
    if isinstance(box, Script) and box.upper is None:
        return Script(box.base, box.lower, exponent)
    return Script(box, upper=exponent)


def _signed(e: Any) -> tuple[int, Any]:
    """Split off a leading minus sign: -2·x is (-1, 2·x)."""
    if isinstance(e, sp.Number) and e.is_extended_negative:
        return -1, -e
    if not isinstance(e, sp.Mul):
        return 1, e
    head, *tail = e.args
    sign, first = _signed(head)
    if sign > 0:
        return 1, e
    factors = tail if first == 1 else [first, *tail]
    return -1, factors[0] if len(factors) == 1 else sp.Mul(*factors, evaluate=False)


def _displayed_terms(e: sp.Add) -> list[Any]:
    """Keep an order that somebody chose; else SymPy's reading order, a positive term first."""
    if _kept_order(e):
        return list(e.args)
    terms = list(e.as_ordered_terms())
    first = next((t for t in terms if _signed(t)[0] > 0), terms[0])
    return [first, *(t for t in terms if t is not first)]


def _kept_order(e: Any) -> bool:
    """Whether SymPy would have made something else of it: then its order is deliberate."""
    return bool(e.func(*e.args).args != e.args)


def _is_denominator(e: Any) -> bool:
    if isinstance(e, sp.exp) or not isinstance(e, sp.Pow):
        return False
    return bool(isinstance(e.exp, sp.Rational) and e.exp.is_negative)


def _denominator(f: sp.Pow) -> Any:
    return f.base if f.exp == -1 else sp.Pow(f.base, -f.exp, evaluate=False)


def _holds_fraction(f: Any) -> bool:
    """Whether it would make a fraction of fractions in a numerator."""
    return isinstance(f, sp.Derivative) or any(map(_is_denominator, f.atoms(sp.Pow)))


def _parts(e: sp.Mul) -> tuple[list[Any], list[Any], list[Any]]:
    """Sort factors into numerator, denominator, and those that are fractions themselves."""
    above, below, beside = [], [], []
    for f in sorted(e.args, key=_reading_order):
        if _is_denominator(f):
            below.append(_denominator(f))
        elif isinstance(f, sp.Rational) and f.q != 1:
            above += [sp.Integer(f.p)] if f.p != 1 else []
            below.append(sp.Integer(f.q))
        elif _holds_fraction(f):
            beside.append(f)
        else:
            above.append(f)
    return above, below, beside


def _reading_order(f: Any) -> tuple[int, str]:
    """Rank a factor where the order is free: numbers, deltas, names, functions, sums."""
    kinds = (sp.Number, sp.KroneckerDelta, (sp.Symbol, sp.Indexed), sp.Pow, Application, sp.Basic)
    if isinstance(f, (sp.Add, sp.Sum, sp.Product, sp.Derivative)):
        return len(kinds), ""
    return next(k for k, kind in enumerate(kinds) if isinstance(f, kind)), sp.sstr(f)


def _open_last(factors: list[Any]) -> list[Any]:
    """Move sums and derivatives to the end, where they need no brackets."""
    reaching = [f for f in factors if isinstance(f, (sp.Sum, sp.Product, sp.Derivative))]
    return [f for f in factors if f not in reaching] + reaching


def _needs_dot(before: Box, after: Box) -> bool:
    """Whether juxtaposition would mislead."""
    first = after.items[0] if isinstance(after, Row) else after
    if isinstance(first, Script):
        first = first.base
    parts = before.items if isinstance(before, Row) else (before,)
    last = parts[-1]
    if _is_number(first) or (isinstance(last, Fraction) and isinstance(first, Fraction)):
        return True
    if mo(APPLY) in parts[-2:-1] and not isinstance(last, Fence):
        return True  # what follows would be read into the argument: tanh x · y
    if not isinstance(first, Fence):
        return False
    if _is_number(last):  # 2(1 + x) is plain, 2(−1) is not
        inside = first.body.items[-1] if isinstance(first.body, Row) else first.body
        return _is_number(inside) and len(getattr(first.body, "items", ())) < 3
    # A name before a bracket would be read as a function of what is inside.
    return isinstance(last, (Atom, Script))


def _is_number(box: Box) -> bool:
    return isinstance(box, Atom) and box.kind is Kind.NUMBER
