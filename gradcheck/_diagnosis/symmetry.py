"""Whether a claim that is wrong is right where a matrix stays symmetric.

Symmetric matrices have two usual gradients: the symmetric one, and that of the triangle which f
reads.  Both are right along symmetric directions, but along all others at most one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gradcheck._case.domain import Array, Domain, PositiveDefinite, Symmetric
from gradcheck._case.tree import Slot
from gradcheck._claim.compare import Comparison, compare
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.directions import signed
from gradcheck._report.report import Diagnosis

_DIRECTIONS = 2  # what is wrong along symmetric ones, too, shows along both


class _Square(NamedTuple):
    """An argument that is symmetric at x."""

    slot: Slot
    x: Array


def right_where_symmetric(
    problem: Problem, failed: Sequence[Comparison], tolerance: Tolerance, part: float
) -> Diagnosis | None:
    """Name an argument of a wrong claim, or several, along whose symmetric directions it agrees.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    failed : sequence of Comparison
        Two disagreements or more, along random directions.
    tolerance : Tolerance
        What is forgiven of the claim.
    part : float
        How much of those disagreements may be left.
    """
    if problem.kind in ("hess", "hvp"):
        return None
    rng = np.random.default_rng(0)
    for squares in _candidates(problem):
        if all(_agrees(problem, squares, c, tolerance, part, rng) for c in failed[:_DIRECTIONS]):
            return Diagnosis("symmetric", _sentence(problem, squares))
    return None


def _candidates(problem: Problem) -> Iterator[list[_Square]]:
    """Yield each argument that is a symmetric matrix at x, or a stack of them; then all of them."""
    pairs = zip(problem.inputs.layout.slots, problem.inputs.point, strict=True)
    found = [_Square(slot, x) for slot, x in pairs if _is_symmetric(slot, x)]
    yield from ([square] for square in found)
    if len(found) > 1:
        yield found


def _is_symmetric(slot: Slot, x: Array) -> bool:
    if slot.path or slot.parts > 1 or x.ndim < 2 or x.shape[-1] == 1:
        return False  # a domain is declared for a whole argument, and these are real
    return Symmetric().contains(x)


def _agrees(
    problem: Problem,
    squares: Sequence[_Square],
    failed: Comparison,
    tolerance: Tolerance,
    part: float,
    rng: np.random.Generator,
) -> bool:
    """Whether the claim agrees along a fresh direction, symmetric in some arguments, and it shows."""
    d = signed(rng, problem.inputs.sizes.shape)
    d *= problem.inputs.sizes
    for slot, x in squares:
        here = slice(slot.start, slot.stop)
        d[here] = Symmetric().tangent(x, d[here].reshape(slot.shape)).reshape(-1)
    c = compare(problem, "random", problem.inputs.tangent(d), failed.cotangent, tolerance)
    shows = c.missed <= part * failed.off
    return shows and c.agrees and c.found.interval is None


def _sentence(problem: Problem, squares: Sequence[_Square]) -> str:
    names = " and ".join(f"argument {slot.argument}" for slot, _ in squares)
    domains = {slot.argument: f"gradcheck.{_fitting(x).__name__}()" for slot, x in squares}
    if len(problem.inputs.argnums) == 1:
        (domain,) = domains.values()
    else:
        domain = "{" + ", ".join(f"{k}: {one}" for k, one in domains.items()) + "}"
    return (
        f"the claim is right for symmetric perturbations of {names}, and only for these: "
        f"if f takes symmetric matrices alone, give domain={domain}"
    )


def _fitting(x: Array) -> type[Domain]:
    return PositiveDefinite if PositiveDefinite().contains(x) else Symmetric
