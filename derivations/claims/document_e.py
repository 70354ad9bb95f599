"""The claims of document E: softmax and sigmoid, layers, a worked example, uses of softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

import gradcheck
import reference
from derivations.claims.document_a import softmax_of
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
    D,
    K,
    N,
    delta,
    derivative,
    ell,
    family,
    i,
    index,
    j,
    k,
    m,
    n,
    phi,
    r,
    real,
    total,
    z,
)
from derivations.plan import generator
from derivations.records import Claim, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_SOURCE = "document E"


def _e1() -> Finding:
    logit, other, label = real("z"), real("w"), real("y")
    sigma = 1 / (1 + sp.exp(-logit))
    first = sp.exp(logit) / (sp.exp(logit) + 1)
    second = 1 / (sp.exp(logit) + 1)
    evidence = (
        for_all_reals(sigma, first, "all real z", "softmax(z, 0)_1 = σ(z)"),
        for_all_reals(1 - sigma, second, "all real z", "softmax(z, 0)_2 = 1 − σ(z)"),
        for_all_reals(
            sigma.subs(logit, logit - other),
            sp.exp(logit) / (sp.exp(logit) + sp.exp(other)),
            "all real z and w",
            "for two logits z and w it is σ(z − w)",
        ),
        for_all_reals(
            -(label * sp.log(sigma) + (1 - label) * sp.log(1 - sigma)),
            -(label * sp.log(first) + (1 - label) * sp.log(second)),
            "all real z and y",
            "the cross-entropy of two classes is the binary cross-entropy: k = 2 is logistic "
            "regression",
        ),
    )
    return backed(evidence, "softmax", show=("softmax_of_two_first", "softmax_of_two_second"))


def _e2() -> Finding:
    # G is an arbitrary upstream gradient: what is proved holds for every layer of every network.
    H, W, b, G, P = (family(name) for name in ("H", "W", "b", "G", "P"))
    d, s = index("d"), index("s")
    shapes = "every batch size N and all numbers of units D, K"

    def through(layer_input: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> sp.Expr:
        output = total(layer_input(m, d) * W[d, k], d, D) + b[k]
        return total(total(G[m, k] * output, k, K), m, N)

    plain = through(lambda sample, unit: H[sample, unit])
    activated = through(lambda sample, unit: phi(P[sample, unit]))
    weights = for_every_size(
        total(H[m, r] * G[m, s], m, N),
        derivative(plain, W[r, s]),
        Setting(ranges={r: D, s: K}, scope=shapes),
        "dW = HᵀG; for a single sample (input of the layer)·δ",
    )
    bias = for_every_size(
        total(G[m, s], m, N),
        derivative(plain, b[s]),
        Setting(ranges={s: K}, scope=shapes),
        "db = 1ᵀG; for a single sample δ",
    )
    inputs = for_every_size(
        total(G[r, k] * W[s, k], k, K),
        derivative(plain, H[r, s]),
        Setting(ranges={r: N, s: D}, scope=shapes),
        "dH = G·Wᵀ",
    )
    recursion = for_every_size(
        phi(P[r, s]).fdiff() * total(G[r, k] * W[s, k], k, K),
        derivative(activated, P[r, s]),
        Setting(ranges={r: N, s: D}, scope=f"{shapes}, every differentiable φ"),
        "δ of a layer is (G·Wᵀ)·φ' with G the δ of the next",
    )
    agrees, detail = _deep_networks()
    evidence = (weights, bias, inputs, corroborated(recursion, agrees, detail))
    return backed(
        evidence,
        "affine",
        "network_tanh",
        "network_sigmoid",
        show=("affine_weights", "affine_bias", "affine_input", "network_any_activation_lemma"),
    )


def _deep_networks() -> tuple[bool, str]:
    """Check back-propagation through one to five layers, each depth with its own activation."""
    rng = generator("E2")
    activations = ("identity", "sigmoid", "tanh", "softplus", "log_sigmoid")
    verdicts = []
    for depth, activation in enumerate(activations, 1):
        network = reference.Network(activation=activation)
        sizes = [int(q) for q in rng.integers(3, 20, depth + 1)]
        parameters = reference.initial_parameters(sizes, rng)
        x, labels = rng.standard_normal((7, sizes[0])), rng.integers(0, sizes[-1], 7)
        report = gradcheck.check(
            lambda p, network=network, x=x, labels=labels: network.loss(x, labels, p),
            parameters,
            grad=lambda p, network=network, x=x, labels=labels: (
                network.backward(x, labels, p).parameters
            ),
            rng=int(rng.integers(2**31)),
            name=f"{depth} layers, {activation}",
        )
        verdicts.append(report.outcome)
    passed = sum(verdict == "pass" for verdict in verdicts)
    return passed == len(
        verdicts
    ), f"gradcheck passes the code for {passed} of {len(verdicts)} networks of 1 to 5 layers"


_WEIGHTS = tuple(map(sp.Rational, ("1/2", "3/2", "23/10", "3", "1", "1")))
_INPUT = (sp.Integer(1), sp.Rational(1, 2))
_TARGET, _RATE = sp.Integer(4), sp.Rational(1, 10)
_PRINTED_GRADIENT = ("1.05", "0.525", "1.05", "0.525", "1.3125", "3.99")
_PRINTED_STEP = ("0.395", "1.4475", "2.195", "2.9475", "0.86875", "0.601")


def _e3() -> Finding:
    w = tuple(real(f"w{q}") for q in range(1, 7))
    h = (w[0] * _INPUT[0] + w[1] * _INPUT[1], w[2] * _INPUT[0] + w[3] * _INPUT[1])
    y = w[4] * h[0] + w[5] * h[1]
    loss = (y - _TARGET) ** 2 / 2
    before = dict(zip(w, _WEIGHTS, strict=True))
    slope = [meaning(derivative(loss, s)).subs(before) for s in w]
    stepped = [value - _RATE * g for value, g in zip(_WEIGHTS, slope, strict=True)]
    after = dict(zip(w, stepped, strict=True))
    forward = [e.subs(before) for e in (*h, y, loss)] == list(
        map(sp.Rational, ("1.25", "3.8", "5.05", "0.55125"))
    )
    gradient = slope == list(map(sp.Rational, _PRINTED_GRADIENT))
    new = stepped == list(map(sp.Rational, _PRINTED_STEP))
    y_after, loss_after = y.subs(after), loss.subs(after)
    rounded = all(
        abs(value - sp.Rational(text)) <= sp.Rational(1, 20000)
        for value, text in ((y_after, "3.1768"), (loss_after, "0.3388"))
    )
    where = "x = (1, 0.5), t = 4, w = (0.5, 1.5, 2.3, 3, 1, 1)"
    rational = "exact rational arithmetic"
    step = exactly(
        new and rounded,
        rational,
        f"{where}, η = 0.1",
        f"one step gives the printed weights, then y = {float(y_after):.10g} and E = "
        f"{float(loss_after):.10g}, which round to the printed 3.1768 and 0.3388",
    )
    agrees = _example_in_code([float(v) for v in stepped])
    evidence = (
        exactly(forward, rational, where, "h = (1.25, 3.8), y = 5.05, E = 0.55125"),
        exactly(gradient, rational, where, "∂E/∂w = (1.05, 0.525, 1.05, 0.525, 1.3125, 3.99)"),
        corroborated(step, agrees, "the network and the SGD step of the code give the same"),
    )
    return backed(evidence)


def _example_in_code(expected: list[float]) -> bool:
    w = [float(v) for v in _WEIGHTS]
    network = reference.Network(activation="identity", criterion="squared_error")
    parameters = [
        {"W": np.array([[w[0], w[2]], [w[1], w[3]]]), "b": np.zeros(2)},
        {"W": np.array([[w[4]], [w[5]]]), "b": np.zeros(1)},
    ]
    gradient = network.backward([[1.0, 0.5]], [[4.0]], parameters).parameters
    without_bias = [{"W": layer["W"], "b": 0 * layer["b"]} for layer in gradient]
    hidden, output = reference.sgd_step(parameters, without_bias, 0.1)
    got = [*hidden["W"].T.ravel(), *output["W"].ravel()]
    return bool(np.allclose(got, expected, rtol=1e-14, atol=0))


def _e4() -> Finding:
    value, reward = family("V"), family("R")
    setting = Setting(ranges={k: n}, scope="every n ≥ 1 and every k")
    mean = total(softmax_of(j) * value[j, ell], j, n)
    attention = for_every_size(
        softmax_of(k) * (value[k, ell] - mean),
        derivative(total(softmax_of(i) * value[i, ell], i, n), z[k]),
        Setting(ranges={k: n, ell: D}, scope="every n ≥ 1, every k and every feature"),
        "attention: the score z_k moves the output Σ_i y_i·V_i by y_k(V_k − Σ_i y_i·V_i)",
    )
    score = for_every_size(
        delta(i, k) - softmax_of(k),
        derivative(sp.log(softmax_of(i)), z[k]),
        Setting(ranges={i: n, k: n}, pairs=((i, k),), scope="every n ≥ 1, every i and k"),
        "policy: ∂ ln π_i/∂z_k = δ_{ik} − π_k",
    )
    centred = for_every_size(
        sp.Integer(0),
        total(softmax_of(i) * (delta(i, k) - softmax_of(k)), i, n),
        setting,
        "its mean under the policy is 0",
    )
    gradient = for_every_size(
        total(softmax_of(i) * reward[i] * (delta(i, k) - softmax_of(k)), i, n),
        derivative(total(softmax_of(i) * reward[i], i, n), z[k]),
        setting,
        "policy gradient: the slope of the mean reward is the mean of R_i·∂ ln π_i/∂z_k",
    )
    evidence = (attention, score, centred, gradient, _attention_in_code())
    return backed(evidence, "log_softmax", "attention")


def _attention_in_code() -> Evidence:
    rng = generator("E4")
    shapes = ((12, 16), (20, 16), (20, 24))
    queries, keys, values = (rng.standard_normal(shape) for shape in shapes)
    report = gradcheck.check(
        reference.attention,
        (queries, keys, values),
        vjp=reference.attention_vjp,
        rng=int(rng.integers(2**31)),
        name="attention",
    )
    weights = reference.attention(queries, keys, np.eye(20))
    rows = float(np.abs(weights.sum(axis=-1) - 1).max())
    return measured(
        report.outcome == "pass" and rows < 1e-14,
        "gradcheck.check",
        "12 queries, 20 keys, 16 and 24 features",
        f"softmax(QKᵀ/√d)·V with its backward pass: {report.outcome}; rows of weights sum to 1 "
        f"within {rows:.0e}",
    )


def _claim(number: int, title: str, statement: str, examine: Callable[[], Finding]) -> Claim:
    return Claim(f"E{number}", title, _SOURCE, statement, examine)


CLAIMS = (
    _claim(
        1,
        "Softmax generalises the sigmoid",
        "softmax over (z, 0) is (σ(z), 1 − σ(z)); binary logistic regression is the case k = 2",
        _e1,
    ),
    _claim(
        2,
        "Back-propagation through layers",
        "in a network of affine maps and activations, δ of a layer follows from δ of the next "
        "through W and φ'; ∂L/∂W = (input of the layer)·δ, ∂L/∂b = δ; for a batch dW = HᵀG, db = "
        "1ᵀG, dH = G·Wᵀ",
        _e2,
    ),
    _claim(
        3,
        "A worked example",
        "x = (1, 0.5), h_1 = w_1·x_1 + w_2·x_2, h_2 = w_3·x_1 + w_4·x_2, y = w_5·h_1 + w_6·h_2, E "
        "= ½(y − t)², t = 4, w = (0.5, 1.5, 2.3, 3, 1, 1): h = (1.25, 3.8), y = 5.05, E = 0.55125, "
        "∂E/∂w = (1.05, 0.525, 1.05, 0.525, 1.3125, 3.99); one step with η = 0.1 gives w = (0.395, "
        "1.4475, 2.195, 2.9475, 0.86875, 0.601), then y = 3.1768, E = 0.3388",
        _e3,
    ),
    _claim(
        4,
        "Uses of softmax",
        "softmax serves as attention weights and as the distribution of a policy",
        _e4,
    ),
)
