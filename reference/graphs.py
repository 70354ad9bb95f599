"""Softmax with cross-entropy as a graph of nodes, with the value and the gradient at every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference._validate import Array, labels_of, sample_count
from reference.layers import logits_of_batch
from reference.nodes import (
    exp_node,
    exp_node_vjp,
    log_node,
    log_node_vjp,
    negate_node,
    negate_node_vjp,
    reciprocal_node,
    reciprocal_node_vjp,
    sum_node,
    sum_node_vjp,
)
from reference.pair_nodes import multiply_node, multiply_node_vjp


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxWithLossAdjoints:
    """The gradients at the nodes of a `SoftmaxWithLossGraph`, named like the values they belong to.

    Parameters
    ----------
    losses, sums, products, log_y, y, inverse, total : array
        Gradients in the values of the same name.
    by_product, by_sum : array
        What reaches e^{a_k} through its product with 1/S, and through the sum S.
    exponentials : array
        Their sum, the gradient in e^{a_k}.
    a : array
        The gradient in the logits.

    Notes
    -----
    Source: document C, claim C6.
    """

    losses: Array
    sums: Array
    products: Array
    log_y: Array
    y: Array
    inverse: Array
    total: Array
    by_product: Array
    by_sum: Array
    exponentials: Array
    a: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxWithLossGraph:
    """The values at the nodes of softmax with cross-entropy; made by `softmax_with_loss_graph`.

    Parameters
    ----------
    a, t : array, shape (N, n)
        Logits, and labels as weights; copies.
    exponentials : array, shape (N, n)
        e^{a_k}.
    total : array, shape (N, 1)
        S = Σ_k e^{a_k}.
    inverse : array, shape (N, 1)
        1/S.
    y : array, shape (N, n)
        y_k = e^{a_k}·(1/S).
    log_y : array, shape (N, n)
        log y_k.
    products : array, shape (N, n)
        t_k·log y_k.
    sums : array, shape (N, 1)
        Σ_k t_k·log y_k.
    losses : array, shape (N, 1)
        The loss of each sample.
    shares : array, shape (N, 1)
        What each loss is multiplied by, 1/N.
    loss : scalar
        The mean of the losses.

    Notes
    -----
    Source: document C, claim C5.
    """

    a: Array
    t: Array
    exponentials: Array
    total: Array
    inverse: Array
    y: Array
    log_y: Array
    products: Array
    sums: Array
    losses: Array
    shares: Array
    loss: Any

    def backward(self, upstream: float = 1.0) -> SoftmaxWithLossAdjoints:
        """Return the gradient of ``upstream * loss`` at every node, from the loss to the logits.

        Parameters
        ----------
        upstream : float
            The gradient that arrives from above; 1 if the loss is the last node.

        Notes
        -----
        Source: document C, claim C6.  e^{a_k} feeds two nodes, the sum S and the product with 1/S;
        its gradient is the sum of what both pass down.

        Examples
        --------
        >>> softmax_with_loss_graph([[0.0, 0.0]], [0]).backward(2.0).y
        array([[-4.,  0.]])
        """
        mean = np.full((1, 1), upstream, self.losses.dtype)
        weighted = sum_node_vjp(self.losses, mean, axis=0)
        losses, _ = multiply_node_vjp(self.losses, self.shares, weighted)
        sums = negate_node_vjp(self.sums, losses)
        products = sum_node_vjp(self.products, sums)
        _, log_y = multiply_node_vjp(self.t, self.log_y, products)
        y = log_node_vjp(self.y, log_y)
        by_product, inverse = multiply_node_vjp(self.exponentials, self.inverse, y)
        total = reciprocal_node_vjp(self.total, inverse)
        by_sum = sum_node_vjp(self.exponentials, total)
        exponentials = by_product + by_sum
        return SoftmaxWithLossAdjoints(
            losses=losses,
            sums=sums,
            products=products,
            log_y=log_y,
            y=y,
            inverse=inverse,
            total=total,
            by_product=by_product,
            by_sum=by_sum,
            exponentials=exponentials,
            a=exp_node_vjp(self.a, exponentials),
        )


def softmax_with_loss_graph(a: Any, t: Any) -> SoftmaxWithLossGraph:
    """Go forward through softmax with cross-entropy, node by node.

    Parameters
    ----------
    a : array_like, shape (N, n) or (n,)
        Logits.
    t : array_like
        Labels as in `softmax_with_loss`.

    Returns
    -------
    SoftmaxWithLossGraph
        The value at every node; its method ``backward`` goes back.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a shape does not fit, a label is out of range, or the batch is empty.

    See Also
    --------
    softmax_with_loss : the same fused into one function.

    Notes
    -----
    Source: document C, claim C5.  Node by node, logits above 709 overflow in exp, and logits far
    apart reach log 0, which makes the loss inf or NaN; the fused function has neither limit
    (document A, claim A10).

    Examples
    --------
    >>> graph = softmax_with_loss_graph([[0.0, 0.0]], [0])
    >>> graph.loss, graph.backward().a
    (np.float64(0.6931471805599453), array([[-0.5,  0.5]]))
    """
    a, t = _batch(a, t)
    exponentials = exp_node(a)
    total = sum_node(exponentials)
    inverse = reciprocal_node(total)
    y = multiply_node(exponentials, inverse)
    log_y = log_node(y)
    products = multiply_node(t, log_y)
    sums = sum_node(products)
    losses = negate_node(sums)
    shares = np.full_like(losses, 1 / sample_count(len(losses), "mean"))
    return SoftmaxWithLossGraph(
        a=a,
        t=t,
        exponentials=exponentials,
        total=total,
        inverse=inverse,
        y=y,
        log_y=log_y,
        products=products,
        sums=sums,
        losses=losses,
        shares=shares,
        loss=sum_node(multiply_node(losses, shares), axis=0)[0, 0],
    )


def _batch(a: Any, t: Any) -> tuple[Array, Array]:
    """Return logits and weights as new arrays of shape (N, n)."""
    a = logits_of_batch(a)
    classes = a.shape[-1]
    labels = labels_of(t, a, a.ndim - 1, "t")
    weights = np.eye(classes, dtype=a.dtype)[labels] if labels.dtype.kind == "i" else labels
    return np.array(a, ndmin=2), np.array(weights, ndmin=2)
