"""Where the entries of every window lie in an image: the one map behind pooling and im2col."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference._validate import Array, integer


def image_of(name: str, x: Array) -> Array:
    """Return `x` if it is a batch of images with channels, else raise ``ValueError``."""
    if x.ndim != 4 or 0 in x.shape[2:]:
        raise ValueError(f"{name} must have the shape (N, C, H, W) with pixels, got {x.shape}")
    return x


def at_least(name: str, value: Any, least: int) -> int:
    """Return an integer argument.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is too small.
    """
    if integer(name, value) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return integer(name, value)


def window_places(
    image: tuple[int, int], window: tuple[int, int], stride: int, padding: int
) -> Array:
    """Return for every window the flat places of its entries in the image; −1 is padding.

    Returns
    -------
    array of int, shape (rows, columns, entries)
        Windows in reading order, the entries of each in reading order.

    Raises
    ------
    ValueError
        If the window is larger than the padded image.
    """
    rows, columns = (_starts(*sizes, stride, padding) for sizes in zip(image, window, strict=True))
    y = rows[:, None, None, None] + np.arange(window[0])[:, None]
    x = columns[None, :, None, None] + np.arange(window[1])
    inside = (y >= 0) & (y < image[0]) & (x >= 0) & (x < image[1])
    places = np.where(inside, y * image[1] + x, -1)
    return places.reshape(len(rows), len(columns), window[0] * window[1])


def gathered(x: Array, places: Array, outside: float) -> Array:
    """Return the entries of images (N, C, H, W) at the places, shape (N, C, *places.shape)."""
    flat = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
    padded = np.concatenate([flat, np.full((*x.shape[:2], 1), outside, x.dtype)], axis=2)
    return np.asarray(padded[:, :, places])


def _starts(size: int, window: int, stride: int, padding: int) -> Array:
    last = size + padding - window
    if last < -padding:
        raise ValueError(
            f"a window of {window} does not fit into {size} pixels with a padding of {padding}"
        )
    return np.arange(-padding, last + 1, stride)
