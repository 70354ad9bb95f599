"""What a report says, what `assert_gradient` does with it, and calls that make no sense."""

from __future__ import annotations

import json
import math
import pickle
import traceback
import unittest
from typing import Any

import numpy as np
import pytest

from gradcheck import GradientError, Interval, Outcome, Report, assert_gradient, check
from gradcheck._claim.compare import Comparison
from gradcheck._diagnosis.locate import Located
from gradcheck._estimate.singular import Found
from gradcheck._verdict.endings import disagreement, hair_off

A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
X = np.array([0.5, -1.25, 2.0])


def cubes(x: np.ndarray) -> float:
    return float(np.sum(x**3))


def cubes_grad(x: np.ndarray) -> np.ndarray:
    return 3 * x**2


def linear(x: np.ndarray) -> np.ndarray:
    return np.tanh(A @ x)


def linear_jac(x: np.ndarray) -> np.ndarray:
    return (1 - np.tanh(A @ x) ** 2)[:, None] * A


def test_report_is_json_safe_and_versioned() -> None:
    report = check(lambda x: float("nan"), X, grad=cubes_grad, rng=7)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["schema"] == "gradcheck.report/1"
    assert data["resolution"] == "inf"
    assert data["seed"] == 7


def test_seed_reproduces_the_report() -> None:
    def wrong(x: np.ndarray) -> np.ndarray:
        return cubes_grad(x) * (1 + 1e-9)

    first = check(cubes, X, grad=wrong)
    again = check(cubes, X, grad=wrong, rng=first.seed)
    assert again.to_dict() == first.to_dict()
    assert check(cubes, X, grad=wrong).seed != first.seed


def test_workers_do_not_change_the_report() -> None:
    reports = [check(linear, X, jac=linear_jac, mode="full", workers=k, rng=0) for k in (1, 3)]
    assert reports[0].to_dict() == reports[1].to_dict()


def test_assert_gradient() -> None:
    assert isinstance(assert_gradient(cubes, X, grad=cubes_grad), Report)
    with pytest.raises(GradientError) as caught:
        assert_gradient(cubes, X, grad=np.zeros_like)
    assert caught.value.report.outcome is Outcome.FAIL
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value).splitlines()[0].startswith("FAIL  cubes [grad]: ")


def test_assert_gradient_on_inconclusive() -> None:
    def unknown(x: np.ndarray) -> float:
        return 1e16 + float(np.sum(np.sin(x)))

    with pytest.raises(GradientError):
        assert_gradient(unknown, X, grad=np.cos)
    with pytest.raises(unittest.SkipTest):
        assert_gradient(unknown, X, grad=np.cos, inconclusive="skip")
    with pytest.warns(UserWarning, match="INCONCLUSIVE"):
        assert_gradient(unknown, X, grad=np.cos, inconclusive="warn")


@pytest.mark.parametrize("inconclusive", ["skip", "warn"])
@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x: x.no_such_method(), "f raised AttributeError at x"),
        (lambda x: "text", "f must return numbers"),
    ],
)
def test_a_broken_f_is_neither_skipped_nor_warned_of(f: Any, said: str, inconclusive: Any) -> None:
    with pytest.raises(GradientError, match=said):
        assert_gradient(f, X, grad=cubes_grad, inconclusive=inconclusive)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "exactly one of"),
        ({"grad": cubes_grad, "vjp": cubes_grad}, TypeError, "grad, vjp"),
        ({"grad": 3}, TypeError, "grad must be callable"),
        ({"grad": cubes_grad, "mode": "slow"}, ValueError, "slow"),
        ({"grad": cubes_grad, "rtol": -1.0}, ValueError, "-1.0"),
        ({"grad": cubes_grad, "rng": "seed"}, TypeError, "seed"),
        ({"grad": cubes_grad, "rng": -3}, ValueError, "-3"),
        ({"grad": cubes_grad, "workers": 0}, ValueError, "workers"),
        ({"grad": cubes_grad, "argnums": 1}, ValueError, "argument 1"),
        ({"grad": cubes_grad, "argnums": ()}, ValueError, "argnums"),
        ({"grad": cubes_grad, "domain": Interval(0.0)}, ValueError, "domain"),
    ],
)
def test_senseless_calls_raise(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check(cubes, X, **arguments)


@pytest.mark.parametrize("x", [X.astype(np.float32), X.tolist(), (X, X)])
def test_a_batch_needs_one_float64_array(x: Any) -> None:
    with pytest.raises(TypeError, match="one float64 array"):
        check(lambda x: np.sum(x**3, axis=-1), x, grad=cubes_grad, vectorized=True)


@pytest.mark.parametrize("x", [np.array([1.0, np.nan]), np.array([np.inf])])
def test_nonfinite_point_raises(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        check(cubes, x, grad=cubes_grad)


def test_grad_of_a_vector_function_says_what_to_use() -> None:
    with pytest.raises(TypeError, match="Elementwise"):
        check(np.sin, X, grad=np.cos)


def test_text_of_a_pass() -> None:
    assert str(check(cubes, X, grad=cubes_grad, rng=4)) == (
        "PASS  cubes [grad]: agrees with the numerical derivative along 2 random directions\n"
        "  would have seen: an error of 1.9e-05 of the gradient's size (chance of missing one: 1e-09)\n"
        "  tried: 2 directions, 14 evaluations of f, 3 of the grad; rerun with rng=4"
    )


def test_text_of_a_pass_of_every_entry() -> None:
    assert str(check(cubes, X, grad=cubes_grad, mode="full", rng=4)) == (
        "PASS  cubes [grad]: all 3 entries agree\n"
        "  would have seen: an error of 4.1e-08 of an entry's size, in any that rounding doesn't hide\n"
        '  tried: each entry, 14 evaluations of f, 3 of the grad; rerun with mode="full", rng=4'
    )


def test_text_of_a_constant() -> None:
    """Beside an f of zero there is nothing that an error could be a part of."""
    text = str(check(lambda x: 0.0, X, grad=np.zeros_like, rng=4))
    assert text.startswith("PASS  <lambda> [grad]: f did not vary at all")
    assert "would have seen" not in text


def test_text_of_a_failure() -> None:
    def halved(x: np.ndarray) -> np.ndarray:
        g = cubes_grad(x)
        g[1] /= 2
        return g

    lines = str(check(cubes, X, grad=halved, rng=4)).splitlines()
    assert lines[0].startswith(
        "FAIL  cubes [grad]: x0[1] is wrong: claimed 2.34375, numerical 4.6875 ± "
    )
    assert lines[2].split() == ["entry", "claimed", "numerical", "±", "radius", "claimed/numerical"]
    assert lines[3].split()[:3] == ["x0[1]", "2.34375", "4.6875"]
    assert lines[3].split()[-1] == "0.5"
    assert lines[5] == "  looks like: a single wrong entry, x0[1]; the others agree"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("random", "the derivative along a random direction is wrong"),
        ("small entries", "the derivative in the small entries is wrong"),
        ("small outputs", "the derivative of the small outputs is wrong"),
    ],
)
def test_a_failure_without_entries_says_which_derivative(label: str, said: str) -> None:
    found = Found(2.0, 0.1, "smooth", 0.0, 1.0, 1.0)
    worst = Comparison(label, np.ones(1), np.ones(1), 1.0, found, 1.0, 0.2, 1e-2)
    verdict = disagreement(Located((), complete=False), worst, None, math.inf)
    assert verdict.message == f"{said}: claimed 1, numerical 2 ± 1.0e-01"


def test_a_report_equals_its_copy() -> None:
    """Also where it holds NaN: the full mode leaves nothing to chance."""
    report = check(cubes, X, grad=cubes_grad, mode="full", rng=0)
    copy = pickle.loads(pickle.dumps(report))
    assert copy == report
    assert hash(copy) == hash(report)
    assert report != check(cubes, X, grad=cubes_grad, mode="full", rng=1)


def test_what_the_claim_raised_is_the_cause() -> None:
    """A person sees its traceback, which begins with their own code."""

    def broken(x: Any) -> Any:
        return {}["w"]

    with pytest.raises(GradientError) as raised:
        assert_gradient(cubes, X, grad=broken, rng=0)
    cause = raised.value.__cause__
    assert isinstance(cause, KeyError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["broken"]
    assert raised.value.report.cause is cause
    copy = pickle.loads(pickle.dumps(raised.value))
    assert copy.report == raised.value.report
    assert copy.report.cause is None


def test_a_complaint_of_ours_is_no_cause() -> None:
    report = check(lambda x: "text", X, grad=cubes_grad, rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert report.cause is None
    assert check(cubes, X, grad=lambda x: "text", rng=0).cause is None
    assert check(cubes, X, grad=cubes, rng=0).cause is None


def test_a_hair_beside_a_claim_of_zero_has_no_tolerance_that_accepts_it() -> None:
    found = Found(1e-9, 1e-10, "smooth", 0.0, 1.0, 1.0)
    c = Comparison("entry", np.ones(1), np.ones(1), 0.0, found, 0.0, 1e-10, 1e-2)
    assert "rtol" not in hair_off(c, 1e-8, math.inf).message


def test_the_first_line_names_the_output() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.array([x[0], x[1] ** 2, 7 * x[0]])

    claim = np.array([[1.0, 0.0], [0.0, 4.0], [3.0, 0.0]])
    report = check(f, np.array([1.0, 2.0]), jac=lambda x: claim, rng=0)
    assert report.message.startswith("x0[0] of output [2] is wrong: claimed 3, numerical 7 ± ")


@pytest.mark.parametrize(("small", "said"), [(1e-8, True), (1e-2, False)])
def test_what_counts_is_said_where_sizes_are_unlike(small: float, said: bool) -> None:
    x = np.array([small, 0.5, 2.0])
    report = check(lambda x: np.sum(np.sin(x)), x, grad=np.cos, rng=0)
    assert report
    note = (
        "the entries of x are of sizes from 7e-09 to 2e+00, and each entry of the gradient counts"
    )
    assert any(n.startswith(note) for n in report.notes) == said
