"""Which course a claim takes: by random directions or entry by entry, a vjp with a jvp, or of second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck._case.case import ClaimKind, SecondKind
from gradcheck._case.inputs import Inputs
from gradcheck._claim.problem import Problem
from gradcheck._report.report import Report
from gradcheck._verdict.by_directions import ByDirections
from gradcheck._verdict.by_entries import ByEntries
from gradcheck._verdict.evidence import FirstOrder
from gradcheck._verdict.pair import examine_pair
from gradcheck._verdict.settings import Settings


def examine(
    f: Callable[..., Any],
    inputs: Inputs,
    claims: dict[ClaimKind | SecondKind, Callable[..., Any]],
    *,
    bare: bool,
    settings: Settings,
) -> Report:
    """Run one check and report.

    Parameters
    ----------
    f : callable
        The function.
    inputs : Inputs
        x, and which of its arguments the claim differentiates in.
    claims : dict
        One claim by its kind, or a vjp and a jvp.
    bare : bool
        Whether the claim speaks of one argument rather than of a tuple of them.
    settings : Settings
        What the caller chose.

    Raises
    ------
    TypeError, ValueError
        If a claim of this kind can't be about such an x, or not in this mode.
    """

    def course(kind: ClaimKind) -> FirstOrder:
        problem = Problem(f, inputs, kind, claims[kind], bare=bare)
        return (ByEntries if settings.every_entry else ByDirections)(problem, settings)

    if len(claims) == 2:
        return examine_pair(lambda: course("vjp"), lambda: course("jvp"))
    ((kind, claim),) = claims.items()
    if kind == "hess" or kind == "hvp":
        return _second_order(f, inputs, kind, claim, bare=bare, settings=settings)
    return course(kind).report()


def _second_order(
    f: Callable[..., Any],
    inputs: Inputs,
    kind: SecondKind,
    claim: Callable[..., Any],
    *,
    bare: bool,
    settings: Settings,
) -> Report:
    if settings.every_entry:
        raise ValueError(
            f'{kind}= has no mode="full": compare it with gradcheck.hessian_vector(f, x, e) for each unit vector e'
        )
    if kind == "hess" and len(inputs.layout.slots) != 1:
        raise TypeError("hess= is for one array argument; use hvp= for several")
    # most checks don't need them
    from gradcheck._claim.second_problem import SecondProblem
    from gradcheck._verdict.second_order import SecondOrder

    return SecondOrder(SecondProblem(f, inputs, kind, claim, bare=bare), settings).report()
