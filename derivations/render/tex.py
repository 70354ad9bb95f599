"""Boxes as LaTeX for amsmath, and running text with mathematical characters as LaTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
from derivations.render.names import GREEK

if TYPE_CHECKING:
    from collections.abc import Mapping

# What each character is inside mathematics.
_MATH: Mapping[str, str] = {
    **{letter: f"\\{name}" for name, letter in GREEK.items() if name.lower() != "lamda"},
    # Capital Greek letters that look like Latin ones have no command.
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)),
    "ο": "o",
    "ε": r"\varepsilon",
    "φ": r"\varphi",
    "∂": r"\partial",
    "∞": r"\infty",
    "−": "-",
    "·": r"\cdot",
    "×": r"\times",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "≡": r"\equiv",
    "→": r"\to",
    "←": r"\gets",
    "↦": r"\mapsto",
    "∈": r"\in",
    "∉": r"\notin",
    "∀": r"\forall",
    "∇": r"\nabla",
    "∑": r"\sum",
    "∏": r"\prod",
    "∘": r"\circ",
    "⊙": r"\odot",
    "⟨": r"\langle",
    "⟩": r"\rangle",
    "±": r"\pm",
    "∓": r"\mp",
    "√": r"\surd",
    "½": r"\tfrac12",
    "⅓": r"\tfrac13",
    "¼": r"\tfrac14",
    "¾": r"\tfrac34",
    "ℓ": r"\ell",
    "ℝ": r"\mathbb{R}",
    "⇒": r"\Rightarrow",
    "⇔": r"\Leftrightarrow",
    "∧": r"\wedge",
    "∨": r"\vee",
    "‖": r"\|",
    "′": "'",
    "″": "''",
    "ᵀ": r"^{\mathsf T}",
    "✓": r"\checkmark",
    "✗": r"\times",
    "⊤": r"\top",
    "ȳ": r"\bar y",
    "\u2061": "",
    "\u2062": "",
}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿˣ", "0123456789+-nx", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₗₘₙₓ", "0123456789ijklmnx", strict=True))
_TEXT: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "#": r"\#",
    "$": r"\$",
    "%": r"\%",
    "&": r"\&",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "\u00a0": "~",
    "\u202f": r"\,",
    "\u2009": r"\,",
}
_NAMED_FUNCTIONS = {"ln", "tanh", "cosh", "sinh", "max", "min", "cos", "sin", "exp"}


def tex(box: Box) -> str:
    r"""Return the LaTeX of a box, for use inside mathematics.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.render.layout import layout
    >>> x = sp.Symbol("x", real=True)
    >>> print(tex(layout(1 / (1 + sp.exp(-x)))))
    \frac{1}{1 + e^{- x}}
    """
    match box:
        case Atom(kind, text):
            return _atom(kind, text)
        case Row(items):
            return " ".join(filter(None, map(tex, items)))
        case Fraction(numerator, denominator):
            return rf"\frac{{{tex(numerator)}}}{{{tex(denominator)}}}"
        case Script(base, lower, upper):
            inner = tex(base)
            inner = inner if re.fullmatch(r"\\?\w+", inner) else f"{{{inner}}}"
            below = f"_{{{tex(lower)}}}" if lower is not None else ""
            return inner + below + (f"^{{{tex(upper)}}}" if upper is not None else "")
        case BigOperator(sign, lower, upper):
            return rf"{_MATH[sign]}_{{{tex(lower)}}}^{{{tex(upper)}}}"
        case Fence(left, body, right):
            return rf"\left{left or '.'} {tex(body)} \right{right or '.'}"
        case Root(body):
            return rf"\sqrt{{{tex(body)}}}"
        case Cases(lines):
            rows = r" \\ ".join(f"{tex(value)} & {tex(condition)}" for value, condition in lines)
            return rf"\begin{{cases}} {rows} \end{{cases}}"


def _atom(kind: Kind, text: str) -> str:
    if kind is Kind.TEXT:
        return rf"\text{{{running(text)}}}"
    if kind is Kind.FUNCTION:
        return rf"\{text}" if text in _NAMED_FUNCTIONS else rf"\operatorname{{{text}}}"
    if kind is Kind.IDENTIFIER and len(text.rstrip("′")) > 1:
        stem = text.rstrip("′")
        return rf"\mathit{{{running(stem)}}}" + "'" * (len(text) - len(stem))
    return "".join(_MATH.get(c, c) for c in text)


def running(text: str) -> str:
    r"""Return running text as LaTeX, mathematical characters set as mathematics.

    Raises
    ------
    ValueError
        If a character has no LaTeX here; a document that silently loses one would be wrong.

    Examples
    --------
    >>> print(running("Σᵢ yᵢ ≤ 100 %"))
    $\Sigma_{i}$ y$_{i}$ $\le$ 100 \%
    """
    out = [_running_piece(m.group()) for m in re.finditer(_PIECES, text)]
    return "".join(out).replace("$$", "")


_PIECES = f"[{''.join(_SUPERSCRIPTS)}]+|[{''.join(_SUBSCRIPTS)}]+|."


def _running_piece(piece: str) -> str:
    first = piece[0]
    if first in _SUPERSCRIPTS:
        return f"$^{{{''.join(_SUPERSCRIPTS[c] for c in piece)}}}$"
    if first in _SUBSCRIPTS:
        return f"$_{{{''.join(_SUBSCRIPTS[c] for c in piece)}}}$"
    if first in _TEXT:
        return _TEXT[first]
    if first.isascii() or first in "äöüéèß":
        return first
    if first in _MATH:
        return f"${_MATH[first]}$" if _MATH[first] else ""
    raise ValueError(f"no LaTeX for the character {first!r} (U+{ord(first):04X})")
