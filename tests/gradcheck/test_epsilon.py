"""An ε on one side only is named in every kind of claim, beside entries that are smaller than it, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import check

P = np.exp(2 * np.random.default_rng(9).standard_normal(20))
P /= P.sum()  # from 0.0004 to 0.3

CLAIMS: dict[str, Any] = {
    "jac": lambda e: {"jac": lambda p: np.diag(1 / (p + e))},
    "vjp": lambda e: {"vjp": lambda p, v: v / (p + e)},
    "jvp": lambda e: {"jvp": lambda p, u: u / (p + e)},
}


def names_it(report: Any, epsilon: float) -> bool:
    start = f"an ε of {epsilon:.3g} is added to argument 0"
    return report.diagnosis is not None and report.diagnosis.sentence.startswith(start)


@pytest.mark.parametrize("epsilon", [1e-6, 1e-4, 1e-3, 1e-2])
def test_the_smallest_entries_may_be_smaller(epsilon: float) -> None:
    for seed in range(3):
        report = check(lambda p: -np.sum(np.log(p)), P, grad=lambda p: -1 / (p + epsilon), rng=seed)
        assert names_it(report, epsilon), str(report)
        report = check(lambda p: -np.sum(np.log(p + epsilon)), P, grad=lambda p: -1 / p, rng=seed)
        assert names_it(report, epsilon), str(report)


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize("epsilon", [1e-6, 1e-3])
def test_other_claims(kind: str, epsilon: float) -> None:
    for seed in range(3):
        report = check(np.log, P, rng=seed, **CLAIMS[kind](epsilon))
        assert names_it(report, epsilon), str(report)


def test_a_sparse_jacobian() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    report = check(np.log, P, jac=lambda p: sparse.diags(1 / (p + 1e-3)), rng=0)
    assert names_it(report, 1e-3), str(report)


@pytest.mark.parametrize(
    "claim",
    [
        {"hess": lambda p: np.diag(1 / (p + 1e-3) ** 2)},
        {"hvp": lambda p, u: u / (p + 1e-3) ** 2},
    ],
)
def test_second_derivatives(claim: Any) -> None:
    names = [
        names_it(check(lambda p: -np.sum(np.log(p)), P[:8], rng=seed, **claim), 1e-3)
        for seed in range(5)
    ]
    assert any(names)


def test_what_depends_on_a_difference_has_no_epsilon() -> None:
    """A bias of 0.05 in a sigmoid is beside numbers of both signs."""
    x = np.random.default_rng(0).standard_normal(40)
    for seed in range(3):
        report = check(
            lambda x: np.sum(np.logaddexp(0, x)),
            x,
            grad=lambda x: 1 / (1 + np.exp(-x - 0.05)),
            rng=seed,
        )
        assert report.diagnosis is None, str(report)


def test_a_floor_is_no_epsilon() -> None:
    report = check(lambda p: -np.sum(np.log(p)), P, grad=lambda p: -1 / np.maximum(p, 0.02), rng=0)
    assert report.diagnosis is None or report.diagnosis.kind != "epsilon", str(report)
