"""Scaled dot-product attention against the textbook's formulas to hundreds of digits."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference

VALUE, SLOPE = 4.0, 16.0  # in ulps of the terms that cancel


def inputs(rng: np.random.Generator, dtype: type, count: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Queries, keys, values and upstream gradients: moderate, sharp, flat, of mixed sizes."""
    for scale, (n, m, d, e) in zip(
        (1.0, 5.0, 9.0, 1e-9, 1.0, 3.0),
        ((2, 3, 4, 2), (1, 5, 3, 1), (3, 2, 8, 3), (2, 4, 2, 2), (4, 1, 1, 2), (2, 6, 5, 3)),
        strict=True,
    ):
        spread = min(scale, 2.0) if dtype is np.float16 else scale  # sizes must not overflow
        for _ in range(count):
            q, k = spread * rng.standard_normal((n, d)), rng.standard_normal((m, d))
            v = rng.standard_normal((m, e)) * 10.0 ** rng.uniform(-1, 1, (m, e))
            g = rng.standard_normal((n, e)) + rng.choice([0.0, 3.0])
            yield tuple(a.astype(dtype) for a in (q, k, v, g))


def matrix(oracle: ModuleType, a: np.ndarray) -> list[list[Any]]:
    return [oracle.exact(row) for row in a]


def dot(a: Any, b: Any) -> Any:
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def size(a: Any) -> list[Any]:
    return [abs(x) for x in a]


def columns(a: list[list[Any]]) -> list[list[Any]]:
    return [list(c) for c in zip(*a, strict=True)]


def products(rows: Any, others: Any) -> list[list[Any]]:
    """Return a·bᵀ."""
    return [[dot(a, b) for b in others] for a in rows]


class Truth:
    """Weights and the errors that rounding the logits explains, by the textbook."""

    def __init__(self, oracle: ModuleType, q: Any, k: Any, v: Any, g: Any) -> None:
        self.root = mp.sqrt(q.shape[1])
        self.q, self.k, self.v, self.g = (matrix(oracle, a) for a in (q, k, v, g))
        self.p = [oracle.softmax([x / self.root for x in row]) for row in products(self.q, self.k)]
        terms = products([size(a) for a in self.q], [size(b) for b in self.k])
        # 1 + L + the weights' mean of L, for every pair of a query and a key
        self.spread = []
        for p, row in zip(self.p, terms, strict=True):
            mean = dot(p, row) / self.root
            self.spread.append([1 + x / self.root + mean for x in row])
        self.sizes = [
            [a * b for a, b in zip(p, s, strict=True)]
            for p, s in zip(self.p, self.spread, strict=True)
        ]

    def softmax_slopes(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return S and its size."""
        slopes, sizes = [], []
        upstream = products(self.g, self.v)
        big = products([size(a) for a in self.g], [size(b) for b in self.v])
        for p, s, u, b in zip(self.p, self.spread, upstream, big, strict=True):
            mean, mean_size = dot(p, u), dot([x * y for x, y in zip(p, s, strict=True)], b)
            slopes.append([x * (y - mean) for x, y in zip(p, u, strict=True)])
            sizes.append([x * (y * z + mean_size * z) for x, y, z in zip(p, b, s, strict=True)])
        return slopes, sizes


def flat(a: list[list[Any]]) -> list[Any]:
    return [x for row in a for x in row]


def test_accuracy(oracle: ModuleType, dtype: type, effort, bound) -> None:
    rng, points = effort
    for arguments in inputs(rng, dtype, max(2, points // 40)):
        true = Truth(oracle, *arguments)
        q, k, v, _ = arguments
        y, values = flat(products(true.p, columns(true.v))), columns(true.v)
        y_size = flat(products(true.sizes, [size(c) for c in values]))
        assert oracle.ulps(reference.attention(q, k, v), y, y_size) <= bound(VALUE, dtype)
        dq, dk, dv = reference.attention_vjp(*arguments)
        slopes, sizes = true.softmax_slopes()
        for got, rows, sized, others in (
            (dq, slopes, sizes, true.k),
            (dk, columns(slopes), columns(sizes), true.q),
        ):
            exact = [x / true.root for x in flat(products(rows, columns(others)))]
            absolute = [size(c) for c in columns(others)]
            scale = [x / true.root for x in flat(products(sized, absolute))]
            assert oracle.ulps(got, exact, scale) <= bound(SLOPE, dtype)
        exact = flat(products(columns(true.p), columns(true.g)))
        scale = flat(products(columns(true.sizes), [size(c) for c in columns(true.g)]))
        assert oracle.ulps(dv, exact, scale) <= bound(VALUE, dtype)


def test_range(dtype: type, strictly) -> None:
    info = np.finfo(dtype)
    rng = np.random.default_rng(7)
    for scale in (1.0, float(info.max) / 8, float(info.tiny), float(info.smallest_subnormal)):
        for other in (1.0, scale):
            q = (scale * rng.uniform(-1, 1, (3, 4))).astype(dtype)
            k = (other * rng.uniform(-1, 1, (5, 4))).astype(dtype)
            v, g = (rng.uniform(-1, 1, s).astype(dtype) for s in ((5, 2), (3, 2)))
            y = strictly(reference.attention, q, k, v)
            assert y.dtype == dtype
            assert (y >= v.min(axis=0)).all()
            assert (y <= v.max(axis=0)).all()
            for gradient, argument in zip(
                strictly(reference.attention_vjp, q, k, v, g), (q, k, v), strict=True
            ):
                assert gradient.dtype == dtype
                assert gradient.shape == argument.shape
                assert not np.isnan(gradient).any()


def test_a_large_value_is_weighted_without_overflow() -> None:
    q, k, v = np.zeros((1, 2)), np.zeros((4, 2)), np.full((4, 1), np.finfo(float).max)
    np.testing.assert_allclose(reference.attention(q, k, v), v[:1], rtol=1e-15)


@pytest.mark.parametrize(
    ("n", "m", "d", "e"), [(1, 3, 2, 2), (5, 7, 3, 4), (64, 64, 64, 64), (100, 37, 16, 8)]
)
def test_a_query_does_not_see_its_neighbours(n: int, m: int, d: int, e: int) -> None:
    """To the last bit: alone, among a few and among all; and so each matrix of a stack."""
    rng = np.random.default_rng(n)
    q, k, v, g = (rng.standard_normal((3, *s)) for s in ((n, d), (m, d), (m, e), (n, e)))
    y, gradients = reference.attention(q, k, v), reference.attention_vjp(q, k, v, g)
    for at in range(3):
        alone = reference.attention_vjp(q[at], k[at], v[at], g[at])
        for together, single in zip(gradients, alone, strict=True):
            np.testing.assert_array_equal(together[at], single)
        for i in rng.integers(0, n, 5):
            for few in (slice(i, i + 1), slice(max(0, i - 2), i + 3)):
                some = reference.attention(q[at, few], k[at], v[at])
                np.testing.assert_array_equal(some, y[at, few])
                dq = reference.attention_vjp(q[at, few], k[at], v[at], g[at, few])[0]
                np.testing.assert_array_equal(dq, gradients[0][at, few])


def test_nan_stays_in_its_query() -> None:
    q, k, v = np.ones((3, 2)), np.ones((2, 2)), np.ones((2, 1))
    q[1, 0] = np.nan
    assert np.isnan(reference.attention(q, k, v)[:, 0]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3,), (2, 3), (2, 1)), "Q must have the shape"),
        (((2, 3), (0, 3), (0, 1)), "with a key"),
        (((2, 3), (4, 2), (4, 1)), "K must have the shape"),
        (((2, 3), (4, 3), (5, 1)), "V must have the shape"),
    ],
)
def test_errors_name_the_argument(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference.attention(*(np.ones(s) for s in shapes))


def test_one_key_takes_everything() -> None:
    """The only weight is 1 whatever the logit, so that queries and keys do not matter."""
    q, k, v, g = np.ones((2, 3)), np.ones((1, 3)), np.full((1, 2), mpf(3)), np.ones((2, 2))
    dq, dk, dv = reference.attention_vjp(q, k, v.astype(float), g)
    assert not dq.any()
    assert not dk.any()
    assert (dv == 2).all()
