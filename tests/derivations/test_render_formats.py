"""The renderers: each shows everything that the data holds, in well-formed documents."""

import dataclasses
import itertools
import json
import re
import shutil
import subprocess

import pytest

from derivations.comparison import Comparison
from derivations.confrontation.cases import ExaminedCase
from derivations.records import CodeProof, Evidence, Standing
from derivations.render import FORMATS, blocks, render
from derivations.render.blocks import anchor
from derivations.render.json import SCHEMA
from derivations.report import ReportData


@pytest.fixture
def check_page(parse_page):
    """What checks everything that must hold for any report as a page."""

    def check(text: str, data):
        """Everything that must hold for any report as a page."""
        page = parse_page(text)
        names = [tag for tag, _ in page.tags]
        assert text.startswith("<!doctype html>")
        assert ("html", {"lang": "en"}) in page.tags
        # Nothing from outside: no scripts, no references but to places on the page and embedded data.
        assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(
            names
        )
        assert not any(a.startswith("on") for _, attrs in page.tags for a in attrs)
        assert all(href.startswith("#") for href in page.values("href"))
        assert page.values("src") == []
        style = text[text.index("<style>") : text.index("</style>")]
        assert all(
            url.startswith("data:font/woff2;base64,")
            for url in re.findall(r"url\(([^)]*)\)", style)
        )
        assert "@import" not in style
        assert "http" not in re.sub(r"url\([^)]*\)", "", style)
        # Every id once, every link to one of them, every claim linked from the summary.
        ids = page.values("id")
        assert len(ids) == len(set(ids))
        targets = {href[1:] for href in page.values("href")}
        assert targets <= set(ids)
        assert {c.claim.id for c in data.claims} <= targets & set(ids)
        for labels in page.values("aria-labelledby"):
            assert set(labels.split()) <= set(ids)
        # Headings go down one level at a time; tables have headings; plots have titles.
        levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
        assert names.count("thead") == names.count("table")
        assert text.count("<svg") == len(re.findall(r'<svg[^>]*role="img"[^>]*><title', text))
        for media in ("prefers-color-scheme:dark", "max-width", "print"):
            assert media in style
        return page

    return check


def test_html_shows_everything(check_page, sample) -> None:
    text = render(sample, "html")
    page = check_page(text, sample)
    for c in sample.claims:
        assert " ".join(c.claim.title.split()) in page.words
        assert c.status.value in page.words
        assert all(e.detail in page.words for e in c.finding.evidence)
    assert "y = (1/4, 3/4)" in page.words
    assert "It is another derivative." in page.words
    assert page.words.count("quotient rule & more") == 1  # a derivation is shown once …
    assert text.count('href="#derivation-softmax"') == 2  # … and linked to after that
    assert "Hypothesis: Σ yj = 1" in page.words
    assert "0.659" in page.words
    assert "indexed normal form (every n ≥ 1); rational normal form (n ≤ 3)" in page.words
    assert "--seed 1" in page.words
    assert "numpy" in page.words
    assert "the source is wrong here" in page.words


def test_html_marks_up_nothing_that_it_is_given(check_page, sample, make_examined) -> None:
    attack = '</p><script>alert("x")</script>&amp; <b'
    claim = make_examined("A1", sample.claims[0].finding.evidence)
    claim = dataclasses.replace(
        claim, claim=dataclasses.replace(claim.claim, title=attack, statement=attack)
    )
    data = dataclasses.replace(sample, claims=(claim,))
    assert attack in check_page(render(data, "html"), data).words


def test_different_checks_of_steps_are_shown_with_the_steps(check_page, sample) -> None:
    derivation = sample.cases[0].derivations[0]
    first = dataclasses.replace(derivation.steps[0], evidence=derivation.steps[0].evidence[:1])
    changed = dataclasses.replace(derivation, steps=(first, *derivation.steps[1:]))
    case = dataclasses.replace(sample.cases[0], derivations=(changed,))
    data = dataclasses.replace(sample, claims=(), cases=(case,))
    page = check_page(render(data, "html"), data)
    assert page.words.count("rational normal form (n ≤ 3)") == 1
    assert [page.words.count(f"✓ check {n}") for n in (1, 2)] == [1, len(derivation.steps) - 1]
    assert page.values("id").count("check-2") == 1
    assert "Every step" not in page.words
    assert "Every step checked by" not in render(data, "markdown")


def test_checks_are_numbered_and_listed(check_page, sample) -> None:
    page = check_page(render(sample, "html"), sample)
    assert "Every step passed check 1." in page.words
    assert page.words.count("indexed normal form (every n ≥ 1); rational normal form (n ≤ 3)") == 1
    assert page.values("id").count("check-1") == page.values("href").count("#check-1") == 1


def test_equal_steps_are_shown_once_and_referred_to(sample) -> None:
    shown = blocks.Shown()
    (first,) = sample.cases[0].derivations
    assert "<ol>" in blocks.derivation(first, shown)
    equal = dataclasses.replace(first, name="second", title="Another title")
    again = blocks.derivation(equal, shown)
    assert "Another title" in again
    assert f'word for word those of: <a href="#{anchor(first.name)}">' in again
    assert "<ol>" not in again
    other = dataclasses.replace(first.steps[0], rule="another rule")
    different = dataclasses.replace(first, name="third", steps=(other, *first.steps[1:]))
    assert "<ol>" in blocks.derivation(different, shown)


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_case_is_shown_and_is_a_problem(sample, form) -> None:
    broken = ExaminedCase(
        "tanh", "a source", (), Comparison("tanh", (), "the examination broke off: E")
    )
    data = dataclasses.replace(sample, cases=(*sample.cases, broken))
    assert any("tanh: the examination broke off" in p for p in data.problems)
    text = render(data, form)
    assert "the examination broke off: E" in text
    assert Standing.UNDECIDED.value in text


@pytest.mark.parametrize("form", FORMATS)
def test_parts_alone_render(check_page, sample, form) -> None:
    for part in (
        dataclasses.replace(sample, claims=()),
        dataclasses.replace(sample, cases=(), curve=None),
        dataclasses.replace(sample, claims=(), cases=(), curve=None),
    ):
        text = render(part, form)
        assert text.endswith("\n")
        if form == "html":
            check_page(text, part)


def test_markdown_is_balanced_and_complete(sample) -> None:
    text = render(sample, "markdown")
    assert text.count("```") % 2 == 0
    assert text.count("```math") == 1
    for c in sample.claims:
        assert f"### {c.claim.id} " in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for before, after in itertools.pairwise(rows):
        if after.startswith("| ---"):
            assert before.count("|") == after.count("|")
    outside = re.sub(r"```math.*?```", "", text, flags=re.S)
    assert "<co>" not in outside
    assert r"\<co\>" in outside
    assert "y<sub>i</sub>" in outside


def braces_balance(text: str) -> bool:
    depth = 0
    for mark in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(mark, 0)
        if depth < 0:
            return False
    return depth == 0


def check_latex(text: str) -> None:
    assert braces_balance(text)
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    assert text.count(r"\left") - text.count(r"\leftrightarrow") == text.count(
        r"\right"
    ) - text.count(r"\rightarrow")
    assert text.isascii()
    assert "$$" not in text


def test_latex_is_balanced_and_complete(sample) -> None:
    text = render(sample, "latex")
    check_latex(text)
    for c in sample.claims:
        assert rf"\subsection{{{c.claim.id}\quad" in text


def test_the_balance_check_can_fail() -> None:
    assert not braces_balance("{a}}")
    assert not braces_balance("{a")
    assert braces_balance(r"\{ {a} \\ {b}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(sample, tmp_path) -> None:
    (tmp_path / "report.tex").write_text(render(sample, "latex"), encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:].decode(errors="replace")


def keys_of(schema: object) -> object:
    """The shape of JSON: keys and kinds, without the values."""
    if isinstance(schema, dict):
        return {key: keys_of(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [keys_of(schema[0])] if schema else []
    return type(schema).__name__


EVIDENCE = {"standing": "str", "method": "str", "scope": "str", "detail": "str"}
EXPRESSION = {"latex": "str", "sympy": "str"}
CONFRONTATION = {
    "case": "str",
    "points": "int",
    "value_ulps": "float",
    "derivative_ulps": "float",
    "radii": "float",
    "outcomes": {"pass": "int"},
}
DERIVATION = {
    "name": "str",
    "title": "str",
    "standing": "str",
    "scope": "str",
    "start": EXPRESSION,
    "steps": [
        {
            "rule": "str",
            "after": EXPRESSION,
            "standing": "str",
            "hypotheses": [],
            "evidence": [EVIDENCE],
        }
    ],
    "definitions": ["str"],
    "hypotheses": [{"lhs": EXPRESSION, "rhs": EXPRESSION, "text": "str"}],
    "remark": "str",
}


def test_json_has_its_schema(sample) -> None:
    data = json.loads(render(sample, "json"))
    assert set(data) == {"schema", "ok", "problems", "provenance", "claims", "cases"}
    assert data["schema"] == SCHEMA == "gradcheck.derivations/2"
    assert data["ok"] is True
    assert set(data["provenance"]) == {
        "versions",
        "seed",
        "points",
        "command",
        "created",
        "seconds",
    }
    assert keys_of(data["claims"][0]) == {
        "id": "str",
        "title": "str",
        "source": "str",
        "statement": "str",
        "status": "str",
        "known_wrong": "bool",
        "expected": "bool",
        "evidence": [EVIDENCE],
        "witness": "NoneType",
        "derivations": [DERIVATION],
        "confrontations": [CONFRONTATION],
        "table": [],
    }
    wrong = next(c for c in data["claims"] if c["id"] == "B4")
    assert (wrong["status"], wrong["known_wrong"], wrong["expected"]) == ("refuted", True, True)
    assert set(wrong["witness"]) == {"point", "claimed", "true", "explanation"}
    assert set(data["cases"][0]) == {
        "name",
        "source",
        "standing",
        "derivations",
        "code",
        "confrontation",
        "points",
    }


def test_json_has_no_words_of_its_own_for_numbers(sample, make_point) -> None:
    bad = make_point(value_ulps=float("inf"), radii=float("nan"))
    case = dataclasses.replace(sample.cases[0], comparison=Comparison("softmax", (bad,)))
    text = render(dataclasses.replace(sample, cases=(case,)), "json")
    point = json.loads(text, parse_constant=pytest.fail)["cases"][0]["points"][0]
    assert (point["value_ulps"], point["radii"]) == ("inf", "nan")


def test_text_has_a_line_for_everything_and_the_verdict(sample) -> None:
    text = render(sample, "text")
    for c in sample.claims:
        assert re.search(rf"^{c.claim.id} +Title.*{c.status.value}", text, flags=re.M)
    assert re.search(r"^softmax .* 0\.75 ulp .* 1\.50 ulp", text, flags=re.M)
    assert (
        "4 claims examined, 1 function compared, 1 of the claims refuted, as they should be" in text
    )
    assert "report.html" in text


def test_problems_come_first_everywhere(check_page, sample, make_examined) -> None:
    bad = make_examined("D1", (Evidence(Standing.REFUTED, "m", "s", "off by 3"),))
    data = dataclasses.replace(sample, claims=(bad, *sample.claims))
    assert "claim D1 is refuted: m: off by 3" in data.problems
    for form in FORMATS:
        text = render(data, form)
        assert "claim D1 is refuted: m: off by 3" in text
    assert json.loads(render(data, "json"))["ok"] is False
    page = check_page(render(data, "html"), data)
    assert page.words.index("1 problem found") < page.words.index("Summary")


@pytest.mark.parametrize("form", FORMATS)
def test_symbolic_execution_is_shown_and_must_not_fail(sample, form) -> None:
    def executed(standing: Standing) -> ReportData:
        code = CodeProof(
            Evidence(standing, "symbolic execution", "both branches, x < 1", "on 4 paths")
        )
        return dataclasses.replace(sample, cases=(dataclasses.replace(sample.cases[0], code=code),))

    good, bad = executed(Standing.PROVED_CODE), executed(Standing.UNDECIDED)
    assert good.problems == ()
    assert bad.problems == (
        "case softmax: symbolic execution of its code is undecided: on 4 paths",
    )
    text = render(good, form)
    if form != "text":
        assert "both branches, x" in text
    assert "symbolic execution of its code is undecided" in render(bad, form)


def test_an_unknown_format_is_refused(sample) -> None:
    with pytest.raises(ValueError, match="no format 'pdf'; there are html"):
        render(sample, "pdf")


# --- the real report


def test_the_real_page(check_page, full_report) -> None:
    text = render(full_report, "html")
    page = check_page(text, full_report)
    assert len(text.encode()) < 500_000
    for c in full_report.claims:
        assert c.status.value in page.words
    derivations = {d.name: d for c in full_report.cases for d in c.derivations}
    assert len(derivations) > 40
    for d in derivations.values():
        assert f'id="{anchor(d.name)}"' in text
    assert text.count("<math") > 300


def test_the_real_report_in_the_other_formats(full_report) -> None:
    check_latex(render(full_report, "latex"))
    assert render(full_report, "markdown").count("```") % 2 == 0
    data = json.loads(render(full_report, "json"))
    assert [c["id"] for c in data["claims"]] == [c.claim.id for c in full_report.claims]
    for claim in data["claims"]:
        assert claim["status"] == next(
            c.status.value for c in full_report.claims if c.claim.id == claim["id"]
        )
