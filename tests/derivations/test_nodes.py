"""Do the derived gradients of the nodes hold, for every shape, and is a wrong one rejected?"""

import mpmath
import numpy as np
import pytest
import sympy as sp

import reference
from derivations.expressions.language import N, derivative, k, m, n, r, total, v
from derivations.records import Standing
from derivations.rows import nodes
from derivations.steps.build import Builder, StepError

CASES = {case.name: case for case in reference.CASES}
ROWS = {row.case: row for row in nodes.ROWS}
X, Y, POSITIVE = nodes.X, nodes.Y, nodes.POSITIVE

# What the document says each node passes down, in NumPy and typed here.
PASSED_DOWN = {
    "exp_node": lambda x, v: (v * np.exp(x),),
    "sum_node": lambda x, v: (np.tile(v, x.shape[1]),),
    "reciprocal_node": lambda x, v: (-v / x**2,),
    "multiply_node": lambda x, y, v: (v * y, (v * x).sum(axis=0)),
    "add_node": lambda x, y, v: (v, v.sum(axis=0)),
    "log_node": lambda x, v: (v / x,),
    "negate_node": lambda x, v: (-v,),
}


def as_floats(arrays):
    return [np.asarray(a).astype(float) for a in arrays]


def drawn(name, sizes, seed):
    rng = np.random.default_rng(seed)
    arguments = CASES[name].draw(rng, **dict(zip(("N", "n"), sizes, strict=True)))
    value = np.asarray(CASES[name].f(*arguments))
    return arguments, value, rng.standard_normal(value.shape)


def test_every_node_of_the_document_has_a_row():
    assert set(ROWS) == set(PASSED_DOWN) == {name for name in CASES if name.endswith("_node")}


@pytest.mark.parametrize("name", ROWS)
def test_every_step_is_proved(name):
    for derivation in ROWS[name].derive():
        scalar = derivation.standing is Standing.PROVED_REAL
        assert scalar or derivation.standing is Standing.PROVED_ALL_N
        for step in derivation.steps:
            standings = {e.standing for e in step.evidence}
            assert scalar or Standing.PROVED_FIXED_N in standings


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (4, 1), (3, 4)])
@pytest.mark.parametrize("name", ROWS)
def test_the_derived_gradient_is_what_the_document_says_and_the_code_does(name, sizes):
    arguments, value, upstream = drawn(name, sizes, 1)
    derived = as_floats(ROWS[name].vjp(arguments, upstream))
    claimed = CASES[name].vjp(*arguments, upstream)
    claimed = claimed if isinstance(claimed, tuple) else (claimed,)
    stated = PASSED_DOWN[name](*arguments, upstream)
    assert np.allclose(ROWS[name].value(arguments).astype(float), value, rtol=1e-15)
    for one, two, three in zip(derived, claimed, stated, strict=True):
        assert one.shape == two.shape == three.shape
        assert np.allclose(one, two, rtol=1e-14, atol=1e-15)
        assert np.allclose(one, three, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ROWS)
def test_the_derived_gradient_is_the_slope_of_the_derived_value(name):
    """Central differences of the value at 50 digits, along a direction in every argument."""
    arguments, _, upstream = drawn(name, (2, 3), 2)
    rng = np.random.default_rng(3)
    directions = [rng.standard_normal(np.shape(x)) for x in arguments]
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -15

        def along(step):
            moved = tuple(
                x + step * d.astype(object) for x, d in zip(exact, directions, strict=True)
            )
            return np.sum(ROWS[name].value(moved) * upstream)

        exact = [np.vectorize(mpmath.mpf, otypes=[object])(x) for x in arguments]
        slope = (along(h) - along(-h)) / (2 * h)
        pulled = ROWS[name].vjp(arguments, upstream)
        product = sum(np.sum(g * d) for g, d in zip(pulled, directions, strict=True))
        assert abs(slope - product) < mpmath.mpf(10) ** -22 * (1 + abs(product))


@pytest.mark.parametrize(
    ("entry", "variable", "wrong"),
    [
        (sp.exp(X[m, nodes.i]), X[r, k], v[r, k]),
        (sp.exp(X[m, nodes.i]), X[r, k], sp.exp(X[r, k])),
        (1 / POSITIVE[m, nodes.i], POSITIVE[r, k], v[r, k] / POSITIVE[r, k] ** 2),
        (sp.log(POSITIVE[m, nodes.i]), POSITIVE[r, k], v[r, k] * POSITIVE[r, k]),
        (X[m, nodes.i] * Y[nodes.i], X[r, k], v[r, k] * X[r, k]),
        (X[m, nodes.i] * Y[nodes.i], Y[k], total(v[m, k] * X[m, k], m, N) / N),
        (X[m, nodes.i] + Y[nodes.i], Y[k], v[1, k]),
        (X[m, nodes.i] + Y[nodes.i], X[r, k], total(v[m, k], m, N)),
        (-X[m, nodes.i], X[r, k], v[r, k]),
    ],
    ids=[
        "exp forgotten",
        "upstream ignored",
        "sign of the reciprocal",
        "log times x",
        "own input",
        "mean over the batch",
        "sum over the batch missing",
        "summed over the batch",
        "sign",
    ],
)
def test_a_wrong_gradient_is_rejected(entry, variable, wrong):
    ranges = {r: N, k: n} if len(variable.indices) == 2 else {k: n}
    start = derivative(nodes.contracted(entry), variable)
    with pytest.raises(StepError, match="not proved"):
        Builder("wrong", "wrong", start, ranges=ranges).step("wrong", wrong)
