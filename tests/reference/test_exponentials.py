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
    before = terms.copy()
    top = terms.argmax(axis=1)
    for sums in (_exponentials.row_sums(terms, top), _exponentials.signed_row_sums(terms)):
        np.testing.assert_array_equal(sums.terms, before)
        others = sums.others(slice(0, terms.shape[1]))
        for k, row in enumerate(terms):
            exact = [Fraction(float(t)) for t in row]
            total = sum(exact)
            assert ulps(sums.rest[k, 0], total - exact[top[k]]) <= 0.51
            assert ulps(sums.total[k, 0], total) <= 1.01
            assert sums.own[k, 0] == row[top[k]]
            for got, own in zip(others[k], exact, strict=True):
                assert ulps(got, total - own) <= 3
    for k, value in enumerate(_exponentials.total(terms)[:, 0]):
        assert ulps(value, sum(Fraction(float(t)) for t in terms[k])) <= 0.51


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(2, 40)), elements=term))
def test_any_term_may_be_set_apart(terms: np.ndarray) -> None:
    """What the others sum to has its own digits also beside a term that dwarfs or is dwarfed."""
    last = np.full(len(terms), terms.shape[1] - 1)
    sums = _exponentials.row_sums(terms, last)
    for k, row in enumerate(terms):
        assert ulps(sums.rest[k, 0], sum(Fraction(float(t)) for t in row[:-1])) <= 0.51


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(1, 40)),
        elements=st.floats(-1e150, 1e150).filter(lambda t: t == 0 or abs(t) > 1e-250),
    )
)
def test_sums_of_both_signs(terms: np.ndarray) -> None:
    """Without one that dwarfs them; their sum may cancel, so it is right to its largest term."""
    before = terms.copy()
    sums = _exponentials.signed_row_sums(terms)
    np.testing.assert_array_equal(terms, before)
    for k, row in enumerate(terms):
        exact = [Fraction(float(t)) for t in row]
        assert abs(exact[sums.apart[k]]) == max(map(abs, exact))
        rest = [t for i, t in enumerate(exact) if i != sums.apart[k]]
        size = max(map(abs, rest), default=Fraction(0))
        error = abs(Fraction(float(sums.rest[k, 0])) - sum(rest))
        assert error <= Fraction(2) ** -53 * (abs(sum(rest)) + size / 2**20)


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
    shift = _exponentials.shifts(z)
    np.testing.assert_array_equal(shift[:, 0], [0.0, 41.0, -300.0, -331.0, 1e6 - 300, -299.0])


@np.errstate(all="ignore")  # as around every formula
@pytest.mark.parametrize("shift", [0.0, -1.0, -200.0, -800.0, 19.0, 21.0, 300.0, 345.0, 1e4])
@pytest.mark.parametrize("n", [2, 10, 1000, 1500])
def test_every_row_gets_the_care_it_needs(n: int, shift: float) -> None:
    """Sums of a usual size, small, huge, and out of range, each alone and beside one of each."""
    rng = np.random.default_rng(n)
    z = rng.standard_normal((4, n)) + np.array([[shift], [0.0], [-30.0], [100.0]])
    apart = z.argmin(axis=1)
    sums, (terms, total) = _exponentials.rest_sums(z, apart), _exponentials.terms_and_total(z)
    for k, row in enumerate(z):
        others = np.delete(row, apart[k])
        with workprec(200):
            rest = mp.fsum(mp.exp(mpf(float(x)) - mpf(float(row[apart[k]]))) for x in others)
            share = 1 / (1 + rest)
            assert sums.rest[k] / sums.own[k] == pytest.approx(float(rest), rel=6e-16)
            assert terms[k, apart[k]] / total[k, 0] == pytest.approx(float(share), rel=6e-16)
        alone = _exponentials.rest_sums(z[k : k + 1], apart[k : k + 1])
        assert (alone.rest[0], alone.own[0]) == (sums.rest[k], sums.own[k])
        np.testing.assert_array_equal(_exponentials.terms_and_total(z[k : k + 1])[0][0], terms[k])


@pytest.mark.parametrize("size", [0.7, 0.3, 1e-5])
def test_a_subnormal_share_is_right_to_two_of_the_smallest_numbers(size: float) -> None:
    """e^-740 is a subnormal number, whose rounding a small total would multiply."""
    z = np.array([[math.log(size), -740.0, -744.0]])
    terms, total = _exponentials.terms_and_total(z)
    with workprec(200):
        exact = [mp.exp(mpf(float(x))) for x in z[0]]
        for got, true in zip((terms / total)[0], exact, strict=True):
            share = true / mp.fsum(exact)
            assert abs(mpf(float(got)) - share) <= max(share * mpf(2) ** -51, 2 * mpf(5e-324))


@np.errstate(all="ignore")
def test_a_row_is_shifted_where_the_term_apart_alone_overflows() -> None:
    sums = _exponentials.rest_sums(np.array([[705.0, 704.0, 712.0]]), np.array([2]))
    assert sums.rest / sums.own == pytest.approx(math.exp(-7) + math.exp(-8), rel=6e-16)
    assert np.isfinite(sums.total)
