"""e^a as a power that SymPy was told to leave as it is: everyone must read the exponent, not the base.

``Pow(E, a, evaluate=False)`` passes for ``exp`` in ``isinstance``, but its first argument is e.
"""

import mpmath
import pytest
import sympy as sp

from derivations.deriving.numpy_code import printed
from derivations.deriving.stable_forms import stable
from derivations.expressions.language import derivative, x
from derivations.kernels import indexed, rational, sampling, witness
from derivations.kernels.field import Field
from derivations.render.mathml import formula
from derivations.steps import judge
from derivations.steps.rules import EXP

EXPONENTS = [sp.Integer(2), sp.Integer(-1), sp.Rational(1, 2), x, 2 * x + 1]


def left(exponent: sp.Expr) -> sp.Expr:
    power = sp.Pow(sp.E, exponent, evaluate=False)
    assert power.args == (sp.E, exponent)
    return power


def minus(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return sp.Add(a, -b, evaluate=False)


@pytest.mark.parametrize("exponent", EXPONENTS, ids=str)
def test_no_kernel_takes_the_base_for_the_exponent(exponent: sp.Expr) -> None:
    power, right, wrong = left(exponent), sp.exp(exponent), sp.exp(sp.E)
    assert Field().is_zero(minus(power, right))
    assert not Field().is_zero(minus(power, wrong))
    assert indexed.prove_zero(minus(power, right), {}).proved
    assert not indexed.prove_zero(minus(power, wrong), {}).proved
    assert rational.decide(power, wrong).kind != "proved"
    assert rational.decide(power, right).kind != "different"
    assert sampling.sample(power, right, sampling.Setting()).agree
    assert not sampling.sample(power, wrong, sampling.Setting()).agree


@pytest.mark.parametrize("exponent", EXPONENTS, ids=str)
def test_its_value_is_that_of_exp(exponent: sp.Expr) -> None:
    context = mpmath.MPContext()
    at = {x: context.mpf(3)}
    exact = judge.numeric(sp.exp(exponent), at, context)
    assert abs(judge.numeric(left(exponent), at, context) / exact - 1) < 1e-14
    enclosed = witness.enclose(left(exponent), {x: sp.Integer(3)}, witness.interval_context())
    assert float(enclosed.a) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("exponent", EXPONENTS, ids=str)
def test_it_is_written_as_exp_is(exponent: sp.Expr) -> None:
    assert formula(left(exponent)) == formula(sp.exp(exponent))
    assert printed(left(exponent)) == f"np.exp({printed(exponent)})"


def test_it_is_differentiated_and_made_stable_as_exp_is() -> None:
    power = left(2 * x)
    found = EXP.rewrite(derivative(power, x))
    assert found is not None
    assert sp.simplify(found.doit() - 2 * sp.exp(2 * x)) == 0
    assert stable(sp.log(1 + power)).form == stable(sp.log(1 + sp.exp(2 * x))).form
