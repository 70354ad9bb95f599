"""What entries of x whose sizes are very unlike ask for.

An entry is moved by its own size, so that its gradient counts times that.  Where it is tiny, its
movement is lost in the rounding of what the others give, and a claim about it can't be told wrong.
Steps as large as the largest entry show it.  They tell of f farther from x, so that what they show
convicts no claim; but neither does a claim pass that differs there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import GOAL, Comparison, claimed_terms, judged, norm
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.directions import signed
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import one_pair

_UNLIKE = 1e6  # times
_ROUGHLY = 1e-2  # part of the terms, to which a pair of steps has to agree
_PLAINLY = 3.0  # times what is allowed, which is as much


def unlike_sizes(problem: Problem) -> str:
    """Say how entries are weighed, where that matters."""
    least, most = float(problem.inputs.sizes.min()), float(problem.inputs.sizes.max())
    if most <= _UNLIKE * least:
        return ""
    return (
        f"the entries of x are of sizes from {least:.0e} to {most:.0e}, and each entry of the gradient counts "
        'times that size; mode="full" looks at each by itself'
    )


def disagreement_from_afar(
    problem: Problem, cotangent: Array, tolerance: Tolerance, noise: float, rng: np.random.Generator
) -> Comparison | None:
    """Return how the claim about tiny entries plainly differs where they are moved as far as the largest one."""
    sizes = problem.inputs.sizes
    largest = float(sizes.max())
    d = np.where(sizes * _UNLIKE < largest, largest * signed(rng, sizes.shape), 0.0)
    d = problem.inputs.tangent(d)
    if problem.kind == "jvp" or not d.any():
        return None
    line = problem.line(d, cotangent[None, :])
    further = max(1.0, 2.0 ** np.floor(-np.log2(line.unit)))
    line = line.in_longer_steps(further)
    at = problem, "tiny inputs", d, cotangent
    atol = _ROUGHLY * norm(claimed_terms(problem, d, cotangent))
    roughly = replace(tolerance, rtol=max(tolerance.rtol, _ROUGHLY))
    found = one_pair(Component(line, 0), atol, noise)
    if found is None or not judged(*at, found, roughly).agrees:
        found = derivative(Component(line, 0), GOAL)
    c = judged(*at, found, roughly)
    return c if found.reason == "smooth" and c.excess > _PLAINLY else None
