"""Claims at several kinks: each may lie between its one-sided derivatives, and all together may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from gradcheck import Outcome, Reason, Simplex, check
from gradcheck._claim.additivity import _Split

Mode = Literal["fast", "full"]
TIED = np.array([2.0, 2.0, 1.0])
POOL = np.array([1.0, 1.0, 0.5, 2.0, 2.0, 2.0])
WEIGHTS = np.array([5.0, -1.0, 0.3])
X0 = np.array([0.5, -2.0, 1.5])
MIXED, SIGNED = np.split(np.random.default_rng(0).standard_normal((8, 5)), [4], axis=1)
both_modes = pytest.mark.parametrize("mode", ["fast", "full"])


def pool(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.reshape(2, 3).max(axis=1))


def relu(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0.0)


def largest_two(x: np.ndarray) -> float:
    return float(np.sort(x)[-2:].sum())


NO_SUBGRADIENTS: dict[str, tuple[Callable[..., Any], np.ndarray, dict[str, Any]]] = {
    "|a − b|, the sign of b": (
        lambda x: abs(x[0] - x[1]) + x[0] ** 2,
        np.ones(2),
        {"grad": lambda x: np.array([3.0, 1.0])},
    ),
    "max, all of the tied": (np.max, TIED, {"grad": lambda x: (x == x.max()) * 1.0}),
    "norm at 0, too steep": (
        lambda x: np.sqrt(x @ x),
        np.zeros(3),
        {"grad": lambda x: np.array([0.7, -0.7, 0.7])},
    ),
    "hinge, one of two": (
        lambda x: max(0.0, 1 - float(x.sum())),
        np.full(2, 0.5),
        {"grad": lambda x: np.array([-1.0, 0.0])},
    ),
    "−max, all of the tied": (lambda x: -x.max(), TIED, {"grad": lambda x: (x == x.max()) * -1.0}),
    "max pool, vjp": (
        pool,
        POOL,
        {"vjp": lambda x, v: np.repeat(v, 3) * np.array([1, 1, 0, 1, 1, 1])},
    ),
    "max pool, jvp": (
        pool,
        POOL,
        {"jvp": lambda x, u: np.array([u[0] + u[1], u[3:].sum()])},
    ),
    "max of three, a half of each": (
        np.max,
        np.full(3, 2.0),
        {"jvp": lambda x, u: u.sum() / 2},
    ),
    "two largest, three tied": (
        largest_two,
        np.array([1.0, 2.0, 2.0, 2.0]),
        {"grad": lambda x: (x == 2.0) * 1.0},
    ),
}
SUBGRADIENTS: dict[str, tuple[Callable[..., Any], np.ndarray, dict[str, Any]]] = {
    "|a − b|": (
        lambda x: abs(x[0] - x[1]) + x[0] ** 2,
        np.ones(2),
        {"grad": lambda x: np.array([2.5, -0.5])},
    ),
    "max, the first": (np.max, TIED, {"grad": lambda x: np.array([1.0, 0.0, 0.0])}),
    "max, shared": (np.max, TIED, {"grad": lambda x: np.array([0.5, 0.5, 0.0])}),
    "max pool": (
        pool,
        POOL,
        {"vjp": lambda x, v: np.repeat(v, 3) * np.array([0, 1, 0, 0.2, 0.8, 0])},
    ),
    # not convex: ReLU'(0) = 0, as everybody has it, is outside along some directions
    "ReLUs of both signs": (
        lambda x: WEIGHTS @ relu(x),
        np.zeros(3),
        {"grad": lambda x: WEIGHTS * (x > 0)},
    ),
    "ReLUs that bend down along each axis and up between them": (
        lambda x: 3 * relu(x[0]) + relu(x[1]) - 3.5 * relu(x[0] + 2 * x[1]),
        np.zeros(2),
        {"grad": np.zeros_like},
    ),
    "two ReLUs of both signs": (
        lambda x: 5 * relu(x[0]) - relu(x[1]),
        np.zeros(2),
        {"grad": np.zeros_like},
    ),
    "a layer that starts from zero": (
        lambda W: WEIGHTS @ relu(W @ X0),
        np.zeros((3, 3)),
        {"grad": lambda W: np.outer(WEIGHTS * (W @ X0 > 0), X0)},
    ),
}


@both_modes
@pytest.mark.parametrize(("f", "x", "claim"), NO_SUBGRADIENTS.values(), ids=NO_SUBGRADIENTS)
def test_wrong_together_fails(
    f: Callable[..., Any], x: np.ndarray, claim: dict[str, Any], mode: Mode
) -> None:
    for seed in range(3):
        report = check(f, x, rng=seed, mode=mode, **claim)
        assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.KINK), str(report)
        assert "not all together" in report.message


@both_modes
@pytest.mark.parametrize(("f", "x", "claim"), SUBGRADIENTS.values(), ids=SUBGRADIENTS)
def test_right_together_passes(
    f: Callable[..., Any], x: np.ndarray, claim: dict[str, Any], mode: Mode
) -> None:
    for seed in range(5):
        report = check(f, x, rng=seed, mode=mode, **claim)
        assert (report.outcome, report.reason) == (Outcome.PASS, Reason.KINK), str(report)


@both_modes
def test_tied_entries_that_a_domain_moves_in_opposite_ways(mode: Mode) -> None:
    """In a simplex of two numbers the sum of both directions is no direction at all."""
    x = np.array([0.5, 0.5])
    report = check(
        lambda x: abs(x[0] - 0.5), x, grad=np.zeros_like, domain=Simplex(), mode=mode, rng=0
    )
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.KINK), str(report)


def test_ties_in_a_domain_are_probed_at_their_natural_size() -> None:
    """Parts of a projected direction are of any length, and a short one says nothing beside a long one."""
    x = np.array([0.4, 0.4, 0.2])
    for seed in range(5):
        report = check(np.max, x, grad=lambda x: (x == x.max()) * 1.0, domain=Simplex(), rng=seed)
        assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.KINK), str(report)


def test_the_report_counts_entries_not_directions() -> None:
    report = check(np.max, TIED, grad=lambda x: np.array([1.0, 0.0, 0.0]), rng=0)
    assert "2 entries at a kink lie" in report.message


# -- ties at which f has no derivative that adds up ------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    "claim", [[0, 0, 1, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3, 0], [0] * 5, [0, 3, 0, 0, 0]]
)
def test_no_claim_about_a_median_of_three_that_tie_is_called_wrong(
    claim: list[float], mode: Any
) -> None:
    """Each alone moves it by nothing, all together by one: whatever is claimed disagrees somewhere."""
    x = np.array([1.0, 2.0, 2.0, 2.0, 3.0])
    for seed in range(10):
        report = check(np.median, x, grad=lambda x: np.array(claim), mode=mode, rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)
        if report.reason is Reason.KINK:
            assert "move x off the tie" in report.message


def test_sorting_what_ties() -> None:
    def vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        out = np.zeros_like(v)
        out[np.argsort(x, kind="stable")] = v
        return out

    x = np.array([2.0, 1.0, 2.0, 2.0])
    for seed in range(10):
        assert check(np.sort, x, vjp=vjp, rng=seed).outcome is not Outcome.FAIL


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_mistake_elsewhere_is_wrong_beside_a_tie(mode: Any) -> None:
    x = np.array([1.0, 2.0, 2.0, 2.0, 3.0])
    report = check(
        lambda x: np.median(x[1:4]) * 0 + np.sum(x**2) + np.median(x),
        x,
        grad=lambda x: np.array([2.0, 5.0, 4.0, 4.0, 7.0]),
        mode=mode,
        rng=0,
    )
    assert report.outcome is Outcome.FAIL, str(report)
    assert (4,) in {entry.index for entry in report.wrong_entries}


@pytest.mark.parametrize(
    ("f", "claim"),
    [
        (np.sum, [1.0, 1.0, 2.0, 1.0]),  # smooth
        (lambda x: np.sum(np.abs(x - 2)), [2.0, -1.0, 0.0, 0.0]),  # kinks of their own
        (np.max, [1.5, 0.0, 0.0, -0.5]),  # convex
        (lambda x: -np.max(x), [0.5, 0.0, 0.0, 0.0]),  # concave
    ],
)
def test_a_mistake_in_entries_that_tie(f: Any, claim: list[float]) -> None:
    x = np.array([2.0, 1.0, 2.0, 2.0])
    for seed in range(10):
        report = check(f, x, grad=lambda x: np.array(claim), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "grad"),
    [
        # zeros that tie in another argument
        (
            lambda w, b: np.sum(np.tanh(w)) + np.sort(b)[1],
            lambda w, b: (np.tanh(w) ** 2 - 1, np.array([0.0, 1.0, 0.0, 0.0])),
        ),
        # far beyond the slopes of a network at zero
        (
            lambda w, b: np.sum(w) + SIGNED[:, 0] @ relu(MIXED @ b),
            lambda w, b: (np.ones(4), np.full(4, 1000.0)),
        ),
    ],
)
def test_ties_excuse_no_mistake_beside_them(f: Any, grad: Any, mode: Any) -> None:
    w, b = np.array([0.5, 1.0, 2.0, 3.0]), np.zeros(4)
    for seed in range(5):
        report = check(f, (w, b), grad=grad, mode=mode, rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_ties_of_one_output_excuse_no_mistake_in_another(mode: Any) -> None:
    x = np.array([1.0, 2.0, 2.0, 2.0, 3.0])

    def jac(x: np.ndarray) -> Any:
        return np.array([3 * x**2 * [1, 10, 10, 10, 1], [0, 0, 1, 0, 0]])

    for seed in range(5):
        report = check(
            lambda x: np.array([np.sum(x**3), np.median(x)]), x, jac=jac, mode=mode, rng=seed
        )
        assert report.outcome is Outcome.FAIL, str(report)


def test_a_step_that_leaves_the_domain_contradicts_nothing() -> None:
    for whole, defect in ((np.nan, 0.0), (1.0, 0.0), (2.0, 1.0)):
        sides = np.array([[whole], [0.0], [1.0]])
        assert _Split(low=sides, high=sides, doubt=np.zeros(1)).defect == [defect]


SMOOTH: dict[str, tuple[Callable[..., Any], np.ndarray, Callable[..., Any]]] = {
    "a quadratic at zeros": (
        lambda x: x[0] ** 2 + x[0] * x[1] + x[1] ** 2,
        np.zeros(2),
        lambda x: np.array([2 * x[0] + x[1] + 0.1, x[0] + 2 * x[1]]),
    ),
    "a product of factors at zeros": (
        lambda x: x[0] * x[1] + np.sin(x[2]),
        np.array([0.0, 0.0, 0.5]),
        lambda x: np.array([1.0, 1.0, np.cos(x[2])]),
    ),
    "cubes at zeros": (lambda x: np.sum(x**3), np.zeros(4), lambda x: 3 * x**2 + 1),
    "x − sin x at zeros": (lambda x: np.sum(x - np.sin(x)), np.zeros(5), lambda x: -np.cos(x)),
    "Rosenbrock's function at its minimum": (
        lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2,
        np.ones(2),
        lambda x: np.array([1.0, 0.0]),
    ),
    "a determinant at zeros": (np.linalg.det, np.zeros((3, 3)), lambda x: np.eye(3)),
    "far beyond what a median moves": (
        lambda x: np.sum(x) + 0.5 * np.median(x),
        np.array([0.5, 1.0, 1.0, 1.0, 2.0]),
        lambda x: np.array([1.0, 1.0, 100.0, 1.0, 1.0]),
    ),
}


@both_modes
@pytest.mark.parametrize("name", SMOOTH)
def test_ties_excuse_nothing_where_slopes_vanish(name: str, mode: Mode) -> None:
    f, x, grad = SMOOTH[name]
    for seed in range(5):
        report = check(f, x, grad=grad, mode=mode, rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("seed", range(3))
def test_equal_entries_of_a_stiff_function_are_no_ties(seed: int) -> None:
    """A matrix that is next to singular: f bends at far smaller steps than its entries' sizes."""
    t = np.linspace(0, 1, 12)
    covariance = np.exp(-0.5 * (t[:, None] - t) ** 2 / 0.1) + 1e-6 * np.eye(12)

    def grad(c: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = np.linalg.solve(c, y)
        return -np.outer(a, a), -2 * a  # the sign of the second is wrong

    at = covariance, np.ones(12)
    report = check(lambda c, y: y @ np.linalg.solve(c, y), at, grad=grad, rng=seed)
    assert report.outcome is Outcome.FAIL, str(report)
    assert report.diagnosis is not None
    assert report.diagnosis.sentence == "the sign of the gradient of argument 1 is flipped"
