"""Does the radius contain the error?  Against exact derivatives, over a table and over thousands.

A *lie* claims six digits and has not three.  An answer whose radius exceeds a thousandth of the
derivative is *unresolved*: honest, and of no use.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gradcheck import Estimate, Interval, differentiate

CLAIM = 1e-6
LIE = 1e-3
UNRESOLVED = 1e-3
COVERAGE = 0.995
DEFAULT_COUNT = 680
NIGHTLY_COUNT = 20_400
SEED = int(os.environ.get("CALIBRATION_SEED", "20261122"))
FRESH_SEED = int(os.environ.get("CALIBRATION_SEED", str(time.time_ns() % 2**32)))


@dataclass(frozen=True, slots=True)
class Judged:
    """An estimate beside the truth (the worse of two at a kink)."""

    name: str
    family: str
    truth: float
    error: float
    estimate: Estimate
    interval_holds: bool = True

    @property
    def radius(self) -> float:
        return float(self.estimate.radius)

    @property
    def size(self) -> float:
        """What errors are relative to: the derivative, or one where it vanishes."""
        return abs(self.truth) or 1.0

    @property
    def covered(self) -> bool:
        return self.interval_holds and (self.error <= self.radius or math.isinf(self.radius))

    @property
    def lie(self) -> bool:
        return self.radius / self.size < CLAIM and self.error / self.size > LIE

    @property
    def unresolved(self) -> bool:
        return not self.radius / self.size <= UNRESOLVED

    def __str__(self) -> str:
        e = self.estimate
        return (
            f"{'LIE ' if self.lie else 'MISS'} {self.name}\n       truth {self.truth!r} "
            f"value {e.value!r} radius {e.radius:.3g} error {self.error:.3g} {e.reason}"
        )


def differentiate_counted(f: Callable[[Any], Any], x: Any, domain: Interval | None) -> Estimate:
    """Differentiate, and hold the stated number of evaluations against the true one."""
    calls = 0

    def spied(t: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(t)

    estimate = differentiate(spied, x, domain=domain)
    assert estimate.evaluations == calls
    return estimate


def shortfall(judged: Iterable[Judged]) -> str:
    return "\n".join(map(str, judged))


# -- the table -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(formulas: ModuleType, calibration_cases: ModuleType) -> list[Judged]:
    judged = []
    for case in calibration_cases.CASES:
        truth = formulas.limit_slope(case.smooth, case.x)
        if case.family == "zero":  # what a difference quotient leaves of it is its own error
            assert abs(truth) < 1e-30
            truth = truth * 0
        estimate = differentiate_counted(formulas.function(case.code), case.x, None)
        error = formulas.error_of(estimate.value, truth)
        judged.append(Judged(case.name, case.family, float(truth), error, estimate))
    return judged


def test_the_table_is_complete(table: list[Judged]) -> None:
    assert len(table) == 84
    assert len({j.name for j in table}) == 84
    assert sum(j.truth != 0 for j in table) == 81


def test_table_every_radius_contains_the_error(table: list[Judged]) -> None:
    missed = [j for j in table if not j.covered]
    assert not missed, shortfall(missed)


def test_table_no_confident_lies(table: list[Judged]) -> None:
    lies = [j for j in table if j.lie]
    assert not lies, shortfall(lies)


def test_table_median_relative_radius(table: list[Judged]) -> None:
    assert median(j.radius / j.size for j in table) <= 1e-11


def test_table_at_most_seven_are_unresolved(table: list[Judged]) -> None:
    unresolved = [j for j in table if j.unresolved]
    assert len(unresolved) <= 7, shortfall(unresolved)


def test_table_smooth_functions_take_eleven_evaluations(table: list[Judged]) -> None:
    more = {j.name: j.estimate.evaluations for j in table if j.family == "smooth"}
    assert {name: n for name, n in more.items() if n > 11} == {}


def test_table_evaluations(table: list[Judged]) -> None:
    evaluations = [j.estimate.evaluations for j in table]
    assert median(evaluations) <= 40
    assert max(evaluations) <= 160


# -- adversaries ---------------------------------------------------------------------------------


# What fools the estimator still.  A function that leaves this list, or joins it, fails the test.
KNOWN_TO_FOOL = {
    "stairs: log(1 + exp(x)) - exp(0.5*x) at -31.0",  # a stair of 1e-16 beside a slope of 1e-7
}


def test_adversaries(formulas: ModuleType, calibration_cases: ModuleType) -> None:
    """Functions made to fool a ladder of steps."""
    judged: list[Judged] = []
    raised: list[str] = []
    for case in calibration_cases.ADVERSARIES:
        truth = formulas.dual_slope(case.smooth, case.x)
        f = formulas.function(case.code)
        try:
            estimate = differentiate_counted(f, np.float64(case.x), None)
        except ArithmeticError as error:
            raised.append(f"{type(error).__name__} {case.name}: {error}")
            continue
        error_ = formulas.error_of(estimate.value, truth)
        judged.append(Judged(case.name, case.family, float(truth), error_, estimate))
    missed = {j.name: str(j) for j in judged if not j.covered or j.lie}
    assert not raised
    assert missed.keys() == KNOWN_TO_FOOL, "\n".join(missed.values())


# -- random functions ----------------------------------------------------------------------------


def sizer(formulas: ModuleType) -> Callable[[str, float], float]:
    """Return a function that evaluates a formula; NaN where it overflows or isn't defined."""

    def size(text: str, x: float) -> float:
        with np.errstate(all="raise", under="ignore"):
            try:
                return float(formulas.function(text)(np.float64(x)))
            except FloatingPointError:
                return math.nan

    return size


def drawn(
    formulas: ModuleType, random_functions: ModuleType, count: int, seed: int
) -> Iterable[Any]:
    return random_functions.random_functions(count, seed, sizer(formulas))


def examine(formulas: ModuleType, r: Any, numpy_scalar: bool) -> Judged:
    truths = [formulas.dual_slope(text, r.x) for text in r.smooth]
    domain = None if r.edges is None else Interval(*r.edges)
    x = np.float64(r.x) if numpy_scalar else r.x
    estimate = differentiate_counted(formulas.function(r.code), x, domain)
    error, truth = max((formulas.error_of(estimate.value, t), float(t)) for t in truths)
    holds = estimate.interval is None or all(
        formulas.error_of(sum(estimate.interval) / 2, t)
        <= (estimate.interval[1] - estimate.interval[0]) / 2 * (1 + 1e-15)
        for t in truths
    )
    return Judged(str(r), r.family, truth, error, estimate, holds)


def summary(judged: list[Judged]) -> str:
    families: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        families[j.family].append(j)
    lines = [
        f"{'family':14s} {'covered':>11s} {'worst error/radius':>18s} {'radius/error':>12s} "
        f"{'relative radius':>15s} {'unresolved':>10s} {'evaluations':>11s}  (medians)"
    ]
    for family, js in families.items():
        finite = [j for j in js if 0 < j.radius < math.inf]
        worst = max((j.error / j.radius for j in finite), default=math.nan)
        tight = median([j.radius / j.error for j in finite if j.error > 0] or [math.nan])
        calls = [j.estimate.evaluations for j in js]
        lines.append(
            f"{family:14s} {sum(j.covered for j in js):5d}/{len(js):5d} {worst:18.3g} "
            f"{tight:12.3g} "
            f"{median(j.radius / j.size for j in js):15.2g} {sum(j.unresolved for j in js):10d} "
            f"{median(calls):7g}/{max(calls)}"
        )
    return "\n".join(lines)


def assert_calibrated(
    formulas: ModuleType, random_functions: ModuleType, count: int, seed: int
) -> None:
    judged = [
        examine(formulas, r, numpy_scalar=i % 2 == 1)
        for i, r in enumerate(drawn(formulas, random_functions, count, seed))
        if r.smooth
    ]
    missed = [j for j in judged if not j.covered]
    lies = [j for j in judged if j.lie]
    rate = 1 - len(missed) / len(judged)
    print(f"\n{len(judged)} random functions, seed {seed}: {rate:.3%} covered, {len(lies)} lies")
    print(summary(judged))
    print(shortfall(missed))
    # none among hundreds; among tens of thousands one in two thousand is left, all on stairs
    assert len(lies) <= len(judged) // 1000, f"seed {seed}:\n{shortfall(lies)}"
    assert rate >= COVERAGE, f"seed {seed}, {rate:.3%} covered:\n{shortfall(missed)}"


def test_random_functions(formulas: ModuleType, random_functions: ModuleType) -> None:
    assert_calibrated(formulas, random_functions, DEFAULT_COUNT, SEED)


@pytest.mark.nightly
def test_random_functions_many(formulas: ModuleType, random_functions: ModuleType) -> None:
    """Fresh functions every night; CALIBRATION_SEED=… repeats a printed seed."""
    assert_calibrated(formulas, random_functions, NIGHTLY_COUNT, FRESH_SEED)


def test_no_radius_at_a_jump(formulas: ModuleType, random_functions: ModuleType) -> None:
    """No derivative exists at a jump, so no finite interval may claim to hold it."""
    finite = []
    jumps = [r for r in drawn(formulas, random_functions, DEFAULT_COUNT, SEED) if not r.smooth]
    assert len(jumps) >= 30
    for r in jumps:
        e = differentiate_counted(formulas.function(r.code), r.x, None)
        if math.isfinite(e.radius):
            finite.append(f"{r}: {e.value!r} ± {e.radius:.3g} {e.reason}")
    assert not finite, "\n".join([f"{len(finite)} of {len(jumps)}", *finite])


# -- the calibration suite itself ------------------------------------------------------------------


def test_two_roads_to_the_truth_agree(formulas: ModuleType, random_functions: ModuleType) -> None:
    """The chain rule at 60 digits against difference quotients at 120."""
    families = set()
    for r in drawn(formulas, random_functions, 120, SEED):
        for text in r.smooth:
            exact = formulas.dual_slope(text, r.x)
            limit = formulas.limit_slope(text, r.x)
            assert abs(exact - limit) <= 1e-40 * max(abs(exact), abs(limit), 1e-12), str(r)
            families.add(r.family)
    assert len(families) >= 16


@pytest.mark.parametrize("off", [1.0 + 1e-9, 1.5, -1.0])
def test_a_wrong_estimate_is_caught(formulas: ModuleType, off: float) -> None:
    """A suite that can't fail proves nothing: shift a good estimate, and it must be a miss."""
    good = differentiate(math.exp, 1.0)
    truth = formulas.dual_slope("exp(x)", 1.0)
    bad = Estimate(good.value * off, good.radius, good.evaluations, good.reason, 0.0, 0.0)
    judged = Judged("exp", "", float(truth), formulas.error_of(bad.value, truth), bad)
    assert not judged.covered
    assert judged.lie == (abs(off - 1) > LIE)
    assert "MISS" in str(judged) or "LIE" in str(judged)


def test_noise_depends_on_every_bit(formulas: ModuleType) -> None:
    x = 1.0 + np.arange(4096) * np.finfo(float).eps
    u = formulas.noise(x)
    assert len(set(u)) == x.size
    assert abs(u.mean()) < 0.05
    assert u.var() == pytest.approx(1 / 3, rel=0.1)
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.06
