"""Compares `gradcheck.jacobian` and ``mode="full"`` with other ways to a whole Jacobian, in one process.

Run ``python tests/benchmarks/bench_jacobian.py``.  Packages that are not installed are named and
skipped.  Times are processor time, the median of several runs in turn; evaluations are points, not
calls.  *error* is the largest error of an entry relative to the largest entry, *estimate* the
largest error estimate in the same units, where a method gives one, and *covered* the share of
entries whose error is at most the estimate.

The second table is the check of every entry beside what it can't do without: a loop of 2n
evaluations, bare (of f alone, at x) and as a central difference has it (with perturbed copies).
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from gradcheck import check
from gradcheck._case.inputs import Inputs
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance, claim_rtol
from gradcheck._estimate.batch import Batched
from gradcheck._estimate.jacobian import jacobian
from gradcheck._estimate.line import quiet
from gradcheck._verdict.entries import compare_every_entry

REPEATS = 5
Values = np.ndarray
Method = Callable[[Callable[[Any], Any], Values], tuple[Values, Values | None]]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    f: Callable[[Any], Any]  # over the last axis, whatever stands before it
    x: Values
    truth: Values


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rosenbrock(x: Any) -> Any:
    a, b = x[..., :-1], x[..., 1:]
    return np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2, axis=-1)


def rosenbrock_gradient(x: Values) -> Values:
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    z, x = rng.standard_normal(30), rng.standard_normal(40)
    W = rng.standard_normal((20, 40)) / 6
    p = softmax(z)
    scales = 10.0 ** np.linspace(-8, 8, 17)
    return [
        Case("softmax, 30 -> 30", softmax, z, np.diag(p) - np.outer(p, p)),
        Case("Rosenbrock gradient, n = 40", rosenbrock, x, rosenbrock_gradient(x)),
        Case(
            "tanh layer, 40 -> 20",
            lambda x: np.tanh(x @ W.T),
            x,
            (1 - np.tanh(x @ W.T) ** 2)[:, None] * W,
        ),
        Case(
            "sum of sin(x/s), s = 1e-8 ... 1e8",
            lambda x: np.sum(np.sin(x / scales), axis=-1),
            scales,
            np.cos(1.0) / scales,
        ),
    ]


def ours(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
    e = jacobian(f, x)
    return np.asarray(e.value), np.asarray(e.radius)


def ours_vectorized(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
    e = jacobian(f, x, vectorized=True)
    return np.asarray(e.value), np.asarray(e.radius)


def scipy_fprime() -> Method:
    from scipy.optimize import approx_fprime

    return lambda f, x: (np.squeeze(approx_fprime(x, f)), None)


def scipy_differentiate() -> Method:
    from scipy.differentiate import jacobian as peer

    def method(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
        # its points come along axis 0, ours along the last
        r = peer(lambda X: np.moveaxis(np.asarray(f(np.moveaxis(X, 0, -1))), -1, 0), x)
        return np.asarray(r.df), np.asarray(r.error)

    def scalar_too(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
        if np.ndim(f(x)):
            return method(f, x)
        r = peer(lambda X: np.asarray(f(np.moveaxis(X, 0, -1))), x)
        return np.asarray(r.df), np.asarray(r.error)

    return scalar_too


def numdifftools_jacobian() -> Method:
    import numdifftools

    def method(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
        r = numdifftools.Jacobian(f, full_output=True)(x)
        return np.squeeze(r.estimate), np.squeeze(r.error_estimate)

    return method


def jacobi_jacobi() -> Method:
    from jacobi import jacobi

    def method(f: Callable[[Any], Any], x: Values) -> tuple[Values, Values | None]:
        value, error = jacobi(f, x)
        return np.asarray(value), np.asarray(error)

    return method


PEERS: dict[str, Callable[[], Method]] = {
    "scipy.optimize.approx_fprime": scipy_fprime,
    "scipy.differentiate.jacobian": scipy_differentiate,
    "numdifftools.Jacobian": numdifftools_jacobian,
    "jacobi.jacobi": jacobi_jacobi,
}


def run(method: Method, case: Case) -> str:
    points = 0

    def spied(x: Any) -> Any:
        nonlocal points
        points += np.size(x) // case.x.size
        return case.f(x)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            value, claimed = method(spied, case.x)
            seconds = []
            for _ in range(REPEATS):
                start = time.process_time()
                method(case.f, case.x)
                seconds.append(time.process_time() - start)
        except Exception as error:  # noqa: BLE001 -- a peer may fail in any way that it likes
            return f"{type(error).__name__}: {error}"[:80]
    # every entry times its input's size, so that mixed scales count alike
    size = np.max(np.abs(case.truth * case.x)) or 1.0
    wrong = np.abs(value.reshape(case.truth.shape) - case.truth)
    error = float(np.max(wrong * np.abs(case.x))) / size
    cover = estimate = math.nan
    if claimed is not None:
        bar = claimed.reshape(case.truth.shape)
        cover = float(np.mean(wrong <= bar + 2e-16 * np.abs(case.truth)))
        estimate = float(np.max(bar * np.abs(case.x))) / size
    return f"{1e3 * median(seconds):9.2f} | {points:6d} | {error:8.1e} | {estimate:8.1e} | {cover:7.0%}"


def first_table() -> None:
    methods: dict[str, Method] = {
        "gradcheck.jacobian": ours,
        "gradcheck.jacobian, vectorized": ours_vectorized,
    }
    for name, load in PEERS.items():
        try:
            methods[name] = load()
        except ImportError as error:
            print(f"skipped {name}: {error}")
    for case in cases():
        print(f"\n{case.name}")
        print(f"{'method':31s} |    CPU ms | points | error    | estimate | covered")
        for name, method in methods.items():
            print(f"{name:31s} | {run(method, case)}")


def sparse_row() -> None:
    try:
        from scipy.optimize._numdiff import approx_derivative, group_columns
        from scipy.sparse import diags_array
    except ImportError as error:
        print(f"skipped the sparse case: {error}")
        return
    n = 10_000
    x, ones = np.random.default_rng(1).standard_normal(n), np.ones(n)
    pattern = diags_array([ones[1:], ones, ones[1:]], offsets=[-1, 0, 1]).tocsr()
    truth = diags_array([-ones[1:], 3 - 4 * x, -2 * ones[1:]], offsets=[-1, 0, 1])

    def broyden(x: Values) -> Values:
        y = (3 - 2 * x) * x + 1
        y[1:] -= x[:-1]
        y[:-1] -= 2 * x[1:]
        return y

    print(f"\nBroyden's tridiagonal system, n = {n}, sparsity given")
    start = time.process_time()
    e = jacobian(broyden, x, sparsity=pattern)
    seconds = time.process_time() - start
    error = abs(e.value - truth).max()
    print(
        f"gradcheck.jacobian     {1e3 * seconds:8.1f} ms, {e.evaluations} evaluations, error {error:.1e}"
    )
    groups = group_columns(pattern)
    start = time.process_time()
    peer = approx_derivative(broyden, x, method="3-point", sparsity=(pattern, groups))
    seconds = time.process_time() - start
    error = abs(peer - truth).max()
    print(f"scipy approx_derivative {1e3 * seconds:7.1f} ms (3-point, grouped), error {error:.1e}")


# -- mode="full" -----------------------------------------------------------------------------------


def cross_entropy(labels: Values) -> tuple[Callable[[Any], Any], Callable[[Values], Values]]:
    rows = np.arange(labels.size)

    def f(z: Any) -> Any:
        s = z - z.max(axis=-1, keepdims=True)
        return np.mean(np.log(np.exp(s).sum(axis=-1)) - s[..., rows, labels], axis=-1)

    def grad(z: Values) -> Values:
        p = softmax(z)
        p[rows, labels] -= 1
        return p / labels.size

    return f, grad


def bare(f: Callable[[Any], Any], x: Values) -> None:
    for _ in range(2 * x.size):
        f(x)


def central(f: Callable[[Any], Any], x: Values) -> Values:
    g = np.empty_like(x)
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up.flat[i] += 1e-5
        down.flat[i] -= 1e-5
        g.flat[i] = (f(up) - f(down)) / 2e-5
    return g


def batched(f: Callable[[Any], Any], grad: Callable[[Values], Values], x: Values) -> None:
    """Compare every entry of a gradient with a batched f: the part of ``mode="full"`` that differs."""
    batch = Batched(f)
    problem = Problem(batch.one, Inputs((x,), (0,), {}), "grad", grad, bare=True)
    with quiet():
        problem.begin()
        rng = np.random.default_rng(0)
        tolerance = Tolerance(claim_rtol(problem, None))
        result = compare_every_entry(problem, tolerance, 1, rng=rng, batch=batch)
    assert not result.wrong
    assert not result.unresolved


def second_table() -> None:
    print('\ncheck(mode="full") of softmax cross-entropy, CPU ms; ratios to 2n bare evaluations')
    print("shape    | 2n bare | central differences | full       | batched    | evaluations")
    for shape in ((8, 10), (64, 10), (32, 100)):
        rng = np.random.default_rng(0)
        x = rng.standard_normal(shape)
        f, grad = cross_entropy(rng.integers(0, shape[1], shape[0]))
        report = check(f, x, grad=grad, mode="full", rng=0)
        tasks: list[Callable[[], Any]] = [
            lambda f=f, x=x: bare(f, x),
            lambda f=f, x=x: central(f, x),
            lambda f=f, g=grad, x=x: check(f, x, grad=g, mode="full"),
            lambda f=f, g=grad, x=x: batched(f, g, x),
        ]
        taken: list[list[float]] = [[] for _ in tasks]
        for _ in range(25 if x.size < 1000 else 5):
            for task, seconds in zip(tasks, taken, strict=True):
                start = time.process_time()
                task()
                seconds.append(time.process_time() - start)
        ms = [1e3 * median(seconds) for seconds in taken]
        print(
            f"{shape[0]:3d}x{shape[1]:<4d} | {ms[0]:7.2f} | {ms[1]:9.2f} ({ms[1] / ms[0]:.2f})    | "
            f"{ms[2]:6.2f} {ms[2] / ms[0]:.2f} | {ms[3]:6.2f} {ms[3] / ms[0]:.2f} | "
            f"{report.evaluations} = {report.evaluations / (2 * x.size):.3f} x 2n"
        )


if __name__ == "__main__":
    first_table()
    sparse_row()
    second_table()
