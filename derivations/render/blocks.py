"""The parts of the HTML page: a claim, its evidence, a derivation, the table of functions."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from derivations.render import prose, wording
from derivations.render.mathml import formula

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sympy as sp

    from derivations.records import (
        Confrontation,
        Derivation,
        Evidence,
        Finding,
        Standing,
        Step,
        Witness,
    )
    from derivations.report import ExaminedCase, ExaminedClaim


_NUMBER = re.compile(r"[−-]?(\d[\d.]*(e[−+-]?\d+)?|inf|nan)( \w+)?$")


class Shown:
    """Which derivations are on the page already: each is printed once and linked to after that."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def first_time(self, name: str) -> bool:
        """Whether the derivation of this name was not asked for before; it is noted now."""
        new = name not in self._names
        self._names.add(name)
        return new


def anchor(name: str) -> str:
    """Return the id of a derivation.

    Examples
    --------
    >>> anchor("softmax: the Jacobian")
    'derivation-softmax-the-Jacobian'
    """
    return "derivation-" + re.sub(r"[^\w.]+", "-", name)


def chip(standing: Standing, words: str | None = None) -> str:
    """Return a status as a sign and words, coloured."""
    style = wording.look(standing)
    text = escape(words or standing.value)
    sign = f'<span aria-hidden="true">{style.sign}</span>'
    return f'<span class="chip {style.group}">{sign} {text}</span>'


def table(css: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML already, the first of each row is its heading."""
    numeric = [all(_NUMBER.match(row[k]) for row in rows) for k in range(len(heads))]
    marks = [' class="number"' if is_number else "" for is_number in numeric]
    top = "".join(
        f'<th scope="col"{mark}>{head}</th>' for head, mark in zip(heads, marks, strict=True)
    )
    body = "".join(_table_row(row, marks) for row in rows)
    return f'<table class="{css}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _table_row(row: Sequence[str], marks: Sequence[str]) -> str:
    cells = [f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True)]
    cells[0] = f'<th scope="row">{row[0]}</th>'
    return f"<tr>{''.join(cells)}</tr>"


def scrolling(label: str, content: str) -> str:
    """Return content that scrolls sideways where it is wider than the page."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{content}</div>'


def claim_chip(examined: ExaminedClaim) -> str:
    """Return the status of a claim, with the words for what was expected."""
    return chip(examined.status, wording.status_words(examined))


def claim(examined: ExaminedClaim, shown: Shown) -> str:
    """Return the whole article about a claim."""
    c, finding = examined.claim, examined.finding
    return (
        f'<article id="{c.id}" aria-labelledby="{c.id}-title"><header><h3 id="{c.id}-title">'
        f'<span class="id">{c.id}</span>{prose.html(c.title)}</h3>{claim_chip(examined)}</header>'
        f'<p class="soft small">{prose.html(c.source)}</p>'
        f'<p class="statement">{prose.html(c.statement)}</p>'
        f"{_evidence(finding.evidence)}{_witness(finding.witness)}{_table(finding)}"
        f"{_confrontations(finding.confrontations)}"
        f"{_derivations(finding.derivations, shown)}</article>"
    )


def _evidence(evidence: Iterable[Evidence]) -> str:
    items = []
    for e in evidence:
        style = wording.look(e.standing)
        items.append(
            f'<li><span class="sign {style.group}" aria-hidden="true">{style.sign}</span>'
            f"{prose.html(e.detail or e.scope)} "
            f'<span class="soft small">{prose.html(wording.basis(e))}</span></li>'
        )
    return f'<ul class="evidence">{"".join(items)}</ul>'


def _witness(witness: Witness | None) -> str:
    if witness is None:
        return ""
    return (
        '<div class="witness"><h4>Witness</h4><dl>'
        f"<dt>at</dt><dd>{prose.html(witness.point)}</dd>"
        f"<dt>claimed</dt><dd>{prose.html(witness.claimed)}</dd>"
        f"<dt>true</dt><dd>{prose.html(witness.true)}</dd></dl>"
        f"<p>{prose.html(witness.explanation)}</p></div>"
    )


def _table(finding: Finding) -> str:
    if not finding.table:
        return ""
    heading, *rows = ([prose.html(cell) for cell in row] for row in finding.table)
    return scrolling("Figures", table("figures", heading, rows))


def _confrontations(confrontations: Iterable[Confrontation]) -> str:
    lines = [
        f"<li><code>{escape(c.case)}</code>: the code agrees with its derivation to "
        f"{wording.figure(c.value_ulps)} ulp (value) and {wording.figure(c.derivative_ulps)} ulp "
        f"(derivative) on {wording.plural(c.points, 'random input')}; numerical derivative within "
        f"{wording.figure(c.radii)} of its radius; gradcheck: {wording.outcomes(c.outcomes)}.</li>"
        for c in confrontations
    ]
    return f'<ul class="small">{"".join(lines)}</ul>' if lines else ""


def _derivations(derivations: Iterable[Derivation], shown: Shown) -> str:
    parts = []
    for d in derivations:
        if shown.first_time(d.name):
            parts.append(derivation(d))
        else:
            parts.append(
                f'<p class="small">Derivation shown above: <a href="#{anchor(d.name)}">'
                f"{prose.html(d.title)}</a>.</p>"
            )
    return "".join(parts)


def derivation(d: Derivation) -> str:
    """Return a derivation as aligned mathematics, each step with its rule and what checked it."""
    texts = ";&ensp;".join(prose.html(x.text) for x in d.definitions)
    given = f'<p class="small">where {texts}</p>' if texts else ""
    alike = wording.common_checks(d)
    rows = "".join(_step(step, "" if alike else wording.checks(step.evidence)) for step in d.steps)
    start = f"<tr><td></td><td>{_formula(d.start)}</td><td></td></tr>"
    return (
        f'<section class="derivation" id="{anchor(d.name)}"><h4>{prose.html(d.title)}</h4>'
        f'{chip(d.standing)}<p class="small soft">{prose.html(d.scope)}</p>{given}'
        '<table class="steps"><thead><tr><th scope="col">relation</th><th scope="col">expression'
        '</th><th scope="col">rule</th></tr></thead>'
        f"<tbody>{start}{rows}</tbody></table>{_notes(d, alike)}</section>"
    )


def _notes(d: Derivation, alike: str) -> str:
    texts = "; ".join(h.text for h in d.hypotheses)
    notes = (
        f"<strong>Hypothesis:</strong> {prose.html(texts)}" if texts else "",
        prose.html(d.remark),
        f"<strong>Every step checked by</strong> {prose.html(alike)}." if alike else "",
    )
    return "".join(f'<p class="small">{note}</p>' for note in notes if note)


def _formula(expression: sp.Expr) -> str:
    return f"<div>{formula(expression)}</div>"


def _step(step: Step, checked: str) -> str:
    uses = "; ".join(h.text for h in step.hypotheses)
    used = f" <em>(uses {prose.html(uses)})</em>" if uses else ""
    sign = wording.look(step.standing).sign
    by = f'<br><span class="soft">{sign} {prose.html(checked)}</span>' if checked else ""
    rule = f"{prose.html(step.rule)}{used}{by}"
    return f"<tr><td>=</td><td>{_formula(step.after)}</td><td>{rule}</td></tr>"


def case_table(cases: Iterable[ExaminedCase]) -> str:
    """Return the table of functions with what their comparison gave."""
    heads = ("function", "derivation", *wording.COMPARED)
    rows = [(_linked(case), chip(case.standing), *wording.compared(case)) for case in cases]
    return scrolling("Comparison of every function", table("cases", heads, rows))


def _linked(case: ExaminedCase) -> str:
    name = f"<code>{escape(case.name)}</code>"
    if not case.derivations:
        return name
    return f'<a href="#{anchor(case.derivations[0].name)}">{name}</a>'
