"""The report as a summary for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivations.render import wording

if TYPE_CHECKING:
    from derivations.report import ReportData


def render(data: ReportData) -> str:
    """Return the summary: a line for every claim and every function, and the verdict at the end.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.
    """
    lines = []
    if data.claims:
        width = max(len(c.claim.title) for c in data.claims)
        lines += [
            f"{c.claim.id:<4}{c.claim.title:<{width}}  "
            f"{wording.look(c.status).sign} {wording.status_words(c)}"
            for c in data.claims
        ]
        lines.append("")
    if data.cases:
        lines += [*_cases(data), ""]
    lines += [f"PROBLEM  {p}" for p in data.problems]
    p = data.provenance
    lines += [
        f"{wording.verdict(data)}.",
        f"Took {p.seconds:.1f} s; the same random inputs again: --seed {p.seed}.",
        "Every derivation and witness: python -m derivations --output report.html",
    ]
    return "\n".join(lines) + "\n"


def _cases(data: ReportData) -> list[str]:
    width = max(len(c.name) for c in data.cases)
    heading = f"{'function':<{width}}  {'derivation':<22}{'value':>9}{'derivative':>12}"
    heading += f"{'radii':>8}  checks"
    rows = []
    for case in data.cases:
        c = case.comparison.confrontation
        rows.append(
            f"{case.name:<{width}}  {case.standing.value:<22}{wording.figure(c.value_ulps):>5} ulp"
            f"{wording.figure(c.derivative_ulps):>8} ulp{wording.figure(c.radii):>8}  "
            f"{wording.outcomes(c.outcomes)}"
        )
    return [heading, *rows]
