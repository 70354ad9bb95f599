"""Findings that end a check where they are made: that a claim is wrong, or that nothing can be told."""

from __future__ import annotations

from gradcheck._report.report import Diagnosis, Outcome, Reason


class Violation(Exception):  # noqa: N818 -- a finding about the user's code, not an error of ours
    """A finding that ends a check."""

    def __init__(
        self, outcome: Outcome, reason: Reason, message: str, diagnosis: Diagnosis | None = None
    ) -> None:
        # a report's first line is the whole verdict: what others wrote over several lines becomes one
        message = " ".join(message.split())
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason
        self.message = message
        self.diagnosis = diagnosis


def failure(reason: Reason, message: str, diagnosis: Diagnosis | None = None) -> Violation:
    """Return the finding that a claim is wrong."""
    return Violation(Outcome.FAIL, reason, message, diagnosis)


def undecided(reason: Reason, message: str) -> Violation:
    """Return the finding that nothing can be told."""
    return Violation(Outcome.INCONCLUSIVE, reason, message)
