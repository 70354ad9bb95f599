"""What the tests of the hand-written functions share: inputs of every magnitude, strict calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

DTYPES = (np.float64, np.float32, np.float16)


@pytest.fixture(params=DTYPES, ids=lambda d: d.__name__)
def dtype(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.fixture(
    params=[
        pytest.param((11, 12), id="quick"),
        pytest.param((None, 300), marks=pytest.mark.nightly, id="deep"),
    ]
)
def effort(request: pytest.FixtureRequest) -> tuple[np.random.Generator, int]:
    """A source of randomness, and how many numbers of each kind to look at."""
    seed, points = request.param
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    print(f"seed {seed}")  # shown where a test fails
    return np.random.default_rng(seed), points


@pytest.fixture(scope="session")
def bound() -> Callable[[float, type], float]:
    """The bound in ulps: float32 and float16 are computed in float64 and rounded once."""
    return lambda limit, dtype: limit if dtype is np.float64 else 0.51


@pytest.fixture(scope="session")
def numbers() -> Callable[..., np.ndarray]:
    """Finite numbers of a dtype: moderate, near given places, of every magnitude, the ends."""

    def draw(
        rng: np.random.Generator, dtype: type, points: int, near: tuple[float, ...] = ()
    ) -> np.ndarray:
        info = np.finfo(dtype)
        low, high = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
        places = np.array([0.0, 1.0, *near])
        ends = [0.0, float(info.tiny), float(info.smallest_subnormal), float(info.max)]
        parts = [
            rng.uniform(-3, 3, points),
            rng.uniform(-40, 40, points),
            rng.uniform(-760, 760, points),
            10.0 ** rng.uniform(low, high, points),
            -(10.0 ** rng.uniform(low, high, points)),
            rng.choice(places, points) + rng.standard_normal(points) * 10.0 ** rng.uniform(-16, 0),
            -rng.choice(places, points) + rng.standard_normal(points) * 10.0 ** rng.uniform(-16, 0),
            places,
            -places,
            np.array(ends),
            -np.array(ends),
        ]
        with np.errstate(all="ignore"):
            x = np.concatenate(parts).astype(dtype)
        return x[np.isfinite(x)]

    return draw


def _leaves(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture(scope="session")
def strictly() -> Callable[..., Any]:
    """Call under NumPy's default error state, then with all raising: equal, nothing mutated."""

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        before = [np.array(a) for a in arguments]
        result = function(*arguments)
        with np.errstate(all="raise"):
            again = function(*arguments)
        for first, second in zip(_leaves(result), _leaves(again), strict=True):
            np.testing.assert_array_equal(first, second)
        for argument, old in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(argument, old)
        return result

    return call
