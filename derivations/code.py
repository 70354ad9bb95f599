"""The functions of `reference`, to be proved as they are, by symbolic execution.

One entry for each case that is executed: the public function and its claimed derivative, on symbols
in these shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

import reference
from derivations.branches import Code, prove
from derivations.order import Condition
from derivations.records import Evidence, Standing
from derivations.traced import Objects
from derivations.tracing import probabilities, symbols
from gradcheck import Case

_X = symbols("x", (2,))
_T = symbols("t", (2,))
_BATCH = symbols("z", (3, 4))
_CLASSES = np.array([0, 2, 3])
_WEIGHTS = symbols("w", (3, 4), positive=True)  # a weight of 0 is a border
_CAPPED = "x < 700, where nothing is capped"


def _below(limit: int, array: Objects) -> tuple[Condition, ...]:
    return tuple(Condition(limit - entry) for entry in array.ravel().tolist())


def _of_case(name: str, *inputs: Objects, **region: Any) -> Code:
    case = _CASES[name]
    claims: dict[str, Any] = {"vjp": _vjp_of(case)}
    if case.vjp is None and case.grad is None and case.jac is not None:
        claims = {"jacobian": case.jac}
    return Code(
        name=name, value=case.f, inputs=inputs, argnums=case.argnum_tuple, **claims, **region
    )


def _vjp_of(case: Case) -> Callable[..., tuple[Any, ...]]:
    def vjp(*inputs_and_v: Any) -> tuple[Any, ...]:
        if case.vjp is not None:
            return _tuple(case.vjp(*inputs_and_v))
        assert case.grad is not None
        *inputs, v = inputs_and_v
        return tuple(v * part for part in _tuple(case.grad(*inputs)))

    return vjp


def _tuple(parts: Any) -> tuple[Any, ...]:
    return parts if isinstance(parts, tuple) else (parts,)


_CASES = {case.name: case for case in reference.CASES}

_NOT_SHIFTED = "−30 < z < 340 (and weights within 2^±500) in batches of three"


def _usual(z: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which logits are exponentiated as they are."""
    return tuple(_below(340, z)) + tuple(_below(30, -z))


def _neither_huge_nor_tiny(weights: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which weights are multiplied as they are."""
    if weights.dtype != object:
        return ()
    least = sp.Rational(1, 2**500)
    return (*_below(2**500, weights), *(Condition(w - least) for w in weights.ravel()))


def _batch(name: str, labels: Objects, all_labels: Objects) -> tuple[Code, Code]:
    """Return one row of logits on every branch, and a batch where nothing is shifted."""
    return (
        _of_case(name, symbols("z", (1, 4)), labels, region="every branch of a row"),
        _of_case(
            name,
            _BATCH,
            all_labels,
            assumed=(*_usual(_BATCH), *_neither_huge_nor_tiny(all_labels)),
            region=_NOT_SHIFTED,
        ),
    )


def _network(name: str, activation: Callable[[sp.Expr], sp.Expr]) -> Code:
    arrays = [
        symbols(letter, shape)
        for letter, shape in (("x", (1, 2)), ("W", (2, 3)), ("b", (3,)), ("V", (3, 3)), ("c", (3,)))
    ]
    x, W, b, V, c = arrays
    sums = x @ W
    hidden = _each(activation, sums + b)
    return _of_case(
        name,
        x,
        np.array([1]),
        W,
        b,
        V,
        c,
        assumed=(
            *_usual(np.asarray(hidden @ V + c)),
            *_below(700, sums + b),
            *_not_flat(sums + b),
        ),
        region="logits in −30 … 340, sums below 700, slopes above 1e-300",
        translated={
            **dict(zip(b, sums[0], strict=True)),
            **dict(zip(c, _each(activation, b) @ V, strict=True)),
        },
    )


def _not_flat(sums: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which tanh' is computed as it is, whatever the sign of a sum."""
    sizes = np.concatenate([2 * sums, -2 * sums]).ravel()
    tiny = sp.Rational(Fraction(1e-300))
    slopes = (4 * sp.exp(-a) / (1 + sp.exp(-a) * (2 + sp.exp(-a))) for a in sizes)
    return tuple(Condition(tiny - slope, holds=False) for slope in slopes)


def _each(function: Callable[[sp.Expr], sp.Expr], array: Objects) -> Objects:
    return np.asarray(np.frompyfunc(function, 1, 1)(array), dtype=object)


CODE: Mapping[str, tuple[Code, ...]] = {
    codes[0].name: codes
    for codes in (
        (_of_case("sigmoid", _X, assumed=_below(700, _X), region=_CAPPED),),
        (_of_case("tanh", _X),),
        (
            _of_case(
                "log_sigmoid",
                _X,
                assumed=_below(700, -_X),
                region="x > −700, where nothing is capped",
            ),
        ),
        (_of_case("softplus", _X, assumed=_below(700, _X), region=_CAPPED),),
        (_of_case("identity", _X),),
        (_of_case("relu", _X, region="both branches, x ≠ 0"),),
        (_of_case("softmax", symbols("z", (1, 4))),),
        (_of_case("softmax_jacobian", symbols("z", (8,))),),
        (_of_case("log_softmax", symbols("z", (1, 4))),),
        (_of_case("logsumexp", symbols("z", (2, 4))),),
        (_of_case("cross_entropy", probabilities("p", (3, 4)), _CLASSES),),
        (_of_case("cross_entropy_soft", probabilities("p", (3, 4)), _WEIGHTS),),
        _batch("softmax_cross_entropy", np.array([1]), _CLASSES),
        _batch("softmax_cross_entropy_soft", symbols("w", (1, 4), positive=True), _WEIGHTS),
        (_of_case("binary_cross_entropy", probabilities("p", (2,)), _T),),
        (_of_case("binary_cross_entropy_with_logits", _X, _T),),
        (_of_case("squared_error", _X, _T),),
        (_of_case("exp_node", symbols("x", (2, 3))),),
        (_of_case("sum_node", symbols("x", (2, 3))),),
        (_of_case("reciprocal_node", symbols("x", (2, 3), positive=True), region="x > 0"),),
        (_of_case("log_node", symbols("x", (2, 3), positive=True), region="x > 0"),),
        (_of_case("negate_node", symbols("x", (2, 3))),),
        (_of_case("multiply_node", symbols("x", (2, 3)), symbols("y", (3,))),),
        (_of_case("add_node", symbols("x", (2, 3)), symbols("y", (3,))),),
        _batch("softmax_with_loss", np.array([1]), _CLASSES),
        (_of_case("affine", symbols("H", (2, 3)), symbols("W", (3, 2)), symbols("b", (2,))),),
        (_network("network_tanh", sp.tanh),),
        (_network("network_sigmoid", lambda a: sp.exp(a) / (1 + sp.exp(a))),),
    )
}


@functools.cache
def evidence(case: str) -> Evidence:
    """Return what symbolic execution says about the code of a case.

    Parameters
    ----------
    case : str
        A row of ``reference.CASES`` that is in `CODE`.

    Examples
    --------
    >>> evidence("squared_error").standing.value
    'proved for the code'
    """
    found = [prove(code) for code in CODE[case]]
    worst = max(found, key=lambda e: e.standing.rank)
    if worst.standing is not Standing.PROVED_CODE:
        return worst
    scopes, details = ([getattr(e, part) for e in found] for part in ("scope", "detail"))
    return Evidence(Standing.PROVED_CODE, worst.method, "; ".join(scopes), "; ".join(details))
