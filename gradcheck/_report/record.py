"""Who hears of the reports that assertions make: a test runner listens, the engine tells.

`assert_gradient` calls `notify` with every report, before it raises; nobody listens unless someone
asked to with `observing`.  The listeners live in a context variable, so that threads and tasks
which run tests side by side hear only of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gradcheck._report.report import Report

    Observer = Callable[[Report], None]

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("gradcheck_observers", default=())


def notify(report: Report) -> None:
    """Tell every observer of the current context about a report."""
    for observer in _observers.get():
        observer(report)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Let `observer` hear of the reports that are made inside the ``with`` block.

    Parameters
    ----------
    observer : callable
        Called with each `Report`.  What it raises reaches the caller of the assertion.

    Examples
    --------
    >>> from gradcheck import assert_gradient
    >>> from gradcheck._report.record import observing
    >>> heard = []
    >>> with observing(heard.append):
    ...     report = assert_gradient(lambda x: x * x, 3.0, grad=lambda x: 2 * x)
    >>> heard == [report]
    True
    """
    token = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(token)
