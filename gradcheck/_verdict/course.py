"""The course that every check takes: it begins, comes to a verdict, and is reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gradcheck._claim.blame import without_us
from gradcheck._claim.compare import Comparison, Made
from gradcheck._claim.conduct import (
    Witnessed,
    claim_is_linear,
    function_is_usable,
    looked_at_in_float64,
    must_suit_output,
    overlooked,
)
from gradcheck._claim.finding import Violation
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import claim_rtol
from gradcheck._estimate.directions import MISS_PROBABILITY
from gradcheck._estimate.line import quiet
from gradcheck._report.report import Report
from gradcheck._verdict.endings import Verdict
from gradcheck._verdict.settings import Settings

DIRECTIONS = 3  # what is compared before a claim that disagrees is called wrong
COARSEST_RESOLUTION = 1e-2  # a pass that couldn't have seen an error of this size isn't one


class Course(ABC):
    """A check under way.

    Parameters
    ----------
    problem : Problem
        f and the claim, not yet begun.
    settings : Settings
        What the caller chose.

    Attributes
    ----------
    rtol : float
        Relative error of the claim that is tolerated; zero until the problem has begun.
    notes : list of str
        For the report.
    miss_probability : float
        The chance that an error of the size of the resolution is missed.
    """

    miss_probability = MISS_PROBABILITY

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem = problem
        self.settings = settings
        self.rtol = 0.0
        self.notes: list[str] = []

    @abstractmethod
    def verdict(self) -> Verdict:
        """Run the check; may raise a Violation instead."""

    @abstractmethod
    def comparisons(self) -> Sequence[Comparison]:
        """Return those made so far, as evidence."""

    @abstractmethod
    def question(self) -> Made:
        """Return what makes the cotangent (the direction, for a jvp and an hvp) that the claim is asked twice."""

    def report(self) -> Report:
        """Run the check and report."""
        cause = None
        try:
            with quiet():
                ended = self.verdict()
        except Violation as finding:
            cause = finding.__cause__
            found = finding.outcome, finding.reason, finding.message
            ended = Verdict(*found, diagnosis=finding.diagnosis)
        problem, settings = self.problem, self.settings
        return Report(
            outcome=ended.outcome,
            reason=ended.reason,
            message=ended.message,
            name=settings.name,
            kind=problem.kind,
            evaluations=problem.calls.calls,
            claim_evaluations=problem.claim_calls.calls,
            resolution=ended.resolution,
            miss_probability=self.miss_probability,
            rtol=self.rtol,
            seed=settings.seed,
            wrong_entries=ended.wrong_entries,
            diagnosis=ended.diagnosis,
            probes=tuple(c.probe() for c in self.comparisons()),
            notes=tuple(self.notes),
            cause=without_us(cause),
        )

    def begin(self) -> Witnessed:
        """Evaluate f and the claim at x; return the claim's answer, to see whether it holds."""
        problem = self.problem
        problem.begin()
        note = function_is_usable(problem)
        if note:
            self.notes.append(note)
        self.notes += looked_at_in_float64(problem)
        must_suit_output(problem)
        self.rtol = claim_rtol(problem, self.settings.rtol)
        witnessed = Witnessed(problem, self.question())
        self.notes += overlooked(problem)
        return witnessed

    def finish(self, witnessed: Witnessed) -> None:
        """Check the claim's conduct, now that f has been evaluated elsewhere."""
        witnessed.still_holds()
        claim_is_linear(self.problem)

    @property
    def required(self) -> float:
        """The error that the numerical side must be able to see."""
        chosen = self.settings.rtol
        return COARSEST_RESOLUTION if chosen is None else max(chosen, self.rtol)
