"""Functions that many rows of the corpus are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def softplus(x: Any) -> Any:
    """log(1 + eˣ), in x's dtype."""
    return np.logaddexp(0, x).astype(np.asarray(x).dtype)


def logsumexp(x: Array, axis: int = -1, *, keepdims: bool = False) -> Array:
    """log Σ eˣ, shifted by the maximum."""
    m = x.max(axis=axis, keepdims=True)
    out = m + np.log(np.exp(x - m).sum(axis=axis, keepdims=True))
    return out if keepdims else out.squeeze(axis)


def softmax(x: Array, axis: int = -1) -> Array:
    """eˣ / Σ eˣ, shifted by the maximum."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def layer_norm(x: Array, eps: float = 1e-5) -> Array:
    """(x − mean) / √(variance + ε) along the last axis."""
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + eps)


def layer_norm_vjp(x: Array, v: Any, variance_plus_eps: Array) -> Array:
    """The vjp of a layer norm that divides by the root of the last argument."""
    s = np.sqrt(variance_plus_eps)
    h = (x - x.mean(-1, keepdims=True)) / s
    return (v - v.mean(-1, keepdims=True) - h * (v * h).mean(-1, keepdims=True)) / s


def variance(x: Array) -> Array:
    """The variance along the last axis, which is kept."""
    return x.var(-1, keepdims=True)


def spd(rng: np.random.Generator, n: int, low: float = 0.5, high: float = 3.0) -> Array:
    """Draw a symmetric matrix with eigenvalues evenly spaced from `low` to `high`."""
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return (q * np.linspace(low, high, n)) @ q.T


def cholesky_vjp(L: Array, L_bar: Array) -> Array:
    """The symmetric gradient in A of L = cholesky(A)."""
    P = L.T @ L_bar
    P = np.tril(P) - 0.5 * np.diag(np.diag(P))
    S = np.linalg.solve(L.T, np.linalg.solve(L.T, P.T).T)  # L⁻ᵀ P L⁻¹
    return 0.5 * (S + S.T)


def symmetric(A: Array) -> Array:
    """The symmetric part."""
    return (A + A.T) / 2
