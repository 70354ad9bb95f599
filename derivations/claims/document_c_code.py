"""Examinations of the claims about document C's own code: a worked example and three mistakes."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import sympy as sp

import gradcheck
import reference
from derivations.claims.examine import caught, corroborated, exactly, minus, prints_as
from derivations.claims.transcribed import OFFSET, document_backward, document_loss
from derivations.confrontation.confront import backed
from derivations.kernels.witness import interval_context
from derivations.plan import generator
from derivations.records import Finding, Witness

_A = (("1", "2", "0.5"), ("0", "1", "1"))
_T = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_A_FLOAT = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])
_AT_C8 = "a = ((1, 2, 0.5), (0, 1, 1)), t = ((1, 0, 0), (0, 1, 0))"
_PRINTED_SOFTMAX = (
    ("0.2312239", "0.62853172", "0.14024438"),
    ("0.1553624", "0.4223188", "0.4223188"),
)
_PRINTED_GRADIENT = (
    ("-0.38438805", "0.31426586", "0.07012219"),
    ("0.0776812", "-0.2888406", "0.2111594"),
)


def _enclosures(ctx: Any) -> list[list[Any]]:
    """Return intervals around the probabilities at the document's point."""
    rows = []
    for entries in _A:
        parts = [ctx.exp(ctx.mpf(int(2 * sp.Rational(e))) / 2) for e in entries]
        rows.append([p / sum(parts, start=ctx.mpf(0)) for p in parts])
    return rows


def worked_example() -> Finding:
    """Examine claim C8."""
    ctx = interval_context()
    y = _enclosures(ctx)
    gradient = [[(y[s][c] - int(_T[s, c])) / 2 for c in range(3)] for s in range(2)]
    shown = [
        (value, text)
        for values, texts in ((y, _PRINTED_SOFTMAX), (gradient, _PRINTED_GRADIENT))
        for value_row, text_row in zip(values, texts, strict=True)
        for value, text in zip(value_row, text_row, strict=True)
    ]
    figures = exactly(
        all(prints_as(value, text) for value, text in shown),
        "interval arithmetic",
        _AT_C8,
        "every printed digit of softmax and gradient is right",
    )
    code = reference.softmax_with_loss(_A_FLOAT, _T)
    agrees = abs(code - 1.163181794083098) < 4e-16
    exact = corroborated(
        exactly(
            prints_as(_loss(ctx, y, ctx.mpf(0)), "1.163181794083098"),
            "interval arithmetic",
            _AT_C8,
            "the exact loss is 1.163181794083098",
        ),
        agrees,
        f"the code gives {float(code)!r}",
    )
    offset = ctx.mpf(1) / 10**7
    printed = float(document_loss(_A_FLOAT, _T))
    printed_loss = corroborated(
        exactly(
            prints_as(_loss(ctx, y, offset), "1.16318145944856"),
            "interval arithmetic",
            _AT_C8,
            "the printed 1.1631814594485623 is the loss with 1e-7 added inside the logarithm",
        ),
        abs(printed - 1.1631814594485623) < 4e-16,
        f"the document’s way of computing gives {printed!r}",
    )
    return backed((figures, exact, printed_loss))


def _loss(ctx: Any, y: list[list[Any]], offset: Any) -> Any:
    return -(ctx.log(y[0][0] + offset) + ctx.log(y[1][1] + offset)) / 2


def _seed(name: str) -> int:
    return int(generator(name).integers(2**31))


def offset_in_the_logarithm() -> Finding:
    """Examine claim C9."""
    ctx = interval_context()
    y = _enclosures(ctx)
    offset = ctx.mpf(1) / 10**7
    # The derivative of −ln(y_1 + ε)/2 in a_1 is −y_1(1 − y_1)/(2(y_1 + ε)); without ε it is (y_1 −
    # 1)/2.
    claimed = (y[0][0] - 1) / 2
    true = -y[0][0] * (1 - y[0][0]) / (y[0][0] + offset) / 2
    gap = (claimed - true) / true
    apart = mpmath.nstr(abs(mpmath.mpf(gap.mid)), 3)
    contradicted = exactly(
        bool(gap.a <= 0 <= gap.b),
        "interval arithmetic",
        f"{_AT_C8}, entry (1, 1)",
        f"the relative difference is {apart}; the enclosure excludes 0",
    )
    report = gradcheck.check(
        lambda a: document_loss(a, _T),
        _A_FLOAT,
        grad=lambda a: document_backward(a, _T),
        rng=_seed("C9"),
    )
    witness = Witness(
        point=f"{_AT_C8}, entry (1, 1)",
        claimed=f"(y − t)/N = {minus(mpmath.nstr(mpmath.mpf(claimed.mid), 15))}",
        true=f"{minus(mpmath.nstr(mpmath.mpf(true.mid), 15))}, the derivative of the loss with "
        "1e-7 inside the logarithm",
        explanation="The loss that the code returns is not the loss that its gradient belongs to: "
        f"the added {OFFSET:g} changes the gradient by {apart} of its value.",
    )
    return backed((contradicted, caught(report, _AT_C8)), witness=witness)


def upstream_ignored() -> Finding:
    """Examine claim C10."""
    ctx = interval_context()
    claimed = (_enclosures(ctx)[0][0] - 1) / 2
    true = 2 * claimed
    contradicted = exactly(
        bool(claimed.a <= true.b and true.a <= claimed.b),
        "interval arithmetic",
        f"{_AT_C8}, upstream 2, entry (1, 1)",
        "the claimed and the true value have disjoint enclosures",
    )
    report = gradcheck.check(
        lambda a: reference.softmax_with_loss(a, _T),
        _A_FLOAT,
        vjp=lambda a, v: document_backward(a, _T, float(v)),
        rng=_seed("C10"),
    )
    witness = Witness(
        point=f"{_AT_C8}, upstream gradient 2, entry (1, 1)",
        claimed=minus(mpmath.nstr(mpmath.mpf(claimed.mid), 10)),
        true=minus(mpmath.nstr(mpmath.mpf(true.mid), 10)),
        explanation="The backward pass accepts the gradient from above and ignores it, so it is "
        "right only where the layer is the last one and the loss is not scaled.",
    )
    return backed((contradicted, caught(report, f"{_AT_C8}, random upstream")), witness=witness)


def soft_labels_hardened() -> Finding:
    """Examine claim C11."""
    half, labels = sp.Rational(1, 2), (sp.Rational(3, 5), sp.Rational(2, 5))
    claimed = [half - label for label in labels]
    true = [half - 1, half]  # the loss sees the label (1, 0)
    contradicted = exactly(
        claimed == true,
        "exact rational arithmetic",
        "a = (0, 0), t = (3/5, 2/5)",
        f"claimed ({minus(claimed[0])}, {minus(claimed[1])}), true ({minus(true[0])}, "
        f"{minus(true[1])})",
    )
    a, t_soft = np.zeros((1, 2)), np.array([[0.6, 0.4]])
    report = gradcheck.check(
        lambda a: document_loss(a, t_soft),
        a,
        grad=lambda a: document_backward(a, t_soft),
        rng=_seed("C11"),
    )
    witness = Witness(
        point="a = (0, 0), t = (3/5, 2/5)",
        claimed=f"(y − t)/N = ({minus(claimed[0])}, {minus(claimed[1])})",
        true=f"({minus(true[0])}, {minus(true[1])}), the gradient of the loss that the code "
        "computes",
        explanation="The loss takes the argmax of the labels, so soft labels silently become hard "
        "ones, while the backward pass uses them as they are: loss and gradient belong to "
        "different labels.",
    )
    return backed((contradicted, caught(report, "a = (0, 0), t = (0.6, 0.4)")), witness=witness)
