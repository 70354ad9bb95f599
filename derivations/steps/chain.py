"""A derivative step by step: rules until none is left, then whatever makes it shorter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from derivations.deadline import OutOfTimeError
from derivations.expressions.language import derivative
from derivations.records import Derivation, Evidence, Standing, Step
from derivations.steps.differentiation import next_rule
from derivations.steps.judge import UnprovedError, is_tame

if TYPE_CHECKING:
    from derivations.steps.judge import Judge

_MOST_STEPS = 120
_SECONDS_EACH = 1.5
_ROUNDS = 2
_LONGEST_SIMPLIFIED = 400  # parts of an expression beyond which SymPy is not asked to simplify

# What may make a result shorter; each is a proposal, taken only if the judge agrees.
_SHORTER: tuple[tuple[str, Callable[[sp.Expr], sp.Expr]], ...] = (
    ("take out common factors", sp.factor_terms),
    ("common denominator", sp.together),
    ("cancel common factors", sp.cancel),
    ("factor", sp.factor),
    ("multiply out", sp.expand),
    ("simplify", sp.simplify),
)


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative by one variable.

    Parameters
    ----------
    variable : str
        Its name.
    derivation : Derivation
        From the unevaluated derivative to the result.
    undecided : tuple of str
        What could not be shown, with the reason.
    """

    variable: str
    derivation: Derivation
    undecided: tuple[str, ...] = ()

    @property
    def result(self) -> sp.Expr:
        """The derivative."""
        return self.derivation.result

    @property
    def forms(self) -> tuple[sp.Expr, ...]:
        """Every form of the derivative on the way, the simplest first."""
        reached = [s.after for s in self.derivation.steps if not s.after.has(sp.Derivative)]
        return tuple(reversed(reached))


def chain(e: sp.Expr, variable: sp.Symbol, judge: Judge) -> Partial:
    """Differentiate an expression step by step, and simplify the result.

    Parameters
    ----------
    e : sympy.Expr
        Over plain symbols.
    variable : sympy.Symbol
        What to differentiate by.
    judge : Judge
        Checks every step; what it cannot prove is kept, and said to be undecided.

    Raises
    ------
    WrongStepError
        If a rule made something wrong.
    """
    steps = list(_steps(derivative(e, variable), judge))
    undecided = [
        f"step {number} ({step.rule}): {step.evidence[0].detail}"
        for number, step in enumerate(steps, 1)
        if step.standing is Standing.UNDECIDED
    ]
    derivation = Derivation(
        name=f"derivative_{variable.name}",
        title=f"The derivative by {variable.name}",
        start=derivative(e, variable),
        steps=tuple(steps),
        definitions=(),
        scope=judge.scope,
    )
    return Partial(variable.name, derivation, tuple(undecided))


def _steps(start: sp.Expr, judge: Judge) -> Iterator[Step]:
    current = start
    for _ in range(_MOST_STEPS):
        rule = next_rule(current)
        if rule is None:
            break
        after = rule(current)
        yield Step(rule.name, current, after, (), _evidence(current, after, judge))
        current = after
    yield from _simplified(current, judge)


def _evidence(before: sp.Expr, after: sp.Expr, judge: Judge) -> tuple[Evidence, ...]:
    try:
        return judge.evidence(before, after)
    except UnprovedError as error:
        return (Evidence(Standing.UNDECIDED, "the kernels of the steps", "", str(error)),)


def _simplified(current: sp.Expr, judge: Judge) -> Iterator[Step]:
    for _ in range(_ROUNDS):
        for name, after in _proposals(current, judge):
            try:
                evidence = judge.evidence(current, after)
            except (UnprovedError, AssertionError):
                continue  # SymPy proposed what does not hold, or cannot be shown to: not taken
            yield Step(name, current, after, (), evidence)
            current = after
            break
        else:
            return


def _proposals(e: sp.Expr, judge: Judge) -> list[tuple[str, sp.Expr]]:
    """Return forms of fewer parts (so never one that is only reordered), the shortest first."""
    size = complexity(e)
    if size > _LONGEST_SIMPLIFIED or not is_tame(e):
        return []
    found = []
    for name, make in _SHORTER:
        try:
            with judge.deadline.within(_SECONDS_EACH):
                after = make(e)
        except OutOfTimeError:
            continue
        except (ValueError, TypeError, NotImplementedError, ZeroDivisionError, RecursionError):
            continue  # SymPy's simplifiers may fail on what they were not made for
        if complexity(after) < size:
            found.append((name, after))
    return sorted(found, key=lambda proposal: complexity(proposal[1]))


def complexity(e: sp.Expr) -> int:
    """Return the number of parts of an expression.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> complexity(x), complexity(x + 1), complexity(sp.sin(x) ** 2)
    (1, 3, 4)
    """
    return sum(1 for _ in sp.preorder_traversal(e))
