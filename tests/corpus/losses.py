"""Losses and log-likelihoods."""

from __future__ import annotations

import numpy as np
from corpus.arrays import logsumexp, softmax, softplus
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal
from scipy.special import digamma, expit, gammaln


def sign_quantile_branch() -> Claim:
    y = np.array([0.3, -1.2, 2.0, 0.1, -0.4, 1.5])
    a = 0.8

    def f(p):
        d = y - p
        return np.where(d > 0, a * d, (a - 1) * d).sum()

    def vjp(p, v):
        return v * np.where(y - p > 0, -a, -(1 - a))

    return Claim(f, vjp, normal(6, 6))


def factor2_l2_reg() -> Claim:
    r = np.random.default_rng(5)
    X, t, reg = r.standard_normal((12, 4)), r.integers(0, 3, 12), 0.1
    rows = np.arange(12)

    def f(w):
        s = X @ w
        return (logsumexp(s) - s[rows, t]).mean() + reg * (w * w).sum()

    def vjp(w, v):
        p = softmax(X @ w)
        p[rows, t] -= 1
        return v * (X.T @ p / 12 + reg * w)

    return Claim(f, vjp, normal((4, 3), (4, 3)))


def factor_inv_sigma() -> Claim:
    y, s = np.array([1.0, 0.2, -0.3, 2.2]), 1.05

    def f(m):
        return (0.5 * ((y - m) / s) ** 2).sum() + 4 * np.log(s)

    return Claim(f, lambda m, v: v * (m - y) / s, normal(4, 4))


def clip_bce() -> Claim:
    t = np.array([1.0, 1, 0, 0])

    def f(p):
        q = np.minimum(np.maximum(p, 1e-4), 1 - 1e-4) + 0 * p
        return -(t * np.log(q) + (1 - t) * np.log(1 - q)).sum()

    def vjp(p, v):
        return v * ((1 - t) / (1 - p) - t / p)

    return Claim(f, vjp, fixed([0.3, 2e-5, 0.6, 0.2], [0.5, 0.4, 0.99995, 0.1]))


def labels_not_normalised() -> Claim:
    t = np.array([[0.0, 0, 0], [1, 1, 0], [0, 0, 1]])

    def f(s):
        return -(t * (s - logsumexp(s, keepdims=True))).sum()

    return Claim(f, lambda s, v: v * (softmax(s) - t), normal((3, 3), (3, 3)))


def labels_index_row() -> Claim:
    t = np.array([0, 2, 2, 1])

    def f(s):
        return (logsumexp(s) - s[np.arange(4), t]).mean()

    def vjp(s, v):
        p = softmax(s)
        p[:, t] -= 1
        return v * p / 4

    return Claim(f, vjp, normal((4, 3), (4, 3)))


def overflow_logsumexp() -> Claim:
    def vjp(x, v):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return v * e / e.sum()

    return Claim(logsumexp, vjp, fixed([1000.0, 999.0, 990.0], [1.0, 2.0, 0.0]))


def prec_logsumexp_shift() -> Claim:
    def vjp(x, v):
        return v * np.exp(x - logsumexp(x))

    return Claim(logsumexp, vjp, fixed([1e10, 1e10], [1.5e9, 1.5e9 + 0.25]))


def shape_n_outputs() -> Claim:
    def f(p):
        return 0.5 * (p * p).mean()

    return Claim(f, lambda p, v: v * p / p.shape[0], normal((5, 1), (5, 3), (4, 2)))


def branch_huber_tail() -> Claim:
    def f(x):
        a = np.abs(x)
        return np.where(a <= 3, 0.5 * x * x, 3 * (a - 1.5)).sum()

    def vjp(x, v):
        return v * np.where(np.abs(x) <= 3, x, 6 * np.sign(x))

    def points(rng):
        inside = np.clip(rng.standard_normal(50), -2.9, 2.9)
        one_outside = inside[::-1].copy()
        one_outside[17] = -4.2
        return [inside, one_outside]

    return Claim(f, vjp, points)


def hess_kl_target_zero() -> Claim:
    x = np.log(np.array([0.2, 0.5, 0.3]))

    def f(t):
        return np.log(t) + 1 - x

    return Claim(f, lambda t, v: np.zeros_like(t), fixed([0.3, 0.3, 0.4], [0.1, 0.7, 0.2]))


def subtle_1e7_denominator() -> Claim:
    def points(rng):
        return [rng.uniform(0.7, 1, 6) for _ in range(2)]

    return Claim(lambda x: np.log(x).sum(), lambda x, v: v / (x + 1e-7), points)


def zero_claim_1e5_logistic() -> Claim:
    n = 100_000

    def f(x):
        return softplus(x).sum() / n

    return Claim(f, lambda x, v: np.zeros_like(x), normal(n))


def ok_softmax_ce() -> Claim:
    r = np.random.default_rng(51)
    X, t = r.standard_normal((12, 4)), r.integers(0, 3, 12)
    rows = np.arange(12)

    def f(w):
        s = X @ w
        return (logsumexp(s) - s[rows, t]).mean() + 0.05 * (w * w).sum()

    def vjp(w, v):
        p = softmax(X @ w)
        p[rows, t] -= 1
        return v * (X.T @ p / 12 + 0.1 * w)

    return Claim(f, vjp, normal((4, 3), (4, 3)))


def ok_bce_logits_50() -> Claim:
    t = np.array([1.0, 0.0, 1.0, 0.0])

    def f(z):
        return (softplus(z) - t * z).sum()

    def vjp(z, v):
        return v * np.where(t > 0, -expit(-z), expit(z))

    return Claim(f, vjp, fixed([50.0, -50.0, -3.0, 800.0], [0.2, 30.0, -30.0, 1.0]))


def ok_large_logistic_1e5() -> Claim:
    n = 100_000

    def f(x):
        return softplus(x).sum() / n

    return Claim(f, lambda x, v: v * expit(x) / n, normal(n))


def ok_gamma_loglik() -> Claim:
    y = np.array([0.3, 1.2, 2.5, 0.8])

    def f(p):
        a, b = np.exp(p[0]), np.exp(p[1])
        return (a * p[1] - gammaln(a) + (a - 1) * np.log(y) - b * y).sum()

    def vjp(p, v):
        a, b = np.exp(p[0]), np.exp(p[1])
        shape = a * (4 * p[1] - 4 * digamma(a) + np.log(y).sum())
        return v * np.array([shape, 4 * a - b * y.sum()])

    return Claim(f, vjp, fixed([0.4, -0.2], [3.0, 2.0]))


# -- batch 2 -------------------------------------------------------------------------------------


def kl_reversed() -> Claim:
    q = softmax(np.array([0.2, -1.0, 0.7, 0.1]))

    def f(z):
        p = softmax(z)
        return (p * (np.log(p) - np.log(q))).sum()

    def vjp(z, v):
        return v * (softmax(z) - q)  # of KL(q‖p)

    return Claim(f, vjp, normal(4, 4))


def soft_labels_twice() -> Claim:
    t = softmax(np.random.default_rng(101).standard_normal((4, 5)))

    def f(s):
        return -(t * (s - logsumexp(s, keepdims=True))).sum() / 4

    return Claim(f, lambda s, v: v * (softmax(s) - t) / 2, normal((4, 5), (4, 5)))


def focal_constant_weight() -> Claim:
    t = np.array([1.0, 0, 1, 1, 0, 0])

    def f(z):
        p = expit(np.where(t > 0, z, -z))
        return (-((1 - p) ** 2) * np.log(p)).sum()

    def vjp(z, v):
        s = np.where(t > 0, 1.0, -1.0)
        p = expit(s * z)
        return v * -s * (1 - p) ** 3  # the weight (1 − p)² taken for a constant

    return Claim(f, vjp, normal(6, 6))


def poisson_eps_in_log() -> Claim:
    y = np.array([3.0, 0.0, 1.0, 5.0, 2.0])

    def f(rate):
        return (rate - y * np.log(rate + 1e-3)).sum()

    def points(rng):
        return [rng.uniform(0.5, 4, 5) for _ in range(2)]

    return Claim(f, lambda rate, v: v * (1 - y / rate), points)


def hinge_margin_violators() -> Claim:
    t = np.array([1, 0, 2])
    rows = np.arange(3)

    def f(s):
        m = np.maximum(0, s - s[rows, t][:, None] + 1)
        m[rows, t] = 0
        return m.sum()

    def vjp(s, v):
        g = (s - s[rows, t][:, None] + 1 > 0).astype(float)
        g[rows, t] = -1.0  # of several violated margins only one is counted
        return v * g

    return Claim(f, vjp, fixed([[0.1, 0.4, 0.3], [2.0, 0.5, 1.9], [0.0, 0.2, -1.0]]))


def ok_masked_softmax_ce() -> Claim:
    mask = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 1]], dtype=bool)
    t = np.array([1, 3, 2])
    rows = np.arange(3)

    def masked(s):
        return np.where(mask, s, -np.inf)

    def f(s):
        z = masked(s)
        return (logsumexp(z) - z[rows, t]).mean()

    def vjp(s, v):
        p = softmax(masked(s))
        p[rows, t] -= 1
        return v * p / 3

    return Claim(f, vjp, normal((3, 4), (3, 4)))


def ok_logsumexp_1000() -> Claim:
    def points(rng):
        return [1000 + rng.standard_normal(6), np.array([-1000.0, -1001.0, -1e3 - 1e-3])]

    return Claim(logsumexp, lambda x, v: v * softmax(x), points)


def ok_entropy_near_zero() -> Claim:
    def f(p):
        return -(p * np.log(p)).sum()

    return Claim(f, lambda p, v: -v * (np.log(p) + 1), fixed([1e-12, 0.3, 1e-5], [1e-30, 1.0]))


def ok_student_t_loglik() -> Claim:
    y = np.array([0.1, -0.4, 1e4, 0.3])

    def f(p):
        m, s, nu = p[0], np.exp(p[1]), np.exp(p[2])
        z = (y - m) / s
        norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - p[1]
        return (norm - (nu + 1) / 2 * np.log1p(z * z / nu)).sum()

    def vjp(p, v):
        s, nu = np.exp(p[1]), np.exp(p[2])
        z = (y - p[0]) / s
        w = (nu + 1) / (nu + z * z)
        dnu = 0.5 * (digamma((nu + 1) / 2) - digamma(nu / 2) - 1 / nu - np.log1p(z * z / nu))
        dnu = dnu + 0.5 * w * z * z / nu
        return v * np.array([(w * z / s).sum(), (w * z * z - 1).sum(), nu * dnu.sum()])

    return Claim(f, vjp, fixed([0.2, -0.3, 1.0]))


CASES = (
    CorpusCase(
        sign_quantile_branch, "wrong", "scikit-learn/scikit-learn#9539",
        "pinball loss, the slope of the lower branch has the other sign", mistake="sign",
    ),
    CorpusCase(
        factor2_l2_reg, "wrong", "jingtinghuang/CS231n-Spring-2017#3",
        "softmax loss whose penalty reg·Σw² adds reg·w for 2·reg·w",
    ),
    CorpusCase(
        factor_inv_sigma, "wrong", TEXTBOOK,
        "Gaussian negative log-likelihood in μ, divided by σ = 1.05 once instead of twice",
        mistake="factor",
    ),
    CorpusCase(
        clip_bce, "wrong", TEXTBOOK,
        "binary cross-entropy of clipped probabilities; backward ignores that the clip is flat outside",
        mistake="entry",
    ),
    CorpusCase(
        labels_not_normalised, "wrong", "tensorflow/tensorflow#60314",
        "p − t although the labels of two rows don't sum to one",
    ),
    CorpusCase(
        labels_index_row, "wrong", TEXTBOOK,
        "one is subtracted from whole columns, p[:, t], instead of from one entry per row",
    ),
    CorpusCase(
        overflow_logsumexp, "wrong", "FluxML/NNlib.jl#68",
        "softmax without the shift in the backward pass: NaN at 1000",
    ),
    CorpusCase(
        prec_logsumexp_shift, "wrong", "stan-dev/math#1679",
        "exp(a − f) at a = 1e10 is off by 5e-7, and f's own rounding hides it", mistake="precision",
        expected=("fail", "inconclusive", "pass"),
    ),
    CorpusCase(
        shape_n_outputs, "wrong", "scikit-learn/scikit-learn#8349",
        "mean over samples and outputs, backward divides by the samples alone; right for one output",
        mistake="reduction", also=("factor",),
    ),
    CorpusCase(
        branch_huber_tail, "wrong", TEXTBOOK,
        "Huber loss with a slope twice too large in its tails, where one residual of 50 lies",
        mistake="entry",
    ),
    CorpusCase(
        hess_kl_target_zero, "wrong", "pytorch/pytorch#65466",
        "second derivative of the KL divergence in its target: zero for 1/t", mistake="zero",
    ),
    CorpusCase(
        subtle_1e7_denominator, "wrong", TEXTBOOK,
        "log-probabilities with 1/(p + 1e-7) as their derivative: off by 1e-7", mistake="epsilon",
    ),
    CorpusCase(
        zero_claim_1e5_logistic, "wrong", TEXTBOOK,
        "mean logistic loss of 100,000 logits with a gradient of zeros (5e-6 each in truth)",
        mistake="zero",
    ),
    CorpusCase(
        ok_softmax_ce, "right", TEXTBOOK, "softmax cross-entropy of a linear layer, with a penalty"
    ),
    CorpusCase(
        ok_bce_logits_50, "right", "tracel-ai/burn#5373",
        "binary cross-entropy of saturated logits, −50, 50 and 800",
    ),
    CorpusCase(
        ok_large_logistic_1e5, "right", TEXTBOOK,
        "mean logistic loss of 100,000 logits: entries of 5e-6",
    ),
    CorpusCase(
        ok_gamma_loglik, "right", TEXTBOOK,
        "gamma log-likelihood in log shape and log rate, by gammaln and digamma",
    ),
    CorpusCase(
        kl_reversed, "wrong", TEXTBOOK,
        "KL(softmax(z)‖q) with the gradient of KL(q‖softmax(z))", batch=2,
    ),
    CorpusCase(
        soft_labels_twice, "wrong", "deepjavalibrary/djl#520",
        "cross-entropy with soft labels, half as large as it should be", mistake="factor", batch=2,
    ),
    CorpusCase(
        focal_constant_weight, "wrong", TEXTBOOK,
        "focal loss: the weight (1 − p)² is held constant in the backward pass", batch=2,
    ),
    CorpusCase(
        poisson_eps_in_log, "wrong", TEXTBOOK,
        "Poisson loss with log(rate + 1e-3), backward with 1/rate", mistake="epsilon", batch=2,
    ),
    CorpusCase(
        hinge_margin_violators, "wrong", TEXTBOOK,
        "multi-class hinge loss: the true class gets −1 however many margins are violated", batch=2,
    ),
    CorpusCase(
        ok_masked_softmax_ce, "right", TEXTBOOK,
        "cross-entropy after masking by −∞: zero gradient at the masked logits", batch=2,
    ),
    CorpusCase(
        ok_logsumexp_1000, "right", TEXTBOOK, "log-sum-exp of numbers around ±1000", batch=2
    ),
    CorpusCase(
        ok_entropy_near_zero, "right", TEXTBOOK,
        "−Σ p log p with p down to 1e-30: steps must not cross zero", batch=2,
    ),
    CorpusCase(
        ok_student_t_loglik, "right", TEXTBOOK,
        "Student t log-likelihood in location, log scale and log degrees of freedom, one outlier of 1e4",
        batch=2,
    ),
)  # fmt: skip
