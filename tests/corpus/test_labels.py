"""The labels of the corpus, by a road that has nothing of `gradcheck`: differences at many steps.

A right claim agrees with sixth-order central differences at one of the steps, along every entry or
every group of entries; a wrong one disagrees somewhere with all of them, unless what is wrong is how
it behaves.  It takes a label to say which is which: with the best of many steps no verdict could be
given, for the best is found by looking at the claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

STEPS = 1.37 * 10.0 ** np.arange(1, -10, -1)  # no whole numbers: rounding and grids have those
WEIGHTS = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
RIGHT_WITHIN = 5e-5
NOISY = {"ok_noise_f32_inside": 2e-3}  # float32 inside: no differences are better
WRONG_BY = 2e-9


def directions(x: Any, rng: np.random.Generator) -> Iterator[Any]:
    """Yield each entry, or random signs on groups of entries, in units of the entries' sizes."""
    sizes = np.where(x == 0, 1.0, np.abs(x)).ravel()
    count = 30 if x.size < 5000 else 6
    groups = rng.permutation(x.size) % count
    for k in range(min(x.size, count)):
        d = np.where(groups == k, sizes * rng.choice([-1.0, 1.0], x.size), 0.0)
        yield d.reshape(x.shape)


def disagreement(claim: Any, x: Any) -> float:
    """Return the largest relative difference that remains with the best step along a direction."""
    rng = np.random.default_rng(0)
    x = np.array(x, dtype=np.float64)
    y = np.array(claim.f(x.copy()), dtype=np.float64)
    v = rng.standard_normal(y.shape) if y.ndim else 1.0
    g = np.asarray(claim.vjp(x.copy(), np.array(v) if y.ndim else v), dtype=np.float64)
    if not np.all(np.isfinite(g)):
        return np.inf

    rounding = np.finfo(float).eps * np.sum(np.abs(v * y))

    def along(d: Any) -> Any:
        claimed = float(np.sum(g * d))
        if 0 < abs(claimed) < 0.1 * rounding:
            return 0.0  # f's values can't show so little

        def slope(h: float) -> float:
            try:
                differences = (
                    w * np.sum(v * (np.asarray(claim.f(x + k * h * d)) - claim.f(x - k * h * d)))
                    for k, w in WEIGHTS
                )
                return float(sum(differences)) / h
            except np.linalg.LinAlgError:  # so far away, the matrix has no such factor
                return np.nan

        slopes = np.array([slope(h) for h in STEPS])
        size = np.maximum(np.abs(slopes), abs(claimed))
        # a slope of zero is approached, not reached: what is left counts beside the largest nearby
        near = np.isfinite(slopes) & (STEPS < 1)
        size = np.maximum(size, 1e-3 * np.max(np.abs(slopes), initial=0, where=near))
        with np.errstate(all="ignore"):
            left = np.where(slopes == claimed, 0.0, np.abs(slopes - claimed) / size)
        return np.nanmin(left)

    return max(along(d) for d in directions(x, rng))


def by_values(case: Any) -> bool:
    """Whether f's values near x show if the claim is right."""
    return case.truth != "convention" and not case.expected and not case.conduct


def test_labels(table: ModuleType) -> None:
    mislabelled = []
    for case in filter(by_values, table.CASES):
        claim = case.build()
        with np.errstate(all="ignore"):
            points = claim.points(np.random.default_rng(1000))
            left = max(disagreement(claim, x) for x in points)
        print(f"{case.truth:6} {case.name:36} {left:.1e}")
        within = NOISY.get(case.name, RIGHT_WITHIN)
        if not (left <= within if case.truth == "right" else left >= WRONG_BY):
            mislabelled.append(f"{case.name} is {case.truth}, {left:.1e}")
    assert not mislabelled


@pytest.mark.parametrize("factor", [1 + 1e-8, -1.0, 0.0])
def test_a_wrong_claim_is_seen(records: ModuleType, factor: float) -> None:
    """The road itself tells a claim that is off by 1e-8 from one that isn't."""
    right = records.Claim(np.sin, lambda x, v: v * np.cos(x), records.fixed([0.3, -1.0, 2.0]))
    wrong = records.Claim(np.sin, lambda x, v: factor * right.vjp(x, v), right.points)
    (x,) = right.points(np.random.default_rng(0))
    assert disagreement(right, x) < WRONG_BY < disagreement(wrong, x)
