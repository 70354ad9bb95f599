"""Arguments of public functions: what they must be, and what a person is told when they are not.

Every function returns its argument in the form that the formulas work with.  Floating arrays keep
their dtype (float16, float32, float64); integers and lists become float64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Reduction = Literal["mean", "sum", "none"]

_SIGNED, _UNSIGNED = np.dtype(np.intp), np.dtype(np.uintp)
_REAL_HINTS = {
    "c": "take the real part if that is meant (x.real)",
    "b": "convert truth values explicitly (x.astype(float))",
    "O": "convert to numbers first (np.asarray(x, dtype=float))",
    "f": "extended precision is not supported; convert with x.astype(np.float64)",
}


def as_array(name: str, value: object) -> Array:
    """Return `value` as an array of whatever it holds.

    Raises
    ------
    TypeError
        If it is masked, or a list with something masked in it.
    ValueError
        If it is a ragged list.
    """
    if type(value) is np.ndarray:
        return value
    if _is_masked(value):
        raise TypeError(
            f"{name} is a masked array; fill the masked entries first ({name}.filled(…))"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from error


def _is_masked(value: object) -> bool:
    if not isinstance(value, list | tuple):
        return isinstance(value, np.ma.MaskedArray)
    nested = any(issubclass(t, list | tuple | np.ma.MaskedArray) for t in set(map(type, value)))
    return nested and any(map(_is_masked, value))


def real(name: str, value: object) -> Array:
    """Return `value` as an array of float16, float32 or float64.

    Raises
    ------
    TypeError
        If it holds complex numbers, truth values, objects, text or extended precision, or is
        masked.
    ValueError
        If it is a ragged list.
    """
    array = as_array(name, value)
    dtype = array.dtype
    kind = dtype.kind
    if kind == "f" and dtype.itemsize <= 8:
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))
    if kind in "iu":
        return array.astype(np.float64)
    hint = _REAL_HINTS.get(kind, "convert to numbers first")
    raise TypeError(
        f"{name} must hold real numbers (float16, float32, float64 or integers), "
        f"got dtype {dtype}; {hint}"
    )


def axis_index(axis: object, array: Array, name: str) -> int:
    """Return `axis` as the non-negative index of a non-empty axis of `array`.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If the array has no such axis, or the axis is empty.
    """
    index = integer("axis", axis)
    if not -array.ndim <= index < array.ndim:
        if array.ndim == 0:
            raise ValueError(f"{name} must have at least one axis, got the scalar {array}")
        raise ValueError(
            f"axis {index} is out of range: {name} has shape {array.shape}, "
            f"so axis may be {-array.ndim} … {array.ndim - 1}"
        )
    index %= array.ndim
    if array.shape[index] == 0:
        raise ValueError(
            f"{name} has shape {array.shape}: axis {index} holds no entries, "
            "and nothing can be summed over it"
        )
    return index


def integer(name: str, value: Any) -> int:
    """Return `value` if it is one integer, else raise ``TypeError``."""
    if type(value) is int:
        return value
    wrong = TypeError(f"{name} must be one integer, got {value!r}")
    if isinstance(value, bool | np.bool_):
        raise wrong
    try:
        return operator.index(value)
    except TypeError:
        raise wrong from None


def number(name: str, value: Any) -> Any:
    """Return `value` if it is one real number.

    It is left as it is, so that messages about its size show what was given; the symbols of a proof
    are numbers too.

    Raises
    ------
    TypeError
        If it is not one real number.
    ValueError
        If it is an integer beyond float64.
    """
    if type(value) is float:
        return value
    real_number = hasattr(value, "__float__") and not isinstance(
        value, bool | np.bool_ | np.complexfloating
    )
    if isinstance(value, np.ndarray):
        real_number = value.ndim == 0 and value.dtype.kind in "iuf"
    if not real_number:
        raise TypeError(f"{name} must be one real number, got {value!r}")
    if isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            raise ValueError(
                f"{name} must fit into float64, got an integer of {value.bit_length()} bits"
            ) from None
    return value


def positive(name: str, value: float) -> float:
    """Return `value` if it is a positive finite number.

    Raises
    ------
    TypeError
        If it is not one real number.
    ValueError
        If it is not positive or not finite.
    """
    if not 0 < number(name, value) < np.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def not_negative(name: str, value: float) -> float:
    """Return `value` if it is zero or a positive finite number; errors as in `positive`."""
    if not 0 <= number(name, value) < np.inf:
        raise ValueError(f"{name} must be zero or a positive number, got {value!r}")
    return float(value)


def share(name: str, value: float) -> float:
    """Return `value` if it is a number in [0, 1]; errors as in `positive`."""
    if not 0 <= number(name, value) <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return float(value)


def finite(name: str, value: float) -> float:
    """Return `value` if it is a finite number; errors as in `positive`."""
    if not abs(number(name, value)) < np.inf:
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def reduction_name(reduction: Reduction) -> Reduction:
    """Return `reduction` if it is one of the three known ones, else raise ``ValueError``."""
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return reduction


def sample_count(count: int, reduction: Reduction) -> int:
    """Return `count`, the number of terms, or raise ``ValueError`` for the mean of nothing."""
    if count == 0 and reduction == "mean":
        raise ValueError(
            "the mean over an empty batch is undefined; pass at least one sample, or use "
            "reduction='sum' (zero) or reduction='none' (empty)"
        )
    return count


def of_shape(name: str, array: Array, shape: tuple[int, ...], whose: str) -> Array:
    """Return `array` if it has that shape, else raise ``ValueError``; nothing is broadcast."""
    if array.shape != shape:
        raise ValueError(
            f"{name} must have the shape {shape} of {whose}, got {array.shape}; it is not broadcast"
        )
    return array


def target_of(name: str, array: Array, like: Array, whose: str) -> Array:
    """Return `array` in the shape of `like`; only one number is spread over all entries.

    Raises
    ------
    ValueError
        If the shapes differ: (N, 1) against (N,) would silently become (N, N).
    """
    if array.ndim == 0:
        return np.broadcast_to(array, like.shape)
    return of_shape(name, array, like.shape, whose)


def probabilities(name: str, value: object) -> Array:
    """Return `value` as real numbers that lie in [0, 1].

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    ValueError
        If an entry is NaN, negative or above one.
    """
    array = real(name, value)
    if not _is_plainly_in_unit(array):
        _must_lie_in_unit(name, array)
    return array


def of_probabilities(formula: Callable[..., Any], **arrays: Array) -> Callable[..., Any]:
    """Return the formula of blocks as one that looks whether its last arguments lie in [0, 1].

    A block that is about to be used is in the cache soon: a pass of its own over the arrays would
    take as long as a third of a formula.

    Parameters
    ----------
    formula : callable
        Takes a block of each array.
    **arrays : array
        The last arguments, whole and by name, as a person is told of them.

    Raises
    ------
    ValueError
        When the formula is run, as in `probabilities`.
    """

    def looking(*blocks: Array, **out: Array) -> Any:
        for name, block in zip(arrays, blocks[-len(arrays) :], strict=True):
            if not _is_plainly_in_unit(block) and not np.all((block >= 0) & (block <= 1)):
                _must_lie_in_unit(name, arrays[name])
        return formula(*blocks, **out)

    return looking


def _is_plainly_in_unit(array: Array) -> bool:
    """Whether all numbers lie in [0, 1]; −0, which does, counts as not."""
    # Bit patterns of numbers that are not negative are ordered like the numbers; others look huge.
    return not array.size or bool(_bits(array).max() <= _bits(array.dtype.type(1)))


def _must_lie_in_unit(name: str, array: Array) -> None:
    refuse(name, array, np.isnan(array), "must not hold NaN")
    refuse(name, array, array < 0, "must lie in [0, 1]")
    refuse(
        name,
        array,
        array > 1,
        "must lie in [0, 1] (logits belong in a loss that takes logits; "
        "what exceeds one by rounding, np.clip)",
    )


def labels_of(value: object, z: Array, axis: int, name: str = "labels") -> Array:
    """Return the labels of the rows of `z` along `axis`; their dtype says what they are.

    Integers are class indices and have the shape of `z` without `axis`; floats are weights of the
    classes and have the shape of `z`.

    Raises
    ------
    TypeError
        If the dtype is neither integer nor floating.
    ValueError
        If the shape is wrong, a class does not exist, or a weight is NaN, infinite or negative.
    """
    array = as_array(name, value)
    if array.dtype.kind in "iu":
        return _class_indices(name, array, z, axis)
    if array.dtype.kind == "b":
        raise TypeError(
            f"{name} must be class indices (integers) or probabilities (floats), got dtype bool; "
            f"convert a one-hot mask with {name}.astype(float)"
        )
    weights = real(name, array)
    if weights.shape != z.shape:
        raise ValueError(
            f"{name} of dtype {weights.dtype} are probabilities and must have the shape {z.shape}, "
            f"got {weights.shape}; class indices must have an integer dtype"
        )
    if weights.size and _bits(weights).max() > _bits(np.finfo(weights.dtype).max):
        refuse(name, weights, ~np.isfinite(weights), "must be finite")
        refuse(name, weights, weights < 0, "must be probabilities, which are not negative")
    return weights


def refuse(name: str, array: Array, wrong: Array, rule: str) -> None:
    """Raise ``ValueError`` with the first entry of `array` for which `wrong` is true, if any."""
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f" at index {index}" if index else ""
        raise ValueError(f"{name} {rule}; got {array[index]}{where}")


def _class_indices(name: str, array: Array, z: Array, axis: int) -> Array:
    shape = z.shape
    classes, expected = shape[axis], shape[:axis] + shape[axis + 1 :]
    if array.shape != expected:
        hint = f"; convert one-hot labels with {name}.astype(float)" * (array.shape == shape)
        raise ValueError(
            f"{name} of dtype {array.dtype} are class indices and must have the shape {expected} "
            f"({shape} without axis {axis}), got {array.shape}{hint}"
        )
    labels = array.astype(_SIGNED, copy=False)
    unsigned = labels.view(_UNSIGNED)  # negative ones look huge
    if unsigned.size and unsigned.item(unsigned.argmax()) >= classes:
        wrong = (array < 0) | (array >= classes)
        refuse(name, array, wrong, f"must be class indices 0 … {classes - 1} for {classes} classes")
    return labels


def _bits(x: Any) -> Any:
    return x.view(f"u{x.dtype.itemsize}")
