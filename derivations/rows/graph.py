"""Computational graphs, forward and backward: softmax with cross-entropy node by node, every n.

A `Graph` lists its nodes in forward order.  Backward, the gradient at a value is what the nodes
that use it pass down: their own gradient times their local derivative, summed.  `backward` writes
that down as a derivation for every value, from the loss to the inputs.  Its first expression is the
derivative of the loss with the graph cut at that value, differentiated directly, so the first step
compares reverse accumulation with differentiation that knows nothing of it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from derivations.expressions.calculus import rename_free, sdiff
from derivations.expressions.language import (
    derivative,
    family,
    i,
    j,
    k,
    n,
    plus,
    positive,
    positive_family,
    real,
    t,
    times,
    total,
)
from derivations.records import Definition, Derivation, Hypothesis
from derivations.steps.build import Builder


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph.

    Parameters
    ----------
    name : str
        What its output is called in words.
    operation : str
        What it does, in a word or two.
    output : Definition
        The symbol of its output, and what it computes from the outputs of other nodes.
    """

    name: str
    operation: str
    output: Definition

    @property
    def symbol(self) -> Any:
        """The symbol or family of the output."""
        return self.output.symbol

    def entry(self, at: sp.Symbol) -> sp.Expr:
        """Return the output, or its entry where it is a family."""
        return self.symbol[at] if self.output.indices else self.symbol

    def body(self, at: sp.Symbol) -> sp.Expr:
        """Return what is computed, at an index where the output is a family."""
        return rename_free(self.output.body, dict.fromkeys(self.output.indices, at))


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in forward order; the last one is the loss.

    Parameters
    ----------
    name : str
        Prefix of the names of its derivations.
    inputs : tuple of sympy.IndexedBase or sympy.Symbol
        What comes from outside and is differentiated in.
    nodes : tuple of Node
        Each uses inputs and outputs of nodes before it.
    length : sympy.Symbol or None
        The length of every family; None in a graph of numbers.
    """

    name: str
    inputs: tuple[Any, ...]
    nodes: tuple[Node, ...]
    length: sp.Symbol | None = n

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """What every node computes."""
        return tuple(node.output for node in self.nodes)

    @property
    def loss(self) -> Node:
        """The last node."""
        return self.nodes[-1]

    @property
    def values(self) -> tuple[Any, ...]:
        """Everything that has a gradient, from what is nearest to the loss to the inputs."""
        return (*(node.symbol for node in reversed(self.nodes[:-1])), *reversed(self.inputs))

    def users(self, symbol: Any) -> tuple[Node, ...]:
        """Return the nodes that use a value directly."""
        return tuple(node for node in self.nodes if _occurs(symbol, node.output.body))


def _occurs(symbol: Any, expression: sp.Expr) -> bool:
    if isinstance(symbol, sp.IndexedBase):
        return any(entry.base == symbol for entry in expression.atoms(sp.Indexed))
    return symbol in expression.free_symbols


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a backward pass: the rule, the expression that it leads to, its hypotheses."""

    rule: str
    after: sp.Expr
    using: tuple[Hypothesis, ...] = ()


@dataclass(frozen=True, slots=True)
class Backward:
    """How the gradient at one value is simplified, as a person would write it.

    Parameters
    ----------
    symbol : sympy.Symbol or sympy.IndexedBase
        The value.
    lines : tuple of Line
        What follows after the chain rule and the gradients from above have been put in.
    passed_on : int
        Which of these lines (counted from the end) the nodes below start from.
    """

    symbol: Any
    lines: tuple[Line, ...]
    passed_on: int = 1


def backward(graph: Graph, plan: tuple[Backward, ...]) -> tuple[Derivation, ...]:
    """Derive the gradient of the loss at every value of a graph, node by node.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : tuple of Backward
        One for each of ``graph.values``, in that order.

    Returns
    -------
    tuple of Derivation
        In the same order; each name is that of the graph, a dot and the value.

    Raises
    ------
    StepError
        If a line does not follow from the one before it.
    ValueError
        If the plan does not match the graph's values.
    """
    planned = tuple(item.symbol for item in plan)
    if planned != graph.values:
        raise ValueError(f"the plan is for {planned}, the graph has {graph.values}")
    gradients: dict[Any, sp.Expr] = {graph.loss.symbol: sp.Integer(1)}
    derivations = []
    for item in plan:
        derivation = gradient_at(graph, item, gradients)
        derivations.append(derivation)
        gradients[item.symbol] = derivation.steps[-item.passed_on].after
    return tuple(derivations)


def gradient_at(graph: Graph, item: Backward, gradients: Mapping[Any, sp.Expr]) -> Derivation:
    """Derive the gradient at one value from those at the nodes that use it.

    Parameters
    ----------
    graph : Graph
        The graph.
    item : Backward
        The value, and how its gradient is written.
    gradients : mapping
        The gradient at every value nearer to the loss; index k where it is a family.

    Raises
    ------
    StepError
        If a line does not follow from the one before it.
    """
    symbol = item.symbol
    entry = symbol[k] if isinstance(symbol, sp.IndexedBase) else symbol
    users = graph.users(symbol)
    named = {node.symbol: node.name for node in graph.nodes}
    name = named.get(symbol, str(symbol))
    builder = Builder(
        f"{graph.name}_graph_{name}",
        f"Backward through the graph: {name}",
        derivative(graph.loss.symbol, entry),
        definitions=graph.definitions,
        ranges={} if graph.length is None else {k: graph.length},
        scope=_scope(graph, symbol),
        remark=f"It is used by {' and '.join(f'the node “{node.operation}”' for node in users)}.",
    )
    if users != (graph.loss,):
        unknown = {node.symbol: derivative(graph.loss.symbol, node.entry(i)) for node in users}
        passed = _passed(graph, users, entry, unknown)
        builder.step("chain rule: upstream times local derivative", passed)
    builder.step("gradients from above", _passed(graph, users, entry, gradients))
    for line in item.lines:
        builder.step(line.rule, line.after, line.using)
    return builder.done()


def _passed(
    graph: Graph, users: tuple[Node, ...], entry: sp.Expr, gradients: Mapping[Any, sp.Expr]
) -> sp.Expr:
    """Return the sum of what the users of a value pass down to one entry of it."""
    terms = []
    for node in users:
        upstream = rename_free(gradients[node.symbol], {k: i})
        term = times(upstream, sdiff(node.body(i), entry))
        terms.append(total(term, i, graph.length) if node.output.indices else term)
    return terms[0] if len(terms) == 1 else plus(*terms)


def _scope(graph: Graph, symbol: Any) -> str:
    if graph.length is None:
        return ""
    every = f"every {graph.length} ≥ 1"
    indexed = isinstance(symbol, sp.IndexedBase)
    return f"{every} and every k in 1 … {graph.length}" if indexed else every


# --- softmax with cross-entropy (document C, claims C5 and C6) --------------------------------

a = family("a")
exponential = positive_family("u")
inverse = positive("q")
probability = positive_family("y")
logarithm = family("g")
weighted = family("p")
S, score, loss = positive("S"), real("s"), real("L")

LABELS_SUM_TO_ONE = Hypothesis(total(t[j], j, n), sp.Integer(1), "Σ t_k = 1")

SOFTMAX_WITH_LOSS = Graph(
    name="softmax_with_loss",
    inputs=(a,),
    nodes=(
        Node("exponentials", "exp", Definition(exponential, (k,), sp.exp(a[k]), "u_k = e^{a_k}")),
        Node("total", "sum", Definition(S, (), total(exponential[j], j, n), "S = Σ_j u_j")),
        Node("inverse", "reciprocal", Definition(inverse, (), 1 / S, "q = 1/S")),
        Node(
            "probabilities",
            "multiply",
            Definition(probability, (k,), exponential[k] * inverse, "y_k = u_k·q"),
        ),
        Node(
            "logarithms",
            "log",
            Definition(logarithm, (k,), sp.log(probability[k]), "g_k = log y_k"),
        ),
        Node(
            "products",
            "multiply by t",
            Definition(weighted, (k,), t[k] * logarithm[k], "p_k = t_k·g_k"),
        ),
        Node("score", "sum", Definition(score, (), total(weighted[j], j, n), "s = Σ_j p_j")),
        Node("loss", "multiply by −1", Definition(loss, (), -score, "L = −s")),
    ),
)


def softmax_with_loss_plan() -> tuple[Backward, ...]:
    """Return how the gradients of softmax with cross-entropy are written, from the loss down."""
    y, u, q = probability[k], exponential[k], inverse
    labels = total(t[j], j, n)
    share = times(labels, 1 / S)
    selects = "the delta selects i = k"
    to_one = "the labels sum to one"
    hypothesis = (LABELS_SUM_TO_ONE,)
    return (
        Backward(score, (Line("multiply", sp.Integer(-1)),)),
        Backward(weighted, (Line(selects, sp.Integer(-1)),)),
        Backward(logarithm, (Line(selects, -t[k]),)),
        Backward(probability, (Line(selects, -t[k] / y),)),
        Backward(
            inverse,
            (
                Line("u_i/y_i = 1/q = S", -total(t[i] * S, i, n)),
                Line("S does not depend on i", -S * labels),
            ),
        ),
        Backward(
            S,
            (
                Line("cancel S", share),
                Line(to_one, 1 / S, hypothesis),
            ),
            passed_on=2,
        ),
        Backward(
            exponential,
            (
                Line("the deltas select i = k and j = k", plus(share, times(-t[k] / y, q))),
                Line("q/y_k = 1/u_k", plus(share, -t[k] / u)),
                Line(to_one, plus(1 / S, -t[k] / u), hypothesis),
            ),
            passed_on=2,
        ),
        Backward(
            a,
            (
                Line(
                    "the delta selects i = k, and e^{a_k} = u_k", times(u, plus(share, -t[k] / u))
                ),
                Line("multiply out", plus(times(u, labels, 1 / S), -t[k])),
                Line("u_k/S = y_k", plus(times(y, labels), -t[k])),
                Line(to_one, plus(y, -t[k]), hypothesis),
            ),
        ),
    )


@functools.cache
def softmax_with_loss_backward() -> tuple[Derivation, ...]:
    """Derive the gradient at every node of softmax with cross-entropy, from the loss to the logits.

    Returns
    -------
    tuple of Derivation
        At the score, the products, the logarithms, the probabilities, the inverse, the total,
        the exponentials and the logits.

    Notes
    -----
    Source: document C, claim C6.

    Examples
    --------
    >>> [d.result for d in softmax_with_loss_backward()][:4]
    [-1, -1, -t[k], -t[k]/y[k]]
    """
    return backward(SOFTMAX_WITH_LOSS, softmax_with_loss_plan())


# --- two graphs of numbers (document C, claims C1 and C4) ---------------------------------------


@functools.cache
def square_of_sum() -> tuple[Derivation, ...]:
    """Derive the gradient of z = (x + y)² through the graph t = x + y, z = t².

    Notes
    -----
    Source: document C, claim C1.

    Examples
    --------
    >>> [d.result for d in square_of_sum()]
    [2*t, 2*x + 2*y, 2*x + 2*y]
    """
    x, y, t, z = (real(name) for name in "xytz")
    graph = Graph(
        name="square_of_sum",
        inputs=(x, y),
        nodes=(
            Node("t", "add", Definition(t, (), x + y, "t = x + y")),
            Node("z", "square", Definition(z, (), t**2, "z = t²")),
        ),
        length=None,
    )
    below = Line("t = x + y", 2 * (x + y))
    plan = (Backward(t, (Line("multiply", 2 * t),)), Backward(y, (below,)), Backward(x, (below,)))
    return backward(graph, plan)


@functools.cache
def product_plus_number() -> tuple[Derivation, ...]:
    """Derive the gradient of y = x1·x2 + x3 through a multiply and an add node.

    Notes
    -----
    Source: document C, claim C4.

    Examples
    --------
    >>> [d.result for d in product_plus_number()]
    [1, 1, x1, x2]
    """
    x1, x2, x3, p, y = (real(name) for name in ("x1", "x2", "x3", "p", "y"))
    graph = Graph(
        name="product_plus_number",
        inputs=(x1, x2, x3),
        nodes=(
            Node("product", "multiply", Definition(p, (), x1 * x2, "p = x1·x2")),
            Node("y", "add", Definition(y, (), p + x3, "y = p + x3")),
        ),
        length=None,
    )
    one = Line("multiply", sp.Integer(1))
    plan = (
        Backward(p, (one,)),
        Backward(x3, (one,)),
        Backward(x2, (Line("multiply", x1),)),
        Backward(x1, (Line("multiply", x2),)),
    )
    return backward(graph, plan)
