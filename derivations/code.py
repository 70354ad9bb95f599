"""The formulas of `reference`, to be proved as they are, by symbolic execution.

One entry for each case whose formula has a derivative on every branch.  The private formulas are
used because the public functions convert their arguments to floats first.  A loss is summed over
its rows here; the mean divides value and gradient by the same number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derivations.branches import Code, prove
from derivations.records import Evidence
from derivations.tracing import Condition, Objects, probabilities, symbols
from reference import activations, elementwise_losses, layers, losses, softmaxes

_X, _T = symbols("x", (2,)), symbols("t", (2,))
_Z = symbols("z", (1, 2))
_WEIGHTS = symbols("w", (1, 2), positive=True)  # a weight of 0 is a branch of its own
_P = probabilities("p", (1, 2))
_SECOND = np.array([1])  # the class of the only row


def _below(limit: int, array: Objects) -> tuple[Condition, ...]:
    return tuple(Condition(limit - entry) for entry in array.ravel().tolist())


def _entrywise(
    name: str,
    value: Callable[..., Any],
    slope: Callable[..., Any],
    inputs: tuple[Objects, ...] = (_X,),
    **region: Any,
) -> Code:
    def vjp(*inputs_and_v: Any) -> tuple[Any, ...]:
        *inputs, v = inputs_and_v
        return (v * slope(*inputs),)

    return Code(name=name, value=value, vjp=vjp, inputs=inputs, **region)


def _rowwise(
    name: str, value: Callable[..., Any], vjp: Callable[..., Any], *inputs: Objects
) -> Code:
    return Code(name=name, value=value, vjp=lambda *a: (vjp(*a),), inputs=inputs)


def _loss(
    name: str, value: Callable[..., Any], gradient: Callable[..., Any], *inputs: Objects
) -> Code:
    def vjp(*inputs_and_v: Any) -> tuple[Any, ...]:
        *inputs, v = inputs_and_v
        return (v[:, None] * gradient(*inputs),)

    return Code(name=name, value=value, vjp=vjp, inputs=inputs)


def _jacobian_vjp(z: Any, v: Any) -> Any:
    return (v[:, :, None] * softmaxes._softmax_jacobian(z)).sum(axis=1)


def _logsumexp_vjp(z: Any, v: Any) -> Any:
    return softmaxes._logsumexp_vjp(z, v[:, None])


def _affine_vjp(H: Any, W: Any, b: Any, v: Any) -> tuple[Any, ...]:
    del b
    return layers._affine_vjp(H, W, v)


_CAPPED = "x < 700, where nothing is capped"

CODE: Mapping[str, Code] = {
    code.name: code
    for code in (
        _entrywise(
            "sigmoid",
            activations._sigmoid_capped,
            activations._sigmoid_grad,
            assumed=_below(700, _X),
            region=_CAPPED,
        ),
        _entrywise("tanh", np.tanh, activations._tanh_grad),
        _entrywise(
            "log_sigmoid",
            activations._log_sigmoid,
            activations._log_sigmoid_grad,
            assumed=_below(700, -_X),
            region="x > −700, where nothing is capped",
        ),
        _entrywise(
            "softplus",
            activations._softplus,
            activations._sigmoid_capped,
            assumed=_below(700, _X),
            region=_CAPPED,
        ),
        _entrywise(
            "relu", activations._relu, activations._relu_grad, region="both branches, x ≠ 0"
        ),
        _rowwise("softmax", softmaxes._softmax, softmaxes._softmax_vjp, _Z),
        _rowwise("softmax_jacobian", softmaxes._softmax, _jacobian_vjp, _Z),
        _rowwise("log_softmax", softmaxes._log_softmax, softmaxes._log_softmax_vjp, _Z),
        _rowwise("logsumexp", softmaxes._logsumexp, _logsumexp_vjp, _Z),
        _loss(
            "cross_entropy",
            losses._cross_entropy_index,
            losses._cross_entropy_index_grad,
            _P,
            _SECOND,
        ),
        _loss(
            "cross_entropy_soft",
            losses._cross_entropy_soft,
            losses._cross_entropy_soft_grad,
            _P,
            _WEIGHTS,
        ),
        _loss(
            "softmax_cross_entropy",
            losses._softmax_cross_entropy_index,
            losses._softmax_cross_entropy_index_grad,
            _Z,
            _SECOND,
        ),
        _loss(
            "softmax_cross_entropy_soft",
            losses._softmax_cross_entropy_soft,
            losses._softmax_cross_entropy_soft_grad,
            _Z,
            _WEIGHTS,
        ),
        _entrywise(
            "binary_cross_entropy",
            elementwise_losses._binary_cross_entropy,
            elementwise_losses._binary_cross_entropy_grad,
            (probabilities("p", (2,)), _T),
        ),
        _entrywise(
            "binary_cross_entropy_with_logits",
            elementwise_losses._binary_cross_entropy_with_logits,
            elementwise_losses._binary_cross_entropy_with_logits_grad,
            (_X, _T),
        ),
        _entrywise(
            "squared_error",
            elementwise_losses._squared_error,
            elementwise_losses._squared_error_grad,
            (_X, _T),
        ),
        Code(
            name="affine",
            value=layers._affine,
            vjp=_affine_vjp,
            inputs=(symbols("H", (2, 3)), symbols("W", (3, 2)), symbols("b", (2,))),
        ),
    )
}


@functools.cache
def evidence(case: str) -> Evidence:
    """Return what symbolic execution says about the formula of a case.

    Parameters
    ----------
    case : str
        A row of ``reference.CASES`` that is in `CODE`.

    Examples
    --------
    >>> evidence("squared_error").standing.value
    'proved for the code'
    """
    return prove(CODE[case])
