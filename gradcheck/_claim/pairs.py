"""One symmetric pair of evaluations for every input: f at x ± h·sᵢ·eᵢ, with steps that are drawn.

This is all that a bare central difference does, and costs little more: next to nothing but a copy
of x happens between two calls of f.  Every call gets an array of its own that nobody else sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck._case.domain import Array
from gradcheck._claim.problem import Problem
from gradcheck._estimate.batch import CHUNK, Batched, must_keep_rows_apart
from gradcheck._estimate.line import Values

_BLOCKS = 4  # for each thread, so that none waits long for the last
_SIDES = np.array([1.0, -1.0])
_BITS = 20  # of a step's mantissa: enough to be random, few enough that x ± h·s is exact


@dataclass(frozen=True, slots=True)
class Pairs:
    """Central slopes and bends of all outputs along sᵢ·eᵢ, one column an input.

    Parameters
    ----------
    step : ndarray of float64
        h of each input; NaN where no pair was evaluated.
    slope, bend : ndarray of float64
        (φ(h) − φ(−h))/2h and (φ(h) − 2φ(0) + φ(−h))/2h, of shape (outputs, inputs).
    """

    step: Values
    slope: Values
    bend: Values


def draw_steps(rng: np.random.Generator, count: int, coarsest: float) -> Values:
    """Draw steps below `coarsest`, a power of two, with squares uniform over half of the range to it.

    A truncation error a·h² is then uniform over half of a·coarsest².
    """
    mantissa = np.sqrt(rng.uniform(0.5, 1.0, count))
    return np.asarray(coarsest * np.ldexp(np.rint(np.ldexp(mantissa, _BITS)), -_BITS))


def evaluate_pairs(
    problem: Problem, sizes: Values, step: Values, workers: int, batch: Batched | None
) -> Pairs:
    """Evaluate f at every pair; a point at which it raises is NaN.  `step` is NaN for inputs to leave out."""
    (inputs,) = np.isfinite(step).nonzero()
    row = problem.outputs.size if batch is None else sizes.size
    width = max(1, CHUNK // (16 * row))
    if workers > 1:
        width = min(width, math.ceil(inputs.size / (_BLOCKS * workers)) or 1)
    blocks = [inputs[k : k + width] for k in range(0, inputs.size, width)]
    evaluate = _evaluator(problem, sizes, step, batch)
    slope, bend = np.full((2, problem.outputs.size, sizes.size), math.nan)
    origin = problem.arithmetic.value
    for block, values in zip(blocks, _mapped(evaluate, blocks, workers), strict=True):
        plus, minus = values[0::2], values[1::2]
        double = 2 * step[block][:, None]
        slope[:, block] = ((plus - minus) / double).T
        bend[:, block] = (((plus - origin) + (minus - origin)) / double).T
    return Pairs(step, slope, bend)


def evaluate_along(
    problem: Problem, direction: Array, steps: Sequence[float], batch: Batched | None
) -> tuple[Values, Values]:
    """Evaluate f at x + h·d and at x − h·d for each step h, one row a step.

    Raises
    ------
    NotBatchedError
        If f was said to take a batch, and a row of it isn't what f says of that point alone.
    """
    inputs = problem.arithmetic.inputs
    move = inputs.mover(direction)
    places = [move(t) for h in steps for t in (h, -h)]
    if batch is None:
        values = problem.values_at(places)
    else:
        values = _at_once(problem, batch, np.array([args[0] for args in places]))
        alone = problem.values_at(places[-1:])
        origin = problem.arithmetic.value
        must_keep_rows_apart(values[-1:], alone, origin, problem.arithmetic.eps)
    return values[0::2], values[1::2]


def _mapped(
    evaluate: Callable[[Array], Values], blocks: Sequence[Array], workers: int
) -> list[Values]:
    """Evaluate block by block; what a pair gives doesn't depend on the block that it is in."""
    if workers == 1 or len(blocks) == 1:
        return [evaluate(block) for block in blocks]

    def in_thread(block: Array) -> Values:
        with np.errstate(all="ignore"):  # a thread has its own
            return evaluate(block)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(in_thread, blocks))


def _evaluator(
    problem: Problem, sizes: Values, step: Values, batch: Batched | None
) -> Callable[[Array], Values]:
    """Return inputs ↦ f at their pairs, two rows an input, the plus side first."""
    arithmetic = problem.arithmetic.inputs
    args = arithmetic.original()
    x = args[0]
    plain = len(args) == 1 and isinstance(x, np.ndarray) and x.dtype == np.float64
    if batch is not None:
        return lambda block: _at_once(problem, batch, _points(x, sizes, step, block))
    if plain and x.flags.c_contiguous:
        return lambda block: problem.values_at(_each_point(x, sizes, step, block))

    def moved(block: Array) -> Iterator[tuple[Any, ...]]:
        for i in block:
            d = np.zeros_like(sizes)
            d[i] = sizes[i]
            move = arithmetic.mover(d)
            yield from (move(float(t)) for t in (step[i], -step[i]))

    return lambda block: problem.values_at(moved(block))


def _each_point(
    x: npt.NDArray[Any], sizes: Values, step: Values, block: Array
) -> Iterator[tuple[npt.NDArray[Any]]]:
    # Copies one by one are made in memory that the last call has just left: a block of them would
    # push x out of the cache.
    at, moved = x.reshape(-1)[block], step[block] * sizes[block]
    for i, up, down in zip(
        block.tolist(), (at + moved).tolist(), (at - moved).tolist(), strict=True
    ):
        for value in (up, down):
            point = x.copy()
            point.reshape(-1)[i] = value
            yield (point,)


def _points(x: npt.NDArray[Any], sizes: Values, step: Values, block: Array) -> npt.NDArray[Any]:
    points = np.repeat(x.reshape(1, -1), 2 * block.size, axis=0)
    moved = step[block] * sizes[block]
    sides = points.reshape(block.size, 2, x.size)
    sides[np.arange(block.size), :, block] += moved[:, None] * _SIDES
    return points.reshape(-1, *x.shape)


def _at_once(problem: Problem, batch: Batched, points: npt.NDArray[Any]) -> Values:
    problem.calls.add(len(points))
    values = batch.values(points, problem.outputs.size)
    return problem.values_at((point,) for point in points) if values is None else values
