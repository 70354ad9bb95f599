"""What stands in x and doesn't vary, though there may be a derivative in it: that is never passed in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck._case.case import ClaimKind, SecondKind
from gradcheck._case.constants import in_words, is_constant, is_whole
from gradcheck._case.inputs import Inputs
from gradcheck._case.numbers import is_numeric

_SHOWN = 4  # notes
_NUMBERS = (np.ndarray, np.generic, int, float, complex)


def notes_on(
    inputs: Inputs, kind: ClaimKind | SecondKind, claimed: Sequence[Any]
) -> tuple[str, ...]:
    """Return notes on the leaves that don't vary, given what is claimed for each; None is for nothing.

    Raises
    ------
    TypeError
        If something is claimed for a leaf that holds neither numbers nor labels.
    """
    notes: list[str] = []
    held = list(inputs.held(inputs.pattern))
    for (label, value), answer in zip(held, claimed, strict=True):
        if not is_whole(value):
            notes += _note(label, value, answer, kind)
    for (label, value), answer in zip(held, claimed, strict=True):
        if is_whole(value) and _is_derivative(answer):
            notes.append(
                f"{label} holds integers and was not varied, so the {kind} claimed for it was not looked at; "
                "give it as floats"
            )
            break  # of a list of labels one is enough
    more = f"{len(notes) - _SHOWN} more arguments were not varied"
    return tuple(notes) if len(notes) <= _SHOWN else (*notes[:_SHOWN], more)


def _note(label: str, value: Any, claimed: Any, kind: str) -> list[str]:
    constant = is_constant(value)
    what, advice = in_words(value)
    if _is_derivative(claimed) or not (constant or _is_nothing(claimed)):
        advice = "return None for it" if constant else advice
        raise TypeError(
            f"{label} is {what}, which can't be varied, so the {kind} claimed for it can't be looked at: "
            f"{advice}, or leave it out with argnums="
        )
    if constant:
        return []
    return [f"{label} is {what} and was not varied; if f is to be differentiated in it, {advice}"]


def _is_derivative(claimed: Any) -> bool:
    return isinstance(claimed, _NUMBERS) and is_numeric(claimed) and bool(np.any(claimed))


def _is_nothing(claimed: Any) -> bool:
    """Whether what is claimed for an object is None or a zero; JAX's is of a dtype without a size."""
    if isinstance(claimed, (np.ndarray, np.generic)) and claimed.dtype.itemsize == 0:
        return True
    numbers = isinstance(claimed, _NUMBERS) and is_numeric(claimed)
    return claimed is None or (numbers and not np.any(claimed))


def claimed_along_integers(inputs: Inputs, moves: Callable[[Any], bool]) -> list[float | None]:
    """Return a number for an integer leaf along which a jvp isn't zero, None for the other leaves that don't vary.

    Parameters
    ----------
    inputs : Inputs
        The arguments.
    moves : callable
        Says of a direction in x's structure whether the jvp along it is anything but zero.
    """
    whole = [is_whole(value) for _, value in inputs.held(inputs.pattern)]
    claimed: list[float | None] = [None] * len(whole)
    # along all of them at once first: mostly they are labels, and there may be many
    if any(whole) and moves(inputs.along_held(range(len(whole)))):
        places = (k for k, is_one in enumerate(whole) if is_one)
        first = next((k for k in places if moves(inputs.along_held([k]))), None)
        if first is not None:
            claimed[first] = 1.0
    return claimed
