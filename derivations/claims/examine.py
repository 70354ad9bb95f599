"""The steps of examinations: ask a kernel, measure, turn the answer into evidence.

No standing is typed here for a statement that was not decided just before.  A kernel that cannot
prove an identity and finds no witness yields ``undecided``; a measurement that disagrees yields
``refuted``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.expressions.calculus import meaning
from derivations.kernels import indexed, rational, witness
from derivations.kernels.terms import OutOfClassError
from derivations.records import Definition, Evidence, Hypothesis, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradcheck import Report

INDEXED = "indexed normal form"
RATIONAL = "rational normal form"
_SIZES_OF_ONE = (1, 2, 3)
_SIZES_OF_SEVERAL = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an identity of indexed expressions is about.

    Parameters
    ----------
    ranges : Mapping of sympy.Symbol to sympy.Expr
        The upper limit of every free index.
    scope : str
        For what the identity is claimed, in words.
    pairs : sequence of pairs
        Free indices that are split into equal and distinct.
    definitions : sequence of Definition
        Names to unfold.
    hypotheses : sequence of Hypothesis
        What may be used.
    """

    ranges: Mapping[sp.Basic, sp.Expr]
    scope: str
    pairs: Sequence[tuple[sp.Expr, sp.Expr]] = ()
    definitions: Sequence[Definition] = ()
    hypotheses: Sequence[Hypothesis] = ()


def for_every_size(claimed: sp.Expr, true: sp.Expr, setting: Setting, detail: str) -> Evidence:
    """Ask the kernels whether two expressions are equal for all sizes, indices and entries.

    Parameters
    ----------
    claimed, true : sympy.Expr
        May hold unevaluated derivatives and defined names.
    setting : Setting
        Ranges, hypotheses and scope.
    detail : str
        What a reader learns if it is proved.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import derivative, j, k, n, total, z
    >>> S = total(sp.exp(z[j]), j, n)
    >>> setting = Setting(ranges={k: n}, scope="every n ≥ 1")
    >>> for_every_size(sp.exp(z[k]), derivative(S, z[k]), setting, "").standing
    <Standing.PROVED_ALL_N: 'proved for every n'>
    >>> for_every_size(S, derivative(S, z[k]), setting, "").standing
    <Standing.REFUTED: 'refuted'>
    """
    residual = meaning(true - claimed, setting.definitions)
    try:
        proof = indexed.prove_zero(residual, setting.ranges, setting.pairs, setting.hypotheses)
    except OutOfClassError as error:
        return Evidence(Standing.UNDECIDED, INDEXED, setting.scope, str(error))
    found = _difference(residual, setting) if _is_plain(setting) else None
    if found is not None:
        # Also asked after a proof: two kernels that share no code guard each other.
        return Evidence(Standing.REFUTED, "interval arithmetic at a rational point", *found)
    if not proof.proved:
        left = f"the normal form of the difference is {proof.residual}"
        return Evidence(Standing.UNDECIDED, INDEXED, setting.scope, left)
    uses = [f"uses {h.text}" for h in setting.hypotheses]
    detail = "; ".join(part for part in (detail, *uses) if part)
    method = f"{INDEXED}, and {RATIONAL} for small sizes" if _is_plain(setting) else INDEXED
    return Evidence(Standing.PROVED_ALL_N, method, setting.scope, detail)


def _is_plain(setting: Setting) -> bool:
    """Whether it can be written out for small sizes as it is, without hypotheses and labels."""
    return not setting.hypotheses and not any(isinstance(s, sp.IndexedBase) for s in setting.ranges)


def _difference(residual: sp.Expr, setting: Setting) -> tuple[str, str] | None:
    """Return (scope, detail) of small sizes and a point where the residual is not zero, if any.

    The residual is written out for every choice of small sizes and indices and given to the
    rational kernel.
    """
    sizes = sorted(_sizes(residual, setting), key=str)
    tried = _SIZES_OF_ONE if len(sizes) < 2 else _SIZES_OF_SEVERAL
    for numbers in product(tried, repeat=len(sizes)):
        fixed = dict(zip(sizes, numbers, strict=True))
        for indices in witness.index_values(setting.ranges, fixed):
            point = rational.decide(witness.instantiate(residual, fixed, indices)).point
            if point is not None:
                where = ", ".join(f"{s} = {value}" for s, value in {**fixed, **indices}.items())
                return where, _difference_at(point)
    return None


def _sizes(residual: sp.Expr, setting: Setting) -> set[sp.Symbol]:
    limits = [sp.sympify(limit) for limit in setting.ranges.values()]
    limits += [upper for part in residual.atoms(sp.Sum) for _, _, upper in part.limits]
    return {symbol for limit in limits for symbol in limit.free_symbols}


def _difference_at(point: witness.Point) -> str:
    where = ", ".join(f"{symbol} = {minus(value)}" for symbol, value in point.values.items())
    apart = f"true − claimed = {minus(f'{(point.lower + point.upper) / 2:.6g}')}"
    return f"{where}: {apart}" if where else apart


def for_all_reals(claimed: sp.Expr, true: sp.Expr, scope: str, detail: str) -> Evidence:
    """Ask the rational kernel whether two expressions are equal for all real values.

    Parameters
    ----------
    claimed, true : sympy.Expr
        May hold unevaluated derivatives; no sums or indices.
    scope : str
        For what the identity is claimed, in words.
    detail : str
        What a reader learns if it is proved.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import derivative, x
    >>> for_all_reals(sp.cosh(x), derivative(sp.sinh(x), x), "all real x", "").standing
    <Standing.PROVED_REAL: 'proved for all reals'>
    """
    decision = rational.decide(meaning(true), meaning(claimed))
    if decision.kind == "proved":
        where = ", ".join(f"{condition} ≠ 0" for condition in decision.conditions)
        shown = "; ".join(part for part in (detail, where and f"where {where}") if part)
        return Evidence(Standing.PROVED_REAL, RATIONAL, scope, shown)
    if decision.point is not None:
        text = _difference_at(decision.point)
        return Evidence(Standing.REFUTED, "interval arithmetic at a rational point", scope, text)
    return Evidence(Standing.UNDECIDED, RATIONAL, scope, decision.reason)


def positive(expression: sp.Expr, standing: Standing, scope: str, detail: str) -> Evidence:
    """Decide by the signs of its parts whether an expression in positive symbols is positive.

    Parameters
    ----------
    expression : sympy.Expr
        Over symbols that are declared positive.
    standing : Standing
        What positivity for all positive values of the symbols proves, given `scope`.
    scope, detail : str
        For the reader.
    """
    method = "signs of numerator and denominator"
    numerator, denominator = sp.fraction(sp.together(expression))
    terms = [t for part in (numerator, denominator) for t in sp.Add.make_args(sp.expand(part))]
    if all(term.is_positive for term in terms):
        return Evidence(standing, method, scope, detail)
    return Evidence(Standing.UNDECIDED, method, scope, f"the sign of {expression} is not plain")


def exactly(holds: bool, method: str, scope: str, detail: str) -> Evidence:
    """Record a finite computation in exact or interval arithmetic, which decides its statement."""
    standing = Standing.PROVED_FIXED_N if holds else Standing.REFUTED
    return Evidence(standing, method, scope, detail)


def measured(agrees: bool, method: str, scope: str, detail: str) -> Evidence:
    """Record a measurement in floating point."""
    standing = Standing.NUMERICAL if agrees else Standing.REFUTED
    return Evidence(standing, method, scope, detail)


def corroborated(evidence: Evidence, agrees: bool, detail: str) -> Evidence:
    """Add a measurement to a proof of the same statement; if they disagree, it is refuted.

    Parameters
    ----------
    evidence : Evidence
        The proof.
    agrees : bool
        Whether the measurement agrees with it.
    detail : str
        What was measured.
    """
    if not agrees:
        return Evidence(Standing.REFUTED, "measurement against a proof", evidence.scope, detail)
    measured = f"(measured beside the proof: {detail})"
    return replace(evidence, detail=" ".join(part for part in (evidence.detail, measured) if part))


def minus(number: object) -> str:
    """Return a number as text with a typographic minus.

    Examples
    --------
    >>> minus(-0.5)
    '−0.5'
    """
    return str(number).replace("-", "−")


class ExaminationError(AssertionError):
    """Something that an examination relies on is not so; the claim stays undecided."""


def caught(report: Report, scope: str) -> Evidence:
    """Record that `gradcheck` rejects a claimed derivative.

    Parameters
    ----------
    report : gradcheck.Report
        Of the document's own formula.
    scope : str
        Where it was checked.

    Raises
    ------
    ExaminationError
        If the report is anything but a failure.
    """
    verdict = f"{report.outcome}: {report.message}"
    if report.outcome != "fail":
        raise ExaminationError(f"gradcheck was expected to reject this derivative; {verdict}")
    return Evidence(Standing.REFUTED, "gradcheck.check", scope, minus(verdict))


def prints_as(enclosure: Any, printed: str) -> bool:
    """Whether every number of an interval rounds to the printed decimal.

    Parameters
    ----------
    enclosure : mpmath interval
        Contains the exact value.
    printed : str
        A decimal, as a document prints it.

    Examples
    --------
    >>> from derivations.kernels.witness import interval_context
    >>> third = interval_context().mpf(1) / 3
    >>> prints_as(third, "0.333"), prints_as(third, "0.334")
    (True, False)
    """
    decimals = len(printed.partition(".")[2])
    half_unit = sp.Rational(1, 2) / 10**decimals
    shown = sp.Rational(printed)
    low, high = (shown - half_unit, shown + half_unit)
    ctx = enclosure.ctx
    bottom, top = (ctx.mpf(int(b.p)) / int(b.q) for b in (low, high))
    return bool(enclosure.a >= bottom.b and enclosure.b <= top.a)
