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

    from derivations.confrontation.cases import ExaminedCase
    from derivations.records import (
        Confrontation,
        Derivation,
        Evidence,
        Finding,
        Standing,
        Step,
        Witness,
    )
    from derivations.report import ExaminedClaim


_NUMBER = re.compile(r"[−-]?(\d[\d.]*(e[−+-]?\d+)?|inf|nan)( \w+)?$")


class Shown:
    """What is on the page already: it is printed once and referred to after that."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._checks: dict[str, int] = {}
        self._steps: dict[str, Derivation] = {}

    def first_time(self, name: str) -> bool:
        """Whether the derivation of this name was not asked for before; it is noted now."""
        new = name not in self._names
        self._names.add(name)
        return new

    def check(self, words: str) -> int:
        """Return the number of these words in the list of checks; they are added where new."""
        return self._checks.setdefault(words, len(self._checks) + 1)

    def alike(self, steps: str, d: Derivation) -> Derivation:
        """Return the first derivation with these steps on the page, or `d` itself if there is none."""
        return self._steps.setdefault(steps, d)

    @property
    def checks(self) -> tuple[str, ...]:
        """What the numbers stand for, from 1 on."""
        return tuple(self._checks)


def anchor(name: str) -> str:
    """Return the id of a derivation.

    Examples
    --------
    >>> anchor("softmax: the Jacobian")
    'derivation-softmax-the-Jacobian'
    """
    return "derivation-" + re.sub(r"[^\w.]+", "-", name)


def chip(standing: Standing, words: str | None = None) -> str:
    """Return a status in words; the style sheet adds colour and sign."""
    return f"<b class={wording.look(standing).group}>{escape(words or standing.value)}</b>"


def table(css: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML already, the first of each row is its heading."""
    numeric = [all(_NUMBER.match(row[k]) for row in rows) for k in range(len(heads))]
    marks = [" class=n" if is_number else "" for is_number in numeric]
    top = "".join(f"<th scope=col{mark}>{h}</th>" for h, mark in zip(heads, marks, strict=True))
    body = "".join(_table_row(row, marks) for row in rows)
    return f'<table class="{css}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _table_row(row: Sequence[str], marks: Sequence[str]) -> str:
    cells = [f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True)]
    cells[0] = f"<th scope=row>{row[0]}</th>"
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
        f"<span class=id>{c.id}</span>{prose.html(c.title)}</h3>{claim_chip(examined)}</header>"
        f'<p class="small soft">{prose.html(c.source)}</p>'
        f"<p class=statement>{prose.html(c.statement)}</p>"
        f"{_evidence(finding.evidence)}{_witness(finding.witness)}{_table(finding)}"
        f"{_confrontations(finding.confrontations)}"
        f"{_derivations(finding.derivations, shown)}</article>"
    )


def _evidence(evidence: Iterable[Evidence]) -> str:
    items = []
    for e in evidence:
        style = wording.look(e.standing)
        items.append(
            f"<li class={style.group}>{prose.html(e.detail or e.scope)} "
            f"<small>{prose.html(wording.basis(e))}</small></li>"
        )
    return f"<ul class=evidence>{''.join(items)}</ul>"


def _witness(witness: Witness | None) -> str:
    if witness is None:
        return ""
    return (
        "<div class=witness><h4>Witness</h4><dl>"
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
    return f"<ul class=small>{''.join(lines)}</ul>" if lines else ""


def _derivations(derivations: Iterable[Derivation], shown: Shown) -> str:
    parts = []
    for d in derivations:
        if shown.first_time(d.name):
            parts.append(derivation(d, shown))
        else:
            parts.append(
                f'<p class=small>Derivation shown above: <a href="#{anchor(d.name)}">'
                f"{prose.html(d.title)}</a>.</p>"
            )
    return "".join(parts)


def derivation(d: Derivation, shown: Shown | None = None) -> str:
    """Return a derivation as aligned mathematics, each step with its rule and what checked it.

    Parameters
    ----------
    d : Derivation
        What to show.
    shown : Shown, optional
        Where the page lists what checked its derivations; without it that is written out here.
    """
    texts = ";\u2002".join(prose.html(x.text) for x in d.definitions)
    given = f"<p>where {texts}</p>" if texts else ""
    alike = wording.common_checks(d)
    return (
        f'<section class=derivation id="{anchor(d.name)}"><h4>{prose.html(d.title)}</h4>'
        f"{chip(d.standing)}<p class=soft>{prose.html(d.scope)}</p>{given}"
        f"{_steps(d, alike, shown)}{_notes(d, _checked(alike, shown))}</section>"
    )


def _steps(d: Derivation, alike: str, shown: Shown | None) -> str:
    rows = "".join(_step(step, "" if alike else _passed(step, shown)) for step in d.steps)
    steps = f"<ol><li>{_formula(d.start)}</li>{rows}</ol>"
    first = d if shown is None else shown.alike(steps, d)
    if first is d:
        return steps
    link = f'<a href="#{anchor(first.name)}">{prose.html(first.title)}</a>'
    return f"<p>The steps are word for word those of: {link}.</p>"


def _checked(alike: str, shown: Shown | None) -> str:
    if not alike:
        return ""
    if shown is None:
        return f"<strong>Every step checked by</strong> {prose.html(alike)}."
    return f"Every step passed {_check(alike, shown)}."


def _check(words: str, shown: Shown) -> str:
    number = shown.check(words)
    return f'<a href="#check-{number}">check {number}</a>'


def _passed(step: Step, shown: Shown | None) -> str:
    words = wording.checks(step.evidence)
    if not words:
        return ""
    return prose.html(words) if shown is None else _check(words, shown)


def checks(shown: Shown) -> str:
    """Return the list that the numbers of checks refer to."""
    items = enumerate(shown.checks, 1)
    lines = "".join(f'<li id="check-{n}">{prose.html(words)}</li>' for n, words in items)
    return f'<ol class="small checks">{lines}</ol>' if lines else ""


def _notes(d: Derivation, checked: str) -> str:
    texts = "; ".join(h.text for h in d.hypotheses)
    notes = (
        f"<strong>Hypothesis:</strong> {prose.html(texts)}" if texts else "",
        prose.html(d.remark),
        checked,
    )
    return "".join(f"<p>{note}</p>" for note in notes if note)


def _formula(expression: sp.Expr) -> str:
    return f"<p>{formula(expression)}</p>"


def _step(step: Step, checked: str) -> str:
    uses = "; ".join(h.text for h in step.hypotheses)
    used = f" <em>(uses {prose.html(uses)})</em>" if uses else ""
    sign = wording.look(step.standing).sign
    by = f"<br><span class=soft>{sign} {checked}</span>" if checked else ""
    return f"<li>={_formula(step.after)}<p>{prose.html(step.rule)}{used}{by}</p></li>"


def case_table(cases: Iterable[ExaminedCase]) -> str:
    """Return the table of functions with what their comparison gave."""
    heads = ("function", "derivation", *wording.COMPARED)
    rows = [
        (_linked(case), chip(case.standing), *map(prose.html, wording.compared(case)))
        for case in cases
    ]
    return scrolling("Comparison of every function", table("cases", heads, rows))


def _linked(case: ExaminedCase) -> str:
    name = f"<code>{escape(case.name)}</code>"
    if not case.derivations:
        return name
    return f'<a href="#{anchor(case.derivations[0].name)}">{name}</a>'
