"""Elementary and special functions, densities and kernels."""

from __future__ import annotations

import numpy as np
from corpus.arrays import spd, symmetric
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal
from scipy.special import digamma, expit, gammaln, ndtr


def sign_mvn_cov() -> Claim:
    d = np.array([0.7, -1.1, 0.4])

    def f(S):
        S = symmetric(S)
        return -0.5 * np.linalg.slogdet(S)[1] - 0.5 * d @ np.linalg.solve(S, d)

    def vjp(S, v):
        P = np.linalg.inv(symmetric(S))
        a = P @ d
        return v * 0.5 * (P - np.outer(a, a))

    return Claim(f, vjp, lambda rng: [spd(rng, 3), spd(rng, 3)])


def special_xlogy_zero() -> Claim:
    y = np.array([2.0, 2.0, 3.0])

    def vjp(x, v):
        return np.where(x == 0, 0.0, v * np.log(y))

    return Claim(lambda x: x * np.log(y), vjp, fixed([0.0, 1.0, 0.5], [0.3, 0.7, 0.0]))


def special_where_sqrt() -> Claim:
    def f(x):
        y = np.where(x > 0, x, 0 * x + 1)
        return np.where(x > 0, y * np.sqrt(y), 0 * x)

    def vjp(x, v):
        m = (x > 0).astype(float)
        with np.errstate(all="ignore"):
            s = np.sqrt(np.maximum(x, 0))
            return v * m * s + v * m * x * (0.5 / s)

    return Claim(f, vjp, fixed([1.0, -2.0, 0.5], [0.25, -0.1]))


def special_sinc_zero() -> Claim:
    def f(x):
        y = np.where(x == 0, x + 1, x)
        return np.where(x == 0, 1 + 0 * x, np.sin(y) / y)

    def vjp(x, v):
        with np.errstate(all="ignore"):
            return v * (x * np.cos(x) - np.sin(x)) / x**2

    return Claim(f, vjp, fixed([0.0, 1.0, -2.0], [2.5, 0.0]))


def prec_expm1_ratio() -> Claim:
    def vjp(x, v):
        return v * (np.exp(x) * (x - 1) + 1) / x**2

    return Claim(lambda x: np.expm1(x) / x, vjp, fixed([1.7e-5, -2.3e-5], [3.1e-6]))


def prec_std_one_pass() -> Claim:
    def f(x):
        d = x - x.mean()
        return np.sqrt((d * d).mean())

    def vjp(x, v):
        s = np.sqrt((x * x).mean() - x.mean() ** 2)
        return v * (x - x.mean()) / (x.size * s)

    return Claim(f, vjp, normal(7, 9, shift=1e6))


def prec_rodrigues_small_angle() -> Claim:
    def f(t):
        s = np.sin(t / 2) / (t / 2)
        return 0.5 * s * s

    def vjp(t, v):
        return v * (t * np.sin(t) - 2 * (1 - np.cos(t))) / t**3

    return Claim(f, vjp, fixed([1.1e-2], [1.3e-3], [0.9e-4, 0.5]))


def branch_wiener_large_time() -> Claim:
    def large(w, t):
        return sum(
            k * np.pi * np.sin(k * np.pi * w) * np.exp(-k * k * np.pi**2 * t / 2)
            for k in range(1, 9)
        )

    def small(w, t):
        terms = ((w + 2 * k) * np.exp(-((w + 2 * k) ** 2) / (2 * t)) for k in range(-4, 5))
        return sum(terms) / np.sqrt(2 * np.pi * t**3)

    def f(x):
        w, t = x
        return np.log(small(w, t) if float(t) < 0.3 else large(w, t))

    def slopes(w, t):
        k = np.arange(1, 30)
        e = np.exp(-k * k * np.pi**2 * t / 2)
        p = (k * np.pi * np.sin(k * np.pi * w) * e).sum()
        dw = (k**2 * np.pi**2 * np.cos(k * np.pi * w) * e).sum() / p
        return dw, (-(k**3) * np.pi**3 / 2 * np.sin(k * np.pi * w) * e).sum() / p

    def vjp(x, v):
        dw, dt = slopes(*x)
        return v * np.array([dw if x[1] < 0.3 else -dw, dt])

    return Claim(f, vjp, fixed([0.4, 0.25], [0.35, 0.8]))


def branch_digamma_asymptotic() -> Claim:
    def vjp(x, v):
        series = np.log(x) - 0.5 / x - 1 / (12 * x * x)
        return v * np.where(x > 10, series, digamma(x))

    return Claim(gammaln, vjp, fixed([0.5, 3.0, 8.0], [10.1, 2.0], [11.0]))


def hess_saved_intermediate() -> Claim:
    def f(x):
        return 2 * x * np.cos(x * x)

    return Claim(f, lambda x, v: v * 2 * np.cos(x * x), normal(4, 4))


def real_ldexp_at_zero() -> Claim:
    def vjp(x, v):
        return v * np.where(x == 0, 1.0, 2.0)

    return Claim(lambda x: 2 * x, vjp, fixed([0.0, 1.0, -2.0], [0.3, 0.0]))


def real_rbf_log_theta() -> Claim:
    d2 = np.array([0.5, 2.0, 4.5, 0.1])

    def f(p):
        return np.exp(-0.5 * d2 / p[0] ** 2)

    def vjp(p, v):
        return np.array([(v * f(p) * d2).sum() / p[0] ** 2])

    return Claim(f, vjp, fixed([1.02], [2.0]))


def real_ols_hessian() -> Claim:
    r = np.random.default_rng(91)
    X, y = r.standard_normal((15, 3)), r.standard_normal(15)

    def f(b):
        e = y - X @ b
        return 15 * (X.T @ e) / (e @ e)

    def vjp(b, v):
        e = y - X @ b
        q, g = e @ e, -2 * X.T @ e
        return -7.5 * (X.T @ (X @ v) / q - g * (g @ v) / q**2)

    return Claim(f, vjp, normal(3, 3))


def real_series_not_converged() -> Claim:
    def vjp(z, v):
        return v * sum(z**k for k in range(50))

    return Claim(lambda z: -np.log(1 - z), vjp, fixed([0.3, -0.2], [0.86, 0.1]))


def real_atan2_sign() -> Claim:
    def vjp(z, v):
        return v * np.stack([-z[1], -z[0]]) / (z[0] ** 2 + z[1] ** 2)

    def points(rng):
        return [np.stack([rng.standard_normal(3), rng.uniform(0.5, 2, 3)]) for _ in range(2)]

    return Claim(lambda z: np.arctan(z[0] / z[1]), vjp, points)


def real_nan_through_slice() -> Claim:
    def vjp(x, v):
        g = np.zeros_like(x)
        g[:1] = v
        with np.errstate(all="ignore"):
            return -g / np.sqrt(1 - x * x)

    return Claim(lambda x: np.arccos(x[:1]), vjp, fixed([-0.5, 0.5, 2.0], [0.3, -0.9]))


def ok_sinc_series() -> Claim:
    def vjp(x, v):
        s = x * x
        series = -x / 3 * (1 - s / 10 * (1 - s / 28))
        return v * np.where(np.abs(x) < 0.02, series, (x * np.cos(x) - np.sin(x)) / s)

    return Claim(lambda x: np.sin(x) / x, vjp, fixed([1.3e-5, 1e-3, 2.0], [1.1e-6, -0.05]))


def ok_hess_logistic() -> Claim:
    X = np.random.default_rng(74).standard_normal((10, 3))

    def vjp(w, v):
        s = expit(X @ w)
        return X.T @ (s * (1 - s) * (X @ v))

    return Claim(lambda w: X.T @ (expit(X @ w) - 0.5), vjp, normal(3, 3))


# -- batch 2 -------------------------------------------------------------------------------------


def cumprod_without_zeros_guard() -> Claim:
    def vjp(x, v):
        with np.errstate(all="ignore"):
            return np.cumsum((v * np.cumprod(x))[::-1])[::-1] / x

    return Claim(np.cumprod, vjp, fixed([0.5, 0.0, 2.0, -1.5], [1.2, -0.7, 3.0]))


def gamma_reparametrised_twice() -> Claim:
    def f(p):
        return gammaln(np.exp(p)).sum()

    def vjp(p, v):
        return v * digamma(np.exp(p))  # the gradient in exp(p), not in p

    return Claim(f, vjp, normal(3, 4))


def interpolation_wrong_cell() -> Claim:
    grid = np.array([0.0, 1.0, 3.0, 4.0, 7.0])
    values = np.array([0.3, -1.0, 2.0, 2.5, 0.0])
    slopes = np.diff(values) / np.diff(grid)

    def vjp(x, v):
        cell = np.minimum(np.searchsorted(grid, x), 3)  # one too far on the right
        return v * slopes[cell]

    return Claim(lambda x: np.interp(x, grid, values), vjp, fixed([0.4, 2.2, 5.0], [3.3, 0.1]))


def xlog1py_at_zero() -> Claim:
    y = np.array([0.5, 2.0, 1.0, 3.0])

    def vjp(x, v):
        return np.where(x == 0, 0.0, v * np.log1p(y))

    return Claim(lambda x: x * np.log1p(y), vjp, fixed([0.7, 0.0, -1.0, 2.0]))


def normal_cdf_scaled_density() -> Claim:
    def vjp(x, v):
        return v * np.exp(-0.5 * x * x) / np.sqrt(2)  # 1/√2 for 1/√(2π)

    return Claim(ndtr, vjp, normal(5, (2, 2)))


def prec_logistic_difference() -> Claim:
    def f(x):
        return np.tanh(x) / x

    def vjp(x, v):
        return v * (1 - np.tanh(x) ** 2 - np.tanh(x) / x) / x

    return Claim(f, vjp, fixed([2.3e-6], [-7.1e-6, 3.3e-6]))


def ok_cumprod_long() -> Claim:
    def vjp(x, v):
        return np.cumsum((v * np.cumprod(x))[::-1])[::-1] / x

    def points(rng):
        return [rng.uniform(0.5, 1.5, 40) * rng.choice([-1.0, 1.0], 40)]

    return Claim(np.cumprod, vjp, points)


def ok_interpolation_near_knot() -> Claim:
    grid = np.array([0.0, 1.0, 3.0, 4.0, 7.0])
    values = np.array([0.3, -1.0, 2.0, 2.5, 0.0])
    slopes = np.diff(values) / np.diff(grid)

    def vjp(x, v):
        return v * slopes[np.searchsorted(grid, x) - 1]

    def f(x):
        return np.interp(x, grid, values)

    return Claim(f, vjp, fixed([0.4, 3.0 + 1e-7, 6.9999], [1 - 1e-5, 2.0]))


def ok_bessel_like_oscillation() -> Claim:
    def f(x):
        return np.sin(1 / x) * x * x

    def vjp(x, v):
        return v * (2 * x * np.sin(1 / x) - np.cos(1 / x))

    return Claim(f, vjp, fixed([0.013, 0.2, 5.0], [0.0021]))


CASES = (
    CorpusCase(
        sign_mvn_cov, "wrong", "HIPS/autograd#401",
        "multivariate normal log-density in its covariance: the other sign throughout",
        mistake="sign",
    ),
    CorpusCase(
        special_xlogy_zero, "wrong", "pytorch/pytorch#80770",
        "x·log y at x = 0: 0 for log y", mistake="entry",
    ),
    CorpusCase(
        special_where_sqrt, "wrong", "tensorflow/tensorflow#38349",
        "where(x > 0, x√x, 0): 0 × ∞ of the branch not taken is NaN",
    ),
    CorpusCase(special_sinc_zero, "wrong", TEXTBOOK, "sinc' is 0/0 = NaN at zero"),
    CorpusCase(
        prec_expm1_ratio, "wrong", TEXTBOOK,
        "the derivative of expm1(x)/x cancels near zero: five to six digits", mistake="precision",
    ),
    CorpusCase(
        prec_std_one_pass, "wrong", TEXTBOOK,
        "standard deviation around a million, backward by E[x²] − E[x]²: off by 5e-5",
        mistake="precision", also=("factor",),
    ),
    CorpusCase(
        prec_rodrigues_small_angle, "wrong", "strasdat/Sophus#260",
        "(1 − cos t)/t² for small angles: the derivative cancels", mistake="precision",
        also=("entry",),
    ),
    CorpusCase(
        branch_wiener_large_time, "wrong", "stan-dev/math#3322",
        "first-passage density by two series; in one branch d/dw has the other sign",
        mistake="entry", also=("sign",),
    ),
    CorpusCase(
        branch_digamma_asymptotic, "wrong", TEXTBOOK,
        "digamma above ten by a series that is one term short: off by 4e-7", mistake="entry",
    ),
    CorpusCase(
        hess_saved_intermediate, "wrong", "pytorch/pytorch#58509",
        "second derivative of sin x² with x² saved as if it were a constant",
    ),
    CorpusCase(
        real_ldexp_at_zero, "wrong", "jax-ml/jax#37992", "2x has slope 1 at zero", mistake="entry"
    ),
    CorpusCase(
        real_rbf_log_theta, "wrong", "scikit-learn/scikit-learn#11113",
        "kernel in its length scale ℓ with the gradient in log ℓ: a factor of 1.02 and 2",
        mistake="factor",
    ),
    CorpusCase(
        real_ols_hessian, "wrong", "statsmodels/statsmodels#9469",
        "concentrated likelihood of least squares: half of the Hessian's first term",
    ),
    CorpusCase(
        real_series_not_converged, "wrong", "FluxML/Zygote.jl#796",
        "−log(1 − z) with fifty terms of the derivative's series: off by 4e-4 at 0.86",
        mistake="entry",
    ),
    CorpusCase(
        real_atan2_sign, "wrong", "EnzymeAD/Enzyme-JAX#2066",
        "atan2: the derivative in y has the other sign", mistake="row", also=("sign",),
    ),
    CorpusCase(
        real_nan_through_slice, "wrong", "tensorflow/tensorflow#57786",
        "the first entry of arccos(x); another one, outside its domain, gets NaN for 0",
    ),
    CorpusCase(
        ok_sinc_series, "right", TEXTBOOK, "sinc near zero with a series for the derivative"
    ),
    CorpusCase(
        ok_hess_logistic, "right", "pytorch/pytorch#59477",
        "Hessian of the logistic loss, as the derivative of its gradient",
    ),
    CorpusCase(
        cumprod_without_zeros_guard, "wrong", TEXTBOOK,
        "cumulative product whose backward divides by x: NaN where an entry is zero", batch=2,
    ),
    CorpusCase(
        gamma_reparametrised_twice, "wrong", "statsmodels/statsmodels#1967",
        "log Γ(eᵖ) with the derivative in eᵖ: the chain's last factor is missing", batch=2,
    ),
    CorpusCase(
        interpolation_wrong_cell, "wrong", TEXTBOOK,
        "linear interpolation with the slope of the next cell", batch=2,
    ),
    CorpusCase(
        xlog1py_at_zero, "wrong", "tensorflow/tensorflow#56873",
        "x·log(1 + y) at x = 0: 0 for log(1 + y)", mistake="entry", batch=2,
    ),
    CorpusCase(
        normal_cdf_scaled_density, "wrong", TEXTBOOK,
        "normal distribution function with 1/√2 for 1/√(2π) in its density",
        mistake="factor", batch=2,
    ),
    CorpusCase(
        prec_logistic_difference, "wrong", TEXTBOOK,
        "the derivative of tanh(x)/x cancels near zero: no more than four digits",
        mistake="precision", batch=2,
    ),
    CorpusCase(
        ok_cumprod_long, "right", TEXTBOOK, "cumulative product of forty numbers", batch=2
    ),
    CorpusCase(
        ok_interpolation_near_knot, "right", TEXTBOOK,
        "linear interpolation 1e-7 and 1e-5 from a knot", batch=2,
    ),
    CorpusCase(
        ok_bessel_like_oscillation, "right", TEXTBOOK,
        "x² sin(1/x): at 0.0021 it oscillates within 3e-5", batch=2,
    ),
)  # fmt: skip
