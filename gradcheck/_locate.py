"""Which entries are wrong: group testing on a direction that a claim failed.

Inside a domain that constrains directions (a simplex, symmetric matrices) an entry stands for its
projection: what is claimed and found there is an entry of the projected gradient.

Derivatives are additive over the entries of a direction, so the disagreement of a group is the sum
of those of its parts. A group that disagrees is halved; one half is measured and the other follows
by subtraction.  One wrong entry among n takes about log₂ n measurements; k of them k·log₂(n/k).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck._compare import GOAL, Comparison, compare, judged, numerical
from gradcheck._domain import Array
from gradcheck._ladder import Component
from gradcheck._line import Line
from gradcheck._oracles import derivative
from gradcheck._problem import Problem
from gradcheck._report import WrongEntry
from gradcheck._search import Goal
from gradcheck._singular import Found

MOST_ENTRIES = 10
_EVALUATIONS = 450  # beyond those of the check itself


@dataclass(frozen=True, slots=True)
class _Group:
    positions: Array
    comparison: Comparison


def locate(
    problem: Problem, failed: Comparison, rtol: float, most: int = MOST_ENTRIES
) -> tuple[WrongEntry, ...]:
    """Return up to `most` wrong entries behind a failed comparison, worst first."""
    limit = problem.calls.calls + _EVALUATIONS
    entries: list[WrongEntry] = []
    along = failed.direction
    stack = [_Group(np.flatnonzero(along), failed)]
    while stack and len(entries) < most and problem.calls.calls < limit:
        group = stack.pop()
        if group.positions.size == 1:
            entry = _entry(
                problem, along, int(group.positions[0]), group.comparison.cotangent, rtol
            )
            if entry is not None:
                entries.append(entry)
            continue
        halves = [g for g in _halves(problem, along, group, rtol) if not g.comparison.agrees]
        stack += sorted(halves, key=lambda g: g.comparison.excess)
    return tuple(sorted(entries, key=lambda e: -abs(e.claimed - e.numerical)))


def _halves(problem: Problem, along: Array, group: _Group, rtol: float) -> list[_Group]:
    middle = group.positions.size // 2
    parts = group.positions[:middle], group.positions[middle:]
    directions = [_part_of(problem, along, p) for p in parts]
    v = group.comparison.cotangent
    # whose part of the disagreement it is needs no more than a fraction of it
    whole = group.comparison.found
    goal = Goal(GOAL.rtol, abs(group.comparison.claimed - whole.value) / 16)
    (first,) = compare(problem, "group", directions[0], v[None, :], rtol, goal)
    rest = replace(
        whole,
        value=whole.value - first.found.value,
        radius=whole.radius + first.found.radius,
        interval=None,
    )
    second = judged(problem, "group", directions[1], v, rest, rtol)
    if not first.resolved or whole.interval is not None or 0.5 < second.excess < 10:
        (second,) = compare(problem, "group", directions[1], v[None, :], rtol, goal)
    return [_Group(p, c) for p, c in zip(parts, (first, second), strict=True)]


def _part_of(problem: Problem, along: Array, positions: Array) -> Array:
    """Return the part of a direction in some entries; the projection is linear, so parts still add up."""
    return problem.inputs.tangent(_masked(along, positions))


def _masked(direction: Array, positions: Array) -> Array:
    out = np.zeros_like(direction)
    out[positions] = direction[positions]
    return out


def _entry(
    problem: Problem, along: Array, position: int, v: Array, rtol: float
) -> WrongEntry | None:
    """Measure one entry by itself; for a vector f single out the output that is most wrong."""
    d = _part_of(problem, along, np.array([position]))
    size = float(along[position])
    slot, index = problem.inputs.layout.locate(position)
    if problem.scalar:
        (found,) = numerical(problem, d, v[None, :])
        step = size * float(v[0])
        output = None
    else:
        curve = problem.curve(d)
        j, v = _worst_output(problem, curve, d, v, rtol)
        found = _along(curve, v)
        step = size * float(v[j])
        output = problem.outputs.locate(j)[1]
    final = judged(problem, "entry", d, v, found, rtol)
    if final.agrees:
        return None
    return WrongEntry(
        argument=slot.argument,
        path=slot.path,
        index=index,
        output=output,
        claimed=final.claimed / step,
        numerical=found.value / step,
        radius=abs(found.radius / step),
        part=problem.inputs.layout.part(position),
    )


def _worst_output(
    problem: Problem, curve: Line, d: Array, cotangent: Array, rtol: float
) -> tuple[int, Array]:
    """Halve the outputs as long as a part disagrees; return an output and its cotangent."""
    positions = np.flatnonzero(cotangent)
    while positions.size > 1:
        middle = positions.size // 2
        judgements = []
        for part in (positions[:middle], positions[middle:]):
            v = _masked(cotangent, part)
            judgements.append((judged(problem, "group", d, v, _along(curve, v), rtol), part))
        worst, positions = max(judgements, key=lambda item: item[0].excess)
        if worst.agrees:
            break
    j = int(positions[0])
    return j, _masked(cotangent, np.array([j]))


def _along(curve: Line, cotangent: Array) -> Found:
    return derivative(Component(curve.projected(cotangent[None, :]), 0), GOAL)
