"""Layers of networks: products, normalisation, convolution, attention, recurrence."""

from __future__ import annotations

import numpy as np
from corpus.arrays import layer_norm, layer_norm_vjp, logsumexp, softmax, softplus, variance
from corpus.records import TEXTBOOK, Claim, CorpusCase, normal
from scipy.special import expit


def factor_embedding_inplace() -> Claim:
    ids = np.array([3, 1, 3, 5])
    c = np.arange(12.0).reshape(4, 3) / 7 + 0.3

    def f(E):
        return (c * np.sin(E[ids])).sum()

    def vjp(E, v):
        g = np.zeros_like(E)
        g[ids] += v * c * np.cos(E[ids])
        return g

    return Claim(f, vjp, normal((6, 3), (6, 3)))


def transpose_linear() -> Claim:
    A = np.random.default_rng(1).standard_normal((5, 5))

    def vjp(x, v):
        return A @ (v * (1 - np.tanh(A @ x) ** 2))

    return Claim(lambda x: np.tanh(A @ x), vjp, normal(5, 5))


def transpose_bmm_flag() -> Claim:
    B = np.random.default_rng(3).standard_normal((2, 3, 3))

    def f(A):
        return A @ B.transpose(0, 2, 1)

    return Claim(f, lambda A, v: v @ B.transpose(0, 2, 1), normal((2, 3, 3), (2, 3, 3)))


def diag_batchnorm_input() -> Claim:
    gamma = np.array([1.0, 0.5, 2.0])

    def f(x):
        m = x.mean(0)
        return gamma * (x - m) / np.sqrt(((x - m) ** 2).mean(0) + 1e-5)

    def vjp(x, v):
        return v * gamma / np.sqrt(x.var(0) + 1e-5)

    return Claim(f, vjp, normal((8, 3), (5, 3)))


def upstream_filled_ones() -> Claim:
    b = np.arange(4.0)
    return Claim(lambda a: a + b, lambda a, v: np.ones_like(a), normal(4, 4))


def broadcast_mean_for_sum() -> Claim:
    X = np.random.default_rng(8).standard_normal((5, 4))

    def vjp(a, v):
        return (v * X).mean(0, keepdims=True)

    return Claim(lambda a: X * a, vjp, normal((1, 4), (1, 4)))


def axis_log_softmax() -> Claim:
    def f(x):
        return x - logsumexp(x, 1, keepdims=True)

    def vjp(x, v):
        return v - softmax(x, 1) * v.sum(0, keepdims=True)

    return Claim(f, vjp, normal((4, 4), (4, 4)))


def axis_conv_depth_index() -> Claim:
    w = np.random.default_rng(10).standard_normal((3, 3))

    def f(x):
        return w @ (x * x)

    def vjp(x, v):
        g = np.zeros_like(x)
        for out in range(3):
            for d in range(3):
                g[out] += w[out, d] * v[out] * 2 * x[d]
        return g

    return Claim(f, vjp, normal((3, 4), (3, 4)))


def eps_layernorm_small_var() -> Claim:
    def vjp(x, v):
        return layer_norm_vjp(x, v, variance(x))

    return Claim(layer_norm, vjp, normal((2, 6), (3, 5), scale=1e-2))


def eps_cosine_similarity() -> Claim:
    b = np.array([0.4, -1.0, 0.7, 0.2])
    nb = np.sqrt(b @ b)
    eps = 1e-3

    def f(x):
        return (x @ b) / ((np.sqrt(x @ x) + eps) * (nb + eps))

    def vjp(x, v):
        n = np.sqrt(x @ x)
        return v * (b / (n * nb) - (x @ b) * x / (n**3 * nb))

    return Claim(f, vjp, normal(4, 4))


def detached_attention_keys() -> Claim:
    def f(x):
        return softmax(x @ x.T / 2) @ x

    def vjp(x, v):
        p = softmax(x @ x.T / 2)
        dp = v @ x.T
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / 2
        return p.T @ v + ds @ x

    return Claim(f, vjp, normal((3, 4), (3, 4)))


def detached_tied_weights() -> Claim:
    x = np.array([0.5, -1.0, 0.8])

    def f(W):
        r = W.T @ np.tanh(W @ x) - x
        return (r * r).sum()

    def vjp(W, v):
        h = np.tanh(W @ x)
        r = W.T @ h - x
        return v * 2 * np.outer(h, r)

    return Claim(f, vjp, normal((2, 3), (2, 3)))


def shape_avgpool_odd() -> Claim:
    def f(x):
        n = x.shape[0] // 2 * 2
        return x[:n].reshape(-1, 2).mean(1) ** 2

    def vjp(x, v):
        y = f(x)
        m = np.sign(x[: len(y) * 2].reshape(-1, 2).mean(1)) * np.sqrt(y)
        g = np.repeat(v * m, 2)
        return np.concatenate([g, g[-1:]])[: len(x)]

    return Claim(f, vjp, normal(6, 7))


def stoch_dropout_forward() -> Claim:
    r = np.random.default_rng(43)
    kept = np.random.default_rng(44).random(10) < 0.5

    def f(x):
        return (np.sin(x) * (r.random(x.shape) < 0.5) * 2).sum()

    return Claim(f, lambda x, v: v * np.cos(x) * kept * 2, normal(10, 10))


def subtle_1e5_layernorm_eps() -> Claim:
    def vjp(x, v):
        return layer_norm_vjp(x, v, variance(x) + 1e-6)

    return Claim(layer_norm, vjp, normal((3, 8), (2, 6)))


def subtle_f32_1e4() -> Claim:
    def f(x):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-3))

    def vjp(x, v):
        q = np.sqrt((x * x).mean(-1, keepdims=True))
        h = x / q
        return ((v - h * (v * h).mean(-1, keepdims=True)) / q).astype(np.float32)

    return Claim(f, vjp, normal((2, 6), 8, scale=2.0, dtype=np.float32))


def real_layernorm_rank3() -> Claim:
    def vjp(x, v):
        z, u = x.reshape(x.shape[0], -1), np.asarray(v).reshape(x.shape[0], -1)
        return layer_norm_vjp(z, u, variance(z) + 1e-5).reshape(x.shape)

    return Claim(layer_norm, vjp, normal((4, 6), (2, 3, 4)))


def real_conv_weight_mean() -> Claim:
    X = np.random.default_rng(92).standard_normal((3, 7))

    def f(w):
        return np.stack([X[:, i : i + 3] @ w for i in range(5)], 1)

    def vjp(w, v):
        return sum(v[:, i] @ X[:, i : i + 3] for i in range(5)) / v.size

    return Claim(f, vjp, normal(3, 3))


def real_planted_course_errors() -> Claim:
    r = np.random.default_rng(93)
    X, t = r.standard_normal((6, 3)), np.array([0.0, 1, 1, 0, 1, 0])

    def split(p):
        return p[:6].reshape(3, 2), p[6:8], p[8:10], p[10]

    def f(p):
        A, b, w, c = split(p)
        z = np.tanh(X @ A + b) @ w + c
        return (softplus(z) - t * z).sum() / 6

    def vjp(p, v):
        A, b, w, c = split(p)
        h = np.tanh(X @ A + b)
        d = (expit(h @ w + c) - t) / 6
        dh = np.outer(d, w) * (1 - h * h)
        return v * np.concatenate([(X.T @ dh).ravel(), 4 * dh.sum(0), 2 * (h.T @ d), [d.sum()]])

    return Claim(f, vjp, normal(11, 11))


def ok_f32_layernorm() -> Claim:
    eps = np.float32(1e-5)

    def vjp(x, v):
        s2 = ((x - x.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) + eps
        return layer_norm_vjp(x, v, s2).astype(np.float32)

    return Claim(lambda x: layer_norm(x, eps), vjp, normal((3, 8), (2, 12), dtype=np.float32))


def ok_zero_layernorm_sum() -> Claim:
    def vjp(x, v):
        return layer_norm_vjp(x, np.ones_like(x) * v, variance(x) + 1e-5)

    return Claim(lambda x: layer_norm(x).sum(), vjp, normal((2, 6), (3, 5)))


def ok_layernorm_tiny_variance() -> Claim:
    def vjp(x, v):
        s2 = ((x - x.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) + 1e-5
        return layer_norm_vjp(x, v, s2)

    def points(rng):
        return [1 + 1e-4 * rng.standard_normal((2, 6)), 1e-3 * rng.standard_normal((3, 4))]

    return Claim(layer_norm, vjp, points)


def ok_conv1d_stride() -> Claim:
    w = np.random.default_rng(71).standard_normal((3, 2, 3))

    def f(x):
        m = (x.shape[1] - 3) // 2 + 1
        return np.stack([(w * x[None, :, 2 * i : 2 * i + 3]).sum((1, 2)) for i in range(m)], 1)

    def vjp(x, v):
        g = np.zeros_like(x)
        for i in range(v.shape[1]):
            g[:, 2 * i : 2 * i + 3] += (v[:, i][:, None, None] * w).sum(0)
        return g

    return Claim(f, vjp, normal((2, 9), (2, 10)))


CASES = (
    CorpusCase(
        factor_embedding_inplace, "wrong", "pymc-devs/pytensor#2242",
        "g[ids] += … adds once per row, and one id occurs twice", mistake="row",
    ),
    CorpusCase(
        transpose_linear, "wrong", "Atcold/SP19-DL-collaborative-notes#6",
        "A v for Aᵀ v; the shapes don't show it, for A is square", mistake="transpose",
    ),
    CorpusCase(
        transpose_bmm_flag, "wrong", "chainer/chainer#4393",
        "batched product: the transpose flag is forgotten in the left operand's gradient",
        mistake="transpose",
    ),
    CorpusCase(
        diag_batchnorm_input, "wrong", "mlpack/mlpack#1923",
        "batch normalisation: mean and variance held constant, only the diagonal is left",
        mistake="diagonal",
    ),
    CorpusCase(
        upstream_filled_ones, "wrong", "pytorch/tutorials#216",
        "a sum whose backward pass fills in ones", mistake="upstream",
    ),
    CorpusCase(
        broadcast_mean_for_sum, "wrong", "kvfrans/notes#5",
        "the gradient of a broadcast operand is averaged for summed", mistake="reduction",
        also=("factor",),
    ),
    CorpusCase(
        axis_log_softmax, "wrong", TEXTBOOK,
        "log-softmax of rows; backward sums v over columns", also=("reduction",),
    ),
    CorpusCase(
        axis_conv_depth_index, "wrong", "NervanaSystems/neon#111",
        "the gradient of input channel d is written to output channel m",
    ),
    CorpusCase(
        eps_layernorm_small_var, "wrong", TEXTBOOK,
        "layer norm with ε = 1e-5 forward and none backward, at variances of 1e-4",
    ),
    CorpusCase(
        eps_cosine_similarity, "wrong", TEXTBOOK,
        "cosine similarity with ε added to the norms forward only: off by 0.2 %",
    ),
    CorpusCase(
        detached_attention_keys, "wrong", TEXTBOOK,
        "self-attention softmax(x xᵀ) x without the path through the keys",
    ),
    CorpusCase(
        detached_tied_weights, "wrong", TEXTBOOK,
        "tied autoencoder Wᵀ tanh(W x): the decoder's share alone",
    ),
    CorpusCase(
        shape_avgpool_odd, "wrong", TEXTBOOK,
        "pooling by two ignores the last sample of an odd length, its backward pass doesn't",
        mistake="entry",
    ),
    CorpusCase(
        stoch_dropout_forward, "wrong", "thuml/Xlearn#12",
        "a new dropout mask at every call: f is no function", expected=("fail", "inconclusive"),
    ),
    CorpusCase(
        subtle_1e5_layernorm_eps, "wrong", TEXTBOOK,
        "layer norm with ε = 1e-5 forward and 1e-6 backward, at variances of one",
    ),
    CorpusCase(
        subtle_f32_1e4, "wrong", TEXTBOOK,
        "RMS norm in float32 with ε = 1e-3 forward only: off by 4e-4",
    ),
    CorpusCase(
        real_layernorm_rank3, "wrong", "flagos-ai/FlagGems#5392",
        "layer norm whose backward flattens all axes but the first: right for matrices alone",
    ),
    CorpusCase(
        real_conv_weight_mean, "wrong", "sebgao/cTensor#3",
        "the gradient of a convolution's weights divided by batch and length",
        mistake="reduction", also=("factor",),
    ),
    CorpusCase(
        real_planted_course_errors, "wrong", "bighuang624/Andrew-Ng-Deep-Learning-notes#10",
        "two-layer network in one vector: dW₂ doubled, db₁ four times too large, the rest right",
    ),
    CorpusCase(
        ok_f32_layernorm, "right", "Theano/Theano#6803", "layer norm in float32"
    ),
    CorpusCase(
        ok_zero_layernorm_sum, "right", "HomericIntelligence/Odyssey#4780",
        "the sum of a layer norm: the gradient is zero, up to rounding on both sides",
    ),
    CorpusCase(
        ok_layernorm_tiny_variance, "right", "mlpack/mlpack#1923",
        "layer norm of rows whose variance is 1e-8: bends within 3e-3",
    ),
    CorpusCase(
        ok_conv1d_stride, "right", "pytorch/pytorch#114217",
        "convolution with stride two and a leftover column",
    ),
)  # fmt: skip
