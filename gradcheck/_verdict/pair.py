"""A vjp and a jvp of the same function, checked together: each against f, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import claimed_terms, norm, size_of_value
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import rounding_of_value
from gradcheck._estimate.directions import signed
from gradcheck._estimate.line import quiet
from gradcheck._report.report import Outcome, Reason, Report
from gradcheck._verdict.evidence import FirstOrder

_WORST_FIRST = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
_BESIDE = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)  # places where a claim's own rounding is looked at
_ULPS = 4.0  # of x, that they lie apart
_MORE = 8.0  # times what a claim is seen to scatter, that it may be off by


def examine_pair(backward: Callable[[], FirstOrder], forward: Callable[[], FirstOrder]) -> Report:
    """Check a vjp and a jvp; the report is that of the worse one.

    Unless one of them is wrong already, the dot test looks closer than differences can: ⟨vjp(v), u⟩
    = ⟨v, jvp(u)⟩ holds to rounding.

    Parameters
    ----------
    backward, forward : callable
        Make the courses of the two claims, which hold arrays of x's size: one after the other.
    """
    (one, of_vjp), (other, of_jvp) = _examined(backward()), _examined(forward())
    worst, better = sorted((one, other), key=lambda r: _WORST_FIRST.index(r.outcome))
    both = replace(
        worst,
        evaluations=one.evaluations + other.evaluations,
        # of what was not varied each speaks for itself
        notes=tuple(
            dict.fromkeys(
                (*worst.notes, f"the {better.kind}: {str(better).splitlines()[0]}", *better.notes)
            )
        ),
    )
    if both.outcome is Outcome.FAIL or of_vjp is None or of_jvp is None:
        return both
    evaluations, asked = both.evaluations, one.claim_evaluations + other.claim_evaluations + 2
    apart, size = abs(of_vjp.value - of_jvp.value), max(of_vjp.size, of_jvp.size)
    allowed = max(of_vjp.allowed, of_jvp.allowed)
    if apart > allowed:
        again = backward(), forward()
        allowed += sum(map(_scatter, again))
        evaluations += sum(course.problem.calls.calls for course in again)
        asked += sum(course.problem.claim_calls.calls for course in again)
    both = replace(
        both,
        kind="vjp and jvp",
        resolution=max(one.resolution, other.resolution),
        evaluations=evaluations,
        claim_evaluations=asked,
    )
    if apart > allowed:
        return replace(
            both,
            outcome=Outcome.FAIL,
            reason=Reason.ADJOINT,
            message="the vjp and the jvp aren't adjoint: "
            f"⟨vjp(v), u⟩ and ⟨v, jvp(u)⟩ differ by {apart / size:.1e} of their size",
        )
    differ = f"the vjp and the jvp are adjoint: ⟨vjp(v), u⟩ and ⟨v, jvp(u)⟩ differ by {apart:.1e}"
    return replace(both, notes=(*both.notes, differ))


@dataclass(frozen=True, slots=True)
class _Product:
    """One side of the dot test: the claimed vᵀJu, the size of its terms, and by how much it may be off."""

    value: float
    size: float
    allowed: float


def _examined(course: FirstOrder) -> tuple[Report, _Product | None]:
    """Run a check, and evaluate its side of the dot test; None where f or the claim couldn't be evaluated."""
    report = course.report()
    problem = course.problem
    if report.outcome is Outcome.FAIL or not course.rtol or not np.isfinite(problem.value).all():
        return report, None
    u, v = _drawn(problem, course.settings.seed)
    with quiet():
        terms = claimed_terms(problem, u, v)
    size = norm(terms)
    allowed = course.rtol * size
    if course.evidence.tolerance.loses_digits:
        allowed += float(rounding_of_value(problem, size_of_value(problem, u, v), size))
    return report, _Product(float(terms.sum()), size, allowed)


def _drawn(problem: Problem, seed: int) -> tuple[Array, Array]:
    """Draw a direction u and a cotangent v, the same ones for both sides."""
    rng = np.random.default_rng(seed)
    sizes = problem.inputs.sizes
    u = problem.inputs.tangent(sizes * signed(rng, sizes.shape))
    return u, signed(rng, (problem.outputs.size,))


def _scatter(course: FirstOrder) -> float:
    """Return by how much a claimed vᵀJu may be off, by how it scatters a few ulps beside x.

    A solve of condition 1e7 leaves nine digits, other ones at each place.
    """
    problem = course.problem
    with quiet():
        course.begin()
        u, v = _drawn(problem, course.settings.seed)
        step = _ULPS * problem.inputs.layout.eps
        beside = (problem.claimed_beside(u, k * step, v) for k in _BESIDE)
        known = [claimed for claimed in beside if claimed is not None]
    return _MORE * float(np.std(known)) if known else 0.0
