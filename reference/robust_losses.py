"""Losses of a residual that grow less than its square: Huber, smooth L1 and log-cosh.

Targets have the shape of the first argument, or are one number.  ``reduction`` is ``"mean"`` over
all entries, ``"sum"``, or ``"none"``: one loss for each.

A gradient has the shape and dtype of the first argument for every reduction; with ``"none"`` it is
the derivative of each entry's own loss.  Formulas run in float64 and are rounded once.  NaN stays
NaN.  Nothing warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import into
from reference._domains import FarFromKinks, Signs
from reference._residuals import gradient_of, loss_of
from reference._validate import Array, Reduction, positive, real, target_of


def huber(y: Any, targets: Any, delta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Return the Huber loss: ½(y−t)² where |y−t| ≤ δ, else δ(|y−t| − ½δ).

    Parameters
    ----------
    y : array_like
        Predictions of any shape.
    targets : array_like
        Real targets t, in the shape of `y`, or one number.
    delta : float
        Where the parabola goes over into its tangent; positive.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `y`; each entry's accurate to 3 ulp.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If the shapes differ, `delta` is not positive, `reduction` is unknown, or there is no entry
        to take the mean over.

    Notes
    -----
    Source: P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
    Statistics 35, 1964.

    Examples
    --------
    >>> huber([0.5, 3.0], 0.0, reduction="none")
    array([0.125, 2.5  ])
    """
    y, targets = _arguments(y, targets)
    delta = positive("delta", delta)
    return loss_of(into(lambda a, t: _huber(a, t, delta)), y, targets, reduction)


def huber_grad(y: Any, targets: Any, delta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `huber` in the predictions: y − t, held within ±δ.

    Parameters
    ----------
    y, targets, delta, reduction
        As in `huber`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `y`; continuous, also where |y−t| = δ.  Correctly
        rounded, but for the division of the mean.

    Raises
    ------
    TypeError, ValueError
        As in `huber`.

    Notes
    -----
    Source: as in `huber`.

    Examples
    --------
    >>> huber_grad([0.5, -3.0], 0.0, reduction="sum")
    array([ 0.5, -1. ])
    """
    y, targets = _arguments(y, targets)
    delta = positive("delta", delta)
    return gradient_of(into(lambda a, t: _huber_grad(a, t, delta)), y, targets, reduction)


def smooth_l1(y: Any, targets: Any, beta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Return the smooth L1 loss: ½(y−t)²/β where |y−t| ≤ β, else |y−t| − ½β.

    Parameters
    ----------
    y : array_like
        Predictions of any shape.
    targets : array_like
        Real targets t, in the shape of `y`, or one number.
    beta : float
        Where the parabola goes over into the absolute value; positive.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `y`; each entry's accurate to 3.5 ulp.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If the shapes differ, `beta` is not positive, `reduction` is unknown, or there is no entry
        to take the mean over.

    See Also
    --------
    huber : the same divided by β.

    Notes
    -----
    Source: R. Girshick, "Fast R-CNN", ICCV 2015, section 2.3 (β = 1).

    Examples
    --------
    >>> smooth_l1([0.25, 3.0], 0.0, beta=0.5, reduction="none")
    array([0.0625, 2.75  ])
    """
    y, targets = _arguments(y, targets)
    beta = positive("beta", beta)
    return loss_of(into(lambda a, t: _smooth_l1(a, t, beta)), y, targets, reduction)


def smooth_l1_grad(y: Any, targets: Any, beta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `smooth_l1` in the predictions: (y − t)/β, held within ±1.

    Parameters
    ----------
    y, targets, beta, reduction
        As in `smooth_l1`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `y`; continuous, also where |y−t| = β.  Accurate to
        1.5 ulp, but for the division of the mean.

    Raises
    ------
    TypeError, ValueError
        As in `smooth_l1`.

    Notes
    -----
    Source: as in `smooth_l1`.

    Examples
    --------
    >>> smooth_l1_grad([0.25, -3.0], 0.0, beta=0.5, reduction="sum")
    array([ 0.5, -1. ])
    """
    y, targets = _arguments(y, targets)
    beta = positive("beta", beta)
    return gradient_of(into(lambda a, t: _smooth_l1_grad(a, t, beta)), y, targets, reduction)


def log_cosh(y: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return log cosh(y−t): about ½(y−t)² where that is small, |y−t| − log 2 where it is large.

    Parameters
    ----------
    y : array_like
        Predictions of any shape.
    targets : array_like
        Real targets t, in the shape of `y`, or one number.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `y`; each entry's accurate to 6 ulp.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If the shapes differ, `reduction` is unknown, or there is no entry to take the mean over.

    Notes
    -----
    Source: R. Neuneier and H. G. Zimmermann, "How to train neural networks", in: Neural Networks:
    Tricks of the Trade, 1998.  cosh overflows from 711 on, and log cosh loses all digits near 0.

    Examples
    --------
    >>> log_cosh([1e-9, 1.0, 1000.0], 0.0, reduction="none")
    array([5.00000000e-19, 4.33780830e-01, 9.99306853e+02])
    """
    y, targets = _arguments(y, targets)
    return loss_of(into(_log_cosh), y, targets, reduction)


def log_cosh_grad(y: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `log_cosh` in the predictions: tanh(y − t).

    Parameters
    ----------
    y, targets, reduction
        As in `log_cosh`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `y`; accurate to 3 ulp.

    Raises
    ------
    TypeError, ValueError
        As in `log_cosh`.

    Notes
    -----
    Source: as in `log_cosh`.

    Examples
    --------
    >>> log_cosh_grad([0.5, -1000.0], 0.0, reduction="sum")
    array([ 0.46211716, -1.        ])
    """
    y, targets = _arguments(y, targets)
    return gradient_of(into(_log_cosh_grad), y, targets, reduction)


def _arguments(y: Any, targets: Any) -> tuple[Array, Array]:
    y = real("y", y)
    return y, target_of("targets", real("targets", targets), y, "y")


# The formulas.


def _line(y: Array, t: Array, a: Array, slope: float, start: float) -> Any:
    """Return slope·(a − start), a = |y−t|; where y−t overflows, the two have opposite signs."""
    line, huge = slope * (a - start), np.isinf(a)
    return np.where(huge, slope * (abs(y) - start) + slope * abs(t), line) if huge.any() else line


def _huber(y: Array, t: Array, delta: float) -> Any:
    a = abs(y - t)
    return np.where(a <= delta, 0.5 * a * a, _line(y, t, a, delta, 0.5 * delta))


def _huber_grad(y: Array, t: Array, delta: float) -> Any:
    return np.clip(y - t, -delta, delta)


def _smooth_l1(y: Array, t: Array, beta: float) -> Any:
    a = abs(y - t)
    return np.where(a <= beta, 0.5 * a * (a / beta), _line(y, t, a, 1, 0.5 * beta))


def _smooth_l1_grad(y: Array, t: Array, beta: float) -> Any:
    return np.clip((y - t) / beta, -1, 1)


_LOG_2 = 0.6931471805599453


def _log_cosh(y: Array, t: Array) -> Any:
    # log cosh a = a − log 2 + log(1+e^-2a), whose terms cancel near 0; there cosh a − 1 =
    # (e^a − 1)²/(2e^a) without cancellation.
    a = abs(y - t)
    grown = np.expm1(np.minimum(a, 1))
    near = np.log1p(grown * (grown / (2 + 2 * grown)))
    return np.where(a <= 1, near, (a - _LOG_2) + np.log1p(np.exp(-2 * a)))


def _log_cosh_grad(y: Array, t: Array) -> Any:
    return np.tanh(y - t)


_ARGUMENTS = (Argument("y", Interval(), ("n",)), Argument("targets", Interval(), ("n",)))
# Targets ±1 put the joints |y−t| = 1 at −2, 0 and 2, where the slope bends; samples keep off them.
_OFF_THE_JOINTS = (
    Argument("y", FarFromKinks(kinks=(-2.0, 0.0, 2.0)), ("n",)),
    Argument("targets", Signs(), ("n",)),
)

CASES = (
    Case(
        name="huber",
        f=huber,
        grad=huber_grad,
        arguments=_OFF_THE_JOINTS,
        source="P. J. Huber, Robust estimation of a location parameter, Ann. Math. Stat. 35, 1964",
    ),
    Case(
        name="smooth_l1",
        f=smooth_l1,
        grad=smooth_l1_grad,
        arguments=_OFF_THE_JOINTS,
        source="R. Girshick, Fast R-CNN, ICCV 2015, section 2.3",
    ),
    Case(
        name="log_cosh",
        f=log_cosh,
        grad=log_cosh_grad,
        arguments=_ARGUMENTS,
        source="R. Neuneier and H. G. Zimmermann, How to train neural networks, 1998",
    ),
)
