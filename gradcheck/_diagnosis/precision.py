"""Whether a wrong derivative is a right formula that lost its digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.steps import spacing
from gradcheck._case.tree import equal_numbers
from gradcheck._claim.compare import Comparison
from gradcheck._claim.lost_digits import scatters
from gradcheck._claim.problem import Problem
from gradcheck._report.report import WrongEntry


def precision_lost(problem: Problem, entries: Sequence[WrongEntry], failed: Comparison) -> str:
    """Say how the claim lost its digits, if that explains the located errors; else nothing.

    Either the claimed values are those of a coarser precision, or they scatter when x moves, by as
    much as they are off: what cancellation leaves of a right formula.
    """
    coarse = _coarse(problem, entries, failed)
    if coarse:
        return f"the claimed values are {coarse} numbers: the derivative is computed in {coarse}"
    if failed.claimed and scatters(problem, failed):
        off = failed.off / abs(failed.claimed)
        return (
            f"off by {off:.0e} of its size, the claimed derivative scatters by as much when x moves a little: "
            "cancellation, the formula needs another form here"
        )
    return ""


def _coarse(problem: Problem, entries: Sequence[WrongEntry], failed: Comparison) -> str:
    g = problem.pullback(failed.cotangent)
    native = problem.inputs.layout.eps
    size = float(np.max(np.abs(g), initial=0.0))
    for dtype in (np.float16, np.float32):
        eps = spacing(np.dtype(dtype))
        with np.errstate(over="ignore"):
            fits = eps > native and equal_numbers(g.astype(dtype).astype(np.float64), g)
        slight = all(abs(e.claimed - e.numerical) <= 64 * eps * size for e in entries)
        if fits and slight and not _has_few_bits(g):
            return np.dtype(dtype).name
    return ""


def _has_few_bits(g: Array) -> bool:
    """Whether half of the numbers are so simple (small integers, halves) that they fit in any precision."""
    mantissa = np.frexp(g[g != 0])[0]
    mantissa *= 64
    simple = mantissa == np.round(mantissa)
    return bool(2 * np.count_nonzero(simple) >= simple.size)
