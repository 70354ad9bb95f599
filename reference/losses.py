"""Cross-entropies of rows, of probabilities and of logits, each with its gradient.

Labels say which class a row belongs to: class indices if their dtype is an integer one, in the
shape of the first argument without `axis`; class weights Y if it is a floating one, in its full
shape.  Weights may be soft and need not sum to one.  ``reduction`` is ``"mean"`` over the samples,
that is over the rows, or ``"sum"``, or ``"none"``: one loss for each.

A gradient has the shape and dtype of the first argument for every reduction; with ``"none"`` it is
the gradient of each sample's own loss.  Formulas run in float64 and are rounded once.  Nothing
warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Interval, Simplex
from reference._blocks import Formula, averaged, by_rows, from_rows, per_row, reduced, to_rows
from reference._exponentials import at, row_sums, scaled, softmax_sums
from reference._validate import (
    Array,
    Reduction,
    axis_index,
    labels_of,
    probabilities,
    real,
    reduction_name,
    sample_count,
)


def cross_entropy(p: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean") -> Any:
    """Return the cross-entropy −Σ_i Y_i·log p_i of probabilities.

    Parameters
    ----------
    p : array_like
        Probabilities in [0, 1] along `axis`; they are not normalised.
    labels : array_like
        Class indices (integers, the shape of `p` without `axis`) or weights Y (floats, the shape of
        `p`).
    axis : int
        The axis of the classes.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the samples, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `p`.  A class of weight 0 counts 0 even where p is 0; a class of
        positive weight makes the loss inf there.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a probability or a label is out of range or NaN, a shape is wrong, `reduction` is
        unknown, or there is no sample to take the mean over.

    See Also
    --------
    softmax_cross_entropy : the same of logits; the stable way from logits to the loss.

    Notes
    -----
    Source: document A, claim A5.

    Examples
    --------
    >>> cross_entropy([[0.5, 0.25, 0.25]], [0])
    np.float64(0.6931471805599453)
    """
    p = probabilities("p", p)
    axis = axis_index(axis, p, "p")
    labels = labels_of(labels, p, axis)
    formula = _cross_entropy_index if labels.dtype.kind == "i" else _cross_entropy_soft
    return _loss(formula, p, labels, axis, reduction)


def cross_entropy_grad(p: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean") -> Array:
    """Return the gradient of `cross_entropy` in the probabilities: −Y_i/p_i.

    Parameters
    ----------
    p, labels, axis, reduction
        As in `cross_entropy`; with ``"mean"`` the gradient is divided by the number of samples.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `p`; 0 where the weight is 0.

    Raises
    ------
    TypeError, ValueError
        As in `cross_entropy`.

    Notes
    -----
    Source: document A, claim A6; document B, claim B3.

    Examples
    --------
    >>> cross_entropy_grad([[0.5, 0.25, 0.25]], [0])
    array([[-2.,  0.,  0.]])
    """
    p = probabilities("p", p)
    axis = axis_index(axis, p, "p")
    labels = labels_of(labels, p, axis)
    hard = labels.dtype.kind == "i"
    formula = _cross_entropy_index_grad if hard else _cross_entropy_soft_grad
    return _gradient(formula, p, labels, axis, reduction)


def softmax_cross_entropy(
    logits: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean"
) -> Any:
    """Return the cross-entropy −Σ_i Y_i·log softmax(z)_i of logits z.

    Parameters
    ----------
    logits : array_like
        Real numbers along `axis`; −inf masks a class.
    labels : array_like
        Class indices (integers, the shape of `logits` without `axis`) or weights Y (floats, the
        shape of `logits`).
    axis : int
        The axis of the classes.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the samples, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `logits`; with all its digits also where it is tiny.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a label is out of range or NaN, a shape is wrong, `reduction` is unknown, or there is no
        sample to take the mean over.

    Notes
    -----
    Source: document A, claims A5, A9 and A10; document C, claim C5.

    Examples
    --------
    >>> softmax_cross_entropy([[2.0, 1.0, 0.1]], [0])
    np.float64(0.4170300162778335)
    >>> softmax_cross_entropy([[50.0, 0.0]], [0])
    np.float64(1.928749847963918e-22)
    """
    z = real("logits", logits)
    axis = axis_index(axis, z, "logits")
    labels = labels_of(labels, z, axis)
    hard = labels.dtype.kind == "i"
    formula = _softmax_cross_entropy_index if hard else _softmax_cross_entropy_soft
    return _loss(formula, z, labels, axis, reduction)


def softmax_cross_entropy_grad(
    logits: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean"
) -> Array:
    """Return the gradient of `softmax_cross_entropy` in the logits: p·ΣY − Y, p = softmax(z).

    Parameters
    ----------
    logits, labels, axis, reduction
        As in `softmax_cross_entropy`; with ``"mean"`` the gradient is divided by the number of
        samples.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `logits`.

    Raises
    ------
    TypeError, ValueError
        As in `softmax_cross_entropy`.

    Notes
    -----
    Source: document A, claim A8 (where ΣY = 1 it is p − Y); document B, claim B2.

    It is not computed as p − Y.  With S = Σ_j exp(z_j), and R the same sum without the target t,
    the target's entry p_t − 1 equals −R/S, and where p_t is close to one only the right-hand side
    has digits: at a margin of 40 the gradient is −4e-18, while p_t − 1 is exactly zero.

    Examples
    --------
    >>> softmax_cross_entropy_grad([[40.0, 0.0]], [0])
    array([[-4.24835426e-18,  4.24835426e-18]])
    """
    z = real("logits", logits)
    axis = axis_index(axis, z, "logits")
    labels = labels_of(labels, z, axis)
    hard = labels.dtype.kind == "i"
    soft = scaled(_softmax_cross_entropy_soft_grad)
    formula = _softmax_cross_entropy_index_grad if hard else soft
    return _gradient(formula, z, labels, axis, reduction)


def _loss(formula: Formula, z: Array, labels: Array, axis: int, reduction: Reduction) -> Any:
    rows, label_rows = to_rows(z, axis), _label_rows(labels, axis)
    sample_count(len(rows), reduction_name(reduction))
    losses = by_rows(formula, rows, label_rows, dtype=np.dtype(np.float64))
    return reduced(per_row(losses, z.shape, axis), reduction, z.dtype)


def _gradient(formula: Formula, z: Array, labels: Array, axis: int, reduction: Reduction) -> Array:
    rows, label_rows = to_rows(z, axis), _label_rows(labels, axis)
    samples = sample_count(len(rows), reduction_name(reduction))
    formula = averaged(formula, samples, reduction)
    return from_rows(by_rows(formula, rows, label_rows, dtype=z.dtype), z.shape, axis)


def _label_rows(labels: Array, axis: int) -> Array:
    return labels.reshape(-1) if labels.dtype.kind == "i" else to_rows(labels, axis)


# The formulas, for rows of shape (r, n), class indices of shape (r,) and weights of shape (r, n).


def _cross_entropy_index(p: Array, labels: Array) -> Any:
    return 0 - np.log(at(p, labels))[:, 0]  # of p = 1 it is 0, not −0


def _cross_entropy_index_grad(p: Array, labels: Array) -> Any:
    gradient = np.zeros_like(p)
    gradient[np.arange(len(p)), labels] = -1 / at(p, labels)[:, 0]
    return gradient


def _cross_entropy_soft(p: Array, weights: Array) -> Any:
    # Where the weight is zero, 1 stands in for p: 0·log 1 = 0, while 0·log 0 is NaN.
    return 0 - (weights * np.log(np.where(weights > 0, p, 1))).sum(axis=1)


def _cross_entropy_soft_grad(p: Array, weights: Array) -> Any:
    return 0 - weights / np.where(weights > 0, p, 1)


def _softmax_cross_entropy_index(z: Array, labels: Array) -> Any:
    # The negative of log-softmax at the label: two terms, neither of them negative.
    sums = softmax_sums(z)
    return ((at(z, sums.top) - at(z, labels)) + sums.log_excess)[:, 0]


def _softmax_cross_entropy_index_grad(z: Array, labels: Array) -> Any:
    # p, but at the label −R/S, the share of the others: the digits of p − 1 are lost for p near 1.
    sums = softmax_sums(z)
    gradient = sums.shares
    gradient[np.arange(len(z)), labels] = -(sums.others_at(labels) / sums.total)[:, 0]
    return gradient


def _softmax_cross_entropy_soft(z: Array, weights: Array) -> Any:
    # Σ Y_i·(−log p_i) in halves: z_top − z_i may overflow where Y_i makes it small again.
    sums = softmax_sums(z)
    half = (at(z, sums.top) / 2 - z / 2) + sums.log_excess / 2
    # A class of weight zero does not count, however improbable it is: no 0·inf.
    return 2 * np.where(weights > 0, weights * half, 0).sum(axis=1)


def _softmax_cross_entropy_soft_grad(z: Array, weights: Array) -> Any:
    # p_i·ΣY − Y_i = p_i·Σ_{j≠i} Y_j − Y_i·(1−p_i), where 1−p_i is the share of the others: for hard
    # labels the same numbers as above, and never a difference of two large ones.
    sums = softmax_sums(z)
    others = row_sums(weights, weights.argmax(axis=1)).others
    return (sums.terms * others - weights * sums.others) / sums.total


_ROWS = ("N", "n")
_P = Argument("p", Interval(0.0, 1.0), _ROWS)
_LOGITS = Argument("logits", Interval(), _ROWS)
_CLASSES = Argument("labels", Classes("n"), ("N",))
_WEIGHTS = Argument("labels", Simplex(), _ROWS)

CASES = (
    Case(
        name="cross_entropy",
        f=cross_entropy,
        grad=cross_entropy_grad,
        arguments=(_P, _CLASSES),
        source="document A, claims A5 and A6; document B, claim B3",
    ),
    Case(
        name="cross_entropy_soft",
        f=cross_entropy,
        grad=cross_entropy_grad,
        arguments=(_P, _WEIGHTS),
        source="document A, claims A5 and A6; document B, claim B3",
    ),
    Case(
        name="softmax_cross_entropy",
        f=softmax_cross_entropy,
        grad=softmax_cross_entropy_grad,
        arguments=(_LOGITS, _CLASSES),
        source="document A, claim A8; document B, claim B2",
    ),
    Case(
        name="softmax_cross_entropy_soft",
        f=softmax_cross_entropy,
        grad=softmax_cross_entropy_grad,
        arguments=(_LOGITS, _WEIGHTS),
        source="document A, claim A8; document B, claim B2",
    ),
)
