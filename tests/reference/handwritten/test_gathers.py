"""Embedding, max-pooling and convolution against sums written out one term at a time."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mpf

import reference
from reference._domains import Separated


def spread(rng: np.random.Generator, dtype: type, shape: tuple[int, ...], decades: float) -> Any:
    """Numbers of both signs and of several magnitudes."""
    return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-decades, 0, shape)).astype(dtype)


def exact(a: np.ndarray) -> np.ndarray:
    """Return the same array of exact numbers."""
    return np.array([mpf(float(v)) for v in np.ravel(a)], dtype=object).reshape(np.shape(a))


# --- embedding -----------------------------------------------------------------------------------


def test_embedding_adds_up_repeated_indices(oracle: ModuleType, dtype: type, effort, bound) -> None:
    rng, points = effort
    table = rng.standard_normal((5, 3)).astype(dtype)
    for count, decades in ((1, 1), (7, 3), (40 * points, 2), (points, 12)):
        indices = rng.integers(0, 4, count)  # the last row is never used
        G = spread(rng, dtype, (count, 3), min(decades, 4 if dtype is np.float16 else 12))
        total, size = (np.full((5, 3), mpf(0), dtype=object) for _ in range(2))
        for index, row in zip(indices, exact(G), strict=True):
            total[index] += row
            size[index] += abs(row)
        gradient = reference.embedding_vjp(table, indices, G)
        assert not gradient[4].any()
        sizes = size[:4].ravel()
        sizes[sizes == 0] = 1  # a row that was not drawn
        assert oracle.ulps(gradient[:4], total[:4].ravel(), sizes) <= bound(2.0, dtype)


def test_embedding_adds_many_uses_up_without_drift(oracle: ModuleType) -> None:
    """One after the other, 10⁵ times 0.1 would be off by thousands of ulps."""
    for elsewhere in (0.1, 1e30, np.inf):
        G = np.full((100_001, 1), 0.1)
        indices = np.ones(100_001, int)
        G[0], indices[0] = elsewhere, 0
        gradient = reference.embedding_vjp(np.zeros((2, 1)), indices, G)
        assert gradient[0] == elsewhere
        assert oracle.ulps(gradient[1], [100_000 * mpf(0.1)]) <= 1


def test_embedding_rows_of_every_size(oracle: ModuleType, effort) -> None:
    """A row of the smallest numbers keeps its digits beside one of the largest."""
    rng, points = effort
    largest = np.array([1e-323, 1e-310, 1e-307, 1e-200, 1.0, 1e30, 1e300])
    indices = rng.integers(0, len(largest), 100 * points)
    G = largest[indices, None] * spread(rng, np.float64, (len(indices), 2), 3)
    total, size = (np.full((len(largest), 2), mpf(0), dtype=object) for _ in range(2))
    for index, row in zip(indices, exact(G), strict=True):
        total[index] += row
        size[index] += abs(row)
    gradient = reference.embedding_vjp(np.zeros((len(largest), 2)), indices, G)
    assert oracle.ulps(gradient, total.ravel(), size.ravel()) <= 1


def test_embedding_picks_rows(dtype: type, strictly) -> None:
    table = np.arange(12.0, dtype=dtype).reshape(4, 3)
    table[1, 1] = np.nan
    indices = np.array([[0, 3], [3, 1]])
    y = strictly(reference.embedding, table, indices)
    assert y.shape == (2, 2, 3)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, table[indices])
    assert not np.shares_memory(y, table)
    G = np.full(y.shape, np.finfo(dtype).max / 4, dtype)
    gradient = strictly(reference.embedding_vjp, table, indices, G)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient[3], np.finfo(dtype).max / 2)


def test_embedding_of_infinities_and_nan() -> None:
    G = np.array([[np.inf, np.nan, 1.0], [1.0, 1.0, -np.inf]])
    gradient = reference.embedding_vjp(np.ones((2, 3)), [1, 1], G)
    np.testing.assert_array_equal(gradient, [[0, 0, 0], [np.inf, np.nan, -np.inf]])


def test_embedding_errors() -> None:
    with pytest.raises(ValueError, match=r"indices must be numbers 0 … 1 .*got -1"):
        reference.embedding(np.ones((2, 2)), [0, -1])
    with pytest.raises(TypeError, match="indices must be integers, got dtype float64"):
        reference.embedding(np.ones((2, 2)), [0.0])
    with pytest.raises(ValueError, match="table must have the shape"):
        reference.embedding(np.ones(2), [0])
    with pytest.raises(ValueError, match="G must have the shape"):
        reference.embedding_vjp(np.ones((2, 2)), [0], np.ones(2))


# --- windows -------------------------------------------------------------------------------------

SHAPES = [  # image, window, stride, padding
    ((4, 4), 2, 2, 0),
    ((5, 3), 3, 1, 1),
    ((1, 1), 3, 2, 1),
    ((6, 5), 3, 2, 1),
    ((3, 7), 1, 1, 0),
    ((5, 5), 2, 3, 1),
]


def windows(image: tuple[int, int], window: int, stride: int, padding: int) -> list[Any]:
    """Return (row, column, [(y, x), …]) of every window, pixels of padding left out."""
    out = []
    for i, y in enumerate(range(-padding, image[0] + padding - window + 1, stride)):
        for j, x in enumerate(range(-padding, image[1] + padding - window + 1, stride)):
            pixels = [(y + a, x + b) for a in range(window) for b in range(window)]
            out.append((i, j, pixels))
    return out


def inside(image: tuple[int, int], pixel: tuple[int, int]) -> bool:
    return 0 <= pixel[0] < image[0] and 0 <= pixel[1] < image[1]


# --- max-pooling ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "window", "stride", "padding"), SHAPES)
def test_max_pooling(oracle, image, window, stride, padding, dtype, strictly, bound) -> None:
    rng = np.random.default_rng(5)
    options = {"window": window, "stride": stride, "padding": padding}
    x = rng.integers(-2, 3, (2, 3, *image)).astype(dtype)  # many ties
    y = strictly(partial(reference.max_pool2d, **options), x)
    assert y.dtype == dtype
    v = spread(rng, dtype, y.shape, 3)
    gradient = strictly(partial(reference.max_pool2d_vjp, **options), x, v)
    assert gradient.dtype == dtype
    total, size = (np.full(x.shape, mpf(0), dtype=object) for _ in range(2))
    for n, c in np.ndindex(2, 3):
        for i, j, pixels in windows(image, window, stride, padding):
            pixels = [p for p in pixels if inside(image, p)]
            best = max(x[n, c][p] for p in pixels)
            assert y[n, c, i, j] == best
            first = next(p for p in pixels if x[n, c][p] == best)
            total[n, c][first] += mpf(float(v[n, c, i, j]))
            size[n, c][first] += abs(mpf(float(v[n, c, i, j])))
    won = size.ravel() > 0
    assert not gradient.ravel()[~won].any()
    got, truth, sizes = (a.ravel()[won] for a in (gradient, total, size))
    assert oracle.ulps(got, truth, sizes) <= bound(2.0, dtype)


def test_max_pooling_of_infinities_and_nan() -> None:
    x = np.full((1, 1, 2, 2), -np.inf)
    v = np.ones((1, 1, 2, 2))
    y = reference.max_pool2d(x, window=2, stride=2, padding=1)
    assert np.isneginf(y).all()
    # Every window holds one pixel, which wins against the padding although both are −inf.
    gradient = reference.max_pool2d_vjp(x, v, window=2, stride=2, padding=1)
    np.testing.assert_array_equal(gradient, v)
    x[0, 0, 0, 1] = np.nan
    assert np.isnan(reference.max_pool2d(x)).all()


def test_max_pooling_gives_a_subgradient_at_ties() -> None:
    x = np.array([[[[1.0, 1.0], [0.0, 1.0]]]])
    gradient = reference.max_pool2d_vjp(x, np.array([[[[2.0]]]]))
    assert gradient.sum() == 2
    np.testing.assert_array_equal(gradient, [[[[2, 0], [0, 0]]]])


def test_max_pooling_of_upstream_gradients_of_every_size() -> None:
    v = np.array([[[[1e300, 1e-200, 5e-324]]]])
    gradient = reference.max_pool2d_vjp(np.ones((1, 1, 1, 3)), v, window=1)
    np.testing.assert_array_equal(gradient, v)


@pytest.mark.parametrize("option", [{"low": 0.0}, {"high": 0.0}, {"kinks": (0.0,)}])
def test_images_for_max_pooling_take_no_ends_and_no_kinks(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(option))):
        Separated(**option)


def test_max_pooling_errors() -> None:
    x = np.ones((1, 1, 3, 3))
    with pytest.raises(ValueError, match="x must have the shape"):
        reference.max_pool2d(np.ones((3, 3)))
    with pytest.raises(ValueError, match="a window of 4 does not fit into 3 pixels"):
        reference.max_pool2d(x, window=4)
    with pytest.raises(ValueError, match="padding must be less than the window of 2, got 2"):
        reference.max_pool2d(x, padding=2)
    with pytest.raises(TypeError, match=r"stride must be one integer, got 1\.5"):
        reference.max_pool2d(x, stride=1.5)
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        reference.max_pool2d(x, window=0)


# --- convolution ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "window", "stride", "padding"), SHAPES)
def test_convolution(oracle, image, window, stride, padding, dtype, bound) -> None:
    rng = np.random.default_rng(6)
    x, w = spread(rng, dtype, (2, 2, *image), 2), spread(rng, dtype, (3, 2, window, window), 2)
    b = spread(rng, dtype, (3,), 1)
    y = reference.conv2d(x, w, b, stride=stride, padding=padding)
    G = spread(rng, dtype, y.shape, 1)
    gradients = reference.conv2d_vjp(x, w, b, G, stride=stride, padding=padding)
    X, W, B, U = map(exact, (x, w, b, G))
    # Sums of terms and of their sizes, for the output and for the three gradients.
    sums = [[np.full(a.shape, mpf(0), dtype=object) for a in (y, x, w, b)] for _ in range(2)]
    for n, k in np.ndindex(2, 3):
        for i, j, pixels in windows(image, window, stride, padding):
            upstream = U[n, k, i, j]
            for (value, dx, dw, db), change in zip(sums, (lambda t: t, abs), strict=True):
                value[n, k, i, j] += change(B[k])
                db[k] += change(upstream)
                for place, pixel in enumerate(pixels):
                    if not inside(image, pixel):
                        continue
                    at = divmod(place, window)
                    for c in range(2):
                        here, weight = X[n, c][pixel], W[k, c][at]
                        value[n, k, i, j] += change(here * weight)
                        dx[n, c][pixel] += change(upstream * weight)
                        dw[k, c][at] += change(upstream * here)
    for got, total, size in zip((y, *gradients), *sums, strict=True):
        assert got.dtype == dtype
        sizes = size.ravel()
        sizes[sizes == 0] = 1  # a pixel between the windows
        assert oracle.ulps(got, total.ravel(), sizes) <= bound(4.0, dtype)


def test_convolution_range(dtype: type, strictly) -> None:
    info = np.finfo(dtype)
    rng = np.random.default_rng(7)
    for scale in (float(info.max) / 64, float(info.tiny), float(info.smallest_subnormal)):
        x = (scale * rng.uniform(-1, 1, (1, 2, 4, 4))).astype(dtype)
        w = rng.uniform(-1, 1, (2, 2, 3, 3)).astype(dtype)
        for a, c in ((x, w), (x, (scale * w).astype(dtype))):
            b = np.zeros(2, dtype)
            y = strictly(reference.conv2d, a, c, b)
            assert not np.isnan(y).any()
            for gradient in strictly(reference.conv2d_vjp, a, c, b, np.ones_like(y)):
                assert gradient.dtype == dtype
                assert not np.isnan(gradient).any()


def test_partial_sums_of_a_convolution_may_overflow() -> None:
    largest = np.finfo(float).max
    x = np.array([[[[largest, largest, -largest]]]])
    y = reference.conv2d(x, np.ones((1, 1, 1, 3)), [0.0])
    assert y.ravel().tolist() == [largest]


def test_convolution_of_nan_stays_in_its_windows() -> None:
    x = np.ones((1, 1, 4, 4))
    x[0, 0, 0, 0] = np.nan
    y = reference.conv2d(x, np.ones((1, 1, 2, 2)), [0.0])
    assert np.isnan(y).sum() == 1
    assert np.isnan(y[0, 0, 0, 0])


def test_convolution_errors() -> None:
    x, w, b = np.ones((1, 2, 3, 3)), np.ones((4, 2, 2, 2)), np.ones(4)
    with pytest.raises(ValueError, match=r"w must have the shape \(filters, 2, height, width\)"):
        reference.conv2d(x, w[:, :1], b)
    with pytest.raises(ValueError, match="b must have the shape"):
        reference.conv2d(x, w, b[:3])
    with pytest.raises(ValueError, match="a window of 5 does not fit"):
        reference.conv2d(x, np.ones((4, 2, 5, 5)), b)
    with pytest.raises(ValueError, match="stride must be at least 1"):
        reference.conv2d(x, w, b, stride=0)
    with pytest.raises(ValueError, match="G must have the shape"):
        reference.conv2d_vjp(x, w, b, np.ones((1, 4, 3, 3)))


@pytest.mark.parametrize(
    "shapes", [((6, 3, 9, 8), (5, 3, 3, 3)), ((4, 16, 32, 32), (32, 16, 3, 3))]
)
def test_an_image_does_not_see_its_neighbours(shapes: tuple[tuple[int, ...], ...]) -> None:
    """To the last bit: convolved alone, with one other and with all."""
    rng = np.random.default_rng(12)
    x, w = (rng.standard_normal(shape) for shape in shapes)
    b = rng.standard_normal(len(w))
    y = reference.conv2d(x, w, b, padding=1)
    G = rng.standard_normal(y.shape)
    dx = reference.conv2d_vjp(x, w, b, G, padding=1)[0]
    for i in range(len(x)):
        for few in (slice(i, i + 1), slice(i, i + 2)):
            np.testing.assert_array_equal(reference.conv2d(x[few], w, b, padding=1), y[few])
            down = reference.conv2d_vjp(x[few], w, b, G[few], padding=1)[0]
            np.testing.assert_array_equal(down, dx[few])


def test_no_images() -> None:
    x, w, b = np.ones((0, 2, 4, 4)), np.ones((3, 2, 2, 2)), np.ones(3)
    y = reference.conv2d(x, w, b)
    assert y.shape == (0, 3, 3, 3)
    dx, dw, db = reference.conv2d_vjp(x, w, b, y)
    assert dx.shape == x.shape
    assert not dw.any()
    assert not db.any()
    assert reference.max_pool2d_vjp(x, reference.max_pool2d(x)).shape == x.shape
