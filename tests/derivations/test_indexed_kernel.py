"""What the indexed kernel proves, what it must not prove, and what it refuses to speak about."""

from __future__ import annotations

import pytest
import sympy as sp

from derivations.expressions.calculus import meaning, sdiff
from derivations.expressions.language import (
    D,
    K,
    N,
    Y,
    c,
    delta,
    derivative,
    ell,
    family,
    i,
    index,
    j,
    k,
    label_family,
    m,
    n,
    nonnegative,
    opaque,
    phi,
    positive,
    positive_family,
    r,
    t,
    total,
    x,
    y,
    z,
)
from derivations.kernels import witness
from derivations.kernels.indexed import OutOfClassError, normal_form, prove_zero
from derivations.records import Definition, Hypothesis

S = total(sp.exp(z[j]), j, n)
SOFTMAX = Definition(y, (i,), sp.exp(z[i]) / S, "softmax")
T = total(Y[j], j, n)
ENTROPY = -total(Y[i] * sp.log(y[i]), i, n)
SUMS_TO_ONE = Hypothesis(total(Y[i], i, n), sp.Integer(1), "ΣY = 1")
EVERY = {i: n, k: n, ell: n}


def softmax(a: sp.Expr) -> sp.Expr:
    return sp.exp(z[a]) / S


def row_softmax(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return sp.exp(z[a, b]) / total(sp.exp(z[a, j]), j, n)


JACOBIAN = meaning(derivative(y[i], z[k]), (SOFTMAX,))
GRADIENT = meaning(derivative(ENTROPY, z[k]), (SOFTMAX,))
MEAN = -total(total(t[m, i] * sp.log(row_softmax(m, i)), i, n), m, N) / N
MEAN_GRADIENT = sdiff(MEAN, z[r, k])
ROWS_SUM_TO_ONE = Hypothesis(total(t[m, i], i, n), sp.Integer(1), "Σ_i t_mi = 1 for every m")


def proved(residual: sp.Expr, *hypotheses: Hypothesis, ranges=None, pairs=()) -> bool:
    ranges = {**EVERY, r: N, m: N} if ranges is None else ranges
    return prove_zero(residual, ranges, pairs, hypotheses).proved


TRUE = {
    "derivative of a sum of exponentials": sdiff(S, z[k]) - sp.exp(z[k]),
    "Jacobian": JACOBIAN - softmax(i) * (delta(i, k) - softmax(k)),
    "outputs sum to 1": total(softmax(i), i, n) - 1,
    "columns of the Jacobian": total(softmax(i) * (delta(i, k) - softmax(k)), i, n),
    "shift by a constant": softmax(i) - sp.exp(z[i] + c) / total(sp.exp(z[j] + c), j, n),
    "shift by an entry": softmax(i) - sp.exp(z[i] - z[k]) / total(sp.exp(z[j] - z[k]), j, n),
    "log-sum-exp shift": sp.log(total(sp.exp(z[j] - c), j, n)) + c - sp.log(S),
    "gradient for any labels": GRADIENT - (softmax(k) * T - Y[k]),
    "Hessian": sdiff(GRADIENT, z[ell]) - T * (delta(k, ell) - softmax(ell)) * softmax(k),
    "mean gradient": MEAN_GRADIENT - (row_softmax(r, k) * total(t[r, j], j, n) - t[r, k]) / N,
    "σ(a) + σ(−a) = 1 under a sum": total(1 / (1 + sp.exp(z[j])) + 1 / (1 + sp.exp(-z[j])), j, n)
    - n,
    "tanh² under a sum": total(sp.tanh(z[j]) ** 2 + 1 / sp.cosh(z[j]) ** 2, j, n) - n,
    "cosh² − sinh² under a sum": total(sp.cosh(z[j]) ** 2 - sp.sinh(z[j]) ** 2, j, n) - n,
    "m/(c + b·m) under a sum": total(5 * z[j] ** 2 / (3 + 5 * z[j] ** 2), j, n)
    - n
    + total(3 / (3 + 5 * z[j] ** 2), j, n),
    "sign of a denominator": 1 / (z[i] - z[k]) + 1 / (z[k] - z[i]),
    "sign of a sum in a denominator": 1 / (total(z[j], j, n) - 2 * total(z[i], i, n))
    + 1 / total(z[i], i, n),
    "order of summation": total(total(row_softmax(m, i), m, N), i, n) - N,
    "opaque function": total(phi(z[j] + c) * delta(j, k), j, n) - phi(c + z[k]),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_statements_are_proved(name: str) -> None:
    assert proved(TRUE[name])


def test_the_third_derivatives_of_softmax_are_symmetric() -> None:
    q = index("q")
    third = sdiff(sdiff(JACOBIAN, z[ell]), z[q])
    swapped = sdiff(sdiff(meaning(derivative(y[i], z[q]), (SOFTMAX,)), z[k]), z[ell])
    assert proved(third - swapped, ranges={**EVERY, q: n})


def test_a_two_layer_network_of_every_shape_is_proved_end_to_end() -> None:
    X, W, V, a, b = (family(name) for name in ("X", "W", "V", "a", "b"))
    p, q = index("p"), index("q")

    def hidden(row: sp.Expr, unit: sp.Expr) -> sp.Expr:
        return total(X[row, i] * W[i, unit], i, D) + a[unit]

    def logit(row: sp.Expr, unit: sp.Expr) -> sp.Expr:
        return total(phi(hidden(row, j)) * V[j, unit], j, K) + b[unit]

    def share(row: sp.Expr, unit: sp.Expr) -> sp.Expr:
        return sp.exp(logit(row, unit)) / total(sp.exp(logit(row, ell)), ell, n)

    loss = -total(total(t[m, k] * sp.log(share(m, k)), k, n), m, N) / N
    delta_k = (share(m, k) * total(t[m, ell], ell, n) - t[m, k]) * V[q, k]
    slope = X[m, p] * opaque("phi", 1)(hidden(m, q)) * total(delta_k, k, n)
    gradient = sdiff(loss, W[p, q])
    assert proved(gradient - total(slope, m, N) / N, ranges={p: D, q: K})
    assert not proved(gradient - total(slope, m, N), ranges={p: D, q: K})


# --- hypotheses ------------------------------------------------------------------------------------


def test_a_hypothesis_is_used_whatever_its_index_is_called() -> None:
    residual = GRADIENT - (softmax(k) - Y[k])
    assert not proved(residual)
    assert proved(residual, SUMS_TO_ONE)
    assert proved(total((1 - delta(i, k)) * Y[i], i, n) - (1 - Y[k]), SUMS_TO_ONE)
    doubled = Hypothesis(2 * total(Y[i], i, n), z[k] + 4, "2 ΣY = z_k + 4")
    assert proved(T - z[k] / 2 - 2, doubled)
    assert not proved(T - z[k] - 4, doubled)


def test_a_hypothesis_about_every_row_is_used_for_a_free_row_and_under_a_sum() -> None:
    assert proved(MEAN_GRADIENT - (row_softmax(r, k) - t[r, k]) / N, ROWS_SUM_TO_ONE)
    assert proved(
        total(total(t[m, i] * z[m, k], i, n), m, N) - total(z[m, k], m, N), ROWS_SUM_TO_ONE
    )


def test_a_hypothesis_about_one_row_says_nothing_about_another() -> None:
    one_row = Hypothesis(total(t[r, i], i, n), sp.Integer(1), "Σ_i t_ri = 1")
    # r occurs in the statement, so the hypothesis is about r alone …
    assert proved(total(t[r, i], i, n) * z[r, k] - z[r, k], one_row)
    assert not proved(total(t[m, i], i, n) * z[r, k] - z[r, k], one_row)
    # … and an index without a range stands for nothing else.
    unranged = Hypothesis(total(t[index("q"), i], i, n), sp.Integer(1), "Σ_i t_qi = 1")
    assert not proved(total(t[r, i], i, n) - 1, unranged)


def test_an_index_that_cancelled_still_stands_for_itself() -> None:
    """Σ_i t_mi + z_r = 1 + z_r does not follow from Σ_i t_ri = 1, though r cancels."""
    one_row = Hypothesis(total(t[r, i], i, n), sp.Integer(1), "Σ_i t_ri = 1")
    residual = (total(t[m, i], i, n) + z[r]) - (1 + z[r])
    assert not prove_zero(residual, {m: N, r: N}, (), (one_row,), fixed=(m, r))
    assert prove_zero(residual, {m: N, r: N}, (), (one_row,)), "without z_r, r is schematic"


def test_a_hypothesis_about_rows_does_not_reach_the_diagonal() -> None:
    rows = Hypothesis(total(t[m, i], i, n), sp.Integer(1), "Σ_i t_mi = 1 for every m")
    assert not proved(total(t[i, i], i, n) - 1, rows, ranges={m: n})


def test_a_hypothesis_is_used_for_indices_in_its_range_alone() -> None:
    row_k = total(t[k, i], i, n) - 1
    assert not proved(row_k, ROWS_SUM_TO_ONE, ranges={k: n, m: N})
    assert proved(row_k, ROWS_SUM_TO_ONE, ranges={k: N, m: N})
    labelled = total(t[_C[i], i], i, n) - 1  # another row for every i
    assert not proved(labelled, ROWS_SUM_TO_ONE, ranges={_C: N, m: N})
    assert proved(total(t[_C[k], i], i, n) - 1, ROWS_SUM_TO_ONE, ranges={_C: N, m: N, k: n})


def test_a_hypothesis_takes_its_right_side_along() -> None:
    a, b = family("a"), family("b")
    weighted = Hypothesis(total(a[m, i] * b[m, i], i, n), Y[m] ** 2, "Σ_i a_mi b_mi = Y_m²")
    ranges = {m: N, r: N, k: N}
    assert proved(total(a[r, j] * b[r, j], j, n) - Y[r] ** 2, weighted, ranges=ranges)
    assert proved(
        total(z[k] * total(a[k, j] * b[k, j], j, n), k, N) - total(z[k] * Y[k] ** 2, k, N),
        weighted,
        ranges=ranges,
    )
    mixed = total(a[r, j] * b[k, j], j, n)
    assert not proved(mixed - Y[k] ** 2, weighted, ranges=ranges)
    assert not proved(mixed - Y[r] ** 2, weighted, ranges=ranges)
    for other in (a[r, j] * b[r, j] * z[j], a[r, j], a[r, j] * b[r, j] ** 2):
        assert not proved(total(other, j, n) - Y[r] ** 2, weighted, ranges=ranges)


def test_a_hypothesis_that_is_not_about_one_sum_is_refused() -> None:
    two = Hypothesis(total(Y[i], i, n) + total(z[i], i, n), sp.Integer(1), "ΣY + Σz = 1")
    with pytest.raises(OutOfClassError, match="not about one sum"):
        proved(T, two)


# --- what is wrong is not proved, and a rational point shows it ------------------------------------

WRONG = {
    "missing 1/N": MEAN_GRADIENT - (row_softmax(r, k) * total(t[r, j], j, n) - t[r, k]),
    "sign": GRADIENT + (softmax(k) * T - Y[k]),
    "diagonal only": JACOBIAN - delta(i, k) * softmax(i) * (1 - softmax(i)),
    "ΣY dropped": GRADIENT - (softmax(k) - Y[k]),
    "shift in the numerator only": softmax(i) - sp.exp(z[i] - z[k]) / S,
    "index slip": JACOBIAN - softmax(i) * (delta(i, k) - softmax(i)),
    "index slip in the labels": MEAN_GRADIENT
    - (row_softmax(r, k) * total(t[r, j], j, n) - t[r, i]) / N,
    "summed over the wrong axis": MEAN_GRADIENT
    - (row_softmax(r, k) * total(t[m, k], m, N) - t[r, k]) / N,
    "a count forgotten": total(softmax(i) + 1, i, n) - 2,
    "opaque argument": phi(z[i]) - phi(z[k]),
    "sign of a denominator": 1 / (z[i] - Y[k]) - 1 / (Y[k] - z[i]),
    "exp of a squared logarithm": sp.exp(sp.log(1 + z[i] ** 2) ** 2) - (1 + z[i] ** 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_statements_are_refuted_with_a_witness(name: str) -> None:
    residual = WRONG[name]
    proof = prove_zero(residual, {**EVERY, r: N}, [(i, k)])
    assert not proof.proved
    assert proof.residual != 0
    points = (
        witness.find(witness.instantiate(residual, sizes, at))
        for sizes in ({n: 2, N: 2}, {n: 3, N: 2})
        for at in witness.index_values({**EVERY, r: N}, sizes)
    )
    point = next(found for found in points if found is not None)
    assert point.lower > 0 or point.upper < 0


def test_true_for_six_is_not_true_for_every_n() -> None:
    """e_7, the sum of products of seven entries, in power sums: 0 for n ≤ 6, not for n = 7."""
    u = positive_family("u")
    elementary = [sp.Integer(1)]
    for order in range(1, 8):
        terms = (
            (-1) ** (q - 1) * elementary[order - q] * total(u[j] ** q, j, n)
            for q in range(1, order + 1)
        )
        elementary.append(sp.expand(sp.Add(*terms)) / order)
    assert not prove_zero(elementary[7], {}).proved
    values = {f"u_{q}": sp.Integer(q) for q in range(1, 8)}
    for count in range(1, 7):
        written = witness.instantiate(elementary[7], {n: count})
        assert written.xreplace({s: values[s.name] for s in written.free_symbols}) == 0
    written = witness.instantiate(elementary[7], {n: 7})
    assert written.xreplace({s: values[s.name] for s in written.free_symbols}) == sp.factorial(7)


def test_equal_and_distinct_are_separate_cases() -> None:
    only_where_distinct = delta(i, k) * z[i]
    proof = prove_zero(only_where_distinct, EVERY, [(i, k)])
    assert [case.proved for case in proof.cases] == [False, True]
    assert not proof.proved
    transitive = prove_zero(delta(i, k) * delta(k, ell) - delta(i, k) * delta(i, ell), EVERY)
    assert transitive.proved
    three = prove_zero(delta(i, k) + delta(k, ell), EVERY, [(i, k), (k, ell), (i, ell)])
    assert len(three.cases) == 5, "i = k = l, three times one pair, none: 5 of 8 are consistent"


# --- what it refuses -------------------------------------------------------------------------------

_C = label_family("c")
REFUSED = {
    "index without a range": (total(delta(j, index("q")) * z[j], j, n), "not known to lie in"),
    "index of another range": (total(delta(j, m) * z[j], j, n), "not known to lie in"),
    "label without a range": (total(delta(j, _C[m]) * z[j], j, n), "not known to lie in"),
    "sum that starts at 0": (sp.Sum(z[j], (j, 0, n)), "does not start at 1"),
    "sum that may be empty": (sp.Sum(z[j], (j, 1, n - 1)), "upper limit"),
    "limit that is no integer": (sp.Sum(z[j], (j, 1, x)), "upper limit"),
    "limit that may be 0": (
        sp.Sum(z[j], (j, 1, sp.Symbol("q", integer=True, nonnegative=True))),
        "upper limit",
    ),
    "delta with a range of its own": (sp.KroneckerDelta(i, k, (1, n)), "no rule|not an index"),
    "logarithm of an unknown sign": (sp.log(T), "sign is not known"),
    "logarithm of a difference": (sp.log(S - 1), "sign is not known"),
    "logarithm of a delta": (sp.log(delta(i, k)), "sign is not known"),
    "logarithm of 1 + z": (sp.log(1 + z[i]), "sign is not known"),
    "logarithm of fractions": (sp.log(total(1 / (1 + z[j]), j, n)), "sign is not known"),
    "complex symbol": (sp.exp(sp.Symbol("w")) - 1, "not declared real"),
    "complex family": (total(sp.IndexedBase("w")[j], j, n), "not declared real"),
    "cube root": (sp.cbrt(S), "no rule"),
    "absolute value": (abs(z[i]), "no rule"),
    "π": (sp.pi * z[i], "no rule"),
    "float": (0.5 * z[i], "no rule"),
    "matrix": (sp.Trace(sp.MatrixSymbol("A", 2, 2)) * z[i], "no rule"),
    "denominator 0": (1 / (total(z[j], j, n) - total(z[i], i, n)), "identically zero"),
    "denominator 0 as a fraction": (
        1 / (z[i] / (z[i] + z[k]) + z[k] / (z[i] + z[k]) - 1),
        "identically zero",
    ),
    "delta in a denominator": (1 / delta(i, k), "in a denominator"),
    "unevaluated derivative": (derivative(z[i], z[k]), "no rule"),
    "two symbols of one name": (positive("x") + x, "two different symbols"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_outside_of_the_class_is_refused(name: str) -> None:
    expression, message = REFUSED[name]
    with pytest.raises(OutOfClassError, match=message):
        prove_zero(expression, {**EVERY, m: N})


def test_indices_of_different_ranges_cannot_be_equal() -> None:
    with pytest.raises(OutOfClassError, match="no common range"):
        prove_zero(z[i] - z[m], {i: n, m: N}, [(i, m)])


def test_entries_that_are_named_by_number() -> None:
    assert proved(total(delta(j, 1) * z[j], j, n) - z[1])
    assert proved(total(delta(j, 1) * delta(j, 2) * z[j], j, n))
    with pytest.raises(OutOfClassError, match="2 is not known to lie in 1 … n"):
        proved(total(delta(j, 2) * z[j], j, n) - z[2])


def test_labels_with_a_range_select() -> None:
    picked = total(delta(j, _C[m]) * z[m, j], j, n) - z[m, _C[m]]
    assert prove_zero(picked, {m: N, _C: n}).proved
    assert not prove_zero(picked + z[m, k] - z[m, _C[m]], {m: N, k: n, _C: n}).proved


def test_an_index_that_selects_itself_through_its_label_stays() -> None:
    fixed_points = total(delta(j, _C[j]) * z[j], j, n)
    ranges = {_C: n, k: n}
    assert prove_zero(fixed_points - total(delta(i, _C[i]) * z[i], i, n), ranges)
    assert not prove_zero(fixed_points - z[_C[k]], ranges)
    assert normal_form(fixed_points, ranges) == fixed_points


def test_signs_come_from_declarations() -> None:
    p, R = positive_family("p"), nonnegative("R")
    assert proved(sp.log(p[i] * sp.exp(z[i])) - sp.log(p[i]) - z[i])
    assert proved(
        sp.log((2 + R + z[i] ** 2) * sp.exp(x) / 6) - sp.log(R + z[i] ** 2 + 2) - x + sp.log(6)
    )
    for unknown in (R, z[i], 1 - p[i], R + z[i]):
        with pytest.raises(OutOfClassError, match="sign is not known"):
            proved(sp.log(unknown))


# --- alpha-equivalence and capture: where SymPy alone goes wrong -----------------------------------


def test_sums_that_differ_in_the_name_of_the_index_are_equal() -> None:
    a, b = total(sp.exp(z[i]), i, n), total(sp.exp(z[j]), j, n)
    assert a != b, "SymPy knows them to be equal now: this kernel's rule R6 may be simplified"
    assert proved(a - b)
    nested = total(total(z[i] * Y[j] ** 2, i, n), j, n)
    assert proved(nested - total(total(z[j] * Y[i] ** 2, i, n), j, n))


def test_shadowed_indices_keep_their_scopes() -> None:
    inner = sp.Sum(Y[j], (j, 1, n))
    shadowing = sp.Sum(sp.Mul(z[j], inner, evaluate=False), (j, 1, n))
    assert proved(shadowing - total(z[i], i, n) * total(Y[i], i, n))
    assert normal_form(shadowing - total(z[i] * Y[i], i, n), {}) != 0


def test_the_residual_is_an_expression_of_the_same_value() -> None:
    statement = total(z[i] * total(Y[j] * z[j], j, n), i, n) - z[k]
    proof = prove_zero(statement, EVERY)
    assert not proof, "a proof is true only if it is one"
    assert prove_zero(proof.residual - statement, EVERY)
