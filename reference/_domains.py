"""Domains of arguments that the ones of `gradcheck` do not cover."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck import Interval
from reference._validate import Array


@dataclass(frozen=True, slots=True)
class FarFromKinks(Interval):
    """An interval, sampled a tenth (times the kink's size, if above one) or more from its kinks.

    Where the derivative is zero beside a kink, a step that reaches over it gives the only value
    that is not zero.  Among hundreds of entries some would come that near.

    Examples
    --------
    >>> x = FarFromKinks(kinks=(1.0,)).sample(np.random.default_rng(0), (1000,), {})
    >>> bool(abs(x - 1).min() >= 0.1)
    True
    """

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Any) -> Array:
        """Draw from the interval and move what is too near to a kink away from it."""
        x = Interval.sample(self, rng, shape, sizes)
        for kink in self.kinks:
            gap = 0.1 * max(1.0, abs(kink))
            side = np.where(x < kink, -1.0, 1.0)
            x = np.where(abs(x - kink) < gap, kink + side * gap * (1 + rng.random(shape)), x)
        return x


@dataclass(frozen=True, slots=True)
class Separated(Interval):
    """Images whose pixels differ clearly within every window of 3×3, so that none is near a tie.

    They may be any real numbers: unlike an interval they have neither ends nor kinks.

    Parameters
    ----------
    spread : float
        Typical size of the samples; their levels lie half of it apart.

    Examples
    --------
    >>> x = Separated().sample(np.random.default_rng(0), (5, 5), {})
    >>> bool(np.diff(np.sort(x[1:4, 2:5].ravel())).min() > 0.5)
    True
    """

    low: float = field(default=-np.inf, init=False)
    high: float = field(default=np.inf, init=False)
    kinks: tuple[float, ...] = field(default=(), init=False)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Any) -> Array:
        """Draw nine levels in random order, repeat them like tiles, and shake them a little."""
        del sizes
        levels = rng.permuted(np.tile(np.arange(-4.0, 5.0), (*shape[:-2], 1)), axis=-1)
        rows, columns = np.arange(shape[-2])[:, None] % 3, np.arange(shape[-1]) % 3
        tiled = levels[..., 3 * rows + columns]
        return np.asarray(self.spread / 2 * (tiled + rng.uniform(-0.2, 0.2, shape)))


@dataclass(frozen=True, slots=True)
class Signs:
    """Arrays of −1 and 1; not differentiable.

    Examples
    --------
    >>> Signs().contains(np.array([1.0, -1.0])), Signs().contains(np.array([0.0]))
    (True, False)
    """

    @property
    def differentiable(self) -> bool:
        """Always false: signs are labels."""
        return False

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], sizes: Any) -> Array:
        """Draw signs, both equally likely."""
        del sizes
        return rng.choice([-1.0, 1.0], shape)

    def contains(self, x: Array) -> bool:
        """Whether every entry is −1 or 1."""
        return bool(np.all(abs(x) == 1))

    def tangent(self, x: Array, direction: Array) -> Array:
        """No direction stays inside: zero."""
        del x
        return np.zeros_like(direction)

    def reach(self, x: Array, direction: Array) -> tuple[float, float]:
        """No step stays inside: zero."""
        del x, direction
        return 0.0, 0.0
