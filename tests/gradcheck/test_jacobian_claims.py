"""Claimed Jacobians: dense and sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from gradcheck import Outcome, Reason, check

N = 50
X = np.linspace(0.5, 2.0, N)


def chain(x: Any) -> Any:
    """A tridiagonal system: each output depends on three neighbours."""
    left, right = np.roll(x, 1), np.roll(x, -1)
    left[0] = right[-1] = 0.0
    return x**3 - left * x + np.sin(right)


def tridiagonal(x: Any, kind: Any = sp.csr_array) -> Any:
    left = np.roll(x, 1)
    left[0] = 0.0
    bands = [-x[1:], 3 * x**2 - left, np.cos(x[1:])]
    return kind(sp.diags(bands, [-1, 0, 1]))


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_every_sparse_kind(kind: Any) -> None:
    report = check(chain, X, jac=lambda x: tridiagonal(x, kind), rng=0)
    assert report.outcome is Outcome.PASS


def test_dense_and_sparse_tell_the_same() -> None:
    sparse = check(chain, X, jac=tridiagonal, rng=5)
    dense = check(chain, X, jac=lambda x: tridiagonal(x).toarray(), rng=5)
    assert sparse.resolution == pytest.approx(dense.resolution, rel=1e-6)
    assert sparse.evaluations == dense.evaluations


def test_a_structural_zero_that_is_not_zero() -> None:
    def banded(x: Any) -> Any:  # the upper band is forgotten
        return sp.csr_array(sp.tril(tridiagonal(x)))

    report = check(chain, X, jac=banded, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "structure"
    for e in report.wrong_entries:
        assert e.output is not None
        assert e.index[0] == e.output[0] + 1
        assert e.claimed == 0.0


def test_a_stored_entry_that_is_wrong_is_no_matter_of_structure() -> None:
    def wrong(x: Any) -> Any:
        j = tridiagonal(x).tolil()
        j[7, 8] = 0.0
        j[7, 8] += 5.0
        return sp.csr_array(j)

    report = check(chain, X, jac=wrong, rng=0)
    assert [(e.output, e.index) for e in report.wrong_entries] == [((7,), (8,))]
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "entry"


def test_the_shape_of_a_sparse_jacobian() -> None:
    report = check(chain, X, jac=lambda x: sp.csr_array(tridiagonal(x)[:-1]))
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.SHAPE)
    assert "(49, 50), expected (50, 50)" in report.message


def test_nan_in_a_sparse_jacobian() -> None:
    report = check(chain, X, jac=lambda x: tridiagonal(x) * np.nan)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.NONFINITE_CLAIM)


def test_a_large_sparse_jacobian_stays_sparse() -> None:
    """Dense, it would take 80 GB."""
    x = np.linspace(0.5, 2.0, 100_000)
    assert check(chain, x, jac=tridiagonal, rng=0).outcome is Outcome.PASS


def test_a_remembered_sparse_buffer_is_noticed() -> None:
    kept = tridiagonal(X)

    def reuse(x: Any) -> Any:
        reuse.calls += 1  # type: ignore[attr-defined]
        kept.data *= 1.0 if reuse.calls == 1 else 2.0  # type: ignore[attr-defined]
        return kept

    reuse.calls = 0  # type: ignore[attr-defined]
    report = check(chain, X, jac=reuse, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.reason in (Reason.ALIASING, Reason.STATE)


@pytest.mark.parametrize("unit", [1.0, 1e-9, 2.0**-500])
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
def test_a_stale_sparse_jacobian_fails_in_any_unit(unit: float, kind: Any) -> None:
    """What is stored is not measured against where: an index is far larger than 1e-9."""
    seen = X

    def f(x: np.ndarray) -> Any:
        nonlocal seen
        seen = x.copy()
        return unit * x**2

    report = check(f, X, jac=lambda x: kind(sp.diags_array(2 * unit * seen)), rng=1)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.STATE), str(report)


def test_a_sparse_jacobian_that_comes_dense_the_second_time_is_another_answer() -> None:
    calls = 0

    def jac(x: np.ndarray) -> Any:
        nonlocal calls
        calls += 1
        return tridiagonal(x) if calls % 2 else tridiagonal(x).toarray()

    assert check(chain, X, jac=jac, rng=0).reason is Reason.STATE
