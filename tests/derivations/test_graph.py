"""Is the gradient at every node of the graph right, and is a wrong one rejected?"""

import dataclasses

import mpmath
import numpy as np
import pytest
import sympy as sp

import reference
from derivations.expressions.evaluate import Binding, evaluate
from derivations.expressions.language import k, n, t
from derivations.records import Standing
from derivations.rows import graph
from derivations.rows.graph import (
    SOFTMAX_WITH_LOSS,
    Backward,
    Line,
    backward,
    gradient_at,
    product_plus_number,
    softmax_with_loss_backward,
    square_of_sum,
)
from derivations.steps.build import StepError

PLAN = graph.softmax_with_loss_plan()
VALUES = [b.symbol[k] if isinstance(b.symbol, sp.IndexedBase) else b.symbol for b in PLAN]
FIELDS = {
    "s": "sums",
    "p": "products",
    "g": "log_y",
    "y": "y",
    "q": "inverse",
    "S": "total",
    "u": "exponentials",
    "a": "a",
}


def label(entry):
    return str(entry.base.label if isinstance(entry, sp.Indexed) else entry)


def numbers(expression, entry, logits, labels):
    """The expression at every k, in double precision."""
    binding = Binding(
        arrays={graph.a: logits, t: labels},
        sizes={n: len(logits)},
        definitions=SOFTMAX_WITH_LOSS.definitions,
    )
    ranges = {k: n} if isinstance(entry, sp.Indexed) else {}
    return evaluate(expression, binding, ranges).astype(float)


def draw(rng, size, whole):
    labels = rng.dirichlet(np.ones(size))
    return rng.normal(size=size) * 2, labels * whole


@pytest.mark.parametrize("entry", VALUES, ids=label)
def test_every_gradient_is_proved_for_every_n_by_two_kernels(entry, derived):
    for step in derived[entry].steps:
        standings = [e.standing for e in step.evidence]
        assert step.standing is Standing.PROVED_ALL_N
        assert Standing.PROVED_FIXED_N in standings
        assert Standing.NUMERICAL in standings


def test_the_hypothesis_is_named_only_where_it_is_needed(derived):
    uses = {label(entry) for entry, d in derived.items() if d.hypotheses}
    assert uses == {"S", "u", "a"}
    for derivation in derived.values():
        assert not any(step.hypotheses for step in derivation.steps[:-1])


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("entry", VALUES, ids=label)
def test_the_code_has_the_same_gradient_at_every_node(entry, size, derived):
    """`reference` goes backward node by node in NumPy, with the nodes' own vjps."""
    logits, labels = draw(np.random.default_rng(size), size, 1.0)
    adjoints = reference.softmax_with_loss_graph(logits, labels).backward()
    expected = getattr(adjoints, FIELDS[label(entry)]).ravel()
    found = numbers(derived[entry].result, entry, logits, labels).ravel()
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("entry", VALUES, ids=label)
def test_without_labels_that_sum_to_one_the_general_form_holds_and_the_short_one_does_not(
    entry, derived
):
    logits, labels = draw(np.random.default_rng(3), 5, 2.5)
    adjoints = reference.softmax_with_loss_graph(logits, labels).backward()
    expected = getattr(adjoints, FIELDS[label(entry)]).ravel()
    derivation = derived[entry]
    assert np.allclose(
        numbers(general(derivation), entry, logits, labels), expected, rtol=1e-12, atol=1e-14
    )
    if derivation.hypotheses:
        short = numbers(derivation.result, entry, logits, labels)
        assert np.abs(short / expected - 1).max() > 0.01


def test_the_two_branches_into_the_exponentials(derived):
    """Through the product −t_k/e^{a_k}, through the sum 1/S, as the document says."""
    logits, labels = draw(np.random.default_rng(4), 6, 1.0)
    adjoints = reference.softmax_with_loss_graph(logits, labels).backward()
    through_sum, through_product = derived[graph.exponential[k]].result.args
    if through_sum.has(t):
        through_sum, through_product = through_product, through_sum
    at = graph.exponential[k]
    assert np.allclose(numbers(through_sum, at, logits, labels), adjoints.by_sum.ravel())
    assert np.allclose(numbers(through_product, at, logits, labels), adjoints.by_product.ravel())


# The graph cut at each value, as functions of that value (a list), e^a and t; written down
# independently.
CUTS = {
    "s": lambda s, _, __: -s[0],
    "p": lambda p, _, __: -mpmath.fsum(p),
    "g": lambda g, _, t: -mpmath.fdot(t, g),
    "y": lambda y, _, t: -mpmath.fdot(t, map(mpmath.log, y)),
    "q": lambda q, u, t: -mpmath.fsum(t * mpmath.log(e * q[0]) for t, e in zip(t, u, strict=True)),
    "S": lambda S, u, t: -mpmath.fsum(t * mpmath.log(e / S[0]) for t, e in zip(t, u, strict=True)),
    "u": lambda u, _, t: (
        -mpmath.fsum(t * mpmath.log(e / mpmath.fsum(u)) for t, e in zip(t, u, strict=True))
    ),
    "a": lambda a, u, t: CUTS["u"]([mpmath.exp(x) for x in a], u, t),
}


@pytest.mark.parametrize("entry", VALUES, ids=label)
def test_cutting_the_graph_there_and_differencing_gives_the_same(entry, derived):
    """Central differences at 60 digits of a function that is typed here, not derived."""
    logits, labels = draw(np.random.default_rng(6), 4, 1.0)
    with mpmath.workdps(60):
        labels = [mpmath.mpf(x) for x in labels[:-1]]
        labels.append(1 - mpmath.fsum(labels))
        u = [mpmath.exp(x) for x in logits]
        total = mpmath.fsum(u)
        y = [e / total for e in u]
        logs = [mpmath.log(x) for x in y]
        p = [t * g for t, g in zip(labels, logs, strict=True)]
        at = {"s": [mpmath.fsum(p)], "p": p, "g": logs, "y": y, "q": [1 / total], "S": [total]}
        at |= {"u": u, "a": [mpmath.mpf(x) for x in logits]}
        point, f = at[label(entry)], CUTS[label(entry)]
        h = mpmath.mpf(10) ** -20
        binding = Binding(
            arrays={graph.a: logits, t: np.array(labels, dtype=object)},
            sizes={n: 4},
            definitions=SOFTMAX_WITH_LOSS.definitions,
        )
        ranges = {k: n} if isinstance(entry, sp.Indexed) else {}
        found = np.atleast_1d(evaluate(derived[entry].result, binding, ranges))
        for place in range(len(point)):
            up, down = list(point), list(point)
            up[place] += h
            down[place] -= h
            slope = (f(up, u, labels) - f(down, u, labels)) / (2 * h)
            assert abs(slope - found[place]) < mpmath.mpf(10) ** -30 * (1 + abs(slope))


def general(derivation):
    """What a value hands down: the form that needs no hypothesis."""
    return derivation.steps[-2 if derivation.hypotheses else -1].after


@pytest.fixture(scope="module")
def derived():
    """The derivation of every gradient, by the entry that it is at."""
    return {d.start.variables[0]: d for d in softmax_with_loss_backward()}


@pytest.fixture(scope="module")
def gradients():
    """What every value hands down."""
    pairs = zip(PLAN, softmax_with_loss_backward(), strict=True)
    handed = {item.symbol: general(derivation) for item, derivation in pairs}
    return {SOFTMAX_WITH_LOSS.loss.symbol: sp.Integer(1), **handed}


def with_last_line(item, **changes):
    """The plan of one value with its last line changed."""
    return dataclasses.replace(
        item, lines=(*item.lines[:-1], dataclasses.replace(item.lines[-1], **changes))
    )


def test_an_unchanged_plan_is_accepted(gradients):
    """So that the rejections below are due to the change."""
    for item, derivation in zip(PLAN, softmax_with_loss_backward(), strict=True):
        assert gradient_at(SOFTMAX_WITH_LOSS, item, gradients) == derivation


@pytest.mark.parametrize("item", PLAN, ids=lambda item: str(item.symbol))
@pytest.mark.parametrize(
    "wrong",
    [lambda e: -e, lambda e: 2 * e, lambda e: e + graph.S, lambda e: e * graph.inverse],
    ids=["sign", "factor", "term", "divided by S"],
)
def test_a_tampered_gradient_is_rejected(item, wrong, gradients):
    tampered = with_last_line(item, after=wrong(item.lines[-1].after))
    with pytest.raises(StepError, match="not proved"):
        gradient_at(SOFTMAX_WITH_LOSS, tampered, gradients)


@pytest.mark.parametrize("item", PLAN[:-1], ids=lambda item: str(item.symbol))
def test_a_tampered_gradient_is_rejected_by_the_nodes_below_too(item, gradients):
    """Should a wrong gradient be handed down, the comparison with the cut graph finds it."""
    used_by = [
        below
        for below in PLAN
        if item.symbol in {node.symbol for node in SOFTMAX_WITH_LOSS.users(below.symbol)}
    ]
    assert used_by
    tampered = gradients | {item.symbol: 2 * gradients[item.symbol]}
    for below in used_by:
        with pytest.raises(StepError, match="gradients from above"):
            gradient_at(SOFTMAX_WITH_LOSS, below, tampered)


@pytest.mark.parametrize(
    "item", [b for b in PLAN if b.lines[-1].using], ids=lambda b: str(b.symbol)
)
def test_leaving_out_the_hypothesis_is_rejected(item, gradients):
    with pytest.raises(StepError, match="not proved"):
        gradient_at(SOFTMAX_WITH_LOSS, with_last_line(item, using=()), gradients)


def test_handing_down_the_short_form_without_its_hypothesis_is_rejected():
    """The node below may not use 1/S unless it names Σt = 1 as well."""
    plan = tuple(dataclasses.replace(item, passed_on=1) for item in PLAN)
    with pytest.raises(StepError, match="gradients from above"):
        backward(SOFTMAX_WITH_LOSS, plan)


@pytest.mark.parametrize("item", PLAN[1:], ids=lambda item: str(item.symbol))
def test_a_wrong_local_derivative_does_not_survive_the_cut(monkeypatch, item, gradients):
    """One node's own derivative doubled: the comparison with the cut graph finds it there."""
    right = graph.sdiff
    monkeypatch.setattr(graph, "sdiff", lambda expression, entry: 2 * right(expression, entry))
    with pytest.raises(StepError, match="chain rule"):
        gradient_at(SOFTMAX_WITH_LOSS, item, gradients)


def test_a_plan_for_another_graph_is_refused():
    with pytest.raises(ValueError, match="the plan is for"):
        backward(SOFTMAX_WITH_LOSS, PLAN[::-1])


def test_the_square_of_a_sum():
    for derivation in square_of_sum():
        assert derivation.standing is Standing.PROVED_REAL
    x, y = sp.symbols("x y", real=True)
    assert [d.result for d in square_of_sum()[1:]] == [2 * (x + y)] * 2


def test_the_document_s_numbers_for_a_product_plus_a_number():
    x1, x2, x3 = (sp.Symbol(f"x{q}", real=True) for q in (1, 2, 3))
    point = {x1: 100, x2: 2, x3: 300}
    gradient = {d.start.variables[0]: d.result.subs(point) for d in product_plus_number()}
    assert [gradient[x] for x in (x1, x2, x3)] == [2, 100, 1]


def test_a_wrong_gradient_of_numbers_is_rejected():
    x, y, z = (sp.Symbol(name, real=True) for name in "xyz")
    node = graph.Node("z", "multiply", graph.Definition(z, (), x * y, "z = x·y"))
    pair = graph.Graph("pair", (x, y), (node,), length=None)
    plan = (Backward(y, (Line("multiply", x),)), Backward(x, (Line("multiply", x),)))
    with pytest.raises(StepError, match="pair_graph_x"):
        backward(pair, plan)
