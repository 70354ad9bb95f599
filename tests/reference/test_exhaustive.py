"""Every float16, and on demand every float32, through every function of one number.

The truth is another formula in float64.  It is wrong by a few 2⁻⁵³, which is nothing beside half an
ulp of float16 or float32, except within a few 2⁻²⁹ ulp of a tie: there either neighbour may be the
right one.  So a result passes within 0.5 + 2⁻²⁰ ulp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import reference

Function = Callable[[np.ndarray], np.ndarray]
NEAR_TIE = 2.0**-20
CHUNK = 2**20


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(x: np.ndarray) -> np.ndarray:
    return 1 / (4 * np.cosh(x / 2) ** 2)


def tanh(x: np.ndarray) -> np.ndarray:
    moderate = np.clip(x, -300, 300)
    return np.sinh(moderate) / np.cosh(moderate)


def tanh_grad(x: np.ndarray) -> np.ndarray:
    return 1 / np.cosh(x) ** 2


TRUTH: dict[str, Function] = {
    "sigmoid": sigmoid,
    "sigmoid_grad": sigmoid_grad,
    "tanh": tanh,
    "tanh_grad": tanh_grad,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "log_sigmoid_grad": lambda x: sigmoid(-x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softplus_grad": sigmoid,
    "identity": lambda x: x,
    "identity_grad": lambda x: np.cos(0 * x),
    "relu": lambda x: (x + abs(x)) / 2,
    "relu_grad": lambda x: (1 + np.sign(x)) // 2,
}
every_function = pytest.mark.parametrize("name", TRUTH)


def float32_chunks(step: int) -> Iterator[np.ndarray]:
    """Yield the finite float32 numbers, every `step`-th of them, by their bit patterns."""
    for start in range(0, 2**32, CHUNK * step):
        bits = np.arange(start, min(start + CHUNK * step, 2**32), step, dtype=np.uint64)
        x = bits.astype(np.uint32).view(np.float32)
        yield x[np.isfinite(x)]


def worst(name: str, x: np.ndarray) -> float:
    """Return the largest distance from the truth in ulps of the rounded truth."""
    got = getattr(reference, name)(x)
    assert got.dtype == x.dtype
    with np.errstate(all="ignore"):
        truth = TRUTH[name](x.astype(np.float64))
        ulp = np.spacing(abs(truth).astype(x.dtype)).astype(np.float64)
        distance = abs(got.astype(np.float64) - truth) / ulp
    return float(distance.max(initial=0))  # NaN, which fails, where one of them is NaN or infinite


@every_function
def test_every_float16(name: str) -> None:
    x = np.arange(2**16).astype(np.uint16).view(np.float16)
    assert worst(name, x[np.isfinite(x)]) <= 0.5 + NEAR_TIE


@every_function
def test_one_float32_in_fifteen_thousand(name: str) -> None:
    for x in float32_chunks(step=15013):
        assert worst(name, x) <= 0.5 + NEAR_TIE


@pytest.mark.nightly
@every_function
def test_every_float32(name: str) -> None:
    for x in float32_chunks(step=1):
        assert worst(name, x) <= 0.5 + NEAR_TIE, x[:1]


def test_an_error_of_one_float16_quantum_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single wrong entry of 63488, by one ulp."""

    def wrong(x: np.ndarray) -> np.ndarray:
        y = reference.tanh(x)
        y[12345] = np.nextafter(y[12345], y.dtype.type(2))
        return y

    x = np.arange(2**16).astype(np.uint16).view(np.float16)
    x = x[np.isfinite(x)]
    monkeypatch.setitem(TRUTH, "wrong", tanh)
    monkeypatch.setattr(reference, "wrong", wrong, raising=False)
    assert worst("wrong", x) > 0.5 + NEAR_TIE
