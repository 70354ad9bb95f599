"""Where an exception of the user's code was raised."""

from __future__ import annotations

import traceback
from pathlib import Path

_OURS = str(Path(__file__).parent)


def place_of(error: BaseException) -> str:
    """Return file and line, such as `` (model.py, line 4)``; empty where only this package is to see."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", _OURS))
    ]
    if isinstance(error, SyntaxError) or not frames:  # a syntax error says itself where it is
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
