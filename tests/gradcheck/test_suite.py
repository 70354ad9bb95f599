"""`check_case`: the point that it draws, and arguments that make no sense."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradcheck import Argument, Case, Outcome, check_case


class Even:
    """All numbers, sampled by one uniform number each."""

    differentiable = True

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], _: Any) -> np.ndarray:
        return rng.random(shape) - 0.5

    def contains(self, _: np.ndarray) -> bool:
        return True

    def tangent(self, _: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return direction

    def reach(self, _: np.ndarray, __: np.ndarray) -> tuple[float, float]:
        return -math.inf, math.inf


def case(f: Any) -> Case:
    return Case(
        name="cosh",
        f=f,
        grad=np.sinh,
        arguments=(Argument("x", Even(), ("n",)),),
        source="calculus",
    )


def test_the_point_and_the_directions_are_independent() -> None:
    """From one generator the bits of a number of x would be those of the signs of a direction."""
    agreements = 0
    for seed in range(32):
        points: list[np.ndarray] = []

        def f(x: np.ndarray, points: list[np.ndarray] = points) -> float:
            points.append(x)
            return float(np.sum(np.cosh(x)))

        check_case(case(f), rng=seed, sizes={"n": 4})
        x = points[0]
        moved = next(p - x for p in points if np.any(p != x))
        agreements += bool(np.sign(moved[1] * moved[3]) == np.sign(x[0] * x[1]))
    assert 8 <= agreements <= 24


def test_a_seed_reproduces_the_point() -> None:
    points: list[np.ndarray] = []

    def f(x: np.ndarray) -> float:
        points.append(x)
        return float(np.sum(np.cosh(x)))

    (report,) = check_case(case(f), rng=np.random.default_rng(5))
    first, points[:] = points[0], []
    (again,) = check_case(case(f), rng=report.seed)
    assert report.outcome is Outcome.PASS
    assert (again.to_dict(), points[0].tolist()) == (report.to_dict(), first.tolist())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (3, r"check_case takes a gradcheck.Case, got 3$"),
        (
            (case(np.sum),),
            r"check_case takes one gradcheck.Case, got a tuple of 1: call it for each",
        ),
        ([], r"check_case takes one gradcheck.Case, got a list of 0: call it for each"),
    ],
)
def test_what_is_no_case_is_named(row: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_case(row)


@pytest.mark.parametrize("sizes", [3, "n", [("n", 3)]])
def test_sizes_that_are_no_mapping_are_named(sizes: Any) -> None:
    with pytest.raises(TypeError, match=r'sizes must be a mapping such as {"n": 5}, got '):
        check_case(case(np.sum), sizes=sizes)
