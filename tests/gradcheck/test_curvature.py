"""Second derivatives: does the radius contain the error, and what is said where there is none?"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import Estimate, Interval
from gradcheck._curvature import _confirmed, _window
from gradcheck._estimate import at_point
from gradcheck._hessian import curvature
from gradcheck._ladder import Component, truncation

CLAIM = 1e-6
LIE = 1e-3
COVERAGE = 0.995
DEFAULT_COUNT = 2_000
NIGHTLY_COUNT = 20_000
BENT_SHARE = 10  # a tenth as many functions with a kink in their slope
SEED = int(os.environ.get("CALIBRATION_SEED", "20261122"))
FRESH_SEED = int(os.environ.get("CALIBRATION_SEED", str(time.time_ns() % 2**32)))


@dataclass(frozen=True, slots=True)
class Judged:
    """An estimate beside the truth (the worse of two where the sides differ)."""

    name: str
    family: str
    truth: float
    error: float
    estimate: Estimate

    @property
    def radius(self) -> float:
        return float(self.estimate.radius)

    @property
    def size(self) -> float:
        """What errors are relative to: the second derivative, or one where it vanishes."""
        return abs(self.truth) or 1.0

    @property
    def covered(self) -> bool:
        return self.error <= self.radius or math.isinf(self.radius)

    @property
    def lie(self) -> bool:
        return self.radius / self.size < CLAIM and self.error / self.size > LIE

    @property
    def unresolved(self) -> bool:
        return not self.radius / self.size <= LIE

    def __str__(self) -> str:
        e = self.estimate
        return (
            f"{'LIE ' if self.lie else 'MISS'} {self.name}\n       truth {self.truth!r} "
            f"value {e.value!r} radius {e.radius:.3g} error {self.error:.3g} {e.reason}"
        )


def counted(f: Callable[[Any], Any], x: Any, domain: Interval | None = None) -> Estimate:
    """Take the curvature, and hold the stated number of evaluations against the true one."""
    calls = 0

    def spied(t: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(t)

    estimate = curvature(spied, x, domain=domain)
    assert estimate.evaluations == calls
    return estimate


def holds(e: Estimate, truth: Any, within: float = 1e-6) -> bool:
    """Whether the radius contains the error, and is small enough to say something."""
    error, radius = np.abs(np.asarray(e.value) - truth), np.asarray(e.radius)
    return bool(np.all(error <= radius) and np.all(radius <= within * np.max(np.abs(truth))))


# -- random functions ------------------------------------------------------------------------------


def sizer(formulas: ModuleType) -> Callable[[str, float], float]:
    """Return a function that evaluates a formula; NaN where it overflows or isn't defined."""

    def size(text: str, x: float) -> float:
        with np.errstate(all="raise", under="ignore"):
            try:
                return float(formulas.function(text)(np.float64(x)))
            except FloatingPointError:
                return math.nan

    return size


def bent(formulas: ModuleType, generator: ModuleType, count: int, seed: int) -> Iterator[Any]:
    """Draw functions whose slope has a kink, at x or beside it."""
    draw = generator.Draw(np.random.default_rng(seed), sizer(formulas))
    while count:
        x, g, a = draw.point(), draw.smooth(depth=1), draw.nice()
        if not math.isfinite(draw.size(g, x)):
            continue
        count -= 1
        at = x if count % 2 else draw.beside(x, -6, -1)
        code = f"{g} + {a!r}*maximum(x - {at!r}, 0.0)**2"
        left, right = g, f"{g} + {a!r}*(x - {at!r})**2"
        sides = (left, right) if at == x else (right,) if x > at else (left,)
        family = "kink of slope" if at == x else "such a kink near"
        yield generator.RandomFunction(family, code, x, sides)


def judge(formulas: ModuleType, r: Any, numpy_scalar: bool) -> Judged:
    truths = [formulas.jet_curvature(text, r.x) for text in r.smooth]
    domain = None if r.edges is None else Interval(*r.edges)
    x = np.float64(r.x) if numpy_scalar else r.x
    estimate = counted(formulas.function(r.code), x, domain)
    error, truth = max((formulas.error_of(estimate.value, t), float(t)) for t in truths)
    return Judged(str(r), r.family, truth, error, estimate)


def summary(judged: list[Judged]) -> str:
    families: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        families[j.family].append(j)
    lines = [
        f"{'family':16s} {'covered':>11s} {'worst error/radius':>18s} {'radius/error':>12s} "
        f"{'relative radius':>15s} {'unresolved':>10s} {'evaluations':>11s}  (medians)"
    ]
    for family, js in families.items():
        finite = [j for j in js if 0 < j.radius < math.inf]
        worst = max((j.error / j.radius for j in finite), default=math.nan)
        tight = median([j.radius / j.error for j in finite if j.error > 0] or [math.nan])
        calls = [j.estimate.evaluations for j in js]
        lines.append(
            f"{family:16s} {sum(j.covered for j in js):5d}/{len(js):5d} {worst:18.3g} "
            f"{tight:12.3g} "
            f"{median(j.radius / j.size for j in js):15.2g} {sum(j.unresolved for j in js):10d} "
            f"{median(calls):7g}/{max(calls)}"
        )
    return "\n".join(lines)


def shortfall(judged: Iterable[Judged]) -> str:
    return "\n".join(map(str, judged))


def assert_calibrated(
    formulas: ModuleType, generator: ModuleType, count: int, seed: int
) -> list[Judged]:
    drawn = [
        *generator.random_functions(count, seed, sizer(formulas)),
        *bent(formulas, generator, count // BENT_SHARE, seed),
    ]
    judged = [judge(formulas, r, numpy_scalar=i % 2 == 1) for i, r in enumerate(drawn) if r.smooth]
    missed = [j for j in judged if not j.covered]
    lies = [j for j in judged if j.lie]
    rate = 1 - len(missed) / len(judged)
    print(f"\n{len(judged)} random functions, seed {seed}: {rate:.3%} covered, {len(lies)} lies")
    print(summary(judged))
    print(shortfall(missed))
    # none among thousands; among tens of thousands one in five thousand is left, all on stairs
    assert len(lies) <= len(judged) // 4000, f"seed {seed}:\n{shortfall(lies)}"
    assert rate >= COVERAGE, f"seed {seed}, {rate:.3%} covered:\n{shortfall(missed)}"
    return judged


def test_random_functions(formulas: ModuleType, random_functions: ModuleType) -> None:
    judged = assert_calibrated(formulas, random_functions, DEFAULT_COUNT, SEED)
    easy = [j for j in judged if j.family in ("smooth", "scale of x", "scale of f")]
    assert median(j.radius / j.size for j in easy) <= 1e-8
    assert median(j.estimate.evaluations for j in easy) <= 15
    assert max(j.estimate.evaluations for j in judged) <= 300


@pytest.mark.nightly
def test_random_functions_many(formulas: ModuleType, random_functions: ModuleType) -> None:
    """Fresh functions every night; CALIBRATION_SEED=… repeats a printed seed."""
    assert_calibrated(formulas, random_functions, NIGHTLY_COUNT, FRESH_SEED)


# Each of these was a miss once: a formula, a point, and the formulas of the sides.
_MISSED_ONCE = {
    "stairs that meet every step alike": (
        "7.625846126702283e-07*round(((tanh((-1.03125*x + -1.046875))"
        " + sin((0.33203125*x + 0.33984375)))/(1.5 + (1.0/(1.0 + exp(-(0.43359375*x"
        " + 0.41796875))))**2))/7.625846126702283e-07)",
        0.02024193382130566,
        (
            "(tanh((-1.03125*x + -1.046875)) + sin((0.33203125*x + 0.33984375)))"
            "/(1.5 + (1.0/(1.0 + exp(-(0.43359375*x + 0.41796875))))**2)",
        ),
    ),
    "only the coarsest step beyond a kink": (
        "exp(0.5*sin((0.53125*x + -0.75))) + 1.359375*maximum(x - 0.31064973279612434, 0.0)",
        0.31064973178314886,
        ("exp(0.5*sin((0.53125*x + -0.75)))",),
    ),
    "a small jump beside a steep polynomial": (
        "(((-1.46875*x + 0.45703125)**3)*exp(0.5*(3.78125*x + -0.90625)))"
        " + 1.0*(x > 9.317729171092502)",
        9.316574080760233,
        ("((-1.46875*x + 0.45703125)**3)*exp(0.5*(3.78125*x + -0.90625))",),
    ),
    "more noise than function": (
        "cos((((-3.21875*single(x) + 2.375)**3)*((0.6015625*single(x) + -0.35546875)**3)))",
        8.996542930603027,
        ("cos((((-3.21875*x + 2.375)**3)*((0.6015625*x + -0.35546875)**3)))",),
    ),
    "a crest of a fast wave": (
        "(0.8404940817463963*sin(5936.777405071548*x) + (exp(0.5*(0.26171875*x"
        " + -0.7578125))/(1.5 + cos((0.3125*x + 1.84375))**2)))",
        9.879428112061385,
        (
            "(0.8404940817463963*sin(5936.777405071548*x) + (exp(0.5*(0.26171875*x"
            " + -0.7578125))/(1.5 + cos((0.3125*x + 1.84375))**2)))",
        ),
    ),
    "a kink of the slope under a steep cubic": (
        "(log(1.0 + exp((1.234375*x + -2.15625))) + ((-2.59375*x + 0.35546875)**3))"
        " + -0.4453125*maximum(x - 0.27441915362287783, 0.0)**2",
        0.27441915362287783,
        (
            "log(1.0 + exp((1.234375*x + -2.15625))) + (-2.59375*x + 0.35546875)**3",
            "log(1.0 + exp((1.234375*x + -2.15625))) + (-2.59375*x + 0.35546875)**3"
            " + -0.4453125*(x - 0.27441915362287783)**2",
        ),
    ),
    "a kink of the slope under a steep quartic": (
        "(sin((2.03125*x + 0.42578125)) - ((3.84375*x + -2.375)**4))"
        " + -1.40625*maximum(x - -2.3262292834047815, 0.0)**2",
        -2.3262292834047815,
        (
            "sin((2.03125*x + 0.42578125)) - (3.84375*x + -2.375)**4",
            "sin((2.03125*x + 0.42578125)) - (3.84375*x + -2.375)**4"
            " + -1.40625*(x - -2.3262292834047815)**2",
        ),
    ),
    "a wave of tenth order": ("x*x + 1e6*(x - 1)**10", 1.0, ("x*x + 1e6*(x - 1)**10",)),
}


@pytest.mark.parametrize("name", _MISSED_ONCE)
def test_missed_once(name: str, formulas: ModuleType, random_functions: ModuleType) -> None:
    code, x, smooth = _MISSED_ONCE[name]
    judged = judge(formulas, random_functions.RandomFunction(name, code, x, smooth), False)
    assert judged.covered, str(judged)
    assert not judged.lie


def test_no_radius_at_a_jump(formulas: ModuleType, random_functions: ModuleType) -> None:
    drawn = random_functions.random_functions(DEFAULT_COUNT // 2, SEED, sizer(formulas))
    jumps = [r for r in drawn if not r.smooth]
    assert len(jumps) >= 40
    estimates = {str(r): counted(formulas.function(r.code), r.x) for r in jumps}
    finite = {name: e for name, e in estimates.items() if math.isfinite(e.radius)}
    assert not finite


def test_two_roads_to_the_truth_agree(formulas: ModuleType, random_functions: ModuleType) -> None:
    """The chain rule at 60 digits against second difference quotients at 120."""
    families = set()
    for r in random_functions.random_functions(100, SEED, sizer(formulas)):
        for text in r.smooth:
            exact, limit = formulas.jet_curvature(text, r.x), formulas.limit_curvature(text, r.x)
            assert abs(exact - limit) <= 1e-30 * max(abs(exact), abs(limit), 1e-12), str(r)
            families.add(r.family)
    assert len(families) >= 16


@pytest.mark.parametrize("off", [1.0 + 1e-6, 1.5, -1.0])
def test_a_wrong_estimate_is_caught(formulas: ModuleType, off: float) -> None:
    good = curvature(math.exp, 1.0)
    truth = formulas.jet_curvature("exp(x)", 1.0)
    bad = Estimate(good.value * off, good.radius, good.evaluations, good.reason, 0.0, 0.0)
    judged = Judged("exp", "", float(truth), formulas.error_of(bad.value, truth), bad)
    assert not judged.covered
    assert judged.lie == (abs(off - 1) > LIE)


# -- the parts of a radius -------------------------------------------------------------------------


def component(f: Callable[[Any], Any], x: float) -> Component:
    forward = at_point(f, x, domain=None)
    forward.begin()
    return Component(forward.curve(np.ones(1)), 0)


@pytest.mark.parametrize("x", [0.75, -1.5, 4.0])
@pytest.mark.parametrize(
    ("f", "bend"),
    [
        (np.cos, -1.0),  # even functions: nothing else of theirs adds to the radius
        (lambda u: 1 / (1 + u * u), -2.0),
        (lambda u: np.exp(-u * u), -2.0),
        (lambda u: np.log(2 + u * u), 1.0),
        (lambda u: np.sin(u + 1.0), -math.sin(1.0)),
    ],
)
def test_truncation_covers_windows_of_all_sizes(
    f: Callable[[Any], Any], bend: float, x: float
) -> None:
    truncated = 0
    for w in (0.5, 1.0, 2.0, 3.0):
        c = component(lambda t, w=w: f(w * (t - x)), x)
        for start in range(-1, 6):
            found = _window(c, start, 1e-16)
            if found is not None:
                error = abs(found.value - w * w * bend)
                assert error <= found.radius
                truncated += error > found.rounding
    assert truncated >= 2  # or nothing would be shown


def test_a_correction_after_none_at_all_counts() -> None:
    """Three equal values and one that is off, as where the coarsest step alone crosses a kink."""
    assert truncation([0.0, 0.0, 1.0]) >= 1.0


def test_finer_steps_show_noise_that_was_not_known(formulas: ModuleType) -> None:
    short = 0
    for x in np.linspace(0.5, 2.0, 20):
        c = component(lambda t: np.sin(t) + 1e-9 * formulas.noise(t), float(x))
        for k in (7, 8, 10, 13):
            c.rung(k)
        naive, found = _window(c, 2, 1e-16), _confirmed(c, 2, 1e-16)
        if naive is not None:
            short += abs(naive.value + math.sin(x)) > naive.radius
        assert found is None or abs(found.value + math.sin(x)) <= found.radius
    assert short >= 3


# -- the table of 84 -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(formulas: ModuleType, calibration_cases: ModuleType) -> list[Judged]:
    judged = []
    for case in calibration_cases.CASES:
        truth = formulas.limit_curvature(case.smooth, case.x)
        estimate = counted(formulas.function(case.code), case.x)
        error = formulas.error_of(estimate.value, truth)
        judged.append(Judged(f"{case.name}", case.family, float(truth), error, estimate))
    return judged


def test_table(table: list[Judged]) -> None:
    assert len(table) == 84
    print("\n" + summary(table))
    missed = [j for j in table if not j.covered or j.lie]
    assert not missed, shortfall(missed)


def test_table_smooth_functions_take_fifteen_evaluations(table: list[Judged]) -> None:
    smooth = [j for j in table if j.family == "smooth"]
    assert len(smooth) == 16
    more = {j.name: j.estimate.evaluations for j in smooth if j.estimate.evaluations > 15}
    # x = 0.1 says that steps should be ten times smaller than they may be
    assert more in ({}, {"smooth: log(exp(x) + exp(0.5) + exp(-2.0)) at 0.1": 17})
    assert all(j.radius <= 2e-8 * j.size for j in smooth), shortfall(smooth)


# -- where there is no second derivative -----------------------------------------------------------


def _relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("at", [0.0, 1.0, -1000.0])
@pytest.mark.parametrize("f", [np.abs, _relu, lambda u: np.where(u > 0, u, 0.125 * u)])
def test_at_a_kink_there_is_none(f: Callable[[Any], Any], at: float) -> None:
    e = curvature(lambda x: f(x - at) + np.sin(x), at)
    assert e.reason == "kink"
    assert math.isinf(e.radius)
    assert e.interval is None


@pytest.mark.parametrize("at", [0.0, 1.0, -64.0])
@pytest.mark.parametrize(
    ("f", "ends"),
    [
        (lambda u: u * abs(u), (-2.0, 2.0)),
        (lambda u: _relu(u) ** 2, (0.0, 2.0)),
        (lambda u: np.exp(u) + _relu(u) ** 2, (1.0, 3.0)),
        (lambda u: np.where(u < 0, 0.5 * u * u, np.expm1(u) - u), None),  # no kink: both are 1
        (lambda u: np.where(u > 0, u, np.expm1(u)), (0.0, 1.0)),  # ELU
    ],
)
def test_a_kink_of_the_slope_is_an_interval(
    f: Callable[[Any], Any], ends: tuple[float, float] | None, at: float
) -> None:
    e = curvature(lambda x: f(x - at), at)
    if ends is None:
        assert e.interval is None
        assert abs(e.value - 1.0) <= e.radius <= 1e-3
        return
    assert e.reason == "kink"
    assert e.interval == pytest.approx(ends, abs=1e-3)
    assert e.interval[0] <= ends[0] < ends[1] <= e.interval[1]
    assert e.value - e.radius <= ends[0] < ends[1] <= e.value + e.radius


@pytest.mark.parametrize("power", [1.25, 1.5, 1.75])
def test_no_radius_where_the_slope_is_vertical(power: float) -> None:
    """|x|^p has a slope at 0 and no second derivative, on either side."""
    assert math.isinf(curvature(lambda x: abs(x) ** power, 0.0).radius)


@pytest.mark.parametrize("f", [lambda u: abs(u) ** 3, lambda u: u**3, lambda u: u**4])
def test_flat_points(f: Callable[[Any], Any]) -> None:
    for at in (0.0, 1.0):
        e = curvature(lambda x, at=at: f(x - at), at)
        assert abs(e.value) <= e.radius <= 1e-3


@pytest.mark.parametrize("f", [lambda u: float(u > 0), lambda u: float(u >= 0), np.sign])
def test_jumps(f: Callable[[Any], Any]) -> None:
    for x in (0.0, 1.0):
        e = curvature(lambda t, x=x: f(t - x) + 0.5 * t, x)
        assert (e.reason, e.radius) == ("jump", math.inf)


def test_nothing_around_x() -> None:
    e = curvature(lambda t: 1.0 if t == 2.0 else math.nan, 2.0)
    assert (e.reason, e.radius) == ("domain", math.inf)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("x", [0.0, 2.0])
def test_one_sided(side: float, x: float) -> None:
    e = curvature(lambda t: math.exp(t) if (t - x) * side >= 0 else math.nan, x)
    assert e.reason == "one-sided"
    assert abs(e.value - math.exp(x)) <= e.radius <= 1e-2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_f_not_finite_at_x_tells_nothing(bad: float) -> None:
    assert math.isinf(curvature(lambda t: bad if t == 1.0 else t, 1.0).radius)


# -- constants, lines and parabolas ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("c", "x"), [(0.0, 0.0), (0.0, 1.0), (3.0, 0.0), (3.0, 1.0), (3.0, 1e-100), (-1e300, 1.0)]
)
def test_constants(c: float, x: float) -> None:
    e = curvature(lambda _: c, x)
    assert (e.reason, e.value) == ("constant", 0.0)
    assert e.radius <= 1e-14 * abs(c) / (x * x or 1.0)


@pytest.mark.parametrize(("slope", "offset"), [(3.0, 0.0), (-2.5, 1.0), (1e-8, 1e8), (1e200, 0.0)])
@pytest.mark.parametrize("x", [1.0, -1e-6, 3e5])
def test_lines(slope: float, offset: float, x: float) -> None:
    e = curvature(lambda t: slope * float(t) + offset, x)
    size = abs(slope * x) + abs(offset)
    assert abs(e.value) <= e.radius <= 1e-12 * size / (x * x)
    assert e.evaluations <= 27


@pytest.mark.parametrize(("a", "b", "c"), [(1.0, 0.0, 0.0), (0.5, -3.0, 2.0), (1e-3, 1e3, 1.0)])
def test_parabolas(a: float, b: float, c: float) -> None:
    e = curvature(lambda t: (a * t + b) * t + c, 1.5)
    assert abs(e.value - 2 * a) <= e.radius <= 1e-8 * (abs(a) + abs(b) + abs(c))


def test_a_plateau() -> None:
    e = curvature(_relu, -1.0)
    assert abs(e.value) <= e.radius <= 1e-12


# -- complex slopes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "truth", "within"),
    [
        (lambda x: 1e8 + np.sin(x), 1.0, -math.sin(1.0), 1e-10),
        (lambda x: np.exp(x) + 3.0 * (np.real(x) > 1.0001), 1.0, math.e, 1e-10),
        (lambda x: 3.0 * x + 1.0, 1.0, 0.0, 1e-14),
    ],
)
def test_complex_slopes_are_better(
    f: Callable[[Any], Any], x: float, truth: float, within: float
) -> None:
    e = counted(f, x)
    plain = counted(lambda t: f(float(t)), x)  # takes no complex numbers
    assert (e.oracle, plain.oracle) == ("complex step", "differences")
    assert abs(e.value - truth) <= e.radius <= within
    assert abs(plain.value - truth) <= plain.radius
    assert plain.radius > 30 * e.radius


_FOOLED: dict[str, Callable[[Any], Any]] = {
    "real part": lambda x: 1e6 + np.real(x) ** 2,
    "modulus": lambda x: 1e6 + np.real(x * np.conj(x)),
    "cast inside": lambda x: 1e6 + x * float(np.real(x)),
    "float32 inside": lambda x: np.complex64(x) ** 2 if np.iscomplexobj(x) else np.float32(x) ** 2,
    "another function": lambda x: 1e6 + (x**3 if np.iscomplexobj(x) else x**2),
    "another beyond": lambda x: 1e6 + x**2 + (np.iscomplexobj(x) and np.real(x) != 1.0) * x**3,
    "rounded": lambda x: np.round(1e9 * x * x) / 1e9,
}


@pytest.mark.parametrize("way", sorted(_FOOLED))
def test_what_fools_complex_numbers(way: str) -> None:
    """f(1)'' is 2 in all of them, whatever they do to imaginary parts."""
    e = counted(_FOOLED[way], 1.0)
    assert abs(e.value - 2.0) <= e.radius


def test_a_lost_imaginary_part_is_no_constant_slope() -> None:
    """Rounding takes the tiny imaginary part to zero, and the stairs are too low to count as noise."""
    e = counted(lambda x: np.round(1e14 * (1 + 1e-12 * x * x)) / 1e14, 1.0)
    assert abs(e.value - 2e-12) <= e.radius


def test_noise_is_not_asked_at_complex_numbers(formulas: ModuleType) -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x)
        return math.sin(x) + 1e-6 * float(formulas.noise(x))

    e = curvature(f, 1.0)
    assert abs(e.value + math.sin(1.0)) <= e.radius
    assert not any(np.iscomplexobj(x) for x in seen)


def test_a_declared_domain_is_real() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x)
        return 1e8 + np.log(x)

    e = curvature(f, 1.0, domain=Interval(0.0))
    assert not any(np.iscomplexobj(x) for x in seen)
    assert (e.oracle, abs(e.value + 1.0) <= e.radius) == ("differences", True)


# -- conventions shared with `differentiate` -------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "bend", "x", "low", "high"),
    [
        (np.log, lambda x: -1 / x**2, 1e-9, 0.0, math.inf),
        (np.log, lambda x: -1 / x**2, 3.0, 0.0, math.inf),
        (np.sqrt, lambda x: -0.25 * x**-1.5, 1e-5, 0.0, math.inf),
        (np.arcsin, lambda x: x / ((1 - x) * (1 + x)) ** 1.5, 1 - 1e-4, -1.0, 1.0),
        (np.exp, math.exp, 1.0, 1.0 - 1e-3, 1.0 + 1e-2),
    ],
)
def test_the_domain_is_never_left(
    f: Callable[[Any], Any], bend: Callable[[float], float], x: float, low: float, high: float
) -> None:
    seen: list[float] = []

    def spied(t: float) -> Any:
        seen.append(float(t))
        return f(t)

    e = curvature(spied, x, domain=Interval(low, high))
    assert [t for t in seen if not low < t < high] == []
    assert len(seen) == e.evaluations
    assert abs(e.value - bend(x)) <= e.radius <= 1e-3 * abs(bend(x))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (0,)])
def test_vector_functions(shape: tuple[int, ...]) -> None:
    """Values and radii have f's shape and come from one set of evaluations."""
    rates = np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape)
    e = counted(lambda t: np.sin(rates * t), 0.5)
    assert e.value.shape == e.radius.shape == shape
    assert e.evaluations <= 40
    if rates.size:
        assert holds(e, -(rates**2) * np.sin(rates * 0.5))


def test_directions_are_quadratic() -> None:
    x = np.array([0.3, 0.7])
    g = math.exp(0.7)
    H = np.array([[2 * g, 0.6 * g], [0.6 * g, 0.09 * g]])
    for d in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([3.0, -5.0])):
        e = curvature(lambda a: a[0] ** 2 * np.exp(a[1]), x, d)
        assert isinstance(e.value, float)
        assert holds(e, d @ H @ d)


def test_float32_is_raised_where_f_goes_along() -> None:
    x, d = np.array([0.5, 1.5], dtype=np.float32), np.array([1.0, -1.0])
    e = curvature(lambda a: np.sin(a).sum(), x, d)
    assert holds(e, -math.sin(0.5) - math.sin(1.5))
    assert 0 < e.native_error < 1e-6


def test_float32_inside() -> None:
    e = curvature(lambda t: float(np.exp(np.float32(t))), 0.5)
    assert abs(e.value - math.exp(0.5)) <= e.radius <= 0.1
    assert e.reason == "noise"


@pytest.mark.parametrize("x", [2, np.int64(2), [2.0], 2.0, np.array(2.0), np.float32(2)])
def test_ways_to_give_x(x: Any) -> None:
    direction = [1.0] if isinstance(x, list) else None
    e = curvature(lambda t: np.sum(np.asarray(t, dtype=float) ** 3), x, direction)
    assert abs(e.value - 12.0) <= e.radius <= 0.5


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "smooth": lambda u: np.exp(np.sin(3.0 * u)),
    "rational": lambda u: 1.0 / (1.0 + u * u),
    "line": lambda u: 3.0 * u - 1.0,
    "kink": lambda u: abs(u - 0.75) + u * u,
    "kink of slope": lambda u: np.maximum(u - 0.75, 0.0) ** 2 + u,
    "near a kink": lambda u: abs(u - 0.7421875) + u * u,
    "wave": lambda u: np.sin(1000.0 * u),
}


@given(st.sampled_from(sorted(_SHAPES)), st.integers(-150, 150), st.integers(-150, 150))
def test_powers_of_two_change_nothing_else(shape: str, a: int, b: int) -> None:
    """f(x·2^b)·2^a at x·2^−b has the second derivative times 2^(a+2b), to the last bit."""
    f = _SHAPES[shape]
    plain = curvature(f, 0.75)
    scaled = curvature(lambda t: f(t * 2.0**b) * 2.0**a, 0.75 * 2.0**-b)
    np.testing.assert_array_equal(scaled.value, math.ldexp(plain.value, a + 2 * b))  # NaN too
    assert scaled.radius == math.ldexp(plain.radius, a + 2 * b)
    assert (scaled.reason, scaled.evaluations) == (plain.reason, plain.evaluations)


@given(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3))
def test_reflection(x: float) -> None:
    """f(−x) at −x has the same second derivative and the same radius."""
    f = _SHAPES["smooth"]
    plain, mirrored = curvature(f, x), curvature(lambda t: f(-t), -x)
    assert (mirrored.value, mirrored.radius) == (plain.value, plain.radius)


def test_rtol_buys_evaluations() -> None:
    coarse = curvature(lambda x: np.sin(3 * x), 1.0, rtol=1e-4)
    fine = curvature(lambda x: np.sin(3 * x), 1.0, rtol=1e-11)
    truth = -9 * math.sin(3)
    assert coarse.evaluations < fine.evaluations
    assert abs(fine.value - truth) <= fine.radius < coarse.radius
    assert abs(coarse.value - truth) <= coarse.radius


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3.0, 1.0), TypeError, "f must be callable, got float"),
        ((np.sin, math.nan), ValueError, r"x must be finite.*nan"),
        ((np.sum, [1.0, 2.0]), ValueError, "direction"),
        ((np.sum, [1.0, 2.0], [1.0]), ValueError, r"shape \(1,\).*shape \(2,\)"),
        ((np.sum, [1.0, 2.0], [0.0, 0.0]), ValueError, "direction is zero"),
        ((np.sin, 1j), TypeError, "x must hold real numbers"),
        ((lambda _: "one", 1.0), TypeError, "f must return real numbers"),
    ],
)
def test_bad_arguments(arguments: tuple[Any, ...], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        curvature(*arguments)


@pytest.mark.parametrize("rtol", [0.0, -1e-6, math.nan])
def test_bad_rtol(rtol: float) -> None:
    with pytest.raises(ValueError, match="rtol must be positive"):
        curvature(np.sin, 1.0, rtol=rtol)


def test_a_point_outside_the_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not lie in"):
        curvature(np.log, -1.0, domain=Interval(0.0))
