"""Errors that hide in precision, in scale, or among many right entries."""

from __future__ import annotations

import numpy as np
from corpus.arrays import softplus
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal
from scipy.special import expit

BOLTZMANN = 1.380649e-23


def downcast_f16_saved() -> Claim:
    def vjp(x, v):
        return v * 3 * x.astype(np.float16).astype(np.float64) ** 2

    return Claim(lambda x: (x**3).sum(), vjp, normal(8, 8))


def downcast_f32_long_sum() -> Claim:
    c = np.random.default_rng(23).uniform(0.5, 1.5, 20000)

    def f(b):
        return (c.sum() * np.sin(b)).sum()

    def vjp(b, v):
        total = np.add.accumulate(c.astype(np.float32), dtype=np.float32)[-1]
        return v * float(total) * np.cos(b)

    return Claim(f, vjp, normal(2, 2))


def entry_percent_of_1e5() -> Claim:
    n = 100_000

    def vjp(x, v):
        g = v * x
        g[77_777] *= 1.01
        return g

    return Claim(lambda x: 0.5 * (x * x).sum(), vjp, lambda rng: [rng.uniform(0.5, 1.5, n)])


def entry_swapped_pair() -> Claim:
    n = 20_000
    s = np.random.default_rng(33).integers(0, 2, n) * 2 - 1.0

    def f(x):
        return softplus(-s * x).sum() / n

    def vjp(x, v):
        g = -v * s * expit(-s * x) / n
        g[[123, 17_003]] = g[[17_003, 123]]
        return g

    return Claim(f, vjp, normal(n, scale=2.0))


def subtle_1e4_bessel() -> Claim:
    n = 10_000

    def f(x):
        d = x - x.mean()
        return 0.5 * (d * d).sum() / (n - 1)

    return Claim(f, lambda x, v: v * (x - x.mean()) / n, normal(n))


def tiny_mean_zero_claim() -> Claim:
    return Claim(lambda x: (x**2).sum() / 1e6 / 20, lambda x, v: np.zeros_like(x), normal(6, 6))


def tiny_factor3() -> Claim:
    def f(x):
        return BOLTZMANN * (x * x).sum() * 50

    return Claim(f, lambda x, v: v * 3 * BOLTZMANN * 100 * x, normal(4, 4))


def tiny_one_of_mixed() -> Claim:
    c = np.array([1.0, 1e-8, 0.5, 2e-8])

    def vjp(x, v):
        g = v * c * np.exp(x)
        g[c < 1e-6] = 0
        return g

    return Claim(lambda x: (c * np.exp(x)).sum(), vjp, normal(4, 4))


def real_count_in_half() -> Claim:
    n = 70_000

    def vjp(x, v):
        with np.errstate(over="ignore"):
            return v * 2 * x / float(np.float16(n))

    return Claim(lambda x: (x * x).sum() / n, vjp, normal(n))


# -- batch 2 ---------------------------------------------------------------------------------------


def accumulate_in_half() -> Claim:
    def vjp(x, v):
        return v * (2 * x).astype(np.float16).astype(np.float64)

    return Claim(lambda x: (x * x).sum(), vjp, normal(3000))


def norm_gradient_not_normalised() -> Claim:
    def f(x):
        return np.sqrt((x * x).sum())

    return Claim(f, lambda x, v: v * x, normal(5, 7))


def batch_sum_for_mean_64() -> Claim:
    r = np.random.default_rng(131)
    X, y = r.standard_normal((64, 5)), r.standard_normal(64)

    def f(w):
        return ((X @ w - y) ** 2).mean()

    return Claim(f, lambda w, v: v * 2 * X.T @ (X @ w - y), normal(5, 5))


def entry_of_mixed_inputs_1e8() -> Claim:
    size = np.array([1e-8, 1e-4, 1.0, 1e4, 1e8])

    def f(x):
        return np.log1p((x / size) ** 2).sum()

    def vjp(x, v):
        g = v * 2 * (x / size) / (1 + (x / size) ** 2) / size
        g[0] *= 1.01
        return g

    return Claim(f, vjp, fixed(1.7 * size, -0.6 * size))


def sorting_gradient_by_order() -> Claim:
    c = np.array([0.5, 1.0, -2.0, 0.3, 4.0])

    def vjp(x, v):
        return v * c[np.argsort(x)]  # c belongs to ranks: it takes the inverse permutation

    return Claim(lambda x: c @ np.sort(x), vjp, normal(5, 5))


CASES = (
    CorpusCase(
        downcast_f16_saved, "wrong", TEXTBOOK,
        "x is saved in half precision for the backward pass", mistake="precision",
    ),
    CorpusCase(
        downcast_f32_long_sum, "wrong", TEXTBOOK,
        "20,000 terms added one by one in float32: off by 1e-6 … 1e-5", mistake="precision",
        also=("factor",),
    ),
    CorpusCase(
        entry_percent_of_1e5, "wrong", TEXTBOOK, "one of 100,000 entries is 1 % too large",
        mistake="entry",
    ),
    CorpusCase(
        entry_swapped_pair, "wrong", TEXTBOOK,
        "two of 20,000 entries have changed places; their sum is right", mistake="exchange",
    ),
    CorpusCase(
        subtle_1e4_bessel, "wrong", TEXTBOOK,
        "variance with n − 1 forward and n backward, n = 10,000", mistake="factor",
    ),
    CorpusCase(
        tiny_mean_zero_claim, "wrong", "scipy/scipy#7766",
        "entries of 1e-7 claimed to be zero, which absolute tolerances let pass", mistake="zero",
    ),
    CorpusCase(
        tiny_factor3, "wrong", TEXTBOOK, "values of 1e-21, the gradient three times too large",
        mistake="factor",
    ),
    CorpusCase(
        tiny_one_of_mixed, "wrong", TEXTBOOK,
        "gradient entries of one and of 1e-8; the small ones are claimed to be zero",
    ),
    CorpusCase(
        real_count_in_half, "wrong", "tinygrad/tinygrad#15036",
        "mean of 70,000 with the count in half precision: infinite, so the gradient is zero",
        mistake="zero", also=("precision",),
    ),
    CorpusCase(
        accumulate_in_half, "wrong", "NVIDIA/TransformerEngine#3193",
        "a gradient accumulated in half precision", mistake="precision", batch=2,
    ),
    CorpusCase(
        norm_gradient_not_normalised, "wrong", TEXTBOOK, "‖x‖ with x for x/‖x‖",
        mistake="factor", batch=2,
    ),
    CorpusCase(
        batch_sum_for_mean_64, "wrong", "apache/mxnet#2215",
        "mean squared error of 64 rows without the 1/64", mistake="factor", also=("reduction",),
        batch=2,
    ),
    CorpusCase(
        entry_of_mixed_inputs_1e8, "wrong", TEXTBOOK,
        "inputs from 1e-8 to 1e8; the smallest one's gradient is 1 % too large", mistake="entry",
        batch=2,
    ),
    CorpusCase(
        sorting_gradient_by_order, "wrong", TEXTBOOK,
        "weights by rank, handed back by the permutation instead of its inverse", batch=2,
    ),
)  # fmt: skip
