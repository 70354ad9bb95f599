"""How a check may end, and what is said of it in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck._claim.compare import Comparison
from gradcheck._diagnosis.locate import Located
from gradcheck._report.report import Diagnosis, Outcome, Reason, WrongEntry, number
from gradcheck._verdict.searches import EntryResult

_HIDDEN = Reason.NOISE, "f's rounding or noise hides its derivative"
_EDGE = Reason.DOMAIN, "f isn't finite around x, or x is too close to the end of its domain"
# by why the numerical side says little, in the estimator's words
_WHY = {
    "noise": _HIDDEN,
    "smooth": _HIDDEN,
    "constant": _HIDDEN,
    "domain": _EDGE,
    "one-sided": _EDGE,
    "kink": (Reason.KINK, "f has kinks along the directions tried"),
    "cusp": (Reason.CUSP, "f has a cusp at x"),
    "jump": (Reason.JUMP, "f jumps at x"),
    "rough": (Reason.ROUGH, "no step sizes agree on a derivative of f at x"),
    "disagreement": (Reason.ROUGH, "two ways to f's derivative contradict each other"),
}
_NAMED = 4
# which derivative is wrong, where no entry of it could be singled out
_WHERE = {"small entries": "in the small entries", "small outputs": "of the small outputs"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check ended, before the report is written."""

    outcome: Outcome
    reason: Reason
    message: str
    resolution: float = math.inf
    wrong_entries: tuple[WrongEntry, ...] = ()
    diagnosis: Diagnosis | None = None


def agreement(directions: int, kinks: int, resolution: float) -> Verdict:
    """Say that all random directions agree, and every entry at a kink."""
    if kinks:
        what = "1 entry at a kink lies" if kinks == 1 else f"{kinks} entries at a kink lie"
        message = f"agrees; {what} between the one-sided derivatives"
        return Verdict(Outcome.PASS, Reason.KINK, message, resolution)
    message = f"agrees with the numerical derivative along {directions} random directions"
    return Verdict(Outcome.PASS, Reason.AGREEMENT, message, resolution)


def agreement_in_every_entry(result: EntryResult) -> Verdict:
    """Say that every entry agrees by itself, and how many of them rounding hides."""
    reason = Reason.KINK if result.kinks else Reason.AGREEMENT
    message = f"all {result.total} entries agree" if result.total != 1 else "its only entry agrees"
    if result.kinks:
        message += f", {result.kinks} at kinks"
    if result.hidden:
        message += (
            f"; rounding hides {result.hidden} of them, in which an error of {result.beneath:.1e} of the "
            "largest entry would have been seen"
        )
    return Verdict(Outcome.PASS, reason, message, result.resolution)


def constant(comparisons: Sequence[Comparison], resolution: float) -> Verdict:
    """Say that all comparisons agree, and f didn't move along any of them."""
    if any(c.claimed for c in comparisons):
        return Verdict(
            Outcome.INCONCLUSIVE,
            Reason.NOISE,
            "f did not vary at all; the claimed derivative isn't zero, but so small that f's rounding hides it",
        )
    message = "f did not vary at all, and the claimed derivative is zero"
    return Verdict(Outcome.PASS, Reason.CONSTANT, message, resolution)


def disagreement(
    located: Located, worst: Comparison | None, diagnosis: Diagnosis | None, resolution: float
) -> Verdict:
    """Say that the claim is wrong: in the entries that were located, or along a direction at least."""
    if located.entries:
        e, count = located.entries[0], len(located.entries)
        at_least = "" if located.complete else "at least "
        more = f" ({at_least}{count} wrong entries)" if count > 1 else ""
        message = (
            f"{e.place} is wrong: claimed {number(e.claimed)}, "
            f"numerical {number(e.numerical)} ± {e.radius:.1e}{more}"
        )
    else:
        assert worst is not None  # a failure without entries comes from a direction
        where = _WHERE.get(worst.label, f"along a {worst.label} direction")
        message = (
            f"the derivative {where} is wrong: claimed {number(worst.claimed)}, "
            f"numerical {number(worst.found.value)} ± {worst.found.radius:.1e}"
        )
    return Verdict(
        Outcome.FAIL, Reason.DISAGREEMENT, message, resolution, located.entries, diagnosis
    )


def no_subgradient(c: Comparison, names: Sequence[str], resolution: float) -> Verdict:
    """Say that entries at a kink agree one by one, and not together."""
    shown = ", ".join(names[:_NAMED]) + ("" if len(names) <= _NAMED else f" … ({len(names)})")
    low, high = c.found.interval or (c.found.value, c.found.value)
    message = (
        f"{shown} at a kink: each lies between its one-sided derivatives, but not all together (along a "
        f"direction that moves them claimed {number(c.claimed)}, one-sided {number(low)} … {number(high)})"
    )
    return Verdict(Outcome.FAIL, Reason.KINK, message, resolution)


def contradictory(worst: Comparison | None, entries: Sequence[WrongEntry]) -> Verdict:
    """Say that f has no derivative at x that a claim could agree with."""
    where = ""
    if entries:
        where = f" ({entries[0].label}: claimed {number(entries[0].claimed)})"
    elif worst is not None:
        where = f" (claimed {number(worst.claimed)}, numerical {number(worst.found.value)})"
    return Verdict(
        Outcome.INCONCLUSIVE,
        Reason.KINK,
        "f has no derivative at x: what it moves by when equal entries move together is not the sum of "
        f"what it moves by for each{where}; move x off the tie",
    )


def doubtful(wrong: Sequence[Comparison], directions: int, resolution: float) -> Verdict:
    """Say that a direction disagrees and no other confirms it, or that several do by too little."""
    c = max(wrong, key=lambda c: c.excess)
    gap = f"{number(c.claimed)} against {number(c.found.value)} ± {c.found.radius:.1e}"
    message = (
        f"{len(wrong)} of {directions} directions disagree ({gap}), but too little for a verdict"
    )
    if len(wrong) == 1:
        message = f"one direction of {directions} disagrees ({gap}), and no other confirms it"
    return Verdict(Outcome.INCONCLUSIVE, _WHY[c.found.reason][0], message, resolution)


def hair_off(c: Comparison, hair: float, resolution: float) -> Verdict:
    """Say that the claim is off by less than error bars should be believed for: a hair, or a few of them."""
    off = c.off
    gap = (
        f"claimed {number(c.claimed)} and numerical {number(c.found.value)} ± {c.found.radius:.1e}"
    )
    little = "differ, but by so little that f may be less smooth than it seems"
    if off > hair * c.scale:
        little = (
            f"differ by {off / c.found.radius:.0f} radii only, and f may be noisier than it seems"
        )
    message = f"{gap} {little}"
    if c.scale:
        message += f"; rtol={_rounded_up(max(10 * hair, off / c.scale)):g} accepts it"
    return Verdict(Outcome.INCONCLUSIVE, Reason.ROUGH, message, resolution)


def _rounded_up(x: float) -> float:
    """Return the next number of one digit that isn't smaller."""
    unit = 10.0 ** math.floor(math.log10(x))
    return float(f"{math.ceil(x / unit * (1 - 1e-9)) * unit:.0e}")


def different_from_afar(c: Comparison) -> Verdict:
    """Say that tiny entries of x agree as far as rounding shows, and not at larger steps."""
    return Verdict(
        Outcome.INCONCLUSIVE,
        Reason.NOISE,
        "f's rounding hides its derivative in the tiny entries of x: at steps as large as its largest entry "
        f"claimed {number(c.claimed)} and numerical {number(c.found.value)} ± {c.found.radius:.1e} differ",
    )


def rounded_flat(c: Comparison, movement: float) -> Verdict:
    """Say that f is constant along the real axis, and isn't off it."""
    return Verdict(
        Outcome.INCONCLUSIVE,
        Reason.NOISE,
        f"f's rounding hides its derivative: f does not vary around x, but its complex step does, "
        f"by {number(movement)} (claimed {number(c.claimed)})",
    )


def unresolved(worst: Comparison, resolution: float) -> Verdict:
    """Say that nothing disagrees, but the error bars are too wide to have seen a mistake."""
    reason, why = _WHY[worst.found.reason]
    seen = (
        f"only an error of {resolution:.1e} would have been seen"
        if math.isfinite(resolution)
        else "no error would have been seen"
    )
    return Verdict(Outcome.INCONCLUSIVE, reason, f"{why}: {seen}", resolution)


def unresolved_entries(unresolved: int, total: int, why: str, resolution: float) -> Verdict:
    """Say that some entries can't be told, and why most of them can't."""
    reason, text = _WHY[why]
    message = f"{unresolved} of {total} entries can't be told: {text}"
    return Verdict(Outcome.INCONCLUSIVE, reason, message, resolution)
