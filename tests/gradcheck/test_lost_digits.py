"""Formulas that are right and lose digits: forgiven where they keep six, and named where they don't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import Elementwise, Outcome, Report, check

MODES: list[Any] = ["fast", "full"]


def textbook(x: np.ndarray) -> Any:
    """The derivative of tanh in its usual form, which is off by some 1e-16."""
    return 1 - np.tanh(x) ** 2


def accurate(x: np.ndarray) -> Any:
    return 1 / np.cosh(x) ** 2


FORMS: dict[str, Callable[..., Any]] = {
    "grad": lambda x: textbook(x[0]).reshape(1),
    "vjp": lambda x, v: v * textbook(x),
    "jvp": lambda x, d: d * textbook(x),
    "jac": lambda x: np.diag(textbook(x)),
}


def tanh(x: np.ndarray, form: str) -> Any:
    return np.tanh(x[0]) if form == "grad" else np.tanh(x)


def notes_of(report: Report) -> str:
    return " ".join(report.notes)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("x", [8.9, -9.5, 11.0])
def test_a_formula_that_keeps_six_digits_is_right(x: float, form: str, mode: Any) -> None:
    claim: Any = {form: FORMS[form]}
    off = abs(textbook(x) / accurate(x) - 1)
    assert 1e-10 < off < 5e-7
    reports = [
        check(lambda x: tanh(x, form), np.array([x]), **claim, mode=mode, rng=seed)
        for seed in range(3)
    ]
    assert [r.outcome for r in reports] == [Outcome.PASS] * 3, str(reports[0])
    assert any("loses digits: it is off" in notes_of(r) for r in reports)
    assert all(r.resolution < 1e-2 for r in reports)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("x", [8.15, 8.45, 8.95, 9.0])
def test_a_single_quantum_is_no_calm(x: float, mode: Any) -> None:
    """On the way from scatter to a stair the claim happens to move by one quantum: a little scatter."""
    for seed in range(3):
        report = check(np.tanh, np.full(1, x), vjp=FORMS["vjp"], mode=mode, rng=seed)
        assert report.outcome is Outcome.PASS, str(report)


@pytest.mark.parametrize("mode", MODES)
def test_digits_are_lost_in_parts_of_a_size(mode: Any) -> None:
    """What a note says doesn't depend on f's unit."""

    def notes(unit: float) -> tuple[str, ...]:
        claim = Elementwise(lambda x: unit * textbook(x))
        return check(
            lambda x: unit * np.tanh(x), np.array([9.5]), vjp=claim, mode=mode, rng=0
        ).notes

    assert "of its size" in "".join(notes(1.0))
    assert notes(1.0) == notes(2.0**20) == notes(2.0**-300)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("x", [13.5, 15.0])
def test_one_that_keeps_fewer_fails_and_is_named(x: float, mode: Any) -> None:
    report = check(np.tanh, np.array([x]), vjp=FORMS["vjp"], mode=mode, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is not None, str(report)
    assert report.diagnosis.kind == "precision"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: accurate(x) * (1 + 1e-7),
        lambda x: accurate(x) + 2e-15,  # by as much as the textbook's scatter at most, but always
        lambda x: 0.0 * x,
    ],
)
def test_what_does_not_scatter_is_a_mistake(wrong: Callable[[Any], Any], mode: Any) -> None:
    report = check(np.tanh, np.array([9.5]), vjp=Elementwise(wrong), mode=mode, rng=0)
    assert report.outcome is Outcome.FAIL, str(report)
    assert "loses digits" not in notes_of(report)
    assert report.diagnosis is None or report.diagnosis.kind != "precision"


@pytest.mark.parametrize("mode", MODES)
def test_lost_digits_are_no_excuse_beside_a_mistake(mode: Any) -> None:
    """The first ones are forgiven, the last isn't, and nothing is said of what rounding explains."""
    x = np.append(np.linspace(10.2, 10.6, 20), 0.5)

    def vjp(x: np.ndarray, v: np.ndarray) -> Any:
        g = v * textbook(x)
        g[-1] *= 1 + 1e-8
        return g

    report = check(np.tanh, x, vjp=vjp, mode=mode, rng=0)
    assert report.outcome is Outcome.FAIL
    assert [e.index for e in report.wrong_entries] == [(20,)]
    assert "loses digits" not in notes_of(report)


@pytest.mark.parametrize("mode", MODES)
def test_an_entry_on_wide_stairs_is_named(mode: Any) -> None:
    """1 − s is a multiple of 1.1e-16 and stays the same while x moves by its last million digits."""

    def s(x: np.ndarray) -> Any:
        return 1 / (1 + np.exp(-x))

    x = np.array([0.3, -1.0, 30.0])
    report = check(lambda x: s(x).sum(), x, grad=lambda x: s(x) * (1 - s(x)), mode=mode, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "precision"


def test_a_fast_oscillation_does_not_scatter() -> None:
    """Far from x it looks as if it did."""
    x = np.linspace(3.0, 4.0, 5)

    def grad(x: np.ndarray) -> np.ndarray:
        g = 3e4 * np.cos(3e4 * x)
        g[2] *= 1.25
        return g

    for seed in range(5):
        report = check(lambda x: np.sum(np.sin(3e4 * x)), x, grad=grad, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "precision", str(report)
