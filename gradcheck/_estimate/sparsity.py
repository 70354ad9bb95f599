"""Which outputs may depend on which inputs, and which inputs can therefore be moved at once.

Two columns of a Jacobian without a common row can share one line: each output answers for the one
column that it depends on (Curtis, Powell & Reid 1974).  A tridiagonal Jacobian of any size takes
three lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The places of a Jacobian that may hold something, column by column.

    Parameters
    ----------
    shape : tuple of int
        Outputs and inputs.
    start : ndarray of int
        Column i owns the places ``start[i]`` … ``start[i + 1]``.
    rows, column : ndarray of int
        The output and the input of each place.
    sparse : object or None
        The caller's pattern in SciPy's column format, where it was a sparse one.
    """

    shape: tuple[int, int]
    start: Indices
    rows: Indices
    column: Indices
    sparse: Any = None

    @property
    def full(self) -> bool:
        """Whether every place may hold something."""
        return self.rows.size == self.shape[0] * self.shape[1]

    def places(self, columns: Indices) -> Indices:
        """Return the places of some columns, one column after the other."""
        parts = [np.arange(self.start[i], self.start[i + 1]) for i in columns]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


def everything(shape: tuple[int, int]) -> Pattern:
    """Return the pattern of a dense Jacobian."""
    m, n = shape
    return Pattern(
        shape, np.arange(n + 1) * m, np.tile(np.arange(m), n), np.repeat(np.arange(n), m)
    )


def pattern_of(sparsity: Any, shape: tuple[int, int]) -> Pattern:
    """Read a pattern that the caller gave.

    Raises
    ------
    TypeError
        If it holds something other than booleans and numbers.
    ValueError
        If its shape isn't `shape`, or it holds numbers other than 0 and 1 without being sparse.
    """
    given = tuple(sparsity.shape) if hasattr(sparsity, "tocsc") else np.shape(sparsity)
    if given != shape:
        raise ValueError(
            f"sparsity has shape {given}, expected {shape}: a row for each of f's {shape[0]} values, "
            f"a column for each of x's {shape[1]} entries"
        )
    if hasattr(sparsity, "tocsc"):
        return _of_sparse(sparsity.tocsc().copy(), shape)
    dense = np.asarray(sparsity)
    if dense.dtype.kind not in "biuf":
        raise TypeError(f"sparsity must hold booleans, or zeros and ones; got dtype {dense.dtype}")
    if not np.all((dense == 0) | (dense == 1)):
        raise ValueError("sparsity must hold booleans, or zeros and ones; it holds other numbers")
    columns, rows = np.nonzero(dense.T)
    start = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=shape[1]))])
    return Pattern(shape, start, rows, columns)


def _of_sparse(csc: Any, shape: tuple[int, int]) -> Pattern:
    """Read the stored places of a sparse array, whatever is stored there."""
    csc.sum_duplicates()
    csc.sort_indices()
    start = csc.indptr.astype(np.intp)
    columns = np.repeat(np.arange(shape[1]), np.diff(start))
    return Pattern(shape, start, csc.indices.astype(np.intp), columns, csc)


def groups(pattern: Pattern) -> list[Indices]:
    """Group the columns so that no two of a group share a row.

    Greedy: columns with more rows first, ties by position, each into the first group that it fits.

    Examples
    --------
    >>> import numpy as np
    >>> tridiagonal = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) <= 1
    >>> [g.tolist() for g in groups(pattern_of(tridiagonal, (6, 6)))]
    [[1, 4], [2, 5], [0, 3]]
    """
    degree = np.diff(pattern.start)
    order = np.argsort(-degree, kind="stable")
    taken: list[npt.NDArray[np.bool_]] = []
    members: list[list[int]] = []
    for i in order:
        rows = pattern.rows[pattern.start[i] : pattern.start[i + 1]]
        fits = (k for k, used in enumerate(taken) if not used[rows].any())
        k = next(fits, len(taken))
        if k == len(taken):
            taken.append(np.zeros(pattern.shape[0], dtype=bool))
            members.append([])
        taken[k][rows] = True
        members[k].append(int(i))
    return [np.array(sorted(m), dtype=np.intp) for m in members]
