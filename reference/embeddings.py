"""The embedding: rows of a table, picked by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Argument, Case, Classes, Interval
from reference._products import scattered, wide
from reference._validate import Array, as_array, of_shape, real, refuse


def embedding(table: Any, indices: Any) -> Array:
    """Return the rows of a table that the indices name.

    Parameters
    ----------
    table : array_like, shape (V, D)
        One row for each of V words.
    indices : array_like of int
        Numbers 0 … V−1 in any shape; they may repeat.

    Returns
    -------
    array, shape (…, D)
        The rows, in the dtype of `table`; exact.

    Raises
    ------
    TypeError
        If `table` does not hold real numbers, or `indices` are not integers or are masked.
    ValueError
        If `table` is no matrix or an index is out of range; negative ones do not count from the
        end.

    Notes
    -----
    Source: Y. Bengio et al., "A neural probabilistic language model", JMLR 3, 2003.

    Examples
    --------
    >>> embedding([[0.0, 1.0], [2.0, 3.0]], [1, 1, 0])
    array([[2., 3.],
           [2., 3.],
           [0., 1.]])
    """
    table, indices = _arguments(table, indices)
    return np.asarray(table[indices])


def embedding_vjp(table: Any, indices: Any, G: Any) -> Array:
    """Return what the embedding passes down: to each row the sum of what its uses receive.

    Parameters
    ----------
    table, indices
        As in `embedding`.
    G : array_like, shape (…, D)
        The upstream gradient, in the shape of the output.

    Returns
    -------
    array, shape (V, D)
        The gradient in `table`, in its dtype; accurate to 2 ulp of Σ|G| over the uses of the row,
        zero for a row that is not used.

    Raises
    ------
    TypeError, ValueError
        As in `embedding`; also if the shape of `G` is wrong.

    Notes
    -----
    Source: the chain rule on `embedding`.  ``dW[indices] += G`` would count a repeated index once.

    Examples
    --------
    >>> embedding_vjp([[0.0, 1.0], [2.0, 3.0]], [1, 1, 0], [[1.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    array([[0., 5.],
           [2., 0.]])
    """
    table, indices = _arguments(table, indices)
    G = of_shape("G", real("G", G), (*indices.shape, table.shape[1]), "the output of embedding")
    with np.errstate(all="ignore"):
        rows = wide(G).reshape(indices.size, table.shape[1])
        return np.asarray(scattered(rows, indices.ravel(), len(table)).astype(table.dtype))


def _arguments(table: Any, indices: Any) -> tuple[Array, Array]:
    table, indices = real("table", table), as_array("indices", indices)
    if table.ndim != 2:
        raise ValueError(f"table must have the shape (words, features), got {table.shape}")
    if indices.dtype.kind not in "iu" and indices.size:
        raise TypeError(f"indices must be integers, got dtype {indices.dtype}")
    wrong = (indices < 0) | (indices >= len(table))
    refuse("indices", indices, wrong, f"must be numbers 0 … {len(table) - 1} of rows of the table")
    return table, indices.astype(np.intp)


CASES = (
    Case(
        name="embedding",
        f=embedding,
        vjp=embedding_vjp,
        arguments=(
            Argument("table", Interval(), ("V", "D")),
            Argument("indices", Classes("V"), ("N",)),
        ),
        source="Y. Bengio et al., A neural probabilistic language model, JMLR 3, 2003",
    ),
)
