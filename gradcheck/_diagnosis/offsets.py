"""Whether an ε was added on one side only: f takes the logarithm of x + ε, the claim divides by x.

Then the claim is right at another point: where f(x) = F(x + ε) and the claim is F′(x), the claim at
x + ε is f's derivative at x; and at x − ε where the claim has the ε and f hasn't.  An entry may be
that of F(1 − x + ε) as well, as in a binary cross-entropy: then the signs are exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gradcheck._claim.problem import Problem
from gradcheck._estimate.directions import unit_vector
from gradcheck._report.report import WrongEntry

_LOOKED_AT = 6  # entries; a vjp is asked for each
_FEWEST = 3
_CLEAR = 30.0  # radii that an entry must be off by
_LEFT = 1e-4  # part of what an entry is off by that may stay unexplained
_UNLIKE = 1.5  # times: where all are off by the same, that may as well have been added to the claim
_SMALL = 1e-2  # of the largest entry of x looked at: an ε is no more
_FIRST, _STEPS, _SETTLED = 1e-4, 12, 1e-6  # of the search for ε


def added_inside(problem: Problem, entries: Sequence[WrongEntry]) -> str:
    """Say which ε explains the located entries; empty if none does.

    Which of the two has it can't be told: F(1 − x + ε) in f looks like F(1 − x) where x is larger by ε.
    """
    clear = [e for e in entries if abs(e.claimed - e.numerical) > _CLEAR * e.radius and not e.part]
    one = [e for e in clear if (e.argument, e.path) == (clear[0].argument, clear[0].path)]
    looked_at = sorted(one[:_LOOKED_AT], key=_doubt)
    off = [abs(e.claimed - e.numerical) for e in looked_at]
    if len(looked_at) < _FEWEST or max(off) < _UNLIKE * min(off):
        return ""
    left_open = _LEFT + _doubt(looked_at[0])
    first, *others = (_moved(problem, e) for e in looked_at)
    largest = max(abs(x) for x, _ in (first, *others))
    epsilon = _solved(first[1], looked_at[0].numerical, _FIRST * largest)
    if epsilon is None or not 0 < abs(epsilon) <= _SMALL * largest:
        return ""
    for (_, claim), e in zip(others, looked_at[1:], strict=True):
        found = [claim(side) for side in (epsilon, -epsilon)]
        left = min((abs(y - e.numerical) for y in found if y is not None), default=np.inf)
        if left > e.radius + left_open * abs(e.claimed - e.numerical):
            return ""
    return (
        f"an ε of {abs(epsilon):.3g} is added to argument {looked_at[0].argument}{looked_at[0].path} "
        "(inside a logarithm, say) in one of the two, f and the claim, only"
    )


def _doubt(e: WrongEntry) -> float:
    """Return which part of what an entry is off by isn't certain."""
    return e.radius / abs(e.claimed - e.numerical)


def _moved(problem: Problem, entry: WrongEntry) -> tuple[float, Callable[[float], float | None]]:
    """Return an entry of x, and its claimed derivative where all of x is larger by t."""
    inputs = problem.inputs
    j, k = problem.place(entry)
    slot, _ = inputs.layout.locate(k)

    def claim(t: float) -> float | None:
        everywhere = np.zeros(inputs.layout.size)
        everywhere[slot.start : slot.stop] = 1.0
        v = unit_vector(problem.outputs.size, j)
        gradient = problem.pullback_beside(everywhere, t, v)
        return None if gradient is None else float(gradient[k])

    return float(inputs.layout.flatten(inputs.point)[k]), claim


def _solved(claim: Callable[[float], float | None], wanted: float, step: float) -> float | None:
    """Return the t at which a claim is what is wanted, by the secant method; None where it doesn't settle."""
    before, now = 0.0, step
    at_before, at_now = claim(before), claim(now)
    for _ in range(_STEPS):
        if at_before is None or at_now is None or at_now == at_before:
            return None
        later = now - (at_now - wanted) * (now - before) / (at_now - at_before)
        if abs(later - now) <= _SETTLED * abs(later):
            return later
        before, at_before = now, at_now
        now, at_now = later, claim(later)
    return None
