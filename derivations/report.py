"""The whole report as one frozen record: examine everything first, render afterwards.

`assemble` runs the examinations; what comes out is data that every renderer reads and none changes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from derivations.plan import using
from derivations.provenance import describe
from derivations.records import Evidence, Finding, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from derivations.confrontation.cases import ExaminedCase
    from derivations.confrontation.figures import StepCurve
    from derivations.plan import Plan
    from derivations.provenance import Provenance
    from derivations.records import Claim


class SelectionError(ValueError):
    """A name that is neither a claim nor a case."""


@dataclass(frozen=True, slots=True)
class ExaminedClaim:
    """A claim with what was found out about it.

    Parameters
    ----------
    claim : Claim
        The row.
    finding : Finding
        The outcome of its examination.
    """

    claim: Claim
    finding: Finding

    @property
    def status(self) -> Standing:
        """The status, computed from the evidence."""
        return self.finding.status

    @property
    def expected(self) -> bool:
        """Whether a wrong claim of a source was refuted, and any other one upheld."""
        if self.claim.known_wrong:
            return self.status is Standing.REFUTED
        return self.status not in (Standing.REFUTED, Standing.UNDECIDED)


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a renderer may show."""

    claims: tuple[ExaminedClaim, ...]
    cases: tuple[ExaminedCase, ...]
    curve: StepCurve | None
    provenance: Provenance

    @property
    def problems(self) -> tuple[str, ...]:
        """Every reason why the report is not as it should be; none means success."""
        return (
            *(p for c in self.claims for p in _claim_problems(c)),
            *(p for c in self.cases for p in c.problems),
        )


def _claim_problems(examined: ExaminedClaim) -> list[str]:
    claim, status = examined.claim, examined.status
    problems = []
    if not examined.expected and claim.known_wrong:
        problems.append(f"claim {claim.id} is known to be wrong but came out as {status.value!r}")
    elif not examined.expected:
        worst = max(examined.finding.evidence, key=lambda e: e.standing.rank, default=None)
        reason = f": {worst.method}: {worst.detail}" if worst is not None else ""
        problems.append(f"claim {claim.id} is {status.value}{reason}")
    if status is Standing.REFUTED and claim.known_wrong and examined.finding.witness is None:
        problems.append(f"claim {claim.id} is refuted without a witness")
    return problems


@dataclass(frozen=True, slots=True)
class Selection:
    """Which claims and cases a report is about."""

    claims: tuple[Claim, ...]
    cases: tuple[str, ...]


def select(names: Iterable[str], claims: tuple[Claim, ...], cases: tuple[str, ...]) -> Selection:
    """Return what the names stand for; no names stand for everything.

    Parameters
    ----------
    names : iterable of str
        Ids of claims (``A7``; case is ignored), names of cases (``softmax``), or shell patterns
        such as ``"B*"``.
    claims : tuple of Claim
        All claims.
    cases : tuple of str
        The names of all cases.

    Raises
    ------
    SelectionError
        If a name fits nothing, or there is nothing to select from.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        if not claims and not cases:
            raise SelectionError("nothing is selected: there are no claims and no cases")
        return Selection(claims, cases)
    chosen_claims, chosen_cases = set(), set()
    for name in wanted:
        ids = {c.id for c in claims if fnmatchcase(c.id, name.upper())}
        rows = {c for c in cases if fnmatchcase(c, name.lower())}
        if not ids and not rows:
            raise SelectionError(
                f"nothing is called {name!r}; claims are {', '.join(c.id for c in claims)}; "
                f"cases are {', '.join(cases)}"
            )
        chosen_claims |= ids
        chosen_cases |= rows
    return Selection(
        tuple(c for c in claims if c.id in chosen_claims),
        tuple(c for c in cases if c in chosen_cases),
    )


def examine(claim: Claim) -> ExaminedClaim:
    """Examine one claim; an examination that breaks off leaves its claim undecided."""
    try:
        finding = claim.examine()
    except Exception as error:  # noqa: BLE001  # one broken examination must not hide the others
        broken = Evidence(
            Standing.UNDECIDED,
            "the examination broke off",
            "nothing",
            f"{type(error).__name__}: {error}",
        )
        finding = Finding(evidence=(broken,))
    return ExaminedClaim(claim, finding)


def assemble(
    selection: Selection,
    examine_case: Callable[[str], ExaminedCase],
    curve: Callable[[], StepCurve] | None,
    plan: Plan,
    command: str,
    progress: Callable[[str], None] = lambda _: None,
) -> ReportData:
    """Examine everything that is selected.

    Parameters
    ----------
    selection : Selection
        From `select`.
    examine_case : callable
        What to do with the name of a case.
    curve : callable or None
        Measures the plot of error against step size; None leaves it out.
    plan : Plan
        The seed and the number of points.
    command : str
        How the report was asked for, without paths.
    progress : callable
        Told what is about to be done.
    """
    started = time.perf_counter()
    with using(plan):
        claims = []
        for claim in selection.claims:
            progress(f"claim {claim.id}")
            claims.append(examine(claim))
        cases = []
        for name in selection.cases:
            progress(f"case {name}")
            cases.append(examine_case(name))
        progress("step curve" if curve is not None else "")
        measured = curve() if curve is not None else None
        progress("")
    seconds = time.perf_counter() - started
    provenance = describe(plan.points, plan.seed, command, seconds)
    return ReportData(tuple(claims), tuple(cases), measured, provenance)
