"""The claimed derivative of a piece of code against the derivative of what the code computes.

Function and derivative are run on symbols together, so that they make the same choices.  For every
combination of choices that an entry depends on, its claimed expression is compared with the
derivative of the value's own expression, by `derivations.kernels.rational`.  That proves the
formulas in the code, not their rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import sympy as sp

from derivations.code.choices import Choice, Outcomes, Picks, resolved
from derivations.code.exclusions import exclusions
from derivations.code.order import Condition, Order
from derivations.code.regions import Reach, Sample
from derivations.code.renaming import renaming
from derivations.code.standins import Replacement, passing_symbols
from derivations.code.traced import Objects
from derivations.code.tracing import Run, runs, symbols
from derivations.expressions.calculus import sdiff
from derivations.kernels import rational, witness
from derivations.records import Evidence, Standing

_POINTS, _TRIES = 60, 400  # to see that paths are inhabited; to find where entries are wrong
_QUICK = 2  # tries, where a miss costs time only
_METHOD = "symbolic execution of the code, rational normal form"


class Constants(Protocol):
    """What knows the symbols that stand for any number."""

    @property
    def symbols(self) -> list[sp.Symbol]:
        """The symbols, once the code was run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A function and its claimed derivative, to be proved on symbols.

    Parameters
    ----------
    name : str
        What the code is called.
    value : callable
        ``value(*inputs)``: the function, one array or scalar.
    vjp : callable or None
        ``vjp(*inputs, v)``: the claimed derivative contracted with `v`, one array for each
        differentiated input.
    jacobian : callable or None
        ``jacobian(*inputs)`` instead: all derivatives of the outputs in the one differentiated
        input, in the shape of the output followed by that of the input.
    inputs : tuple of ndarray
        Symbols, expressions in one symbol each, or numbers.
    argnums : tuple of int
        Which inputs are differentiated.
    assumed : tuple of Condition
        The region that the proof is for, where it is not everything.
    largest_exponent : int or None
        The binary exponents that the code asks for lie below it in absolute value; part of the
        region.
    region : str
        The region in words.
    translated : Mapping of sympy.Symbol to sympy.Expr
        The kernel is shown every symbol s here as s − g, g an expression in other symbols, none of
        which is translated by what s is in.  Such a change of coordinates reaches every point, and
        makes short what is long: the argument x·W + b of an activation becomes b.
    core : tuple of Replacement
        What is exact, or any number, in place of what the code computes.
    constants : Constants or None
        Has the symbols that `core` put in place of numbers that the code computes from its inputs;
        the value must not depend on them, which is proved as well.
    """

    name: str
    value: Callable[..., Any]
    vjp: Callable[..., tuple[Any, ...]] | None = None
    jacobian: Callable[..., Any] | None = None
    inputs: tuple[Objects, ...]
    argnums: tuple[int, ...] = (0,)
    assumed: tuple[Condition, ...] = ()
    largest_exponent: int | None = None
    region: str = "every branch"
    translated: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    core: tuple[Replacement, ...] = ()
    constants: Constants | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the claimed derivative, before choices are made.

    Parameters
    ----------
    place : str
        Which entry.
    claimed : sympy.Expr
        What the code says.
    weights, values : tuple of sympy.Expr
        It should be the derivative of Σ weight·value, the weights constant.
    variable : sympy.Expr
        By what is differentiated: an expression in one symbol.
    """

    place: str
    claimed: sp.Expr
    weights: tuple[sp.Expr, ...]
    values: tuple[sp.Expr, ...]
    variable: sp.Expr


@dataclass(slots=True)
class _Tally:
    """What was proved so far, and what was counted."""

    proved: set[tuple[sp.Expr, ...]] = field(default_factory=set)  # but for the names
    settled: set[tuple[Any, ...]] = field(default_factory=set)
    needed: set[Choice] = field(default_factory=set)
    exactly: set[tuple[sp.Expr, ...]] = field(default_factory=set)
    slopes: dict[tuple[sp.Expr, sp.Symbol], sp.Expr] = field(default_factory=dict)
    conditions: dict[sp.Expr, None] = field(default_factory=dict)
    paths: int = 0
    inhabited: int = 0
    entries: int = 0
    cases: int = 0


def prove(code: Code) -> Evidence:
    """Compare the claimed derivative with that of the value's own expressions, on every branch.

    Returns
    -------
    Evidence
        ``PROVED_CODE``; ``REFUTED`` with a rational point on the branch where they differ for sure;
        ``UNDECIDED`` if the kernel cannot tell.

    Examples
    --------
    >>> import numpy as np
    >>> from derivations.code.tracing import symbols
    >>> x = symbols("x", (1,))
    >>> relu = Code(name="relu", value=lambda x: np.maximum(x, 0),
    ...             vjp=lambda x, v: (v * (x > 0),), inputs=(x,))
    >>> prove(relu).standing.value
    'proved for the code'
    """
    tally = _Tally()
    with passing_symbols(code.core):
        traced = list(_traced(code))
    path = traced[0][0].path
    sample = Sample(_inputs(code, traced[0][0]), path.picks, _POINTS, path.scales)
    empty = [next(sample.points(run.conditions), None) is None for run, _ in traced]
    tally.paths, tally.inhabited = len(traced), empty.count(False)
    undecided: Evidence | None = None
    # Where there are points, one may show what is wrong: these paths come first.
    for k in sorted(range(len(traced)), key=empty.__getitem__):
        run, entries = traced[k]
        for entry in entries:
            tally.entries += 1
            trouble = _examined(code, run, entry, tally)
            if trouble is not None and trouble.standing is Standing.REFUTED:
                return trouble
            undecided = undecided or trouble
            if undecided is not None and empty[k]:
                return undecided
    return undecided or _proved(code, tally, [run for run, _ in traced])


def _inputs(code: Code, run: Run) -> set[sp.Symbol]:
    """Return the symbols of the inputs, of the cotangent and of what stands in for constants."""
    arrays = [x for x in code.inputs if x.dtype == object]
    cotangent = symbols("v", run.outputs[0].shape)
    named = {s for x in (*arrays, cotangent) for e in x.ravel() for s in e.free_symbols}
    reach = Reach(run.path.picks, run.path.scales)
    return named.union(*(reach.of(e) for output in run.outputs for e in output.ravel()))


def _proved(code: Code, tally: _Tally, traced: Sequence[Run]) -> Evidence:
    shapes = ", ".join(str(x.shape) for x in code.inputs)
    detail = (
        f"{code.name} on shapes {shapes}: {tally.paths} paths, {tally.inhabited} with a sample "
        f"point, {tally.entries} entries in {tally.cases} cases, {len(tally.proved)} of them "
        "different"
    )
    return Evidence(
        Standing.PROVED_CODE,
        _METHOD,
        code.region,
        detail,
        exclusions(
            code.region, bool(code.assumed or code.largest_exponent), traced, tally.conditions
        ),
    )


def _traced(code: Code) -> Iterator[tuple[Run, list[_Entry]]]:
    """Yield every path with the entries of the claimed derivative on it."""
    if code.jacobian is not None:
        jacobian = code.jacobian

        def with_jacobian(*inputs: Any) -> tuple[Any, ...]:
            return code.value(*inputs), jacobian(*inputs)

        for run in _runs(code, with_jacobian):
            yield run, list(_jacobian_entries(code, run))
        return
    assert code.vjp is not None
    vjp = code.vjp
    first = next(_runs(code, lambda *inputs: (code.value(*inputs),)))
    v = symbols("v", first.outputs[0].shape)

    def with_vjp(*inputs: Any) -> tuple[Any, ...]:
        return code.value(*inputs[:-1]), *vjp(*inputs)

    for run in _runs(code, with_vjp, v):
        yield run, list(_vjp_entries(code, run, v))


def _runs(code: Code, function: Callable[..., tuple[Any, ...]], *more: Objects) -> Iterator[Run]:
    return runs(function, (*code.inputs, *more), code.assumed, code.largest_exponent)


def _jacobian_entries(code: Code, run: Run) -> Iterator[_Entry]:
    value, claimed = run.outputs
    (argnum,) = code.argnums
    variables = code.inputs[argnum]
    _check_shape(code, claimed, value.shape + variables.shape)
    for place in np.ndindex(*claimed.shape):
        output, variable = value[place[: value.ndim]], variables[place[value.ndim :]]
        yield _Entry(str(place), claimed[place], (sp.Integer(1),), (output,), variable)


def _vjp_entries(code: Code, run: Run, v: Objects) -> Iterator[_Entry]:
    value, *claimed = run.outputs
    if len(claimed) != len(code.argnums):
        raise ValueError(f"{code.name}: {len(claimed)} gradients for {len(code.argnums)} arguments")
    reach = Reach(run.path.picks, run.path.scales)
    terms = [(weight, _terms(y, reach)) for weight, y in zip(v.ravel(), value.ravel(), strict=True)]
    for argnum, gradient in zip(code.argnums, claimed, strict=True):
        _check_shape(code, gradient, code.inputs[argnum].shape)
        for place, variable in np.ndenumerate(code.inputs[argnum]):
            yield _entry_of(str(place), gradient[place], variable, terms)
    for symbol in code.constants.symbols if code.constants is not None else ():
        entry = _entry_of(str(symbol), sp.Integer(0), symbol, terms)
        if entry.values:
            yield entry


def _terms(value: sp.Expr, reach: Reach) -> list[tuple[sp.Expr, frozenset[sp.Symbol]]]:
    """Return a value as a sum of terms, each with all symbols that it depends on."""
    factor, rest = value.as_coeff_Mul()
    parts = [factor * part for part in sp.Add.make_args(rest)]
    return [(part, reach.of(part)) for part in parts]


def _entry_of(
    place: str,
    claimed: sp.Expr,
    variable: sp.Expr,
    terms: Sequence[tuple[sp.Expr, list[tuple[sp.Expr, frozenset[sp.Symbol]]]]],
) -> _Entry:
    """Return an entry with those terms of the values that depend on its variable."""
    (symbol,) = variable.free_symbols
    used = []
    for weight, parts in terms:
        inside = [part for part, symbols_inside in parts if symbol in symbols_inside]
        if inside:
            used.append((weight, sp.Add(*inside)))
    weights, values = zip(*used, strict=True) if used else ((), ())
    return _Entry(place, claimed, weights, values, variable)


def _check_shape(code: Code, gradient: Objects, shape: tuple[int, ...]) -> None:
    if gradient.shape != shape:
        raise ValueError(
            f"{code.name}: a derivative of shape {gradient.shape} where it should be {shape}"
        )


def _examined(code: Code, run: Run, entry: _Entry, tally: _Tally) -> Evidence | None:
    """Return why an entry is not proved in every case; None if it is."""
    undecided = None
    search = _Search(run, entry, tally.settled, tally.needed)
    for case in search.cases():
        tally.cases += 1
        claimed, *values = case.expressions
        true = _slope(entry, values, tally)
        is_open = search.is_open(case)
        if is_open and witness.find(claimed - true, _QUICK) is not None:
            search.unsettled += 1  # not the same for any constants: no use to ask the kernel
            continue
        decision = _decision(code, claimed, true, tally)
        if decision.kind == "proved":
            continue
        search.unsettled += 1
        if is_open or not _possible(run, case.outcomes):
            continue
        conditions = _conditions(run, case.outcomes)
        trouble = _trouble(code, run, entry, conditions, claimed - true, decision.reason)
        if trouble.standing is Standing.REFUTED:
            return trouble
        undecided = trouble
    return undecided


@dataclass(frozen=True, slots=True)
class _Case:
    """Expressions with some choices made."""

    expressions: tuple[sp.Expr, ...]
    outcomes: dict[Choice, int]


@dataclass(slots=True)
class _Search:
    """All combinations of the open choices that an entry depends on, possible or not.

    Parameters
    ----------
    run : Run
        Where it is from.
    entry : _Entry
        What is claimed.
    settled : set of tuple
        Proved whatever was chosen before, on this path or another: not gone into again.
    needed : set of Choice
        Those that were once left open in vain: they are made at once.
    unsettled : int
        How many combinations could not be proved.
    """

    run: Run
    entry: _Entry
    settled: set[tuple[Any, ...]]
    needed: set[Choice]
    unsettled: int = 0
    varying: dict[sp.Symbol, bool] = field(default_factory=dict)

    def cases(self) -> Iterator[_Case]:
        """Yield every combination; who finds it unproved says so before asking for the next.

        Choices of numbers that do not depend on the variable stay open at first: such a number is a
        constant, and what holds for any constant holds whatever is chosen.
        """
        return self._cases(_Case((self.entry.claimed, *self.entry.values), {}))

    def is_open(self, case: _Case) -> bool:
        """Whether a combination leaves choices open; if so, they are made next."""
        return bool(_opened(case.expressions, self.run.path.picks))

    def _cases(self, case: _Case) -> Iterator[_Case]:
        key = self.entry.variable, self.entry.weights, case.expressions
        if key in self.settled:
            return
        before = self.unsettled
        opened = {self._choice(s) for e in case.expressions for s in self._varying(e)}
        if opened:
            yield from self._made(case, opened)
        else:
            yield case
            opened = _opened(case.expressions, self.run.path.picks)
            if self.unsettled > before and opened:
                self.unsettled = before
                self.needed |= opened
                yield from self._made(case, opened)
        if self.unsettled == before:
            self.settled.add(key)

    def _made(self, case: _Case, opened: set[Choice]) -> Iterator[_Case]:
        """Yield every combination with the first of some choices made."""
        choice = min(opened, key=lambda c: c.number)
        for k in range(len(choice.alternatives)):
            outcomes, memo = {**case.outcomes, choice: k}, {}  # type: ignore[var-annotated]
            picks = self.run.path.picks
            chosen = tuple(resolved(e, picks, outcomes, memo) for e in case.expressions)
            yield from self._cases(_Case(chosen, outcomes))

    def _choice(self, symbol: sp.Symbol) -> Choice:
        return self.run.path.picks[symbol].choice

    def _varying(self, expression: sp.Expr) -> list[sp.Symbol]:
        """Return the symbols of choices among numbers that depend on the variable."""
        picks = self.run.path.picks
        inside = (s for s in expression.free_symbols if s in picks)
        return [s for s in inside if self._choice(s) in self.needed or self._depends(s)]

    def _depends(self, symbol: sp.Symbol) -> bool:
        if symbol not in self.varying:
            (variable,) = self.entry.variable.free_symbols
            inner = (s for e in self.run.path.picks[symbol].expressions for s in e.free_symbols)
            self.varying[symbol] = any(
                s == variable or (s in self.run.path.picks and self._depends(s)) for s in inner
            )
        return self.varying[symbol]


def _possible(run: Run, outcomes: Outcomes) -> bool:
    """Whether a path can be taken with these choices made, as far as `Order` can tell."""
    conditions = _conditions(run, outcomes)
    if not Order(conditions).consistent:
        return False
    opened = _opened([c.difference for c in conditions], run.path.picks)
    if not opened:
        return True
    choice = min(opened, key=lambda c: c.number)
    return any(_possible(run, {**outcomes, choice: k}) for k in range(len(choice.alternatives)))


def _opened(expressions: Iterable[sp.Expr], picks: Picks) -> set[Choice]:
    """Return the choices that expressions hang on."""
    return {picks[s].choice for e in expressions for s in e.free_symbols if s in picks}


def _conditions(run: Run, outcomes: Outcomes) -> list[Condition]:
    """Return what holds where a path is taken and some more choices are made."""
    memo: dict[sp.Expr, sp.Expr] = {}
    taken = {**run.path.outcomes, **outcomes}
    made = [part for choice, k in outcomes.items() for part in choice.alternatives[k]]
    return [
        Condition(resolved(c.difference, run.path.picks, taken, memo), c.holds)
        for c in (*run.conditions, *made)
    ]


def _slope(entry: _Entry, values: Sequence[sp.Expr], tally: _Tally) -> sp.Expr:
    """Differentiate Σ weight·value in an entry that is an expression in one symbol."""
    (symbol,) = entry.variable.free_symbols
    parts = []
    for weight, value in zip(entry.weights, values, strict=True):
        if symbol in value.free_symbols:
            if (value, symbol) not in tally.slopes:
                tally.slopes[value, symbol] = sdiff(value, symbol)
            parts.append(weight * tally.slopes[value, symbol])
    return sp.Add(*parts) / sdiff(entry.variable, symbol)


def _decision(code: Code, claimed: sp.Expr, true: sp.Expr, tally: _Tally) -> rational.Decision:
    if (claimed, true) in tally.exactly:
        return rational.Decision("proved")
    exactly = claimed, true
    if code.translated:
        moved = {s: s - g for s, g in code.translated.items()}
        claimed, true = (e.xreplace(moved) for e in exactly)
    names = renaming((claimed, true))
    pair = claimed.xreplace(names), true.xreplace(names)
    if pair in tally.proved:
        tally.exactly.add(exactly)
        return rational.Decision("proved")
    decision = rational.prove(*pair)
    if decision.kind == "proved":
        tally.exactly.add(exactly)
        tally.proved.add(pair)
        back = {new: old for old, new in names.items()}
        tally.conditions |= dict.fromkeys(c.xreplace(back) for c in decision.conditions)
    return decision


def _trouble(
    code: Code,
    run: Run,
    entry: _Entry,
    conditions: list[Condition],
    residual: sp.Expr,
    reason: str,
) -> Evidence:
    """Return what is wrong with an entry, with a point where there is one."""
    shown = " and ".join(dict.fromkeys(map(str, conditions))) or "no branch is taken"
    where = f"{code.name} where {shown}, entry {entry.place}"
    reach = Reach(run.path.picks, run.path.scales)
    named = {s for e in (residual, *(c.difference for c in conditions)) for s in reach.of(e)}
    point = Sample(named, run.path.picks, _TRIES, run.path.scales).separating(conditions, residual)
    if point is not None:
        detail = f"{where}: {str(point).replace('before − after', 'claimed − true')}"
        return Evidence(Standing.REFUTED, _METHOD, code.region, detail)
    reason = reason or "they differ, but at no sample point on this branch"
    return Evidence(Standing.UNDECIDED, _METHOD, code.region, f"{where}: {reason}")
