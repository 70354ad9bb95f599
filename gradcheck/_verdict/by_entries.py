"""``mode="full"``: what the comparison of every entry comes to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gradcheck._claim.lost_digits import is_rounding
from gradcheck._claim.ties import disagreement_of_ties
from gradcheck._diagnosis.locate import Located
from gradcheck._verdict import endings
from gradcheck._verdict.course import DIRECTIONS
from gradcheck._verdict.endings import Verdict
from gradcheck._verdict.entries import compare_every_entry
from gradcheck._verdict.evidence import FirstOrder
from gradcheck._verdict.searches import EntryResult


class ByEntries(FirstOrder):
    """A check of every entry of a first derivative."""

    miss_probability = math.nan  # it isn't left to chance which entries are seen

    def verdict(self) -> Verdict:
        """Run the check."""
        problem, evidence = self.problem, self.evidence
        witnessed = self.begin()
        result = self._compared()
        self.finish(witnessed)
        entries = (c for c in evidence.disagreeing if c.label != "random")
        lost = [c for c in entries if is_rounding(problem, [c])]
        if lost:
            evidence.forgive(lost)
            result = self._compared()
        if result.wrong:
            return self._accusation(result)
        if result.at_kinks:  # the random direction moved them all, which says nothing by itself
            evidence.comparisons = [c for c in evidence.comparisons if c.found.interval is None]
            if not evidence.disagreeing:
                wrong = disagreement_of_ties(problem, result.at_kinks, evidence.tolerance)
                if wrong is not None:
                    evidence.comparisons.append(wrong)
                    return evidence.accusation()
        if result.unresolved:
            return endings.unresolved_entries(
                result.unresolved, result.total, result.why, result.resolution
            )
        along = result.columns[0].found
        if not result.searched and (along.reason == "constant" or along.scale == 0):
            return endings.constant(result.columns, result.resolution)
        self.notes += evidence.notes_on_a_pass(witnessed)
        return endings.agreement_in_every_entry(result)

    def _compared(self) -> EntryResult:
        settings = self.settings
        result = compare_every_entry(
            self.problem,
            self.evidence.tolerance,
            settings.workers,
            rng=self.evidence.draws.rng,
            required=self.required,
            batch=settings.batch,
        )
        self.evidence.comparisons = list(result.columns)
        return result

    def _accusation(self, result: EntryResult) -> Verdict:
        everything = np.ones(self.problem.inputs.layout.size, dtype=bool)
        for _ in range(DIRECTIONS - 1):  # a name for the mistake needs several directions
            self.evidence.try_random(everything)
        known = Located(result.wrong, result.complete)
        return replace(self.evidence.accusation(known), resolution=result.resolution)
