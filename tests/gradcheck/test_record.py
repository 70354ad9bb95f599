"""Who hears of a report: those who asked, while they asked, in their own context."""

import threading
import unittest

import numpy as np
import pytest

from gradcheck import GradientError, Outcome, Report, assert_gradient, check
from gradcheck._report.record import observing


def assert_right() -> Report:
    return assert_gradient(np.sin, np.array([0.5, 1.0]), vjp=lambda x, v: v * np.cos(x))


def test_an_observer_hears_of_every_assertion_and_of_nothing_else() -> None:
    heard: list[Report] = []
    assert_right()
    with observing(heard.append):
        right = assert_right()
        with pytest.raises(GradientError) as wrong:
            assert_gradient(np.sin, 0.5, grad=lambda x: -np.cos(x))
        check(np.sin, 0.5, grad=np.cos)  # asks, and asserts nothing
    assert_right()
    assert heard == [right, wrong.value.report]


def test_an_inconclusive_report_is_heard_before_it_is_dealt_with() -> None:
    heard: list[Report] = []
    with observing(heard.append), pytest.warns(UserWarning, match="f\\(x\\) is nan"):
        assert_gradient(np.log, -0.5, grad=np.cos, inconclusive="warn")
    with observing(heard.append), pytest.raises(unittest.SkipTest):
        assert_gradient(np.log, -0.5, grad=np.cos, inconclusive="skip")
    assert [r.outcome for r in heard] == [Outcome.INCONCLUSIVE] * 2


def test_unittest_and_pytest_skip_what_is_inconclusive(pytester: pytest.Pytester) -> None:
    class Bare(unittest.TestCase):
        def test(self) -> None:
            assert_gradient(np.log, -0.5, grad=np.cos, inconclusive="skip")

    result = unittest.TestResult()
    Bare("test").run(result)
    assert (result.errors, result.failures) == ([], [])
    ((_, why),) = result.skipped
    assert why.startswith("INCONCLUSIVE  log [grad]")
    pytester.makepyfile("""
        import numpy as np
        from gradcheck import assert_gradient
        def test(): assert_gradient(np.log, -0.5, grad=np.cos, inconclusive="skip")
    """)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(skipped=1)


def test_observers_nest_and_leave_however_the_block_ends() -> None:
    outer: list[Report] = []
    inner: list[Report] = []

    def leave_early() -> None:
        with observing(inner.append):
            assert_right()
            raise KeyError

    with observing(outer.append):
        with pytest.raises(KeyError):
            leave_early()
        assert_right()
    assert (len(outer), len(inner)) == (2, 1)


def test_an_observer_does_not_hear_other_threads() -> None:
    heard: list[Report] = []
    with observing(heard.append):
        other = threading.Thread(target=assert_right)
        other.start()
        other.join()
    assert heard == []
