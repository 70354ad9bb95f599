"""Max-pooling of images, ties included."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case
from reference._domains import Separated
from reference._products import scattered, wide
from reference._validate import Array, of_shape, real
from reference._windows import at_least, gathered, image_of, window_places


def max_pool2d(x: Any, window: int = 2, stride: int | None = None, padding: int = 0) -> Array:
    """Return the largest entry of every window of every image and channel.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        A batch of images.
    window : int
        The windows' height and width.
    stride : int, optional
        From window to window; by default their size, so that they do not overlap.
    padding : int
        Pixels around the image that belong to windows but never win; fewer than `window`.

    Returns
    -------
    array, shape (N, C, (H+2·padding−window)//stride + 1, the same of W)
        In the dtype of `x`; exact.  A window that holds NaN gives NaN.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers, or another argument is not an integer.
    ValueError
        If the shape is wrong, an argument is out of range, or no window fits.

    Notes
    -----
    Source: M. Ranzato et al., "Unsupervised learning of invariant feature hierarchies", CVPR 2007.

    Examples
    --------
    >>> max_pool2d([[[[1.0, 5.0], [2.0, 3.0]]]])
    array([[[[5.]]]])
    """
    x, places = _arguments(x, window, stride, padding)
    return np.asarray(np.take_along_axis(*_winners(x, places), axis=-1)[..., 0])


def max_pool2d_vjp(
    x: Any, v: Any, window: int = 2, stride: int | None = None, padding: int = 0
) -> Array:
    """Return what max-pooling passes down: what a window receives goes to its winner.

    Parameters
    ----------
    x, window, stride, padding
        As in `max_pool2d`.
    v : array_like
        The upstream gradient, in the shape of the output.

    Returns
    -------
    array, shape (N, C, H, W)
        The gradient in `x`, in its dtype; accurate to 2 ulp of Σ|v| over the windows that the pixel
        wins.  Where several entries of a window are the largest, which is a kink, the first in
        reading order gets everything: one of the subgradients.

    Raises
    ------
    TypeError, ValueError
        As in `max_pool2d`; also if the shape of `v` is wrong.

    Notes
    -----
    Source: the chain rule on `max_pool2d`.

    Examples
    --------
    >>> max_pool2d_vjp([[[[5.0, 5.0], [2.0, 3.0]]]], [[[[1.0]]]])
    array([[[[1., 0.],
             [0., 0.]]]])
    """
    x, places = _arguments(x, window, stride, padding)
    v = of_shape("v", real("v", v), (*x.shape[:2], *places.shape[:2]), "the output")
    _, winner = _winners(x, places)
    pixels = x.shape[2] * x.shape[3]
    at = np.take_along_axis(np.broadcast_to(places, (*v.shape, places.shape[2])), winner, axis=-1)
    images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1, 1)
    with np.errstate(all="ignore"):
        flat = (images * pixels + at[..., 0]).ravel()
        total = scattered(wide(v).ravel(), flat, x.size)
        return np.asarray(total.reshape(x.shape).astype(x.dtype))


def _arguments(x: Any, window: int, stride: int | None, padding: int) -> tuple[Array, Array]:
    x = image_of("x", real("x", x))
    window, padding = at_least("window", window, 1), at_least("padding", padding, 0)
    stride = window if stride is None else at_least("stride", stride, 1)
    if padding >= window:
        raise ValueError(f"padding must be less than the window of {window}, got {padding}")
    return x, window_places((x.shape[2], x.shape[3]), (window, window), stride, padding)


def _winners(x: Array, places: Array) -> tuple[Array, Array]:
    """Return the windows' entries, and for each window which of them wins, on a last axis."""
    entries = gathered(x, places, -np.inf)
    winner = entries.argmax(axis=-1, keepdims=True)
    # Where every pixel is −inf, padding must not win.
    inside = places >= 0
    lost = ~np.take_along_axis(np.broadcast_to(inside, entries.shape), winner, axis=-1)
    return entries, np.where(lost, inside.argmax(axis=-1)[..., None], winner)


def _pool3(x: Any) -> Array:
    return max_pool2d(x, window=3, stride=2, padding=1)


def _pool3_vjp(x: Any, v: Any) -> Array:
    return max_pool2d_vjp(x, v, window=3, stride=2, padding=1)


CASES = (
    Case(
        name="max_pool2d",
        f=_pool3,  # overlapping windows, with padding: an image of one pixel has one too
        vjp=_pool3_vjp,
        arguments=(Argument("x", Separated(), ("N", "C", "H", "W")),),
        source="M. Ranzato et al., Unsupervised learning of invariant features, CVPR 2007",
    ),
)
