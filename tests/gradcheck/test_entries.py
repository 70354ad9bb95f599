"""``mode="full"``: one pair of evaluations an entry, and a search wherever that isn't enough."""

import re
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradcheck import Domain, Interval, Outcome, Reason, Report, Simplex, check
from gradcheck._case.inputs import Inputs
from gradcheck._claim import outset, pairs
from gradcheck._claim.compare import Comparison, judged
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance, claim_rtol
from gradcheck._estimate.batch import Batched, NotBatchedError, must_keep_rows_apart
from gradcheck._estimate.line import quiet
from gradcheck._verdict import searches
from gradcheck._verdict.entries import EntryResult, compare_every_entry

LABELS = np.random.default_rng(0).integers(0, 10, 8)
LOGITS = np.random.default_rng(1).standard_normal((8, 10))


def cross_entropy(z: Any) -> Any:
    """Of shape (8, 10), or a batch of those."""
    s = z - z.max(axis=-1, keepdims=True)
    picked = np.take_along_axis(s, np.broadcast_to(LABELS[:, None], (*s.shape[:-1], 1)), -1)
    return np.mean(np.log(np.exp(s).sum(axis=-1)) - picked[..., 0], axis=-1)


def cross_entropy_grad(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    p[np.arange(8), LABELS] -= 1
    return p / 8


def scaled_entry(index: Any, factor: float) -> Callable[[np.ndarray], np.ndarray]:
    def claim(z: np.ndarray) -> np.ndarray:
        g = cross_entropy_grad(z)
        g[index] *= factor
        return g

    return claim


def compared(
    f: Callable[..., Any],
    x: Any,
    *,
    batched: bool = False,
    workers: int = 1,
    seed: int = 0,
    domain: Domain | None = None,
    **claim: Callable[..., Any],
) -> tuple[EntryResult, Problem]:
    ((kind, derivative),) = claim.items()
    batch = Batched(f) if batched else None
    inputs = Inputs((x,), (0,), {} if domain is None else {0: domain})
    problem = Problem(f if batch is None else batch.one, inputs, kind, derivative, bare=True)  # type: ignore[arg-type]  # the keyword is the kind
    with quiet():
        problem.begin()
        rng = np.random.default_rng(seed)
        tolerance = Tolerance(claim_rtol(problem, None))
        return compare_every_entry(problem, tolerance, workers, rng=rng, batch=batch), problem


# -- cost ------------------------------------------------------------------------------------------


def test_a_pair_an_entry() -> None:
    calls = 0

    def counted(z: np.ndarray) -> Any:
        nonlocal calls
        calls += 1
        return cross_entropy(z)

    report = check(counted, LOGITS, grad=cross_entropy_grad, mode="full", rng=0)
    assert report.outcome is Outcome.PASS
    assert report.message == "all 80 entries agree"
    assert report.evaluations == calls == 2 * 80 + 6 + 2, "pairs, the direction, f at x twice"
    assert report.resolution < 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_a_right_claim_needs_no_search(seed: int) -> None:
    result, problem = compared(cross_entropy, LOGITS, seed=seed, grad=cross_entropy_grad)
    assert (result.wrong, result.unresolved, result.searched) == ((), 0, 0)
    assert problem.calls.calls <= 1.1 * 2 * 80


def test_a_batch_is_one_call() -> None:
    sizes = []

    def spied(Z: np.ndarray) -> np.ndarray:
        sizes.append(len(Z))
        return np.asarray(cross_entropy(Z))

    result, problem = compared(spied, LOGITS, batched=True, grad=cross_entropy_grad)
    alone, _ = compared(cross_entropy, LOGITS, grad=cross_entropy_grad)
    assert (result.wrong, result.unresolved, result.searched) == ((), 0, 0)
    assert result.resolution == pytest.approx(alone.resolution)
    assert sizes == [1, 6, 1, 160], "at x, the direction, one of it alone, the pairs"
    assert problem.calls.calls == sum(sizes)


@pytest.mark.parametrize(
    "mixing", [lambda Z: Z.sum((1, 2)) / Z.sum() * 8, lambda Z: cross_entropy(Z - Z.mean(0))]
)
def test_a_batch_that_mixes_its_rows(mixing: Callable[[Any], Any]) -> None:
    with pytest.raises(NotBatchedError, match="row"):
        compared(mixing, LOGITS, batched=True, grad=cross_entropy_grad)


# -- what is found ---------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01, 1 + 1e-4])
@pytest.mark.parametrize("batched", [False, True])
def test_one_wrong_entry_is_found(factor: float, batched: bool) -> None:
    claim = scaled_entry((3, 7), factor)
    result, _ = compared(cross_entropy, LOGITS, batched=batched, grad=claim)
    (entry,) = result.wrong
    assert entry.index == (3, 7)
    truth = cross_entropy_grad(LOGITS)[3, 7]
    assert abs(entry.numerical - truth) <= entry.radius < 1e-4 * abs(truth)
    assert entry.claimed == pytest.approx(factor * truth)
    assert result.searched <= 3


def test_nan_in_a_row_that_is_finite_alone_is_mixing_too() -> None:
    alone, eps = np.array([[1.0, 2.0]]), float(np.finfo(float).eps)
    must_keep_rows_apart(alone, alone, alone[0], eps)
    with pytest.raises(NotBatchedError, match="value 1 of a point is nan"):
        must_keep_rows_apart(np.array([[1.0, np.nan]]), alone, alone[0], eps)


def test_an_error_too_small_for_pairs_is_found_by_the_direction() -> None:
    report = check(
        cross_entropy,
        LOGITS,
        grad=lambda z: cross_entropy_grad(z) * (1 + 1e-9),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    assert report.wrong_entries
    assert report.evaluations < 2 * 80 + 64 * 40


def test_power_over_steps_and_sizes_of_errors() -> None:
    """An error of more than the resolution is never missed, whichever steps and directions are drawn."""
    rng = np.random.default_rng(7)
    for seed in range(100):
        index = (int(rng.integers(8)), int(rng.integers(10)))
        right, _ = compared(cross_entropy, LOGITS, seed=seed, grad=cross_entropy_grad)
        factor = 1 + rng.choice([-1, 1]) * right.resolution * 10 ** rng.uniform(0.7, 4)
        result, _ = compared(cross_entropy, LOGITS, seed=seed, grad=scaled_entry(index, factor))
        assert [e.index for e in result.wrong] == [index], (seed, index, factor)


def test_the_radius_holds_the_truncation() -> None:
    """The finest steps that are taken are coarse for this f; what pairs are off by is foreseen."""
    x = np.linspace(0.5, 2, 30)
    for seed in (1, 2, 3):
        result, _ = compared(
            lambda x: np.sum(np.sin(300 * x)), x, seed=seed, grad=lambda x: 300 * np.cos(300 * x)
        )
        assert (result.wrong, result.unresolved, result.searched) == ((), 0, 0)


def test_truncation_that_only_one_entry_has_does_not_accuse() -> None:
    x = np.array([0.3, 1.0, 2.0, -0.7])

    def f(x: np.ndarray) -> Any:
        return np.sum(x**2) + 1e-3 * np.sin(3000 * x[1])

    def grad(x: np.ndarray) -> np.ndarray:
        g = 2 * x
        g[1] += 3 * np.cos(3000 * x[1])
        return g

    report = check(f, x, grad=grad, mode="full", rng=0)
    assert report.outcome is Outcome.PASS, str(report)

    def smooth_part(x: np.ndarray) -> np.ndarray:
        return 2 * x

    report = check(f, x, grad=smooth_part, mode="full", rng=0)
    assert report.outcome is Outcome.FAIL, str(report)
    assert [e.index for e in report.wrong_entries] == [(1,)]


def test_kinks_are_judged_by_their_sides() -> None:
    x = np.array([0.0, 1.0, -2.0, 0.0])

    def f(x: np.ndarray) -> Any:
        return np.sum(np.abs(x) + x)

    for at_kink in (0.0, 1.0, 2.0):  # between the one-sided derivatives, 0 and 2

        def grad(x: np.ndarray, at_kink: float = at_kink) -> np.ndarray:
            return np.where(x == 0, at_kink, np.sign(x) + 1)

        report = check(f, x, grad=grad, mode="full", rng=0)
        assert report.outcome is Outcome.PASS, str(report)
        assert report.reason is Reason.KINK
        assert report.message == "all 4 entries agree, 2 at kinks"
    report = check(f, x, grad=lambda x: np.where(x == 0, 2.5, np.sign(x) + 1), mode="full", rng=0)
    assert report.outcome is Outcome.FAIL
    assert {e.index for e in report.wrong_entries} == {(0,), (3,)}


def test_entries_that_f_does_not_depend_on() -> None:
    used = np.arange(40) % 2 == 0
    x = np.linspace(0.5, 2, 40)
    report = check(
        lambda x: np.sum(np.exp(x[used])),
        x,
        grad=lambda x: np.where(used, np.exp(x), 0.0),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.PASS
    assert report.evaluations == 80 + 10  # a pair moves all unused ones together, far


def test_noise_beyond_arithmetic_is_measured() -> None:
    x = np.linspace(0.5, 2, 20)

    def coarse(x: np.ndarray) -> Any:
        return np.round(np.sum(np.sin(x)), 9)

    report = check(coarse, x, grad=np.cos, mode="full", rng=0)
    assert report.outcome is Outcome.PASS, str(report)
    assert 1e-9 < report.resolution < 1e-2
    wrong = check(coarse, x, grad=lambda x: 1.05 * np.cos(x), mode="full", rng=0)
    assert wrong.outcome is Outcome.FAIL


def test_what_noise_hides_does_not_pass() -> None:
    def drowned(x: np.ndarray) -> float:
        return 1e13 + float(np.sum(np.sin(x)))

    report = check(drowned, np.linspace(0.5, 2, 9), grad=np.cos, mode="full", rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert report.resolution > 1e-3


def test_the_domain_is_kept() -> None:
    domain = Interval(0.0, 1.0)
    outside = []

    def f(x: np.ndarray) -> Any:
        if not domain.contains(x):
            outside.append(x)
        return np.sum(np.log(x) + np.log(1 - x))

    x = np.array([1e-9, 0.5, 1 - 1e-9, 0.25])
    report = check(f, x, grad=lambda x: 1 / x - 1 / (1 - x), domain=domain, mode="full", rng=0)
    assert report.outcome is Outcome.PASS, str(report)
    assert not outside


def test_a_simplex_is_kept() -> None:
    x = np.array([0.1, 0.2, 0.3, 0.4])
    sums = []

    def entropy(x: np.ndarray) -> Any:
        sums.append(x.sum())
        return -np.sum(x * np.log(x))

    report = check(entropy, x, grad=lambda x: -np.log(x) - 1, domain=Simplex(), mode="full", rng=0)
    assert report.outcome is Outcome.PASS, str(report)
    assert np.allclose(sums, 1.0, rtol=0, atol=1e-12)
    report = check(entropy, x, grad=lambda x: -np.log(x) * x, domain=Simplex(), mode="full", rng=0)
    assert report.outcome is Outcome.FAIL


# -- threads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_threads_change_nothing(factor: float) -> None:
    threads = set()

    def slow(z: np.ndarray) -> Any:
        threads.add(threading.get_ident())
        time.sleep(1e-4)
        return cross_entropy(z)

    claim = scaled_entry(slice(2, 6), factor)
    seen = []
    for workers in (1, 4):
        threads.clear()
        result, problem = compared(slow, LOGITS, workers=workers, grad=claim)
        assert (len(threads) > 1) == (workers > 1)
        seen.append((result.wrong, result.resolution, result.searched, problem.calls.calls))
    assert seen[0] == seen[1]
    assert (len(seen[0][0]) == 40) == (factor != 1)


def test_threads_count_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "CHUNK", 16 * 80 * 5)
    lock, calls = threading.Lock(), 0

    def counted(z: np.ndarray) -> Any:
        nonlocal calls
        with lock:
            calls += 1
        return cross_entropy(z)

    _, problem = compared(counted, LOGITS, workers=4, grad=lambda z: 2 * cross_entropy_grad(z))
    assert problem.calls.calls == calls


def test_threads_leave_warning_filters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    main, entered = threading.get_ident(), []
    enter = warnings.catch_warnings.__enter__

    def watched(self: Any) -> Any:
        entered.append(threading.get_ident())
        return enter(self)

    monkeypatch.setattr(warnings.catch_warnings, "__enter__", watched)
    # noise beyond arithmetic's, so that searches ask the complex step
    result, _ = compared(
        lambda x: np.sum(1e6 + np.sin(x)),
        np.linspace(0.5, 2, 12),
        workers=3,
        grad=lambda x: 1.5 * np.cos(x),
    )
    assert len(result.wrong) == result.searched == 12
    assert entered
    assert set(entered) == {main}


# -- a closer look ---------------------------------------------------------------------------------


def test_a_slight_disagreement_of_a_search_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goals = []
    original = searches.derivative

    def unlucky(component: Any, goal: Any) -> Any:
        goals.append(goal)
        found = original(component, goal)
        if goal is not searches.GOAL:
            return found
        return found._replace(value=found.value + 5 * found.radius)

    monkeypatch.setattr(searches, "derivative", unlucky)
    x = np.array([0.4])  # a single input has no pair
    report = check(
        lambda x: np.sum(np.sin(50 * x)), x, grad=lambda x: 50 * np.cos(50 * x), mode="full"
    )
    assert searches.CLOSELY in goals
    assert report.outcome is Outcome.PASS, str(report)
    assert report.message == "its only entry agrees"


def test_a_direction_that_contradicts_every_entry_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All entries agree, and the direction that they make up doesn't: one of them is not what it seems."""

    def contradicting(*args: Any) -> Comparison:
        c = judged(*args)
        return replace(c, claimed=c.found.value + 1e6 * c.allowed)

    monkeypatch.setattr(outset, "judged", contradicting)
    report = check(np.sin, 0.7, grad=np.cos, mode="full", rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE, str(report)


@pytest.mark.parametrize("seed", range(10))
def test_a_pass_has_seen_one_per_cent_of_every_entry(seed: int) -> None:
    # the third coordinate turns the potential by a ten-millionth: pairs show it to one per cent, give or take
    place = np.array([7e6, 1e5, -2e3])

    def potential(r: np.ndarray) -> float:
        return float(-4e17 / np.linalg.norm(r))

    def force(r: np.ndarray, factor: float) -> np.ndarray:
        return np.asarray(4e17 * r / np.linalg.norm(r) ** 3 * np.array([1, 1, factor]))

    right = check(potential, place, grad=lambda r: force(r, 1.0), mode="full", rng=seed)
    assert right.outcome is Outcome.PASS, str(right)
    assert right.resolution <= 1e-2
    wrong = check(potential, place, grad=lambda r: force(r, 1.01), mode="full", rng=seed)
    assert wrong.outcome is Outcome.FAIL, str(wrong)


def test_what_a_failure_would_have_seen_holds_for_every_entry() -> None:
    """Beside an offset pairs see less than a direction does: four entries are wrong by 1e-5, unseen."""
    x = np.random.default_rng(0).uniform(0.5, 2, 5)
    off = 1e-5 * np.array([0.3, 0.5, -0.5, -1.0, 1.0])
    report = check(
        lambda x: 1e6 + 1e-2 * np.sum(x**3),
        x,
        grad=lambda x: 3e-2 * x**2 * (1 + off),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    unseen = [e for k, e in enumerate(off) if k not in {w.index[0] for w in report.wrong_entries}]
    assert max(map(abs, unseen)) < report.resolution


# -- entries beside far larger ones ----------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.5, 1.01])
@pytest.mark.parametrize("power", [2, 4])
def test_a_wrong_entry_beside_far_larger_ones(power: int, factor: float) -> None:
    """Where the complex step shows it, and where no pair of steps moves f at all (a claim of zero)."""
    x = np.array([1e3, 1.0, 0.3])
    report = check(
        lambda x: np.sum(x**power),
        x,
        grad=lambda x: power * x ** (power - 1) * np.array([1.0, factor, 1.0]),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    assert report.wrong_entries[0].index == (1,)


def test_a_wrong_entry_that_larger_steps_show_in_real_numbers() -> None:
    def f(x: np.ndarray) -> float:
        return float(np.sum(np.asarray(x, dtype=np.float64) ** 4))

    x = np.array([1e3, 1.0, 2.0])
    report = check(f, x, grad=lambda x: 4 * x**3 * np.array([1.0, 0.0, 1.0]), mode="full", rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.wrong_entries[0].index == (1,)


def test_entries_hidden_by_rounding_are_counted() -> None:
    x = np.array([1e4, 1.0, 1e-5])

    def f(x: np.ndarray) -> float:
        return float(np.sum(np.asarray(x, dtype=np.float64) ** 4))

    for factor in (1.0, -1.0):
        report = check(
            f,
            x,
            grad=lambda x, factor=factor: 4 * x**3 * np.array([1.0, 1.0, factor]),
            mode="full",
            rng=0,
        )
        assert report.outcome is Outcome.PASS
        assert hidden(report) == (2, pytest.approx(0, abs=1e-4))
        assert "of an entry's size, in any that rounding doesn't hide" in str(report)


def test_what_is_said_to_be_hidden_is_in_the_callers_units() -> None:
    """Not times the sizes of the inputs: an error of 2e-4 beside 7e7 is 6e-12 of the largest entry."""
    x = np.array([0.8, 1e-4])
    report = check(
        lambda x: 1e8 * np.sin(x[0]) + x[1] ** 2,
        x,
        grad=lambda x: np.array([1e8 * np.cos(x[0]), -2 * x[1]]),
        mode="full",
        rng=1,
    )
    if report.outcome is Outcome.PASS:
        count, beneath = hidden(report)
        assert count == 1
        assert beneath > 4e-4 / (1e8 * np.cos(0.8))


@pytest.mark.parametrize("factor", [1.0, -1.0, 10.0])
def test_where_rounding_hides_everything_nothing_can_be_told(factor: float) -> None:
    x = np.array([3e-9, -1e-9, 2e-9])
    report = check(
        lambda x: 1.0 + np.sum(np.cos(x)),
        x,
        grad=lambda x: -factor * np.sin(x),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.INCONCLUSIVE


def test_entries_of_outputs_in_far_smaller_units() -> None:
    """Each is measured by the largest of its own output."""
    rng = np.random.default_rng(0)
    units = np.array([5e-5, 0.3, 6e5, 3e-4])
    a = rng.standard_normal((4, 6))
    x = np.array([-1.7e-6, -2.2e-4, -1.3e-6, 1.2e-7, -3.6e-4, 1.8e-6])

    def jac(x: np.ndarray, factor: float) -> np.ndarray:
        out = (units * np.cos(a @ x))[:, None] * a
        out[3, 3] *= factor
        return np.asarray(out)

    for factor, outcome in ((1.0, Outcome.PASS), (-1.0, Outcome.FAIL), (1.1, Outcome.FAIL)):
        report = check(
            lambda x: units * (1e6 + np.sin(a @ x)),
            x,
            jac=lambda x, factor=factor: jac(x, factor),
            mode="full",
            rng=0,
        )
        assert report.outcome is outcome, str(report)


def test_a_small_row_in_float32_is_said_to_be_hidden() -> None:
    x = np.array([0.3], np.float32)
    units = np.array([1.0, 1e5], np.float32)
    for factor, outcome in ((1.0, Outcome.PASS), (1.025, Outcome.PASS), (2.0, Outcome.FAIL)):
        report = check(
            lambda x: units * np.sin(x[0]),
            x,
            jac=lambda x, factor=factor: (units * np.cos(x[0]) * np.array([factor, 1], np.float32))[
                :, None
            ],
            mode="full",
            rng=0,
        )
        assert report.outcome is outcome, str(report)
        assert not report or hidden(report) == (1, pytest.approx(0, abs=1e-4))


def hidden(report: Report) -> tuple[int, float]:
    """Return how many entries rounding is said to hide, and what would have been seen in them."""
    found = re.search(
        r"rounding hides (\d+) of them, in which an error of (\S+) of", report.message
    )
    assert found, report.message
    return int(found[1]), float(found[2])


def test_small_entries_in_float32_that_pairs_settle_are_said_to_be_hidden() -> None:
    x = np.array([0.3, 0.4, 0.5], np.float32)
    units = np.array([1.0, 1e4, 2e4], np.float32)
    report = check(
        lambda x: np.sum(units * np.sin(x)), x, grad=lambda x: units * np.cos(x), mode="full", rng=0
    )
    assert report.outcome is Outcome.PASS
    assert hidden(report) == (1, pytest.approx(0, abs=1e-4))
    assert report.resolution < 1e-4


def test_half_precision_is_not_asked_for_more_than_it_has() -> None:
    x = np.linspace(-1, 1, 6).astype(np.float16)
    report = check(
        lambda x: np.sum(x * x), x, grad=lambda x: (2 * x).astype(np.float16), mode="full", rng=0
    )
    assert report.outcome is Outcome.PASS
    assert report.resolution < 0.1
    assert "hides 6" not in report.message


@pytest.mark.parametrize("factor", [1.0, 0.5, -0.1])
def test_a_claim_too_large_to_be_multiplied_by_x_never_passes(factor: float) -> None:
    for x in (np.array(706.0), np.array([706.0, 1.0, 2.0])):
        report = check(
            lambda x: np.sum(np.exp(x)), x, grad=lambda x: factor * np.exp(x), mode="full", rng=0
        )
        assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DOMAIN)


def test_entries_that_rounding_hides_altogether_are_looked_at_from_afar() -> None:
    """At steps of the size of a tiny entry a sum with a large one doesn't move at all."""
    x = 10.0 ** np.arange(-8, 9)

    def claiming(k: int, factor: float) -> Report:
        claim = np.ones(17)
        claim[k] *= factor
        return check(lambda x: float(np.sum(x)), x, grad=lambda x: claim, mode="full", rng=0)

    assert claiming(0, 1.0).outcome is Outcome.PASS
    for k in range(17):
        assert claiming(k, -1.0).outcome is not Outcome.PASS, k
    assert all(claiming(k, -1.0).outcome is Outcome.FAIL for k in range(4, 17))


def test_what_large_steps_show_is_held_against_no_claim() -> None:
    """Far from x this f has no slope in its first entry; at x it has."""

    def f(x: np.ndarray) -> float:
        return float(np.tanh(x[0] * 1e8) * 1e-8 + x[1])

    def grad(x: np.ndarray) -> np.ndarray:
        return np.array([1 - np.tanh(x[0] * 1e8) ** 2, 1.0])

    for seed in range(5):
        report = check(f, np.array([1e-12, 3e8]), grad=grad, mode="full", rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)


def test_a_constant_function_is_called_that() -> None:
    for f in (lambda x: 3.0, lambda x: np.sum(x) * 0.0):
        report = check(f, np.ones(3), grad=lambda x: np.zeros(3), mode="full", rng=0)
        assert (report.outcome, report.reason) == (Outcome.PASS, Reason.CONSTANT), str(report)


# -- many wrong entries ----------------------------------------------------------------------------


def normalised(x: np.ndarray) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def test_of_many_wrong_entries_enough_are_looked_at() -> None:
    """Each takes some ten evaluations, and it is the same mistake."""
    x, w = np.random.default_rng(0).standard_normal((2, 32, 20))

    def without_the_variance(x: np.ndarray) -> Any:
        deviation = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        return (w - w.mean(axis=-1, keepdims=True)) / deviation

    report = check(
        lambda x: np.sum(w * normalised(x)), x, grad=without_the_variance, mode="full", rng=0
    )
    assert report.outcome is Outcome.FAIL
    assert "(at least 128 wrong entries)" in report.message
    assert report.evaluations <= 2 * x.size + 12 * 128 + 60


def test_many_wrong_entries_that_are_few_enough_are_counted() -> None:
    x = np.random.default_rng(0).standard_normal(500)
    wrong = np.arange(500) % 2 == 0
    report = check(
        lambda x: np.sum(np.sin(x)),
        x,
        grad=lambda x: np.where(wrong, 0.9, 1.0) * np.cos(x),
        mode="full",
        rng=0,
    )
    assert "(250 wrong entries)" in report.message


@pytest.mark.parametrize("x", [[1e-160, 1e160], [1e-310, 1.0], [1e-310, 1e308]])
def test_entries_of_all_sizes_that_floats_have(x: list[float]) -> None:
    """Sizes whose ratio overflows are compared by their exponents."""
    report = check(np.sum, np.array(x), grad=np.ones_like, mode="full", rng=0)
    assert report.outcome is not Outcome.FAIL, str(report)
