"""Products of matrices: what a row's part depends on, and how its error grows with the terms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import reference


def layouts(x: np.ndarray) -> Iterator[np.ndarray]:
    """The same numbers: in Fortran order, backwards, with gaps, and off the grid of 8 bytes."""
    yield np.asfortranarray(x)
    yield np.flip(np.flip(x).copy())
    gaps = np.zeros((*x.shape, 2))
    gaps[..., 0] = x
    yield gaps[..., 0]
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    yield unaligned


def assert_same(got: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...]) -> None:
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("M", [9, 70])
def test_attention_of_one_query_in_any_layout(M: int) -> None:
    rng = np.random.default_rng(0)
    Q, K, V, G = (rng.standard_normal(s) for s in ((4, 5), (M, 5), (M, 3), (4, 3)))
    y, down = reference.attention(Q, K, V), reference.attention_vjp(Q, K, V, G)
    for arrays in zip(*map(layouts, (Q, K, V, G)), strict=True):
        np.testing.assert_array_equal(reference.attention(*arrays[:3]), y)
        assert_same(reference.attention_vjp(*arrays), down)
    for i in range(4):
        one = slice(i, i + 1)
        np.testing.assert_array_equal(reference.attention(Q[one], K, V), y[one])
        np.testing.assert_array_equal(
            reference.attention_vjp(Q[one], K, V, G[one])[0], down[0][one]
        )


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("filters", [1, 2, 3])
def test_convolution_of_one_image_in_any_layout(channels: int, filters: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, channels, 4, 8)), rng.standard_normal((filters, channels, 2, 1))
    b, G = rng.standard_normal(filters), rng.standard_normal((2, filters, 3, 8))
    y, down = reference.conv2d(x, w, b), reference.conv2d_vjp(x, w, b, G)
    for arrays in zip(*map(layouts, (x, w, b, G)), strict=True):
        np.testing.assert_array_equal(reference.conv2d(*arrays[:3]), y)
        assert_same(reference.conv2d_vjp(*arrays), down)
    for one in (slice(0, 1), slice(1, 2)):
        np.testing.assert_array_equal(reference.conv2d(x[one], w, b), y[one])
        np.testing.assert_array_equal(reference.conv2d_vjp(x[one], w, b, G[one])[0], down[0][one])


@pytest.mark.parametrize("keys", [13, 30, 100, 1000, 10_000])
@pytest.mark.parametrize("value", [0.1, 0.7, 0.9814761481482293])
def test_attention_to_many_keys(keys: int, value: float) -> None:
    """Like keys have like weights, and like values are their own mean."""
    got = reference.attention(np.zeros((1, 1)), np.ones((keys, 1)), np.full((keys, 2), value))
    assert np.all(abs(got - value) <= 4 * np.spacing(value))


def test_attention_with_many_features() -> None:
    """A logit of 0.194 against one of 0; 0.0123·0.1234/128 is added up 16384 times."""
    queries, keys = np.full((1, 16384), 0.1234), np.zeros((2, 16384))
    keys[0] = 0.0123
    logit = 0.0123 * 0.1234 * 128
    got = reference.attention(queries, keys, [[1.0], [0.0]])
    expected = 1 / (1 + np.exp(-logit))
    assert abs(got - expected) <= 5 * np.spacing(expected * (1 + 2 * logit))
