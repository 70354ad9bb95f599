"""What softmax is made of: sums that lose nothing, exponentials of unrounded differences."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mpmath import mp, mpf, workprec

from reference import _exponentials

term = st.floats(1e-250, 1e150) | st.floats(0, 1)


def ulps(value: float, exact: Fraction) -> Fraction:
    return abs(Fraction(value) - exact) / Fraction(float(np.spacing(float(exact))))


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=term))
def test_sums_are_exact_but_for_one_rounding(terms: np.ndarray) -> None:
    """The total has a second rounding; the others of a term, a third, however large the term is."""
    sums = _exponentials.row_sums(terms, terms.argmax(axis=1))
    for k, row in enumerate(terms):
        exact = [Fraction(float(t)) for t in row]
        total = sum(exact)
        assert ulps(sums.rest[k, 0], total - exact[sums.top[k]]) <= 0.51
        assert ulps(sums.total[k, 0], total) <= 1.01
        for got, own in zip(sums.others[k], exact, strict=True):
            assert ulps(got, total - own) <= 3


def test_many_small_terms_beside_a_large_one() -> None:
    """Added one by one to 1, a thousand terms of 0.4 ulp would all be rounded away."""
    terms = np.full((1, 1002), 0.4 * 2.0**-53)
    terms[0, 7], terms[0, 500] = 1.0, 2.0
    sums = _exponentials.row_sums(terms, np.array([500]))
    assert sums.rest[0, 0] == math.fsum(np.delete(terms[0], 500)) > 1 + 100 * 2.0**-53
    assert sums.total[0, 0] == math.fsum(terms[0])


@pytest.mark.parametrize("shift", [0.1, -300.7, 1e3 / 3, 1e5 + 0.3])
def test_exponentials_do_not_see_the_rounding_of_the_difference(shift: float) -> None:
    """2 ulp of exp(z − shift) with the exact difference; its rounding alone would cost 300."""
    z = shift + np.linspace(-690, 690, 301)[None, :]
    got = _exponentials.exponentials(z, np.full((1, 1), shift))
    with workprec(200):
        for value, x in zip(got[0], z[0], strict=True):
            truth = mp.exp(mpf(float(x)) - mpf(shift))
            assert abs(mpf(float(value)) - truth) <= 2 * mpf(float(np.spacing(value)))


def test_shift_leaves_room_on_both_sides() -> None:
    z = np.array([[1.0, -5.0], [341.0, 0.0], [0.0, -341.0], [-31.0, -32.0], [1e6, 1e6]])
    z = np.concatenate([z, [[1.0, -np.inf]]])
    shift = _exponentials.shifts(z, z.argmax(axis=1))
    np.testing.assert_array_equal(shift[:, 0], [0.0, 41.0, -300.0, -331.0, 1e6 - 300, -299.0])
