"""What the entries that a search has found wrong have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import Slot, equal_numbers
from gradcheck._claim.compare import GOAL, Comparison, compare, judged
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.answers import asked, is_second, is_square, name
from gradcheck._diagnosis.locate import Located
from gradcheck._diagnosis.offsets import added_inside
from gradcheck._diagnosis.precision import coarse_numbers, precision_lost
from gradcheck._diagnosis.ratios import CLOSE
from gradcheck._estimate.directions import signed, unit_vector
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import derivative
from gradcheck._report.report import Diagnosis, WrongEntry, hessian_label

_ROW = 3  # fewer entries are in one row often enough by chance, unless they are all of it
_MANY = 6  # entries of a search that was cut off, to say something of all of them
_PAIR = 2
_MATRIX = "row", "column"
_OTHER_SIGN = "where the sign is flipped"
_ALMOST = 0.01
_TOGETHER = 2  # rows that may be wrong, and nothing else


def diagnose_entries(
    problem: Problem,
    located: Located,
    failed: Comparison | None,
    among: Comparison | None,
    tolerance: Tolerance,
) -> Diagnosis | None:
    """Name what the located entries have in common, if they have something.

    Parameters
    ----------
    problem : Problem
        f and the claim.
    located : Located
        Wrong entries.
    failed, among : Comparison or None
        What disagrees most, and which random direction does.
    tolerance : Tolerance
        What is forgiven of the claim.
    """
    entries = located.entries
    if not entries:
        return None
    enough = located.complete or len(entries) >= _MANY
    if (
        enough
        and failed is not None
        and is_square(problem)
        and _is_diagonal(problem, entries)
        and _is_right_there(problem, entries[0], failed, tolerance)
    ):
        return Diagnosis(
            "diagonal",
            "the claimed Jacobian is diagonal, f's isn't: outputs depend on other entries too",
        )
    if problem.kind == "jac" and all(_is_left_out(problem, e) for e in entries):
        text = f"the sparse Jacobian has nothing stored for {entries[0].place}, where the derivative isn't zero"
        return Diagnosis("structure", text)
    lost = precision_lost(problem, entries, failed)
    if lost:
        return Diagnosis("precision", lost)
    if enough:
        added = added_inside(problem, entries)
        if added:
            return Diagnosis("epsilon", added)
    return (
        _single(problem, located)
        or _exchanged(problem, located)
        or _slice(problem, located, among, tolerance)
        or _output(problem, located, among, tolerance)
        or _flipped(problem, located)
    )


def diagnose_hessian_entries(problem: Problem, located: Located) -> Diagnosis | None:
    """Name what the located entries of a Hessian have in common."""
    entries = located.entries
    if not entries:
        return None
    coarse = coarse_numbers(problem, entries)
    if coarse:
        return Diagnosis("precision", coarse)
    if _is_diagonal(problem, entries):
        text = f"the claimed {'Hessian' if problem.kind == 'hess' else 'hvp'} is diagonal, f's Hessian isn't"
        return Diagnosis("diagonal", text)
    added = len(problem.inputs.layout.slots) == 1 and added_inside(problem, entries)
    if added:
        return Diagnosis("epsilon", added)
    if not located.complete or problem.inputs.layout.size == 1:
        return None
    labels = [hessian_label(e) for e in entries]
    if len(entries) == 1:
        return Diagnosis("entry", f"a single wrong entry, {labels[0]}; the others agree")
    mirrored = {(e.output_path, e.output, e.label) for e in entries}
    first, second = entries[0], entries[-1]
    if len(mirrored) == len(entries) == 2 and (first.output, first.index) == (
        second.index,
        second.output,
    ):
        text = f"a single wrong entry and its mirror image, {labels[0]} and {labels[1]}; the others agree"
        return Diagnosis("entry", text)
    return None


def _is_diagonal(problem: Problem, entries: Sequence[WrongEntry]) -> bool:
    """Whether the claim acts entry by entry, while what is wrong lies beside the diagonal."""
    if any((e.output_path, e.output) == _own_output(problem, e) for e in entries):
        return False  # then more is wrong than what is missing beside the diagonal
    v = signed(np.random.default_rng(0), (problem.inputs.layout.size,))
    s = np.ldexp(1.0, np.random.default_rng(0).integers(0, 8, v.size))  # without a pattern
    return equal_numbers(asked(problem, s * v), s * asked(problem, v))


def _is_right_there(
    problem: Problem, entry: WrongEntry, failed: Comparison, tolerance: Tolerance
) -> bool:
    """Whether the claim is right on the diagonal, beside a wrong entry."""
    _, k = problem.place(entry)
    here = unit_vector(problem.outputs.size, k)
    along = failed.direction * here
    own = derivative(Component(problem.curve_of(k, along), 0), GOAL)
    return judged(problem, "entry", along, here, own, tolerance).agrees


def _own_output(problem: Problem, e: WrongEntry) -> tuple[str, tuple[int, ...]]:
    """Return where an entry lies on the diagonal."""
    of_several = is_second(problem) and len(problem.inputs.layout.slots) > 1
    return f"x{e.argument}{e.path}" if of_several else e.output_path, e.index


def _is_left_out(problem: Problem, entry: WrongEntry) -> bool:
    return problem.leaves_out(*problem.place(entry))


def _single(problem: Problem, located: Located) -> Diagnosis | None:
    """Name the only wrong entry of x."""
    entries = located.entries
    places = {problem.place(e)[1] for e in entries}  # each may be wrong in several outputs
    if not located.complete or len(places) > 1 or problem.inputs.layout.size == 1:
        return None
    label = entries[0].label
    if problem.outputs.size > 1:
        text = f"wrong is what depends on a single entry of x, {label}; the rest agrees"
        return Diagnosis("entry", text)
    how = _how(entries)
    where = f"{label}, {how}" if how else label
    return Diagnosis("entry", f"a single wrong entry, {where}; the others agree")


def _flipped(problem: Problem, located: Located) -> Diagnosis | None:
    """Say that all wrong entries have the other sign, wherever they lie."""
    entries = located.entries
    enough = located.complete or len(entries) >= _MANY
    if not enough or problem.inputs.layout.size == 1 or _how(entries) != _OTHER_SIGN:
        return None
    text = f"the wrong entries are those {_OTHER_SIGN}"
    asked_at_once = problem.scalar and problem.kind != "jvp"
    if asked_at_once and np.all(problem.pullback(np.ones(1)) >= 0):
        text += ": the claim is never negative"
    return Diagnosis("sign", text)


def _how(entries: Sequence[WrongEntry]) -> str:
    """Say how all of some entries are wrong, if that is zero or the other sign; else nothing."""
    if not any(e.claimed for e in entries):
        return "where zero is claimed"
    return _OTHER_SIGN if all(map(_has_other_sign, entries)) else ""


def _has_other_sign(e: WrongEntry) -> bool:
    left, size = abs(e.claimed + e.numerical), abs(e.claimed)
    return left <= min(e.radius + CLOSE * size, _ALMOST * size)


def _exchanged(problem: Problem, located: Located) -> Diagnosis | None:
    """Name two entries of a gradient that have changed places."""
    if not located.complete or not problem.scalar or len(located.entries) != 2:
        return None
    one, other = located.entries
    if abs(one.claimed - other.numerical) > other.radius + _rounding(other):
        return None
    if abs(other.claimed - one.numerical) > one.radius + _rounding(one):
        return None
    return Diagnosis("exchange", f"the entries {one.label} and {other.label} are exchanged")


def _rounding(e: WrongEntry) -> float:
    return 1e-8 * abs(e.numerical)


# -- rows, columns and outputs ---------------------------------------------------------------------


def _slice(
    problem: Problem, located: Located, failed: Comparison | None, tolerance: Tolerance
) -> Diagnosis | None:
    """Name a row or a column of one argument that holds all that is wrong, or two."""
    entries = located.entries
    leaves = {(e.argument, e.path) for e in entries}
    if len(leaves) > 1:
        return None
    slot, _ = problem.inputs.layout.locate(problem.place(entries[0])[1])
    indices = {e.index for e in entries}
    for axis, chosen in _common(slot.shape, indices):
        outside = _without(problem, slot, axis, chosen, failed)
        if not located.complete and not _agrees(problem, outside, failed, tolerance):
            continue
        where = f"{_places(slot.shape, axis, chosen)} of {name(slot)}"
        text = f"the wrong entries are all in {where}"
        how = _how(entries)
        return Diagnosis("row", f"{text}, {how}" if how else text)
    return None


def _common(
    shape: tuple[int, ...], indices: set[tuple[int, ...]]
) -> Iterator[tuple[int, list[int]]]:
    """Yield axes along which some places have one index in common, or a few of many."""
    if len(shape) < 2:
        return
    for most in range(1, _TOGETHER + 1):
        for axis, n in enumerate(shape):
            chosen = sorted({index[axis] for index in indices})
            whole = math.prod(shape) // n
            if len(chosen) == most < n / most and len(indices) >= most * min(_ROW, whole) > 1:
                yield axis, chosen


def _places(shape: tuple[int, ...], axis: int, chosen: Sequence[int]) -> str:
    numbers = " and ".join(map(str, chosen))
    several = len(chosen) > 1
    if len(shape) == len(_MATRIX):
        return f"{_MATRIX[axis]}{'s' if several else ''} {numbers}"
    return f"{'indices' if several else 'index'} {numbers} along axis {axis}"


def _without(
    problem: Problem, slot: Slot, axis: int, chosen: Sequence[int], failed: Comparison | None
) -> Array | None:
    """Return the direction that failed, but not in a slice of an argument."""
    if failed is None:
        return None
    direction = failed.direction.copy()
    here = direction[slot.start : slot.stop].reshape(*slot.shape, slot.parts)
    here[(slice(None),) * axis + (list(chosen),)] = 0.0
    return problem.inputs.tangent(direction)


def _agrees(
    problem: Problem, direction: Array | None, failed: Comparison | None, tolerance: Tolerance
) -> bool:
    if failed is None or direction is None or not direction.any():
        return False
    c = compare(problem, "part", direction, failed.cotangent, tolerance)
    return c.agrees and c.resolved and c.found.interval is None


def _output(
    problem: Problem, located: Located, failed: Comparison | None, tolerance: Tolerance
) -> Diagnosis | None:
    """Name the only output whose derivative is wrong."""
    entries = located.entries
    outputs = {(e.output_path, e.output) for e in entries}
    if failed is None or problem.outputs.size == 1 or len(outputs) > 1 or len(entries) < _ROW:
        return None
    rest = failed.cotangent.copy()
    rest[problem.place(entries[0])[0]] = 0.0
    if not rest.any():
        return None
    c = compare(problem, "part", failed.direction, rest, tolerance)
    if not (c.agrees and c.resolved and c.found.interval is None):
        return None
    text = f"wrong is a single {entries[0].output_label}; the others agree"
    return Diagnosis("row", text)
