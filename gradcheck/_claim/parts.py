"""What a claim answers must have the structure, the shape and the numbers that were asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._case.numbers import full_name, is_numeric, is_precise, is_sparse, numeric
from gradcheck._case.tree import describe, difference, is_dict
from gradcheck._claim.finding import Violation, failure
from gradcheck._report.report import Reason


def misshapen(what: str, out: Any, where: str, pattern: Any, hint: str = "") -> Violation:
    """Return the finding that an answer has another structure, with the first place where it has."""
    path, expected, given = difference(pattern, out) or ("", pattern, out)
    if not is_dict(expected) and not isinstance(expected, (list, tuple)):
        hint = hint or _hint_for_array(given)
    at, here = (f" at {path}", "has") if path else ("", "is")
    message = (
        f"{what} returns {describe(given)}{at} where {where} {here} {describe(expected)}{hint}"
    )
    return failure(Reason.SHAPE, message)


def _hint_for_array(given: Any) -> str:
    if isinstance(given, tuple) and len(given) == 1:
        return "; return its item alone"
    return "; return np.array(…)" if isinstance(given, (list, tuple)) else ""


def array_of(value: Any, what: str) -> npt.NDArray[Any]:
    """Return a part of a claim as an array; numbers of mpmath and SymPy become float64."""
    if is_sparse(value):
        raise failure(
            Reason.DTYPE, f"{what} is a {full_name(value)}, expected an array: return A.toarray()"
        )
    if callable(getattr(value, "matvec", None)):
        raise failure(
            Reason.DTYPE,
            f"{what} is a {full_name(value)}; return an array (A @ np.eye(n)) or give its rmatvec as vjp=",
        )
    try:
        a = np.asarray(value)
    except Exception as error:
        raise failure(
            Reason.DTYPE,
            f"{what} is a {full_name(value)} that doesn't become a NumPy array: {error}",
        ) from error
    return (
        numeric(a) if a.dtype.kind == "O" and any(map(is_precise, a.flat)) and is_numeric(a) else a
    )


def check_array(a: Array, shape: tuple[int, ...] | None, what: str, numbers: str) -> None:
    """Raise a `Violation` for a part of a claim that isn't finite numbers of that shape."""
    if a.dtype.kind not in ("fiubc" if numbers == "complex" else "fiub"):
        raise failure(Reason.DTYPE, f"{what} has dtype {a.dtype}, expected {numbers} numbers")
    if shape is not None and a.shape != shape:
        message = f"{what} has shape {a.shape}, expected {shape}{_what_would_fit(a.shape, shape)}"
        raise failure(Reason.SHAPE, message)
    if not np.isfinite(a).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        place = f" at {list(index)}" if index else ""
        raise failure(Reason.NONFINITE_CLAIM, f"{what} is {a[index]}{place}")


def _what_would_fit(given: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Say what gives an array the expected shape: the step that was left out, more often than not."""
    how = ""
    if len(given) == 2 and given[::-1] == expected:
        how = "transposed"
    elif math.prod(given) == math.prod(expected):
        how = "reshaped"
    elif given * 2 == expected:
        how = "as a diagonal (np.diag)"
    elif len(given) >= len(expected):
        padded = (1,) * (len(given) - len(expected)) + expected
        summed = [k for k, (g, e) in enumerate(zip(given, padded, strict=True)) if g != e]
        if all(padded[k] == 1 for k in summed):
            axes = " and ".join(map(str, summed))
            how = f"summed over {'axis' if len(summed) == 1 else 'axes'} {axes}"
    return f"; {how} it would have that shape" if how else ""
