"""The report as a LaTeX document that any engine sets, with amsmath and longtable alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivations.render import wording
from derivations.render.aligned import aligned
from derivations.render.prose import latex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from derivations.confrontation.cases import ExaminedCase
    from derivations.provenance import Provenance
    from derivations.records import Derivation, Finding, Witness
    from derivations.report import ExaminedClaim, ReportData

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage{amsmath,amssymb,longtable,array}
\usepackage{graphicx}
\usepackage[margin=20mm]{geometry}
\usepackage[hidelinks]{hyperref}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt plus 2pt}
\setcounter{secnumdepth}{0}
\setcounter{tocdepth}{2}
\allowdisplaybreaks
\sloppy
% Mathematics wider than the page is scaled down to it.
\newsavebox{\wide}
\newcommand{\fitted}[1]{\begin{lrbox}{\wide}$\displaystyle #1$\end{lrbox}%
  \par\medskip\noindent\ifdim\wd\wide>\linewidth\resizebox{\linewidth}{!}{\usebox{\wide}}%
  \else\usebox{\wide}\fi\par\medskip}
"""


def render(data: ReportData) -> str:
    """Return the report as a complete LaTeX document.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.
    """
    shown: set[str] = set()
    parts = [
        PREAMBLE,
        r"\title{Derivations and claims}\date{" + latex(data.provenance.created) + "}",
    ]
    parts += [
        r"\begin{document}",
        r"\maketitle",
        latex(wording.verdict(data)) + ".",
        r"\tableofcontents",
    ]
    if data.problems:
        parts += [r"\section{Problems}", itemized(latex(p) for p in data.problems)]
    if data.claims:
        rows = [(c.claim.id, latex(c.claim.title), _status(c)) for c in data.claims]
        parts += [
            r"\section{Summary}",
            table("lp{85mm}p{55mm}", ("claim", "what it says", "status"), rows),
            r"\section{Claims}",
        ]
        for c in data.claims:
            parts += _claim(c, shown)
    if data.cases:
        parts += [
            r"\section{Functions: derivation, code and finite differences}",
            _cases(data.cases),
        ]
        for case in data.cases:
            for d in case.derivations:
                parts += derivation(d, shown)
    meanings = [(s.value, latex(m)) for s, m in wording.MEANINGS.items()]
    parts += [
        r"\section{What the statuses mean}",
        latex(wording.TRUSTED_BASE),
        table("lp{110mm}", ("status", "meaning"), meanings),
        r"\section{Provenance}",
        provenance(data.provenance),
        r"\end{document}",
    ]
    return "\n\n".join(parts) + "\n"


def table(columns: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that may break across pages; cells are LaTeX already."""
    head = " & ".join(rf"\textbf{{{h}}}" for h in heading) + r" \\ \hline \endhead"
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return f"\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n{head}\n{body} \\\\\n\\end{{longtable}}"


def itemized(items: Iterable[str]) -> str:
    """Return a list; items are LaTeX already."""
    lines = "\n".join(rf"  \item {item}" for item in items)
    return f"\\begin{{itemize}}\n{lines}\n\\end{{itemize}}"


def _status(c: ExaminedClaim) -> str:
    return latex(f"{wording.look(c.status).sign} {wording.status_words(c)}")


def _claim(c: ExaminedClaim, shown: set[str]) -> list[str]:
    finding = c.finding
    parts = [
        rf"\subsection{{{c.claim.id}\quad {latex(c.claim.title)}}}",
        rf"\textbf{{{_status(c)}}} --- {latex(c.claim.source)}",
        rf"\begin{{quote}}{latex(c.claim.statement)}\end{{quote}}",
        itemized(
            rf"{latex(e.detail or e.scope)} \emph{{{latex(wording.basis(e))}}}"
            for e in finding.evidence
        ),
    ]
    if finding.witness is not None:
        parts.append(_witness(finding.witness))
    if finding.table:
        parts.append(_figures(finding))
    if finding.confrontations:
        parts.append(
            itemized(
                rf"\texttt{{{latex(x.case)}}}: {wording.figure(x.value_ulps)} ulp (value), "
                f"{wording.figure(x.derivative_ulps)} ulp (derivative), numerical derivative "
                "within "
                f"{wording.figure(x.radii)} of its radius; {latex(wording.outcomes(x.outcomes))}"
                for x in finding.confrontations
            )
        )
    for d in finding.derivations:
        parts += derivation(d, shown)
    return parts


def _witness(w: Witness) -> str:
    return itemized(
        (
            f"witness: at {latex(w.point)}",
            f"claimed: {latex(w.claimed)}",
            f"true: {latex(w.true)}",
            latex(w.explanation),
        )
    )


def _figures(finding: Finding) -> str:
    heading, *rows = finding.table
    columns = "l" * len(heading)
    return table(columns, [latex(h) for h in heading], [[latex(x) for x in row] for row in rows])


def derivation(d: Derivation, shown: set[str]) -> list[str]:
    """Return the parts of a derivation, none if its name is in `shown`; it is added there."""
    if d.name in shown:
        return []
    shown.add(d.name)
    parts = [
        rf"\subsubsection{{{latex(d.title)}}}",
        rf"\emph{{{d.standing.value}}}: {latex(d.scope)}",
    ]
    if d.definitions:
        parts.append(itemized(latex(x.text) for x in d.definitions))
    parts.append(rf"\fitted{{{aligned(d)}}}")
    texts = "; ".join(h.text for h in d.hypotheses)
    if texts:
        parts.append(rf"\textbf{{Hypothesis:}} {latex(texts)}")
    alike = wording.common_checks(d)
    if alike:
        parts.append(f"Every step checked by {latex(alike)}.")
    else:
        parts.append(
            itemized(
                f"{latex(s.rule)}: checked by {latex(wording.checks(s.evidence))}" for s in d.steps
            )
        )
    if d.remark:
        parts.append(latex(d.remark))
    return parts


def _cases(cases: Iterable[ExaminedCase]) -> str:
    rows = [
        (
            rf"\texttt{{{latex(case.name)}}}",
            case.standing.value,
            *map(latex, wording.compared(case)),
        )
        for case in cases
    ]
    first, *others = wording.COMPARED
    narrow = [rf"\parbox[b]{{15mm}}{{\raggedleft {latex(head)}}}" for head in others]
    # Names, two columns of words, four of figures, the verdicts; together as wide as the page.
    columns = r"l@{ }p{26mm}@{ }>{\raggedright}p{28mm}" + "@{ }r" * (len(others) - 1) + "@{ }l"
    body = table(columns, ("function", "derivation", latex(first), *narrow), rows)
    return f"\\begingroup\\scriptsize\n{body}\n\\endgroup"


def provenance(p: Provenance) -> str:
    """Return the table of what is needed to make the report again."""
    rows = [
        (name, rf"\texttt{{{latex(value)}}}" if name == "command" else latex(value))
        for name, value in wording.provenance(p)
    ]
    return table("lp{110mm}", ("what", "value"), rows)
