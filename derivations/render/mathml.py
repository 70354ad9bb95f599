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
    return f"<math>{mathml(layout(expr))}</math>"


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
            return f"<mrow>{opened if left else ''}{mathml(body)}{closed if right else ''}</mrow>"
        case Root(body):
            return f"<msqrt>{mathml(body)}</msqrt>"
        case Cases(lines):
            rows = "".join(
                f"<mtr><mtd>{mathml(value)}</mtd><mtd>{mathml(condition)}</mtd></mtr>"
                for value, condition in lines
            )
            return f'<mrow><mo>{{</mo><mtable class="cases">{rows}</mtable></mrow>'


def _spaced(items: tuple[Box, ...]) -> str:
    """Set a row; a function's name stands apart from its neighbours, as in Y ln y."""
    parts = []
    for k, item in enumerate(items):
        before, after = items[k - 1] if k else None, items[k + 1] if k + 1 < len(items) else None
        if item == mo(TIMES) and after is not None and _is_function(after):
            parts.append(_THIN)
        elif item == mo(APPLY):
            known = before is not None and _is_function(before) and not isinstance(after, Fence)
            parts.append("<mo>&#x2061;</mo>" + _THIN * known)
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
