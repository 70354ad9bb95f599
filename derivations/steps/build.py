"""Derivations are built here: every step is checked before it is written down.

A step for indexed expressions must pass the indexed normal form (every size), the rational kernel
at small sizes (every choice of indices) and high-precision sampling; a step for scalars the
rational kernel and sampling.  What does not pass raises `StepError` with what is left of before −
after and, if one is found, a point where it is not zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Protocol, Self

import sympy as sp

from derivations.expressions.calculus import CalculusError, free_symbols, meaning
from derivations.kernels import indexed, rational, sampling, witness
from derivations.kernels.terms import OutOfClassError
from derivations.records import Derivation, Evidence, Standing, Step

if TYPE_CHECKING:
    from derivations.records import Definition, Hypothesis

_SIZES = (1, 2, 3)
_SIZES_OF_SEVERAL = (1, 2)
_SAMPLED = 2  # settings, the last ones, whose sizes are largest: sampling is slow


class StepError(AssertionError):
    """A step does not hold, or could not be shown to hold."""


class Rule(Protocol):
    """What `Builder.apply` takes: a rewriting with a name, and the hypotheses that it uses."""

    @property
    def name(self) -> str:
        """What the step is called in the report."""

    @property
    def using(self) -> tuple[Hypothesis, ...]:
        """The hypotheses."""

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """Return the rewritten expression; raise if the rule does not apply."""


class Builder:
    """A derivation in the making.

    Parameters
    ----------
    name, title : str
        Of the derivation.
    start : sympy.Expr
        Where it begins, usually an unevaluated derivative.
    definitions : sequence of Definition
        The names used, each defined by names before it.
    ranges : Mapping, optional
        The upper limit of every free index, and of every family of class labels.
    pairs : sequence of pairs
        Free indices to be split into equal and distinct by the kernel.
    scope : str
        For what it holds, in words; composed from symbols and sizes if left out.
    remark : str
        For the reader.

    Examples
    --------
    >>> import sympy as sp
    >>> from derivations.expressions.language import derivative, x
    >>> builder = Builder("square", "The square", derivative(x**2, x))
    >>> built = builder.step("power rule", 2 * x).done()
    >>> built.standing.value, built.scope
    ('proved for all reals', 'all real x')
    """

    def __init__(
        self,
        name: str,
        title: str,
        start: sp.Expr,
        definitions: Sequence[Definition] = (),
        ranges: Mapping[sp.Basic, sp.Expr] | None = None,
        pairs: Sequence[tuple[sp.Expr, sp.Expr]] = (),
        scope: str = "",
        remark: str = "",
    ) -> None:
        self.name = name
        self.title = title
        self.start = start
        self.definitions = tuple(definitions)
        self.ranges = dict(ranges or {})
        self.pairs = tuple(pairs)
        self.scope = scope
        self.remark = remark
        self._steps: list[Step] = []

    @property
    def current(self) -> sp.Expr:
        """The last expression so far."""
        return self._steps[-1].after if self._steps else self.start

    def apply(self, rule: Rule) -> Self:
        """Append the step that a rule makes of the current expression."""
        return self.step(rule.name, rule(self.current), rule.using)

    def step(self, rule_name: str, after: sp.Expr, using: Sequence[Hypothesis] = ()) -> Self:
        """Append a step that leads to `after`.

        Parameters
        ----------
        rule_name : str
            Why it holds, in words.
        after : sympy.Expr
            The new expression.
        using : sequence of Hypothesis
            The hypotheses that it needs.

        Raises
        ------
        StepError
            If nothing but the order of terms changes, or if some kernel does not show before and
            after to be equal.
        """
        statement = _Statement(self, rule_name, self.current, sp.sympify(after), tuple(using))
        evidence = statement.check()
        step = Step(rule_name, statement.before, statement.after, statement.using, evidence)
        self._steps.append(step)
        return self

    def done(self) -> Derivation:
        """Return the finished derivation.

        Raises
        ------
        StepError
            If it has no steps.
        """
        if not self._steps:
            raise StepError(f"{self.name}: a derivation without steps proves nothing")
        scope = self.scope or _scope(self)
        return Derivation(
            name=self.name,
            title=self.title,
            start=self.start,
            steps=tuple(self._steps),
            definitions=self.definitions,
            scope=scope,
            remark=self.remark,
        )


@dataclass(frozen=True, slots=True)
class _Statement:
    """The claim of one step: before = after, under hypotheses, in the setting of a builder."""

    builder: Builder
    rule: str
    before: sp.Expr
    after: sp.Expr
    using: tuple[Hypothesis, ...]

    def check(self) -> tuple[Evidence, ...]:
        """Return the evidence of every kernel, or raise."""
        if _unordered(self.before) == _unordered(self.after):
            raise self._error("changes nothing but, at most, the order of terms")
        try:
            residual = self._meaning(self.before) - self._meaning(self.after)
        except CalculusError as error:
            raise self._error(f"cannot be evaluated: {error}") from error
        if not self._is_indexed():
            return self._check_scalar(residual), self._check_samples()
        every, small = self._check_every_size(residual), self._check_small_sizes(residual)
        return every, small, self._check_samples()

    def _meaning(self, expression: sp.Expr) -> sp.Expr:
        return meaning(expression, self.builder.definitions)

    def _stated(self) -> frozenset[sp.Symbol]:
        return free_symbols(self.before) | free_symbols(self.after)

    def _symbols(self) -> frozenset[sp.Symbol]:
        """Return the free symbols, those of its body for a defined name."""
        symbols = self._stated()
        for definition in reversed(self.builder.definitions):
            if definition.symbol in symbols:
                symbols = (symbols - {definition.symbol}) | free_symbols(definition.body)
        return symbols

    def _is_indexed(self) -> bool:
        kinds = (sp.Indexed, sp.Sum, sp.KroneckerDelta)
        return bool(self.builder.ranges) or any(s.has(*kinds) for s in (self.before, self.after))

    def _error(self, message: str) -> StepError:
        number = len(self.builder._steps) + 1
        return StepError(f"{self.builder.name}, step {number} ({self.rule!r}) {message}")

    # --- one kernel each -----------------------------------------------------------------------

    def _check_every_size(self, residual: sp.Expr) -> Evidence:
        b = self.builder
        try:
            proof = indexed.prove_zero(residual, b.ranges, b.pairs, self.using, self._stated())
        except OutOfClassError as error:
            raise self._error(f"is undecided: {error}{self._witness(residual)}") from error
        if not proof.proved:
            raise self._error(
                f"is not proved: before − after has the normal form {proof.residual}"
                f"{self._witness(residual)}"
            )
        cases = f"{len(proof.cases)} cases" if len(proof.cases) > 1 else "one normal form"
        sizes = ", ".join(map(str, self._sizes()))
        scope = f"every {sizes} ≥ 1" if sizes else "all index values"
        return Evidence(Standing.PROVED_ALL_N, "indexed normal form", scope, cases)

    def _check_small_sizes(self, residual: sp.Expr) -> Evidence:
        number = 0
        for setting, written in self._instances(residual):
            number += 1
            decision = rational.decide(written)
            if decision.kind != "proved":
                what = decision.point or decision.reason
                raise self._error(f"is not proved at {_where(setting)}: {what}")
        if number == 0:
            raise self._error("is undecided: it has no instance at small sizes")
        sizes = ", ".join(map(str, self._sizes()))
        largest = max((max(s.sizes.values(), default=1) for s in self._settings()), default=1)
        return Evidence(
            Standing.PROVED_FIXED_N,
            "rational normal form",
            f"{sizes} up to {largest}, every pattern of indices",
            f"{number} instances",
        )

    def _check_scalar(self, residual: sp.Expr) -> Evidence:
        decision = rational.decide(residual)
        if decision.kind == "different":
            raise self._error(f"does not hold: {decision.point}")
        if decision.kind == "undecided":
            raise self._error(f"is undecided: {decision.reason}")
        scope = _domain(self._symbols())
        where = " and ".join(f"{condition} ≠ 0" for condition in decision.conditions)
        scope = f"{scope} with {where}" if where else scope
        return Evidence(Standing.PROVED_REAL, "rational normal form", scope)

    def _check_samples(self) -> Evidence:
        settings = list(self._settings())[-_SAMPLED:]
        samples = [sampling.sample(self.before, self.after, s) for s in settings]
        for setting, sample in zip(settings, samples, strict=True):
            if sample.points == 0:
                raise self._error("is undefined at every point that was sampled")
            if not sample.agree:
                raise self._error(
                    f"fails at a sampled point: the sides differ by {sample.difference:.3g} "
                    f"at {_where(setting)} {sample.where}"
                )
        points = sum(sample.points for sample in samples)
        worst = max(sample.difference for sample in samples)
        return Evidence(
            Standing.NUMERICAL,
            "60-digit sampling, derivatives as limits",
            f"{points} random points",
            f"largest difference {worst:.0e}",
        )

    # --- instances -----------------------------------------------------------------------------

    def _sizes(self) -> list[sp.Symbol]:
        """Return the size symbols: upper limits of sums and ranges."""
        b = self.builder
        parts = (self.before, self.after, *(d.body for d in b.definitions))
        sums = (s for part in parts for s in part.atoms(sp.Sum))
        uppers = {limit[2] for s in sums for limit in s.limits} | set(b.ranges.values())
        return sorted((u for u in uppers if isinstance(u, sp.Symbol)), key=str)

    def _settings(self) -> Iterator[sampling.Setting]:
        """Yield every choice of small sizes and of index values."""
        if not self._is_indexed():
            yield sampling.Setting(self.builder.definitions, self.using)
            return
        sizes = self._sizes()
        choices = _SIZES if len(sizes) < 2 else _SIZES_OF_SEVERAL
        stated = self._stated()
        ranges = self.builder.ranges
        free = {s: u for s, u in ranges.items() if s in stated}
        bound = {s: u for s, u in ranges.items() if s not in stated and isinstance(s, sp.Symbol)}
        for values in product(choices, repeat=len(sizes)):
            chosen = dict(zip(sizes, values, strict=True))
            labels = {
                str(s.label): int(sp.sympify(u).subs(chosen))
                for s, u in ranges.items()
                if isinstance(s, sp.IndexedBase)
            }
            schematic = witness.index_values(bound, chosen)
            for indices in self._choose(free, chosen):
                yield sampling.Setting(
                    self.builder.definitions, self.using, chosen, indices, labels, schematic
                )

    def _choose(
        self, free: Mapping[sp.Basic, sp.Expr], sizes: Mapping[sp.Symbol, int]
    ) -> list[dict[sp.Symbol, int]]:
        """Return the choices of the free indices that are tried."""
        symbols = [s for s in free if isinstance(s, sp.Symbol)]
        sides = (self.before, self.after, *(d.body for d in self.builder.definitions))
        if len(sizes) == 1 and all(witness.is_symmetric(side, symbols) for side in sides):
            return witness.index_patterns(free, sizes)
        return witness.index_values(free, sizes)

    def _instances(self, residual: sp.Expr) -> Iterator[tuple[sampling.Setting, sp.Expr]]:
        """Yield the residual written out, hypotheses solved for their last symbol."""
        for setting in self._settings():
            for labels in self._label_values(residual, setting):
                written = witness.instantiate(residual, setting.sizes, setting.indices, labels)
                yield setting, self._with_hypotheses(written, setting, labels)

    def _label_values(
        self, residual: sp.Expr, setting: sampling.Setting
    ) -> Iterator[dict[sp.Indexed, int]]:
        """Yield every choice of the entries of label families."""
        families = [s for s in self.builder.ranges if isinstance(s, sp.IndexedBase)]
        entries: list[tuple[sp.Indexed, int]] = []
        for base in families:
            used = [e for e in residual.atoms(sp.Indexed) if e.base == base]
            dimensions = len(used[0].indices) if used else 0
            largest = max(setting.sizes.values(), default=1)
            places = product(range(1, largest + 1), repeat=dimensions) if used else ()
            upper = setting.labels[str(base.label)]
            entries += [(base[place], upper) for place in places]
        for values in product(*(range(1, upper + 1) for _, upper in entries)):
            yield dict(zip((entry for entry, _ in entries), values, strict=True))

    def _with_hypotheses(
        self, written: sp.Expr, setting: sampling.Setting, labels: Mapping[sp.Indexed, int]
    ) -> sp.Expr:
        for hypothesis in self.using:
            equation = self._meaning(hypothesis.lhs) - self._meaning(hypothesis.rhs)
            for indices in setting.schematic:
                at = {**setting.indices, **indices}
                gap = sp.expand(witness.instantiate(equation, setting.sizes, at, labels))
                last = max(gap.free_symbols, key=str)
                slope = gap.coeff(last)
                if slope.free_symbols or slope == 0:
                    raise self._error(f"uses {hypothesis.text!r}, which is not linear in {last}")
                written = written.xreplace({last: last - gap / slope})
        return written

    def _witness(self, residual: sp.Expr) -> str:
        """Describe a point where the residual is not zero, if one is found."""
        for setting, written in self._instances(residual):
            point = witness.find(written)
            if point is not None:
                return f"; at {_where(setting)}{point}"
        return ""


def _unordered(expression: sp.Expr) -> Hashable:
    """Return the structure of an expression, the same for every order of terms and factors."""
    parts = tuple(_unordered(part) for part in expression.args)
    if not parts:
        return "leaf", expression
    if expression.is_Add or expression.is_Mul:
        return "unordered", expression.func, frozenset(Counter(parts).items())
    return "ordered", expression.func, parts


def _where(setting: sampling.Setting) -> str:
    pairs = {**setting.sizes, **setting.indices}.items()
    return "".join(f"{symbol} = {value}, " for symbol, value in pairs)


def _domain(symbols: frozenset[sp.Symbol]) -> str:
    named = sorted(symbols, key=str)
    return ", ".join(_described(s) for s in named) if named else "always"


def _described(symbol: sp.Symbol) -> str:
    if symbol.is_positive:
        return f"all {symbol} > 0"
    if symbol.is_negative:
        return f"all {symbol} < 0"
    return f"all {symbol} ≥ 0" if symbol.is_nonnegative else f"all real {symbol}"


def _scope(builder: Builder) -> str:
    statement = _Statement(builder, "", builder.start, builder.current, ())
    sizes = statement._sizes()
    if not sizes:
        return _domain(statement._symbols())
    parts = [f"every {', '.join(map(str, sizes))} ≥ 1"]
    stated = free_symbols(builder.start) | free_symbols(builder.current)
    parts += [f"every {s} in 1 … {u}" for s, u in builder.ranges.items() if s in stated]
    return " and ".join(parts)
