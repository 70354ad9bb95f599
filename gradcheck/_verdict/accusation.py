"""What becomes of a disagreement: it is located and named, or too slight to be believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from gradcheck._claim.additivity import is_contradictory
from gradcheck._claim.compare import Comparison, closer
from gradcheck._claim.problem import Problem
from gradcheck._claim.ties import TOGETHER
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.diagnose import diagnose_slice, diagnose_throughout
from gradcheck._diagnosis.locate import Located, examples, locate, together
from gradcheck._diagnosis.places import diagnose_entries
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import movement_along_imaginary_axis
from gradcheck._report.report import WrongEntry, entry_label
from gradcheck._verdict import endings
from gradcheck._verdict.endings import Verdict

_CLEAR = 30.0  # radii: a disagreement of an entry alone that no roughness of f explains
_NOT_ROUNDING = 1e-3  # part of the claim that a movement must be
_HAIR = 1e-8  # of its size: a mistake is seldom so small, and f seldom so smooth for certain


def accusation(
    problem: Problem,
    comparisons: Sequence[Comparison],
    known: Located | None,
    *,
    tolerance: Tolerance,
    resolution: float,
) -> Verdict:
    """Return what comparisons that disagree say of the claim.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    comparisons : sequence of Comparison
        All of them; some disagree, unless wrong entries are known.
    known : Located or None
        Entries that are wrong for certain, if they have been looked for already.
    tolerance : Tolerance
        What is forgiven of the claim.
    resolution : float
        The relative size of the smallest error that would have been seen.
    """
    wrong = [c for c in comparisons if not c.agrees]
    worst = max(wrong, key=lambda c: c.excess, default=None)
    if worst is not None and worst.label == TOGETHER:  # all others agree
        return endings.no_subgradient(worst, _names_of(problem, worst), resolution)
    flat = [c for c in wrong if c.found.reason == "constant"]
    # one entry that moves and is wrong is enough, of directions it takes two
    if flat and len(wrong) - len(flat) < (1 if known else 2):
        movement = _movement_along_imaginary_axis(problem, flat[0])
        if abs(movement) >= _NOT_ROUNDING * abs(flat[0].claimed):
            return endings.rounded_flat(flat[0], movement)
    named = diagnose_throughout(problem, comparisons, tolerance)
    located = known or Located((), complete=True)
    if known is None and worst is not None:
        # a mistake that is everywhere needs a few examples, not a search
        search: Callable[[Problem, Comparison, Tolerance], Located] = locate
        if named is not None and problem.kind != "jvp":
            search = partial(examples, leaves=named.leaves)
        alone = [c for c in wrong if c.label == worst.label == "kink"]
        located = together(search(problem, c, tolerance) for c in alone or [worst])
    if _is_a_hair_off(wrong, located.entries) and not _another_oracle_confirms(
        problem, wrong, tolerance
    ):
        assert worst is not None  # something disagrees
        return endings.hair_off(worst, _HAIR, resolution)
    located = _without_hairs(located)
    if is_contradictory(problem, located.entries, worst):
        return endings.contradictory(worst, located.entries)
    diagnosis = named.diagnosis if named else diagnose_slice(problem, comparisons, tolerance)
    if diagnosis is None:
        # what the entries have in common is looked for beside them, too
        whole = (c for c in wrong if c.label == "random" and c.found.interval is None)
        among = max(whole, key=lambda c: c.excess, default=None)
        diagnosis = diagnose_entries(problem, located, worst, among, tolerance)
    return endings.disagreement(located, worst, diagnosis, resolution)


def _names_of(problem: Problem, c: Comparison) -> list[str]:
    """Name the entries that a direction moves."""
    layout = problem.inputs.layout
    moved = [(int(k), *layout.locate(int(k))) for k in np.flatnonzero(c.direction)]
    return [
        entry_label(slot.argument, slot.path, index, layout.part(k)) for k, slot, index in moved
    ]


def _movement_along_imaginary_axis(problem: Problem, c: Comparison) -> float:
    line = problem.line(c.direction, c.cotangent[None, :])
    return movement_along_imaginary_axis(Component(line, 0))


def _is_a_hair_off(wrong: Sequence[Comparison], entries: tuple[WrongEntry, ...]) -> bool:
    """Whether all that disagrees does so by less than error bars should be believed for."""
    if any(c.found.interval is not None for c in wrong):
        return False
    whole = [c for c in wrong if c.label == "random"]
    if any(c.off >= _HAIR * c.scale for c in whole):
        return False
    parts = [(c.claimed, c.found.value, c.found.radius) for c in wrong if c.label != "random"]
    parts += [(e.claimed, e.numerical, e.radius) for e in entries]
    return not any(
        abs(a - b) > max(_CLEAR * radius, _HAIR * max(abs(a), abs(b))) for a, b, radius in parts
    )


def _without_hairs(located: Located) -> Located:
    """Leave out entries that are off by next to nothing, if others are off by more."""
    entries = located.entries
    plain = tuple(e for e in entries if abs(e.claimed - e.numerical) > _HAIR * _size(e))
    return replace(located, entries=plain or entries)


def _size(e: WrongEntry) -> float:
    return max(abs(e.claimed), abs(e.numerical))


def _another_oracle_confirms(
    problem: Problem, wrong: Sequence[Comparison], tolerance: Tolerance
) -> bool:
    """Whether what disagrees most does so with derivatives that aren't from differences, too."""
    most = sorted(wrong, key=lambda c: c.excess)[-2:]
    looked = [closer(problem, c, tolerance) for c in most]
    return all(c.found.oracle != "differences" and not c.agrees for c in looked)
