"""f and a claim about its second derivatives: a Hessian, dense or sparse, or its product with a direction."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.numbers import is_sparse
from gradcheck._claim.finding import failure
from gradcheck._claim.parts import array_of, check_array
from gradcheck._claim.problem import Problem
from gradcheck._report.report import Reason


class SecondProblem(Problem):
    """f at x and a ``hess`` or an ``hvp``; the parameters are those of `Problem`."""

    _matrix: Any = None

    def hessian_product(self, direction: Array) -> Array:
        """Return the claimed H·u as a flat vector over the varying leaves."""
        if self.kind == "hvp":
            return super().hessian_product(direction)
        if self._matrix is None:
            self._matrix = self._matrix_of(self._ask())
        return np.asarray(self._matrix @ direction)

    def answer(self, probe: Array) -> list[Any]:
        """Return the claim's arrays as they come; what a ``hess`` says is known from now on."""
        parts = super().answer(probe)
        if self.kind == "hess" and self._matrix is None:
            self._matrix = self._matrix_of(parts[0])
        return parts

    def _last_argument(self, probe: Array) -> tuple[Any, ...]:
        return (self._shaped_input(probe),) if self.kind == "hvp" else ()

    def _parts(self, out: Any) -> list[Any]:
        return super()._parts(out) if self.kind == "hvp" else [_as_matrix(out)]

    def _matrix_of(self, out: Any) -> Any:
        """Return the claimed Hessian as a square matrix of float64, sparse if it came so."""
        (slot,) = self.inputs.layout.slots
        size, claimed = self.inputs.layout.size, _as_matrix(out)
        if not is_sparse(claimed):
            check_array(claimed, (*slot.shape, *slot.shape), "the Hessian", "real")
            return claimed.reshape(size, size).astype(np.float64)
        if claimed.shape != (size, size):
            message = f"the Hessian has shape {claimed.shape}, expected {(size, size)}"
            raise failure(Reason.SHAPE, message)
        check_array(np.asarray(claimed.tocoo().data), None, "the Hessian", "real")
        return claimed.tocsr().astype(np.float64)


def _as_matrix(out: Any) -> Any:
    if is_sparse(out):
        return out
    if callable(getattr(out, "matvec", None)):
        raise TypeError(
            f"hess= is for an array or a sparse matrix, this one returns a {type(out).__name__}: "
            "give its matvec as hvp=, as in lambda x, u: hess(x).matvec(u)"
        )
    return array_of(out, "the Hessian")
