"""Whether a claim is a multiple of the derivative: everywhere, in some arguments, in a row or a column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import Slot
from gradcheck._claim.compare import Comparison, norm
from gradcheck._claim.problem import Problem
from gradcheck._diagnosis.answers import (
    GROSS,
    Answers,
    Hypothesis,
    allowed,
    asked,
    is_second,
    name,
    names,
    probe_of,
)
from gradcheck._diagnosis.ratios import (
    CLOSE,
    digits,
    is_plain,
    quotient,
    simple_ratio,
    whole_ratio,
)
from gradcheck._report.report import Diagnosis

AxisOf = Callable[[Problem, int], str]  # what names an axis of a length

_OWN = 3  # up to it a factor is as likely one of its own as the length of an axis
_NEARLY_ONE = 1e-3
_HIDDEN_IN_ONE = 1e-5
_SHARP = 1000.0  # times what is left, where any factor would do
_MOST_TOGETHER = 6  # arguments of which any may be wrong together; of more, two
_MOST_PAIRS = 64
_MOST_SLICED = 2**20  # numbers
_MOST_INDICES = 2**12  # each of which may be the wrong one


def everywhere(
    problem: Problem, usable: Sequence[Comparison], given: Answers
) -> Iterator[Hypothesis]:
    """Yield the one factor that all comparisons have in common."""
    best = max(usable, key=lambda c: abs(c.found.value) / (c.found.radius or 5e-324))
    factor = quotient(best.claimed, best.found.value)
    if factor is None or abs(best.found.value) <= GROSS * allowed(best, 1 / abs(factor)):
        return  # a multiple of nothing
    doubt = best.found.radius / abs(best.found.value)
    one = _is_of_one_entry(given, usable, factor)
    diagnosis = _of_factor(problem, usable, given, factor, doubt, one=one)
    if diagnosis is not None:
        sharp = _SHARP if abs(factor - 1) < _NEARLY_ONE else GROSS
        corrected = [c.claimed / factor for c in usable]
        yield Hypothesis(diagnosis, corrected, 1 / abs(factor), sharp)


def _of_factor(
    problem: Problem,
    usable: Sequence[Comparison],
    given: Answers,
    factor: float,
    doubt: float,
    *,
    one: bool,
) -> Diagnosis | None:
    seen = [] if one else _seen(problem, usable, given, factor)
    slots = problem.inputs.layout.slots
    whole = not seen or len(seen) == len(slots)
    if abs(factor + 1) < max(CLOSE, doubt):
        if whole:
            return Diagnosis("sign", "the sign is flipped (claimed = −1 × numerical)")
        return Diagnosis("sign", f"{_flipped(seen)}; {_TOO_SMALL}")
    where = ", everywhere" if whole else f" in {names(seen)} ({_TOO_SMALL})"
    simple = simple_ratio(factor, doubt) or _length(problem, factor, doubt)
    if one:  # one entry is always some multiple of what it should be
        plain = is_plain(simple)
        return Diagnosis("factor", f"claimed = {simple} × numerical") if plain else None
    if simple is None:
        return Diagnosis("factor", f"claimed = {_in_digits(factor, doubt)} × numerical{where}")
    what = f"claimed = {simple} × numerical{where}"
    return _reduction(problem, simple, what, summed_axis) or Diagnosis("factor", what)


def _length(problem: Problem, factor: float, doubt: float) -> Fraction | None:
    """Return the length of an axis that a factor may be, where that isn't known to six digits."""
    whole = whole_ratio(factor, doubt)
    size = 0 if whole is None else whole.numerator * whole.denominator
    return whole if size > _OWN and summed_axis(problem, size) else None


_TOO_SMALL = "the other parts are too small to tell"


def _in_digits(factor: float, doubt: float) -> str:
    """Write a factor in as many digits as are known of it; what is nearly one by how it differs."""
    beside = factor - 1
    if abs(beside) >= _HIDDEN_IN_ONE:
        return f"{factor:.{digits(doubt)}g}"
    sign = "+" if beside > 0 else "−"
    return f"(1 {sign} {abs(beside):.{min(3, digits(doubt / abs(beside)))}g})"


def _is_of_one_entry(given: Answers, usable: Sequence[Comparison], factor: float) -> bool:
    """Whether the rest, beside a single entry, would not be seen if it had another factor."""
    for (numbers, weights), c in zip(given.weighed(), usable, strict=True):
        shares = numbers * weights
        np.abs(shares, out=shares)
        if shares.size > 1:
            shares[np.argmax(shares)] = 0.0
            if _shows(c, norm(shares), factor):
                return False
    return True


def _shows(c: Comparison, share: float, factor: float) -> bool:
    """Whether a part of a claim is large enough to show whether it has a factor."""
    return abs(share * (1 - 1 / factor)) > GROSS * allowed(c, 1 / abs(factor))


def _seen(
    problem: Problem, usable: Sequence[Comparison], given: Answers, factor: float
) -> list[Slot]:
    """Return the arguments whose parts show that they have a factor."""
    slots = problem.inputs.layout.slots
    if len(slots) == 1:
        return list(slots)
    shares = shares_of_arguments(problem, usable, given)
    parts = zip(slots, shares.T, strict=True)
    return [
        slot
        for slot, part in parts
        if any(_shows(c, share, factor) for c, share in zip(usable, part, strict=True))
    ]


def shares_of_arguments(problem: Problem, usable: Sequence[Comparison], given: Answers) -> Array:
    """Return what each leaf of x adds to the claim, one row for each comparison."""
    slots = problem.inputs.layout.slots
    rows = []
    for c, (numbers, weights) in zip(usable, given.weighed(), strict=True):
        if problem.kind != "jvp":
            rows.append([_sum(numbers, weights, slice(s.start, s.stop)) for s in slots])
            continue
        parts = []
        for slot in slots:
            alone = np.zeros_like(c.direction)
            alone[slot.start : slot.stop] = probe_of(problem, c)[slot.start : slot.stop]
            parts.append(float(np.sum(asked(problem, alone) * weights)))
        rows.append(parts)
    return np.array(rows)


def _sum(numbers: Array, weights: Array, part: slice) -> float:
    return float(np.sum(numbers[part] * weights[part]))


# -- some arguments of several ---------------------------------------------------------------------


def of_arguments(
    problem: Problem, usable: Sequence[Comparison], given: Answers
) -> Iterator[Hypothesis]:
    """Yield for one of several arguments, or some, the factor that their part of the claim would have to have."""
    slots = problem.inputs.layout.slots
    if len(slots) < 2:
        return
    shares = shares_of_arguments(problem, usable, given)
    for chosen in _choices(len(slots)):
        together = shares[:, chosen].sum(axis=1)
        factor = factor_of_part(usable, together)
        if factor is None:
            continue
        some = [slots[k] for k in chosen]
        others = [k for k in range(len(slots)) if k not in chosen]
        alone = all(
            any(_shows(c, s, factor) for c, s in zip(usable, shares[:, k], strict=True))
            for k in others
        )
        diagnosis = _of_some(problem, some, factor, alone=alone)
        if diagnosis is not None:
            is_any = simple_ratio(factor) is None
            hypothesis = without(usable, together, factor, diagnosis, _SHARP if is_any else GROSS)
            yield hypothesis._replace(leaves=some)


def _choices(count: int) -> Iterator[list[int]]:
    most = count - 1 if count <= _MOST_TOGETHER else 2 if count <= _MOST_PAIRS else 1
    for size in range(1, most + 1):
        yield from map(list, combinations(range(count), size))


def factor_of_part(usable: Sequence[Comparison], shares: Array) -> float | None:
    """Return which multiple of what it should be a part of a claim is, if all else is right."""
    k = max(range(len(usable)), key=lambda k: abs(shares[k]) / (usable[k].allowed or 5e-324))
    c, share = usable[k], float(shares[k])
    right = share + c.found.value - c.claimed
    factor = quotient(share, right)
    # the other parts are allowed their rounding, however small this one is
    if factor is None or min(abs(share), abs(right)) <= GROSS * c.allowed:
        return None  # a multiple of nothing, or nothing of something
    return factor


def without(
    usable: Sequence[Comparison],
    shares: Array,
    factor: float,
    diagnosis: Diagnosis,
    gross: float = GROSS,
) -> Hypothesis:
    pairs = zip(usable, shares, strict=True)
    return Hypothesis(
        diagnosis, [c.claimed + float(s) * (1 / factor - 1) for c, s in pairs], gross=gross
    )


def _of_some(
    problem: Problem, slots: Sequence[Slot], factor: float, *, alone: bool
) -> Diagnosis | None:
    if abs(factor + 1) < CLOSE:
        return Diagnosis("sign", _flipped(slots))
    where = f"in {names(slots)}{' alone' if alone else ''}"
    simple = simple_ratio(factor)
    of_one_number = sum(slot.stop - slot.start for slot in slots) == 1
    if simple is None:
        if of_one_number or len(slots) > 1 or abs(factor - 1) < _NEARLY_ONE:
            return None
        return Diagnosis("factor", f"claimed = {factor:.6g} × numerical {where}")
    what = f"claimed = {simple} × numerical {where}"
    reduced = _reduction(problem, simple, what, lambda p, n: _axis_of_others(p, n, slots))
    if reduced is not None:
        return reduced
    return None if of_one_number and not is_plain(simple) else Diagnosis("factor", what)


def _flipped(slots: Sequence[Slot]) -> str:
    what = "gradient" if len(slots) == 1 else "gradients"
    return f"the sign of the {what} of {names(slots)} is flipped"


# -- rows and columns ------------------------------------------------------------------------------


def of_slices(
    problem: Problem, usable: Sequence[Comparison], given: Answers
) -> Iterator[Hypothesis]:
    """Yield the sign or the plain factor of one row, column or further slice of what is claimed."""
    first = max(range(len(usable)), key=lambda k: usable[k].excess)
    several = (problem.inputs.layout if given.by_outputs else problem.outputs).size > 1
    for slot in given.layout.slots:
        if slot.stop - slot.start > _MOST_SLICED:
            continue
        # of a single axis each index is an entry, which matters where that is more than one number
        if sum(n > 1 for n in slot.shape) == 1 and (not several or is_second(problem)):
            continue
        for axis in (axis for axis, n in enumerate(slot.shape) if 1 < n <= _MOST_INDICES):
            shares = _sliced(given, slot, axis)
            with np.errstate(all="ignore"):
                factors = shares[first] / (
                    shares[first] + usable[first].found.value - usable[first].claimed
                )
            for k in np.flatnonzero(_is_possible(usable, shares, factors)):
                factor = factor_of_part(usable, shares[:, k])
                diagnosis = factor and _of_slice(given, slot, axis, int(k), factor)
                if factor and diagnosis:
                    yield without(usable, shares[:, k], factor, diagnosis)


def _sliced(given: Answers, slot: Slot, axis: int) -> Array:
    """Return what each index along an axis of a leaf adds to the claim, one row for each comparison."""
    part = slice(slot.start, slot.stop)
    shares = ((n[part] * w[part]).reshape(*slot.shape, slot.parts) for n, w in given.weighed())
    others = tuple(a for a in range(len(slot.shape) + 1) if a != axis)
    return np.array([s.sum(axis=others) for s in shares])


def _is_possible(usable: Sequence[Comparison], shares: Array, factors: Array) -> Array:
    """Whether a factor found in one comparison explains all of them, nearly."""
    possible = np.isfinite(factors) & (factors != 0)
    with np.errstate(all="ignore"):
        for c, share in zip(usable, shares, strict=True):
            left = np.abs(c.claimed + share * (1 / factors - 1) - c.found.value)
            possible &= left <= 2 * c.off / GROSS
    return np.asarray(possible)


def _of_slice(given: Answers, slot: Slot, axis: int, k: int, factor: float) -> Diagnosis | None:
    where = slice_name(given, slot, axis, k)
    if abs(factor + 1) < CLOSE:
        return Diagnosis("sign", f"the sign of {where} is flipped")
    simple = simple_ratio(factor)
    if simple is None:
        return None
    kind = "entry" if len(slot.shape) == 1 and not given.by_outputs else "row"
    return Diagnosis(kind, f"claimed = {simple} × numerical in {where} alone")


def slice_name(given: Answers, slot: Slot, axis: int, k: int) -> str:
    """Name what has one index along an axis of an answer."""
    if len(slot.shape) == 1 and not given.by_outputs:
        return f"all that depends on x{slot.argument}{slot.path}[{k}]"
    if len(slot.shape) == 1:
        return f"output {slot.path}[{k}]"
    if len(slot.shape) == 2:
        return f"{('row', 'column')[axis]} {k} of {given.noun(slot)}"
    return f"index {k} along axis {axis} of {given.noun(slot)}"


# -- the length of an axis -------------------------------------------------------------------------


def _reduction(problem: Problem, ratio: Fraction, what: str, axis_of: AxisOf) -> Diagnosis | None:
    """Say that a factor is the length of an axis, as that of a mean would be; it may be one of its own."""
    if 1 not in (ratio.numerator, ratio.denominator):
        return None
    size = ratio.numerator * ratio.denominator
    axis = axis_of(problem, size) if size > 1 else ""
    if not axis:
        return None
    if size <= _OWN:
        return Diagnosis(
            "factor", f"{what} (a mean's 1/N if not a factor of {size}: N = {size}, {axis})"
        )
    missing = ratio.denominator == 1
    as_if = "as if a mean's 1/N were missing" if missing else "as if there were a 1/N too many"
    return Diagnosis("reduction", f"{what}, {as_if} (N = {size}, {axis})")


def summed_axis(problem: Problem, size: int) -> str:
    """Name an axis of that size which f sums away, or a single argument of that many entries."""
    kept = {n for slot in problem.outputs.slots for n in slot.shape}
    slots = problem.inputs.layout.slots
    for slot in slots:
        if size in slot.shape and size not in kept:
            return f"axis {slot.shape.index(size)} of {name(slot)}"
    (slot, *others) = slots
    if problem.scalar and slot.shape and not others and size == math.prod(slot.shape):
        return f"the number of entries of {name(slot)}"
    return ""


def _axis_of_others(problem: Problem, size: int, slots: Sequence[Slot]) -> str:
    """Name an axis of that size which some arguments don't have, and others or f's output do."""
    if any(size in slot.shape for slot in slots):
        return ""
    for slot in problem.inputs.layout.slots:
        if size in slot.shape:
            return f"axis {slot.shape.index(size)} of {name(slot)}"
    for slot in problem.outputs.slots:
        if size in slot.shape:
            return f"axis {slot.shape.index(size)} of f's output{slot.path}"
    return ""
