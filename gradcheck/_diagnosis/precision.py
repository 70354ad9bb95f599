"""Whether a wrong derivative is a right formula that lost its digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._case.numbers import is_sparse
from gradcheck._case.tree import equal_numbers
from gradcheck._claim.compare import Comparison
from gradcheck._claim.lost_digits import scatters
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import claim_eps
from gradcheck._report.report import WrongEntry

_FLOAT32 = range(20, 25)  # significant bits of the longest of a few float32 numbers
_FLOAT16 = range(9, 12)
_FLOAT64 = 53
_BFLOAT16 = 8
_SAMPLE = 64  # numbers that mostly show that all are long
_SIMPLE = 6  # bits: of small integers and halves, which fit in any precision
_ULPS = 64  # that a derivative computed in coarse numbers may be off by, of its largest entry
_LOST = 3e-3  # of the claim: what is off by more hasn't only lost digits
_NEARBY = (0.031, -0.044, 0.067, -0.013, 0.022, -0.058, 0.049)  # steps of a derivative, unevenly
_ALIKE = 0.25  # of what a claim is off by


def precision_lost(
    problem: Problem, entries: Sequence[WrongEntry], failed: Comparison | None
) -> str:
    """Say how the claim lost its digits, if that explains the located errors; else nothing.

    Either the claimed values are those of a coarser precision, or they scatter when x moves, by as
    much as they are off: what cancellation leaves of a right formula, but what a coarser type or
    rounding on the way does as well.
    """
    coarse = coarse_numbers(problem, entries)
    if coarse:
        return coarse
    if failed is None or not failed.claimed or failed.off > _LOST * failed.scale:
        return ""
    if not scatters(problem, failed) or _is_off_alike_nearby(problem, failed):
        return ""
    return (
        f"off by {failed.off / failed.scale:.0e} of its size, the claimed derivative scatters by as "
        "much when x moves a little, as where precision is lost: to cancellation, a coarser type or rounding "
        "on the way"
    )


def _is_off_alike_nearby(problem: Problem, c: Comparison) -> bool:
    """Whether the claim is off by nearly the same at most places so near that f is as smooth as at x.

    One that has lost its digits isn't; a wrong one of an f with kinks is, however it jumps further away.
    """
    step = c.found.step
    if not 0 < step < math.inf:
        return False
    line = problem.line(c.direction, c.cotangent[None, :])

    def slope(t: float) -> float:
        ahead, behind = line.value(t + step), line.value(t - step)
        return float(ahead[0] - behind[0]) / (2 * step)

    at_x, alike = slope(0.0), 0
    for t in (step * place for place in _NEARBY):
        claimed = problem.claimed_beside(c.direction, t, c.cotangent)
        if claimed is not None:
            # the slopes' truncation errors, too, are nearly the same
            apart = (claimed - c.claimed) - (slope(t) - at_x)
            alike += abs(apart) <= _ALIKE * c.off
    return alike > len(_NEARBY) // 2


def coarse_numbers(problem: Problem, entries: Sequence[WrongEntry]) -> str:
    """Say in which coarse numbers the claim answers where it is wrong; empty if it doesn't, or that isn't all."""
    answers = [_Answer(leaf) for leaf in problem.answer(np.ones(_asked_with(problem)))]
    finest = _bits_of(claim_eps(problem))
    if any(answer.bits < finest for answer in answers):
        finest = min(finest, _bits(_of_inputs(problem)))
    coarse = [
        k for k, answer in enumerate(answers) if answer.bits < finest and not answer.is_simple
    ]
    # an entry of a Hessian belongs to two leaves
    wrong = (
        [_leaf(problem, e) for e in entries] if problem.kind != "hvp" else [*range(len(answers))]
    )
    if not wrong or not set(wrong) <= set(coarse):
        return ""
    for k, e in zip(wrong, entries, strict=False):
        if abs(e.claimed - e.numerical) > _ULPS * 2.0 ** (1 - answers[k].bits) * answers[k].size:
            return ""
    named = sorted(set(wrong))
    where = "" if len(coarse) == len(answers) else " of " + _names(problem, named)
    return f"the claimed values{where} {_description(problem, [answers[k] for k in named])}"


class _Answer:
    """One array of what a claim answers, and how many significant bits its numbers have."""

    def __init__(self, leaf: Any) -> None:
        self.dtype = leaf.dtype
        leaf = np.asarray(leaf.tocoo().data if is_sparse(leaf) else leaf)
        if leaf.dtype.kind == "c":
            leaf = np.ascontiguousarray(leaf).reshape(-1).view(leaf.real.dtype)
        self.numbers = leaf.reshape(-1).astype(np.float64, copy=False)
        self.size = float(np.max(np.abs(self.numbers), initial=0.0))
        self.bits = _bits(self.numbers)

    @property
    def is_simple(self) -> bool:
        """Whether half of the numbers are so simple (small integers, halves) that they fit in any precision."""
        mantissa = np.ldexp(np.frexp(self.numbers[self.numbers != 0])[0], _SIMPLE)
        return bool(2 * np.count_nonzero(mantissa == np.round(mantissa)) >= mantissa.size)


def _description(problem: Problem, answers: Sequence[_Answer]) -> str:
    types, of_x = ({str(a.dtype) for a in leaves} for leaves in (answers, problem.inputs.point))
    if len(types) == len(of_x) == 1 and types < {"float16", "float32"} and types != of_x:
        return f"come back in {types.pop()}, where x is {of_x.pop()}"
    bits = max(a.bits for a in answers)
    if bits in _FLOAT32:
        return "are float32 numbers: the derivative is computed in float32, or rounded to it"
    if bits in _FLOAT16 and all(_fit_in_float16(a.numbers) for a in answers):
        return "are float16 numbers: the derivative is computed in float16, or rounded to it"
    like = ", as bfloat16 numbers have" if bits == _BFLOAT16 else ""
    return f"have no more than {bits} significant bits{like}"


def _fit_in_float16(numbers: Array) -> bool:
    with np.errstate(over="ignore"):
        return equal_numbers(numbers.astype(np.float16).astype(np.float64), numbers)


def _bits(numbers: Array) -> int:
    """Return how many significant bits the longest of some numbers has; that is 53 if it has more than 24."""
    if numbers.size > _SAMPLE and _bits(numbers[:_SAMPLE]) == _FLOAT64:
        return _FLOAT64
    mantissa = np.frexp(numbers[numbers != 0])[0]
    for bits in range(_FLOAT32.stop):
        longer = np.ldexp(mantissa, bits)
        mantissa = mantissa[longer != np.round(longer)]
        if not mantissa.size:
            return bits
    return _FLOAT64


def _bits_of(eps: float) -> int:
    return round(1 - math.log2(eps))


def _of_inputs(problem: Problem) -> Array:
    return problem.inputs.layout.flatten(problem.inputs.point)


def _asked_with(problem: Problem) -> int:
    """Return of how many numbers a probe of the claim is made."""
    return problem.outputs.size if problem.kind == "vjp" else problem.inputs.layout.size


def _leaf(problem: Problem, entry: WrongEntry) -> int:
    """Return the number of the array in the claim's answer that an entry comes from."""
    output, position = problem.place(entry) if problem.kind not in ("hess", "hvp") else (0, 0)
    layout, k = (
        (problem.outputs, output) if problem.kind == "jvp" else (problem.inputs.layout, position)
    )
    return next(i for i, slot in enumerate(layout.slots) if slot.start <= k < slot.stop)


def _names(problem: Problem, leaves: Sequence[int]) -> str:
    if problem.kind == "jvp":
        return " and ".join(f"output {problem.outputs.slots[k].path}" for k in leaves)
    slots = [problem.inputs.layout.slots[k] for k in leaves]
    return " and ".join(f"argument {slot.argument}{slot.path}" for slot in slots)
