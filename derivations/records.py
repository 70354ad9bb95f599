"""The records that flow through the package: a derivation of steps, its evidence, a claim of a source, its finding.

Nothing here computes mathematics.  `Standing` orders what can be said about a statement from
strongest to weakest; the standing of a derivation is that of its weakest step, and the status of a
claim that of its weakest evidence.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp


class Standing(enum.Enum):
    """What is known about a statement, strongest first; computed, never typed."""

    PROVED_ALL_N = "proved for every n"
    PROVED_REAL = "proved for all reals"
    PROVED_CODE = "proved for the code"
    PROVED_FIXED_N = "proved for fixed n"
    NUMERICAL = "verified numerically"
    UNDECIDED = "undecided"
    REFUTED = "refuted"

    @property
    def rank(self) -> int:
        """0 for the strongest; larger is weaker."""
        return list(Standing).index(self)

    @classmethod
    def weakest(cls, standings: tuple[Standing, ...]) -> Standing:
        """Return the weakest of several; with none, nothing is known: ``UNDECIDED``."""
        return max(standings, key=lambda s: s.rank, default=cls.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Definition:
    """A name for an expression, such as y_i := exp(z_i)/Σ_j exp(z_j).

    Parameters
    ----------
    symbol : sympy.Symbol or sympy.IndexedBase
        The name.
    indices : tuple of sympy.Symbol
        The free indices of `body`; empty for a scalar name.
    body : sympy.Expr
        What the name stands for.
    text : str
        The definition in words or plain mathematics, for the report.
    """

    symbol: Any
    indices: tuple[sp.Symbol, ...]
    body: sp.Expr
    text: str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An equation that a step may use, such as Σ_i Y_i = 1; named wherever it is used."""

    lhs: sp.Expr
    rhs: sp.Expr
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One independent reason to believe a statement.

    Parameters
    ----------
    standing : Standing
        How strong it is.
    method : str
        What was done: "indexed normal form", "rational normal form", "finite differences", …
    scope : str
        For what it holds: "every n ≥ 1", "all real x", "200 random points, n ≤ 64", …
    detail : str
        Figures a reader may want.
    exclusions : tuple of str
        What it does not cover: kinks, regions, rounding, …
    """

    standing: Standing
    method: str
    scope: str
    detail: str = ""
    exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeProof:
    """What is known about the code of a function.

    Parameters
    ----------
    evidence : Evidence
        Of its symbolic execution; numerical where it cannot be executed.
    replaced : tuple of str
        What was exact, in that execution, in place of approximations in the code; then only the
        mathematical core of the code was executed.
    rest : Evidence or None
        How the rest is covered, where there is one.
    """

    evidence: Evidence
    replaced: tuple[str, ...] = ()
    rest: Evidence | None = None

    @property
    def standing(self) -> Standing:
        """That of the weaker part; the core alone does not prove the code."""
        parts = (self.evidence,) if self.rest is None else (self.evidence, self.rest)
        return Standing.weakest(tuple(e.standing for e in parts))

    @property
    def covers(self) -> str:
        """How much of the code was executed and proved, in words."""
        if self.evidence.standing is not Standing.PROVED_CODE:
            return "nothing"
        return "its mathematical core" if self.replaced else "the whole code"

    @property
    def summary(self) -> str:
        """One line for a table: what holds where."""
        if self.covers == "the whole code":
            return self.evidence.scope
        if self.rest is None:
            return f"numerical at {self.evidence.scope}: {self.evidence.detail}"
        core = f"core ({'; '.join(self.replaced)}): {self.evidence.scope}"
        return f"{core}; the rest numerical at {self.rest.scope}"


@dataclass(frozen=True, slots=True)
class Step:
    """``before = after`` by a named rule, with the evidence of the kernels that checked it."""

    rule: str
    before: sp.Expr
    after: sp.Expr
    hypotheses: tuple[Hypothesis, ...]
    evidence: tuple[Evidence, ...]

    @property
    def standing(self) -> Standing:
        """The strongest of its evidence: one proof suffices, further ones guard against a kernel's mistake."""
        if any(e.standing is Standing.REFUTED for e in self.evidence):
            return Standing.REFUTED
        return min(
            (e.standing for e in self.evidence), key=lambda s: s.rank, default=Standing.UNDECIDED
        )


@dataclass(frozen=True, slots=True)
class Derivation:
    """A chain of steps from `start` (an unevaluated derivative, usually) to `result`.

    Parameters
    ----------
    name : str
        Unique in the catalogue.
    title : str
        A headline.
    start : sympy.Expr
        Where it begins.
    steps : tuple of Step
        Each step's ``before`` is identically the ``after`` of the one before it.
    definitions : tuple of Definition
        The names used.
    scope : str
        For what it holds, in words: "every n ≥ 1 and every k in 1 … n".
    remark : str
        A sentence or two for the reader; may be empty.
    """

    name: str
    title: str
    start: sp.Expr
    steps: tuple[Step, ...]
    definitions: tuple[Definition, ...]
    scope: str
    remark: str = ""

    @property
    def result(self) -> sp.Expr:
        """The last expression."""
        return self.steps[-1].after if self.steps else self.start

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The hypotheses that any step used, in order of first use."""
        return tuple(dict.fromkeys(h for s in self.steps for h in s.hypotheses))

    @property
    def standing(self) -> Standing:
        """That of the weakest step; a derivation without steps proves nothing."""
        return Standing.weakest(tuple(s.standing for s in self.steps))


@dataclass(frozen=True, slots=True)
class Confrontation:
    """The three ways against each other on random inputs: derivation, closed form, finite differences.

    Parameters
    ----------
    case : str
        Row of ``reference.CASES``.
    points : int
        Number of random inputs.
    value_ulps, derivative_ulps : float
        Largest difference between the derived expression at 50 digits and the closed form, in ulps
        of the largest entry of each result.
    radii : float
        Largest difference between the derived derivative and `gradcheck`'s numerical one, in its
        radii (at most 1 if every radius contains its error).
    outcomes : Mapping of str to int
        How many checks of the closed form ended in each outcome.
    """

    case: str
    points: int
    value_ulps: float
    derivative_ulps: float
    radii: float
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Witness:
    """A point at which a claim is wrong, with the claimed and the true value there.

    Parameters
    ----------
    point : str
        The input.
    claimed, true : str
        What the claim says there and what holds.
    explanation : str
        One sentence on what went wrong.
    """

    point: str
    claimed: str
    true: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a claim; its status is the weakest standing of its evidence.

    Parameters
    ----------
    evidence : tuple of Evidence
        Every part of the claim has at least one; a refuted part makes the claim refuted.
    derivations : tuple of Derivation
        Shown in the report under the claim.
    confrontations : tuple of Confrontation
        The three-way comparisons that bear on it.
    witness : Witness or None
        Required where the status is refuted.
    table : tuple of tuple of str
        Figures to show, first row the heading; may be empty.
    """

    evidence: tuple[Evidence, ...]
    derivations: tuple[Derivation, ...] = ()
    confrontations: tuple[Confrontation, ...] = ()
    witness: Witness | None = None
    table: tuple[tuple[str, ...], ...] = ()

    @property
    def status(self) -> Standing:
        """The weakest standing among evidence and derivations."""
        standings = (*(e.standing for e in self.evidence), *(d.standing for d in self.derivations))
        return Standing.weakest(standings)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a source document, as a row: what it says and how it is examined.

    Parameters
    ----------
    id : str
        The identifier, such as ``A7``.
    title : str
        A headline.
    source : str
        The document, and where in it.
    statement : str
        The claim in plain mathematics (Unicode, no markup).
    examine : callable
        ``examine() -> Finding`` does the work.
    known_wrong : bool
        Whether the source is known to be wrong here, so that a refutation is what is expected.
    """

    id: str
    title: str
    source: str
    statement: str
    examine: Callable[[], Finding]
    known_wrong: bool = False
