"""The pytest plugin: the fixture `check_gradient`, a seed for the session, a record of every check.

pytest imports this module at the start of every run in an environment where the package is
installed, so it imports neither NumPy nor anything that does; the engine is loaded by the first
test that uses it.

Every report that `gradcheck.assert_gradient` makes during a test is folded into one property of
that test (the hundred examples of a property-based test into one record).  Properties travel with
the test's report, also from the worker processes of pytest-xdist, and appear in JUnit files.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck._report.record import observing
from gradcheck._report.report import GradientError
from gradcheck._report.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gradcheck._report.report import Report

SCHEMA = "gradcheck.pytest/1"
PROPERTY = "gradcheck"
SHOWN_MARGINS = 3

_seed = pytest.StashKey[int]()
_tallies = pytest.StashKey[Tallies]()


# -- options ------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that begin with ``--gradcheck-``."""
    group = parser.getgroup("gradcheck", "gradient checks")
    group.addoption(
        "--gradcheck-seed",
        type=_not_negative,
        metavar="N",
        help="seed of the fixture check_gradient (default: a fresh one, shown in the header)",
    )
    group.addoption(
        "--gradcheck-json",
        type=Path,
        metavar="PATH",
        help="write what the gradient checks of each test found to this file",
    )
    group.addoption(
        "--gradcheck-show-worst",
        type=_not_negative,
        metavar="N",
        help=f"show the N tightest margins (default: {SHOWN_MARGINS}, with findings or -v)",
    )


def _not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number that is not negative")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Settle the session's seed; a worker process takes over that of its controller."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[_seed] = workerinput["gradcheck_seed"]
        return
    given = config.getoption("--gradcheck-seed")
    config.stash[_seed] = secrets.randbelow(2**31) if given is None else given
    path = config.getoption("--gradcheck-json")
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise pytest.UsageError(f"--gradcheck-json={path}: not a file in an existing directory")
    config.pluginmanager.register(Collector(), "gradcheck-collector")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker process of pytest-xdist."""
    node.workerinput["gradcheck_seed"] = node.config.stash[_seed]


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed."""
    return f"gradcheck: --gradcheck-seed={config.stash[_seed]}"


# -- in the process that runs the tests ----------------------------------------------------------


@pytest.fixture(scope="session")
def check_gradient(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """`gradcheck.assert_gradient` with the session's seed.

    Takes the same arguments; ``rng=`` overrides the seed.  The seed is the same for every call, so
    that a property-based test finds again what it found.
    """
    from gradcheck import assert_gradient  # on first use: this import loads NumPy

    return partial(assert_gradient, rng=pytestconfig.stash[_seed])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Listen to the checks of a test, its fixtures included."""
    item.stash[_tallies] = Tallies()
    with observing(item.stash[_tallies].add):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the record so far into the test's properties, in place of an earlier one."""
    if call.excinfo is not None:
        _hear_of(call.excinfo.value, item.stash[_tallies])
    tallies = item.stash[_tallies].to_list()
    if tallies:
        others = [(key, value) for key, value in item.user_properties if key != PROPERTY]
        item.user_properties[:] = [*others, (PROPERTY, json.dumps(tallies))]
    return (yield)


def _hear_of(error: BaseException, tallies: Tallies) -> None:
    """Count the finding behind an error, if it was made out of hearing: in a thread or process.

    pytest itself chains the error of a thread to the one that it raises.
    """
    for raised in (error, error.__cause__):
        if isinstance(raised, GradientError) and not tallies.has(raised.report):
            tallies.add(raised.report)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Call a case by its name in the identifiers of parametrised tests."""
    module = sys.modules.get("gradcheck._case.case")
    return val.name if module is not None and isinstance(val, module.Case) else None


# -- in the process that reports ------------------------------------------------------------------


class Collector:
    """Gathers the records of all tests, whichever process ran them."""

    def __init__(self) -> None:
        self.claims: dict[str, list[dict[str, Any]]] = {}
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the latest record of each test, and how the test ended."""
        node = report.nodeid
        for key, value in report.user_properties:
            if key == PROPERTY:
                self.claims[node] = json.loads(str(value))
        if report.failed or self.outcomes.get(node, "passed") == "passed":
            self.outcomes[node] = "xfailed" if hasattr(report, "wasxfail") else report.outcome

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file that ``--gradcheck-json`` asks for."""
        path = session.config.getoption("--gradcheck-json")
        if path is None:
            return
        document = {
            "schema": SCHEMA,
            "seed": session.config.stash[_seed],
            "tests": [
                {"test": node, "outcome": self.outcomes[node], "claims": claims}
                for node, claims in sorted(self.claims.items())
            ],
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the findings of tests that did not pass, and the tightest margins."""
        findings = self._findings()
        config = terminalreporter.config
        wanted = config.getoption("--gradcheck-show-worst")
        if not findings and wanted is None and config.get_verbosity() <= 0:
            return
        margins = self._margins(SHOWN_MARGINS if wanted is None else wanted)
        if not findings and not margins:
            return
        terminalreporter.write_sep("=", "gradcheck")
        for line in findings:
            terminalreporter.write_line(line)
        if margins:
            terminalreporter.write_line(
                "tightest margins, as shares of the tolerance (above 1 a claim disagrees):"
            )
        for line in margins:
            terminalreporter.write_line(line)

    def _findings(self) -> list[str]:
        return [
            f"{node}: {claim['finding']['outcome']}: {claim['name']} [{claim['kind']}], "
            f"{_times(claim)}\n  {claim['finding']['message']}"
            for node, claims in sorted(self.claims.items())
            for claim in claims
            if claim["finding"] is not None and self.outcomes[node] in ("failed", "skipped")
        ]

    def _margins(self, count: int) -> list[str]:
        found = [
            (float(claim["tightest"]["used_tolerance"]), node, f"{claim['name']} [{claim['kind']}]")
            for node, claims in self.claims.items()
            for claim in claims
            if claim["tightest"] is not None
        ]
        found.sort(key=lambda row: (-row[0], row[1:]))
        return [f"  {share:7.1e}  {claim}  {node}" for share, node, claim in found[:count]]


def _times(claim: dict[str, Any]) -> str:
    bad = claim["failed"] + claim["inconclusive"]
    return f"{bad} of {claim['checks']} check{'s' * (claim['checks'] != 1)}"
