"""One comparison: a claimed directional derivative against a numerical one with its radius.

The claim is allowed to differ by the radius, plus a tolerance relative to the size of the terms it
sums, ‖g∘d‖.  There is no absolute tolerance, so neither a small f nor a large one changes an
answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance, rounding_of_value
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import Goal, deeper
from gradcheck._estimate.singular import Found
from gradcheck._report.report import Probe, WrongEntry

# Finer than any mistake worth an accusation, and reached in eleven evaluations where sums have some
# noise.
GOAL = Goal(rtol=1e-8)
CLOSELY = Goal(rtol=1e-13)  # as close as f allows
_PART = 8192  # numbers
_TINY_SQUARE = 1e-280  # a sum of squares above it has kept their digits
SMALL = 2.0**-14  # an entry's share below which it is looked at by itself
_HARDLY = 16.0  # times what is missed; up to eight times a zero's rounding, all of it is allowed
_NOTHING = 64.0  # times its noise, which f must exceed to be something
_SLIGHT = 64.0  # a disagreement below this many times what is allowed deserves a closer look


Made = Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A claimed derivative along d, tested with the cotangent v, beside the numerical one.

    Parameters
    ----------
    label : str
        What kind of direction it was.
    d, v : ndarray, or callable
        The direction over the varying inputs and the cotangent over the outputs, flat; or what makes them
        anew, so that many comparisons don't hold as many arrays.
    claimed : float
        vᵀJd as claimed.
    found : Found
        vᵀJd numerically.
    scale : float
        ‖g∘d‖ of the claim (‖v∘Jd‖ for a jvp).
    allowed : float
        By how much the two may differ.
    rtol : float
        The part of it that is tolerated of the claim, relative to `scale`.
    excess : float
        How far the claim is outside, in units of what is allowed; at most 1 means agreement.
    """

    label: str
    d: Array | Made
    v: Array | Made
    claimed: float
    found: Found
    scale: float
    allowed: float
    rtol: float
    excess: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "excess", self._excess())

    @property
    def direction(self) -> Array:
        """The array d."""
        return self.d if isinstance(self.d, np.ndarray) else self.d()

    @property
    def cotangent(self) -> Array:
        """The array v."""
        return self.v if isinstance(self.v, np.ndarray) else self.v()

    @property
    def resolved(self) -> bool:
        """Whether the numerical side says anything."""
        return math.isfinite(self.allowed)

    @property
    def off(self) -> float:
        """By how much the two differ."""
        return abs(self.claimed - self.found.value)

    @property
    def missed(self) -> float:
        """How much a claim may be wrong and agree: the numerical side may err towards it."""
        return self.allowed + self.found.radius

    @property
    def may_be_zero(self) -> bool:
        """Whether the claim can hardly be told from zero, though f moves."""
        return self.resolved and self.scale <= _HARDLY * self.missed and self.found.size > 0

    def _excess(self) -> float:
        if not self.resolved:
            return 0.0
        if self.found.interval is not None:
            low, high = self.found.interval
            slack = self.allowed - self.found.radius
            outside = max(low - self.claimed, self.claimed - high, 0.0)
            return _ratio(outside, slack)
        return _ratio(self.off, self.allowed)

    @property
    def agrees(self) -> bool:
        """Whether the claim lies within what is allowed."""
        return self.excess <= 1.0

    @property
    def slight(self) -> bool:
        """Whether it disagrees so little that the numerical side deserves a closer look."""
        return 1.0 < self.excess < _SLIGHT

    def probe(self) -> Probe:
        """Return the record for the report."""
        return Probe(
            label=self.label,
            claimed=self.claimed,
            numerical=self.found.value,
            radius=self.found.radius,
            scale=self.scale,
            allowed=self.allowed,
            interval=self.found.interval,
            reason=self.found.reason,
        )

    def entry(self, problem: Problem, output: int, position: int, step: float) -> WrongEntry:
        """Return the record of the one entry it is about; `step` is what d and v make of a derivative of 1."""
        slot, index = problem.inputs.layout.locate(position)
        into, where = problem.outputs.locate(output)
        return WrongEntry(
            argument=slot.argument,
            path=slot.path,
            index=index,
            output=None if problem.scalar else where,
            output_path="" if problem.scalar else into.path,
            claimed=self.claimed / step,
            numerical=self.found.value / step,
            radius=abs(self.found.radius / step),
            part=problem.inputs.layout.part(position),
        )


def size_of_value(problem: Problem, direction: Array, cotangent: Array) -> float:
    """Return the size of what vᵀf adds up, over that of x along a direction."""
    return norm(cotangent * problem.arithmetic.value) / problem.course(direction).unit


def compare(
    problem: Problem,
    label: str,
    direction: Array,
    cotangent: Array,
    tolerance: Tolerance,
    goal: Goal = GOAL,
) -> Comparison:
    """Compare the claim along d with the numerical derivative of ⟨v, f⟩."""
    component = Component(problem.line(direction, cotangent[None, :]), 0)
    return judged(problem, label, direction, cotangent, derivative(component, goal), tolerance)


def confirm(
    problem: Problem,
    label: str,
    direction: Array,
    cotangent: Array,
    tolerance: Tolerance,
    goal: Goal,
    look: Callable[[Component], Found | None],
) -> Comparison:
    """Compare as `compare` does, but if the claim agrees with what a cheaper look shows leave it at that.

    A wrong claim and a wrong look would have to be wrong alike.
    """
    line = problem.line(direction, cotangent[None, :])
    found = look(Component(line, 0))
    if found is not None:
        c = judged(problem, label, direction, cotangent, found, tolerance)
        if c.agrees:
            return c
    # a search of its own: it takes rungs that it did not ask for as signs of noise
    found = derivative(Component(line, 0), goal)
    return judged(problem, label, direction, cotangent, found, tolerance)


def closer(problem: Problem, c: Comparison, tolerance: Tolerance) -> Comparison:
    """Compare along the same direction again, with a numerical side as good as f allows."""
    tolerance = replace(tolerance, rtol=c.rtol)
    looked = compare(problem, c.label, c.direction, c.cotangent, tolerance, CLOSELY)
    return replace(looked, d=c.d, v=c.v)


def sharper(component: Component, c: Comparison) -> Found | None:
    """Return a derivative with steps as small as what is claimed asks for; None if it is no sharper."""
    found = deeper(component, Goal(rtol=0.0, atol=GOAL.rtol * c.scale))
    if found is None or found.radius >= c.found.radius:
        return None
    # how far φ would move at steps as large as x, were it as curved all the way
    curved = abs(found.bend) * (component.line.unit / found.step)
    return found._replace(scale=min(found.scale, max(found.near or 0.0, curved)))


def judged(
    problem: Problem,
    label: str,
    direction: Array,
    cotangent: Array,
    found: Found,
    tolerance: Tolerance,
) -> Comparison:
    """Put the claim beside a numerical derivative that is known already."""
    terms = claimed_terms(problem, direction, cotangent)
    claimed = float(terms.sum())  # in pairs, with less rounding than a dot product
    scale = norm(terms)
    rtol = tolerance.rtol
    slack = rtol * scale
    if label != "random":  # which holds the largest terms itself
        slack += tolerance.rounding
    if tolerance.loses_digits:
        value = size_of_value(problem, direction, cotangent)
        slack += float(rounding_of_value(problem, value, scale))
    found = found.at_the_scale_of(claimed, slack)
    allowed = found.radius + slack
    value = float(cotangent @ problem.arithmetic.value)
    unit = problem.course(direction).unit
    allowed += _rounding_of_zero(found, scale, rtol, value, unit)
    return Comparison(label, direction, cotangent, claimed, found, scale, allowed, rtol)


def claimed_terms(problem: Problem, direction: Array, cotangent: Array) -> Array:
    """Return the terms whose sum is the claimed vᵀJd: over the inputs, or for a jvp over the outputs."""
    if problem.kind == "jvp":
        return cotangent * problem.pushforward(direction)
    return problem.pullback(cotangent) * direction


def _rounding_of_zero(found: Found, scale: float, rtol: float, value: float, unit: float) -> float:
    """Return what a claim of zero may be off by.

    A gradient that vanishes because large terms cancel comes out as their rounding, and has no
    larger entries beside it to measure that against.  There is the natural size of a derivative
    here, if the numerical one vanishes beside it, too, and if f itself is no more than the noise
    that differences of it have, that over the size of x.
    """
    slack = rtol * found.scale if found.near is None or found.vanishes else 0.0
    # what is no zero beside f's movement near x isn't one beside a larger movement either
    zero = slack if found.near is None else min(slack, rtol * found.near)
    if abs(value) <= _NOTHING * found.noise and found.oracle == "differences":
        slack, zero = (max(s, found.noise / unit) for s in (slack, zero))
    return slack if scale <= 8 * zero else 0.0


def _ratio(difference: float, allowed: float) -> float:
    if difference == 0:
        return 0.0
    return difference / allowed if allowed > 0 else math.inf


def norm(a: Array) -> float:
    """Euclidean norm of a flat vector that neither overflows nor underflows."""
    square = 0.0
    # in parts too short for BLAS to wake its threads, which cost more than they save
    for k in range(0, a.size, _PART):
        part = a[k : k + _PART]
        square += float(part @ part)
    if _TINY_SQUARE < square < 1 / _TINY_SQUARE:
        return math.sqrt(square)
    largest = float(np.max(np.abs(a), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return float(largest * np.sqrt(np.sum(np.square(a / largest))))
