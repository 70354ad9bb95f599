"""Symbols and regions on which the functions of `reference` are executed (`derivations.code.execution`)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import cycle
from typing import Any

import numpy as np
import sympy as sp

import reference
from derivations.code.branches import Code
from derivations.code.order import Condition
from derivations.code.standins import Replacement
from derivations.code.traced import Objects, Traced
from derivations.code.traced_arrays import traced
from derivations.code.tracing import probabilities, symbols
from gradcheck import Case, Interval
from reference import _exponentials, gates

CASES = {case.name: case for case in reference.CASES}
_POSITIVE = 0.0, math.inf
_NUMBERS: Mapping[Any, Callable[[str, tuple[int, ...]], Objects]] = {
    (-math.inf, math.inf): symbols,
    _POSITIVE: functools.partial(symbols, positive=True),
    (0.0, 1.0): probabilities,
}
_SIZES = 2, 3  # unlike each other, so that a transpose shows


def of_case(name: str, *inputs: Objects, **options: Any) -> Code:
    """Return a row of ``reference.CASES`` on symbols; the options are those of `Code`."""
    return _on_symbols(CASES[name], inputs, **options)


def _on_symbols(case: Case, inputs: tuple[Objects, ...], **options: Any) -> Code:
    claims: dict[str, Any] = {"vjp": _vjp_of(case)}
    if case.vjp is None and case.grad is None and case.jac is not None:
        claims = {"jacobian": case.jac}
    return Code(
        name=case.name, value=case.f, inputs=inputs, argnums=case.argnum_tuple, **claims, **options
    )


def _vjp_of(case: Case) -> Callable[..., tuple[Any, ...]]:
    def vjp(*inputs_and_v: Any) -> tuple[Any, ...]:
        if case.vjp is not None:
            return _tuple(case.vjp(*inputs_and_v))
        assert case.grad is not None
        *inputs, v = inputs_and_v
        return tuple(v * part for part in _tuple(case.grad(*inputs)))

    return vjp


def _tuple(parts: Any) -> tuple[Any, ...]:
    return parts if isinstance(parts, tuple) else (parts,)


def plain(case: Case) -> Code | None:
    """Return a case on symbols of a small shape, all of its domain; None where those aren't numbers.

    Examples
    --------
    >>> from gradcheck import Argument, Interval
    >>> where = Interval(0.0), ("N", "n")
    >>> row = Case(name="f", f=np.log, jac=np.log, arguments=(Argument("x", *where),), source="-")
    >>> found = plain(row)
    >>> found.inputs[0].shape, found.region
    ((2, 3), 'x > 0')
    """
    names = dict.fromkeys(size for a in case.arguments for size in a.shape if isinstance(size, str))
    sizes = dict(zip(names, cycle(_SIZES), strict=False))
    ends = [
        (a.domain.low, a.domain.high) if isinstance(a.domain, Interval) else None
        for a in case.arguments
    ]
    if any(e not in _NUMBERS for e in ends):
        return None
    named = list(zip(case.arguments, ends, strict=True))
    inputs = tuple(_NUMBERS[e](a.name, a.resolve(sizes)) for a, e in named)
    positive = [f"{a.name} > 0" for a, e in named if e == _POSITIVE]
    return _on_symbols(case, inputs, region=", ".join(positive) or "every branch")


# --- regions ---------------------------------------------------------------------------------------


def below(limit: int, array: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which every entry lies below a limit."""
    return tuple(Condition(limit - entry) for entry in array.ravel().tolist())


def within(low: int, high: int, array: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which every entry lies between two limits."""
    return below(high, array) + below(-low, -array)


def neither_huge_nor_tiny(weights: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which weights are multiplied as they are."""
    least = sp.Rational(1, 2**500)
    return (*below(2**500, weights), *(Condition(w - least) for w in weights.ravel()))


# --- functions with a region of their own ----------------------------------------------------------


class AnyShift:
    """What stands in for the shift of every row of logits: a symbol, so that any will do.

    Attributes
    ----------
    symbols : list of sympy.Symbol
        The shifts that were asked for; a value must not depend on them.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], sp.Symbol] = {}

    @property
    def symbols(self) -> list[sp.Symbol]:
        """The shifts that were asked for."""
        return list(self._known.values())

    def __call__(self, z: Any) -> Any:
        """Return the shifts of the rows of z, shape (r, 1): those of another batch are others."""
        out = np.empty((len(z), 1), dtype=object)
        for row, entries in enumerate(z):
            key = len(z), *(x.expression for x in entries)
            name = f"s_{len(self._known) + 1}"
            out[row, 0] = Traced(self._known.setdefault(key, sp.Symbol(name, real=True)), z.path)
        return traced(out, z.path)


def shifted(name: str, *inputs: Objects, **options: Any) -> Code:
    """Return a case whose logits are exponentiated with any shift of each row."""
    shift = AnyShift()
    text = "the shift of a row before it is exponentiated, by any number"
    replacement = Replacement(_exponentials, "shifts", shift, text, covers_all=True)
    return of_case(name, *inputs, core=(replacement,), constants=shift, **options)


def attention(queries: int, keys: int, features: int, values: int) -> Code:
    """Return attention; the number of features is a square, whose root is exact."""
    Q, K = symbols("Q", (queries, features)), symbols("K", (keys, features))
    V = symbols("V", (keys, values))
    logits = np.asarray((Q @ K.T) / sp.sqrt(features))
    upstream = np.asarray(symbols("v", (queries, values)) @ V.T)
    return of_case(
        "attention",
        Q,
        K,
        V,
        assumed=(*within(-30, 340, logits), *within(-(2**500), 2**500, upstream)),
        region="logits in −30 … 340, |upstream·value| < 2^500",
    )


def smoothed(name: str, z: Objects, labels: Objects, smoothing: Objects) -> Code:
    """Return the cross-entropy of smoothed labels, the smoothing being any number in 0 … 1."""

    def value(z: Any, labels: Any, smoothing: Any) -> Any:
        return reference.label_smoothing_cross_entropy(z, labels, smoothing=smoothing[()])

    def vjp(z: Any, labels: Any, smoothing: Any, v: Any) -> tuple[Any, ...]:
        grad = reference.label_smoothing_cross_entropy_grad
        return (v * grad(z, labels, smoothing=smoothing[()]),)

    region = "every branch of a row, any smoothing in 0 … 1"
    return Code(name=name, value=value, vjp=vjp, inputs=(z, labels, smoothing), region=region)


def gelu(x: Objects) -> Code:
    """Return GELU with the normal distribution in place of its approximation."""
    core = (
        Replacement(
            gates,
            "tail_ratio",
            _tail_ratio,
            "tail_ratio is exactly (1−Φ(t))·e^(t²/2), not a polynomial near it",
        ),
        Replacement(
            gates, "DENSITY", 1 / sp.sqrt(2 * sp.pi), "DENSITY is exactly 1/√(2π), not a float"
        ),
    )
    return of_case("gelu", x, assumed=within(-36, 36, x), region="|x| < 36", core=core)


def _tail_ratio(t: Any) -> Any:
    def ratio(entry: Traced) -> Traced:
        e = entry.expression
        return Traced((1 - sp.erf(e / sp.sqrt(2))) / 2 * sp.exp(e**2 / 2), entry.path)

    return np.frompyfunc(ratio, 1, 1)(t)


_A, _C = sp.symbols("a c", positive=True)


def gelu_tanh(x: Objects) -> Code:
    """Return GELU by tanh with its polynomial in place of that polynomial in two floats."""
    text = (
        "_polynomial is exactly w = a·t + c·t³ with its slope, for any a and c, not in two floats"
    )
    core = (Replacement(gates, "_polynomial", _polynomial, text),)
    return of_case("gelu_tanh", x, assumed=within(-20, 20, x), region="|x| < 20", core=core)


def _polynomial(t: Any) -> tuple[Any, Any, Any]:
    return t * _A + t**3 * _C, 0, t * t * (3 * _C) + _A


def network(name: str, activation: Callable[[sp.Expr], sp.Expr]) -> Code:
    """Return a 2-3-3 network on one sample, with any shift of its logits."""
    arrays = [
        symbols(letter, shape)
        for letter, shape in (("x", (1, 2)), ("W", (2, 3)), ("b", (3,)), ("V", (3, 3)), ("c", (3,)))
    ]
    x, W, b, V, c = arrays
    sums = x @ W
    return shifted(
        name,
        x,
        np.array([1]),
        W,
        b,
        V,
        c,
        assumed=(*below(700, sums + b), *_not_flat(sums + b)),
        region="sums below 700, slopes above 1e-300",
        translated={
            **dict(zip(b, sums[0], strict=True)),
            **dict(zip(c, _each(activation, b) @ V, strict=True)),
        },
    )


def _not_flat(sums: Objects) -> tuple[Condition, ...]:
    """Return the conditions under which tanh' is computed as it is, whatever the sign of a sum."""
    sizes = np.concatenate([2 * sums, -2 * sums]).ravel()
    tiny = sp.Rational(Fraction(1e-300))
    slopes = (4 * sp.exp(-a) / (1 + sp.exp(-a) * (2 + sp.exp(-a))) for a in sizes)
    return tuple(Condition(tiny - slope, holds=False) for slope in slopes)


def _each(function: Callable[[sp.Expr], sp.Expr], array: Objects) -> Objects:
    return np.asarray(np.frompyfunc(function, 1, 1)(array), dtype=object)
