"""The claimed derivative of a piece of code against the derivative of what the code computes.

Function and gradient are run on symbols together, so that they take the same branches.  On each
path the gradient's expressions are compared with the derivatives of the value's own expressions,
by `derivations.kernels.rational`.  That proves the formulas in the code, not their rounding.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from derivations.calculus import sdiff
from derivations.kernels import rational, witness
from derivations.records import Evidence, Standing
from derivations.tracing import Condition, Objects, Run, runs, symbols

_METHOD = "symbolic execution of the code, rational normal form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A function and its vector-Jacobian product, to be proved on symbols.

    Parameters
    ----------
    name : str
        What the code is called.
    value : callable
        ``value(*inputs)``: the function, one array or scalar.
    vjp : callable
        ``vjp(*inputs, v)``: the claimed derivative contracted with `v`, one array for each of the
        first inputs.
    inputs : tuple of ndarray
        Symbols, expressions in one symbol each, or numbers.
    assumed : tuple of Condition
        The region that the proof is for, where it is not everything.
    region : str
        The region in words.
    """

    name: str
    value: Callable[..., Any]
    vjp: Callable[..., tuple[Any, ...]]
    inputs: tuple[Objects, ...]
    assumed: tuple[Condition, ...] = ()
    region: str = "every branch"


def prove(code: Code) -> Evidence:
    """Compare the claimed derivative with that of the value's own expressions, on every path.

    Returns
    -------
    Evidence
        ``PROVED_CODE``; ``REFUTED`` with a rational point on the path where they differ for sure;
        ``UNDECIDED`` if the kernel cannot tell.

    Examples
    --------
    >>> import numpy as np
    >>> from derivations.tracing import symbols
    >>> x = symbols("x", (1,))
    >>> relu = Code(name="relu", value=lambda x: np.maximum(x, 0),
    ...             vjp=lambda x, v: (v * (x > 0),), inputs=(x,))
    >>> prove(relu).standing.value
    'proved for the code'
    """
    first = next(runs(lambda *inputs: (code.value(*inputs),), code.inputs, code.assumed))
    v = symbols("v", first.outputs[0].shape)

    def both(*inputs: Any) -> tuple[Any, ...]:
        return code.value(*inputs[:-1]), *code.vjp(*inputs)

    paths = inhabited = entries = 0
    undecided: Evidence | None = None
    proved: set[tuple[sp.Expr, sp.Expr]] = set()  # paths often compute the same
    for run in runs(both, (*code.inputs, v), code.assumed):
        paths += 1
        inhabited += next(_points(run.conditions, sp.Integer(0), 40), None) is not None
        for claimed, true in _pairs(code, run, v):
            entries += 1
            if (claimed, true) not in proved:
                trouble = _trouble(code, run, claimed, true)
                if trouble is None:
                    proved.add((claimed, true))
                elif trouble.standing is Standing.REFUTED:
                    return trouble
                else:  # another path may have a point that shows it wrong
                    undecided = undecided or trouble
    if undecided is not None:
        return undecided
    shapes = ", ".join(str(x.shape) for x in code.inputs)
    detail = (
        f"{code.name} on shapes {shapes}: {paths} paths, {inhabited} with a sample point, "
        f"{entries} entries, {len(proved)} of them different"
    )
    return Evidence(Standing.PROVED_CODE, _METHOD, code.region, detail)


def _pairs(code: Code, run: Run, v: Objects) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """Yield what is claimed and what is true for every entry of every differentiated argument."""
    value, *claimed = run.outputs
    for argument, gradient in zip(code.inputs, claimed, strict=False):
        if gradient.shape != argument.shape:
            raise ValueError(
                f"{code.name}: a gradient of shape {gradient.shape} for an argument of {argument.shape}"
            )
        for place, entry in np.ndenumerate(argument):
            yield gradient[place], _slope(value, v, entry)


def _slope(value: Objects, v: Objects, entry: sp.Expr) -> sp.Expr:
    """Differentiate ⟨v, value⟩ in an entry that is an expression in one symbol."""
    (symbol,) = entry.free_symbols
    inner = sdiff(entry, symbol)
    pairs = zip(v.ravel(), value.ravel(), strict=True)
    return sp.Add(*(w * sdiff(y, symbol) for w, y in pairs)) / inner


def _trouble(code: Code, run: Run, claimed: sp.Expr, true: sp.Expr) -> Evidence | None:
    """Return why two expressions are not proved equal; None if they are."""
    decision = rational.decide(claimed, true)
    if decision.kind == "proved":
        return None
    where = f"{code.name} where {' and '.join(map(str, run.conditions)) or 'no branch is taken'}"
    point = _witness(run.conditions, claimed - true)
    if point is not None:
        detail = f"{where}: {str(point).replace('before − after', 'claimed − true')}"
        return Evidence(Standing.REFUTED, _METHOD, code.region, detail)
    reason = decision.reason or "they differ, but at no sample point on this path"
    return Evidence(Standing.UNDECIDED, _METHOD, code.region, f"{where}: {reason}")


def _points(
    conditions: Sequence[Condition], extra: sp.Expr, tries: int
) -> Iterator[dict[sp.Symbol, Any]]:
    """Yield rational points at which every condition holds for sure."""
    generator = random.Random(0)
    context = witness.interval_context()
    parts = [condition.difference for condition in conditions]
    named = sorted(set().union(*(part.free_symbols for part in (*parts, extra))), key=str)
    for attempt in range(tries):
        scale = generator.choice((1, 1, 1, 20, 400))
        point = {s: scale * witness.coordinate(s, generator, attempt) for s in named}
        try:
            if all(_holds(condition, point, context) for condition in conditions):
                yield point
        except (ValueError, ZeroDivisionError):
            continue


def _holds(condition: Condition, point: dict[sp.Symbol, Any], context: Any) -> bool:
    enclosure = witness.enclose(condition.difference, point, context)
    return bool(enclosure.a > 0 if condition.holds else enclosure.b < 0)


def _witness(conditions: Sequence[Condition], residual: sp.Expr) -> witness.Point | None:
    context = witness.interval_context()
    for point in _points(conditions, residual, 400):
        try:
            enclosure = witness.enclose(residual, point, context)
        except (ValueError, ZeroDivisionError):
            continue
        if enclosure.a > 0 or enclosure.b < 0:
            return witness.Point(point, float(enclosure.a), float(enclosure.b))
    return None
