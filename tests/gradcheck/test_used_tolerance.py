"""The share of what a claim was allowed to be off by, of checks near the edge: no pass uses more than all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from gradcheck import Outcome, check
from gradcheck._report.tally import used_tolerance


def kinked(x: Any) -> Any:
    return np.abs(x) + x**3


@pytest.mark.parametrize(
    ("f", "slope", "x", "coarsest"),
    [
        (np.cos, np.zeros_like, np.zeros(3), 4e-12),  # allowed the rounding of the sum alone
        (np.sin, np.cos, np.array([0.5, -1.25, 2.0]), 1e-9),
        (lambda x: x**3, lambda x: 3 * x**2, np.array([0.5, -1.25], np.float32), 1e-3),
        (kinked, lambda x: np.sign(x) + 3 * x**2, np.array([0.5, 0.0]), 1e-6),
    ],
    ids=["zero", "smooth", "float32", "kink"],
)
@pytest.mark.parametrize("mode", ["fast", "full"])
def test_no_pass_uses_more_than_it_is_allowed_and_a_failure_does(
    f: Callable[[Any], Any],
    slope: Callable[[Any], Any],
    x: Any,
    coarsest: float,
    mode: Literal["fast", "full"],
) -> None:
    used: dict[Outcome, list[float]] = {outcome: [] for outcome in Outcome}
    for seed, wrong in enumerate([0.0, *np.geomspace(1e-3 * coarsest, coarsest, 16)]):
        report = check(
            lambda x: np.sum(f(x)),
            x,
            grad=lambda x, wrong=wrong: (slope(x) + wrong).astype(x.dtype),
            rng=seed,
            mode=mode,
        )
        used[report.outcome].append(used_tolerance(report))
    assert max(used[Outcome.PASS]) <= 1
    assert min(used[Outcome.FAIL]) > 1
