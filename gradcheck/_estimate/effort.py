"""How much work f is in arithmetic that takes thousands of times as long as that of floats."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
_MOST_CALLS = 50_000  # a twentieth of a second or so


class _TooMuch(BaseException):
    """f has called more functions than it may; no Exception, which f might catch."""


class Effort:
    """Ends the first evaluation in such arithmetic if it is too much work, and all further ones before they begin.

    What f may close over, a data set for one, is seen in no size of x.  Work is measured in calls
    of Python functions, which mpmath's arithmetic is made of: time would make verdicts depend on
    the machine.  Under a profiler, which counts the same, nothing is measured.

    Parameters
    ----------
    bearable : bool
        Whether f is to be evaluated so at all.
    """

    def __init__(self, *, bearable: bool) -> None:
        self.bearable = bearable
        self._measured = False

    def limited(self, evaluate: Callable[[], T]) -> T:
        """Return what an evaluation does; raise a TypeError if that is too much work."""
        if self._measured or sys.getprofile() is not None:
            return evaluate()
        self._measured = True
        left = _MOST_CALLS

        def count(_frame: FrameType, event: str, _arg: Any) -> None:
            nonlocal left
            left -= event == "call"
            if left < 0:
                raise _TooMuch

        sys.setprofile(count)
        try:
            return evaluate()
        except _TooMuch:
            self.bearable = False
            raise TypeError("f is too much work in numbers of sixty digits") from None
        finally:
            sys.setprofile(None)
