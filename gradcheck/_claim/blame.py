"""Where an exception of the user's code was raised, and the exception itself."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_OURS = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def place_of(error: BaseException) -> str:
    """Return file and line, such as `` (model.py, line 4)``; empty where only this package is to see.

    It is the innermost line outside of installed libraries, if there is one: what a person can mend.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", _OURS))
    ]
    if isinstance(error, SyntaxError) or not frames:  # a syntax error says itself where it is
        return ""
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
    innermost = (own or frames)[-1]
    return f" ({Path(innermost.filename).name}, line {innermost.lineno})"


def without_us(error: BaseException | None) -> BaseException | None:
    """Return an exception with the frames of this package gone that led to it; None if there are no others."""
    rest = None if error is None else error.__traceback__
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(_OURS):
        rest = rest.tb_next
    return None if error is None or rest is None else error.with_traceback(rest)
