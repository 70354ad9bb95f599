"""Mistakes are named where the evidence supports a name, and not where it doesn't (more are in the corpus)."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck import Outcome, check
from gradcheck._diagnosis.ratios import simple_ratio

X = np.random.default_rng(0).standard_normal(20)


def noisy(x: Any) -> float:
    """Σ sin(xᵢ) with noise of 1e-6."""
    bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
    return float(np.sum(np.sin(x))) + 1e-6 * (int.from_bytes(bits) / 2**63 - 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_slight_disagreement_is_too_little_for_a_name(seed: int) -> None:
    """A claim 0.2 % too large is about ten error bars off, and 1.002 ± 0.0002 is any factor."""
    report = check(noisy, X, grad=lambda x: 1.002 * np.cos(x), rng=seed)
    assert report.outcome is Outcome.FAIL, str(report)
    assert report.diagnosis is None


@pytest.mark.parametrize("seed", range(4))
def test_a_gross_one_is_named_in_spite_of_noise(seed: int) -> None:
    report = check(noisy, X, grad=lambda x: 2 * np.cos(x), rng=seed)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "factor"


@pytest.mark.parametrize(("doubt", "plain"), [(1e-3, None), (0.015, 2), (0.05, 2)])
def test_a_plain_factor_is_no_more_than_two_percent_off(doubt: float, plain: int | None) -> None:
    """One of 2.0213 may be 2 where it isn't known better; one of 2.0513 is called 2 by no error bar."""
    assert simple_ratio(2.0213, doubt) == plain
    assert simple_ratio(2.0513, doubt) is None


@pytest.mark.parametrize(("width", "kind"), [(2, "row"), (3, None)])
def test_two_wrong_entries_are_a_row_if_they_are_all_of_it(width: int, kind: str | None) -> None:
    x = np.random.default_rng(1).standard_normal((4, width))

    def grad(x: np.ndarray) -> np.ndarray:
        g = np.cos(x)
        g[2, :2] = 0.0
        return g

    report = check(lambda x: np.sum(np.sin(x)), x, grad=grad, rng=0)
    assert len(report.wrong_entries) == 2
    assert (report.diagnosis and report.diagnosis.kind) == kind


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_rtol_is_no_licence_for_a_name(seed: int) -> None:
    """Entries from 1 % to 1.5 % of what they should be have no factor in common."""
    share = np.random.default_rng(1).uniform(0.01, 0.015, X.size)
    report = check(
        lambda x: np.sum(np.sin(x)), X, grad=lambda x: share * np.cos(x), rtol=0.2, rng=seed
    )
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_a_single_entry_is_named_only_if_it_explains_everything(share: float) -> None:
    """The search for the larger of two mistakes may be too rough to find the other one."""
    x = np.random.default_rng(0).uniform(0.5, 2.0, 16)

    def grad(x: np.ndarray) -> np.ndarray:
        g = 3 * np.cos(3 * x)
        g[[5, 11]] += 0.03, 0.03 * share
        return g

    for seed in range(20):
        report = check(lambda x: np.sum(np.sin(3 * x)), x, grad=grad, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None, (seed, str(report))


def kinds(f: Any, shape: tuple[int, ...], vjp: Any, mode: Any = "fast") -> set[str | None]:
    points = [np.random.default_rng(seed).standard_normal(shape) for seed in range(10)]
    reports = [check(f, x, vjp=vjp, mode=mode, rng=seed) for seed, x in enumerate(points)]
    assert {r.outcome for r in reports} == {Outcome.FAIL}
    return {r.diagnosis and r.diagnosis.kind for r in reports}


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_the_others_agree_is_looked_at(share: float) -> None:
    """Three small entries are wrong as well, by far more than the resolution."""
    weight = np.array([1e3, 1.0, 1.0, 1.0])

    def vjp(x: np.ndarray, v: float) -> np.ndarray:
        g = weight * np.cos(x)
        wrong = 0.5 * g[0]
        return v * (g + wrong * np.array([1.0, share, share, share]))

    assert kinds(lambda x: np.sum(weight * np.sin(x)), (4,), vjp) == {None}


@pytest.mark.parametrize(
    ("vjp", "kind"),
    [
        (lambda x, v: np.cos(x), "upstream"),
        (lambda x, v: v * np.cos(x) + 0.01 * x, None),
        (lambda x, v: np.clip(v * np.cos(x), -0.1, 0.1), None),
        (lambda x, v: v * v * np.cos(x), None),
    ],
)
def test_nonlinear_is_not_always_ignored(vjp: Any, kind: str | None) -> None:
    assert kinds(np.sin, (3,), vjp) == {kind}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_triangular_is_not_diagonal(mode: Any) -> None:
    def f(x: np.ndarray) -> Any:
        return np.log(np.cumsum(np.exp(x)))

    def vjp(x: np.ndarray, v: np.ndarray) -> Any:
        return np.exp(x) * np.cumsum(v / np.cumsum(np.exp(x)))

    assert kinds(f, (8,), vjp, mode) == {None}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("shape", [(2, 3), (6,)])
def test_one_entry_that_is_wrong_in_every_output(mode: Any, shape: tuple[int, ...]) -> None:
    w = np.random.default_rng(0).standard_normal((4, 6))

    def vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        g = w.T @ (v * (1 - np.tanh(w @ x.ravel()) ** 2))
        g[4] *= 1.5
        return g.reshape(x.shape)

    assert kinds(lambda x: np.tanh(w @ x.ravel()), shape, vjp, mode) == {"entry"}


# -- one argument of several, and entries in another order -----------------------------------------

CUBE = np.random.default_rng(2).standard_normal((4, 5, 5))
PAIR = CUBE[:, :, 0], CUBE[:, :, 1]


def orders(a: Any) -> dict[str, tuple[Any, str]]:
    """What may happen to the gradient of a 4×5×5 array, and how that is named."""
    return {
        "shift by three": (np.roll(a, 3, axis=1), "shifted by -2 along axis 1"),
        "reverse": (a[::-1], "in reverse order along axis 0"),
        "axes": (a.transpose(0, 2, 1), "axes 1 and 2 of the gradient of argument 0 are exchanged"),
        "flattened by columns": (a.ravel(order="F").reshape(a.shape), "column-major order"),
        "read by columns": (a.ravel().reshape(a.shape, order="F"), "column-major order"),
        "halves": (np.roll(a, 2, axis=0), "shifted by +2 along axis 0"),
    }


@pytest.mark.parametrize("how", orders(CUBE))
def test_an_order_of_entries_is_named(how: str) -> None:
    report = check(
        lambda x: np.sum(np.sin(x)), CUBE, grad=lambda x: orders(np.cos(x))[how][0].copy(), rng=0
    )
    assert report.diagnosis is not None, str(report)
    assert orders(CUBE)[how][1] in report.diagnosis.sentence


def test_two_parts_are_exchanged_not_shifted() -> None:
    report = check(lambda x: np.sum(x**3), CUBE[:, :2, 0], grad=lambda x: 3 * x[:, ::-1] ** 2)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "exchange"


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (lambda a, b: (a, -b), "sign", "the sign of the gradient of argument 1 is flipped"),
        (lambda a, b: (a / 3, b), "factor", "claimed = 1/3 × numerical in argument 0 alone"),
        (lambda a, b: (b, a), "exchange", "gradients of argument 0 and argument 1 are exchanged"),
        (lambda a, b: (a, b * np.arange(1, 6)), None, ""),
    ],
)
def test_what_one_of_two_arguments_suffers(wrong: Any, kind: str | None, words: str) -> None:
    report = check(
        lambda a, b: np.sum(np.sin(a)) + np.sum(b**3),
        PAIR,
        grad=lambda a, b: wrong(np.cos(a), 3 * b**2),
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    assert (report.diagnosis and report.diagnosis.kind) == kind, str(report)
    assert report.diagnosis is None or words in report.diagnosis.sentence


def test_a_derivative_of_nothing_is_no_multiple() -> None:
    """A straight-through estimator claims 1 where rounding has no slope."""
    report = check(
        lambda a, b: np.sum(np.round(4 * a) / 4) + np.sum(np.sin(b)),
        PAIR,
        grad=lambda a, b: (np.ones_like(a), np.cos(b)),
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None, str(report)


def test_a_steep_claim_in_float32_has_not_lost_its_digits() -> None:
    """Beside a mean of 3000 the last digits of x are small, fifty thousand of them are not."""
    x = (3000 + np.random.default_rng(0).standard_normal(12)).astype(np.float32)

    def f(x: np.ndarray) -> Any:
        return np.sum(np.sin(x - np.float32(3000)))

    def grad(x: np.ndarray) -> np.ndarray:
        g = np.cos(x - np.float32(3000))
        g[3] = 0.0
        return g

    for seed in range(5):
        report = check(f, x, grad=grad, rng=seed)
        assert report.diagnosis is None or report.diagnosis.kind == "entry", str(report)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e200, 1e308])
@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
def test_whatever_is_claimed_is_judged(size: float, scale: float) -> None:
    """Along some directions such claims sum to exactly zero, or to more than any number."""

    def f(a: np.ndarray, b: np.ndarray) -> Any:
        return scale * (np.sum(np.sin(a)) + np.sum(b**3))

    a, b = np.array([0.3, -1.0, 0.7, 0.2]), np.array([1.0, 2.0])
    for seed in range(10):
        report = check(f, (a, b), grad=lambda a, b: (np.full(4, size), 3 * scale * b**2), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)
        report = check(lambda a: f(a, b), a, grad=lambda a: np.full(4, size), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)


@pytest.mark.parametrize(
    ("factor", "shape", "kind", "words"),
    [
        (5.0, (5, 4), "reduction", "everywhere, as if a mean's 1/N were missing (N = 5, axis 0"),
        (1 / 5, (5, 4), "reduction", "everywhere, as if there were a 1/N too many (N = 5, axis 0"),
        (3.0, (3, 4), "factor", "a mean's 1/N if not a factor of 3: N = 3, axis 0"),
        (1 / 3, (3, 4), "factor", "a mean's 1/N if not a factor of 3: N = 3, axis 0"),
        (-5.0, (5, 4), "factor", "claimed = -5 × numerical, everywhere"),
    ],
)
def test_a_factor_that_is_the_length_of_an_axis(
    factor: float, shape: tuple[int, ...], kind: str, words: str
) -> None:
    """Small numbers are often factors of their own, and no mean has a sign."""
    x = np.random.default_rng(0).standard_normal(shape)
    report = check(lambda x: np.sum(np.sin(x)), x, grad=lambda x: factor * np.cos(x), rng=0)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == kind
    assert words in report.diagnosis.sentence
    assert ("N =" in report.diagnosis.sentence) == (factor > 0)


# -- right where a matrix stays symmetric ----------------------------------------------------------


def positive_definite(*shape: int) -> np.ndarray:
    a = np.random.default_rng(0).standard_normal(shape)
    a = a @ np.swapaxes(a, -1, -2) / 4 + np.eye(shape[-1]) / 4
    return np.asarray((a + np.swapaxes(a, -1, -2)) / 2)


def eigenvalues_vjp(s: np.ndarray, v: np.ndarray) -> np.ndarray:
    vectors = np.linalg.eigh(s).eigenvectors
    return np.asarray((vectors * v[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def cholesky_vjp(s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Murray (2016), symmetric."""
    lower = np.linalg.cholesky(s)
    p = np.tril(lower.T @ v)
    p[np.diag_indices_from(p)] /= 2
    g = np.linalg.solve(lower.T, np.linalg.solve(lower.T, p.T).T)
    return np.asarray((g + g.T) / 2)


def logdet(s: np.ndarray) -> Any:
    return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(s))))


BY_CONVENTION: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "eigvalsh": (np.linalg.eigvalsh, positive_definite(4, 4), {"vjp": eigenvalues_vjp}),
    "stacked": (np.linalg.eigvalsh, positive_definite(2, 3, 3), {"vjp": eigenvalues_vjp}),
    "cholesky": (np.linalg.cholesky, positive_definite(4, 4), {"vjp": cholesky_vjp}),
    "logdet": (logdet, positive_definite(5, 5), {"grad": np.linalg.inv}),
    "indefinite": (
        np.linalg.eigvalsh,
        positive_definite(4, 4) - np.eye(4),
        {"vjp": eigenvalues_vjp},
    ),
    "jvp": (
        logdet,
        positive_definite(3, 3),
        {"jvp": lambda s, u: float(np.sum(np.linalg.inv(s) * u))},
    ),
}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("which", BY_CONVENTION)
def test_a_gradient_for_symmetric_matrices_is_named(which: str, mode: Any) -> None:
    """The functions read a triangle alone, so all else is wrong in unrelated entries."""
    f, s, claim = BY_CONVENTION[which]
    name = "Symmetric" if which == "indefinite" else "PositiveDefinite"
    for seed in range(5):
        report = check(f, s, rng=seed, mode=mode, **claim)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is not None, str(report)
        assert report.diagnosis.kind == "symmetric"
        assert "symmetric perturbations of argument 0," in report.diagnosis.sentence
        assert report.diagnosis.sentence.endswith(f"give domain=gradcheck.{name}()")
        assert check(f, s, rng=seed, mode=mode, domain=getattr(gradcheck, name)(), **claim)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda g: g * (1 + 1e-4 * np.arange(4)[:, None] * np.arange(4)),
        lambda g: g + 1e-3 * np.eye(4)[1],
        np.tril,
        lambda g: g * [[1.0, 1.0, 1.0, 0.0]],
    ],
)
def test_what_is_wrong_for_symmetric_matrices_too_is_not_excused(wrong: Any) -> None:
    s = positive_definite(4, 4)
    for seed in range(10):
        report = check(logdet, s, grad=lambda s: wrong(np.linalg.inv(s)), rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "symmetric", str(report)


def test_symmetric_perturbations_must_start_from_a_symmetric_matrix() -> None:
    """The same claim, at a matrix whose upper triangle cholesky doesn't read."""
    s = positive_definite(4, 4)
    s[0, 3] += 1.0
    report = check(
        logdet,
        s,
        grad=lambda s: np.linalg.inv(np.tril(s) + np.tril(s, -1).T),
        rng=0,
    )
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None, str(report)


def test_a_transposed_gradient_is_named_so_at_a_symmetric_matrix_too() -> None:
    w = np.random.default_rng(1).standard_normal((4, 4))
    report = check(
        lambda a: np.sum(w * a**3),
        positive_definite(4, 4),
        grad=lambda a: (3 * w * a**2).T,
        rng=0,
    )
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "transpose"


@pytest.mark.parametrize(
    ("f", "names", "domain"),
    [
        (
            lambda s, t: logdet(s) * np.sum(t**2),
            "argument 0",
            "{0: gradcheck.PositiveDefinite()}",
        ),
        (
            lambda s, t: logdet(s) * np.sum(np.tril(t) ** 2 + np.tril(t, -1) ** 2),
            "argument 0 and argument 1",
            "{0: gradcheck.PositiveDefinite(), 1: gradcheck.Symmetric()}",
        ),
    ],
)
def test_which_of_two_symmetric_arguments_is_meant(f: Any, names: str, domain: str) -> None:
    s, t = positive_definite(3, 3), positive_definite(3, 3) - np.eye(3)

    def grad(s: np.ndarray, t: np.ndarray) -> Any:
        return np.linalg.inv(s) * np.sum(t**2), 2 * t * logdet(s)

    for seed in range(5):
        report = check(f, (s, t), grad=grad, rng=seed)
        assert report.diagnosis is not None, str(report)
        assert report.diagnosis.kind == "symmetric"
        assert f"symmetric perturbations of {names}," in report.diagnosis.sentence
        assert report.diagnosis.sentence.endswith(f"give domain={domain}")


def test_symmetric_perturbations_that_show_nothing_excuse_nothing() -> None:
    """Here f has no value along them, which contradicts no claim."""
    s = positive_definite(4, 4)

    def f(a: np.ndarray) -> Any:
        beside = np.array_equal(a, a.T) and not np.array_equal(a, s)
        return np.nan if beside else logdet(a)

    for seed in range(5):
        report = check(f, s, grad=np.linalg.inv, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "symmetric", str(report)


def test_round_numbers_are_no_half_precision() -> None:
    """20000 and 2 fit in float16 by chance."""
    x = np.array([1e4, 1.0, 1e-3])
    report = check(
        lambda x: np.sum(x**2), x, grad=lambda x: 2 * x * np.array([1, 1, 0]), mode="full", rng=0
    )
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None or report.diagnosis.kind != "precision"


def test_the_only_row_is_no_place() -> None:
    for seed in range(10):
        report = check(lambda x: np.sum(np.sin(x)), P[None, :4], grad=lambda x: x**2 + 3, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "row", str(report)


P = np.random.default_rng(0).uniform(0.05, 0.95, 12)
Y = np.arange(12) % 2


def mean_log(e: float) -> tuple[Any, Any]:
    return lambda p: -np.mean(np.log(p + e)), lambda p: -1 / (p + e) / 12


def binary(e: float) -> tuple[Any, Any]:
    def f(p: Any) -> Any:
        return -np.mean(Y * np.log(p + e) + (1 - Y) * np.log(1 - p + e))

    return f, lambda p: -(Y / (p + e) - (1 - Y) / (1 - p + e)) / 12


def poisson(e: float) -> tuple[Any, Any]:
    return lambda p: np.sum(p - Y * np.log(p + e)), lambda p: 1 - Y / (p + e)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("loss", [mean_log, binary, poisson])
@pytest.mark.parametrize("epsilon", [1e-3, 3e-6, 1e-8])
def test_an_epsilon_on_one_side_only(loss: Any, epsilon: float, mode: Any) -> None:
    (plain, of_plain), (added, of_added) = loss(0.0), loss(epsilon)
    for f, grad in ((added, of_plain), (plain, of_added)):
        report = check(f, P, grad=grad, mode=mode, rng=0)
        assert report.diagnosis is not None, str(report)
        assert report.diagnosis.kind == "epsilon"
        assert report.diagnosis.sentence.startswith(f"an ε of {epsilon:.3g} is added to argument 0")


@pytest.mark.parametrize(
    ("f", "grad"),
    [
        (lambda x: 0.5 * np.sum(x**2), lambda x: x + 1e-3),  # a constant
        (lambda x: np.sum(x**3), lambda x: 3 * x**2 + 1e-3),
        (lambda x: np.sum(x**3), lambda x: 3 * x**2 + 1e-3 * x),  # nearly (x + ε)²
        (lambda x: np.sum(np.log(x)), lambda x: 1 / x + 1e-3 / x),  # a factor
        (lambda x: np.sum(x * np.log(x)), lambda x: np.log(x) + 1 + 1e-3 * np.sin(9 * x)),
        (lambda x: np.sum(np.log(x)), lambda x: 1 / (x + 0.5)),  # no ε is as large
    ],
)
def test_other_small_errors_are_no_epsilon(f: Any, grad: Any) -> None:
    for mode in ("fast", "full"):
        report = check(f, P, grad=grad, mode=mode, rng=0)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "epsilon", str(report)


# -- names that were wrong once --------------------------------------------------------------------


def test_an_argument_that_f_does_not_depend_on_is_not_missing() -> None:
    """Where q = 0 and all keys are alike the gradient of the keys vanishes; that of q is wrong."""
    weights = np.random.default_rng(91).standard_normal((6, 6))

    def probabilities(q: np.ndarray, k: np.ndarray) -> np.ndarray:
        e = np.exp(q @ k.T)
        return e / e.sum(axis=1, keepdims=True)

    def grad(q: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ds = weights * probabilities(q, k)  # without the centre of softmax
        return ds @ k, ds.T @ q

    at = np.zeros((6, 3)), np.ones((6, 3))
    for seed in range(3):
        report = check(lambda q, k: np.sum(weights * probabilities(q, k)), at, grad=grad, rng=seed)
        assert report.outcome is Outcome.FAIL
        assert report.diagnosis is None or report.diagnosis.kind != "argument", str(report)


def test_an_argument_that_is_missing_is_named() -> None:
    report = check(
        lambda a, b: np.sum(np.sin(a)) + np.sum(b**3),
        PAIR,
        grad=lambda a, b: (np.cos(a), 0 * b),
        rng=0,
    )
    assert report.diagnosis is not None
    assert report.diagnosis.sentence == "the gradient of argument 1 is missing (zero)"


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_column_is_no_single_entry(mode: Any) -> None:
    a = np.arange(1.0, 13.0).reshape(4, 3)
    x = np.array([1.0, 2.0, 3.0])
    report = check(lambda x: a @ x, x, jac=lambda x: a * [1, 1, 0.5], mode=mode, rng=0)
    assert report.diagnosis is not None
    sentence = report.diagnosis.sentence
    assert sentence == "claimed = 1/2 × numerical in all that depends on x0[2] alone"


def rounded(x: np.ndarray) -> float:
    """A loss that was printed and read again."""
    return float(f"{np.sum(np.sin(x) * np.arange(1, 7)):.5g}")


def test_a_sign_is_a_sign_however_noisy_f_is() -> None:
    x = np.linspace(0.3, 1.2, 6)
    names = []
    for seed in range(5):
        report = check(rounded, x, grad=lambda x: -np.cos(x) * np.arange(1, 7), rng=seed)
        names.append(report.diagnosis and report.diagnosis.kind)
    assert set(names) <= {"sign", None}
    assert names.count("sign") >= 2


@pytest.mark.parametrize("seed", range(5))
def test_a_factor_has_no_more_digits_than_are_known(seed: int) -> None:
    def noisy(x: np.ndarray) -> float:
        bits = hashlib.blake2b(x.tobytes(), digest_size=8).digest()
        return float(np.sum(np.sin(x))) + 1e-8 * (int.from_bytes(bits) / 2**63 - 1)

    report = check(noisy, X, grad=lambda x: 2.71828 * np.cos(x), rng=seed)
    assert report.diagnosis is not None
    known = report.diagnosis.sentence.split()[2]
    assert float(known) == pytest.approx(2.71828, rel=1e-2)
    assert len(known) <= 7, report.diagnosis.sentence
    half = check(noisy, X, grad=lambda x: 0.5 * np.cos(x), rng=seed)
    assert half.diagnosis is not None
    assert half.diagnosis.sentence == "claimed = 1/2 × numerical, everywhere"


def test_one_entry_is_not_everywhere() -> None:
    """At its own mean the normal likelihood has a slope in the deviation alone."""
    data = np.random.default_rng(0).standard_normal(30)

    def nll(mean: Any, deviation: Any) -> Any:
        return np.sum(0.5 * ((data - mean) / deviation) ** 2 + np.log(deviation))

    def grad(mean: Any, deviation: Any) -> tuple[Any, Any]:
        residuals = data - mean
        slope = -np.sum(residuals**2) / deviation**3 + 2.3 * data.size / deviation
        return np.sum(-residuals / deviation**2), slope

    report = check(nll, (data.mean(), 1.3), grad=grad, rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is None or "everywhere" not in report.diagnosis.sentence


def test_what_is_nothing_beside_the_rounding_of_the_rest_has_no_ratio() -> None:
    """Rounding of output 0 hides what output 1 should be; a multiple of it explained nothing."""
    x = np.array([3e-9, 2e9])

    def f(x: Any) -> Any:
        return np.array([x[0] * x[1] * 1e9, np.sin(x[1] * 1e-9) + x[0] * 1e9])

    def jac(x: Any) -> Any:  # without the 1e-9 of the chain rule
        return np.array([[x[1] * 1e9, x[0] * 1e9], [1e9, np.cos(x[1] * 1e-9)]])

    for seed in range(12):
        report = check(f, x, jac=jac, rng=seed)
        assert report.diagnosis is not None
        assert "single entry of x, x0[1]" in report.diagnosis.sentence


@pytest.mark.parametrize(
    ("factor", "ratio"),
    [
        (60_000.0, Fraction(60_000)),
        (60_000.03, None),  # a millionth off, but as far from a whole number as any
        (-287_292_612.4, None),
        (1 / 60_000, Fraction(1, 60_000)),
        (1 / 60_000.03, None),
        (2 / 3, Fraction(2, 3)),
    ],
)
def test_what_is_large_is_a_simple_ratio_only_if_it_is_whole(
    factor: float, ratio: Fraction | None
) -> None:
    assert simple_ratio(factor) == ratio
