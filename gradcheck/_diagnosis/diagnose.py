"""Which mistake a wrong derivative looks like: corrections that would make it agree with all the evidence.

Each hypothesis is a correction of the claim (negate it, divide by N, transpose it, …).  It is named
only if the corrected claim agrees with every numerical derivative at hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.tree import equal_numbers
from gradcheck._claim.compare import GOAL, Comparison, compare, judged
from gradcheck._claim.problem import Problem
from gradcheck._diagnosis.locate import Located
from gradcheck._diagnosis.offsets import added_inside
from gradcheck._diagnosis.precision import precision_lost
from gradcheck._diagnosis.rearrangements import rearrangements
from gradcheck._diagnosis.symmetry import right_where_symmetric
from gradcheck._estimate.directions import signed, unit_vector
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import derivative
from gradcheck._report.report import Diagnosis, WrongEntry

_LARGEST_SIMPLE = 64
_PLAIN = 4
_CLOSE = 1e-6
_MOST_DOUBT = 0.02
_OWN = 3  # up to it a factor is as likely one of its own as the length of an axis
_ROW = 3  # fewer entries are in one row often enough by chance, unless they are all of it
_MANY = 6  # entries of a search that was cut off, to say something of all of them
_GROSS = 30.0  # what a hypothesis explains must be much larger than what may be left
_MOST_COUNTED = 2.0**40  # more entries than an axis has: such a factor counts nothing


def diagnose_throughout(
    problem: Problem, comparisons: Sequence[Comparison], rtol: float
) -> Diagnosis | None:
    """Name a mistake that spoils the whole derivative, or an argument's; None where none is seen."""
    usable = [
        c for c in comparisons if c.resolved and c.found.interval is None and c.label == "random"
    ]
    if len(usable) < 2 or any(c.excess < _GROSS for c in usable):
        return None
    for diagnosis, corrected in _hypotheses(problem, usable):
        if all(_explains(c, value, rtol) for c, value in zip(usable, corrected, strict=True)):
            return diagnosis
    named = right_where_symmetric(problem, usable, rtol, 1 / _GROSS)
    return named or _ignored_argument(problem, usable[0], rtol)


def _explains(c: Comparison, value: float, rtol: float) -> bool:
    """Whether a corrected value agrees, and leaves little of the disagreement that it has to explain."""
    left = abs(value - c.found.value)
    return left <= c.allowed + rtol * abs(value) and left <= c.off / _GROSS


def _hypotheses(
    problem: Problem, usable: Sequence[Comparison]
) -> Iterator[tuple[Diagnosis, list[float]]]:
    claimed = [c.claimed for c in usable]
    if not any(claimed):
        yield Diagnosis("zero", "the claimed derivative is zero"), [c.found.value for c in usable]
        return
    factor, doubt = _common_factor(usable)
    diagnosis = None if factor is None else _factor_diagnosis(problem, usable[0], factor, doubt)
    if factor is not None and diagnosis is not None:
        yield diagnosis, [v / factor for v in claimed]
    if problem.kind not in ("grad", "jac", "vjp"):
        return
    if _is_square(problem):
        text = "the claim is the Jacobian's product where that of its transpose is meant"
        swapped = [float(np.sum(problem.pullback(c.direction) * c.cotangent)) for c in usable]
        yield Diagnosis("transpose", text), swapped
    gradients = [problem.pullback(c.cotangent) for c in usable]
    yield from _factors_of_one_argument(problem, usable, gradients)
    for diagnosis, undo in rearrangements(problem.inputs.layout):
        pairs = zip(gradients, usable, strict=True)
        yield diagnosis, [float(np.sum(undo(g) * c.direction)) for g, c in pairs]


def _factors_of_one_argument(
    problem: Problem, usable: Sequence[Comparison], gradients: Sequence[Array]
) -> Iterator[tuple[Diagnosis, list[float]]]:
    """Yield for each of several arguments the factor that its part of the claim would have to have."""
    slots = problem.inputs.layout.slots
    for slot in slots if len(slots) > 1 else ():
        part = slice(slot.start, slot.stop)
        pairs = zip(gradients, usable, strict=True)
        shares = [float(np.sum(g[part] * c.direction[part])) for g, c in pairs]
        missing = [c.found.value - c.claimed for c in usable]
        k = max(range(len(shares)), key=lambda k: abs(shares[k]) / (usable[k].allowed or 5e-324))
        if min(abs(shares[k]), abs(shares[k] + missing[k])) <= _GROSS * usable[k].allowed:
            continue  # a multiple of nothing, or nothing of something
        factor = _quotient(shares[k], shares[k] + missing[k])
        if factor is None:
            continue
        simple = _simple_ratio(factor)
        name = f"argument {slot.argument}{slot.path}"
        values = [c.claimed + s * (1 / factor - 1) for c, s in zip(usable, shares, strict=True)]
        if abs(factor + 1) < _CLOSE:
            yield Diagnosis("sign", f"the sign of the gradient of {name} is flipped"), values
        elif simple is not None and (slot.stop - slot.start > 1 or _is_plain(simple)):
            yield Diagnosis("factor", f"claimed = {simple} × numerical in {name} alone"), values


def _is_square(problem: Problem) -> bool:
    """Whether f maps one array to one of the same shape, so that J and its transpose can be confused."""
    inputs, outputs = problem.inputs.layout, problem.outputs
    if (
        problem.kind == "grad"
        or not len(inputs.slots) == len(outputs.slots) == 1
        or inputs.size < 2
    ):
        return False
    return inputs.slots[0].shape == outputs.slots[0].shape and inputs.size == outputs.size


def _common_factor(usable: Sequence[Comparison]) -> tuple[float | None, float]:
    """Return the ratio claimed/numerical where it is the same along every direction, and its relative doubt."""
    best = max(usable, key=lambda c: abs(c.found.value) / (c.allowed or 5e-324))
    if abs(best.found.value) <= _GROSS * best.allowed:
        return None, 0.0  # a multiple of nothing
    return _quotient(best.claimed, best.found.value), best.found.radius / abs(best.found.value)


def _quotient(a: float, b: float) -> float | None:
    """Return a/b, where that is a number that one may divide by."""
    quotient = a / b if b else 0.0
    return quotient if quotient and math.isfinite(quotient) else None


def _factor_diagnosis(
    problem: Problem, c: Comparison, factor: float, doubt: float
) -> Diagnosis | None:
    if abs(factor + 1) < max(_CLOSE, doubt):
        return Diagnosis("sign", "the sign is flipped (claimed = −1 × numerical)")
    simple = _simple_ratio(factor, doubt)
    if _is_of_one_entry(problem, c) and not _is_plain(simple):
        return None  # one entry is always some multiple of what it should be
    if simple is None:
        known = f"{factor:.{_digits(doubt)}g}"
        return Diagnosis("factor", f"claimed = {known} × numerical, everywhere")
    what = f"claimed = {simple} × numerical, everywhere"
    size = simple.numerator if simple.denominator == 1 else simple.denominator
    axes = _summed_axis(problem, size) if size > 1 else ""
    if axes and size <= _OWN:
        return Diagnosis(
            "factor", f"{what} (a mean's 1/N if not a factor of {size}: N = {size}, {axes})"
        )
    if axes and simple.denominator == 1:
        return Diagnosis("reduction", f"{what}: a mean's 1/N is missing (N = {size}, {axes})")
    if axes and simple.numerator == 1:
        return Diagnosis("reduction", f"{what}: 1/N too many (N = {size}, {axes})")
    return Diagnosis("factor", what)


def _is_of_one_entry(problem: Problem, c: Comparison) -> bool:
    """Whether a directional derivative comes from one entry alone."""
    if problem.kind not in ("grad", "jac", "vjp"):
        return problem.inputs.layout.size == 1
    share = np.abs(problem.pullback(c.cotangent) * c.direction)
    return bool(np.count_nonzero(share > _CLOSE * share.max()) == 1)


def _digits(doubt: float) -> int:
    """Return how many digits of a number are known."""
    return min(8, max(2, math.floor(-math.log10(doubt)))) if doubt else 8


def _simple_ratio(factor: float, doubt: float = 0.0) -> Fraction | None:
    """Recognise p/q with small p or q: within 1e-6, which by chance happens to one number in thousands.

    A factor that isn't known as well may be one of the plainest.
    """
    if not 1 / _MOST_COUNTED <= abs(factor) <= _MOST_COUNTED:
        return None
    for q in range(1, _LARGEST_SIMPLE + 1):
        p = round(factor * q)
        if (
            p
            and p != q
            and abs(factor * q / p - 1) < _CLOSE
            and (abs(p) <= _LARGEST_SIMPLE or q == 1)
        ):
            return Fraction(p, q)
    whole = round(1 / factor)
    if whole not in (0, 1) and abs(whole * factor - 1) < _CLOSE:
        return Fraction(1, whole)
    plain = Fraction(factor).limit_denominator(_PLAIN)
    is_near = abs(plain - Fraction(factor)) <= min(doubt, _MOST_DOUBT) * abs(factor)
    return plain if is_near and plain != 1 and _is_plain(plain) else None


def _is_plain(ratio: Fraction | None) -> bool:
    """Whether a ratio is no accident even where there is one number only."""
    return ratio is not None and max(abs(ratio.numerator), ratio.denominator) <= _PLAIN


def _summed_axis(problem: Problem, size: int) -> str:
    """Name an axis of that size which f sums away, or a whole argument of that many entries."""
    kept = {n for slot in problem.outputs.slots for n in slot.shape}
    for slot in problem.inputs.layout.slots:
        if size in slot.shape and size not in kept:
            return f"axis {slot.shape.index(size)} of argument {slot.argument}{slot.path}"
        if problem.scalar and slot.shape and size == math.prod(slot.shape):
            return f"the number of entries of argument {slot.argument}{slot.path}"
    return ""


def _ignored_argument(problem: Problem, failed: Comparison, rtol: float) -> Diagnosis | None:
    """One argument's gradient is all zero, while the others aren't and f depends on it."""
    slots = problem.inputs.layout.slots
    if problem.kind not in ("grad", "jac", "vjp") or len(slots) < 2:
        return None
    g = problem.pullback(failed.cotangent)
    zero = [s for s in slots if not np.any(g[s.start : s.stop])]
    if len(zero) != 1 or not np.any(g):
        return None
    alone = np.zeros_like(failed.direction)
    alone[zero[0].start : zero[0].stop] = failed.direction[zero[0].start : zero[0].stop]
    alone = problem.inputs.tangent(alone)
    if not alone.any() or compare(problem, "argument", alone, failed.cotangent, rtol).agrees:
        return None
    name = f"argument {zero[0].argument}{zero[0].path}"
    return Diagnosis("argument", f"the gradient of {name} is missing (zero)")


def diagnose_entries(
    problem: Problem, located: Located, failed: Comparison | None, rtol: float
) -> Diagnosis | None:
    """Name what the located entries have in common, if they have something."""
    entries = located.entries
    if not entries:
        return None
    if problem.kind == "jac" and all(_is_left_out(problem, e) for e in entries):
        return Diagnosis(
            "structure",
            f"the sparse Jacobian has nothing stored for {entries[0].label}, where the derivative isn't zero",
        )
    enough = located.complete or len(entries) >= _MANY
    if failed is not None and enough and _is_diagonal(problem, entries, failed, rtol):
        return Diagnosis(
            "diagonal",
            "the claimed Jacobian is diagonal, f's isn't: outputs depend on other entries too",
        )
    lost = precision_lost(problem, entries, failed)
    if lost:
        return Diagnosis("precision", lost)
    if enough and problem.kind in ("grad", "vjp"):
        added = added_inside(problem, entries)
        if added:
            return Diagnosis("epsilon", added)
    if not located.complete:
        return None
    places = {problem.place(e)[1] for e in entries}  # each may be wrong in several outputs
    if len(places) == 1 and problem.inputs.layout.size > 1:
        label = entries[0].label
        text = f"a single wrong entry, {label}; the others agree"
        if problem.outputs.size > 1:
            text = f"wrong is what depends on a single entry of x, {label}; the rest agrees"
        return Diagnosis("entry", text)
    rows = {(e.argument, e.path, e.index[0]) for e in entries if len(e.index) > 1}
    if len(rows) == 1 and all(len(e.index) > 1 for e in entries):
        argument, path, row = rows.pop()
        height, *width = _shape(problem, entries[0])
        if height == 1 or len(places) < min(_ROW, math.prod(width)):
            return None
        return Diagnosis(
            "row", f"the wrong entries are all in row {row} of argument {argument}{path}"
        )
    return None


def _is_diagonal(
    problem: Problem, entries: Sequence[WrongEntry], failed: Comparison, rtol: float
) -> bool:
    """Whether the claim acts entry by entry, and rightly so on the diagonal, while f doesn't."""
    if problem.kind == "jvp" or not _is_square(problem):
        return False
    if any(e.output == e.index for e in entries):
        return False  # then more is wrong than what is missing beside the diagonal
    v = signed(np.random.default_rng(0), (problem.outputs.size,))
    s = np.ldexp(1.0, np.random.default_rng(0).integers(0, 8, v.size))  # without a pattern
    if not equal_numbers(problem.pullback(s * v), s * problem.pullback(v)):
        return False
    _, k = problem.place(entries[0])
    here = unit_vector(v.size, k)
    del v, s
    along = failed.direction * here
    own = derivative(Component(problem.curve_of(k, along), 0), GOAL)
    return judged(problem, "entry", along, here, own, rtol).agrees


def _shape(problem: Problem, entry: WrongEntry) -> tuple[int, ...]:
    """Return the shape of the array that an entry is one of."""
    slot, _ = problem.inputs.layout.locate(problem.place(entry)[1])
    return slot.shape


def _is_left_out(problem: Problem, entry: WrongEntry) -> bool:
    return problem.leaves_out(*problem.place(entry))
