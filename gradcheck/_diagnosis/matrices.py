"""Mistakes in a claimed square matrix, or a Jacobian, as a whole: its diagonal, its triangles, its shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison
from gradcheck._claim.problem import Problem
from gradcheck._diagnosis.answers import Hypothesis
from gradcheck._diagnosis.factors import factor_of_part, without
from gradcheck._diagnosis.ratios import CLOSE, simple_ratio
from gradcheck._estimate.directions import unit_vector
from gradcheck._report.report import Diagnosis

_MOST_NUMBERS = 2**20


def of_matrix(problem: Problem, usable: Sequence[Comparison]) -> Iterator[Hypothesis]:
    """Yield what may be wrong with a claimed Jacobian or Hessian as a matrix."""
    matrix = _matrix(problem)
    if matrix is None:
        return
    rows, columns = matrix.shape
    what = "Hessian" if problem.kind == "hess" else "Jacobian"
    if problem.kind == "jac" and 1 < rows != columns > 1:
        text = "the entries of the Jacobian stand in the order of its transpose"
        yield _replaced(Diagnosis("transpose", text), matrix.reshape(columns, rows).T, usable)
    if rows != columns or rows == 1:
        return
    diagonal = np.diag(np.diag(matrix))
    if not np.any(matrix - diagonal) or not np.any(diagonal):
        return
    upper, lower = np.triu(matrix, 1), np.tril(matrix, -1)
    if problem.kind == "hess" and upper.any() != lower.any():
        which = "upper" if upper.any() else "lower"
        text = f"only the {which} triangle of the Hessian is filled"
        yield _replaced(Diagnosis("triangle", text), matrix + matrix.T - diagonal, usable)
    yield from _of_part(usable, diagonal, f"the diagonal of the {what}")
    yield from _of_part(usable, matrix - diagonal, f"all beside the diagonal of the {what}")


def _matrix(problem: Problem) -> Array | None:
    """Return a claimed Jacobian or Hessian, unless that is too large to be looked at."""
    size = problem.inputs.layout.size
    if problem.kind == "jac" and problem.outputs.size * size <= _MOST_NUMBERS:
        return problem.jacobian()
    if problem.kind == "hess" and size * size <= _MOST_NUMBERS:
        columns = [problem.hessian_product(unit_vector(size, k)) for k in range(size)]
        return np.stack(columns, axis=1)
    return None


def _replaced(diagnosis: Diagnosis, matrix: Array, usable: Sequence[Comparison]) -> Hypothesis:
    return Hypothesis(diagnosis, [float(c.cotangent @ (matrix @ c.direction)) for c in usable])


def _of_part(usable: Sequence[Comparison], part: Array, where: str) -> Iterator[Hypothesis]:
    """Yield the sign or the plain factor that a part of a matrix has."""
    shares = np.array([float(c.cotangent @ (part @ c.direction)) for c in usable])
    factor = factor_of_part(usable, shares)
    if factor is None:
        return
    simple = simple_ratio(factor)
    if abs(factor + 1) < CLOSE:
        text = f"the sign of {where} is flipped"
        yield without(usable, shares, factor, Diagnosis("sign", text))
    elif simple is not None:
        text = f"claimed = {simple} × numerical in {where} alone"
        yield without(usable, shares, factor, Diagnosis("factor", text))
