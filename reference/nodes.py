"""The nodes of a computational graph with one operand: exp, sum, reciprocal, log and negate.

Each node is a pair: ``x_node(…)`` goes forward; ``x_node_vjp(…, v)`` takes the gradient `v` that
arrives from above and returns what the node passes down to its input.

Operands are real arrays, numbers or lists, and results have their dtype.  ±inf and NaN follow IEEE
arithmetic without a warning: nodes are the textbook's steps; the package's fused functions are the
stable way to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._validate import Array, axis_index, of_shape, real, refuse


def exp_node(x: Any) -> Any:
    """Return e^x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        e^x, in the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document C, claim C5.

    Examples
    --------
    >>> exp_node([0.0, 1.0])
    array([1.        , 2.71828183])
    """
    return forward(np.exp, real("x", x))


def exp_node_vjp(x: Any, v: Any) -> Any:
    """Return what the exp node passes down: v·e^x.

    Parameters
    ----------
    x, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    array
        The gradient in `x`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If `v` has the wrong shape.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> exp_node_vjp([0.0, 0.0], [2.0, -1.0])
    array([ 2., -1.])
    """
    return _backward(_exp_vjp, real("x", x), v)


def sum_node(x: Any, axis: int = -1) -> Array:
    """Return the sum over an axis, which stays with length one: the result broadcasts against x.

    Parameters
    ----------
    x : array_like
        Real numbers with at least one axis.
    axis : int
        The axis to sum over.

    Returns
    -------
    array
        The sums, in the dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers or `axis` is not an integer.
    ValueError
        If `x` has no such axis or the axis is empty.

    Notes
    -----
    Source: document C, claim C5.

    Examples
    --------
    >>> sum_node([[1.0, 2.0], [3.0, 4.0]])
    array([[3.],
           [7.]])
    """
    x = real("x", x)
    return np.asarray(forward(_sum, x, axis_index(axis, x, "x")))


def sum_node_vjp(x: Any, v: Any, axis: int = -1) -> Array:
    """Return what the sum node passes down: v to every term.

    Parameters
    ----------
    x, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.
    axis : int
        The axis that was summed over.

    Returns
    -------
    array
        The gradient in `x`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or `axis` is not an integer.
    ValueError
        If `v` has the wrong shape, `x` has no such axis or the axis is empty.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> sum_node_vjp([[1.0, 2.0], [3.0, 4.0]], [[1.0], [-1.0]])
    array([[ 1.,  1.],
           [-1., -1.]])
    """
    x = real("x", x)
    axis = axis_index(axis, x, "x")
    v = upstream(v, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
    return np.asarray(in_dtype_of(x, np.broadcast_to, v, x.shape))


def reciprocal_node(x: Any) -> Any:
    """Return 1/x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape; ±0 gives ±inf.

    Returns
    -------
    array
        1/x, in the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document C, claim C5.

    Examples
    --------
    >>> reciprocal_node([2.0, -4.0])
    array([ 0.5 , -0.25])
    """
    return forward(_reciprocal, real("x", x))


def reciprocal_node_vjp(x: Any, v: Any) -> Any:
    """Return what the reciprocal node passes down: −v/x².

    Parameters
    ----------
    x, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    array
        The gradient in `x`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If `v` has the wrong shape.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> reciprocal_node_vjp([2.0, -4.0], [1.0, 16.0])
    array([-0.25, -1.  ])
    """
    return _backward(_reciprocal_vjp, real("x", x), v)


def log_node(x: Any) -> Any:
    """Return the natural logarithm of x.

    Parameters
    ----------
    x : array_like
        Non-negative numbers of any shape; 0 gives −inf.

    Returns
    -------
    array
        log x, in the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If an entry is negative.

    Notes
    -----
    Source: document C, claim C5.

    Examples
    --------
    >>> log_node([1.0, 2.0])
    array([0.        , 0.69314718])
    """
    return forward(np.log, _non_negative(x))


def log_node_vjp(x: Any, v: Any) -> Any:
    """Return what the log node passes down: v/x.

    Parameters
    ----------
    x, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    array
        The gradient in `x`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If an entry of `x` is negative or `v` has the wrong shape.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> log_node_vjp([0.5, 2.0], [1.0, 1.0])
    array([2. , 0.5])
    """
    return _backward(_log_vjp, _non_negative(x), v)


def negate_node(x: Any) -> Any:
    """Return −x: the node that multiplies by −1.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        −x, in the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document C, claim C5.

    Examples
    --------
    >>> negate_node([1.0, -2.0])
    array([-1.,  2.])
    """
    return forward(np.negative, real("x", x))


def negate_node_vjp(x: Any, v: Any) -> Any:
    """Return what the negate node passes down: −v.

    Parameters
    ----------
    x, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    array
        The gradient in `x`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If `v` has the wrong shape.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> negate_node_vjp([1.0, 2.0], [1.0, -3.0])
    array([-1.,  3.])
    """
    return _backward(_negate_vjp, real("x", x), v)


def forward(formula: Callable[..., Any], *operands: Any) -> Any:
    """Return the formula's result, without warnings."""
    with np.errstate(all="ignore"):
        return formula(*operands)


def _backward(formula: Callable[[Array, Array], Any], x: Array, v: Any) -> Any:
    return in_dtype_of(x, formula, x, upstream(v, x.shape))


def in_dtype_of(x: Array, formula: Callable[..., Any], *operands: Any) -> Any:
    """Return the formula's result, never a part of an operand, in the dtype of `x`; nothing warns."""
    with np.errstate(all="ignore"):
        result = np.asarray(formula(*operands))
        shared = any(np.may_share_memory(result, a) for a in operands if isinstance(a, np.ndarray))
        return result.astype(x.dtype, copy=shared)[()]


def _non_negative(x: Any) -> Array:
    x = real("x", x)
    refuse("x", x, x < 0, "must not be negative, or its logarithm is not real")
    return np.asarray(x)


def upstream(v: Any, shape: tuple[int, ...]) -> Array:
    """Return `v` if it has the shape of the node's output, else raise ``ValueError``."""
    return of_shape("v", real("v", v), shape, "the node's output")


# The formulas.


def _sum(x: Array, axis: int) -> Any:
    return x.sum(axis=axis, keepdims=True)


def _reciprocal(x: Array) -> Any:
    return 1 / x


def _exp_vjp(x: Array, v: Array) -> Any:
    return v * np.exp(x)


def _reciprocal_vjp(x: Array, v: Array) -> Any:
    # Divided twice: x² may overflow or underflow where v/x² does not.
    return -(v / x) / x


def _log_vjp(x: Array, v: Array) -> Any:
    return v / x


def _negate_vjp(x: Array, v: Array) -> Any:
    del x
    return -v


_C6 = "document C, claim C6"
_X = (Argument("x", Interval(), ("N", "n")),)
_POSITIVE = (Argument("x", Interval(0.0), ("N", "n")),)

CASES = (
    Case(name="exp_node", f=exp_node, vjp=exp_node_vjp, arguments=_X, source=_C6),
    Case(name="sum_node", f=sum_node, vjp=sum_node_vjp, arguments=_X, source=_C6),
    Case(
        name="reciprocal_node",
        f=reciprocal_node,
        vjp=reciprocal_node_vjp,
        arguments=_POSITIVE,
        source=_C6,
    ),
    Case(name="log_node", f=log_node, vjp=log_node_vjp, arguments=_POSITIVE, source=_C6),
    Case(name="negate_node", f=negate_node, vjp=negate_node_vjp, arguments=_X, source=_C6),
)
