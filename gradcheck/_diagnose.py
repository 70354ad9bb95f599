"""Which mistake a wrong derivative looks like: corrections that would make it agree with all the evidence.

Each hypothesis is a correction of the claim (negate it, divide by N, transpose it, …).  It is named
only if the corrected claim agrees with every numerical derivative at hand; no further evaluations
of f are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial

import numpy as np

from gradcheck._compare import Comparison
from gradcheck._domain import Array
from gradcheck._problem import Problem
from gradcheck._report import Diagnosis, WrongEntry

_LARGEST_SIMPLE = 64


def diagnose_throughout(
    problem: Problem, comparisons: Sequence[Comparison], rtol: float
) -> Diagnosis | None:
    """Name a mistake that spoils the whole derivative, or an argument's; None where none is seen."""
    usable = [
        c for c in comparisons if c.resolved and c.found.interval is None and c.label == "random"
    ]
    if len(usable) < 2 or any(c.agrees for c in usable):
        return None
    for diagnosis, corrected in _hypotheses(problem, usable):
        if all(_agrees(c, value, rtol) for c, value in zip(usable, corrected, strict=True)):
            return diagnosis
    return _ignored_argument(problem, usable)


def _agrees(c: Comparison, value: float, rtol: float) -> bool:
    # what a hypothesis must explain is much larger than what it may leave
    return abs(value - c.found.value) <= c.allowed + rtol * abs(value)


def _hypotheses(
    problem: Problem, usable: Sequence[Comparison]
) -> Iterator[tuple[Diagnosis, list[float]]]:
    claimed = [c.claimed for c in usable]
    if not any(claimed):
        yield Diagnosis("zero", "the claimed derivative is zero"), [c.found.value for c in usable]
        return
    factor = _common_factor(usable)
    if factor is not None:
        yield _factor_diagnosis(problem, factor), [v / factor for v in claimed]
    if problem.kind == "jvp":
        return
    for diagnosis, rearrange in _rearrangements(problem):
        values = [
            float(np.sum(rearrange(problem.pullback(c.cotangent)) * c.direction)) for c in usable
        ]
        yield diagnosis, values


def _common_factor(usable: Sequence[Comparison]) -> float | None:
    """Return the ratio claimed/numerical, where it is the same along every direction."""
    best = max(usable, key=lambda c: abs(c.found.value) / (c.allowed or 5e-324))
    return best.claimed / best.found.value if best.found.value and best.claimed else None


def _factor_diagnosis(problem: Problem, factor: float) -> Diagnosis:
    if abs(factor + 1) < 1e-6:
        return Diagnosis("sign", "the sign is flipped (claimed = −1 × numerical)")
    simple = _simple_ratio(factor)
    if simple is None:
        return Diagnosis("factor", f"claimed = {factor:.8g} × numerical, everywhere")
    what = f"claimed = {simple} × numerical, everywhere"
    size = simple.numerator if simple.denominator == 1 else simple.denominator
    axes = _axes_of_size(problem, abs(size)) if abs(size) > 1 else ""
    if axes and simple.denominator == 1:
        return Diagnosis("reduction", f"{what}: a mean's 1/N is missing (N = {size}, {axes})")
    if axes and simple.numerator == 1:
        return Diagnosis("reduction", f"{what}: 1/N too many (N = {size}, {axes})")
    return Diagnosis("factor", what)


def _simple_ratio(factor: float) -> Fraction | None:
    """Recognise p/q with small p or q: within 1e-6, which by chance happens to one number in thousands."""
    for q in range(1, _LARGEST_SIMPLE + 1):
        p = round(factor * q)
        if p and abs(factor * q / p - 1) < 1e-6 and (abs(p) <= _LARGEST_SIMPLE or q == 1):
            return Fraction(p, q)
    whole = round(1 / factor)
    if whole and abs(whole * factor - 1) < 1e-6:
        return Fraction(1, whole)
    return None


def _axes_of_size(problem: Problem, size: int) -> str:
    for slot in problem.inputs.layout.slots:
        if size in slot.shape:
            return f"axis {slot.shape.index(size)} of argument {slot.argument}{slot.path}"
        if slot.shape and size == math.prod(slot.shape):
            return f"the number of entries of argument {slot.argument}{slot.path}"
    return ""


def _rearrangements(problem: Problem) -> Iterator[tuple[Diagnosis, Callable[[Array], Array]]]:
    """Yield what one argument's gradient may have suffered, and how to undo it in the flat one."""
    for k, slot in enumerate(problem.inputs.layout.slots):
        name = f"argument {slot.argument}{slot.path}"
        if slot.parts == 2:
            text = f"the gradient of {name} is conjugated (df = Re Σ conj(g)·dx is expected)"
            yield Diagnosis("conjugate", text), _in_argument(problem, k, np.conj)
        if len(slot.shape) == 2 and slot.shape[0] == slot.shape[1] and slot.shape[0] > 1:
            text = f"the gradient of {name} is transposed"
            yield Diagnosis("transpose", text), _in_argument(problem, k, np.transpose)
        for axis, size in enumerate(slot.shape):
            for shift in (1, -1) if size > 2 else (1,) if size == 2 else ():
                text = f"the gradient of {name} is shifted by {-shift:+d} along axis {axis}"
                roll = partial(np.roll, shift=shift, axis=axis)
                yield Diagnosis("shift", text), _in_argument(problem, k, roll)


def _in_argument(
    problem: Problem, k: int, rearrange: Callable[[Array], Array]
) -> Callable[[Array], Array]:
    """Return a flat gradient ↦ the same with the k-th leaf's part rearranged."""
    layout = problem.inputs.layout

    def apply(flat: Array) -> Array:
        parts = layout.split(flat)
        parts[k] = rearrange(parts[k])
        return layout.flatten(parts)

    return apply


def _ignored_argument(problem: Problem, usable: Sequence[Comparison]) -> Diagnosis | None:
    """One argument's gradient is all zero while the others aren't."""
    if problem.kind == "jvp" or len(problem.inputs.layout.slots) < 2:
        return None
    g = problem.pullback(usable[0].cotangent)
    zero = [s for s in problem.inputs.layout.slots if not np.any(g[s.start : s.stop])]
    if len(zero) == 1 and np.any(g):
        return Diagnosis(
            "argument",
            f"the gradient of argument {zero[0].argument}{zero[0].path} is missing (zero)",
        )
    return None


def diagnose_entries(problem: Problem, entries: Sequence[WrongEntry]) -> Diagnosis | None:
    """Name the pattern that the located entries make, if they make one."""
    if not entries:
        return None
    if problem.kind == "jac" and all(_is_left_out(problem, e) for e in entries):
        return Diagnosis(
            "structure",
            f"the sparse Jacobian has nothing stored for {entries[0].label}, where the derivative isn't zero",
        )
    if len(entries) == 1 and problem.inputs.layout.size > 1:
        return Diagnosis("entry", f"a single wrong entry, {entries[0].label}; the others agree")
    places = {(e.argument, e.path, e.index[0]) for e in entries if len(e.index) > 1}
    if len(entries) > 1 and len(places) == 1 and all(len(e.index) > 1 for e in entries):
        argument, path, row = places.pop()
        return Diagnosis(
            "row", f"the wrong entries are all in row {row} of argument {argument}{path}"
        )
    return None


def _is_left_out(problem: Problem, entry: WrongEntry) -> bool:
    layout = problem.inputs.layout
    (slot,) = (s for s in layout.slots if (s.argument, s.path) == (entry.argument, entry.path))
    column = (
        slot.start + int(np.ravel_multi_index(entry.index, slot.shape))
        if slot.shape
        else slot.start
    )
    shape = problem.outputs.slots[0].shape
    row = int(np.ravel_multi_index(entry.output, shape)) if entry.output else 0
    return problem.leaves_out(row, column)
