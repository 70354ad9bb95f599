"""Derivations accept what holds and nothing else; what is printed about a step is what was done."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import sympy as sp

from derivations.expressions import calculus
from derivations.expressions.language import (
    N,
    Y,
    delta,
    derivative,
    i,
    j,
    k,
    label_family,
    m,
    n,
    phi,
    plus,
    positive,
    positive_family,
    r,
    real,
    t,
    times,
    total,
    x,
    y,
    z,
)
from derivations.kernels import sampling
from derivations.records import Definition, Derivation, Hypothesis, Standing
from derivations.rows import activations, elementwise_losses, losses, softmaxes
from derivations.steps import build
from derivations.steps.build import Builder, StepError
from derivations.steps.rules import EXP, RECIPROCAL, RuleError

S = total(sp.exp(z[j]), j, n)
SOFTMAX = Definition(y, (i,), sp.exp(z[i]) / S, "softmax")
ENTROPY = -total(Y[i] * sp.log(y[i]), i, n)
SUMS_TO_ONE = Hypothesis(total(Y[i], i, n), sp.Integer(1), "Σ Y_i = 1")
SIGMOID = 1 / (1 + sp.exp(-x))


def scalar() -> Builder:
    return Builder("sigmoid", "", derivative(SIGMOID, x))


def jacobian() -> Builder:
    start = derivative(y[i], z[k])
    return Builder("jacobian", "", start, (SOFTMAX,), {i: n, k: n}, ((i, k),))


def gradient() -> Builder:
    return Builder("gradient", "", derivative(ENTROPY, z[k]), (SOFTMAX,), {k: n})


def mean() -> Builder:
    rows = Definition(y, (m, i), sp.exp(z[m, i]) / total(sp.exp(z[m, j]), j, n), "softmax")
    loss = -total(total(t[m, i] * sp.log(y[m, i]), i, n), m, N) / N
    return Builder("mean", "", derivative(loss, z[r, k]), (rows,), {r: N, k: n, m: N})


ROWS_SUM_TO_ONE = Hypothesis(total(t[m, i], i, n), sp.Integer(1), "Σ_i t_mi = 1")

# --- evidence --------------------------------------------------------------------------------------


def test_a_scalar_step_has_a_proof_and_samples() -> None:
    derivation = scalar().step("σ′ = σ(1 − σ)", SIGMOID * (1 - SIGMOID)).done()
    assert [e.standing for e in derivation.steps[0].evidence] == [
        Standing.PROVED_REAL,
        Standing.NUMERICAL,
    ]
    assert derivation.standing is Standing.PROVED_REAL
    assert derivation.scope == "all real x"


def test_an_indexed_step_has_two_proofs_and_samples() -> None:
    derivation = jacobian().step("Jacobian", y[i] * (delta(i, k) - y[k])).done()
    assert [e.standing for e in derivation.steps[0].evidence] == [
        Standing.PROVED_ALL_N,
        Standing.PROVED_FIXED_N,
        Standing.NUMERICAL,
    ]
    assert derivation.standing is Standing.PROVED_ALL_N
    assert derivation.scope == "every n ≥ 1 and every i in 1 … n and every k in 1 … n"


def test_hypotheses_are_recorded_where_they_are_used() -> None:
    derivation = (
        gradient()
        .step("for any labels", y[k] * total(Y[i], i, n) - Y[k])
        .step("ΣY = 1", y[k] - Y[k], (SUMS_TO_ONE,))
        .done()
    )
    assert [step.hypotheses for step in derivation.steps] == [(), (SUMS_TO_ONE,)]
    assert derivation.hypotheses == (SUMS_TO_ONE,)


def test_domains_and_denominators_are_stated() -> None:
    ratio = times(1 - x**2, sp.Pow(1 - x, -1))
    derivation = Builder("ratio", "", ratio).step("cancel 1 − x", 1 + x).done()
    assert derivation.steps[0].evidence[0].scope == "all real x with 1 - x ≠ 0"


# --- what is rejected ------------------------------------------------------------------------------

TAMPERED = {
    "sign": (scalar, -SIGMOID * (1 - SIGMOID), ()),
    "1 + σ": (scalar, SIGMOID * (1 + SIGMOID), ()),
    "a factor": (scalar, 2 * SIGMOID * (1 - SIGMOID), ()),
    "diagonal only": (jacobian, delta(i, k) * y[i] * (1 - y[i]), ()),
    "off-diagonal sign": (jacobian, y[i] * (delta(i, k) + y[k]), ()),
    "index slip": (jacobian, y[k] * (delta(i, k) - y[k]), ()),
    "ΣY dropped": (gradient, y[k] - Y[k], ()),
    "sign of the gradient": (gradient, Y[k] - y[k], (SUMS_TO_ONE,)),
    "the gradient in y, not in z": (gradient, -Y[k] / y[k], (SUMS_TO_ONE,)),
    "missing 1/N": (mean, y[r, k] - t[r, k], (ROWS_SUM_TO_ONE,)),
    "1/n for 1/N": (mean, (y[r, k] - t[r, k]) / n, (ROWS_SUM_TO_ONE,)),
    "hypothesis not named": (mean, (y[r, k] - t[r, k]) / N, ()),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_wrong_step_is_rejected_with_a_witness(name: str) -> None:
    builder, after, using = TAMPERED[name]
    with pytest.raises(StepError, match=r"before − after = -?[0-9]"):
        builder().step(name, after, using)


def test_the_same_steps_pass_when_they_are_right() -> None:
    """So that the rejections above are not rejections of everything."""
    scalar().step("", SIGMOID * (1 - SIGMOID))
    jacobian().step("", y[i] * (delta(i, k) - y[k]))
    gradient().step("", y[k] - Y[k], (SUMS_TO_ONE,))
    mean().step("", (y[r, k] - t[r, k]) / N, (ROWS_SUM_TO_ONE,))


@pytest.mark.parametrize("after", [derivative(SIGMOID, x), derivative((1 + sp.exp(-x)) ** -1, x)])
def test_a_step_that_changes_nothing_is_rejected(after: sp.Expr) -> None:
    with pytest.raises(StepError, match="changes nothing"):
        scalar().step("nothing", after)


def test_a_step_that_changes_the_order_only_is_rejected() -> None:
    with pytest.raises(StepError, match="changes nothing"):
        Builder("order", "", plus(z[i], -Y[i]), ranges={i: n}).step("swap", plus(-Y[i], z[i]))


def test_a_derivation_without_steps_is_rejected() -> None:
    with pytest.raises(StepError, match="without steps"):
        scalar().done()


def test_a_step_outside_of_the_class_is_undecided() -> None:
    with pytest.raises(StepError, match=r"undecided: .*sign"):
        Builder("log", "", sp.log(x * real("w"))).step("ln", sp.log(x) + sp.log(real("w")))
    selected = Builder("range", "", total(delta(j, k) * z[j], j, n))
    with pytest.raises(StepError, match=r"undecided: .*not known to lie in"):
        selected.step("k need not be in 1 … n", z[k])
    with pytest.raises(StepError, match="cannot be evaluated"):
        Builder("kink", "", derivative(sp.Max(x, 0), x)).step("no", sp.Integer(1))


def test_a_step_without_an_instance_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: object, residual: sp.Expr) -> Iterator[object]:
        return iter(())

    monkeypatch.setattr(build._Statement, "_instances", nothing)
    with pytest.raises(StepError, match="undecided: it has no instance at small sizes"):
        jacobian().step("Jacobian", y[i] * (delta(i, k) - y[k]))


def test_what_holds_for_three_is_not_taken_for_every_n() -> None:
    """e_4, the sum of products of four entries, is 0 for n ≤ 3: only the normal form objects."""
    u = positive_family("u")
    elementary = [sp.Integer(1)]
    for order in range(1, 5):
        terms = (
            (-1) ** (q - 1) * elementary[order - q] * total(u[j] ** q, j, n)
            for q in range(1, order + 1)
        )
        elementary.append(sp.expand(sp.Add(*terms)) / order)
    with pytest.raises(StepError, match="is not proved: before − after has the normal form"):
        Builder("e_4", "", elementary[4]).step("vanishes", sp.Integer(0))


def test_a_step_about_nothing_is_rejected() -> None:
    """The derivative of ln(−p) is 1/p, but for p > 0 there is no ln(−p)."""
    p = positive("p")
    with pytest.raises(StepError, match="undefined at every point"):
        Builder("log", "", derivative(sp.log(-p), p)).step("chain rule", 1 / p)


def test_an_index_that_stands_for_itself_does_not_stand_for_every_row() -> None:
    """A hypothesis about row r, which occurs in the step, must not be used for row m."""
    row = Hypothesis(total(t[r, i], i, n), sp.Integer(1), "Σ_i t_ri = 1")
    other = Builder("rows", "", total(t[m, i], i, n) * t[r, k], ranges={m: N, r: N, k: n})
    with pytest.raises(StepError):
        other.step("row m sums to 1 as well?", t[r, k], (row,))


def test_labels_are_tried_in_every_combination() -> None:
    c = label_family("c")
    picked = Builder("labels", "", total(delta(j, c[m]) * z[m, j], j, n), ranges={m: N, c: n})
    with pytest.raises(StepError):
        picked.step("always the first class", z[m, 1])
    evidence = picked.step("the class of m", z[m, c[m]]).done().steps[0].evidence
    # Two entries c_1, c_2 where N or n is 2: for (N, n) = (1,1), (1,2), (2,1), (2,2) there are
    # 1, 1, 2, 2 values of m and 1, 4, 1, 4 values of the labels.
    assert evidence[1].detail == f"{1 * 1 + 1 * 4 + 2 * 1 + 2 * 4} instances"


# --- a kernel's blind spot is seen by the others ---------------------------------------------------


def test_a_wrong_table_of_derivatives_is_seen_by_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    right = calculus._table
    monkeypatch.setattr(
        calculus,
        "_table",
        lambda e, a: 1 + e**2 if isinstance(e, sp.tanh) else right(e, a),
    )
    with pytest.raises(StepError, match="fails at a sampled point"):
        Builder("tanh", "", derivative(sp.tanh(x), x)).step("wrong", 1 + sp.tanh(x) ** 2)


def test_a_wrong_unfolding_is_seen_by_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial for total: E does not depend on z if y is held fixed."""
    monkeypatch.setattr(calculus, "_later", lambda definitions, variable: ())
    with pytest.raises(StepError, match="fails at a sampled point"):
        gradient().step("y held fixed", sp.Integer(0))


def test_a_kernel_that_proves_everything_is_seen_by_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from derivations.kernels.algebra import Algebra

    monkeypatch.setattr(Algebra, "cleared", lambda self, poly: ({}, {}))
    with pytest.raises(StepError, match="is not proved at n = "):
        Builder("equal", "", z[i], ranges={i: n, k: n}).step("wrong", z[k])


# --- sampling --------------------------------------------------------------------------------------


def test_sampling_takes_derivatives_as_limits() -> None:
    setting = sampling.Setting()
    right = sampling.sample(derivative(phi(x) ** 2, x), 2 * phi(x) * phi(x).fdiff(), setting)
    wrong = sampling.sample(derivative(phi(x) ** 2, x), 2 * phi(x), setting)
    assert right.agree
    assert right.points == 2
    assert not wrong.agree
    assert wrong.difference > 1e-3


def test_sampling_says_when_nothing_could_be_evaluated() -> None:
    nowhere = sampling.sample(sp.log(-1 - x**2), sp.log(-1 - x**2), sampling.Setting())
    assert nowhere.points == 0
    assert not nowhere.agree


def test_sampled_points_satisfy_the_hypotheses() -> None:
    setting = sampling.Setting(
        hypotheses=(ROWS_SUM_TO_ONE,),
        sizes={n: 3, N: 2},
        indices={r: 2},
        schematic=({m: 1}, {m: 2}),
    )
    assert sampling.sample(total(t[r, i], i, n), sp.Integer(1), setting).agree
    assert not sampling.sample(total(t[r, i] ** 2, i, n), sp.Integer(1), setting).agree


# --- every derivation of the package ---------------------------------------------------------------


def derivations() -> list[Derivation]:
    rows = (*activations.ROWS, *softmaxes.ROWS, *losses.ROWS, *elementwise_losses.ROWS)
    return [derivation for row in rows for derivation in row.derive()]


DERIVATIONS = {derivation.name: derivation for derivation in derivations()}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_derivations_are_chains_of_proved_steps(name: str) -> None:
    derivation = DERIVATIONS[name]
    assert derivation.standing in (Standing.PROVED_ALL_N, Standing.PROVED_REAL)
    current = derivation.start
    for step in derivation.steps:
        assert step.before == current
        assert step.after != current
        assert step.rule
        current = step.after
    assert derivation.result == current
    assert derivation.title
    assert derivation.scope


def test_names_of_derivations_are_unique() -> None:
    assert len(DERIVATIONS) == len(derivations())


def tampered(after: sp.Expr, generator: random.Random) -> sp.Expr:
    symbols = sorted(calculus.free_symbols(after), key=str)
    return generator.choice(
        (
            2 * after + sp.Rational(1, 1000),
            after + sp.Rational(1, 1000),
            -after + 1,
            after + sum(symbols[:1], start=sp.Integer(1)) ** 2,
        )
    )


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_tampered_step_of_a_derivation_is_rejected(name: str) -> None:
    derivation = DERIVATIONS[name]
    generator = random.Random(name)
    step = generator.choice(derivation.steps)
    ranges = {
        s: {"m": N, "r": N}.get(s.name, n)
        for s in calculus.free_symbols(step.before) | calculus.free_symbols(step.after)
        if s.is_integer and s not in (n, N)
    }
    ranges |= {m: N} if step.hypotheses else {}
    ranges |= {losses.CLASSES: n} if step.before.has(losses.CLASSES) else {}
    builder = Builder(name, "", step.before, derivation.definitions, ranges)
    with pytest.raises(StepError):
        builder.step(step.rule, tampered(step.after, generator), step.hypotheses)
    builder.step(step.rule, step.after, step.hypotheses)


# --- rules -----------------------------------------------------------------------------------------


def test_a_rule_names_its_step() -> None:
    derivation = scalar().apply(RECIPROCAL).done()
    assert derivation.steps[0].rule == RECIPROCAL.name
    assert derivation.steps[0].hypotheses == RECIPROCAL.using


def test_a_rule_that_does_not_apply_raises() -> None:
    with pytest.raises(RuleError, match="does not apply"):
        scalar().apply(EXP)
