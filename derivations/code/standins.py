"""What the public functions of `reference` are given in place of validation, casts and blocks.

Those refuse everything but floats, and change nothing in exact arithmetic: a cast rounds, a block
is a part of an array.  While code is traced, and only then, the few functions that do this pass
symbolic arrays on; all others run as they are.  Where `reference` chooses by the size of a sum of
exponentials, for the sake of rounding alone, it shifts every row of symbols.  Symbols raise no
floating-point flags: what runs where the processor reports one is not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from derivations.code.traced import Traced
from derivations.code.traced_arrays import Places, TracedArray, traced
from reference import _blocks, _products, _validate, normalizations, tempered_softmax
from reference._lanes import size_exponent


def _symbolic(value: object) -> bool:
    return (isinstance(value, np.ndarray) and value.dtype == object) or isinstance(value, Traced)


def _passing(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a check of an argument that lets symbols pass."""

    def check(name: str, value: object) -> Any:
        return traced(value) if _symbolic(value) else original(name, value)

    return check


def _of_probabilities(formula: Any, **arrays: Any) -> Any:
    return formula if any(map(_symbolic, arrays.values())) else _OF_PROBABILITIES(formula, **arrays)


def _labels_of(value: Any, z: Any, axis: int, name: str = "labels") -> Any:
    if not _symbolic(value):
        return _LABELS_OF(value, z, axis, name)
    return _validate.of_shape(name, traced(value), z.shape, "the first argument")


def _refuse(name: str, array: Any, wrong: Any, rule: str) -> None:
    if not _symbolic(array):
        _REFUSE(name, array, wrong, rule)


def _entry_blocks(formula: Any, arrays: tuple[Any, ...], working: Any, dtype: Any) -> Any:
    if not any(map(_symbolic, arrays)):
        return _ENTRY_BLOCKS(formula, arrays, working, dtype)
    operands = _operands(arrays)
    out = np.empty_like(next(x for x in operands if isinstance(x, TracedArray)).ravel())
    formula(*(x.ravel() for x in operands), out=out)
    return out.reshape(arrays[0].shape)[()]


def _by_rows(formula: Any, *arrays: Any, dtype: Any, row_entries: int = 0) -> Any:
    if not any(map(_symbolic, arrays)):
        return _BY_ROWS(formula, *arrays, dtype=dtype, row_entries=row_entries)
    return formula(*_operands(arrays))


def _by_rows_into(formula: Any, *arrays: Any, dtype: Any) -> Any:
    if not any(map(_symbolic, arrays)):
        return _BY_ROWS_INTO(formula, *arrays, dtype=dtype)
    operands = _operands(arrays)
    out = np.empty_like(
        next(x for x in operands if isinstance(x, TracedArray)), shape=arrays[0].shape
    )
    formula(*operands, out=out)
    return out


def _tempered(z: Any, temperature: Any, axis: int) -> tuple[Any, Any, int]:
    if not _symbolic(temperature):
        return _TEMPERED(z, temperature, axis)
    z = _validate.real("z", z)
    return z, traced(temperature)[()], _validate.axis_index(axis, z, "z")


def _exponent_of(v: Any) -> Any:
    return size_exponent(v.reshape(-1))[0] if _symbolic(v) else _EXPONENT_OF(v)


class _RoomForSymbols:
    """NumPy, but for arrays of zeros, which can hold symbols."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def zeros(self, shape: Any) -> TracedArray:
        """Return zeros that symbols can be added to."""
        return traced(np.full(shape, 0, dtype=object))


def _operands(arrays: tuple[Any, ...]) -> list[Any]:
    return [traced(x) if _symbolic(x) else x.view(Places) for x in arrays]


_TEMPERED, _EXPONENT_OF = tempered_softmax._arguments, normalizations._exponent_of
_LABELS_OF, _REFUSE = _validate.labels_of, _validate.refuse
_OF_PROBABILITIES = _validate.of_probabilities
_ENTRY_BLOCKS = _blocks._entry_blocks
_BY_ROWS, _BY_ROWS_INTO = _blocks.by_rows, _blocks.by_rows_into

STANDINS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    _validate.real: _passing(_validate.real),
    _validate.probabilities: _passing(_validate.probabilities),
    _validate.share: _passing(_validate.share),
    _OF_PROBABILITIES: _of_probabilities,
    _LABELS_OF: _labels_of,
    _REFUSE: _refuse,
    _ENTRY_BLOCKS: _entry_blocks,
    _BY_ROWS: _by_rows,
    _BY_ROWS_INTO: _by_rows_into,
    _TEMPERED: _tempered,
    _EXPONENT_OF: _exponent_of,
}


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is exact, for a proof, in place of a name of the code that stands for an approximation.

    Parameters
    ----------
    module : module
        Where the code looks the name up.
    name : str
        The name.
    exact : object
        What the code approximates.
    text : str
        The replacement in words, for the report.
    covers_all : bool
        Whether what the code does is among what the replacement stands for: then the proof is of
        the whole code, not only of its mathematical core.
    """

    module: ModuleType
    name: str
    exact: Any
    text: str
    covers_all: bool = False


@contextmanager
def passing_symbols(core: Sequence[Replacement] = ()) -> Iterator[None]:
    """Let the public functions of `reference` take arrays of symbols, until the block is left.

    Parameters
    ----------
    core : sequence of Replacement
        What else is replaced meanwhile.

    Examples
    --------
    >>> import reference
    >>> from derivations.code.tracing import runs, symbols
    >>> with passing_symbols():
    ...     (run,) = runs(lambda x: (reference.exp_node(x),), (symbols("x", (1,)),))
    >>> run.outputs[0]
    array([exp(x_1)], dtype=object)
    """
    modules = [sys.modules[name] for name in sys.modules if name.split(".")[0] == "reference"]
    new: list[tuple[ModuleType, str, Any]] = [
        (module, name, STANDINS[value])
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__hash__", None) and value in STANDINS
    ]
    new += [(r.module, r.name, r.exact) for r in core]
    new.append((_products, "np", _RoomForSymbols()))
    old = [(module, name, getattr(module, name)) for module, name, _ in new]
    try:
        for module, name, value in new:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in old:
            setattr(module, name, value)
