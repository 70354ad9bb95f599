"""Running text with plain mathematics in it: y_k and e^{z_i} get their sub- and superscripts.

The texts of claims, definitions and hypotheses are Unicode without markup; an underscore or a caret
between a letter and a name or braces is the one convention that they follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

from derivations.render.tex import running

# After a letter or a bracket: anything in braces, a number, one letter, or, after a single letter,
# two or three index letters, as in δ_ik.
_SCRIPT = re.compile(
    r"(?<=[^\W_)]|[)\]])(?P<mark>[_^])"
    r"(?:\{(?P<braced>[^{}]*)\}"
    r"|(?P<bare>[−-]?(?:\d+|[^\W_](?!\w))|(?:(?<=\W\w_)|(?<=^\w_))[dijklmnrs]{2,3}(?!\w)))"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text on the line, below it or above it."""

    place: Literal["line", "sub", "sup"]
    text: str


def pieces(text: str) -> list[Piece]:
    """Split text into pieces.

    Examples
    --------
    >>> [(p.place, p.text) for p in pieces("y_k of e^{z_i}, but softmax_vjp")]
    [('line', 'y'), ('sub', 'k'), ('line', ' of e'), ('sup', 'z_i'), ('line', ', but softmax_vjp')]
    >>> [p.text for p in pieces("δ_ik and e^−x")]
    ['δ', 'ik', ' and e', '−x']
    """
    found, end = [], 0
    for match in _SCRIPT.finditer(text):
        found.append(Piece("line", text[end : match.start()]))
        inner = match["braced"] if match["bare"] is None else match["bare"]
        found.append(Piece("sub" if match["mark"] == "_" else "sup", inner))
        end = match.end()
    found.append(Piece("line", text[end:]))
    return [p for p in found if p.text]


def html(text: str) -> str:
    """Return text as HTML.

    Examples
    --------
    >>> html("y_k < e^{z_i}")
    'y<sub>k</sub> &lt; e<sup>z<sub>i</sub></sup>'
    """
    return "".join(
        escape(p.text) if p.place == "line" else f"<{p.place}>{html(p.text)}</{p.place}>"
        for p in pieces(text)
    )


def markdown(text: str) -> str:
    r"""Return text as Markdown.

    Examples
    --------
    >>> print(markdown("y_k * softmax_vjp"))
    y<sub>k</sub> \* softmax\_vjp
    """
    return "".join(
        plain(p.text) if p.place == "line" else f"<{p.place}>{markdown(p.text)}</{p.place}>"
        for p in pieces(text)
    )


def plain(text: str) -> str:
    r"""Return text with the characters escaped that Markdown would take for markup.

    Examples
    --------
    >>> print(plain("<x> | z"))
    \<x\> \| z
    """
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", text)


def latex(text: str) -> str:
    r"""Return text as LaTeX, good in running text and inside ``\text``.

    Examples
    --------
    >>> print(latex("e^{z_i} & y_k"))
    e$^{\text{z$_{\text{i}}$}}$ \& y$_{\text{k}}$
    """
    marks = {"sub": "_", "sup": "^"}
    parts = [
        running(p.text) if p.place == "line" else rf"${marks[p.place]}{{\text{{{latex(p.text)}}}}}$"
        for p in pieces(text)
    ]
    return "".join(parts).replace("$$", "")  # adjacent formulas are one
