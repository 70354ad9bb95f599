"""Right derivatives that finite differences find hard: scales, noise, large n, special points."""

from __future__ import annotations

import numpy as np
from corpus.arrays import spd
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal

BOLTZMANN = 1.380649e-23


def ok_rosenbrock() -> Claim:
    def f(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def vjp(x, v):
        g = np.zeros_like(x)
        d = x[1:] - x[:-1] ** 2
        g[1:] += 200 * d
        g[:-1] += -400 * x[:-1] * d - 2 * (1 - x[:-1])
        return v * g

    return Claim(f, vjp, normal(5, 8))


def ok_f32_linear_sum() -> Claim:
    y = np.random.default_rng(54).random(200).astype(np.float32)

    def points(rng):
        return [rng.random(200).astype(np.float32)]

    return Claim(lambda x: x @ y, lambda x, v: np.float32(v) * y, points)


def ok_offset_1e8() -> Claim:
    return Claim(lambda x: 1e8 + np.sin(x).sum(), lambda x, v: v * np.cos(x), normal(5, 5))


def ok_loss_sum_1e4() -> Claim:
    r = np.random.default_rng(56)
    X, y = r.standard_normal((200, 6)), r.standard_normal(200) * 3

    def f(w):
        e = X @ w - y
        return 1e4 * (e * e).sum()

    return Claim(f, lambda w, v: v * 2e4 * X.T @ (X @ w - y), normal(6, 6))


def ok_mixed_sensitivities() -> Claim:
    c = np.array([1e8, 1e4, 1.0, 1e-4, 1e-8])

    def vjp(x, v):
        return v * c * (1 - np.tanh(x)) * (1 + np.tanh(x))

    return Claim(lambda x: np.tanh(x) * c, vjp, normal(5, 5))


def ok_tiny_f() -> Claim:
    def f(x):
        return BOLTZMANN * (x * x).sum() * 50

    return Claim(f, lambda x, v: v * BOLTZMANN * 100 * x, normal(4, 4))


def ok_exp_stiff() -> Claim:
    def vjp(x, v):
        return v * (1 - 200 * np.exp(-200 * x))

    return Claim(
        lambda x: (np.exp(-200 * x) + x).sum(), vjp, fixed([0.0, 0.01, 0.1], [0.03, -0.005])
    )


def ok_log_1e6() -> Claim:
    return Claim(lambda x: np.log(x).sum(), lambda x, v: v / x, fixed([1e-6, 2.0], [3.3e-7, 1e-3]))


def ok_sqrt_small() -> Claim:
    def vjp(x, v):
        return v * (0.5 / np.sqrt(x) + 1.5 * np.sqrt(x))

    return Claim(lambda x: np.sqrt(x) + x**1.5, vjp, fixed([1e-8, 1.0], [1e-10, 4.0]))


def ok_noise_1e10() -> Claim:
    def f(x):
        q = np.cos(1e9 * x).sum()
        return np.sin(x).sum() + 1e-10 * np.sign(np.sin(1e6 * q))

    return Claim(f, lambda x, v: v * np.cos(x), normal(4, 4))


def ok_noise_f32_inside() -> Claim:
    A = np.random.default_rng(61).standard_normal((5, 5))

    def f(x):
        return np.tanh(A.astype(np.float32) @ x.astype(np.float32)).astype(np.float64).sum()

    def vjp(x, v):
        h = np.tanh(A @ x)
        return v * (A.T @ (1 - h * h))

    return Claim(f, vjp, normal(5, 5, scale=0.5))


def conjugate_gradients(A: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray:
    """Solve A x = b until the residual is `tolerance` times b."""
    x, residual, p = np.zeros(b.size), b.copy(), b.copy()
    rr = residual @ residual
    stop = tolerance**2 * rr
    while rr > stop:
        Ap = A @ p
        step = rr / (p @ Ap)
        x += step * p
        residual -= step * Ap
        new = residual @ residual
        p = residual + new / rr * p
        rr = new
    return x


def ok_noise_cg_solver() -> Claim:
    r = np.random.default_rng(62)
    A = spd(r, 12, 0.1, 4.0)
    c = r.standard_normal(12)
    g = np.linalg.solve(A, c)

    def f(b):
        return c @ conjugate_gradients(A, b, 1e-6)

    return Claim(f, lambda b, v: v * g, normal(12, 12))


def ok_zero_unused_inputs() -> Claim:
    def vjp(x, v):
        g = np.zeros_like(x)
        g[2] = v * np.cos(x[2])
        return g

    return Claim(lambda x: np.sin(x[2]), vjp, normal(8, 6))


def ok_stationary_least_squares() -> Claim:
    r = np.random.default_rng(63)
    X, y = r.standard_normal((30, 5)), r.standard_normal(30)
    minimum = np.linalg.lstsq(X, y, rcond=None)[0]

    def f(w):
        e = X @ w - y
        return (e * e).sum()

    return Claim(f, lambda w, v: v * 2 * X.T @ (X @ w - y), lambda rng: [minimum.copy()])


def ok_integer_valued() -> Claim:
    return Claim(
        lambda x: x**3 - 2 * x,
        lambda x, v: v * (3 * x**2 - 2),
        fixed([1.0, 2.0, -3.0, 0.0], [[10.0, 0.0], [5.0, -7.0]]),
    )


def ok_large_vector_2e4() -> Claim:
    def f(x):
        return (x[2:] - 2 * x[1:-1] + x[:-2]) * x[1:-1]

    def vjp(x, v):
        g = np.zeros_like(x)
        d = x[2:] - 2 * x[1:-1] + x[:-2]
        g[2:] += v * x[1:-1]
        g[:-2] += v * x[1:-1]
        g[1:-1] += v * (d - 2 * x[1:-1])
        return g

    return Claim(f, vjp, normal(20_000))


# -- batch 2 ---------------------------------------------------------------------------------------


def ok_f32_sum_of_exp() -> Claim:
    def vjp(x, v):
        return (v * np.exp(x)).astype(np.float32)

    return Claim(lambda x: np.exp(x).sum(), vjp, normal(500, dtype=np.float32))


def ok_norm_near_zero() -> Claim:
    def vjp(x, v):
        return v * x / np.sqrt((x * x).sum())

    return Claim(
        lambda x: np.sqrt((x * x).sum()), vjp, fixed([3e-9, -4e-9], [1e-120, 2e-120, 2e-120])
    )


def ok_mixed_inputs_1e8() -> Claim:
    size = np.array([1e-8, 1e-4, 1.0, 1e4, 1e8])

    def vjp(x, v):
        return v / np.cosh(x / size) ** 2 / size

    return Claim(lambda x: np.tanh(x / size).sum(), vjp, fixed(0.7 * size, -1.3 * size))


def ok_sorted_weights() -> Claim:
    c = np.array([0.5, 1.0, -2.0, 0.3, 4.0])

    def vjp(x, v):
        g = np.zeros_like(x)
        g[np.argsort(x)] = v * c
        return g

    def points(rng):
        return [rng.standard_normal(5), np.array([0.2, 0.2 + 1e-9, -3.0, 1.0, 0.7])]

    return Claim(lambda x: c @ np.sort(x), vjp, points)


def ok_ode_rk4_steps() -> Claim:
    def rhs(y):
        return np.array([y[1], (1 - y[0] ** 2) * y[1] - y[0]])

    def jacobian(y):
        return np.array([[0.0, 1.0], [-2 * y[0] * y[1] - 1, 1 - y[0] ** 2]])

    h = 0.1

    def step(y):
        k1 = rhs(y)
        k2 = rhs(y + h / 2 * k1)
        k3 = rhs(y + h / 2 * k2)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + rhs(y + h * k3))

    def step_jacobian(y):
        eye = np.eye(2)
        k1 = rhs(y)
        k2 = rhs(y + h / 2 * k1)
        k3 = rhs(y + h / 2 * k2)
        J1 = jacobian(y)
        J2 = jacobian(y + h / 2 * k1) @ (eye + h / 2 * J1)
        J3 = jacobian(y + h / 2 * k2) @ (eye + h / 2 * J2)
        J4 = jacobian(y + h * k3) @ (eye + h * J3)
        return eye + h / 6 * (J1 + 2 * J2 + 2 * J3 + J4)

    def f(y):
        for _ in range(200):
            y = step(y)
        return y

    def vjp(y, v):
        J = np.eye(2)
        for _ in range(200):
            J = step_jacobian(y) @ J
            y = step(y)
        return J.T @ v

    return Claim(f, vjp, fixed([2.0, 0.0], [0.1, -1.0]))


CASES = (
    CorpusCase(ok_rosenbrock, "right", TEXTBOOK, "Rosenbrock's valley"),
    CorpusCase(
        ok_f32_linear_sum, "right", "PaddlePaddle/Paddle#4283", "dot product of 200 float32 numbers"
    ),
    CorpusCase(ok_offset_1e8, "right", TEXTBOOK, "1e8 + Σ sin x"),
    CorpusCase(ok_loss_sum_1e4, "right", TEXTBOOK, "least squares with values of 1e7"),
    CorpusCase(
        ok_mixed_sensitivities, "right", TEXTBOOK, "gradient entries from 1e-8 to 1e8"
    ),
    CorpusCase(ok_tiny_f, "right", "scipy/scipy#7766", "values of 1e-21"),
    CorpusCase(
        ok_exp_stiff, "right", TEXTBOOK, "exp(−200x) + x: entries that bend very differently"
    ),
    CorpusCase(ok_log_1e6, "right", TEXTBOOK, "log at 1e-6: a fixed step leaves the domain"),
    CorpusCase(ok_sqrt_small, "right", TEXTBOOK, "√x at 1e-8 and x^1.5 at 1e-10"),
    CorpusCase(
        ok_noise_1e10, "right", TEXTBOOK, "Σ sin x with deterministic noise of 1e-10"
    ),
    CorpusCase(
        ok_noise_f32_inside, "right", TEXTBOOK, "float64 outside, float32 inside"
    ),
    CorpusCase(
        ok_noise_cg_solver, "right", TEXTBOOK, "c·A⁻¹b by conjugate gradients to 1e-6"
    ),
    CorpusCase(
        ok_zero_unused_inputs, "right", "pytorch/pytorch#94336",
        "all inputs but one are unused: zeros",
    ),
    CorpusCase(
        ok_stationary_least_squares, "right", TEXTBOOK,
        "least squares at its minimum: a gradient of pure rounding",
    ),
    CorpusCase(
        ok_integer_valued, "right", TEXTBOOK, "floats that are whole numbers, zeros among them"
    ),
    CorpusCase(
        ok_large_vector_2e4, "right", TEXTBOOK, "second differences of 20,000 numbers"
    ),
    CorpusCase(
        ok_f32_sum_of_exp, "right", "pytorch/pytorch#5351", "sum of 500 exponentials in float32",
        batch=2,
    ),
    CorpusCase(
        ok_norm_near_zero, "right", "JuliaDiff/ChainRules.jl#538",
        "‖x‖ at 5e-9 and at 3e-120, one step from where it has no derivative", batch=2,
    ),
    CorpusCase(
        ok_mixed_inputs_1e8, "right", TEXTBOOK, "inputs from 1e-8 to 1e8", batch=2
    ),
    CorpusCase(
        ok_sorted_weights, "right", TEXTBOOK, "weights by rank, two entries 1e-9 apart", batch=2
    ),
    CorpusCase(
        ok_ode_rk4_steps, "right", TEXTBOOK, "200 Runge–Kutta steps of an oscillator", batch=2
    ),
)  # fmt: skip
