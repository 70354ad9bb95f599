"""Renaming, unfolding and differentiating without capture; where SymPy alone is silently wrong."""

from __future__ import annotations

import pytest
import sympy as sp

from derivations.expressions.calculus import (
    CalculusError,
    evaluate_derivatives,
    expand_definitions,
    free_symbols,
    fresh_index,
    meaning,
    rename_free,
    sdiff,
)
from derivations.expressions.language import (
    Y,
    delta,
    derivative,
    i,
    index,
    j,
    k,
    n,
    negative,
    opaque,
    phi,
    positive,
    real,
    total,
    x,
    y,
    z,
)
from derivations.kernels.witness import instantiate
from derivations.records import Definition

S = total(sp.exp(z[j]), j, n)
SOFTMAX = Definition(y, (i,), sp.exp(z[i]) / S, "softmax")
LOSS = Definition(real("E"), (), -total(Y[i] * sp.log(y[i]), i, n), "cross-entropy")
E = LOSS.symbol


def written(expression: sp.Expr, count: int = 3, **indices: int) -> sp.Expr:
    return instantiate(expression, {n: count}, {index(name): at for name, at in indices.items()})


def entry(name: str, place: int) -> sp.Symbol:
    return sp.Symbol(f"{name}_{place}", real=True)


# --- capture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["i", "j", "k", "p"])
def test_the_name_of_the_variables_index_does_not_matter(name: str) -> None:
    """``S.diff(z[j])`` is Σ_j e^{z_j} in SymPy, because the free j is taken for the bound one."""
    at = index(name)
    for place in (1, 2, 3):
        slope = written(sdiff(S, z[at]), **{name: place})
        assert sp.simplify(slope - sp.exp(entry("z", place))) == 0


def test_renaming_does_not_let_an_index_be_captured() -> None:
    """``Sum(z[i]*z[j], (j, 1, n)).subs(i, j)`` is Σ_j z_j² in SymPy."""
    renamed = rename_free(total(z[i] * z[j], j, n), {i: j})
    z1, z2, z3 = (entry("z", q) for q in (1, 2, 3))
    assert sp.expand(written(renamed, j=2) - z2 * (z1 + z2 + z3)) == 0


def test_renaming_is_simultaneous_and_keeps_bound_indices() -> None:
    assert rename_free(z[i] * Y[j], {i: j, j: i}) == z[j] * Y[i]
    assert rename_free(S, {j: k}) == S
    doubly = sp.Sum(z[j] * Y[i], (j, 1, n), (i, 1, n))
    assert rename_free(doubly, {i: k, j: k}) == doubly


def test_unfolding_does_not_capture() -> None:
    """Σ_j Y_j y_j unfolds a body that binds j itself, and one whose free symbol is called j."""
    unfolded = expand_definitions(total(Y[j] * y[j], j, n), (SOFTMAX,))
    direct = sum(entry("Y", q) * written(SOFTMAX.body, i=q) for q in (1, 2, 3))
    assert sp.simplify(written(unfolded) - direct) == 0
    loose = Definition(y, (i,), z[i] * z[j], "z_i z_j with a free j")
    product = expand_definitions(total(y[j], j, n), (loose,))
    z1, z2, z3 = (entry("z", q) for q in (1, 2, 3))
    assert sp.expand(written(product, j=3) - (z1 + z2 + z3) * z3) == 0


def test_fresh_names_avoid_what_is_taken() -> None:
    assert fresh_index(k, ()) == k
    taken = tuple(index(name) for name in "jiklmpqrs")
    fresh = fresh_index(k, taken)
    assert fresh not in taken
    assert fresh.is_integer
    assert fresh.is_positive


def test_free_symbols_leave_out_bound_indices_and_family_names() -> None:
    assert free_symbols(total(z[i] * z[j], j, n)) == {i, n}
    assert free_symbols(sp.Sum(z[j], (j, 1, n), (j, 1, n))) == {n}
    assert free_symbols(derivative(x**2, x)) == {x}


# --- derivatives -----------------------------------------------------------------------------------

TABLE = {
    "power": (x**5, 5 * x**4),
    "reciprocal": (1 / (1 + x), -1 / (1 + x) ** 2),
    "exp": (sp.exp(x**2), 2 * x * sp.exp(x**2)),
    "log": (sp.log(1 + x**2), 2 * x / (1 + x**2)),
    "tanh": (sp.tanh(3 * x), 3 * (1 - sp.tanh(3 * x) ** 2)),
    "sinh": (sp.sinh(x), sp.cosh(x)),
    "cosh": (sp.cosh(x), sp.sinh(x)),
    "opaque": (phi(x**2), 2 * x * opaque("phi", 1)(x**2)),
    "product": (x * sp.exp(x) * sp.log(1 + x), None),
    "composition": (sp.tanh(sp.exp(x) / (1 + x**2)) ** 3, None),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_agrees_with_sympy_on_scalars(name: str) -> None:
    expression, expected = TABLE[name]
    truth = sp.diff(expression, x) if expected is None else expected
    assert sp.simplify(sdiff(expression, x) - truth) == 0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sp.Abs(x), "no derivative is known"),
        (sp.Max(x, 0), "kink"),
        (x**x, "exponent"),
        (sp.gamma(x), "no derivative is known"),
        (sp.atan2(x, 1), "no derivative is known"),
    ],
)
def test_what_is_not_in_the_table_is_refused(expression: sp.Expr, message: str) -> None:
    with pytest.raises(CalculusError, match=message):
        sdiff(expression, x)


def test_pieces_of_max() -> None:
    right, left = positive("x"), negative("x")
    assert sdiff(sp.Max(right, 0, evaluate=False), right) == 1
    assert sdiff(sp.Max(left, 0, evaluate=False), left) == 0


def test_sums_whose_limit_depends_on_the_variable_are_refused() -> None:
    with pytest.raises(CalculusError, match="limits"):
        sdiff(sp.Sum(x, (j, 1, x)), x)


def test_entries_with_different_numbers_of_indices_are_refused() -> None:
    with pytest.raises(CalculusError, match="different numbers of indices"):
        sdiff(z[i, j], z[k])


X = sp.MatrixSymbol("X", 3, 1)


@pytest.mark.parametrize(
    ("expression", "variable"),
    [
        (sp.exp(sp.Trace(X * X.T)), X),
        (sp.log(sp.Sum(sp.exp(X[i, 0]), (i, 0, 2))), X),
        (X[0, 0], X[0, 0]),
        (sp.exp(X[0, 0]), X),
    ],
)
def test_derivatives_in_matrices_are_refused(expression: sp.Expr, variable: sp.Expr) -> None:
    """SymPy returns 0 for several of these, without a word."""
    with pytest.raises(CalculusError, match="must be a symbol or an entry"):
        sdiff(expression, variable)


# --- the meaning of derivatives of names -----------------------------------------------------------


def test_a_derivative_by_a_defined_name_cuts_the_graph_there() -> None:
    assert meaning(derivative(E, y[k]), (LOSS,)) == sdiff(LOSS.body, y[k])
    both = (SOFTMAX, LOSS)
    through_y = total(derivative(E, y[i]) * derivative(y[i], z[k]), i, n)
    direct = derivative(E, z[k])
    for place in (1, 2):
        gap = written(meaning(through_y, both) - meaning(direct, both), 2, k=place)
        assert sp.simplify(gap) == 0
    # y held fixed, E does not see z at all: the partial derivative is not the total one
    assert meaning(derivative(E, z[k]), (LOSS,)) == 0


def test_unfolding_inside_a_derivative_does_not_capture() -> None:
    """Σ_k ∂L/∂z_k with L = z_k² for the free k: only the term of that k is not 0."""
    loose = Definition(real("L"), (), z[k] ** 2, "L = z_k²")
    summed = meaning(total(derivative(loose.symbol, z[k]) * Y[k], k, n), (loose,))
    for place in (1, 2, 3):
        expected = 2 * entry("z", place) * entry("Y", place)
        assert sp.expand(written(summed, k=place) - expected) == 0


def test_nested_derivatives_are_evaluated_inside_out() -> None:
    twice = derivative(derivative(sp.exp(x * x), x), x)
    assert sp.expand(meaning(twice) - sp.diff(sp.exp(x**2), x, 2)) == 0
    assert evaluate_derivatives(derivative(derivative(z[i] ** 2, z[j]), z[k])) == (
        2 * delta(i, j) * delta(i, k)
    )
