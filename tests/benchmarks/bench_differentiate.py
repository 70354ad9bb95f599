"""Compares `gradcheck.differentiate` with other derivatives that come with an error estimate.

Run ``python tests/benchmarks/bench_differentiate.py``.  Every method differentiates the 84
functions of the calibration table with its default settings; packages that are not installed are
named and skipped.  Truth is mpmath's, at a hundred digits.

*coverage* is the share of cases whose error is at most the estimate, *lies* the number that claim
six digits and have not three, *estimate* the relative size of the error estimate.  Errors are
relative to the derivative (absolute where it vanishes); NaN and exceptions count as infinite.
Evaluations are points, not calls.  Times are processor time of one derivative, the least of several
runs in turn with the other methods.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

from gradcheck import differentiate

REPEATS = 5
Method = Callable[[Callable[[Any], Any], float], tuple[float, float]]


def load(name: str) -> ModuleType:
    """Import a module of the calibration suite by path."""
    path = Path(__file__).parents[1] / "gradcheck" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"calibration.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"calibration.{name}"] = module
    spec.loader.exec_module(module)
    return module


def ours(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
    e = differentiate(f, x)
    return float(e.value), float(e.radius)


def scipy_derivative() -> Method:
    from scipy.differentiate import derivative

    def method(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
        r = derivative(f, x)
        return float(r.df), float(r.error)

    return method


def numdifftools_derivative() -> Method:
    import numdifftools

    def method(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
        r = numdifftools.Derivative(f, full_output=True)(x)
        return float(r.estimate), float(np.max(r.error_estimate))

    return method


def jacobi_jacobi() -> Method:
    from jacobi import jacobi

    def method(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
        value, error = jacobi(f, x)
        return float(value), float(error)

    return method


def derivkit_default() -> Method:
    from derivkit.derivative_kit import DerivativeKit

    def method(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
        value, relative = DerivativeKit(f, x).differentiate(order=1, return_error=True)
        return float(value), abs(float(relative) * float(value))  # its estimate is relative

    return method


def derivkit_adaptive() -> Method:
    from derivkit.derivative_kit import DerivativeKit

    def method(f: Callable[[Any], Any], x: float) -> tuple[float, float]:
        kit = DerivativeKit(f, x)
        value, error = kit.differentiate(method="adaptive", order=1, return_error=True)
        return float(value), float(np.max(error))

    return method


PEERS: dict[str, Callable[[], Method]] = {
    "scipy.differentiate.derivative": scipy_derivative,
    "numdifftools.Derivative": numdifftools_derivative,
    "jacobi.jacobi": jacobi_jacobi,
    "derivkit (default)": derivkit_default,
    "derivkit (adaptive)": derivkit_adaptive,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One method on one case; errors are relative."""

    error: float
    claimed: float
    points: int
    seconds: float

    @property
    def covered(self) -> bool:
        return self.error <= self.claimed


def run(method: Method, f: Callable[[Any], Any], x: float) -> tuple[float, float]:
    """Differentiate once; an exception is a NaN."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return method(f, x)
        except Exception:  # noqa: BLE001 -- a peer may fail in any way that it likes
            return math.nan, math.nan


def examine(method: Method, case: Any, truth: Any, formulas: ModuleType) -> Outcome:
    points = 0
    f = formulas.function(case.code)

    def spied(x: Any) -> Any:
        nonlocal points
        points += np.size(x)
        return f(x)

    value, claimed = run(method, spied, case.x)
    seconds = math.inf
    for _ in range(REPEATS):
        start = time.process_time()
        run(method, f, case.x)
        seconds = min(seconds, time.process_time() - start)
    size = abs(float(truth)) or 1.0
    return Outcome(formulas.error_of(value, truth) / size, claimed / size, points, seconds)


def row(name: str, outcomes: list[Outcome]) -> str:
    claims = [math.inf if math.isnan(o.claimed) else o.claimed for o in outcomes]
    lies = sum(o.claimed < 1e-6 and 1e-3 < o.error < math.inf for o in outcomes)
    unresolved = sum(not o.error <= 1e-3 for o in outcomes)
    return (
        f"{name:31s} | {sum(o.covered for o in outcomes):2d}/{len(outcomes)} | {lies:4d} | "
        f"{unresolved:12d} | {median(o.error for o in outcomes):12.1e} | {median(claims):15.1e} | "
        f"{median(o.points for o in outcomes):6g}/{max(o.points for o in outcomes):<4d} | "
        f"{1e3 * median(o.seconds for o in outcomes):6.3f}"
    )


def main() -> None:
    formulas, cases = load("formulas"), load("calibration_cases").CASES
    methods: dict[str, Method] = {"gradcheck.differentiate": ours}
    for name, load_peer in PEERS.items():
        try:
            methods[name] = load_peer()
        except ImportError as error:
            print(f"skipped {name}: {error}")
    outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
    for case in cases:
        truth = formulas.limit_slope(case.smooth, case.x)
        if case.family == "zero":
            truth = truth * 0
        for name, method in methods.items():
            outcomes[name].append(examine(method, case, truth, formulas))
    print(
        f"{'method':31s} | cover | lies | error > 1e-3 | median error | median estimate | "
        "evaluations | CPU ms"
    )
    for name, seen in outcomes.items():
        print(row(name, seen))


if __name__ == "__main__":
    main()
