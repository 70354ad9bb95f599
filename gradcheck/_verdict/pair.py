"""A vjp and a jvp of the same function, checked together: each against f, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.inputs import Inputs
from gradcheck._claim.compare import claim_rtol, norm
from gradcheck._claim.problem import Problem, Violation, failure
from gradcheck._claim.settings import Settings
from gradcheck._estimate.directions import signed
from gradcheck._estimate.line import quiet
from gradcheck._report.report import Outcome, Reason, Report
from gradcheck._verdict.examine import examine

_WORST_FIRST = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)


def examine_pair(
    f: Callable[..., Any],
    inputs: Inputs,
    vjp: Callable[..., Any],
    jvp: Callable[..., Any],
    *,
    bare: bool,
    settings: Settings,
    every_entry: bool,
) -> Report:
    """Check both claims; the report is that of the worse one.

    Unless one of them is wrong already, the dot test looks closer than differences can: ⟨vjp(v), u⟩
    = ⟨v, jvp(u)⟩ holds to rounding.
    """
    options: dict[str, Any] = {"bare": bare, "settings": settings, "every_entry": every_entry}
    reports = [
        examine(f, inputs, "vjp", vjp, **options),
        examine(f, inputs, "jvp", jvp, **options),
    ]
    worst = min(reports, key=lambda r: _WORST_FIRST.index(r.outcome))
    (other,) = (r for r in reports if r is not worst)
    both = replace(
        worst,
        evaluations=worst.evaluations + other.evaluations,
        claim_evaluations=worst.claim_evaluations + other.claim_evaluations,
        notes=(*worst.notes, f"the {other.kind}: {str(other).splitlines()[0]}"),
    )
    if both.outcome is Outcome.FAIL:
        return both
    backward = Problem(f, inputs, "vjp", vjp, bare=bare)
    forward = Problem(f, inputs, "jvp", jvp, bare=bare)
    try:
        with quiet():
            both = replace(both, notes=(*both.notes, _dot_test(backward, forward, settings)))
    except Violation as finding:
        both = replace(
            both, outcome=finding.outcome, reason=finding.reason, message=finding.message
        )
    return replace(
        both,
        kind="vjp and jvp",
        evaluations=both.evaluations + backward.calls.calls + forward.calls.calls,
        claim_evaluations=both.claim_evaluations
        + backward.claim_calls.calls
        + forward.claim_calls.calls,
    )


def _dot_test(backward: Problem, forward: Problem, settings: Settings) -> str:
    """Compare ⟨vjp(v), u⟩ with ⟨v, jvp(u)⟩ at random u and v; return a note.

    Raises
    ------
    Violation
        If they differ by more than rounding.
    """
    rng = np.random.default_rng(settings.seed)
    backward.begin()
    forward.begin()
    u = backward.inputs.tangent(_sized(rng, backward.inputs.sizes))
    v = signed(rng, (backward.outputs.size,))
    one, other = backward.pullback(v) * u, forward.pushforward(u) * v
    apart = abs(float(np.sum(one)) - float(np.sum(other)))
    scale = max(norm(one), norm(other))
    if apart > claim_rtol(backward, settings.rtol) * scale:
        raise failure(
            Reason.ADJOINT,
            "the vjp and the jvp aren't adjoint: "
            f"⟨vjp(v), u⟩ and ⟨v, jvp(u)⟩ differ by {apart / scale:.1e} of their size",
        )
    return f"the vjp and the jvp are adjoint: ⟨vjp(v), u⟩ and ⟨v, jvp(u)⟩ differ by {apart:.1e}"


def _sized(rng: np.random.Generator, sizes: Array) -> Array:
    return sizes * signed(rng, sizes.shape)
