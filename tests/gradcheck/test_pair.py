"""A vjp and a jvp checked together."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck import Outcome, Reason, check

W = np.random.default_rng(0).standard_normal((5, 4))
X = np.linspace(-1.0, 1.0, 4)


def f(x: Any) -> Any:
    return np.tanh(W @ x)


def vjp(x: Any, v: Any) -> Any:
    return W.T @ (v / np.cosh(W @ x) ** 2)


def jvp(x: Any, u: Any) -> Any:
    return (W @ u) / np.cosh(W @ x) ** 2


def test_both_right() -> None:
    report = check(f, X, vjp=vjp, jvp=jvp, rng=0)
    assert report.outcome is Outcome.PASS
    assert report.kind == "vjp and jvp"
    assert any("adjoint" in note for note in report.notes)


def test_evaluations_of_both_are_counted() -> None:
    calls = {"f": 0, "claims": 0}

    def counted(name: str, g: Any) -> Any:
        def spied(*args: Any) -> Any:
            calls[name] += 1
            return g(*args)

        return spied

    def skewed(x: Any, u: Any) -> Any:
        return (1 + 1e-8) * jvp(x, u)

    for g, forward in ((f, jvp), (lambda x: np.round(f(x), 6), skewed)):
        calls.update(f=0, claims=0)
        report = check(
            counted("f", g), X, vjp=counted("claims", vjp), jvp=counted("claims", forward), rng=0
        )
        assert report.kind == "vjp and jvp"
        assert (report.evaluations, report.claim_evaluations) == (calls["f"], calls["claims"])


def test_one_wrong() -> None:
    wrong_jvp = check(f, X, vjp=vjp, jvp=lambda x, u: 1.1 * jvp(x, u), rng=0)
    assert (wrong_jvp.outcome, wrong_jvp.kind) == (Outcome.FAIL, "jvp")
    assert any(note.startswith("the vjp: PASS") for note in wrong_jvp.notes)
    wrong_vjp = check(f, X, vjp=lambda x, v: -vjp(x, v), jvp=jvp, rng=0)
    assert (wrong_vjp.outcome, wrong_vjp.kind) == (Outcome.FAIL, "vjp")


def test_within_the_noise_of_differences_and_yet_not_adjoint() -> None:
    """Differences of a rounded f can't tell a small error; the dot test needs no differences."""

    def rounded(x: Any) -> Any:
        return np.round(f(x), 6)

    def off(x: Any, u: Any) -> Any:
        return (1 + 1e-8) * jvp(x, u)

    assert check(rounded, X, jvp=off, rng=0).outcome is not Outcome.FAIL
    report = check(rounded, X, vjp=vjp, jvp=off, rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.ADJOINT)
    right = check(rounded, X, vjp=vjp, jvp=jvp, rng=0)
    assert right.outcome is not Outcome.FAIL


def test_a_pass_of_both_is_worth_that_of_the_blunter_one() -> None:
    for seed in range(5):
        both = check(f, X, vjp=vjp, jvp=jvp, rng=seed)
        alone = check(f, X, vjp=vjp, rng=seed), check(f, X, jvp=jvp, rng=seed)
        assert both.resolution == max(r.resolution for r in alone)


def test_a_failing_claim_is_counted_by_itself() -> None:
    alone = check(f, X, vjp=lambda x, v: -vjp(x, v), rng=0)
    both = check(f, X, vjp=lambda x, v: -vjp(x, v), jvp=jvp, rng=0)
    assert both.claim_evaluations == alone.claim_evaluations


def test_lost_digits_are_no_lack_of_adjointness() -> None:
    """1 − tanh² passes with a note, and is off by that from 1/cosh²."""
    for seed in range(40):
        x = np.random.default_rng(seed).uniform(6, 11, 3)
        report = check(
            np.tanh,
            x,
            vjp=lambda x, v: v * (1 - np.tanh(x) ** 2),
            jvp=lambda x, u: u / np.cosh(x) ** 2,
            rng=seed,
        )
        assert report.outcome is Outcome.PASS, str(report)


def test_solves_of_a_bad_condition_are_adjoint() -> None:
    """Two right ways to the same product differ by what rounding makes of the condition, here 1e7."""
    rng = np.random.default_rng(5)
    left, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    right, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    a = left @ np.diag(np.logspace(0, -7, 6)) @ right
    b = rng.standard_normal(6)

    def pull(a: Any, v: Any) -> Any:
        return -np.outer(np.linalg.solve(a.T, v), np.linalg.solve(a, b))

    def push(a: Any, u: Any) -> Any:
        return -np.linalg.inv(a) @ (u @ np.linalg.solve(a, b))

    for seed in range(20):
        report = check(lambda a: np.linalg.solve(a, b), a, vjp=pull, jvp=push, rng=seed)
        assert report.outcome is not Outcome.FAIL, str(report)


def test_where_f_has_no_value_neither_claim_is_at_fault() -> None:
    with np.errstate(invalid="ignore"):
        report = check(
            np.sqrt,
            np.array([-1.0, 2.0]),
            vjp=lambda x, v: v / (2 * np.sqrt(x)),
            jvp=lambda x, u: u / (2 * np.sqrt(x)),
            rng=0,
        )
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DOMAIN)
