"""What the nodes of a graph pass down: exp, sum, reciprocal, multiply, add, log and negate.

Each derivation starts with the derivative of ⟨v, f(x)⟩ = Σ_mi v_mi f(x)_mi: its value is what the
node passes down when v arrives from above, for arrays of every shape.  The second operand of the
multiply and the add node is one row, spread over all rows; its gradient is summed over them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from derivations.expressions.language import (
    N,
    delta,
    derivative,
    family,
    i,
    k,
    m,
    n,
    opaque,
    positive_family,
    r,
    real,
    times,
    total,
    v,
)
from derivations.records import Derivation
from derivations.rows.graph import product_plus_number, square_of_sum
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder

X, Y = family("x"), family("y")
POSITIVE = positive_family("x")
_SIZES = (N, n)
_ENTRY = {r: N, k: n}
_TERM_BY_TERM = "differentiate the sums term by term"
SELECTING = (delta(m, r), delta(i, k))
_SELECT = "the deltas select the term m = r, i = k"


def contracted(*factors: sp.Expr) -> sp.Expr:
    """Return Σ_mi v_mi·f_mi, f a product of factors: an output times what arrives."""
    return total(total(times(v[m, i], *factors), i, n), m, N)


# --- nodes that act entry by entry ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Elementwise:
    """A node that acts entry by entry.

    Parameters
    ----------
    name : str
        That of the case.
    x : sympy.IndexedBase
        Its argument.
    f, slope : callable
        The function and its derivative at one entry.
    rule : str
        What the derivative is called.
    """

    name: str
    x: sp.IndexedBase
    f: Callable[[sp.Expr], sp.Expr]
    slope: Callable[[sp.Expr], sp.Expr]
    rule: str

    def derive(self) -> tuple[Derivation, ...]:
        """Derive v·f′(x)."""
        return (_passed_down(self),)

    def _value(self) -> Formula:
        return Formula(self.f(self.x[m, i]), {m: N, i: n})

    def _gradient(self) -> tuple[Formula, ...]:
        return (Formula(_passed_down(self).result, _ENTRY),)

    def row(self) -> Row:
        """Return the row of the case."""
        arguments = ((self.x, _SIZES),)
        return Evaluation(arguments, self._value, self._gradient, v).row(self.name, self.derive)


@functools.cache
def _passed_down(node: _Elementwise) -> Derivation:
    x = node.x
    return (
        Builder(
            node.name,
            f"What the {node.name.removesuffix('_node')} node passes down",
            derivative(contracted(node.f(x[m, i])), x[r, k]),
            ranges=_ENTRY,
        )
        .step(_TERM_BY_TERM, contracted(derivative(node.f(x[m, i]), x[r, k])))
        .step(node.rule, contracted(node.slope(x[m, i]), *SELECTING))
        .step(_SELECT, v[r, k] * node.slope(x[r, k]))
        .done()
    )


EXP = _Elementwise("exp_node", X, sp.exp, sp.exp, "(e^x)′ = e^x")
RECIPROCAL = _Elementwise(
    "reciprocal_node", POSITIVE, lambda x: 1 / x, lambda x: -1 / x**2, "(1/x)′ = −1/x²"
)
LOG = _Elementwise("log_node", POSITIVE, sp.log, lambda x: 1 / x, "(ln x)′ = 1/x")
NEGATE = _Elementwise(
    "negate_node", X, lambda x: -x, lambda _: sp.Integer(-1), "the derivative of −x is −1"
)


# --- nodes of several inputs ------------------------------------------------------------------


@functools.cache
def sum_node() -> tuple[Derivation, ...]:
    """Derive that the sum node hands what arrives to every term."""
    objective = total(times(v[m, 1], total(X[m, i], i, n)), m, N)
    return (
        Builder(
            "sum_node",
            "What the sum node passes down",
            derivative(objective, X[r, k]),
            ranges=_ENTRY,
            remark="The result does not depend on k: every term receives the same.",
        )
        .step(
            _TERM_BY_TERM,
            total(times(v[m, 1], total(derivative(X[m, i], X[r, k]), i, n)), m, N),
        )
        .step(
            "different entries do not depend on each other",
            total(times(v[m, 1], total(times(*SELECTING), i, n)), m, N),
        )
        .step(_SELECT, v[r, 1])
        .done(),
    )


@functools.cache
def multiply_node() -> tuple[Derivation, ...]:
    """Derive that the multiply node passes upstream times the other input to each input."""
    product = X[m, i] * Y[i]
    first = (
        Builder(
            "multiply_node_x",
            "What the multiply node passes to its first input",
            derivative(contracted(product), X[r, k]),
            ranges=_ENTRY,
        )
        .step(_TERM_BY_TERM, contracted(derivative(X[m, i], X[r, k]), Y[i]))
        .step(
            "different entries do not depend on each other",
            contracted(*SELECTING, Y[i]),
        )
        .step(_SELECT, v[r, k] * Y[k])
        .done()
    )
    second = (
        Builder(
            "multiply_node_y",
            "What the multiply node passes to its second input, one row used in all rows",
            derivative(contracted(product), Y[k]),
            ranges={k: n},
            remark="What one number feeds into N products comes back summed over them.",
        )
        .step(_TERM_BY_TERM, contracted(X[m, i], derivative(Y[i], Y[k])))
        .step(
            "different entries do not depend on each other",
            contracted(X[m, i], delta(i, k)),
        )
        .step("the delta selects the term i = k", total(v[m, k] * X[m, k], m, N))
        .done()
    )
    return first, second, _downstream("multiply", lambda x, y: x * y), *product_plus_number()


@functools.cache
def add_node() -> tuple[Derivation, ...]:
    """Derive that the add node passes upstream unchanged to each input."""
    both = X[m, i] + Y[i]
    first = (
        Builder(
            "add_node_x",
            "What the add node passes to its first input",
            derivative(contracted(both), X[r, k]),
            ranges=_ENTRY,
        )
        .step(_TERM_BY_TERM, contracted(derivative(X[m, i], X[r, k])))
        .step(
            "different entries do not depend on each other",
            contracted(*SELECTING),
        )
        .step(_SELECT, v[r, k])
        .done()
    )
    second = (
        Builder(
            "add_node_y",
            "What the add node passes to its second input, one row used in all rows",
            derivative(contracted(both), Y[k]),
            ranges={k: n},
            remark="This is the gradient of a bias: the upstream gradient summed over the batch.",
        )
        .step(_TERM_BY_TERM, contracted(derivative(Y[i], Y[k])))
        .step("different entries do not depend on each other", contracted(delta(i, k)))
        .step("the delta selects the term i = k", total(v[m, k], m, N))
        .done()
    )
    return first, second, _downstream("add", lambda x, y: x + y), *square_of_sum()


def _downstream(operation: str, f: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> Derivation:
    """Derive the same for two numbers and any loss: what arrives at f is φ′(f)."""
    phi = opaque("phi")
    x, y = real("x"), real("y")
    together = f(x, y)
    arrives = phi(together).fdiff()
    slope = sp.diff(together, x)
    builder = Builder(
        f"{operation}_node_any_loss",
        f"The {operation} node below any differentiable loss φ",
        derivative(phi(together), x),
        remark="φ′ at the node's output is the gradient that arrives from above.",
    ).step("chain rule", times(arrives, derivative(together, x)))
    return builder.step("local derivative", arrives * slope).done()


def _first_value(output: sp.Expr) -> Formula:
    return Formula(output, {m: N, i: n})


def _pair_gradients(derive: Callable[[], tuple[Derivation, ...]]) -> tuple[Formula, ...]:
    first, second, *_ = derive()
    return Formula(first.result, _ENTRY), Formula(second.result, {k: n})


def _sum_value() -> Formula:
    return Formula(
        total(X[m, k], k, n), {m: N, i: sp.Integer(1)}
    )  # the axis stays, with length one


def _sum_gradient() -> tuple[Formula, ...]:
    return (Formula(sum_node()[0].result, _ENTRY),)


_PAIR = ((X, _SIZES), (Y, (n,)))

ROWS: tuple[Row, ...] = (
    EXP.row(),
    Evaluation(((X, _SIZES),), _sum_value, _sum_gradient, v).row("sum_node", sum_node),
    RECIPROCAL.row(),
    Evaluation(
        _PAIR,
        functools.partial(_first_value, X[m, i] * Y[i]),
        functools.partial(_pair_gradients, multiply_node),
        v,
    ).row("multiply_node", multiply_node),
    Evaluation(
        _PAIR,
        functools.partial(_first_value, X[m, i] + Y[i]),
        functools.partial(_pair_gradients, add_node),
        v,
    ).row("add_node", add_node),
    LOG.row(),
    NEGATE.row(),
)
