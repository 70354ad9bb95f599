"""The comparison of derivation, code and finite differences: it agrees, and it can disagree."""

import dataclasses
import math

import mpmath
import numpy as np
import pytest

import reference
from derivations.comparison import Comparison
from derivations.confrontation import confront
from derivations.confrontation.cases import examine_case
from derivations.plan import Plan, current, generator, using
from derivations.records import Standing
from gradcheck import Argument, Case, Elementwise, Interval

ONE_POINT = Plan(seed=5, points=2, largest=12)


def sine(**changes) -> Case:
    claims = {"vjp": Elementwise(np.cos)} | changes
    return Case(
        name="sine",
        f=np.sin,
        arguments=(Argument("x", Interval(), ("n",)),),
        source="a test",
        **claims,
    )


@dataclasses.dataclass(frozen=True)
class SineRow:
    """A row whose derivation is mpmath's cosine."""

    case: str = "sine"
    slope: object = mpmath.cos

    def derive(self):
        return ()

    def value(self, arguments):
        with mpmath.workdps(50):
            return np.array([mpmath.sin(mpmath.mpf(float(v))) for v in arguments[0]], dtype=object)

    def vjp(self, arguments, v):
        with mpmath.workdps(50):
            pairs = zip(arguments[0], v, strict=True)
            return (
                np.array(
                    [self.slope(mpmath.mpf(float(x))) * float(w) for x, w in pairs], dtype=object
                ),
            )


@pytest.fixture
def compare(monkeypatch):
    """Compare a case with a row, under a small plan."""

    def run(case: Case, row=SineRow()) -> Comparison:
        monkeypatch.setattr(reference, "CASES", (case,))
        monkeypatch.setattr(confront.catalogue, "ROWS", (row,))
        confront._compare.cache_clear()
        try:
            with using(ONE_POINT):
                return confront.compare(case.name)
        finally:
            confront._compare.cache_clear()

    return run


def test_three_ways_agree(compare) -> None:
    result = compare(sine())
    assert result.problems == ()
    assert result.value_ulps <= 1
    assert result.derivative_ulps <= 2
    assert 0 < result.entry_error < 1e-14
    assert [dict(p.sizes) for p in result.points] == [{"n": 1}, {"n": 12}]
    summary = result.confrontation
    assert summary.points == 2
    assert summary.outcomes == {"pass": 2}
    assert 0 <= summary.radii <= 1


def test_wrong_code_disagrees_with_derivation_and_finite_differences(compare) -> None:
    result = compare(sine(vjp=Elementwise(lambda x: np.cos(x) * (1 + 1e-7))))
    assert any("the derivative of the code" in p for p in result.problems)
    assert any("gradcheck says fail" in p for p in result.problems)
    assert not any("numerical derivative is" in p for p in result.problems)


def test_wrong_derivation_disagrees_with_both_others(compare) -> None:
    result = compare(sine(), SineRow(slope=lambda x: mpmath.cos(x) * (1 + mpmath.mpf("1e-9"))))
    assert any("the derivative of the code" in p for p in result.problems)
    assert any("numerical derivative is" in p for p in result.problems)
    assert not any("gradcheck says" in p for p in result.problems)


def test_wrong_value_is_seen(compare) -> None:
    wrong = dataclasses.replace(sine(), f=lambda x: np.sin(x) * (1 + 1e-14))
    assert any("the value of the code" in p for p in compare(wrong).problems)


def test_claims_of_every_kind_are_pulled_back() -> None:
    x, v = np.array([0.25, 0.5]), np.array([2.0, -1.0])
    expected = v * np.cos(x)
    jacobian = sine(vjp=None, jac=lambda x: np.diag(np.cos(x)))
    (by_jacobian,) = confront.pull_back(jacobian, (x,), v)
    (by_vjp,) = confront.pull_back(sine(), (x,), v)
    scalar = dataclasses.replace(sine(vjp=None, grad=np.cos), f=lambda x: np.sin(x).sum())
    (by_gradient,) = confront.pull_back(scalar, (x,), np.array(2.0))
    np.testing.assert_allclose(by_jacobian, expected)
    np.testing.assert_allclose(by_vjp, expected)
    np.testing.assert_allclose(by_gradient, 2 * np.cos(x))
    only_jvp = sine(vjp=None, jvp=lambda x, u: u * np.cos(x))
    with pytest.raises(ValueError, match="no vjp, gradient or Jacobian"):
        confront.pull_back(only_jvp, (x,), v)


def test_ulps_are_of_the_largest_entry_and_blind_to_nothing() -> None:
    exact = [mpmath.mpf(1), mpmath.mpf("1e-20")]
    assert confront.ulps(np.array([1.0, 0.0]), exact) < 1e-3
    assert confront.ulps(np.array([1.0 + 2.0**-52, 1e-20]), exact) == pytest.approx(1, rel=1e-3)
    assert confront.ulps(np.array([1.0, math.nan]), exact) == math.inf
    assert confront.ulps(np.array([1.0]), exact) == math.inf
    assert confront.entry_error(np.array([1.0, 0.0]), exact) == 1
    assert confront.entry_error(np.array([0.0]), [mpmath.mpf(0)]) == 0


@pytest.mark.parametrize("names", [(), ("n",), ("N", "n"), ("N", "D", "M", "K")])
def test_sizes_grow_from_one_to_the_bound(names) -> None:
    drawn = confront.draw_sizes(names, Plan(points=5, largest=300), np.random.default_rng(0))
    assert len(drawn) == 5
    assert all(size == 1 for size in drawn[0].values())
    assert all(math.prod(sizes.values()) <= 300 for sizes in drawn)
    if names:
        assert math.prod(drawn[-1].values()) >= 300 / 2 ** len(names)


def test_a_single_point_is_not_the_trivial_one() -> None:
    (sizes,) = confront.draw_sizes(("N", "n"), Plan(points=1), np.random.default_rng(0))
    assert min(sizes.values()) > 1


def test_nan_and_unfit_numbers_are_problems(make_point) -> None:
    for change in (
        {"value_ulps": math.nan},
        {"derivative_ulps": 1e3},
        {"radii": 20.0},
        {"radii": math.nan},
    ):
        assert Comparison("c", (make_point(**change),)).problems
    assert Comparison("c", (make_point(outcomes={"inconclusive": 1}),)).problems
    assert Comparison("c", (make_point(outcomes={"pass": 1, "fail": 0}),)).problems == ()
    assert Comparison("c", ()).problems == ("nothing was compared",)


def test_a_case_that_breaks_off_is_reported(monkeypatch) -> None:
    def fail(*_):
        raise AssertionError("step 3 does not hold")

    row = dataclasses.replace(confront.row_named("sigmoid"), derive=fail)
    monkeypatch.setattr(confront.catalogue, "ROWS", (row,))
    examined = examine_case("sigmoid")
    assert examined.standing is Standing.UNDECIDED
    assert "AssertionError: step 3 does not hold" in examined.comparison.problems[0]


def test_unknown_case_names_the_known_ones() -> None:
    with pytest.raises(
        KeyError, match=r"no 'sigmold' in reference.CASES; known are sigmoid, .*softmax"
    ):
        confront.compare("sigmold")


def test_streams_depend_on_seed_and_name_alone() -> None:
    default = current()
    with using(Plan(seed=1)):
        first = generator("a").random(3)
        assert not np.array_equal(first, generator("b").random(3))
    with using(Plan(seed=2)):
        assert not np.array_equal(first, generator("a").random(3))
    with using(Plan(seed=1)):
        assert np.array_equal(first, generator("a").random(3))
    assert current() == default
    with pytest.raises(RuntimeError), using(Plan(seed=3)):
        raise RuntimeError
    assert current() == default


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"points": 0}, {"largest": 0}])
def test_a_plan_that_samples_nothing_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Plan(**wrong)


def test_every_case_agrees_everywhere(full_report) -> None:
    assert {c.name for c in full_report.cases} == {c.name for c in reference.CASES}
    for case in full_report.cases:
        assert case.comparison.problems == (), case.name
        assert case.standing.value.startswith("proved"), case.name
    executed = {case.name: case.code for case in full_report.cases}
    assert None not in executed.values()
    core = {name for name, proof in executed.items() if proof.covers != "the whole code"}
    assert core == {"gelu", "gelu_tanh"}
    for name, proof in executed.items():
        assert proof.evidence.standing is Standing.PROVED_CODE, name
        assert proof.standing is (Standing.NUMERICAL if name in core else Standing.PROVED_CODE)
        assert any("rounding" in part for part in proof.evidence.exclusions), name


@pytest.mark.nightly
@pytest.mark.parametrize("name", [c.name for c in reference.CASES])
def test_many_points(name) -> None:
    with using(
        Plan(seed=int(np.random.default_rng().integers(2**31)), points=30, largest=400)
    ) as plan:
        assert confront.compare(name).problems == (), plan


def test_roundings_that_cancel_are_not_all_there_are() -> None:
    """Where p = q/e, log(p/q) + 1 is what rounding leaves, unless p and q are rounded alike."""
    case = next(c for c in reference.CASES if c.name == "kl_divergence")
    q = np.array([[0.5]])
    arguments = (q / math.e, q)
    for seed in range(40):
        others = confront._other_roundings(case, arguments, np.random.default_rng(seed))
        assert any((p / q != arguments[0] / arguments[1]).any() for p, q in others)


def test_data_is_rounded_too() -> None:
    """Of σ(z) − y rounding leaves what y is known to; a label of −1 or 1 is known exactly."""
    case = next(c for c in reference.CASES if c.name == "binary_cross_entropy_with_logits")
    z, y = np.array([-0.18]), np.array([0.45])
    others = list(confront._other_roundings(case, (z, y), np.random.default_rng(0)))
    assert any((other != y).any() for _, other in others)
    others = list(confront._other_roundings(case, (z, np.array([1.0])), np.random.default_rng(0)))
    assert all((other == 1.0).all() for _, other in others)
