"""How a run is written: whole texts, and what survives a parser."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree as ET

import pytest

from gradcheck import Outcome, Reason, Report
from gradcheck._report.formats import Checked, Run, TextStyle, as_json, github, junit, text
from gradcheck._report.report import Diagnosis, Probe, WrongEntry

PASS = Report(
    outcome=Outcome.PASS,
    reason=Reason.AGREEMENT,
    message="agrees along 3 directions",
    name="softmax",
    kind="vjp",
    evaluations=33,
    claim_evaluations=7,
    resolution=2.5e-10,
    miss_probability=1e-6,
    rtol=1e-6,
    seed=7,
    probes=(Probe("random signs", 1.5, 1.5, 1e-12, 2.0, 1e-10),),
)
FAIL = Report(
    outcome=Outcome.FAIL,
    reason=Reason.DISAGREEMENT,
    message="1 of 6 entries is wrong: x0[1, 2] is 0.5, numerically 1",
    name="loss",
    kind="grad",
    evaluations=61,
    claim_evaluations=5,
    resolution=2.5e-10,
    miss_probability=1e-6,
    rtol=1e-6,
    seed=7,
    wrong_entries=(WrongEntry(0, "", (1, 2), None, 0.5, 1.0, 1e-11),),
    diagnosis=Diagnosis("factor", "the claim is 0.5 times the derivative"),
    probes=(Probe("random signs", 1.5, 2.0, 1e-12, 2.0, 1e-10),),
)
INCONCLUSIVE = Report(
    outcome=Outcome.INCONCLUSIVE,
    reason=Reason.NOISE,
    message="f is too noisy: an error of 3e-04 would be invisible",
    name="noisy",
    kind="grad",
    evaluations=90,
    claim_evaluations=3,
    resolution=float("inf"),
    miss_probability=1.0,
    rtol=1e-6,
    seed=8,
    probes=(Probe("random signs", 1.0, 1.1, 0.25, 1.0, 0.25, reason="noise of f"),),
)
CONSTANT = replace(
    PASS, name="zero", reason=Reason.CONSTANT, message="f does not vary; its derivative is 0"
)


def run_of(*reports: Report, fail_on: Outcome = Outcome.INCONCLUSIVE, **changes: object) -> Run:
    checked = tuple(
        replace(
            Checked(r, "mine:CASES", f"gradcheck run mine:CASES --seed 7 --select {r.name}"),
            **changes,
        )
        for r in reports
    )
    return Run(checked, 7, "gradcheck run mine --seed 7", fail_on)


EVERYTHING = run_of(PASS, FAIL, INCONCLUSIVE, CONSTANT)


# -- text ---------------------------------------------------------------------------------------

PASSING_LINES = """\
pass  softmax [vjp]  33 evaluations, resolution 2.5e-10
"""
FAILING_TEXT = """\
FAIL  loss [grad]: 1 of 6 entries is wrong: x0[1, 2] is 0.5, numerically 1

  entry     claimed  numerical  ± radius  claimed/numerical
  x0[1, 2]  0.5      1          1.0e-11   0.5

  looks like: the claim is 0.5 times the derivative
  would have seen: an error of 2.5e-10 of the gradient's size (chance of missing one: 1e-06)
  tried: 1 direction, 61 evaluations of f, 5 of the grad; rerun with rng=7
  reproduce: gradcheck run mine:CASES --seed 7 --select loss

"""
INCONCLUSIVE_TEXT = """\
INCONCLUSIVE  noisy [grad]: f is too noisy: an error of 3e-04 would be invisible

  direction     claimed  numerical  ± radius
  random signs  1        1.1        2.5e-01   noise of f
  tried: 1 direction, 90 evaluations of f, 3 of the grad; rerun with rng=8
  reproduce: gradcheck run mine:CASES --seed 7 --select noisy

"""
CONSTANT_LINE = """\
pass  zero [vjp]  33 evaluations, resolution 2.5e-10; f does not vary; its derivative is 0
"""
REPRODUCE_LINE = "seed 7; reproduce: gradcheck run mine --seed 7\n"


def test_text_is_a_line_for_each_pass_the_evidence_for_each_finding_and_the_counts() -> None:
    assert text(EVERYTHING, TextStyle()) == (
        PASSING_LINES
        + FAILING_TEXT
        + INCONCLUSIVE_TEXT
        + CONSTANT_LINE
        + REPRODUCE_LINE
        + "4 claims: 2 pass, 1 fail, 1 inconclusive\n"
    )


def test_quiet_text_is_the_findings_and_the_counts() -> None:
    assert text(EVERYTHING, TextStyle(verbosity=-1)) == (
        FAILING_TEXT + INCONCLUSIVE_TEXT + "4 claims: 2 pass, 1 fail, 1 inconclusive\n"
    )


def test_verbose_text_is_the_whole_report_of_a_pass_too() -> None:
    assert text(run_of(PASS), TextStyle(verbosity=1)) == (
        f"{PASS}\n  reproduce: gradcheck run mine:CASES --seed 7 --select softmax\n\n"
        f"{REPRODUCE_LINE}1 claim: 1 pass, 0 fail, 0 inconclusive\n"
    )


def test_what_is_no_finding_keeps_its_verdict_line() -> None:
    written = text(run_of(INCONCLUSIVE, fail_on=Outcome.FAIL), TextStyle())
    assert written == (
        INCONCLUSIVE_TEXT.splitlines(keepends=True)[0]
        + REPRODUCE_LINE
        + "1 claim: 0 pass, 0 fail, 1 inconclusive\n"
    )


def test_colour_marks_the_verdicts_and_nothing_else() -> None:
    plain = text(EVERYTHING, TextStyle(verbosity=1))
    coloured = text(EVERYTHING, TextStyle(verbosity=1, colour=True))
    assert "\x1b[1;31mFAIL\x1b[0m  loss [grad]" in coloured
    assert "\x1b[32mPASS\x1b[0m  softmax [vjp]" in coloured
    assert "\x1b[33mINCONCLUSIVE\x1b[0m  noisy" in coloured
    for code in ("\x1b[0m", "\x1b[32m", "\x1b[33m", "\x1b[1;31m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain
    assert "\x1b" not in plain


# -- findings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fail_on", "names"),
    [(Outcome.INCONCLUSIVE, ["loss", "noisy"]), (Outcome.FAIL, ["loss"])],
)
def test_what_counts_as_a_finding(fail_on: Outcome, names: list[str]) -> None:
    run = replace(EVERYTHING, fail_on=fail_on)
    assert [c.report.name for c in run.findings] == names
    assert run.counts == {"pass": 2, "fail": 1, "inconclusive": 1}


# -- JSON ---------------------------------------------------------------------------------------


def _no_constants(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def test_json_is_strict_and_complete() -> None:
    document = json.loads(as_json(EVERYTHING), parse_constant=_no_constants)
    assert document == {
        "schema": "gradcheck.run/1",
        "command": "gradcheck run mine --seed 7",
        "seed": 7,
        "fail_on": "inconclusive",
        "counts": {"pass": 2, "fail": 1, "inconclusive": 1},
        "reports": [r.to_dict() for r in (PASS, FAIL, INCONCLUSIVE, CONSTANT)],
    }
    assert document["reports"][2]["resolution"] == "inf"


def test_what_json_cannot_say_is_an_error_and_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_json(replace(EVERYTHING, seed=float("nan")))


# -- JUnit --------------------------------------------------------------------------------------


def test_junit_counts_are_those_of_its_elements() -> None:
    suite = ET.fromstring(junit(EVERYTHING))[0]
    assert suite.attrib == {
        "name": "gradcheck",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    assert [len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error")] == [1, 1]
    assert [(t.get("classname"), t.get("name")) for t in suite.findall("testcase")] == [
        ("mine:CASES", "softmax [vjp]"),
        ("mine:CASES", "loss [grad]"),
        ("mine:CASES", "noisy [grad]"),
        ("mine:CASES", "zero [vjp]"),
    ]
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties == {"seed": "7", "command": "gradcheck run mine --seed 7"}


def test_junit_holds_the_whole_evidence() -> None:
    failure = ET.fromstring(junit(EVERYTHING)).find(".//failure")
    assert failure is not None
    assert failure.attrib == {"message": FAIL.message, "type": "disagreement"}
    assert failure.text == FAILING_TEXT.removesuffix("\n")


def test_junit_skips_what_is_no_finding() -> None:
    suite = ET.fromstring(junit(run_of(INCONCLUSIVE, fail_on=Outcome.FAIL)))[0]
    assert (suite.get("errors"), suite.get("skipped")) == ("0", "1")
    assert suite.find("testcase/skipped") is not None


def test_junit_survives_what_xml_cannot_say() -> None:
    nasty = replace(FAIL, message='a < b & "c" > d \x00 \x1b[0m \ud800 \U0001f600 ]]>')
    document = junit(run_of(nasty)).encode("utf-8")
    failure = ET.fromstring(document).find(".//failure")
    assert failure is not None
    assert failure.get("message") == ('a < b & "c" > d \\x00 \\x1b[0m \\ud800 \U0001f600 ]]>')


# -- GitHub -------------------------------------------------------------------------------------


def _unescape(written: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r")):
        written = written.replace(code, character)
    return written.replace("%25", "%")


def test_github_annotates_the_line_of_the_claim() -> None:
    lines = github(run_of(PASS, FAIL, path="src/a,b.py", line=12)).splitlines()
    assert len(lines) == 3  # the pass has none; then the command and the counts
    nothing, properties, message = lines[0].split("::", 2)
    assert nothing == ""
    assert properties == "error title=gradcheck%3A loss [grad] fail,file=src/a%2Cb.py,line=12"
    assert _unescape(message) == FAILING_TEXT.removesuffix("\n\n")
    assert lines[1:] == [
        "gradcheck run mine --seed 7",
        "2 claims: 1 pass, 1 fail, 0 inconclusive",
    ]


def test_github_warns_of_what_is_no_finding() -> None:
    written = github(run_of(INCONCLUSIVE, fail_on=Outcome.FAIL))
    assert written.startswith("::warning title=gradcheck%3A noisy [grad] inconclusive::INCON")


def test_github_escapes_what_would_end_the_command() -> None:
    nasty = replace(FAIL, name="a::b,c", message="50 % off\r\n::error::forged")
    first, *rest = github(run_of(nasty)).splitlines()
    assert first.startswith("::error title=gradcheck%3A a%3A%3Ab%2Cc [grad] fail::FAIL  a::b,c")
    assert "50 %25 off%0D%0A::error::forged" in first
    assert not any(line.startswith("::") for line in rest)


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [partial(text, style=TextStyle()), github, junit], ids=["text", "github", "junit"]
)
def test_a_name_of_several_lines_makes_no_second_verdict(form: Callable[[Run], str]) -> None:
    ordinary = replace(EVERYTHING, fail_on=Outcome.FAIL)
    named = (
        replace(c.report, name=f"né'\nFAIL\r\u2028\x1b{c.report.name}") for c in ordinary.checked
    )
    checked = zip(ordinary.checked, named, strict=True)
    strange = replace(ordinary, checked=tuple(replace(c, report=r) for c, r in checked))
    shown = "né'\\nFAIL\\r\\u2028\\x1b"
    assert shown in form(strange)
    assert form(strange).replace(shown, "") == form(ordinary)
