"""Every entry of a derivative by itself: ``mode="full"``, at the price of bare central differences.

1. *A direction.*  Two pairs of steps along one random signed direction say how fast a slope's
   truncation grows with the step, C·h² for each output, and whether claim and f agree there with
   no more noise than arithmetic has.  If they don't, the whole ladder is walked along it.
2. *Pairs.*  Every input gets one pair of evaluations at x ± h·sᵢ·eᵢ.  Its radius is the rounding of
   f's values over h, plus 64·C·h²; the step makes the second a small part of the first.  The exact
   length of every step is drawn.
   Inputs that no output is said to depend on are moved once more, far and all together; where that
   shows something, one by one.
3. *Searches.*  A pair settles an entry if claim and pair agree within the radius (plus the tolerated
   error of the claim), if it doesn't bend as at a kink, and if the radius is as small a part of the
   entry as was asked for.  Every other entry is searched on the whole ladder, as in
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
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.compare import (
    CLOSELY,
    GOAL,
    Comparison,
    judged,
    norm,
    sharper,
)
from gradcheck._claim.pairs import draw_steps, evaluate_along, evaluate_pairs
from gradcheck._claim.problem import Problem
from gradcheck._claim.seen import Mask, Seen, Yardstick
from gradcheck._estimate.batch import Batched
from gradcheck._estimate.directions import signed, unit_vector
from gradcheck._estimate.ladder import BASE, NOISE_CONFIDENCE, SIGMAS, Component
from gradcheck._estimate.line import Counter as Calls
from gradcheck._estimate.line import Line, Values
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import outgrown, search
from gradcheck._estimate.singular import Found
from gradcheck._estimate.together import Indices, first_look
from gradcheck._report.report import WrongEntry

_COARSEST = 1e-2  # an entry whose radius is larger than this part of its size isn't checked
_FINEST_STEP, _COARSEST_STEP = 2.0**-22, 2.0**-7
_PROBE_STEP = 2.0**-10  # an extrapolated slope has an error of h⁴, less than its rounding
_CHECK_STEP = 2.0**-17.3  # fine enough to see what coarse steps leap over
_EXTRAPOLATED = 2.0**-6  # part of a Richardson correction that its error may be
_GROWTH_SAFETY = 64.0
_TRUNCATION_SHARE = 4.0  # of a pair's radius, rounding is this many times the truncation
_FAR_STEP = 0.5
_BENT = 2.0**-8  # a bend of this part of a slope may be a kink's
_SUSPECTS = 64  # entries that are searched first where a direction disagrees and no pair does
# Where pairs are plainly off, times what is allowed, in more entries than a search is worth in each,
# so many are searched; if half of them are wrong that will do.
_PLAINLY, _MANY, _FOREMOST = 4.0, 256, 128
_AT_A_TIME = 256  # columns
_FURTHEST = 1000  # log₂ of the times that steps may be lengthened
_SHOWN = 8
_MOST_TOGETHER = 64  # entries at a kink that are looked at together


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What every entry said.

    Parameters
    ----------
    total, unresolved, kinks : int
        Entries in all, those lost in noise, and those at a kink.
    searched : int
        Entries that took more than a pair.
    resolution : float
        Largest part of an entry's size by which it could be wrong unseen; inf if some can't be told.
    hidden, beneath
        As in `Seen`.
    wrong : tuple of WrongEntry
        Worst first.
    columns : tuple of Comparison
        The random direction, and the most wrong entries, as evidence.
    why : str
        What most of the unresolved ones suffer from, in the estimator's words.
    at_kinks : tuple of ndarray
        The first inputs at which some output has a kink, each as a direction.
    complete : bool
        Whether all entries were looked at, and not only enough of those that are wrong.
    """

    total: int
    unresolved: int
    kinks: int
    searched: int
    resolution: float
    hidden: int
    beneath: float
    wrong: tuple[WrongEntry, ...]
    columns: tuple[Comparison, ...]
    why: str
    at_kinks: tuple[Array, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Scales:
    """What a random direction shows of every output, and the claim along it beside the numerical derivative."""

    noise: Values
    growth: Values
    comparison: Comparison


def compare_every_entry(
    problem: Problem,
    rtol: float,
    workers: int,
    *,
    rng: np.random.Generator | None = None,
    required: float = _COARSEST,
    batch: Batched | None = None,
) -> EntryResult:
    """Compare the claimed Jacobian with the numerical one, entry by entry.

    Parameters
    ----------
    problem : Problem
        f and the claim, begun.
    rtol : float
        Relative error of the claim that is tolerated.
    workers : int
        Threads.
    rng : Generator, optional
        Draws directions and steps.
    required : float
        The resolution that the numerical side must reach, as in `Examination`.
    batch : Batched, optional
        f over a leading batch axis, where it takes one; `problem` then has ``batch.one`` for f.
    """
    return _Entries(problem, rtol, min(required, _COARSEST), workers, rng, batch).compare()


class _Entries:
    """One comparison under way, in columns of sᵢ·eᵢ projected into the domain."""

    def __init__(
        self,
        problem: Problem,
        rtol: float,
        required: float,
        workers: int,
        rng: np.random.Generator | None,
        batch: Batched | None,
    ) -> None:
        self._problem = problem
        self._rtol = rtol
        self._workers = workers
        self._rng = np.random.default_rng(0) if rng is None else rng
        self._batch = batch
        self._noise = 0.0
        self._missed_by_pairs = np.full(0, math.inf)
        inputs = problem.arithmetic.inputs
        self._sizes = inputs.sizes
        self._free = inputs.tangent(self._sizes) is self._sizes  # no domain is declared
        self._jacobian = _claimed_jacobian(problem)
        self._claimed = self._jacobian * self._sizes
        self._moves = np.ones(self._sizes.size, dtype=bool)  # false where the domain holds an entry
        if not self._free:
            for i in range(self._sizes.size):
                d = self._along(i)
                self._moves[i] = d.any()
                self._claimed[:, i] = self._jacobian @ d
        self._yardstick = Yardstick(problem, self._claimed, required)

    def compare(self) -> EntryResult:
        """Run the stages."""
        if not np.isfinite(self._claimed).all():  # finite as it is, but not times x
            return self._nothing_told()
        d, v = self._random()
        roomy = self._is_roomy(d)
        quick = self._quick_scales(d, v) if roomy else None
        scales = self._scales(d, v) if quick is None else quick
        if scales.noise.size == 1 and np.isfinite(scales.noise[0]) and scales.comparison.resolved:
            # f's noise is the same whichever entry moves, even where that shows little of it
            self._noise = scales.comparison.found.noise_at_point / NOISE_CONFIDENCE
        step = self._steps(scales)
        batch = self._batch if roomy else None  # else it wasn't looked at
        pairs = evaluate_pairs(self._problem, self._sizes, step, self._workers, batch)
        rounding = SIGMAS / math.sqrt(2) * scales.noise[:, None] / step
        radius = rounding + _GROWTH_SAFETY * scales.growth[:, None] * step**2
        claimed = self._yardstick.size
        radius += self._problem.arithmetic.inputs.layout.eps / step * claimed  # x ± h·s is rounded
        allowed = radius + self._rtol * claimed + self._yardstick.rounding
        typical = self._yardstick.norm / math.sqrt(claimed.shape[1])
        missed = allowed + radius
        settled = np.abs(pairs.slope - self._claimed) <= allowed
        self._missed_by_pairs = np.where(settled, missed, math.inf)
        settled &= np.abs(pairs.bend) <= 2 * rounding + _BENT * np.maximum(claimed, typical)
        settled &= self._yardstick.shows(radius)
        settled &= ~self._moves_further_off(settled, scales.noise)
        by_pairs = self._yardstick.seen_by_pairs(settled, radius, missed)
        excess = np.nan_to_num(np.abs(pairs.slope - self._claimed) / allowed)
        if np.count_nonzero(~settled & (excess > _PLAINLY)) > _MANY:
            foremost = _largest(np.where(settled, 0.0, excess), _FOREMOST)
            result = self._searched(foremost, by_pairs, scales.comparison)
            if len(result.wrong) >= _FOREMOST / 2:
                return replace(result, complete=False)
        result = self._searched(~settled, by_pairs, scales.comparison)
        at_a_kink = result.at_kinks and scales.comparison.found.interval is not None
        if result.wrong or scales.comparison.agrees or at_a_kink:
            return result
        # the claim is wrong by less than pairs see
        result = self._searched(_largest(excess, _SUSPECTS), by_pairs, scales.comparison)
        if result.wrong:
            return result
        return self._searched(np.full_like(settled, True), Seen(), scales.comparison)

    def _nothing_told(self) -> EntryResult:
        total = self._claimed.size
        return EntryResult(
            total=total,
            unresolved=total,
            kinks=0,
            searched=0,
            resolution=math.inf,
            hidden=0,
            beneath=0.0,
            wrong=(),
            columns=(),
            why="domain",
            at_kinks=(),
        )

    def _moves_further_off(self, settled: Mask, noise: Values) -> Mask:
        """Whether inputs that no output is said to depend on move f at steps as large as they are.

        They are moved all at once, and one by one if that shows something.
        """
        idle = ~self._claimed.any(axis=0)
        if idle.any():
            idle &= settled.all(axis=0)
        if not idle.any() or not self._free:
            return np.asarray(idle)
        rounding = SIGMAS * math.sqrt(2) * noise
        d = np.where(idle, self._sizes * signed(self._rng, self._sizes.shape), 0.0)
        ups, downs = evaluate_along(self._problem, d, (_FAR_STEP,), self._batch)
        if (np.abs(ups - downs) <= rounding).all():
            return np.zeros_like(settled)
        step = np.where(idle, _FAR_STEP, math.nan)
        pairs = evaluate_pairs(self._problem, self._sizes, step, self._workers, self._batch)
        return np.asarray(idle & ~(np.abs(pairs.slope) <= rounding[:, None] / (2 * _FAR_STEP)))

    # -- the direction ---------------------------------------------------------------------------

    def _random(self) -> tuple[Array, Array]:
        m = self._problem.outputs.size
        d = self._sizes * signed(self._rng, self._sizes.shape)
        v = np.ones(1) if m == 1 else signed(self._rng, (m,))
        return self._problem.arithmetic.inputs.tangent(d), v

    def _is_roomy(self, d: Array) -> bool:
        """Whether the steps of the quick look stay inside the domain."""
        reach = min(self._problem.arithmetic.inputs.reach(d))
        return self._sizes.size > 1 and reach > 2 * _PROBE_STEP

    def _quick_scales(self, d: Array, v: Array) -> _Scales | None:
        """Take three pairs along d; None where claim and f don't agree there to within ordinary rounding."""
        problem = self._problem
        h = _PROBE_STEP
        steps = (h, h / 2, _CHECK_STEP)
        ups, downs = evaluate_along(problem, d, steps, self._batch)
        double = 2 * np.array(steps)[:, None]
        coarse, fine, check = (ups - downs) / double
        origin = problem.arithmetic.value
        # φ(h) − 2φ(0) + φ(−h) is in h² as well where nothing lies between the steps
        _, curve, check_curve = ((ups - origin) + (downs - origin)) / double**2
        eps = problem.arithmetic.eps
        largest = np.maximum(np.abs(ups[0]), np.abs(downs[0]))
        noise = 1.5 * (eps * largest + problem.arithmetic.inputs.layout.eps * np.abs(fine))
        correction = (fine - coarse) / 3
        rounding = 2 * SIGMAS * noise / h
        radius = rounding + _EXTRAPOLATED * np.abs(correction)
        terms = self._jacobian * d
        allowed = radius + self._rtol * np.sqrt(np.square(terms).sum(axis=1))
        slope = fine + correction
        if not (np.abs(slope - terms.sum(axis=1)) <= allowed).all():
            return None
        closer = rounding * (h / _CHECK_STEP)
        same = np.abs(slope - check) <= radius + closer
        slack = np.abs(curve) / 16 + closer / _CHECK_STEP
        if not (same & (np.abs(check_curve - curve) <= slack)).all():
            return None
        bend = float(v @ curve) * h / 2
        comparison = self._quick_comparison(d, v, slope, radius, noise, bend)
        growth = (np.abs(coarse - fine) + rounding) / (0.75 * h * h)
        # where f is mostly an offset, the whole ladder (and other oracles) see far more
        sharp = float(np.abs(v) @ rounding) <= GOAL.rtol * comparison.scale
        return _Scales(noise, growth, comparison) if comparison.agrees and sharp else None

    def _quick_comparison(
        self, d: Array, v: Array, slope: Values, radius: Values, noise: Values, bend: float
    ) -> Comparison:
        terms = (v @ self._jacobian) * d
        scale = norm(terms)
        weight = np.abs(v)
        found = Found(
            value=float(v @ slope),
            radius=float(weight @ radius),
            reason="smooth",
            noise=float(weight @ noise),
            step=_PROBE_STEP,
            scale=float(weight @ np.abs(slope)),
            bend=bend,
        )
        allowed = found.radius + self._rtol * scale
        claimed = float(terms.sum())
        return Comparison("random", d, v, claimed, found, scale, allowed, self._rtol)

    def _scales(self, d: Array, v: Array) -> _Scales:
        """Walk the ladder along d."""
        problem = self._problem
        line = problem.curve(d)
        component = Component(line.projected(v[None, :]), 0)
        c = judged(problem, "random", d, v, derivative(component, GOAL), self._rtol)
        if problem.outputs.size == 1:
            noise = np.array([c.found.noise])
        else:
            noise = first_look(line, np.arange(problem.outputs.size), GOAL).noise
        if c.slight:
            c = judged(problem, "random", d, v, derivative(component, CLOSELY), self._rtol)
        noise = np.where(np.isfinite(noise), noise, math.inf)
        return _Scales(noise, _growth(line), c)

    # -- pairs -----------------------------------------------------------------------------------

    def _steps(self, scales: _Scales) -> Values:
        """Draw a step for each input; NaN where a pair would leave the domain, or isn't worth it."""
        n = self._sizes.size
        if n == 1:
            return np.full(1, math.nan)
        bound = _GROWTH_SAFETY * _TRUNCATION_SHARE * scales.growth
        best = np.cbrt(SIGMAS / math.sqrt(2) * scales.noise / bound)
        known = sorted(t for t in best.tolist() if math.isfinite(t))
        usual = known[len(known) // 2] if known else _PROBE_STEP
        usual = min(max(usual, _FINEST_STEP), _COARSEST_STEP)
        step = draw_steps(self._rng, n, 2.0 ** math.ceil(math.log2(usual)))
        if not self._free:
            for i in range(n):
                d = self._along(i)
                alone = np.count_nonzero(d) == 1 and d[i] == self._sizes[i]
                reach = min(self._problem.arithmetic.inputs.reach(d))
                step[i] = step[i] if alone and 2 * step[i] < reach else math.nan
        return step

    def _along(self, i: int) -> Array:
        d = np.zeros_like(self._sizes)
        d[i] = self._sizes[i]
        return self._problem.arithmetic.inputs.tangent(d)

    # -- searches --------------------------------------------------------------------------------

    def _searched(self, wanted: Mask, seen: Seen, direction: Comparison) -> EntryResult:
        wrong: list[tuple[float, WrongEntry]] = []
        shown: list[Comparison] = []
        kinks = 0
        unresolved: Counter[str] = Counter()
        bent: dict[int, Array] = {}
        for i, line in self._walked(wanted):
            for j in (int(k) for k in np.flatnonzero(wanted[:, i])):
                c = self._compared(line, i, j)
                if not c.agrees:
                    wrong.append((c.excess, self._wrong_entry(i, j, c)))
                    shown = sorted([*shown, c], key=lambda c: -c.excess)[:_SHOWN]
                elif c.found.interval is not None:
                    kinks += 1
                    if len(bent) < _MOST_TOGETHER:
                        bent[i] = c.direction
                elif (entry := self._seen_in(i, j, c)) is not None:
                    seen = seen.beside(entry)
                else:
                    unresolved[c.found.reason] += 1
            self._problem.calls.calls += line.counter.calls
            self._problem.calls.error = line.counter.error or self._problem.calls.error
        wrong.sort(key=lambda item: -item[0])
        explained = direction.agrees or (bent and direction.found.interval is not None)
        if not wrong and not explained and not unresolved:
            unresolved["disagreement"] += 1  # a direction and the entries contradict each other
        total = self._claimed.shape[0] * int(np.count_nonzero(self._moves))
        return EntryResult(
            total=total,
            unresolved=unresolved.total(),
            kinks=kinks,
            searched=int(np.count_nonzero(wanted & self._moves)),
            # zero where no entry says anything
            resolution=math.inf if unresolved else seen.resolution or math.inf,
            hidden=seen.hidden,
            beneath=seen.beneath,
            wrong=tuple(entry for _, entry in wrong),
            columns=(direction, *shown),
            why=max(unresolved, key=unresolved.__getitem__, default=""),
            at_kinks=tuple(bent.values()),
        )

    def _walked(self, wanted: Mask) -> Iterator[tuple[int, Line]]:
        """Yield the columns that are wanted with their lines, in threads walked along as far as differences need."""
        columns = (wanted.any(axis=0) & self._moves).nonzero()[0].tolist()
        for k in range(0, len(columns), _AT_A_TIME):  # a line holds as much as x
            block = columns[k : k + _AT_A_TIME]
            curves = [self._problem.curve(self._along(i)) for i in block]
            lines = [replace(curve, counter=Calls(), noise=self._noise) for curve in curves]
            if self._workers > 1 and len(lines) > 1:
                rows = [np.flatnonzero(wanted[:, i]) for i in block]
                with ThreadPoolExecutor(self._workers) as pool:
                    list(pool.map(_walk, lines, rows))
            yield from zip(block, lines, strict=True)

    def _compared(self, line: Line, i: int, j: int) -> Comparison:
        c = self._judged(i, j, derivative(Component(line, j), GOAL))
        if c.slight:
            return self._judged(i, j, derivative(Component(line, j), CLOSELY))
        if c.agrees and c.found.interval is None and self._is_dull(line, i, j, c):
            # steps as small as they have to be for what is claimed
            found = sharper(Component(replace(line, noise=0.0), j), c)
            c = c if found is None else self._judged(i, j, found)
            return self._from_afar(i, j, c) if self._seen_in(i, j, c) is None else c
        return c

    def _from_afar(self, i: int, j: int, near: Comparison) -> Comparison:
        """Compare with steps as large as those of the largest input, if the claim agrees there, too.

        They tell of an entry that rounding hides at smaller ones, but nothing against a claim: f may be another
        so far from x.
        """
        _, exponents = np.frexp(self._sizes)
        further = min(int(exponents.max() - exponents[i]), _FURTHEST)
        if further < 1 or not self._free:
            return near
        line = self._problem.curve(self._along(i)).in_longer_steps(math.ldexp(1.0, further))
        line = replace(line, noise=self._noise)
        found = derivative(Component(line, j), GOAL)
        c = self._judged(i, j, found)
        c = replace(c, allowed=found.radius + self._rtol * c.scale)  # rounding is no excuse here
        return c if c.agrees and found.reason in ("smooth", "noise") else near

    def _seen_in(self, i: int, j: int, c: Comparison) -> Seen | None:
        return self._yardstick.seen_in(i, j, c, float(self._missed_by_pairs[j, i]))

    def _is_dull(self, line: Line, i: int, j: int, c: Comparison) -> bool:
        """Whether the steps were too large for what is claimed."""
        if self._seen_in(i, j, c) is None:
            return True
        return c.may_be_zero and outgrown(Component(line, j), c.found.size)

    def _judged(self, i: int, j: int, found: Found) -> Comparison:
        claimed = float(self._claimed[j, i])
        slack = self._rtol * abs(claimed) + float(self._yardstick.rounding[j, i])
        found = found.at_the_scale_of(claimed, slack)
        allowed = found.radius + slack
        return Comparison(
            label="kink" if found.interval is not None else f"entry {i}",
            d=self._along(i),
            v=unit_vector(self._problem.outputs.size, j),
            claimed=claimed,
            found=found,
            scale=abs(claimed),
            allowed=allowed if math.isfinite(found.radius) else math.inf,
            rtol=self._rtol,
        )

    def _wrong_entry(self, i: int, j: int, c: Comparison) -> WrongEntry:
        problem, size = self._problem, float(self._sizes[i])
        slot, index = problem.inputs.layout.locate(i)
        into, output = problem.outputs.locate(j)
        return WrongEntry(
            argument=slot.argument,
            path=slot.path,
            index=index,
            output=None if problem.scalar else output,
            output_path="" if problem.scalar else into.path,
            claimed=c.claimed / size,
            numerical=c.found.value / size,
            radius=c.found.radius / size,
            part=problem.inputs.layout.part(i),
        )


def _largest(a: Values, count: int) -> Mask:
    """Say which entries are among the `count` largest, or tie with the last of them."""
    return np.asarray(a >= np.sort(a, axis=None)[-count:][0])


def _walk(line: Line, rows: Indices) -> None:
    with np.errstate(all="ignore"):  # a thread has its own
        for j in rows:
            search(Component(line, int(j)), GOAL)


def _claimed_jacobian(problem: Problem) -> Array:
    m, n = problem.outputs.size, problem.inputs.layout.size
    match problem.kind:
        case "jac":
            return problem.jacobian()
        case "jvp":
            return np.stack([problem.pushforward(unit_vector(n, i)) for i in range(n)], axis=1)
        case _:
            return np.array([problem.pullback(unit_vector(m, j)) for j in range(m)])


def _growth(line: Line) -> Values:
    """Return |c| of each output's slope error c·h², from the two coarsest rungs; inf where they don't say."""
    h = line.unit * 2.0**-BASE
    coarse, fine = ((line.value(t) - line.value(-t)) / (2 * t) for t in (h, h / 2))
    growth = np.abs(coarse - fine) / (0.75 * h * h)
    # an output without a third derivative shows its rounding
    return np.where(np.isfinite(growth), growth, math.inf)
