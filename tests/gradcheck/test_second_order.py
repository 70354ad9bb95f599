"""Claimed Hessians and their products with vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, check

RNG = np.random.default_rng(0)
A = RNG.standard_normal((12, 5))
X = RNG.standard_normal(5)


def loss(x: Any) -> Any:
    return np.sum(np.log1p(np.exp(A @ x)))


def hess(x: Any) -> Any:
    p = 1 / (1 + np.exp(-A @ x))
    return (A.T * (p * (1 - p))) @ A


def hvp(x: Any, u: Any) -> Any:
    return hess(x) @ u


@pytest.mark.parametrize("claim", [{"hess": hess}, {"hvp": hvp}], ids=["hess", "hvp"])
def test_right(claim: Any) -> None:
    for seed in range(5):
        report = check(loss, X, rng=seed, **claim)
        assert report.outcome is Outcome.PASS, str(report)
        assert report.resolution < 1e-2


def changed(h: Any, how: str) -> Any:
    out = h.copy()
    if how == "sign":
        out = -out
    elif how == "factor":
        out *= 2
    elif how == "zero":
        out *= 0
    elif how == "diagonal only":
        out = np.diag(np.diag(out))
    elif how == "a diagonal entry":
        out[3, 3] += 1
    elif how == "a pair of entries":
        out[1, 4] += 1
        out[4, 1] += 1
    return out


@pytest.mark.parametrize(
    "how", ["sign", "factor", "zero", "diagonal only", "a diagonal entry", "a pair of entries"]
)
def test_wrong(how: str) -> None:
    for seed in range(5):
        report = check(loss, X, hess=lambda x: changed(hess(x), how), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)
        product = check(loss, X, hvp=lambda x, u: changed(hess(x), how) @ u, rng=seed)
        assert product.outcome is Outcome.FAIL
        if how in ("sign", "factor", "zero"):
            assert report.diagnosis is not None
            assert report.diagnosis.kind == how


def test_the_wrong_entry() -> None:
    report = check(loss, X, hess=lambda x: changed(hess(x), "a diagonal entry"), rng=0)
    (e,) = report.wrong_entries
    assert (e.output, e.index) == ((3,), (3,))
    truth = hess(X)[3, 3]
    assert abs(e.numerical - truth) <= e.radius < 1e-3
    assert e.claimed == pytest.approx(truth + 1)
    pair = check(loss, X, hess=lambda x: changed(hess(x), "a pair of entries"), rng=0)
    assert {pair.wrong_entries[0].output, pair.wrong_entries[0].index} == {(1,), (4,)}


def powers(x: Any) -> Any:
    return np.sum(x**4)


@pytest.mark.parametrize("wrong", [1, 5, 6])
def test_every_wrong_entry_is_counted(wrong: int) -> None:
    """Of a factor, which all share, one entry is shown, and that there are more."""
    x = np.arange(1.0, 7.0).reshape(2, 3)
    off = np.where(np.arange(6) < wrong, 1.0, 0.0)

    def claimed(x: Any) -> Any:
        h = np.diag(12 * x.ravel() ** 2 + off)
        return (2 * np.diag(12 * x.ravel() ** 2) if wrong == 6 else h).reshape(2, 3, 2, 3)

    report = check(powers, x, hess=claimed, rng=0)
    found = [(e.output, e.index) for e in report.wrong_entries]
    if wrong == 6:
        assert len(found) == 1
        assert "(at least 1 wrong entry)" in report.message
    else:
        diagonal = [divmod(k, 3) for k in range(wrong)]
        assert sorted(found) == [(k, k) for k in diagonal]
        assert ("(5 wrong entries)" in report.message) == (wrong == 5)
        assert "at least" not in report.message


def test_a_wrong_entry_of_nested_arguments_is_named_with_its_row() -> None:
    x = {"a": np.array([1.0, 2.0]), "b": np.array(3.0)}

    def product(x: Any, u: Any) -> Any:
        mixed = x["a"] + np.array([0.0, 1.0])  # should be a
        return {"a": x["b"] * u["a"] + mixed * u["b"], "b": np.sum(mixed * u["a"])}

    report = check(lambda x: np.sum(x["a"] ** 2) * x["b"] / 2, x, hvp=product, rng=0)
    names = {"H[x0['a'][1], x0['b']]", "H[x0['b'], x0['a'][1]]"}
    assert report.message.split(" is wrong")[0] in names
    assert {e.output_path for e in report.wrong_entries} == {"x0['a']", "x0['b']"}


def test_asymmetric() -> None:
    def skewed(x: Any) -> Any:
        h = hess(x)
        h[0, 2] += 1
        h[2, 0] -= 1
        return h

    report = check(loss, X, hess=skewed, rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.ASYMMETRIC)


def test_nested_arguments_and_matrices() -> None:
    x = {"a": RNG.standard_normal((2, 3)), "b": np.array(0.5)}

    def f(p: Any) -> Any:
        return np.sum(p["a"] ** 3) * p["b"] ** 2

    def product(p: Any, u: Any) -> Any:
        a, b = p["a"], p["b"]
        return {
            "a": 6 * a * b**2 * u["a"] + 6 * a**2 * b * u["b"],
            "b": np.sum(6 * a**2 * b * u["a"]) + 2 * np.sum(a**3) * u["b"],
        }

    assert check(f, x, hvp=product, rng=0).outcome is Outcome.PASS
    only = check(f, x, hvp=lambda p, u: product(p, u) | {"b": np.array(0.0)}, rng=0)
    assert only.outcome is Outcome.FAIL


@pytest.mark.parametrize("x", [0.7, np.array([0.7]), np.array(0.7)])
def test_one_number(x: Any) -> None:
    shape = np.shape(x) * 2

    def second(x: Any) -> Any:
        return np.reshape(-np.sin(x), shape)

    assert check(lambda x: np.sum(np.sin(x)), x, hess=second, rng=0).outcome is Outcome.PASS
    wrong = check(lambda x: np.sum(np.sin(x)), x, hess=lambda x: -second(x), rng=0)
    assert wrong.outcome is Outcome.FAIL


def test_contracts() -> None:
    shape = check(loss, X, hess=lambda x: hess(x)[:4])
    assert (shape.outcome, shape.reason) == (Outcome.FAIL, Reason.SHAPE)
    nan = check(loss, X, hess=lambda x: hess(x) * np.nan)
    assert (nan.outcome, nan.reason) == (Outcome.FAIL, Reason.NONFINITE_CLAIM)
    affine = check(loss, X, hvp=lambda x, u: hvp(x, u) + 1.0)
    assert (affine.outcome, affine.reason) == (Outcome.FAIL, Reason.NONLINEAR)
    with pytest.raises(TypeError, match="one real number"):
        check(np.sin, X, hess=hess)
    with pytest.raises(ValueError, match="hessian_vector"):
        check(loss, X, hess=hess, mode="full")


@pytest.mark.parametrize(
    ("f", "reason", "words"),
    [
        (lambda x: np.sum(np.maximum(x - 1.25, 0)), Reason.KINK, "kink at x"),
        (lambda x: np.sum(np.maximum(x - 1.25, 0) ** 2), Reason.KINK, "kink at x"),
        (lambda x: np.sum(np.sqrt(x - 1.25)), Reason.DOMAIN, "isn't finite around x"),
        (lambda x: np.sum(np.abs(x - 1.25) ** 1.5), Reason.ROUGH, "no step sizes agree"),
        (lambda x: np.float32(1e6 + np.sum(np.sin(x))), Reason.NOISE, "rounding or noise hides"),
        (lambda x: 1e16 + np.sum(np.sin(x)), Reason.NOISE, "f did not vary at all"),
    ],
    ids=["kink", "kink of the slope", "edge", "cusp of the slope", "noise", "rounded flat"],
)
def test_where_nothing_can_be_told_it_says_why(f: Any, reason: Reason, words: str) -> None:
    report = check(f, np.array([1.25, 2.0]), hess=lambda x: np.diag([1.0, 2.0]), rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, reason), str(report)
    assert words in report.message


def test_noise_hides_it() -> None:
    def noisy(x: Any) -> Any:
        return np.float32(loss(x)) + np.float32(1e4)

    assert check(noisy, X, hess=hess, rng=0).outcome is not Outcome.FAIL
