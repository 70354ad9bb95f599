"""Every entry of a derivative by itself: ``mode="full"``."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gradcheck._compare import CLOSELY, GOAL, Comparison
from gradcheck._directions import power_of_two_size
from gradcheck._domain import Array
from gradcheck._ladder import Component
from gradcheck._oracles import derivative
from gradcheck._problem import Problem
from gradcheck._report import WrongEntry
from gradcheck._singular import Found

_COARSEST = 1e-2  # an entry whose radius is larger than this part of its size isn't checked


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What every entry said.

    Parameters
    ----------
    total, unresolved, kinks : int
        Entries in all, those lost in noise, and those at a kink.
    resolution : float
        Largest radius of an entry relative to the largest entry of its column.
    wrong : tuple of WrongEntry
        Worst first.
    columns : tuple of Comparison
        The worst entry of each of the first columns, as evidence.
    """

    total: int
    unresolved: int
    kinks: int
    resolution: float
    wrong: tuple[WrongEntry, ...]
    columns: tuple[Comparison, ...]


def compare_every_entry(problem: Problem, rtol: float, workers: int) -> EntryResult:
    """Compare the claimed Jacobian with the numerical one, column by column."""
    claimed = _claimed_jacobian(problem)
    inputs = problem.inputs
    sizes = inputs.layout.flatten([power_of_two_size(x) for x in inputs.point])
    with ThreadPoolExecutor(workers) as pool:
        columns = list(pool.map(lambda i: _column(problem, i, float(sizes[i])), range(sizes.size)))
    scale = np.abs(claimed).max(axis=0, initial=0.0)
    wrong: list[tuple[float, WrongEntry]] = []
    evidence: list[Comparison] = []
    unresolved = kinks = 0
    resolution = 0.0
    for i, column in enumerate(columns):
        for j, found in enumerate(column):
            at = (problem, i, j, float(sizes[i]), float(claimed[j, i]))
            c = _compared(*at, found, rtol)
            if c.slight:
                curve = problem.curve(c.direction)
                c = _compared(*at, derivative(Component(curve, j), CLOSELY), rtol)
            natural = max(c.scale, c.found.scale, float(scale[i] * sizes[i]))
            if not c.agrees:
                wrong.append((c.excess, _wrong_entry(problem, i, j, float(sizes[i]), c)))
            elif c.found.interval is not None:
                kinks += 1
            elif c.allowed > _COARSEST * natural:
                unresolved += c.found.reason != "constant" or c.claimed != 0
            elif natural > 0:
                resolution = max(resolution, c.allowed / natural)
            if j == 0:
                evidence.append(c)
    wrong.sort(key=lambda item: -item[0])
    return EntryResult(
        total=claimed.size,
        unresolved=unresolved,
        kinks=kinks,
        resolution=resolution,
        wrong=tuple(entry for _, entry in wrong),
        columns=tuple(evidence),
    )


def _claimed_jacobian(problem: Problem) -> Array:
    m, n = problem.outputs.size, problem.inputs.layout.size
    match problem.kind:
        case "jac":
            return problem.jacobian()
        case "jvp":
            return np.stack([problem.pushforward(_unit(n, i)) for i in range(n)], axis=1)
        case _:
            return np.stack([problem.pullback(_unit(m, j)) for j in range(m)])


def _unit(size: int, k: int) -> Array:
    e = np.zeros(size)
    e[k] = 1.0
    return e


def _column(problem: Problem, i: int, size: float) -> list[Found]:
    curve = problem.curve(size * _unit(problem.inputs.layout.size, i))
    with np.errstate(all="ignore"):  # a thread has its own
        return [derivative(Component(curve, j), GOAL) for j in range(problem.outputs.size)]


def _compared(
    problem: Problem, i: int, j: int, size: float, claimed: float, found: Found, rtol: float
) -> Comparison:
    scale = abs(claimed * size)
    return Comparison(
        label="kink" if found.interval is not None else f"entry {i}",
        direction=size * _unit(problem.inputs.layout.size, i),
        cotangent=_unit(problem.outputs.size, j),
        claimed=claimed * size,
        found=found,
        scale=scale,
        allowed=found.radius + rtol * scale if math.isfinite(found.radius) else math.inf,
    )


def _wrong_entry(problem: Problem, i: int, j: int, size: float, c: Comparison) -> WrongEntry:
    slot, index = problem.inputs.layout.locate(i)
    return WrongEntry(
        argument=slot.argument,
        path=slot.path,
        index=index,
        output=None if problem.scalar else problem.outputs.locate(j)[1],
        claimed=c.claimed / size,
        numerical=c.found.value / size,
        radius=c.found.radius / size,
    )
