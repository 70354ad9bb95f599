"""How statuses and numbers are put into words and signs, the same in every format."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivations.code.exclusions import NOT_COVERED
from derivations.records import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from derivations.confrontation.cases import ExaminedCase
    from derivations.provenance import Provenance
    from derivations.records import CodeProof, Derivation, Evidence
    from derivations.report import ExaminedClaim, ReportData

# Where to read what a status means; the order is from strongest to weakest.
MEANINGS: Mapping[Standing, str] = {
    Standing.PROVED_ALL_N: "an identity of finite sums of symbolic length: the normal form of the "
    "difference is zero, so it holds for every number of classes, samples and units",
    Standing.PROVED_REAL: "an identity of elementary functions: the difference is the zero "
    "rational function in independent generators, so it holds for all real arguments where both "
    "sides exist",
    Standing.PROVED_CODE: "the formulas that the code computes, followed in exact real arithmetic "
    "on every branch, equal the derivative; rounding is not covered",
    Standing.PROVED_FIXED_N: "decided exactly, for the stated sizes or the stated point only",
    Standing.NUMERICAL: "measured at the stated points, to the stated precision",
    Standing.UNDECIDED: "nothing was found out; this never counts as success",
    Standing.REFUTED: "a witness point was found where the statement is false",
}

_PROVED = (
    Standing.PROVED_ALL_N,
    Standing.PROVED_REAL,
    Standing.PROVED_CODE,
    Standing.PROVED_FIXED_N,
)
TRUSTED_BASE = (
    "“Proved” means machine-checked by this package’s own kernels on top of SymPy’s expression "
    "arithmetic; it is not the output of a proof assistant. The rules of differentiation of the "
    "elementary functions, the chain rule and the linearity of finite sums are taken as axioms."
)


EXECUTED = (
    "The column “code in exact arithmetic” says where the formula in the code, executed with symbols "
    "instead of numbers on small shapes and on every path, is that of the derivation, and where not: "
    "on the borders between branches, at the entries named there and at entries alike. Not covered "
    f"are {NOT_COVERED}."
)
# The places that a proof of code leaves out, among its exclusions.
_INDICES = re.compile(r"_(\d+(?:,\d+)+)")  # of an entry, to be set below the line together
_OUTSIDE = "everything outside of: "
_PLACE = re.compile(r"(?:kinks and borders between branches, where|points where) (.*)")

# The groups that statuses are coloured by; the sign alone tells them apart.
SIGNS: Mapping[str, str] = {"proved": "✓", "refuted": "✗", "undecided": "?", "measured": "≈"}

KERNELS = (
    "Each step of a derivation was checked by all of the methods under its number, for what stands "
    "in brackets. “Indexed normal form” decides identities of finite sums of symbolic length; "
    "“rational normal form” decides identities of rational functions in independent generators; "
    "sampling compares the two sides as numbers."
)


@dataclass(frozen=True, slots=True)
class Look:
    """The sign of a status and the group that it is coloured with."""

    sign: str
    group: str


def look(standing: Standing) -> Look:
    """Return sign and colour group; the sign alone tells the groups apart."""
    group = "measured"
    if standing in _PROVED:
        group = "proved"
    elif standing in (Standing.REFUTED, Standing.UNDECIDED):
        group = standing.name.lower()
    return Look(SIGNS[group], group)


def status_words(examined: ExaminedClaim) -> str:
    """Return the status of a claim in words, with what was expected where it is not plain."""
    words = examined.status.value
    if examined.claim.known_wrong:
        words += ": the source is wrong here" if examined.expected else ", though known to be wrong"
    return words


def tally(standings: Iterable[Standing]) -> list[tuple[Standing, int]]:
    """Return how often each standing occurs, strongest first."""
    counts = Counter(standings)
    return [(s, counts[s]) for s in Standing if counts[s]]


def verdict(data: ReportData) -> str:
    """Return the report in one sentence.

    The first thing that a reader sees: whether everything is as it should be.
    """
    if data.problems:
        return f"{plural(len(data.problems), 'problem')} found"
    parts = []
    if data.claims:
        parts.append(f"{len(data.claims)} claim{'s' * (len(data.claims) > 1)} examined")
    if data.cases:
        parts.append(f"{len(data.cases)} function{'s' * (len(data.cases) > 1)} compared")
    wrong = sum(c.claim.known_wrong for c in data.claims)
    if wrong:
        parts.append(f"{wrong} of the claims refuted, as they should be")
    return ", ".join(parts) + ": no problem found"


def plural(count: int, word: str) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{count} {word}{'s' * (count != 1)}"


def figure(x: float) -> str:
    """Format a measured number to the digits that mean something.

    Examples
    --------
    >>> figure(0.4375), figure(2.5e-16), figure(12345.6), figure(0.0)
    ('0.44', '2.5e-16', '1.2e+04', '0')
    """
    if x == 0:
        return "0"
    if math.isfinite(x) and 0.01 <= abs(x) < 1000:
        return f"{x:.2f}"
    return f"{x:.1e}"


def outcomes(counts: Mapping[str, int]) -> str:
    """Return ``12 pass``, or every outcome with its count."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none"


def basis(e: Evidence) -> str:
    """Return how strong a piece of evidence is, for what it holds and by what method."""
    scope = f": {e.scope}" if e.detail and e.scope else ""
    return f"— {e.standing.value}{scope}; by {e.method}"


def checks(evidence: Iterable[Evidence]) -> str:
    """Return what checked a step."""
    return "; ".join(f"{e.method} ({e.scope})" if e.scope else e.method for e in evidence)


def common_checks(d: Derivation) -> str:
    """Return what checked every step alike; empty if the steps differ."""
    every = {checks(step.evidence) for step in d.steps}
    return every.pop() if len(every) == 1 else ""


def provenance(p: Provenance) -> list[tuple[str, str]]:
    """Return what is needed to make the report again, as name and value."""
    return [
        ("command", p.command),
        ("seed", str(p.seed)),
        ("random inputs per function", str(p.points)),
        ("made", f"{p.created}, in {p.seconds:.1f} s"),
        ("versions", ", ".join(f"{name} {version}" for name, version in p.versions)),
    ]


# What `compared` gives, in that order.
COMPARED = (
    "code in exact arithmetic",
    "value, ulp",
    "derivative, ulp",
    "worst entry, relative",
    "numerical, radii",
    "gradcheck",
)


def excluded(exclusions: Iterable[str]) -> str:
    """Return, in short, where a proof of code does not hold inside of its region.

    The region is shown already, and what no proof of code covers is said once for all of them.

    Examples
    --------
    >>> excluded(["everything outside of: x < 7", "points where x_1 = 0, and at entries alike"])
    '; not where x_1 = 0'
    """
    places, others = [], []
    for exclusion in exclusions:
        match = _PLACE.match(exclusion)
        if match is not None:
            place = match[1].removesuffix(", and at entries alike")
            places.append(_INDICES.sub(r"_{\1}", place))
        elif exclusion != NOT_COVERED and not exclusion.startswith(_OUTSIDE):
            others.append(exclusion)
    where = f"; not where {'; '.join(dict.fromkeys(places))}" if places else ""
    return where + (f"; also not: {'; '.join(others)}" if others else "")


def _executed(proof: CodeProof) -> str:
    return f"{look(proof.standing).sign} {proof.summary}{excluded(proof.evidence.exclusions)}"


def compared(case: ExaminedCase) -> tuple[str, ...]:
    """Return what the comparison of a case gave, a text for each heading in `COMPARED`."""
    summary = case.comparison.confrontation
    return (
        "–" if case.code is None else _executed(case.code),
        figure(summary.value_ulps),
        figure(summary.derivative_ulps),
        figure(case.comparison.entry_error),
        figure(summary.radii),
        outcomes(summary.outcomes),
    )
