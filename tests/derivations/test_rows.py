"""Every row evaluates what was derived: its vjp is the slope of its own value, to many digits.

The slope is a central difference of ``row.value`` at dyadic points, so no derivative and no
`reference` takes part in it.
"""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

import reference
from derivations.rows import catalogue
from derivations.rows.row import Row
from gradcheck import Case

ROWS = {row.case: row for row in catalogue.ROWS}
CASES = {case.name: case for case in reference.CASES}
STEP = 2.0**-24
SIZES = (3, 4)


def draw(case: Case, seed: int) -> tuple[np.ndarray, ...]:
    """Draw arguments; what is differentiated has few binary digits: adding the step is exact."""
    sizes = dict(zip(case.sizes, itertools.cycle(SIZES), strict=False))
    drawn = case.draw(np.random.default_rng(seed), **sizes)
    return tuple(
        np.floor(a * 64) / 64 + 1 / 128 if number in case.argnum_tuple else a
        for number, a in enumerate(drawn)
    )


def slope(
    row: Row, arguments: tuple, number: int, v: np.ndarray, place: tuple[int, ...]
) -> mpmath.mpf:
    sides = []
    for sign in (1, -1):
        moved = np.array(arguments[number])
        moved[place] += sign * STEP
        assert (moved[place] - arguments[number][place]) == sign * STEP
        values = row.value((*arguments[:number], moved, *arguments[number + 1 :]))
        weights = np.broadcast_to(v, values.shape)
        pairs = zip(weights.ravel(), values.ravel(), strict=True)
        sides.append(mpmath.fsum(mpmath.mpf(float(w)) * y for w, y in pairs))
    return (sides[0] - sides[1]) / (2 * mpmath.mpf(STEP))


@pytest.mark.parametrize("name", ROWS)
def test_the_vjp_is_the_slope_of_the_value(name: str) -> None:
    row, case = ROWS[name], CASES[name]
    arguments = draw(case, seed=len(name))
    shape = np.shape(case.f(*arguments))
    v = np.round(np.random.default_rng(1).standard_normal(shape) * 8) / 8 + 1 / 16
    with mpmath.workdps(50):
        assert row.value(arguments).shape == shape
        for number, gradient in zip(case.argnum_tuple, row.vjp(arguments, v), strict=True):
            assert gradient.shape == arguments[number].shape
            for place in ((0,) * gradient.ndim, tuple(q - 1 for q in gradient.shape)):
                exact = slope(row, arguments, number, v, place)
                assert abs(gradient[place] - exact) < 1e-10 * (1 + abs(exact)), (number, place)


@pytest.mark.parametrize("name", ROWS)
def test_the_value_is_the_closed_form(name: str) -> None:
    row, case = ROWS[name], CASES[name]
    arguments = draw(case, seed=2)
    with mpmath.workdps(50):
        pairs = zip(row.value(arguments).ravel(), np.ravel(case.f(*arguments)), strict=True)
        assert max(abs(derived - float(closed)) for derived, closed in pairs) < 1e-13


def test_the_vjp_is_linear_in_the_cotangent() -> None:
    row, case = ROWS["softmax"], CASES["softmax"]
    arguments = draw(case, seed=5)
    v = np.ones(np.shape(case.f(*arguments)))
    assert not np.any(row.vjp(arguments, 0 * v)[0])
    v[0, 1] = -3.0
    (once,), (twice,) = row.vjp(arguments, v), row.vjp(arguments, 2 * v)
    with mpmath.workdps(50):
        assert all(abs(2 * a - b) < 1e-48 for a, b in zip(once.flat, twice.flat, strict=True))
    assert np.any(once != 0)


def test_the_kink_of_relu_is_decided_by_convention() -> None:
    row = ROWS["relu"]
    (slopes,) = row.vjp((np.array([-1.0, -0.0, 0.0, 1.0]),), np.ones(4))
    assert [float(s) for s in slopes] == [0, 0, 0, 1]
    assert "subgradient" in row.derive()[0].remark


def test_there_is_one_row_for_each_case_and_one_case_for_each_row() -> None:
    rows = [row.case for row in catalogue.ROWS]
    assert sorted(rows) == sorted(CASES)


def test_derivations_are_built_once() -> None:
    for row in ROWS.values():
        assert all(a is b for a, b in zip(row.derive(), row.derive(), strict=True))
