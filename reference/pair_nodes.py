"""The nodes of a computational graph with two operands, multiply and add, which broadcast.

As in `reference.nodes`, each node is a pair that goes forward and passes a gradient down.  Operands
broadcast as in NumPy, and what was spread over an axis on the way up comes back summed over that
axis.  Forward results have the operands' common dtype, each gradient that of its operand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._validate import Array, real
from reference.nodes import forward, in_dtype_of, upstream


def multiply_node(x: Any, y: Any) -> Any:
    """Return x·y, with broadcasting.

    Parameters
    ----------
    x, y : array_like
        Real numbers whose shapes broadcast.

    Returns
    -------
    array
        The product, in the operands' common dtype.

    Raises
    ------
    TypeError
        If an operand does not hold real numbers.
    ValueError
        If the shapes do not broadcast.

    Notes
    -----
    Source: document C, claims C3 and C4.

    Examples
    --------
    >>> multiply_node([100.0, 101.0, 102.0], [2.0, 3.0, 4.0])
    array([200., 303., 408.])
    """
    x, y, _ = _operands(x, y)
    return forward(np.multiply, x, y)


def multiply_node_vjp(x: Any, y: Any, v: Any) -> tuple[Any, Any]:
    """Return what the multiply node passes down: to each input v times the other input.

    Parameters
    ----------
    x, y, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    tuple of array
        The gradients in `x` and `y`, in their shapes and dtypes.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If `v` has the wrong shape or the shapes of the operands do not broadcast.

    Notes
    -----
    Source: document C, claim C3.

    Examples
    --------
    >>> multiply_node_vjp(100.0, 2.0, 1.0)
    (np.float64(2.0), np.float64(100.0))
    """
    x, y, shape = _operands(x, y)
    v = upstream(v, shape)
    return (
        in_dtype_of(x, _multiply_vjp, v, y, x.shape),
        in_dtype_of(y, _multiply_vjp, v, x, y.shape),
    )


def add_node(x: Any, y: Any) -> Any:
    """Return x+y, with broadcasting.

    Parameters
    ----------
    x, y : array_like
        Real numbers whose shapes broadcast.

    Returns
    -------
    array
        The sum, in the operands' common dtype.

    Raises
    ------
    TypeError
        If an operand does not hold real numbers.
    ValueError
        If the shapes do not broadcast.

    Notes
    -----
    Source: document C, claims C1, C2 and C4.

    Examples
    --------
    >>> add_node([200.0, 303.0, 408.0], [300.0, 301.0, 302.0])
    array([500., 604., 710.])
    """
    x, y, _ = _operands(x, y)
    return forward(np.add, x, y)


def add_node_vjp(x: Any, y: Any, v: Any) -> tuple[Any, Any]:
    """Return what the add node passes down: v, unchanged, to both inputs.

    Parameters
    ----------
    x, y, v : array_like
        What went forward, and the upstream gradient in the shape of the node's output.

    Returns
    -------
    tuple of array
        The gradients in `x` and `y`, in their shapes and dtypes.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If `v` has the wrong shape or the shapes of the operands do not broadcast.

    Notes
    -----
    Source: document C, claim C2.

    Examples
    --------
    >>> add_node_vjp([1.0, 2.0], 3.0, [10.0, 20.0])
    (array([10., 20.]), np.float64(30.0))
    """
    x, y, shape = _operands(x, y)
    v = upstream(v, shape)
    return in_dtype_of(x, _unbroadcast, v, x.shape), in_dtype_of(y, _unbroadcast, v, y.shape)


def _operands(x: Any, y: Any) -> tuple[Array, Array, tuple[int, ...]]:
    """Return both operands and the shape they broadcast to."""
    x, y = real("x", x), real("y", y)
    try:
        return x, y, np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        message = f"x of shape {x.shape} and y of shape {y.shape} do not broadcast"
        raise ValueError(message) from None


# The formulas.


def _multiply_vjp(v: Array, other: Array, shape: tuple[int, ...]) -> Any:
    return _unbroadcast(v * other, shape)


def _unbroadcast(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which an operand of the given shape was spread."""
    gradient = np.asarray(gradient)
    lead = gradient.ndim - len(shape)
    spread = [lead + k for k, size in enumerate(shape) if size == 1]
    return gradient.sum(axis=(*range(lead), *spread), keepdims=True).reshape(shape)


_PAIR = (Argument("x", Interval(), ("N", "n")), Argument("y", Interval(), ("n",)))

CASES = (
    Case(
        name="multiply_node",
        f=multiply_node,
        vjp=multiply_node_vjp,
        arguments=_PAIR,
        argnums=(0, 1),
        source="document C, claims C3 and C4",
    ),
    Case(
        name="add_node",
        f=add_node,
        vjp=add_node_vjp,
        arguments=_PAIR,
        argnums=(0, 1),
        source="document C, claims C1, C2 and C4",
    ),
)
