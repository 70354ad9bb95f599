"""The claims of document D: binary cross-entropy and its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mpmath
import numpy as np
import sympy as sp

import reference
from derivations.claims.examine import corroborated, for_all_reals, minus, positive
from derivations.confrontation.confront import backed
from derivations.expressions.language import derivative, real
from derivations.expressions.language import positive as positive_symbol
from derivations.records import Claim, Finding, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE = "document D"
_Z, _LABEL = real("z"), real("y")
_A = positive_symbol("a")
_SIGMA = 1 / (1 + sp.exp(-_Z))
_EVERYWHERE = "all real z and y"


def _cross_entropy(probability: sp.Expr, label: sp.Expr) -> sp.Expr:
    return -(label * sp.log(probability) + (1 - label) * sp.log(1 - probability))


def _d1() -> Finding:
    likelihood = [
        for_all_reals(
            -sp.log(probability),
            _cross_entropy(_SIGMA, sp.Integer(label)),
            "all real z",
            f"for the label {label} it is −ln of the probability {name} of that label",
        )
        for label, probability, name in ((1, _SIGMA, "a"), (0, 1 - _SIGMA, "1 − a"))
    ]
    stable = for_all_reals(
        sp.log(1 + sp.exp(_Z)) - _LABEL * _Z,
        _cross_entropy(_SIGMA, _LABEL),
        _EVERYWHERE,
        "the form that the code can evaluate without a logarithm of a: ln(1 + e^z) − y·z",
    )
    return backed((*likelihood, stable), "binary_cross_entropy", "binary_cross_entropy_with_logits")


def _d2() -> Finding:
    evidence = for_all_reals(
        _SIGMA * (1 - _SIGMA), derivative(_SIGMA, _Z), "all real z", "σ' − a(1 − a) = 0"
    )
    return backed((evidence,), "sigmoid", show=("sigmoid_derivative",))


def _d3() -> Finding:
    slope = derivative(_cross_entropy(_A, _LABEL), _A)
    forms = (
        (-_LABEL / _A + (1 - _LABEL) / (1 - _A), "∂L/∂a = −y/a + (1 − y)/(1 − a)"),
        ((_A - _LABEL) / (_A * (1 - _A)), "which is (a − y)/(a(1 − a))"),
    )
    evidence = tuple(
        for_all_reals(claimed, slope, "all real y and 0 < a < 1", text) for claimed, text in forms
    )
    return backed(evidence, "binary_cross_entropy", show=("binary_cross_entropy_gradient",))


def _d4() -> Finding:
    evidence = for_all_reals(
        _SIGMA - _LABEL,
        derivative(_cross_entropy(_SIGMA, _LABEL), _Z),
        _EVERYWHERE,
        "∂L/∂z − (a − y) = 0",
    )
    return backed(
        (evidence,),
        "binary_cross_entropy_with_logits",
        show=("binary_cross_entropy_with_logits_gradient",),
    )


def _d5() -> Finding:
    # With u = e^z > 0 the gradient for the label 1 is σ(z) − 1 = −1/(1 + u), for the label 0 it is
    # u/(1 + u).
    u = positive_symbol("u")
    one = for_all_reals(
        -1 / (1 + sp.exp(_Z)),
        _SIGMA - 1,
        "all real z",
        "label 1: the gradient is −1/(1 + e^z), minus the probability of the wrong label",
    )
    zero = for_all_reals(
        sp.exp(_Z) / (1 + sp.exp(_Z)),
        _SIGMA - 0,
        "all real z",
        "label 0: the gradient is e^z/(1 + e^z), the probability of the wrong label",
    )
    near = positive(
        1 / u - 1 / (1 + u),
        Standing.PROVED_REAL,
        "all real z",
        "label 1: |∂L/∂z| < e^{−z}, near 0 for large z",
    )
    far = positive(
        u - (1 - 1 / (1 + u)),
        Standing.PROVED_REAL,
        "all real z",
        "label 1: 1 − |∂L/∂z| < e^z, so ∂L/∂z → −1 as z → −∞; label 0 is the mirror image",
    )
    agrees, table = _sizes()
    return backed(
        (corroborated(one, agrees, "the code follows, see the table"), zero, near, far), table=table
    )


def _sizes() -> tuple[bool, tuple[tuple[str, ...], ...]]:
    """Return whether the gradient of the code is accurate, and a table of its values."""
    table: list[tuple[str, ...]] = [
        ("z", "prediction a", "∂L/∂z for the label 1", "∂L/∂z for the label 0")
    ]
    agrees = True
    for logit in (-30.0, -5.0, -1.0, 0.0, 1.0, 5.0, 30.0):
        slopes = [
            float(reference.binary_cross_entropy_with_logits_grad(logit, label))
            for label in (1.0, 0.0)
        ]
        with mpmath.workdps(50):
            a = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
            exact = (a - 1, a)
        agrees &= all(
            abs(got - float(want)) <= 4 * np.spacing(abs(float(want)))
            for got, want in zip(slopes, exact, strict=True)
        )
        shown = (logit, float(reference.sigmoid(logit)), *slopes)
        table.append(tuple(minus(f"{value:.6g}") for value in shown))
    return agrees, tuple(table)


def _claim(number: int, title: str, statement: str, examine: Callable[[], Finding]) -> Claim:
    return Claim(f"D{number}", title, _SOURCE, statement, examine)


CLAIMS = (
    _claim(1, "Binary cross-entropy", "L = −[y ln a + (1 − y) ln(1 − a)], a = σ(z)", _d1),
    _claim(2, "Derivative of the sigmoid", "σ'(z) = a(1 − a)", _d2),
    _claim(
        3,
        "Gradient in the activation",
        "∂L/∂a = −y/a + (1 − y)/(1 − a) = (a − y)/(a(1 − a))",
        _d3,
    ),
    _claim(4, "Gradient in the logit", "∂L/∂z = a − y", _d4),
    _claim(
        5,
        "Size of the gradient",
        "the gradient is near 0 where the prediction is near the label, and large (→ ±1) where it "
        "is far",
        _d5,
    ),
)
