"""What one random direction shows before entries are looked at: how f's noise and truncation errors grow.

Two pairs of steps along it say how fast a slope's truncation grows with the step, C·h² for each
output, and whether claim and f agree there with no more noise than arithmetic has.  If they don't,
the whole ladder is walked along it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck._case.domain import Array
from gradcheck._claim.columns import Columns
from gradcheck._claim.compare import CLOSELY, GOAL, Comparison, judged, norm
from gradcheck._claim.pairs import evaluate_along
from gradcheck._claim.problem import Problem
from gradcheck._claim.tolerance import Tolerance
from gradcheck._estimate.batch import Batched
from gradcheck._estimate.directions import signed
from gradcheck._estimate.ladder import BASE, SIGMAS, Component
from gradcheck._estimate.line import Line, Values
from gradcheck._estimate.oracles import derivative
from gradcheck._estimate.singular import Found
from gradcheck._estimate.together import first_look

PROBE_STEP = 2.0**-10  # an extrapolated slope has an error of h⁴, less than its rounding
_CHECK_STEP = 2.0**-17.3  # fine enough to see what coarse steps leap over
_EXTRAPOLATED = 2.0**-6  # part of a Richardson correction that its error may be


@dataclass(frozen=True, slots=True)
class Outset:
    """What a random direction shows.

    Parameters
    ----------
    noise, growth : ndarray of float64
        f's noise, and |c| of a slope's error c·h², of each output.
    comparison : Comparison
        The claim along it beside the numerical derivative.
    roomy : bool
        Whether the steps of a quick look stay inside the domain.
    """

    noise: Values
    growth: Values
    comparison: Comparison
    roomy: bool


def look_along_one_direction(
    problem: Problem,
    columns: Columns,
    tolerance: Tolerance,
    rng: np.random.Generator,
    batch: Batched | None,
) -> Outset:
    """Compare along a random direction: with three pairs of steps if that will do, else with all."""
    m = problem.outputs.size
    d = problem.arithmetic.inputs.tangent(columns.sizes * signed(rng, columns.sizes.shape))
    v = np.ones(1) if m == 1 else signed(rng, (m,))
    reach = min(problem.arithmetic.inputs.reach(d))
    if columns.sizes.size > 1 and reach > 2 * PROBE_STEP:
        quick = _quick(problem, columns.jacobian, d, v, tolerance, batch)
        return _thorough(problem, d, v, tolerance, roomy=True) if quick is None else quick
    return _thorough(problem, d, v, tolerance, roomy=False)


def _quick(
    problem: Problem,
    jacobian: Array,
    d: Array,
    v: Array,
    tolerance: Tolerance,
    batch: Batched | None,
) -> Outset | None:
    """Take three pairs along d; None where claim and f don't agree there to within ordinary rounding."""
    h = PROBE_STEP
    steps = (h, h / 2, _CHECK_STEP)
    ups, downs = evaluate_along(problem, d, steps, batch)
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
    terms = jacobian * d
    allowed = radius + tolerance.rtol * np.sqrt(np.square(terms).sum(axis=1))
    slope = fine + correction
    if not (np.abs(slope - terms.sum(axis=1)) <= allowed).all():
        return None
    closer = rounding * (h / _CHECK_STEP)
    same = np.abs(slope - check) <= radius + closer
    slack = np.abs(curve) / 16 + closer / _CHECK_STEP
    if not (same & (np.abs(check_curve - curve) <= slack)).all():
        return None
    weight = np.abs(v)
    found = Found(
        value=float(v @ slope),
        radius=float(weight @ radius),
        reason="smooth",
        noise=float(weight @ noise),
        step=h,
        scale=float(weight @ np.abs(slope)),
        bend=float(v @ curve) * h / 2,
    )
    comparison = _agreeing((v @ jacobian) * d, d, v, found, tolerance)
    growth = (np.abs(coarse - fine) + rounding) / (0.75 * h * h)
    # where f is mostly an offset, the whole ladder (and other oracles) see far more
    sharp = float(weight @ rounding) <= GOAL.rtol * comparison.scale
    return Outset(noise, growth, comparison, roomy=True) if comparison.agrees and sharp else None


def _agreeing(terms: Array, d: Array, v: Array, found: Found, tolerance: Tolerance) -> Comparison:
    scale = norm(terms)
    allowed = found.radius + tolerance.rtol * scale
    return Comparison("random", d, v, float(terms.sum()), found, scale, allowed, tolerance.rtol)


def _thorough(problem: Problem, d: Array, v: Array, tolerance: Tolerance, *, roomy: bool) -> Outset:
    """Walk the ladder along d."""
    line = problem.curve(d)
    component = Component(line.projected(v[None, :]), 0)
    c = judged(problem, "random", d, v, derivative(component, GOAL), tolerance)
    if problem.outputs.size == 1:
        noise = np.array([c.found.noise])
    else:
        noise = first_look(line, np.arange(problem.outputs.size), GOAL).noise
    if c.slight:
        c = judged(problem, "random", d, v, derivative(component, CLOSELY), tolerance)
    noise = np.where(np.isfinite(noise), noise, math.inf)
    return Outset(noise, _growth(line), c, roomy)


def _growth(line: Line) -> Values:
    """Return |c| of each output's slope error c·h², from the two coarsest rungs; inf where they don't say."""
    h = line.unit * 2.0**-BASE
    coarse, fine = ((line.value(t) - line.value(-t)) / (2 * t) for t in (h, h / 2))
    growth = np.abs(coarse - fine) / (0.75 * h * h)
    # an output without a third derivative shows its rounding
    return np.where(np.isfinite(growth), growth, math.inf)
