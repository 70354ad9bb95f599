"""What a comparison of derivation, closed form and finite differences found, as records."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivations.records import Confrontation

if TYPE_CHECKING:
    from collections.abc import Mapping

# A closed form is a handful of rounded operations on good library functions: 8 ulp.  Where the result
# is ill-conditioned (a sum that cancels), the rounding inside costs about as much as rounding the
# arguments would; that is measured, and eight times as much is allowed on top.
_BASE_ULPS = 8.0
_CONDITIONING = 8.0
# A radius is meant to contain the error, but is an estimate, not a bound: over 360 seeds of the whole
# catalogue at 4 points each (40,320 comparisons) one was exceeded, by 1.32; the next largest was 0.93
# of its radius.  Twice the radius leaves room for that.  A derivation that is wrong is off by
# thousands of radii.
_RADII = 2.0


@dataclass(frozen=True, slots=True)
class PointComparison:
    """The three ways at one random input.

    Parameters
    ----------
    sizes : Mapping of str to int
        The drawn sizes.
    value_ulps, derivative_ulps : float
        Largest error of the closed forms in ulps of the largest entry of the result.
    value_conditioning, derivative_conditioning : float
        By how many ulps the code's own results change when what it is given is rounded differently.
    entry_error : float
        Largest relative error of a single entry of the closed form's derivative; entries whose true
        value is zero are left out.
    radii : float
        Largest error of the numerical derivative in its stated radii.
    outcomes : Mapping of str to int
        Checks of the closed form by their outcome.
    """

    sizes: Mapping[str, int]
    value_ulps: float
    derivative_ulps: float
    value_conditioning: float
    derivative_conditioning: float
    entry_error: float
    radii: float
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All points of one case.

    Parameters
    ----------
    case : str
        Row of ``reference.CASES``.
    points : tuple of PointComparison
        At least one, unless the comparison broke off.
    failure : str
        Why it broke off; empty if it did not.
    """

    case: str
    points: tuple[PointComparison, ...]
    failure: str = ""

    @property
    def value_ulps(self) -> float:
        """The largest over the points."""
        return max((p.value_ulps for p in self.points), default=math.inf)

    @property
    def derivative_ulps(self) -> float:
        """The largest over the points."""
        return max((p.derivative_ulps for p in self.points), default=math.inf)

    @property
    def entry_error(self) -> float:
        """The largest over the points."""
        return max((p.entry_error for p in self.points), default=math.inf)

    @property
    def confrontation(self) -> Confrontation:
        """The summary that claims carry."""
        outcomes: Counter[str] = Counter()
        for p in self.points:
            outcomes.update(p.outcomes)
        return Confrontation(
            case=self.case,
            points=len(self.points),
            value_ulps=self.value_ulps,
            derivative_ulps=self.derivative_ulps,
            radii=max((p.radii for p in self.points), default=math.inf),
            outcomes=dict(outcomes),
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not agree; empty where the three ways do."""
        found = tuple(problem for p in self.points for problem in _problems(p))
        if self.failure or not self.points:
            return (self.failure or "nothing was compared", *found)
        return found


def _problems(p: PointComparison) -> list[str]:
    where = ", ".join(f"{name}={size}" for name, size in p.sizes.items()) or "a scalar"
    found = []
    for what, ulps, conditioning in (
        ("value", p.value_ulps, p.value_conditioning),
        ("derivative", p.derivative_ulps, p.derivative_conditioning),
    ):
        bound = _BASE_ULPS + _CONDITIONING * conditioning
        if not ulps <= bound:  # NaN is a problem too
            found.append(
                f"the {what} of the code is {ulps:.3g} ulp from the derivation at {where} "
                f"(rounding explains {bound:.3g})"
            )
    if not p.radii <= _RADII:
        found.append(
            f"the numerical derivative is {p.radii:.3g} radii from the derivation at {where}"
        )
    found += [
        f"gradcheck says {outcome} to the code at {where}"
        for outcome, count in p.outcomes.items()
        if outcome != "pass" and count
    ]
    return found
