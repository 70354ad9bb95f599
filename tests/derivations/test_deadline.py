"""The limit on time: it holds whatever the work does with the exception, and leaves no trace."""

import contextlib
import gc
import sys
import time
import weakref

import pytest

from derivations.deadline import Deadline, OutOfTimeError

# What the work may take after its end; generous, for a machine that is busy with other things.
LATE = 5.0


def spin(seconds: float) -> None:
    """Be busy with calls of functions."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.fixture
def messages(monkeypatch):
    """What Python could only print, because nothing can catch it."""
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: seen.append(u.exc_type))
    return seen


@pytest.mark.parametrize("times", [1, 3])
def test_work_that_swallows_the_exception_is_stopped_again(times: int) -> None:
    def work() -> None:
        for _ in range(times):
            with contextlib.suppress(BaseException):
                spin(60)
        spin(60)

    started = time.process_time()
    with pytest.raises(OutOfTimeError), Deadline(60).within(0.02):
        work()
    assert time.process_time() - started < LATE
    assert sys.getprofile() is None


def test_nothing_is_raised_while_generators_close(messages) -> None:
    def work() -> None:
        while True:
            next(x for x in (1, 2))  # closed at once, as garbage

    for _ in range(100):
        with pytest.raises(OutOfTimeError), Deadline(60).within(0.0005):
            work()
    assert messages == []


def test_nothing_is_raised_in_a_finalizer_or_a_callback_of_the_collector(messages) -> None:
    class Slow:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            spin(0.05)

    def callback(phase: str, _: object) -> None:
        if phase == "start":
            spin(0.02)

    def work() -> None:
        Slow()
        gc.collect()
        spin(60)

    gc.callbacks.append(callback)
    try:
        with pytest.raises(OutOfTimeError), Deadline(60).within(0.01):
            work()
    finally:
        gc.callbacks.remove(callback)
    assert messages == []


def test_the_limit_outside_holds_after_the_one_inside_was_caught() -> None:
    started = time.process_time()

    def work() -> None:
        for _ in range(3):
            with contextlib.suppress(OutOfTimeError), Deadline(60).within(0.01):
                spin(60)
        spin(60)

    with pytest.raises(OutOfTimeError), Deadline(60).within(0.1):
        work()
    assert time.process_time() - started < LATE
    assert sys.getprofile() is None


def test_time_that_is_up_already_leaves_the_profiler_as_it_was() -> None:
    def profiler(*_):
        return None

    for _ in range(200):
        sys.setprofile(profiler)
        try:
            with pytest.raises(OutOfTimeError), Deadline(0).within(0):
                spin(60)
            assert sys.getprofile() is profiler
        finally:
            sys.setprofile(None)


def test_an_exception_that_outlives_its_block_does_nothing() -> None:
    try:
        with Deadline(60).within(0.01):
            spin(60)
    except OutOfTimeError as error:
        kept = [error]
    gone = weakref.ref(kept[0])
    kept.clear()
    gc.collect()
    assert gone() is None
    assert sys.getprofile() is None
    spin(0.02)
