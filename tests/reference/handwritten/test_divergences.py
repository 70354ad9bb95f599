"""The Kullback-Leibler divergence against the truth to hundreds of digits."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import numpy as np
import pytest
from mpmath import mp, mpf

import reference


def pairs(rng: np.random.Generator, dtype: type, count: int, n: int) -> tuple[np.ndarray, ...]:
    """Probabilities of every magnitude, close pairs and far ones, near one, subnormal."""
    low = np.log10(float(np.finfo(dtype).smallest_subnormal))
    p = 10.0 ** rng.uniform(low, 0, (count, n))
    plain = rng.random((count, n))
    p = np.where(rng.random((count, n)) < 0.5, p, plain)
    close = p * (1 + rng.standard_normal((count, n)) * 10.0 ** rng.uniform(-17, -1, (count, n)))
    kind = rng.random((count, n))
    q = np.where(kind < 0.4, close, np.where(kind < 0.7, rng.permutation(p), 1 - plain))
    with np.errstate(all="ignore"):
        tiny = float(np.finfo(dtype).smallest_subnormal)
        return tuple(np.clip(a, tiny, 1).astype(dtype) for a in (p, q))


def test_accuracy(oracle: ModuleType, dtype: type, effort, bound) -> None:
    rng, points = effort
    for n in (1, 2, 7):
        p, q = pairs(rng, dtype, points, n)
        losses, sizes, slopes, slope_sizes, other = [], [], [], [], []
        for a, b in zip(p, q, strict=True):
            couples = list(zip(oracle.exact(a), oracle.exact(b), strict=True))
            logs = [mp.log(x / y) for x, y in couples]
            terms = [x * log for (x, _), log in zip(couples, logs, strict=True)]
            losses.append(mp.fsum(terms))
            sizes.append(mp.fsum(map(abs, terms)))
            slopes += [log + 1 for log in logs]
            slope_sizes += [abs(log) + 1 for log in logs]
            other += [-x / y for x, y in couples]
        got = reference.kl_divergence(p, q, reduction="none")
        assert oracle.ulps(got, losses, sizes) <= bound(4.0, dtype)
        dp, dq = reference.kl_divergence_grad(p, q, reduction="none")
        assert oracle.ulps(dp, slopes, slope_sizes) <= bound(3.0, dtype)
        assert oracle.ulps(dq, other) <= bound(0.5, dtype)


def test_range(dtype: type, strictly) -> None:
    p, q = pairs(np.random.default_rng(3), dtype, 300, 4)
    p[::7, 1], q[::5, 2], p[::5, 2] = 0, 0, 0
    for reduction in ("none", "mean", "sum"):
        loss = strictly(partial(reference.kl_divergence, reduction=reduction), p, q)
        assert loss.dtype == dtype
        assert np.isfinite(loss).all() or dtype is np.float16  # whose sum may be beyond 65504
        for slope in strictly(partial(reference.kl_divergence_grad, reduction=reduction), p, q):
            assert slope.dtype == dtype
            assert not np.isnan(slope).any()


def test_close_distributions_keep_their_digits() -> None:
    """With q = p(1 ± δ) the terms are ±pδ and cancel to pδ²; log p − log q keeps none of δ²."""
    p = np.array([0.5, 0.5])
    q = p * np.array([1 + 2.0**-20, 1 - 2.0**-20])
    truth = -mp.log(1 - mpf(2) ** -40) / 2
    assert reference.kl_divergence(p, q) == pytest.approx(float(truth), rel=1e-9)


def test_zeros_are_as_documented() -> None:
    p, q = np.array([0.0, 0.0, 0.5]), np.array([0.0, 0.5, 0.0])
    each = [reference.kl_divergence([a], [b]) for a, b in zip(p, q, strict=True)]
    assert each == [0, 0, np.inf]
    dp, dq = reference.kl_divergence_grad(p, q)
    assert dp.tolist() == [1, -np.inf, np.inf]
    assert dq.tolist() == [0, 0, -np.inf]


def test_axes_and_reductions() -> None:
    rng = np.random.default_rng(6)
    p, q = rng.random((2, 3, 4)), rng.random((2, 3, 4))
    each = reference.kl_divergence(p, q, axis=1, reduction="none")
    assert each.shape == (2, 4)
    np.testing.assert_allclose(each, (p * np.log(p / q)).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(reference.kl_divergence(p, q, axis=1), each.mean(), rtol=1e-14)
    dp, dq = reference.kl_divergence_grad(p, q, axis=1)
    np.testing.assert_allclose(dp, (np.log(p / q) + 1) / 8, rtol=1e-12)
    np.testing.assert_allclose(dq, -p / q / 8, rtol=1e-14)


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match=r"q must have the shape \(2,\) of p"):
        reference.kl_divergence([0.5, 0.5], [0.5])
    with pytest.raises(ValueError, match=r"q must lie in \[0, 1\]"):
        reference.kl_divergence([0.5], [1.5])
