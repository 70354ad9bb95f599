"""The claimed derivative in columns: of all outputs, for a movement of each input by its size."""

from __future__ import annotations

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.problem import Problem
from gradcheck._estimate.directions import unit_vector


class Columns:
    """The whole of a claim, and where its columns lead.

    Parameters
    ----------
    problem : Problem
        f and the claim, begun.

    Attributes
    ----------
    jacobian : ndarray of float64
        As claimed, of shape (outputs, inputs).
    sizes : ndarray of float64
        How far each input may move: the natural size of its entry.
    claimed : ndarray of float64
        The same for movements of each input by its size, projected into the domain.
    reach : ndarray of float64
        How often each input may move by its size either way and stay in the domain; NaN where others move along.
    moves : ndarray of bool
        False where the domain holds an input.
    """

    def __init__(self, problem: Problem) -> None:
        self._inputs = problem.arithmetic.inputs
        self.jacobian = _claimed_jacobian(problem)
        self.sizes = self._inputs.sizes
        self.claimed = self.jacobian * self.sizes
        self.reach = self._inputs.reach_alone()
        self.moves = np.ones(self.sizes.size, dtype=bool)
        for i in np.flatnonzero(np.isnan(self.reach)).tolist():
            d = self.along(i)
            self.moves[i] = d.any()
            self.claimed[:, i] = self.jacobian @ d
            if np.count_nonzero(d) == 1 and d[i] == self.sizes[i]:
                self.reach[i] = min(self._inputs.reach(d))

    @property
    def free(self) -> bool:
        """Whether every input may move alone, and as far as it will."""
        return bool(np.isposinf(self.reach).all())

    def along(self, i: int) -> Array:
        """Return the direction of column i."""
        d = np.zeros_like(self.sizes)
        d[i] = self.sizes[i]
        return self._inputs.tangent(d)


def _claimed_jacobian(problem: Problem) -> Array:
    m, n = problem.outputs.size, problem.inputs.layout.size
    match problem.kind:
        case "jac":
            return problem.jacobian()
        case "jvp":
            return np.stack([problem.pushforward(unit_vector(n, i)) for i in range(n)], axis=1)
        case _:
            return np.array([problem.pullback(unit_vector(m, j)) for j in range(m)])
