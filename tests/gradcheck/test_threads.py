"""Checks that run in several threads at once: the filters of warnings belong to the whole process."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gradcheck import Outcome, check, differentiate

SECONDS = 20.0  # after which a test that waits for another thread gives up
X = np.array([0.5, -1.25, 2.0])


def checked(f: Callable[[Any], Any], seed: int = 0) -> Outcome:
    return check(f, X, grad=np.cos, rng=seed).outcome


def test_many_checks_at_once_leave_the_filters_as_they_were() -> None:
    before = list(warnings.filters), warnings.showwarning
    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(lambda k: checked(lambda x: np.sum(np.sin(x)), k), range(200)))
    assert outcomes == {Outcome.PASS}
    assert (list(warnings.filters), warnings.showwarning) == before


def test_a_check_stays_silent_when_one_that_began_before_it_ends() -> None:
    """The filters are as before after both, though the first to enter is the first to leave."""
    both, first_is_over = threading.Barrier(2), threading.Event()

    def first(x: Any) -> Any:
        if not first_has_met:
            first_has_met.append(True)
            both.wait(SECONDS)
        return np.sum(np.sin(x))

    def second(x: Any) -> Any:
        if not second_has_met:
            second_has_met.append(True)
            both.wait(SECONDS)
            assert first_is_over.wait(SECONDS)
        warnings.warn("an error where nobody silences it", stacklevel=1)
        return np.sum(np.sin(x))

    first_has_met: list[bool] = []
    second_has_met: list[bool] = []
    before = list(warnings.filters)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(checked, first)
        other = pool.submit(checked, second)
        assert one.result(SECONDS) is Outcome.PASS
        first_is_over.set()
        assert other.result(SECONDS) is Outcome.PASS
    assert list(warnings.filters) == before


def test_one_thread_refuses_to_lose_imaginary_parts_while_another_loses_them() -> None:
    within, done = threading.Event(), threading.Event()

    def asked_at_complex_numbers(x: Any) -> Any:
        if np.iscomplexobj(x):
            within.set()
            assert done.wait(SECONDS)
        return np.exp(x)

    def discards(x: Any) -> Any:
        if not calls:
            calls.append(pool.submit(differentiate, asked_at_complex_numbers, 1.0, rtol=1e-15))
            assert within.wait(SECONDS)
        return (np.exp(x) + 0j).astype(np.float64)

    calls: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        try:
            found = differentiate(discards, 1.0)
        finally:
            done.set()
        (other,) = calls
        assert other.result(SECONDS).oracle == "complex step"
    assert (found.reason, found.oracle) == ("smooth", "differences")


def test_a_check_inside_of_f_is_silent_whatever_filter_f_sets() -> None:
    def noisy(x: Any) -> Any:
        warnings.warn("a probe", stacklevel=1)
        return np.sum(np.sin(x))

    def strict(x: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert checked(noisy) is Outcome.PASS
        return np.sum(np.sin(x))

    before = list(warnings.filters)
    assert checked(strict) is Outcome.PASS
    assert list(warnings.filters) == before


def test_filters_that_f_sets_around_a_check_are_put_back() -> None:
    raised: list[str] = []

    def f(x: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            differentiate(lambda t: t * t, 0.5)
            try:
                warnings.warn("of f's own", stacklevel=1)
            except UserWarning as warning:
                raised.append(str(warning))
        return np.sum(np.sin(x))

    assert checked(f) is Outcome.PASS
    assert set(raised) == {"of f's own"}


def test_a_recorder_in_another_thread_hears_of_its_own_warnings() -> None:
    """It looks at a function, too, while a check is under way elsewhere."""
    recorded: list[str] = []

    def f(x: Any) -> Any:
        if not recorded:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(beside).result(SECONDS)
        return np.sum(np.sin(x))

    def beside() -> None:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            differentiate(lambda t: t * t, 0.5)
            warnings.warn("mine", stacklevel=1)
        recorded.extend(str(w.message) for w in heard)

    assert checked(f) is Outcome.PASS
    assert recorded == ["mine"]
