"""Anyone's function: an expression as text in, its derivatives derived, coded and checked out.

`derive` reads the text by its own grammar, states the domain, differentiates by named rules whose
every step is judged, simplifies as far as the judge agrees, prints NumPy code, proves its formulas
equal to the derived ones and has `gradcheck` compare the code's value and derivative at random
points of the domain.
"""

from __future__ import annotations

import math
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from derivations.deadline import Deadline, OutOfTimeError
from derivations.deriving.codecheck import CodeCheck, check_code, error_of, is_finite
from derivations.deriving.domains import Domain, domain
from derivations.deriving.numpy_code import Code, code
from derivations.deriving.sampler import draw_far_places, draw_places
from derivations.deriving.solutions import derivative_statement, described
from derivations.deriving.stable_forms import stable
from derivations.expressions.language import negative, positive, real
from derivations.provenance import Provenance, describe
from derivations.records import Evidence, Standing
from derivations.steps.chain import Partial, chain
from derivations.steps.judge import Judge, is_identity, numeric
from derivations.text import grammar, reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from derivations.deriving.sampler import Place
    from derivations.text.grammar import Tree

_SECONDS = 20.0
_POINTS = 16
_JUDGED_AT = 3  # points that every step is sampled at
_FAR = 4
_NOT_REAL = (sp.I, sp.nan, sp.oo, sp.zoo)
_READING_AGREES = 1e-40
_REWRITING_SECONDS = 2.0
_GOOD_ENOUGH = 8.0  # roundings: with less error than this, the shortest form is taken


@dataclass(frozen=True, slots=True)
class Derived:
    """A user's expression with everything that was found out about it.

    Parameters
    ----------
    text : str
        As it was given.
    expression : sympy.Expr or None
        As it was read; None if even that ran out of time.
    domain : Domain
        Where value and derivative are defined.
    reading : Evidence
        That the expression means what the text says: both computed to 60 digits, independently.
    partials : tuple of Partial
        A derivation for each variable asked for.
    code : Code or None
        NumPy code; None if there is no derivative to print.
    form : Evidence or None
        That the code's formulas are the derived ones.
    check : CodeCheck or None
        The code against `gradcheck` and against 150 digits.
    provenance : Provenance
        How to make it again.
    """

    text: str
    expression: sp.Expr | None
    domain: Domain
    reading: Evidence
    partials: tuple[Partial, ...]
    code: Code | None
    form: Evidence | None
    check: CodeCheck | None
    provenance: Provenance

    @property
    def standing(self) -> Standing:
        """The weakest standing of the derivations; undecided if anything is a problem."""
        if self.undecided:
            return Standing.UNDECIDED
        return Standing.weakest(tuple(p.derivation.standing for p in self.partials))

    @property
    def undecided(self) -> tuple[str, ...]:
        """Everything that was neither proved nor refuted, with the reason."""
        found = [
            f"the domain: {described(c)} ({c.cause}): {c.reason}" for c in self.domain.undecided
        ]
        if self.reading.standing is Standing.UNDECIDED:
            found.append(f"the reading: {self.reading.detail}")
        for partial in self.partials:
            found += [f"d/d{partial.variable}: {reason}" for reason in partial.undecided]
        if self.form is not None and self.form.standing is Standing.UNDECIDED:
            found.append(f"the code: {self.form.detail}")
        if self.check is None:
            found.append("the code was not checked")
        elif not self.check.failures and self.check.reason:
            found.append(f"the check of the code: {self.check.reason}")
        return tuple(found)

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong for sure."""
        return () if self.check is None else self.check.failures

    @property
    def ok(self) -> bool:
        """Whether everything was proved or checked and nothing failed."""
        return not self.undecided and not self.failures

    @property
    def problems(self) -> tuple[str, ...]:
        """Failures first, then what is undecided."""
        return (*self.failures, *(f"undecided: {u}" for u in self.undecided))


def derive(
    text: str,
    *,
    wrt: str | Sequence[str] | None = None,
    points: int = _POINTS,
    seed: int | None = None,
    seconds: float = _SECONDS,
) -> Derived:
    """Derive an expression that is given as text.

    Parameters
    ----------
    text : str
        Numbers, variables, the constants pi and e, ``+ - * / ^ **``, brackets, and the functions of
        `derivations.text.grammar`.  It is never executed.
    wrt : str or sequence of str, optional
        The variables to differentiate by; all by default.
    points : int
        Random points of the domain at which the code is checked.
    seed : int, optional
        Of the points; a fresh one by default.
    seconds : float
        When symbolic work stops; what is not proved by then is undecided.

    Returns
    -------
    Derived
        The record; `Derived.ok` is the verdict.

    Raises
    ------
    ExpressionError
        If the text is not in the grammar, exceeds its limits, or is defined nowhere; the message
        points at the place.
    ValueError
        If there is no variable, a name in `wrt` does not occur, or a number makes no sense.

    Examples
    --------
    >>> found = derive("x*tanh(log(1+exp(x)))", seed=1)
    >>> found.ok, found.standing.value
    (True, 'proved for all reals')
    >>> print(found.code.source.splitlines()[4])
        return x * np.tanh(np.logaddexp(0, x))
    """
    started = time.perf_counter()
    tree = grammar.parse(text)
    reading.check_limits(tree, text)
    names = _wanted(tree, text, wrt)
    if points < 1 or not seconds > 0:
        raise ValueError(f"points and seconds must be positive, got {points} and {seconds}")
    seed = secrets.randbelow(2**31) if seed is None else seed
    if seed < 0:
        raise ValueError(f"the seed must not be negative, got {seed}")
    found = _Work(tree, text, names, Deadline(seconds), points, seed).derived()
    command = _command(text, names if wrt is not None else (), points, seed, seconds)
    took = time.perf_counter() - started
    return replace(found, provenance=replace(found.provenance, command=command, seconds=took))


def _wanted(tree: Tree, text: str, wrt: str | Sequence[str] | None) -> tuple[str, ...]:
    names = grammar.variables(tree)
    if not names:
        problem = "there is no variable to differentiate by"
        raise grammar.ExpressionError(problem, text, 0, len(text))
    if wrt is None:
        return names
    wanted = (wrt,) if isinstance(wrt, str) else tuple(dict.fromkeys(wrt))
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        what = f"there is no variable {unknown[0]!r} in it" if unknown else "no variable is wanted"
        raise ValueError(f"{what}; the variables are {', '.join(names)}")
    return wanted


def _command(text: str, names: Sequence[str], points: int, seed: int, seconds: float) -> str:
    words = ["python", "-m", "derivations", "derive", text]
    for name in names:
        words += ["--wrt", name]
    words += ["--points", str(points), "--seed", str(seed), "--seconds", str(seconds)]
    return shlex.join(words)


@dataclass(frozen=True, slots=True)
class _Work:
    """One run of `derive`, after its arguments were found to make sense."""

    tree: Tree
    text: str
    names: tuple[str, ...]
    deadline: Deadline
    points: int
    seed: int

    def derived(self) -> Derived:
        where = domain(self.tree, self.text)
        symbols = {name: _symbol(name, where) for name in where.variables}
        try:
            with self.deadline.within(self.deadline.left):
                e = reading.expression(self.tree, symbols)
        except OutOfTimeError:
            return self._unread(where, "the time ran out")
        if e.has(*_NOT_REAL):
            shown = str(e).replace("zoo", "∞").replace("oo", "∞")
            return self._unread(where, f"it becomes {shown}, which has no real value")
        ctx = reading.context()
        drawn = draw_places(self.tree, where, ctx, self.points, self.seed)
        at = [{symbols[name]: x for name, x in p.values(ctx).items()} for p in drawn]
        judge = Judge(at[:_JUDGED_AT], ctx, self.deadline, derivative_statement(where))
        read = self._reading(e, at, ctx)
        partials = tuple(chain(e, symbols[name], judge) for name in self.names)
        far = draw_far_places(self.tree, where, ctx, _FAR, self.seed)
        printed, form = _Printer(self.tree, judge, drawn, far).code(e, partials)
        check = check_code(printed, self.tree, self.names, drawn, self.seed)
        provenance = describe(self.points, self.seed)
        return Derived(self.text, e, where, read, partials, printed, form, check, provenance)

    def _unread(self, where: Domain, reason: str) -> Derived:
        read = Evidence(Standing.UNDECIDED, "reading", "", reason)
        provenance = describe(self.points, self.seed)
        return Derived(self.text, None, where, read, (), None, None, None, provenance)

    def _reading(
        self, e: sp.Expr, at: Sequence[Mapping[sp.Symbol, object]], ctx: object
    ) -> Evidence:
        """Compare the expression with the tree, computed without SymPy."""
        worst, used = 0.0, 0
        for place in at:
            plain_names = {symbol.name: x for symbol, x in place.items()}
            try:
                direct = reading.value(self.tree, plain_names, ctx)
                through = numeric(e, place, ctx)
            except reading.UndefinedError:
                continue
            used += 1
            worst = max(worst, float(abs(direct - through) / max(1, abs(direct))))
        method, scope = "60-digit evaluation of the text, without SymPy", f"{used} random points"
        if used and worst <= _READING_AGREES:
            return Evidence(Standing.NUMERICAL, method, scope, f"largest difference {worst:.0e}")
        reason = f"the two differ by {worst:.3g}" if used else "no point of the domain was found"
        return Evidence(Standing.UNDECIDED, method, scope, reason)


def _symbol(name: str, where: Domain) -> sp.Symbol:
    """Return a symbol with the sign that the domain of the derivative gives it."""
    bounds = where.bounds[name]
    if bounds.positive:
        return positive(name)
    return negative(name) if (-bounds).positive else real(name)


@dataclass(frozen=True, slots=True)
class _Printer:
    """Chooses what the code is printed from, among forms that are proved equal."""

    tree: Tree
    judge: Judge
    near: Sequence[Place]
    far: Sequence[Place]

    def code(self, e: sp.Expr, partials: Sequence[Partial]) -> tuple[Code, Evidence]:
        """Return the code, with the evidence that its formulas are the derived ones."""
        arguments = grammar.variables(self.tree)
        value = self._best((e,))
        slopes = {p.variable: self._best(p.forms, p.variable) for p in partials}
        derived = {form for p in partials for form in p.forms} | {e}
        rewritten = sum(form not in derived for form in (value, *slopes.values()))
        detail = "the derived formulas as they are"
        if rewritten:
            plural = "s" * (rewritten > 1)
            detail = f"{rewritten} formula{plural} rewritten by identities proved for all reals"
        proved = Evidence(
            Standing.PROVED_REAL, "the kernels of the steps", self.judge.scope, detail
        )
        return code(value, slopes, arguments), proved

    def _best(self, forms: Sequence[sp.Expr], name: str = "") -> sp.Expr:
        """Return the first form, stable variants first, that errs about as little as the best.

        Among those, one that does not overflow far out.
        """
        candidates = []
        for form in forms:
            better = _stable_or_same(form, self.judge)
            candidates += [better, form] if better != form else [form]
        codes = [self._code_of(form, name) for form in candidates]
        errors = [self._error(printed, name) for printed in codes]
        enough = max(_GOOD_ENOUGH, 2 * min(errors))
        good = [k for k, error in enumerate(errors) if error <= enough]
        return candidates[next((k for k in good if is_finite(codes[k], self.far)), good[0])]

    def _code_of(self, form: sp.Expr, name: str) -> Code:
        arguments = grammar.variables(self.tree)
        return code(sp.Integer(0), {name: form}, arguments) if name else code(form, {}, arguments)

    def _error(self, printed: Code, name: str) -> float:
        if not self.near:
            return 0.0
        value, slope = error_of(printed, self.tree, (name,) if name else (), self.near)
        error = slope if name else value
        return 0.0 if math.isnan(error) else error  # unknown: no form is better than another


def _stable_or_same(e: sp.Expr, judge: Judge) -> sp.Expr:
    """Return the stable form where every identity that it rests on is proved."""
    try:
        with judge.deadline.within(_REWRITING_SECONDS):
            better = stable(e)
            proved = all(is_identity(lhs, rhs) for lhs, rhs in better.identities)
    except OutOfTimeError:
        return e
    return better.form if proved else e
