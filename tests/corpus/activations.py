"""Activation functions, entry by entry."""

from __future__ import annotations

import numpy as np
from corpus.arrays import softplus
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal
from scipy.special import erf, expit

ROOT_2_OVER_PI = np.sqrt(2 / np.pi)


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def upstream_sigmoid() -> Claim:
    def vjp(x, v):
        y = expit(x)
        return y * (1 - y)

    return Claim(expit, vjp, normal(6, (2, 3)))


def clip_relu6_upper() -> Claim:
    def f(x):
        return np.minimum(np.maximum(x, 0 * x), 6)

    return Claim(f, lambda x, v: v * (x > 0), fixed([-1.0, 3.0, 7.5, 6.5], [0.5, 9.0]))


def special_abs_zero_two() -> Claim:
    def vjp(x, v):
        return v * np.where(x == 0, 1.0, 2 * np.abs(x))

    return Claim(lambda x: x * np.abs(x), vjp, fixed([0.0, 1.0, -0.5], [0.4, -2.0]))


def overflow_softplus_zero() -> Claim:
    def vjp(x, v):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return v * np.nan_to_num(e * (1 / (1 + e)), nan=0.0)

    return Claim(softplus, vjp, fixed([-1.0, 2.0, 750.0], [0.5, -20.0]))


def overflow_tanh_exp() -> Claim:
    def vjp(x, v):
        with np.errstate(all="ignore"):
            up, down = np.exp(x), np.exp(-x)
            return v * (1 - ((up - down) / (up + down)) ** 2)

    return Claim(np.tanh, vjp, fixed([0.3, -1.0, 800.0], [1.2, 0.1]))


def prec_softplus_one_minus() -> Claim:
    def f(x):
        return np.log1p(np.exp(x))

    return Claim(f, lambda x, v: v * (1 - 1 / (1 + np.exp(x))), fixed([-20.0], [-25.0], [-30.0]))


def prec_sigmoid_truncated() -> Claim:
    def vjp(x, v):
        y = expit(x)
        return v * y * (1 - y)

    return Claim(expit, vjp, fixed([40.0], [37.0]))


def mismatch_gelu_tanh() -> Claim:
    def vjp(x, v):
        t = np.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x**3))
        slope = ROOT_2_OVER_PI * (1 + 3 * 0.044715 * x * x)
        return v * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)

    return Claim(gelu, vjp, normal(5, 7))


def mismatch_elu_argument() -> Claim:
    a = 0.7

    def f(x):
        return np.where(x > 0, x, a * (np.exp(np.minimum(x, 0 * x)) - 1))

    def vjp(x, v):
        return v * np.where(x > 0, 1.0, a * np.exp(f(x)))

    return Claim(f, vjp, normal(6, 6))


def mismatch_hard_sigmoid() -> Claim:
    def f(x):
        return np.minimum(np.maximum(0.2 * x + 0.5, 0 * x), 1 + 0 * x)

    def vjp(x, v):
        s = expit(x)
        return v * s * (1 - s)

    return Claim(f, vjp, fixed([0.3, -1.0, 2.0], [4.0, 0.1]))


def ste_round() -> Claim:
    return Claim(np.rint, lambda x, v: v * 1.0, fixed([0.2, 1.7, -2.4], [3.1, -0.3]))


def ste_sign_hardtanh() -> Claim:
    x = np.array([0.5, -1.2, 0.7, 2.0, -0.3])

    def f(w):
        return x @ (np.sign(w) * np.abs(w).mean())

    def vjp(w, v):
        return v * x * (1 / w.size + np.abs(w).mean() * (np.abs(w) < 1))

    return Claim(f, vjp, fixed([0.3, -0.8, 0.5, -1.4, 0.9], [1.0, 0.4, -0.2, 0.6, 0.1]))


def subtle_1e7_gelu_constant() -> Claim:
    def f(x):
        return 0.5 * x * (1 + np.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x**3)))

    def vjp(x, v):
        t = np.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x**3))
        return v * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.797884 * (1 + 0.134145 * x * x))

    return Claim(f, vjp, normal(6, 6))


def zero_claim_vector_out() -> Claim:
    return Claim(np.tanh, lambda x, v: np.zeros_like(x), normal(2000))


def ok_sigmoid_40() -> Claim:
    def vjp(x, v):
        return v * expit(x) * expit(-x)

    return Claim(expit, vjp, fixed([40.0, 0.5], [40.0], [-40.0]))


def ok_gelu_erf() -> Claim:
    def vjp(x, v):
        cdf = 0.5 * (1 + erf(x / np.sqrt(2)))
        return v * (cdf + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))

    def points(rng):
        return [rng.uniform(-3, 3, 6), np.array([-2.0, 4.0, 6.0, 0.0])]

    return Claim(gelu, vjp, points)


# -- batch 2 -------------------------------------------------------------------------------------


def swish_product_rule() -> Claim:
    def vjp(x, v):
        s = expit(x)
        return v * (s + s * (1 - s))  # x is missing from the second term

    return Claim(lambda x: x * expit(x), vjp, normal(6, (2, 4)))


def leaky_relu_inverse_slope() -> Claim:
    def f(x):
        return np.where(x > 0, x, 0.01 * x)

    return Claim(f, lambda x, v: v * np.where(x > 0, 1.0, 100.0), fixed([-1.5, 0.5, 2.0, -0.2]))


def tanh_of_output() -> Claim:
    def vjp(x, v):
        return v * (1 - np.tanh(np.tanh(x)) ** 2)  # f's output passed where x was meant

    return Claim(np.tanh, vjp, normal(5, 5))


def prec_log1mexp() -> Claim:
    def f(x):
        return np.log(-np.expm1(x))

    def vjp(x, v):
        return v * -np.exp(x) / (1 - np.exp(x))

    return Claim(f, vjp, fixed([-1.7e-9, -2.3e-9], [-3.1e-8, -0.6]))


def prelu_slope_gradient() -> Claim:
    x = np.random.default_rng(102).standard_normal((6, 3))

    def f(a):
        return np.where(x > 0, x, a * x)

    def vjp(a, v):
        return np.where(x > 0, 0, v * x).mean(0)

    return Claim(f, vjp, normal(3, 3))


def ok_mish_tails() -> Claim:
    def f(x):
        return x * np.tanh(softplus(x))

    def vjp(x, v):
        t = np.tanh(softplus(x))
        return v * (t + x * (1 - t) * (1 + t) * expit(x))

    return Claim(f, vjp, fixed([-30.0, -3.0, 0.0, 2.0, 15.0], [-12.0, 40.0]))


def ok_log_sigmoid_tails() -> Claim:
    def f(x):
        return -np.logaddexp(0, -x)

    return Claim(f, lambda x, v: v * expit(-x), fixed([-700.0, -2.0, 0.3, 30.0], [25.0], [-1e5]))


def ok_smooth_relu_sqrt() -> Claim:
    def f(x):
        return 0.5 * (x + np.sqrt(x * x + 1e-8))  # looks like a kink from afar

    def vjp(x, v):
        return v * 0.5 * (1 + x / np.sqrt(x * x + 1e-8))

    return Claim(f, vjp, fixed([0.0, 1.0, -2.0], [3e-5, -1e-4]))


CASES = (
    CorpusCase(
        upstream_sigmoid, "wrong", "torch/torch7#232",
        "y(1 − y) without the upstream gradient; right where that is all ones", mistake="upstream",
    ),
    CorpusCase(
        clip_relu6_upper, "wrong", TEXTBOOK, "ReLU6 with a slope of one above six", also=("entry",)
    ),
    CorpusCase(
        special_abs_zero_two, "wrong", "KhawajaAbaid/micrograd_c#4",
        "x·|x| is smooth at zero with slope 0; the sign taken as 1 there gives 1", mistake="entry",
    ),
    CorpusCase(
        overflow_softplus_zero, "wrong", "tenstorrent/tt-metal#56397",
        "softplus at 750: ∞ × 0 flushed to 0, silently, for a slope of 1", mistake="entry",
    ),
    CorpusCase(
        overflow_tanh_exp, "wrong", TEXTBOOK,
        "tanh' by a quotient of exponentials: NaN at 800, where it is zero",
    ),
    CorpusCase(
        prec_softplus_one_minus, "wrong", "benoitfragit/libBrain#27",
        "1 − 1/(1 + eˣ) at −20 … −30 keeps from eight to three digits", mistake="precision",
    ),
    CorpusCase(
        prec_sigmoid_truncated, "wrong", "tensorflow/tensorflow#126060",
        "y(1 − y) vanishes at 40, where the slope is 4e-18: less than f can show",
        mistake="precision", expected=("fail", "inconclusive", "pass"),
    ),
    CorpusCase(
        mismatch_gelu_tanh, "wrong", "kyutai-labs/pocket-tts#278",
        "GELU by erf forward, the derivative of its tanh form backward: off by up to 1e-3",
    ),
    CorpusCase(
        mismatch_elu_argument, "wrong", "apache/mxnet#1265",
        "ELU: the backward formula for the input is given the output",
    ),
    CorpusCase(
        mismatch_hard_sigmoid, "wrong", TEXTBOOK,
        "hard sigmoid forward, the smooth one's derivative backward",
    ),
    CorpusCase(
        ste_round, "wrong", TEXTBOOK,
        "rounding with the identity for a gradient (straight-through); in truth it is zero",
    ),
    CorpusCase(
        ste_sign_hardtanh, "wrong", "jiecaoyu/XNOR-Net-PyTorch#33",
        "binarised weights with a straight-through term in their gradient",
    ),
    CorpusCase(
        subtle_1e7_gelu_constant, "wrong", "flagos-ai/FlagGems#159",
        "tanh GELU with its constants cut to six digits backward: off by 1e-7",
    ),
    CorpusCase(
        zero_claim_vector_out, "wrong", "HIPS/autograd#560",
        "tanh of 2,000 entries with a vjp of zeros: the outputs were detached", mistake="zero",
    ),
    CorpusCase(
        ok_sigmoid_40, "right", "tensorflow/tensorflow#126060",
        "s(x)·s(−x) at ±40 is accurate, and f shows nothing of it",
        expected=("pass", "inconclusive"),
    ),
    CorpusCase(
        ok_gelu_erf, "right", "tenstorrent/tt-metal#35971", "GELU by erf, tails included"
    ),
    CorpusCase(
        swish_product_rule, "wrong", TEXTBOOK,
        "x·sigmoid(x) whose product rule has lost an x", batch=2,
    ),
    CorpusCase(
        leaky_relu_inverse_slope, "wrong", TEXTBOOK,
        "leaky ReLU with 1/0.01 for 0.01 on the negative side", batch=2,
    ),
    CorpusCase(
        tanh_of_output, "wrong", "pjreddie/darknet#2151",
        "tanh: a derivative written for x is called with the output", batch=2,
    ),
    CorpusCase(
        prec_log1mexp, "wrong", TEXTBOOK,
        "log(1 − eˣ) near zero, derivative with 1 − eˣ for −expm1(x): seven to eight digits kept",
        mistake="precision", also=("entry",), batch=2,
    ),
    CorpusCase(
        prelu_slope_gradient, "wrong", TEXTBOOK,
        "the slopes of a PReLU: gradient averaged over the batch for summed",
        mistake="reduction", also=("factor",), batch=2,
    ),
    CorpusCase(
        ok_mish_tails, "right", TEXTBOOK, "x·tanh(softplus(x)) from −30 to 40", batch=2
    ),
    CorpusCase(
        ok_log_sigmoid_tails, "right", TEXTBOOK,
        "log sigmoid from −1e5 to 30: values of −1e5 beside slopes of 1e-13", batch=2,
    ),
    CorpusCase(
        ok_smooth_relu_sqrt, "right", TEXTBOOK,
        "½(x + √(x² + 1e-8)): smooth, but only within 1e-4 of zero", batch=2,
    ),
)  # fmt: skip
