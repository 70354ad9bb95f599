"""Does `evaluate` return the value of an expression, with its digits?

The judge is `brute`, which follows the definition of a finite sum term by term, in one environment
per term, and shares nothing with the package but SymPy's expressions.
"""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from derivations.expressions.evaluate import (
    Binding,
    EvaluationError,
    evaluate,
    evaluate_scalar,
    evaluate_together,
)
from derivations.expressions.language import (
    D,
    K,
    N,
    delta,
    derivative,
    family,
    i,
    j,
    k,
    label_family,
    m,
    n,
    opaque,
    positive_family,
    real,
    total,
    x,
    y,
    z,
)
from derivations.expressions.tensors import Arithmetic
from derivations.expressions.walk import Walk, canonical
from derivations.records import Definition

A, B = positive_family("A"), positive_family("B")
M = positive_family("M")
c = label_family("c")
FUNCTIONS = {sp.exp: mpmath.exp, sp.log: mpmath.log, sp.tanh: mpmath.tanh, sp.cosh: mpmath.cosh}


def brute(e, arrays, sizes, indices):
    """The value of `e` with every index a number; sums are loops."""
    if isinstance(e, sp.Sum):
        *inner, (index, low, high) = e.limits
        body = sp.Sum(e.function, *inner) if inner else e.function
        values = range(int(low), int(sizes.get(high, high)) + 1)
        return mpmath.fsum(brute(body, arrays, sizes, {**indices, index: q}) for q in values)
    if isinstance(e, sp.KroneckerDelta):
        a, b = (indices.get(s, s) for s in e.args[:2])
        return mpmath.mpf(int(a == b))
    if isinstance(e, sp.Indexed):
        entry = tuple(int(indices.get(s, s)) - 1 for s in e.indices)
        return mpmath.mpf(float(arrays[e.base][entry]))
    if e in indices or e in sizes:
        return mpmath.mpf(indices.get(e, sizes.get(e)))
    if e.is_Rational:
        return mpmath.mpf(int(e.p)) / int(e.q)
    if e is sp.E:
        return mpmath.e
    parts = [brute(a, arrays, sizes, indices) for a in e.args]
    if e.is_Add:
        return mpmath.fsum(parts)
    if e.is_Mul:
        return mpmath.fprod(parts)
    if e.is_Pow:
        return parts[0] ** int(e.exp)
    return FUNCTIONS[e.func](parts[0])


def everywhere(e, arrays, sizes, ranges):
    """`brute` at every combination of the free indices, at 200 digits."""
    shape = tuple(sizes[s] for s in ranges.values())
    result = np.empty(shape, dtype=object)
    with mpmath.workdps(200):
        for entry in np.ndindex(shape):
            at = dict(zip(ranges, (q + 1 for q in entry), strict=True))
            result[entry] = brute(e, arrays, sizes, at)
    return result


def differences(values, truth):
    """Relative differences; absolute ones where the truth is below the smallest float64."""
    with mpmath.workdps(250):
        tiny = mpmath.mpf(2) ** -1074
        pairs = zip(values.ravel(), truth.ravel(), strict=True)
        return [float(abs(a - b) / max(abs(b), tiny)) for a, b in pairs]


SIZES = {n: 3, D: 2}
KINDS = {A: (n,), B: (D,), M: (n, D)}
NAMES = (i, j, k)  # the free indices' names are used again inside: shadowing and capture traps
RANGES = {i: n, k: D}


@st.composite
def expressions(draw, depth=4, scope=None, positive=False):
    """Expressions over A, B, M with sums that reuse names, at mixed ranges."""
    scope = RANGES if scope is None else scope
    again = {"depth": depth - 1, "scope": scope}
    kinds = ["leaf"] if depth == 0 else ["leaf", "add", "mul", "sum", "sum", "delta", "over", "f"]
    kind = draw(st.sampled_from(kinds if positive or depth == 0 else [*kinds, "minus"]))
    if kind == "leaf":
        return draw(leaves(scope))
    if kind in ("add", "mul", "minus"):
        a, b = (draw(expressions(**again, positive=positive)) for _ in range(2))
        return {"add": a + b, "mul": a * b, "minus": a - b}[kind]
    if kind == "delta":
        pair = draw(st.lists(st.sampled_from(sorted(scope, key=str)), min_size=2, max_size=2))
        return draw(expressions(**again, positive=positive)) * delta(*pair)
    if kind == "over":
        return 1 / (1 + draw(expressions(**again, positive=True)))
    if kind == "f":
        inner = draw(expressions(**again, positive=True))
        return draw(
            st.sampled_from([sp.tanh(inner), sp.log(1 + inner), sp.exp(draw(leaves(scope)))])
        )
    index, upper = draw(st.sampled_from(NAMES)), draw(st.sampled_from([n, D]))
    inside = {**scope, index: upper}
    return total(draw(expressions(depth=depth - 1, scope=inside, positive=positive)), index, upper)


@st.composite
def leaves(draw, scope):
    base = draw(st.sampled_from([A, B, M]))
    fitting = [[s for s, upper in scope.items() if SIZES[upper] <= SIZES[u]] for u in KINDS[base]]
    if not all(fitting):
        return sp.Integer(draw(st.integers(1, 3)))
    return base[tuple(draw(st.sampled_from(sorted(f, key=str))) for f in fitting)]


dyadic = st.integers(1, 64).map(lambda q: q / 16)


@st.composite
def bindings(draw):
    shapes = {base: tuple(SIZES[s] for s in kind) for base, kind in KINDS.items()}
    return {
        base: np.array(
            draw(st.lists(dyadic, min_size=math.prod(s), max_size=math.prod(s)))
        ).reshape(s)
        for base, s in shapes.items()
    }


@given(expressions(), bindings())
def test_any_expression_with_reused_names_has_the_value_that_loops_give(e, arrays):
    values = evaluate(e, Binding(arrays=arrays, sizes=SIZES), RANGES)
    assert values.shape == (3, 2)
    assert max(differences(values, everywhere(e, arrays, SIZES, RANGES))) <= 1e-50


@pytest.mark.nightly
@given(expressions(depth=6), bindings())
def test_any_deeper_expression_too(e, arrays):
    values = evaluate(e, Binding(arrays=arrays, sizes=SIZES), RANGES)
    assert max(differences(values, everywhere(e, arrays, SIZES, RANGES))) <= 1e-50


@given(expressions(), bindings(), st.integers(20, 60))
def test_the_error_bounds_contain_the_errors(e, arrays, precision):
    """At a precision so low that the errors are large, each lies within its own bound."""
    binding = Binding(arrays=arrays, sizes=SIZES)
    scope = {s: range(1, SIZES[upper] + 1) for s, upper in RANGES.items()}
    tensor = Walk(binding, Arithmetic(precision)).table(e, scope)
    truth = everywhere(e, arrays, SIZES, RANGES)
    with mpmath.workdps(250):
        for value, error, exact in zip(
            tensor.values.ravel(), tensor.error.ravel(), truth.ravel(), strict=True
        ):
            bound = mpmath.inf if error == math.inf else mpmath.mpf(2) ** mpmath.mpf(float(error))
            assert abs(mpmath.mp.make_mpf(value._mpf_) - exact) <= bound + mpmath.mpf(10) ** -190


@given(expressions(), bindings())
def test_renaming_bound_indices_changes_no_value(e, arrays):
    truth = everywhere(e, arrays, SIZES, RANGES)
    assert max(differences(everywhere(canonical(e), arrays, SIZES, RANGES), truth)) <= 1e-150


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        (total(total(A[j], j, n) * A[j], j, n), (1 + 2 + 3) ** 2),
        (total(A[j] * total(M[j, k], k, D), j, n), 1 * 3 + 2 * 7 + 3 * 11),
        (total(total(delta(j, k) * A[j] * B[k], j, n), k, D), 1 * 10 + 2 * 20),
        (total(total(delta(j, k) * A[j] * A[k], k, D), j, n), 1 * 1 + 2 * 2),
        (total(sp.Integer(5), j, n), 15),
        (total(A[2], j, n), 6),
        (total(delta(j, 2) * A[j], j, n), 2),
        (total(delta(j, 4) * A[j], j, n), 0),
        (total(j * A[j], j, n), 1 + 4 + 9),
        (sp.Sum(A[j] * delta(j, i), (i, 1, n), (j, 2, n)), 5),
        (sp.Sum(A[i] * A[j] * delta(j, i), (j, 2, n), (i, 2, n)), 4 + 9),
        (sp.Sum(A[i] * A[j] * delta(j, i), (j, 1, 2), (i, 2, n)), 4),
        (total(A[j], j, n) / n, 2),
    ],
)
def test_sums_by_hand(e, expected):
    arrays = {A: [1, 2, 3], B: [10, 20], M: [[1, 2], [3, 4], [5, 6]]}
    assert evaluate_scalar(e, Binding(arrays=arrays, sizes=SIZES)) == expected


def test_a_shadowed_index_is_not_the_outer_one():
    e = z[k] * total(z[k] ** 2, k, n)
    values = evaluate(e, Binding(arrays={z: [1, 2, 3]}, sizes={n: 3}), {k: n})
    assert [int(v) for v in values] == [14, 28, 42]


def test_the_axes_follow_the_order_of_the_ranges():
    binding = Binding(arrays={M: np.arange(6).reshape(3, 2)}, sizes=SIZES)
    by_row = evaluate(M[i, k], binding, {i: n, k: D})
    by_column = evaluate(M[i, k], binding, {k: D, i: n})
    assert by_row.shape == (3, 2)
    assert np.array_equal(by_column, by_row.T)
    assert [int(v) for v in evaluate(M[2, k], binding, {k: D})] == [2, 3]


def test_an_index_that_does_not_occur_is_an_axis_all_the_same():
    values = evaluate(A[i], Binding(arrays={A: [1.0, 2.0, 3.0]}, sizes=SIZES), {k: D, i: n})
    assert values.shape == (2, 3)


@pytest.mark.parametrize("point", [0.5, 20.0, 200.0, 350.0, 372.0, 700.0])
def test_cancellation_costs_no_digits(point):
    """1 − tanh² and s(1 − s) lose everything in fixed precision; the closed forms lose nothing."""
    with mpmath.workdps(60):
        for e, exact in (
            (1 - sp.tanh(x) ** 2, mpmath.cosh(point) ** -2),
            (sp.exp(-x) / (1 + sp.exp(-x)) - (1 / (1 + sp.exp(-x))) ** 2 * sp.exp(-x), None),
        ):
            if exact is None:
                exact = mpmath.exp(-point) ** 2 / (1 + mpmath.exp(-point)) ** 2
            value = evaluate_scalar(e, Binding(scalars={x: point}))
            assert abs(value - exact) <= mpmath.mpf(10) ** -50 * max(exact, mpmath.mpf(2) ** -1074)


def test_more_digits_on_demand():
    value = evaluate_scalar(sp.exp(x), Binding(scalars={x: 1.0}), digits=400)
    with mpmath.workdps(450):
        assert abs(value - mpmath.e) < mpmath.mpf(10) ** -399


def test_an_exact_zero_comes_out_below_every_float():
    """Σ (y_k − y_k Σ y) is zero for a softmax, but no two of its terms are equal."""
    softmax = sp.exp(z[k]) / total(sp.exp(z[j]), j, n)
    e = total(softmax, k, n) - 1
    value = evaluate_scalar(e, Binding(arrays={z: [0.1, 0.2, 0.3]}, sizes={n: 3}))
    assert abs(value) < mpmath.mpf(2) ** -1074


def test_floats_enter_exactly_whatever_their_width():
    tenth = evaluate_scalar(x, Binding(scalars={x: np.float32(0.1)}))
    assert tenth == mpmath.mpf(float(np.float32(0.1)))
    wide = np.longdouble(1) + np.finfo(np.longdouble).eps
    with mpmath.workdps(40):
        expected = mpmath.mpf(float(np.finfo(np.longdouble).eps))
        assert evaluate_scalar(x - 1, Binding(scalars={x: wide})) == expected
    third = evaluate_scalar(sp.Rational(1, 3), Binding())
    assert evaluate_scalar(x - sp.Rational(1, 3), Binding(scalars={x: third})) != 0  # 1/3 ± 1e-60


def test_the_global_precision_is_left_alone():
    before = mpmath.mp.prec
    evaluate_scalar(sp.exp(x), Binding(scalars={x: 2.0}), digits=300)
    assert mpmath.mp.prec == before


def test_labels_count_from_zero_in_the_array():
    binding = Binding(arrays={M: np.arange(6.0).reshape(3, 2)}, labels={c: [1, 0, 1]}, sizes=SIZES)
    chosen = evaluate(M[i, c[i]], binding, {i: n})
    by_delta = evaluate(total(delta(k, c[i]) * M[i, k], k, D), binding, {i: n})
    assert [int(v) for v in chosen] == [1, 2, 5]
    assert np.array_equal(chosen, by_delta)


def test_definitions_mean_what_they_stand_for():
    softmax = sp.exp(z[k]) / total(sp.exp(z[j]), j, n)
    s = real("s")
    definitions = (
        Definition(y, (k,), softmax, "softmax"),
        Definition(s, (), total(y[j] ** 2, j, n), "sum of squares"),
    )
    arrays, ranges = {z: np.array([0.5, -1.0, 2.0])}, {i: n, k: n}
    short = evaluate(
        s * y[i] * y[k] + y[3], Binding(arrays=arrays, sizes=SIZES, definitions=definitions), ranges
    )
    squares = total(softmax.xreplace({k: m}) ** 2, m, n)
    written_out = squares * softmax.xreplace({k: i}) * softmax + softmax.xreplace(
        {k: sp.Integer(3)}
    )
    assert max(differences(short, everywhere(written_out, arrays, SIZES, ranges))) <= 1e-50


def test_an_opaque_function_is_the_one_it_is_bound_to_and_so_are_its_derivatives():
    phi, dphi, ddphi = (opaque("phi", order) for order in range(3))
    e = phi(z[k]) + 10 * dphi(z[k]) + 100 * ddphi(2 * z[k])
    values = evaluate(
        e, Binding(arrays={z: [0.25, 1.5]}, sizes={n: 2}, functions={"phi": sp.tanh}), {k: n}
    )
    with mpmath.workdps(60):
        for value, at in zip(values, (mpmath.mpf(0.25), mpmath.mpf(1.5)), strict=True):
            slope, curvature = (
                mpmath.sech(at) ** 2,
                -2 * mpmath.tanh(2 * at) * mpmath.sech(2 * at) ** 2,
            )
            assert mpmath.almosteq(value, mpmath.tanh(at) + 10 * slope + 100 * curvature, 1e-50)


def test_cases_maxima_and_signs():
    relu = sp.Piecewise((x, x > 0), (0, True))
    for point, expected in ((3.0, (3, 3, 3, 1)), (-3.0, (0, 0, 3, -1)), (0.0, (0, 0, 0, 0))):
        binding = Binding(scalars={x: point})
        got = tuple(
            evaluate_scalar(e, binding) for e in (relu, sp.Max(x, 0), sp.Abs(x), sp.sign(x))
        )
        assert got == expected


class Counter:
    """Counts the entries that functions are applied to."""

    def __init__(self, monkeypatch):
        self.entries = 0
        apply = Arithmetic.apply

        def counting(arithmetic, function, tensor):
            self.entries += tensor.values.size
            return apply(arithmetic, function, tensor)

        monkeypatch.setattr(Arithmetic, "apply", counting)


def test_a_softmax_gradient_takes_one_exponential_per_entry(monkeypatch):
    counter = Counter(monkeypatch)
    softmax = sp.exp(z[m, k]) / total(sp.exp(z[m, k]), k, n)
    other_name = sp.exp(z[m, i]) / total(sp.exp(z[m, j]), j, n)
    vjp = softmax * (z[m, k] - total(z[m, i] * other_name, i, n))
    logits = np.linspace(-1.0, 1.0, 200).reshape(4, 50)
    evaluate(vjp, Binding(arrays={z: logits}, sizes={n: 50, N: 4}), {m: N, k: n})
    assert counter.entries <= 3 * 4 * 50


def test_a_sum_is_computed_once_whatever_its_index_is_called(monkeypatch):
    counter = Counter(monkeypatch)
    e = total(sp.exp(z[i]), i, n) * total(sp.exp(z[j]), j, n)
    evaluate_scalar(e, Binding(arrays={z: np.ones(50)}, sizes={n: 50}))
    assert counter.entries == 50


def test_a_delta_is_sifted_and_not_summed(monkeypatch):
    """The product with a softmax Jacobian keeps to tables of n entries."""
    sizes = []
    multiply = Arithmetic.multiply

    def watching(arithmetic, factors):
        product = multiply(arithmetic, factors)
        sizes.append(product.values.size)
        return product

    monkeypatch.setattr(Arithmetic, "multiply", watching)
    product = total(z[i] * y[i] * (delta(i, k) - y[k]), i, n)
    binding = Binding(arrays={z: np.arange(50.0), y: np.arange(1.0, 51.0)}, sizes={n: 50})
    values = evaluate(product, binding, {k: n})
    assert max(sizes) == 50
    dense = np.arange(50.0) * np.arange(1.0, 51.0)
    assert np.allclose(values.astype(float), dense - np.arange(1.0, 51.0) * dense.sum(), rtol=1e-15)


def test_together_is_the_same_as_one_by_one():
    binding = Binding(arrays={A: [1.0, 2.0, 3.0]}, sizes=SIZES)
    e = A[i] / total(A[j], j, n)
    pair = evaluate_together(((e, {i: n}), (1 - e, {i: n})), binding)
    assert np.array_equal(pair[0], evaluate(e, binding, {i: n}))
    assert np.array_equal(pair[1], evaluate(1 - e, binding, {i: n}))


@pytest.mark.parametrize(
    ("e", "binding", "message"),
    [
        (x, {}, "x is not bound"),
        (z[1], {}, "family z is not bound"),
        (total(A[j], j, K), {"arrays": {A: [1.0]}}, "bound K is not a number"),
        (total(A[j], j, n), {"arrays": {A: [1.0, 2.0]}}, "goes from 1 to 2"),
        (A[3], {"arrays": {A: [1.0, 2.0]}}, "goes from 1 to 2"),
        (sp.Indexed(A, 0), {"arrays": {A: [1.0, 2.0]}}, "goes from 1 to 2"),
        (A[1], {"arrays": {A: [[1.0, 2.0]]}}, "1 indices, its array 2 axes"),
        (derivative(x**2, x), {"scalars": {x: 1.0}}, "carry out the derivative"),
        (sp.log(x), {"scalars": {x: -2.0}}, "logarithm of -2.0"),
        (total(sp.log(z[j]), j, n), {"arrays": {z: [1.0, 0.0, 1.0]}}, "j|b1 = 2"),
        (1 / x, {"scalars": {x: 0.0}}, "power -1 of 0"),
        (sp.sqrt(x), {"scalars": {x: -1.0}}, "power 1/2 of -1"),
        (
            1 / (1 - sp.exp(x) * sp.exp(-x - y[1]) * sp.exp(y[2])),
            {"scalars": {x: 1.0}, "arrays": {y: [2.0, 2.0]}},
            "not reached",
        ),
        (opaque("phi")(x), {"scalars": {x: 1.0}}, "opaque function phi is not bound"),
        (sp.gamma(x), {"scalars": {x: 1.0}}, "no rule to evaluate gamma"),
        (sp.zoo, {}, "not a finite real number"),
        (A[x], {"arrays": {A: [1.0]}, "scalars": {x: 1.0}}, "not declared an integer"),
    ],
)
def test_what_has_no_value_is_refused_with_the_reason(e, binding, message):
    with pytest.raises(EvaluationError, match=message):
        evaluate_scalar(e, Binding(**{"sizes": SIZES, **binding}))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1j, "one", sp.Rational(1, 3)])
def test_what_is_not_a_finite_real_number_is_not_bound(bad):
    with pytest.raises(EvaluationError, match="A"):
        Binding(arrays={A: [1.0, bad]})


def test_labels_are_integers():
    with pytest.raises(EvaluationError, match="labels are integers"):
        Binding(labels={c: [0.0, 1.0]})


def test_random_family_against_float64():
    """A layer of a network in plain NumPy: shapes and transposes are as they should be."""
    rng = np.random.default_rng(5)
    X, W = family("X"), family("W")
    values = {X: rng.normal(size=(4, 3)), W: rng.normal(size=(3, 2))}
    e = sp.tanh(total(X[m, j] * W[j, k], j, D))
    table = evaluate(e, Binding(arrays=values, sizes={N: 4, D: 3, K: 2}), {m: N, k: K})
    assert np.allclose(table.astype(float), np.tanh(values[X] @ values[W]), rtol=1e-14)
