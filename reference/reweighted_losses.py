"""Cross-entropies that weigh samples or classes anew: focal loss, and smoothed labels.

``reduction`` is ``"mean"`` over the samples, ``"sum"``, or ``"none"``: one loss for each.  A
gradient has the shape and dtype of the logits for every reduction; with ``"none"`` it is the
gradient of each sample's own loss.  Formulas run in float64 and are rounded once.  Nothing warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Interval
from reference._blocks import into
from reference._residuals import gradient_of, loss_of
from reference._validate import (
    Array,
    Reduction,
    axis_index,
    labels_of,
    not_negative,
    probabilities,
    real,
    share,
    target_of,
)
from reference.losses import softmax_cross_entropy, softmax_cross_entropy_grad


def focal_loss(logits: Any, targets: Any, gamma: float = 2.0, reduction: Reduction = "mean") -> Any:
    """Return the binary focal loss: y·l(z) + (1−y)·l(−z), l(s) = −(1−σ(s))^γ·log σ(s).

    Parameters
    ----------
    logits : array_like
        Real numbers z of any shape.
    targets : array_like
        Targets y in [0, 1], in the shape of `logits`, or one number.
    gamma : float
        How much less a sample counts the surer it is right; at least 0, which gives
        `binary_cross_entropy_with_logits`.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `logits`; each entry's accurate to 4 + 3γ ulp, as the power
        multiplies the error of its base.  At ±inf its limit; NaN stays NaN.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a target is outside [0, 1] or NaN, the shapes differ, `gamma` is negative or not finite,
        `reduction` is unknown, or there is no entry to take the mean over.

    Notes
    -----
    Source: T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4.

    Examples
    --------
    >>> focal_loss([0.0, 40.0], [1.0, 1.0], reduction="none")
    array([1.73286795e-01, 7.66764807e-53])
    """
    z, targets = _arguments(logits, targets)
    gamma = not_negative("gamma", gamma)
    return loss_of(into(lambda a, y: _focal(a, y, gamma)), z, targets, reduction)


def focal_loss_grad(
    logits: Any, targets: Any, gamma: float = 2.0, reduction: Reduction = "mean"
) -> Any:
    """Return the gradient of `focal_loss` in the logits.

    It is y·l'(z) − (1−y)·l'(−z) with l'(s) = −q^γ(q − γ·p·log p), p = σ(s), q = 1 − p.

    Parameters
    ----------
    logits, targets, gamma, reduction
        As in `focal_loss`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `logits`; accurate to 5 + 3γ ulp where the target is
        0 or 1, else in ulps of its two terms.

    Raises
    ------
    TypeError, ValueError
        As in `focal_loss`.

    Notes
    -----
    Source: T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, appendix B.

    Examples
    --------
    >>> focal_loss_grad([0.0, 40.0], [1.0, 1.0], reduction="none")
    array([-2.98286795e-01, -2.30029442e-52])
    """
    z, targets = _arguments(logits, targets)
    gamma = not_negative("gamma", gamma)
    return gradient_of(into(lambda a, y: _focal_grad(a, y, gamma)), z, targets, reduction)


def label_smoothing_cross_entropy(
    z: Any, labels: Any, smoothing: float = 0.1, axis: int = -1, reduction: Reduction = "mean"
) -> Any:
    """Return the cross-entropy of softmax(z) with (1−ε)·Y + ε/n for the labels Y of n classes.

    Parameters
    ----------
    z : array_like
        Logits.
    labels : array_like
        Class indices (integers, the shape of `z` without `axis`) or weights (floats, the shape of
        `z`).
    smoothing : float
        The part ε of the labels that is spread over all classes, in [0, 1].
    axis : int
        The axis of the classes.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the samples, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `z`; as accurate as `softmax_cross_entropy` of soft labels.  A
        masked class (−inf) makes it inf, as every class has a weight, unless `smoothing` is 0.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a label is out of range, a shape is wrong, `smoothing` is outside [0, 1], `reduction` is
        unknown, or there is no sample to take the mean over.

    Notes
    -----
    Source: C. Szegedy et al., "Rethinking the inception architecture", CVPR 2016, section 7; the
    cross-entropy is document B's.

    Examples
    --------
    >>> label_smoothing_cross_entropy([[2.0, 0.0]], [0], smoothing=0.5)
    np.float64(0.6269280110429726)
    """
    z, weights, axis = _smoothed(z, labels, smoothing, axis)
    return softmax_cross_entropy(z, weights, axis=axis, reduction=reduction)


def label_smoothing_cross_entropy_grad(
    z: Any, labels: Any, smoothing: float = 0.1, axis: int = -1, reduction: Reduction = "mean"
) -> Any:
    """Return the gradient of `label_smoothing_cross_entropy`: p·ΣT − T, T = (1−ε)·Y + ε/n.

    Here p = softmax(z).  Where the labels sum to one, as class indices do, it is p − T.

    Parameters
    ----------
    z, labels, smoothing, axis, reduction
        As in `label_smoothing_cross_entropy`; with ``"mean"`` the gradient is divided by the number
        of samples.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `z`; as accurate as `softmax_cross_entropy_grad` of
        soft labels.

    Raises
    ------
    TypeError, ValueError
        As in `label_smoothing_cross_entropy`.

    Notes
    -----
    Source: as in `label_smoothing_cross_entropy`; document B, claim B2, with these labels.

    Examples
    --------
    >>> label_smoothing_cross_entropy_grad([[0.0, 0.0]], [0], smoothing=0.5)
    array([[-0.25,  0.25]])
    """
    z, weights, axis = _smoothed(z, labels, smoothing, axis)
    return softmax_cross_entropy_grad(z, weights, axis=axis, reduction=reduction)


def _arguments(logits: Any, targets: Any) -> tuple[Array, Array]:
    z = real("logits", logits)
    return z, target_of("targets", probabilities("targets", targets), z, "logits")


def _smoothed(z: Any, labels: Any, smoothing: float, axis: int) -> tuple[Array, Array, int]:
    z = real("z", z)
    axis = axis_index(axis, z, "z")
    smoothing = share("smoothing", smoothing)
    labels = labels_of(labels, z, axis)
    n = z.shape[axis]
    if labels.dtype.kind == "f":
        return z, (1 - smoothing) * labels.astype(np.float64) + smoothing / n, axis
    weights = np.full(z.shape, smoothing / n)
    np.put_along_axis(
        weights, np.expand_dims(labels, axis), (1 - smoothing) + smoothing / n, axis=axis
    )
    return z, weights, axis


# The formulas.


def _focal(z: Array, y: Array, gamma: float) -> Any:
    return _mixed(z, y, lambda s: _focal_of_right(s, gamma), 1.0)


def _focal_grad(z: Array, y: Array, gamma: float) -> Any:
    return _mixed(z, y, lambda s: _focal_slope_of_right(s, gamma), -1.0)


def _mixed(z: Array, y: Array, loss: Any, sign: float) -> Any:
    """Return y·l(z) ± (1−y)·l(−z); a loss of weight 0 counts 0 also where it is infinite."""
    first, second = y * loss(z), sign * (1 - y) * loss(-z)
    known = z == z  # NaN differs from itself, and stays
    return np.where((y == 0) & known, 0, first) + np.where((y == 1) & known, 0, second)


def _parts(s: Array) -> tuple[Any, Any, Any]:
    """Return σ(s), 1 − σ(s) and −log σ(s), each with all its digits."""
    e = np.exp(-abs(s))
    small, large = e / (1 + e), 1 / (1 + e)
    right = s > 0
    loss = np.maximum(-s, 0) + np.log1p(e)
    return np.where(right, large, small), np.where(right, small, large), loss


def _focal_of_right(s: Array, gamma: float) -> Any:
    _, q, loss = _parts(s)
    return q**gamma * loss


def _focal_slope_of_right(s: Array, gamma: float) -> Any:
    # Neither term is positive: nothing cancels.  p·loss is s·e^s where s → −∞, that is 0.
    p, q, loss = _parts(s)
    return -(q**gamma) * (q + gamma * np.where(p > 0, p * loss, 0.0))


CASES = (
    Case(
        name="focal_loss",
        f=focal_loss,
        grad=focal_loss_grad,
        arguments=(
            Argument("logits", Interval(), ("n",)),
            Argument("targets", Interval(0.0, 1.0), ("n",)),
        ),
        source="T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017",
    ),
    Case(
        name="label_smoothing_cross_entropy",
        f=label_smoothing_cross_entropy,
        grad=label_smoothing_cross_entropy_grad,
        arguments=(Argument("z", Interval(), ("N", "n")), Argument("labels", Classes("n"), ("N",))),
        source="C. Szegedy et al., Rethinking the inception architecture, CVPR 2016, section 7",
    ),
)
