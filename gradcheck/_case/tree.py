"""Nested arguments: dicts, lists and tuples of arrays, taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.numbers import is_sparse, same_entries
from gradcheck._case.steps import spacing

_FLOAT64 = np.dtype(np.float64)


class Leaf(NamedTuple):
    """One array of a nested value and where it sits, such as ``['w'][0]``."""

    path: str
    value: Any


def leaves(tree: Any, path: str = "") -> list[Leaf]:
    """Return the leaves in order: dict entries as they stand, then list and tuple items."""
    if is_dict(tree):
        items = [leaves(item, f"{path}[{key!r}]") for key, item in tree.items()]
    elif isinstance(tree, (list, tuple)):
        items = [leaves(item, f"{path}[{k}]") for k, item in enumerate(tree)]
    else:
        return [Leaf(path, tree)]
    return list(chain.from_iterable(items))


def is_dict(tree: Any) -> bool:
    """Whether a value is a dict with arguments in it; SciPy's matrices that are dictionaries of keys are not."""
    return isinstance(tree, dict) and (type(tree) is dict or not is_sparse(tree))


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a value of the same structure with the function of each leaf in its place, in order."""
    if is_dict(tree):
        entries = {key: mapped(function, item) for key, item in tree.items()}
        if type(tree) is dict:
            return entries
        like_it = copy(tree)  # with the attributes and methods of its class
        like_it.update(entries)
        return like_it
    if isinstance(tree, (list, tuple)):
        items = [mapped(function, item) for item in tree]
        if isinstance(tree, list):
            return items
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    return function(tree)


def rebuild(tree: Any, values: Iterator[Any]) -> Any:
    """Return a value of the same structure with the leaves replaced, in order."""
    return mapped(lambda _: next(values), tree)


def leaves_like(pattern: Any, tree: Any) -> list[Any] | None:
    """Return the leaves of `tree` in the order of `pattern`; None if its structure is another.

    That is another if containers, keys or lengths are.
    """
    if is_dict(pattern):
        if not is_dict(tree) or tree.keys() != pattern.keys():
            return None
        pairs = [(item, tree[key]) for key, item in pattern.items()]
    elif isinstance(pattern, (list, tuple)):
        if not isinstance(tree, (list, tuple)) or len(tree) != len(pattern):
            return None
        pairs = list(zip(pattern, tree, strict=True))
    else:
        return None if is_dict(tree) or isinstance(tree, (list, tuple)) else [tree]
    found: list[Any] = []
    for item, other in pairs:
        part = leaves_like(item, other)
        if part is None:
            return None
        found += part
    return found


def difference(pattern: Any, tree: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return where the structure of `tree` first differs from that of `pattern`: the path, and both there."""
    if is_dict(pattern):
        if not is_dict(tree) or tree.keys() != pattern.keys():
            return path, pattern, tree
        steps = [(f"{path}[{key!r}]", item, tree[key]) for key, item in pattern.items()]
    elif isinstance(pattern, (list, tuple)):
        if not isinstance(tree, (list, tuple)) or len(tree) != len(pattern):
            return path, pattern, tree
        pairs = enumerate(zip(pattern, tree, strict=True))
        steps = [(f"{path}[{k}]", item, other) for k, (item, other) in pairs]
    else:
        return (path, pattern, tree) if is_dict(tree) or isinstance(tree, (list, tuple)) else None
    found = (difference(item, other, where) for where, item, other in steps)
    return next((one for one in found if one is not None), None)


def copied(tree: Any) -> Any:
    """Return the same structure with every array and sparse matrix copied, in its own memory layout."""
    return mapped(_copied_leaf, tree)


def _copied_leaf(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _copied_objects(value) if value.dtype == object else value.copy(order="K")
    return value.copy() if is_sparse(value) else value


def _copied_objects(a: Array) -> Array:
    """Copy the arrays in an array of objects, too."""
    new = a.copy(order="K")
    for index in np.ndindex(
        a.shape if a.ndim else 0
    ):  # of a single one NumPy would unpack the array
        new[index] = copied(a[index])
    return new


def first_change(before: Sequence[Leaf], after: Sequence[Leaf]) -> Leaf | None:
    """Return the first leaf that was changed, added or taken away; None if none was."""
    for old, new in zip_longest(before, after):
        if old is None or new is None:
            return old or new
        if old.path != new.path or not identical(old.value, new.value):
            return old
    return None


def identical(a: Any, b: Any) -> bool:
    """Whether two leaves are equal to the last bit (NaN equals NaN)."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype == b.dtype == object:
            return a.shape == b.shape and all(map(_unchanged, a.flat, b.flat))
        return a.dtype == b.dtype and equal_numbers(a, b)
    if is_sparse(a) and is_sparse(b):
        return a is b or same_entries(a, b)
    return a is b or bool(np.all(a == b))


def _unchanged(a: Any, b: Any) -> bool:
    return first_change(leaves(a), leaves(b)) is None


def equal_numbers(a: Array, b: Array) -> bool:
    """Whether two arrays have the same shape and numbers (NaN equals NaN)."""
    if a.shape != b.shape:
        return False
    # NaNs are looked for only where there are differences: that costs twenty times as much
    return bool((a == b).all()) or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def is_python_number(value: Any) -> bool:
    """Whether a leaf is a plain number, which is handed back as one."""
    return isinstance(value, (int, float)) and not isinstance(value, np.generic)


def like(a: Array, value: Any) -> Any:
    """Hand over an array, or a scalar where `value` is one: a plain number for a plain number."""
    if is_python_number(value):
        return a.item()
    return a[()] if isinstance(value, np.generic) else a


def describe(tree: Any) -> str:
    """Say what a value is, for messages about structure."""
    if is_dict(tree):
        return f"a dict with keys {list(tree)}"
    if isinstance(tree, (list, tuple)):
        return f"a {type(tree).__name__} of {len(tree)}"
    return "nothing (None)" if tree is None else f"one array of shape {np.shape(tree)}"


class Slot(NamedTuple):
    """Where one leaf lies in a flat vector: from `start` up to `stop`.

    A complex one takes two places per entry, Re and Im: its `parts`.
    """

    argument: int
    path: str
    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: int


class Layout(NamedTuple):
    """How several arrays lie in one flat float64 vector of `size` numbers.

    `eps` is the relative spacing of the coarsest of them; that of float64 if there are none.
    """

    slots: tuple[Slot, ...]
    size: int
    is_complex: bool
    eps: float

    @classmethod
    def of(cls, named: Iterable[tuple[int, str, Array]]) -> Layout:
        """Lay out arrays given as (argument number, path, array)."""
        slots: list[Slot] = []
        start = 0
        for argument, path, a in named:
            parts = 2 if a.dtype.kind == "c" else 1
            stop = start + a.size * parts
            slots.append(Slot(argument, path, start, stop, a.shape, a.dtype, parts))
            start = stop
        eps = max((spacing(slot.dtype) for slot in slots), default=spacing(_FLOAT64))
        return cls(tuple(slots), start, any(slot.parts == 2 for slot in slots), eps)

    def flatten(self, arrays: Iterable[Array]) -> Array:
        """Concatenate arrays, one per slot, as float64."""
        flat = [_real_parts(a, slot) for a, slot in zip(arrays, self.slots, strict=True)]
        # always a new array: a claim may overwrite the one that it returned
        return np.concatenate(flat) if flat else np.zeros(0)

    def split(self, flat: Array) -> list[Array]:
        """Cut a flat vector into arrays of the slots' shapes and dtypes."""
        return [_in_form_of(slot, flat[slot.start : slot.stop]) for slot in self.slots]

    def locate(self, position: int) -> tuple[Slot, tuple[int, ...]]:
        """Return the slot of a flat position and the index in it."""
        for slot in self.slots:
            if slot.start <= position < slot.stop:
                index = np.unravel_index((position - slot.start) // slot.parts, slot.shape)
                return slot, tuple(int(i) for i in index)
        raise IndexError(f"position {position} of {self.size}")

    def part(self, position: int) -> str:
        """Name the part of a complex entry that a flat position is; empty for real ones."""
        slot, _ = self.locate(position)
        if slot.parts == 1:
            return ""
        return "imag" if (position - slot.start) % 2 else "real"


def _in_form_of(slot: Slot, flat: Array) -> Array:
    if slot.parts == 2:
        flat = np.ascontiguousarray(flat).view(np.complex128)
    return flat.reshape(slot.shape).astype(slot.dtype, copy=False)


def _real_parts(a: Array, slot: Slot) -> Array:
    if slot.parts == 1:
        return np.asarray(a, dtype=np.float64).reshape(-1)
    return np.ascontiguousarray(a, dtype=np.complex128).reshape(-1).view(np.float64)
