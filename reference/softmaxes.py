"""Softmax, its logarithm and log-sum-exp, with their Jacobian and its products with vectors.

All work along one axis of an array of any shape.  float16, float32 and float64 keep their dtype:
the formula runs in float64 and its result is rounded once; integers are computed as float64.  An
entry −inf is a masked class of probability 0.  A row that holds +inf or NaN, or −inf alone, gives
NaN; only of `logsumexp` there is a limit, +inf or −inf, unless it holds NaN.  Nothing warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import Formula, by_rows, by_rows_into, columns, from_rows, per_row, to_rows
from reference._exponentials import (
    at,
    rest_sums,
    scaled,
    signed_row_sums,
    softmax_sums,
    softmax_terms,
    terms_and_total,
    total,
    weighted_mean,
)
from reference._validate import Array, axis_index, of_shape, real


def softmax(z: Any, axis: int = -1) -> Array:
    """Return exp(z_i)/Σ_j exp(z_j) along an axis.

    Parameters
    ----------
    z : array_like
        Logits, at least one along `axis`.
    axis : int
        The axis that sums to one.

    Returns
    -------
    array
        Probabilities, in the shape and dtype of `z`; within 4 ulp.

    Raises
    ------
    TypeError
        If `z` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: document A, claim A4.

    Examples
    --------
    >>> softmax([2.0, 1.0, 0.1])
    array([0.65900114, 0.24243297, 0.09856589])
    """
    z = real("z", z)
    axis = axis_index(axis, z, "z")
    return from_rows(by_rows_into(_softmax, to_rows(z, axis), dtype=z.dtype), z.shape, axis)


def softmax_jacobian(z: Any, axis: int = -1) -> Array:
    """Return the matrix ∂y_i/∂z_k of softmax: y_i(1−y_i) if i = k, else −y_i·y_k.

    Parameters
    ----------
    z : array_like
        Logits, n along `axis`.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array, shape (…, n, n)
        One Jacobian for each row, in the dtype of `z`, within 8 ulp; the other axes of `z` come
        first.

    Raises
    ------
    TypeError
        If `z` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `z` has no such axis or the axis is empty.

    See Also
    --------
    softmax_vjp, softmax_jvp : products with the Jacobian that never form it.

    Notes
    -----
    Source: document A, claim A7; document B, claim B1.

    Examples
    --------
    >>> softmax_jacobian([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    z = real("z", z)
    axis = axis_index(axis, z, "z")
    rows = to_rows(z, axis)
    matrices = by_rows(_softmax_jacobian, rows, dtype=z.dtype, row_entries=rows.shape[1] ** 2)
    return np.asarray(per_row(matrices, z.shape, axis))


def softmax_vjp(z: Any, v: Any, axis: int = -1) -> Array:
    """Return the transposed Jacobian of softmax times v: y_i(v_i − Σ_j y_j·v_j).

    Parameters
    ----------
    z : array_like
        Logits.
    v : array_like
        Cotangent, in the shape of `z`.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array
        The gradient in `z` of Σ softmax(z)·v, in the shape and dtype of `z`; exactly zero where `v`
        is constant.  Within 16 ulp of y_i·Σ_j y_j|v_i − v_j|, the terms that cancel, in rows of up
        to 1000 entries; of longer ones the error grows with their length.

    Raises
    ------
    TypeError
        If `z` or `v` does not hold real numbers or `axis` is not an integer.
    ValueError
        If the shapes differ, `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: document A, claim A7, contracted with v.  Costs O(n), not O(n²).

    Examples
    --------
    >>> softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return _vector_product(_softmax_vjp, z, "v", v, axis)


def softmax_jvp(z: Any, u: Any, axis: int = -1) -> Array:
    """Return the Jacobian of softmax times u; as it is symmetric, this is `softmax_vjp`.

    Parameters
    ----------
    z : array_like
        Logits.
    u : array_like
        Tangent, in the shape of `z`.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array
        The directional derivative of softmax along `u`, in the shape and dtype of `z`; as accurate
        as `softmax_vjp`.

    Raises
    ------
    TypeError
        If `z` or `u` does not hold real numbers or `axis` is not an integer.
    ValueError
        If the shapes differ, `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: document A, claim A7, contracted with u.

    Examples
    --------
    >>> softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return _vector_product(_softmax_vjp, z, "u", u, axis)


def log_softmax(z: Any, axis: int = -1) -> Array:
    """Return log softmax(z) = z_i − log Σ_j exp(z_j) along an axis.

    Parameters
    ----------
    z : array_like
        Logits.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array
        Log-probabilities, in the shape and dtype of `z`; within 4 ulp.

    Raises
    ------
    TypeError
        If `z` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: the logarithm of document A, claim A4.

    Examples
    --------
    >>> log_softmax([0.0, 40.0])
    array([-4.00000000e+01, -4.24835426e-18])
    """
    z = real("z", z)
    axis = axis_index(axis, z, "z")
    return from_rows(by_rows_into(_log_softmax, to_rows(z, axis), dtype=z.dtype), z.shape, axis)


def log_softmax_vjp(z: Any, v: Any, axis: int = -1) -> Array:
    """Return the transposed Jacobian of log-softmax times v: v_i − y_i·Σ_j v_j, y = softmax(z).

    Parameters
    ----------
    z : array_like
        Logits.
    v : array_like
        Cotangent, in the shape of `z`.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array
        The gradient in `z` of Σ log_softmax(z)·v, in the shape and dtype of `z`; within 7 ulp of
        y_i·Σ_{j≠i}|v_j| + |v_i|(1 − y_i), y = softmax(z), the terms that cancel.

    Raises
    ------
    TypeError
        If `z` or `v` does not hold real numbers or `axis` is not an integer.
    ValueError
        If the shapes differ, `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: document B, claim B2, with v = −Y.

    Examples
    --------
    >>> log_softmax_vjp([0.0, 40.0], [0.0, 1.0])
    array([-4.24835426e-18,  4.24835426e-18])
    """
    return _vector_product(_log_softmax_vjp, z, "v", v, axis)


def log_softmax_jvp(z: Any, u: Any, axis: int = -1) -> Array:
    """Return the Jacobian of log-softmax times u: u_i − Σ_j y_j·u_j, y = softmax(z).

    Parameters
    ----------
    z : array_like
        Logits.
    u : array_like
        Tangent, in the shape of `z`.
    axis : int
        The axis that softmax sums over.

    Returns
    -------
    array
        The directional derivative of log-softmax along `u`, in the shape and dtype of `z`; within
        16 ulp of Σ_j y_j|u_i − u_j|, y = softmax(z), in rows of up to 1000 entries; of longer ones
        the error grows with their length.

    Raises
    ------
    TypeError
        If `z` or `u` does not hold real numbers or `axis` is not an integer.
    ValueError
        If the shapes differ, `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: document A, claim A7, divided by y_i.

    Examples
    --------
    >>> log_softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return _vector_product(_log_softmax_jvp, z, "u", u, axis)


def logsumexp(z: Any, axis: int = -1) -> Any:
    """Return log Σ_j exp(z_j) along an axis.

    Parameters
    ----------
    z : array_like
        Logits.
    axis : int
        The axis that is summed over and removed.

    Returns
    -------
    array or scalar
        One number for each row, in the dtype of `z`: +inf where an entry is, −inf where all are.
        Within 4 ulp of |max z| + log Σ e^(z − max z), whose terms may cancel.

    Raises
    ------
    TypeError
        If `z` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: the logarithm of the denominator in document A, claim A4.

    Examples
    --------
    >>> logsumexp([1000.0, 1000.0])
    np.float64(1000.6931471805599)
    """
    z = real("z", z)
    axis = axis_index(axis, z, "z")
    return per_row(by_rows(_logsumexp, to_rows(z, axis), dtype=z.dtype), z.shape, axis)


def logsumexp_grad(z: Any, axis: int = -1) -> Array:
    """Return the gradient of each row's log-sum-exp, which is softmax.

    Parameters
    ----------
    z : array_like
        Logits.
    axis : int
        The axis that is summed over.

    Returns
    -------
    array
        softmax(z), in the shape and dtype of `z`, within 4 ulp; NaN where the log-sum-exp is
        infinite.

    Raises
    ------
    TypeError
        If `z` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: the chain rule on document A, claim A4.

    Examples
    --------
    >>> logsumexp_grad([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    return softmax(z, axis=axis)


def logsumexp_vjp(z: Any, v: Any, axis: int = -1) -> Array:
    """Return softmax times the upstream value of its row: the gradient in z of Σ logsumexp(z)·v.

    Parameters
    ----------
    z : array_like
        Logits.
    v : array_like
        Cotangent, in the shape of `z` without `axis`.
    axis : int
        The axis that is summed over.

    Returns
    -------
    array
        The gradient, in the shape and dtype of `z`; within 5 ulp.

    Raises
    ------
    TypeError
        If `z` or `v` does not hold real numbers or `axis` is not an integer.
    ValueError
        If the shape of `v` does not fit, `z` has no such axis or the axis is empty.

    Notes
    -----
    Source: the chain rule on document A, claim A4.

    Examples
    --------
    >>> logsumexp_vjp([0.0, 0.0], 3.0)
    array([1.5, 1.5])
    """
    z, v = real("z", z), real("v", v)
    axis = axis_index(axis, z, "z")
    of_shape("v", v, z.shape[:axis] + z.shape[axis + 1 :], "logsumexp(z)")
    formula = scaled(_logsumexp_vjp)
    rows = by_rows_into(formula, to_rows(z, axis), v.reshape(-1, 1), dtype=z.dtype)
    return from_rows(rows, z.shape, axis)


def _vector_product(product: Formula, z: Any, name: str, v: Any, axis: int) -> Array:
    z = real("z", z)
    v = of_shape(name, real(name, v), z.shape, "z")
    axis = axis_index(axis, z, "z")
    formula = product if v.dtype.itemsize < 8 else scaled(product)  # float32 never needs it
    rows = by_rows_into(formula, to_rows(z, axis), to_rows(v, axis), dtype=z.dtype)
    return from_rows(rows, z.shape, axis)


# The formulas, for rows of shape (r, n).  Those that take `out` write into it, if given.


def _softmax(z: Array, out: Array | None = None) -> Any:
    terms, sums = terms_and_total(z, out)
    terms /= sums
    return terms


def _softmax_jacobian(z: Array) -> Any:
    sums = softmax_sums(z, z.argmax(axis=1))
    y = sums.terms / sums.total
    jacobian = np.einsum("ri,rk->rik", y, -y)  # a third faster than by broadcasting
    diagonal = np.arange(z.shape[1])
    # 1 − y_i is the share of the others.
    jacobian[:, diagonal, diagonal] = y * (sums.others(slice(0, z.shape[1])) / sums.total)
    return jacobian


def _softmax_vjp(z: Array, v: Array, out: Array | None = None) -> Any:
    # Multiplied before divided: a term is a normal number also where its share of the total is not.
    terms = softmax_terms(z, out)
    mean = weighted_mean(terms, v)
    share = 1 / mean.total
    for part in columns(z.shape[1]):
        terms[:, part] *= mean.deviations(v[:, part])
        terms[:, part] *= share
    return terms


def _log_softmax(z: Array, out: Array | None = None) -> Any:
    # Two terms, neither of them positive.  The first is exactly zero at the largest entry, so that
    # its log-probability keeps every digit however close to zero it is.
    sums = rest_sums(z, z.argmax(axis=1), out)
    y = np.subtract(z, z.ravel()[sums.places][:, None], out=out)
    y -= sums.log_excess[:, None]
    return y


def _log_softmax_vjp(z: Array, v: Array, out: Array | None = None) -> Any:
    # v_i − y_i·Σ_j v_j = v_i·(1−y_i) − y_i·Σ_{j≠i} v_j, and 1−y_i is the share of the others.
    sums, v_sums = softmax_sums(z, z.argmax(axis=1), out), signed_row_sums(v)
    for part in columns(z.shape[1]):
        others = sums.others(part)
        sums.terms[:, part] *= v_sums.others(part)
        others *= v[:, part]
        np.subtract(others, sums.terms[:, part], out=others)
        others /= sums.total
        sums.terms[:, part] = others
    return sums.terms


def _log_softmax_jvp(z: Array, u: Array, out: Array | None = None) -> Any:
    terms = softmax_terms(z, out)
    mean = weighted_mean(terms, u)
    for part in columns(z.shape[1]):
        terms[:, part] = mean.deviations(u[:, part])
    return terms


def _logsumexp(z: Array) -> Any:
    top = z.argmax(axis=1)
    largest = at(z, top)
    y = largest + softmax_sums(z, top).log_excess
    return np.where(y == y, y, largest)[:, 0]  # of an infinite entry y is NaN


def _logsumexp_vjp(z: Array, v: Array, out: Array | None = None) -> Any:
    terms = softmax_terms(z, out)
    sums = total(terms)
    terms *= v
    terms /= sums
    return terms


_ROWS = (Argument("z", Interval(), ("N", "n")),)

CASES = (
    Case(
        name="softmax",
        f=softmax,
        vjp=softmax_vjp,
        jvp=softmax_jvp,
        arguments=_ROWS,
        source="document A, claims A4 and A7",
    ),
    Case(
        name="softmax_jacobian",
        f=softmax,
        jac=softmax_jacobian,
        arguments=(Argument("z", Interval(), ("n",)),),
        source="document A, claim A7; document B, claim B1",
    ),
    Case(
        name="log_softmax",
        f=log_softmax,
        vjp=log_softmax_vjp,
        jvp=log_softmax_jvp,
        arguments=_ROWS,
        source="document B, claim B2, with v = −Y",
    ),
    Case(
        name="logsumexp",
        f=logsumexp,
        vjp=logsumexp_vjp,
        arguments=_ROWS,
        source="the chain rule on document A, claim A4",
    ),
)
