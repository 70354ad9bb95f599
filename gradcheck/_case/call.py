"""Whether a function takes the arguments that it is called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def misfit(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Say why a function can't be called with such arguments; empty if it can, or if it doesn't say what it takes.

    Examples
    --------
    >>> def f(a, b): ...
    >>> misfit(f, (1.0,))
    "f(a, b): missing a required argument: 'b'"
    >>> misfit(f, (1.0, 2.0))
    ''
    """
    try:
        # a wrapper's own: what it wraps may take other arguments
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-in functions have none
        return ""
    try:
        signature.bind(*args)
    except TypeError as error:
        return f"{getattr(function, '__name__', type(function).__name__)}{signature}: {error}"
    return ""
