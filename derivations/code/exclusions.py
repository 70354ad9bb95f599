"""What a proof of code does not cover, in words: borders between branches, denominators, rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sympy as sp

from derivations.code.renaming import renaming
from derivations.code.tracing import Run

NOT_COVERED = "rounding, overflow, underflow, NaN and infinities"
_SHOWN, _LONGEST = 6, 40  # how many borders are shown, and with how many characters


def exclusions(
    region: str, is_part: bool, runs: Sequence[Run], denominators: Iterable[sp.Expr]
) -> tuple[str, ...]:
    """Return what is left out of a proof on every path.

    Parameters
    ----------
    region : str
        Where it holds.
    is_part : bool
        Whether that is less than everything.
    runs : sequence of Run
        The paths; where two numbers that they compare are equal is left out.
    denominators : iterable of sympy.Expr
        What was not shown to differ from zero.
    """
    found = [f"everything outside of: {region}"] if is_part else []
    borders = _different(_compared(runs))
    if borders:
        found.append(f"kinks and borders between branches, where {_listed(borders)}")
    poles = _different(e for e in denominators if not e.is_nonzero)
    if poles:
        found.append(f"points where {_listed(poles)}")
    return (*found, NOT_COVERED)


def _compared(runs: Iterable[Run]) -> Iterator[sp.Expr]:
    """Yield the differences that comparisons of inputs hang on."""
    for run in runs:
        picks, scales = run.path.picks, run.path.scales
        choices = {p.choice for p in picks.values()} | set(run.path.outcomes)
        for choice in sorted(choices, key=lambda c: c.number):
            for condition in (c for part in choice.alternatives for c in part):
                if not any(s in picks or s in scales for s in condition.difference.free_symbols):
                    yield condition.difference


def _different(expressions: Iterable[sp.Expr]) -> list[sp.Expr]:
    """Return the first of all expressions that differ in names or sign only."""
    found: dict[sp.Expr, sp.Expr] = {}
    for e in dict.fromkeys(expressions):
        forms = [side.xreplace(dict(renaming((side,)))) for side in (e, -e)]
        if not any(form in found for form in forms):
            found[forms[0]] = e
    return list(found.values())


def _listed(expressions: Sequence[sp.Expr]) -> str:
    texts = [text for text in map(_shown, expressions) if len(text) <= _LONGEST][:_SHOWN]
    more = len(expressions) - len(texts)
    if more == 1:
        texts.append("another difference vanishes" if texts else "a difference vanishes")
    elif more:
        texts.append(f"{more} {'other ' * bool(texts)}differences vanish")
    return ", or ".join(texts) + ", and at entries alike"


def _shown(difference: sp.Expr) -> str:
    """Return that two things are equal, such as ``z_1 = z_2``, given their difference."""
    difference = difference.primitive()[1]
    if difference.could_extract_minus_sign():
        difference = -difference
    right = [-t for t in sp.Add.make_args(difference) if t.could_extract_minus_sign()]
    left = difference + sp.Add(*right)
    return f"{left} = {sp.Add(*right)}".replace("**", "^").replace("*", "·")
