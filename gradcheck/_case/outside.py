"""Why an array does not lie in a domain, in words."""

from __future__ import annotations

import numpy as np

from gradcheck._case.domain import Array, Domain, Interval, PositiveDefinite, Simplex, Symmetric


def why_outside(x: Array, domain: Domain) -> str:
    """Say which entries of x put it outside of a domain; empty for a domain that isn't one of ours.

    Examples
    --------
    >>> why_outside(np.array([0.5, -1.0]), Interval(0.0))
    'entry [1] is -1.0'
    >>> why_outside(np.array([[1.0, 2.0], [0.5, 1.0]]), Symmetric())
    'entry [0, 1] is 2.0 and [1, 0] is 0.5, 1.5 apart: give (A + A.T) / 2'
    """
    match domain:
        case Interval():
            return _entry(x, ~((x > domain.low) & (x < domain.high)))
        case Simplex() if x.ndim and x.size:
            return _entry(x, ~(x > 0)) or _sum(x)
        case Symmetric():
            return _asymmetry(x)
        case PositiveDefinite():
            return _asymmetry(x) or _eigenvalue(x)
        case _:
            return ""


def _entry(x: Array, outside: Array) -> str:
    if not np.any(outside):
        return ""
    index = tuple(int(i) for i in np.argwhere(outside)[0])
    return f"entry {list(index)} is {x[index]}" if index else f"it is {x[index]}"


def _sum(x: Array) -> str:
    sums = x.sum(axis=-1)
    worst = np.unravel_index(np.argmax(np.abs(sums - 1)), sums.shape)
    row = f"row {[int(i) for i in worst]}" if sums.ndim else "it"
    return f"{row} sums to {sums[worst]!s}: divide by x.sum(axis=-1, keepdims=True)"


def _asymmetry(x: Array) -> str:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return f"its shape is {x.shape}, not that of square matrices"
    apart = np.abs(x - np.swapaxes(x, -1, -2))
    if not np.any(apart):
        return ""
    *stack, i, j = (int(k) for k in np.unravel_index(np.argmax(apart), x.shape))
    one, other = (*stack, i, j), (*stack, j, i)
    mean = "(A + A.T) / 2" if x.ndim == 2 else "(A + np.swapaxes(A, -1, -2)) / 2"
    return f"entry {list(one)} is {x[one]} and {list(other)} is {x[other]}, {apart[one]:.2g} apart: give {mean}"


def _eigenvalue(x: Array) -> str:
    return f"its smallest eigenvalue is {np.linalg.eigvalsh(x.astype(np.float64)).min():.3g}"
