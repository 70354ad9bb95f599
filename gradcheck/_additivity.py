"""Whether f has a derivative at x at all: its directional derivatives must add up.

Where three entries tie, their median has a derivative along every line, but moving one of them
alone shows zero and moving them all shows one.  No claim can agree with that, so none is wrong.

Of directions d = a + b the sides of a kink may add up in any way that stays within their sums, as
they do for every convex f and for one of separate kinks; a claim there is judged by the sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck._directions import signed
from gradcheck._domain import Array
from gradcheck._problem import Problem
from gradcheck._report import WrongEntry
from gradcheck._ties import Sides, sides_along

_SPLITS = 8  # each takes six evaluations; of a median of three most of them show it


def is_contradictory(problem: Problem, wrong: Sequence[WrongEntry]) -> bool:
    """Whether what is wrong lies in entries that tie, along which f's derivatives don't add up.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    wrong : sequence of WrongEntry
        Where the claim disagrees, as far as known.
    """
    x = problem.inputs.layout.flatten(problem.inputs.point)
    values, inverse, count = np.unique(x, return_inverse=True, return_counts=True)
    tied = np.flatnonzero(count[inverse] > 1)
    repeated = values[count > 1]
    if not tied.size or not all(_has_any(problem, entry, repeated) for entry in wrong):
        return False
    rng = np.random.default_rng(0)
    for _ in range(_SPLITS):
        a, b = np.zeros((2, problem.inputs.layout.size))
        first = rng.random(tied.size) < 0.5
        moves = (
            problem.inputs.sizes[tied] * signed(rng, tied.shape) * rng.uniform(0.5, 1, tied.size)
        )
        a[tied[first]], b[tied[~first]] = moves[first], moves[~first]
        a, b = problem.inputs.tangent(a), problem.inputs.tangent(b)
        if a.any() and b.any() and not _add_up(*(sides_along(problem, d) for d in (a + b, a, b))):
            return True
    return False


def _add_up(whole: Sides, a: Sides, b: Sides) -> bool:
    low, high = a.low + b.low, a.high + b.high
    doubt = whole.doubt + a.doubt + b.doubt
    return bool(np.all((whole.low >= low - doubt) & (whole.high <= high + doubt)))


def _has_any(problem: Problem, entry: WrongEntry, values: Array) -> bool:
    """Whether one of these values stands in x where an entry is wrong."""
    pairs = zip(problem.inputs.layout.slots, problem.inputs.point, strict=True)
    at = (entry.argument, entry.path)
    x = next(a[entry.index] for slot, a in pairs if (slot.argument, slot.path) == at)
    return bool(np.isin([np.real(x), np.imag(x)], values).any())
