"""Softmax with a temperature, with what it passes down to the logits and to the temperature."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Interval
from reference._blocks import by_rows, from_rows, to_rows
from reference._lanes import LIFT, size_exponent
from reference._tails import two_product, two_sum
from reference._validate import Array, axis_index, of_shape, real
from reference.softmaxes import softmax, softmax_vjp


def temperature_softmax(z: Any, temperature: Any, axis: int = -1) -> Array:
    """Return softmax(z/T): nearly one-hot where T is small, nearly uniform where it is large.

    Parameters
    ----------
    z : array_like
        Logits, at least one along `axis`.  −inf is a masked class.
    temperature : float
        T, a positive number.
    axis : int
        The axis that sums to one.

    Returns
    -------
    array
        Probabilities, in the shape and dtype of `z`; accurate to 8 ulp.  A row that holds +inf or
        NaN, or −inf alone, gives NaN.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers or `axis` is not an integer.
    ValueError
        If `temperature` is not one positive finite number, or `z` has no such axis or it is empty.

    Notes
    -----
    Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network",
    arXiv:1503.02531, 2015, equation 1.  Rounding z/T before softmax is taken would cost up to 370
    ulp in a far tail.

    Examples
    --------
    >>> temperature_softmax([0.0, 1.0], 0.5)
    array([0.11920292, 0.88079708])
    """
    z, t, axis = _arguments(z, temperature, axis)
    rows = by_rows(lambda block: _softmax(*_logits(block, t)), to_rows(z, axis), dtype=z.dtype)
    return from_rows(rows, z.shape, axis)


def temperature_softmax_vjp(z: Any, temperature: Any, v: Any, axis: int = -1) -> tuple[Array, Any]:
    """Return the gradients of Σ temperature_softmax(z, T)·v in z and T.

    They are y(v − Σ y·v)/T and, over all rows, −Σ z·dz/T, y the probabilities.

    Parameters
    ----------
    z, temperature, axis
        As in `temperature_softmax`.
    v : array_like
        Cotangent, in the shape of `z`.

    Returns
    -------
    tuple of array
        The gradients in `z` and in the temperature, in their shapes and dtypes: the first accurate
        to 16 ulp of the terms that cancel in y_i·Σ_j y_j(v_i − v_j)/T, the second to 16 ulp of
        Σ|z − max z|·(those)/T.

    Raises
    ------
    TypeError, ValueError
        As in `temperature_softmax`; also if the shape of `v` is wrong.

    Notes
    -----
    Source: document A, claim A7, and the chain rule.

    Examples
    --------
    >>> dz, dT = temperature_softmax_vjp([0.0, 1.0], 0.5, [1.0, 0.0])
    >>> dz
    array([ 0.20998717, -0.20998717])
    """
    z, t, axis = _arguments(z, temperature, axis)
    v = of_shape("v", real("v", v), z.shape, "z")
    rows, upstream = to_rows(z, axis), to_rows(v, axis)
    dz = by_rows(lambda a, b: _softmax_vjp(a, b, t), rows, upstream, dtype=z.dtype)
    wide = np.dtype(np.float64)
    in_temperature = by_rows(lambda a, b: _in_temperature(a, b, t), rows, upstream, dtype=wide)
    with np.errstate(all="ignore"):
        total = in_temperature.sum().astype(real("temperature", temperature).dtype)
    return from_rows(dz, z.shape, axis), total


def _arguments(z: Any, temperature: Any, axis: int) -> tuple[Array, float, int]:
    z, t = real("z", z), real("temperature", temperature)
    if t.ndim or not 0 < t < np.inf:
        raise ValueError(f"temperature must be one positive finite number, got {temperature!r}")
    return z, float(t), axis_index(axis, z, "z")


# The formulas, for rows of shape (r, n).


def _quotient(z: Array, t: float) -> tuple[Any, Any, Any]:
    """Return (z − max z)/T, what rounding lost of it, and the exponents that both lack."""
    # With powers of two out of the way, so that nothing over- or underflows that has a size.
    mantissa, exponent = np.frexp(t)
    down = -600 if exponent > 500 else 0
    z = np.ldexp(z, down)
    distance, lost = two_sum(z, -z.max(axis=1, keepdims=True))
    up = np.clip(-size_exponent(np.where(np.isfinite(distance), distance, 0.0)), 0, 1000)
    distance, lost = np.ldexp(distance, up), np.ldexp(lost, up)
    quotient = distance / mantissa
    product, error = two_product(quotient, mantissa)
    rest = (((distance - product) - error) + lost) / mantissa
    return quotient, rest, -exponent - down - up


def _logits(z: Array, t: float) -> tuple[Any, Any]:
    """Return (z − max z)/T and what rounding lost of it."""
    quotient, rest, exponent = _quotient(z, t)
    logits = np.ldexp(quotient, exponent)
    # Where a logit is far below −745, its exponential is zero whatever was lost.
    return logits, np.where(logits > -1e4, np.ldexp(rest, exponent), 0.0)


def _softmax(logits: Array, lost: Array) -> Any:
    # exp(a + δ) = exp(a)(1 + δ), for terms and total: δ is far below a unit of the first.
    y = softmax(logits)
    return y + y * _centred(y, lost)


def _centred(y: Array, lost: Array) -> Any:
    return lost - (y * lost).sum(axis=1, keepdims=True)


def _slopes(z: Array, v: Array, t: float) -> tuple[Any, Any]:
    """Return dz as normal numbers, and the exponents that they lack."""
    # The same correction as for the probabilities, to first order, for y(v − Σ y·v).
    logits, lost = _logits(z, t)
    # Cotangents are lifted to 2^100 … 2^300, so that no product with a tiny share is subnormal.
    lift = LIFT - size_exponent(v)
    y, rough = softmax(logits), softmax_vjp(logits, np.ldexp(v, lift))
    delta = _centred(y, lost)
    slopes = rough + (rough * delta - y * (delta * rough).sum(axis=1, keepdims=True))
    mantissa, exponent = np.frexp(t)
    return slopes / mantissa, -lift - exponent


def _softmax_vjp(z: Array, v: Array, t: float) -> Any:
    return np.ldexp(*_slopes(z, v, t))


def _in_temperature(z: Array, v: Array, t: float) -> Any:
    # −Σ z·dz/T, where Σ dz = 0, so that the largest logit may be taken off first.
    (slopes, exponent), (quotient, _, more) = _slopes(z, v, t), _quotient(z, t)
    terms = np.where(slopes == 0, 0.0, -quotient * slopes)
    return np.ldexp(terms.sum(axis=1, keepdims=True), exponent + more)


CASES = (
    Case(
        name="temperature_softmax",
        f=temperature_softmax,
        vjp=temperature_softmax_vjp,
        arguments=(
            Argument("z", Interval(), ("N", "n")),
            Argument("temperature", Interval(0.0, spread=0.5)),
        ),
        argnums=(0, 1),
        source="G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge, arXiv:1503.02531, 2015",
    ),
)
