"""Layers: the affine map, and softmax with cross-entropy fused into one."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Interval
from reference._products import wide
from reference._validate import Array, axis_index, of_shape, real
from reference.losses import softmax_cross_entropy, softmax_cross_entropy_grad


def affine(H: Any, W: Any, b: Any) -> Array:
    """Return H·W + b, an affine layer on a batch or on one sample.

    Parameters
    ----------
    H : array_like, shape (N, D) or (D,)
        The layer's input.
    W : array_like, shape (D, K)
        Weights.
    b : array_like, shape (K,)
        Biases.

    Returns
    -------
    array, shape (N, K) or (K,)
        The layer's output, in the dtype of `H`; computed in float64 and rounded once.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Source: document E, claim E2.

    Examples
    --------
    >>> affine([[1.0, 0.5]], [[0.5, 2.3], [1.5, 3.0]], [0.0, 0.0])
    array([[1.25, 3.8 ]])
    """
    H, W, b = _affine_arguments(H, W, b)
    with np.errstate(all="ignore"):
        return np.asarray(_affine(wide(H), wide(W), wide(b)).astype(H.dtype))


def affine_vjp(H: Any, W: Any, b: Any, G: Any) -> tuple[Array, Array, Array]:
    """Return what the affine layer passes down: dH = G·Wᵀ, dW = Hᵀ·G and db = 1ᵀ·G.

    Parameters
    ----------
    H : array_like, shape (N, D) or (D,)
        The layer's input.
    W : array_like, shape (D, K)
        Weights.
    b : array_like, shape (K,)
        Biases.
    G : array_like, shape (N, K) or (K,)
        The upstream gradient, in the shape of the layer's output.

    Returns
    -------
    tuple of array
        The gradients in `H`, `W` and `b`, in their shapes and dtypes.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Source: document E, claim E2.

    Examples
    --------
    >>> W, b, G = [[0.5, 2.3], [1.5, 3.0]], [0.0, 0.0], [[1.05, 1.05]]
    >>> dH, dW, db = affine_vjp([[1.0, 0.5]], W, b, G)
    >>> dW
    array([[1.05 , 1.05 ],
           [0.525, 0.525]])
    """
    H, W, b = _affine_arguments(H, W, b)
    G = of_shape("G", real("G", G), (*H.shape[:-1], W.shape[1]), "the layer's output")
    with np.errstate(all="ignore"):
        dH, dW, db = _affine_vjp(wide(H), wide(W), wide(G))
        return dH.astype(H.dtype), dW.astype(W.dtype), db.astype(b.dtype)


def softmax_with_loss(a: Any, t: Any) -> Any:
    """Return the mean cross-entropy of softmax(a) over a batch, or that of one sample.

    Parameters
    ----------
    a : array_like, shape (N, n) or (n,)
        Logits.
    t : array_like
        Class indices (integers, shape (N,) or ()), or class weights (floats, the shape of `a`):
        one-hot, or soft.

    Returns
    -------
    scalar
        The loss, in the dtype of `a`.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a shape does not fit, a label is out of range, or the batch is empty.

    See Also
    --------
    softmax_with_loss_graph : the same node by node.

    Notes
    -----
    Source: document C, claim C7.  Soft labels stay soft (the document's code hardens them, claim
    C11), and nothing is added inside the logarithm (claims C8 and C9).

    Examples
    --------
    >>> softmax_with_loss([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]], [0, 1])
    np.float64(1.163181794083098)
    """
    return softmax_cross_entropy(logits_of_batch(a), t)


def softmax_with_loss_vjp(a: Any, t: Any, v: Any) -> Array:
    """Return what the layer passes down: v·(y−t)/N, y = softmax(a).

    Parameters
    ----------
    a : array_like, shape (N, n) or (n,)
        Logits.
    t : array_like
        Labels as in `softmax_with_loss`.
    v : float
        The upstream gradient.

    Returns
    -------
    array
        The gradient in `a`, in its shape and dtype; computed in float64 and rounded once, so that
        a large `v` keeps small slopes above the least numbers of float16.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a shape does not fit, a label is out of range, the batch is empty, or `v` is not one
        number.

    Notes
    -----
    Source: document C, claim C7.  The upstream gradient counts; the document's own code ignores it
    (claim C10).

    Examples
    --------
    >>> softmax_with_loss_vjp([[0.0, 0.0]], [0], 2.0)
    array([[-1.,  1.]])
    """
    a = logits_of_batch(a)
    v = of_shape("v", real("v", v), (), "a scalar loss")
    with np.errstate(all="ignore"):
        return np.asarray((v * softmax_cross_entropy_grad(wide(a), t)).astype(a.dtype))


class SoftmaxWithLoss:
    """Softmax with cross-entropy as a layer with a forward and a backward pass.

    The layer keeps a copy of the arguments of its last forward pass.

    Notes
    -----
    Source: document C, claim C7.

    Examples
    --------
    >>> layer = SoftmaxWithLoss()
    >>> layer.forward([[0.0, 0.0]], [0])
    np.float64(0.6931471805599453)
    >>> layer.backward()
    array([[-0.5,  0.5]])
    >>> layer.backward(2.0)
    array([[-1.,  1.]])
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[Array, Array] | None = None

    def forward(self, a: Any, t: Any) -> Any:
        """Return the mean loss of a batch, and keep the batch.

        Parameters
        ----------
        a : array_like, shape (N, n) or (n,)
            Logits.
        t : array_like
            Labels as in `softmax_with_loss`.

        Raises
        ------
        TypeError
            If an argument has an unsuitable dtype.
        ValueError
            If a shape does not fit, a label is out of range, or the batch is empty.
        """
        self._last = None
        loss = softmax_with_loss(a, t)
        self._last = np.array(a), np.array(t)
        return loss

    def backward(self, upstream: float = 1.0) -> Array:
        """Return the gradient of ``upstream * loss`` in the logits of the last forward pass.

        Parameters
        ----------
        upstream : float
            The gradient that arrives from above; 1 if the loss is the last node.

        Raises
        ------
        RuntimeError
            If there was no forward pass, or the last one failed.
        """
        if self._last is None:
            raise RuntimeError("backward() needs a forward pass first: call forward(a, t)")
        a, t = self._last
        return softmax_with_loss_vjp(a, t, upstream)


def logits_of_batch(a: Any) -> Array:
    """Return `a` as logits of one sample (n,) or of a batch (N, n).

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    ValueError
        If it has another number of axes, or there are no classes.
    """
    logits = real("a", a)
    if logits.ndim not in (1, 2):
        raise ValueError(
            f"a must be one sample (n,) or a batch (N, n) of logits, got {logits.shape}"
        )
    axis_index(-1, logits, "a")
    return logits


def _affine_arguments(H: Any, W: Any, b: Any) -> tuple[Array, Array, Array]:
    H, W, b = real("H", H), real("W", W), real("b", b)
    if W.ndim != 2:
        raise ValueError(f"W must have the shape (inputs, outputs), got {W.shape}")
    inputs, outputs = W.shape
    if H.ndim not in (1, 2) or H.shape[-1] != inputs:
        raise ValueError(
            f"H must have the shape (N, {inputs}) or ({inputs},) to fit W of shape {W.shape}, "
            f"got {H.shape}"
        )
    return H, W, of_shape("b", b, (outputs,), "a row of the layer's output")


# The formulas.


def _affine(H: Array, W: Array, b: Array) -> Any:
    return H @ W + b


def _affine_vjp(H: Array, W: Array, G: Array) -> tuple[Array, Array, Array]:
    rows, upstream = np.atleast_2d(H), np.atleast_2d(G)
    return G @ W.T, rows.T @ upstream, upstream.sum(axis=0)


CASES = (
    Case(
        name="softmax_with_loss",
        f=softmax_with_loss,
        vjp=softmax_with_loss_vjp,
        arguments=(Argument("a", Interval(), ("N", "n")), Argument("t", Classes("n"), ("N",))),
        source="document C, claims C6 and C7",
    ),
    Case(
        name="affine",
        f=affine,
        vjp=affine_vjp,
        arguments=(
            Argument("H", Interval(), ("N", "D")),
            Argument("W", Interval(), ("D", "K")),
            Argument("b", Interval(), ("K",)),
        ),
        argnums=(0, 1, 2),
        source="document E, claim E2",
    ),
)
