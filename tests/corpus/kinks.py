"""At and near points without a derivative, and what counts as the input where a matrix is symmetric."""

from __future__ import annotations

import numpy as np
from corpus.arrays import cholesky_vjp, spd
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal


def relu(x):
    return np.maximum(x, 0 * x)


def clamp(x):
    return np.minimum(np.maximum(x, 0 * x - 1), 0 * x + 1)


def norm(x):
    return np.sqrt((x * x).sum())


def ok_kink_1e6() -> Claim:
    return Claim(
        lambda x: np.abs(x) + x * x,
        lambda x, v: v * (np.sign(x) + 2 * x),
        fixed([1e-6, -3e-7, 1.0], [-2e-6, 0.4]),
    )


def ok_maxpool_near_tie() -> Claim:
    def vjp(x, v):
        g = np.zeros((x.size // 3, 3))
        g[np.arange(x.size // 3), x.reshape(-1, 3).argmax(1)] = v
        return g.reshape(x.shape)

    return Claim(
        lambda x: x.reshape(-1, 3).max(1),
        vjp,
        fixed([0.3, 0.3 - 1e-5, -1, 0.2, 0.9, 0.9 + 1e-5], [1, 2, 2 + 1e-7]),
    )


def conv_relu_zero() -> Claim:
    return Claim(relu, lambda x, v: v * (x > 0), fixed([0.0, 1.0, -2.0], [0.5, 0.0]))


def conv_max_half() -> Claim:
    def vjp(x, v):
        return v * np.where(x == 0, 0.5, x > 0)

    return Claim(relu, vjp, fixed([0.0, 1.0, -2.0], [0.5, 0.0]))


def conv_norm_zero() -> Claim:
    def vjp(x, v):
        n = norm(x)
        return v * x / n if n > 0 else np.zeros_like(x)

    return Claim(norm, vjp, fixed([0.0, 0.0], [1.0, -2.0, 2.0]))


def conv_max_tie_first() -> Claim:
    def vjp(x, v):
        g = np.zeros_like(x)
        g[x.argmax()] = v
        return g

    return Claim(lambda x: x.max(), vjp, fixed([2.0, 1.0, 2.0], [0.0, 3.0]))


def conv_clamp_edges() -> Claim:
    def vjp(x, v):
        return v * ((x >= -1) & (x <= 1))

    return Claim(clamp, vjp, fixed([1.0, -1.0, 0.3, 2.0], [1.0]))


def conv_std_zero() -> Claim:
    def f(x):
        d = x - x.mean()
        return np.sqrt((d * d).mean())

    def vjp(x, v):
        s = f(x)
        return v * (x - x.mean()) / (x.size * s) if s > 0 else np.zeros_like(x)

    return Claim(f, vjp, fixed([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 4.0]))


def conv_cholesky_triangle() -> Claim:
    def f(A):
        L = np.tril(A)
        return np.linalg.cholesky(L + L.T - L * np.eye(A.shape[0]))

    def vjp(A, v):
        return cholesky_vjp(np.linalg.cholesky(A), np.tril(v))

    return Claim(f, vjp, lambda rng: [spd(rng, 3), spd(rng, 2)])


# -- batch 2 -------------------------------------------------------------------------------------


def abs_above_both_sides() -> Claim:
    def vjp(x, v):
        return v * np.where(x == 0, 2.0, np.sign(x))  # the one-sided slopes are −1 and 1

    return Claim(np.abs, vjp, fixed([0.0, 1.0, -2.0], [0.5, 0.0]))


def median_to_neighbours() -> Claim:
    def vjp(x, v):
        g = np.zeros_like(x)
        g[np.argsort(x)[1:4]] = v / 3
        return g

    return Claim(np.median, vjp, normal(5, 5))


def step_at_jump() -> Claim:
    def f(x):
        return np.where(x > 0, 1.0 + x, x)

    return Claim(f, lambda x, v: v * 1.5, fixed([1e-3, 1.0, -2.0], [0.5, -0.3]))


def ok_cube_at_zero() -> Claim:
    return Claim(
        lambda x: x**3 + x * np.abs(x),
        lambda x, v: v * (3 * x * x + 2 * np.abs(x)),
        fixed([0.0, 1.0, -0.5], [0.0, 0.0]),
    )


def ok_huber_at_its_corner() -> Claim:
    def f(x):
        a = np.abs(x)
        return np.where(a <= 1, 0.5 * x * x, a - 0.5)

    return Claim(f, lambda x, v: v * np.clip(x, -1, 1), fixed([1.0, -1.0, 0.3, 2.0], [1.0]))


def ok_relu_network_near_kinks() -> Claim:
    r = np.random.default_rng(141)
    W, w = r.standard_normal((200, 6)), r.standard_normal(200)

    def f(x):
        return w @ relu(W @ x)

    def vjp(x, v):
        return v * (W.T @ (w * (W @ x > 0)))

    return Claim(f, vjp, normal(6, 6))


def conv_max_tie_shared() -> Claim:
    def vjp(x, v):
        top = x == x.max()
        return v * top / top.sum()

    return Claim(lambda x: x.max(), vjp, fixed([2.0, 1.0, 2.0, 2.0], [3.0, 3.0]))


def conv_sort_ties() -> Claim:
    def vjp(x, v):
        g = np.zeros_like(x)
        g[np.argsort(x, kind="stable")] = v
        return g

    return Claim(np.sort, vjp, fixed([0.3, -1.0, 0.3, 2.0]))


def conv_l1_sparse_vector() -> Claim:
    x0 = np.zeros(30)
    x0[[3, 17]] = 1.5, -0.2
    return Claim(lambda x: np.abs(x).sum(), lambda x, v: v * np.sign(x), fixed(x0))


CASES = (
    CorpusCase(ok_kink_1e6, "right", TEXTBOOK, "|x| + x² at 1e-6 and 3e-7 from the kink"),
    CorpusCase(
        ok_maxpool_near_tie, "right", "zplizzi/tensorflow-fast-rcnn#12",
        "max-pooling with the runner-up 1e-5 and 1e-7 below",
    ),
    CorpusCase(conv_relu_zero, "convention", "pytorch/pytorch#184572", "ReLU at zero: 0"),
    CorpusCase(conv_max_half, "convention", "jax-ml/jax#37821", "max(x, 0) at zero: ½"),
    CorpusCase(
        conv_norm_zero, "convention", "JuliaDiff/ChainRules.jl#538", "‖x‖ at the zero vector: 0"
    ),
    CorpusCase(
        conv_max_tie_first, "convention", TEXTBOOK,
        "the maximum of a tie: the first entry gets everything",
    ),
    CorpusCase(
        conv_clamp_edges, "convention", "pytorch/pytorch#184574", "clamp at its edges: 1"
    ),
    CorpusCase(
        conv_std_zero, "convention", "stan-dev/stan#411",
        "standard deviation of a constant vector: 0",
    ),
    CorpusCase(
        conv_cholesky_triangle, "convention", "pytorch/pytorch#137284",
        "Cholesky reads one triangle, its gradient is symmetrised: wrong for a free matrix, right for "
        "symmetric changes", expected=("fail", "pass"), also=("symmetric",),
    ),
    CorpusCase(
        abs_above_both_sides, "wrong", "KhawajaAbaid/micrograd_c#4",
        "|x| at zero with slope 2: no value between the one-sided slopes", mistake="entry",
        batch=2,
    ),
    CorpusCase(
        median_to_neighbours, "wrong", TEXTBOOK,
        "the median of five: a third of the gradient to each of the three in the middle", batch=2,
    ),
    CorpusCase(
        step_at_jump, "wrong", TEXTBOOK,
        "a jump of one taken for a slope: 1.5 for 1 everywhere", mistake="factor", batch=2,
    ),
    CorpusCase(
        ok_cube_at_zero, "right", TEXTBOOK, "x³ + x·|x| at zero: smooth once, slope zero", batch=2
    ),
    CorpusCase(
        ok_huber_at_its_corner, "right", TEXTBOOK,
        "Huber loss where its halves meet: the slope is continuous", batch=2,
    ),
    CorpusCase(
        ok_relu_network_near_kinks, "right", TEXTBOOK,
        "200 hidden ReLUs: some kink lies within 1e-3 in every direction", batch=2,
    ),
    CorpusCase(
        conv_max_tie_shared, "convention", "tinygrad/tinygrad#15036",
        "the maximum of a tie, shared evenly", batch=2,
    ),
    CorpusCase(
        conv_sort_ties, "convention", TEXTBOOK, "sorting equal numbers: in their order", batch=2
    ),
    CorpusCase(
        conv_l1_sparse_vector, "convention", TEXTBOOK,
        "Σ|x| of 30 entries, 28 of them zero: 0 there", batch=2,
    ),
)  # fmt: skip
