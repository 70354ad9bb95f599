"""Entries of a derivative on the whole ladder of steps, one by one: those that a pair of steps doesn't settle."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.columns import Columns
from gradcheck._claim.compare import CLOSELY, GOAL, Comparison, sharper
from gradcheck._claim.problem import Problem
from gradcheck._claim.seen import Mask, Seen, Yardstick
from gradcheck._estimate.directions import unit_vector
from gradcheck._estimate.ladder import Component
from gradcheck._estimate.line import Counter as Calls
from gradcheck._estimate.line import Line, Values
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.search import outgrown, search
from gradcheck._estimate.singular import Found
from gradcheck._estimate.together import Indices
from gradcheck._report.report import WrongEntry

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
class Searches:
    """How entries are searched.

    Parameters
    ----------
    problem : Problem
        f and the claim, begun.
    columns : Columns
        The claim, by inputs.
    yardstick : Yardstick
        What errors in its entries are measured by.
    rtol : float
        Relative error of the claim that is tolerated.
    workers : int
        Threads.
    noise : float
        f's, where a random direction has shown it; else zero.
    missed_by_pairs : ndarray of float64
        How much the claim of an entry may be wrong and agree with a pair of steps; inf where it doesn't.
    """

    problem: Problem
    columns: Columns
    yardstick: Yardstick
    rtol: float
    workers: int
    noise: float
    missed_by_pairs: Values

    def result(self, wanted: Mask, seen: Seen, direction: Comparison) -> EntryResult:
        """Search the entries that are wanted, beside others in which so much was seen."""
        wrong: list[tuple[float, WrongEntry]] = []
        shown: list[Comparison] = []
        kinks = 0
        unresolved: Counter[str] = Counter()
        bent: dict[int, Array] = {}
        for i, line in self._walked(wanted):
            for j in (int(k) for k in np.flatnonzero(wanted[:, i])):
                c = self._compared(line, i, j)
                if not c.agrees:
                    wrong.append(
                        (c.excess, c.entry(self.problem, j, i, step=float(self.columns.sizes[i])))
                    )
                    shown = sorted([*shown, c], key=lambda c: -c.excess)[:_SHOWN]
                elif c.found.interval is not None:
                    kinks += 1
                    if len(bent) < _MOST_TOGETHER:
                        bent[i] = c.direction
                elif (entry := self._seen_in(i, j, c)) is not None:
                    seen = seen.beside(entry)
                else:
                    unresolved[c.found.reason] += 1
            self.problem.calls.calls += line.counter.calls
            self.problem.calls.error = line.counter.error or self.problem.calls.error
        wrong.sort(key=lambda item: -item[0])
        explained = direction.agrees or (bent and direction.found.interval is not None)
        if not wrong and not explained and not unresolved:
            unresolved["disagreement"] += 1  # a direction and the entries contradict each other
        moves = self.columns.moves
        return EntryResult(
            total=wanted.shape[0] * int(np.count_nonzero(moves)),
            unresolved=unresolved.total(),
            kinks=kinks,
            searched=int(np.count_nonzero(wanted & moves)),
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
        columns = (wanted.any(axis=0) & self.columns.moves).nonzero()[0].tolist()
        for k in range(0, len(columns), _AT_A_TIME):  # a line holds as much as x
            block = columns[k : k + _AT_A_TIME]
            curves = [self.problem.curve(self.columns.along(i)) for i in block]
            lines = [replace(curve, counter=Calls(), noise=self.noise) for curve in curves]
            if self.workers > 1 and len(lines) > 1:
                rows = [np.flatnonzero(wanted[:, i]) for i in block]
                with ThreadPoolExecutor(self.workers) as pool:
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
        _, exponents = np.frexp(self.columns.sizes)
        further = min(int(exponents.max() - exponents[i]), _FURTHEST)
        if further < 1 or not self.columns.free:
            return near
        line = self.problem.curve(self.columns.along(i)).in_longer_steps(math.ldexp(1.0, further))
        line = replace(line, noise=self.noise)
        found = derivative(Component(line, j), GOAL)
        c = self._judged(i, j, found)
        c = replace(c, allowed=found.radius + self.rtol * c.scale)  # rounding is no excuse here
        return c if c.agrees and found.reason in ("smooth", "noise") else near

    def _seen_in(self, i: int, j: int, c: Comparison) -> Seen | None:
        return self.yardstick.seen_in(i, j, c, float(self.missed_by_pairs[j, i]))

    def _is_dull(self, line: Line, i: int, j: int, c: Comparison) -> bool:
        """Whether the steps were too large for what is claimed."""
        if self._seen_in(i, j, c) is None:
            return True
        return c.may_be_zero and outgrown(Component(line, j), c.found.size)

    def _judged(self, i: int, j: int, found: Found) -> Comparison:
        claimed = float(self.columns.claimed[j, i])
        slack = self.rtol * abs(claimed) + float(self.yardstick.rounding[j, i])
        found = found.at_the_scale_of(claimed, slack)
        allowed = found.radius + slack
        return Comparison(
            label="kink" if found.interval is not None else f"entry {i}",
            d=self.columns.along(i),
            v=unit_vector(self.problem.outputs.size, j),
            claimed=claimed,
            found=found,
            scale=abs(claimed),
            allowed=allowed if math.isfinite(found.radius) else math.inf,
            rtol=self.rtol,
        )


def _walk(line: Line, rows: Indices) -> None:
    with np.errstate(all="ignore"):  # a thread has its own
        for j in rows:
            search(Component(line, int(j)), GOAL)
