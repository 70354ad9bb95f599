"""The rows of networks with two layers and class indices as labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from derivations.expressions.evaluate import Binding, evaluate, evaluate_together
from derivations.expressions.language import N, delta, k, m
from derivations.records import Definition, Derivation
from derivations.rows.networks import (
    ANY,
    LABELS,
    LOSS,
    SIGMOID,
    TANH,
    UPSTREAM,
    WEIGHTS,
    Activation,
    Network,
    X,
    from_the_loss,
    lemma,
    unknown,
    with_loss,
)
from derivations.rows.row import Array, Numbers, Row

INDICATOR = Definition(WEIGHTS, (m, k), delta(k, LABELS[m]), "t_mk = δ_{k,c_m}")


@dataclass(frozen=True, slots=True)
class _Classifier:
    """The evaluation of a two-layer network whose labels are class indices.

    What is evaluated is what the derivations start from and lead to, with the activation in place
    of the unknown function and with `INDICATOR` for the weights of the labels.

    Parameters
    ----------
    activation : Activation
        What is between the layers.
    letter : str
        What it is called in the derivations.
    derive : callable
        The derivations, those of `from_the_loss` first.
    """

    activation: Activation
    letter: str
    derive: Callable[[], tuple[Derivation, ...]]

    @property
    def network(self) -> Network:
        """The network of the derivations."""
        return Network(2, unknown(self.activation.name, self.letter))

    def value(self, arguments: tuple[Array, ...]) -> Numbers:
        """Return the loss."""
        return evaluate(LOSS, self._binding(arguments))

    def vjp(self, arguments: tuple[Array, ...], v: Array) -> tuple[Numbers, ...]:
        """Return v times the derived gradients in x, W1, b1, W2 and b2."""
        gradients = self.network.gradients
        results = {d.start.variables[0]: d.result for d in self.derive()[: len(gradients)]}
        requests = [(UPSTREAM * results[g.entry], g.ranges) for g in gradients]
        return evaluate_together(requests, self._binding(arguments, v))

    def _binding(self, arguments: tuple[Array, ...], v: Array | float = 1.0) -> Binding:
        net = self.network
        x, labels, *parameters = map(np.asarray, arguments)
        families = (net.W(1), net.b(1), net.W(2), net.b(2))
        (samples, inputs), (hidden, classes) = x.shape, parameters[2].shape
        return Binding(
            arrays={X: x, **dict(zip(families, parameters, strict=True))},
            labels={LABELS: labels},
            scalars={UPSTREAM: np.asarray(v)[()]},
            sizes=dict(zip((N, *net.widths), (samples, inputs, hidden, classes), strict=True)),
            definitions=(INDICATOR, *with_loss(net)),
            functions={self.letter: self.activation.f},
        )

    def row(self) -> Row:
        """Return the row of the case."""
        return Row(f"network_{self.activation.name}", self.derive, self.value, self.vjp)


def network_tanh() -> tuple[Derivation, ...]:
    """Return the derivations for tanh, and those of one and three layers for any activation."""
    two = from_the_loss(2, unknown("tanh", "phi"))
    return *two, lemma(TANH), lemma(ANY), *from_the_loss(1), *from_the_loss(3)


def network_sigmoid() -> tuple[Derivation, ...]:
    """Return the derivations for the sigmoid."""
    return *from_the_loss(2, unknown("sigmoid", "sigma")), lemma(SIGMOID)


ROWS: tuple[Row, ...] = (
    _Classifier(TANH, "phi", network_tanh).row(),
    _Classifier(SIGMOID, "sigma", network_sigmoid).row(),
)
