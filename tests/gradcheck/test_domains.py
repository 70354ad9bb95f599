"""Domains that constrain directions: a check stays inside them to the last evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import (
    Argument,
    Case,
    Classes,
    Domain,
    Elementwise,
    Interval,
    Outcome,
    PositiveDefinite,
    Reason,
    Simplex,
    Symmetric,
    check,
    check_case,
    differentiate,
)


def sampled(domain: Domain, *shape: int) -> Any:
    return domain.sample(np.random.default_rng(3), shape, {})


def log_determinant(a: Any) -> Any:
    return np.sum(np.linalg.slogdet(a)[1])


def entropy(p: Any) -> Any:
    return -np.sum(p * np.log(p))


def largest_eigenvalue(a: Any) -> Any:
    return np.linalg.eigvalsh(a)[-1]


def its_gradient(a: Any) -> Any:
    v = np.linalg.eigh(a)[1][:, -1]
    return np.outer(v, v)


def triangular(a: Any) -> Any:
    """Return the gradient in the n(n+1)/2 unrelated entries, spread over the lower triangle."""
    inverse = np.linalg.inv(a)
    return np.tril(2 * inverse) - np.diag(np.diag(inverse))


CASES: list[tuple[Any, Domain, Any, Any]] = [
    (log_determinant, PositiveDefinite(), sampled(PositiveDefinite(), 5, 5), np.linalg.inv),
    (log_determinant, PositiveDefinite(), sampled(PositiveDefinite(), 3, 4, 4), np.linalg.inv),
    (log_determinant, PositiveDefinite(), sampled(PositiveDefinite(), 5, 5), triangular),
    (log_determinant, PositiveDefinite(), 1e-9 * sampled(PositiveDefinite(), 5, 5), np.linalg.inv),
    (largest_eigenvalue, Symmetric(), sampled(Symmetric(), 6, 6), its_gradient),
    (entropy, Simplex(), sampled(Simplex(), 4, 7), lambda p: -np.log(p) - 1),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_simplex_is_as_exact_as_its_numbers(dtype: Any) -> None:
    p = sampled(Simplex(), 50, 1000).astype(dtype)
    assert Simplex().contains(p)  # rounding is no distance
    p[17, 3] += 1e4 * np.finfo(dtype).eps
    assert not Simplex().contains(p)


@pytest.mark.parametrize(("f", "domain", "x", "grad"), CASES)
def test_right_gradients_pass_inside(f: Any, domain: Domain, x: Any, grad: Any) -> None:
    seen: list[bool] = []

    def spied(a: Any) -> Any:
        seen.append(domain.contains(a))
        return f(a)

    report = check(spied, x, grad=grad, domain=domain, rng=0)
    assert report.outcome is Outcome.PASS, str(report)
    assert all(seen)
    assert len(seen) == report.evaluations


@pytest.mark.parametrize(("f", "domain", "x", "grad"), CASES)
def test_wrong_entries_are_located_inside(f: Any, domain: Domain, x: Any, grad: Any) -> None:
    seen: list[bool] = []
    place = (*(1 for _ in x.shape[:-1]), 2)

    def spied(a: Any) -> Any:
        seen.append(domain.contains(a))
        return f(a)

    def wrong(a: Any) -> Any:
        g = grad(a)
        g[place] += 0.5 * np.max(np.abs(g))
        return g

    report = check(spied, x, grad=wrong, domain=domain, rng=0)
    assert report.outcome is Outcome.FAIL
    assert all(seen)
    assert place in {e.index for e in report.wrong_entries}


def test_half_a_symmetric_gradient_is_wrong() -> None:
    a = sampled(PositiveDefinite(), 5, 5)
    report = check(
        log_determinant,
        a,
        grad=lambda a: np.tril(np.linalg.inv(a)),
        domain=PositiveDefinite(),
        rng=0,
    )
    assert report.outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("domain", "outside"),
    [
        (Symmetric(), np.array([[1.0, 2.0], [0.0, 1.0]])),
        (Symmetric(), np.ones((2, 3))),
        (PositiveDefinite(), np.diag([1.0, -1.0])),
        (PositiveDefinite(), np.array([1.0, 2.0])),
        (Simplex(), np.array([0.5, 0.6])),
    ],
)
def test_points_outside_are_refused(domain: Domain, outside: Any) -> None:
    with pytest.raises(ValueError, match=r"argument 0 does not lie in its domain"):
        check(np.sum, outside, grad=np.ones_like, domain=domain)


@pytest.mark.parametrize(
    ("domain", "x", "words"),
    [
        (Interval(0.0), [0.5, -1.0], r"entry \[1\] is -1.0$"),
        (Interval(0.0, 1.0), 2.0, "it is 2.0$"),
        (Simplex(), [0.5, 0.0, 0.5], r"entry \[1\] is 0.0$"),
        (Simplex(), [[0.5, 0.5], [1.0, 1.0]], r"row \[1\] sums to 2.0: divide by x.sum\(axis=-1"),
        (
            Symmetric(),
            [[1.0, 0.25], [0.5, 1.0]],
            r"entry \[0, 1\] is 0.25 and \[1, 0\] is 0.5, 0.25 apart: give \(A \+ A.T\) / 2$",
        ),
        (PositiveDefinite(), [[[1.0, 1e-16], [0.0, 1.0]]], r".*1e-16 apart: give .*np.swapaxes"),
        (PositiveDefinite(), [[1.0, 2.0], [2.0, 1.0]], "its smallest eigenvalue is -1$"),
        (PositiveDefinite(), [1.0], r"its shape is \(1,\), not that of square matrices"),
    ],
)
def test_what_lies_outside_is_named(domain: Domain, x: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"does not lie in its domain .*: {words}"):
        check(np.sum, np.array(x), grad=np.ones_like, domain=domain)


def test_what_lies_outside_of_the_domain_of_a_derivative_is_named() -> None:
    with pytest.raises(ValueError, match=r"x does not lie in Interval.*: it is -1.0"):
        differentiate(math.log, -1.0, domain=Interval(0.0))


def test_one_domain_for_several_arguments_is_refused() -> None:
    def grad(a: Any, b: Any) -> Any:
        return b, a

    x = (np.full(2, 0.5), np.full(2, 0.5))
    words = (
        r"one domain is given for 2 .*: say whose it is by position, as in domain={0: Interval\("
    )
    with pytest.raises(TypeError, match=words):
        check(np.dot, x, grad=grad, domain=Interval(0.0))
    assert check(np.dot, x, grad=grad, domain={0: Interval(0.0)}, rng=0)
    assert check(np.dot, x, grad=lambda a, b: a, argnums=1, domain=Interval(0.0), rng=0)


def test_reach_ends_where_a_matrix_becomes_singular() -> None:
    a, d = sampled(PositiveDefinite(), 6, 6), sampled(Symmetric(), 6, 6)
    backward, forward = PositiveDefinite().reach(a, d)
    for t, inside in [(0.999 * forward, True), (1.001 * forward, False)]:
        assert PositiveDefinite().contains(a + t * d) is inside
    for t, inside in [(-0.999 * backward, True), (-1.001 * backward, False)]:
        assert PositiveDefinite().contains(a + t * d) is inside


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_simplex_of_one_number_holds_it_in_its_place(mode: Any) -> None:
    """Nothing can be told of its derivative; beside other arguments it is left alone."""
    p, w = np.ones((2, 1)), np.array([2.0, 3.0])

    def grad(p: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * p * np.sum(w), np.full_like(w, np.sum(p**2))

    alone = check(
        lambda p: np.sum(p**2), p, grad=lambda p: 2 * p, domain=Simplex(), mode=mode, rng=0
    )
    assert (alone.outcome, alone.reason) == (Outcome.INCONCLUSIVE, Reason.EMPTY)

    def f(p: np.ndarray, w: np.ndarray) -> np.float64:
        return np.sum(p**2) * np.sum(w)

    beside = check(f, (p, w), grad=grad, domain={0: Simplex()}, mode=mode, rng=0)
    assert beside
    if mode == "full":
        assert "all 2 entries agree" in beside.message, "those that are held are not counted"


@pytest.mark.parametrize("domain", [Symmetric(), PositiveDefinite()])
def test_matrices_are_square(domain: Domain) -> None:
    with pytest.raises(
        ValueError, match=r"must be square in the last two axes, got the shape \(4, 1\)"
    ):
        sampled(domain, 4, 1)


@pytest.mark.parametrize("x", [np.outer([1.0, 3.0, 7.0], [1.0, 3.0, 7.0]), np.diag([1.0, -1.0])])
def test_a_matrix_without_cholesky_factor_is_not_definite(x: np.ndarray) -> None:
    """The singular one has eigenvalues that rounding may make positive."""
    with pytest.raises(ValueError, match="does not lie in its domain"):
        check(log_determinant, x, grad=np.linalg.pinv, domain=PositiveDefinite(), rng=0)


def test_definite_matrices_in_half_precision() -> None:
    x = np.array([[2.0, 0.5], [0.5, 1.0]], dtype=np.float16)
    assert check(lambda a: np.sum(a * a), x, grad=lambda a: 2 * a, domain=PositiveDefinite(), rng=0)


def test_the_search_for_wrong_entries_of_a_hessian_stays_inside() -> None:
    p, seen = sampled(Simplex(), 5), []

    def spied(p: Any) -> Any:
        seen.append(Simplex().contains(p))
        return entropy(p)

    def wrong(p: Any) -> Any:
        h = -np.diag(1 / p)
        h[1, 1] *= 2
        return h

    report = check(spied, p, hess=wrong, domain=Simplex(), rng=0)
    assert report.outcome is Outcome.FAIL
    assert all(seen)
    worst = report.wrong_entries[0]
    assert (worst.output, worst.index) == ((1,), (1,))


# -- samples ---------------------------------------------------------------------------------------


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    """Draw intervals with kinks inside, at an end and outside, close to each other or not."""
    ends = st.floats(-1e6, 1e6) | st.sampled_from([-1.0, 0.0, 1.0])
    low = draw(st.just(-math.inf) | ends)
    width = draw(st.just(math.inf) | st.floats(1e-9, 1e6))
    high = width if math.isinf(low) else low + max(width, 1e-9 * abs(low))
    inner = [e for e in (low, high) if math.isfinite(e)] or [0.0]
    offsets = st.lists(st.tuples(st.sampled_from(inner), st.floats(-2.0, 2.0)), max_size=4)
    kinks = tuple(end + offset for end, offset in draw(offsets))
    return Interval(low, high, kinks=kinks, spread=draw(st.floats(1e-3, 1e3)))


@st.composite
def domains(draw: st.DrawFn) -> tuple[Domain, tuple[int, ...]]:
    """Draw a domain and a shape that its samples may have."""
    domain = draw(
        intervals() | st.sampled_from([Simplex(), Symmetric(), PositiveDefinite(), Classes(3)])
    )
    least = 1 if isinstance(domain, Simplex) else 0
    shape = draw(st.lists(st.integers(1, 5), min_size=least, max_size=3))
    square = isinstance(domain, (Symmetric, PositiveDefinite))
    return domain, (*shape, *([draw(st.integers(1, 6))] * 2 if square else ()))


@given(domains(), st.integers(0, 2**32))
def test_samples_lie_in_their_domain(drawn: tuple[Domain, tuple[int, ...]], seed: int) -> None:
    domain, shape = drawn
    x = domain.sample(np.random.default_rng(seed), shape, {})
    assert x.shape == shape
    assert domain.contains(x), x


@pytest.mark.parametrize(
    "domain",
    [
        Interval(0, 1, spread=20),  # whose logits round to the ends
        Interval(1e9, spread=20),
        Interval(-1, 1, kinks=(0.99,)),  # where there is no room on one side
        Interval(-1, 1, kinks=(-0.999, 0.5, 0.505)),
        Interval(0, kinks=(0.0, -1e-3)),
    ],
)
def test_samples_keep_away_from_kinks_and_ends(domain: Interval) -> None:
    x = sampled(domain, 20_000)
    assert domain.contains(x)
    for kink in domain.kinks:
        for side in (-1, +1):
            others = [side * (p - kink) for p in (*domain.kinks, domain.low, domain.high)]
            room = min((d for d in others if d > 0), default=0.0)
            there = side * (x - kink)
            assert np.all(there[there > 0] >= 0.999 * min(1e-2, room / 4)), (kink, side)
    assert np.all(np.isin(domain.kinks, x, invert=True))
    row = case(domain=domain)
    assert all(check_case(row, rng=seed, sizes={"n": 200}) for seed in range(3))


@pytest.mark.parametrize("domain", [Interval(0, 1), Simplex(), Symmetric(), PositiveDefinite()])
def test_complex_numbers_lie_in_no_domain_of_real_ones(domain: Domain) -> None:
    """NumPy orders them by their real parts first, and all of the first one's lie between 0 and 1."""
    with pytest.raises(
        TypeError, match=r"is a domain of real numbers, but x is of dtype complex128"
    ):
        check(lambda x: np.sum(x.real), np.array([[1 + 0j]]), grad=np.ones_like, domain=domain)
    with pytest.raises(TypeError, match=rf"^{type(domain).__name__}\("):
        domain.contains(np.array([[0.5 + 9j]]))


class Half:
    """A part of what a domain is."""

    def contains(self, x: Any) -> bool:
        return bool(np.all(x < 1))


class Ends:
    """As SciPy's Bounds."""

    def __repr__(self) -> str:
        return "Ends(array([0.]),\n     array([2.]))"


@pytest.mark.parametrize(
    ("domain", "error", "message"),
    [
        ((0, 2), TypeError, r"^domain must be a domain, got \(0, 2\): write gradcheck.Interval\(0, 2\)$"),
        ({0: [0.5, 3]}, TypeError, r"^domain\[0\] must be .* \[0.5, 3\]: write gradcheck.Interval\(0.5, 3\)"),
        (Ends(), TypeError, r"got Ends\(array\(\[0.\]\), array\(\[2.\]\)\): write gradcheck.Interval\(0, 2\), for"),
        (Interval, TypeError, r"that is the class; write Interval\(\)"),
        (Half(), TypeError, "has differentiable, sample, tangent, reach, too"),
        ({1: Interval()}, ValueError, "domain is given for 1, but .* differentiated arguments: 0$"),
        ({"x": Interval()}, ValueError, "domain is given for 'x', but"),
    ],
    ids=["tuple", "mapping", "bounds", "class", "half", "other argument", "name"],
)  # fmt: skip
def test_what_is_no_domain_is_refused(domain: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check(np.sum, np.full(2, 0.5), grad=np.ones_like, domain=domain)


REAL = Interval()
COSINE = Elementwise(np.cos)


def case(
    shape: Any = ("n",), domain: Any = REAL, argument: Any = "x", vjp: Any = COSINE, **options: Any
) -> Case:
    """Return a case with something changed."""
    row = {"name": "sin", "f": np.sin, "source": "calculus"}
    arguments = (Argument(argument, domain, shape),)
    return Case(**({**row, "vjp": vjp, "arguments": arguments} | options))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Interval(3, 1), ValueError, r"low must be below its high, got Interval\(3, 1\)"),
        (lambda: Interval(math.nan, 1), ValueError, "got Interval.nan, 1"),
        (lambda: Interval("a", 1), TypeError, "low must be a number, got 'a'"),  # type: ignore[arg-type]  # that is asked
        (lambda: Interval(kinks=1.0), TypeError, "kinks must be a tuple of numbers, got 1.0"),  # type: ignore[arg-type]  # as above
        (lambda: Interval(kinks=(math.inf,)), ValueError, "kinks must be finite"),
        (lambda: Interval(spread=0.0), ValueError, "spread must be positive and finite, got 0.0"),
        (lambda: Classes(0), ValueError, "positive number or the name of a size, got 0"),
        (lambda: Classes(1.5), TypeError, "a number or the name of a size, got 1.5"),  # type: ignore[arg-type]  # as above
        (lambda: Elementwise(3), TypeError, "Elementwise's derivative must be callable, got int: 3"),  # type: ignore[arg-type]  # as above
        (lambda: case(argument=3), TypeError, "an argument needs a name"),
        (lambda: case(domain=(0, 1)), TypeError, r"domain of argument 'x' must .* write gradcheck.Interval\(0, 1"),
        (lambda: case(shape="n"), TypeError, "shape of argument 'x' must be a tuple of names and ints"),
        (lambda: case(shape=(-1,)), ValueError, r"nothing negative, got \(-1,\)"),
        (lambda: case(name=3), TypeError, "a case needs a name"),
        (lambda: case(source=" "), ValueError, "case 'sin' needs a source"),
        (lambda: case(f=3), TypeError, "case 'sin': f must be callable"),
        (lambda: case(vjp=3), TypeError, "case 'sin': vjp must be callable, got int: 3"),
        (lambda: case(vjp=None), ValueError, "case 'sin' claims nothing"),
        (lambda: case(arguments=("x",)), TypeError, "must be a tuple of gradcheck.Argument, got .'x'"),
        (lambda: case(arguments=()), ValueError, "case 'sin': arguments is empty"),
        (lambda: case(argnums="x"), TypeError, "case 'sin': argnums must be an int or a tuple of ints"),
        (lambda: case(argnums=1), ValueError, "case 'sin': argnums names argument 1, but there is only"),
        (lambda: case(domain=Classes(3)), ValueError, "argument 'x' is not differentiable"),
        (lambda: case().draw(0, n=3), TypeError, r"takes a numpy Generator, got 0: write np.random.default_rng\(0\)"),  # type: ignore[arg-type]  # as above
        (lambda: case().draw(np.random.default_rng(0), n=-1), ValueError, "ints from 0 on, got {'n': -1}"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_where_it_is_written(
    build: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build()


# -- next to an end, where other entries have no digits left for such small steps -------------------


def negative_entropy(p: np.ndarray) -> Any:
    return np.sum(p * np.log(p))


def negative_entropy_grad(p: np.ndarray) -> np.ndarray:
    return np.log(p) + 1


def without_the_largest_one(p: np.ndarray) -> np.ndarray:
    return np.log(p) + (p < p.max())


@pytest.mark.parametrize("t", [1e-3, 1e-6, 1e-8, 1e-12, 1e-15])
def test_a_confident_probability_vector(t: float) -> None:
    for seed in range(10):
        p = np.random.default_rng(seed).random(3) * t
        p[-1] = 1 - p[:-1].sum()
        right = check(negative_entropy, p, grad=negative_entropy_grad, domain=Simplex(), rng=seed)
        wrong = check(negative_entropy, p, grad=without_the_largest_one, domain=Simplex(), rng=seed)
        if t > 1e-10:
            assert (right.outcome, wrong.outcome) == (Outcome.PASS, Outcome.FAIL), str(right)
        else:
            assert right.outcome is not Outcome.FAIL, str(right)
            assert wrong.outcome is not Outcome.PASS, str(wrong)


@pytest.mark.parametrize("t", [1e-3, 1e-6, 1e-8])
def test_an_error_bar_knows_the_digits_of_every_entry(t: float) -> None:
    x = np.array([t, 1 - t])
    e = differentiate(negative_entropy, x, np.array([1.0, -1.0]), domain=Simplex())
    assert abs(e.value - np.log(x[0] / x[1])) <= e.radius < 1e-4 * abs(e.value)


@pytest.mark.parametrize("t", [1e-8, 1e-12, 1e-14, 1e-15])
def test_one_entry_at_the_end_of_an_interval(t: float) -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0])
    p = np.array([1 - t, 0.3, 0.6, 0.9])

    def loss(p: np.ndarray) -> Any:
        return -np.sum(y * np.log(p) + (1 - y) * np.log1p(-p))

    def grad(p: np.ndarray) -> np.ndarray:
        return np.asarray((p - y) / (p * (1 - p)))

    flip = np.array([1.0, -1.0, 1.0, 1.0])
    for seed in range(10):
        right = check(loss, p, grad=grad, domain=Interval(0, 1), rng=seed)
        wrong = check(loss, p, grad=lambda p: grad(p) * flip, domain=Interval(0, 1), rng=seed)
        if t > 1e-10:
            assert (right.outcome, wrong.outcome) == (Outcome.PASS, Outcome.FAIL), str(right)
        else:
            assert right.outcome is not Outcome.FAIL, str(right)
            assert wrong.outcome is not Outcome.PASS, str(wrong)


def test_another_argument_at_the_end_of_its_interval() -> None:
    def f(a: np.ndarray, b: np.ndarray) -> Any:
        return (1 - a) * np.log(1 - a) + np.sin(b[0]) + b[1] ** 3

    def flipped(a: np.ndarray, b: np.ndarray) -> Any:
        return -np.log(1 - a) - 1, -np.array([np.cos(b[0]), 3 * b[1] ** 2])

    x = (np.array(1 - 1e-15), np.array([0.3, 2.0]))
    for seed in range(10):
        report = check(f, x, grad=flipped, domain={0: Interval(-5, 1)}, rng=seed)
        assert report.outcome is not Outcome.PASS, str(report)


@pytest.mark.parametrize("a", [1e-2, 1e-5, 1e-100, 1e-200])
def test_an_entry_that_rests_costs_no_digits(a: float) -> None:
    x, domain = np.array([a, 1 / a]), Interval(0, math.inf)
    e = differentiate(lambda x: np.sum(np.log(x)), x, np.array([1.0, 0.0]), domain=domain)
    assert abs(e.value - 1 / a) <= e.radius < 1e-7 / a


def test_entries_of_every_size_inside_an_interval() -> None:
    x = np.array([1e-200, 1e200, 1.0])
    for mode in ("fast", "full"):
        for factor, outcome in ((1.0, Outcome.PASS), (2.0, Outcome.FAIL)):
            report = check(
                lambda x: np.sum(np.log(x)),
                x,
                grad=lambda x, factor=factor: np.array([factor, 1.0, 1.0]) / x,
                domain=Interval(0, math.inf),
                mode=mode,
                rng=0,
            )
            assert report.outcome is outcome, str(report)
    e = differentiate(lambda x: np.sum(np.log(x)), x[:2], np.ones(2), domain=Interval(0, math.inf))
    assert not abs(e.value - 1e200) > e.radius


def test_directions_of_any_length_inside_an_interval() -> None:
    def f(x: np.ndarray) -> Any:
        return np.sum(np.log(x))

    e = differentiate(f, np.array([0.5, 0.5]), np.array([1.0, 1e-12]), domain=Interval(0, 1))
    assert abs(e.value - (2.0 + 2e-12)) <= e.radius < 1e-9
    far = differentiate(
        f, np.array([1e-300, 1e300]), np.full(2, 1e-100), domain=Interval(0, math.inf)
    )
    assert not abs(far.value - 1e200) > far.radius


def test_samples_of_the_widest_interval_differ() -> None:
    sample = Interval(-1e308, 1e308).sample(np.random.default_rng(0), (8,), {})
    assert np.unique(sample).size == 8
    assert np.all(np.isfinite(sample))


def test_entries_of_an_interval_are_placed_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry by itself would take a direction and a distance of x's size for each of them."""
    asked = 0
    original = Interval.reach

    def counted(self: Interval, x: Any, direction: Any) -> tuple[float, float]:
        nonlocal asked
        asked += 1
        return original(self, x, direction)

    monkeypatch.setattr(Interval, "reach", counted)
    x = np.random.default_rng(0).uniform(1.0, 2.0, 500)
    x[3] = 1e-6  # a pair would leave its domain
    report = check(
        lambda x: np.sum(x * np.log(x)),
        x,
        grad=lambda x: np.log(x) + 1,
        domain=Interval(0.0),
        mode="full",
        rng=0,
    )
    assert report.outcome is Outcome.PASS, str(report)
    assert asked < 10


def test_a_claim_that_overflows_times_x_is_told_apart_from_f() -> None:
    x = np.array([1e200, 3.0])
    report = check(np.sum, x, grad=lambda x: x, mode="full", rng=0)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "claims overflows" in report.message


def test_one_domain_beside_labels_is_that_of_the_numbers() -> None:
    def f(labels: np.ndarray, p: np.ndarray) -> Any:
        return -np.sum(np.log(p[np.arange(2), labels]))

    def grad(labels: np.ndarray, p: np.ndarray) -> tuple[None, np.ndarray]:
        g = np.zeros_like(p)
        g[np.arange(2), labels] = -1 / p[np.arange(2), labels]
        return None, g

    p = np.array([[0.2, 0.3, 0.5], [1e-3, 0.9, 0.099]])
    report = check(f, (np.array([1, 0]), p), grad=grad, domain=Interval(0.0, 1.0), rng=0)
    assert report.outcome is Outcome.PASS, str(report)
