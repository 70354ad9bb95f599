"""What the plain arguments of the public functions may be, and what is said of those that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a plain real number: of Python or a NumPy scalar, and no bool.

    Examples
    --------
    >>> is_number(2), is_number(np.float32(0.5)), is_number("2"), is_number(True)
    (True, True, False, False)
    """
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is a plain integer."""
    return is_number(value) and isinstance(value, (int, np.integer))


def positions(argnums: Any, count: int) -> tuple[int, ...]:
    """Return the arguments that `argnums` names, out of `count`.

    Parameters
    ----------
    argnums : int, or tuple or list of int
        What the caller gave.
    count : int
        How many arguments there are.

    Raises
    ------
    TypeError
        If it isn't made of ints.
    ValueError
        If it names no argument, one twice, or one that does not exist.

    Examples
    --------
    >>> positions(1, 2), positions((2, 0), 3)
    ((1,), (2, 0))
    """
    numbers = tuple(argnums) if isinstance(argnums, (tuple, list)) else (argnums,)
    if not all(map(is_whole, numbers)):
        raise TypeError(
            f"argnums must be an int or a tuple of ints, the positions of arguments, got {argnums!r:.80}"
        )
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"argnums must name each argument once, got {argnums!r:.80}")
    for k in numbers:
        if not 0 <= k < count:
            there = {0: "there is none", 1: "there is only argument 0"}
            several = f"there are {count} (0 … {count - 1})"
            raise ValueError(f"argnums names argument {k}, but {there.get(count, several)}")
    return tuple(int(k) for k in numbers)
