"""What counts as real numbers, from whichever library they come: NumPy, Python, mpmath, SymPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_PLAIN = (int, float, np.integer, np.floating)


class NotANumberError(TypeError):
    """A function returned something that isn't numbers."""


def as_array(value: Any, name: str) -> npt.NDArray[Any]:
    """Return value as an array, or raise with its name where it is ragged or more than an array."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.memmap):
        if type(value) is np.ndarray:
            return value
        hint = "x.filled(…) for a mask, else np.asarray(x)"
        raise TypeError(
            f"{name} is a {full_name(value)}, whose own rules a plain array would lose without a word; "
            f"pass a plain array ({hint})"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} must hold real numbers in a regular shape: {error}") from error
    except Exception as error:
        raise TypeError(
            f"{name} is a {full_name(value)} that doesn't become a NumPy array: {error}"
        ) from error


def full_name(value: Any) -> str:
    """Name a value's type with its module."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def real_array(x: Any, name: str) -> npt.NDArray[Any]:
    """Return x as a finite floating-point array, or raise with its name.

    Integers, bools and the numbers of mpmath and SymPy become float64.
    """
    a = number_array(x, name)
    if a.dtype.kind == "c":
        raise TypeError(f"{name} must hold real numbers, got dtype {a.dtype}")
    return a


def number_array(x: Any, name: str) -> npt.NDArray[Any]:
    """Return x as a finite array of real or complex numbers, or raise with its name."""
    a = as_array(x, name)
    if a.dtype.kind in "iubO" and is_numeric(a):
        a = float64_of(a)
    if a.dtype.kind not in "fc":
        raise TypeError(f"{name} must hold real numbers, got dtype {a.dtype}")
    if not np.isfinite(a).all():
        bad = np.argwhere(~np.isfinite(a))[0].tolist()
        raise ValueError(f"{name} must be finite, but entry {bad} is {a[tuple(bad)]}")
    return a


def is_numeric(value: Any) -> bool:
    """Whether a leaf holds numbers: of a NumPy number type, or objects that are high-precision reals."""
    a = np.asarray(value)
    if a.dtype.kind == "O":
        return all(isinstance(item, _PLAIN) or is_precise(item) for item in a.flat)
    return a.dtype.kind in "fiubc"


def is_real(value: Any) -> bool:
    """Whether a leaf holds real numbers."""
    return is_numeric(value) and np.asarray(value).dtype.kind != "c"


def is_precise(item: Any) -> bool:
    """Whether an object is a real number of mpmath or SymPy (a constant expression included)."""
    if hasattr(item, "_mpf_"):  # mpmath's mpf and SymPy's Float
        return True
    return bool(getattr(item, "is_number", False) and getattr(item, "is_real", False))


def numeric(value: Any) -> npt.NDArray[Any]:
    """Return a leaf as an array of a NumPy number type; high-precision objects are rounded to float64."""
    a = np.asarray(value)
    if a.dtype.kind == "O":
        return np.array([float(item) for item in a.flat], dtype=np.float64).reshape(a.shape)
    return a


def float64_of(value: Any) -> Floats:
    """Round a leaf's real numbers to float64."""
    return np.asarray(numeric(value), dtype=np.float64)


def is_sparse(a: Any) -> bool:
    """Whether a matrix is one of SciPy's sparse kinds (which are not imported for that)."""
    return not isinstance(a, np.ndarray) and hasattr(a, "tocoo") and hasattr(a, "tocsr")


def same_entries(a: Any, b: Any) -> bool:
    """Whether two sparse matrices hold the same numbers, however they are sorted: that SciPy may change."""
    return a.shape == b.shape and all(map(_same_numbers, _entries(a), _entries(b)))


def _entries(matrix: Any) -> tuple[npt.NDArray[Any], ...]:
    entries = matrix.tocoo(copy=True)
    entries.sum_duplicates()
    return entries.row, entries.col, entries.data


def _same_numbers(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def kind_of(value: Any) -> str:
    """Say what a leaf holds, for messages."""
    a = np.asarray(value)
    if a.dtype.kind != "O":
        return f"dtype {a.dtype}"
    kinds = sorted({"None" if item is None else type(item).__name__ for item in a.flat})
    return " and ".join(kinds) or "an empty array of objects"
