"""An estimate beside the truth, and what thousands of them say together.

A *lie* claims six digits and has not three.  An answer whose radius exceeds a thousandth of the
derivative is *unresolved*: honest, and of no use.

`CALIBRATION_SEED` in the environment repeats the random functions of a printed seed.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from calibration import formulas
from calibration.random_functions import RandomFunction, random_functions

from gradcheck import Estimate, Interval

CLAIM = 1e-6
LIE = 1e-3
UNRESOLVED = 1e-3
COVERAGE = 0.995
SEED = int(os.environ.get("CALIBRATION_SEED", "20261122"))
FRESH_SEED = int(os.environ.get("CALIBRATION_SEED", str(time.time_ns() % 2**32)))

Estimator = Callable[..., Estimate]
Truth = Callable[[str, float], Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """An estimate beside the truth (the worse of two where the sides of a kink differ)."""

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


def counted(
    estimator: Estimator, f: Callable[[Any], Any], x: Any, domain: Interval | None = None
) -> Estimate:
    """Estimate, and hold the stated number of evaluations against the true one."""
    calls = 0

    def spied(t: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(t)

    estimate = estimator(spied, x, domain=domain)
    assert estimate.evaluations == calls
    return estimate


def size(text: str, x: float) -> float:
    """Evaluate a formula; NaN where it overflows or isn't defined."""
    with np.errstate(all="raise", under="ignore"):
        try:
            return float(formulas.function(text)(np.float64(x)))
        except FloatingPointError:
            return math.nan


def drawn(count: int, seed: int) -> Iterator[RandomFunction]:
    return random_functions(count, seed, size)


def judge(estimator: Estimator, truth: Truth, r: RandomFunction, numpy_scalar: bool) -> Judged:
    """Estimate a derivative of a random function; `truth(text, x)` is the exact one of a formula."""
    truths = [truth(text, r.x) for text in r.smooth]
    domain = None if r.edges is None else Interval(*r.edges)
    x = np.float64(r.x) if numpy_scalar else r.x
    estimate = counted(estimator, formulas.function(r.code), x, domain)
    error, worst = max((formulas.error_of(estimate.value, t), float(t)) for t in truths)
    holds = estimate.interval is None or all(
        formulas.error_of(sum(estimate.interval) / 2, t)
        <= (estimate.interval[1] - estimate.interval[0]) / 2 * (1 + 1e-15)
        for t in truths
    )
    return Judged(str(r), r.family, worst, error, estimate, holds)


def judge_each(
    estimator: Estimator, truth: Truth, functions: Iterable[RandomFunction]
) -> list[Judged]:
    """Judge those that have a derivative, at Python's and at NumPy's floats in turn."""
    return [
        judge(estimator, truth, r, numpy_scalar=i % 2 == 1)
        for i, r in enumerate(functions)
        if r.smooth
    ]


def finite_at_jumps(estimator: Estimator, jumps: Sequence[RandomFunction]) -> str:
    """List the finite radii at points where no derivative exists for an interval to hold."""
    finite = []
    for r in jumps:
        e = counted(estimator, formulas.function(r.code), r.x)
        if math.isfinite(e.radius):
            finite.append(f"{r}: {e.value!r} ± {e.radius:.3g} {e.reason}")
    return "\n".join(finite)


def summary(judged: Sequence[Judged]) -> str:
    families: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        families[j.family].append(j)
    lines = [
        f"{'family':16s} {'covered':>11s} {'worst error/radius':>18s} {'radius/error':>12s} "
        f"{'relative radius':>15s} {'unresolved':>10s} {'evaluations':>11s}  (medians)"
    ]
    for family, js in families.items():
        finite = [j for j in js if 0 < j.radius < math.inf]
        worst = max((j.error / j.radius for j in finite), default=math.nan)
        tight = median([j.radius / j.error for j in finite if j.error > 0] or [math.nan])
        calls = [j.estimate.evaluations for j in js]
        lines.append(
            f"{family:16s} {sum(j.covered for j in js):5d}/{len(js):5d} {worst:18.3g} "
            f"{tight:12.3g} "
            f"{median(j.radius / j.size for j in js):15.2g} {sum(j.unresolved for j in js):10d} "
            f"{median(calls):7g}/{max(calls)}"
        )
    return "\n".join(lines)


def shortfall(judged: Iterable[Judged]) -> str:
    return "\n".join(map(str, judged))


def assert_calibrated(judged: Sequence[Judged], seed: int, lies: int) -> None:
    """Print what was found; at most `lies` of them, and no more misses than `COVERAGE` leaves."""
    missed = [j for j in judged if not j.covered]
    lying = [j for j in judged if j.lie]
    rate = 1 - len(missed) / len(judged)
    print(f"\n{len(judged)} random functions, seed {seed}: {rate:.3%} covered, {len(lying)} lies")
    print(summary(judged))
    print(shortfall(missed))
    assert len(lying) <= lies, f"seed {seed}:\n{shortfall(lying)}"
    assert rate >= COVERAGE, f"seed {seed}, {rate:.3%} covered:\n{shortfall(missed)}"
