"""Activations x·gate(x) with a gate that opens from 0 to 1, each with its derivative.

Every function takes an array (or a number, or a list) of any shape and returns one of the same
shape.  float16, float32 and float64 keep their dtype: the formula runs in float64 and its result is
rounded once; integers are computed as float64.  NaN stays NaN; ±inf gives the limit; nothing warns.

Each derivative has one zero, a little left of 0.  Its error is a few ulps of the two terms that
cancel there, gate(x) and x·gate'(x).  Next to the zero that shows in float32 too: one float32 of
Mish, three of GELU and one of SiLU are not rounded correctly, but off by less than an ulp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Elementwise, Interval
from reference._blocks import elementwise, elementwise_into
from reference._normal import DENSITY, FARTHEST, gaussian, tail_ratio
from reference._tails import times_exp, two_product, two_sum
from reference._validate import Array, real


def silu(x: Any) -> Any:
    """Return SiLU, also called swish: x·σ(x) = x/(1+e^-x).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        x·σ(x), in the dtype of `x`; accurate to 3 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: S. Elfwing et al., "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    Examples
    --------
    >>> silu([0.0, 2.0, -20.0])
    array([ 0.00000000e+00,  1.76159416e+00, -4.12230724e-08])
    """
    x = real("x", x)
    return elementwise_into(_silu, x, dtype=x.dtype)


def silu_grad(x: Any) -> Any:
    """Return the derivative of SiLU: σ(x) + x·σ'(x) = σ(x)(1 + x(1−σ(x))).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 4 ulp of σ(x) + |x·σ'(x)|.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: as in `silu`.

    Examples
    --------
    >>> silu_grad([0.0, 2.0, -20.0])
    array([ 5.00000000e-01,  1.09078425e+00, -3.91619187e-08])
    """
    x = real("x", x)
    return elementwise_into(_silu_grad, x, dtype=x.dtype)


def gelu(x: Any) -> Any:
    """Return GELU, x·Φ(x) = ½x(1 + erf(x/√2)), Φ the normal distribution function.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        x·Φ(x), in the dtype of `x`; accurate to 5 ulp, in the left tail as elsewhere.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    See Also
    --------
    gelu_tanh : the approximation by tanh; it is another function.

    Notes
    -----
    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415,
    2016.  1 + erf(x/√2) is 0 or nothing but rounding from x = −8 down.

    Examples
    --------
    >>> gelu([0.0, 2.0, -10.0])
    array([ 0.00000000e+00,  1.95449974e+00, -7.61985302e-23])
    """
    x = real("x", x)
    return elementwise(_gelu, x, dtype=x.dtype)


def gelu_grad(x: Any) -> Any:
    """Return the derivative of GELU: Φ(x) + x·φ(x), φ(x) = e^(−x²/2)/√(2π).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 5 ulp of Φ(x) + |x|·φ(x).

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: as in `gelu`.

    Examples
    --------
    >>> gelu_grad([0.0, 2.0, -10.0])
    array([ 5.0000000e-01,  1.0852318e+00, -7.6184001e-22])
    """
    x = real("x", x)
    return elementwise(_gelu_grad, x, dtype=x.dtype)


def gelu_tanh(x: Any) -> Any:
    """Return GELU's approximation by tanh: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The value, in the dtype of `x`; accurate to 5 ulp of this function, which differs from
        `gelu` by up to 5e-4.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415,
    2016.  ½(1 + tanh u) = σ(2u).

    Examples
    --------
    >>> gelu_tanh([0.0, 2.0, -10.0])
    array([ 0.00000000e+00,  1.95459769e+00, -1.20409235e-37])
    """
    x = real("x", x)
    return elementwise(_gelu_tanh, x, dtype=x.dtype)


def gelu_tanh_grad(x: Any) -> Any:
    """Return the derivative of `gelu_tanh`: σ(w) + x·σ'(w)·w', w = 2√(2/π)(x + 0.044715x³).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 6 ulp of σ(w) + |x·σ'(w)·w'|.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: as in `gelu_tanh`.

    Examples
    --------
    >>> gelu_tanh_grad([0.0, 2.0, -10.0])
    array([ 5.00000000e-01,  1.08609926e+00, -2.75763806e-36])
    """
    x = real("x", x)
    return elementwise(_gelu_tanh_grad, x, dtype=x.dtype)


def mish(x: Any) -> Any:
    """Return Mish, x·tanh(softplus(x)).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        x·tanh(log(1+e^x)), in the dtype of `x`; accurate to 5 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.

    Examples
    --------
    >>> mish([0.0, 2.0, -20.0])
    array([ 0.00000000e+00,  1.94395896e+00, -4.12230724e-08])
    """
    x = real("x", x)
    return elementwise_into(_mish, x, dtype=x.dtype)


def mish_grad(x: Any) -> Any:
    """Return the derivative of Mish: w + x·σ(x)(1−w²), w = tanh(softplus(x)).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 7 ulp of w + |x|·σ(x)(1−w²).

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: as in `mish`.

    Examples
    --------
    >>> mish_grad([0.0, 2.0, -20.0])
    array([ 6.00000000e-01,  1.06931793e+00, -3.91619187e-08])
    """
    x = real("x", x)
    return elementwise_into(_mish_grad, x, dtype=x.dtype)


# The formulas.  A choice between two values for each entry costs as much as three exponentials, so
# most have one expression for both signs; entries that it does not reach are mended afterwards, all
# together.  In the others exponentials are taken of −|x|, so that none overflows, and |x| is capped
# where the function has reached its limit, so that ±inf meets no zero.

_CAP = 800.0


def _silu(x: Array, out: Array | None = None) -> Any:
    y = np.negative(x, out=out)
    np.exp(y, out=y)
    y += 1
    return _with_left_tail(np.divide(x, y, out=y), x, factor=0)


def _silu_grad(x: Array, out: Array | None = None) -> Any:
    # σ + x·σ' = e(1+e+x)/(1+e)², e = e^x.
    y = np.exp(x, out=out)
    square = _square_of_one_more(y)
    growing = 1 + y
    growing += x
    y *= growing
    y /= square
    return _with_left_tail(_with_limit(y, x, 1.0), x, factor=1)


def _square_of_one_more(e: Array) -> Any:
    """Return (1+e)², without the rounding of 1+e."""
    square = 2 + e
    square *= e
    square += 1
    return square


def _with_left_tail(y: Array, x: Array, factor: int) -> Any:
    """Put (factor + x)·e^x where e^x nears the subnormal numbers, or e^-x the largest."""
    if not x.min() >= -680:
        far = x < -680
        capped = np.maximum(x[far], -_CAP)
        y[far] = times_exp(factor + capped, capped)
    return y


def _with_limit(y: Array, x: Array, limit: Array | float) -> Any:
    """Put the limit, which has long been reached there, where powers of e^x may overflow."""
    if not x.max() <= 100:
        np.copyto(y, limit, where=x > 100)
    return y


def _slope_of_gate(x: Array, exponent: Any, growth: Any, lost: Any = 0.0) -> Any:
    """Return σ(w) + growth·σ'(w), |w| = exponent − lost, growth and w with the sign of x."""
    # (1 + e + growth·e)/(1+e)² for x > 0, e = e^-|w|; e·(1 + e − |growth|)/(1+e)² for x ≤ 0.
    e = np.exp(-exponent) * (1 + lost)
    square = 1 + e * (2 + e)
    falling = times_exp((1 - growth + e) * (1 + lost) / square, -exponent)
    return np.where(x > 0, (1 + e * (1 + growth)) / square, falling)


def _gelu(x: Array) -> Any:
    # x·Φ(x) is max(x, 0) − |x|·Φ(−|x|) for both signs.
    t = np.minimum(abs(x), FARTHEST)
    return np.maximum(x, 0) - gaussian(t * tail_ratio(t), t)


def _gelu_grad(x: Array) -> Any:
    # For x ≤ 0 both terms have the factor e^(−x²/2), which is multiplied in last.
    t = np.minimum(abs(x), FARTHEST)
    falling = gaussian(tail_ratio(t) - t * DENSITY, t)
    return np.where(x > 0, 1 - falling, falling)


_LINEAR = 1.5957691216057308, -9.96930880911092e-17  # 2√(2/π) as a sum of two numbers
_CUBIC = 0.07135481627260025, -6.175149918155315e-19  # 0.044715 times that
_GELU_CAP = 25.0


def _gelu_tanh(x: Array) -> Any:
    t = np.minimum(abs(x), _GELU_CAP)
    w, lost, _ = _polynomial(t)
    e = np.exp(-w) * (1 + lost)
    falling = np.maximum(x, -_GELU_CAP)
    return np.where(x > 0, x / (1 + e), times_exp(falling * (1 + lost) / (1 + e), -w))


def _gelu_tanh_grad(x: Array) -> Any:
    t = np.minimum(abs(x), _GELU_CAP)
    w, lost, slope = _polynomial(t)
    return _slope_of_gate(x, exponent=w, growth=t * slope, lost=lost)


def _polynomial(t: Array) -> tuple[Any, Any, Any]:
    """Return w, what w has too much, and w', for w = 2√(2/π)(t + 0.044715t³)."""
    # In two numbers throughout, because e^-w turns errors of w into relative ones.
    square, square_low = two_product(t, t)
    cubic, cubic_low = two_product(_CUBIC[0], square)
    inner, inner_low = two_sum(_LINEAR[0], cubic)
    inner_low = inner_low + (cubic_low + _CUBIC[0] * square_low + _CUBIC[1] * square + _LINEAR[1])
    w, w_low = two_product(t, inner)
    return w, -(w_low + t * inner_low), _LINEAR[0] + 3 * cubic


def _mish(x: Array, out: Array | None = None) -> Any:
    # tanh(log(1+e^x)) = n/(n+2) with n = e^x(e^x+2).
    y = np.exp(x, out=out)
    more = y + 2
    y *= more
    np.add(y, 2, out=more)
    y *= x
    y /= more
    return _with_left_tail(_with_limit(y, x, x), x, factor=0)


def _mish_grad(x: Array, out: Array | None = None) -> Any:
    # w + 4x·e(1+e)/(n+2)², the second term being x·σ(x)(1−w²), over one denominator.
    y = np.exp(x, out=out)
    growing = 1 + y
    growing *= x
    growing *= 4
    more = y + 2
    denominator = more * y
    denominator += 2
    more *= denominator
    growing += more
    y *= growing
    denominator *= denominator
    y /= denominator
    return _with_left_tail(_with_limit(y, x, 1.0), x, factor=1)


_X = (Argument("x", Interval(), ("n",)),)

CASES = (
    Case(
        name="silu",
        f=silu,
        vjp=Elementwise(silu_grad),
        arguments=_X,
        source="S. Elfwing et al., Sigmoid-weighted linear units, Neural Networks 107, 2018",
    ),
    Case(
        name="gelu",
        f=gelu,
        vjp=Elementwise(gelu_grad),
        arguments=_X,
        source="D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv:1606.08415, 2016",
    ),
    Case(
        name="gelu_tanh",
        f=gelu_tanh,
        vjp=Elementwise(gelu_tanh_grad),
        arguments=_X,
        source="D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv:1606.08415, 2016",
    ),
    Case(
        name="mish",
        f=mish,
        vjp=Elementwise(mish_grad),
        arguments=_X,
        source="D. Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020",
    ),
)
