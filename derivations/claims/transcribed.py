"""What document C computes, mistakes included, so that the mistakes can be shown.

The document's layer adds 1e-7 inside the logarithm, takes the argmax of its labels in the loss but
not in the gradient, and ignores what arrives from above.  `reference.SoftmaxWithLoss` is the layer
as it should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

OFFSET = 1e-7


def probabilities(a: Array) -> Array:
    """Return the softmax of each row.

    Parameters
    ----------
    a : ndarray, shape (N, n)
        Logits.
    """
    raised = np.exp(a - a.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def document_loss(a: Array, t: Array) -> float:
    """Return the loss as the document's code computes it.

    Parameters
    ----------
    a : ndarray, shape (N, n)
        Logits.
    t : ndarray, shape (N, n)
        Labels, one-hot or not: the largest entry of each row is taken for the class.
    """
    rows = np.arange(len(a))
    chosen = probabilities(a)[rows, t.argmax(axis=1)]
    return float(-np.log(chosen + OFFSET).sum() / len(a))


def document_backward(a: Array, t: Array, upstream: float = 1.0) -> Array:
    """Return what the document's backward pass returns, whatever arrives from above.

    Parameters
    ----------
    a, t : ndarray, shape (N, n)
        Logits and labels.
    upstream : float
        The gradient from above, which the document's code accepts and ignores.
    """
    del upstream
    return np.asarray((probabilities(a) - t) / len(a))
