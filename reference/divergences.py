"""The Kullback-Leibler divergence of two distributions, with its gradient in both."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import (
    Formula,
    averaged,
    by_rows,
    columns,
    from_rows,
    per_row,
    reduced,
    to_rows,
)
from reference._sums import row_sums
from reference._validate import (
    Array,
    Reduction,
    axis_index,
    of_shape,
    probabilities,
    reduction_name,
    sample_count,
)


def kl_divergence(p: Any, q: Any, axis: int = -1, reduction: Reduction = "mean") -> Any:
    """Return KL(p‖q) = Σ_i p_i·log(p_i/q_i).

    Parameters
    ----------
    p, q : array_like
        Probabilities in [0, 1] along `axis`, in one shape; they are not normalised.
    axis : int
        The axis of the classes.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the rows, or one divergence for each.

    Returns
    -------
    array or scalar
        The divergence, in the dtype of `p`; each row's accurate to 4 ulp of Σ|p_i·log(p_i/q_i)|,
        whose terms have both signs.  A class with p = 0 counts 0; one with q = 0 < p makes it inf.

    Raises
    ------
    TypeError
        If an argument has an unsuitable dtype.
    ValueError
        If a probability is out of range or NaN, the shapes differ, `reduction` is unknown, or there
        is no row to take the mean over.

    Notes
    -----
    Source: S. Kullback and R. A. Leibler, "On information and sufficiency", Annals of Mathematical
    Statistics 22, 1951.  log p − log q would lose all digits where p is close to q.

    Examples
    --------
    >>> kl_divergence([0.5, 0.5], [0.75, 0.25])
    np.float64(0.14384103622589048)
    """
    p, q, axis = _arguments(p, q, axis)
    sample_count(p.size // p.shape[axis], reduction_name(reduction))
    rows = by_rows(_kl_divergence, to_rows(p, axis), to_rows(q, axis), dtype=np.dtype(np.float64))
    return reduced(np.asarray(per_row(rows, p.shape, axis)), reduction, p.dtype)


def kl_divergence_grad(
    p: Any, q: Any, axis: int = -1, reduction: Reduction = "mean"
) -> tuple[Array, Array]:
    """Return the gradients of `kl_divergence`: log(p_i/q_i) + 1 in p and −p_i/q_i in q.

    Parameters
    ----------
    p, q, axis, reduction
        As in `kl_divergence`; with ``"mean"`` the gradients are divided by the number of rows.

    Returns
    -------
    tuple of array
        The gradients in `p` and `q`, in their shapes and dtypes: the first accurate to 3 ulp of
        |log(p/q)| + 1, the second correctly rounded (before the division of the mean).  For
        p = q = 0 they are 1 and 0; for p = 0 < q the first is −inf, for q = 0 < p they are inf and
        −inf.

    Raises
    ------
    TypeError, ValueError
        As in `kl_divergence`.

    Notes
    -----
    Source: as in `kl_divergence`.  The entries are taken to be independent, as always with
    probabilities here: along the simplex the constant 1 drops out.

    Examples
    --------
    >>> dp, dq = kl_divergence_grad([0.5, 0.5], [0.75, 0.25])
    >>> dq
    array([-0.66666667, -2.        ])
    """
    p, q, axis = _arguments(p, q, axis)
    samples = sample_count(p.size // p.shape[axis], reduction_name(reduction))

    def gradient(formula: Formula, dtype: np.dtype[Any]) -> Array:
        formula = averaged(formula, samples, reduction, _with_larger_q)
        rows = by_rows(formula, to_rows(p, axis), to_rows(q, axis), dtype=dtype)
        return from_rows(rows, p.shape, axis)

    return gradient(_slope_in_p, p.dtype), gradient(_slope_in_q, q.dtype)


def _arguments(p: Any, q: Any, axis: int) -> tuple[Array, Array, int]:
    p, q = probabilities("p", p), probabilities("q", q)
    of_shape("q", q, p.shape, "p")
    return p, q, axis_index(axis, p, "p")


# The formulas, for rows of shape (r, n).


def _log_ratio(p: Array, q: Array) -> Any:
    # Close to 1 the difference of the logarithms, and the ratio itself, would lose what matters;
    # p − q is exact there.  A ratio that overflows or is subnormal is far enough from 1 for them.
    ratio = p / q
    far = np.where((ratio > 1e300) | (ratio < 1e-300), np.log(p) - np.log(q), np.log(ratio))
    close = (ratio > 0.5) & (ratio < 2)
    return np.where(close, np.log1p((p - q) / np.where(close, q, 1.0)), far)


def _kl_divergence(p: Array, q: Array) -> Any:
    parts = ((p[:, part], q[:, part]) for part in columns(p.shape[1]))
    return sum(row_sums(np.where(a > 0, a * _log_ratio(a, b), 0.0)) for a, b in parts)


def _with_larger_q(k: int, p: Array, q: Array) -> tuple[Array, Array]:
    return p, np.ldexp(q, k)


def _slope_in_p(p: Array, q: Array) -> Any:
    return np.where((p == 0) & (q == 0), 1.0, _log_ratio(p, q) + 1)


def _slope_in_q(p: Array, q: Array) -> Any:
    return np.where(p == 0, 0.0, -p / q)


_UNIT = Interval(0.0, 1.0)

CASES = (
    Case(
        name="kl_divergence",
        f=kl_divergence,
        grad=kl_divergence_grad,
        arguments=(Argument("p", _UNIT, ("N", "n")), Argument("q", _UNIT, ("N", "n"))),
        argnums=(0, 1),
        source="S. Kullback and R. A. Leibler, On information and sufficiency, 1951",
    ),
)
