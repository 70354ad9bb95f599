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

    report = check(
        counted("f", f), X, vjp=counted("claims", vjp), jvp=counted("claims", jvp), rng=0
    )
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
