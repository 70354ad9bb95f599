"""Claimed Hessians and their products with vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from gradcheck import Outcome, Reason, check
from gradcheck._estimate.directions import detectable_matrix

RNG = np.random.default_rng(0)
A = RNG.standard_normal((12, 5))
X = RNG.standard_normal(5)


def loss(x: Any) -> Any:
    return np.sum(np.log1p(np.exp(A @ x)))


def hess(x: Any) -> Any:
    p = 1 / (1 + np.exp(-A @ x))
    return (A.T * (p * (1 - p))) @ A


def hvp(x: Any, u: Any) -> Any:
    return hess(x) @ u


@pytest.mark.parametrize("claim", [{"hess": hess}, {"hvp": hvp}], ids=["hess", "hvp"])
def test_right(claim: Any) -> None:
    for seed in range(5):
        report = check(loss, X, rng=seed, **claim)
        assert report.outcome is Outcome.PASS, str(report)
        assert report.resolution < 1e-2


def changed(h: Any, how: str) -> Any:
    out = h.copy()
    if how == "sign":
        out = -out
    elif how == "factor":
        out *= 2
    elif how == "zero":
        out *= 0
    elif how == "diagonal only":
        out = np.diag(np.diag(out))
    elif how == "a diagonal entry":
        out[3, 3] += 1
    elif how == "a pair of entries":
        out[1, 4] += 1
        out[4, 1] += 1
    return out


@pytest.mark.parametrize(
    "how", ["sign", "factor", "zero", "diagonal only", "a diagonal entry", "a pair of entries"]
)
def test_wrong(how: str) -> None:
    for seed in range(5):
        report = check(loss, X, hess=lambda x: changed(hess(x), how), rng=seed)
        assert report.outcome is Outcome.FAIL, str(report)
        product = check(loss, X, hvp=lambda x, u: changed(hess(x), how) @ u, rng=seed)
        assert product.outcome is Outcome.FAIL
        if how in ("sign", "factor", "zero"):
            assert report.diagnosis is not None
            assert report.diagnosis.kind == how


def test_the_wrong_entry() -> None:
    report = check(loss, X, hess=lambda x: changed(hess(x), "a diagonal entry"), rng=0)
    (e,) = report.wrong_entries
    assert (e.output, e.index) == ((3,), (3,))
    truth = hess(X)[3, 3]
    assert abs(e.numerical - truth) <= e.radius < 1e-3
    assert e.claimed == pytest.approx(truth + 1)
    pair = check(loss, X, hess=lambda x: changed(hess(x), "a pair of entries"), rng=0)
    assert {pair.wrong_entries[0].output, pair.wrong_entries[0].index} == {(1,), (4,)}


def powers(x: Any) -> Any:
    return np.sum(x**4)


@pytest.mark.parametrize("wrong", [1, 5, 6])
def test_every_wrong_entry_is_counted(wrong: int) -> None:
    """Of a factor, which all share, one entry is shown, and none counted."""
    x = np.arange(1.0, 7.0).reshape(2, 3)
    off = np.where(np.arange(6) < wrong, 1.0, 0.0)

    def claimed(x: Any) -> Any:
        h = np.diag(12 * x.ravel() ** 2 + off)
        return (2 * np.diag(12 * x.ravel() ** 2) if wrong == 6 else h).reshape(2, 3, 2, 3)

    report = check(powers, x, hess=claimed, rng=0)
    found = [(e.output, e.index) for e in report.wrong_entries]
    if wrong == 6:
        assert len(found) == 1
        assert "wrong entr" not in report.message
    else:
        diagonal = [divmod(k, 3) for k in range(wrong)]
        assert sorted(found) == [(k, k) for k in diagonal]
        assert ("(5 wrong entries)" in report.message) == (wrong == 5)
        assert "at least" not in report.message


def test_a_wrong_entry_of_nested_arguments_is_named_with_its_row() -> None:
    x = {"a": np.array([1.0, 2.0]), "b": np.array(3.0)}

    def product(x: Any, u: Any) -> Any:
        mixed = x["a"] + np.array([0.0, 1.0])  # should be a
        return {"a": x["b"] * u["a"] + mixed * u["b"], "b": np.sum(mixed * u["a"])}

    report = check(lambda x: np.sum(x["a"] ** 2) * x["b"] / 2, x, hvp=product, rng=0)
    names = {"H[x0['a'][1], x0['b']]", "H[x0['b'], x0['a'][1]]"}
    assert report.message.split(" is wrong")[0] in names
    assert {e.output_path for e in report.wrong_entries} == {"x0['a']", "x0['b']"}


def test_asymmetric() -> None:
    def skewed(x: Any) -> Any:
        h = hess(x)
        h[0, 2] += 1
        h[2, 0] -= 1
        return h

    report = check(loss, X, hess=skewed, rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.ASYMMETRIC)


def test_nested_arguments_and_matrices() -> None:
    x = {"a": RNG.standard_normal((2, 3)), "b": np.array(0.5)}

    def f(p: Any) -> Any:
        return np.sum(p["a"] ** 3) * p["b"] ** 2

    def product(p: Any, u: Any) -> Any:
        a, b = p["a"], p["b"]
        return {
            "a": 6 * a * b**2 * u["a"] + 6 * a**2 * b * u["b"],
            "b": np.sum(6 * a**2 * b * u["a"]) + 2 * np.sum(a**3) * u["b"],
        }

    assert check(f, x, hvp=product, rng=0).outcome is Outcome.PASS
    only = check(f, x, hvp=lambda p, u: product(p, u) | {"b": np.array(0.0)}, rng=0)
    assert only.outcome is Outcome.FAIL


@pytest.mark.parametrize("x", [0.7, np.array([0.7]), np.array(0.7)])
def test_one_number(x: Any) -> None:
    shape = np.shape(x) * 2

    def second(x: Any) -> Any:
        return np.reshape(-np.sin(x), shape)

    assert check(lambda x: np.sum(np.sin(x)), x, hess=second, rng=0).outcome is Outcome.PASS
    wrong = check(lambda x: np.sum(np.sin(x)), x, hess=lambda x: -second(x), rng=0)
    assert wrong.outcome is Outcome.FAIL


def test_contracts() -> None:
    shape = check(loss, X, hess=lambda x: hess(x)[:4])
    assert (shape.outcome, shape.reason) == (Outcome.FAIL, Reason.SHAPE)
    nan = check(loss, X, hess=lambda x: hess(x) * np.nan)
    assert (nan.outcome, nan.reason) == (Outcome.FAIL, Reason.NONFINITE_CLAIM)
    affine = check(loss, X, hvp=lambda x, u: hvp(x, u) + 1.0)
    assert (affine.outcome, affine.reason) == (Outcome.FAIL, Reason.NONLINEAR)
    with pytest.raises(TypeError, match="one real number"):
        check(np.sin, X, hess=hess)
    with pytest.raises(ValueError, match="hessian_vector"):
        check(loss, X, hess=hess, mode="full")


@pytest.mark.parametrize(
    ("f", "reason", "words"),
    [
        (lambda x: np.sum(np.maximum(x - 1.25, 0)), Reason.KINK, "kink at x"),
        (lambda x: np.sum(np.maximum(x - 1.25, 0) ** 2), Reason.KINK, "kink at x"),
        (lambda x: np.sum(np.sqrt(x - 1.25)), Reason.DOMAIN, "isn't finite around x"),
        (lambda x: np.sum(np.abs(x - 1.25) ** 1.5), Reason.ROUGH, "no step sizes agree"),
        (lambda x: np.float32(1e6 + np.sum(np.sin(x))), Reason.NOISE, "rounding or noise hides"),
        (lambda x: 1e16 + np.sum(np.sin(x)), Reason.NOISE, "f did not vary at all"),
    ],
    ids=["kink", "kink of the slope", "edge", "cusp of the slope", "noise", "rounded flat"],
)
def test_where_nothing_can_be_told_it_says_why(f: Any, reason: Reason, words: str) -> None:
    report = check(f, np.array([1.25, 2.0]), hess=lambda x: np.diag([1.0, 2.0]), rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, reason), str(report)
    assert words in report.message


def test_noise_hides_it() -> None:
    def noisy(x: Any) -> Any:
        return np.float32(loss(x)) + np.float32(1e4)

    report = check(noisy, X, hess=hess, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NOISE), str(report)


def cubes(x: Any) -> Any:
    return np.sum(x**3)


def cubes_hess(x: Any) -> Any:
    return np.diag(6 * x)


CUBES_AT = np.array([0.5, -1.25, 2.0])


# -- what a pass has seen --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_claim_in_float32_is_tried_along_more_pairs_until_one_percent_is_seen(seed: int) -> None:
    x = CUBES_AT.astype(np.float32)
    report = check(cubes, x, hess=cubes_hess, rng=seed)
    assert report.outcome is Outcome.PASS
    assert report.resolution <= 1e-2
    assert report.notes == ("f was evaluated in float64 for the numerical side; x is float32",)
    wrong = check(cubes, x, hess=lambda x: 1.01 * cubes_hess(x), rng=seed)
    assert wrong.outcome is Outcome.FAIL


def test_a_claim_in_float64_takes_three_pairs() -> None:
    for seed in range(4):
        report = check(cubes, CUBES_AT, hess=cubes_hess, rng=seed)
        assert (len(report.probes), report.outcome) == (3, Outcome.PASS)
        assert report.evaluations <= 80


def rounded(x: Any) -> Any:
    return np.float32(np.sum(np.sin(x.astype(np.float32)), dtype=np.float32))


def rounded_hess(x: Any) -> Any:
    return np.diag(-np.sin(x))


def test_of_an_f_in_float32_a_coarser_tolerance_asks_for_less() -> None:
    passed = 0
    for seed in range(12):
        x = np.random.default_rng(seed).normal(size=4)
        report = check(rounded, x, hess=rounded_hess, rng=seed, rtol=0.1)
        assert report.outcome is not Outcome.FAIL, str(report)
        passed += report.outcome is Outcome.PASS
        wrong = check(rounded, x, hess=lambda x: 1.2 * rounded_hess(x), rng=seed, rtol=0.1)
        assert wrong.outcome is Outcome.FAIL, str(wrong)
    assert passed >= 8


def test_where_more_pairs_would_not_do_it_stops_and_says_what_could_be_seen() -> None:
    f = check(lambda x: np.float32(100 + rounded(x)), CUBES_AT, hess=rounded_hess, rng=0)
    assert (f.outcome, len(f.probes)) == (Outcome.INCONCLUSIVE, 3)
    assert "at best an error of" in f.message


@pytest.mark.parametrize("rtol", [1e-6, 1e-4, 0.1])
def test_a_tolerance_is_relative_to_the_claim_and_not_to_what_f_moves(rtol: float) -> None:
    for seed in range(4):
        right = check(cubes, CUBES_AT, hess=cubes_hess, rng=seed, rtol=rtol)
        assert right.outcome is Outcome.PASS, str(right)
        assert right.resolution <= max(1e-2, 100 * rtol)
        assert len(right.probes) <= 18
        off = check(
            cubes, CUBES_AT, hess=lambda x: (1 + 2 * rtol) * cubes_hess(x), rng=seed, rtol=rtol
        )
        assert off.outcome is Outcome.FAIL, str(off)


def test_beside_larger_curvatures_a_small_one_is_measured_by_itself() -> None:
    def f(x: Any) -> Any:
        return np.sum(x**4 / 12 - (1 - 1e-4) * x**2 / 2)

    def small(x: Any) -> Any:  # a thousandth of the f'' a little further on, and less
        return np.diag(x**2 - (1 - 1e-4))

    x = np.array([1.0, -1.0, 1.0])
    for seed in range(4):
        report = check(f, x, hess=small, rng=seed, rtol=1e-3)
        assert (report.outcome, report.resolution <= 0.1) == (Outcome.PASS, True), str(report)
        wrong = check(f, x, hess=lambda x: 1.1 * small(x), rng=seed, rtol=1e-3)
        assert wrong.outcome is not Outcome.PASS, str(wrong)


def seen_of_the_claim(report: Any) -> float:
    size = np.median([p.scale for p in report.probes])
    return detectable_matrix([(p.allowed + p.radius) / size for p in report.probes])


def test_the_resolution_is_relative_to_the_claim() -> None:
    x = 1 + 1e-3 * CUBES_AT  # where f is far smaller than how far it moves around x
    report = check(lambda x: cubes(x - 1), x, hess=lambda x: cubes_hess(x - 1), rng=0)
    assert report.outcome is Outcome.PASS
    assert report.resolution == pytest.approx(seen_of_the_claim(report))
    for seed in range(5):
        raised = check(lambda x: 100 + cubes(x), CUBES_AT, hess=cubes_hess, rng=seed)
        assert 0.5 < raised.resolution / seen_of_the_claim(raised) <= 1


@pytest.mark.parametrize("size", [1e-12, 1e-18, 1e-100, 1e-200])
def test_a_claim_that_roundings_hide_does_not_pass(size: int) -> None:
    """Beside sin(x)/x² a Hessian of 100 is nothing at such an x, and so is a right one."""

    def f(x: Any) -> Any:
        return np.sum(np.sin(x))

    x = size * CUBES_AT
    report = check(f, x, hess=lambda x: 100 * np.eye(3), rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NOISE)
    assert "did not vary at all" in report.message
    assert check(f, x, hess=lambda x: np.zeros((3, 3)), rng=0).outcome is Outcome.PASS


def test_a_hessian_of_zero_passes_where_f_is_zero_too() -> None:
    report = check(lambda x: np.sum(x) - 1.25, CUBES_AT, hess=lambda x: np.zeros((3, 3)), rng=0)
    assert (report.outcome, report.resolution <= 1e-2) == (Outcome.PASS, True), str(report)


def test_entries_at_a_tiny_x_have_values() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sqrt(np.abs(x)))

    for size in (1e-160, 1e-200):
        x = size * CUBES_AT
        report = check(f, x, hess=lambda x: np.zeros((3, 3)), rng=0)
        (e,) = report.wrong_entries
        assert e.index == e.output
        assert e.numerical == pytest.approx(-(np.abs(x[e.index]) ** -1.5) / 4, rel=1e-4)
    beyond = check(f, 1e-290 * CUBES_AT, hess=lambda x: np.zeros((3, 3)), rng=0)
    assert beyond.outcome is Outcome.FAIL  # with entries above the largest float


# -- conduct ---------------------------------------------------------------------------------------


def forgetful() -> Any:
    asked: list[int] = []

    def claim(x: Any) -> Any:
        asked.append(1)
        return cubes_hess(x) if len(asked) == 1 else np.zeros((3, 3))

    return cubes, {"hess": claim}


def from_a_stale_cache(kind: str) -> Any:
    cache: dict[str, Any] = {}

    def f(x: Any) -> Any:
        cache["x"] = x.copy()
        return cubes(x)

    def product(x: Any, u: Any) -> Any:
        return 6 * cache["x"] * u

    claims = {"hess": lambda x: cubes_hess(cache["x"]), "hvp": product}
    return f, {kind: claims[kind]}


def into_one_buffer(kind: str) -> Any:
    vector, matrix = np.zeros(3), np.zeros((3, 3))

    def product(x: Any, u: Any) -> Any:
        vector[:] = 6 * x * u
        return vector

    def whole(x: Any) -> Any:
        matrix[:] = cubes_hess(x)
        return matrix

    return cubes, {kind: {"hess": whole, "hvp": product}[kind]}


def overwriting() -> Any:
    def product(x: Any, u: Any) -> Any:
        out = 6 * x * u
        u[:] = 0
        return out

    return cubes, {"hvp": product}


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (forgetful(), Reason.STATE),
        (from_a_stale_cache("hess"), Reason.STATE),
        (from_a_stale_cache("hvp"), Reason.STATE),
        (into_one_buffer("hess"), Reason.ALIASING),
        (into_one_buffer("hvp"), Reason.ALIASING),
        (overwriting(), Reason.MUTATION),
    ],
    ids=["forgetful", "stale hess", "stale hvp", "buffer hess", "buffer hvp", "mutation"],
)
def test_conduct(made: Any, reason: Reason) -> None:
    f, claim = made
    report = check(f, CUBES_AT, rng=1, **claim)
    assert (report.outcome, report.reason) == (Outcome.FAIL, reason), str(report)


def test_a_frozen_claim_passes_with_a_note() -> None:
    frozen = cubes_hess(CUBES_AT)
    for claim in ({"hess": lambda _: frozen}, {"hvp": lambda _, u: frozen @ u}):
        report = check(cubes, CUBES_AT, rng=1, **claim)
        assert report.outcome is Outcome.PASS
        assert "doesn't look at its argument" in " ".join(report.notes)


def test_a_hessian_that_is_the_same_everywhere_nearby_gets_no_note() -> None:
    def hinge(x: Any) -> Any:  # its slope has kinks at 1
        return np.sum(np.maximum(x - 1, 0) ** 2)

    def hinge_hess(x: Any) -> Any:
        return np.diag(2.0 * (x > 1))

    square = A[:5, :5] @ A[:5, :5].T
    for seed in range(5):
        quadratic = check(lambda x: x @ square @ x / 2, X, hess=lambda _: square, rng=seed)
        assert (quadratic.outcome, quadratic.notes) == (Outcome.PASS, ())
        for near in (1.05, 1.1, 1.2, 1.3):
            at = np.array([near, 0.2])
            report = check(hinge, at, hess=hinge_hess, rng=seed)
            assert (report.outcome, report.notes) == (Outcome.PASS, ()), near
        report = check(cubes, CUBES_AT, hess=cubes_hess, rng=seed)
        assert report.notes == ()


def test_integers_that_were_not_varied_are_noted() -> None:
    def f(a: Any, b: Any) -> Any:
        return a * b**3

    def product(a: Any, b: Any, u: Any) -> Any:
        return 3 * b**2 * u[1], 6 * a * b * u[1]

    def both(a: Any, b: Any, u: Any) -> Any:
        return 3 * b**2 * u[1], 3 * b**2 * u[0] + 6 * a * b * u[1]

    report = check(f, (2, 0.5), hvp=product, rng=1)
    assert report.outcome is Outcome.PASS
    (note,) = report.notes
    assert "argument 0 holds integers and was not varied" in note
    assert check(f, (2.0, 0.5), hvp=both, rng=1).notes == ()


# -- asymmetry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hess", "hvp"])
def test_a_wrong_entry_off_the_diagonal_is_located(kind: str) -> None:
    def off(x: Any) -> Any:
        h = hess(x)
        h[1, 4] += 1
        return h

    claim = {"hess": off, "hvp": lambda x, u: off(x) @ u}[kind]
    for seed in range(4):
        report = check(loss, X, rng=seed, **{kind: claim})
        assert report.outcome is Outcome.FAIL
        (e,) = report.wrong_entries
        assert (e.output, e.index) == ((1,), (4,))
        assert report.message.startswith("H[1, 4] is wrong: claimed ")
        assert report.message.endswith(f"the {kind} isn't symmetric")


def test_an_asymmetry_that_no_entry_shows_is_said_to_be_one() -> None:
    def off(x: Any) -> Any:
        h = hess(x)
        h[1, 4] += 1e-8
        return h

    located = 0
    for seed in range(5):
        report = check(loss, X, hess=off, rng=seed)
        assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.ASYMMETRIC)
        located += len(report.wrong_entries)
        start = "H[1, 4] is wrong" if report.wrong_entries else "the hess isn't symmetric: uᵀHv"
        assert report.message.startswith(start)
    assert located < 5


def test_rounding_is_no_asymmetry() -> None:
    def off(x: Any) -> Any:
        h = hess(x)
        h[1, 4] *= 1 + 1e-13
        return h

    assert check(loss, X, hess=off, rng=0).outcome is Outcome.PASS


# -- sparse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array", "dok_array", "dia_array"])
def test_sparse(form: str) -> None:
    sparse, off = getattr(sp, form), np.array([0.0, 1.0, 0.0])
    right = check(cubes, CUBES_AT, hess=lambda x: sparse(cubes_hess(x)), rng=0)
    assert right.outcome is Outcome.PASS, str(right)
    wrong = check(cubes, CUBES_AT, hess=lambda x: sparse(np.diag(6 * x + off)), rng=0)
    assert [(e.output, e.index) for e in wrong.wrong_entries] == [((1,), (1,))]


def test_sparse_of_a_matrix_argument_is_square() -> None:
    x = np.arange(1.0, 7.0).reshape(2, 3)
    right = check(powers, x, hess=lambda x: sp.diags_array(12 * x.ravel() ** 2), rng=0)
    assert right.outcome is Outcome.PASS
    shape = check(powers, x, hess=lambda x: sp.csr_array(12 * x**2), rng=0)
    assert (shape.outcome, shape.reason) == (Outcome.FAIL, Reason.SHAPE)
    assert "expected (6, 6)" in shape.message
    nan = check(powers, x, hess=lambda x: sp.diags_array(np.nan * x.ravel()), rng=0)
    assert (nan.outcome, nan.reason) == (Outcome.FAIL, Reason.NONFINITE_CLAIM)


def test_a_linear_operator_is_referred_to_hvp() -> None:
    with pytest.raises(TypeError, match="give its matvec as hvp="):
        check(cubes, CUBES_AT, hess=lambda x: aslinearoperator(cubes_hess(x)))
