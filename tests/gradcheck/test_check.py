"""`check`: the forms of a claim and of arguments, what it costs, and the three outcomes."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from gradcheck import (
    Elementwise,
    Interval,
    Outcome,
    Reason,
    check,
)
from gradcheck._claim.compare import GOAL, Comparison, confirm
from gradcheck._estimate.search import Goal, search
from gradcheck._estimate.singular import Found
from gradcheck._verdict import evidence, searches

X = np.array([0.5, -1.25, 2.0])
A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])


def cubes(x: np.ndarray) -> float:
    return float(np.sum(x**3))


def cubes_grad(x: np.ndarray) -> np.ndarray:
    return 3 * x**2


def linear(x: np.ndarray) -> np.ndarray:
    return np.tanh(A @ x)


def linear_jac(x: np.ndarray) -> np.ndarray:
    return (1 - np.tanh(A @ x) ** 2)[:, None] * A


def linear_vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    return v @ linear_jac(x)


def linear_jvp(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    return linear_jac(x) @ u


FORMS: dict[str, tuple[Callable[..., Any], dict[str, Callable[..., Any]]]] = {
    "grad": (cubes, {"grad": cubes_grad}),
    "jac": (linear, {"jac": linear_jac}),
    "vjp": (linear, {"vjp": linear_vjp}),
    "jvp": (linear, {"jvp": linear_jvp}),
    "jac of a scalar": (cubes, {"jac": cubes_grad}),
    "vjp of a scalar": (cubes, {"vjp": lambda x, v: v * cubes_grad(x)}),
    "jvp of a scalar": (cubes, {"jvp": lambda x, u: np.sum(cubes_grad(x) * u)}),
    "elementwise": (np.sin, {"vjp": Elementwise(np.cos)}),
}


class Times:
    """A claim times a factor."""

    def __init__(self, claim: Callable[..., Any], factor: float) -> None:
        self.claim, self.factor = claim, factor

    def __call__(self, *args: Any) -> Any:
        return self.factor * self.claim(*args)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_passes_when_right_and_fails_when_wrong(form: str, mode: Any) -> None:
    f, claim = FORMS[form]
    report = check(f, X, **claim, mode=mode, rng=0)
    assert report.outcome is Outcome.PASS, str(report)
    assert report.resolution < (1e-4 if np.ndim(f(X)) == 0 else 3e-4)
    for factor in (1 + 1e-7, -1.0, 0.0, 3.0):
        wrong = {kind: Times(c, factor) for kind, c in claim.items()}
        report = check(f, X, **wrong, mode=mode, rng=0)
        assert report.outcome is Outcome.FAIL, str(report)
        assert report.reason is Reason.DISAGREEMENT


def test_evaluations_where_f_is_smooth_and_the_claim_is_right() -> None:
    calls = 0

    def counted(x: np.ndarray) -> float:
        nonlocal calls
        calls += 1
        return cubes(x)

    report = check(counted, X, grad=cubes_grad, rng=0)
    assert report.evaluations == calls
    assert calls == 2 + 8 + 4, "f at x twice, four symmetric pairs, two in the second direction"


@pytest.mark.parametrize(
    ("f", "grad"),
    [
        (lambda x: np.sum(np.sin(x)), np.cos),
        (lambda x: np.sum(np.log1p(np.exp(x))), lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_cost_does_not_depend_on_n(f: Callable[..., Any], grad: Callable[..., Any]) -> None:
    def evaluations(n: int) -> float:
        x = np.random.default_rng(n).standard_normal(n)
        return statistics.median(check(f, x, grad=grad, rng=r).evaluations for r in range(3))

    assert evaluations(1_000_000) <= 1.3 * evaluations(10)


def test_a_steep_layer_takes_finer_steps_but_no_search() -> None:
    """Where steps of x's size are far too coarse for f, a few rungs further down show it smooth."""
    rng = np.random.default_rng(0)
    weights, x = rng.standard_normal((200, 200)), rng.standard_normal(200)

    def layer(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-weights @ x))

    def layer_vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return weights.T @ (v * layer(x) * layer(-x))

    reports = [check(layer, x, vjp=layer_vjp, rng=seed) for seed in range(5)]
    assert all(reports)
    assert statistics.median(r.evaluations for r in reports) <= 40


def test_float32_claims_are_seen_as_well_as_is_asked_of_a_pass() -> None:
    """Their own rounding is tolerated, so that it takes more directions to see an error of 1 %."""
    weights = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    x = np.linspace(1, 2, 5, dtype=np.float32)
    for seed in range(5):
        report = check(
            lambda x: weights @ np.sin(x), x, jac=lambda x: weights * np.cos(x), rng=seed
        )
        assert report
        assert report.resolution <= 1e-2
        later = len(report.probes) - 1
        assert report.evaluations == 3 + 8 + 4 * later, (
            "f at x thrice; steps don't shrink and shrink"
        )


# -- several arguments, nested arguments
# --------------------------------------------------------------


def test_tuple_of_arguments() -> None:
    def f(w: np.ndarray, b: float) -> float:
        return float(np.sum(np.sin(w)) * b)

    def grad(w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
        return np.cos(w) * b, float(np.sum(np.sin(w)))

    assert check(f, (X, 0.7), grad=grad, rng=0)
    report = check(f, (X, 0.7), grad=lambda w, b: (grad(w, b)[0], 0.0), rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.wrong_entries[0].argument == 1
    assert report.diagnosis is not None
    assert report.diagnosis.kind in ("argument", "entry")


def test_argnums_leaves_the_others_alone() -> None:
    def f(labels: np.ndarray, x: np.ndarray) -> float:
        return float(np.sum(x[labels] ** 2))

    def grad(labels: np.ndarray, x: np.ndarray) -> np.ndarray:
        g = np.zeros_like(x)
        np.add.at(g, labels, 2 * x[labels])
        return g

    labels = np.array([0, 2, 2])
    assert check(f, (labels, X), grad=grad, argnums=1, rng=0)
    assert check(f, (labels, X), grad=lambda *a: (grad(*a),), argnums=(1,), rng=0)
    # without argnums, integer arrays stay as they are and their gradient isn't looked at
    assert check(f, (labels, X), grad=lambda *a: (None, grad(*a)), rng=0)


class Pair(NamedTuple):
    left: np.ndarray
    right: list[Any]


def test_nested_arguments_and_the_path_of_a_wrong_entry() -> None:
    x = {"w": [np.ones((4, 20)) / 3, np.arange(1.0, 3.0)], "p": Pair(np.array(2.0), [0.5])}

    def f(x: dict[str, Any]) -> float:
        return float(np.sum(x["w"][0] ** 2) + np.prod(x["w"][1]) + x["p"].left * x["p"].right[0])

    def grad(x: dict[str, Any]) -> dict[str, Any]:
        a, b = x["w"]
        g = 2 * a
        g[3, 17] *= 1.5
        return {"p": Pair(np.array(x["p"].right[0]), [float(x["p"].left)]), "w": [g, b[::-1]]}

    report = check(f, x, grad=grad, rng=0)
    assert report.outcome is Outcome.FAIL
    (entry,) = report.wrong_entries
    assert entry.label == "x0['w'][0][3, 17]"
    assert entry.claimed == pytest.approx(1.0)
    assert abs(entry.numerical - 2 / 3) <= entry.radius < 1e-9


@pytest.mark.parametrize(
    "x",
    [
        np.array(0.75),
        np.float64(0.75),
        0.75,
        np.ones((1, 1)),
        np.asfortranarray(np.arange(1.0, 7.0).reshape(2, 3)),
        np.arange(1.0, 21.0)[::3],
        np.arange(1.0, 4.0, dtype=np.float32),
        np.array([1, 2, 3]),
        [1.0, 2.0],
    ],
    ids=["0-d", "scalar", "float", "size 1", "fortran", "strided", "float32", "ints", "list"],
)
def test_kinds_of_input(x: Any) -> None:
    report = check(
        lambda x: np.sum(np.square(x)),
        x,
        grad=lambda x: [2 * t for t in x] if isinstance(x, list) else 2 * x,
        rng=0,
    )
    assert report.outcome is Outcome.PASS, str(report)


def test_read_only_input_and_untouched_originals() -> None:
    x = X.copy()
    x.setflags(write=False)
    assert check(cubes, x, grad=cubes_grad, rng=0)
    assert np.array_equal(x, X)


@pytest.mark.parametrize("call", [1, 3], ids=["at once", "later"])
@pytest.mark.parametrize("where", ["f", "vjp"])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_callers_arrays_stay_bit_identical(
    where: str, error: type[BaseException] | None, call: int
) -> None:
    x, shift = X.copy(), np.ones_like(X)
    calls = {"f": 0, "vjp": 0}

    def vandal(name: str, *arrays: np.ndarray) -> None:
        calls[name] += 1
        if name == where and calls[name] >= call:
            for a in arrays:
                a *= 0.0
            if error is not None:
                raise error("stop")

    def f(x: np.ndarray, shift: np.ndarray) -> Any:
        y = cubes(x + shift)
        vandal("f", x, shift)
        return y

    def vjp(x: np.ndarray, shift: np.ndarray, v: Any) -> np.ndarray:
        g = v * cubes_grad(x + shift)
        vandal("vjp", x, shift)
        return np.asarray(g)

    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt, match="stop"):
            check(f, (x, shift), vjp=vjp, argnums=0, rng=0)
    else:
        report = check(f, (x, shift), vjp=vjp, argnums=0, rng=0)
        if where == "vjp" or call == 1:
            raised = Reason.CLAIM_RAISED if where == "vjp" else Reason.FUNCTION_RAISED
            assert report.reason is (Reason.MUTATION if error is None else raised), str(report)
        assert not report
        assert where in report.message
    assert calls[where] >= call
    assert np.array_equal(x, X)
    assert np.array_equal(shift, np.ones_like(X))


def test_a_claim_that_changes_an_argument_it_does_not_differentiate() -> None:
    labels = np.array([2, 0, 1])

    def f(x: np.ndarray, labels: np.ndarray) -> float:
        return float(np.sum(x[labels] ** 3))

    def grad(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        labels.sort()  # does no harm to this derivative, but to the caller's next one
        return cubes_grad(x)

    report = check(f, (X, labels), grad=grad, argnums=0, rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.MUTATION), str(report)
    assert "argument 1" in report.message
    assert labels.tolist() == [2, 0, 1]


def test_nan_in_a_constant_argument_is_no_change_of_it() -> None:
    weights = np.array([1.0, math.nan, 2.0])

    def f(x: np.ndarray, weights: np.ndarray) -> float:
        return float(np.nansum(weights * x**3))

    def grad(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.nan_to_num(weights) * cubes_grad(x)

    assert check(f, (X, weights), grad=grad, argnums=0, rng=0)


# -- outcomes
# ---------------------------------------------------------------------------------------


def test_scalings_by_powers_of_two_change_nothing() -> None:
    for a in (-40, 0, 33):
        for b in (-30, 0, 21):

            def f(x: np.ndarray, a: int = a, b: int = b) -> float:
                return math.ldexp(cubes(np.ldexp(x, -b)), a)

            def grad(x: np.ndarray, a: int = a, b: int = b) -> np.ndarray:
                return np.ldexp(cubes_grad(np.ldexp(x, -b)), a - b)

            right = check(f, np.ldexp(X, b), grad=grad, rng=1)
            assert right.outcome is Outcome.PASS
            wrong = check(f, np.ldexp(X, b), grad=lambda x: grad(x) * (1 + 1e-8), rng=1)
            assert wrong.outcome is Outcome.FAIL
            if (a, b) == (-40, -30):
                first = right
            assert right.resolution == first.resolution
            assert [p.radius / p.scale for p in right.probes] == [
                p.radius / p.scale for p in first.probes
            ]


def test_small_function_with_zero_gradient_fails() -> None:
    report = check(lambda x: 1e-12 * cubes(x), X, grad=np.zeros_like, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "zero"


def test_constant_function() -> None:
    report = check(lambda x: 3.0, X, grad=np.zeros_like, rng=0)
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.CONSTANT)
    assert "did not vary" in str(report).splitlines()[0]
    assert not check(lambda x: 3.0, X, grad=lambda x: 1e-3 + 0 * x, rng=0)


def drowned(x: np.ndarray) -> float:
    """Return a number whose rounding is larger than all that it does."""
    return 1e16 + float(np.sum(np.sin(x)))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_noise_larger_than_the_derivative_is_inconclusive(factor: float) -> None:
    report = check(drowned, X, grad=lambda x: factor * np.cos(x), rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NOISE), str(report)
    assert not report


def test_a_claim_of_zero_where_noise_hides_every_movement() -> None:
    report = check(drowned, X, grad=np.zeros_like, rng=0)
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.CONSTANT), str(report)


@pytest.mark.parametrize("factor", [0.0, 1.0, 1.5])
def test_pass_needs_a_resolution(factor: float) -> None:
    """Under noise of the size of f no claim disagrees; that is no reason to pass any of them."""

    def f(x: np.ndarray) -> float:
        bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
        return float(np.sum(np.sin(x))) + int.from_bytes(bits) / 2**64

    report = check(f, X, grad=lambda x: factor * np.cos(x), rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE, str(report)
    assert report.resolution > 1e-2


def off_by_some_radii(c: Comparison) -> Comparison:
    return replace(c, claimed=c.found.value + 5 * c.allowed)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_one_slight_disagreement_accuses_nobody(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever direction it is, also one of those that noise makes necessary."""
    calls = 0

    def unlucky(*args: Any) -> Comparison:
        nonlocal calls
        calls += 1
        comparison = confirm(*args)
        return off_by_some_radii(comparison) if calls == number else comparison

    def f(x: np.ndarray) -> float:
        bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
        return float(np.sum(np.sin(x))) + int.from_bytes(bits) / 2**77

    monkeypatch.setattr(evidence, "confirm", unlucky)
    report = check(f, X, grad=np.cos, rng=0)
    assert calls > number
    assert report.outcome is not Outcome.FAIL, str(report)


@pytest.mark.parametrize("number", [1, 2])
def test_one_gross_disagreement_among_others_that_agree_is_inconclusive(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A derivative that is wrong is so along every direction: a single one may be f's fault."""
    calls = 0

    def unlucky(*args: Any) -> Comparison:
        nonlocal calls
        calls += 1
        c = confirm(*args)
        return replace(c, claimed=c.found.value + 1e6 * c.allowed) if calls == number else c

    monkeypatch.setattr(evidence, "confirm", unlucky)
    report = check(cubes, X, grad=cubes_grad, rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE, str(report)
    assert "one direction of" in report.message


def test_slight_disagreement_of_an_entry_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unlucky(component: Any, goal: Goal) -> Found:
        found = search(component, goal)
        return found._replace(value=found.value + 5 * found.radius) if goal is GOAL else found

    monkeypatch.setattr(searches, "derivative", unlucky)
    report = check(
        lambda x: np.sum(np.sin(50 * x)), X, grad=lambda x: 50 * np.cos(50 * x), mode="full"
    )
    assert report.outcome is Outcome.PASS, str(report)


def test_values_nowhere_finite_are_inconclusive() -> None:
    report = check(lambda x: float("nan"), X, grad=cubes_grad, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DOMAIN)


def test_function_that_raises_is_inconclusive() -> None:
    def f(x: np.ndarray) -> float:
        raise RuntimeError("no licence")

    report = check(f, X, grad=cubes_grad, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.FUNCTION_RAISED)
    assert "no licence" in report.message


def test_x_of_another_library_is_handed_over_as_an_array_and_f_may_not_like_that() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
            return np.asarray(X, dtype)

    def picky(x: Any) -> float:
        if not isinstance(x, Tensor):
            raise TypeError("must be Tensor")
        return 1.0

    assert check(cubes, Tensor(), grad=cubes_grad, rng=0)
    report = check(picky, Tensor(), grad=cubes_grad, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.FUNCTION_RAISED)
    assert "Tensor, but f is handed NumPy arrays: convert inside f" in report.message
    assert "NumPy arrays" not in check(picky, X, grad=cubes_grad, rng=0).message


def test_empty_input_is_inconclusive() -> None:
    report = check(cubes, np.zeros(0), grad=cubes_grad, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.EMPTY)


@pytest.mark.parametrize("claimed", [0.0, 0.5, 1.0])
def test_subgradient_at_a_kink_passes(claimed: float) -> None:
    def relu(x: np.ndarray) -> float:
        return float(np.sum(np.maximum(x, 0.0)))

    x = np.array([0.0, 1.0, -2.0])
    report = check(relu, x, grad=lambda x: np.where(x == 0, claimed, x > 0), rng=0)
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.KINK)
    (kink,) = [p for p in report.probes if p.interval]
    assert kink.interval is not None


def test_outside_the_subgradients_fails_and_so_does_an_error_beside_a_kink() -> None:
    def relu(x: np.ndarray) -> float:
        return float(np.sum(np.maximum(x, 0.0)))

    x = np.array([0.0, 1.0, -2.0])
    for wrong in ([1.5, 1.0, 0.0], [-0.1, 1.0, 0.0], [0.5, 1.01, 0.0], [0.5, 1.0, 0.2]):
        report = check(relu, x, grad=lambda x: np.array(wrong), rng=0)  # noqa: B023
        assert report.outcome is Outcome.FAIL, str(report)


def test_domain_is_never_left() -> None:
    seen: list[float] = []

    def f(x: np.ndarray) -> float:
        seen.extend(x.tolist())
        return float(np.sum(np.log(x)))

    x = np.array([1e-6, 0.5, 3.0])
    assert check(f, x, grad=lambda x: 1 / x, domain=Interval(0.0), rng=0)
    assert min(seen) > 0


@pytest.mark.parametrize(
    ("of_x", "of_f", "coarsest"),
    [
        (np.float64, np.float64, np.float64),
        (np.float32, np.float64, np.float32),
        (np.float64, np.float32, np.float32),
        (np.float16, np.float32, np.float16),
    ],
)
def test_the_tolerance_is_that_of_the_coarsest_arithmetic(
    of_x: Any, of_f: Any, coarsest: Any
) -> None:
    """A claim can't be better than the numbers that it is made of and multiplied by."""
    report = check(
        lambda x: of_f(np.sum(x**3, dtype=np.float64)), X.astype(of_x), grad=cubes_grad, rng=0
    )
    assert report.rtol == pytest.approx(float(np.finfo(coarsest).eps) ** (2 / 3))


def test_tolerance_for_an_approximate_gradient() -> None:
    def rough(x: np.ndarray) -> np.ndarray:
        return cubes_grad(x) * (1 + 1e-5)

    assert check(cubes, X, grad=rough, rng=0).outcome is Outcome.FAIL
    assert check(cubes, X, grad=rough, rtol=1e-3, rng=0).outcome is Outcome.PASS
    assert (
        check(cubes, X, grad=lambda x: 1.1 * cubes_grad(x), rtol=1e-3, rng=0).outcome
        is Outcome.FAIL
    )


def test_single_wrong_entry_of_a_hundred_thousand_is_found() -> None:
    x = np.random.default_rng(3).uniform(0.5, 1.5, 100_000)

    def wrong(x: np.ndarray) -> np.ndarray:
        g = x.copy()
        g[77_777] *= 1.1
        return g

    report = check(lambda x: 0.5 * np.sum(x * x), x, grad=wrong, rng=0)
    assert report.outcome is Outcome.FAIL
    assert [e.index for e in report.wrong_entries] == [(77_777,)]
    assert report.evaluations < 500


def test_wrong_output_and_input_of_a_vector_function() -> None:
    def wrong(x: np.ndarray) -> np.ndarray:
        j = linear_jac(x)
        j[1, 2] = 0.0
        return j

    report = check(linear, X, jac=wrong, rng=0)
    assert [(e.index, e.output) for e in report.wrong_entries] == [((2,), (1,))]


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"rtol": "2"}, TypeError, "rtol must be a number between 0 and 1, got '2'"),
        ({"rtol": math.nan}, ValueError, "rtol must lie between 0 and 1, got nan"),
        ({"argnums": "x"}, TypeError, "argnums must be an int or a tuple of ints, .* got 'x'"),
        ({"argnums": 1.0}, TypeError, "argnums must be an int .* got 1.0"),
        ({"argnums": (0.0,)}, TypeError, "argnums must be an int"),
        ({"argnums": True}, TypeError, "argnums must be an int"),
        ({"vectorized": "no"}, TypeError, "vectorized must be True or False, got 'no'"),
        ({"rng": -1}, ValueError, "rng must be a non-negative int, .* got -1$"),
        ({"rng": True}, TypeError, "rng must be a non-negative int, .* got True"),
        ({"rng": np.random.default_rng}, TypeError, r"write np.random.default_rng\(0\)"),
        ({"rng": np.random.RandomState(0)}, TypeError, r"write np.random.default_rng\(0\)"),
        ({"mode": "fast" * 99}, ValueError, r'mode must be "fast" or "full", got .{80}$'),
    ],
)
def test_options_of_another_type_are_named(
    option: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check(cubes, X, grad=cubes_grad, **option)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_function_that_takes_no_batch_is_a_mistake_in_the_call(mode: Any) -> None:
    with pytest.raises(
        ValueError, match=r"shape \(1, 3\), it returned shape \(\), expected \(1,\)"
    ):
        check(cubes, X, grad=cubes_grad, vectorized=True, mode=mode)

    def raises(x: np.ndarray) -> np.ndarray:
        raise ValueError("no licence")

    report = check(raises, X, grad=cubes_grad, vectorized=True, mode=mode)
    assert report.reason is Reason.FUNCTION_RAISED

    refused = []

    def of_real_numbers(x: np.ndarray) -> Any:
        refused.append(np.iscomplexobj(x))
        return 0.0 if np.iscomplexobj(x) else 1e9 + np.sum(x**3, axis=-1)

    check(of_real_numbers, X, grad=cubes_grad, vectorized=True, mode=mode, rng=0)
    assert mode == "full" or any(refused), "no batch of complex numbers is no mistake"


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_arguments_are_differentiated_in_the_order_given(mode: Any) -> None:
    a, b, c = np.array([0.3, -1.2]), {"w": np.array([0.7, 2.0])}, np.array([1.5])

    def f(a: Any, b: Any, c: Any) -> Any:
        return np.sum(a * b["w"] ** 2) * c[0]

    def grad(a: Any, b: Any, c: Any) -> Any:
        return 2 * a * b["w"] * c[0], b["w"] ** 2 * c[0]

    report = check(
        f,
        (a, b, c),
        argnums=(1, 0),
        grad=lambda *x: ({"w": grad(*x)[0]}, grad(*x)[1]),
        mode=mode,
        rng=0,
    )
    assert report.outcome is Outcome.PASS, str(report)
    report = check(
        f,
        (a, b, c),
        argnums=(1, 0),
        grad=lambda *x: ({"w": 3 * grad(*x)[0]}, grad(*x)[1]),
        mode=mode,
        rng=0,
    )
    assert {e.argument for e in report.wrong_entries} == {1}
