"""Back-propagation through networks of affine layers and activations, for every shape.

Layer l computes Z_l = H_{l−1}·W_l + 1·b_lᵀ from H_{l−1} = φ(Z_{l−1}), with H_0 = x.  G is the
gradient that arrives at the last layer's output Z_L, from whatever loss comes after it.  Then, with
Δ_L = G,

    Δ_l = (Δ_{l+1}·W_{l+1}ᵀ) ∘ φ′(Z_l),   dW_l = H_{l−1}ᵀ·Δ_l,   db_l = 1ᵀ·Δ_l,   dx = Δ_1·W_1ᵀ.

The recursion is one application of the layer's lemma (`lemma`), which holds for any upstream
gradient; so by induction on the number of layers it holds for every L.  `from_the_loss` proves
networks of a given depth besides, each in one step from the definition of the whole network, with
an unknown differentiable φ and with softmax and cross-entropy at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp

from derivations.expressions.calculus import meaning
from derivations.expressions.language import (
    D,
    K,
    N,
    delta,
    derivative,
    family,
    i,
    index,
    j,
    k,
    label_family,
    m,
    opaque,
    plus,
    positive_family,
    r,
    real,
    size,
    times,
    total,
)
from derivations.kernels import indexed, rational, sampling, witness
from derivations.records import Definition, Derivation, Evidence, Standing, Step
from derivations.steps.build import Builder, StepError

d = index("d")
X, G = family("x"), family("G")


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation and its derivative.

    Parameters
    ----------
    name : str
        Part of the derivations' names.
    f : callable
        The function.
    slope : callable
        ``slope(z, h)``: the derivative at z, which may use the output h = f(z).
    """

    name: str
    f: Callable[[sp.Expr], sp.Expr]
    slope: Callable[[sp.Expr, sp.Expr], sp.Expr]


TANH = Activation("tanh", sp.tanh, lambda _, h: plus(1, -(h**2)))
# e^z/(1 + e^z) is 1/(1 + e^−z); its derivative is a polynomial in 1/(1 + e^z), as the kernel has it.
SIGMOID = Activation("sigmoid", lambda z: sp.exp(z) / (1 + sp.exp(z)), lambda _, h: h * (1 - h))


@functools.cache
def unknown(name: str, letter: str) -> Activation:
    """Return an activation of which only its differentiability is known.

    Parameters
    ----------
    name : str
        Part of the derivations' names.
    letter : str
        What it is called.
    """
    return Activation(name, opaque(letter), lambda z, _: opaque(letter, 1)(z))


ANY = unknown("any_activation", "phi")


@dataclass(frozen=True, slots=True)
class Network:
    """The names of an L-layer network and what they stand for.

    Parameters
    ----------
    depth : int
        The number L of affine layers.
    activation : Activation
        What is between them.
    """

    depth: int
    activation: Activation

    @property
    def widths(self) -> tuple[sp.Symbol, ...]:
        """The numbers of units: of the input, of every hidden layer, of the output."""
        hidden = ["M"] if self.depth == 2 else [f"M{q}" for q in range(1, self.depth)]
        return (D, *map(size, hidden), K)

    def W(self, layer: int) -> sp.IndexedBase:
        """Return the weights of a layer, counted from 1."""
        return family(f"W{layer}")

    def b(self, layer: int) -> sp.IndexedBase:
        """Return the biases of a layer."""
        return family(f"b{layer}")

    def Z(self, layer: int) -> sp.IndexedBase:
        """Return the output of an affine layer."""
        return family(f"Z{layer}")

    def H(self, layer: int) -> sp.IndexedBase:
        """Return the activated output of a layer; that of layer 0 is the network's input."""
        return family(f"H{layer}") if layer else X

    def Delta(self, layer: int) -> sp.IndexedBase:
        """Return the gradient at the output of an affine layer; at the last it is what arrives."""
        return family(f"Delta{layer}") if layer < self.depth else G

    def slope(self, layer: int, sample: sp.Symbol, unit: sp.Symbol) -> sp.Expr:
        """Return φ′ at one entry of a layer's output."""
        return self.activation.slope(self.Z(layer)[sample, unit], self.H(layer)[sample, unit])

    @property
    def forward(self) -> tuple[Definition, ...]:
        """What every layer computes."""
        definitions = []
        for layer in range(1, self.depth + 1):
            Z, H, W, b = self.Z(layer), self.H(layer - 1), self.W(layer), self.b(layer)
            body = total(H[m, i] * W[i, j], i, self.widths[layer - 1]) + b[j]
            text = f"{Z.label} = {H.label}·{W.label} + 1·{b.label}ᵀ"
            definitions.append(Definition(Z, (m, j), body, text))
            if layer < self.depth:
                out = self.H(layer)
                activated = self.activation.f(Z[m, j])
                definitions.append(
                    Definition(out, (m, j), activated, f"{out.label} = φ({Z.label})")
                )
        return tuple(definitions)

    @property
    def backward(self) -> tuple[Definition, ...]:
        """The recursion for the gradients at the layers' outputs, last hidden layer first."""
        definitions = []
        for layer in range(self.depth - 1, 0, -1):
            own, above, W = self.Delta(layer), self.Delta(layer + 1), self.W(layer + 1)
            body = times(self._from_above(layer, m, j), self.slope(layer, m, j))
            text = f"{own.label} = ({above.label}·{W.label}ᵀ) ∘ φ′({self.Z(layer).label})"
            definitions.append(Definition(own, (m, j), body, text))
        return tuple(definitions)

    def _from_above(self, layer: int, sample: sp.Symbol, unit: sp.Symbol) -> sp.Expr:
        above, W = self.Delta(layer + 1), self.W(layer + 1)
        return total(above[sample, k] * W[unit, k], k, self.widths[layer + 1])

    # -- what back-propagation says -----------------------------------------------------------

    def of_weights(self, layer: int) -> Gradient:
        """Return dW_l = H_{l−1}ᵀ·Δ_l."""
        result = total(self.H(layer - 1)[m, d] * self.Delta(layer)[m, j], m, N)
        ranges = {d: self.widths[layer - 1], j: self.widths[layer]}
        return Gradient(self.W(layer)[d, j], ranges, result)

    def of_bias(self, layer: int) -> Gradient:
        """Return db_l = 1ᵀ·Δ_l."""
        result = total(self.Delta(layer)[m, j], m, N)
        return Gradient(self.b(layer)[j], {j: self.widths[layer]}, result)

    def of_input(self) -> Gradient:
        """Return dx = Δ_1·W_1ᵀ."""
        result = total(self.Delta(1)[r, j] * self.W(1)[d, j], j, self.widths[1])
        return Gradient(X[r, d], {r: N, d: D}, result)

    @property
    def gradients(self) -> tuple[Gradient, ...]:
        """Those in the input and, layer by layer, in weights and biases: the case's arguments."""
        layers = range(1, self.depth + 1)
        pairs = (g for q in layers for g in (self.of_weights(q), self.of_bias(q)))
        return (self.of_input(), *pairs)


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient in one argument.

    Parameters
    ----------
    entry : sympy.Indexed
        The entry that it is at.
    ranges : dict
        The ranges of that entry's indices.
    result : sympy.Expr
        What back-propagation says it is.
    """

    entry: sp.Indexed
    ranges: dict[sp.Symbol, sp.Symbol]
    result: sp.Expr


# --- one layer --------------------------------------------------------------------------------


@functools.cache
def lemma(activation: Activation) -> Derivation:
    """Derive Δ_l = (Δ_{l+1}·W_{l+1}ᵀ) ∘ φ′(Z_l), one step of back-propagation.

    Parameters
    ----------
    activation : Activation
        That of layer l.

    Returns
    -------
    Derivation
        With G for Δ_{l+1}, and W and b for those of the next layer.
    """
    Z, H, W, b = (family(name) for name in ("Z", "H", "W", "b"))
    output = Definition(H, (m, i), activation.f(Z[m, i]), "H = φ(Z)")
    above = total(H[m, i] * W[i, j], i, D) + b[j]
    objective = total(total(times(G[m, j], above), j, K), m, N)
    arrived = total(G[r, j] * W[d, j], j, K)
    local = derivative(H[m, i], Z[r, d])
    slope = derivative(activation.f(Z[r, d]), Z[r, d])
    return (
        Builder(
            f"network_{activation.name}_lemma",
            "Back-propagation through an activation and the affine layer after it",
            derivative(objective, Z[r, d]),
            definitions=(output,),
            ranges={r: N, d: D},
            remark="G may come from anything that follows: the step of the induction on layers.",
        )
        .step(
            "differentiate the sums term by term",
            total(total(times(G[m, j], total(local * W[i, j], i, D)), j, K), m, N),
        )
        .step(
            "each output depends on its own input alone",
            total(
                total(
                    times(G[m, j], total(times(delta(m, r), delta(i, d), slope, W[i, j]), i, D)),
                    j,
                    K,
                ),
                m,
                N,
            ),
        )
        .step("the deltas select m = r and i = d", times(slope, arrived))
        .step("derivative of the activation", times(arrived, activation.slope(Z[r, d], H[r, d])))
        .done()
    )


# --- the whole way from the loss --------------------------------------------------------------

WEIGHTS, LABELS = family("t"), label_family("c")
PROBABILITY = positive_family("y")
LOSS, UPSTREAM = real("L"), real("v")


def _softmax(network: Network) -> Definition:
    Z = network.Z(network.depth)
    body = sp.exp(Z[m, j]) / total(sp.exp(Z[m, i]), i, K)
    return Definition(PROBABILITY, (m, j), body, f"y = softmax({Z.label})")


def with_loss(network: Network) -> tuple[Definition, ...]:
    """Return the network with the mean cross-entropy of softmax; its labels are any weights t.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    tuple of Definition
        Layer by layer, then the loss L, the gradient G that arrives at the last layer, and Δ.
    """
    y, t = PROBABILITY, WEIGHTS
    loss = -total(total(t[m, k] * sp.log(y[m, k]), k, K), m, N) / N
    arriving = (y[m, k] * total(t[m, i], i, K) - t[m, k]) / N
    return (
        *network.forward,
        _softmax(network),
        Definition(LOSS, (), loss, "L = −(1/N) Σ_mk t_mk·log y_mk"),
        Definition(G, (m, k), arriving, "G_mk = (y_mk·Σ_i t_mi − t_mk)/N"),
        *network.backward,
    )


@functools.cache
def from_the_loss(depth: int, activation: Activation = ANY) -> tuple[Derivation, ...]:
    """Prove back-propagation from the loss to every parameter of a network.

    The derivative of the mean cross-entropy of softmax of the whole network is compared with the
    result of the recursion in one step: by the indexed kernel for every shape, by the rational one
    with two samples and two units in every layer, and by limits of differences at random points.

    Parameters
    ----------
    depth : int
        The number of layers.
    activation : Activation
        What is between the layers; by default nothing is known of it.

    Returns
    -------
    tuple of Derivation
        For the input and for each weight matrix and bias, in the order of `Network.gradients`.

    Raises
    ------
    StepError
        If a kernel cannot confirm the result.

    Examples
    --------
    >>> [derivation.result for derivation in from_the_loss(1)][2]
    Sum(G[m, j], (m, 1, N))
    """
    network = Network(depth, activation)
    return tuple(_from_the_loss(network, gradient) for gradient in network.gradients)


def _from_the_loss(network: Network, gradient: Gradient) -> Derivation:
    definitions = with_loss(network)
    statement = WholeNetwork(network, definitions, gradient.entry, gradient.ranges, gradient.result)
    name = gradient.entry.base.label
    layers = "one layer" if network.depth == 1 else f"{network.depth} layers"
    sizes = ", ".join(map(str, (N, *network.widths)))
    return Derivation(
        name=f"network_{network.activation.name}_{network.depth}_{name}",
        title=f"Back-propagation from the loss through {layers}: the gradient in {name}",
        start=statement.slope,
        steps=(Step("back-propagation", statement.slope, gradient.result, (), statement.check()),),
        definitions=definitions,
        scope=f"every {sizes} ≥ 1 and every differentiable φ",
        remark="The labels t are any weights; class indices are those with t_mk = δ_{k,c_m}.",
    )


@dataclass(frozen=True, slots=True)
class WholeNetwork:
    """The claim that a result is the derivative of the loss of a whole network.

    It is checked like every step; but writing a network out at every choice of small sizes would
    take a minute, so the rational kernel decides one shape.

    Parameters
    ----------
    network : Network
        The network.
    definitions : tuple of Definition
        Its names, with the loss.
    entry : sympy.Indexed
        The entry that is differentiated in.
    ranges : mapping
        The ranges of its indices.
    result : sympy.Expr
        The claimed derivative.
    """

    network: Network
    definitions: tuple[Definition, ...]
    entry: sp.Indexed
    ranges: Mapping[sp.Symbol, sp.Symbol]
    result: sp.Expr

    @property
    def slope(self) -> sp.Expr:
        """The derivative of the loss, unevaluated."""
        return derivative(LOSS, self.entry)

    def check(self) -> tuple[Evidence, ...]:
        """Return the evidence of each kernel.

        Raises
        ------
        StepError
            If one of them does not confirm the claim.
        """
        residual = meaning(self.slope, self.definitions) - meaning(self.result, self.definitions)
        return self._every_shape(residual), self._one_shape(residual), self._samples()

    def _refuse(self, reason: object) -> StepError:
        layers = f"{self.network.depth} layers"
        return StepError(f"∂L/∂{self.entry} through {layers} is not {self.result}: {reason}")

    @property
    def _sizes(self) -> dict[sp.Symbol, int]:
        return dict.fromkeys((N, *self.network.widths), 2)

    def _every_shape(self, residual: sp.Expr) -> Evidence:
        proof = indexed.prove_zero(residual, self.ranges)
        if not proof.proved:
            raise self._refuse(f"the difference has the normal form {proof.residual}")
        sizes = ", ".join(map(str, self._sizes))
        return Evidence(Standing.PROVED_ALL_N, "indexed normal form", f"every {sizes} ≥ 1")

    def _one_shape(self, residual: sp.Expr) -> Evidence:
        indices = dict.fromkeys(self.ranges, 2)
        decision = rational.decide(witness.instantiate(residual, self._sizes, indices))
        if decision.kind != "proved":
            raise self._refuse(decision.point or decision.reason)
        scope = f"{' = '.join(map(str, self._sizes))} = 2, the last entry"
        return Evidence(Standing.PROVED_FIXED_N, "rational normal form", scope)

    def _samples(self) -> Evidence:
        indices = dict.fromkeys(self.ranges, 2)
        setting = sampling.Setting(self.definitions, sizes=self._sizes, indices=indices)
        sample = sampling.sample(self.slope, self.result, setting)
        if not sample.agree:
            raise self._refuse(f"the sides differ by {sample.difference:.3g} at {sample.where}")
        return Evidence(
            Standing.NUMERICAL,
            "60-digit sampling, derivatives as limits",
            f"{sample.points} random points",
            f"largest difference {sample.difference:.0e}",
        )
