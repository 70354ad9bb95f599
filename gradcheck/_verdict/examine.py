"""One check from start to end: conduct, random directions, kinks, small outputs and entries, verdict.

The order is that of the cost.  Whatever disagrees must do so along a second, independent direction
before the claim is called wrong; then the entries behind it are located and the mistake is named.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck._case.case import ClaimKind
from gradcheck._case.domain import Array
from gradcheck._case.inputs import Inputs
from gradcheck._case.steps import down_to_power_of_two
from gradcheck._claim.compare import (
    GOAL,
    SMALL,
    Comparison,
    Made,
    claim_eps,
    claim_rounding,
    claim_rtol,
    claimed_terms,
    closer,
    confirm,
    judged,
    norm,
    sharper,
)
from gradcheck._claim.conduct import (
    Witnessed,
    claim_is_linear,
    function_is_usable,
    looked_at_in_float64,
    must_suit_output,
    overlooked,
)
from gradcheck._claim.kinks import find_kinks, too_many_kinks
from gradcheck._claim.lost_digits import is_rounding
from gradcheck._claim.problem import Problem, Violation
from gradcheck._claim.resolution import BARELY, is_one_number, numerical_resolution, resolution
from gradcheck._claim.settings import Settings
from gradcheck._claim.sizes import disagreement_from_afar, unlike_sizes
from gradcheck._claim.ties import TOGETHER, disagreement_of_ties
from gradcheck._diagnosis.locate import Located
from gradcheck._estimate.directions import MISS_PROBABILITY
from gradcheck._estimate.ladder import NOISE_CONFIDENCE, Component
from gradcheck._estimate.line import quiet
from gradcheck._estimate.search import Goal, first_glance, glance, one_pair, outgrown
from gradcheck._estimate.singular import Found
from gradcheck._report.report import Outcome, Report
from gradcheck._verdict import endings
from gradcheck._verdict.accusation import accusation
from gradcheck._verdict.draws import Draws, without_arrays
from gradcheck._verdict.endings import Verdict
from gradcheck._verdict.entries import EntryResult, compare_every_entry

DIRECTIONS = 3
_FEWEST_DIRECTIONS = 2  # an accusation needs as many
_USUAL_DIRECTIONS = 4  # whose error bars, at the goal, see `_FINE_RESOLUTION` of a matrix
_MOST_DIRECTIONS = 10  # a Jacobian in float32 takes nine
_MOST_TO_TOLERANCE = 18  # ten times a coarse one takes seventeen
_FINE_RESOLUTION = 3e-4  # one more direction is not worth its cost
# Times the claim's tolerance, which random directions can't come much closer to.
_TIMES, _TIMES_OF_MATRIX = 10.0, 100.0
COARSEST_RESOLUTION = 1e-2  # a pass that couldn't have seen an error of this size isn't one
_PLAINLY = 100.0  # error bars: a change of f's slope that no noise explains

# Of entries beside which f may move by little more than its rounding, as much as is easily had: of
# how they move f, or of what they claim.
_ROUGHLY = 1e-4
_VERY_ROUGHLY = 1e-2
_SMALL_OUTPUTS = "small outputs"
_AT_KINKS = ("kink", TOGETHER)  # judged by themselves, without a second opinion
_NOTHING = 1024.0  # ulps of its value, by which an output moves that a right claim is sure of
_LEAST_UNIT = 1e-280  # its reciprocal and products with it are far from float64's ends


def examine(
    f: Callable[..., Any],
    inputs: Inputs,
    kind: ClaimKind,
    claim: Callable[..., Any],
    *,
    bare: bool,
    settings: Settings,
    every_entry: bool,
) -> Report:
    """Run one check and report."""
    examination = Examination(Problem(f, inputs, kind, claim, bare=bare), settings)
    return examination.entry_by_entry() if every_entry else examination.by_directions()


def _glance(c: Component) -> Found | None:
    return first_glance(c, GOAL)


class Examination:
    """A check under way: the problem, its source of randomness, and the comparisons made so far."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self._problem = problem
        self._settings = settings
        self._draws = Draws(problem, settings.seed)
        self._comparisons: list[Comparison] = []
        self._notes: list[str] = []
        self._rtol = 0.0
        self._miss_probability = MISS_PROBABILITY
        self._forgiven = 0.0  # by which part of its size a right formula that loses digits is off
        self._crowded = False  # whether entries at kinks were left out

    # -- the two modes ---------------------------------------------------------------------------

    def by_directions(self) -> Report:
        """Check along random directions."""
        return self._guarded(self._fast_verdict)

    def entry_by_entry(self) -> Report:
        """Check every entry of the derivative."""
        self._miss_probability = math.nan  # it isn't left to chance which entries are seen
        return self._guarded(self._full_verdict)

    def _guarded(self, verdict: Callable[[], Verdict]) -> Report:
        try:
            with quiet():
                return self._report(verdict())
        except Violation as finding:
            ended = Verdict(finding.outcome, finding.reason, finding.message)
            return self._report(replace(ended, diagnosis=finding.diagnosis))

    def _begin(self) -> Witnessed:
        problem = self._problem
        problem.begin()
        note = function_is_usable(problem)
        if note:
            self._notes.append(note)
        self._notes += looked_at_in_float64(problem)
        must_suit_output(problem)
        self._rtol = claim_rtol(problem, self._settings.rtol)
        draws = self._draws
        witnessed = Witnessed(
            problem, draws.tangent() if problem.kind == "jvp" else draws.cotangent()
        )
        self._notes += overlooked(problem)
        return witnessed

    def _finish(self, witnessed: Witnessed) -> None:
        """Check the claim's conduct, now that f has been evaluated elsewhere."""
        witnessed.still_holds()
        claim_is_linear(self._problem)

    def _passing(self, verdict: Verdict, witnessed: Witnessed) -> Verdict:
        """Return a verdict; of a pass say what was forgiven, and if the claim doesn't look at its argument.

        One that has the same numbers where f's slope is another is right at x, as a closure over x's own
        pullback is meant to be; but so is one that was computed once, or that reads another variable.
        """
        if verdict.outcome is not Outcome.PASS:
            return verdict
        if self._forgiven:
            self._notes.append(
                f"the {self._problem.kind} loses digits to cancellation: it is off by up to {self._forgiven:.1e} "
                "of its size, which is no more than the rounding of f's value explains, and scatters by as much "
                "when x moves a little"
            )
        bent = (c for c in self._random() if 2 * abs(c.found.bend) > _PLAINLY * c.missed)
        c = next(bent, None)
        if c is not None and witnessed.repeats_itself(c.direction, c.found.step):
            self._notes.append(
                f"asked at another point, where f's slope differs, the {self._problem.kind} gives the very "
                "same numbers: it is right at x, but doesn't look at its argument"
            )
        return verdict

    def _full_verdict(self) -> Verdict:
        problem = self._problem
        witnessed = self._begin()
        result = self._every_entry()
        self._finish(witnessed)
        entries = (c for c in self._disagreeing() if c.label != "random")
        lost = [c for c in entries if is_rounding(problem, [c])]
        if lost:
            self._forgive(lost)
            result = self._every_entry()
        if result.wrong:
            for _ in range(DIRECTIONS - 1):  # a name for the mistake needs several directions
                self._try_random(np.ones(problem.inputs.layout.size, dtype=bool))
            known = Located(result.wrong, result.complete)
            return replace(self._failed(known), resolution=result.resolution)
        if result.at_kinks:  # the random direction moved them all, which says nothing by itself
            self._comparisons = [c for c in self._comparisons if c.found.interval is None]
            self._try_kinks_together(result.at_kinks)
            if any(c.label == TOGETHER for c in self._comparisons):
                return self._failed()
        if result.unresolved:
            return endings.unresolved_entries(
                result.unresolved, result.total, result.why, result.resolution
            )
        along = result.columns[0].found
        if not result.searched and (along.reason == "constant" or along.scale == 0):
            return endings.constant(result.columns, result.resolution)
        return self._passing(endings.agreement_in_every_entry(result), witnessed)

    def _every_entry(self) -> EntryResult:
        result = compare_every_entry(
            self._problem,
            self._rtol,
            self._settings.workers,
            rng=self._draws.rng,
            required=self._required,
            batch=self._settings.batch,
        )
        self._comparisons = list(result.columns)
        return result

    def _fast_verdict(self) -> Verdict:
        witnessed = self._begin()
        support = np.ones(self._problem.inputs.layout.size, dtype=bool)
        self._try_directions(support)
        kinks = self._set_kinks_aside(support)
        self._seek_confirmation(support)
        for probe in (self._try_small_outputs, self._try_small_entries):
            if self._random() and not self._disagreeing():
                probe()
                self._seek_confirmation(support)
        self._finish(witnessed)
        wrong = self._disagreeing()
        if is_rounding(self._problem, wrong):
            self._forgive(wrong)
            self._comparisons = [self._judged_again(c) for c in self._comparisons]
            wrong = self._disagreeing()
        if len(wrong) >= 2 or any(c.label in _AT_KINKS for c in wrong):
            del witnessed  # its arrays would be held all through the search
            return self._failed()
        if wrong and not self._is_zero_in_doubt():
            return self._marginal(wrong)
        return self._passing(self._agreed(support, len(kinks)), witnessed)

    # -- directions ------------------------------------------------------------------------------

    def _try_directions(self, support: Array) -> None:
        """Compare along random directions: two to four, until they see enough, or three if one disagrees."""
        for _ in range(_USUAL_DIRECTIONS):
            self._try_random(support)
            tried = len(self._random())
            if self._disagreeing():
                if tried >= DIRECTIONS:
                    return
            elif tried >= _FEWEST_DIRECTIONS and self._resolution() <= _FINE_RESOLUTION:
                return

    def _try_random(self, support: Array) -> None:
        """Compare along a random direction; once f is known to be smooth, a glance will do where the claim agrees."""
        before = self._random()
        if not before or not all(c.agrees and c.found.reason == "smooth" for c in before):
            self._try("random", self._draws.direction(), support, GOAL, _glance)
            return
        # f's noise is the same along every direction, so is the size of a derivative, and so are the
        # steps that show f smooth
        noise = max(c.found.noise for c in before)
        finest = max(c.found.finest for c in before)
        goal = Goal(GOAL.rtol, atol=GOAL.rtol * min(c.scale for c in before))
        direction = self._draws.direction()
        self._try("random", direction, support, goal, lambda c: glance(c, goal, noise, finest))

    def _try(
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

        d, across = along(), self._draws.cotangent()
        if np.count_nonzero(d):
            c = confirm(self._problem, label, d, across(), self._rtol, goal, look)
            self._comparisons.append(without_arrays(c, along, across))

    def _disagreeing(self) -> list[Comparison]:
        return [c for c in self._comparisons if not c.agrees]

    def _seek_confirmation(self, support: Array) -> None:
        """Look closer at slight disagreements; repeat a single one along fresh directions."""
        if not self._disagreeing():
            return
        self._comparisons = [closer(self._problem, c) if c.slight else c for c in self._comparisons]
        wrong = self._disagreeing()
        if len(wrong) != 1 or wrong[0].label in _AT_KINKS:
            return
        first = wrong[0]
        where = support if first.label == "random" else first.direction != 0
        for _ in range(2):
            if first.label == _SMALL_OUTPUTS:
                direction = self._draws.direction()
                self._ask_outputs(direction, lambda: first.cotangent, GOAL, _glance)
            else:
                self._try(first.label, self._draws.direction(), where, GOAL, _glance)
            if len(self._disagreeing()) >= 2:
                return

    def _component(self, direction: Array, cotangent: Array) -> Component:
        return Component(self._problem.line(direction, cotangent[None, :]), 0)

    def _sharper(self, c: Comparison) -> Comparison:
        """Compare along the same direction again, with steps as small as they have to be for what is claimed."""
        d, v = c.direction, c.cotangent
        found = sharper(self._component(d, v), c)
        if found is None:
            return c
        return replace(judged(self._problem, c.label, d, v, found, c.rtol), d=c.d, v=c.v)

    def _judged_again(self, c: Comparison) -> Comparison:
        at = self._problem, c.label, c.direction, c.cotangent
        return replace(judged(*at, c.found, c.rtol), d=c.d, v=c.v)

    def _forgive(self, wrong: Sequence[Comparison]) -> None:
        """Take what is off by the rounding of a right formula for agreement from now on."""
        self._problem.loses_digits = True
        self._forgiven = max(c.off / c.scale for c in wrong)

    def _set_kinks_aside(self, support: Array) -> Sequence[Comparison]:
        """Judge entries at a kink by their one-sided derivatives, and go on without them."""
        at_kink = [c for c in self._comparisons if c.found.reason == "kink"]
        if not at_kink:
            return ()
        kinks = find_kinks(self._problem, at_kink[0], self._rtol)
        for c in kinks.entries:
            support &= c.direction == 0
        for positions in kinks.crowds:
            support[positions] = False
        self._comparisons = list(kinks.entries)  # the directions so far moved these entries too
        self._try_directions(support)
        self._crowded = bool(kinks.crowds)
        alone = [c.direction for c in kinks.entries if c.found.interval is not None]
        self._try_kinks_together(alone)
        return kinks.entries

    def _try_kinks_together(self, kinks: Sequence[Array]) -> None:
        if not self._disagreeing():
            wrong = disagreement_of_ties(self._problem, kinks, self._rtol)
            self._comparisons += [] if wrong is None else [wrong]

    def _try_small_outputs(self) -> None:
        """Probe outputs that move too little to be seen beside the others, each in a unit of its own."""
        moved, eps = self._problem.moved, self._problem.arithmetic.eps
        self._problem.moved = None
        if moved is None or not moved.size or claim_eps(self._problem) > eps:
            return  # the claim is rounded more coarsely than the numerical side can show
        rounding = _NOTHING * eps * np.abs(self._problem.arithmetic.value)
        small = moved < SMALL * (norm(moved) / math.sqrt(moved.size))
        small &= moved > np.maximum(rounding, _LEAST_UNIT)
        if not small.any():
            return
        first = self._random()[0]
        unit, drawn = down_to_power_of_two(moved[small]), self._draws.cotangent()
        del moved, rounding

        def cotangent() -> Array:
            v = np.where(small, drawn(), 0.0)
            v[small] /= unit
            return v

        size = norm(claimed_terms(self._problem, first.direction, cotangent()))
        goal = Goal(_ROUGHLY, atol=_VERY_ROUGHLY * size)
        self._ask_outputs(
            lambda: first.direction, cotangent, goal, lambda c: one_pair(c, goal.atol, noise=0.0)
        )

    def _ask_outputs(
        self,
        direction: Made,
        cotangent: Made,
        goal: Goal,
        look: Callable[[Component], Found | None],
    ) -> None:
        """Compare some outputs, to 1 %: a right claim may have been rounded where the larger ones are made.

        A comparison that shows noise, which f may have from there too, says nothing and isn't kept.
        """
        tangent = self._problem.inputs.tangent

        def along() -> Array:
            return tangent(direction())

        rtol = max(self._rtol, _VERY_ROUGHLY)
        c = confirm(self._problem, _SMALL_OUTPUTS, along(), cotangent(), rtol, goal, look)
        if c.agrees or c.found.reason == "smooth":
            self._comparisons.append(without_arrays(c, along, cotangent))

    def _try_small_entries(self) -> None:
        """Probe entries by themselves that claim next to nothing of a direction, too little to be seen in it."""
        if self._problem.kind == "jvp":
            return
        # f's noise is the same whichever entries move: what the random directions showed of it holds
        # here too, and along those to come
        random = self._random()
        at_x = statistics.median([c.found.noise_at_point for c in random])
        self._problem.noise = at_x / NOISE_CONFIDENCE
        scale = max([c.scale for c in random])
        self._problem.claim_rounding = claim_rounding(self._problem, scale)
        first = random[0]
        d = first.direction
        share = claimed_terms(self._problem, d, first.cotangent)
        np.abs(share, out=share)
        small = share < SMALL * (first.scale / math.sqrt(share.size))
        if not small.any():
            return
        small &= d != 0
        share *= small
        noise = max([c.found.noise for c in random])
        goal = Goal(_ROUGHLY, atol=_VERY_ROUGHLY * norm(share))
        del share, d
        self._try(
            "small entries",
            lambda: first.direction,
            small,
            goal,
            lambda c: one_pair(c, goal.atol, noise),
        )

    # -- the verdict -----------------------------------------------------------------------------

    def _failed(self, known: Located | None = None) -> Verdict:
        self._problem.moved = None
        at = self._problem, self._comparisons, known
        return accusation(*at, rtol=self._rtol, resolution=self._resolution())

    def _marginal(self, wrong: Sequence[Comparison]) -> Verdict:
        return endings.doubtful(wrong, len(self._comparisons), self._resolution())

    def _agreed(self, support: Array, kinks: int) -> Verdict:
        if self._crowded:
            raise too_many_kinks()
        required = self._required
        seen = self._see(required, support)
        if isinstance(seen, Verdict):
            return seen
        if all(c.found.reason == "constant" for c in self._comparisons):
            return endings.constant(self._comparisons, seen)
        random = self._random()
        if all(c.found.vanishes for c in random):
            required = max(required, BARELY)
        blunt = seen > required and self._numerical_resolution() > required
        if blunt and support.any():
            if self._problem.calls.error:
                self._notes.append(f"f at one of the probes: {self._problem.calls.error}")
            worst = max(random, key=lambda c: c.found.radius)
            return endings.unresolved(worst, seen)
        unlike = unlike_sizes(self._problem)
        if unlike and random:
            self._notes.append(unlike)
            noise = max(c.found.noise for c in random)
            afar = disagreement_from_afar(
                self._problem, random[0].cotangent, self._rtol, noise, self._draws.rng
            )
            if afar is not None:
                self._comparisons.append(afar)
                return endings.different_from_afar(afar)
        return endings.agreement(len(random), kinks, seen)

    def _see(self, required: float, support: Array) -> Verdict | float:
        """Sharpen comparisons and add directions until they see enough.

        Return the resolution that they reach, or how that ends if one disagrees.
        """
        sharpened = self._is_zero_in_doubt()
        if sharpened:
            self._sharpen(self._random())
        usable = support.any() and any(c.resolved for c in self._random())
        seen = self._resolution()
        for _ in range(_MOST_TO_TOLERANCE if usable else 0):
            wrong = self._disagreeing()
            # of what was sharpened there is no closer look
            if sum(not c.slight for c in wrong) >= _FEWEST_DIRECTIONS:
                return self._failed()
            blunt = seen > required and self._numerical_resolution() > required
            enough = not (blunt or wrong) and seen <= self._tolerated
            most = self._most_directions(blunt)
            if blunt and not sharpened:
                self._sharpen(self._random())
                sharpened = True
            elif enough or len(self._random()) >= most:
                break
            else:
                self._try_random(support)
                if sharpened:
                    self._sharpen(self._random()[-1:])
                else:
                    self._seek_confirmation(support)
            seen = self._resolution()
        wrong = self._disagreeing()
        return self._marginal(wrong) if wrong else seen

    def _most_directions(self, blunt: bool) -> int:
        if is_one_number(self._problem):
            return _USUAL_DIRECTIONS  # they differ in nothing but their steps
        return _MOST_DIRECTIONS if blunt else _MOST_TO_TOLERANCE

    @property
    def _tolerated(self) -> float:
        """The error that a pass must have been able to see."""
        times = _TIMES if self._problem.outputs.size == 1 else _TIMES_OF_MATRIX
        return max(COARSEST_RESOLUTION, times * self._rtol)

    @property
    def _required(self) -> float:
        """The error that the numerical side must be able to see."""
        chosen = self._settings.rtol
        return COARSEST_RESOLUTION if chosen is None else max(chosen, self._rtol)

    def _is_zero_in_doubt(self) -> bool:
        """Whether a claim is a zero only beside movements of f that have nothing to do with x."""
        c = next((c for c in self._random() if c.may_be_zero), None)
        return c is not None and outgrown(self._component(c.direction, c.cotangent), c.found.size)

    def _sharpen(self, dull: Sequence[Comparison]) -> None:
        """Replace comparisons by those with steps as small as what is claimed asks for."""
        self._problem.noise = 0.0  # large steps may have shown far more than small ones have
        sharp = [self._sharper(c) for c in dull]
        others = [c for c in self._comparisons if not any(c is d for d in dull)]
        self._comparisons = [*others, *sharp]

    def _random(self) -> list[Comparison]:
        return [c for c in self._comparisons if c.label == "random"]

    def _resolution(self) -> float:
        return resolution(self._problem, self._random())

    def _numerical_resolution(self) -> float:
        return numerical_resolution(self._problem, self._random())

    def _report(self, verdict: Verdict) -> Report:
        problem, settings = self._problem, self._settings
        return Report(
            outcome=verdict.outcome,
            reason=verdict.reason,
            message=verdict.message,
            name=settings.name,
            kind=problem.kind,
            evaluations=problem.calls.calls,
            claim_evaluations=problem.claim_calls.calls,
            resolution=verdict.resolution,
            miss_probability=self._miss_probability,
            rtol=self._rtol,
            seed=settings.seed,
            wrong_entries=verdict.wrong_entries,
            diagnosis=verdict.diagnosis,
            probes=tuple(c.probe() for c in self._comparisons),
            notes=tuple(self._notes),
        )
