"""The check of one step between scalar expressions: two kernels, and sampling to 60 digits.

A step of `derive` is proved by the differential field (`derivations.kernels.field`), by the rational kernel
(`derivations.kernels.rational`, which speaks of exp, ln and the hyperbolic functions only) or by
both; and both sides are compared at points of the domain, derivatives taken as limits.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from derivations.deadline import OutOfTimeError
from derivations.expressions.calculus import CalculusError, meaning
from derivations.kernels import rational
from derivations.kernels.field import Field, OutsideFieldError
from derivations.records import Evidence, Standing
from derivations.text import reading

if TYPE_CHECKING:
    from derivations.deadline import Deadline

Point = Mapping[sp.Symbol, Any]
_STEPS = (20, 18)  # decimal digits of the steps of a central difference
_AGREE = 1e-20  # relative; the error of the difference is about 1e-36 for a tame function
_RESOLVED = 1e-24  # by how much the differences at the two steps may differ
_PROOF_SECONDS = 4.0
_SECOND_PROOF_SECONDS = 1.0
_EXPONENTIAL = (sp.exp, sp.tanh, sp.sinh, sp.cosh)
_IN_KERNEL = (*_EXPONENTIAL, sp.log, sp.Add, sp.Mul, sp.Symbol, sp.Derivative)
_HIGHEST_TOWER = 2  # the kernel's search for a witness evaluates it
_LARGEST_MULTIPLE = 128  # of the unit of all exponents: the degree of SymPy's polynomials


class UnprovedError(ValueError):
    """A step could not be shown to hold; the message says why."""


class WrongStepError(AssertionError):
    """A step does not hold: a rule is wrong."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What a step is judged by.

    Parameters
    ----------
    points : sequence of mapping
        Points of the domain, a number of `context` for every symbol.
    context : mpmath.MPContext
        At least 60 digits.
    deadline : Deadline
        When proofs have to stop.
    scope : str
        For what a proof holds, in words.
    """

    points: Sequence[Point]
    context: Any
    deadline: Deadline
    scope: str

    def evidence(self, before: sp.Expr, after: sp.Expr) -> tuple[Evidence, ...]:
        """Return what shows that two sides are equal.

        Raises
        ------
        UnprovedError
            If neither kernel proves it, or no point could be used.
        WrongStepError
            If the sides differ at a point.
        """
        sampled = self.sampled(before, after)
        proofs = self._proofs(before, after)
        return (*proofs, sampled)

    def _proofs(self, before: sp.Expr, after: sp.Expr) -> list[Evidence]:
        found, reasons = [], []
        try:
            with self.deadline.within(_PROOF_SECONDS):
                if Field().is_zero(before - after):
                    found.append(self._proof("normal form in a differential field"))
                else:
                    reasons.append("the difference has a normal form that is not zero")
        except OutOfTimeError:
            reasons.append("the time for the proof ran out")
        except OutsideFieldError as error:
            reasons.append(str(error))
        if _is_of_kernel(before) and _is_of_kernel(after):
            try:
                with self.deadline.within(_SECOND_PROOF_SECONDS):
                    residual = meaning(before) - meaning(after)
                    if rational.decide(residual).kind == "proved":
                        found.append(self._proof("rational normal form"))
            except (OutOfTimeError, CalculusError, OverflowError, MemoryError):
                pass  # the second proof is not needed if there is the first
        if not found:
            raise UnprovedError("; ".join(reasons))
        return found

    def _proof(self, method: str) -> Evidence:
        return Evidence(Standing.PROVED_REAL, method, self.scope)

    def sampled(self, before: sp.Expr, after: sp.Expr) -> Evidence:
        """Compare two sides at the points."""
        used, worst = 0, 0.0
        for at in self.points:
            try:
                sides = [numeric(side, at, self.context) for side in (before, after)]
            except (reading.UndefinedError, ZeroDivisionError, OverflowError):
                continue
            used += 1
            difference = abs(sides[0] - sides[1]) / max(1, *(abs(side) for side in sides))
            if not difference <= _AGREE:
                where = ", ".join(f"{s} = {self.context.nstr(x, 5)}" for s, x in at.items())
                gap = self.context.nstr(difference, 3)
                raise WrongStepError(f"{before} and {after} differ by {gap} at {where}")
            worst = max(worst, float(difference))
        if used == 0:
            raise UnprovedError("the sides could be evaluated at none of the sampled points")
        return Evidence(
            Standing.NUMERICAL,
            "60-digit sampling, derivatives as limits",
            f"{used} random points",
            f"largest difference {worst:.0e}",
        )


@functools.cache
def is_identity(lhs: sp.Expr, rhs: sp.Expr) -> bool:
    """Whether a kernel proves that two short expressions are equal wherever both are defined.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> is_identity(1 - sp.tanh(x) ** 2, 1 / sp.cosh(x) ** 2), is_identity(sp.log(x**2), sp.log(x))
    (True, False)
    """
    if Field().is_zero(lhs - rhs):
        return True
    return _is_of_kernel(lhs - rhs) and rational.decide(lhs, rhs).kind == "proved"


def _is_of_kernel(e: sp.Expr) -> bool:
    """Whether the rational kernel has rules for every part, and its polynomials stay short."""
    for part in sp.preorder_traversal(e):
        if part.is_Rational or isinstance(part, sp.Tuple):
            continue
        if part.is_Pow and not isinstance(part, sp.exp):
            if not (part.exp.is_Rational and part.exp.q <= 2):
                return False
        elif not isinstance(part, _IN_KERNEL) and part is not sp.pi:
            return False
    return _height(e) <= _HIGHEST_TOWER and is_tame(e)


def _height(e: sp.Expr) -> int:
    """Return how many exponentials stand on each other, a logarithm taking one away."""
    inside = max(map(_height, e.args), default=0)
    if isinstance(e, _EXPONENTIAL):
        return inside + 1
    return max(0, inside - 1) if isinstance(e, sp.log) else inside


def is_tame(e: sp.Expr) -> bool:
    """Whether all exponents are small multiples of a common unit.

    SymPy's polynomials are dense: with e^x and e^(x/10^9) as powers of one generator they would
    fill the memory, and no deadline stops that.
    """
    exponents = [
        abs(number)
        for part in e.atoms(sp.Pow, *_EXPONENTIAL)
        for number in (part.exp if part.is_Pow else part.args[0]).atoms(sp.Rational)
    ]
    unit = math.lcm(*(int(number.q) for number in exponents))
    return all(number * unit <= _LARGEST_MULTIPLE for number in exponents)


# --- values --------------------------------------------------------------------------------------


def numeric(e: sp.Expr, at: Point, ctx: Any) -> Any:
    """Return the value of an expression at a point, unevaluated derivatives as limits.

    Parameters
    ----------
    e : sympy.Expr
        Over plain symbols.
    at : Mapping of sympy.Symbol to mpf
        The point.
    ctx : mpmath.MPContext
        The precision.

    Raises
    ------
    UndefinedError
        If it has no real value there, or one that is too large.
    """
    if e.is_Rational:
        return ctx.mpf(int(e.p)) / int(e.q)
    if isinstance(e, sp.Symbol):
        return at[e]
    if e is sp.E or e is sp.pi:
        return +ctx.e if e is sp.E else +ctx.pi
    if isinstance(e, sp.Derivative):
        return _limit(e.expr, e.variables[0], at, ctx)
    if isinstance(e, sp.Piecewise):
        for value, condition in e.args:
            if condition == sp.true or _is_true(condition, at, ctx):
                return numeric(value, at, ctx)
    parts = [numeric(part, at, ctx) for part in e.args]
    if e.is_Add:
        return ctx.fsum(parts)
    if e.is_Mul:
        return ctx.fprod(parts)
    return _applied(e, parts, ctx)


_RELATIONS: dict[type[sp.Basic], Callable[[Any, Any], Any]] = {
    sp.Eq: operator.eq,
    sp.Ne: operator.ne,
    sp.Gt: operator.gt,
    sp.Ge: operator.ge,
    sp.Lt: operator.lt,
    sp.Le: operator.le,
}


def _is_true(condition: Any, at: Point, ctx: Any) -> bool:
    left, right = (numeric(side, at, ctx) for side in (condition.lhs, condition.rhs))
    return bool(_RELATIONS[type(condition)](left, right))


def _limit(inner: sp.Expr, v: sp.Symbol, at: Point, ctx: Any) -> Any:
    """Return a central difference; UndefinedError if another step gives another one."""
    fine, coarse = (_difference(inner, v, at, ctx, ctx.mpf(10) ** -digits) for digits in _STEPS)
    if not abs(fine - coarse) <= _RESOLVED * max(1, abs(fine)):
        raise reading.UndefinedError("the derivative varies too fast to be taken as a limit")
    return fine


def _difference(inner: sp.Expr, v: sp.Symbol, at: Point, ctx: Any, step: Any) -> Any:
    up, down = (numeric(inner, {**at, v: at[v] + moved}, ctx) for moved in (step, -step))
    return (up - down) / (2 * step)


def _applied(e: sp.Expr, parts: list[Any], ctx: Any) -> Any:
    if isinstance(e, sp.exp):  # or a power of e that was left as it is
        return reading.raised(+ctx.e, parts[-1], ctx)
    if e.is_Pow:
        base, exponent = parts
        if e.exp.is_Integer:
            return reading.whole_power(base, int(e.exp), ctx)
        return reading.raised(base, exponent, ctx)
    return reading.applied(_GRAMMAR_NAMES.get(e.func, e.func.__name__), parts, ctx)


_GRAMMAR_NAMES = {sp.Abs: "abs", sp.Max: "max", sp.Min: "min"}
