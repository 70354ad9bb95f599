"""Memory of a check: its peak is at most twelve arrays of x's size, what f and the claim return included.

f and the claims here make as few arrays as they can, and the peak is counted in numbers of eight bytes:
where x is in float32, f is looked at in float64.

What takes more, and is not listed here: entries at kinks, whose directions are held together; and
locating a wrong entry of x that moves most of f's outputs, or is so slightly wrong that complex steps
are asked: their values are projected again and again to find the worst output.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradcheck import Interval, Report, Simplex, check

Numbers = npt.NDArray[Any]
SIDE = 160
COUNT = SIDE**2
HALF = COUNT // 2
MOST = 12


def arrays_at_peak(f: Callable[..., Any], x: Any, **claim: Any) -> tuple[Report, float]:
    """Return the report, and the most memory in use during the check in arrays of `COUNT` numbers."""
    gc.collect()
    tracemalloc.start()
    try:
        report = check(f, x, rng=3, **claim)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return report, peak / (8 * COUNT)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import what a check that fails, and one inside a domain, import on first use."""
    x = np.linspace(1, 2, 3000)
    for grad in (np.copy, np.cos):
        check(half_square, x, grad=grad, domain=Interval(0.0), rng=1)
    check(np.square, x, vjp=one_wrong, rng=1)


def numbers(*shape: int) -> Numbers:
    return np.random.default_rng(5).standard_normal(shape or COUNT) + 0.1


def positive() -> Numbers:
    x = np.abs(numbers())
    x += 0.01
    return x


def half_square(x: Numbers) -> float:
    flat = x.reshape(-1)
    return float(flat @ flat) / 2


def with_wrong_entries(g: Numbers, where: Any) -> Numbers:
    g = g.copy()
    g.reshape(-1)[where] *= 1.7
    return g


GRADIENTS: dict[str, tuple[str, Callable[[Numbers], Numbers]]] = {
    "right": ("pass", np.copy),
    "factor": ("fail", lambda x: 2 * x),
    "irregular": ("fail", np.cos),
    "zero": ("fail", np.zeros_like),
    "one entry": ("fail", lambda x: with_wrong_entries(x, 777)),
    "four entries": ("fail", lambda x: with_wrong_entries(x, [7, 777, 7777, 37777])),
    "one percent": ("fail", lambda x: with_wrong_entries(x, slice(None, None, 100))),
    "half": ("fail", lambda x: with_wrong_entries(x, slice(HALF))),
    "NaN": ("fail", lambda x: np.full_like(x, np.nan)),
    "reversed": ("fail", lambda x: x[::-1].copy()),
    "rounded": ("fail", lambda x: x.astype(np.float32)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    outcome, grad = GRADIENTS[name]
    report, arrays = arrays_at_peak(half_square, numbers(), grad=grad)
    assert report.outcome.value == outcome
    assert arrays <= MOST


@pytest.mark.parametrize(("scale", "outcome"), [(1.0, "pass"), (0.5, "fail")])
def test_a_loss_of_much_noise_takes_many_directions(scale: float, outcome: str) -> None:
    def rounded(x: Numbers) -> float:
        return float(np.round(half_square(x), 2))

    _, arrays = arrays_at_peak(rounded, numbers(), grad=lambda x: scale * x)
    assert arrays <= MOST


def test_a_small_epsilon_is_recognised() -> None:
    def f(x: Numbers) -> float:
        y = x + 1e-3
        return float(np.log(y, out=y).sum())

    report, arrays = arrays_at_peak(f, positive(), grad=lambda x: 1 / x)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "epsilon"
    assert arrays <= MOST


@pytest.mark.parametrize("kind", ["transpose", "symmetric"])
def test_matrices(kind: str) -> None:
    x, w = numbers(SIDE, SIDE), np.random.default_rng(6).standard_normal((SIDE, SIDE))
    if kind == "symmetric":
        x += x.T.copy()
    gradient = w.T.copy() if kind == "transpose" else (w + w.T) / 2
    report, arrays = arrays_at_peak(
        lambda x: float(w.reshape(-1) @ x.reshape(-1)), x, grad=lambda x: gradient.copy()
    )
    assert report.diagnosis is not None
    assert report.diagnosis.kind == kind
    assert arrays <= MOST


@pytest.mark.parametrize("wrong", ["", "w", "b", "one entry"])
def test_nested_arguments(wrong: str) -> None:
    x = {"w": numbers(HALF).reshape(SIDE, -1), "b": [numbers(HALF)]}

    def f(p: Any) -> float:
        return half_square(p["w"]) + half_square(p["b"][0])

    def grad(p: Any) -> Any:
        w, b = p["w"].copy(), p["b"][0].copy()
        if wrong == "one entry":
            w[1, 7] += 1
        elif wrong:
            np.cos(w, out=w) if wrong == "w" else np.multiply(b, 2, out=b)
        return {"w": w, "b": [b]}

    report, arrays = arrays_at_peak(f, x, grad=grad)
    assert bool(report) is not bool(wrong)
    assert arrays <= MOST


@pytest.mark.parametrize("name", ["right", "irregular", "one entry"])
@pytest.mark.parametrize("kind", ["half-line", "interval", "simplex"])
def test_domains(kind: str, name: str) -> None:
    outcome, grad = GRADIENTS[name]
    x, domain = positive(), Interval(0.0) if kind == "half-line" else Interval(-1.0, 10.0)
    if kind == "simplex":
        x = x.reshape(SIDE, SIDE)
        x /= x.sum(axis=1, keepdims=True)
        domain = Simplex()
    report, arrays = arrays_at_peak(half_square, x, grad=grad, domain=domain)
    assert report.outcome.value == outcome
    assert arrays <= MOST


@pytest.mark.parametrize("name", ["right", "irregular", "one entry"])
def test_float32(name: str) -> None:
    outcome, grad = GRADIENTS[name]
    x = numbers().astype(np.float32)
    report, arrays = arrays_at_peak(lambda x: np.dot(x, x) / 2, x, grad=grad)
    assert report.outcome.value == outcome
    assert arrays <= MOST


def product(x: Numbers, v: Numbers) -> Numbers:
    y = x * v
    y *= 2
    return y


def one_wrong(x: Numbers, v: Numbers) -> Numbers:
    y = product(x, v)
    y[777] *= 2
    return y


def _irregular(x: Numbers, v: Numbers) -> Numbers:
    y = np.cos(x)
    y *= v
    return y


def _not_linear(x: Numbers, v: Numbers) -> Numbers:
    y = product(x, v)
    return np.abs(y, out=y)


PRODUCTS: dict[str, tuple[str, Callable[[Numbers, Numbers], Numbers]]] = {
    "right": ("pass", product),
    "factor": ("fail", np.multiply),
    "irregular": ("fail", _irregular),
    "zero": ("fail", lambda x, _: np.zeros_like(x)),
    "ignores v": ("fail", lambda x, _: 2 * x),
    "not linear": ("fail", _not_linear),
    "one entry": ("fail", one_wrong),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_as_many_outputs_as_inputs(name: str) -> None:
    assert_few_arrays("vjp", name)


@pytest.mark.parametrize("kind", ["jvp", "both"])
@pytest.mark.parametrize("name", ["right"])
def test_other_forms_of_a_product(kind: str, name: str) -> None:
    assert_few_arrays(kind, name)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["jvp", "both"])
@pytest.mark.parametrize("name", sorted(PRODUCTS.keys() - {"right"}))
def test_other_forms_of_a_wrong_product(kind: str, name: str) -> None:
    assert_few_arrays(kind, name)


def assert_few_arrays(kind: str, name: str) -> None:
    outcome, claim = PRODUCTS[name]
    claims = {kind: claim} if kind != "both" else {"vjp": product, "jvp": claim}
    report, arrays = arrays_at_peak(np.square, numbers(), **claims)
    assert report.outcome.value == outcome
    assert arrays <= MOST


def test_outputs_that_depend_on_many_inputs() -> None:
    def vjp(_: Numbers, v: Numbers) -> Numbers:
        return np.cumsum(v[::-1])[::-1]

    report, arrays = arrays_at_peak(np.cumsum, numbers(), vjp=vjp)
    assert report
    assert arrays <= MOST


@pytest.mark.parametrize("wrong", [False, True])
def test_several_outputs(wrong: bool) -> None:
    def f(x: Numbers) -> Any:
        return {"a": np.square(x[:HALF]), "b": (np.square(x[HALF:]),)}

    def vjp(x: Numbers, v: Any) -> Numbers:
        y = 2 * x
        y[:HALF] *= v["a"]
        y[HALF:] *= v["b"][0]
        y[777] *= 2 if wrong else 1
        return y

    report, arrays = arrays_at_peak(f, numbers(), vjp=vjp)
    assert bool(report) is not wrong
    assert arrays <= MOST


def test_small_outputs() -> None:
    units = np.where(np.arange(COUNT) % 100 == 0, 1e-9, 1.0)
    report, arrays = arrays_at_peak(
        lambda x: x * units, numbers(), vjp=lambda x, v: np.multiply(v, units)
    )
    assert "small outputs" in [probe.label for probe in report.probes]
    assert report
    assert arrays <= MOST


def test_a_check_leaves_nothing_behind() -> None:
    """Its arrays go with it, not when cycles are collected some time later."""
    x = numbers()
    check(np.square, x, vjp=one_wrong, rng=1)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        check(np.square, x, vjp=one_wrong, rng=1)
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < x.nbytes / 2
