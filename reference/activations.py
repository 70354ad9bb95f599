"""Activations that act entry by entry, each with its derivative, and their cases.

Every function takes an array (or a number, or a list) of any shape and returns one of the same
shape.  float16, float32 and float64 keep their dtype: the formula runs in float64 and its result is
rounded once; integers are computed as float64.  NaN stays NaN; ±inf gives the limit; nothing warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Elementwise, Interval
from reference._blocks import elementwise_into, exact_elementwise_into
from reference._validate import Array, real


def sigmoid(x: Any) -> Any:
    """Return the logistic sigmoid σ(x) = 1/(1+e^-x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        σ(x), in the dtype of `x`; accurate to 3 ulp down to the smallest subnormal.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document A, claim A1; document D, claim D1.

    Examples
    --------
    >>> sigmoid([0.0, 2.0, -745.0])
    array([5.00000000e-001, 8.80797078e-001, 4.94065646e-324])
    """
    x = real("x", x)
    return elementwise_into(_sigmoid_capped, x, dtype=x.dtype)


def sigmoid_grad(x: Any) -> Any:
    """Return σ'(x) = σ(x)(1−σ(x)).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape; the argument of σ, not its value.

    Returns
    -------
    array
        σ'(x), in the dtype of `x`; accurate to 3 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document A, claim A1; document D, claim D2.  The product σ(1−σ) is exactly 0 from
    x = 37 on, where the derivative is still 8.5e-17.

    Examples
    --------
    >>> sigmoid_grad([0.0, 37.0])
    array([2.50000000e-01, 8.53304763e-17])
    """
    x = real("x", x)
    return elementwise_into(_sigmoid_grad, x, dtype=x.dtype)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent (e^x−e^-x)/(e^x+e^-x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        tanh(x), in the dtype of `x`; accurate to 2.5 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document A, claim A2.

    Examples
    --------
    >>> tanh([0.0, 0.5, -800.0])
    array([ 0.        ,  0.46211716, -1.        ])
    """
    x = real("x", x)
    return elementwise_into(np.tanh, x, dtype=x.dtype)


def tanh_grad(x: Any) -> Any:
    """Return tanh'(x) = 1−tanh²x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape; the argument of tanh, not its value.

    Returns
    -------
    array
        tanh'(x), in the dtype of `x`; accurate to 3 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document A, claim A2.  1−tanh²x is exactly 0 from x = 19.1 on, where the
    derivative is still 1e-16.

    Examples
    --------
    >>> tanh_grad([0.0, 20.0])
    array([1.00000000e+00, 1.69934170e-17])
    """
    x = real("x", x)
    return elementwise_into(_tanh_grad, x, dtype=x.dtype)


def log_sigmoid(x: Any) -> Any:
    """Return log σ(x) = −log(1+e^-x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        log σ(x), in the dtype of `x`; accurate to 2 ulp, and finite for every finite `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: the logarithm of document A, claim A1.

    Examples
    --------
    >>> log_sigmoid([0.0, 40.0, -1000.0])
    array([-6.93147181e-01, -4.24835426e-18, -1.00000000e+03])
    """
    x = real("x", x)
    return elementwise_into(_log_sigmoid, x, dtype=x.dtype)


def log_sigmoid_grad(x: Any) -> Any:
    """Return the derivative of log σ(x), which is σ(−x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        σ(−x), in the dtype of `x`; accurate to 3 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: the chain rule on document A, claim A1: σ'/σ = 1−σ(x) = σ(−x).

    Examples
    --------
    >>> log_sigmoid_grad([0.0, 40.0, -1000.0])
    array([5.00000000e-01, 4.24835426e-18, 1.00000000e+00])
    """
    x = real("x", x)
    return elementwise_into(_log_sigmoid_grad, x, dtype=x.dtype)


def softplus(x: Any) -> Any:
    """Return softplus(x) = log(1+e^x) = −log σ(−x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        log(1+e^x), in the dtype of `x`; accurate to 2 ulp, and finite for every finite `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: C. Dugas et al., "Incorporating second-order functional knowledge for better
    option pricing", NIPS 2000.

    Examples
    --------
    >>> softplus([0.0, -40.0, 1000.0])
    array([6.93147181e-01, 4.24835426e-18, 1.00000000e+03])
    """
    x = real("x", x)
    return elementwise_into(_softplus, x, dtype=x.dtype)


def softplus_grad(x: Any) -> Any:
    """Return the derivative of softplus, which is σ(x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        σ(x), in the dtype of `x`; accurate to 3 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: the chain rule: e^x/(1+e^x) is document A's σ (claim A1).

    Examples
    --------
    >>> softplus_grad([0.0, -40.0, 1000.0])
    array([5.00000000e-01, 4.24835426e-18, 1.00000000e+00])
    """
    x = real("x", x)
    return elementwise_into(_sigmoid_capped, x, dtype=x.dtype)


def identity(x: Any) -> Any:
    """Return a copy of x: the activation of a linear layer.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        A new array with the values of `x`; correctly rounded.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document E, claim E3 (an all-linear network).

    Examples
    --------
    >>> identity([1.0, 2.0])
    array([1., 2.])
    """
    x = real("x", x)
    return exact_elementwise_into(np.positive, x, dtype=x.dtype)


def identity_grad(x: Any) -> Any:
    """Return the derivative of the identity: one everywhere.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        Ones (NaN where `x` is NaN), in the dtype of `x`; correctly rounded.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: document E, claim E3 (an all-linear network).

    Examples
    --------
    >>> identity_grad([1.0, 2.0])
    array([1., 1.])
    """
    x = real("x", x)
    return exact_elementwise_into(_identity_grad, x, dtype=x.dtype)


def relu(x: Any) -> Any:
    """Return max(x, 0).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        max(x, 0), in the dtype of `x`; correctly rounded.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: V. Nair and G. Hinton, "Rectified linear units improve restricted Boltzmann
    machines", ICML 2010.

    Examples
    --------
    >>> relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    x = real("x", x)
    return exact_elementwise_into(_relu, x, dtype=x.dtype)


def relu_grad(x: Any) -> Any:
    """Return the derivative of max(x, 0): one where x > 0, else zero.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        0 or 1 (NaN where `x` is NaN), in the dtype of `x`; correctly rounded.  At 0, where there is
        no derivative, the subgradient 0.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: V. Nair and G. Hinton, "Rectified linear units improve restricted Boltzmann
    machines", ICML 2010.

    Examples
    --------
    >>> relu_grad([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """
    x = real("x", x)
    return exact_elementwise_into(_relu_grad, x, dtype=x.dtype)


# The formulas.  They write into `out`, if given.  Terms that are added have one sign, so that
# nothing cancels.


def _sigmoid(x: Array, out: Array | None = None) -> Any:
    # Exact down to the smallest subnormal, which 1/(1+e^-x) is not: e^-x overflows there.
    e = np.exp(x, out=out)
    e /= 1 + e
    return e


def _sigmoid_capped(x: Array, out: Array | None = None) -> Any:
    # σ rounds to 1 from 37 on; the cap keeps e^x finite.
    return _sigmoid(x if x.max() <= 700 else np.minimum(x, 700), out)


def _sigmoid_grad(x: Array, out: Array | None = None) -> Any:
    # σ' is even: e^-|x| does not overflow.
    e = np.abs(x, out=out)
    return _sigmoid_slope(np.exp(np.negative(e, out=e), out=e))


def _sigmoid_slope(e: Array) -> Any:
    # e/(1+e)² with the square multiplied out, which saves the rounding of 1+e.
    square = 2 + e
    square *= e
    square += 1
    e /= square
    return e


def _tanh_grad(x: Array, out: Array | None = None) -> Any:
    # tanh'(x) = 4σ'(2x).  Where σ'(2x) is subnormal, 4σ' would multiply its rounding error; the
    # square of 1/cosh x = 2h/(1+h²), h = e^-|x|, does not.
    slope = np.abs(x, out=out)
    slope *= -2
    slope = _sigmoid_slope(np.exp(slope, out=slope))
    slope *= 4
    far = slope < 1e-300
    if np.count_nonzero(far):
        h = np.exp(-abs(x[far]))
        slope[far] = (2 * h / (1 + h * h)) ** 2
    return slope


def _log_sigmoid(x: Array, out: Array | None = None) -> Any:
    # log σ(x) = −log(1+e^-x) = −softplus(−x).
    y = _softplus(-x, out)
    return np.negative(y, out=y)


def _log_sigmoid_grad(x: Array, out: Array | None = None) -> Any:
    return _sigmoid_capped(-x, out)


def _softplus(x: Array, out: Array | None = None) -> Any:
    # log1p keeps the digits on both sides: where e^x is tiny it is e^x, where it is large, x.
    # From 37 on softplus rounds to x, also where e^x overflows, which the processor reports.
    try:
        with np.errstate(over="raise"):
            y = np.exp(x, out=out)
    except FloatingPointError:
        y = np.log1p(np.exp(np.minimum(x, 700)), out=out)
        np.copyto(y, x, where=x > 700)
        return y
    return np.log1p(y, out=y)


def _identity_grad(x: Array, out: Array | None = None) -> Any:
    return _keeping_nan(np.equal(x, x, out=out), x)


def _relu(x: Array, out: Array | None = None) -> Any:
    return np.maximum(x, 0, out=out)


def _relu_grad(x: Array, out: Array | None = None) -> Any:
    return _keeping_nan(np.greater(x, 0, out=out), x)


def _keeping_nan(y: Array, x: Array) -> Any:
    """Return `y`, but NaN where x is NaN, which alone differs from itself."""
    undefined = x != x
    if np.count_nonzero(undefined):
        y[undefined] = np.nan
    return y


_X = (Argument("x", Interval(), ("n",)),)

CASES = (
    Case(
        name="sigmoid",
        f=sigmoid,
        vjp=Elementwise(sigmoid_grad),
        arguments=_X,
        source="document A, claim A1; document D, claim D2",
    ),
    Case(
        name="tanh",
        f=tanh,
        vjp=Elementwise(tanh_grad),
        arguments=_X,
        source="document A, claim A2",
    ),
    Case(
        name="log_sigmoid",
        f=log_sigmoid,
        vjp=Elementwise(log_sigmoid_grad),
        arguments=_X,
        source="the logarithm of document A, claim A1",
    ),
    Case(
        name="softplus",
        f=softplus,
        vjp=Elementwise(softplus_grad),
        arguments=_X,
        source="C. Dugas et al., Incorporating second-order functional knowledge, NIPS 2000",
    ),
    Case(
        name="identity",
        f=identity,
        vjp=Elementwise(identity_grad),
        arguments=_X,
        source="document E, claim E3",
    ),
    Case(
        name="relu",
        f=relu,
        vjp=Elementwise(relu_grad),
        arguments=(Argument("x", Interval(kinks=(0.0,)), ("n",)),),
        source="V. Nair and G. Hinton, Rectified linear units, ICML 2010",
    ),
)
