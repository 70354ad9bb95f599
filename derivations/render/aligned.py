"""A derivation as one aligned block of LaTeX, for Markdown and for LaTeX documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivations.render.layout import layout
from derivations.render.prose import latex
from derivations.render.tex import tex

if TYPE_CHECKING:
    from derivations.records import Derivation


def aligned(d: Derivation) -> str:
    r"""Return the ``aligned`` environment of a derivation, a line for each step with its rule.

    Parameters
    ----------
    d : Derivation
        With at least its start.

    Returns
    -------
    str
        LaTeX for use inside display mathematics.
    """
    lines = [f"  & {tex(layout(d.start))}"]
    lines += [rf"  &= {tex(layout(s.after))} && \text{{{latex(s.rule)}}}" for s in d.steps]
    # A line that begins with a bracket would be taken for the optional argument of the break.
    body = " \\\\[4pt]\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
