"""Losses that act entry by entry, each with its gradient: binary cross-entropies, squared error.

Targets have the shape of the first argument, or are one number.  ``reduction`` is ``"mean"`` over
all entries, ``"sum"``, or ``"none"``: one loss for each.

A gradient has the shape and dtype of the first argument for every reduction; with ``"none"`` it is
the derivative of each entry's own loss.  Formulas run in float64 and are rounded once.  Nothing
warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import exact_elementwise_into, reduced_entries
from reference._residuals import gradient_of, loss_of
from reference._validate import (
    Array,
    Reduction,
    of_probabilities,
    real,
    reduction_name,
    target_of,
)


def binary_cross_entropy(p: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return −[y·log p + (1−y)·log(1−p)] of probabilities.

    Parameters
    ----------
    p : array_like
        Probabilities in [0, 1], of any shape.
    targets : array_like
        Targets y in [0, 1], in the shape of `p`, or one number.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `p`, each entry's within 2.5 ulp; 0·log 0 counts 0.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If an entry is outside [0, 1] or NaN, the shapes differ, `reduction` is unknown, or there is
        no entry to take the mean over.

    Notes
    -----
    Source: document D, claim D1.

    Examples
    --------
    >>> binary_cross_entropy([0.5, 1.0], [1.0, 1.0], reduction="none")
    array([0.69314718, 0.        ])
    """
    p, targets = _pair("p", p, targets)
    formula = of_probabilities(_binary_cross_entropy_at_ends, p=p, targets=targets)
    return loss_of(formula, p, targets, reduction)


def binary_cross_entropy_grad(p: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `binary_cross_entropy` in the probabilities: (p−y)/(p(1−p)).

    Parameters
    ----------
    p, targets, reduction
        As in `binary_cross_entropy`; with ``"mean"`` the gradient is divided by the number of
        entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `p`; within 2.5 ulp, and one division more for a
        mean.  At p = y = 0 and p = y = 1 the one-sided derivatives 1 and −1.

    Raises
    ------
    TypeError, ValueError
        As in `binary_cross_entropy`.

    Notes
    -----
    Source: document D, claim D3.

    Examples
    --------
    >>> binary_cross_entropy_grad([0.5, 0.25], [1.0, 0.0], reduction="none")
    array([-2.        ,  1.33333333])
    """
    p, targets = _pair("p", p, targets)
    formula = of_probabilities(_binary_cross_entropy_grad_at_ends, p=p, targets=targets)
    return gradient_of(formula, p, targets, reduction, _with_larger_p)


def binary_cross_entropy_with_logits(
    logits: Any, targets: Any, reduction: Reduction = "mean"
) -> Any:
    """Return the binary cross-entropy of σ(z): y·softplus(−z) + (1−y)·softplus(z).

    Parameters
    ----------
    logits : array_like
        Real numbers z of any shape.
    targets : array_like
        Targets y in [0, 1], in the shape of `logits`, or one number.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `logits`, each entry's within 2.5 ulp; at ±inf its limit.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a target is outside [0, 1] or NaN, the shapes differ, `reduction` is unknown, or there is
        no entry to take the mean over.

    Notes
    -----
    Source: document D, claims D1 and D4.

    Examples
    --------
    >>> binary_cross_entropy_with_logits([0.0, 40.0], [1.0, 1.0], reduction="none")
    array([6.93147181e-01, 4.24835426e-18])
    """
    z, targets = _pair("logits", logits, targets)
    formula = of_probabilities(_binary_cross_entropy_with_logits_at_ends, targets=targets)
    return loss_of(formula, z, targets, reduction)


def binary_cross_entropy_with_logits_grad(
    logits: Any, targets: Any, reduction: Reduction = "mean"
) -> Any:
    """Return the gradient of `binary_cross_entropy_with_logits` in the logits: σ(z) − y.

    Parameters
    ----------
    logits, targets, reduction
        As in `binary_cross_entropy_with_logits`; with ``"mean"`` the gradient is divided by the
        number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `logits`; within 3 ulp for targets of 0 and 1, else
        3.5 ulp of its two terms (1−y)·σ(z) and y·σ(−z), and one division more for a mean.

    Raises
    ------
    TypeError, ValueError
        As in `binary_cross_entropy_with_logits`.

    Notes
    -----
    Source: document D, claim D4.

    Examples
    --------
    >>> binary_cross_entropy_with_logits_grad([0.0, 40.0], [1.0, 1.0], reduction="none")
    array([-5.00000000e-01, -4.24835426e-18])
    """
    z, targets = _pair("logits", logits, targets)
    formula = of_probabilities(_binary_cross_entropy_with_logits_grad, targets=targets)
    return gradient_of(formula, z, targets, reduction)


def squared_error(y: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return ½(y−t)².

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
        The loss, in the dtype of `y`; each entry's within 2.5 ulp, the mean within 4.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If the shapes differ, `reduction` is unknown, or there is no entry to take the mean over.

    Notes
    -----
    Source: document A, claim A3; document E, claim E3.

    Examples
    --------
    >>> squared_error([5.05], [4.0])
    np.float64(0.55125)
    """
    y, targets = _pair("y", y, targets)
    loss = loss_of(_squared_error, y, targets, reduction)
    return _mean_of_huge(y, targets) if reduction == "mean" and np.isinf(loss) else loss


def squared_error_grad(y: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `squared_error` in the predictions: y − t.

    Parameters
    ----------
    y, targets, reduction
        As in `squared_error`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `y`; correctly rounded, but for the division of the
        mean.

    Raises
    ------
    TypeError, ValueError
        As in `squared_error`.

    Notes
    -----
    Source: document A, claim A3.

    Examples
    --------
    >>> squared_error_grad([5.0, 3.0], 4.0, reduction="sum")
    array([ 1., -1.])
    """
    y, targets = _pair("y", y, targets)
    if reduction_name(reduction) == "mean":
        return gradient_of(_squared_error_grad, y, targets, reduction, _both_smaller)
    return exact_elementwise_into(np.subtract, y, targets, dtype=y.dtype)


def _pair(name: str, x: Any, targets: Any) -> tuple[Array, Array]:
    x = real(name, x)
    return x, target_of("targets", real("targets", targets), x, name)


def _with_larger_p(k: int, p: Array, y: Array) -> tuple[Array, Array]:
    # A slope that overflows is −y/p for a subnormal p; nothing else counts there.
    return np.minimum(np.ldexp(p, k), 1), y


def _both_smaller(k: int, y: Array, t: Array) -> tuple[Array, Array]:
    return np.ldexp(y, -k), np.ldexp(t, -k)


def _mean_of_huge(y: Array, targets: Array) -> Any:
    """Return the mean squared error where single squares overflow, and perhaps the mean does not."""
    largest = max(float(max(a.max(), -a.min())) for a in (y, targets))
    exponent = np.frexp(largest)[1]

    def scaled_down(y: Array, t: Array, out: Array) -> Any:
        return _squared_error(np.ldexp(y, -exponent), np.ldexp(t, -exponent), out)

    mean = reduced_entries(scaled_down, y, targets, reduction="mean", dtype=np.dtype(np.float64))
    with np.errstate(all="ignore"):
        return np.ldexp(mean, 2 * exponent).astype(y.dtype)


# The formulas.  They write into `out`, if given.


def _binary_cross_entropy(p: Array, y: Array, out: Array | None = None) -> Any:
    loss = np.log(p, out=out)
    loss *= y
    other = np.log1p(-p)
    other *= 1 - y
    loss += other
    return np.negative(loss, out=loss)


def _binary_cross_entropy_at_ends(p: Array, y: Array, out: Array | None = None) -> Any:
    # NaN stands where p = y is 0 or 1: there 0·log 0 counts 0.
    loss = _binary_cross_entropy(p, y, out)
    if np.isnan(loss.min()):
        loss[np.isnan(loss)] = 0
    return loss


def _binary_cross_entropy_grad(p: Array, y: Array, out: Array | None = None) -> Any:
    # (p−y)/(p(1−p)) = (p−y)/p + (p−y)/(1−p).  The two have one sign, and the rounding of 1−p counts
    # in the second only, which is small where p is: 2.25 ulp at most, where a quotient has 3.
    difference = np.subtract(p, y, out=out)
    rest = 1 - p
    np.divide(difference, rest, out=rest)
    difference /= p
    difference += rest
    return difference


def _binary_cross_entropy_grad_at_ends(p: Array, y: Array, out: Array | None = None) -> Any:
    # 0/0 stands where p = y is 0 or 1: there the one-sided derivative is 1 or −1.
    try:
        with np.errstate(invalid="raise"):
            return _binary_cross_entropy_grad(p, y, out)
    except FloatingPointError:
        gradient = _binary_cross_entropy_grad(p, y, out)
        undefined = np.isnan(gradient)
        gradient[undefined] = 1 - 2 * p[undefined]
        return gradient


def _binary_cross_entropy_with_logits(z: Array, y: Array, out: Array | None = None) -> Any:
    # max(z,0) − z·y + log(1+e^-|z|) with the first two joined, so that no term is negative.
    loss = np.subtract(z > 0, y, out=out)
    loss *= z
    tail = abs(z)
    np.log1p(np.exp(np.negative(tail, out=tail), out=tail), out=tail)
    loss += tail
    return loss


def _binary_cross_entropy_with_logits_at_ends(z: Array, y: Array, out: Array | None = None) -> Any:
    # At z = ±inf with the label met exactly, 0·inf counts 0.
    loss = _binary_cross_entropy_with_logits(z, y, out)
    if np.isnan(loss.min()):
        loss[np.isnan(loss) & np.isinf(z)] = 0
    return loss


def _binary_cross_entropy_with_logits_grad(z: Array, y: Array, out: Array | None = None) -> Any:
    # σ(z) − y over the common denominator: where the label is met exactly, only a small term is
    # left.  Beyond 700, where e^z overflows, by σ(z) = 1 − σ(−z).
    e = np.exp(z, out=out)
    denominator = 1 + e
    e *= 1 - y
    e -= y
    e /= denominator
    if not z.max() <= 700:
        far = z > 700
        tail = np.exp(-z[far])
        e[far] = (1 - y[far]) - tail / (1 + tail)
    return e


def _squared_error(y: Array, t: Array, out: Array | None = None) -> Any:
    # Half the square.  Where a square is too large or too small for that, the processor says so, and
    # it is the difference that is halved.
    try:
        with np.errstate(over="raise", under="raise"):
            d = np.subtract(y, t, out=out)
            d *= d
            d *= 0.5
    except FloatingPointError:
        d = np.subtract(y, t, out=out)
        d *= 0.5 * d
    return d


def _squared_error_grad(y: Array, t: Array, out: Array | None = None) -> Any:
    return np.subtract(y, t, out=out)


_UNIT = Interval(0.0, 1.0)

CASES = (
    Case(
        name="binary_cross_entropy",
        f=binary_cross_entropy,
        grad=binary_cross_entropy_grad,
        arguments=(Argument("p", _UNIT, ("n",)), Argument("targets", _UNIT, ("n",))),
        source="document D, claims D1 and D3",
    ),
    Case(
        name="binary_cross_entropy_with_logits",
        f=binary_cross_entropy_with_logits,
        grad=binary_cross_entropy_with_logits_grad,
        arguments=(Argument("logits", Interval(), ("n",)), Argument("targets", _UNIT, ("n",))),
        source="document D, claim D4",
    ),
    Case(
        name="squared_error",
        f=squared_error,
        grad=squared_error_grad,
        arguments=(Argument("y", Interval(), ("n",)), Argument("targets", Interval(), ("n",))),
        source="document A, claim A3",
    ),
)
