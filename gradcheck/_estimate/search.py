"""Which steps to trust: the search over ladder windows that turns a component of φ into a derivative with a radius.

The cheap path takes four steps around 1/16 … 1/128 of the argument's size and one a hundred times
finer; smooth, well-scaled functions end there after eleven evaluations.  Where these disagree, a
survey walks down the ladder over all decades that the argument's precision allows, and the windows
that finer rungs confirm compete.  Where rounding is what limits the radius, coarser windows are
tried.  Where no symmetric window is confirmed, the two sides are extrapolated by themselves: if
they differ, the point is a kink and the answer is an interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gradcheck._estimate.cusps import cusp, is_cusp
from gradcheck._estimate.ladder import (
    BASE,
    CHECK,
    COARSEST,
    ORDINARY,
    PAIR,
    SHORT,
    SIGMAS,
    STRIDE,
    WIDTH,
    Component,
    Window,
)
from gradcheck._estimate.singular import (
    Found,
    constant,
    found_in,
    is_constant,
    is_on_a_plateau,
    jumps,
    on_two_scales,
    plateau,
    quick_kink,
    rough,
    stays_bent,
    two_sides,
)
from gradcheck._estimate.stairs import (
    is_inner_rounding,
    leaves_gradually,
    noise_beyond,
    noise_of_narrow_stairs,
)

_MAX_WINDOWS = 6
_USUAL_FINEST = BASE + WIDTH - 1  # rung of the first window
_SHORT_BASE = _USUAL_FINEST + 1 - SHORT
_FINER = 3  # rungs that a glance goes down where the first three are too coarse for f
_CAUTIOUS = 3.0  # a window's rounding is mostly that much smaller than its bound
_THOROUGH = 32.0  # a search that has paid for a survey goes for more accuracy
_OFF_LADDER = 2.7  # rungs below a window, as the check rung is
_CLOSEST = 31  # a rung that tells what is 1e-8 of x apart, _APART from one that should agree
_APART = 4
_OUTGROWN = 1e-3  # part of a movement at steps as large as x, which a slope at x is nothing beside


class Goal(NamedTuple):
    """When a search may stop: at a radius of `rtol` of the derivative's natural size, or of `atol`."""

    rtol: float
    atol: float = 0.0


def search(component: Component, goal: Goal) -> Found:
    """Find the derivative of one component, as accurate as `goal` asks for or as f allows."""
    if component.depth < 0:  # x has no finer digits than the steps that a domain leaves
        return rough(component, component.base_noise())
    quick, noise = _quick(component)
    if is_constant(component):
        return constant(component)
    component.look_for_stairs()
    if component.stair or (quick is not None and _stands_still(component, quick, noise)):
        quick = None
    if quick is None:
        kink = quick_kink(component)
        if kink is not None:
            return kink
    ordinary = noise <= ORDINARY * component.base_noise()
    if quick is not None and ordinary and _sharp(quick, goal):
        return found_in(component, quick, "smooth", noise)
    if quick is not None and ordinary:
        # Nothing but rounding stands in the way: know it better, then take larger steps.
        for k in (BASE + 2 * STRIDE, BASE + 4 * STRIDE):
            if k <= component.depth:
                component.rung(k)
        noise = component.noise_beside(quick)
        best = _coarsen(component, quick.start, noise)
        if best is not None and best.useful:
            return found_in(component, best, "noise", noise)
    _survey(component)
    if is_on_a_plateau(component):
        return plateau(component)
    if jumps(component):
        return Found(
            math.nan, math.inf, "jump", component.fine_noise(), math.nan, component.scale()
        )
    noise = component.fine_noise()
    best, noise, tooth = _best_window(component, noise, Goal(goal.rtol / _THOROUGH, goal.atol))
    found = _settled(component, best, noise, goal)
    if is_cusp(component, found):
        return cusp(component, noise)
    return found if tooth is None else on_two_scales(component, tooth, found)


def _settled(component: Component, best: Window | None, noise: float, goal: Goal) -> Found:
    """Return what the best window says, or the two sides where it is of little use."""
    if best is not None and best.start > BASE + 2 * STRIDE:
        # so fine that nothing but noise takes slopes off the window's polynomial
        noise = max(noise, component.noise_beside(best))
        best = component.window(best.start, noise) or best
    if not component.credible(noise) and (best is None or best.rounding > best.truncation):
        return rough(component, noise)
    if best is not None and best.start > BASE:
        best = _beside_finer(component, best, noise)
    if best is None or not best.useful:
        return two_sides(component, best, noise)
    if stays_bent(component, best.radius, noise):
        found = two_sides(component, best, noise)
        if found.reason == "kink":
            return found
    sharp = best.truncation >= best.rounding or _sharp(best, goal)
    return found_in(component, best, "smooth" if sharp else "noise", noise)


def first_glance(c: Component, goal: Goal) -> Found | None:
    """Return a derivative from three rungs and a fine one that confirms them; None where it misses the goal."""
    check = c.rung(min(CHECK, c.depth))
    window = _short_window(c, _SHORT_BASE, 3.0 * c.modelled_noise([check]), goal)
    if window is None or not check.finite:
        return None
    noise = c.noise_beside(window)
    window = c.with_noise(window, noise)
    return found_in(c, window, "smooth", noise) if _sharp(window, goal) else None


def glance(c: Component, goal: Goal, noise: float, finest: int) -> Found | None:
    """Return a derivative from two rungs, or from three; None where it misses the goal.

    A right claim along a line that is not as smooth disagrees, and is looked at again; a wrong one
    would have to be wrong by just what the two rungs leave out.

    Parameters
    ----------
    c : Component
        Whose derivative.
    goal : Goal
        What is good enough.
    noise : float
        Upper estimate of φ's noise, from elsewhere: so few rungs show none.
    finest : int
        The finest rung of a window that was smooth elsewhere.
    """
    finest = max(finest, _USUAL_FINEST)
    window = c.window(finest + 1, noise, PAIR)
    if window is None or not _sharp(window, goal):
        window = _short_window(c, finest + 1 - SHORT, noise, goal)
    return None if window is None else found_in(c, window, "smooth", noise)


def _short_window(c: Component, start: int, noise: float, goal: Goal) -> Window | None:
    """Return three rungs that reach the goal, from `start` or a little finer; None if none do."""
    for k in range(start, start + _FINER + 1):
        window = c.window(k, noise, SHORT)
        if window is None or _sharp(window, goal):
            return window
        if window.rounding > window.truncation:
            return None
    return None


def roughly(c: Component, atol: float, noise: float, finest: int) -> Found | None:
    """Return a derivative from two rungs, for questions that need no more; None where it is worse than `atol`.

    Noise and finest rung are those of `glance`.
    """
    finest = max(finest, _USUAL_FINEST)
    coarse, fine = c.rung(finest - 2), c.rung(finest)
    if not (coarse.finite and fine.finite):
        return None
    value = fine.slope + (fine.slope - coarse.slope) / 15  # steps that differ by four
    rounding = SIGMAS * max(noise, c.modelled_noise([coarse, fine])) / fine.step
    radius = abs(fine.slope - coarse.slope) + rounding
    if radius > atol or abs(fine.bend) > abs(coarse.bend) / 2 + rounding:
        return None
    scale = max(c.scale(), abs(value))
    return Found(value, radius, "smooth", noise, coarse.step, scale, finest=finest)


def one_pair(c: Component, atol: float, noise: float) -> Found | None:
    """Return a slope as it stands, to be compared with a claim that only has to be about right.

    Its truncation isn't known.  It is guessed from the bend, as that of an exponential, and taken to
    be an eighth of `atol` at most: a right claim where it is more disagrees, and is looked at again.
    None where noise is more than `atol`; it is that of `glance`.
    """
    r = c.rung(BASE + 3)
    if not r.finite:
        return None
    rounding = SIGMAS * max(noise, c.modelled_noise([r])) / r.step
    if rounding > atol:
        return None
    guess = 4 * abs(r.bend * (r.bend / r.slope)) if r.slope else math.inf
    radius = rounding + min(guess, atol / 8)
    return Found(r.slope, radius, "smooth", noise, r.step, max(c.scale(), abs(r.slope)))


def deeper(c: Component, goal: Goal) -> Found | None:
    """Return a derivative from ever finer windows, as long as that shrinks the radius; None where none is smooth.

    Where φ grows far beyond its value at x, its rounding does, too, and is least at small steps.
    Stairs, of which small steps may see a single one, are left to the search.
    """
    best: Window | None = None
    for start in range(BASE, c.depth - WIDTH - STRIDE, STRIDE):
        finer = c.rung(start + WIDTH + _OFF_LADDER)
        w = c.window(start, 3.0 * c.modelled_noise([finer]))
        if w is not None:
            w = c.with_noise(w, c.noise_beside(w))
        if w is None or (best is not None and w.radius >= best.radius):
            break
        best = w
        if _sharp(w, goal):
            break
    c.look_for_stairs()
    if best is None or c.stair:
        return None
    return found_in(c, best, "smooth", best.noise)


def outgrown(c: Component, size: float) -> bool:
    """Whether φ has a slope so close to the point that movements as large as `size` say nothing of it.

    An energy of distances between positions far from the origin grows with the fourth power of
    steps as large as these.
    """
    if c.depth < _CLOSEST:
        return False
    r, s = c.rung(_CLOSEST - _APART), c.rung(_CLOSEST)
    local = max(abs(r.slope), abs(r.bend) * (c.line.unit / r.step))
    return local < _OUTGROWN * size and abs(s.slope) > abs(r.slope) / 2


def _quick(c: Component) -> tuple[Window | None, float]:
    """Extrapolate the first window; also return the noise that the check rung shows beside it."""
    check = c.rung(min(CHECK, c.depth))
    model = 3.0 * c.modelled_noise([check])
    if not (check.finite and all(c.rung(BASE + k).finite for k in range(WIDTH))):
        return None, model
    window = c.window(BASE, model)
    if window is None:
        return None, model
    noise = c.noise_beside(window)
    return c.with_noise(window, noise), noise


def _stands_still(c: Component, w: Window, noise: float) -> bool:
    """Whether φ hasn't moved at all on a finer rung, where the window's slope would be seen."""
    finer = (c.rungs[k] for k in c.known() if k >= w.stop)
    return any(r.flat and abs(w.slope_at(r.step)) * r.step > 2 * SIGMAS * noise for r in finer)


def _confirmed(c: Component, start: int, noise: float) -> Window | None:
    window = c.window(start, noise)
    return None if window is None or c.contradicted(window, noise) else window


def _sharp(w: Window, goal: Goal) -> bool:
    return w.radius <= max(goal.rtol * max(abs(w.value), w.movement), goal.atol)


def _coarsen(c: Component, start: int, noise: float) -> Window | None:
    """Walk to larger steps as long as that shrinks the radius."""
    best = _confirmed(c, start, noise)
    a = start - STRIDE
    while a >= COARSEST:
        w = _confirmed(c, a, noise)
        if w is None or (best is not None and w.radius >= best.radius):
            break
        gained = best is None or w.radius < best.radius / 2
        best = w
        if not gained or w.truncation > w.rounding:
            break
        a -= STRIDE
    return best


def _survey(c: Component) -> None:
    """Sample the ladder over all decades, until two rungs in a row are flat or rounding has drowned them."""
    flat = drowned = 0
    previous = None
    for k in range(BASE, c.depth + 1, STRIDE):
        r = c.rung(k)
        flat = flat + 1 if r.finite and r.flat else 0
        if flat >= 2:
            return
        if previous is not None and r.finite and previous.finite:
            change = abs(r.slope - previous.slope)
            rounding = 64 * c.modelled_noise([r]) / r.step
            drowned = drowned + 1 if abs(r.slope) / 2 < change < rounding else 0
            if drowned >= 3:
                return
        previous = r


class _Choice(NamedTuple):
    """A window to trust, and φ's noise on it; the window inside a single tooth where that says otherwise."""

    window: Window | None
    noise: float
    tooth: Window | None = None


def _best_window(c: Component, noise: float, goal: Goal) -> _Choice:
    """Choose the confirmed window of smallest radius, after a second look at the noise it stands on."""
    best = _smallest(c, noise, goal)
    if best is None:
        stairs = noise_of_narrow_stairs(c, noise)
        if stairs and c.credible(stairs):
            return _Choice(_smallest(c, stairs, goal), stairs)
        return _Choice(None, noise)
    # The finest rungs may be too quiet: inside one stair of a computation that rounds an
    # intermediate result, even the slope is smooth and wrong.  So the noise is looked at where it
    # counts, and where slopes break off.
    there = noise
    if not _sharp(best, goal) and best.rounding >= best.truncation:
        step = best.tail.step
        there = max(noise, c.irregularity(step / 3, step))
        best = c.window(best.start, there) or best
    beyond = noise_beyond(c, best, there)
    if beyond is None:
        return _Choice(best, noise)
    louder, certain = beyond
    coarse = _smallest(c, louder, goal) if c.credible(louder) else None
    if certain and is_inner_rounding(c, louder):
        return _Choice(coarse, louder)  # what is inside a stair of it is no derivative
    if coarse is None or coarse.start >= best.start:
        return _Choice(best, noise)
    sharper = coarse.radius < best.radius
    conflict = abs(coarse.value - best.value) > coarse.radius + best.radius
    if conflict and leaves_gradually(c, best, noise):
        return _Choice(best, noise)  # many kinks far from x look like noise, but aren't
    if certain and conflict and not coarse.useful:
        return _Choice(coarse, louder, tooth=best)
    if sharper or (conflict and (certain or coarse.useful)):
        return _Choice(coarse, noise)
    return _Choice(best, noise)


def _smallest(c: Component, noise: float, goal: Goal) -> Window | None:
    """Try the windows that the survey makes likely, coarsest first."""
    best: Window | None = None
    tried = 0
    for a in range(BASE, c.depth - WIDTH + 1, STRIDE):
        if tried >= _MAX_WINDOWS:
            break
        if not _promising(c, a, noise):
            continue
        tried += 1
        w = _confirmed(c, a, noise)
        if w is None:
            continue
        if best is None or w.radius < best.radius:
            best = w
        if _sharp(best, goal) or w.rounding > w.truncation:
            break
    if best is not None and best.start == BASE:
        return _coarsen(c, best.start, noise) or best
    while best is not None and best.rounding > best.truncation and not _sharp(best, goal):
        # between the rungs of the survey
        w = _confirmed(c, best.start - 1, noise)
        if w is None or w.radius >= best.radius:
            break
        best = w
    return best


def _beside_finer(c: Component, w: Window, noise: float) -> Window:
    """Widen a window's radius by what the next finer one says otherwise.

    Where coarser windows weren't smooth, something lies beside the point, such as a spline's knot.
    A window that just reaches it looks smooth and is slightly wrong, within the noise of its finer
    rungs one by one.
    """
    if w.start + STRIDE > c.depth - WIDTH:
        return w
    finer = _confirmed(c, w.start + STRIDE, noise)
    if finer is None or not finer.useful:
        return w
    apart = abs(w.value - finer.value)
    if apart <= max(w.radius, finer.rounding / _CAUTIOUS):
        return w
    return w._replace(truncation=w.truncation + 2 * apart)


def _promising(c: Component, a: int, noise: float) -> bool:
    """Whether the survey's rungs a and a+3 look like a smooth function's: close slopes, a bend that shrinks."""
    r, s = c.rung(a), c.rung(a + WIDTH - 1)
    if not (r.finite and s.finite):
        return False
    slack = 6 * noise / s.step
    close = abs(r.slope - s.slope) <= max(0.3 * max(abs(s.slope), abs(r.bend)), slack)
    shrinking = abs(s.bend) <= max(abs(r.bend) / 3, slack)
    return close and shrinking
