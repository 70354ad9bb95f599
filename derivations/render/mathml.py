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
)
from derivations.render.layout import layout

_TAGS = {
    Kind.IDENTIFIER: "mi",
    Kind.NUMBER: "mn",
    Kind.OPERATOR: "mo",
    Kind.FUNCTION: "mi",
    Kind.TEXT: "mtext",
}


def formula(expr: Any) -> str:
    """Return an expression as a ``<math>`` element in display style.

    Examples
    --------
    >>> import sympy as sp
    >>> formula(sp.exp(-sp.Symbol("x", real=True)))
    '<math displaystyle="true"><msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup></math>'
    """
    return f'<math displaystyle="true">{mathml(layout(expr))}</math>'


def mathml(box: Box) -> str:
    """Return the MathML of a box, without the outer ``<math>``."""
    match box:
        case Atom(kind, text):
            return _atom(kind, text)
        case Row(items):
            return f"<mrow>{''.join(map(mathml, items))}</mrow>"
        case Fraction(numerator, denominator):
            return f"<mfrac>{mathml(numerator)}{mathml(denominator)}</mfrac>"
        case Script():
            return _script(box)
        case BigOperator(sign, lower, upper):
            # Limits stay above and below even where the style is that of running text.
            sign = f'<mo movablelimits="false">{sign}</mo>'
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
