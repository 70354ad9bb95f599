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

from functools import partial
from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Interval, Simplex
from reference._blocks import (
    Formula,
    averaged,
    by_rows,
    by_rows_into,
    columns,
    from_rows,
    per_row,
    reduced,
    to_rows,
)
from reference._exponentials import (
    RestSums,
    at,
    rest_sums,
    scaled,
    signed_row_sums,
    softmax_sums,
)
from reference._sums import row_sums
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
        The loss, in the dtype of `p`; each row's within 5 ulp.  A class of weight 0 counts 0 even
        where p is 0; a class of positive weight makes the loss inf there.

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
        The gradient, in the shape and dtype of `p`; correctly rounded, but for the division of the
        mean, and 0 where the weight is 0.

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
    formula = averaged(formula, p.size // p.shape[axis], reduction, _with_larger_p)
    return _gradient(formula, p, labels, axis, reduction)


def softmax_cross_entropy(
    logits: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean"
) -> Any:
    """Return the cross-entropy −Σ_i Y_i·log softmax(z)_i of logits z.

    Parameters
    ----------
    logits : array_like
        Real numbers along `axis`; −inf masks a class.  A sample with +inf or NaN, or with −inf
        alone, has the loss NaN.
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
        The loss, in the dtype of `logits`; also where it is tiny each row's within 4 ulp of class
        indices, and 5 of weights, and the mean of class indices within 5.

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
        The gradient, in the shape and dtype of `logits`; of class indices within 5 ulp, and 6 of a
        mean.  Of weights within 7 ulp of the terms that cancel, p_i·Σ_{j≠i} Y_j and Y_i·(1−p_i),
        and one division more for a mean.

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
    if labels.dtype.kind == "i":
        samples = labels.size if reduction_name(reduction) == "mean" else 1
        formula: Formula = partial(_softmax_cross_entropy_index_grad, samples=samples)
        return _gradient(formula, z, labels, axis, reduction)
    samples = z.size // z.shape[axis]
    formula = averaged(scaled(_softmax_cross_entropy_soft_grad), samples, reduction)
    return _gradient(formula, z, labels, axis, reduction)


def softmax_cross_entropy_with_grad(
    logits: Any, labels: Any, axis: int = -1, reduction: Reduction = "mean"
) -> tuple[Any, Array]:
    """Return `softmax_cross_entropy` and `softmax_cross_entropy_grad` for the price of one.

    Parameters
    ----------
    logits, labels, axis, reduction
        As in `softmax_cross_entropy`.

    Returns
    -------
    loss : array or scalar
        As of `softmax_cross_entropy`, to the last bit.
    gradient : array
        As of `softmax_cross_entropy_grad`, to the last bit.

    Raises
    ------
    TypeError, ValueError
        As in `softmax_cross_entropy`.

    Notes
    -----
    Source: document A, claims A5 and A8.  Class indices share one pass over the exponentials.

    Examples
    --------
    >>> softmax_cross_entropy_with_grad([[40.0, 0.0]], [0])
    (np.float64(4.248354255291589e-18), array([[-4.24835426e-18,  4.24835426e-18]]))
    """
    z = real("logits", logits)
    axis = axis_index(axis, z, "logits")
    labels = labels_of(labels, z, axis)
    if labels.dtype.kind != "i":
        return (
            softmax_cross_entropy(z, labels, axis, reduction),
            softmax_cross_entropy_grad(z, labels, axis, reduction),
        )
    rows = to_rows(z, axis)
    samples = sample_count(len(rows), reduction_name(reduction))
    divisor = float(samples if reduction == "mean" else 1)
    losses: list[Array] = []

    def formula(z: Array, labels: Array, out: Array) -> None:
        sums = rest_sums(z, labels, out)
        losses.append(_index_loss(sums, z, labels))
        _index_gradient(sums, divisor)

    gradient = by_rows_into(formula, rows, labels.reshape(-1), dtype=z.dtype)
    loss = losses[0] if len(losses) == 1 else np.concatenate([np.empty(0), *losses])
    loss = reduced(loss.reshape(labels.shape), reduction, z.dtype)
    return loss, from_rows(gradient, z.shape, axis)


def _loss(formula: Formula, z: Array, labels: Array, axis: int, reduction: Reduction) -> Any:
    rows, label_rows = to_rows(z, axis), _label_rows(labels, axis)
    sample_count(len(rows), reduction_name(reduction))
    losses = by_rows(formula, rows, label_rows, dtype=np.dtype(np.float64))
    return reduced(per_row(losses, z.shape, axis), reduction, z.dtype)


def _gradient(formula: Formula, z: Array, labels: Array, axis: int, reduction: Reduction) -> Array:
    rows, label_rows = to_rows(z, axis), _label_rows(labels, axis)
    sample_count(len(rows), reduction_name(reduction))
    return from_rows(by_rows_into(formula, rows, label_rows, dtype=z.dtype), z.shape, axis)


def _label_rows(labels: Array, axis: int) -> Array:
    return labels.reshape(-1) if labels.dtype.kind == "i" else to_rows(labels, axis)


# The formulas, for rows of shape (r, n), class indices of shape (r,) and weights of shape (r, n).
# Gradients are written into `out`, if given.

_FAR = np.array(690.0)


def _cross_entropy_index(p: Array, labels: Array) -> Any:
    return 0 - np.log(at(p, labels))[:, 0]  # of p = 1 it is 0, not −0


def _cross_entropy_index_grad(p: Array, labels: Array, out: Array | None = None) -> Any:
    gradient = np.multiply(p, 0, out=out)
    gradient[np.arange(len(p)), labels] = -1 / at(p, labels)[:, 0]
    return gradient


def _with_larger_p(k: int, p: Array, labels: Array) -> tuple[Array, Array]:
    return np.ldexp(p, k), labels


def _cross_entropy_soft(p: Array, weights: Array) -> Any:
    # Where the weight is zero, 1 stands in for p: 0·log 1 = 0, while 0·log 0 is NaN.
    loss: Any = 0
    for part in columns(p.shape[1]):
        logs = np.log(np.where(weights[:, part] > 0, p[:, part], 1))
        loss = loss - row_sums(weights[:, part] * logs)
    return loss


def _cross_entropy_soft_grad(p: Array, weights: Array, out: Array | None = None) -> Any:
    return np.subtract(0, weights / np.where(weights > 0, p, 1), out=out)


def _softmax_cross_entropy_index(z: Array, labels: Array) -> Any:
    return _index_loss(rest_sums(z, labels), z, labels)


def _softmax_cross_entropy_index_grad(
    z: Array, labels: Array, samples: int = 1, out: Array | None = None
) -> Any:
    return _index_gradient(rest_sums(z, labels, out), samples)


def _index_loss(sums: RestSums, z: Array, labels: Array) -> Any:
    # −log p_t = log(S/e_t) = log1p(R/e_t), R the sum without the target t: no difference at all.
    losses = sums.log_excess
    far = losses > _FAR  # there R/e_t overflows, or e_t has underflowed
    if np.count_nonzero(far):
        losses[far] = _far_loss(z[far], labels[far])
    return losses


def _far_loss(z: Array, labels: Array) -> Any:
    # The negative of log-softmax at the label: two terms, neither of them negative.
    top = z.argmax(axis=1)
    return ((at(z, top) - at(z, labels)) + softmax_sums(z, top).log_excess)[:, 0]


def _index_gradient(sums: RestSums, samples: float) -> Any:
    # p, but at the target −R/S, the share of the others: the digits of p − 1 are lost for p near 1.
    # The mean over the samples divides once.
    gradient = sums.terms
    gradient.ravel()[sums.places] = -sums.rest
    gradient /= (sums.total * samples)[:, None]
    return gradient


def _softmax_cross_entropy_soft(z: Array, weights: Array) -> Any:
    # Σ Y_i·(−log p_i) in halves: z_top − z_i may overflow where Y_i makes it small again.
    top = z.argmax(axis=1)
    log_excess = softmax_sums(z, top).log_excess
    loss = 0 * log_excess[:, 0]  # NaN where there is no softmax, whatever the weights are
    for part in columns(z.shape[1]):
        half = (at(z, top) / 2 - z[:, part] / 2) + log_excess / 2
        # A class of weight zero does not count, however improbable it is: no 0·inf.
        loss = loss + row_sums(np.where(weights[:, part] > 0, weights[:, part] * half, 0))
    return 2 * loss


def _softmax_cross_entropy_soft_grad(z: Array, weights: Array, out: Array | None = None) -> Any:
    # p_i·ΣY − Y_i = p_i·Σ_{j≠i} Y_j − Y_i·(1−p_i), where 1−p_i is the share of the others: for hard
    # labels the same numbers as above, and never a difference of two large ones.
    sums, weight_sums = softmax_sums(z, z.argmax(axis=1), out), signed_row_sums(weights)
    for part in columns(z.shape[1]):
        others = sums.others(part)
        others *= weights[:, part]
        gradient = sums.terms[:, part]
        gradient *= weight_sums.others(part)
        gradient -= others
        gradient /= sums.total
    return sums.terms


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
