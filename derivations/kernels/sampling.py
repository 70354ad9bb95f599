"""Both sides of a step at random points, to high precision, every derivative taken as a limit.

An unevaluated derivative is evaluated here by central differences of the function itself: no table
of derivatives, no chain rule, no unfolding of definitions, no renaming of indices.  So this guards
against a mistake in `derivations.expressions.calculus`, which the proving kernels trust.  It verifies
numerically and proves nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp

from derivations.expressions.language import OpaqueFunction
from derivations.kernels import witness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from derivations.records import Definition, Hypothesis

_DIGITS = 60
_STEP = 10  # decimal digits of the step of a central difference; its error is about 10^(−2·step)
_TRIES = 12  # draws for each point, for functions that are not defined everywhere
_AGREE = 1e-14  # relative; two nested differences keep about 18 digits

_Entry = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Sample:
    """What sampling found.

    Parameters
    ----------
    points : int
        How many points both sides were evaluated at.
    difference : float
        The largest difference, relative to the larger side or 1.
    where : str
        The point of the largest difference.
    """

    points: int
    difference: float
    where: str

    @property
    def agree(self) -> bool:
        """Whether the sides are equal up to the error of the differences."""
        return self.points > 0 and self.difference <= _AGREE


@dataclass(frozen=True, slots=True)
class Setting:
    """What a step speaks about.

    Parameters
    ----------
    definitions : sequence of Definition
        Names that are computed.
    hypotheses : sequence of Hypothesis
        Equations that the points must satisfy; each is linear in the entries of its families.
    sizes, indices : Mapping of sympy.Symbol to int
        Values of the sizes and of the free indices.
    labels : Mapping of sympy.Basic to int
        Upper limits of the families whose entries are indices.
    schematic : sequence of Mapping
        The values that indices of a hypothesis take which do not occur in the step.
    """

    definitions: Sequence[Definition] = ()
    hypotheses: Sequence[Hypothesis] = ()
    sizes: Mapping[sp.Symbol, int] = field(default_factory=dict)
    indices: Mapping[sp.Symbol, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    schematic: Sequence[Mapping[sp.Symbol, int]] = ({},)


def sample(before: sp.Expr, after: sp.Expr, setting: Setting, points: int = 2) -> Sample:
    """Evaluate both sides of a step at random points.

    Parameters
    ----------
    before, after : sympy.Expr
        With unevaluated derivatives and defined names.
    setting : Setting
        See there.
    points : int
        How many points to use; one where a side is undefined is replaced, up to a limit.
    """
    generator = random.Random(f"{before}{after}")
    used, worst, where = 0, 0.0, ""
    for _ in range(points * _TRIES):
        if used == points:
            break
        machine = _Machine(setting, generator)
        try:
            machine.satisfy_hypotheses()
            sides = [machine.value(side, setting.indices) for side in (before, after)]
        except (ValueError, ZeroDivisionError):
            continue
        used += 1
        scale = max(1, *(abs(side) for side in sides))
        difference = float(abs(sides[0] - sides[1]) / scale)
        if difference >= worst:
            worst, where = difference, machine.point()
    return Sample(used, worst, where)


class _Machine:
    """An evaluator over mpmath numbers, entries drawn when they are first asked for."""

    def __init__(self, setting: Setting, generator: random.Random) -> None:
        self._setting = setting
        self._generator = generator
        self._entries: dict[_Entry, Any] = {}  # drawn, or standing still for a derivative
        self._computed: dict[_Entry, Any] = {}  # of defined names, until an entry moves
        self._defined = {str(_label(d.symbol)): d for d in setting.definitions}
        self._context = mpmath.MPContext()
        self._context.dps = _DIGITS

    def point(self) -> str:
        """Describe the drawn entries."""
        named = sorted(self._entries.items())
        return ", ".join(f"{n}{list(p) if p else ''} = {mpmath.nstr(e, 5)}" for (n, p), e in named)

    def satisfy_hypotheses(self) -> None:
        """Choose one entry of every hypothesis so that it holds."""
        for hypothesis in self._setting.hypotheses:
            for indices in self._setting.schematic:
                self._satisfy(hypothesis, {**self._setting.indices, **indices})

    def _satisfy(self, hypothesis: Hypothesis, indices: Mapping[sp.Symbol, int]) -> None:
        before = set(self._entries)
        self.value(hypothesis.lhs, indices)
        drawn = [entry for entry in self._entries if entry not in before]
        if not drawn:
            return
        last = drawn[-1]

        def gap(value: int) -> Any:
            self._move(last, self._context.mpf(value))
            return self.value(hypothesis.lhs, indices) - self.value(hypothesis.rhs, indices)

        at_zero, at_one = gap(0), gap(1)
        self._move(last, at_zero / (at_zero - at_one))

    def _move(self, entry: _Entry, value: Any) -> None:
        self._entries[entry] = value
        self._computed.clear()

    def value(self, e: sp.Expr, indices: Mapping[sp.Symbol, int]) -> Any:
        """Return the value of an expression, `indices` giving the values of index symbols."""
        if e.is_Rational:
            return self._context.mpf(int(e.p)) / int(e.q)
        if isinstance(e, sp.Symbol):
            known = indices.get(e, self._setting.sizes.get(e))
            return self._context.mpf(known) if known is not None else self._entry(e, e.name, ())
        if isinstance(e, sp.Indexed):
            return self._entry(e, str(e.base.label), self._place(e, indices))
        if isinstance(e, sp.Sum):
            return self._sum(e, list(e.limits), indices)
        if isinstance(e, sp.Derivative):
            return self._derivative(e.expr, list(e.variables), indices)
        if isinstance(e, sp.KroneckerDelta):
            a, b = (int(self.value(part, indices)) for part in e.args[:2])
            return self._context.mpf(int(a == b))
        return self._operate(e, [self.value(part, indices) for part in e.args])

    def _operate(self, e: sp.Expr, parts: list[Any]) -> Any:
        context = self._context
        if e.is_Add:
            return context.fsum(parts)
        if e.is_Mul:
            return context.fprod(parts)
        if isinstance(e, sp.exp):  # or a power of e that was left as it is
            return context.exp(parts[-1])
        if e.is_Pow:
            return self._power(parts[0], e.exp)
        if e in (sp.E, sp.pi):
            return context.e if e is sp.E else +context.pi
        if isinstance(e, sp.log) and not parts[0] > 0:
            raise ValueError("logarithm of a number that is not positive")
        if isinstance(e, sp.Max):
            return max(parts)
        if isinstance(e, OpaqueFunction):
            shift = sum(map(ord, e.base_name))  # φ = sin(x + shift): smooth and nothing special
            return context.sin(parts[0] + shift + e.order * context.pi / 2)
        function = getattr(context, e.func.__name__)
        return function(parts[0])

    def _power(self, base: Any, exponent: sp.Rational) -> Any:
        if exponent.is_Integer:
            return base ** int(exponent)
        if not base > 0:
            raise ValueError("root of a number that is not positive")
        return base ** (self._context.mpf(int(exponent.p)) / int(exponent.q))

    def _place(self, e: sp.Indexed, indices: Mapping[sp.Symbol, int]) -> tuple[int, ...]:
        return tuple(int(self.value(part, indices)) for part in e.indices)

    def _sum(self, e: sp.Sum, limits: list[Any], indices: Mapping[sp.Symbol, int]) -> Any:
        if not limits:
            return self.value(e.function, indices)
        *inner, (bound, lower, upper) = limits
        last = int(self.value(upper, indices))
        values = range(int(lower), last + 1)
        return self._context.fsum(self._sum(e, inner, {**indices, bound: q}) for q in values)

    def _entry(self, e: sp.Expr, name: str, place: tuple[int, ...]) -> Any:
        if (name, place) in self._entries:
            return self._entries[name, place]
        if name in self._defined:
            if (name, place) not in self._computed:
                definition = self._defined[name]
                indices = dict(zip(definition.indices, place, strict=True))
                self._computed[name, place] = self.value(definition.body, indices)
            return self._computed[name, place]
        if name in self._setting.labels:
            drawn = self._context.mpf(self._generator.randint(1, self._setting.labels[name]))
        else:
            rational = witness.coordinate(_kind(e), self._generator, 0)
            drawn = self._context.mpf(int(rational.p)) / int(rational.q)
            drawn += self._context.mpf(self._generator.randint(-99, 99)) / 1000  # no coincidences
            drawn = abs(drawn) + 0.1 if e.is_positive else drawn
            drawn = -abs(drawn) - 0.1 if e.is_negative else drawn
            drawn = abs(drawn) if e.is_nonnegative else drawn
        self._entries[name, place] = drawn
        return drawn

    def _derivative(
        self, inner: sp.Expr, variables: list[sp.Expr], indices: Mapping[sp.Symbol, int]
    ) -> Any:
        """Central differences; an entry of a defined name that is moved stays where it is put."""
        if not variables:
            return self.value(inner, indices)
        *others, variable = variables
        self.value(inner, indices)  # so that every entry has been drawn
        place = self._place(variable, indices) if isinstance(variable, sp.Indexed) else ()
        name = str(_label(variable.base if isinstance(variable, sp.Indexed) else variable))
        saved = dict(self._entries)
        centre = self._entry(variable, name, place)
        step = self._context.mpf(10) ** -_STEP
        sides = []
        for moved in (centre + step, centre - step):
            self._move((name, place), moved)
            sides.append(self._derivative(inner, others, indices))
        self._entries = saved
        self._computed.clear()
        return (sides[0] - sides[1]) / (2 * step)


def _label(symbol: Any) -> Any:
    return symbol.label if isinstance(symbol, sp.IndexedBase) else symbol


def _kind(e: sp.Expr) -> sp.Symbol:
    """Return a symbol with the declared sign of an entry."""
    return sp.Dummy(**{k: v for k, v in e.assumptions0.items() if k in _SIGNS and v})


_SIGNS = ("positive", "negative", "nonnegative", "real")
