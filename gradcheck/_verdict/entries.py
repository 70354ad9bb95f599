"""Every entry of a derivative by itself: ``mode="full"``, at the price of bare central differences.

1. *A direction.*  One random signed direction says how noisy f is, and how fast a slope's truncation
   grows with the step, C·h² for each output (`_claim.outset`).
2. *Pairs.*  Every input gets one pair of evaluations at x ± h·sᵢ·eᵢ.  Its radius is the rounding of
   f's values over h, plus 64·C·h²; the step makes the second a small part of the first.  The exact
   length of every step is drawn.
   Inputs that no output is said to depend on are moved once more, far and all together; where that
   shows something, one by one.
3. *Searches.*  A pair settles an entry if claim and pair agree within the radius (plus the tolerated
   error of the claim), if it doesn't bend as at a kink, and if twice the radius is as small a part of
   the entry as was asked for.  Every other entry is searched on the whole ladder, as in
   `gradcheck.differentiate`, and what that says counts.  So no entry is ever called wrong by a pair.
   Where the direction disagrees and no entry turns out wrong, the entries whose pairs are furthest
   off are searched too, and if they are right all are.

What a pass is worth. The resolution is the largest error of an entry that can agree, relative to
its size, as it is for searched entries: what is allowed, and the radius once more. The radius of a
pair is a plausible one: a third derivative of one entry alone that is more than 64 times what the
random direction saw, where all entries moved, would break it. Such an f does no harm to a right
claim, which then disagrees and is searched. It lets a claim pass that is wrong by e, much more than
the radius a, only if the truncation error makes up for e to within a; since h² is uniform over half
of the range below its largest value, the chance of that accident is at most 4a/(e − a). And assumed
is what every difference assumes: that f has no structure finer than the step which no bend shows.
(A kink closer to x than the step counts as at x: a claim between its slopes is right.)

With several workers threads evaluate blocks of pairs, and later search columns.  Of what they share
only the count of calls is written by all of them, under a lock: a block returns its values, and a
column counts on a counter of its own, which is added up in order afterwards.  Threads ask no other
oracle than differences; where one could help it is asked after them, from the same evaluations.  So
neither outcome, values nor counts depend on the number of workers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gradcheck._claim.columns import Columns
from gradcheck._claim.finding import undecided
from gradcheck._claim.outset import PROBE_STEP, Outset, look_along_one_direction
from gradcheck._claim.pairs import draw_steps, evaluate_along, evaluate_pairs
from gradcheck._claim.problem import Problem
from gradcheck._claim.seen import Mask, Seen, Yardstick
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.batch import Batched
from gradcheck._estimate.directions import signed
from gradcheck._estimate.ladder import SIGMAS
from gradcheck._estimate.line import Values
from gradcheck._estimate.scatter import NOISE_CONFIDENCE
from gradcheck._report.report import Reason
from gradcheck._verdict.course import COARSEST_RESOLUTION
from gradcheck._verdict.searches import EntryResult, Searches

_FINEST_STEP, _COARSEST_STEP = 2.0**-22, 2.0**-7
_GROWTH_SAFETY = 64.0
_TRUNCATION_SHARE = 4.0  # of a pair's radius, rounding is this many times the truncation
_FAR_STEP = 0.5
_BENT = 2.0**-8  # a bend of this part of a slope may be a kink's
_SUSPECTS = 64  # entries that are searched first where a direction disagrees and no pair does
# Where pairs are plainly off, times what is allowed, in more entries than a search is worth in each,
# so many are searched; if half of them are wrong that will do.
_PLAINLY, _MANY, _FOREMOST = 4.0, 256, 128


def compare_every_entry(
    problem: Problem,
    tolerance: Tolerance,
    workers: int,
    *,
    rng: np.random.Generator,
    required: float = COARSEST_RESOLUTION,
    batch: Batched | None = None,
) -> EntryResult:
    """Compare the claimed Jacobian with the numerical one, entry by entry.

    Parameters
    ----------
    problem : Problem
        f and the claim, begun.
    tolerance : Tolerance
        What is forgiven of the claim.
    workers : int
        Threads.
    rng : Generator
        Draws directions and steps.
    required : float, optional
        The resolution that the numerical side must reach, as in `Course`.
    batch : Batched, optional
        f over a leading batch axis, where it takes one; `problem` then has ``batch.one`` for f.

    Raises
    ------
    Violation
        If the claim is finite, but not times x.
    """
    columns = Columns(problem)
    if not np.isfinite(columns.claimed).all():
        raise undecided(
            Reason.DOMAIN, f"what the {problem.kind} claims overflows where x moves by its size"
        )
    yardstick = Yardstick(problem, columns.claimed, min(required, COARSEST_RESOLUTION), tolerance)
    outset = look_along_one_direction(problem, columns, tolerance, rng, batch)
    batch = batch if outset.roomy else None  # else it wasn't looked at
    return _Entries(problem, columns, yardstick, outset, tolerance, rng, workers, batch).compare()


@dataclass(frozen=True, slots=True)
class _Settled:
    """What pairs of steps say of the entries.

    Parameters
    ----------
    settled : ndarray of bool
        Those that need no search.
    seen : Seen
        What would have been seen in these.
    missed : ndarray of float64
        How much a claim may be wrong and agree with a pair; inf where it doesn't.
    excess : ndarray of float64
        How far the claim is off, in units of what is allowed; zero where there is no pair.
    """

    settled: Mask
    seen: Seen
    missed: Values
    excess: Values


@dataclass(frozen=True, slots=True)
class _Entries:
    """One comparison under way, after the look along a random direction."""

    problem: Problem
    columns: Columns
    yardstick: Yardstick
    outset: Outset
    tolerance: Tolerance
    rng: np.random.Generator
    workers: int
    batch: Batched | None

    def compare(self) -> EntryResult:
        """Evaluate pairs, and search what they don't settle."""
        pairs, direction = self._by_pairs(), self.outset.comparison
        searches = Searches(
            problem=self.problem,
            columns=self.columns,
            yardstick=self.yardstick,
            rtol=self.tolerance.rtol,
            workers=self.workers,
            noise=self._noise(),
            missed_by_pairs=pairs.missed,
        )
        if np.count_nonzero(~pairs.settled & (pairs.excess > _PLAINLY)) > _MANY:
            foremost = _largest(np.where(pairs.settled, 0.0, pairs.excess), _FOREMOST)
            result = searches.result(foremost, pairs.seen, direction)
            if len(result.wrong) >= _FOREMOST / 2:
                return replace(result, complete=False)
        result = searches.result(~pairs.settled, pairs.seen, direction)
        at_a_kink = result.at_kinks and direction.found.interval is not None
        if result.wrong or direction.agrees or at_a_kink:
            return result
        # the claim is wrong by less than pairs see
        result = searches.result(_largest(pairs.excess, _SUSPECTS), pairs.seen, direction)
        if result.wrong:
            return result
        return searches.result(np.full_like(pairs.settled, True), Seen(), direction)

    def _noise(self) -> float:
        """Return f's noise, which is the same whichever entry moves, even where that shows little of it."""
        noise, comparison = self.outset.noise, self.outset.comparison
        if noise.size == 1 and np.isfinite(noise[0]) and comparison.resolved:
            return comparison.found.noise_at_point / NOISE_CONFIDENCE
        return 0.0

    def _by_pairs(self) -> _Settled:
        """Evaluate a pair for every input, and compare the claim with its slope."""
        columns, noise = self.columns, self.outset.noise
        step = self._steps()
        pairs = evaluate_pairs(self.problem, columns.sizes, step, self.workers, self.batch)
        claimed, eps = self.yardstick.size, self.problem.arithmetic.inputs.layout.eps
        rounding = SIGMAS / math.sqrt(2) * noise[:, None] / step
        radius = rounding + _GROWTH_SAFETY * self.outset.growth[:, None] * step**2
        radius += eps / step * claimed  # x ± h·s is rounded
        allowed = radius + self.tolerance.rtol * claimed + self.yardstick.rounding
        off, missed = np.abs(pairs.slope - columns.claimed), allowed + radius
        settled = off <= allowed
        missed_by_pairs = np.where(settled, missed, math.inf)
        typical = self.yardstick.norm / math.sqrt(claimed.shape[1])
        settled &= np.abs(pairs.bend) <= 2 * rounding + _BENT * np.maximum(claimed, typical)
        settled &= self.yardstick.shows(radius)
        settled &= ~self._moves_further_off(settled)
        seen = self.yardstick.seen_by_pairs(settled, radius, missed)
        return _Settled(settled, seen, missed_by_pairs, np.nan_to_num(off / allowed))

    def _moves_further_off(self, settled: Mask) -> Mask:
        """Whether inputs that no output is said to depend on move f at steps as large as they are.

        They are moved all at once, and one by one if that shows something.
        """
        problem, columns = self.problem, self.columns
        idle = ~columns.claimed.any(axis=0)
        if idle.any():
            idle &= settled.all(axis=0)
        if not idle.any() or not columns.free:
            return np.asarray(idle)
        rounding = SIGMAS * math.sqrt(2) * self.outset.noise
        d = np.where(idle, columns.sizes * signed(self.rng, columns.sizes.shape), 0.0)
        ups, downs = evaluate_along(problem, d, (_FAR_STEP,), self.batch)
        if (np.abs(ups - downs) <= rounding).all():
            return np.zeros_like(settled)
        step = np.where(idle, _FAR_STEP, math.nan)
        pairs = evaluate_pairs(problem, columns.sizes, step, self.workers, self.batch)
        return np.asarray(idle & ~(np.abs(pairs.slope) <= rounding[:, None] / (2 * _FAR_STEP)))

    def _steps(self) -> Values:
        """Draw a step for each input; NaN where a pair would leave the domain, or isn't worth it."""
        n = self.columns.sizes.size
        if n == 1:
            return np.full(1, math.nan)
        bound = _GROWTH_SAFETY * _TRUNCATION_SHARE * self.outset.growth
        best = np.cbrt(SIGMAS / math.sqrt(2) * self.outset.noise / bound)
        known = sorted(t for t in best.tolist() if math.isfinite(t))
        usual = known[len(known) // 2] if known else PROBE_STEP
        usual = min(max(usual, _FINEST_STEP), _COARSEST_STEP)
        step = draw_steps(self.rng, n, 2.0 ** math.ceil(math.log2(usual)))
        return np.where(2 * step < self.columns.reach, step, math.nan)


def _largest(a: Values, count: int) -> Mask:
    """Say which entries are among the `count` largest, or tie with the last of them."""
    return np.asarray(a >= np.sort(a, axis=None)[-count:][0])
