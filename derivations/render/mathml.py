"""Boxes as MathML Core, readable by browsers without any script."""

from __future__ import annotations

from html import escape
from typing import Any

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
    mo,
)
from derivations.render.layout import APPLY, TIMES, layout

_THIN = '<mspace width=".17em"/>'
_TAGS = {
    Kind.IDENTIFIER: "mi",
    Kind.NUMBER: "mn",
    Kind.OPERATOR: "mo",
    Kind.FUNCTION: "mi",
    Kind.TEXT: "mtext",
}


def formula(expr: Any) -> str:
    """Return an expression as a ``<math>`` element.

    Examples
    --------
    >>> import sympy as sp
    >>> formula(sp.exp(-sp.Symbol("x", real=True)))
    '<math><msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup></math>'
    """
    return f"<math>{_inside(layout(expr))}</math>"


def mathml(box: Box) -> str:
    """Return the MathML of a box, without the outer ``<math>``."""
    match box:
        case Atom(kind, text):
            return _atom(kind, text)
        case Row(items):
            return f"<mrow>{_spaced(items)}</mrow>"
        case Fraction(numerator, denominator):
            return f"<mfrac>{mathml(numerator)}{mathml(denominator)}</mfrac>"
        case Script():
            return _script(box)
        case BigOperator(sign, lower, upper):
            sign = f"<mo>{sign}</mo>"
            return f"<munderover>{sign}{mathml(lower)}{mathml(upper)}</munderover>"
        case Fence(left, body, right):
            opened = f'<mo stretchy="true">{left}</mo>' if left in "|" else f"<mo>{left}</mo>"
            closed = f'<mo stretchy="true">{right}</mo>' if right in "|" else f"<mo>{right}</mo>"
            held = mathml(body) if _has_edges(body) else _inside(body)
            return f"<mrow>{opened if left else ''}{held}{closed if right else ''}</mrow>"
        case Root(body):
            return f"<msqrt>{_inside(body)}</msqrt>"
        case Cases(lines):
            rows = "".join(
                f"<mtr><mtd>{_inside(value)}</mtd><mtd>{_inside(condition)}</mtd></mtr>"
                for value, condition in lines
            )
            return f'<mrow><mo>{{</mo><mtable class="cases">{rows}</mtable></mrow>'


def _inside(box: Box) -> str:
    """Return a box for an element that makes a row of what it holds by itself."""
    return _spaced(box.items) if isinstance(box, Row) else mathml(box)


def _has_edges(box: Box) -> bool:
    """Whether a row begins or ends with an operator, whose form depends on where its row ends."""
    return isinstance(box, Row) and any(
        isinstance(item, Atom) and item.kind is Kind.OPERATOR
        for item in (box.items[0], box.items[-1])
    )


def _spaced(items: tuple[Box, ...]) -> str:
    """Set a row; a function's name stands apart from its neighbours, as in Y ln y."""
    parts = []
    for k, item in enumerate(items):
        before, after = items[k - 1] if k else None, items[k + 1] if k + 1 < len(items) else None
        if item == mo(TIMES):
            # Without ink: factors side by side are a product for screen readers too.
            parts.append(_THIN * (after is not None and _is_function(after)))
        elif item == mo(APPLY):
            known = before is not None and _is_function(before) and not isinstance(after, Fence)
            parts.append(f"<mo>{APPLY}</mo>" + _THIN * known)
        else:
            parts.append(mathml(item))
    return "".join(parts)


def _is_function(box: Box) -> bool:
    base = box.base if isinstance(box, Script) else box
    return isinstance(base, Atom) and base.kind is Kind.FUNCTION


def _atom(kind: Kind, text: str) -> str:
    tag = _TAGS[kind]
    return f"<{tag}>{escape(text, quote=False)}</{tag}>"


def _script(box: Script) -> str:
    base = mathml(box.base)
    if box.lower is not None and box.upper is not None:
        return f"<msubsup>{base}{mathml(box.lower)}{mathml(box.upper)}</msubsup>"
    if box.lower is not None:
        return f"<msub>{base}{mathml(box.lower)}</msub>"
    assert box.upper is not None  # a script without scripts is never built
    return f"<msup>{base}{mathml(box.upper)}</msup>"
