"""Do the error bounds hold, and are they of use?

Every operation gets operands with a stated error.  The result for operands moved by that error must
lie within the bound of the result (soundness), and the bound must not be much larger than what can
happen (tightness).
"""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from derivations.expressions.language import i, j, k
from derivations.expressions.tensors import (
    ELEMENTWISE,
    EXACT,
    UNKNOWN,
    Arithmetic,
    DomainError,
    Tensor,
    magnitude,
)

PRECISION = 100
points = st.floats(-30, 30, allow_nan=False).filter(lambda x: abs(x) > 1e-6)
errors = st.integers(-60, 2).map(float)
shares = st.sampled_from([-1.0, -0.5, 0.25, 1.0])
exponents = st.sampled_from([(1, 1), (2, 1), (3, 1), (-1, 1), (-2, 1), (1, 2), (-1, 2), (3, 2)])
REFERENCE = {
    sp.exp: mpmath.exp,
    sp.log: mpmath.log,
    sp.tanh: mpmath.tanh,
    sp.sinh: mpmath.sinh,
    sp.cosh: mpmath.cosh,
    sp.sin: mpmath.sin,
    sp.cos: mpmath.cos,
    sp.atan: mpmath.atan,
    sp.erf: mpmath.erf,
    sp.Abs: abs,
}


def uncertain(arithmetic, x, error):
    return Tensor((), arithmetic.exact(x).values, np.asarray(error))


def moved(x, error, share):
    return mpmath.mpf(x) + share * mpmath.mpf(2) ** error


def gap(result, truth):
    """(distance of the result from the truth, bound of the error)"""
    value, error = result.values[()], float(result.error[()])
    bound = mpmath.inf if error == UNKNOWN else mpmath.mpf(2) ** error
    return abs(mpmath.mp.make_mpf(value._mpf_) - truth), bound


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(120):
        yield


def test_every_function_has_its_reference_here():
    assert set(REFERENCE) == set(ELEMENTWISE)


@pytest.mark.parametrize("function", ELEMENTWISE)
@given(x=points, error=errors, share=shares)
def test_functions_carry_the_error_of_their_argument(function, x, error, share):
    if function is sp.log:
        x = abs(x)
        assume(x > 2.0 ** (error + 1))
    arithmetic = Arithmetic(PRECISION)
    result = arithmetic.apply(function, uncertain(arithmetic, x, error))
    distance, bound = gap(result, REFERENCE[function](moved(x, error, share)))
    assert distance <= bound
    if error <= -4 and 2.0 ** (error + 3) < abs(x):
        at = mpmath.mpf(x)
        slope = abs(mpmath.diff(REFERENCE[function], at)) if function is not sp.Abs else 1
        if function in (sp.exp, sp.log, sp.sinh, sp.Abs):  # the slope of others may vanish
            assert bound <= 2**6 * (slope * mpmath.mpf(2) ** error + 2**-90 * (1 + abs(at) * slope))


@given(base=points, error=errors, share=shares, exponent=exponents)
def test_powers_carry_the_error_of_their_base(base, error, share, exponent):
    numerator, denominator = exponent
    base = abs(base) if denominator != 1 else base
    x = moved(base, error, share)
    assume(x > 0 or denominator == 1)
    arithmetic = Arithmetic(PRECISION)
    result = arithmetic.power(uncertain(arithmetic, base, error), numerator, denominator)
    q = mpmath.mpf(numerator) / denominator
    distance, bound = gap(result, x ** (numerator if denominator == 1 else q))
    assert distance <= bound
    if 2.0 ** (error + 5) < abs(base):
        slope = abs(q) * abs(mpmath.mpf(base)) ** (q - 1)
        assert bound <= 2**6 * slope * (mpmath.mpf(2) ** error + 2**-95 * abs(mpmath.mpf(base)))


@given(
    pair=st.lists(st.tuples(points, errors, shares), min_size=2, max_size=4),
)
def test_products_and_sums_carry_the_errors_of_their_operands(pair):
    arithmetic = Arithmetic(PRECISION)
    operands = [uncertain(arithmetic, x, error) for x, error, _ in pair]
    exact = [moved(*p) for p in pair]
    for combine, truth in ((arithmetic.multiply, mpmath.fprod), (arithmetic.add, mpmath.fsum)):
        distance, bound = gap(combine(operands), truth(exact))
        assert distance <= bound
    axis = Tensor(
        (i,),
        np.array([o.values[()] for o in operands]),
        np.array([float(o.error[()]) for o in operands]),
    )
    distance, bound = gap(arithmetic.sum_over(axis, i), mpmath.fsum(exact))
    assert distance <= bound
    spread = mpmath.fsum(mpmath.mpf(2) ** e for _, e, _ in pair)
    assert bound <= 2 * spread + 2**-85


@given(x=points, error=errors)
def test_the_worst_case_of_a_sum_is_not_understated(x, error):
    """Both terms off in the same direction: the bound must be the sum of theirs."""
    arithmetic = Arithmetic(PRECISION)
    operand = uncertain(arithmetic, x, error)
    distance, bound = gap(arithmetic.add((operand, operand)), 2 * moved(x, error, 1))
    assert distance <= bound


@given(x=points, y=points, error=errors)
def test_a_sign_is_told_only_where_it_is_certain(x, y, error):
    arithmetic = Arithmetic(PRECISION)
    sign = arithmetic.sign_of_difference(uncertain(arithmetic, x, error), arithmetic.exact(y))
    if float(sign.error[()]) == EXACT:
        for share in (-1, 1):
            assert int(sign.values[()]) == mpmath.sign(moved(x, error, share) - y)
    else:
        assert abs(mpmath.mpf(x) - y) <= 4 * mpmath.mpf(2) ** error


def test_rounding_is_part_of_the_bound():
    arithmetic = Arithmetic(20)
    third = arithmetic.rational(1, 3)
    for result, truth in (
        (third, mpmath.mpf(1) / 3),
        (
            arithmetic.add((arithmetic.exact(1), arithmetic.exact(2.0**-30))),
            1 + mpmath.mpf(2) ** -30,
        ),
        (
            arithmetic.multiply([arithmetic.exact(1.1), arithmetic.exact(1.7)]),
            mpmath.mpf(1.1) * 1.7,
        ),
        (arithmetic.apply(sp.exp, arithmetic.exact(1)), mpmath.e),
        (arithmetic.power(arithmetic.exact(2), 1, 2), mpmath.sqrt(2)),
        (arithmetic.constant("pi"), +mpmath.pi),
    ):
        distance, bound = gap(result, truth)
        assert 0 < distance <= bound <= 2**-16


def test_what_is_exact_stays_exact():
    arithmetic = Arithmetic(60)
    zero, one = arithmetic.exact(0), arithmetic.exact(1.5)
    assert float(arithmetic.multiply((zero, one)).error[()]) == EXACT
    assert float(arithmetic.add((zero, zero)).error[()]) == EXACT
    unknown = Tensor((), one.values, np.asarray(UNKNOWN))
    assert float(arithmetic.multiply((zero, unknown)).error[()]) == UNKNOWN


def test_magnitudes_bracket_the_values():
    values = Arithmetic(60).exact([1.0, 0.75, -8.0, 0.0]).values
    assert magnitude(values).tolist() == [1.0, 0.0, 4.0, -math.inf]


def test_taking_positions_shares_an_axis_that_is_there_already():
    arithmetic = Arithmetic(60)
    table = arithmetic.exact([[1, 2, 3], [4, 5, 6]], (i, j))
    diagonal = arithmetic.take(table, j, np.array([1, 2]), (i,))
    assert diagonal.axes == (i,)
    assert [int(x) for x in diagonal.values] == [2, 6]
    renamed = arithmetic.take(table, j, np.array([2, 0]), (k,))
    assert renamed.axes == (i, k)
    assert [[int(x) for x in row] for row in renamed.values] == [[3, 1], [6, 4]]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda a: a.apply(sp.log, a.exact(-2.0)), "logarithm of -2.0"),
        (lambda a: a.apply(sp.log, a.exact([1.0, 0.0], (i,))), r"logarithm of 0.0 \(at i = 2\)"),
        (lambda a: a.power(a.exact(0.0), -1), "power -1 of 0.0"),
        (lambda a: a.power(a.exact(-4.0), 1, 2), "power 1/2 of -4.0"),
    ],
)
def test_outside_of_the_domain(operation, message):
    with pytest.raises(DomainError, match=message):
        operation(Arithmetic(60))


def test_near_the_edge_of_the_domain_nothing_is_known():
    """A number that is zero within its error may be negative: nothing is known of its logarithm."""
    arithmetic = Arithmetic(60)
    doubtful = uncertain(arithmetic, 1e-30, -20.0)
    for result in (
        arithmetic.apply(sp.log, doubtful),
        arithmetic.power(doubtful, -1),
        arithmetic.power(doubtful, 1, 2),
        arithmetic.apply(sp.exp, uncertain(arithmetic, 1.0, 5.0)),
    ):
        assert float(result.error[()]) == UNKNOWN
