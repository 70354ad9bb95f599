"""Whether an ε was added on one side only: f takes the logarithm of x + ε, the claim divides by x.

Then the claim is right at another point: where f(x) = F(x + ε) and the claim is F′(x), the claim at
x + ε is f's derivative at x; and at x − ε where the claim has the ε and f hasn't.  An entry may be
that of F(1 − x + ε) as well, as in a binary cross-entropy: then the signs are exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gradcheck._case.numbers import is_sparse
from gradcheck._case.tree import Slot
from gradcheck._claim.problem import Problem
from gradcheck._estimate.directions import unit_vector
from gradcheck._report.report import WrongEntry

_LOOKED_AT = 6  # entries; a claim is asked for each
_FEWEST = 3
_CLEAR = 30.0  # radii that an entry must be off by
_LEFT = 1e-4  # part of what an entry is off by that may stay unexplained
_UNLIKE = 1.5  # times: where all are off by the same, that may as well have been added to the claim
_SMALL, _SMALL_BESIDE_POSITIVE = 1e-2, 5e-2  # of the largest entry of x: an ε is no more
_FIRST, _STEPS, _SETTLED = 1e-4, 12, 1e-6  # of the search for ε

Claim = Callable[[float], float | None]  # of an entry, where all of x is larger by t


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
    slot = _slot(problem, looked_at[0])
    x = problem.inputs.point[problem.inputs.layout.slots.index(slot)]
    largest = float(np.max(np.abs(x)))
    positive = slot.parts == 1 and bool(np.min(x) > 0)
    most = (_SMALL_BESIDE_POSITIVE if positive else _SMALL) * largest
    left_open = _LEFT + _doubt(looked_at[0])
    first, *others = (_moved(problem, slot, e) for e in looked_at)
    for epsilon in _solutions(first, looked_at[0].numerical, largest):
        pairs = zip(others, looked_at[1:], strict=True)
        if 0 < abs(epsilon) <= most and all(
            _is_explained(claim, e, epsilon, left_open) for claim, e in pairs
        ):
            return (
                f"an ε of {abs(epsilon):.3g} is added to argument {slot.argument}{slot.path} "
                "(inside a logarithm, say) in one of the two, f and the claim, only"
            )
    return ""


def _doubt(e: WrongEntry) -> float:
    """Return which part of what an entry is off by isn't certain."""
    return e.radius / abs(e.claimed - e.numerical)


def _is_explained(claim: Claim, e: WrongEntry, epsilon: float, left_open: float) -> bool:
    found = [claim(side) for side in (epsilon, -epsilon)]
    left = min((abs(y - e.numerical) for y in found if y is not None), default=np.inf)
    return left <= e.radius + left_open * abs(e.claimed - e.numerical)


def _slot(problem: Problem, entry: WrongEntry) -> Slot:
    slots = problem.inputs.layout.slots
    return next(s for s in slots if (s.argument, s.path) == (entry.argument, entry.path))


def _moved(problem: Problem, slot: Slot, entry: WrongEntry) -> Claim:
    """Return the claim of an entry where all of an argument is larger by t."""
    row, column = _row_and_column(problem, slot, entry)
    by_column = problem.kind in ("jvp", "hvp")
    size = problem.inputs.layout.size if by_column else problem.outputs.size
    asked_for = column if by_column else row if problem.kind == "vjp" else 0
    here = problem.inputs.layout.slots.index(slot)

    def claim(t: float) -> float | None:
        everywhere = np.zeros(problem.inputs.layout.size)
        everywhere[slot.start : slot.stop] = 1.0
        leaves = problem.answer_beside(everywhere, t, unit_vector(size, asked_for))
        if leaves is None:
            return None
        if by_column:
            numbers = np.concatenate([np.reshape(leaf, -1) for leaf in leaves])
            found = float(numbers[row])
        elif problem.kind in ("jac", "hess"):
            leaf = leaves[here]
            width = slot.stop - slot.start
            matrix = leaf.tocsr() if is_sparse(leaf) else np.reshape(leaf, (-1, width))
            found = float(matrix[row, column - slot.start])
        else:
            found = float(np.reshape(leaves[here], -1)[column - slot.start])
        return found if np.isfinite(found) else None

    return claim


def _row_and_column(problem: Problem, slot: Slot, e: WrongEntry) -> tuple[int, int]:
    if problem.kind not in ("hess", "hvp"):
        return problem.place(e)
    row, column = (
        int(np.ravel_multi_index(i, slot.shape)) if i else 0 for i in (e.output or (), e.index)
    )
    return slot.start + row, slot.start + column


def _solutions(claim: Claim, wanted: float, largest: float) -> Iterator[float]:
    """Yield where a claim is what is wanted, as it is and by its inverse, of which 1/x is a line."""
    straight = _solved(claim, wanted, _FIRST * largest)
    if straight is not None:
        yield straight

    def inverse(t: float) -> float | None:
        found = claim(t)
        return 1 / found if found else None

    inverted = _solved(inverse, 1 / wanted, _FIRST * largest) if wanted else None
    if inverted is not None:
        yield inverted


def _solved(claim: Claim, wanted: float, step: float) -> float | None:
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
