"""Mistakes that are named in every kind of claim, and in a part of it: factors, signs, orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, check

RNG = np.random.default_rng(3)
X = RNG.standard_normal(20)
Z = RNG.standard_normal((6, 4))
W = RNG.standard_normal((8, 5))
M = RNG.standard_normal((6, 6))
H = M @ M.T
U = RNG.standard_normal(6)
THREE = (Z, Z[::-1] + 1, Z**2 - 1)


def said(*args: Any, seeds: int = 3, **options: Any) -> set[tuple[str, str]]:
    """Return the kinds and sentences of several runs; all fail."""
    reports = [check(*args, rng=seed, **options) for seed in range(seeds)]
    assert {r.outcome for r in reports} == {Outcome.FAIL}, str(reports[0])
    diagnoses = [r.diagnosis for r in reports]
    return {(d.kind, d.sentence) if d else ("", "") for d in diagnoses}


def of_three(a: Any, b: Any, c: Any) -> Any:
    return np.sum(np.sin(a) * b + c * c)


def gradients(a: Any, b: Any, c: Any) -> tuple[Any, Any, Any]:
    return np.cos(a) * b, np.sin(a), 2 * c


# -- factors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            lambda a, b, c: (4 * a, 4 * b, c),
            ("factor", "claimed = 4 × numerical in argument 0 and argument 1 alone"),
        ),
        (
            lambda a, b, c: (-a, b, -c),
            ("sign", "the sign of the gradients of argument 0 and argument 2 is flipped"),
        ),
        (
            lambda a, b, c: (a, 57.2957795 * b, c),
            ("factor", "claimed = 57.2958 × numerical in argument 1 alone"),
        ),
        (lambda a, b, c: (2 * a, 3 * b, c), ("", "")),
    ],
)
def test_the_same_mistake_in_some_arguments(wrong: Any, expected: tuple[str, str]) -> None:
    assert said(of_three, THREE, grad=lambda *x: wrong(*gradients(*x))) == {expected}


def test_the_same_mistake_in_some_arguments_of_a_jvp() -> None:
    def jvp(a: Any, b: Any, c: Any, u: Any) -> Any:
        return -np.cos(a) * u[0] + np.sin(b) * u[1] + 2 * c * u[2]

    names = said(lambda a, b, c: np.sin(a) - np.cos(b) + c * c, THREE, jvp=jvp)
    assert names == {("sign", "the sign of the gradient of argument 0 is flipped")}


@pytest.mark.parametrize("factor", [2.0, -1.0])
def test_everywhere_is_where_it_can_be_seen(factor: float) -> None:
    """The second argument is right, and a million times smaller."""

    def grad(a: Any, b: Any) -> Any:
        return factor * 1e9 * np.cos(a), np.sinh(b)

    names = said(lambda a, b: 1e9 * np.sum(np.sin(a)) + np.sum(np.cosh(b)), (X, X), grad=grad)
    for _, sentence in names:
        assert "argument 0" in sentence, sentence
        assert "argument 1" not in sentence
        assert "everywhere" not in sentence


@pytest.mark.parametrize("claim", ["grad", "hvp"])
def test_one_large_entry_is_not_everywhere(claim: str) -> None:
    scale = 10.0 ** -np.linspace(0, 12, 8)
    times = np.where(np.arange(8) == 0, 1.7, 1.0)

    def derivative(x: Any, u: Any = 1.0) -> Any:
        return times * scale * np.exp(x) * u

    names = said(lambda x: np.sum(scale * np.exp(x)), X[:8], **{claim: derivative})
    assert all("everywhere" not in sentence for _, sentence in names), names


def test_the_ratio_of_one_number_is_not_everywhere() -> None:
    assert said(lambda x: x * np.exp(x), np.array(1.0), grad=np.exp) == {
        ("factor", "claimed = 1/2 × numerical")
    }


def test_a_factor_of_nearly_one_shows_by_how_much() -> None:
    pi = float(np.float32(np.pi))
    names = said(lambda x: np.sum(np.sin(np.pi * x)), X, grad=lambda x: pi * np.cos(np.pi * x))
    for kind, sentence in names:
        assert kind == "factor"
        assert sentence.startswith("claimed = (1 + 2.")
        assert sentence.endswith("e-08) × numerical, everywhere")


def test_rounding_is_no_factor_of_nearly_one() -> None:
    for seed in range(20):
        x = np.random.default_rng(seed).standard_normal(6)
        report = check(
            lambda x: np.sum(np.exp(x)),
            x,
            hvp=lambda x, u: (np.exp(x) * u).astype(np.float32).astype(np.float64),
            rng=seed,
        )
        assert report.diagnosis is None or report.diagnosis.kind != "factor", str(report)


@pytest.mark.parametrize("n", [64, 1000, 4096, 30000])
def test_a_long_mean_in_float32(n: int) -> None:
    """The tolerance is that of the claim, which is far larger than the derivative."""
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    names = said(lambda x: np.mean(np.log(np.cosh(x))), x, grad=np.tanh)
    assert names == {
        (
            "reduction",
            f"claimed = {n} × numerical, everywhere, as if a mean's 1/N were missing "
            f"(N = {n}, axis 0 of argument 0)",
        )
    }


def test_no_leaf_of_several_counts_its_entries() -> None:
    x = {"a": np.ones((5, 3)), "b": RNG.standard_normal((2, 5))}
    names = said(
        lambda p: np.sum(p["a"] ** 2) + np.sum(np.sin(p["b"])),
        x,
        grad=lambda p: {"a": 20 * p["a"], "b": 10 * np.cos(p["b"])},
    )
    assert names == {("factor", "claimed = 10 × numerical, everywhere")}


def test_a_mean_for_the_sum_in_one_argument() -> None:
    y = RNG.standard_normal(32)

    def residual(w: Any, b: Any) -> Any:
        return (y[:, None] * w + b)[:, 0]

    def vjp(w: Any, b: Any, v: Any) -> Any:
        return np.array([v @ y]), v.mean()

    names = said(residual, (np.ones(1), np.array(0.3)), vjp=vjp)
    assert names == {
        (
            "reduction",
            "claimed = 1/32 × numerical in argument 1 alone, as if there were a 1/N too many "
            "(N = 32, axis 0 of f's output)",
        )
    }


# -- rows and columns ------------------------------------------------------------------------------


def times(factor: float, *index: Any) -> Any:
    def spoilt(g: Any) -> Any:
        g = np.array(g)
        g[index] *= factor
        return g

    return spoilt


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (times(-1, 2), ("sign", "the sign of row 2 of the gradient of argument 0 is flipped")),
        (
            times(0.5, slice(None), 1),
            ("row", "claimed = 1/2 × numerical in column 1 of the gradient of argument 0 alone"),
        ),
    ],
)
def test_a_row_or_a_column_of_a_gradient(wrong: Any, expected: Any, mode: Any) -> None:
    names = said(lambda x: np.sum(np.cosh(x)), Z, grad=lambda x: wrong(np.sinh(x)), mode=mode)
    assert names == {expected}


def jacobian(x: Any) -> Any:
    return np.cos(W @ x)[:, None] * W


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (times(-1, slice(None), 2), ("sign", "the sign of all that depends on x0[2] is flipped")),
        (times(-1, 3), ("sign", "the sign of output [3] is flipped")),
        (times(2, 7), ("row", "claimed = 2 × numerical in output [7] alone")),
    ],
)
def test_a_row_or_a_column_of_a_jacobian(wrong: Any, expected: Any) -> None:
    names = said(lambda x: np.sin(W @ x), X[:5], jac=lambda x: wrong(jacobian(x)))
    assert names == {expected}


def test_a_row_of_a_jvp() -> None:
    names = said(np.sin, Z, jvp=lambda x, u: times(-1, 4)(np.cos(x) * u))
    assert names == {("sign", "the sign of row 4 of the jvp is flipped")}


# -- orders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "claim", "expected"),
    [
        (
            lambda x: np.tanh(M @ x),
            U,
            {"jvp": lambda x, u: M.T @ ((1 - np.tanh(M @ x) ** 2) * u)},
            "the claim is the product of the Jacobian's transpose where that of itself is meant",
        ),
        (lambda x: M @ x, U, {"jac": lambda x: M.T.copy()}, "the Jacobian is transposed"),
        (
            np.sin,
            X,
            {"jvp": lambda x, u: np.roll(np.cos(x) * u, 1)},
            "the jvp is shifted by +1 along axis 0",
        ),
        (
            lambda x: np.sum(np.exp(x)),
            X,
            {"hvp": lambda x, u: np.roll(np.exp(x) * u, -2)},
            "the hvp is shifted by -2 along axis 0",
        ),
        (
            lambda x: np.sin(W @ x),
            X[:5],
            {"jac": lambda x: np.roll(jacobian(x), 1, axis=0)},
            "f's output in the Jacobian is shifted by +1 along axis 0",
        ),
        (
            lambda x: np.roll(x, 1) ** 2,
            X,
            {"vjp": lambda x, v: 2 * x * np.roll(v, 1)},
            "the upstream gradient is shifted by +2 along axis 0",
        ),
        (
            lambda x: x.T**2,
            M,
            {"vjp": lambda x, v: 2 * x * v},
            "the upstream gradient is transposed",
        ),
    ],
)
def test_orders_in_all_kinds_of_claims(f: Any, x: Any, claim: Any, expected: str) -> None:
    assert {sentence for _, sentence in said(f, x, **claim)} == {expected}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(("shift", "axis"), [(1, 0), (-1, 0), (1, 1)])
def test_a_shift_that_fills_in_a_zero(shift: int, axis: int, mode: Any) -> None:
    def grad(x: Any) -> Any:
        g = np.roll(np.tanh(x), shift, axis=axis)
        g[(slice(None),) * axis + (0 if shift > 0 else -1,)] = 0.0
        return g

    names = said(lambda x: np.sum(np.log(np.cosh(x))), Z, grad=grad, mode=mode)
    assert names == {
        (
            "shift",
            f"the gradient of argument 0 is shifted by {shift:+d} along axis {axis}, with a zero filled in",
        )
    }


@pytest.mark.parametrize(
    "claim",
    [
        {"jac": lambda x: np.diag((3 * x * x + 1)[:-1], 1)},
        {"vjp": lambda x, v: np.append(0, (v * (3 * x * x + 1))[:-1])},
        {"jvp": lambda x, u: np.append(((3 * x * x + 1) * u)[1:], 0)},
    ],
)
def test_a_shift_that_fills_in_a_zero_in_other_claims(claim: Any) -> None:
    names = said(lambda x: x**3 + x, X[:10], **claim)
    assert {kind for kind, _ in names} == {"shift"}


def test_a_zero_at_the_end_is_no_shift() -> None:
    names = said(lambda x: np.sum(np.cosh(x)), X, grad=lambda x: np.append(0, (np.sinh(x) * x)[1:]))
    assert all(kind != "shift" for kind, _ in names)


# -- matrices --------------------------------------------------------------------------------------


def quadratic(x: Any) -> Any:
    return x @ H @ x / 2


D = np.diag(np.diag(H))


@pytest.mark.parametrize(
    ("hessian", "expected"),
    [
        (D, ("diagonal", "the claimed Hessian is diagonal, f's Hessian isn't")),
        (2 * D - H, ("sign", "the sign of all beside the diagonal of the Hessian is flipped")),
        (H + D, ("factor", "claimed = 2 × numerical in the diagonal of the Hessian alone")),
        (np.tril(H), ("triangle", "only the lower triangle of the Hessian is filled")),
        (
            np.where(np.add.outer(range(6), range(6)) == 1, 0, H),
            (
                "entry",
                "a single wrong entry and its mirror image, H[0, 1] and H[1, 0]; the others agree",
            ),
        ),
        (
            np.where(np.add.outer(range(6), range(6)) == 0, 0, H),
            ("entry", "a single wrong entry, H[0, 0]; the others agree"),
        ),
    ],
)
def test_a_hessian_as_a_matrix(hessian: Any, expected: Any) -> None:
    names = said(quadratic, U, hess=lambda x: hessian)
    assert {
        (kind, s.replace("H[1, 0] and H[0, 1]", "H[0, 1] and H[1, 0]")) for kind, s in names
    } == {expected}


def test_products_with_a_hessian() -> None:
    assert said(quadratic, U, hvp=lambda x, u: np.diag(H) * u) == {
        ("diagonal", "the claimed hvp is diagonal, f's Hessian isn't")
    }


def test_a_hessian_in_float32_is_symmetric() -> None:
    single = H.astype(np.float32)
    named = 0
    for seed in range(6):
        report = check(
            quadratic, U, hvp=lambda x, u: (single @ u.astype(np.float32)).astype(float), rng=seed
        )
        if report.outcome is Outcome.FAIL and report.diagnosis is not None:
            named += report.diagnosis.kind == "precision"
            assert "symmetric" not in report.message, str(report)
    assert named


def test_a_factor_everywhere_counts_no_entries() -> None:
    report = check(quadratic, U, hvp=lambda x, u: 80 * H @ u, rng=0)
    assert "at least" not in report.message
    assert report.diagnosis is not None
    assert report.diagnosis.sentence == "claimed = 80 × numerical, everywhere"


def test_a_jacobian_in_the_order_of_its_transpose() -> None:
    names = said(lambda x: np.sin(W @ x), X[:5], jac=lambda x: jacobian(x).T.reshape(8, 5))
    assert names == {
        ("transpose", "the entries of the Jacobian stand in the order of its transpose")
    }


def test_a_diagonal_jvp() -> None:
    def normalised(x: Any) -> Any:
        return x / np.linalg.norm(x)

    def jvp(x: Any, u: Any) -> Any:
        n = np.linalg.norm(x)
        return u * (1 / n - x * x / n**3)

    assert {kind for kind, _ in said(normalised, U, jvp=jvp)} == {"diagonal"}


def test_a_sparse_jacobian_that_is_diagonal_says_so() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    laplace = sparse.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(50, 50)).tocsr()
    x = np.random.default_rng(0).standard_normal(50)
    names = said(
        lambda u: u - 0.1 * (laplace @ u) + u**3, x, jac=lambda u: sparse.diags(1.2 + 3 * u * u)
    )
    assert {kind for kind, _ in names} == {"diagonal"}


def test_what_a_sparse_jacobian_leaves_out_is_a_pair() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    names = said(
        lambda x: np.sin(W @ x),
        X[:5],
        jac=lambda x: sparse.csr_array(times(0, 6, 2)(jacobian(x))),
    )
    assert names == {
        (
            "structure",
            "the sparse Jacobian has nothing stored for x0[2] of output [6], where the derivative isn't zero",
        )
    }


# -- what is left out ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        (
            {"grad": lambda a, b, c: (0 * a, 0 * b, 2 * c)},
            "the gradients of argument 0 and argument 1 are missing (zero)",
        ),
        (
            {"hvp": lambda a, b, c, u: (0 * a, 0 * b, 2 * u[2])},
            "the hvp leaves out argument 0 and argument 1",
        ),
    ],
)
def test_arguments_that_are_left_out_together(claim: Any, sentence: str) -> None:
    assert said(of_three, THREE, **claim) == {("argument", sentence)}


def test_an_argument_that_a_jvp_leaves_out() -> None:
    names = said(lambda x, w: x @ w, (Z, W[:4]), jvp=lambda x, w, u: u[0] @ w)
    assert names == {("argument", "the jvp leaves out argument 1")}


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize(
    ("index", "where"),
    [
        ((slice(None), 2), "column 2"),
        ((slice(-2, None),), "rows 8 and 9"),
        ((3,), "row 3"),
    ],
)
def test_zeros_in_rows_and_columns(index: Any, where: str, mode: Any) -> None:
    x = np.random.default_rng(8).standard_normal((10, 12 if where == "row 3" else 4))

    def grad(x: Any) -> Any:
        return times(0, *index)(np.tanh(x))

    names = said(lambda x: np.sum(np.log(np.cosh(x))), x, grad=grad, mode=mode)
    assert names == {
        ("row", f"the wrong entries are all in {where} of argument 0, where zero is claimed")
    }


def test_an_index_along_a_further_axis() -> None:
    x = np.random.default_rng(9).standard_normal((4, 6, 5))
    names = said(
        lambda x: np.sum(np.cosh(x)), x, grad=lambda x: times(0, slice(None), 3)(np.sinh(x))
    )
    assert names == {
        (
            "row",
            "the wrong entries are all in index 3 along axis 1 of argument 0, where zero is claimed",
        )
    }


def test_a_column_that_is_not_all_is_not_named() -> None:
    def grad(x: Any) -> Any:
        return times(0.5, slice(None, 8))(times(0, slice(None), 2)(np.sinh(x)))

    x = np.random.default_rng(9).standard_normal((40, 5))
    assert said(lambda x: np.sum(np.cosh(x)), x, grad=grad) == {("", "")}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_wrong_output(mode: Any) -> None:
    def wrong(x: Any) -> Any:
        g = jacobian(x)
        g[-1] = g[-2]
        return g

    names = said(lambda x: np.sin(W @ x), X[:5], jac=wrong, mode=mode)
    assert names == {("row", "wrong is a single output [7]; the others agree")}


def test_two_entries_that_changed_places() -> None:
    swapped = [0, 1, 2, 3, 5, 4, *range(6, 12)]
    names = said(lambda x: np.sum(np.cosh(x)), X[:12], grad=lambda x: np.sinh(x)[swapped])
    assert {kind for kind, _ in names} == {"exchange"}


# -- the upstream gradient -------------------------------------------------------------------------


def test_the_upstream_gradient_is_lost_in_one_argument() -> None:
    names = said(
        lambda x, w: x @ w, (Z, W[:4]), vjp=lambda x, w, v: (np.ones_like(v) @ w.T, x.T @ v)
    )
    assert names == {("upstream", "the upstream gradient is ignored in argument 0")}


def test_what_is_added_to_a_product_does_not_ignore_its_factor() -> None:
    for claim in (
        lambda x, v: (v + 1e-3) * np.cos(x),
        lambda x, v: v * np.cos(x) + 0.1 * x,
    ):
        report = check(np.sin, X, vjp=claim, rng=0)
        assert report.diagnosis is None
        assert report.message.endswith("adds something that its last argument has no part in")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, b: (a, -b),
        lambda a, b: (a, b / 6),
        lambda a, b: (a, 0 * b),
    ],
)
def test_the_examples_are_of_the_argument_that_is_named(wrong: Any) -> None:
    """The shares of the other one are larger."""
    report = check(
        lambda a, b: 100 * np.sum(np.sin(a)) + np.sum(np.cosh(b)),
        (Z, X[:6]),
        grad=lambda a, b: wrong(100 * np.cos(a), np.sinh(b)),
        rng=0,
    )
    assert report.diagnosis is not None
    assert "argument 1" in report.diagnosis.sentence
    assert {e.argument for e in report.wrong_entries} == {1}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_forgotten_sign_is_named_where_it_matters(mode: Any) -> None:
    """|x|³ has the slope 3·x·|x|: with x² for it some entries have the other sign, wherever they lie."""
    x = np.random.default_rng(0).normal(size=6)
    for seed in range(3):
        report = check(
            lambda x: np.sum(np.abs(x) ** 3), x, grad=lambda x: 3 * x * x, mode=mode, rng=seed
        )
        assert report.diagnosis is not None
        assert report.diagnosis.kind == "sign"
        assert report.diagnosis.sentence.endswith(
            "the sign is flipped: the claim is never negative"
        )


@pytest.mark.parametrize(
    "claim",
    [
        {"jvp": lambda x, u: np.sum(3 * x * x * u)},
        {"vjp": lambda x, v: 3 * x * x * v},
        {"jac": lambda x: 3 * x * x},
    ],
    ids=["jvp", "vjp", "jac"],
)
def test_a_forgotten_sign_is_named_in_other_claims(claim: Any) -> None:
    x = np.random.default_rng(0).normal(size=6)
    report = check(lambda x: np.sum(np.abs(x) ** 3), x, **claim, rng=0)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "sign"
    assert "those where the sign is flipped" in report.diagnosis.sentence


def test_a_single_entry_says_how_it_is_wrong() -> None:
    x = np.linspace(1.0, 2, 6)

    def said(wrong: float) -> str:
        factors = np.array([1, 1, wrong, 1, 1, 1])
        report = check(lambda x: np.sum(np.cosh(x)), x, grad=lambda x: np.sinh(x) * factors, rng=0)
        assert report.diagnosis is not None
        return report.diagnosis.sentence

    assert said(-1.0) == "a single wrong entry, x0[2], where the sign is flipped; the others agree"
    assert said(0.0) == "a single wrong entry, x0[2], where zero is claimed; the others agree"
    assert said(-1.001) == said(1.5) == "a single wrong entry, x0[2]; the others agree"
