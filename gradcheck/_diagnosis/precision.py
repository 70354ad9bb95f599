"""Whether a wrong derivative is a right formula that lost its digits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.steps import spacing
from gradcheck._case.tree import equal_numbers
from gradcheck._claim.compare import Comparison
from gradcheck._claim.problem import Problem
from gradcheck._report.report import WrongEntry

_FURTHEST = 50_321.0  # ulps by which x is moved: stairs of an inner rounding may be wide
_LAST_DIGITS = 1e-6  # of x; in float32 that is far fewer
_ONCE = 16.0
_JUMPY = 64.0  # how much more than x, relatively, a claim must move


def precision_lost(problem: Problem, entries: Sequence[WrongEntry], failed: Comparison) -> str:
    """Say how the claim lost its digits, if that explains the located errors; else nothing.

    Either the claimed values are those of a coarser precision, or they jump when x moves by its
    last digits, by as much as they are off: what cancellation leaves of a right formula.
    """
    coarse = _coarse(problem, entries, failed)
    if coarse:
        return f"the claimed values are {coarse} numbers: the derivative is computed in {coarse}"
    jump = _jump(problem, failed)
    if jump >= abs(failed.claimed - failed.found.value) / 4 and failed.claimed:
        return (
            f"the claimed derivative jumps by {jump / abs(failed.claimed):.0e} of its size when x moves by its "
            "last digits: cancellation, the formula needs another form here"
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
    mantissa, _ = np.frexp(g[g != 0])
    simple = mantissa * 64 == np.round(mantissa * 64)
    return bool(2 * np.count_nonzero(simple) >= simple.size)


def _jump(problem: Problem, failed: Comparison) -> float:
    """Return by how much the claimed derivative along the failed direction jumps near x; 0 if it moves smoothly.

    The places on one side of x are compared with each other: a branch at x itself is no jumping.
    """
    t = problem.inputs.layout.eps
    furthest = min(_FURTHEST, _LAST_DIGITS / t)
    largest = 0.0
    for side in (1.0, -1.0):
        seen = []
        for part in (0.0, 1 / 3, 2 / 3, 1.0):
            beside = side * furthest**part * t
            g = problem.pullback_beside(failed.direction, beside, failed.cotangent)
            if g is not None:
                seen.append(float(np.sum(g * failed.direction)))
        spread = max(seen, default=0.0) - min(seen, default=0.0)
        steps = sorted(abs(b - a) for a, b in pairwise(seen))
        if len(steps) < 2 or steps[-2] < spread / _ONCE:
            continue  # it jumps once, as at a branch close by
        if spread > _JUMPY * furthest * t * max(map(abs, seen), default=0.0):
            largest = max(largest, spread)
    return largest
