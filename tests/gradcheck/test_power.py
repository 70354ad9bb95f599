"""Is the stated power true?  Errors planted at and around the resolution, and counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, check
from gradcheck._case.steps import down_to_power_of_two
from gradcheck._estimate.directions import (
    MISS_PROBABILITY,
    detectable_gradient,
    detectable_matrix,
    signed,
)

N = 12
DRAWS = 20_000


def errors() -> dict[str, Any]:
    """Unit vectors from one entry to all of them, with and without cancellation."""
    rng = np.random.default_rng(1)
    shapes = {
        "one entry": np.eye(N)[3],
        "two equal": np.eye(N)[3] + np.eye(N)[7],
        "two opposite": np.eye(N)[3] - np.eye(N)[7],
        "all equal": np.ones(N),
        "geometric": 2.0 ** -np.arange(N),
        "random": rng.standard_normal(N),
    }
    return {name: e / np.linalg.norm(e) for name, e in shapes.items()}


@pytest.mark.parametrize("name", errors())
@pytest.mark.parametrize("radius", [0.3, 0.1, 0.03, 0.01])
def test_one_direction_misses_no_more_than_the_bound(name: str, radius: float) -> None:
    """P(|Σ aᵢ(±mᵢ)| ≤ r) ≤ 2√2·r/‖a‖, as stated in `_directions`."""
    rng = np.random.default_rng(0)
    sums = signed(rng, (DRAWS, N)) @ errors()[name]
    missed = float(np.mean(np.abs(sums) <= radius))
    bound = 2 * math.sqrt(2) * radius
    assert missed <= bound + 4 * math.sqrt(bound / DRAWS)


@pytest.mark.parametrize("rank", [1, 3, N])
@pytest.mark.parametrize("radius", [0.03, 0.01, 0.003])
def test_one_pair_misses_no_more_than_the_bound(rank: int, radius: float) -> None:
    rng = np.random.default_rng(rank)
    e = rng.standard_normal((N, rank)) @ rng.standard_normal((rank, N))
    e /= np.max(np.linalg.norm(e, axis=0))
    v, d = signed(rng, (DRAWS, N)), signed(rng, (DRAWS, N))
    missed = float(np.mean(np.abs(np.einsum("ki,ij,kj->k", v, e, d)) <= radius))
    q = 8 * radius
    bound = q * (1 + math.log(1 / q))
    assert missed <= bound + 4 * math.sqrt(bound / DRAWS)


def test_the_smallest_numbers_have_a_direction_too() -> None:
    sizes = np.array([5e-324, 1.5e-323, 3e-310, 2.0**-1022, 0.75, 3.0, 1e308])
    powers = down_to_power_of_two(sizes)
    assert np.all((powers <= sizes) & (sizes - powers < powers))
    assert np.all(np.frexp(powers)[0] == 0.5)


def test_the_resolution_follows_from_the_bounds() -> None:
    """At the stated size the product of the bounds is the stated probability."""
    for radii in ([1e-9] * 3, [1e-12, 1e-9, 1e-6], [1e-12, 1e-12, 1.0]):
        size = detectable_gradient(radii)
        chance = math.prod(min(1.0, 2 * math.sqrt(2) * r / size) for r in radii)
        assert chance == pytest.approx(MISS_PROBABILITY, rel=1e-9)
    size = detectable_matrix([1e-9] * 3)
    q = 8 * 1e-9 / size
    assert (q * (1 + math.log(1 / q))) ** 3 == pytest.approx(MISS_PROBABILITY, rel=1e-4)


def test_errors_at_the_resolution_are_found() -> None:
    """Planted in every shape, from 1 to 3 times the stated size: with a chance of 1e-9, none is missed."""
    x = np.linspace(-2.0, 3.0, N)
    s = down_to_power_of_two(np.abs(x))

    def f(x: Any) -> Any:
        return np.sum(np.sin(x) + 0.3 * x**2)

    def grad(x: Any) -> Any:
        return np.cos(x) + 0.6 * x

    right = check(f, x, grad=grad, rng=0)
    scale = float(np.median([p.scale for p in right.probes]))
    missed = []
    for name, e in errors().items():
        for factor in (1.0, 1.5, 3.0):
            planted = factor * right.resolution * scale * e / s
            for seed in range(20):
                report = check(f, x, grad=lambda x, p=planted: grad(x) + p, rng=seed)
                if report.outcome is not Outcome.FAIL:
                    missed.append((name, factor, seed))
    assert not missed


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (math.sin, 1.0, math.cos(1.0)),
        (lambda x: 1e8 + x, 3.0, 1.0),
        (lambda x: np.interp(x, [1.7e9, 1.7e9 + 3600], [0.0, 1.0]), 1.7e9 + 500.0, 1 / 3600),
    ],
)
def test_of_one_number_the_best_direction_is_the_resolution(f: Any, x: float, slope: float) -> None:
    """Every direction shows the whole of it: an error of the stated size is seen, not left to chance."""
    for seed in range(20):
        right = check(f, x, grad=lambda x: slope, rng=seed)
        assert right.outcome is Outcome.PASS
        assert right.resolution < 1e-7
        for part in (-right.resolution, right.resolution):
            wrong = check(f, x, grad=lambda x, part=part: slope * (1 + part), rng=seed)
            assert wrong.outcome is not Outcome.PASS, seed


def test_where_rounding_hides_one_number_more_directions_are_no_use() -> None:
    report = check(lambda x: (1 - math.cos(x)) / x**2, 1e-4, grad=lambda x: -x / 12, rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert sum(p.label == "random" for p in report.probes) <= 4


def test_far_below_the_resolution_errors_are_missed() -> None:
    """The stated size is a bound, not a fantasy: errors far below it, of a tenth of the error bars, pass."""
    x = np.linspace(-2.0, 3.0, N)
    right = check(lambda x: np.sum(np.sin(x)), x, grad=np.cos, rng=0)
    hidden = min(p.radius / p.scale for p in right.probes) / 10
    assert hidden < 1e-5 * right.resolution
    passed = [
        check(
            lambda x: np.sum(np.sin(x)),
            x,
            grad=lambda x: np.cos(x) * (1 + hidden),
            rng=seed,
        ).outcome
        for seed in range(20)
    ]
    assert set(passed) == {Outcome.PASS}


def test_a_coarse_tolerance_is_not_left_to_two_directions() -> None:
    """Along a single one, errors of 30 % in each of many entries often cancel to within the tolerated 10 %."""
    for seed in range(100):
        rng = np.random.default_rng([seed, 1])  # not the directions' numbers
        off = 1 + 0.3 * rng.choice([-1.0, 1.0], 1000)
        report = check(
            lambda x: np.sum(np.sin(x)),
            rng.standard_normal(1000),
            grad=lambda x, off=off: off * np.cos(x),
            rtol=0.1,
            rng=seed,
        )
        assert report.outcome is not Outcome.PASS, str(report)


@pytest.mark.parametrize("rtol", [0.1, 0.01, 1e-3])
def test_a_pass_sees_ten_times_the_tolerance(rtol: float) -> None:
    x = np.random.default_rng(0).standard_normal(50)
    for seed in range(10):
        report = check(lambda x: np.sum(np.sin(x)), x, grad=np.cos, rtol=rtol, rng=seed)
        assert report.outcome is Outcome.PASS
        assert report.resolution <= max(10 * rtol, 0.01)
