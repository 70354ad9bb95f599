"""Scaled dot-product attention with what it passes down."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._products import product, product_by_rows, wide
from reference._validate import Array, of_shape, real
from reference.softmaxes import softmax, softmax_vjp


def attention(Q: Any, K: Any, V: Any) -> Array:
    """Return softmax(Q·Kᵀ/√d)·V, softmax taken of each query's row.

    Parameters
    ----------
    Q : array_like, shape (…, N, d)
        Queries.
    K : array_like, shape (…, M, d)
        Keys, at least one; the leading axes are those of `Q`.
    V : array_like, shape (…, M, e)
        Values.

    Returns
    -------
    array, shape (…, N, e)
        For each query the values, weighted by how well their keys match; in the dtype of `Q`,
        computed in float64 and rounded once.  With L = Σ|q·k|/√d the size of the terms of a logit,
        and its mean over the weights, the error is at most 4 ulp of Σ weight·|value|·(1 + L + mean
        L), also with ten thousand keys or features.  Logits beyond the largest float64 count as
        that number.  A query's part depends neither on the other queries nor on how the arrays lie
        in memory, to the last bit.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit, or there are no keys or no features.

    Notes
    -----
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.1; the softmax
    rows are those of document A, claim A4.

    Examples
    --------
    >>> attention([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0], [0.0]])
    array([[0.66976155]])
    """
    Q, K, V = _arguments(Q, K, V)
    with np.errstate(all="ignore"):
        weights = softmax(_logits(wide(Q), wide(K)))
        return np.asarray(product_by_rows(weights, wide(V)).astype(Q.dtype))


def attention_vjp(Q: Any, K: Any, V: Any, G: Any) -> tuple[Array, Array, Array]:
    """Return what attention passes down to queries, keys and values.

    With P the weights and S = P∘(G·Vᵀ − the row sums of P∘(G·Vᵀ)) it is S·K/√d to the queries,
    Sᵀ·Q/√d to the keys and Pᵀ·G to the values.

    Parameters
    ----------
    Q, K, V
        As in `attention`.
    G : array_like, shape (…, N, e)
        The upstream gradient.

    Returns
    -------
    tuple of array
        The gradients in `Q`, `K` and `V`, in their shapes and dtypes.  That of a query does not
        depend on the other queries, to the last bit.  In ulps of the same formulas with the size of
        every term, which rounded logits enlarge as in `attention`, the errors in `Q` and `K` are
        within 16, those in `V` within 4.  They grow with the number of queries in `K` and `V`, as
        plain products of matrices do, and beyond 1000 keys in `Q` and `K`, as `softmax_vjp` does.

    Raises
    ------
    TypeError, ValueError
        As in `attention`; also if the shape of `G` is wrong.

    Notes
    -----
    Source: document A, claim A7, and document E, claim E2, by the chain rule.

    Examples
    --------
    >>> Q, K, V = [[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0], [0.0]]
    >>> dQ, dK, dV = attention_vjp(Q, K, V, [[1.0]])
    >>> dV
    array([[0.66976155],
           [0.33023845]])
    """
    Q, K, V = _arguments(Q, K, V)
    G = of_shape("G", real("G", G), (*Q.shape[:-1], V.shape[-1]), "the output of attention")
    with np.errstate(all="ignore"):
        dQ, dK, dV = _attention_vjp(*map(wide, (Q, K, V, G)))
        return dQ.astype(Q.dtype), dK.astype(K.dtype), dV.astype(V.dtype)


def _arguments(Q: Any, K: Any, V: Any) -> tuple[Array, Array, Array]:
    Q, K, V = real("Q", Q), real("K", K), real("V", V)
    if Q.ndim < 2 or Q.shape[-1] == 0:
        raise ValueError(f"Q must have the shape (…, queries, features), got {Q.shape}")
    if K.ndim < 2 or K.shape[-2] == 0:
        raise ValueError(f"K must have the shape (…, keys, features) with a key, got {K.shape}")
    of_shape("K", K, (*Q.shape[:-2], K.shape[-2], Q.shape[-1]), "keys that fit Q")
    if V.ndim < 2:
        raise ValueError(f"V must have the shape (…, keys, features), got {V.shape}")
    return Q, K, of_shape("V", V, (*K.shape[:-1], V.shape[-1]), "values that fit K")


# The formulas.


def _logits(Q: Array, K: Array) -> Any:
    logits = product_by_rows(Q, _transposed(K), 1 / math.sqrt(Q.shape[-1]))
    largest = np.finfo(np.float64).max
    return np.clip(logits, -largest, largest)


def _attention_vjp(Q: Array, K: Array, V: Array, G: Array) -> tuple[Any, Any, Any]:
    logits, scale = _logits(Q, K), 1 / math.sqrt(Q.shape[-1])
    largest = np.finfo(np.float64).max
    upstream = np.clip(product_by_rows(G, _transposed(V)), -largest, largest)
    S = softmax_vjp(logits, upstream)
    dV = product(_transposed(softmax(logits)), G)
    return product_by_rows(S, K, scale), product(_transposed(S), Q, scale), dV


def _transposed(a: Array) -> Any:
    return np.swapaxes(a, -1, -2)


CASES = (
    Case(
        name="attention",
        f=attention,
        vjp=attention_vjp,
        arguments=(
            Argument("Q", Interval(spread=1.0), ("N", "D")),  # so that logits are about 1
            Argument("K", Interval(spread=1.0), ("M", "D")),
            Argument("V", Interval(), ("M", "E")),
        ),
        argnums=(0, 1, 2),
        source="A. Vaswani et al., Attention is all you need, NeurIPS 2017; document A, claim A7",
    ),
)
