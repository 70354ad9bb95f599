"""Pieces of networks: recurrent cells, attention, pooling, convolution, scatter and gather."""

from __future__ import annotations

import numpy as np
from corpus.arrays import layer_norm, layer_norm_vjp, softmax, variance
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal
from scipy.special import expit

# -- batch 2 -------------------------------------------------------------------------------------

CAUSAL = np.tril(np.ones((4, 4), dtype=bool))


def attention_dk_transposed() -> Claim:
    r = np.random.default_rng(111)
    Q, V = r.standard_normal((4, 4)), r.standard_normal((4, 4))

    def weights(K):
        return softmax(np.where(CAUSAL, Q @ K.T / 2, -np.inf))

    def vjp(K, v):
        P = weights(K)
        dP = v @ V.T
        dS = P * (dP - (dP * P).sum(-1, keepdims=True)) / 2
        return dS @ Q  # Q is multiplied by dSᵀ in truth

    return Claim(lambda K: weights(K) @ V, vjp, normal((4, 4), (4, 4)))


def attention_scale_forgotten() -> Claim:
    r = np.random.default_rng(112)
    K, V = r.standard_normal((5, 9)), r.standard_normal((5, 2))

    def weights(Q):
        return softmax(Q @ K.T / 3)

    def vjp(Q, v):
        P = weights(Q)
        dP = v @ V.T
        return (P * (dP - (dP * P).sum(-1, keepdims=True))) @ K

    return Claim(lambda Q: weights(Q) @ V, vjp, normal((3, 9), (3, 9)))


def rnn_truncated_one_step() -> Claim:
    x = np.random.default_rng(113).standard_normal((5, 3))

    def states(W):
        h = [np.zeros(3)]
        for t in range(5):
            h.append(np.tanh(W @ h[-1] + x[t]))
        return h

    def vjp(W, v):
        h = states(W)
        return sum(
            np.outer(v * (1 - h[t + 1] ** 2), h[t]) if t == 4 else 0 * W for t in range(5)
        )  # only the last step's share

    return Claim(lambda W: states(W)[-1], vjp, normal((3, 3), (3, 3), scale=0.5))


def lstm_forget_gate_path() -> Claim:
    r = np.random.default_rng(114)
    x, U = r.standard_normal(4), r.standard_normal((8, 2))

    def gates(W):
        z = W @ x + U @ np.array([0.3, -0.2])
        return expit(z[:2]), expit(z[2:4]), expit(z[4:6]), np.tanh(z[6:])

    c0 = np.array([0.8, -1.1])

    def f(W):
        i, forget, o, g = gates(W)
        return o * np.tanh(forget * c0 + i * g)

    def vjp(W, v):
        i, forget, o, g = gates(W)
        t = np.tanh(forget * c0 + i * g)
        dc = v * o * (1 - t * t)
        # the forget gate's share lacks the cell state c₀
        dz = [dc * g * i * (1 - i), dc * forget * (1 - forget), v * t * o * (1 - o)]
        return np.outer(np.concatenate([*dz, dc * i * (1 - g * g)]), x)

    return Claim(f, vjp, normal((8, 4), (8, 4), scale=0.7))


def maxpool_to_every_tie_of_window() -> Claim:
    def f(x):
        return x.reshape(-1, 4).max(1)

    def vjp(x, v):
        w = x.reshape(-1, 4)
        return (v[:, None] * (w > w.mean(1, keepdims=True))).reshape(x.shape)

    return Claim(f, vjp, fixed([0.1, 0.9, 0.8, -1.0, 2.0, 0.0, 0.5, -0.5]))


def groupnorm_over_batch() -> Claim:
    def f(x):
        return layer_norm(x.reshape(x.shape[0], 2, -1)).reshape(x.shape)

    def vjp(x, v):
        z, u = (a.reshape(a.shape[0], 2, -1) for a in (x, v))
        m = z.mean(-1, keepdims=True)
        s = np.sqrt(variance(z) + 1e-5)
        h = (z - m) / s
        mean_u = u.mean((0, -1), keepdims=True)  # the batch axis is none of the group's
        return ((u - mean_u - h * (u * h).mean(-1, keepdims=True)) / s).reshape(x.shape)

    return Claim(f, vjp, normal((3, 8), (2, 6)))


def conv1d_kernel_not_flipped() -> Claim:
    w = np.array([0.2, -1.0, 0.7])

    def f(x):
        return np.convolve(x, w, mode="same")

    return Claim(f, lambda x, v: np.convolve(v, w, mode="same"), normal(8, 5))


def position_shifted_gather() -> Claim:
    c = np.random.default_rng(116).standard_normal((5, 3))

    def f(x):
        return (c * np.tanh(x)).sum()

    def vjp(x, v):
        return np.roll(v * c / np.cosh(x) ** 2, 1, axis=0)

    return Claim(f, vjp, normal((5, 3), (5, 3)))


def bias_gradient_missing() -> Claim:
    X = np.random.default_rng(117).standard_normal((6, 3))

    def f(p):
        return np.tanh(X @ p[:-1] + p[-1:])

    def vjp(p, v):
        dz = v / np.cosh(X @ p[:-1] + p[-1:]) ** 2
        return np.concatenate([X.T @ dz, np.zeros((1, 2))])

    return Claim(f, vjp, normal((4, 2), (4, 2)))


def ok_gru_cell_unrolled() -> Claim:
    r = np.random.default_rng(118)
    X, U = r.standard_normal((6, 3)), 0.5 * r.standard_normal((3, 3, 3))

    def run(h):
        tape = []
        for x in X:
            u, q = expit(U[0] @ h + x), expit(U[1] @ h - x)
            n = np.tanh(x + q * (U[2] @ h))
            tape.append((h, u, q, n))
            h = (1 - u) * n + u * h
        return h, tape

    def vjp(h0, v):
        g = np.array(v, dtype=float)
        for h, u, q, n in reversed(run(h0)[1]):
            dn = g * (1 - u) * (1 - n * n)
            du, dq = g * (h - n) * u * (1 - u), dn * (U[2] @ h) * q * (1 - q)
            g = g * u + U[0].T @ du + U[1].T @ dq + U[2].T @ (dn * q)
        return g

    return Claim(lambda h: run(h)[0], vjp, normal(3, 3))


def ok_batchnorm_train_f32() -> Claim:
    def vjp(x, v):
        return layer_norm_vjp(x.T, v.T, variance(x.T) + np.float32(1e-5)).T.astype(np.float32)

    def f(x):
        return layer_norm(x.T, np.float32(1e-5)).T

    return Claim(f, vjp, normal((32, 4), (9, 2), shift=3.0, dtype=np.float32))


def ok_causal_attention() -> Claim:
    def parts(x):
        return softmax(np.where(CAUSAL, x @ x.T / 2, -np.inf))

    def vjp(x, v):
        P = parts(x)
        dP = v @ x.T
        dS = P * (dP - (dP * P).sum(-1, keepdims=True)) / 2
        return P.T @ v + dS @ x + dS.T @ x

    return Claim(lambda x: parts(x) @ x, vjp, normal((4, 4), (4, 4)))


CASES = (
    CorpusCase(
        attention_dk_transposed, "wrong", "Dao-AILab/flash-attention#373",
        "causal attention: dK = dS Q for dSᵀ Q", batch=2,
    ),
    CorpusCase(
        attention_scale_forgotten, "wrong", TEXTBOOK,
        "attention scores divided by √9 forward, not backward: a factor of three",
        mistake="factor", batch=2,
    ),
    CorpusCase(
        rnn_truncated_one_step, "wrong", TEXTBOOK,
        "back-propagation through time stops after one step", batch=2,
    ),
    CorpusCase(
        lstm_forget_gate_path, "wrong", TEXTBOOK,
        "LSTM cell: the forget gate's gradient lacks the cell state", also=("row",), batch=2,
    ),
    CorpusCase(
        maxpool_to_every_tie_of_window, "wrong", TEXTBOOK,
        "max-pooling sends the gradient to every entry above the window's mean", mistake="entry",
        batch=2,
    ),
    CorpusCase(
        groupnorm_over_batch, "wrong", TEXTBOOK,
        "group norm: one of the means in the backward pass runs over the batch too", batch=2,
    ),
    CorpusCase(
        conv1d_kernel_not_flipped, "wrong", TEXTBOOK,
        "convolution whose backward convolves again instead of correlating",
        mistake="transpose", batch=2,
    ),
    CorpusCase(
        position_shifted_gather, "wrong", TEXTBOOK,
        "every row's gradient lands one row further on", mistake="shift", batch=2,
    ),
    CorpusCase(
        bias_gradient_missing, "wrong", TEXTBOOK,
        "the last row of the parameters, a bias, gets zeros", mistake="row", batch=2,
    ),
    CorpusCase(
        ok_gru_cell_unrolled, "right", TEXTBOOK, "six steps of a GRU in its first state", batch=2
    ),
    CorpusCase(
        ok_batchnorm_train_f32, "right", "Theano/Theano#6803",
        "batch normalisation in float32 with a mean of three deviations", batch=2,
    ),
    CorpusCase(
        ok_causal_attention, "right", TEXTBOOK,
        "causal self-attention of x with itself: masked scores are −∞", batch=2,
    ),
)  # fmt: skip
