"""Layer, root-mean-square and batch normalization, each with what it passes down.

Each standardizes lanes of numbers (the rows along the last axis, or the columns of a batch) and
then scales and shifts them.  Gradients go through mean and variance.

float16, float32 and float64 keep their dtype: everything is computed in float64 and rounded once.
A lane that holds NaN or ±inf gives NaN, and so does a constant lane with ``eps=0``.  Nothing warns.

The mean is taken off without rounding what is left, so that a large common offset costs no digits,
and lanes are scaled by powers of two, so that no square overflows or vanishes.  Errors are a few
ulps of the terms that cancel: of a deviation from the mean, the mean deviation; of a gradient, the
largest of its three terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import by_rows, by_rows_into, from_rows, summed_rows, to_rows
from reference._lanes import (
    LIFT,
    Lanes,
    as_they_are,
    centred,
    mean_free,
    scaled_down,
    scaled_shares,
    size_exponent,
)
from reference._validate import Array, not_negative, of_shape, real


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Array:
    """Return γ·(x−μ)/√(σ²+ε) + β, mean μ and variance σ² taken along the last axis.

    Parameters
    ----------
    x : array_like, shape (…, n)
        The layer's input, n ≥ 1.
    gamma, beta : array_like, shape (n,)
        Scale and shift.
    eps : float
        Added to the variance, which is the mean squared deviation (divided by n).

    Returns
    -------
    array
        The output, in the shape and dtype of `x`; accurate to 5 ulp of |γ|(|x−μ| + the mean of
        that)/√(σ²+ε) + |β|.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit or `eps` is negative or not finite.

    Notes
    -----
    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> layer_norm([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    array([-1.06904153, -0.26726038,  1.33630191])
    """
    x, gamma, beta = _row_arguments(x, gamma, beta)
    eps = not_negative("eps", eps)

    def formula(rows: Array, out: Array) -> Any:
        y = scaled_shares(lambda: mean_free(rows, eps), gamma, out)
        y += beta

    rows = by_rows_into(formula, to_rows(x, x.ndim - 1), dtype=x.dtype)
    return from_rows(rows, x.shape, x.ndim - 1)


def layer_norm_vjp(
    x: Any, gamma: Any, beta: Any, v: Any, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Return the gradients of Σ layer_norm(x, γ, β)·v in x, γ and β.

    With g = γ·v and x̂ = (x−μ)/√(σ²+ε) they are (g − mean g − x̂·mean(g·x̂))/√(σ²+ε), Σ v·x̂ and Σ v,
    means along the last axis and sums over all others.

    Parameters
    ----------
    x, gamma, beta, eps
        As in `layer_norm`.
    v : array_like
        Cotangent, in the shape of `x`.

    Returns
    -------
    tuple of array
        The gradients in `x`, `gamma` and `beta`, in their shapes and dtypes: the first within 16
        ulp of its three terms, the others within 8 ulp of the sums of their terms' sizes.  Means and
        sums are plain, so that errors grow with the length of a lane and with the batch.

    Raises
    ------
    TypeError, ValueError
        As in `layer_norm`; also if the shape of `v` is wrong.

    Notes
    -----
    Source: the chain rule on the formula of `layer_norm`.

    Examples
    --------
    >>> ones, zeros = [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    >>> layer_norm_vjp([1.0, 2.0, 4.0], ones, zeros, [1.0, 0.0, 0.0])[0]
    array([ 0.22908229, -0.34362   ,  0.11453771])
    """
    x, gamma, beta = _row_arguments(x, gamma, beta)
    v = of_shape("v", real("v", v), x.shape, "x")
    eps = not_negative("eps", eps)

    def formula(rows: Array, upstream: Array) -> Any:
        (w, exponent), (scale, more) = scaled_down(upstream), scaled_down(gamma)
        return mean_free(rows, eps).pulled_back(centred(w * scale), exponent + more, fixed=2)

    dx = _on_rows(formula, x, v, dtype=x.dtype)
    exponent, upstream = _exponent_of(v), to_rows(v, v.ndim - 1)
    dbeta = summed_rows(lambda rows: np.ldexp(rows, -exponent), upstream)
    return (
        dx,
        _scale_gradient(lambda rows: mean_free(rows, eps), x, v, gamma.dtype),
        _scaled_back(dbeta, exponent, beta.dtype),
    )


def rms_norm(x: Any, gamma: Any, eps: float = 1e-6) -> Array:
    """Return γ·x/√(mean(x²)+ε), the mean taken along the last axis.

    Parameters
    ----------
    x : array_like, shape (…, n)
        The layer's input, n ≥ 1.
    gamma : array_like, shape (n,)
        Scale.
    eps : float
        Added to the mean square.

    Returns
    -------
    array
        The output, in the shape and dtype of `x`; accurate to 5 ulp.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit or `eps` is negative or not finite.

    Notes
    -----
    Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Examples
    --------
    >>> rms_norm([1.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    array([0.57735017, 1.15470035, 1.15470035])
    """
    x, gamma, _ = _row_arguments(x, gamma, gamma)
    eps = not_negative("eps", eps)

    def formula(rows: Array, out: Array) -> Any:
        scaled_shares(lambda: as_they_are(rows, eps), gamma, out, rows)

    rows = by_rows_into(formula, to_rows(x, x.ndim - 1), dtype=x.dtype)
    return from_rows(rows, x.shape, x.ndim - 1)


def rms_norm_vjp(x: Any, gamma: Any, v: Any, eps: float = 1e-6) -> tuple[Array, Array]:
    """Return the gradients of Σ rms_norm(x, γ)·v in x and γ.

    With g = γ·v and x̂ = x/√(mean(x²)+ε) they are (g − x̂·mean(g·x̂))/√(mean(x²)+ε) and Σ v·x̂.

    Parameters
    ----------
    x, gamma, eps
        As in `rms_norm`.
    v : array_like
        Cotangent, in the shape of `x`.

    Returns
    -------
    tuple of array
        The gradients in `x` and `gamma`, in their shapes and dtypes: the first within 16
        ulp of its terms, the other within 8 ulp of the sum of its terms' sizes.  Means and
        sums are plain, so that errors grow with the length of a lane and with the batch.

    Raises
    ------
    TypeError, ValueError
        As in `rms_norm`; also if the shape of `v` is wrong.

    Notes
    -----
    Source: the chain rule on the formula of `rms_norm`.

    Examples
    --------
    >>> rms_norm_vjp([1.0, 2.0, 2.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0])[0]
    array([ 0.51320018, -0.1283    , -0.1283    ])
    """
    x, gamma, _ = _row_arguments(x, gamma, gamma)
    v = of_shape("v", real("v", v), x.shape, "x")
    eps = not_negative("eps", eps)

    def formula(rows: Array, upstream: Array) -> Any:
        (w, exponent), (scale, more) = scaled_down(upstream), scaled_down(gamma)
        return as_they_are(rows, eps).pulled_back(w * scale, exponent + more, fixed=1)

    dx = _on_rows(formula, x, v, dtype=x.dtype)
    return dx, _scale_gradient(lambda rows: as_they_are(rows, eps), x, v, gamma.dtype)


def batch_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Array:
    """Return γ·(x−μ)/√(σ²+ε) + β, mean μ and variance σ² of each column of the batch.

    This is the training mode: the statistics are those of this very batch, and no running averages
    are kept.

    Parameters
    ----------
    x : array_like, shape (N, D)
        A batch of N ≥ 1 samples.
    gamma, beta : array_like, shape (D,)
        Scale and shift of each column.
    eps : float
        Added to the variance, which is the mean squared deviation (divided by N).

    Returns
    -------
    array
        The output, in the shape and dtype of `x`; accurate as `layer_norm` is.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes do not fit, there are no samples, or `eps` is negative or not finite.

    Notes
    -----
    Source: S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, algorithm 1.

    Examples
    --------
    >>> batch_norm([[1.0], [2.0], [4.0]], [1.0], [0.0])
    array([[-1.06904153],
           [-0.26726038],
           [ 1.33630191]])
    """
    x, gamma, beta = _batch_arguments(x, gamma, beta)
    eps = not_negative("eps", eps)

    def formula(columns: Array, scale: Array, shift: Array, out: Array) -> Any:
        y = scaled_shares(lambda: mean_free(columns, eps), scale, out)
        y += shift

    columns = by_rows_into(formula, to_rows(x, 0), gamma[:, None], beta[:, None], dtype=x.dtype)
    return from_rows(columns, x.shape, 0)


def batch_norm_vjp(
    x: Any, gamma: Any, beta: Any, v: Any, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Return the gradients of Σ batch_norm(x, γ, β)·v in x, γ and β, through mean and variance.

    With x̂ = (x−μ)/√(σ²+ε) they are γ(v − mean v − x̂·mean(v·x̂))/√(σ²+ε), Σ v·x̂ and Σ v, means and
    sums over the batch.

    Parameters
    ----------
    x, gamma, beta, eps
        As in `batch_norm`.
    v : array_like, shape (N, D)
        Cotangent.

    Returns
    -------
    tuple of array
        The gradients in `x`, `gamma` and `beta`, in their shapes and dtypes: the first within 16
        ulp of its three terms, the others within 8 ulp of the sums of their terms' sizes.  Means and
        sums are plain, so that errors grow with the length of a lane and with the batch.

    Raises
    ------
    TypeError, ValueError
        As in `batch_norm`; also if the shape of `v` is wrong.

    Notes
    -----
    Source: S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, section 3.

    Examples
    --------
    >>> batch_norm_vjp([[1.0], [2.0], [4.0]], [1.0], [0.0], [[1.0], [0.0], [0.0]])[0]
    array([[ 0.22908229],
           [-0.34362   ],
           [ 0.11453771]])
    """
    x, gamma, beta = _batch_arguments(x, gamma, beta)
    v = of_shape("v", real("v", v), x.shape, "x")
    eps = not_negative("eps", eps)

    def formula(columns: Array, upstream: Array, gamma: Array) -> Any:
        (w, exponent), (scale, more) = scaled_down(upstream), scaled_down(gamma)
        return mean_free(columns, eps).pulled_back(centred(w) * scale, exponent + more, fixed=2)

    columns, upstream, exponent = to_rows(x, 0), to_rows(v, 0), _exponent_of(v)

    def scale_gradient(columns: Array, upstream: Array) -> Any:
        return (mean_free(columns, eps).lifted * np.ldexp(upstream, -exponent)).sum(axis=1)

    def shift_gradient(upstream: Array) -> Any:
        return np.ldexp(upstream, -exponent).sum(axis=1)

    dx = by_rows(formula, columns, upstream, gamma[:, None], dtype=x.dtype)
    dgamma = by_rows(scale_gradient, columns, upstream, dtype=np.dtype(np.float64))
    dbeta = by_rows(shift_gradient, upstream, dtype=np.dtype(np.float64))
    return (
        from_rows(dx, x.shape, 0),
        _scaled_back(dgamma, exponent - LIFT, gamma.dtype),
        _scaled_back(dbeta, exponent, beta.dtype),
    )


# --- arguments -----------------------------------------------------------------------------------


def _row_arguments(x: Any, gamma: Any, beta: Any) -> tuple[Array, Array, Array]:
    x, gamma, beta = real("x", x), real("gamma", gamma), real("beta", beta)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"x must have a last axis with entries to normalize, got {x.shape}")
    of_shape("gamma", gamma, x.shape[-1:], "the last axis of x")
    return x, gamma, of_shape("beta", beta, x.shape[-1:], "the last axis of x")


def _batch_arguments(x: Any, gamma: Any, beta: Any) -> tuple[Array, Array, Array]:
    x, gamma, beta = real("x", x), real("gamma", gamma), real("beta", beta)
    if x.ndim != 2 or x.shape[0] == 0:
        raise ValueError(f"x must be a batch (N, D) of at least one sample, got shape {x.shape}")
    of_shape("gamma", gamma, x.shape[1:], "a sample of x")
    return x, gamma, of_shape("beta", beta, x.shape[1:], "a sample of x")


def _on_rows(formula: Any, *arrays: Array, dtype: np.dtype[Any]) -> Array:
    shape = arrays[0].shape
    rows = (to_rows(a, len(shape) - 1) for a in arrays)
    return from_rows(by_rows(formula, *rows, dtype=dtype), shape, len(shape) - 1)


def _scale_gradient(
    standardized: Callable[[Array], Lanes], x: Array, v: Array, dtype: np.dtype[Any]
) -> Array:
    """Return Σ v·x̂ over all axes but the last."""
    exponent = _exponent_of(v)

    def terms(rows: Array, upstream: Array) -> Any:
        return standardized(rows).lifted * np.ldexp(upstream, -exponent)

    total = summed_rows(terms, to_rows(x, x.ndim - 1), to_rows(v, v.ndim - 1))
    return _scaled_back(total, exponent - LIFT, dtype)


def _exponent_of(v: Array) -> int:
    return int(size_exponent(v.reshape(-1))[0])


def _scaled_back(total: Array, exponent: int, dtype: np.dtype[Any]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(total, exponent).astype(dtype))


_ROWS = Argument("x", Interval(), ("N", "n"))
_SCALE, _SHIFT = Argument("gamma", Interval(), ("n",)), Argument("beta", Interval(), ("n",))

CASES = (
    Case(
        name="layer_norm",
        f=layer_norm,
        vjp=layer_norm_vjp,
        arguments=(_ROWS, _SCALE, _SHIFT),
        argnums=(0, 1, 2),
        source="J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016",
    ),
    Case(
        name="rms_norm",
        f=rms_norm,
        vjp=rms_norm_vjp,
        arguments=(_ROWS, _SCALE),
        argnums=(0, 1),
        source="B. Zhang and R. Sennrich, Root mean square layer normalization, NeurIPS 2019",
    ),
    Case(
        name="batch_norm",
        f=batch_norm,
        vjp=batch_norm_vjp,
        arguments=(_ROWS, _SCALE, _SHIFT),
        argnums=(0, 1, 2),
        source="S. Ioffe and C. Szegedy, Batch normalization, ICML 2015",
    ),
)
