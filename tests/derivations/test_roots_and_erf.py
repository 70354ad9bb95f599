"""Square roots, π and erf in the kernels: what is true is proved, what is false is not."""

import pytest
import sympy as sp

from derivations.expressions.calculus import sdiff
from derivations.expressions.language import (
    derivative,
    i,
    j,
    n,
    nonnegative,
    opaque,
    positive,
    total,
    x,
    z,
)
from derivations.kernels import indexed, rational, witness
from derivations.steps.build import Builder, StepError
from derivations.steps.rules import ERF, POWER

p, q = positive("p"), nonnegative("q")
ROOT = sp.sqrt(1 + x**2)
NESTED = sp.sqrt(1 + ROOT)
DEVIATION = sp.sqrt(total(z[j] ** 2, j, n) / n + p)
phi = opaque("phi")

TRUE = {
    "square": (ROOT**2, 1 + x**2),
    "cube": (ROOT**3, ROOT + x**2 * ROOT),
    "reciprocal": (1 / ROOT, ROOT / (1 + x**2)),
    "rationalised": ((ROOT - x) * (ROOT + x), 1),
    "two roots": (sp.sqrt(p) * sp.sqrt(1 + p) / sp.sqrt(p), sp.sqrt(1 + p)),
    "nested": ((NESTED + 1) * (NESTED - 1) * (ROOT - 1), 1 + x**2 - ROOT),
    "constants": (sp.sqrt(2) * sp.sqrt(sp.pi) / sp.sqrt(2 * sp.pi) * sp.pi / sp.pi, 1),
    "exponent with a root": (sp.exp(sp.sqrt(2) * x) ** 2, sp.exp(x * sp.sqrt(8))),
    "inside erf": (sp.erf(x * (x + 1)) * p, p * sp.erf(x**2 + x)),
}
FALSE = {
    "square": (ROOT**2, 1 + x),
    "root of a sum": (ROOT, 1 + x),
    "sign": (1 / ROOT, -ROOT / (1 + x**2)),
    "π": (sp.pi * x, 3 * x),
    "wrong root": (sp.sqrt(1 + p), sp.sqrt(p)),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_identities_are_proved(name: str) -> None:
    assert rational.decide(*TRUE[name]).kind == "proved"


@pytest.mark.parametrize("name", FALSE)
def test_false_identities_are_refuted_at_a_point(name: str) -> None:
    decision = rational.decide(*FALSE[name])
    assert decision.kind == "different"
    assert decision.point is not None


def test_different_values_of_erf_are_kept_apart() -> None:
    assert rational.decide(sp.erf(x), sp.erf(x + 1)).kind == "different"
    assert rational.decide(sp.erf(x), phi(x)).kind == "different"


def test_roots_of_sums_for_every_size() -> None:
    variance = total(z[j] ** 2, j, n) / n + p
    # As SymPy builds it, √p·√p is p already: the square has to come from multiplying out.
    assert indexed.prove_zero((DEVIATION + 1) * (DEVIATION - 1) - (variance - 1), {})
    assert indexed.prove_zero(
        (DEVIATION + 1) ** 3 - (DEVIATION + 1) * (variance + 1) - 2 * (variance + DEVIATION), {}
    )
    over = total(z[j] ** 2, j, n) + n * p
    assert indexed.prove_zero(1 / DEVIATION - n * DEVIATION / over, {})
    assert indexed.prove_zero(total(z[i] * DEVIATION, i, n) - DEVIATION * total(z[j], j, n), {})
    assert not indexed.prove_zero(DEVIATION - variance, {})
    assert not indexed.prove_zero(DEVIATION - sp.sqrt(total(z[j] ** 2, j, n)), {})


def test_a_root_is_taken_for_positive_only_where_it_is() -> None:
    assert indexed.prove_zero(sp.log(DEVIATION * p) - sp.log(DEVIATION) - sp.log(p), {})
    with pytest.raises(indexed.OutOfClassError, match="sign is not known"):
        indexed.prove_zero(sp.log(sp.sqrt(q) * p), {})


def test_their_derivatives() -> None:
    assert rational.decide(sdiff(ROOT, x), x / ROOT).kind == "proved"
    bell = 2 * sp.exp(-(x**2)) / sp.sqrt(sp.pi)
    assert rational.decide(sdiff(sp.erf(x), x), bell).kind == "proved"
    built = Builder("root", "A root", derivative(ROOT, x)).apply(POWER).step("d", x / ROOT)
    assert built.done().standing.value == "proved for all reals"
    built = Builder("erf", "erf", derivative(sp.erf(2 * x), x)).apply(ERF).done()
    assert rational.decide(built.result, 4 * sp.exp(-4 * x**2) / sp.sqrt(sp.pi)).kind == "proved"


@pytest.mark.parametrize("wrong", [bell := sp.exp(-(x**2)), 2 * bell / sp.pi, 2 * bell])
def test_wrong_derivatives_of_erf_are_refused(wrong: sp.Expr) -> None:
    with pytest.raises(StepError):
        Builder("erf", "erf", derivative(sp.erf(x), x)).step("wrong", wrong)


def test_enclosures_of_roots_and_of_pi() -> None:
    context = witness.interval_context()
    for expression, truth in ((sp.sqrt(2) * sp.pi, 4.44288293815837), (2 / sp.sqrt(x), 1.0)):
        enclosure = witness.enclose(expression, {x: sp.Integer(4)}, context)
        assert enclosure.a <= enclosure.b
        assert abs(float(enclosure.a) - truth) < 1e-14
    with pytest.raises(ValueError, match="not positive"):
        witness.enclose(sp.sqrt(x), {x: sp.Integer(-1)}, context)
