"""What is known about the code of a function: computed, with what it leaves out, and never silent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from derivations import report
from derivations.code import branches, execution, renaming
from derivations.code.branches import Code, prove
from derivations.code.exclusions import exclusions
from derivations.code.inputs import AnyShift, of_case, shifted, within
from derivations.code.standins import Replacement
from derivations.code.traced import NotTraceableError
from derivations.code.tracing import runs, symbols
from derivations.comparison import Comparison
from derivations.confrontation.cases import ExaminedCase, examine_case
from derivations.plan import Plan, using
from derivations.provenance import describe
from derivations.records import CodeProof, Evidence, Standing
from derivations.render import render
from reference import _exponentials, _products, embeddings, gates

X = symbols("x", (2,))
FINE = Comparison("gelu", ())


@pytest.fixture
def compared(make_point) -> Comparison:
    return Comparison("gelu", (make_point(), make_point()))


# --- how much is covered ---------------------------------------------------------------------------


def proof_of(
    monkeypatch: pytest.MonkeyPatch, comparison: Comparison, *codes: Code, name: str = "made up"
) -> CodeProof:
    monkeypatch.setattr(execution, "CODE", {name: codes} if codes else {})
    execution.evidence.cache_clear()
    try:
        return execution.proof(name, comparison)
    finally:
        execution.evidence.cache_clear()


def square(**changes: Any) -> Code:
    fields: dict[str, Any] = {"value": lambda x: x * x, "vjp": lambda x, v: (2 * x * v,)}
    return Code(name="made up", inputs=(X,), **(fields | changes))


def test_whole_code_is_proved(monkeypatch, compared) -> None:
    found = proof_of(monkeypatch, compared, square())
    assert (found.covers, found.standing) == ("the whole code", Standing.PROVED_CODE)
    assert found.summary == "every branch"
    assert found.rest is None


def test_a_core_is_named_and_the_rest_is_numerical(monkeypatch, compared) -> None:
    core = (Replacement(gates, "DENSITY", sp.Integer(1), "DENSITY is 1"),)
    found = proof_of(monkeypatch, compared, square(core=core))
    assert (found.covers, found.standing) == ("its mathematical core", Standing.NUMERICAL)
    assert found.summary == (
        "core (DENSITY is 1): every branch; the rest numerical at 2 random points"
    )


def test_code_that_symbols_cannot_pass_is_numerical_with_the_reason(monkeypatch, compared) -> None:
    cast = square(value=lambda x: np.asarray(x, dtype=float) ** 2)
    found = proof_of(monkeypatch, compared, cast)
    assert (found.covers, found.standing) == ("nothing", Standing.NUMERICAL)
    assert found.summary.startswith("numerical at 2 random points: symbols cannot pass")
    assert "casts x_1 to float" in found.summary


def test_code_that_is_not_listed_says_so(monkeypatch, compared) -> None:
    found = proof_of(monkeypatch, compared)
    assert (found.covers, found.standing) == ("nothing", Standing.NUMERICAL)
    assert "was not executed" in found.summary


def test_what_is_not_executed_and_disagrees_is_a_problem(monkeypatch, make_point) -> None:
    wrong = Comparison("made up", (make_point(derivative_ulps=1e6),))
    found = proof_of(monkeypatch, wrong)
    assert found.standing is Standing.UNDECIDED
    case = ExaminedCase("made up", "a test", (), wrong, found)
    data = report.ReportData((), (case,), None, describe(4, 1, "a command"))
    assert any("symbolic execution of its code is undecided" in p for p in data.problems)


def test_a_wrong_core_is_not_proved(monkeypatch, compared) -> None:
    core = (Replacement(gates, "DENSITY", sp.Integer(1), "DENSITY is 1"),)
    found = proof_of(monkeypatch, compared, square(core=core, vjp=lambda x, v: (x * v,)))
    assert (found.covers, found.standing) == ("nothing", Standing.REFUTED)


def test_the_json_says_what_is_covered_and_what_is_not(sample) -> None:
    evidence = Evidence(Standing.PROVED_CODE, "m", "x > 0", "d", ("x = 0", "rounding"))
    rest = Evidence(Standing.NUMERICAL, "n", "4 points", "e")
    proof = CodeProof(evidence, ("f is exact",), rest)
    cases = (dataclasses.replace(sample.cases[0], code=proof),)
    data = json.loads(render(dataclasses.replace(sample, cases=cases), "json"))
    shown = data["cases"][0]["code"]
    assert shown["standing"] == "verified numerically"
    assert shown["covers"] == "its mathematical core"
    assert shown["replaced"] == ["f is exact"]
    assert shown["exclusions"] == ["x = 0", "rounding"]
    assert shown["rest"]["scope"] == "4 points"


@pytest.mark.parametrize("first", ["right", "wrong"])
def test_a_proof_does_not_depend_on_what_was_proved_before(first: str, monkeypatch) -> None:
    """√(x²) is −x for a negative x, and must not become that for a real one after it."""
    monkeypatch.setattr(renaming, "_NAMES", {})
    negative = np.array([sp.Symbol("y", negative=True)], dtype=object)
    codes = {
        "right": Code(
            name="right", value=np.exp, vjp=lambda y, v: (v * np.exp(y),), inputs=(negative,)
        ),
        "wrong": Code(
            name="wrong",
            value=lambda x: x * 1,
            vjp=lambda x, v: (v * (-np.sqrt(x * x) / x),),
            inputs=(symbols("x", (1,)),),
        ),
    }
    found = {k: prove(codes[k]).standing for k in sorted(codes, key=lambda k: k != first)}
    assert found["right"] is Standing.PROVED_CODE
    assert found["wrong"] is not Standing.PROVED_CODE


# --- what is left out ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", ("kinks and borders between branches, where x_1 = 0, and at entries alike",)),
        ("hardswish", ("where x_1 + 3 = 0, or x_1 = 3, and at entries alike",)),
        ("squared_error", ()),
        ("silu", ("everything outside of: −650 < x < 99",)),
        ("layer_norm", ("everything outside of: lanes and cotangents of a size in 2^±100",)),
    ],
)
def test_exclusions_are_listed(name: str, expected: tuple[str, ...]) -> None:
    found = execution.evidence(name).exclusions
    assert found.count("rounding, overflow, underflow, NaN and infinities") == 1
    for text in expected:
        assert any(text in part for part in found), found
    assert len(found) > len(expected) or not expected


LONG = [sp.Add(*sp.symbols(f"a_long_name_1:{k}")) for k in range(5, 8)]


@pytest.mark.parametrize(
    ("denominators", "expected"),
    [
        ([2 * X[0] - 4], "x_1 = 2"),
        (LONG[:1], "a difference vanishes"),
        ([X[0], *LONG[:1]], "x_1 = 0, or another difference vanishes"),
        ([X[0], *LONG], "x_1 = 0, or 3 other differences vanish"),
    ],
)
def test_what_is_left_out_in_words(denominators: list[sp.Expr], expected: str) -> None:
    (found, _) = exclusions("everywhere", False, (), denominators)
    assert found == f"points where {expected}, and at entries alike"


def test_a_denominator_that_may_vanish_is_left_out() -> None:
    inverse = Code(
        name="inverse", value=lambda x: 1 / x, vjp=lambda x, v: (-v / (x * x),), inputs=(X,)
    )
    assert "points where x_1 = 0, and at entries alike" in prove(inverse).exclusions


# --- any shift -------------------------------------------------------------------------------------


def test_a_value_that_depends_on_the_shift_is_refuted() -> None:
    def shifted_only_in_the_numerator(z: Any) -> Any:
        return np.exp(z - _exponentials.shifts(z)) / np.exp(z).sum(axis=1, keepdims=True)

    def its_vjp(z: Any, v: Any) -> tuple[Any, ...]:
        y = shifted_only_in_the_numerator(z)
        share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return (y * v - share * (y * v).sum(axis=1, keepdims=True),)

    z = symbols("z", (1, 2))
    right = shifted("softmax", z)
    assert prove(right).standing is Standing.PROVED_CODE
    wrong = dataclasses.replace(right, value=shifted_only_in_the_numerator, vjp=its_vjp)
    found = prove(wrong)  # right for any constant shift, but the shift is none
    assert found.standing is Standing.REFUTED
    assert "entry s_1" in found.detail


def test_rows_of_another_batch_have_other_shifts() -> None:
    shift = AnyShift()
    z = symbols("z", (2, 2))
    with_rows = lambda z: (shift(z), shift(z[:1]), shift(z))  # noqa: E731  # used once
    (run,) = runs(with_rows, (z,))
    both, first, again = run.outputs
    assert list(both.ravel()) == list(again.ravel())
    assert first[0, 0] not in both
    assert len(shift.symbols) == 3


# --- powers of two ---------------------------------------------------------------------------------


def test_any_power_of_two_may_be_divided_out() -> None:
    def scaled(x: Any) -> Any:
        exponent = np.frexp(abs(x).max())[1]
        small = np.ldexp(x, -exponent)
        return np.ldexp((small * small).sum(), 2 * exponent)

    good = Code(name="squares", value=scaled, vjp=lambda x, v: (2 * x * v,), inputs=(X,))
    assert prove(good).standing is Standing.PROVED_CODE
    wrong = Code(
        name="squares",
        value=lambda x: np.ldexp(scaled(x), -np.frexp(x[0])[1]),
        vjp=lambda x, v: (2 * x * v,),
        inputs=(X,),
    )
    assert prove(wrong).standing is Standing.REFUTED


def test_mantissa_and_exponent_belong_together() -> None:
    def mantissa(x: Any) -> Any:
        small, exponent = np.frexp(x)
        return np.ldexp(small, exponent)

    code = Code(name="frexp", value=mantissa, vjp=lambda x, v: (v,), inputs=(X,))
    assert prove(code).standing is Standing.PROVED_CODE


def test_an_exponent_may_be_zero() -> None:
    """That is a branch, not a border: whether it is scaled at all is decided."""

    def sometimes(x: Any) -> Any:
        exponent = np.frexp(x)[1]
        return 2 * x if exponent.any() else x

    found = list(runs(lambda x: (sometimes(x),), (X[:1],)))
    assert [run.outputs[0][0] for run in found] == [2 * X[0], 2 * X[0], X[0]]
    usual = list(runs(lambda x: (sometimes(x),), (X[:1],), largest_exponent=1))
    assert X[0] in [run.outputs[0][0] for run in usual]


def test_only_whole_exponents_scale() -> None:
    def halves(x: Any) -> Any:
        return np.ldexp(x, np.frexp(x)[1] / 2)

    with pytest.raises(NotTraceableError, match="scales by 2 to the power"):
        list(runs(lambda x: (halves(x),), (X,)))


# --- what NumPy functions do on symbols ------------------------------------------------------------


def only(function: Callable[..., Any], *inputs: Any) -> list[Any]:
    (run,) = runs(lambda *xs: (function(*xs),), inputs)
    picks = run.path.picks
    return [set(picks[y].expressions) if y in picks else y for y in run.outputs[0].ravel()]


def test_clip_chooses_twice() -> None:
    (a, _) = X
    (clipped,) = only(lambda x: np.clip(x, -1, 1), X[:1])
    assert 1 in clipped
    assert len(clipped) == 2
    assert a in only(lambda x: np.clip(x, -1, 1) * 0 + x, X[:1])


def test_what_is_taken_along_an_axis_may_be_open() -> None:
    x = symbols("x", (1, 2))

    def at_largest(x: Any) -> Any:
        return np.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1)

    assert only(at_largest, x) == [set(x.ravel())]
    assert only(lambda x: np.take_along_axis(x, np.array([[1]]), axis=1), x) == [x[0, 1]]


def test_padding_never_wins() -> None:
    def padded(x: Any) -> Any:
        row = np.concatenate([np.full(1, -np.inf), x])
        return np.array([row.argmax()], dtype=object)

    assert only(padded, X) == [{1, 2}]


# --- mutants of `reference` ------------------------------------------------------------------------


def counted_once(values: Any, places: Any, count: int) -> Any:
    out = SCATTERED(values, places, count)
    out[places[0]] = values[0]
    return out


SCATTERED = _products.scattered
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], Code]]] = {
    "a repeated index": (
        embeddings,
        "scattered",
        counted_once,
        lambda: of_case("embedding", symbols("t", (3, 1)), np.array([1, 1, 0])),
    ),
    "the gate's slope": (
        gates,
        "_silu_grad",
        gates._silu,
        lambda: of_case("silu", X, assumed=within(-650, 99, X)),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_refuted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, wrong, make = MUTANTS[name]
    assert prove(make()).standing is Standing.PROVED_CODE
    monkeypatch.setattr(module, function, wrong)
    found = prove(make())
    assert found.standing is Standing.REFUTED, found.detail


@pytest.mark.parametrize("case", ["max_pool2d", "conv2d"])
def test_the_gradient_of_another_place_is_refuted(case: str) -> None:
    """What a window or a pixel receives goes to its neighbour."""
    right = execution.CODE[case][0]
    assert right.vjp is not None

    def moved(*inputs: Any) -> tuple[Any, ...]:
        first, *others = right.vjp(*inputs)
        return (np.roll(first, 1, axis=-1), *others)

    assert prove(dataclasses.replace(right, vjp=moved)).standing is Standing.REFUTED


# --- the search --------------------------------------------------------------------------------------


def test_choices_among_constants_are_made_where_the_proof_needs_them() -> None:
    """|c|·|c| = c² holds for either sign of the constant c, but not for any number in |c|'s place."""
    x, c = X[:1], symbols("c", (1,))
    needs = Code(
        name="needs the sign",
        value=lambda x, c: x * abs(c) * abs(c),
        vjp=lambda x, c, v: (v * c * c,),
        inputs=(x, c),
    )
    assert prove(needs).standing is Standing.PROVED_CODE
    wrong = dataclasses.replace(needs, vjp=lambda x, c, v: (v * c * abs(c),))
    assert prove(wrong).standing is Standing.REFUTED


def test_choices_among_constants_stay_open_where_it_does_not() -> None:
    x, c = X[:1], symbols("c", (8,))
    code = Code(
        name="open",
        value=lambda x, c: x * abs(c).sum(),
        vjp=lambda x, c, v: (v * abs(c).sum(),),
        inputs=(x, c),
    )
    found = prove(code)
    assert found.standing is Standing.PROVED_CODE
    assert "1 entries in 1 cases" in found.detail


def test_every_case_says_something_about_its_code() -> None:
    with using(Plan(seed=1, points=1)):
        found = examine_case("softsign")
    assert found.code is not None
    assert found.code.standing is Standing.PROVED_CODE
    assert branches.prove(execution.codes_of("softsign")[0]).standing is Standing.PROVED_CODE
