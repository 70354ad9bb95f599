"""Is back-propagation through whole networks proved, right on numbers, and wrong variants rejected?"""

import dataclasses
import math

import mpmath
import numpy as np
import pytest
import sympy as sp

import reference
from derivations.expressions.calculus import expand_definitions, meaning
from derivations.expressions.language import D, K, N, derivative, j, k, m, n, r, total
from derivations.kernels import indexed
from derivations.records import Standing
from derivations.rows import network_rows, networks
from derivations.rows.layers import softmax_with_loss_hard
from derivations.rows.networks import (
    ANY,
    LABELS,
    LOSS,
    SIGMOID,
    TANH,
    G,
    Network,
    WholeNetwork,
    X,
    d,
)
from derivations.steps.build import Builder, StepError

CASES = {case.name: case for case in reference.CASES}
ROWS = {row.case: row for row in network_rows.ROWS}
ACTIVATIONS = {"network_tanh": (TANH, np.tanh), "network_sigmoid": (SIGMOID, reference.sigmoid)}
"""The symbolic activation of each row and the one of the code."""


def drawn(name, sizes, seed):
    rng = np.random.default_rng(seed)
    arguments = CASES[name].draw(rng, **dict(zip(("N", "D", "M", "K"), sizes, strict=True)))
    return arguments, rng.standard_normal()


def relative(computed, exact):
    exact = np.asarray(exact).astype(float)
    assert np.shape(computed) == exact.shape
    return float(np.abs(computed - exact).max() / max(np.abs(exact).max(), 1e-300))


@pytest.mark.parametrize("name", ROWS)
def test_every_step_is_proved_for_every_shape_by_two_kernels(name):
    for derivation in ROWS[name].derive():
        for step in derivation.steps:
            by_standing = {e.standing: e for e in step.evidence}
            assert {Standing.PROVED_ALL_N, Standing.PROVED_FIXED_N} <= set(by_standing)
            assert by_standing[Standing.PROVED_ALL_N].scope.startswith("every ")


def test_the_scope_is_every_number_of_samples_and_units():
    names = {1: "N, D, K", 2: "N, D, M, K", 3: "N, D, M1, M2, K"}
    for depth, sizes in names.items():
        for derivation in networks.from_the_loss(depth):
            assert derivation.scope.startswith(f"every {sizes} ≥ 1")
            assert derivation.steps[0].evidence[0].scope == f"every {sizes} ≥ 1"
            assert derivation.hypotheses == ()


def test_every_parameter_of_one_two_and_three_layers_is_covered():
    for depth in (1, 2, 3):
        variables = [str(g.start.variables[0].base) for g in networks.from_the_loss(depth)]
        pairs = [f"{kind}{layer}" for layer in range(1, depth + 1) for kind in "Wb"]
        assert variables == ["x", *pairs]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 2, 3, 2), (5, 1, 2, 4), (4, 3, 5, 2)])
@pytest.mark.parametrize("name", ROWS)
def test_derivation_and_code_agree(name, sizes, seed):
    arguments, upstream = drawn(name, sizes, seed)
    case, row = CASES[name], ROWS[name]
    derived = row.vjp(arguments, np.asarray(upstream))
    claimed = case.vjp(*arguments, upstream)
    assert len(derived) == len(claimed) == 5
    if sizes[-1] == 1:  # one class: the loss is zero whatever the parameters
        assert all(not np.any(part.astype(float)) for part in derived)
        return
    assert relative(case.f(*arguments), row.value(arguments)) <= 1e-15
    for computed, exact in zip(claimed, derived, strict=True):
        assert relative(computed, exact) <= 4e-15


@pytest.mark.parametrize("name", ROWS)
def test_the_derived_gradient_is_the_slope_of_the_derived_loss(name):
    """Central differences at 50 digits, in all differentiable arguments at once."""
    arguments, upstream = drawn(name, (3, 2, 4, 3), 9)
    rng = np.random.default_rng(10)
    row, moving = ROWS[name], (0, 2, 3, 4, 5)
    directions = {q: rng.standard_normal(np.shape(arguments[q])) for q in moving}
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -15

        def at(step):
            exact = [np.array(x, dtype=object) * mpmath.mpf(1) for x in arguments]
            moved = [
                exact[q] + step * directions[q] if q in moving else arguments[q] for q in range(6)
            ]
            return row.value(tuple(moved))[()]

        slope = mpmath.mpf(upstream) * (at(h) - at(-h)) / (2 * h)
        pulled = row.vjp(arguments, np.asarray(upstream))
        product = sum(np.sum(g * directions[q]) for g, q in zip(pulled, moving, strict=True))
        assert abs(slope - product) < mpmath.mpf(10) ** -22 * (1 + abs(product))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activations_are_those_of_the_code(name):
    symbolic, code = ACTIVATIONS[name]
    z = sp.Symbol("z", real=True)
    for point in (-3.0, -0.1, 0.0, 0.7, 5.0):
        value = float(symbolic.f(z).subs(z, point))
        assert math.isclose(value, code(point), rel_tol=1e-14, abs_tol=1e-16)
        slope = symbolic.slope(z, symbolic.f(z)).subs(z, sp.Float(point, 30))
        direct = sp.diff(symbolic.f(z), z).subs(z, sp.Float(point, 30))
        assert abs(slope - direct) < 1e-25


def claim(depth, variable, wrong):
    """The statement that `wrong` is the gradient of the loss in one argument."""
    network = Network(depth, ANY)
    (gradient,) = (g for g in network.gradients if str(g.entry.base) == variable)
    definitions = networks.with_loss(network)
    result = gradient.result if wrong is None else wrong(network, gradient)
    return WholeNetwork(network, definitions, gradient.entry, gradient.ranges, result)


def without_activation(network, gradient):
    """Δ of the first layer without φ′."""
    above = total(network.Delta(2)[m, k] * network.W(2)[j, k], k, network.widths[2])
    return total(X[m, d] * above, m, N)


def transposed_weights(network, gradient):
    """Δ of the first layer with W instead of its transpose."""
    above = total(network.Delta(2)[m, k] * network.W(2)[k, j], k, network.widths[2])
    return total(X[m, d] * times_slope(network, above), m, N)


def times_slope(network, above):
    return above * network.slope(1, m, j)


def slope_of_the_output(network, gradient):
    """φ′ at H instead of at Z."""
    above = total(network.Delta(2)[m, k] * network.W(2)[j, k], k, network.widths[2])
    return total(X[m, d] * above * ANY.slope(network.H(1)[m, j], None), m, N)


WRONG = {
    "no 1/N": ("W1", lambda net, g: N * g.result),
    "sign": ("W1", lambda net, g: -g.result),
    "activation's derivative missing": ("W1", without_activation),
    "W not transposed": ("W1", transposed_weights),
    "φ′ at the output": ("W1", slope_of_the_output),
    "bias not summed over the batch": ("b1", lambda net, g: net.Delta(1)[1, j]),
    "bias averaged again": ("b1", lambda net, g: g.result / N),
    "input with the next layer's weights": (
        "x",
        lambda net, g: total(net.Delta(1)[r, j] * net.W(2)[d, j], j, net.widths[1]),
    ),
    "pre-activation for activation": (
        "W2",
        lambda net, g: total(net.Z(1)[m, d] * net.Delta(2)[m, j], m, N),
    ),
    "next layer's δ": ("b1", lambda net, g: total(net.Delta(2)[m, j], m, N)),
}


def test_the_right_gradient_is_confirmed():
    """So that the rejections below are due to what is wrong."""
    for variable in ("x", "W1", "b1", "W2", "b2"):
        assert len(claim(2, variable, None).check()) == 3


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_gradient_is_rejected_for_all_shapes(mistake):
    variable, wrong = WRONG[mistake]
    with pytest.raises(StepError, match="normal form"):
        claim(2, variable, wrong).check()


@pytest.mark.parametrize(
    "mistake",
    [m for m in WRONG if m not in ("W not transposed", "next layer's δ")],
)
def test_each_of_the_other_two_checks_rejects_it_alone(mistake):
    """Neither of them leans on the first; W and its transpose differ in shape, so not for those."""
    variable, wrong = WRONG[mistake]
    statement = claim(2, variable, wrong)
    residual = meaning(statement.slope, statement.definitions) - meaning(
        statement.result, statement.definitions
    )
    with pytest.raises(StepError, match=r" is not .*before − after"):
        statement._one_shape(residual)
    with pytest.raises(StepError, match="differ by"):
        statement._samples()


def test_the_labels_weights_matter():
    """With Σt = 1 silently assumed, G would be (y − t)/N: not so for arbitrary weights."""
    statement = claim(1, "b1", None)
    y, t = networks.PROBABILITY, networks.WEIGHTS
    *others, arriving = statement.definitions
    short = dataclasses.replace(arriving, body=(y[m, k] - t[m, k]) / N)
    with pytest.raises(StepError):
        dataclasses.replace(statement, definitions=(*others, short)).check()


@pytest.mark.parametrize("activation", [ANY, TANH, SIGMOID], ids=lambda a: a.name)
def test_the_recursion_is_proved_with_each_activation_s_own_derivative(activation):
    """What the rows evaluate: Δ_1 with 1 − H² for tanh and with H(1 − H) for the sigmoid."""
    network = Network(2, activation)
    ranges = {r: N, j: network.widths[1]}
    assert networks.lemma(activation).standing is Standing.PROVED_ALL_N
    definitions = networks.with_loss(network)
    slope = derivative(LOSS, network.Z(1)[r, j])
    right, wrong = (meaning(slope - q * network.Delta(1)[r, j], definitions) for q in (1, 2))
    assert indexed.prove_zero(right, ranges).proved
    assert not indexed.prove_zero(wrong, ranges).proved


@pytest.mark.parametrize(
    "wrong",
    [
        lambda f, arrived: arrived,
        lambda f, arrived: f * arrived,
        lambda f, arrived: (1 - f) * arrived,
        lambda f, arrived: -(1 - f**2) * arrived,
        lambda f, arrived: (1 - f**2) * arrived / N,
    ],
    ids=["missing", "f for f′", "1 − f", "sign", "1/N"],
)
def test_a_wrong_lemma_is_rejected(wrong):
    right = networks.lemma(TANH)
    Z = right.start.variables[0].base
    H = right.definitions[0].symbol
    arrived = total(G[r, j] * sp.IndexedBase("W", real=True)[d, j], j, K)
    builder = Builder("wrong", "", right.start, right.definitions, {r: N, d: D})
    with pytest.raises(StepError, match="not proved"):
        builder.step("wrong", wrong(H[r, d], arrived))
    assert str(Z) == "Z"


def test_with_class_indices_the_gradient_at_the_loss_is_that_of_the_loss_layer():
    """t_mk = δ_{k,c_m} turns (y Σt − t)/N into the (y − δ)/N that `layers` derives, every shape."""
    names = {str(e.symbol): e for e in networks.with_loss(Network(2, ANY))}
    layer = softmax_with_loss_hard()
    arriving = expand_definitions(names["G"].body, [network_rows.INDICATOR])
    assert arriving.has(sp.KroneckerDelta(k, LABELS[m]))
    expected = layer.result.xreplace({r: m, n: K})
    difference = networks.UPSTREAM * arriving - expected
    assert indexed.prove_zero(difference, {m: N, k: K, LABELS: K}).proved
    assert not indexed.prove_zero(difference + expected, {m: N, k: K, LABELS: K}).proved
