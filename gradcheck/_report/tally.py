"""Many reports about one derivative, folded into one record.

A property-based test makes hundreds of reports about the same claim.  What a reader wants of them
is how many there were, how they ended, which passing one came closest to its tolerance, and the
last finding (the last one, because a test that shrinks its input ends with the simplest).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from gradcheck._report.report import Outcome, Probe, Report


def used_tolerance(report: Report) -> float:
    """Return the largest share that a compared direction used of what it was allowed to differ by.

    The share is ``|claimed − numerical| / allowed``: 0 is perfect agreement, 1 is the edge, which no
    pass exceeds.  A report without compared directions used nothing: 0.
    """
    return max(map(_share, report.probes), default=0.0)


def _share(probe: Probe) -> float:
    if probe.interval is not None:
        return (
            0.0  # at a kink a claim is inside the interval or not; there is no distance to use up
        )
    difference = abs(probe.claimed - probe.numerical)
    if difference == 0:
        return 0.0
    share = difference / probe.allowed if probe.allowed > 0 else math.inf
    return math.inf if math.isnan(share) else share


@dataclass(frozen=True, slots=True)
class Tally:
    """The reports about one claim.

    Parameters
    ----------
    name, kind : str
        The claim: the function's name and grad, jac, vjp or jvp.
    passed, failed, inconclusive : int
        How many reports ended how.
    evaluations : int
        Calls of f, all reports together.
    tightest : Report or None
        The passing report that used most of its tolerance.
    finding : Report or None
        The last report that did not pass.
    """

    name: str
    kind: str
    passed: int = 0
    failed: int = 0
    inconclusive: int = 0
    evaluations: int = 0
    tightest: Report | None = None
    finding: Report | None = None

    @property
    def checks(self) -> int:
        """The number of reports."""
        return self.passed + self.failed + self.inconclusive

    def add(self, report: Report) -> Tally:
        """Return the tally with one more report."""
        more = replace(self, evaluations=self.evaluations + report.evaluations)
        if report.outcome is Outcome.FAIL:
            return replace(more, failed=self.failed + 1, finding=report)
        if report.outcome is Outcome.INCONCLUSIVE:
            return replace(more, inconclusive=self.inconclusive + 1, finding=report)
        closest = self.tightest
        if closest is None or used_tolerance(report) > used_tolerance(closest):
            closest = report
        return replace(more, passed=self.passed + 1, tightest=closest)

    def to_dict(self) -> dict[str, Any]:
        """Return the tally as JSON-safe data."""
        tightest = None
        if self.tightest is not None:
            share = used_tolerance(self.tightest)
            tightest = {
                "used_tolerance": share if math.isfinite(share) else repr(share),
                "resolution": self.tightest.to_dict()["resolution"],
                "seed": self.tightest.seed,
            }
        return {
            "name": self.name,
            "kind": self.kind,
            "checks": self.checks,
            "passed": self.passed,
            "failed": self.failed,
            "inconclusive": self.inconclusive,
            "evaluations": self.evaluations,
            "tightest": tightest,
            "finding": None if self.finding is None else self.finding.to_dict(),
        }


class Tallies:
    """The tallies of one test, one per claim, in order of first appearance."""

    def __init__(self) -> None:
        self._by_claim: dict[tuple[str, str], Tally] = {}

    def add(self, report: Report) -> None:
        """Count one more report."""
        claim = report.name, report.kind
        self._by_claim[claim] = self._by_claim.get(claim, Tally(*claim)).add(report)

    def has(self, report: Report) -> bool:
        """Whether this very report is the last finding about its claim."""
        tally = self._by_claim.get((report.name, report.kind))
        return tally is not None and tally.finding is report

    def to_list(self) -> list[dict[str, Any]]:
        """Return every tally as JSON-safe data."""
        return [t.to_dict() for t in self._by_claim.values()]
