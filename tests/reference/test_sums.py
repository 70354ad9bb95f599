"""Means and sums of many like terms, whose roundings in a plain sum all go one way."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference
from reference._sums import row_square_sums, row_sums, summed

# Found by search.
A, B = 0.5789263808230244, 0.8901442091014027
TOP, GAP = 5 * 0.9882628432985793, 5 * 0.749559799422121
Y, T = 0.8894748357123763, 0.722213407448866
W, P = 0.6158253078172646, 0.9167403251746167
LARGE, SMALL = 0.8253863703972351, 0.001567879130572103
LENGTHS = (7, 10, 31, 63, 100, 125, 128, 1000, 4096)


def log_sum(top: float, others: int) -> Any:
    """log(e^top + others)."""
    return mp.log(mp.exp(mpf(top)) + others)


def one_and_zeros(n: int) -> np.ndarray:
    return np.concatenate([[TOP], np.zeros(n - 1)])


def one_large(n: int) -> np.ndarray:
    return np.concatenate([[LARGE], np.full(n - 1, SMALL)])


# What is summed, the truth, and the bound in ulps.
SUMS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any], float]] = {
    "label smoothing": (
        lambda n: reference.label_smoothing_cross_entropy(np.zeros(n), 0, smoothing=0.1),
        mp.log,
        5.0,
    ),
    "divergence": (
        lambda n: reference.kl_divergence(np.full(n, A), np.full(n, B)),
        lambda n: n * mpf(A) * mp.log(mpf(A) / mpf(B)),
        4.0,
    ),
    "cross-entropy of weights": (
        lambda n: reference.cross_entropy(np.full(n, P), np.full(n, W)),
        lambda n: -n * mpf(W) * mp.log(mpf(P)),
        5.0,
    ),
    "softmax cross-entropy of weights": (
        lambda n: reference.softmax_cross_entropy(one_and_zeros(n), np.full(n, A)),
        lambda n: mpf(A) * (n * log_sum(TOP, n - 1) - mpf(TOP)),
        5.0,
    ),
    "mean of cross-entropies": (
        lambda n: reference.softmax_cross_entropy(np.tile([0.0, GAP], (n, 1)), np.zeros(n, int)),
        lambda _: log_sum(GAP, 1),
        5.0,
    ),
    "mean of squares": (
        lambda n: reference.squared_error(np.full(n, Y), T),
        lambda _: (mpf(Y) - mpf(T)) ** 2 / 2,
        4.0,
    ),
    "root mean square": (
        lambda n: reference.rms_norm(one_large(n), np.ones(n), eps=0.0)[:1],
        lambda n: root_mean_square_share(one_large(n)),
        5.0,
    ),
}


def root_mean_square_share(x: np.ndarray) -> Any:
    first, other = mpf(float(x[0])), mpf(float(x[-1]))
    return first / mp.sqrt((first**2 + (len(x) - 1) * other**2) / len(x))


@pytest.mark.parametrize("name", SUMS)
def test_many_like_terms(oracle: ModuleType, name: str) -> None:
    got, truth, bound = SUMS[name]
    for n in LENGTHS:
        assert oracle.ulps(got(n), [truth(n)]) <= bound


def test_few_terms_are_added_up_exactly() -> None:
    tiny = 2.0**-53
    assert summed(np.array([1.0, tiny, tiny])) == 1 + 2 * tiny
    assert summed(np.zeros(0)) == 0


@np.errstate(all="ignore")
def test_sums_that_are_not_finite() -> None:
    assert summed(np.full(3, 1e308)) == np.inf
    assert np.isnan(summed(np.array([np.inf, -np.inf])))
    assert np.isnan(summed(np.full(1000, np.nan)))
    np.testing.assert_array_equal(row_sums(np.array([[np.inf] * 40, [1.0] * 40])), [np.inf, 40])


@pytest.mark.parametrize("n", [1, 10, 11, 127, 128, 129, 1000])
def test_every_term_counts_once(n: int) -> None:
    """Integers, so that every order gives the same sum."""
    x = np.random.default_rng(n).integers(-99, 99, (3, n)).astype(float)
    np.testing.assert_array_equal(row_square_sums(x), (x * x).sum(axis=1))
    np.testing.assert_array_equal(row_sums(x.copy()), x.sum(axis=1))
    assert summed(x.reshape(-1).copy()) == x.sum()
