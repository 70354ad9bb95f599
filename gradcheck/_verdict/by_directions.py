"""``mode="fast"``: random directions, kinks, small outputs and entries, at a price that doesn't grow with n.

The order is that of the cost.  Whatever disagrees must do so along a second, independent direction
before the claim is called wrong; then the entries behind it are located and the mistake is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import Comparison
from gradcheck._claim.kinks import Kinks, find_kinks, too_many_kinks
from gradcheck._claim.lost_digits import is_rounding
from gradcheck._claim.resolution import BARELY, is_one_number
from gradcheck._claim.sizes import disagreement_from_afar, unlike_sizes
from gradcheck._claim.ties import disagreement_of_ties
from gradcheck._report.report import Outcome
from gradcheck._verdict import endings
from gradcheck._verdict.course import COARSEST_RESOLUTION
from gradcheck._verdict.endings import Verdict
from gradcheck._verdict.evidence import AT_KINKS, FEWEST_DIRECTIONS, USUAL_DIRECTIONS, FirstOrder
from gradcheck._verdict.small import try_small_entries, try_small_outputs

_MOST_DIRECTIONS = 10  # a Jacobian in float32 takes nine
_MOST_TO_TOLERANCE = 18  # ten times a coarse one takes seventeen
# Times the claim's tolerance, which random directions can't come much closer to.
_TIMES, _TIMES_OF_MATRIX = 10.0, 100.0


class ByDirections(FirstOrder):
    """A check along random directions."""

    def verdict(self) -> Verdict:
        """Run the check."""
        problem, evidence = self.problem, self.evidence
        witnessed = self.begin()
        support = np.ones(problem.inputs.layout.size, dtype=bool)
        evidence.try_usual(support)
        kinks = self._set_kinks_aside(support)
        evidence.seek_confirmation(support)
        for try_small in (try_small_outputs, try_small_entries):
            if evidence.random and not evidence.disagreeing:
                try_small(problem, evidence)
                evidence.seek_confirmation(support)
        self.finish(witnessed)
        wrong = evidence.disagreeing
        if is_rounding(problem, wrong):
            evidence.forgive(wrong)
            wrong = evidence.disagreeing
        if len(wrong) >= 2 or any(c.label in AT_KINKS for c in wrong):
            del witnessed  # its arrays would be held all through the search
            return evidence.accusation()
        if wrong and not evidence.is_zero_in_doubt():
            return self._doubtful(wrong)
        verdict = self._agreed(support, kinks)
        if verdict.outcome is Outcome.PASS:
            self.notes += evidence.notes_on_a_pass(witnessed)
        return verdict

    def _set_kinks_aside(self, support: Array) -> Kinks:
        """Judge entries at a kink by their one-sided derivatives, and go on without them."""
        problem, evidence = self.problem, self.evidence
        at_kink = [c for c in evidence.comparisons if c.found.reason == "kink"]
        if not at_kink:
            return Kinks(())
        kinks = find_kinks(problem, at_kink[0], evidence.tolerance)
        for c in kinks.entries:
            support &= c.direction == 0
        for positions in kinks.crowds:
            support[positions] = False
        evidence.comparisons = list(kinks.entries)  # the directions so far moved these entries too
        evidence.try_usual(support)
        if not evidence.disagreeing:
            alone = [c.direction for c in kinks.entries if c.found.interval is not None]
            wrong = disagreement_of_ties(problem, alone, evidence.tolerance)
            evidence.comparisons += [] if wrong is None else [wrong]
        return kinks

    def _doubtful(self, wrong: Sequence[Comparison]) -> Verdict:
        tried = len(self.evidence.comparisons)
        return endings.doubtful(wrong, tried, self.evidence.resolution())

    def _agreed(self, support: Array, kinks: Kinks) -> Verdict:
        """Return the verdict where nothing disagrees so far."""
        if kinks.crowds:
            raise too_many_kinks()
        evidence, required = self.evidence, self.required
        seen = self._see(required, support)
        if isinstance(seen, Verdict):
            return seen
        if all(c.found.reason == "constant" for c in evidence.comparisons):
            return endings.constant(evidence.comparisons, seen)
        random = evidence.random
        if all(c.found.vanishes for c in random):
            required = max(required, BARELY)
        blunt = seen > required and evidence.numerical_resolution() > required
        if blunt and support.any():
            if self.problem.calls.error:
                self.notes.append(f"f at one of the probes: {self.problem.calls.error}")
            worst = max(random, key=lambda c: c.found.radius)
            return endings.unresolved(worst, seen)
        afar = self._differs_from_afar(random)
        if afar is not None:
            return endings.different_from_afar(afar)
        return endings.agreement(len(random), len(kinks.entries), seen)

    def _differs_from_afar(self, random: Sequence[Comparison]) -> Comparison | None:
        """Look at tiny entries of x with steps as large as the others, and say in a note that they are tiny."""
        unlike = unlike_sizes(self.problem)
        if not unlike or not random:
            return None
        self.notes.append(unlike)
        noise = max(c.found.noise for c in random)
        cotangent, evidence = random[0].cotangent, self.evidence
        at = self.problem, cotangent, evidence.tolerance
        afar = disagreement_from_afar(*at, noise, evidence.draws.rng)
        if afar is not None:
            evidence.comparisons.append(afar)
        return afar

    def _see(self, required: float, support: Array) -> Verdict | float:
        """Sharpen comparisons and add directions until they see enough.

        Return the resolution that they reach, or how that ends if one disagrees.
        """
        evidence = self.evidence
        sharpened = evidence.is_zero_in_doubt()
        if sharpened:
            evidence.sharpen(evidence.random)
        usable = support.any() and any(c.resolved for c in evidence.random)
        seen = evidence.resolution()
        for _ in range(_MOST_TO_TOLERANCE if usable else 0):
            wrong = evidence.disagreeing
            # of what was sharpened there is no closer look
            if sum(not c.slight for c in wrong) >= FEWEST_DIRECTIONS:
                return evidence.accusation()
            blunt = seen > required and evidence.numerical_resolution() > required
            enough = not (blunt or wrong) and seen <= self._tolerated
            if blunt and not sharpened:
                evidence.sharpen(evidence.random)
                sharpened = True
            elif enough or len(evidence.random) >= self._most_directions(blunt):
                break
            else:
                evidence.try_random(support)
                if sharpened:
                    evidence.sharpen(evidence.random[-1:])
                else:
                    evidence.seek_confirmation(support)
            seen = evidence.resolution()
        wrong = evidence.disagreeing
        return self._doubtful(wrong) if wrong else seen

    def _most_directions(self, blunt: bool) -> int:
        if is_one_number(self.problem):
            return USUAL_DIRECTIONS  # they differ in nothing but their steps
        return _MOST_DIRECTIONS if blunt else _MOST_TO_TOLERANCE

    @property
    def _tolerated(self) -> float:
        """The error that a pass must have been able to see."""
        times = _TIMES if self.problem.outputs.size == 1 else _TIMES_OF_MATRIX
        return max(COARSEST_RESOLUTION, times * self.rtol)
