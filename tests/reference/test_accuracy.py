"""Every closed form against the truth to hundreds of digits, over the whole range, in ulps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import reference

# Bounds in float64.  float32 and float16 are computed in float64 and rounded once: half an ulp.
ONE_ROUNDING = 0.51
ELEMENTWISE = {
    "sigmoid": 3.0,
    "sigmoid_grad": 3.0,
    "tanh": 2.5,
    "tanh_grad": 3.0,
    "log_sigmoid": 2.0,
    "softplus": 2.0,
}
# Rows; a second number bounds the error in ulps of the terms that cancel, where the value itself
# crosses zero and no working precision could bound its relative error.
OF_ROWS = {"softmax": 4.0, "log_softmax": 4.0, "softmax_jacobian": 8.0}
WITH_VECTOR = {"softmax_vjp": 16.0, "log_softmax_jvp": 16.0, "log_softmax_vjp": 7.0}
WITH_TARGETS = {
    "squared_error": 2.5,
    "squared_error_grad": 0.5,
    "binary_cross_entropy": 2.5,
    "binary_cross_entropy_grad": 2.5,
    "binary_cross_entropy_with_logits": 2.5,
}
DTYPES = (np.float64, np.float32, np.float16)
CROSSOVERS = (0.5, 18.4, 36.7, 37.0, 104.0, 340.0, 353.0, 372.6, 700.0, 708.4, 709.79, 744.4, 745.2)

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


@dataclass(frozen=True)
class Effort:
    """How many inputs a test looks at, and where they come from."""

    points: int
    rows: int
    seed: int

    def rng(self) -> np.random.Generator:
        print(f"seed {self.seed}")  # shown where a test fails
        return np.random.default_rng(self.seed)


def fresh() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


@pytest.fixture(
    params=[
        pytest.param(lambda: Effort(points=12, rows=1, seed=11), id="quick"),
        pytest.param(
            lambda: Effort(points=400, rows=12, seed=fresh()), marks=pytest.mark.nightly, id="deep"
        ),
    ]
)
def effort(request: pytest.FixtureRequest) -> Effort:
    return request.param()


def bound(limit: float, dtype: type) -> float:
    return limit if dtype is np.float64 else ONE_ROUNDING


def numbers(rng: np.random.Generator, dtype: type, count: int) -> np.ndarray:
    """Numbers of every magnitude: moderate, near crossovers, subnormal, near the largest."""
    info = np.finfo(dtype)
    low, high = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
    magnitudes = 10.0 ** rng.uniform(low, high, count)
    near = rng.choice(CROSSOVERS, count) * (1 + rng.choice([0, 1e-16, 1e-6, 1e-3], count))
    ends = [0.0, -0.0, info.tiny, info.smallest_subnormal, info.max, info.eps, 1.0]
    parts = [
        rng.uniform(-20, 20, count),
        rng.uniform(-746, 746, count),
        *(sign * part for part in (magnitudes, near, np.array(ends, float)) for sign in (-1, 1)),
    ]
    with np.errstate(all="ignore"):
        x = np.concatenate(parts).astype(dtype)
    return x[np.isfinite(x)]


def probabilities(rng: np.random.Generator, dtype: type, count: int) -> np.ndarray:
    """Probabilities of every magnitude, near one too; neither 0 nor 1."""
    x = numbers(rng, dtype, count)
    x = np.abs(x[np.abs(x) < 1])
    x = np.concatenate([x, 1 - x])
    return x[(x > 0) & (x < 1)]


def logit_rows(rng: np.random.Generator, dtype: type, count: int) -> Iterator[np.ndarray]:
    """Rows of logits: spread and tight, dominated, tied, masked, offset, huge, subnormal, mixed."""
    info = np.finfo(dtype)
    gaps = (5.0, 17.0, 36.6, 40.0, 104.0, 300.0, 700.0, 744.0, 1e4)
    for n in (1, 2, 3, 7, 12):
        normal = rng.standard_normal((count, n))
        dominated = normal.copy()
        dominated[:, 0] = dominated.max(axis=1) + rng.choice(gaps, count)
        masked = np.where(rng.random((count, n)) < 0.5, -np.inf, 6 * normal)
        masked[:, -1] = 0.25
        signs = rng.choice([-1.0, 1.0], (count, n))
        any_size = signs * 10.0 ** rng.uniform(-20, np.log10(float(info.max)), (count, n))
        offset = 10 * normal + rng.choice([1e3, -1e5, 1e8, 1e15], (count, 1))
        rows = (
            *(spread * normal for spread in (1e-8, 1.0, 8.0, 60.0, 300.0)),
            dominated,
            np.repeat(normal[:, :1], n, axis=1),
            masked,
            offset,
            any_size,
            signs * float(info.max) * rng.uniform(0.1, 1, (count, n)),
            rng.integers(-1000, 1000, (count, n)) * float(info.smallest_subnormal),
        )
        with np.errstate(all="ignore"):
            for row in rows:
                z = row.astype(dtype)
                if np.isfinite(z.max(axis=1)).all():  # offsets may be too large for a small dtype
                    yield z


def vectors(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Cotangents: plain, a large common part, one-hot, of mixed magnitudes; one kind to a row."""
    plain = rng.standard_normal(shape)
    one_hot = np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    kinds = (plain, 1e6 + 1e-3 * plain, one_hot, plain * 10.0 ** rng.uniform(-12, 12, shape))
    return np.choose(rng.integers(0, len(kinds), (shape[0], 1)), kinds)


def weights_for(rng: np.random.Generator, z: np.ndarray) -> np.ndarray:
    """Labels: one-hot, smoothed, soft, and soft ones that do not sum to one; one kind to a row."""
    count, n = z.shape
    hot = np.eye(n)[rng.integers(0, n, count)]
    soft = rng.dirichlet(np.ones(n), count)
    kinds = (hot, 0.9 * hot + 0.1 / n, soft, 3 * rng.random((count, n)))
    weights = np.choose(rng.integers(0, len(kinds), (count, 1)), kinds)
    return np.where(np.isinf(z), 0, weights).astype(z.dtype)


def of_rows(function: Callable[..., Any], oracle: ModuleType, *rows: np.ndarray) -> list[Any]:
    """Return the oracle's answer for each row, in one list."""
    answers = (function(*map(oracle.exact, row)) for row in zip(*rows, strict=True))
    return [x for a in answers for x in (a if isinstance(a, list) else [a])]


@every_dtype
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(oracle: ModuleType, name: str, dtype: type, effort: Effort) -> None:
    x = numbers(effort.rng(), dtype, effort.points)
    truth = [getattr(oracle, name)(v) for v in oracle.exact(x)]
    assert oracle.ulps(getattr(reference, name)(x), truth) <= bound(ELEMENTWISE[name], dtype)


@every_dtype
@pytest.mark.parametrize("name", WITH_TARGETS)
def test_elementwise_losses(oracle: ModuleType, name: str, dtype: type, effort: Effort) -> None:
    rng = effort.rng()
    inside = name in ("binary_cross_entropy", "binary_cross_entropy_grad")
    x = (probabilities if inside else numbers)(rng, dtype, effort.points)
    if name.startswith("squared"):
        y = rng.permutation(x)
    else:
        y = rng.choice([0.0, 1.0, 0.5, 0.1, 1e-3, rng.random()], x.shape).astype(dtype)
    truth = [getattr(oracle, name)(*p) for p in zip(oracle.exact(x), oracle.exact(y), strict=True)]
    got = getattr(reference, name)(x, y, reduction="none")
    assert oracle.ulps(got, truth) <= bound(WITH_TARGETS[name], dtype)


@every_dtype
@pytest.mark.parametrize("hard", [True, False], ids=["hard labels", "soft labels"])
def test_binary_cross_entropy_with_logits_grad(
    oracle: ModuleType, dtype: type, hard: bool, effort: Effort
) -> None:
    """With hard labels strictly in ulps, with soft ones in ulps of what cancels."""
    rng = effort.rng()
    z = numbers(rng, dtype, effort.points)
    y = (rng.integers(0, 2, z.shape) if hard else rng.random(z.shape)).astype(dtype)
    pairs = list(zip(oracle.exact(z), oracle.exact(y), strict=True))
    truth = [oracle.binary_cross_entropy_with_logits_grad(*p) for p in pairs]
    size = [oracle.binary_cross_entropy_with_logits_grad_size(*p) for p in pairs]
    got = reference.binary_cross_entropy_with_logits_grad(z, y, reduction="none")
    assert oracle.ulps(got, truth, None if hard else size) <= bound(3.0 if hard else 3.5, dtype)


@every_dtype
@pytest.mark.parametrize("name", OF_ROWS)
def test_functions_of_rows(oracle: ModuleType, name: str, dtype: type, effort: Effort) -> None:
    for z in logit_rows(effort.rng(), dtype, effort.rows):
        truth = of_rows(getattr(oracle, name), oracle, z)
        assert oracle.ulps(getattr(reference, name)(z), truth) <= bound(OF_ROWS[name], dtype)


@every_dtype
def test_logsumexp(oracle: ModuleType, dtype: type, effort: Effort) -> None:
    """In ulps of |max| + log(Σ/e^max), as the two may cancel."""
    for z in logit_rows(effort.rng(), dtype, effort.rows):
        truth = of_rows(oracle.logsumexp, oracle, z)
        top = oracle.exact(z.max(axis=1))
        size = [abs(m) + (t - m) for m, t in zip(top, truth, strict=True)]
        assert oracle.ulps(reference.logsumexp(z), truth, size) <= bound(4.0, dtype)


@every_dtype
def test_logsumexp_vjp(oracle: ModuleType, dtype: type, effort: Effort) -> None:
    rng = effort.rng()
    for z in logit_rows(rng, dtype, effort.rows):
        v = rng.standard_normal(len(z)).astype(dtype)
        pairs = zip(
            of_rows(lambda row: [oracle.softmax(row)], oracle, z), oracle.exact(v), strict=True
        )
        truth = [p * w for row, w in pairs for p in row]
        assert oracle.ulps(reference.logsumexp_vjp(z, v), truth) <= bound(5.0, dtype)


@every_dtype
@pytest.mark.parametrize("name", WITH_VECTOR)
def test_products_with_vectors(oracle: ModuleType, name: str, dtype: type, effort: Effort) -> None:
    rng = effort.rng()
    for z in logit_rows(rng, dtype, effort.rows):
        with np.errstate(all="ignore"):
            v = np.clip(vectors(rng, z.shape), -1e4, 1e4).astype(dtype)
        truth = of_rows(getattr(oracle, name), oracle, z, v)
        size = of_rows(getattr(oracle, f"{name}_size"), oracle, z, v)
        got = getattr(reference, name)(z, v)
        assert oracle.ulps(got, truth, size) <= bound(WITH_VECTOR[name], dtype)


@every_dtype
def test_softmax_cross_entropy_of_class_indices(
    oracle: ModuleType, dtype: type, effort: Effort
) -> None:
    """Strictly in ulps: the loss of a confident prediction and the gradient's target entry too."""
    rng = effort.rng()
    for z in logit_rows(rng, dtype, effort.rows):
        labels = np.where(rng.random(len(z)) < 0.5, z.argmax(axis=1), z.shape[1] - 1)
        hot = np.eye(z.shape[1])[labels]
        loss = reference.softmax_cross_entropy(z, labels, reduction="none")
        truth = of_rows(oracle.softmax_cross_entropy, oracle, z, hot)
        assert oracle.ulps(loss, truth) <= bound(4.0, dtype)
        gradient = reference.softmax_cross_entropy_grad(z, labels, reduction="none")
        truth = of_rows(oracle.softmax_cross_entropy_grad, oracle, z, hot)
        assert oracle.ulps(gradient, truth) <= bound(5.0, dtype)


@every_dtype
def test_softmax_cross_entropy_of_a_batch(oracle: ModuleType, dtype: type, effort: Effort) -> None:
    """The mean and the sum over a batch, and the gradient of the mean."""
    rng = effort.rng()
    for z in logit_rows(rng, dtype, 3 * effort.rows):
        labels = z.argmax(axis=1)
        hot = np.eye(z.shape[1])[labels]
        losses = of_rows(oracle.softmax_cross_entropy, oracle, z, hot)
        total = sum(losses)
        assert oracle.ulps(
            reference.softmax_cross_entropy(z, labels, reduction="sum"), [total]
        ) <= bound(5.0, dtype)
        mean = reference.softmax_cross_entropy(z, labels)
        assert oracle.ulps(mean, [total / len(z)]) <= bound(5.0, dtype)
        truth = [g / len(z) for g in of_rows(oracle.softmax_cross_entropy_grad, oracle, z, hot)]
        gradient = reference.softmax_cross_entropy_grad(z, labels)
        assert oracle.ulps(gradient, truth) <= bound(6.0, dtype)


@every_dtype
def test_cross_entropy_of_probabilities(oracle: ModuleType, dtype: type, effort: Effort) -> None:
    rng = effort.rng()
    for n in (1, 2, 5):
        p = rng.choice(probabilities(rng, dtype, effort.points), (4 * effort.rows, n))
        weights = weights_for(rng, p)
        truth = of_rows(oracle.cross_entropy, oracle, p, weights)
        assert oracle.ulps(reference.cross_entropy(p, weights, reduction="none"), truth) <= bound(
            5.0, dtype
        )
        truth = of_rows(oracle.cross_entropy_grad, oracle, p, weights)
        gradient = reference.cross_entropy_grad(p, weights, reduction="none")
        assert oracle.ulps(gradient, truth) <= bound(0.5, dtype)


@every_dtype
def test_mean_squared_error_does_not_overflow(
    oracle: ModuleType, dtype: type, effort: Effort
) -> None:
    """At the edge of the range single squares overflow and the mean does not, or both do."""
    rng = effort.rng()
    edge = np.sqrt(float(np.finfo(dtype).max))
    for scale in (1e-3 * edge, edge, 3 * edge):
        y = (scale * rng.standard_normal(50)).astype(dtype)
        truth = sum(v**2 for v in oracle.exact(y)) / 100
        assert oracle.ulps(reference.squared_error(y, 0.0), [truth]) <= bound(4.0, dtype)


@every_dtype
def test_softmax_cross_entropy_of_weights(oracle: ModuleType, dtype: type, effort: Effort) -> None:
    """The loss strictly in ulps, the gradient in ulps of what cancels in p·ΣY − Y."""
    rng = effort.rng()
    for z in logit_rows(rng, dtype, effort.rows):
        weights = weights_for(rng, z)
        loss = reference.softmax_cross_entropy(z, weights, reduction="none")
        truth = of_rows(oracle.softmax_cross_entropy, oracle, z, weights)
        assert oracle.ulps(loss, truth) <= bound(5.0, dtype)
        gradient = reference.softmax_cross_entropy_grad(z, weights, reduction="none")
        truth = of_rows(oracle.softmax_cross_entropy_grad, oracle, z, weights)
        size = of_rows(oracle.log_softmax_vjp_size, oracle, z, weights)
        assert oracle.ulps(gradient, truth, size) <= bound(7.0, dtype)


def test_subnormal_derivatives_of_tanh(oracle: ModuleType) -> None:
    """4·e^-2x from a subnormal e^-2x would be off by up to 2.8 quanta, or 0 instead of 2."""
    x = np.linspace(360.0, 373.0, 200)
    truth = [oracle.tanh_grad(v) for v in oracle.exact(x)]
    assert oracle.ulps(reference.tanh_grad(x), truth) <= 0.6


def test_the_worst_roundings_of_the_binary_gradient(oracle: ModuleType) -> None:
    """Points found by search in 1.5e8: the worst, and those where (p−y)/p/(1−p) is 2.63 ulp off."""
    pairs = (
        ("0x1.3b8736d168d5ep-3", "0x1.4ee2d18189355p-1"),
        ("0x1.2de2ff0870bc1p-3", "0x1.96f17fd703371p-2"),
        ("0x1.2bec57eb6891ep-3", "0x1.5f62bed214234p-6"),
        ("0x1.ffffb179c3af5p-2", "0x1.ffffa6da694ffp-3"),
    )
    p, y = np.array([[float.fromhex(x) for x in pair] for pair in pairs]).T
    exact = zip(oracle.exact(p), oracle.exact(y), strict=True)
    truth = [oracle.binary_cross_entropy_grad(*pair) for pair in exact]
    got = reference.binary_cross_entropy_grad(p, y, reduction="none")
    assert 2.1 < oracle.ulps(got, truth) <= WITH_TARGETS["binary_cross_entropy_grad"]
    in_turn = (p - y) / p / (1 - p)
    assert oracle.ulps(in_turn, truth) > WITH_TARGETS["binary_cross_entropy_grad"]


@pytest.mark.parametrize("alpha", [1.0, 3.0, 0.7, 1e-300, 1e300, -1.7e308])
def test_slopes_of_elu_far_left(oracle: ModuleType, alpha: float) -> None:
    """α·e^x where e^x is subnormal or 0: a large α makes it a normal number again."""
    x = np.concatenate([[-652.6902234962376, -np.inf], -np.linspace(640.0, 1500.0, 800)])
    with np.errstate(all="ignore"):
        truth = [oracle.exact(np.array([alpha]))[0] * mp.exp(v) for v in oracle.exact(x)]
    assert oracle.ulps(reference.elu_grad(x, alpha=alpha), truth) <= 2.0


@pytest.mark.parametrize(
    ("x", "gamma", "eps"),
    [
        ([1e-320, 2e-320, -3e-320, 4.7e-320], [1e10, 1.3e10, 0.7e10, 1.1e10], 1e-6),
        ([1e-320, 2e-320], [1e10, 1e10], 1e-5),
        ([1e-200, 2e-200], [1e200, 1e200], 1e300),
        ([1e300, 1e-20], [1.0, 1e6], 1e-6),
        ([1e300, 1e-320], [1.0, 1e308], 0.0),
        ([1.0, 2.0, -3.0], [1e-310, 1.0, 1e308], 1e-6),
    ],
)
def test_norms_of_what_is_subnormal_on_the_way(
    oracle: ModuleType, x: list[float], gamma: list[float], eps: float
) -> None:
    """A large γ makes an ordinary number of a quotient that is none."""
    exact, scale, small = oracle.exact(np.array(x)), oracle.exact(np.array(gamma)), mpf(eps)
    n, mean = len(x), mp.fsum(oracle.exact(np.array(x))) / len(x)
    root = mp.sqrt(mp.fsum(v * v for v in exact) / n + small)
    truth = [v * g / root for v, g in zip(exact, scale, strict=True)]
    assert oracle.ulps(reference.rms_norm(x, gamma, eps=eps), truth) <= 5.0
    root = mp.sqrt(mp.fsum((v - mean) ** 2 for v in exact) / n + small)
    truth = [(v - mean) * g / root for v, g in zip(exact, scale, strict=True)]
    spread = mp.fsum(abs(v - mean) for v in exact) / n
    size = [(abs(v - mean) + spread) * g / root for v, g in zip(exact, scale, strict=True)]
    zeros = np.zeros(n)
    assert oracle.ulps(reference.layer_norm(x, gamma, zeros, eps=eps), truth, size) <= 5.0
    columns = np.array(x)[:, None] * np.ones(n)
    got = np.diag(reference.batch_norm(columns, gamma, zeros, eps=eps))
    assert oracle.ulps(got, truth, size) <= 5.0
