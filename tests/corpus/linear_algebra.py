"""Solves, factorisations, spectra and transforms."""

from __future__ import annotations

import numpy as np
from corpus.arrays import cholesky_vjp, spd, symmetric
from corpus.records import TEXTBOOK, Claim, CorpusCase, normal


def real_triangular_mask() -> Claim:
    b = np.array([1.0, -0.5, 2.0])
    upper = np.triu(np.ones((3, 3)))

    def vjp(A, v):
        U = np.triu(A)
        return -np.outer(np.linalg.solve(U.T, v), np.linalg.solve(U, b))

    def points(rng):
        return [rng.standard_normal((3, 3)) + 3 * np.eye(3) for _ in range(2)]

    return Claim(lambda A: np.linalg.solve(A * upper, b), vjp, points)


def ok_solve_cond_1e5() -> Claim:
    b, c = np.array([1.0, -2.0, 0.5, 0.3]), np.array([0.2, 1.0, -1.0, 2.0])

    def vjp(A, v):
        return -v * np.outer(np.linalg.solve(A.T, c), np.linalg.solve(A, b))

    return Claim(lambda A: c @ np.linalg.solve(A, b), vjp, lambda rng: [spd(rng, 4, 1e-5, 1.0)])


def ok_cholesky() -> Claim:
    def vjp(A, v):
        return cholesky_vjp(np.linalg.cholesky(symmetric(A)), np.tril(v))

    def points(rng):
        return [spd(rng, 4, 0.05, 3.0), spd(rng, 2)]

    return Claim(lambda A: np.linalg.cholesky(symmetric(A)), vjp, points)


def ok_nuclear_norm() -> Claim:
    def vjp(A, v):
        u, _, vt = np.linalg.svd(A, full_matrices=False)
        return v * u @ vt

    return Claim(lambda A: np.linalg.svd(A, compute_uv=False).sum(), vjp, normal((3, 2), (4, 2)))


# -- batch 2 -------------------------------------------------------------------------------------


def well_conditioned(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.standard_normal((n, n)) + 3 * np.eye(n) for n in (4, 3)]


def inverse_untransposed() -> Claim:
    def vjp(A, v):
        inverse = np.linalg.inv(A)
        return -inverse @ v @ inverse  # −A⁻ᵀ v A⁻ᵀ

    return Claim(np.linalg.inv, vjp, well_conditioned)


def logdet_without_inverse_transpose() -> Claim:
    def f(A):
        return np.linalg.slogdet(A)[1]

    return Claim(f, lambda A, v: v * np.linalg.inv(A), well_conditioned)


def det_of_adjugate_sign() -> Claim:
    def vjp(A, v):
        (a, b), (c, d) = A
        return v * np.array([[d, c], [b, a]])  # the cofactors of b and c are −c and −b

    return Claim(np.linalg.det, vjp, normal((2, 2), (2, 2)))


def quadratic_form_asymmetric() -> Claim:
    A = np.random.default_rng(121).standard_normal((5, 5))

    def vjp(x, v):
        return v * 2 * A @ x  # (A + Aᵀ) x

    return Claim(lambda x: x @ A @ x, vjp, normal(5, 5))


def matrix_power_once() -> Claim:
    def vjp(A, v):
        return v @ (A @ A).T  # one of the three terms of d(A³)

    return Claim(lambda A: A @ A @ A, vjp, normal((3, 3), (2, 2)))


def ifft_scale_in_power() -> Claim:
    def f(x):
        return (np.abs(np.fft.fft(x)) ** 2).sum() / x.size

    return Claim(f, lambda x, v: v * 2 * x / x.size, normal(8, 12))  # by Parseval it is 2x


def ok_eigvalsh() -> Claim:
    def vjp(A, v):
        _, Q = np.linalg.eigh(symmetric(A))
        return (Q * v) @ Q.T

    def points(rng):
        return [spd(rng, 4, -1.0, 5.0), spd(rng, 3, 1.0, 1.002)]

    return Claim(lambda A: np.linalg.eigvalsh(symmetric(A)), vjp, points)


def ok_pinv_tall() -> Claim:
    def vjp(A, v):
        P = np.linalg.pinv(A)
        outside = np.eye(A.shape[0]) - A @ P
        return -(P.T @ v @ P.T) + outside @ v.T @ (P @ P.T)

    return Claim(np.linalg.pinv, vjp, normal((5, 2), (4, 3)))


def ok_power_spectrum_slope() -> Claim:
    def f(x):
        return np.log(np.abs(np.fft.rfft(x)) ** 2 + 1e-6)

    def vjp(x, v):
        X = np.fft.rfft(x)
        G = np.zeros(x.size, dtype=complex)
        G[: X.size] = 2 * v * X / (np.abs(X) ** 2 + 1e-6)
        return (np.fft.ifft(G) * x.size).real

    return Claim(f, vjp, normal(16, 9))


CASES = (
    CorpusCase(
        real_triangular_mask, "wrong", "ekzhang/jax-js#84",
        "a solve that reads the upper triangle, with a gradient below it too",
    ),
    CorpusCase(
        ok_solve_cond_1e5, "right", TEXTBOOK, "c·A⁻¹b with a condition number of 1e5"
    ),
    CorpusCase(
        ok_cholesky, "right", "stan-dev/math#2364",
        "Cholesky factor of (A + Aᵀ)/2, with the symmetric gradient",
    ),
    CorpusCase(ok_nuclear_norm, "right", TEXTBOOK, "sum of the singular values: U Vᵀ"),
    CorpusCase(
        inverse_untransposed, "wrong", TEXTBOOK,
        "−A⁻¹ v A⁻¹ for −A⁻ᵀ v A⁻ᵀ: right for symmetric matrices", mistake="transpose", batch=2,
    ),
    CorpusCase(
        logdet_without_inverse_transpose, "wrong", TEXTBOOK,
        "log |det A| with A⁻¹ for A⁻ᵀ", mistake="transpose", batch=2,
    ),
    CorpusCase(
        det_of_adjugate_sign, "wrong", TEXTBOOK,
        "2×2 determinant, the cofactors off the diagonal with the other sign", also=("sign",),
        batch=2,
    ),
    CorpusCase(
        quadratic_form_asymmetric, "wrong", TEXTBOOK,
        "xᵀAx with 2Ax although A is not symmetric", batch=2,
    ),
    CorpusCase(
        matrix_power_once, "wrong", TEXTBOOK, "A³ with one of the product rule's three terms",
        batch=2,
    ),
    CorpusCase(
        ifft_scale_in_power, "wrong", TEXTBOOK,
        "the mean power of a spectrum: 1/N too many, as if the transform were unitary",
        mistake="reduction", also=("factor",), batch=2,
    ),
    CorpusCase(
        ok_eigvalsh, "right", TEXTBOOK,
        "eigenvalues, in one point a thousandth apart", batch=2,
    ),
    CorpusCase(ok_pinv_tall, "right", TEXTBOOK, "pseudo-inverse of full column rank", batch=2),
    CorpusCase(
        ok_power_spectrum_slope, "right", TEXTBOOK, "log power spectrum by a real transform",
        batch=2,
    ),
)  # fmt: skip
