"""The claims of document A: activations, softmax, cross-entropy, mini-batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

import reference
from derivations.claims import document_a_batches
from derivations.claims.examine import (
    Setting,
    corroborated,
    exactly,
    for_all_reals,
    for_every_size,
    measured,
    positive,
    prints_as,
)
from derivations.confrontation.confront import backed
from derivations.expressions.language import (
    Y,
    delta,
    derivative,
    family,
    i,
    j,
    k,
    n,
    positive_family,
    r,
    real,
    total,
    x,
    z,
)
from derivations.expressions.language import positive as positive_symbol
from derivations.kernels.witness import interval_context
from derivations.plan import generator
from derivations.records import Claim, Evidence, Finding, Hypothesis, Standing

if TYPE_CHECKING:
    from collections.abc import Callable


_SOURCE = "document A, section 3.8"
_EVERY_N = "every n ≥ 1"
_EVERY_K = Setting(ranges={k: n}, scope="every n ≥ 1 and every k")
_EVERY_PAIR = Setting(ranges={i: n, k: n}, pairs=((i, k),), scope="every n ≥ 1, every i and k")

_NORMALISER = total(sp.exp(z[j]), j, n)


def softmax_of(entry: sp.Expr) -> sp.Expr:
    """Return softmax(z) at an index, written out."""
    return sp.exp(z[entry]) / _NORMALISER


def _a1() -> Finding:
    sigma = 1 / (1 + sp.exp(-x))
    claimed = sigma * (1 - sigma)
    evidence = for_all_reals(claimed, derivative(sigma, x), "all real x", "σ' − σ(1 − σ) = 0")
    return backed((evidence,), "sigmoid", show=("sigmoid_derivative",))


def _a2() -> Finding:
    ratio = (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x))
    slope = for_all_reals(
        1 - ratio**2, derivative(ratio, x), "all real x", "tanh' − (1 − tanh²) = 0"
    )
    name = for_all_reals(ratio, sp.tanh(x), "all real x", "the ratio of exponentials is tanh")
    return backed((slope, name), "tanh", show=("tanh_derivative",))


def _a3() -> Finding:
    y = family("y")
    loss = total((y[i] - Y[i]) ** 2, i, n) / 2
    evidence = for_every_size(
        y[k] - Y[k], derivative(loss, y[k]), _EVERY_K, "∂E/∂y_k − (y_k − Y_k) = 0"
    )
    return backed((evidence,), "squared_error", show=("squared_error_gradient",))


def _a4() -> Finding:
    others = total((1 - delta(i, j)) * sp.exp(z[j]), j, n)
    split = for_every_size(
        softmax_of(i),
        sp.exp(z[i]) / (sp.exp(z[i]) + others),
        Setting(ranges={i: n}, scope="every n ≥ 1 and every i"),
        "y_i = a/(a + R) with a = e^{z_i} and R the sum over the others",
    )
    a, R = positive_symbol("a"), positive_symbol("R")
    lower = positive(a / (a + R), split.standing, "every n ≥ 2", "y_i = a/(a + R) > 0")
    upper = positive(
        1 - a / (a + R),
        split.standing,
        "every n ≥ 2",
        "1 − y_i = R/(a + R) > 0; with one class alone, y is 1",
    )
    one = for_every_size(
        sp.Integer(1), total(softmax_of(i), i, n), Setting(ranges={}, scope=_EVERY_N), "Σ y_i = 1"
    )
    order = for_every_size(
        softmax_of(k) * sp.exp(z[i] - z[k]),
        softmax_of(i),
        _EVERY_PAIR,
        "y_i = y_k·e^{z_i − z_k}: the larger logit has the larger probability, because exp "
        "increases",
    )
    agrees, figures = _softmax_in_floating_point()
    return backed(
        (split, lower, upper, one, corroborated(order, agrees, figures)),
        "softmax",
        show=("softmax_sums_to_one",),
    )


def _softmax_in_floating_point() -> tuple[bool, str]:
    rng = generator("A4")
    rows, worst, agrees = 400, 0.0, True
    for _ in range(rows):
        logits = rng.standard_normal(rng.integers(2, 300)) * 10.0 ** rng.integers(-2, 3)
        y = reference.softmax(logits)
        worst = max(worst, abs(float(y.sum()) - 1))
        # Rounding may reach the ends of [0, 1]; it must not pass them.
        inside = bool(np.all((y >= 0) & (y <= 1)))
        agrees &= inside and int(y.argmax()) == int(logits.argmax())
    agrees &= worst < 300 * float(np.finfo(float).eps)
    return (
        agrees,
        f"the code on {rows} random rows has the same argmax and sums within {worst:.0e} of 1",
    )


def _a5() -> Finding:
    M, y = real("M"), positive_symbol("y")
    probabilities = positive_family("y")
    target = for_every_size(
        -sp.log(probabilities[k]),
        -total(delta(i, k) * sp.log(probabilities[i]), i, n),
        _EVERY_K,
        "for the one-hot label of class k, CE = −ln y_k",
    )
    level = for_all_reals(
        M,
        -sp.log(sp.exp(-M)),
        "all real M",
        "CE = M exactly where y = e^{−M}: any bound is passed as y → 0, and M → 0 as y → 1",
    )
    slope = for_all_reals(
        -1 / y, derivative(-sp.log(y), y), "all y > 0", "the slope of CE = −ln y is −1/y"
    )
    falling = positive(
        1 / y, Standing.PROVED_REAL, "all y > 0", "−dCE/dy = 1/y > 0: CE falls with y"
    )
    points = ("1e-300", "1e-12", "0.5", "0.999999999999")
    table = [("probability of the target", "cross-entropy of the code", "−ln y at 50 digits")]
    agrees = True
    for point in points:
        code = float(reference.cross_entropy([float(point), 1 - float(point)], 0))
        with mpmath.workdps(50):
            true = -mpmath.log(mpmath.mpf(float(point)))
        agrees &= abs(code - true) <= 4 * math.ulp(float(true))
        table.append((point, f"{code:.12g}", mpmath.nstr(true, 15)))
    evidence = (target, corroborated(level, agrees, "the code follows, see the table"))
    return backed((*evidence, slope, falling), "cross_entropy", table=tuple(table))


def _a6() -> Finding:
    y = positive_family("y")
    loss = -total(Y[i] * sp.log(y[i]), i, n)
    evidence = for_every_size(
        -Y[k] / y[k], derivative(loss, y[k]), _EVERY_K, "∂CE/∂y_k + Y_k/y_k = 0"
    )
    return backed((evidence,), "cross_entropy_soft", show=("cross_entropy_gradient",))


def jacobian_by_cases(output: sp.Expr, logit: sp.Expr) -> sp.Expr:
    """Return the claimed Jacobian: y_i(1 − y_i) if i = k, −y_i·y_k if not."""
    y_i, y_k, same = softmax_of(output), softmax_of(logit), delta(output, logit)
    return same * y_i * (1 - y_i) + (1 - same) * (-y_i * y_k)


def _a7() -> Finding:
    evidence = for_every_size(
        jacobian_by_cases(i, k),
        derivative(softmax_of(i), z[k]),
        _EVERY_PAIR,
        "the difference is 0 in the case i = k and in the case i ≠ k",
    )
    return backed(
        (evidence,),
        "softmax_jacobian",
        "softmax",
        show=(
            "softmax_jacobian",
            "softmax_jacobian_diagonal",
            "softmax_jacobian_off_diagonal",
        ),
    )


def _a8() -> Finding:
    loss = -total(Y[i] * sp.log(softmax_of(i)), i, n)
    slope = derivative(loss, z[k])
    one = Hypothesis(total(Y[i], i, n), sp.Integer(1), "Σ Y_i = 1")
    fused = softmax_of(k) - Y[k]
    chain = for_every_size(
        total(-Y[i] / softmax_of(i) * jacobian_by_cases(i, k), i, n),
        slope,
        _EVERY_K,
        "the chain rule over all i, with the derivatives of A6 and A7",
    )
    every_label = for_every_size(
        softmax_of(k) * total(Y[i], i, n) - Y[k],
        slope,
        Setting(ranges={k: n}, scope="every n ≥ 1, every k, any labels"),
        "without any hypothesis the gradient is y_k·ΣY − Y_k",
    )
    summing = Setting(
        ranges={k: n}, scope="every n ≥ 1, every k, labels with Σ Y_i = 1", hypotheses=(one,)
    )
    result = for_every_size(fused, slope, summing, "the gradient is y_k − Y_k")
    counterexample = for_every_size(fused, slope, _EVERY_K, "")
    needed = corroborated(
        every_label,
        counterexample.standing is Standing.REFUTED,
        f"the form y_k − Y_k alone fails there, as at {counterexample.scope}: "
        f"{counterexample.detail}",
    )
    return backed(
        (chain, needed, result, *_labels_that_sum_to_one()),
        "softmax_cross_entropy",
        "softmax_cross_entropy_soft",
        show=(
            "softmax_cross_entropy_gradient",
            "softmax_cross_entropy_gradient_by_cases",
            "softmax_cross_entropy_gradient_any_labels",
        ),
    )


def _labels_that_sum_to_one() -> tuple[Evidence, ...]:
    epsilon = real("epsilon")
    setting = Setting(ranges={r: n}, scope="every n ≥ 1 and every class r")
    hot = for_every_size(
        sp.Integer(1), total(delta(i, r), i, n), setting, "one-hot labels sum to 1"
    )
    smooth = for_every_size(
        sp.Integer(1),
        total((1 - epsilon) * delta(i, r) + epsilon / n, i, n),
        setting,
        "smoothed labels (1 − ε)·onehot + ε/n sum to 1 too: the gradient is not for one-hot labels "
        "only",
    )
    return hot, smooth


def _a9() -> Finding:
    ctx = interval_context()
    exponentials = [ctx.exp(ctx.mpf(p) / 10) for p in (20, 10, 1)]
    y = [e / sum(exponentials, start=ctx.mpf(0)) for e in exponentials]
    loss = -ctx.log(y[0])
    printed = ("0.659", "0.242", "0.099", "0.417", "0.4170300162778335")
    names = ("y_1", "y_2", "y_3", "loss", "loss, all digits")
    values = (*y, loss, loss)
    rows = zip(names, printed, values, strict=True)
    table = (
        ("quantity", "printed", "at 40 digits"),
        *((name, text, mpmath.nstr(mpmath.mpf(v.mid), 20)) for name, text, v in rows),
    )
    holds = all(prints_as(v, text) for v, text in zip(values, printed, strict=True))
    proof = exactly(holds, "interval arithmetic", "z = (2, 1, 0.1)", "every printed digit is right")
    code = float(reference.softmax_cross_entropy([2.0, 1.0, 0.1], 0))
    agrees = abs(code - 0.4170300162778335) <= 2 * math.ulp(code)
    evidence = corroborated(proof, agrees, f"the code gives {code!r}")
    return backed((evidence,), table=table)


_GAPS = (10.0, 30.0, 40.0, 700.0, 740.0, 750.0, 1000.0)


def _a10() -> Finding:
    table = [("logits", "true loss", "softmax, then log", "the same after a shift", "fused")]
    broken, ulps = 0, 0.0
    for gap in _GAPS:
        for logits in ((0.0, gap), (gap, 0.0)):
            with mpmath.workdps(400):  # e^−1000 still has digits beside 1
                far = gap if logits[1] else 0
                true = far + mpmath.log1p(mpmath.exp(-mpmath.mpf(gap)))
            fused = float(reference.softmax_cross_entropy(logits, 0))
            plain, shifted = _two_functions(logits, 0.0), _two_functions(logits, max(logits))
            ulps = max(ulps, float(abs(fused - true) / math.ulp(float(true))))
            broken += _is_broken(plain, true) + _is_broken(shifted, true)
            shown = (f"({logits[0]:g}, {logits[1]:g})", mpmath.nstr(true, 8))
            table.append((*shown, f"{plain:.8g}", f"{shifted:.8g}", f"{fused:.8g}"))
    underflow = measured(
        broken > 0,
        "comparison with 400 digits",
        f"{len(table) - 1} pairs of logits, the first class is the target",
        f"computed in two functions, {broken} of {2 * (len(table) - 1)} losses are NaN, ∞ or 0 "
        "where the true loss is none of these",
    )
    stable = measured(
        ulps <= 4,
        "comparison with 400 digits",
        "the same logits",
        f"the fused loss is off by {ulps:.2g} ulp",
    )
    return backed(
        (underflow, stable),
        "softmax",
        show=("softmax_shift_invariance",),
        table=tuple(table),
    )


def _two_functions(logits: tuple[float, float], shift: float) -> float:
    """Return the loss of the first class by softmax and log, each on its own."""
    with np.errstate(all="ignore"):
        exponentials = np.exp(np.array(logits) - shift)
        probabilities = exponentials / exponentials.sum()
        return float(0.0 - np.log(probabilities[0]))  # 0, not −0, for a probability of 1


def _is_broken(loss: float, true: Any) -> bool:
    return not math.isfinite(loss) or (loss == 0 and float(true) > 0)


def _claim(number: int, title: str, statement: str, examine: Callable[[], Finding]) -> Claim:
    return Claim(f"A{number}", title, _SOURCE, statement, examine)


CLAIMS = (
    _claim(1, "Derivative of the sigmoid", "σ(x) = 1/(1 + e^{−x}), σ'(x) = σ(x)(1 − σ(x))", _a1),
    _claim(
        2,
        "Derivative of tanh",
        "tanh x = (e^x − e^{−x})/(e^x + e^{−x}), tanh'(x) = 1 − tanh² x",
        _a2,
    ),
    _claim(3, "Gradient of the squared error", "E = ½|y − Y|², its gradient in y is y − Y", _a3),
    _claim(
        4,
        "Softmax is a distribution",
        "y_i = e^{z_i}/Σ_j e^{z_j}: every output lies in (0, 1), the outputs sum to 1, the largest "
        "logit gets the largest probability",
        _a4,
    ),
    _claim(
        5,
        "Limits of the cross-entropy",
        "CE(Y, y) = −Σ Y_i ln y_i → 0 when the target’s probability → 1, → +∞ when it → 0",
        _a5,
    ),
    _claim(6, "Gradient of the cross-entropy", "∂CE/∂y_i = −Y_i/y_i", _a6),
    _claim(
        7,
        "Jacobian of softmax",
        "∂y_i/∂z_k = y_i(1 − y_i) if i = k, −y_i·y_k if i ≠ k",
        _a7,
    ),
    _claim(
        8,
        "Gradient of softmax and cross-entropy together",
        "∂E/∂z_k = y_k − Y_k, as a vector y − Y; the document says that it needs one-hot labels, "
        "it needs only Σ Y_i = 1, and without that it is y_k·ΣY − Y_k",
        _a8,
    ),
    _claim(
        9,
        "A worked example",
        "z = (2.0, 1.0, 0.1) gives y = (0.659, 0.242, 0.099); with the first class as the target "
        "the loss is 0.417 (0.4170300162778335)",
        _a9,
    ),
    _claim(
        10,
        "Why softmax and log are fused",
        "softmax and log computed one after the other underflow; the fused function is the stable "
        "one",
        _a10,
    ),
    _claim(
        11,
        "Mini-batch gradient descent",
        "a step uses the mean gradient of a batch (typically 50 to 200 samples); one pass over all "
        "samples is an epoch; training takes several epochs, samples in random order",
        document_a_batches.minibatches,
    ),
)
