"""A user's expression in every format: domain, derivation, code and what was checked."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from sympy.printing.str import StrPrinter

from derivations.deriving.conditions import Status
from derivations.deriving.solutions import derivative_statement, described, value_statement
from derivations.deriving.stable_forms import plain
from derivations.render import blocks, prose, wording
from derivations.render import html as page
from derivations.render import json as data
from derivations.render import latex as tex_report
from derivations.render import markdown as md_report
from derivations.render.layout import layout
from derivations.render.mathml import formula
from derivations.render.tex import tex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sympy as sp

    from derivations.deriving.derived import Derived
    from derivations.steps.chain import Partial

SCHEMA = "gradcheck.derived/1"
_TRUST = (
    f"{wording.TRUSTED_BASE} A step that is proved in a differential field rests on that field’s "
    "own table of derivatives and relations (such as c² = 1 − s² for sine and cosine). How the "
    "text is read is checked by evaluating it without SymPy; NumPy’s functions are taken to be "
    "accurate to a few ulps, and rounding is measured, not proved."
)


def render(found: Derived, form: str) -> str:
    """Return a derived expression in one of `derivations.render.FORMATS`.

    Parameters
    ----------
    found : Derived
        From `derivations.derive`.
    form : str
        The format.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    if form not in _FORMS:
        raise ValueError(f"no format {form!r}; there are {', '.join(_FORMS)}")
    return _FORMS[form](found)


# --- what every format says ----------------------------------------------------------------------


def verdict(found: Derived) -> str:
    """Return the outcome in a sentence."""
    if found.failures:
        return f"The check failed: {wording.plural(len(found.failures), 'problem')}"
    if found.undecided:
        return f"Undecided: {wording.plural(len(found.undecided), 'part')} could not be shown"
    return "Every step is proved, and the code passed its check"


def _domain_rows(found: Derived) -> list[tuple[str, str]]:
    rows = [
        ("the value is defined for", value_statement(found.domain)),
        ("the derivative is derived for", derivative_statement(found.domain)),
    ]
    for c in found.domain.conditions:
        if c.status is Status.ALWAYS:
            rows.append((f"proved everywhere by {c.reason}", f"{described(c)} ({c.cause})"))
        elif c.status is Status.UNDECIDED:
            rows.append(("undecided", f"{described(c)} ({c.cause}): {c.reason}"))
        elif c.need.value == "kink":
            rows.append(("possible kink, left out", f"where {described(c)} fails: {c.cause}"))
    return rows


def _checks(found: Derived) -> list[tuple[str, str]]:
    r = found.reading
    rows = [("reading", f"{r.method}, at {r.scope}: {r.detail}")]
    if found.form is not None:
        rows.append(("formulas of the code", found.form.detail))
    if found.check is not None and found.check.points:
        c = found.check
        rows += [
            (
                "gradcheck on the code",
                f"{wording.outcomes(c.outcomes)} at {wording.plural(c.points, 'random point')}",
            ),
            (
                "error of the code",
                f"value {wording.figure(c.value_error)}, derivative "
                f"{wording.figure(c.derivative_error)}, in units of what rounding the result and "
                "the arguments once may cost",
            ),
        ]
    return rows


# --- text ----------------------------------------------------------------------------------------


class _Plain(StrPrinter):  # type: ignore[misc]  # SymPy ships no types
    def _print_Derivative(self, e: Any) -> str:
        return f"d/d{e.variables[0]}[{self.doprint(e.expr)}]"


def _text(found: Derived) -> str:
    shown = _Plain({"order": "none"}).doprint
    lines = [f"f({', '.join(found.domain.variables)}) = {found.text.strip()}", ""]
    lines += [f"{name}: {value}" for name, value in _domain_rows(found)]
    for partial in found.partials:
        d = partial.derivation
        lines += ["", f"{d.title}: {d.standing.value}", f"    {shown(d.start)}"]
        lines += [f"  = {shown(s.after)}    [{_rule(s.rule, s.standing)}]" for s in d.steps]
    if found.code is not None:
        lines += ["", *(f"    {line}".rstrip() for line in found.code.source.splitlines()), ""]
    lines += [f"{name}: {value}" for name, value in _checks(found)]
    lines += ["", *(f"PROBLEM  {problem}" for problem in found.problems)]
    p = found.provenance
    lines += [
        f"{verdict(found)}.",
        f"Took {p.seconds:.1f} s; the same points again: --seed {p.seed}.",
    ]
    return "\n".join(lines) + "\n"


def _rule(rule: str, standing: Any) -> str:
    return f"{rule} {wording.look(standing).sign}"


# --- Markdown and LaTeX --------------------------------------------------------------------------


def _markdown(found: Derived) -> str:
    mark = prose.markdown
    parts = [
        "# The derivative of an expression",
        f"```text\n{found.text.strip()}\n```",
        f"**{mark(verdict(found))}.**",
    ]
    if found.problems:
        parts.append("\n".join(f"- **problem:** {mark(p)}" for p in found.problems))
    parts += ["## Domain", _md_table(_domain_rows(found))]
    shown: set[str] = set()
    for partial in found.partials:
        parts += md_report.derivation(partial.derivation, shown)
    if found.code is not None:
        parts += ["## Code", f"```python\n{found.code.source}```"]
    parts += ["## Checks", _md_table(_checks(found)), "## What “proved” means", mark(_TRUST)]
    parts += ["## Provenance", md_report.provenance(found.provenance)]
    return "\n\n".join(parts) + "\n"


def _md_table(rows: list[tuple[str, str]]) -> str:
    cells = [tuple(map(prose.markdown, row)) for row in rows]
    return md_report.table(("what", "outcome"), cells)


def _latex(found: Derived) -> str:
    say = prose.latex
    parts = [
        tex_report.PREAMBLE,
        r"\title{The derivative of an expression}\date{" + say(found.provenance.created) + "}",
        r"\begin{document}",
        r"\maketitle",
        "\\begin{verbatim}\n" + found.text.strip() + "\n\\end{verbatim}",
        say(verdict(found)) + ".",
    ]
    if found.problems:
        parts.append(tex_report.itemized(say(p) for p in found.problems))
    parts += [r"\section{Domain}", _tex_table(_domain_rows(found)), r"\section{Derivation}"]
    shown: set[str] = set()
    for partial in found.partials:
        parts += tex_report.derivation(partial.derivation, shown)
    if found.code is not None:
        code = f"\\begin{{verbatim}}\n{found.code.source}\\end{{verbatim}}"
        parts += [r"\section{Code}", rf"{{\scriptsize {code}" + "\n}"]
    parts += [r"\section{Checks}", _tex_table(_checks(found))]
    parts += [r"\section{What ``proved'' means}", say(_TRUST)]
    parts.append(r"\section{Provenance}")
    parts += [tex_report.provenance(found.provenance), r"\end{document}"]
    return "\n\n".join(parts) + "\n"


def _tex_table(rows: list[tuple[str, str]]) -> str:
    cells = [tuple(map(prose.latex, row)) for row in rows]
    return tex_report.table("p{45mm}p{110mm}", ("what", "outcome"), cells)


# --- JSON ----------------------------------------------------------------------------------------


def _json(found: Derived) -> str:
    return json.dumps(as_data(found), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_data(found: Derived) -> dict[str, Any]:
    """Return the record as nested dictionaries and lists that JSON can hold."""
    p, check = found.provenance, found.check
    return {
        "schema": SCHEMA,
        "ok": found.ok,
        "standing": found.standing.value,
        "failures": list(found.failures),
        "undecided": list(found.undecided),
        "text": found.text,
        "expression": None if found.expression is None else _expression(found.expression),
        "variables": list(found.domain.variables),
        "domain": {
            "value": value_statement(found.domain),
            "derivative": derivative_statement(found.domain),
            "conditions": [
                {
                    "condition": described(c),
                    "needed_by": c.need.value,
                    "cause": c.cause,
                    "at": [c.span.start, c.span.end],
                    "status": c.status.value,
                    "reason": c.reason,
                }
                for c in found.domain.conditions
            ],
        },
        "reading": data.evidence(found.reading),
        "partials": [_partial(partial) for partial in found.partials],
        "code": None
        if found.code is None or found.form is None
        else {
            "source": found.code.source,
            "value": found.code.value,
            "partials": list(found.code.partials),
            "form": data.evidence(found.form),
        },
        "check": None
        if check is None
        else {
            "points": check.points,
            "outcomes": dict(check.outcomes),
            "value_error": data.number(check.value_error),
            "derivative_error": data.number(check.derivative_error),
            "failures": list(check.failures),
            "reason": check.reason,
        },
        "provenance": {
            "versions": dict(p.versions),
            "seed": p.seed,
            "points": p.points,
            "command": p.command,
            "created": p.created,
            "seconds": round(p.seconds, 3),
        },
    }


def _partial(partial: Partial) -> dict[str, Any]:
    return {
        "variable": partial.variable,
        "result": _expression(partial.result),
        "derivation": data.derivation(partial.derivation),
        "undecided": list(partial.undecided),
    }


def _expression(e: sp.Expr) -> dict[str, str]:
    return {"latex": tex(layout(e)), "sympy": str(plain(e))}


# --- HTML ----------------------------------------------------------------------------------------


def _html(found: Derived) -> str:
    problems = "".join(f"<li>{prose.html(p)}</li>" for p in found.problems)
    warning = (
        f'<div class="problems"><h2>Problems</h2><ul>{problems}</ul></div>' if problems else ""
    )
    read = "" if found.expression is None else f"<p>{formula(found.expression)}</p>"
    body = [
        "<header><h1>The derivative of an expression</h1>",
        f"<p><code>{escape(found.text.strip())}</code></p>{read}",
        f"<p>{blocks.chip(found.standing)}</p>",
        f'<p class="lead">{prose.html(verdict(found))}.</p>{warning}</header>',
        '<main id="main">',
        _section("Domain", _html_table(_domain_rows(found))),
        _section("Derivation", "".join(blocks.derivation(p.derivation) for p in found.partials)),
    ]
    if found.code is not None:
        source = f"<pre><code>{escape(found.code.source)}</code></pre>"
        body.append(_section("Code", blocks.scrolling("NumPy code", source)))
    provenance = [(escape(n), escape(v)) for n, v in wording.provenance(found.provenance)]
    body += [
        _section("Checks", _html_table(_checks(found))),
        _section("What “proved” means", f"<p>{escape(_TRUST)}</p>"),
        _section("Provenance", blocks.table("stack", ("What", "Value"), provenance)),
        "</main>",
    ]
    return page.document("The derivative of an expression", "".join(body))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _html_table(rows: list[tuple[str, str]]) -> str:
    cells = [tuple(map(prose.html, row)) for row in rows]
    return blocks.table("stack", ("What", "Outcome"), cells)


_FORMS: Mapping[str, Callable[[Derived], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "json": _json,
    "html": _html,
}
