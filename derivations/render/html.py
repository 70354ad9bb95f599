"""The report as one HTML page: no script, no network, mathematics as MathML with its own font."""

from __future__ import annotations

import base64
import re
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from derivations.render import blocks, multiples, plots, prose, wording

if TYPE_CHECKING:
    from derivations.report import ReportData

_DOCUMENTS = {
    "A": "Document A: applications of back-propagation",
    "B": "Document B: the derivative of softmax cross-entropy",
    "C": "Document C: back-propagation of SoftmaxWithLoss",
    "D": "Document D: the derivative of binary cross-entropy",
    "E": "Document E: back-propagation, many classes and softmax",
}


def render(data: ReportData) -> str:
    """Return the page.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.

    Returns
    -------
    str
        A complete HTML document that refers to nothing outside itself.
    """
    shown = blocks.Shown()
    body = "".join(
        (
            _head(data),
            '<main id="main">',
            _summary(data),
            *_claims(data, shown),
            _cases(data, shown),
            _curve(data),
            _reading(shown),
            _provenance(data),
            "</main>",
        )
    )
    return document(
        "Derivations and claims", f'<a class=skip href="#main">To the content</a>{body}'
    )


def document(title: str, body: str) -> str:
    """Return a page that refers to nothing outside itself.

    Parameters
    ----------
    title : str
        Text.
    body : str
        HTML with every end tag; those that HTML lets go without saying are left out.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style()}</style></head>"
        f"<body><div class=page>{IMPLIED.sub('', body)}</div></body></html>\n"
    )


# End tags that every parser of HTML supplies by itself: the tree is the same without them.
IMPLIED = re.compile(
    r"</(?:li|td|th|tr|thead|tbody|dt|dd)>"
    r"|</p>(?=<(?:p|ol|ul|dl|div|table|section|article|header|figure|nav|main|h\d)\b"
    r"|</(?:li|section|article|header|div|td|main)>)"
)


def style() -> str:
    """Return the style sheet of a page, with the math font in it."""
    package = files("derivations.render")
    font = base64.b64encode((package / "font" / "STIXTwoMath-subset.woff2").read_bytes()).decode()
    face = (
        '@font-face{font-family:"Report Math";'
        f"src:url(data:font/woff2;base64,{font}) format('woff2')}}"
    )
    # Not for screen readers, where the browser can tell: the words say the same.
    signs = "".join(
        f'.{group}::before{{content:"{sign} ";content:"{sign} "/""}}'
        for group, sign in wording.SIGNS.items()
    )
    return face + signs + _compact((package / "style.css").read_text(encoding="utf-8"))


def _compact(css: str) -> str:
    """Return a style sheet without the space that is for its readers."""
    return re.sub(r"\s*([{};,])\s*|(?<=:) ", r"\1", css.strip())


def document_title(claim_id: str) -> str:
    """Return the heading of the document that a claim is from."""
    letter = claim_id[:1]
    return _DOCUMENTS.get(letter, f"Document {letter}")


def _head(data: ReportData) -> str:
    letters = dict.fromkeys(c.claim.id[:1] for c in data.claims)
    links = [("summary", "Summary")] if data.claims else []
    links += [(f"document-{letter}", document_title(letter)) for letter in letters]
    links += [("cases", "Functions")] if data.cases else []
    links += [("steps", "Step size")] if data.curve else []
    links += [("reading", "What the statuses mean"), ("provenance", "Provenance")]
    items = "".join(f'<li><a href="#{anchor}">{escape(text)}</a></li>' for anchor, text in links)
    problems = "".join(f"<li>{prose.html(p)}</li>" for p in data.problems)
    warning = (
        f'<div class="problems"><h2>Problems</h2><ul>{problems}</ul></div>' if problems else ""
    )
    return (
        "<header><h1>Derivations and claims</h1>"
        f'<p class="lead">{prose.html(wording.verdict(data))}.</p>{warning}'
        f'<nav aria-label="Contents"><ul>{items}</ul></nav></header>'
    )


def _section(anchor: str, title: str, body: str) -> str:
    heading = f'<h2 id="{anchor}-title">{escape(title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">{heading}{body}</section>'


def _summary(data: ReportData) -> str:
    if not data.claims:
        return ""
    counts = "".join(
        f"<li>{blocks.chip(standing, f'{count} {standing.value}')}</li>"
        for standing, count in wording.tally(c.status for c in data.claims)
    )
    rows = [
        (
            f'<a href="#{c.claim.id}">{c.claim.id}</a>',
            prose.html(c.claim.title),
            blocks.claim_chip(c),
        )
        for c in data.claims
    ]
    table = blocks.table("stack", ("Claim", "What it says", "Status"), rows)
    return _section(
        "summary", "Summary", f'<nav aria-label="Counts"><ul>{counts}</ul></nav>{table}'
    )


def _claims(data: ReportData, shown: blocks.Shown) -> list[str]:
    return [
        _section(
            f"document-{letter}",
            document_title(letter),
            "".join(blocks.claim(c, shown) for c in group),
        )
        for letter, group in groupby(data.claims, key=lambda c: c.claim.id[:1])
    ]


def _cases(data: ReportData, shown: blocks.Shown) -> str:
    if not data.cases:
        return ""
    derivations = [
        blocks.derivation(d, shown)
        for c in data.cases
        for d in c.derivations
        if shown.first_time(d.name)
    ]
    body = (
        "<p>For every function three roads lead to the derivative: the derivation, evaluated at 50 "
        "digits; the closed form in floating point; the numerical derivative. Errors of the code "
        "are in ulps of the largest entry of the result, errors of the numerical derivative in the "
        "radii that it states for itself.</p>"
        f"<p>{escape(wording.EXECUTED)}</p>"
        f"{blocks.case_table(data.cases)}"
        f"{_errors(data)}"
    )
    if derivations:
        body += f"<h3>Derivations that no claim above shows</h3>{''.join(derivations)}"
    return _section("cases", "Functions: derivation, code and finite differences", body)


def _errors(data: ReportData) -> str:
    """Return the errors over the range of the input where they were measured, else the largest."""
    profiles = {c.name: c.profile for c in data.cases if c.profile is not None}
    others = [c.comparison for c in data.cases if c.profile is None]
    figures = ""
    if profiles:
        figures = (
            f"<figure>{multiples.ulp_profiles(profiles)}<figcaption>Functions of one number: error "
            "of the code in ulps of the result against the input x, the largest of every bin; x on "
            "a logarithmic scale on both sides of zero. Filled: the value; line: the derivative; "
            "the largest of each stands on the right. Broken lines: the bounds that the "
            "documentation of the functions states, long strokes for the value, short ones for the "
            "derivative. Where it states the bound of a derivative in ulps of two terms that "
            "cancel, so is its error.</figcaption></figure>"
        )
    if others:
        figures += (
            f"<figure>{plots.ulp_plot(others)}<figcaption>Errors of value and derivative of the "
            f"{'other ' * bool(profiles)}closed forms, largest over the random inputs."
            "</figcaption></figure>"
        )
    return figures


def _curve(data: ReportData) -> str:
    if data.curve is None:
        return ""
    caption = (
        f"The error of the central difference of {escape(data.curve.title)} falls with the step as "
        "long as truncation rules, and rises again when the rounding of the function takes over. "
        "The horizontal lines show what extrapolation over several steps, from the chosen one "
        f"down, reaches ({data.curve.evaluations} evaluations) and the radius that it states "
        "without knowing the derivative."
    )
    figure = f"<figure>{plots.step_plot(data.curve)}<figcaption>{caption}</figcaption></figure>"
    return _section("steps", "Why one step size is not enough", figure)


def _reading(shown: blocks.Shown) -> str:
    rows = [(blocks.chip(s), f"{escape(meaning)}.") for s, meaning in wording.MEANINGS.items()]
    body = (
        f"<p>{escape(wording.TRUSTED_BASE)}</p><p>The status of a claim is computed: that of its "
        f"weakest piece of evidence.</p>{blocks.table('stack', ('Status', 'Meaning'), rows)}"
    )
    checks = blocks.checks(shown)
    if checks:
        body += f"<h3>What checked the steps</h3><p>{escape(wording.KERNELS)}</p>{checks}"
    return _section("reading", "What the statuses mean", body)


def _provenance(data: ReportData) -> str:
    rows = [(escape(name), escape(value)) for name, value in wording.provenance(data.provenance)]
    body = blocks.table("stack", ("What", "Value"), rows) + (
        '<p class="small soft">Mathematics is set in a subset of STIX Two Math, © the STIX Fonts '
        "Project Authors, SIL Open Font License 1.1.</p>"
    )
    return _section("provenance", "Provenance", body)
