"""Numerical values of symbolic expressions, to as many digits as are asked for.

`evaluate` takes an expression of scalars, indexed families, finite sums, Kronecker deltas and
elementary functions, binds the families to arrays and the sizes to integers, and returns the value
at every combination of the free indices.  Every entry carries a bound of its error, and the working
precision grows until each entry has the digits asked for: cancellation such as 1 − σ(800) costs
time, never digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from derivations.expressions.binding import Binding, EvaluationError
from derivations.expressions.tensors import Arithmetic, Objects, Tensor, magnitude
from derivations.expressions.walk import Walk, bound_of_index

__all__ = [
    "Binding",
    "EvaluationError",
    "evaluate",
    "evaluate_scalar",
    "evaluate_together",
]

DIGITS = 50
GUARD_BITS = 32
SUBNORMAL_BITS = 1074  # 2^-1074 is the smallest positive float64
MAXIMAL_PRECISION = 10_000  # bits

Ranges = Mapping[sp.Symbol, Any]


def evaluate(
    expression: sp.Expr,
    binding: Binding,
    ranges: Ranges | None = None,
    *,
    digits: int = DIGITS,
) -> Objects:
    """Evaluate an expression at every combination of its free indices.

    Parameters
    ----------
    expression : sympy.Expr
        Scalars, indexed families, sums from an integer to a size, Kronecker deltas, elementary and
        opaque functions, ``Piecewise``, ``Max``, ``Min``.  Derivatives must have been carried out.
    binding : Binding
        What the symbols stand for.
    ranges : mapping of sympy.Symbol to sympy.Expr or int, optional
        For each free index its largest value (a size or a number); it starts at 1.  The axes of the
        result are in the order of this mapping.
    digits : int
        Significant decimal digits that every entry of the result has; the error of a tiny entry may
        instead be as large as the smallest positive float64 times 10^-digits.

    Returns
    -------
    ndarray of mpmath.mpf
        One axis per index of `ranges`.  The numbers keep all their digits; arithmetic with them
        rounds its *results* to the precision that `mpmath.mp` has at that time.

    Raises
    ------
    EvaluationError
        If a symbol is not bound, an index out of range, a function outside of its domain, a
        derivative not carried out, or the digits not reached with 10 000 bits.

    Examples
    --------
    >>> from derivations.expressions.language import delta, family, i, k, n, total
    >>> z = family("z")
    >>> softmax = sp.exp(z[k]) / total(sp.exp(z[i]), i, n)
    >>> binding = Binding(arrays={z: [2.0, 1.0, 0.1]}, sizes={n: 3})
    >>> [mpmath.nstr(y, 25) for y in evaluate(softmax, binding, {k: n})][:1]
    ['0.6590011388859678621577407']
    """
    (result,) = evaluate_together(((expression, ranges or {}),), binding, digits=digits)
    return result


def evaluate_scalar(expression: sp.Expr, binding: Binding, *, digits: int = DIGITS) -> Any:
    """Evaluate an expression without free indices.

    Parameters
    ----------
    expression, binding, digits
        As for `evaluate`.

    Returns
    -------
    mpmath.mpf
        The value.

    Raises
    ------
    EvaluationError
        As for `evaluate`.

    Examples
    --------
    >>> from derivations.expressions.language import x
    >>> mpmath.nstr(evaluate_scalar(1 - sp.tanh(x) ** 2, Binding(scalars={x: 200.0})), 20)
    '7.6606783868560227801e-174'
    """
    return evaluate(expression, binding, digits=digits)[()]


def evaluate_together(
    requests: Sequence[tuple[sp.Expr, Ranges]], binding: Binding, *, digits: int = DIGITS
) -> tuple[Objects, ...]:
    """Evaluate several expressions that share parts; what they share is computed once.

    Parameters
    ----------
    requests : sequence of (sympy.Expr, mapping)
        Expressions, each with the ranges of its free indices.
    binding, digits
        As for `evaluate`.

    Returns
    -------
    tuple of ndarray of mpmath.mpf
        One for each request.

    Raises
    ------
    EvaluationError
        As for `evaluate`.
    """
    prepared = tuple((sp.sympify(e), _scope(r, binding)) for e, r in requests)
    bits = math.ceil(digits * math.log2(10))
    precision = bits + GUARD_BITS
    while precision <= MAXIMAL_PRECISION:
        walk = Walk(binding, Arithmetic(precision))
        tensors = [walk.table(e, scope) for e, scope in prepared]
        missing = max(_missing_bits(t, bits) for t in tensors)
        if missing <= 0:
            return tuple(_public(t) for t in tensors)
        precision += int(min(missing, precision)) + GUARD_BITS
    raise EvaluationError(
        f"{digits} digits were not reached with {MAXIMAL_PRECISION} bits: "
        "something divides by zero, or sits on the border between two cases"
    )


def _missing_bits(tensor: Tensor, bits: int) -> float:
    """By how many bits the worst entry falls short; +∞ where nothing is known."""
    if tensor.error.size == 0:
        return 0.0
    relative = magnitude(tensor.values) - 1 - bits
    allowed = np.maximum(relative, -SUBNORMAL_BITS - bits)
    return float(np.max(tensor.error - allowed))


def _public(tensor: Tensor) -> Objects:
    result = np.empty(tensor.values.shape, dtype=object)
    result[...] = np.frompyfunc(lambda x: mpmath.mp.make_mpf(x._mpf_), 1, 1)(tensor.values)
    return result


def _scope(ranges: Ranges, binding: Binding) -> dict[sp.Symbol, range]:
    return {s: range(1, bound_of_index(upper, binding.sizes) + 1) for s, upper in ranges.items()}
