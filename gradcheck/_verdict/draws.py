"""Random directions and cotangents of one problem, of which large comparisons keep no more than a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison, Made
from gradcheck._claim.problem import Problem
from gradcheck._estimate.directions import signed

_FEW = 16_000  # numbers, which are sooner kept than drawn again


class Draws:
    """Draws directions and cotangents, and returns what makes them: the same ones whenever it is called.

    Parameters
    ----------
    problem : Problem
        f at x and the claim, begun.
    seed : int
        Of the generator.

    Attributes
    ----------
    rng : Generator
        For whoever draws something else.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self.rng = np.random.default_rng(seed)

    def direction(self) -> Made:
        """Return what makes a direction of x's sizes, not yet projected into the domains."""
        sizes = self._problem.inputs.sizes
        drawn = self._drawn(sizes.size)

        def direction() -> Array:
            d = drawn()
            d *= sizes
            return d

        return direction

    def tangent(self) -> Made:
        """Return what makes a direction inside the domains."""
        direction = self.direction()
        return lambda: self._problem.inputs.tangent(direction())

    def cotangent(self) -> Made:
        """Return what makes a cotangent."""
        problem = self._problem
        if problem.kind == "grad" or (problem.scalar and problem.kind not in ("vjp", "jac")):
            return lambda: np.array([1.0])
        return self._drawn(problem.outputs.size)

    def question(self) -> Made:
        """Return what makes the last argument of a vjp or a jvp."""
        return self.tangent() if self._problem.kind == "jvp" else self.cotangent()

    def _drawn(self, count: int) -> Made:
        """Draw numbers of either sign; return what makes new arrays of them."""
        if count <= _FEW:
            numbers = signed(self.rng, (count,))
            return numbers.copy
        seed = int(self.rng.integers(2**63))
        return lambda: signed(np.random.default_rng(seed), (count,))


def without_arrays(c: Comparison, direction: Made, cotangent: Made) -> Comparison:
    """Return a comparison that makes its arrays anew, unless they are small.

    As many arrays of x's size as there are comparisons would be most of a check's memory.
    """
    if max(c.direction.size, c.cotangent.size) <= _FEW:
        return c
    return replace(c, d=direction, v=cotangent)
