"""Choices that code makes by comparing, and the values that hang on them.

A comparison has two outcomes, the place of a row's largest entry has n.  Code that only selects one
of several numbers by a choice leaves the choice open: the number becomes a symbol that stands for
any of them.  Code whose course hangs on it has it decided, and is run once for each outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from derivations.code.order import Condition, Order


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of several alternatives, exactly one of which holds, but for borders.

    Parameters
    ----------
    number : int
        Choices are numbered as they are met.
    alternatives : tuple of tuple of Condition
        What holds for each outcome.
    """

    number: int
    alternatives: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """What a symbol stands for: one expression for each outcome of a choice."""

    choice: Choice
    expressions: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """The symbols of a number's exponent and of that power of two (`derivations.code.exponents`).

    Parameters
    ----------
    of : sympy.Expr
        The number.
    exponent, power : sympy.Symbol
        The two symbols.
    """

    of: sp.Expr
    exponent: sp.Symbol
    power: sp.Symbol


Picks = Mapping[sp.Symbol, Pick]
Outcomes = Mapping[Choice, int]


def resolved(
    expression: sp.Expr, picks: Picks, outcomes: Outcomes, memo: dict[sp.Expr, sp.Expr]
) -> sp.Expr:
    """Replace every symbol whose choice is made by what it stands for.

    Parameters
    ----------
    expression : sympy.Expr
        Over symbols and picks.
    picks : Mapping of sympy.Symbol to Pick
        What they stand for; an expression in it may hold other picks.
    outcomes : Mapping of Choice to int
        The choices that are made.
    memo : dict
        For parts met again; one for each `outcomes`.
    """
    if expression in memo:
        return memo[expression]
    if isinstance(expression, sp.Symbol):
        pick = picks.get(expression)
        if pick is None or pick.choice not in outcomes:
            out = expression
        else:
            chosen = pick.expressions[outcomes[pick.choice]]
            out = resolved(chosen, picks, outcomes, memo)
    elif not expression.args:
        out = expression
    else:
        parts = tuple(resolved(part, picks, outcomes, memo) for part in expression.args)
        out = expression if parts == expression.args else expression.func(*parts)
    memo[expression] = out
    return out


class Register:
    """All choices met, so that other paths through the same code meet the same ones.

    Parameters
    ----------
    picks : dict of sympy.Symbol to Pick
        What the symbols stand for.
    scales : dict of sympy.Symbol to Scale
        The numbers that symbols are the exponent or the power of two of.
    """

    def __init__(self) -> None:
        self._choices: dict[tuple[Any, ...], Choice] = {}
        self._symbols: dict[tuple[Choice, tuple[sp.Expr, ...]], sp.Symbol] = {}
        self._scales: dict[sp.Expr, Scale] = {}
        self.picks: dict[sp.Symbol, Pick] = {}
        self.scales: dict[sp.Symbol, Scale] = {}

    def known(self, key: tuple[Any, ...]) -> Choice | None:
        """Return a choice that was met before."""
        return self._choices.get(key)

    def choice(
        self, key: tuple[Any, ...], alternatives: tuple[tuple[Condition, ...], ...]
    ) -> Choice:
        """Return the choice of that key, a new one where it is new."""
        if key not in self._choices:
            self._choices[key] = Choice(len(self._choices), alternatives)
        return self._choices[key]

    def symbol(self, choice: Choice, expressions: tuple[sp.Expr, ...]) -> sp.Symbol:
        """Return the symbol that stands for what a choice selects."""
        key = choice, expressions
        if key not in self._symbols:
            kind = {"positive": True} if all(e.is_positive for e in expressions) else {"real": True}
            self._symbols[key] = sp.Dummy(f"c{choice.number}", **kind)
            self.picks[self._symbols[key]] = Pick(choice, expressions)
        return self._symbols[key]

    def scale(self, number: sp.Expr) -> Scale:
        """Return the symbols of a number's exponent and of that power of two."""
        if number not in self._scales:
            name = f"e{len(self._scales)}"
            exponent = sp.Dummy(name, integer=True)
            scale = Scale(number, exponent, sp.Dummy(f"2^{name}", positive=True))
            self._scales[number] = self.scales[exponent] = self.scales[scale.power] = scale
        return self._scales[number]


class Path:
    """One way through the code: what was decided, and what was left open.

    Parameters
    ----------
    assumed : sequence of Condition
        What holds from the start.
    script : sequence of int
        Which of the outcomes that are possible to take at each decision; after them the first.
    register : Register or None
        The choices that other paths have met.
    largest_exponent : int or None
        What exponents of numbers are assumed to lie below, in absolute value.
    """

    def __init__(
        self,
        assumed: Sequence[Condition] = (),
        script: Sequence[int] = (),
        register: Register | None = None,
        largest_exponent: int | None = None,
    ) -> None:
        self._register = register or Register()
        self._largest_exponent = largest_exponent
        self._script = tuple(script)
        self._taken: list[tuple[int, int]] = []  # position among so many possible outcomes
        self.assumed = tuple(assumed)
        self.order = Order(assumed)
        self.outcomes: dict[Choice, int] = {}

    @property
    def picks(self) -> Picks:
        """What the symbols of open choices stand for."""
        return self._register.picks

    @property
    def scales(self) -> Mapping[sp.Symbol, Scale]:
        """The numbers that symbols are the exponent or the power of two of."""
        return self._register.scales

    def scale(self, number: sp.Expr) -> Scale:
        """Return the symbols of a number's exponent and of that power of two."""
        scale = self._register.scale(number)
        if self._largest_exponent is not None:
            for side in (scale.exponent, -scale.exponent):
                within = Condition(self._largest_exponent - side)
                if within not in self.assumed:
                    self.assumed = (*self.assumed, within)
                    self.order.add(within)
        return scale

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What is assumed and what was decided."""
        decided = (choice.alternatives[k] for choice, k in self.outcomes.items())
        return (*self.assumed, *(condition for part in decided for condition in part))

    def positive(self, difference: sp.Expr) -> bool | Deferred:
        """Return whether a difference is positive; borders are left out."""
        difference = self.now(difference)
        known = self._known(difference)
        if known is not None:
            return known
        opposite = self._register.known(("positive", -difference))
        if opposite is not None:
            return Deferred(self, opposite, (False, True))
        alternatives = tuple((Condition(difference, holds),) for holds in (True, False))
        choice = self._register.choice(("positive", difference), alternatives)
        return Deferred(self, choice, (True, False))

    def _known(self, difference: sp.Expr) -> bool | None:
        """Return whether a difference is positive, if that follows, whatever open choices give."""
        known = self.order.implied(difference)
        inside = [s for s in difference.free_symbols if s in self.picks]
        if known is not None or len(inside) != 1:
            return known
        (symbol,) = inside
        known = self._known(difference.xreplace({symbol: self.picks[symbol].expressions[0]}))
        if known is None:
            return None
        others = self.picks[symbol].expressions[1:]
        agree = all(self._known(difference.xreplace({symbol: e})) == known for e in others)
        return known if agree else None

    def nonzero(self, expression: sp.Expr) -> bool | Deferred:
        """Return whether a number is not zero; for an integer that is no question of borders."""
        expression = self.now(expression)
        if expression in self.picks:
            pick = self.picks[expression]
            return Deferred(self, pick.choice, tuple(map(self.nonzero, pick.expressions)))
        if not expression.is_integer or expression.is_Rational:
            return bool(expression != 0)  # zero only by chance: a border, left out
        zero = Condition(expression + 1), Condition(1 - expression)
        alternatives = (Condition(expression),), (Condition(-expression),), zero
        choice = self._register.choice(("nonzero", expression), alternatives)
        return Deferred(self, choice, (True, True, False))

    def largest(self, entries: Sequence[sp.Expr]) -> int | Deferred:
        """Return the place of the largest entry, the first of those that are identical."""
        exprs = [self.now(e) for e in entries]
        places = [k for k, e in enumerate(exprs) if e not in exprs[:k]]
        # What is smaller than another for sure cannot be the largest.
        places = [
            k
            for k in places
            if not any(q != k and self.order.implied(exprs[q] - exprs[k]) for q in places)
        ]
        if len(places) == 1:
            return places[0]
        if len(places) == 2:
            first, second = places
            larger = self.positive(exprs[first] - exprs[second])
            if isinstance(larger, Deferred):
                either: int | Deferred = larger.mapped(lambda truth: first if truth else second)
                return either
            return first if larger else second
        alternatives = tuple(
            tuple(Condition(exprs[k] - exprs[q]) for q in places if q != k) for k in places
        )
        choice = self._register.choice(("largest", *(exprs[k] for k in places)), alternatives)
        return Deferred(self, choice, tuple(places))

    def now(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression with the choices used that are made by now."""
        return resolved(expression, self.picks, self.outcomes, {})

    def decide(self, choice: Choice) -> int:
        """Return the outcome of a choice on this path."""
        if choice not in self.outcomes:
            now = [tuple(self._now(c) for c in part) for part in choice.alternatives]
            possible = [k for k, part in enumerate(now) if self.order.allows(part)]
            possible = possible or list(range(len(now)))  # on a path that nothing lies on
            position = len(self._taken)
            taken = self._script[position] if position < len(self._script) else 0
            self._taken.append((taken, len(possible)))
            self.outcomes[choice] = possible[taken]
            for condition in now[possible[taken]]:
                self.order.add(condition)
        return self.outcomes[choice]

    def _now(self, condition: Condition) -> Condition:
        return Condition(self.now(condition.difference), condition.holds)

    def picked(self, choice: Choice, expressions: tuple[sp.Expr, ...]) -> sp.Expr:
        """Return what a choice selects: a symbol for it, while the choice is open."""
        if choice in self.outcomes:
            return expressions[self.outcomes[choice]]
        if all(e == expressions[0] for e in expressions):
            return expressions[0]
        return self._register.symbol(choice, expressions)

    def successor(self) -> tuple[int, ...] | None:
        """Return the script of the next path, depth first; None after the last."""
        taken = list(self._taken)
        while taken and taken[-1][0] == taken[-1][1] - 1:
            taken.pop()
        if not taken:
            return None
        return (*(position for position, _ in taken[:-1]), taken[-1][0] + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Deferred:
    """A truth value or an index that hangs on a choice; it is decided where Python needs it.

    Parameters
    ----------
    path : Path
        Who decides.
    choice : Choice
        What it hangs on.
    outcomes : tuple
        What it is for each outcome: bool, int, or again `Deferred`.
    """

    path: Path
    choice: Choice
    outcomes: tuple[Any, ...]

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """Return what `change` makes of it, bool or int again, whatever the choice will be."""
        if self.choice in self.path.outcomes:
            return mapped(self.outcomes[self.path.outcomes[self.choice]], change)
        outcomes = tuple(mapped(outcome, change) for outcome in self.outcomes)
        first = outcomes[0]
        if not isinstance(first, Deferred) and all(first is o or _same(first, o) for o in outcomes):
            return first
        return Deferred(self.path, self.choice, outcomes)

    def selected(self, expression: Callable[[Any], sp.Expr]) -> sp.Expr:
        """Return the expression that belongs to it."""
        parts = tuple(
            o.selected(expression) if isinstance(o, Deferred) else expression(o)
            for o in self.outcomes
        )
        return self.path.picked(self.choice, parts)

    def decided(self) -> Any:
        """Return what it is on this path."""
        outcome = self.outcomes[self.path.decide(self.choice)]
        return outcome.decided() if isinstance(outcome, Deferred) else outcome

    def leaves(self) -> set[Any]:
        """Return everything that it may be."""
        parts = (o.leaves() if isinstance(o, Deferred) else {o} for o in self.outcomes)
        return set().union(*parts)

    def __bool__(self) -> bool:
        return bool(self.decided())

    def __index__(self) -> int:
        return int(self.decided())

    def __and__(self, other: Any) -> Any:
        return self.mapped(lambda truth: other if truth else False)

    def __or__(self, other: Any) -> Any:
        return self.mapped(lambda truth: True if truth else other)

    __rand__ = __and__
    __ror__ = __or__

    def __add__(self, other: int) -> Any:
        return self.mapped(lambda index: index + other)

    __radd__ = __add__

    def __sub__(self, other: int) -> Any:
        return self.mapped(lambda index: index - other)

    def __lt__(self, other: int) -> Any:
        return self.mapped(lambda index: bool(index < other))

    def __le__(self, other: int) -> Any:
        return self.mapped(lambda index: bool(index <= other))

    def __gt__(self, other: int) -> Any:
        return self.mapped(lambda index: bool(index > other))

    def __ge__(self, other: int) -> Any:
        return self.mapped(lambda index: bool(index >= other))


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return what `change` makes of a bool or int, deferred or not."""
    return value.mapped(change) if isinstance(value, Deferred) else change(value)


def _same(a: Any, b: Any) -> bool:
    return not isinstance(b, Deferred) and type(a) is type(b) and bool(a == b)
