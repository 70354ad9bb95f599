"""The functions of `reference`, proved as they are, by symbolic execution.

The public function and its claimed derivative are run on symbols: plain ones on the whole of a
case's domain, or, where code needs more than that, those of the case's entry in `CODE`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.code.branches import Code, prove
from derivations.code.inputs import (
    CASES,
    attention,
    below,
    gelu,
    gelu_tanh,
    neither_huge_nor_tiny,
    network,
    of_case,
    plain,
    shifted,
    smoothed,
    within,
)
from derivations.code.traced import NotTraceableError, Objects
from derivations.code.tracing import probabilities, symbols
from derivations.comparison import Comparison
from derivations.records import CodeProof, Evidence, Standing

_X = symbols("x", (2,))
_T = symbols("t", (2,))
_BATCH = symbols("z", (3, 4))
_CLASSES = np.array([0, 2, 3])
_WEIGHTS = symbols("w", (3, 4), positive=True)  # a weight of 0 is a border
_SIGNS = np.array([1.0, -1.0])
_CAPPED = "x < 700, where nothing is capped"
_FAR_LEFT = "x > −650, left of which e^x is multiplied in two steps"
_USUAL = "lanes and cotangents of a size in 2^±100, where nothing is scaled"
_FIRST, _ROW = "every branch of a row", "every branch of a batch of three, any shift of each row"
_ANY_SHIFT = "weights within 2^±500; every branch of a batch of three, any shift of each row"


def _lanes(shape: tuple[int, ...]) -> tuple[Objects, Objects, Objects]:
    return symbols("x", shape), symbols("γ", shape[1:]), symbols("β", shape[1:])


def _normalization(name: str, shape: tuple[int, ...]) -> Code:
    lanes = _lanes(shape)[: 2 if name == "rms_norm" else 3]
    return of_case(name, *lanes, largest_exponent=100, region=_USUAL)


def _smoothed_labels() -> Code:
    name = "label_smoothing_cross_entropy"
    return smoothed(name, symbols("z", (1, 3)), np.array([1]), probabilities("ε", ()))


def _logistic(a: sp.Expr) -> sp.Expr:
    return sp.exp(a) / (1 + sp.exp(a))


CODE: Mapping[str, tuple[Code, ...]] = {
    codes[0].name: codes
    for codes in (
        (of_case("sigmoid", _X, assumed=below(700, _X), region=_CAPPED),),
        (
            of_case(
                "log_sigmoid",
                _X,
                assumed=below(700, -_X),
                region="x > −700, where nothing is capped",
            ),
        ),
        (of_case("softplus", _X, assumed=below(700, _X), region=_CAPPED),),
        (of_case("silu", _X, assumed=within(-650, 99, _X), region="−650 < x < 99"),),
        (gelu(_X),),
        (gelu_tanh(_X),),
        (of_case("mish", _X, assumed=within(-650, 99, _X), region="−650 < x < 99"),),
        (of_case("softmax", symbols("z", (1, 4))),),
        (of_case("softmax_jacobian", symbols("z", (8,))),),
        (of_case("log_softmax", symbols("z", (1, 4))),),
        (of_case("logsumexp", symbols("z", (2, 4))),),
        (of_case("cross_entropy", probabilities("p", (3, 4)), _CLASSES),),
        (of_case("cross_entropy_soft", probabilities("p", (3, 4)), _WEIGHTS),),
        (
            of_case("softmax_cross_entropy", symbols("z", (1, 4)), np.array([1]), region=_FIRST),
            shifted("softmax_cross_entropy", _BATCH, _CLASSES, region=_ROW),
        ),
        (
            of_case(
                "softmax_cross_entropy_soft",
                symbols("z", (1, 4)),
                symbols("w", (1, 4), positive=True),
                region=_FIRST,
            ),
            shifted(
                "softmax_cross_entropy_soft",
                _BATCH,
                _WEIGHTS,
                assumed=neither_huge_nor_tiny(_WEIGHTS),
                region=_ANY_SHIFT,
            ),
        ),
        (of_case("binary_cross_entropy", probabilities("p", (2,)), _T),),
        (of_case("binary_cross_entropy_with_logits", _X, _T),),
        (
            of_case("softmax_with_loss", symbols("z", (1, 4)), np.array([1]), region=_FIRST),
            shifted("softmax_with_loss", _BATCH, _CLASSES, region=_ROW),
        ),
        (_normalization("layer_norm", (1, 2)), _normalization("layer_norm", (2, 3))),
        (_normalization("rms_norm", (2, 1)), _normalization("rms_norm", (2, 3))),
        (_normalization("batch_norm", (2, 1)), _normalization("batch_norm", (3, 2))),
        (network("network_tanh", sp.tanh),),
        (network("network_sigmoid", _logistic),),
        (attention(1, 2, 4, 1), attention(2, 2, 1, 1)),
        (of_case("huber", _X, _T),),
        (of_case("smooth_l1", _X, _T),),
        (of_case("hinge", _X, _SIGNS),),
        (
            of_case("focal_loss", _X, probabilities("y", (2,)), region="targets inside of 0 … 1"),
            of_case("focal_loss", _X, np.array([0.0, 1.0]), region="targets 0 and 1"),
        ),
        (_smoothed_labels(),),
        (
            shifted(
                "temperature_softmax",
                symbols("z", (1, 2)),
                symbols("T", (), positive=True),
                region="every branch of a row, any shift of it",
            ),
        ),
        (
            of_case(
                "elu",
                _X,
                assumed=below(700, -_X),
                region="x > −700, left of which e^x is multiplied in parts",
            ),
        ),
        (of_case("selu", _X, assumed=below(650, -_X), region=_FAR_LEFT),),
        (of_case("embedding", symbols("t", (3, 2)), np.array([1, 1, 0])),),
        (of_case("max_pool2d", symbols("x", (1, 1, 3, 2))),),
        (
            of_case(
                "conv2d", symbols("x", (1, 1, 2, 3)), symbols("w", (2, 1, 3, 3)), symbols("b", (2,))
            ),
        ),
    )
}


def codes_of(case: str) -> tuple[Code, ...]:
    """Return what is executed for a case; nothing where its domain isn't one of plain numbers."""
    if case in CODE or case not in CASES:
        return CODE.get(case, ())
    code = plain(CASES[case])
    return () if code is None else (code,)


@functools.cache
def evidence(case: str) -> Evidence:
    """Return what symbolic execution says about the code of a case.

    Parameters
    ----------
    case : str
        A row of ``reference.CASES`` that can be executed.

    Raises
    ------
    NotTraceableError
        If the code cannot be executed with symbols.

    Examples
    --------
    >>> evidence("squared_error").standing.value
    'proved for the code'
    """
    found = [prove(code) for code in codes_of(case)]
    worst = max(found, key=lambda e: e.standing.rank)
    if worst.standing is not Standing.PROVED_CODE:
        return worst
    scopes, details = ([getattr(e, part) for e in found] for part in ("scope", "detail"))
    return Evidence(
        Standing.PROVED_CODE,
        worst.method,
        "; ".join(dict.fromkeys(scopes)),
        "; ".join(details),
        tuple(dict.fromkeys(part for e in found for part in e.exclusions)),
    )


def proof(case: str, comparison: Comparison) -> CodeProof:
    """Return what is known about the code of a case: executed as far as it can be, else measured.

    Parameters
    ----------
    case : str
        A row of ``reference.CASES``.
    comparison : Comparison
        What its results at random points gave.

    Examples
    --------
    >>> proof("squared_error", Comparison("squared_error", ())).covers
    'the whole code'
    """
    codes = codes_of(case)
    if not codes:
        return CodeProof(_measured(comparison, "the code was not executed with symbols"))
    try:
        executed = evidence(case)
    except NotTraceableError as error:
        return CodeProof(_measured(comparison, f"symbols cannot pass through the code: {error}"))
    replaced = dict.fromkeys(r.text for c in codes for r in c.core if not r.covers_all)
    if not replaced:
        return CodeProof(executed)
    rest = _measured(comparison, "what is replaced in the core is covered there only")
    return CodeProof(executed, tuple(replaced), rest)


def _measured(comparison: Comparison, reason: str) -> Evidence:
    """Return what the comparison of the three ways says about the code."""
    points = len(comparison.points)
    scope = f"{points} random points"
    if comparison.problems:
        return Evidence(
            Standing.UNDECIDED, "comparison of the three ways", scope, comparison.problems[0]
        )
    detail = f"{reason}; derivative within {comparison.derivative_ulps:.1f} ulp of the derivation"
    return Evidence(Standing.NUMERICAL, "comparison of the three ways", scope, detail)
