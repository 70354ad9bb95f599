"""What a claim answered in each comparison: numbers, and the weights with which they add up to what was compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gradcheck._case.domain import Array
from gradcheck._case.tree import Layout, Slot
from gradcheck._claim.compare import Comparison
from gradcheck._claim.problem import Problem
from gradcheck._report.report import Diagnosis

GROSS = 30.0  # what a hypothesis explains must be much larger than what may be left
_MOST_NUMBERS = 2**22  # of a Jacobian that is looked at as a whole


class Named(NamedTuple):
    """A mistake, and the leaves of x that it is in if it isn't everywhere."""

    diagnosis: Diagnosis
    leaves: Sequence[Slot] = ()


class Hypothesis(NamedTuple):
    """A mistake, and what the claim would be without it in each comparison.

    Parameters
    ----------
    diagnosis : Diagnosis
        The mistake.
    corrected : iterable of float
        One number for each comparison; it may be made on demand.
    size : float
        How large the corrected claim is beside the one that was made, which tolerances are relative to.
    gross : float
        How much larger than what is left a disagreement must have been.
    leaves : sequence of Slot
        The leaves of x that the mistake is in, if it isn't everywhere.
    """

    diagnosis: Diagnosis
    corrected: Iterable[float]
    size: float = 1.0
    gross: float = GROSS
    leaves: Sequence[Slot] = ()

    def explains(self, usable: Sequence[Comparison], rtol: float) -> bool:
        """Whether the corrected claim agrees everywhere, and leaves little of what it has to explain."""
        pairs = zip(usable, self.corrected, strict=True)
        return all(self._is_left(c, value, rtol) for c, value in pairs)

    def _is_left(self, c: Comparison, value: float, rtol: float) -> bool:
        left = abs(value - c.found.value)
        return left <= allowed(c, self.size) + rtol * abs(value) and left <= c.off / self.gross


def allowed(c: Comparison, size: float) -> float:
    """Return what a comparison would allow a claim of a part of its size."""
    return c.found.radius + (c.allowed - c.found.radius) * min(1.0, size)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a claim answered, one array for each comparison.

    Parameters
    ----------
    layout : Layout
        Of what it answers: of x for a gradient, of f's output for a jvp.
    numbers : list of ndarray
        The answers.
    comparisons : sequence of Comparison
        What they were given in; Σ numbers·weights is what was claimed there.
    noun : callable
        How a leaf of an answer is called.
    by_outputs : bool
        Whether the answers are f's outputs rather than parts of x.
    by_cotangents : bool
        Whether the weights are the cotangents rather than the directions.
    """

    layout: Layout
    numbers: list[Array]
    comparisons: Sequence[Comparison]
    noun: Callable[[Slot], str]
    by_outputs: bool = False
    by_cotangents: bool = True

    def weighed(self) -> Iterator[tuple[Array, Array]]:
        """Yield each answer with its weights, which comparisons may make anew to hold no arrays."""
        for numbers, c in zip(self.numbers, self.comparisons, strict=True):
            yield numbers, c.cotangent if self.by_cotangents else c.direction

    def first(self) -> tuple[Array, Array]:
        """Return the answer in the first comparison, and its weights."""
        return next(self.weighed())


def is_second(problem: Problem) -> bool:
    """Whether a claim is about second derivatives."""
    return problem.kind in ("hess", "hvp")


def is_square(problem: Problem) -> bool:
    """Whether f maps one array to one of the same shape, so that J and its transpose can be confused."""
    inputs, outputs = problem.inputs.layout, problem.outputs
    if (
        problem.kind == "grad"
        or is_second(problem)
        or not len(inputs.slots) == len(outputs.slots) == 1
        or inputs.size < 2
    ):
        return False
    return inputs.slots[0].shape == outputs.slots[0].shape and inputs.size == outputs.size


def answers(problem: Problem, usable: Sequence[Comparison]) -> Answers:
    """Return what a claim answered: gradients; of a jvp tangents, of a Hessian its products."""
    layout = problem.inputs.layout
    if problem.kind == "jvp":
        numbers = [problem.pushforward(c.direction) for c in usable]
        return Answers(problem.outputs, numbers, usable, _of_the_jvp, by_outputs=True)
    if is_second(problem):
        numbers = [problem.hessian_product(c.direction) for c in usable]
        noun = _of_the_hessian(problem)
        return Answers(layout, numbers, usable, noun)
    numbers = [problem.pullback(c.cotangent) for c in usable]
    noun = _argument_of_the_jacobian if problem.kind == "jac" else _gradient_of
    return Answers(layout, numbers, usable, noun, by_cotangents=False)


def answers_by_outputs(problem: Problem, usable: Sequence[Comparison]) -> Answers | None:
    """Return how a claimed Jacobian moves f's outputs in each comparison; None for all other claims."""
    if problem.kind != "jac" or problem.outputs.size * problem.inputs.layout.size > _MOST_NUMBERS:
        return None
    matrix = problem.jacobian()
    numbers = [matrix @ c.direction for c in usable]
    return Answers(problem.outputs, numbers, usable, _output_of_the_jacobian, by_outputs=True)


def asked(problem: Problem, probe: Array) -> Array:
    """Ask a claim that takes a cotangent, or a direction."""
    if problem.kind == "jvp":
        return problem.pushforward(probe)
    return problem.hessian_product(probe) if is_second(problem) else problem.pullback(probe)


def probe_of(problem: Problem, c: Comparison) -> Array:
    """Return what a claim was asked with in a comparison."""
    return c.direction if problem.kind == "jvp" or is_second(problem) else c.cotangent


def name(slot: Slot) -> str:
    """Name a leaf of x."""
    return f"argument {slot.argument}{slot.path}"


def names(slots: Sequence[Slot]) -> str:
    """Name several leaves of x."""
    *others, last = map(name, slots)
    return f"{', '.join(others)} and {last}" if others else last


def _gradient_of(slot: Slot) -> str:
    return f"the gradient of {name(slot)}"


def _argument_of_the_jacobian(slot: Slot) -> str:
    return f"{name(slot)} in the Jacobian"


def _of_the_jvp(slot: Slot) -> str:
    return f"the jvp{slot.path}"


def _output_of_the_jacobian(slot: Slot) -> str:
    return f"f's output{slot.path} in the Jacobian"


def _of_the_hessian(problem: Problem) -> Callable[[Slot], str]:
    what = "the Hessian" if problem.kind == "hess" else "the hvp"
    several = len(problem.inputs.layout.slots) > 1
    return lambda slot: f"{what} in {name(slot)}" if several else what
