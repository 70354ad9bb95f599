"""What the rational kernel proves for all reals, what it refuses, and its witnesses."""

from __future__ import annotations

import random

import mpmath
import pytest
import sympy as sp

from derivations.expressions.calculus import sdiff
from derivations.expressions.language import (
    delta,
    family,
    index,
    label_family,
    negative,
    nonnegative,
    opaque,
    phi,
    positive,
    real,
    size,
    total,
    x,
)
from derivations.kernels import rational, witness
from derivations.kernels.rational import decide

a, b, c = real("a"), real("b"), real("c")
p, q, R = positive("p"), negative("q"), nonnegative("R")


def sigma(argument: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-argument))


TRUE = {
    "σ'": (sdiff(sigma(x), x), sigma(x) * (1 - sigma(x))),
    "σ″": (sdiff(sdiff(sigma(x), x), x), sigma(x) * sigma(-x) * (1 - 2 * sigma(x))),
    "tanh'": (sdiff(sp.tanh(x), x), 1 / sp.cosh(x) ** 2),
    "tanh = 2σ(2x) − 1": (sp.tanh(x), 2 * sigma(2 * x) - 1),
    "σ = (1 + tanh(x/2))/2": (sigma(x), (1 + sp.tanh(x / 2)) / 2),
    "softplus": (sp.log(1 + sp.exp(x)) - x, sp.log(1 + sp.exp(-x))),
    "log σ": (sp.log(sigma(x)), -sp.log(1 + sp.exp(-x))),
    "log-sum-exp shift": (sp.log(sp.exp(a - c) + sp.exp(b - c)) + c, sp.log(sp.exp(a) + sp.exp(b))),
    "softmax of (x, 0)": (sp.exp(x) / (sp.exp(x) + 1), sigma(x)),
    "cosh² − sinh²": (sp.cosh(x) ** 2 - sp.sinh(x) ** 2, sp.Integer(1)),
    "log of a number": (sp.log(12 * sp.exp(x)), 2 * sp.log(2) + sp.log(3) + x),
    "log of a positive symbol": (sp.log(p**3 * sp.exp(x)), 3 * sp.log(p) + x),
    "log of a positive symbol and half an exponent": (sp.log(p * sp.exp(x / 2)), sp.log(p) + x / 2),
    "exp of a log": (sp.exp(x - 2 * sp.log(p), evaluate=False), sp.exp(x) / p**2),
    "log of a negative number, negated": (sp.log(-q * p), sp.log(-q) + sp.log(p)),
    "exponents with different denominators": (
        sp.exp(x / 2) ** 2 * sp.exp(x / 3) ** 3,
        sp.exp(2 * x),
    ),
    "max": (sp.Max(p, q, evaluate=False), p),
    "opaque": (phi((a + b) ** 2), phi(a**2 + 2 * a * b + b**2)),
    "e": (sp.exp(x + 1), sp.E * sp.exp(x)),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_identities_are_proved(name: str) -> None:
    lhs, rhs = TRUE[name]
    decision = decide(lhs, rhs)
    assert decision.kind == "proved", decision
    assert decision.conditions == ()


REFUSED = {
    "root of a square": (sp.sqrt(x**2), "no rule"),
    "cube root of a sum": (sp.cbrt(1 + x**2), "no rule for the power"),
    "root of a root": (p ** sp.Rational(1, 4), "no rule for the power"),
    "log of an unknown sign": (sp.log(x), "sign of x"),
    "log of 1 + x": (sp.log(1 + x), "sign"),
    "log of zero": (sp.log((a + b) ** 2 - a**2 - 2 * a * b - b**2), "logarithm of zero"),
    "exponent of an unforeseen denominator": (sp.exp((x / 5 + 1) ** 2), "coefficient 1/25"),
    "log of a square": (sp.log(x**2, evaluate=False), "sign of x"),
    "log of a non-negative": (sp.log(R), "sign of R"),
    "log of a product of unknowns": (sp.log(a * b), "sign"),
    "log of a difference": (sp.log(1 - p), "sign"),
    "log of a negative number": (sp.log(q), "negative number"),
    "absolute value": (abs(x), "no rule"),
    "golden ratio": (sp.GoldenRatio * x, "no rule"),
    "max of unknowns": (sp.Max(a, b), "largest"),
    "complex exponent": (sp.exp(sp.I * x), "no rule"),
    "irrational power": (p ** sp.sqrt(2), "no rule for the power"),
    "e to a fraction of nothing": (x ** sp.Rational(1, 3), "no rule for the power"),
    "denominator 0": (1 / ((a + b) ** 2 - a**2 - 2 * a * b - b**2), "identically zero"),
    "float": (0.5 * x, "no rule"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_outside_of_the_class_is_refused(name: str) -> None:
    expression, reason = REFUSED[name]
    decision = decide(expression + c, c + 7)  # "equal to 7" is false: a sloppy yes would be seen
    assert decision.kind != "proved"
    tower = rational._Tower(5)
    with pytest.raises(rational.UndecidedError, match=reason):
        tower.convert(expression)


@pytest.mark.parametrize("kind", [{}, {"complex": True}, {"extended_real": True, "finite": None}])
def test_symbols_that_are_not_declared_real_are_refused(kind: dict[str, bool]) -> None:
    """For complex w = 2πi the identity below is wrong by 2πi."""
    w = sp.Symbol("w", **kind)
    decision = decide(sp.log(1 + sp.exp(w)) - w, sp.log(1 + sp.exp(-w)))
    assert decision.kind == "undecided"
    assert "not declared real" in decision.reason


def test_denominators_that_may_vanish_are_named() -> None:
    decision = decide((1 - sp.exp(2 * x)) / (1 - sp.exp(x)), 1 + sp.exp(x))
    assert decision.kind == "proved"
    assert decision.conditions == (1 - sp.exp(x),)
    assert decide(1 / (1 + x**2) + p / p, 1 + 1 / (1 + x**2)).conditions == ()


WRONG = {
    "sign": (sdiff(sigma(x), x), -sigma(x) * (1 - sigma(x))),
    "factor 2": (sdiff(sp.tanh(x), x), 2 * (1 - sp.tanh(x) ** 2)),
    "wrong branch of σ": (sp.exp(x) / (1 - sp.exp(x)), sigma(x)),
    "relu is not the identity": (sp.Max(x, 0), x),
    "an opaque function is not even": (phi(x), phi(-x)),
    "an opaque derivative is not the function": (opaque("phi", 1)(x), phi(x)),
    "a tiny error": (sigma(x) * (1 + sp.Rational(1, 10**12)), sigma(x)),
    "a constant": (sp.exp(1), sp.Rational(271828, 100000)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_identities_are_refuted_at_a_rational_point(name: str) -> None:
    lhs, rhs = WRONG[name]
    decision = decide(lhs, rhs)
    assert decision.kind == "different"
    point = decision.point
    assert point is not None
    assert all(value.is_Rational for value in point.values.values())
    assert point.lower > 0 or point.upper < 0


def random_expression(generator: random.Random, depth: int) -> sp.Expr:
    if depth == 0:
        return generator.choice((a, b, p, sp.Integer(generator.randint(1, 3))))
    left, right = (random_expression(generator, depth - 1) for _ in range(2))
    return generator.choice(
        (
            left + right,
            left * right,
            left - right,
            left / (right**2 + 1),
            sp.exp(left),
            sp.log(1 + sp.exp(right)),
            sp.tanh(left),
            sp.cosh(right) - sp.sinh(left),
            left**2,
            sigma(right),
        )
    )


@pytest.mark.parametrize("seed", range(60))
def test_proofs_and_refutations_agree_with_40_digits(seed: int) -> None:
    """Whatever is proved is numerically zero, whatever is refuted is not zero at the witness."""
    generator = random.Random(seed)
    lhs = random_expression(generator, 2)
    rhs = generator.choice(
        (sp.expand(lhs), sp.factor_terms(lhs), lhs.subs(a, b), lhs + a - b, sp.together(lhs))
    )
    decision = decide(lhs, rhs)
    if decision.kind == "different":
        assert decision.point is not None
        assert abs((lhs - rhs).subs(decision.point.values).evalf(40)) > 0
    if decision.kind == "proved":
        for _ in range(3):
            at = {s: sp.Rational(generator.randint(1, 20), 7) for s in (a, b, p)}
            gap = (lhs - rhs).subs(at).evalf(40)
            assert abs(gap) < 1e-25 * (1 + abs(lhs.subs(at).evalf(40)))


# --- interval arithmetic and instances -------------------------------------------------------------


def test_enclosures_contain_the_value() -> None:
    generator = random.Random(3)
    context = witness.interval_context(30)
    for _ in range(60):
        e = random_expression(generator, 2)
        at = {s: witness.coordinate(s, generator) for s in (a, b, p)}
        enclosure = witness.enclose(e, at, context)
        with mpmath.workdps(60):
            exact = mpmath.mpf(str(e.subs(at).evalf(60)))
            assert mpmath.mpf(enclosure.a) <= exact + mpmath.mpf(10) ** -55 * abs(exact)
            assert exact - mpmath.mpf(10) ** -55 * abs(exact) <= mpmath.mpf(enclosure.b)


def test_nothing_is_enclosed_where_it_is_not_defined() -> None:
    context = witness.interval_context()
    with pytest.raises(ZeroDivisionError, match="zero of its base"):
        witness.enclose(1 / (x - a), {x: sp.Integer(1), a: sp.Integer(1)}, context)
    with pytest.raises(ValueError, match="not positive"):
        witness.enclose(sp.log(x), {x: sp.Integer(-1)}, context)
    with pytest.raises(ValueError, match="no interval rule for gamma"):
        witness.enclose(sp.gamma(x), {x: sp.Integer(1)}, context)


def test_instances_bind_indices_sizes_and_labels() -> None:
    i, j, n = index("i"), index("j"), size("n")
    z, labels = family("z"), label_family("c")
    e = total(z[j, labels[j]] * n, j, n) + delta(i, 2) * z[i, i]
    first, second = sp.Symbol("z_1,2", real=True), sp.Symbol("z_2,1", real=True)
    written = witness.instantiate(e, {n: 2}, {i: 2}, {labels[1]: 2, labels[2]: 1})
    assert sp.expand(written - 2 * first - 2 * second - sp.Symbol("z_2,2", real=True)) == 0
    shadowed = total(z[i], i, n) * z[i]
    one, two = sp.Symbol("z_1", real=True), sp.Symbol("z_2", real=True)
    assert sp.expand(witness.instantiate(shadowed, {n: 2}, {i: 2}) - (one + two) * two) == 0


def test_patterns_of_indices_stand_for_all_choices_where_entries_have_no_number() -> None:
    i, k, n = index("i"), index("k"), size("n")
    z = family("z")
    assert len(witness.index_values({i: n, k: n}, {n: 3})) == 9
    assert witness.index_patterns({i: n, k: n}, {n: 3}) == [{i: 1, k: 1}, {i: 1, k: 2}]
    assert witness.is_symmetric(total(z[k] * delta(i, k), k, n) + n, (i, k))
    assert not witness.is_symmetric(z[1] + z[i], (i,))
    assert not witness.is_symmetric(delta(i, 2) * z[i], (i,))
    assert not witness.is_symmetric(i * z[i], (i,))
    assert not witness.is_symmetric(total(k * z[k], k, n), ())


def test_no_witness_for_zero_and_none_where_undefined() -> None:
    assert witness.find(sigma(x) + sigma(-x) - 1) is None
    assert witness.find(sp.log(-1 - x**2)) is None
    assert witness.find(1 / (x - x * sigma(0) * 2)) is None
    assert witness.find(sp.Symbol("w") + 1) is None


def test_coordinates_have_the_declared_sign_and_few_digits() -> None:
    generator = random.Random(0)
    for attempt in range(50):
        assert witness.coordinate(p, generator, attempt) > 0
        assert witness.coordinate(q, generator, attempt) < 0
        assert witness.coordinate(R, generator, attempt) >= 0
        assert witness.coordinate(x, generator, attempt).q in (1, 2)


def test_the_global_precision_of_mpmath_is_not_touched() -> None:
    before = mpmath.iv.dps, mpmath.mp.dps
    decide(sp.tanh(x), sigma(x))
    assert (mpmath.iv.dps, mpmath.mp.dps) == before
