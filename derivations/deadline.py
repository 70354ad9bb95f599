"""A limit on the time that symbolic work may take, whatever it is busy with.

SymPy has no limits of its own: ``simplify`` may run for hours.  A hook that Python calls at every
call of a function looks at the clock and raises `OutOfTimeError` when time is up.  It works in
every thread and on every platform, and leaves the hook that was there before (a profiler's) as it
was; while it is in force, that one sees nothing.  A profiler that is written in C, such as
cProfile, cannot be put back from Python: under it there is no limit.  One single operation on long
integers is not interrupted, which is why `derivations.text.reading` bounds the numbers.

Two things about such a hook are easy to get wrong.  Python drops a hook that raises, so work that
swallows the exception (with a bare ``except``) would go on without any limit: here the exception
puts the hook back when it dies before the block has ended.  And an exception that is raised while
Python cleans up (in a finalizer, in a callback of the garbage collector, while a generator closes)
leads nowhere but to a message on the terminal: the hook waits until that is over.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class OutOfTimeError(BaseException):
    """Time is up.  Not an `Exception`, so that no handler on the way swallows it.

    Parameters
    ----------
    limit : object, optional
        What raised it, and is put in force again if this is swallowed.
    """

    def __init__(self, limit: _Limit | None = None) -> None:
        super().__init__()
        self._limit = limit

    def __del__(self) -> None:
        if self._limit is not None:
            self._limit.enforce_again()


class Deadline:
    """A point in time.

    Parameters
    ----------
    seconds : float
        From now.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 if it has passed."""
        return max(0.0, self.end - time.monotonic())

    def within(self, seconds: float) -> _Limit:
        """Raise `OutOfTimeError` in the ``with`` block after `seconds`, or at this deadline if earlier.

        Examples
        --------
        >>> try:
        ...     with Deadline(10).within(0.01):
        ...         while True:
        ...             _ = len("")
        ... except OutOfTimeError:
        ...     print("stopped")
        stopped
        """
        return _Limit(min(self.end, time.monotonic() + seconds))


class _Limit:
    """The ``with`` block of `Deadline.within`, in the thread that enters it."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._before: Any = None
        self._thread = threading.get_ident()
        self._in_force = self._fired = False

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        if self._before is None or callable(self._before):  # not C's: that could not be put back
            self._in_force = True
            sys.setprofile(self._look)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._in_force:
            self._in_force = False
            sys.setprofile(self._before)
        if self._fired and (kind is None or issubclass(kind, Exception)):
            # A bare ``except`` inside swallowed it and went on with something else.
            raise OutOfTimeError from error

    def enforce_again(self) -> None:
        """Put the hook back that Python dropped, if nothing else took its place."""
        mine = self._in_force and threading.get_ident() == self._thread
        if mine and sys.getprofile() is None:
            sys.setprofile(self._look)

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        del argument
        if time.monotonic() > self._end and _may_raise(frame, event):
            self._fired = True
            raise OutOfTimeError(self)


_OWN = (_Limit.__exit__.__code__, _Limit.enforce_again.__code__)


def _may_raise(frame: FrameType, event: str) -> bool:
    """Whether an exception raised here arrives, and does not cut off the end of a limit itself."""
    if event == "call":
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            return False  # it may be called to end, as garbage
    elif event != "c_call":
        return False  # at a return it would be in the place of another exception
    ignored = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    at: FrameType | None = frame
    while at is not None:
        code = at.f_code
        if code in ignored or code in _OWN or code.co_name == "__del__":
            return False
        at = at.f_back
    return True
