"""The claims of document C: the graph of SoftmaxWithLoss, its layer, where its code is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

import reference
from derivations.claims import cost, document_c_code
from derivations.claims.examine import (
    Setting,
    corroborated,
    exactly,
    for_all_reals,
    for_every_size,
    measured,
)
from derivations.confrontation.confront import backed
from derivations.expressions.calculus import meaning
from derivations.expressions.language import (
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
    positive_family,
    r,
    real,
    t,
    total,
    x,
)
from derivations.expressions.language import positive as positive_symbol
from derivations.plan import generator
from derivations.records import Claim, Definition, Finding, Hypothesis

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE = "document C"
_Y = real("y")
_EVERY_K = Setting(ranges={k: n}, scope="every n ≥ 1 and every k")


def _c1() -> Finding:
    claimed = 2 * (x + _Y)
    evidence = for_all_reals(
        claimed, derivative((x + _Y) ** 2, x), "all real x and y", "∂z/∂x − 2(x + y) = 0"
    )
    return backed((evidence,))


def _c2() -> Finding:
    g = real("g")
    into = [
        for_all_reals(
            g, derivative(g * (x + _Y), s), "all real x, y and g", f"g arrives at {s} unchanged"
        )
        for s in (x, _Y)
    ]
    return backed(tuple(into), "add_node", show=("add_node_any_loss",))


def _c3() -> Finding:
    g = real("g")
    into = [
        for_all_reals(
            g * other,
            derivative(g * (x * _Y), s),
            "all real x, y and g",
            f"at {s} arrives g times {other}",
        )
        for s, other in ((x, _Y), (_Y, x))
    ]
    return backed(tuple(into), "multiply_node", show=("multiply_node_any_loss",))


def _c4() -> Finding:
    x1, x2, x3 = (real(f"x{q}") for q in (1, 2, 3))
    y = x1 * x2 + x3
    slopes = [meaning(derivative(y, s)) for s in (x1, x2, x3)]
    formula = [
        for_all_reals(claimed, derivative(y, s), "all real x_1, x_2, x_3", f"∂y/∂{s} = {claimed}")
        for s, claimed in ((x1, x2), (x2, x1), (x3, sp.Integer(1)))
    ]
    points = [(100, 2, 300), (101, 3, 301), (102, 4, 302)]
    values = [
        [int(e.subs(dict(zip((x1, x2, x3), p, strict=True)))) for e in (y, *slopes)] for p in points
    ]
    printed = [[500, 2, 100, 1], [604, 3, 101, 1], [710, 4, 102, 1]]
    one = np.ones(3)
    first, second, third = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    product = reference.multiply_node(first, second)
    total_code = reference.add_node(product, third)
    to_product, to_third = reference.add_node_vjp(product, third, one)
    code = np.stack(
        [total_code, *reference.multiply_node_vjp(first, second, to_product), to_third], axis=1
    )
    example = corroborated(
        exactly(
            values == printed,
            "integer arithmetic",
            "the printed numbers",
            "values and gradients as printed",
        ),
        code.tolist() == printed,
        "the nodes of the code give the same",
    )
    return backed((*formula, example))


class _Graph:
    """The document's forward graph: each name is defined by the names before it."""

    a = family("a")
    u, y = positive_family("u"), positive_family("y")
    logs, products = family("l"), family("p")
    S, R = positive_symbol("S"), positive_symbol("R")
    q = real("q")
    definitions = (
        Definition(u, (i,), sp.exp(a[i]), "u_i := e^{a_i}"),
        Definition(S, (), total(u[j], j, n), "S := Σ_j u_j"),
        Definition(R, (), 1 / S, "R := 1/S"),
        Definition(y, (i,), u[i] * R, "y_i := u_i·R"),
        Definition(logs, (i,), sp.log(y[i]), "l_i := ln y_i"),
        Definition(products, (i,), t[i] * logs[i], "p_i := t_i·l_i"),
        Definition(q, (), total(products[j], j, n), "q := Σ_j p_j"),
    )
    loss = -q


def _c5() -> Finding:
    g = _Graph
    normaliser = total(sp.exp(g.a[j]), j, n)
    claimed = -total(t[i] * (g.a[i] - sp.log(normaliser)), i, n)
    setting = Setting(ranges={}, scope="every n ≥ 1", definitions=g.definitions)
    value = for_every_size(claimed, g.loss, setting, "the graph computes −Σ_i t_i·ln softmax(a)_i")
    rng = generator("C5")
    a, labels = rng.standard_normal((6, 40)), rng.integers(0, 40, 6)
    nodes, fused = (
        reference.softmax_with_loss_graph(a, labels).loss,
        reference.softmax_with_loss(a, labels),
    )
    apart = abs(float(nodes - fused)) / float(fused)
    evidence = corroborated(
        value, apart < 1e-14, f"node by node and fused, the code differs by {apart:.0e} relative"
    )
    cases = ("exp_node", "sum_node", "reciprocal_node", "log_node", "negate_node")
    return backed((evidence,), *cases)


def _c6() -> Finding:
    g = _Graph
    one = Hypothesis(total(t[i], i, n), sp.Integer(1), "Σ t_i = 1")
    plain = Setting(ranges={k: n}, scope="every n ≥ 1 and every k", definitions=g.definitions)
    summing = Setting(
        ranges={k: n},
        scope="every n ≥ 1, every k, labels with Σ t_i = 1",
        definitions=g.definitions,
        hypotheses=(one,),
    )
    # With R held fixed, e^{a_k} reaches the loss through the product alone.
    through = meaning(derivative(g.loss, g.u[k]), g.definitions[3:])
    backward = (
        (sp.Integer(-1), derivative(g.loss, g.q), plain, "negation: −1"),
        (sp.Integer(-1), derivative(g.loss, g.products[k]), plain, "sum: −1 to each term"),
        (-t[k], derivative(g.loss, g.logs[k]), plain, "times t_k: −t_k"),
        (-t[k] / g.y[k], derivative(g.loss, g.y[k]), plain, "logarithm: −t_k/y_k"),
        (-g.S * total(t[j], j, n), derivative(g.loss, g.R), plain, "product, to 1/S: −Σ_k t_k·S"),
        (-t[k] / g.u[k], through, plain, "product, to e^{a_k}: −t_k/e^{a_k}"),
        (total(t[j], j, n) / g.S, derivative(g.loss, g.S), plain, "reciprocal: Σ_k t_k/S"),
        (
            1 / g.S,
            derivative(g.loss, g.S),
            summing,
            "which is 1/S, and the sum node hands it to every e^{a_i}",
        ),
        (
            1 / g.S - t[k] / g.u[k],
            derivative(g.loss, g.u[k]),
            summing,
            "both branches: 1/S − t_k/e^{a_k}",
        ),
        (
            g.y[k] - t[k],
            derivative(g.loss, g.a[k]),
            summing,
            "exp: e^{a_k}(1/S − t_k/e^{a_k}) = y_k − t_k",
        ),
    )
    evidence = tuple(for_every_size(*node) for node in backward)
    agrees, detail = _adjoints_of_the_code()
    return backed(
        (*evidence[:-1], corroborated(evidence[-1], agrees, detail)),
        "softmax_with_loss",
        show=_ADJOINTS,
    )


_ADJOINTS = tuple(
    f"softmax_with_loss_graph_{value}"
    for value in (
        "score",
        "products",
        "logarithms",
        "probabilities",
        "inverse",
        "total",
        "exponentials",
        "a",
    )
)


def _adjoints_of_the_code() -> tuple[bool, str]:
    rng = generator("C6")
    a, hot = rng.standard_normal(30), np.eye(30)[rng.integers(0, 30)]
    graph = reference.softmax_with_loss_graph(a[None], hot[None])
    back = graph.backward()
    u, S, y = graph.exponentials, graph.total, graph.y
    pairs = (
        (back.products, -np.ones_like(u)),
        (back.log_y, -hot[None]),
        (back.y, -hot / y),
        (back.inverse, -S),
        (back.by_product, -hot / u),
        (back.total, 1 / S),
        (back.a, y - hot),
    )
    worst = max(float(np.abs(got - want).max() / np.abs(want).max()) for got, want in pairs)
    return (
        worst < 1e-13,
        f"the code’s adjoints at every node agree within {worst:.0e} of the largest entry",
    )


def _c7() -> Finding:
    a, labels, classes = family("a"), family("t"), label_family("c")

    def row_softmax(sample: sp.Expr, entry: sp.Expr) -> sp.Expr:
        return sp.exp(a[sample, entry]) / total(sp.exp(a[sample, j]), j, n)

    def slope(label: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> sp.Expr:
        loss = -total(total(label(m, i) * sp.log(row_softmax(m, i)), i, n), m, N) / N
        return derivative(loss, a[r, k])

    one = Hypothesis(total(labels[m, i], i, n), sp.Integer(1), "Σ_i t_{mi} = 1 for every sample m")
    weights = for_every_size(
        (row_softmax(r, k) - labels[r, k]) / N,
        slope(lambda sample, entry: labels[sample, entry]),
        Setting(
            ranges={r: N, k: n, m: N},
            scope="every batch size N ≥ 1, every n ≥ 1",
            hypotheses=(one,),
        ),
        "the gradient is (y − t)/N",
    )
    integers = for_every_size(
        (row_softmax(r, k) - delta(k, classes[r])) / N,
        slope(lambda sample, entry: delta(entry, classes[sample])),
        Setting(
            ranges={r: N, k: n, classes: n},
            scope="every N ≥ 1, every n ≥ 1, every choice of labels",
        ),
        "integer labels: subtract 1 at the label, divide by N",
    )
    return backed(
        (weights, integers),
        "softmax_with_loss",
        show=("softmax_with_loss_soft", "softmax_with_loss"),
    )


def _c12() -> Finding:
    costs = [cost.measure(sizes) for sizes in cost.NETWORKS]
    image = costs[cost.NETWORKS.index(cost.IMAGES)]
    grown = costs[-1].ratio > 10 * costs[0].ratio and costs[-1].ratio > 1000
    table = [("units", "parameters", "evaluations", "numerical", "analytic", "ratio")]
    table += [
        (
            "–".join(map(str, c.sizes)),
            f"{c.parameters}",
            f"{c.evaluations}",
            cost.seconds(c.numerical) + (" (extrapolated)" if c.extrapolated else ""),
            cost.seconds(c.analytic),
            f"{c.ratio:.0f}",
        )
        for c in costs
    ]
    became = cost.hours_with(image.ratio, 27.7)
    evidence = measured(
        grown,
        "CPU time, medians",
        f"networks of {costs[0].parameters} to {costs[-1].parameters} parameters, batches of 100",
        f"the ratio grows from {costs[0].ratio:.0f} to {costs[-1].ratio:.0f}; at "
        f"{image.parameters} parameters it is {image.ratio:.0f}, which turns 27.7 hours into "
        f"{became}; where marked, the numerical time is the number of evaluations times the "
        "measured time of one",
    )
    return backed((evidence,), table=tuple(table))


def _claim(
    number: int,
    title: str,
    statement: str,
    examine: Callable[[], Finding],
    known_wrong: bool = False,
) -> Claim:
    return Claim(f"C{number}", title, _SOURCE, statement, examine, known_wrong)


CLAIMS = (
    _claim(1, "The chain rule on an example", "z = t², t = x + y: ∂z/∂x = 2t·1 = 2(x + y)", _c1),
    _claim(
        2, "The add node", "an addition passes the upstream gradient to both inputs unchanged", _c2
    ),
    _claim(
        3, "The multiply node", "a product passes the upstream gradient times the other input", _c3
    ),
    _claim(
        4,
        "A graph of two nodes, with numbers",
        "y = x_1·x_2 + x_3 at (100, 2, 300) is 500 with gradient (2, 100, 1); on the arrays (100, "
        "101, 102), (2, 3, 4), (300, 301, 302) it is (500, 604, 710) with gradients (2, 3, 4), "
        "(100, 101, 102) and 1",
        _c4,
    ),
    _claim(
        5,
        "The forward graph of SoftmaxWithLoss",
        "exp; sum S; reciprocal 1/S; multiply y_k = e^{a_k}/S; log; multiply by t_k; sum; multiply "
        "by −1",
        _c5,
    ),
    _claim(
        6,
        "The backward graph, node by node",
        "−1; −1 to each term; −t_k; −t_k/y_k; to 1/S: −Σ_k t_k·S and to e^{a_k}: −t_k/e^{a_k}; "
        "reciprocal: Σ_k t_k/S = 1/S; sum: 1/S to every e^{a_i}; exp: e^{a_k}(1/S − t_k/e^{a_k}) = "
        "y_k − t_k",
        _c6,
    ),
    _claim(
        7,
        "The layer on a batch",
        "for a batch of N the gradient is (y − t)/N; with integer labels: subtract 1 at the label, "
        "divide by N",
        _c7,
    ),
    _claim(
        8,
        "A worked example",
        "a = ((1, 2, 0.5), (0, 1, 1)), t = ((1, 0, 0), (0, 1, 0)): softmax and gradient as "
        "printed; the printed loss 1.1631814594485623 is not the exact one, 1.163181794083098, "
        "because 1e-7 is added inside the log",
        document_c_code.worked_example,
    ),
    _claim(
        9,
        "The loss with 1e-7 and its gradient",
        "the loss −Σ t·ln(y + 1e-7)/N has the gradient (y − t)/N",
        document_c_code.offset_in_the_logarithm,
        known_wrong=True,
    ),
    _claim(
        10,
        "The backward pass and its upstream gradient",
        "backward(dout) returns (y − t)/N, whatever dout is",
        document_c_code.upstream_ignored,
        known_wrong=True,
    ),
    _claim(
        11,
        "The loss of soft labels",
        "the loss at the argmax of the labels has the gradient (y − t)/N for soft labels t too",
        document_c_code.soft_labels_hardened,
        known_wrong=True,
    ),
    _claim(
        12,
        "The cost of numerical differentiation",
        "training a small network with numerical gradients took 27.7 hours; back-propagation is "
        "the remedy",
        _c12,
    ),
)
