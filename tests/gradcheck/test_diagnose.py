"""Mistakes are named where the evidence supports a name, and not where it doesn't (more are in the corpus)."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, check

X = np.random.default_rng(0).standard_normal(20)


def noisy(x: Any) -> float:
    """Σ sin(xᵢ) with noise of 1e-6."""
    bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
    return float(np.sum(np.sin(x))) + 1e-6 * (int.from_bytes(bits) / 2**63 - 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_slight_disagreement_is_too_little_for_a_name(seed: int) -> None:
    """A claim 0.2 % too large is about ten error bars off, and 1.002 ± 0.0002 is any factor."""
    report = check(noisy, X, grad=lambda x: 1.002 * np.cos(x), rng=seed)
    assert report.outcome is Outcome.FAIL, str(report)
    assert report.diagnosis is None


@pytest.mark.parametrize("seed", range(4))
def test_a_gross_one_is_named_in_spite_of_noise(seed: int) -> None:
    report = check(noisy, X, grad=lambda x: 2 * np.cos(x), rng=seed)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "factor"


@pytest.mark.parametrize(("width", "kind"), [(2, "row"), (3, None)])
def test_two_wrong_entries_are_a_row_if_they_are_all_of_it(width: int, kind: str | None) -> None:
    x = np.random.default_rng(1).standard_normal((4, width))

    def grad(x: np.ndarray) -> np.ndarray:
        g = np.cos(x)
        g[2, :2] = 0.0
        return g

    report = check(lambda x: np.sum(np.sin(x)), x, grad=grad, rng=0)
    assert len(report.wrong_entries) == 2
    assert (report.diagnosis and report.diagnosis.kind) == kind


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_rtol_is_no_licence_for_a_name(seed: int) -> None:
    """Entries from 1 % to 1.5 % of what they should be have no factor in common."""
    share = np.random.default_rng(1).uniform(0.01, 0.015, X.size)
    report = check(
        lambda x: np.sum(np.sin(x)), X, grad=lambda x: share * np.cos(x), rtol=0.2, rng=seed
    )
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_a_single_entry_is_named_only_if_it_explains_everything(share: float) -> None:
    """The search for the larger of two mistakes may be too rough to find the other one."""
    x = np.random.default_rng(0).uniform(0.5, 2.0, 16)

    def grad(x: np.ndarray) -> np.ndarray:
        g = 3 * np.cos(3 * x)
        g[[5, 11]] += 0.03, 0.03 * share
        return g

    for seed in range(20):
        report = check(lambda x: np.sum(np.sin(3 * x)), x, grad=grad, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None, (seed, str(report))


def kinds(f: Any, shape: tuple[int, ...], vjp: Any, mode: Any = "fast") -> set[str | None]:
    points = [np.random.default_rng(seed).standard_normal(shape) for seed in range(10)]
    reports = [check(f, x, vjp=vjp, mode=mode, rng=seed) for seed, x in enumerate(points)]
    assert {r.outcome for r in reports} == {Outcome.FAIL}
    return {r.diagnosis and r.diagnosis.kind for r in reports}


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_the_others_agree_is_looked_at(share: float) -> None:
    """Three small entries are wrong as well, by far more than the resolution."""
    weight = np.array([1e3, 1.0, 1.0, 1.0])

    def vjp(x: np.ndarray, v: float) -> np.ndarray:
        g = weight * np.cos(x)
        wrong = 0.5 * g[0]
        return v * (g + wrong * np.array([1.0, share, share, share]))

    assert kinds(lambda x: np.sum(weight * np.sin(x)), (4,), vjp) == {None}


@pytest.mark.parametrize(
    ("vjp", "kind"),
    [
        (lambda x, v: np.cos(x), "upstream"),
        (lambda x, v: v * np.cos(x) + 0.01 * x, None),
        (lambda x, v: np.clip(v * np.cos(x), -0.1, 0.1), None),
        (lambda x, v: v * v * np.cos(x), None),
    ],
)
def test_nonlinear_is_not_always_ignored(vjp: Any, kind: str | None) -> None:
    assert kinds(np.sin, (3,), vjp) == {kind}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_triangular_is_not_diagonal(mode: Any) -> None:
    def f(x: np.ndarray) -> Any:
        return np.log(np.cumsum(np.exp(x)))

    def vjp(x: np.ndarray, v: np.ndarray) -> Any:
        return np.exp(x) * np.cumsum(v / np.cumsum(np.exp(x)))

    assert kinds(f, (8,), vjp, mode) == {None}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("shape", [(2, 3), (6,)])
def test_one_entry_that_is_wrong_in_every_output(mode: Any, shape: tuple[int, ...]) -> None:
    w = np.random.default_rng(0).standard_normal((4, 6))

    def vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        g = w.T @ (v * (1 - np.tanh(w @ x.ravel()) ** 2))
        g[4] *= 1.5
        return g.reshape(x.shape)

    assert kinds(lambda x: np.tanh(w @ x.ravel()), shape, vjp, mode) == {"entry"}
