"""Which entries are wrong: group testing on a direction that a claim failed.

Derivatives are additive over the entries of a direction, so the disagreement of a group is the sum
of those of its parts. A group that disagrees is halved; one half is measured and the other follows
by subtraction.  One wrong entry among n takes about log₂ n measurements; k of them k·log₂(n/k).
Whose part of a gross disagreement it is shows in a rough measurement of four evaluations; the
entries at the end are measured as well as f allows.

Inside a domain that constrains directions (a simplex, symmetric matrices) an entry stands for its
projection: what is claimed and found there is an entry of the projected gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import Slot
from gradcheck._claim.compare import GOAL, Comparison, confirm, judged
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.line import Line
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import Goal, roughly
from gradcheck._estimate.singular import Found
from gradcheck._report.report import WrongEntry

MOST_ENTRIES = 10
_EVALUATIONS = 1000  # beyond those of the check itself: ten entries of a million
_EXAMPLES = 3
_CANDIDATES = 6
_FINER = (0, 2, 4)  # rungs than where f was smooth
_HIDDEN = (
    64.0  # times what a direction may hide; the error that is sure to show in it is far larger
)
_FRACTION = 1e-3  # of a disagreement: a radius that leaves no doubt about it


@dataclass(frozen=True, slots=True)
class _Group:
    part: slice  # of the inputs
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Located:
    """Wrong entries, worst first.

    Parameters
    ----------
    entries : tuple of WrongEntry
        The worst output of each wrong input, where f has several.
    complete : bool
        Whether the search came to its end.
    """

    entries: tuple[WrongEntry, ...]
    complete: bool


def together(parts: Iterable[Located]) -> Located:
    """Return what several searches have found, worst of each first."""
    found = list(parts)
    entries = tuple(entry for part in found for entry in part.entries)
    return Located(entries[:MOST_ENTRIES], all(part.complete for part in found))


def locate(problem: Problem, failed: Comparison, tolerance: Tolerance) -> Located:
    """Search for the wrong entries behind a failed comparison, until all others agree together."""
    limit = problem.calls.calls + _EVALUATIONS
    left, entries = failed.direction != 0, list[WrongEntry]()
    rest, agrees = failed, False
    while not agrees and len(entries) < MOST_ENTRIES and problem.calls.calls < limit:
        found, finished = _search(problem, rest, tolerance, MOST_ENTRIES - len(entries), limit)
        entries += found.values()
        left[list(found)] = False
        if failed.found.interval is not None:  # the sides of kinks don't add up
            return Located(_worst_first(entries), finished)
        if not found:
            break
        # a group that is off by less than a fraction of another's disagreement wasn't told from it
        if left.any():
            along = problem.inputs.tangent(np.where(left, failed.direction, 0.0))
            rest = _confirmed(problem, along, failed, tolerance)
        agrees = rest.agrees or not left.any()
    return Located(_worst_first(entries), complete=agrees)


def _search(
    problem: Problem, failed: Comparison, tolerance: Tolerance, most: int, limit: int
) -> tuple[dict[int, WrongEntry], bool]:
    """Halve what a comparison moved; return wrong entries by position, and whether that came to its end."""
    entries: dict[int, WrongEntry] = {}
    along = failed.direction
    stack = [_Group(slice(0, along.size), failed)]
    while stack and len(entries) < most and problem.calls.calls < limit:
        group = stack.pop()
        if np.count_nonzero(along[group.part]) == 1:
            position = _first(along, group.part)
            entry = _entry(problem, along, position, group.comparison, tolerance)
            if entry is not None:
                entries[position] = entry
            continue
        halves = [g for g in _halves(problem, along, group, tolerance) if not g.comparison.agrees]
        stack += sorted(halves, key=lambda g: g.comparison.off)
    return entries, not stack


def examples(
    problem: Problem, failed: Comparison, tolerance: Tolerance, leaves: Sequence[Slot] = ()
) -> Located:
    """Measure the entries with the largest share of a failed comparison: for a mistake that is everywhere.

    Or in some leaves, if these are given.  Of a claim of zeros no entry has a share; what is largest there
    is searched for.
    """
    along = failed.direction
    share = problem.pullback(failed.cotangent) * along
    elsewhere = np.full(share.size, bool(leaves))
    for slot in leaves:
        elsewhere[slot.start : slot.stop] = False
    share[elsewhere] = 0.0
    if not share.any():
        del along, share, elsewhere
        limit = problem.calls.calls + _EVALUATIONS
        found, _ = _search(problem, failed, tolerance, _EXAMPLES, limit)
        return Located(_worst_first(list(found.values())), complete=False)
    np.abs(share, out=share)
    share[(along == 0) | elsewhere] = -1.0
    largest = [int(k) for k in _largest(share, _CANDIDATES) if share[k] >= 0]
    del share, elsewhere
    entries: list[WrongEntry] = []
    for position in largest:
        entry = _entry(problem, along, position, failed, tolerance)
        if entry is not None:
            entries.append(entry)
        if len(entries) == _EXAMPLES:
            break
    complete = problem.scalar and len(entries) == along.size  # there are no others
    return Located(_worst_first(entries), complete)


def _largest(numbers: Array, most: int) -> Array:
    """Return the positions of the largest numbers, the first of equal ones first."""
    most = min(most, numbers.size)
    least = np.partition(numbers, -most)[-most]
    above = np.flatnonzero(numbers > least)
    above = above[np.argsort(-numbers[above], kind="stable")]
    return np.concatenate([above, np.flatnonzero(numbers == least)[: most - above.size]])


def _worst_first(entries: Sequence[WrongEntry]) -> tuple[WrongEntry, ...]:
    return tuple(sorted(entries, key=lambda e: -abs(e.claimed - e.numerical)))


def _halves(problem: Problem, along: Array, group: _Group, tolerance: Tolerance) -> list[_Group]:
    v = group.comparison.cotangent
    parts = _halved(along, group.part)
    # whose part of the disagreement it is needs no more than a fraction of it
    whole = group.comparison.found
    goal = Goal(GOAL.rtol, abs(group.comparison.claimed - whole.value) / 16)
    ways = [partial(_part_of, problem, along, p) for p in parts]
    first = _measured(problem, ways[0](), v, tolerance, goal, whole)
    rest = whole._replace(
        value=whole.value - first.found.value,
        radius=whole.radius + first.found.radius,
        interval=None,
    )
    d = ways[1]()
    second = judged(problem, "group", d, v, rest, tolerance)
    if not first.resolved or whole.interval is not None or 0.5 < second.excess < 10:
        second = _measured(problem, d, v, tolerance, goal, whole)
    # groups that wait hold no arrays
    waiting = [
        replace(c, d=w, v=group.comparison.v) for c, w in zip((first, second), ways, strict=True)
    ]
    return [_Group(p, c) for p, c in zip(parts, waiting, strict=True)]


def _halved(numbers: Array, part: slice) -> tuple[slice, slice]:
    """Cut a part of some numbers in two that hold as many that aren't zero."""
    moving = np.flatnonzero(numbers[part])
    middle = part.start + int(moving[moving.size // 2])
    return slice(part.start, middle), slice(middle, part.stop)


def _first(numbers: Array, part: slice) -> int:
    """Return the position of the first number in a part that isn't zero."""
    return int(part.start + np.flatnonzero(numbers[part])[0])


def _measured(
    problem: Problem, direction: Array, v: Array, tolerance: Tolerance, goal: Goal, whole: Found
) -> Comparison:
    component = Component(problem.line(direction, v[None, :]), 0)
    found = _roughly(component, whole, goal.atol) or derivative(component, goal)
    return judged(problem, "group", direction, v, found, tolerance)


def _confirmed(
    problem: Problem, direction: Array, failed: Comparison, tolerance: Tolerance
) -> Comparison:
    """Compare what is left of a direction, roughly if it agrees."""
    look = partial(_roughly, whole=failed.found, atol=_HIDDEN * failed.missed)
    return confirm(problem, "group", direction, failed.cotangent, tolerance, GOAL, look)


def _roughly(component: Component, whole: Found, atol: float) -> Found | None:
    """Return a derivative from four evaluations, close enough to x to pass by most kinks; None if none will do."""
    looks = (roughly(component, atol, whole.noise, whole.finest + k) for k in _FINER)
    return next(filter(None, looks), None)


def _part_of(problem: Problem, along: Array, part: slice) -> Array:
    """Return the part of a direction in some entries; the projection is linear, so parts still add up."""
    return problem.inputs.tangent(_masked(along, part))


def _masked(numbers: Array, part: slice) -> Array:
    out = np.zeros_like(numbers)
    out[part] += numbers[part]  # which turns −0 into 0
    return out


def _entry(
    problem: Problem, along: Array, position: int, whole: Comparison, tolerance: Tolerance
) -> WrongEntry | None:
    """Measure one entry by itself; for a vector f single out the output that is most wrong."""
    d = _part_of(problem, along, slice(position, position + 1))
    curve = problem.curve(d)
    if problem.scalar:
        v = whole.cotangent
    else:
        curve = curve.keeping_changes()
        v = _worst_output(problem, curve, d, whole, tolerance)
    at = (problem, Component(curve.projected(v[None, :]), 0), d, v, tolerance)
    final = _grossly_wrong(*at, whole.found) or _judged_along(*at)
    if final.agrees:
        return None
    j = int(np.argmax(np.abs(v)))
    return final.entry(problem, j, position, step=float(along[position] * v[j]))


def _worst_output(
    problem: Problem, curve: Line, d: Array, whole: Comparison, tolerance: Tolerance
) -> Array:
    """Halve the outputs as long as a part disagrees; return the cotangent of one output."""
    cotangent = whole.cotangent
    part = slice(0, cotangent.size)
    while np.count_nonzero(cotangent[part]) > 1:
        halves = _halved(cotangent, part)
        at = [(problem, curve, d, cotangent, half, whole.found, tolerance) for half in halves]
        seen = [_compared(*place, closely=False) for place in at]
        if not any(seen):
            seen = [_compared(*place, closely=True) for place in at]
        compared = [(c.excess, half) for c, half in zip(seen, halves, strict=True) if c]
        excess, part = max(compared, key=lambda item: item[0])
        if excess <= 1.0:
            break
    k = _first(cotangent, part)
    return _masked(cotangent, slice(k, k + 1))


def _compared(
    problem: Problem,
    curve: Line,
    d: Array,
    cotangent: Array,
    part: slice,
    whole: Found,
    tolerance: Tolerance,
    *,
    closely: bool,
) -> Comparison | None:
    """Compare some outputs along a curve; unless closely, None where that leaves a doubt."""
    v = _masked(cotangent, part)
    component = Component(curve.projected(v[None, :]), 0)
    if not closely:
        c = _grossly_wrong(problem, component, d, v, tolerance, whole)
    else:
        roughly(component, math.inf, whole.noise, whole.finest)  # the search goes on from there
        c = _judged_along(problem, component, d, v, tolerance)
    return None if c is None else replace(c, v=partial(_masked, cotangent, part))


def _grossly_wrong(
    problem: Problem, component: Component, d: Array, v: Array, tolerance: Tolerance, whole: Found
) -> Comparison | None:
    """Compare ⟨v, f⟩ along a curve roughly; None unless that leaves no doubt about a disagreement."""
    rough = roughly(component, math.inf, whole.noise, whole.finest)
    if rough is None:
        return None
    c = judged(problem, "entry", d, v, rough, tolerance)
    return c if rough.radius <= _FRACTION * abs(c.claimed - rough.value) else None


def _judged_along(
    problem: Problem, component: Component, d: Array, v: Array, tolerance: Tolerance
) -> Comparison:
    return judged(problem, "entry", d, v, derivative(component, GOAL), tolerance)
