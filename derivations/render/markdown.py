"""The report as GitHub-flavoured Markdown, mathematics in ``math`` fences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivations.render import wording
from derivations.render.aligned import aligned
from derivations.render.prose import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from derivations.confrontation.cases import ExaminedCase
    from derivations.provenance import Provenance
    from derivations.records import Derivation, Finding, Witness
    from derivations.report import ExaminedClaim, ReportData


def render(data: ReportData) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.
    """
    shown: set[str] = set()
    blocks = ["# Derivations and claims", f"{markdown(wording.verdict(data))}."]
    if data.problems:
        blocks.append("\n".join(f"- **problem:** {markdown(p)}" for p in data.problems))
    if data.claims:
        rows = [(c.claim.id, markdown(c.claim.title), _status(c)) for c in data.claims]
        blocks += ["## Summary", table(("claim", "what it says", "status"), rows)]
        blocks.append("## Claims")
        for c in data.claims:
            blocks += _claim(c, shown)
    if data.cases:
        blocks += ["## Functions: derivation, code and finite differences", _cases(data.cases)]
        blocks.append(markdown(wording.EXECUTED))
        for case in data.cases:
            for d in case.derivations:
                blocks += derivation(d, shown)
    blocks += ["## What the statuses mean", markdown(wording.TRUSTED_BASE)]
    blocks.append(
        table(
            ("status", "meaning"),
            [(f"{wording.look(s).sign} {s.value}", m) for s, m in wording.MEANINGS.items()],
        )
    )
    blocks += ["## Provenance", provenance(data.provenance)]
    return "\n\n".join(blocks) + "\n"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _status(c: ExaminedClaim) -> str:
    return f"{wording.look(c.status).sign} {markdown(wording.status_words(c))}"


def _claim(c: ExaminedClaim, shown: set[str]) -> list[str]:
    finding = c.finding
    evidence = "\n".join(
        f"- {wording.look(e.standing).sign} {markdown(e.detail or e.scope)} "
        f"*{markdown(wording.basis(e))}*"
        for e in finding.evidence
    )
    blocks = [
        f"### {c.claim.id} {markdown(c.claim.title)}",
        f"**{_status(c)}** · {markdown(c.claim.source)}",
        f"> {markdown(c.claim.statement)}",
        evidence,
    ]
    if finding.witness is not None:
        blocks.append(_witness(finding.witness))
    if finding.table:
        blocks.append(_figures(finding))
    if finding.confrontations:
        blocks.append(
            "\n".join(
                f"- `{x.case}`: {wording.figure(x.value_ulps)} ulp (value), "
                f"{wording.figure(x.derivative_ulps)} ulp (derivative), numerical derivative "
                f"within {wording.figure(x.radii)} of its radius; gradcheck: "
                f"{wording.outcomes(x.outcomes)}"
                for x in finding.confrontations
            )
        )
    for d in finding.derivations:
        blocks += derivation(d, shown)
    return blocks


def _witness(w: Witness) -> str:
    return "\n".join(
        (
            f"- witness: at {markdown(w.point)}",
            f"- claimed: {markdown(w.claimed)}",
            f"- true: {markdown(w.true)}",
            f"- {markdown(w.explanation)}",
        )
    )


def _figures(finding: Finding) -> str:
    heading, *rows = finding.table
    return table([markdown(h) for h in heading], [[markdown(cell) for cell in row] for row in rows])


def derivation(d: Derivation, shown: set[str]) -> list[str]:
    """Return the parts of a derivation, none if its name is in `shown`; it is added there."""
    if d.name in shown:
        return []
    shown.add(d.name)
    blocks = [f"#### {markdown(d.title)}", f"*{d.standing.value}*: {markdown(d.scope)}"]
    if d.definitions:
        blocks.append("\n".join(f"- {markdown(x.text)}" for x in d.definitions))
    blocks.append(f"```math\n{aligned(d)}\n```")
    alike = wording.common_checks(d)
    rules = [
        f"{number}. {markdown(step.rule)}"
        + "".join(f"; uses {markdown(h.text)}" for h in step.hypotheses)
        + ("" if alike else f" — checked by {markdown(wording.checks(step.evidence))}")
        for number, step in enumerate(d.steps, 1)
    ]
    blocks.append("\n".join(rules))
    if alike:
        blocks.append(f"Every step checked by {markdown(alike)}.")
    if d.remark:
        blocks.append(markdown(d.remark))
    return blocks


def _cases(cases: Iterable[ExaminedCase]) -> str:
    rows = [
        (
            f"`{case.name}`",
            f"{wording.look(case.standing).sign} {case.standing.value}",
            *map(markdown, wording.compared(case)),
        )
        for case in cases
    ]
    return table(("function", "derivation", *wording.COMPARED), rows)


def provenance(p: Provenance) -> str:
    """Return the table of what is needed to make the report again."""
    rows = [
        (name, f"`{value}`" if name == "command" else markdown(value))
        for name, value in wording.provenance(p)
    ]
    return table(("what", "value"), rows)
