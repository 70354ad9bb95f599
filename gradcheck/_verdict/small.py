"""Probes of what is hidden beside the rest: outputs that hardly move, and entries that claim next to nothing."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.steps import down_to_power_of_two
from gradcheck._claim.compare import SMALL, claimed_terms, norm
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import claim_eps, claim_rounding
from gradcheck._estimate.scatter import NOISE_CONFIDENCE
from gradcheck._estimate.search import Goal, one_pair
from gradcheck._verdict.evidence import Evidence

# Of entries beside which f may move by little more than its rounding, as much as is easily had: of
# how they move f, or of what they claim.
_ROUGHLY = 1e-4
_VERY_ROUGHLY = 1e-2
_NOTHING = 1024.0  # ulps of its value, by which an output moves that a right claim is sure of
_LEAST_UNIT = 1e-280  # its reciprocal and products with it are far from float64's ends


def try_small_outputs(problem: Problem, evidence: Evidence) -> None:
    """Probe outputs that move too little to be seen beside the others, each in a unit of its own."""
    moved, eps = problem.moved, problem.arithmetic.eps
    problem.moved = None
    if moved is None or not moved.size or claim_eps(problem) > eps:
        return  # the claim is rounded more coarsely than the numerical side can show
    rounding = _NOTHING * eps * np.abs(problem.arithmetic.value)
    small = moved < SMALL * (norm(moved) / math.sqrt(moved.size))
    small &= moved > np.maximum(rounding, _LEAST_UNIT)
    if not small.any():
        return
    first = evidence.random[0]
    unit, drawn = down_to_power_of_two(moved[small]), evidence.draws.cotangent()
    del moved, rounding

    def cotangent() -> Array:
        v = np.where(small, drawn(), 0.0)
        v[small] /= unit
        return v

    size = norm(claimed_terms(problem, first.direction, cotangent()))
    goal = Goal(_ROUGHLY, atol=_VERY_ROUGHLY * size)
    evidence.try_outputs(
        lambda: first.direction,
        cotangent,
        _VERY_ROUGHLY,
        goal,
        lambda c: one_pair(c, goal.atol, noise=0.0),
    )


def try_small_entries(problem: Problem, evidence: Evidence) -> None:
    """Probe entries by themselves that claim next to nothing of a direction, too little to be seen in it."""
    if problem.kind == "jvp":
        return
    random = evidence.random
    _remember_noise(problem, evidence)
    first = random[0]
    d = first.direction
    share = claimed_terms(problem, d, first.cotangent)
    np.abs(share, out=share)
    small = share < SMALL * (first.scale / math.sqrt(share.size))
    if not small.any():
        return
    small &= d != 0
    share *= small
    noise = max([c.found.noise for c in random])
    goal = Goal(_ROUGHLY, atol=_VERY_ROUGHLY * norm(share))
    del share, d
    evidence.try_along(
        "small entries",
        lambda: first.direction,
        small,
        goal,
        lambda c: one_pair(c, goal.atol, noise),
    )


def _remember_noise(problem: Problem, evidence: Evidence) -> None:
    """Let what random directions showed of f's noise hold from now on: it is the same whichever entries move."""
    random = evidence.random
    at_x = statistics.median([c.found.noise_at_point for c in random])
    problem.noise = at_x / NOISE_CONFIDENCE
    rounding = claim_rounding(problem, max([c.scale for c in random]))
    evidence.tolerance = replace(evidence.tolerance, rounding=rounding)
