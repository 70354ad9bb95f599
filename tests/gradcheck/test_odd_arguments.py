"""Arguments, outputs and answers that aren't plain arrays of floats: a clear answer, never a traceback."""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections import OrderedDict, UserDict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import mpmath
import numpy as np
import pytest
import sympy

from gradcheck import Outcome, Reason, check, differentiate

Mode = Literal["fast", "full"]
X = np.array([0.5, -1.25, 2.0])
both_modes = pytest.mark.parametrize("mode", ["fast", "full"])


def squares(x: Any) -> Any:
    return (x**2).sum()


class Attached:
    """Another library's array that refuses to become one of NumPy's, as a tensor in a graph does."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("call detach() first")


class Weights(OrderedDict[str, Any]):
    """A dict that f uses by attribute."""

    @property
    def w(self) -> Any:
        return self["w"]


# -- x ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ma.masked_array([1.0, 2.0], [False, True]), "argument 0 is a numpy.ma"),
        (X.view(type("Metres", (np.ndarray,), {})), "Metres, whose own rules"),
        (Attached(), "doesn't become a NumPy array: call detach"),
    ],
)
def test_an_x_that_is_more_than_an_array_is_refused(x: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        check(squares, x, grad=lambda x: 2 * x)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.array([1.0, 2.0], dtype=object), r"dtype object: write x.astype\(float\)$"),
        ((np.array(["a"]),), "argument 0 is an array of dtype <U1$"),
        ({"w": object()}, r"argument 0\['w'\] is an object: give its arrays as a dict, list or"),
        (None, r"argument 0 is nothing \(None\)$"),
        (("relu", datetime.date.today()), "argument 0 is a str; argument 1 is a date$"),
        ({1.0, 2.0}, "argument 0 is a set: give its arrays as"),
        (iter([1.0]), "argument 0 is a list_iterator: give"),
        (Fraction(1, 3), r"argument 0 is a Fraction: write float\(x\)$"),
    ],
)
def test_an_x_without_numbers_says_what_it_is(x: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"^x holds no numbers to differentiate in: .*{words}"):
        check(lambda x: 1.0, x, grad=lambda x: x)


@pytest.mark.parametrize("x", [(), [], {}, ([], {})], ids=str)
def test_an_x_without_arguments_or_arrays_is_refused(x: Any) -> None:
    with pytest.raises(ValueError, match=r"^x (is an empty tuple|holds no numbers .* it is a )"):
        check(lambda *x: 1.0, x, grad=lambda *x: x)


class Pair(NamedTuple):
    w: Any
    b: Any


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (
            lambda a, b: a @ b,
            X,
            r"^f is called with 1 argument, x, but it is <lambda>\(a, b\): missing a required argument: 'b'; "
            r"if f takes several arguments, give x as a tuple of them, \(a, b\)$",
        ),
        (
            lambda p: p.w @ p.b,
            Pair(X, X),
            r"^f is called with 2 arguments, x0, x1, but it is .*: too many positional arguments; "
            r"if f takes them as one argument, give x as \(x,\)$",
        ),
    ],
)
def test_an_f_of_another_number_of_arguments_is_refused(f: Any, x: Any, message: str) -> None:
    for mode in ("fast", "full"):
        with pytest.raises(TypeError, match=message):
            check(f, x, vjp=f, jvp=f, mode=mode)


@pytest.mark.parametrize(
    ("kind", "call"),
    [("grad", "x"), ("jac", "x"), ("vjp", "x, v"), ("jvp", "x, u"), ("hvp", "x, u")],
)
def test_a_claim_of_another_number_of_arguments_is_refused(kind: str, call: str) -> None:
    words = rf"^the {kind} is called as {kind}\({call}\), but it is <lambda>\(\): too many"
    with pytest.raises(TypeError, match=words):
        check(squares, X, **{kind: lambda: X})


def test_a_type_error_from_the_inside_is_a_finding() -> None:
    """A function that takes its arguments is not accused of another number of them, nor is one that says nothing."""

    @functools.wraps(lambda: None)
    def inside(*x: Any) -> Any:
        raise TypeError("missing 1 required positional argument: 'b'")

    report = check(inside, X, grad=inside)
    assert report.reason is Reason.FUNCTION_RAISED
    report = check(squares, X, grad=inside)
    assert report.reason is Reason.CLAIM_RAISED
    assert check(max, X, grad=inside).reason is not Reason.FUNCTION_RAISED


def test_a_vjp_that_raises_is_told_how_it_is_called() -> None:
    matrix = np.ones((2, 3))
    report = check(lambda x: matrix @ x, X, vjp=lambda v, x: matrix.T @ v)
    assert report.reason is Reason.CLAIM_RAISED
    assert report.message.endswith("(the vjp is called as vjp(x, v))")


@pytest.mark.parametrize(
    "x",
    [
        mpmath.mpf(2),
        sympy.Rational(1, 3),
        np.array([mpmath.mpf(0.5), mpmath.mpf(-1.25)]),
        {"a": mpmath.mpf(2), "b": X},
    ],
    ids=["mpf", "Rational", "array of mpf", "mpf beside an array"],
)
def test_numbers_of_other_libraries_vary_as_float64(x: Any) -> None:
    def parts(x: Any) -> list[Any]:
        return list(x.values()) if isinstance(x, dict) else [x]

    def f(x: Any) -> Any:
        assert all(isinstance(p, float) or p.dtype == np.float64 for p in parts(x))
        return sum(np.sum(p**2) for p in parts(x))

    def gradient(x: Any, factor: float) -> Any:
        if isinstance(x, dict):
            return {key: gradient(p, factor) for key, p in x.items()}
        return factor * x

    for mode in ("fast", "full"):
        assert check(f, x, grad=lambda x: gradient(x, 2), rng=0, mode=mode)
        report = check(f, x, grad=lambda x: gradient(x, 2.1), rng=0, mode=mode)
        assert report.outcome is Outcome.FAIL


def test_a_derivative_in_an_integer_is_not_looked_at_and_that_is_said() -> None:
    def f(a: Any, b: Any) -> Any:
        return a**2 * b

    report = check(f, (2, 0.5), grad=lambda a, b: (99.0, a**2), rng=0)
    assert report
    (note,) = report.notes
    assert note.startswith("argument 0 holds integers and was not varied")
    for nothing in (None, 0.0, 0, Attached()):  # what is claimed for labels
        assert not check(f, (2, 0.5), grad=lambda a, b, n=nothing: (n, a**2), rng=0).notes


@both_modes
def test_an_integer_that_a_jvp_moves_along_is_not_looked_at_and_that_is_said(mode: Mode) -> None:
    def f(a: Any, counts: Any, b: Any) -> Any:
        return a**3 + 7 * b + counts[1].sum()

    def jvp(a: Any, counts: Any, b: Any, u: Any) -> Any:
        return 3 * a**2 * u[0] + 7 * u[2]

    x = (1.5, [2, np.array([1, 4], dtype=np.uint8)], 3)
    (note,) = check(f, x, jvp=jvp, rng=0, mode=mode).notes
    assert note.startswith("argument 2 holds integers and was not varied, so the jvp")
    report = check(f, x, jvp=lambda a, counts, b, u: 3 * a**2 * u[0], rng=0, mode=mode)
    assert (report.outcome, report.notes) == (Outcome.PASS, ())


def test_the_better_one_of_a_pair_has_its_note_too() -> None:
    report = check(
        lambda a, b: a**3 + 7 * b,
        (1.5, 3),
        vjp=lambda a, b, v: (3 * a**2 * v, None),
        jvp=lambda a, b, u: 3 * a**2 * u[0] + 7 * u[1],
        rng=0,
    )
    assert sum("so the jvp claimed for it was not looked at" in note for note in report.notes) == 1
    twice = check(
        lambda p, x: squares(x),
        (Layer(X), X),
        vjp=lambda p, x, v: (None, 2 * x * v),
        jvp=lambda p, x, u: np.sum(2 * x * u[1]),
        rng=0,
    )
    assert sum("was not varied" in note for note in twice.notes) == 1


@dataclass
class Layer:
    w: Any


OPAQUE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dataclass": (Layer, "Layer.*give its arrays as a dict, list or tuple"),
    "UserDict": (lambda w: UserDict(w=w), r"UserDict.*write dict\(x\)"),
    "object array": (lambda w: w.astype(object), r"array of dtype object.*write x.astype\(float\)"),
    "Decimal": (lambda w: Decimal(float(w[0])), r"Decimal.*write float\(x\)"),
    "structured": (lambda w: w.view([("w", float)]), "array of dtype .*give its fields as a dict"),
    "sparse": (
        lambda w: pytest.importorskip("scipy.sparse").csr_array(w[None]),
        r"csr_array.*give its numbers \(A.data\) and build the matrix in f",
    ),
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_an_argument_that_is_not_looked_into_is_never_passed_in_silence(kind: str) -> None:
    wrap, words = OPAQUE[kind]

    def f(p: Any, y: Any) -> Any:
        return (X**2) @ y

    x = (wrap(X), X)
    for claim in (
        {"grad": lambda p, y: (wrap(1e6 * y), X**2)},
        {"vjp": lambda p, y, v: (wrap(1e6 * y), v * X**2)},
        {"jac": lambda p, y: (wrap(1e6 * y), X**2)},
        {"hvp": lambda p, y, u: (wrap(1e6 * y), 0 * y)},
    ):
        with pytest.raises(TypeError, match=f"^argument 0 is an? {words}.*argnums="):
            check(f, x, rng=0, **claim)
    for claim in (
        {"grad": lambda p, y: (None, X**2)},
        {"vjp": lambda p, y, v: (0.0, v * X**2)},
        {"jvp": lambda p, y, u: X**2 @ u[1]},
        {"hess": lambda p, y: np.zeros((3, 3))},
    ):
        report = check(f, x, rng=0, **claim)
        (note,) = (note for note in report.notes if "was not varied" in note)
        assert report.outcome is Outcome.PASS
        assert re.search(f"^argument 0 is an? {words}", note)
    assert not check(f, x, grad=lambda p, y: X**2, argnums=1, rng=0).notes


@pytest.mark.parametrize(
    "constant",
    [
        np.tanh,
        check,
        math,
        "relu",
        b"",
        None,
        np.random.default_rng(0),
        int,
        np.array(["a"]),
        Outcome,
    ],
    ids=lambda constant: type(constant).__name__,
)
def test_what_plainly_holds_no_numbers_is_a_constant(constant: Any) -> None:
    x = (X, constant)
    for nothing in (None, 0.0, np.zeros_like(constant)):
        report = check(lambda x, c: squares(x), x, grad=lambda x, c, n=nothing: (2 * x, n), rng=0)
        assert (report.outcome, report.notes) == (Outcome.PASS, ())
    with pytest.raises(TypeError, match=r"^argument 1 is .*: return None for it, or"):
        check(lambda x, c: squares(x), x, grad=lambda x, c: (2 * x, 3.0), rng=0)


def test_many_arguments_that_are_not_looked_into_have_few_notes() -> None:
    x = (X, [Layer(X)] * 9)
    report = check(lambda x, c: squares(x), x, grad=lambda x, c: (2 * x, [None] * 9), rng=0)
    assert len(report.notes) == 5
    assert report.notes[-1] == "5 more arguments were not varied"


def test_a_dict_of_its_own_class_reaches_f_as_such() -> None:
    report = check(
        lambda p: squares(p.w), Weights(w=X), grad=lambda p: {"w": 2 * p.w}, rng=0, name="f"
    )
    assert report, str(report)


# -- what f returns --------------------------------------------------------------------------------


@both_modes
def test_a_hinge_in_plain_python(mode: Mode) -> None:
    """It returns the int 0 on one side and a NumPy number on the other."""
    x = np.array([0.5, 0.5])
    report = check(
        lambda x: max(0, 1 - x.sum()), x, grad=lambda x: np.full(2, -0.5), rng=0, mode=mode
    )
    assert (report.outcome, report.reason) == (Outcome.PASS, Reason.KINK), str(report)


@both_modes
@pytest.mark.parametrize(
    ("f", "claim"),
    [
        (
            lambda x: {"a": x.sum(), "b": x[:2] * 2},
            {"vjp": lambda x, v: v["a"] + np.append(2.2 * v["b"], 0)},
        ),
        (
            lambda x: {"a": x[:1] * 3, "b": x[:2] * 2},
            {"jvp": lambda x, u: {"a": u[:1] * 3, "b": u[:2] * 2.2}},
        ),
    ],
)
def test_wrong_entries_of_one_output_of_several(
    f: Callable[..., Any], claim: dict[str, Any], mode: Mode
) -> None:
    report = check(f, X, rng=0, mode=mode, **claim)
    assert report.outcome is Outcome.FAIL
    assert {(e.output_path, e.output) for e in report.wrong_entries} == {
        ("['b']", (0,)),
        ("['b']", (1,)),
    }
    assert "x0[0] of output ['b'][0]" in str(report)


def test_a_value_beside_its_gradient_is_not_one_number() -> None:
    with pytest.raises(TypeError, match="this one returns a tuple of 2: let f return the number"):
        check(lambda x: (squares(x), 2 * x), X, grad=lambda x: 2 * x)


def test_an_f_that_returns_what_is_no_array() -> None:
    report = check(lambda x: Attached(), X, grad=lambda x: 2 * x, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DTYPE)
    assert "Attached that doesn't become a NumPy array: call detach() first" in report.message


def test_an_f_that_is_not_always_finite_at_x() -> None:
    calls = iter(range(1000))
    report = check(
        lambda x: np.nan if next(calls) % 2 else squares(x), X, grad=lambda x: 2 * x, rng=0
    )
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NONDETERMINISTIC)


# -- what a claim returns --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["grad", "jac", "vjp", "jvp"])
def test_a_claim_that_returns_what_is_no_array(kind: str) -> None:
    report = check(squares, X, rng=0, **{kind: lambda *_: Attached()})
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.DTYPE)
    assert "call detach() first" in report.message


@pytest.mark.parametrize(
    ("x", "hint"),
    [
        ([0.5, -1.25], "give x as one array"),
        ((X, 2.0), "argnums=0 is for a claim that differentiates in the first argument alone"),
    ],
)
def test_one_array_for_several_things_is_answered_with_a_hint(x: Any, hint: str) -> None:
    report = check(lambda *x: np.sum(x[0]), x, grad=lambda *x: np.ones(np.size(x[0])), rng=0)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.SHAPE)
    assert hint in report.message


def test_the_gradient_of_one_dict_in_a_tuple_is_answered_with_a_hint() -> None:
    parameters = {"w": np.ones((2, 3)), "b": np.zeros(2)}
    report = check(
        lambda p: np.sum(p["w"] ** 2) + np.sum(p["b"]),
        (parameters,),
        grad=lambda p: {"w": 2 * p["w"], "b": np.ones(2)},
        rng=0,
    )
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.SHAPE)
    assert "argnums=0 is for" in report.message


def test_a_jacobian_as_a_dictionary_of_keys() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    for factor, outcome in ((2.0, Outcome.PASS), (2.2, Outcome.FAIL)):
        report = check(
            lambda x: x**2, X, jac=lambda x, c=factor: sparse.dok_array(np.diag(c * x)), rng=0
        )
        assert report.outcome is outcome, str(report)


NESTED = {"w": [X, X], "b": X}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"w": [X], "b": X}, "the grad returns a list of 1 at ['w'] where x has a list of 2"),
        (
            {"w": [X, [1.0, 1.0, 1.0]], "b": X},
            "the grad returns a list of 3 at ['w'][1] where x has one array of shape (3,); return np.array(…)",
        ),
        (
            {"w": [X, X], "c": X},
            "the grad returns a dict with keys ['w', 'c'] where x is a dict with keys ['w', 'b']",
        ),
        ({"w": [X, None], "b": X}, "the grad returns nothing (None) for argument 0['w'][1]"),
    ],
)
def test_another_structure_is_told_where_it_is_another(answer: Any, message: str) -> None:
    report = check(lambda p: p["b"].sum(), NESTED, grad=lambda p: answer, rng=0)
    assert (report.reason, report.message) == (Reason.SHAPE, message)


def test_outputs_of_another_structure_are_told_where_they_are_another() -> None:
    report = check(lambda x: {"a": [x]}, X, jvp=lambda x, u: {"a": u}, rng=0)
    words = "returns one array of shape (3,) at ['a'] where f's output has a list of 1"
    assert report.message == f"the jvp {words}"


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        ("grad", [1.0] * 3, "a list of 3 where x is one array of shape (3,); return np.array(…)"),
        ("jac", [[1.0] * 3], "a list of 1 where x is one array of shape (3,); return np.array(…)"),
        ("grad", (X,), "a tuple of 1 where x is one array of shape (3,); return its item alone"),
        ("grad", None, "nothing (None)"),
    ],
)
def test_a_list_in_place_of_an_array_is_answered_with_a_hint(
    kind: str, answer: Any, words: str
) -> None:
    report = check(squares, X, rng=0, **{kind: lambda x: answer})
    assert (report.reason, report.message) == (Reason.SHAPE, f"the {kind} returns {words}")


@pytest.mark.parametrize("kind", ["grad", "vjp", "jvp"])
def test_a_sparse_gradient_is_answered_with_a_hint(kind: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    report = check(squares, X, rng=0, **{kind: lambda *_: sparse.csr_array(X[None])})
    assert report.reason is Reason.DTYPE
    assert report.message.endswith("csr_array, expected an array: return A.toarray()")


def test_a_linear_operator_for_a_jacobian_is_answered_with_a_hint() -> None:
    linalg = pytest.importorskip("scipy.sparse.linalg")
    report = check(np.square, X, rng=0, jac=lambda x: linalg.aslinearoperator(np.diag(2 * x)))
    assert report.reason is Reason.DTYPE
    assert report.message.endswith("return an array (A @ np.eye(n)) or give its rmatvec as vjp=")


def test_a_jacobian_of_a_list_says_what_f_returns() -> None:
    with pytest.raises(TypeError, match="this one returns a list of 2: let it return one array"):
        check(lambda x: [x[0], x[1]], X, jac=lambda x: np.eye(3)[:2])


# -- what is said of it ----------------------------------------------------------------------------


def test_entries_at_the_edge_of_the_domain_are_not_called_noise() -> None:
    report = check(
        lambda x: np.arcsin(x).sum(),
        np.array([1.0, 0.5]),
        grad=lambda x: 1 / np.sqrt(1.01 - x**2),
        mode="full",
        rng=0,
    )
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.DISAGREEMENT)
    report = check(
        lambda x: np.log(x[0] - 1) + x[1] if x[0] != 1 else x[1],
        np.array([1.0, 0.5]),
        grad=np.ones_like,
        mode="full",
        rng=0,
    )
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.DOMAIN), str(report)
    assert "would have seen" not in str(report)


def test_two_wrong_entries_at_kinks_are_both_named() -> None:
    report = check(
        lambda x: max(0.0, 1 - x.sum()), np.array([0.5, 0.5]), grad=lambda x: np.ones(2), rng=1
    )
    assert {e.index for e in report.wrong_entries} == {(0,), (1,)}
    assert report.diagnosis is None


def test_a_factor_of_two_is_not_taken_for_a_mean_of_two() -> None:
    report = check(squares, np.array([1.0, 2.0]), grad=lambda x: 4 * x, rng=0)
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "factor"


def test_f_that_raises_when_asked_again() -> None:
    calls: list[int] = []

    def f(x: np.ndarray) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the cache is full")
        return np.sum(x)

    report = check(f, np.ones(3), grad=np.ones_like, rng=0)
    assert (report.outcome, report.reason) == (Outcome.INCONCLUSIVE, Reason.NONDETERMINISTIC)
    assert "RuntimeError: the cache is full" in report.message


def test_claims_in_numbers_of_other_libraries() -> None:
    assert check(mpmath.sin, 0.5, grad=mpmath.cos, rng=0).outcome is Outcome.PASS
    wrong = check(mpmath.sin, 0.5, grad=lambda x: 2 * mpmath.cos(x), rng=0)
    assert wrong.outcome is Outcome.FAIL
    objects = check(np.sum, np.ones(2), grad=lambda x: np.array([1.0, None]), rng=0)
    assert objects.reason is Reason.DTYPE


@pytest.mark.parametrize(("x", "direction"), [(-1e-300, 1e300), (-1e300, 1e-10), (-1e-307, 1e10)])
def test_steps_beyond_the_range_of_floats(x: float, direction: float) -> None:
    e = differentiate(lambda x: 2.0 * x, x, direction)
    assert abs(e.value - 2.0 * direction) <= e.radius
