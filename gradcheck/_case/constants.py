"""What may stand in a differentiated argument and doesn't vary: labels, constants, and what can't be looked into."""

from __future__ import annotations

import datetime
import enum
import functools
import os
import random
import types
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from gradcheck._case.numbers import is_sparse

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    np.ufunc,
    type,
)
_RANDOM = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_TIMES = (datetime.date, datetime.time, datetime.timedelta)
_TEXTS = (str, bytes, os.PathLike, types.ModuleType, enum.Enum, np.dtype, slice)
_WITHOUT_NUMBERS = (type(None), type(...), *_TEXTS, *_TIMES, *_FUNCTIONS, *_RANDOM)
_NUMBERS = (Real, Decimal)


def is_floating(value: Any) -> bool:
    """Whether a leaf holds real or complex numbers that vary."""
    return _kind(value) in "fc"


def is_whole(value: Any) -> bool:
    """Whether a leaf holds integers or truth values: labels, unless nothing else varies."""
    return _kind(value) in "biu"


def is_constant(value: Any) -> bool:
    """Whether a leaf plainly holds no number that anybody would differentiate in.

    Examples
    --------
    >>> is_constant("relu"), is_constant(np.tanh), is_constant(object())
    (True, True, False)
    """
    return isinstance(value, _WITHOUT_NUMBERS) or (
        isinstance(value, (np.ndarray, np.generic)) and _kind(value) in "USTmM"
    )


def in_words(value: Any) -> tuple[str, str]:
    """Say what a leaf is, and how to give it so that its numbers vary.

    Examples
    --------
    >>> in_words(Decimal("0.1"))
    ('a Decimal', 'write float(x)')
    """
    kind = type(value).__name__
    what = "nothing (None)" if value is None else f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}"
    if isinstance(value, np.ndarray):
        what = f"an array of dtype {value.dtype}"
        if _kind(value) == "V":
            return what, "give its fields as a dict"
        if value.size and all(isinstance(item, _NUMBERS) for item in value.flat):
            return what, "write x.astype(float)"
    if is_sparse(value):
        return what, "give its numbers (A.data) and build the matrix in f"
    if isinstance(value, _NUMBERS):
        return what, "write float(x)"
    if isinstance(value, Mapping):
        return what, "write dict(x)"
    return what, "give its arrays as a dict, list or tuple"


def _kind(value: Any) -> str:
    # NumPy makes an array of the keys of a mapping that is no dict
    if isinstance(value, np.ndarray) or not isinstance(value, Mapping):
        return np.asarray(value).dtype.kind
    return "O"
