"""Every row of the hand-written functions evaluates what was derived, for every argument.

As in `test_rows`, the slope is a central difference of ``row.value`` at dyadic points: no
derivative and no `reference` takes part in it.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

import reference
from derivations.expressions.language import negative, positive, x
from derivations.rows import (
    attentions,
    divergences,
    gates,
    gathers,
    normalizations,
    rectifiers,
    residual_losses,
    reweighted_losses,
    tempered_softmax,
)
from derivations.rows.entries import Piece, of_pieces
from derivations.rows.row import Row
from gradcheck import Case

MODULES = (
    attentions,
    divergences,
    gates,
    gathers,
    normalizations,
    rectifiers,
    residual_losses,
    reweighted_losses,
    tempered_softmax,
)
ROWS = {row.case: row for module in MODULES for row in module.ROWS}
CASES = {case.name: case for case in reference.CASES}
SIZES = (4, 3, 2, 3, 2)
STEP = 2.0**-24


def draw(case: Case) -> tuple[np.ndarray, ...]:
    """Draw arguments with few binary digits, so that adding the step is exact."""
    sizes = dict(zip(case.sizes, SIZES, strict=False))
    arguments = case.draw(np.random.default_rng(3), **sizes)
    rounded = (np.floor(np.asarray(a) * 64) / 64 + 1 / 128 for a in arguments)
    pairs = enumerate(zip(arguments, rounded, strict=True))
    return tuple(new if k in case.argnum_tuple else old for k, (old, new) in pairs)


def slope(row: Row, arguments: tuple, v: np.ndarray, which: int, place: tuple[int, ...]):
    sides = []
    for sign in (1, -1):
        moved = [np.array(a) for a in arguments]
        moved[which][place] += sign * STEP
        values = row.value(tuple(moved))
        pairs = zip(np.broadcast_to(v, values.shape).ravel(), values.ravel(), strict=True)
        sides.append(mpmath.fsum(mpmath.mpf(float(w)) * y for w, y in pairs))
    return (sides[0] - sides[1]) / (2 * mpmath.mpf(STEP))


@pytest.mark.parametrize("name", ROWS)
def test_the_vjp_is_the_slope_of_the_value(name: str) -> None:
    row, case = ROWS[name], CASES[name]
    arguments = draw(case)
    shape = np.shape(case.f(*arguments))
    v = np.round(np.random.default_rng(1).standard_normal(shape) * 8) / 8 + 1 / 16
    with mpmath.workdps(50):
        assert row.value(arguments).shape == shape
        gradients = row.vjp(arguments, v)
        for which, gradient in zip(case.argnum_tuple, gradients, strict=True):
            assert gradient.shape == np.shape(arguments[which])
            places = list(np.ndindex(gradient.shape))
            for place in places if len(places) <= 6 else (places[0], places[-1]):
                exact = slope(row, arguments, v, which, place)
                assert abs(gradient[place] - exact) < 1e-10 * (1 + abs(exact)), (which, place)


@pytest.mark.parametrize("name", ROWS)
def test_the_value_is_the_closed_form(name: str) -> None:
    row, case = ROWS[name], CASES[name]
    arguments = draw(case)
    with mpmath.workdps(50):
        pairs = zip(row.value(arguments).ravel(), np.ravel(case.f(*arguments)), strict=True)
        assert max(abs(derived - float(closed)) for derived, closed in pairs) < 1e-13


@pytest.mark.parametrize("name", ROWS)
def test_every_derivation_is_proved_and_says_what_it_holds_for(name: str) -> None:
    for derivation in ROWS[name].derive():
        assert derivation.standing.value in ("proved for every n", "proved for all reals")
        assert derivation.scope
        assert derivation.steps


KINKS = {"leaky_relu": (0.0, 0.01), "hardswish": (3.0, 1.0), "selu": (0.0, 1.7580993408473768)}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_are_decided_as_in_the_code(name: str) -> None:
    kink, expected = KINKS[name]
    case, at = CASES[name], (np.array([kink]),)
    (claimed,) = case.vjp(*at, np.ones(1))
    assert float(claimed) == expected
    (derived,) = ROWS[name].vjp(at, np.ones(1))
    remarks = " ".join(d.remark for d in ROWS[name].derive())
    assert "slopes from the two sides" in remarks
    left, right = (float(ROWS[name].vjp((at[0] + s,), np.ones(1))[0][0]) for s in (-1e-9, 1e-9))
    assert min(abs(expected - left), abs(expected - right)) < 1e-8
    assert float(derived[0]) == pytest.approx(expected, rel=1e-15)


def test_ties_of_max_pooling_go_to_the_first() -> None:
    image = np.zeros((1, 1, 2, 2))
    v = np.ones((1, 1, 1, 1))
    (gradient,) = ROWS["max_pool2d"].vjp((image,), v)
    assert [float(g) for g in gradient.ravel()] == [1, 0, 0, 0]
    assert "subgradient" in ROWS["max_pool2d"].derive()[1].remark


def test_a_repeated_index_adds_up() -> None:
    (gradient,) = ROWS["embedding"].vjp((np.zeros((3, 1)), np.array([2, 2, 0])), np.ones((3, 1)))
    assert [float(g) for g in gradient.ravel()] == [1, 0, 2]


def test_pieces_are_joined_in_order() -> None:
    right, left = positive("x"), negative("x")
    row = of_pieces(
        "leaky_relu",
        rectifiers.leaky_relu,
        Piece(x > 0, {right: x}),
        Piece(True, {left: x, rectifiers.ALPHA: sp.Integer(5)}),
    )
    values = row.value((np.array([-2.0, 0.0, 3.0]),))
    assert [float(v) for v in values] == [-10, 0, 3]
    (slopes,) = row.vjp((np.array([-2.0, 0.0, 3.0]),), np.ones(3))
    assert [float(s) for s in slopes] == [5, 5, 1]
