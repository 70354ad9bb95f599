"""Every float16, and on demand every float32, through every function of one number.

The truth is another formula in float64.  It is wrong by a few 2⁻⁵³, which is nothing beside half an
ulp of float16 or float32, except within a few 2⁻²⁹ ulp of a tie: there either neighbour may be the
right one.  So a result passes within 0.5 + 2⁻²⁰ ulp.  Gates lose a little more, in an exponent of
hundreds or where a derivative crosses zero, and so does their truth: they pass within 0.51 ulp.
Next to that zero the truth has the same error as the function, and a test of its own has another.

All 2³² take some four minutes for a plain function and a quarter of an hour for GELU, together two
and a half hours: ``pytest -m nightly -k "every_float32 and tanh_grad" tests/reference``; with
``-k one_float32_in_257`` half a minute, and still every exponent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf, workprec

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


def elu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


def elu_grad(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, 0))


erfc = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    return erfc(-x / math.sqrt(2)).astype(float) / 2


def gelu_grad(x: np.ndarray) -> np.ndarray:
    near = np.clip(x, -50, 50)
    return normal_cdf(x) + near * np.exp(-near * near / 2) / math.sqrt(2 * math.pi)


def gelu_tanh_argument(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2u of ½(1 + tanh u) = σ(2u), and its derivative."""
    near = np.clip(x, -50, 50)
    a = 2 * math.sqrt(2 / math.pi)
    return a * (near + 0.044715 * near**3), a * (1 + 3 * 0.044715 * near**2)


def gated(x: np.ndarray, w: np.ndarray, slope: np.ndarray | float) -> np.ndarray:
    """The derivative of x·σ(w)."""
    s = sigmoid(w)
    return s + np.clip(x, -800, 800) * s * sigmoid(-w) * slope


def silu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, -800) * sigmoid(x)


def mish_gate(x: np.ndarray) -> np.ndarray:
    return np.tanh(np.logaddexp(0, x))


def mish_grad(x: np.ndarray) -> np.ndarray:
    w = mish_gate(x)
    return (
        w + np.clip(x, -800, 800) * sigmoid(x) / np.cosh(np.clip(np.logaddexp(0, x), 0, 300)) ** 2
    )


EXACT_TO_A_TIE: dict[str, Function] = {
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
    "leaky_relu": lambda x: 0.505 * x + 0.495 * abs(x),
    "leaky_relu_grad": lambda x: np.where(x > 0, 1.0, 0.01),
    "elu": elu,
    "elu_grad": elu_grad,
    "softsign": lambda x: 1 / (1 / x + np.sign(x)),
    "softsign_grad": lambda x: (1 + abs(x)) ** -2.0,
    "hardswish": lambda x: x * (np.minimum(np.maximum(x, -3), 3) / 6 + 0.5),
    "hardswish_grad": lambda x: np.where(abs(x) < 3, x / 3 + 0.5, x > 0),
}
GATES: dict[str, Function] = {
    "selu": lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * elu(x)),
    "selu_grad": lambda x: SELU[0] * np.where(x > 0, 1, SELU[1] * elu_grad(x)),
    "silu": silu,
    "silu_grad": lambda x: gated(x, x, 1.0),
    "gelu": lambda x: np.maximum(x, -50) * normal_cdf(x),
    "gelu_grad": gelu_grad,
    "gelu_tanh": lambda x: np.maximum(x, -50) * sigmoid(gelu_tanh_argument(x)[0]),
    "gelu_tanh_grad": lambda x: gated(np.clip(x, -50, 50), *gelu_tanh_argument(x)),
    "mish": lambda x: np.maximum(x, -800) * mish_gate(x),
    "mish_grad": mish_grad,
}
SELU = 1.0507009873554805, 1.6732632423543772
TRUTH = EXACT_TO_A_TIE | GATES
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
        distance[np.isinf(got) & (got == truth.astype(x.dtype))] = 0  # SELU overflows
    return float(
        distance.max(initial=0)
    )  # NaN, which fails, where one of them is NaN, or alone infinite


def limit(name: str) -> float:
    return 0.51 if name in GATES else 0.5 + NEAR_TIE


@every_function
def test_every_float16(name: str) -> None:
    x = np.arange(2**16).astype(np.uint16).view(np.float16)
    assert worst(name, x[np.isfinite(x)]) <= limit(name)


@every_function
def test_one_float32_in_fifteen_thousand(name: str) -> None:
    for x in float32_chunks(step=15013):
        assert worst(name, x) <= limit(name)


@pytest.mark.nightly
@every_function
def test_one_float32_in_257(name: str) -> None:
    for x in float32_chunks(step=257):
        assert worst(name, x) <= limit(name), x[:1]


@pytest.mark.nightly
@every_function
def test_every_float32(name: str) -> None:
    for x in float32_chunks(step=1):
        assert worst(name, x) <= limit(name), x[:1]


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


# The float32 next to the zero of a derivative, the derivative's definition, and how many float32
# around it are not rounded correctly.
ZEROS: dict[str, tuple[float, Callable[[Any], Any], int]] = {
    "silu_grad": (-1.2784645, lambda x: mp.diff(lambda t: t / (1 + mp.exp(-t)), x), 1),
    "gelu_grad": (-0.75179154, lambda x: mp.ncdf(x) + x * mp.npdf(x), 3),
    "mish_grad": (-1.1924312, lambda x: mp.diff(lambda t: t * mp.tanh(mp.log1p(mp.exp(t))), x), 1),
}


@pytest.mark.parametrize("name", ZEROS)
def test_float32_next_to_the_zero_of_a_derivative(name: str) -> None:
    zero, derivative, exceptions = ZEROS[name]
    bits = np.arange(-60, 61) + np.float32(zero).view(np.int32)
    x = bits.astype(np.int32).view(np.float32)
    with workprec(200):
        truth = [derivative(mpf(float(v))) for v in x]
        ulp = np.spacing(abs(np.array(truth, float)).astype(np.float32)).astype(float)
        got = getattr(reference, name)(x).astype(float)
        off = [float(abs(mpf(g) - t)) for g, t in zip(got, truth, strict=True)] / ulp
    assert max(off) < 1
    assert np.count_nonzero(off > 0.5 + NEAR_TIE) <= exceptions
