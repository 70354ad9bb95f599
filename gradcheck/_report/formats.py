"""How a run is written down: for a person, for a program, for a test server, for GitHub's log.

Each format is a function of the finished run alone, so that the same run gives the same text.
`text` is also available in pieces, for a terminal that wants each line as soon as it is known.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from gradcheck._report.report import Outcome, Reason, Report

SCHEMA = "gradcheck.run/1"

_COLOURS = {Outcome.PASS: "32", Outcome.FAIL: "1;31", Outcome.INCONCLUSIVE: "33"}
# Everything that XML 1.0 has no way to write, not even as a character reference.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Checked:
    """One claim that was checked, and where it came from.

    Parameters
    ----------
    report : Report
        What was found.
    target : str
        The target of the command line that named it.
    reproduce : str
        The command that checks this claim again, with the same random numbers.
    path : str or None
        The file of the claim, relative to the current directory, if it is below it.
    line : int or None
        The line there.
    """

    report: Report
    target: str
    reproduce: str
    path: str | None = None
    line: int | None = None

    @property
    def label(self) -> str:
        """The name and the kind, such as ``softmax [vjp]``."""
        return f"{_one_line(self.report.name)} [{self.report.kind}]"

    @property
    def evidence(self) -> str:
        """The whole report, and how to see it again."""
        shown = replace(self.report, name=_one_line(self.report.name))
        return f"{shown}\n  reproduce: {self.reproduce}"


def _one_line(name: str) -> str:
    """Write out a name's line ends and terminal codes, which could pass for another verdict."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one command checked.

    Parameters
    ----------
    checked : tuple of Checked
        In the order of the command line.
    seed : int
        Where its random numbers started.
    reproduce : str
        The command that runs all of it again.
    fail_on : Outcome
        ``INCONCLUSIVE``: what could not be judged is a finding; ``FAIL``: it is not.
    """

    checked: tuple[Checked, ...]
    seed: int
    reproduce: str
    fail_on: Outcome

    @property
    def findings(self) -> tuple[Checked, ...]:
        """What makes the command exit with 1."""
        return tuple(c for c in self.checked if is_finding(c.report, self.fail_on))

    @property
    def counts(self) -> dict[str, int]:
        """How many claims ended in each outcome."""
        found = Counter(c.report.outcome for c in self.checked)
        return {outcome.value: found[outcome] for outcome in Outcome}


def is_finding(report: Report, fail_on: Outcome) -> bool:
    """Whether a report counts against the code that was checked."""
    return report.outcome in (Outcome.FAIL, fail_on)


# -- text ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How much a person wants to read, and whether in colour.

    Parameters
    ----------
    verbosity : int
        Negative: findings and the last line; 0: a line for every passing claim too; positive: the
        whole report of every claim.
    colour : bool
        Whether the verdicts are coloured with ANSI codes.
    """

    verbosity: int = 0
    colour: bool = False


def text(run: Run, style: TextStyle) -> str:
    """Write a run for a person: see `text_of_claim` and `text_of_end`."""
    claims = (text_of_claim(c, run.fail_on, style) for c in run.checked)
    return "".join(claims) + text_of_end(run, style)


def text_of_claim(checked: Checked, fail_on: Outcome, style: TextStyle) -> str:
    """Write one claim: a line where it passes, the whole report where it is a finding."""
    report = checked.report
    if is_finding(report, fail_on) or style.verbosity > 0:
        lines = [*checked.evidence.split("\n"), ""]
    elif style.verbosity < 0:
        return ""
    elif report.outcome is Outcome.PASS:
        lines = [_passing_line(checked)]
    else:
        lines = [checked.evidence.partition("\n")[0]]
    return "\n".join([_coloured(lines[0], report.outcome, style), *lines[1:], ""])


def text_of_end(run: Run, style: TextStyle) -> str:
    """Write the command that runs everything again, and the counts."""
    again = "" if style.verbosity < 0 else f"seed {run.seed}; reproduce: {run.reproduce}\n"
    return f"{again}{summary(run)}\n"


def _passing_line(checked: Checked) -> str:
    report = checked.report
    line = f"pass  {checked.label}  {report.evaluations} evaluations"
    if math.isfinite(report.resolution):
        line += f", resolution {report.resolution:.1e}"
    # A pass for an unusual reason is not a pass like the others: say what it rests on.
    return line if report.reason is Reason.AGREEMENT else f"{line}; {report.message}"


def summary(run: Run) -> str:
    """Count the claims by outcome, in one line."""
    total = len(run.checked)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in run.counts.items())
    return f"{total} claim{'s' * (total != 1)}: {counts}"


def _coloured(line: str, outcome: Outcome, style: TextStyle) -> str:
    if not style.colour:
        return line
    verdict, gap, rest = line.partition(" ")
    return f"\x1b[{_COLOURS[outcome]}m{verdict}\x1b[0m{gap}{rest}"


# -- JSON, JUnit, GitHub --------------------------------------------------------------------------


def as_json(run: Run) -> str:
    """Write a run as JSON, with the reports as `Report.to_dict` gives them."""
    document = {
        "schema": SCHEMA,
        "command": run.reproduce,
        "seed": run.seed,
        "fail_on": run.fail_on.value,
        "counts": run.counts,
        "reports": [c.report.to_dict() for c in run.checked],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def junit(run: Run) -> str:
    """Write a run as JUnit XML.

    A wrong claim is a failure; one that could not be judged is an error, or skipped where it is no
    finding.  Test servers take testcases of one name for one test, so a claim that is checked again
    is numbered: ``softmax [vjp]``, ``softmax [vjp] #2``.
    """
    suite = ET.Element("testsuite", name="gradcheck")
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="seed", value=str(run.seed))
    ET.SubElement(properties, "property", name="command", value=_xml(run.reproduce))
    counts: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for checked in run.checked:
        classname, name = _xml(checked.target), _xml(checked.label)
        seen[classname, name] += 1
        if seen[classname, name] > 1:
            name += f" #{seen[classname, name]}"
        test = ET.SubElement(suite, "testcase", classname=classname, name=name)
        tag = _junit_tag(checked.report, run.fail_on)
        counts[tag] += 1
        if tag:
            report = checked.report
            child = ET.SubElement(test, tag, message=_xml(report.message), type=report.reason.value)
            child.text = _xml(f"{checked.evidence}\n")
    suite.set("tests", str(len(run.checked)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _junit_tag(report: Report, fail_on: Outcome) -> str:
    if report.outcome is Outcome.PASS:
        return ""
    if report.outcome is Outcome.FAIL:
        return "failure"
    return "error" if is_finding(report, fail_on) else "skipped"


def _xml(value: str) -> str:
    return _NOT_XML.sub(lambda found: ascii(found[0])[1:-1], value)


def github(run: Run) -> str:
    """Write a run as workflow commands, which GitHub shows at the lines of the change."""
    lines = [
        _annotation(c, "error" if is_finding(c.report, run.fail_on) else "warning")
        for c in run.checked
        if c.report.outcome is not Outcome.PASS
    ]
    return "\n".join([*lines, run.reproduce, summary(run), ""])


def _annotation(checked: Checked, level: str) -> str:
    properties = {"title": f"gradcheck: {checked.label} {checked.report.outcome.value}"}
    if checked.path is not None:
        properties |= {"file": checked.path, "line": str(checked.line)}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {written}::{_data(checked.evidence)}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
