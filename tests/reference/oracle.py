"""The truth to hundreds of digits, by the textbook's formulas, and the distance to it in ulps.

Textbook formulas cancel (1 − tanh², p − Y, z − logsumexp), but at 2400 bits they may: a difference
of numbers up to 2¹⁰²⁴ is right to 2⁻¹²⁰⁰, and the smallest float64 is 2⁻¹⁰⁷⁴.  Nothing here
resembles how `reference` computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from mpmath import mp, mpf

BITS = 2400
Number = Any  # an mpf


def exact(values: np.ndarray) -> list[Number]:
    """Return the entries of a one-dimensional array as exact numbers."""
    return [mpf(float(v)) for v in values]


def softmax(z: Sequence[Number]) -> list[Number]:
    top = max(z)  # without it exp(1e308) has an exponent of a thousand bits: right, but slow
    e = [mp.exp(v - top) if v > top - 20000 else mpf(0) for v in z]
    total = mp.fsum(e)
    return [v / total for v in e]


def sigmoid(x: Number) -> Number:
    return softmax([x, mpf(0)])[0]


def sigmoid_grad(x: Number) -> Number:
    s = sigmoid(x)
    return s * (1 - s)


def tanh(x: Number) -> Number:
    return 2 * sigmoid(2 * x) - 1


def tanh_grad(x: Number) -> Number:
    return 1 - tanh(x) ** 2


def log_sigmoid(x: Number) -> Number:
    return -logsumexp([-x, mpf(0)])


def softplus(x: Number) -> Number:
    return logsumexp([x, mpf(0)])


def logsumexp(z: Sequence[Number]) -> Number:
    top = max(z)
    return top + mp.log(mp.fsum(mp.exp(v - top) if v > top - 20000 else 0 for v in z))


def log_softmax(z: Sequence[Number]) -> list[Number]:
    log_total = logsumexp(z)
    return [v - log_total for v in z]


def softmax_jacobian(z: Sequence[Number]) -> list[Number]:
    p = softmax(z)
    return [a * ((i == j) - b) for i, a in enumerate(p) for j, b in enumerate(p)]


def softmax_vjp(z: Sequence[Number], v: Sequence[Number]) -> list[Number]:
    return [a * d for a, d in zip(softmax(z), log_softmax_jvp(z, v), strict=True)]


def softmax_vjp_size(z: Sequence[Number], v: Sequence[Number]) -> list[Number]:
    """Return the size of what cancels in p_i·Σ_j p_j(v_i − v_j)."""
    return [a * d for a, d in zip(softmax(z), log_softmax_jvp_size(z, v), strict=True)]


def log_softmax_jvp(z: Sequence[Number], u: Sequence[Number]) -> list[Number]:
    mean = mp.fsum(a * b for a, b in zip(softmax(z), u, strict=True))
    return [b - mean for b in u]


def log_softmax_jvp_size(z: Sequence[Number], u: Sequence[Number]) -> list[Number]:
    p = softmax(z)
    return [mp.fsum(a * abs(b - c) for a, b in zip(p, u, strict=True)) for c in u]


def log_softmax_vjp(z: Sequence[Number], v: Sequence[Number]) -> list[Number]:
    total = mp.fsum(v)
    return [b - a * total for a, b in zip(softmax(z), v, strict=True)]


def log_softmax_vjp_size(z: Sequence[Number], v: Sequence[Number]) -> list[Number]:
    p, total = softmax(z), mp.fsum(abs(b) for b in v)
    return [a * (total - abs(b)) + abs(b) * (1 - a) for a, b in zip(p, v, strict=True)]


def softmax_cross_entropy(z: Sequence[Number], weights: Sequence[Number]) -> Number:
    return -mp.fsum(w * v for v, w in zip(log_softmax(z), weights, strict=True) if w)


def softmax_cross_entropy_grad(z: Sequence[Number], weights: Sequence[Number]) -> list[Number]:
    return [-g for g in log_softmax_vjp(z, weights)]


def cross_entropy(p: Sequence[Number], weights: Sequence[Number]) -> Number:
    return -mp.fsum(w * mp.log(q) for q, w in zip(p, weights, strict=True) if w)


def cross_entropy_grad(p: Sequence[Number], weights: Sequence[Number]) -> list[Number]:
    return [-w / q if w else mpf(0) for q, w in zip(p, weights, strict=True)]


def squared_error(y: Number, t: Number) -> Number:
    return (y - t) ** 2 / 2


def squared_error_grad(y: Number, t: Number) -> Number:
    return y - t


def binary_cross_entropy(p: Number, y: Number) -> Number:
    return -((y * mp.log(p) if y else 0) + ((1 - y) * mp.log(1 - p) if y != 1 else 0))


def binary_cross_entropy_grad(p: Number, y: Number) -> Number:
    return (-y / p if y else 0) + ((1 - y) / (1 - p) if y != 1 else 0)


def binary_cross_entropy_with_logits(z: Number, y: Number) -> Number:
    return y * softplus(-z) + (1 - y) * softplus(z)


def binary_cross_entropy_with_logits_grad(z: Number, y: Number) -> Number:
    return sigmoid(z) - y


def binary_cross_entropy_with_logits_grad_size(z: Number, y: Number) -> Number:
    """Return the size of what cancels in (1−y)·σ(z) − y·σ(−z)."""
    return (1 - y) * sigmoid(z) + y * sigmoid(-z)


def ulps(got: np.ndarray, truth: Sequence[Number], size: Sequence[Number] | None = None) -> float:
    """Return the largest distance of `got` from the truth, in ulps of the truth (or of `size`).

    An ulp is the spacing of got's dtype at the rounded truth.  The distance is inf where `got` is
    NaN, or of the wrong sign, or infinite and the rounded truth is not, or the other way round.
    """
    sizes = truth if size is None else size
    entries = zip(np.ravel(got), truth, sizes, strict=True)
    return max((_distance(*entry, signed=size is None) for entry in entries), default=0.0)


def _distance(value: Any, true: Number, size: Number, signed: bool) -> float:
    with np.errstate(all="ignore"):
        rounded, scale = (value.dtype.type(float(t)) for t in (true, size))
        if not np.isfinite(value) or np.isinf(rounded):
            return 0.0 if value == rounded else math.inf
        if signed and float(value) * float(mp.sign(true)) < 0:
            return math.inf
        return float(abs(mpf(float(value)) - true) / mpf(float(np.spacing(abs(scale)))))
