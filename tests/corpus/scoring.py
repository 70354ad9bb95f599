"""Scores a gradient checker on the corpus, and says by name which rows it got wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from corpus.records import CorpusCase

import gradcheck

OUTCOMES = ("fail", "inconclusive", "pass", "error")
_WORST_FIRST = ("fail", "error", "inconclusive", "pass")
POINTS_SEED = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a checker says at one point: its outcome, and the mistake if it names one."""

    outcome: str
    diagnosis: str = ""
    text: str = ""


Checker = Callable[[Callable[[Any], Any], Any, Callable[[Any, Any], Any], int], Answer]


@dataclass(frozen=True, slots=True)
class Scored:
    """One row with the answers at its points."""

    case: CorpusCase
    answers: tuple[Answer, ...]
    evaluations: tuple[int, ...]
    arguments_changed: bool

    @property
    def outcome(self) -> str:
        """The worst answer of all points: fail, error, inconclusive, pass."""
        given = {a.outcome for a in self.answers}
        return next(outcome for outcome in _WORST_FIRST if outcome in given)

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """What was named, where it failed."""
        return tuple(a.diagnosis for a in self.answers if a.outcome == "fail" and a.diagnosis)

    @property
    def visible(self) -> bool:
        """Whether f's values show the mistake at all."""
        return "pass" not in self.case.allowed

    @property
    def named_right(self) -> bool:
        """Whether something was named at some point, and nothing that isn't so at any."""
        return bool(self.diagnoses) and not self.misnamed

    @property
    def misnamed(self) -> bool:
        """Whether something was named that isn't so."""
        return any(d not in (self.case.mistake, *self.case.also) for d in self.diagnoses)


@dataclass(frozen=True, slots=True)
class Score:
    """The rows with their answers, and what follows from them.  All lists are of names."""

    rows: tuple[Scored, ...]

    def of_batch(self, batch: int) -> Score:
        """Return the score of one batch."""
        return Score(tuple(r for r in self.rows if r.case.batch == batch))

    def _names(self, truth: str, *outcomes: str) -> list[str]:
        return [
            r.case.name
            for r in self.rows
            if r.case.truth == truth and r.outcome in outcomes and r.outcome not in r.case.allowed
        ]

    @property
    def wrong_passed(self) -> list[str]:
        """Wrong derivatives that passed, though f's values show it."""
        return self._names("wrong", "pass")

    @property
    def wrong_open(self) -> list[str]:
        """Wrong derivatives that were inconclusive, unless that is all that can be said."""
        return self._names("wrong", "inconclusive")

    @property
    def right_failed(self) -> list[str]:
        """Right derivatives that were accused."""
        return self._names("right", "fail")

    @property
    def right_open(self) -> list[str]:
        """Right derivatives that were inconclusive, unless that is all that can be said."""
        return self._names("right", "inconclusive")

    @property
    def conventions_broken(self) -> list[str]:
        """Points without a derivative that were answered as none of the row's outcomes."""
        return self._names("convention", "fail", "inconclusive", "pass")

    @property
    def errors(self) -> list[str]:
        """Rows on which the checker broke down."""
        return [r.case.name for r in self.rows if r.outcome == "error"]

    @property
    def arguments_changed(self) -> list[str]:
        """Rows after which the caller's x was another."""
        return [r.case.name for r in self.rows if r.arguments_changed]

    @property
    def median_evaluations(self) -> float:
        """The median number of calls of f per point."""
        return median(n for r in self.rows for n in r.evaluations)

    @property
    def nameable(self) -> list[str]:
        """Wrong derivatives whose mistake has a name and whose values show it."""
        return [r.case.name for r in self._nameable()]

    @property
    def named_right(self) -> list[str]:
        """Those of them that were named."""
        return [r.case.name for r in self._nameable() if r.named_right]

    @property
    def unnamed(self) -> list[str]:
        """Those of them of which nothing was named."""
        return [r.case.name for r in self._nameable() if not r.diagnoses]

    @property
    def misnamed(self) -> list[str]:
        """Rows of any truth about which something was named that isn't so."""
        return [
            f"{r.case.name} ({', '.join(dict.fromkeys(r.diagnoses))})"
            for r in self.rows
            if r.misnamed
        ]

    def _nameable(self) -> Iterator[Scored]:
        for r in self.rows:
            if r.case.truth == "wrong" and r.case.mistake and r.visible:
                yield r

    def detected(self) -> tuple[int, int]:
        """How many visibly wrong derivatives were reported as such, and how many there are."""
        wrong = [r for r in self.rows if r.case.truth == "wrong" and r.visible]
        return sum(r.outcome == "fail" for r in wrong), len(wrong)

    def table(self) -> str:
        """What came out for each truth, then every offender by name."""
        head = f"{'':14}" + "".join(f"{outcome:>14}" for outcome in OUTCOMES)
        lines = [head]
        for truth in ("wrong", "right", "convention"):
            given = [r.outcome for r in self.rows if r.case.truth == truth]
            lines.append(f"{truth:14}" + "".join(f"{given.count(o):>14}" for o in OUTCOMES))
        named, nameable = len(self.named_right), len(self.nameable)
        reported, visible = self.detected()
        return "\n".join(
            [
                *lines,
                f"wrong ones reported: {reported} of {visible}, "
                f"mistakes named: {named} of {nameable}, "
                f"evaluations per point: median {self.median_evaluations:g}",
                *self._offenders(),
            ]
        )

    def _offenders(self) -> Iterator[str]:
        for what, names in (
            ("wrong, passed", self.wrong_passed),
            ("wrong, inconclusive", self.wrong_open),
            ("right, failed", self.right_failed),
            ("right, inconclusive", self.right_open),
            ("convention, not as expected", self.conventions_broken),
            ("errors", self.errors),
            ("x changed", self.arguments_changed),
            ("misnamed", self.misnamed),
            ("not named", self.unnamed),
        ):
            if names:
                yield f"  {what}: {', '.join(names)}"


def score(checker: Checker, cases: Iterable[CorpusCase], seed: int) -> Score:
    """Ask a checker about every row, each freshly built, its points in order."""
    return Score(tuple(_scored(checker, case, seed) for case in cases))


def _scored(checker: Checker, case: CorpusCase, seed: int) -> Scored:
    claim = case.build()
    calls = [0]

    def counted(x: Any) -> Any:
        calls[0] += 1
        return claim.f(x)

    answers, evaluations, changed = [], [], False
    for x in claim.points(np.random.default_rng(POINTS_SEED)):
        before = x.copy()
        calls[0] = 0
        try:
            answer = checker(counted, x, claim.vjp, seed)
        except Exception as error:  # noqa: BLE001 -- a checker that breaks down has an outcome too
            answer = Answer("error", text=f"{type(error).__name__}: {error}")
        answers.append(answer)
        evaluations.append(calls[0])
        changed |= not np.array_equal(before, x, equal_nan=True)
    return Scored(case, tuple(answers), tuple(evaluations), changed)


def with_gradcheck(
    f: Callable[[Any], Any], x: Any, vjp: Callable[[Any, Any], Any], seed: int
) -> Answer:
    """Ask `gradcheck.check`, with its default settings."""
    report = gradcheck.check(f, x, vjp=vjp, rng=seed)
    diagnosis = report.diagnosis.kind if report.diagnosis is not None else ""
    return Answer(report.outcome.value, diagnosis, str(report))


def select(cases: Sequence[CorpusCase], *names: str) -> list[CorpusCase]:
    """Return the rows of these names.

    Raises
    ------
    KeyError
        If there is none of a name.
    """
    by_name = {case.name: case for case in cases}
    return [by_name[name] for name in names]
