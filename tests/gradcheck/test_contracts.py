"""The contract of f and of a claim: shape, dtype, NaN, memory, mutation, linearity, each with its own reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, Simplex, check

X = np.array([0.5, -1.25, 2.0])


def cubes(x: np.ndarray) -> float:
    return float(np.sum(x**3))


def cubes_grad(x: np.ndarray) -> np.ndarray:
    return 3 * x**2


def scalar_vjp(x: np.ndarray, v: Any) -> np.ndarray:
    return v * cubes_grad(x)


class Remembers:
    """Breaks one clause of the contract: what `how` says."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.buffer = np.zeros(3)
        self.rng = np.random.default_rng(0)
        self.calls = 0

    def __call__(self, x: np.ndarray, v: Any) -> Any:
        self.calls += 1
        g = scalar_vjp(x, v)
        match self.how:
            case "accumulates":
                self.buffer += g
                return self.buffer.copy()
            case "reuses its buffer":
                self.buffer[:] = g
                return self.buffer
            case "is random":
                return g * (1 + 0.1 * self.rng.standard_normal())
            case "raises":
                raise ZeroDivisionError("in backward")
            case "ignores upstream":
                return cubes_grad(x)
            case "returns NaN":
                return g * np.array([1.0, np.nan, 1.0])
            case "returns another shape":
                return np.stack([g, g])
            case "returns the sum":
                return g.sum()
            case "returns a list":
                return list(g)
            case "returns nothing":
                return None
            case "returns complex":
                return g + 0j
            case "mutates x":
                x += 1
                return g
        raise AssertionError(self.how)


BROKEN = {
    "accumulates": Reason.STATE,
    "reuses its buffer": Reason.ALIASING,
    "is random": Reason.STATE,
    "raises": Reason.CLAIM_RAISED,
    "ignores upstream": Reason.NONLINEAR,
    "returns NaN": Reason.NONFINITE_CLAIM,
    "returns another shape": Reason.SHAPE,
    "returns the sum": Reason.SHAPE,
    "returns a list": Reason.SHAPE,
    "returns nothing": Reason.SHAPE,
    "returns complex": Reason.DTYPE,
    "mutates x": Reason.MUTATION,
}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(("how", "reason"), BROKEN.items())
def test_broken_contract_fails_with_its_own_reason(how: str, reason: Reason, mode: Any) -> None:
    report = check(cubes, X, vjp=Remembers(how), rng=0, mode=mode)
    assert (report.outcome, report.reason) == (Outcome.FAIL, reason), str(report)


def test_an_exception_is_traced_to_the_line_that_raised_it() -> None:
    report = check(cubes, X, vjp=Remembers("raises"), rng=0)
    assert re.search(
        r"ZeroDivisionError: in backward \(test_contracts.py, line \d+\)", report.message
    )
    report = check(lambda x: np.linalg.cholesky(-np.eye(2)), X, grad=cubes_grad, rng=0)
    assert "not positive definite (test_contracts.py, line " in report.message
    report = check(lambda x: {}["w"], X, grad=cubes_grad, rng=0)
    assert "KeyError at x: 'w' (test_contracts.py, line " in report.message


def test_contract_tests_can_fail() -> None:
    """The same claim without a broken clause passes, so each failure above is due to its clause."""
    assert check(cubes, X, vjp=scalar_vjp, rng=0)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("kind", ["grad", "jac"])
def test_a_claim_that_writes_into_the_array_it_returned(kind: str, mode: Any) -> None:
    """Asked again at x it writes the same numbers; asked elsewhere it spoils the first answer."""
    buffer = np.zeros_like(X)

    def claim(x: np.ndarray) -> np.ndarray:
        buffer[...] = cubes_grad(x)
        return buffer

    report = check(cubes, X, rng=0, mode=mode, **{kind: claim})
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.ALIASING), str(report)


def test_a_constant_gradient_may_be_one_array() -> None:
    slopes = np.array([1.0, -2.0, 0.5])
    report = check(lambda x: slopes @ x, np.ones(3), grad=lambda x: slopes, rng=0)
    assert report
    assert report.claim_evaluations == 3, "twice at x, once elsewhere"


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("kind", "frozen"),
    [
        ("grad", lambda x: cubes_grad(X)),
        ("jac", lambda x: cubes_grad(X)),
        ("vjp", lambda x, v: v * cubes_grad(X)),
        ("jvp", lambda x, u: float(cubes_grad(X) @ u)),
    ],
)
def test_a_claim_that_ignores_x_passes_with_a_note(kind: str, frozen: Any, mode: Any) -> None:
    report = check(cubes, X, rng=0, mode=mode, **{kind: frozen})
    assert report, str(report)
    assert any("doesn't look at its argument" in note for note in report.notes), str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_only_a_pass_is_said_to_be_right_at_x(mode: Any) -> None:
    report = check(
        lambda x: float(np.round(cubes(x), 1)), X, grad=lambda x: cubes_grad(X), rng=0, mode=mode
    )
    assert report.outcome is Outcome.INCONCLUSIVE
    assert not report.notes


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("f", "grad"),
    [
        (cubes, cubes_grad),
        (lambda x: X @ x, lambda x: X.copy()),  # linear: constant by right
        (lambda x: np.abs(x).sum() * 1.1, lambda x: 1.1 * np.sign(x)),
    ],
)
def test_no_note_on_a_claim_that_follows_x(f: Any, grad: Any, mode: Any) -> None:
    report = check(f, X, grad=grad, rng=0, mode=mode)
    assert report, str(report)
    assert not report.notes


NONLINEAR: dict[str, Any] = {
    "cut off at zero": lambda v: np.maximum(v, 0.0),
    "clipped": lambda v: np.clip(v, -1.0, 1.0),
    "its size": np.abs,
    "squared": np.square,
}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("how", NONLINEAR)
def test_a_claim_that_is_not_linear_in_its_last_argument(how: str, mode: Any) -> None:
    """Whatever it makes of the directions that are compared, it has the same reason."""
    change = NONLINEAR[how]
    for seed in range(10):
        reports = [
            check(cubes, X, vjp=lambda x, v: scalar_vjp(x, change(v)), rng=seed, mode=mode),
            check(np.sin, X, vjp=lambda x, v: change(v) * np.cos(x), rng=seed, mode=mode),
            check(np.sin, X, jvp=lambda x, u: change(u) * np.cos(x), rng=seed, mode=mode),
        ]
        for report in reports:
            assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.NONLINEAR), str(report)


@pytest.mark.parametrize("how", NONLINEAR)
def test_an_hvp_that_is_not_linear_in_its_last_argument(how: str) -> None:
    report = check(cubes, X, hvp=lambda x, u: 6 * x * NONLINEAR[how](u), rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.NONLINEAR), str(report)


def test_random_function_is_inconclusive() -> None:
    rng = np.random.default_rng(0)
    report = check(lambda x: cubes(x) * rng.random(), X, grad=cubes_grad, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NONDETERMINISTIC)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.0, 0.5), "another value"),  # nothing to measure the difference against
        ((1.0, 1.0 + 1e-6), "another value"),
        ((np.zeros(3), np.zeros(2)), "another number of values"),
    ],
)
def test_another_value_at_the_same_point_is_inconclusive(values: Any, said: str) -> None:
    returned = iter(values)
    report = check(lambda x: next(returned, values[1]), X, vjp=lambda x, v: np.zeros(3), rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NONDETERMINISTIC)
    assert said in report.message


def test_stale_cache_is_seen() -> None:
    cache: dict[str, np.ndarray] = {}

    def f(x: np.ndarray) -> float:
        cache["x"] = x.copy()
        return cubes(x)

    report = check(f, X, grad=lambda x: cubes_grad(cache["x"]), rng=0)
    assert report.outcome is Outcome.FAIL


def test_a_reused_buffer_at_the_middle_of_a_simplex() -> None:
    """The claim must be asked where it says something else: at an even point not along the sizes."""
    p = np.full(4, 0.25)
    buffer = np.empty(4)

    def grad(p: np.ndarray) -> np.ndarray:
        buffer[:] = np.log(p) + 1
        return buffer

    report = check(lambda p: np.sum(p * np.log(p)), p, grad=grad, domain=Simplex(), rng=0)
    assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_tolerance_below_the_least_is_the_least(mode: Any) -> None:
    """A claim's own rounding is tolerated in any case, so that nothing finer is asked of f."""
    least = check(cubes, X, grad=cubes_grad, mode=mode, rng=0).rtol
    reports = [
        check(cubes, X, grad=cubes_grad, mode=mode, rng=0, rtol=rtol) for rtol in (1e-15, least)
    ]
    assert reports[0] == reports[1]
    assert reports[0].rtol == least


def test_taking_a_key_away_or_adding_an_item_is_a_change() -> None:
    def popping(p: Any) -> Any:
        out = np.sum(p["a"] ** 2) + np.sum(p.get("b", 0.0))
        p.pop("b", None)
        return out

    def appending(p: Any) -> Any:
        p.append(np.zeros(2))
        return np.sum(p[0] ** 2)

    a, b = np.ones(3), np.ones(2)
    both = {"grad": lambda p: {"a": 2 * p["a"], "b": np.ones(2)}}
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (popping, {"a": a, "b": b}, both, "f changes its argument 0['b'] in place"),
        (appending, [a], {"grad": lambda p: [2 * p[0]]}, "f changes its argument 0[1] in place"),
        (
            lambda p: np.sum(p["a"] ** 2) + np.sum(p["b"]),
            {"a": a, "b": b},
            {"grad": lambda p: p.pop("b") is None or both["grad"](p)},
            "the grad changes its argument 0['b'] in place",
        ),
        (
            lambda p: {"y": np.sum(p["a"] ** 2), "z": np.sum(p["a"])},
            {"a": a},
            {"vjp": lambda p, v: {"a": v.pop("z") + 2 * p["a"] * v["y"]}},
            "the vjp changes its last argument in place",
        ),
    ]
    for f, x, claim, message in cases:
        before = len(x)
        report = check(f, x, **claim, rng=0)
        assert (report.reason, report.message) == (Reason.MUTATION, message)
        assert len(x) == before


def test_what_is_added_to_a_product_is_not_called_ignored() -> None:
    """A vjp with a term of weight decay multiplies by v, and adds something else."""
    a, w = np.ones((3, 2)), np.ones(2)
    decayed = check(lambda w: a @ w, w, vjp=lambda w, v: a.T @ v + 0.1 * w, rng=0)
    assert "adds something that its last argument has no part in" in decayed.message
    assert decayed.diagnosis is None
    ignored = check(lambda w: a @ w, w, vjp=lambda w, v: a.T @ np.ones(3), rng=0)
    assert "ignores its last argument" in ignored.message
    assert ignored.diagnosis is not None
    assert ignored.diagnosis.kind == "upstream"


# -- constants that aren't arrays of numbers ---------------------------------------------------------


def ragged() -> np.ndarray:
    weights = np.empty(2, dtype=object)
    weights[:] = [np.ones(2), {"scale": np.full(3, 2.0)}]
    return weights


def weighed(x: np.ndarray, weights: Any) -> float:
    return float(np.sum(x**2) * weights[0].sum() * weights[1]["scale"].sum())


def test_a_constant_array_of_arrays_is_looked_after_like_the_arrays() -> None:
    def grad(x: np.ndarray, weights: Any) -> np.ndarray:
        return 2 * x * weights[0].sum() * weights[1]["scale"].sum()

    def spoiling(x: np.ndarray, weights: Any) -> np.ndarray:
        weights[1]["scale"] *= 2
        return grad(x, weights) / 2

    weights = ragged()
    assert check(weighed, (X, weights), grad=grad, argnums=0, rng=0)
    report = check(weighed, (X, weights), grad=spoiling, argnums=0, rng=0)
    assert (report.reason, report.message) == (
        Reason.MUTATION,
        "the grad changes its argument 1 in place",
    )
    assert weights[1]["scale"].tolist() == [2.0, 2.0, 2.0]


SPARSE = ["csr", "csc", "bsr", "coo", "dia", "dok", "lil"]


@pytest.mark.parametrize("kind", SPARSE)
def test_a_sparse_constant_is_copied_and_watched(kind: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = getattr(sparse, f"{kind}_array")(np.array([[2.0, 0.0, 1.0], [0.0, 3.0, -1.0]]))

    def f(x: np.ndarray, a: Any) -> float:
        return float(np.sum((a @ x) ** 2))

    def grad(x: np.ndarray, a: Any) -> np.ndarray:
        return np.asarray(2 * (a.T @ (a @ x)))

    def spoiling(x: np.ndarray, a: Any) -> np.ndarray:
        out = grad(x, a)
        if kind in ("dok", "lil"):
            a[0, 0] = 7.0
        else:
            a.data *= 2
        return out

    assert check(f, (X, matrix), grad=grad, argnums=0, rng=0)
    report = check(f, (X, matrix), grad=spoiling, argnums=0, rng=0)
    assert (report.reason, report.message) == (
        Reason.MUTATION,
        "the grad changes its argument 1 in place",
    )
    assert matrix.toarray().tolist() == [[2.0, 0.0, 1.0], [0.0, 3.0, -1.0]]


def test_a_sparse_constant_may_be_put_in_order() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    unsorted = sparse.csr_array((np.array([1.0, 2.0]), [2, 0], [0, 2]), shape=(1, 3))

    def f(x: np.ndarray, a: Any) -> float:
        a.sort_indices()  # as some of SciPy's own operations do
        return float((a @ x)[0])

    report = check(f, (X, unsorted), grad=lambda x, a: a.toarray()[0], argnums=0, rng=0)
    assert report.outcome is Outcome.PASS, str(report)


@pytest.mark.parametrize(
    ("given", "expected", "hint"),
    [
        ((64, 10), (10,), "summed over axis 0 it would have that shape"),
        ((8, 64, 10), (10,), "summed over axes 0 and 1 it would have that shape"),
        ((4, 5, 3), (4, 1, 3), "summed over axis 1 it would have that shape"),
        ((10, 5), (5, 10), "transposed it would have that shape"),
        ((1, 10), (10,), "reshaped it would have that shape"),
        ((3,), (), "summed over axis 0 it would have that shape"),
        ((3,), (10,), ""),
        ((), (10,), ""),
        ((64, 9), (10,), ""),
        ((4, 3), (4,), ""),
    ],
)
def test_another_shape_says_what_would_fit(given: Any, expected: Any, hint: str) -> None:
    report = check(lambda x: np.sum(x * x), np.ones(expected), grad=lambda x: np.ones(given), rng=0)
    said = f"has shape {given}, expected {expected}" + (f"; {hint}" if hint else "")
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.SHAPE)
    assert report.message.endswith(said)


def test_a_diagonal_for_a_jacobian_says_so() -> None:
    report = check(np.tanh, np.ones(4), jac=lambda x: 1 - np.tanh(x) ** 2, rng=0)
    assert report.message.endswith(
        "expected (4, 4); as a diagonal (np.diag) it would have that shape"
    )
