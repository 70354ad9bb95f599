"""Everything that is known about one case: its derivations, its code, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivations.code import execution
from derivations.comparison import Comparison
from derivations.confrontation.confront import case_named, compare, row_named
from derivations.confrontation.profiles import profile
from derivations.records import Standing

if TYPE_CHECKING:
    from derivations.confrontation.profiles import Profile
    from derivations.records import CodeProof, Derivation


@dataclass(frozen=True, slots=True)
class ExaminedCase:
    """A function of the catalogue: its derivations, and how its code compares with them.

    Parameters
    ----------
    name, source : str
        The row of ``reference.CASES`` and where its formula is written down.
    derivations : tuple of Derivation
        Checked step by step.
    comparison : Comparison
        Derivation, closed form and finite differences on random inputs.
    code : CodeProof or None
        What is known about the code itself; None where the examination broke off before.
    profile : Profile or None
        The errors of the code over the range of its input; of functions of one real number only.
    """

    name: str
    source: str
    derivations: tuple[Derivation, ...]
    comparison: Comparison
    code: CodeProof | None = None
    profile: Profile | None = None

    @property
    def standing(self) -> Standing:
        """The standing of the weakest derivation."""
        return Standing.weakest(tuple(d.standing for d in self.derivations))

    @property
    def problems(self) -> list[str]:
        """Every reason why the case is not as it should be."""
        disagreements = (
            *self.comparison.problems,
            *(self.profile.problems if self.profile else ()),
        )
        problems = [f"case {self.name}: {p}" for p in disagreements]
        if self.standing in (Standing.REFUTED, Standing.UNDECIDED):
            problems.append(f"case {self.name}: its derivation is {self.standing.value}")
        if self.code is not None and self.code.standing in (Standing.REFUTED, Standing.UNDECIDED):
            parts = [self.code.evidence, *([self.code.rest] if self.code.rest is not None else [])]
            worst = max(parts, key=lambda e: e.standing.rank)
            found = f"{worst.standing.value}: {worst.detail}"
            problems.append(f"case {self.name}: symbolic execution of its code is {found}")
        return problems


def examine_case(name: str) -> ExaminedCase:
    """Return what is known about a case; what breaks off is said in it."""
    case = case_named(name)
    source = case.source
    try:
        row, comparison = row_named(name), compare(name)
        executed, measured = execution.proof(name, comparison), profile(case, row)
        return ExaminedCase(name, source, row.derive(), comparison, executed, measured)
    except Exception as error:  # noqa: BLE001  # one broken case must not hide the others
        failure = f"the examination broke off: {type(error).__name__}: {error}"
        return ExaminedCase(name, source, (), Comparison(name, (), failure))
