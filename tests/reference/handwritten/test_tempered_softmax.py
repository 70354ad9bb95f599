"""Softmax with a temperature against the truth to hundreds of digits."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from mpmath import mp

import reference

TEMPERATURES = (1.0, 0.1, 0.3, 7.0, 1e-3, 1e6, 3e307, 1e-300)


def logit_rows(rng: np.random.Generator, dtype: type, count: int) -> Iterator[np.ndarray]:
    """Rows of logits: spread and tight, tied, masked, offset, huge, subnormal."""
    info = np.finfo(dtype)
    for n in (1, 2, 3, 9):
        normal = rng.standard_normal((count, n))
        masked = np.where(rng.random((count, n)) < 0.4, -np.inf, 6 * normal)
        masked[:, -1] = 0.25
        kinds = (
            1e-8 * normal,
            normal,
            8 * normal,
            150 * normal,
            masked,
            np.repeat(normal[:, :1], n, axis=1),
            normal + rng.choice([1e3, -1e5]),
            np.sign(normal) * float(info.max),
            rng.integers(-1000, 1000, (count, n)) * float(info.smallest_subnormal),
        )
        for kind in kinds:
            with np.errstate(all="ignore"):
                z = kind.astype(dtype)
            if np.isfinite(z.max(axis=1)).all():  # offsets may be too large for a small dtype
                yield z


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_accuracy(oracle: ModuleType, temperature: float, dtype: type, effort, bound) -> None:
    rng, points = effort
    t = oracle.exact(np.array([temperature]))[0]
    for z in logit_rows(rng, dtype, max(2, points // 50)):
        v = (rng.standard_normal(z.shape) + rng.choice([0.0, 100.0])).astype(dtype)
        y, dz, dz_size, dt, dt_size = [], [], [], [], []
        for row, upstream in zip(z, v, strict=True):
            logits, w = [x / t for x in oracle.exact(row)], oracle.exact(upstream)
            y += oracle.softmax(logits)
            slopes = [g / t for g in oracle.softmax_vjp(logits, w)]
            sizes = [g / t for g in oracle.softmax_vjp_size(logits, w)]
            top = max(logits)
            reached = [top - x if mp.isfinite(x) else 0 for x in logits]
            dt.append(mp.fsum(a * b for a, b in zip(reached, slopes, strict=True)))
            dt_size.append(mp.fsum(a * b for a, b in zip(reached, sizes, strict=True)))
            dz += slopes
            dz_size += sizes
        assert oracle.ulps(reference.temperature_softmax(z, temperature), y) <= bound(8.0, dtype)
        got, in_temperature = reference.temperature_softmax_vjp(z, temperature, v)
        assert oracle.ulps(got, dz, dz_size) <= bound(16.0, dtype)
        assert oracle.ulps(in_temperature, [mp.fsum(dt)], [mp.fsum(dt_size)]) <= 16.0


def test_range(dtype: type, strictly) -> None:
    rng = np.random.default_rng(3)
    for z in logit_rows(rng, dtype, 5):
        v = rng.standard_normal(z.shape).astype(dtype)
        for temperature in (*TEMPERATURES, 5e-324, 1e308):
            y = strictly(reference.temperature_softmax, z, temperature)
            assert y.dtype == dtype
            assert np.isfinite(y).all()
            dz, dt = strictly(reference.temperature_softmax_vjp, z, temperature, v)
            assert dz.dtype == dtype
            assert dt.dtype == np.float64
            assert not np.isnan(dz).any()
            assert not np.isnan(dt)


def test_temperature_one_is_softmax_and_axes_work() -> None:
    z = np.random.default_rng(4).standard_normal((2, 3, 4))
    np.testing.assert_allclose(
        reference.temperature_softmax(z, 1, axis=1), reference.softmax(z, axis=1), rtol=1e-15
    )
    v = z[::-1].copy()
    dz, dt = reference.temperature_softmax_vjp(z, 2.0, v, axis=1)
    np.testing.assert_allclose(dz, reference.softmax_vjp(z / 2, v, axis=1) / 2, rtol=1e-12)
    assert dt == pytest.approx(-(z * dz).sum() / 2, rel=1e-12)


def test_nan_stays_in_its_row() -> None:
    z = np.array([[0.0, 1.0], [np.nan, 1.0], [np.inf, 0.0]])
    assert np.isnan(reference.temperature_softmax(z, 0.5)).all(axis=1).tolist() == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan, [1.0, 2.0]])
def test_a_temperature_is_one_positive_number(wrong: object) -> None:
    with pytest.raises(ValueError, match="temperature must be one positive finite number"):
        reference.temperature_softmax([0.0], wrong)
