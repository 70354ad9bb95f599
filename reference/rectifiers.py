"""Activations that are a line where x is large, in pieces, each with its derivative.

Every function takes an array (or a number, or a list) of any shape and returns one of the same
shape.  float16, float32 and float64 keep their dtype: the formula runs in float64 and its result is
rounded once; integers are computed as float64.  NaN stays NaN; ±inf gives the limit; nothing warns.

At a kink, where the slopes from the two sides differ, the derivative is one of the two; each
function says which.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Elementwise, Interval
from reference._blocks import elementwise
from reference._domains import FarFromKinks
from reference._tails import times_exp, times_far_exp
from reference._validate import Array, finite, real


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Return x where x > 0, else α·x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    slope : float
        α, the slope on the left.

    Returns
    -------
    array
        The value, in the dtype of `x`; correctly rounded.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `slope` is not a finite number.

    Notes
    -----
    Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network
    acoustic models", ICML 2013.

    Examples
    --------
    >>> leaky_relu([-2.0, 0.0, 2.0])
    array([-0.02,  0.  ,  2.  ])
    """
    x, slope = real("x", x), finite("slope", slope)
    return elementwise(lambda block: _leaky_relu(block, slope), x, dtype=x.dtype)


def leaky_relu_grad(x: Any, slope: float = 0.01) -> Any:
    """Return the derivative of `leaky_relu`: 1 where x > 0, else α.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    slope : float
        α, the slope on the left.

    Returns
    -------
    array
        1 or α (NaN where `x` is NaN), in the dtype of `x`; correctly rounded.  At the kink 0 the
        slope α from the left.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `slope` is not a finite number.

    Notes
    -----
    Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network
    acoustic models", ICML 2013.

    Examples
    --------
    >>> leaky_relu_grad([-2.0, 0.0, 2.0])
    array([0.01, 0.01, 1.  ])
    """
    x, slope = real("x", x), finite("slope", slope)
    return elementwise(lambda block: _leaky_relu_grad(block, slope), x, dtype=x.dtype)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where x > 0, else α(e^x − 1).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    alpha : float
        The limit on the left is −α.

    Returns
    -------
    array
        The value, in the dtype of `x`; accurate to 2 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `alpha` is not a finite number.

    Notes
    -----
    Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning
    by exponential linear units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> elu([-1e-9, -800.0, 2.0])
    array([-9.99999999e-10, -1.00000000e+00,  2.00000000e+00])
    """
    x, alpha = real("x", x), finite("alpha", alpha)
    return elementwise(lambda block: _elu(block, alpha), x, dtype=x.dtype)


def elu_grad(x: Any, alpha: float = 1.0) -> Any:
    """Return the derivative of ELU: 1 where x > 0, else α·e^x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    alpha : float
        The limit on the left is −α.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 2 ulp.  At 0, which is a kink unless α = 1,
        the slope α from the left.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `alpha` is not a finite number.

    Notes
    -----
    Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning
    by exponential linear units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> elu_grad([-1.0, 0.0, 2.0])
    array([0.36787944, 1.        , 1.        ])
    """
    x, alpha = real("x", x), finite("alpha", alpha)
    return elementwise(lambda block: _elu_grad(block, alpha), x, dtype=x.dtype)


def selu(x: Any) -> Any:
    """Return λx where x > 0, else λα(e^x − 1), with α = 1.67326…, λ = 1.05070….

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The value, in the dtype of `x`; accurate to 2.5 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.  With these two
    constants mean 0 and variance 1 are a fixed point.

    Examples
    --------
    >>> selu([-1.0, 0.0, 2.0])
    array([-1.11133074,  0.        ,  2.10140197])
    """
    x = real("x", x)
    return elementwise(_selu, x, dtype=x.dtype)


def selu_grad(x: Any) -> Any:
    """Return the derivative of SELU: λ where x > 0, else λα·e^x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 2.5 ulp.  At the kink 0 the slope λα from
        the left.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> selu_grad([-1.0, 0.0, 2.0])
    array([0.6467686 , 1.75809934, 1.05070099])
    """
    x = real("x", x)
    return elementwise(_selu_grad, x, dtype=x.dtype)


def hardswish(x: Any) -> Any:
    """Return x·min(max(x+3, 0), 6)/6: SiLU in three pieces.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The value, in the dtype of `x`; accurate to 2.5 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.

    Examples
    --------
    >>> hardswish([-4.0, -1.0, 1.0, 4.0])
    array([-0.        , -0.33333333,  0.66666667,  4.        ])
    """
    x = real("x", x)
    return elementwise(_hardswish, x, dtype=x.dtype)


def hardswish_grad(x: Any) -> Any:
    """Return the derivative of `hardswish`: 0 where x ≤ −3, 1 where x ≥ 3, else (2x+3)/6.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 2 ulp.  At the kinks −3 and 3 the outer
        slopes 0 and 1.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.

    Examples
    --------
    >>> hardswish_grad([-3.0, -1.0, 1.0, 3.0])
    array([0.        , 0.16666667, 0.83333333, 1.        ])
    """
    x = real("x", x)
    return elementwise(_hardswish_grad, x, dtype=x.dtype)


def softsign(x: Any) -> Any:
    """Return x/(1 + |x|).

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The value, in the dtype of `x`; accurate to 1.5 ulp.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010.

    Examples
    --------
    >>> softsign([-3.0, 0.0, 1.0])
    array([-0.75,  0.  ,  0.5 ])
    """
    x = real("x", x)
    return elementwise(_softsign, x, dtype=x.dtype)


def softsign_grad(x: Any) -> Any:
    """Return the derivative of softsign: 1/(1 + |x|)².

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.

    Returns
    -------
    array
        The derivative, in the dtype of `x`; accurate to 4.5 ulp.  Continuous, also at 0.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Notes
    -----
    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010.

    Examples
    --------
    >>> softsign_grad([-3.0, 0.0, 1.0])
    array([0.0625, 1.    , 0.25  ])
    """
    x = real("x", x)
    return elementwise(_softsign_grad, x, dtype=x.dtype)


# The formulas.  What is not taken is computed too, so that it must neither trap nor give NaN.


_LOWEST = np.finfo(np.float64).min


def _leaky_relu(x: Array, slope: float) -> Any:
    # With a slope of 0 the limit at −∞ is 0, and so is 0 times any number, but not 0·∞.
    return np.where(x > 0, x, slope * (x if slope else np.maximum(x, _LOWEST)))


def _leaky_relu_grad(x: Array, slope: float) -> Any:
    # Only NaN differs from itself, and stays.
    return np.where(x == x, np.where(x > 0, 1.0, slope), x)


def _elu(x: Array, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_grad(x: Array, alpha: float) -> Any:
    y = np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))
    if not x.min() >= -700:
        far = x < -700
        y[far] = times_far_exp(alpha, x[far])
    return y


# The paper's two constants (its supplement gives them in closed form), and their product.
_SCALE = 1.0507009873554805
_SCALED_LIMIT = 1.7580993408473768


def _selu(x: Array) -> Any:
    return np.where(x > 0, _SCALE * x, _SCALED_LIMIT * np.expm1(np.minimum(x, 0)))


def _selu_grad(x: Array) -> Any:
    return np.where(x > 0, _SCALE, times_exp(_SCALED_LIMIT, np.minimum(x, 0)))


def _hardswish(x: Array) -> Any:
    inside = np.clip(x, -3, 3)
    return np.where(x >= 3, x, inside * (inside + 3) / 6)


def _hardswish_grad(x: Array) -> Any:
    inside = (2 * np.clip(x, -3, 3) + 3) / 6
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, inside))


def _softsign(x: Array) -> Any:
    return np.where(np.isinf(x), np.sign(x), x / (1 + abs(x)))


def _softsign_grad(x: Array) -> Any:
    # The square of the fraction: that of 1 + |x| would overflow.
    return (1 / (1 + abs(x))) ** 2


_X = (Argument("x", Interval(), ("n",)),)
_KINK_AT_0 = (Argument("x", Interval(kinks=(0.0,)), ("n",)),)

CASES = (
    Case(
        name="leaky_relu",
        f=leaky_relu,
        vjp=Elementwise(leaky_relu_grad),
        arguments=_KINK_AT_0,
        source="A. L. Maas, A. Y. Hannun, A. Y. Ng, Rectifier nonlinearities, ICML 2013",
    ),
    Case(
        name="elu",
        f=elu,
        vjp=Elementwise(elu_grad),
        arguments=_X,
        source="D.-A. Clevert, T. Unterthiner, S. Hochreiter, ELUs, ICLR 2016",
    ),
    Case(
        name="selu",
        f=selu,
        vjp=Elementwise(selu_grad),
        arguments=_KINK_AT_0,
        source="G. Klambauer et al., Self-normalizing neural networks, NeurIPS 2017",
    ),
    Case(
        name="hardswish",
        f=hardswish,
        vjp=Elementwise(hardswish_grad),
        arguments=(Argument("x", FarFromKinks(kinks=(-3.0, 3.0)), ("n",)),),
        source="A. Howard et al., Searching for MobileNetV3, ICCV 2019",
    ),
    Case(
        name="softsign",
        f=softsign,
        vjp=Elementwise(softsign_grad),
        arguments=_X,
        source="X. Glorot and Y. Bengio, The difficulty of training deep networks, AISTATS 2010",
    ),
)
