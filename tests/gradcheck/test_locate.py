"""Wrong entries are found by group testing: all of them, and with few evaluations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Report, check

NETWORK = 101_770  # parameters of a 784-128-10 network


def planted(n: int, count: int, relative: float, seed: int) -> tuple[Report, set[int]]:
    """Check ½‖x‖² with that many entries of its gradient off by a relative error."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    bad = rng.choice(n, count, replace=False)

    def grad(x: Any) -> Any:
        g = x.copy()
        g[bad] *= 1 + relative
        return g

    report = check(lambda x: 0.5 * float(np.sum(x * x)), x, grad=grad, rng=seed)
    return report, {int(k) for k in bad}


def found(report: Report) -> set[int]:
    return {e.index[0] for e in report.wrong_entries}


def test_where_every_entry_is_wrong_and_listed_their_number_is_exact() -> None:
    report = check(
        lambda x: float(np.sum(np.sin(x))), np.array([0.3, 1.0]), grad=lambda x: -np.cos(x), rng=0
    )
    assert "(2 wrong entries)" in report.message


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_what_is_off_by_a_hair_is_not_listed_beside_what_is_wrong(mode: Any) -> None:
    """As an adjoint that is integrated to eight digits is off, wherever it isn't wrong."""
    x = np.linspace(0.3, 1, 4)

    def grad(x: Any) -> Any:
        return np.cosh(x) * np.array([1 + 3e-9, 1, 1.001, 1])

    for seed in range(5):
        report = check(lambda x: float(np.sum(np.sinh(x))), x, grad=grad, mode=mode, rng=seed)
        assert [e.index for e in report.wrong_entries] == [(2,)]
        assert report.diagnosis is not None
        assert report.diagnosis.kind == "entry"


@pytest.mark.parametrize("relative", [0.5, 1e-3, -2.0])
@pytest.mark.parametrize("seed", range(3))
def test_one_entry_of_a_network(relative: float, seed: int) -> None:
    report, bad = planted(NETWORK, 1, relative, seed)
    assert report.outcome is Outcome.FAIL
    assert found(report) == bad
    assert report.evaluations <= 500
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "entry"


@pytest.mark.parametrize("count", [2, 5, 10])
def test_several_entries_of_a_network(count: int) -> None:
    report, bad = planted(NETWORK, count, 0.5, seed=0)
    assert found(report) == bad
    # two measurements of four evaluations a level, below the level that parts them
    levels = count * math.log2(NETWORK / count) + count
    assert report.evaluations <= 64 + 8 * levels


@pytest.mark.parametrize("place", [(0, (3, 17)), (1, (64,)), (3, (9,))])
def test_one_entry_of_a_network_with_kinks_nearby(place: Any) -> None:
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((784, 128)) * 0.05, rng.standard_normal((128, 10)) * 0.1
    parameters = weights[0], np.zeros(128), weights[1], np.zeros(10)
    batch, rows, labels = rng.random((32, 784)), np.arange(32), rng.integers(10, size=32)

    def loss(W: Any, b: Any, V: Any, c: Any) -> float:
        z = np.maximum(batch @ W + b, 0.0) @ V + c
        return float(np.mean(np.log(np.exp(z).sum(1)) - z[rows, labels]))

    def grad(W: Any, b: Any, V: Any, c: Any) -> Any:
        a = batch @ W + b
        hidden = np.maximum(a, 0.0)
        p = np.exp(hidden @ V + c)
        p /= p.sum(1, keepdims=True)
        p[rows, labels] -= 1
        p /= 32
        d = p @ V.T * (a > 0)
        gradient = [batch.T @ d, d.sum(0), hidden.T @ p, p.sum(0)]
        gradient[place[0]][place[1]] *= 1.1
        return tuple(gradient)

    report = check(loss, parameters, grad=grad, argnums=(0, 1, 2, 3), rng=0)
    assert [(e.argument, e.index) for e in report.wrong_entries] == [place]
    assert report.evaluations <= 500


def test_a_count_of_wrong_entries_is_right_or_says_at_least() -> None:
    """Where errors are unlike, that of a group may be lost beside another's, and is looked for again."""
    exact = 0
    for seed in range(20, 40):
        rng = np.random.default_rng(2300 + seed)
        x = rng.normal(size=10_000)
        bad = rng.choice(10_000, 10, replace=False)

        def grad(x: Any, bad: Any = bad) -> Any:
            g = np.cos(x)
            g[bad] *= 1.5
            return g

        report = check(lambda x: float(np.sum(np.sin(x))), x, grad=grad, rng=seed)
        assert found(report) <= set(bad.tolist())
        if "at least" not in report.message:
            exact += 1
            assert found(report) == set(bad.tolist()), str(report)
    assert exact >= 10


def test_a_small_mistake_beside_a_large_one() -> None:
    """It is lost where the other half's rough measurement leaves as much to it as it is."""
    x = np.random.default_rng(0).uniform(0.5, 2.0, 64)

    def missed(share: float, seed: int) -> bool:
        def grad(x: Any) -> Any:
            g = 3 * np.cos(3 * x)
            g[[5, 43]] += 0.03, 0.03 * share
            return g

        report = check(lambda x: np.sum(np.sin(3 * x)), x, grad=grad, rng=seed)
        return found(report) != {5, 43}

    assert sum(missed(share, seed) for share in (0.05, 0.07) for seed in range(40)) <= 3


@pytest.mark.nightly
@pytest.mark.parametrize("relative", [0.1, 1e-3])
def test_ten_entries_of_a_million(relative: float) -> None:
    report, bad = planted(1_000_000, 10, relative, seed=0)
    assert found(report) == bad
    assert report.evaluations <= 1000


def test_entries_say_what_is_there() -> None:
    rng = np.random.default_rng(0)
    params = {"w": rng.standard_normal((20, 30)), "b": [rng.standard_normal(7), np.array(0.5)]}

    def f(p: Any) -> float:
        return float(np.sum(p["w"] ** 3) + np.sum(p["b"][0] ** 3) + p["b"][1] ** 3)

    def grad(p: Any) -> Any:
        g = {"w": 3 * p["w"] ** 2, "b": [3 * p["b"][0] ** 2, 3 * p["b"][1] ** 2]}
        g["w"][3, 17] += 10.0
        g["b"][0][2] = 0.0
        return g

    report = check(f, params, grad=grad, rng=0)
    entries = {e.label: e for e in report.wrong_entries}
    assert entries.keys() == {"x0['w'][3, 17]", "x0['b'][0][2]"}
    for e in entries.values():
        truth = 3 * (params["w"][3, 17] if e.path == "['w']" else params["b"][0][2]) ** 2
        assert abs(e.numerical - truth) <= e.radius < 1e-2 * abs(e.claimed - truth)
    assert entries["x0['w'][3, 17]"].claimed == 3 * params["w"][3, 17] ** 2 + 10


def test_the_pair_of_a_vector_function() -> None:
    rng = np.random.default_rng(0)
    a, x = rng.standard_normal((40, 60)), rng.standard_normal(60)

    def jac(x: Any) -> Any:
        j = a * np.cos(a @ x)[:, None]
        j[31, 44] += 1.0
        return j

    report = check(lambda x: np.sin(a @ x), x, jac=jac, rng=0)
    assert [(e.output, e.index) for e in report.wrong_entries] == [((31,), (44,))]
    assert report.evaluations <= 200


@pytest.mark.parametrize("seed", range(3))
def test_of_a_claim_of_zeros_large_entries_are_shown(seed: int) -> None:
    """The first ones hardly matter."""
    w = 4.0 ** -np.abs(np.arange(1000) - 700)
    report = check(lambda x: np.sum(w * np.sin(x)), np.ones(1000), grad=lambda x: 0 * x, rng=seed)
    assert 700 in found(report)
    assert found(report) <= {698, 699, 700, 701, 702}
    assert report.evaluations <= 150
    assert "-0 " not in str(report)  # of nothing there is no sign
