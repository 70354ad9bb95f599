"""The hinge loss of a score and a sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case
from reference._blocks import columns, into
from reference._domains import FarFromKinks, Signs
from reference._residuals import gradient_of, loss_of
from reference._validate import Array, Reduction, real, refuse, target_of


def hinge(scores: Any, signs: Any, reduction: Reduction = "mean") -> Any:
    """Return max(0, 1 − s·y) for scores y and signs s.

    Parameters
    ----------
    scores : array_like
        Real scores y of any shape.
    signs : array_like
        −1 or 1 for each score, or one of them for all.
    reduction : {"mean", "sum", "none"}
        Mean or sum over all entries, or one loss for each.

    Returns
    -------
    array or scalar
        The loss, in the dtype of `scores`; each entry's correctly rounded.  NaN stays NaN; ±inf
        gives the limit.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a sign is neither −1 nor 1, the shapes differ, `reduction` is unknown, or there is no
        entry to take the mean over.

    Notes
    -----
    Source: C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20, 1995.

    Examples
    --------
    >>> hinge([0.25, 2.0, -1.0], [1, 1, 1], reduction="none")
    array([0.75, 0.  , 2.  ])
    """
    y, s = _arguments(scores, signs)
    return loss_of(into(_hinge), y, s, reduction)


def hinge_grad(scores: Any, signs: Any, reduction: Reduction = "mean") -> Any:
    """Return the gradient of `hinge` in the scores: −s where s·y < 1, else 0.

    Parameters
    ----------
    scores, signs, reduction
        As in `hinge`; with ``"mean"`` the gradient is divided by the number of entries.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `scores`.  At the kink s·y = 1, where there is no
        derivative, the subgradient 0.

    Raises
    ------
    TypeError, ValueError
        As in `hinge`.

    Notes
    -----
    Source: as in `hinge`.

    Examples
    --------
    >>> hinge_grad([0.25, 1.0, -1.0], [1, 1, -1], reduction="sum")
    array([-1.,  0.,  0.])
    """
    y, s = _arguments(scores, signs)
    return gradient_of(into(_hinge_grad), y, s, reduction)


def _arguments(scores: Any, signs: Any) -> tuple[Array, Array]:
    y, s = real("scores", scores), real("signs", signs)
    flat = s.reshape(-1)
    if any((abs(flat[part]) != 1).any() for part in columns(s.size)):
        refuse("signs", s, abs(s) != 1, "must be -1 or 1 (2*labels - 1 for labels 0 and 1)")
    return y, target_of("signs", s, y, "scores")


# The formulas.


def _hinge(y: Array, s: Array) -> Any:
    return np.maximum(1 - s * y, 0)


def _hinge_grad(y: Array, s: Array) -> Any:
    # NaN differs from itself, and stays.
    return np.where(y == y, np.where(s * y < 1, -s, 0.0), y)


CASES = (
    Case(
        name="hinge",
        f=hinge,
        grad=hinge_grad,
        arguments=(
            Argument("scores", FarFromKinks(kinks=(-1.0, 1.0)), ("n",)),
            Argument("signs", Signs(), ("n",)),
        ),
        source="C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20, 1995",
    ),
)
