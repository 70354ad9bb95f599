"""The convolution of images by im2col, with what it passes down."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._products import product, scattered, wide
from reference._validate import Array, of_shape, real
from reference._windows import at_least, gathered, image_of, window_places


def conv2d(x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0) -> Array:
    """Return Σ_c Σ_pq x[c, i·stride+p−padding, j·stride+q−padding]·w[k, c, p, q] + b[k].

    Every window becomes a row of a matrix (im2col), which is multiplied with the filters.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        A batch of images.
    w : array_like, shape (K, C, h, w)
        K filters; they are not flipped.
    b : array_like, shape (K,)
        Biases.
    stride : int
        From window to window.
    padding : int
        Zeros around the image.

    Returns
    -------
    array, shape (N, K, (H+2·padding−h)//stride + 1, the same of W)
        In the dtype of `x`; computed in float64 and rounded once.  The error is that of a dot
        product: at most half an ulp of Σ|x·w| + |b| for each of its terms, commonly 1 or 2 ulp.
        The other images do not change a bit of an image's part.

    Raises
    ------
    TypeError
        If `x`, `w` or `b` does not hold real numbers, or another argument is not an integer.
    ValueError
        If the shapes do not fit, an argument is out of range, or no window fits.

    Notes
    -----
    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proceedings
    of the IEEE 86, 1998; im2col: K. Chellapilla, S. Puri, P. Simard, 2006.

    Examples
    --------
    >>> conv2d([[[[1.0, 2.0], [3.0, 4.0]]]], [[[[1.0, 0.0], [0.0, 1.0]]]], [0.5])
    array([[[[5.5]]]])
    """
    x, w, b, places = _arguments(x, w, b, stride, padding)
    with np.errstate(all="ignore"):
        rows = _rows_of_windows(wide(x), places)
        y = product(rows, wide(w).reshape(len(w), -1).T) + wide(b)
        return np.asarray(_images(y, places).astype(x.dtype))


def conv2d_vjp(
    x: Any, w: Any, b: Any, G: Any, stride: int = 1, padding: int = 0
) -> tuple[Array, Array, Array]:
    """Return what the convolution passes down to images, filters and biases.

    With R the matrix of windows it is Gᵀ·R to the filters, ΣG to the biases, and to each pixel the
    sum of G·w over the windows that it is in (col2im).

    Parameters
    ----------
    x, w, b, stride, padding
        As in `conv2d`.
    G : array_like
        The upstream gradient, in the shape of the output.

    Returns
    -------
    tuple of array
        The gradients in `x`, `w` and `b`, in their shapes and dtypes; accurate like the output, in
        ulps of the sums of |G·w|, |G·x| and |G|.

    Raises
    ------
    TypeError, ValueError
        As in `conv2d`; also if the shape of `G` is wrong.

    Notes
    -----
    Source: as in `conv2d`; document E, claim E2, on the matrix of windows.

    Examples
    --------
    >>> x, w = [[[[1.0, 2.0], [3.0, 4.0]]]], [[[[1.0, 0.0], [0.0, 1.0]]]]
    >>> dx, dw, db = conv2d_vjp(x, w, [0.5], [[[[2.0]]]])
    >>> dw
    array([[[[2., 4.],
             [6., 8.]]]])
    """
    x, w, b, places = _arguments(x, w, b, stride, padding)
    G = of_shape("G", real("G", G), (len(x), len(w), *places.shape[:2]), "the output of conv2d")
    with np.errstate(all="ignore"):
        windows, filters = _rows_of_windows(wide(x), places), wide(w).reshape(len(w), -1)
        upstream = wide(np.moveaxis(G, 1, -1)).reshape(*windows.shape[:2], len(w))
        dx = _into_images(product(upstream, filters), x, places)
        all_upstream = upstream.reshape(-1, len(w))
        dw = product(all_upstream.T, windows.reshape(-1, windows.shape[-1])).reshape(w.shape)
        db = scattered(all_upstream, np.zeros(len(all_upstream), np.intp), 1)[0]
        return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(b.dtype)


def _arguments(
    x: Any, w: Any, b: Any, stride: int, padding: int
) -> tuple[Array, Array, Array, Array]:
    x, w, b = image_of("x", real("x", x)), real("w", w), real("b", b)
    if w.ndim != 4 or w.shape[1] != x.shape[1] or 0 in w.shape[2:]:
        raise ValueError(
            f"w must have the shape (filters, {x.shape[1]}, height, width) to fit x of shape "
            f"{x.shape}, got {w.shape}"
        )
    of_shape("b", b, w.shape[:1], "one bias for each filter")
    stride, padding = at_least("stride", stride, 1), at_least("padding", padding, 0)
    image, window = (x.shape[2], x.shape[3]), (w.shape[2], w.shape[3])
    return x, w, b, window_places(image, window, stride, padding)


def _rows_of_windows(x: Array, places: Array) -> Any:
    """Return the windows as rows, shape (N, rows·columns, C·h·w)."""
    windows = np.moveaxis(gathered(x, places, 0.0), 1, 3)
    rows = windows.reshape(len(x), places[:, :, 0].size, x.shape[1] * places.shape[2])
    return np.ascontiguousarray(rows)  # for `product`, which adds up by layout


def _images(rows: Array, places: Array) -> Any:
    """Return rows, one for each window of each image, as images."""
    return np.moveaxis(rows.reshape(len(rows), *places.shape[:2], rows.shape[-1]), -1, 1)


def _into_images(rows: Array, x: Array, places: Array) -> Any:
    """Add rows of windows up to images in the shape of `x`; what falls on padding is dropped."""
    count, channels, height, width = x.shape
    parts = rows.reshape(count, *places.shape[:2], channels, places.shape[2])
    values = np.moveaxis(parts, (1, 2, 4), (0, 1, 2)).reshape(places.size, count * channels)
    at = np.where(places < 0, height * width, places).ravel()
    total = scattered(values, at, height * width + 1)[:-1]
    return total.T.reshape(x.shape)


def _conv3(x: Any, w: Any, b: Any) -> Array:
    return conv2d(x, w, b, padding=1)


def _conv3_vjp(x: Any, w: Any, b: Any, G: Any) -> tuple[Array, Array, Array]:
    return conv2d_vjp(x, w, b, G, padding=1)


CASES = (
    Case(
        name="conv2d",
        f=_conv3,  # with padding, so that an image of one pixel has a window too
        vjp=_conv3_vjp,
        arguments=(
            Argument("x", Interval(), ("N", "C", "H", "W")),
            Argument("w", Interval(), ("K", "C", 3, 3)),
            Argument("b", Interval(), ("K",)),
        ),
        argnums=(0, 1, 2),
        source="Y. LeCun et al., Gradient-based learning, Proc. IEEE 86, 1998; document E, claim E2",
    ),
)
