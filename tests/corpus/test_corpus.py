"""`gradcheck.check` on the corpus of right, wrong and conventional derivatives, with its default settings.

Each bar is of one batch, since a checker is improved on the batches that are known.  ``-rP`` shows
the tables.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

BATCHES = (1, 2)
SEEDS = range(10)

every_batch = pytest.mark.parametrize("batch", BATCHES)


@pytest.fixture(scope="module")
def score(scoring: ModuleType, table: ModuleType) -> Any:
    """The score of seed 0, all batches."""
    return scoring.score(scoring.with_gradcheck, table.CASES, seed=0)


def judge(score: Any) -> None:
    """Hold a batch to what must never, or hardly ever, happen."""
    assert not score.wrong_passed, score.table()
    assert not score.right_failed, score.table()
    assert not score.conventions_broken, score.table()
    assert not score.errors, score.table()
    assert not score.arguments_changed, score.table()
    assert len(score.wrong_open) <= 1, score.table()
    assert len(score.right_open) <= 1, score.table()


@every_batch
def test_verdicts(score: Any, batch: int) -> None:
    """No wrong derivative passes, no right one fails, at most one of each stays open."""
    of_batch = score.of_batch(batch)
    print(f"batch {batch}, seed 0\n{of_batch.table()}")
    judge(of_batch)


@pytest.mark.nightly
@every_batch
@pytest.mark.parametrize("seed", SEEDS)
def test_verdicts_of_other_seeds(
    scoring: ModuleType, table: ModuleType, batch: int, seed: int
) -> None:
    """The directions are random; the verdicts must not be."""
    cases = [case for case in table.CASES if case.batch == batch]
    of_seed = scoring.score(scoring.with_gradcheck, cases, seed)
    print(f"batch {batch}, seed {seed}\n{of_seed.table()}")
    judge(of_seed)


@every_batch
def test_evaluations(score: Any, batch: int) -> None:
    """A point costs sixty calls of f in the median."""
    assert score.of_batch(batch).median_evaluations <= 60, score.of_batch(batch).table()


@every_batch
def test_mistakes_are_named(score: Any, batch: int) -> None:
    """Four of five mistakes that have a name are named."""
    of_batch = score.of_batch(batch)
    assert len(of_batch.named_right) >= 0.8 * len(of_batch.nameable), of_batch.table()


@every_batch
def test_nothing_is_misnamed(score: Any, batch: int) -> None:
    """What is named is so; otherwise nothing is."""
    assert not score.of_batch(batch).misnamed, score.of_batch(batch).table()


# -- the score itself ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(scoring: ModuleType, table: ModuleType) -> Any:
    """One row of each truth, and one that f's values can't show."""
    names = ("transpose_linear", "ok_tiny_f", "conv_relu_zero", "prec_sigmoid_truncated")
    return scoring.select(table.CASES, *names)


def answering(scoring: ModuleType, outcome: str, diagnosis: str = "") -> Any:
    """Return a checker that always says the same, after one call of f."""

    def checker(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        f(x)
        return scoring.Answer(outcome, diagnosis)

    return checker


def test_a_checker_that_passes_all_is_found_out(scoring: ModuleType, few: Any) -> None:
    of_few = scoring.score(answering(scoring, "pass"), few, seed=0)
    assert of_few.wrong_passed == ["transpose_linear"]
    assert of_few.unnamed == ["transpose_linear"]
    assert not of_few.right_failed + of_few.conventions_broken + of_few.right_open
    with pytest.raises(AssertionError, match="wrong, passed: transpose_linear"):
        judge(of_few)


def test_a_checker_that_fails_all_is_found_out(scoring: ModuleType, few: Any) -> None:
    of_few = scoring.score(answering(scoring, "fail", "sign"), few, seed=0)
    assert of_few.right_failed == ["ok_tiny_f"]
    assert of_few.conventions_broken == ["conv_relu_zero"]
    assert "transpose_linear (sign)" in of_few.misnamed
    assert of_few.detected() == (1, 1)
    with pytest.raises(AssertionError, match="right, failed: ok_tiny_f"):
        judge(of_few)


def test_a_checker_that_never_decides_is_found_out(scoring: ModuleType, few: Any) -> None:
    of_few = scoring.score(answering(scoring, "inconclusive"), 2 * few, seed=0)
    assert of_few.wrong_open == 2 * ["transpose_linear"]
    assert of_few.right_open == 2 * ["ok_tiny_f"]
    with pytest.raises(AssertionError, match="wrong, inconclusive"):
        judge(of_few)


def test_a_checker_that_breaks_or_writes_into_x_is_found_out(scoring: ModuleType, few: Any) -> None:
    def checker(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        x += 1
        raise ZeroDivisionError("no")

    of_few = scoring.score(checker, few, seed=0)
    assert of_few.errors == of_few.arguments_changed == [case.name for case in few]
    with pytest.raises(AssertionError, match="errors: transpose_linear"):
        judge(of_few)


def test_the_worst_point_and_every_call_count(scoring: ModuleType, table: ModuleType) -> None:
    """One point of two that fails makes the row fail; calls are counted point by point."""
    (case,) = scoring.select(table.CASES, "transpose_linear")
    outcomes = iter(("pass", "fail"))

    def checker(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        outcome = next(outcomes)
        for _ in range(1 if outcome == "pass" else 5):
            f(x)
        return scoring.Answer(outcome, "transpose")

    (row,) = scoring.score(checker, [case], seed=0).rows
    assert row.outcome == "fail"
    assert row.evaluations == (1, 5)
    assert row.diagnoses == ("transpose",)
    assert row.named_right


# -- the table -----------------------------------------------------------------------------------

KINDS = {
    "sign", "factor", "transpose", "diagonal", "upstream", "reduction", "shift", "entry", "row",
    "argument", "exchange", "precision", "zero", "epsilon", "symmetric",
}  # fmt: skip


def test_rows_are_well_formed(table: ModuleType) -> None:
    """Unique names, known mistakes and outcomes, a mistake in wrong rows alone, and no name for right ones."""
    names = [case.name for case in table.CASES]
    assert len(set(names)) == len(names)
    for case in table.CASES:
        assert {case.mistake, *case.also} <= KINDS | {""}, case.name
        assert set(case.allowed) <= {"pass", "fail", "inconclusive"}, case.name
        assert case.truth == "wrong" or not case.mistake, case.name
        assert case.truth != "right" or not case.also, case.name
        assert case.batch in BATCHES, case.name


def test_every_truth_has_its_share(table: ModuleType) -> None:
    """A corpus of wrong derivatives alone would be passed by a checker that fails everything."""
    for batch, least in ((1, (76, 36, 7)), (2, (45, 26, 3))):
        of_batch = [case.truth for case in table.CASES if case.batch == batch]
        counts = tuple(of_batch.count(t) for t in ("wrong", "right", "convention"))
        assert counts == least, batch


def test_every_file_is_in_the_table(table: ModuleType, request: pytest.FixtureRequest) -> None:
    """A family that nobody lists would be scored nowhere."""
    listed = {family.__name__.rpartition(".")[2] for family in table.FAMILIES}
    assert {
        p.stem for p in request.path.parent.glob("*.py") if "\nCASES = (" in p.read_text()
    } == listed


def test_claims_are_built_afresh(table: ModuleType) -> None:
    """A claim that remembers its calls must not remember those of another build."""
    for case in table.CASES:
        answers = []
        for _ in range(2):
            claim = case.build()
            x = next(iter(claim.points(np.random.default_rng(0)))).copy()
            with np.errstate(all="ignore"):
                v = np.ones_like(claim.f(x))
                answers.append(np.array(claim.vjp(x, v[()] if v.ndim == 0 else v)))
        np.testing.assert_array_equal(*answers, err_msg=case.name)


def test_bug_reports_have_an_address(records: ModuleType, table: ModuleType) -> None:
    """Every source is a bug report or says that there is none."""
    for case in table.CASES:
        assert case.url or case.source == records.TEXTBOOK, case.name


def test_a_row_needs_a_source(records: ModuleType, table: ModuleType) -> None:
    with pytest.raises(ValueError, match="needs a source"):
        records.CorpusCase(table.CASES[0].build, "right", " ", "about")
