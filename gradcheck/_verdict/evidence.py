"""Comparisons of the claim with f along directions: those made so far, and how to make more of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gradcheck._case.domain import Array
from gradcheck._claim.compare import (
    GOAL,
    Comparison,
    Made,
    closer,
    confirm,
    judged,
    sharper,
)
from gradcheck._claim.conduct import Witnessed
from gradcheck._claim.problem import Problem
from gradcheck._claim.resolution import numerical_resolution, resolution
from gradcheck._claim.ties import TOGETHER
from gradcheck._claim.tolerance import Tolerance
from gradcheck._diagnosis.locate import Located
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.search import Goal, first_glance, glance, outgrown
from gradcheck._estimate.singular import Found
from gradcheck._verdict.accusation import accusation
from gradcheck._verdict.course import DIRECTIONS, Course
from gradcheck._verdict.draws import Draws, without_arrays
from gradcheck._verdict.endings import Verdict
from gradcheck._verdict.settings import Settings

FEWEST_DIRECTIONS = 2  # an accusation needs as many
USUAL_DIRECTIONS = 4  # whose error bars, at the goal, see `_FINE_RESOLUTION` of a matrix
_FINE_RESOLUTION = 3e-4  # one more direction is not worth its cost
_PLAINLY = 100.0  # error bars: a change of f's slope that no noise explains
AT_KINKS = ("kink", TOGETHER)  # labels of what is judged by itself, without a second opinion
SMALL_OUTPUTS = "small outputs"


class Evidence:
    """The comparisons of one check.

    Parameters
    ----------
    problem : Problem
        f and the claim; begun before the first comparison.
    seed : int
        Of the directions.

    Attributes
    ----------
    tolerance : Tolerance
        What is forgiven of the claim, which is known once the problem has begun.
    comparisons : list of Comparison
        Those that count.
    draws : Draws
        Where directions come from.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self.tolerance = Tolerance(0.0)
        self.comparisons: list[Comparison] = []
        self.draws = Draws(problem, seed)
        self._problem = problem
        self._forgiven = 0.0  # by which part of its size a right formula that loses digits is off

    @property
    def random(self) -> list[Comparison]:
        """Those along random directions."""
        return [c for c in self.comparisons if c.label == "random"]

    @property
    def disagreeing(self) -> list[Comparison]:
        """Those that disagree."""
        return [c for c in self.comparisons if not c.agrees]

    def resolution(self) -> float:
        """Return the relative size of the smallest error that would have been seen."""
        return resolution(self._problem, self.random)

    def numerical_resolution(self) -> float:
        """Return the same if no error of the claim were tolerated."""
        return numerical_resolution(self._problem, self.random)

    # -- directions ------------------------------------------------------------------------------

    def try_usual(self, support: Array) -> None:
        """Compare along random directions: two to four, until they see enough, or three if one disagrees."""
        for _ in range(USUAL_DIRECTIONS):
            self.try_random(support)
            tried = len(self.random)
            if self.disagreeing:
                if tried >= DIRECTIONS:
                    return
            elif tried >= FEWEST_DIRECTIONS and self.resolution() <= _FINE_RESOLUTION:
                return

    def try_random(self, support: Array) -> None:
        """Compare along a random direction; once f is known to be smooth, a glance will do where the claim agrees."""
        before = self.random
        if not before or not all(c.agrees and c.found.reason == "smooth" for c in before):
            self.try_along("random", self.draws.direction(), support, GOAL, _glance)
            return
        # f's noise is the same along every direction, so is the size of a derivative, and so are the
        # steps that show f smooth
        noise = max(c.found.noise for c in before)
        finest = max(c.found.finest for c in before)
        goal = Goal(GOAL.rtol, atol=GOAL.rtol * min(c.scale for c in before))
        direction = self.draws.direction()
        self.try_along("random", direction, support, goal, lambda c: glance(c, goal, noise, finest))

    def try_along(
        self,
        label: str,
        direction: Made,
        support: Array,
        goal: Goal,
        look: Callable[[Component], Found | None],
    ) -> None:
        """Compare along the part of a direction that moves the entries of `support` alone."""
        tangent = self._problem.inputs.tangent
        part = None if support.all() else support.copy()  # which may shrink later

        def along() -> Array:
            d = direction()
            return tangent(d if part is None else d * part)

        d, across = along(), self.draws.cotangent()
        if d.any():
            c = confirm(self._problem, label, d, across(), self.tolerance, goal, look)
            self.comparisons.append(without_arrays(c, along, across))

    def try_outputs(
        self,
        direction: Made,
        cotangent: Made,
        rtol: float,
        goal: Goal,
        look: Callable[[Component], Found | None],
    ) -> None:
        """Compare some outputs, as roughly as `rtol`: a right claim may have been rounded where larger ones are made.

        A comparison that shows noise, which f may have from there too, says nothing and isn't kept.
        """
        tangent = self._problem.inputs.tangent

        def along() -> Array:
            return tangent(direction())

        tolerated = replace(self.tolerance, rtol=max(self.tolerance.rtol, rtol))
        c = confirm(self._problem, SMALL_OUTPUTS, along(), cotangent(), tolerated, goal, look)
        if c.agrees or c.found.reason == "smooth":
            self.comparisons.append(without_arrays(c, along, cotangent))

    # -- second looks ----------------------------------------------------------------------------

    def seek_confirmation(self, support: Array) -> None:
        """Look closer at slight disagreements; repeat a single one along fresh directions."""
        if not self.disagreeing:
            return
        self.comparisons = [
            closer(self._problem, c, self.tolerance) if c.slight else c for c in self.comparisons
        ]
        wrong = self.disagreeing
        if len(wrong) != 1 or wrong[0].label in AT_KINKS:
            return
        first = wrong[0]
        where = support if first.label == "random" else first.direction != 0
        for _ in range(2):
            direction = self.draws.direction()
            if first.label == SMALL_OUTPUTS:
                self.try_outputs(direction, lambda: first.cotangent, first.rtol, GOAL, _glance)
            else:
                self.try_along(first.label, direction, where, GOAL, _glance)
            if len(self.disagreeing) >= 2:
                return

    def sharpen(self, dull: Sequence[Comparison]) -> None:
        """Replace comparisons by those with steps as small as what is claimed asks for."""
        self._problem.noise = 0.0  # large steps may have shown far more than small ones have
        sharp = [self._sharper(c) for c in dull]
        others = [c for c in self.comparisons if not any(c is d for d in dull)]
        self.comparisons = [*others, *sharp]

    def _sharper(self, c: Comparison) -> Comparison:
        found = sharper(self._component(c), c)
        return c if found is None else self._judged_again(c, found)

    def _judged_again(self, c: Comparison, found: Found) -> Comparison:
        at = self._problem, c.label, c.direction, c.cotangent
        tolerance = replace(self.tolerance, rtol=c.rtol)
        return replace(judged(*at, found, tolerance), d=c.d, v=c.v)

    def _component(self, c: Comparison) -> Component:
        return Component(self._problem.line(c.direction, c.cotangent[None, :]), 0)

    def is_zero_in_doubt(self) -> bool:
        """Whether a claim is a zero only beside movements of f that have nothing to do with x."""
        c = next((c for c in self.random if c.may_be_zero), None)
        return c is not None and outgrown(self._component(c), c.found.size)

    # -- what it comes to ------------------------------------------------------------------------

    def forgive(self, wrong: Sequence[Comparison]) -> None:
        """Take what is off by the rounding of a right formula for agreement, here and from now on."""
        self.tolerance = replace(self.tolerance, loses_digits=True)
        self._forgiven = max(c.off / c.scale for c in wrong)
        self.comparisons = [self._judged_again(c, c.found) for c in self.comparisons]

    def notes_on_a_pass(self, witnessed: Witnessed) -> list[str]:
        """Say what was forgiven, and if the claim doesn't look at its argument.

        One that has the same numbers where f's slope is another is right at x, as a closure over x's own
        pullback is meant to be; but so is one that was computed once, or that reads another variable.
        """
        notes = []
        if self._forgiven:
            notes.append(
                f"the {self._problem.kind} loses digits: it is off by up to {self._forgiven:.1e} "
                "of its size, which is no more than the rounding of f's value explains, and scatters by as much "
                "when x moves a little"
            )
        bent = (c for c in self.random if 2 * abs(c.found.bend) > _PLAINLY * c.missed)
        c = next(bent, None)
        if c is not None and witnessed.repeats_itself(c.direction, c.found.step):
            notes.append(
                f"asked at another point, where f's slope differs, the {self._problem.kind} gives the very "
                "same numbers: it is right at x, but doesn't look at its argument"
            )
        return notes

    def accusation(self, known: Located | None = None) -> Verdict:
        """Return what the comparisons that disagree say of the claim."""
        self._problem.moved = None
        at = self._problem, self.comparisons, known
        return accusation(*at, tolerance=self.tolerance, resolution=self.resolution())


class FirstOrder(Course):
    """A check of first derivatives, whose evidence is comparisons along directions."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self.evidence = Evidence(problem, settings.seed)

    def comparisons(self) -> Sequence[Comparison]:
        """Return those that count."""
        return self.evidence.comparisons

    def question(self) -> Made:
        """Return what makes the cotangent (the direction, for a jvp) that the claim is asked twice."""
        return self.evidence.draws.question()

    def begin(self) -> Witnessed:
        """Evaluate f and the claim at x; return the claim's answer, to see whether it holds."""
        witnessed = super().begin()
        self.evidence.tolerance = Tolerance(self.rtol)
        return witnessed


def _glance(c: Component) -> Found | None:
    return first_glance(c, GOAL)
