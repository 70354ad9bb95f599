"""One pass over an expression at a fixed precision: each part becomes a table over its indices.

The rules know what a symbol, a sum, a delta or a function is; the numbers and their error bounds
belong to `derivations.expressions.tensors`.  A sum's index is an axis that exists only inside of that sum, so
nested sums may reuse a name.  Sums are linear, constants are pulled out of them and deltas select
their term, which keeps the tables as small as a person would keep them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from derivations.expressions.binding import Binding, EvaluationError
from derivations.expressions.language import OpaqueFunction
from derivations.expressions.tensors import (
    ELEMENTWISE,
    Arithmetic,
    DomainError,
    Integers,
    Tensor,
)

Scope = Mapping[sp.Symbol, range]


def bound_of_index(expression: Any, sizes: Mapping[sp.Symbol, int]) -> int:
    """Return the value of a bound of an index.

    Raises
    ------
    EvaluationError
        If it is not a number once the sizes are put in.
    """
    value = sp.sympify(expression).xreplace({s: sp.Integer(v) for s, v in sizes.items()})
    if not value.is_Integer:
        given = ", ".join(f"{s} = {v}" for s, v in sizes.items()) or "none"
        raise EvaluationError(f"the bound {expression} is not a number; sizes given: {given}")
    return int(value)


def canonical(expression: sp.Expr) -> sp.Expr:
    """Rename bound indices by how deep their sums are, so that sums equal up to a name are equal.

    A sum of depth h (one more than the deepest sum inside of it) counts with the index of level h,
    which no sum inside of it has and no sum around it: nothing is captured.

    Examples
    --------
    >>> from derivations.expressions.language import family, i, k, n, total
    >>> z = family("z")
    >>> canonical(total(z[i], i, n)) == canonical(total(z[k], k, n))
    True
    """
    return _renamed(expression, {})[0]


def _renamed(e: sp.Expr, names: Mapping[sp.Symbol, sp.Symbol]) -> tuple[sp.Expr, int]:
    """Return `e` with free indices replaced by `names`, and the depth of its sums."""
    if isinstance(e, sp.Sum):
        depth = len(e.limits) + _depth(e.function)
        renamed = dict(names)
        limits = []
        # the last limit is the outermost sum: its bounds see the outer names only
        for back, (index, *bounds) in enumerate(reversed(e.limits)):
            bounds = [_renamed(b, renamed)[0] for b in bounds]
            renamed[index] = _level(depth - back)
            limits.append((renamed[index], *bounds))
        body, _ = _renamed(e.function, renamed)
        return sp.Sum(body, *reversed(limits)), depth
    if e in names:
        return names[e], 0
    if not e.args or isinstance(e, sp.IndexedBase):
        return e, 0
    parts = [_renamed(a, names) for a in e.args]
    depth = max(d for _, d in parts)
    if all(new is old for (new, _), old in zip(parts, e.args, strict=True)):
        return e, depth
    return _rebuilt(e, [p for p, _ in parts]), depth


def _rebuilt(e: sp.Expr, arguments: list[sp.Expr]) -> sp.Expr:
    if isinstance(e, sp.Derivative):
        raise EvaluationError(f"{e}: carry out the derivative first")
    if isinstance(e, (sp.Add, sp.Mul, sp.Pow)):
        return e.func(*arguments, evaluate=False)  # a renaming changes no number
    return e.func(*arguments)


def _depth(e: sp.Expr) -> int:
    if isinstance(e, sp.Sum):
        return len(e.limits) + _depth(e.function)
    return max((_depth(a) for a in e.args), default=0)


@functools.cache
def _level(depth: int) -> sp.Symbol:
    return sp.Dummy(f"b{depth}", integer=True, positive=True)


class Walk:
    """One pass over expressions at one precision; remembers the table of every part.

    Parameters
    ----------
    binding : Binding
        What the symbols stand for.
    arithmetic : Arithmetic
        The numbers.
    """

    def __init__(self, binding: Binding, arithmetic: Arithmetic) -> None:
        self.binding = binding
        self.arithmetic = arithmetic
        self.definitions = {
            d.symbol: (d.indices, canonical(sp.sympify(d.body))) for d in binding.definitions
        }
        self.memory: dict[Any, Tensor] = {}
        self.families: dict[sp.IndexedBase, Tensor] = {}
        self.given: dict[sp.Symbol, Tensor] = {}

    def table(self, expression: sp.Expr, scope: Scope) -> Tensor:
        """Evaluate over exactly the axes of `scope`, in its order."""
        lengths = tuple(map(len, scope.values()))
        return self.arithmetic.spread(
            self.tensor(canonical(expression), scope), tuple(scope), lengths
        )

    def tensor(self, e: sp.Expr, scope: Scope) -> Tensor:
        """Evaluate over the axes of `scope` that `e` depends on."""
        free = e.free_symbols
        key = (e, frozenset((s, scope[s]) for s in free if s in scope))
        if key not in self.memory:
            try:
                self.memory[key] = self._compute(e, scope)
            except DomainError as error:
                raise EvaluationError(f"{error} in {e}") from error
        return self.memory[key]

    def _compute(self, e: sp.Expr, scope: Scope) -> Tensor:
        if isinstance(e, sp.Symbol):
            return self._symbol(e, scope)
        if isinstance(e, sp.Indexed):
            return self._indexed(e, scope)
        if isinstance(e, sp.Sum):
            return self._summed(e.function, e.limits, scope)
        if isinstance(e, sp.Add):
            return self.arithmetic.add([self.tensor(a, scope) for a in e.args])
        if isinstance(e, sp.Mul):
            return self.arithmetic.multiply([self.tensor(a, scope) for a in e.args])
        if e.is_number and not e.args:
            return self._number(e)
        if isinstance(e, sp.Pow):
            return self._power(e, scope)
        if isinstance(e, OpaqueFunction):
            return self._opaque(e, scope)
        if e.func in ELEMENTWISE:
            return self.arithmetic.apply(e.func, self.tensor(e.args[0], scope))
        return self._by_cases(e, scope)

    def _symbol(self, e: sp.Symbol, scope: Scope) -> Tensor:
        if e in scope:
            return self.arithmetic.exact(np.array(scope[e], dtype=object), (e,))
        if e in self.given:
            return self.given[e]
        if e in self.definitions:
            return self.tensor(self.definitions[e][1], {})
        for bound in (self.binding.scalars, self.binding.sizes):
            if e in bound:
                return self.arithmetic.exact(bound[e])
        raise EvaluationError(
            f"{e} is not bound: give it as a scalar, a size, a definition or an index with a range"
        )

    def _number(self, e: sp.Expr) -> Tensor:
        if e.is_Rational:
            return self.arithmetic.rational(int(e.p), int(e.q))
        if e.is_Float:
            return self.arithmetic.exact(e)
        names = {sp.E: "e", sp.pi: "pi"}
        if e in names:
            return self.arithmetic.constant(names[e])
        raise EvaluationError(f"{e} is not a finite real number")

    def _power(self, e: sp.Pow, scope: Scope) -> Tensor:
        if e.exp.is_Rational:
            return self.arithmetic.power(self.tensor(e.base, scope), int(e.exp.p), int(e.exp.q))
        logarithm = self.arithmetic.apply(sp.log, self.tensor(e.base, scope))
        exponent = self.arithmetic.multiply((self.tensor(e.exp, scope), logarithm))
        return self.arithmetic.apply(sp.exp, exponent)

    def _opaque(self, e: OpaqueFunction, scope: Scope) -> Tensor:
        """Evaluate an opaque function as the one that it is bound to, at its argument's value."""
        if e.base_name not in self.binding.functions:
            raise EvaluationError(f"the opaque function {e.base_name} is not bound to a function")
        argument = self.tensor(e.args[0], scope)
        known = (s for s, t in self.given.items() if t is argument)
        place = next(known, None) or sp.Dummy(real=True)
        self.given[place] = argument
        body = self.binding.functions[e.base_name](place)
        return self.tensor(sp.diff(body, place, e.order) if e.order else body, {})

    # -- families ---------------------------------------------------------------------------------

    def _indexed(self, e: sp.Indexed, scope: Scope) -> Tensor:
        if e.base in self.definitions:
            return self._defined(e, scope)
        tensor = self._family(e.base)
        shape = tensor.values.shape
        if len(e.indices) != len(shape):
            raise EvaluationError(f"{e} has {len(e.indices)} indices, its array {len(shape)} axes")
        for axis, index, length in zip(tensor.axes, e.indices, shape, strict=True):
            along, where = self._positions(index, scope)
            if where.size and not (where.min() >= 1 and where.max() <= length):
                raise EvaluationError(
                    f"{e}: {index} takes the values {where.min()} … {where.max()}, "
                    f"the axis of its array goes from 1 to {length}"
                )
            tensor = self.arithmetic.take(tensor, axis, where - 1, along)
        return tensor

    def _family(self, base: sp.IndexedBase) -> Tensor:
        if base not in self.families:
            if base in self.binding.arrays:
                values = np.asarray(self.binding.arrays[base])
            elif base in self.binding.labels:
                values = np.asarray(self.binding.labels[base]) + 1
            else:
                raise EvaluationError(f"the family {base} is not bound to an array")
            axes = tuple(sp.Dummy() for _ in values.shape)
            self.families[base] = self.arithmetic.exact(values, axes)
        return self.families[base]

    def _positions(self, index: sp.Expr, scope: Scope) -> tuple[tuple[sp.Symbol, ...], Integers]:
        """Return the values of an index expression as integers over named axes."""
        if index in scope:
            return (index,), np.array(scope[index], dtype=np.int64)
        if not index.is_integer:
            raise EvaluationError(f"{index} is used as an index but is not declared an integer")
        tensor = self.tensor(index, scope)
        if not np.all(tensor.error < -2):  # less than ¼: the nearest integer is the value
            raise EvaluationError(f"the index {index} is too large to be told from its neighbours")
        return tensor.axes, np.asarray(np.rint(tensor.values.astype(np.float64)), dtype=np.int64)

    def _defined(self, e: sp.Indexed, scope: Scope) -> Tensor:
        """Look a defined name up in its table over the indices' ranges."""
        formal, body = self.definitions[e.base]
        if len(formal) != len(e.indices):
            raise EvaluationError(f"{e} has {len(e.indices)} indices, its definition {len(formal)}")
        actual = [self._positions(index, scope) for index in e.indices]
        own = {s: _hull(where) for s, (_, where) in zip(formal, actual, strict=True)}
        places = {s: sp.Dummy() for s in formal}
        tensor = self.tensor(body, own)
        tensor = Tensor(tuple(places[s] for s in tensor.axes), tensor.values, tensor.error)
        for s, (along, where) in zip(formal, actual, strict=True):
            if places[s] in tensor.axes:
                tensor = self.arithmetic.take(tensor, places[s], where - own[s].start, along)
        return tensor

    # -- sums -------------------------------------------------------------------------------------

    def _summed(self, body: sp.Expr, limits: Sequence[Any], scope: Scope) -> Tensor:
        *inner, (index, lower, upper) = limits
        low, high = (bound_of_index(b, self.binding.sizes) for b in (lower, upper))
        inside = {**scope, index: range(low, high + 1)}
        if inner:
            return self._added_up(self._summed(body, inner, inside), index, inside)
        return self._sum_of_terms(body, index, inside)

    def _added_up(self, tensor: Tensor, index: sp.Symbol, scope: Scope) -> Tensor:
        if index in tensor.axes:
            return self.arithmetic.sum_over(tensor, index)
        return self.arithmetic.multiply((self.arithmetic.exact(len(scope[index])), tensor))

    def _sum_of_terms(self, body: sp.Expr, index: sp.Symbol, scope: Scope) -> Tensor:
        """Sum by linearity, with constants pulled out and deltas sifted."""
        if isinstance(body, sp.Add):
            return self.arithmetic.add([self._sum_of_terms(a, index, scope) for a in body.args])
        factors = sp.Mul.make_args(body)
        constant = [self.tensor(f, scope) for f in factors if index not in f.free_symbols]
        varying = [f for f in factors if index in f.free_symbols]
        return self.arithmetic.multiply([*constant, self._sum_of_product(varying, index, scope)])

    def _sum_of_product(self, factors: list[sp.Expr], index: sp.Symbol, scope: Scope) -> Tensor:
        for position, f in enumerate(factors):
            others = factors[:position] + factors[position + 1 :]
            if isinstance(f, sp.Add) and any(_delta_of(index, t) for t in f.args):
                terms = [sp.Mul(t, *others, evaluate=False) for t in f.args]
                return self.arithmetic.add([self._sum_of_terms(t, index, scope) for t in terms])
            if isinstance(f, sp.KroneckerDelta):
                sifted = self._sifted(f, others, index, scope)
                if sifted is not None:
                    return sifted
        product = self.arithmetic.multiply(
            [self.arithmetic.exact(1), *(self.tensor(f, scope) for f in factors)]
        )
        return self._added_up(product, index, scope)

    def _sifted(
        self, delta: sp.KroneckerDelta, others: list[sp.Expr], index: sp.Symbol, scope: Scope
    ) -> Tensor | None:
        """Return Σ_j δ_ja f(j) as f(a), if every value of a lies in the range of j."""
        other = next((a for a in delta.args[:2] if a != index), None)
        if index not in delta.args[:2] or other is None or index in other.free_symbols:
            return None
        along, where = self._positions(other, scope)
        values, reached = scope[index], _hull(where)
        if reached and not (reached[0] in values and reached[-1] in values):
            return None
        product = self.arithmetic.multiply(
            [self.arithmetic.exact(1), *(self.tensor(f, scope) for f in others)]
        )
        if index not in product.axes:
            return product
        return self.arithmetic.take(product, index, where - values.start, along)

    # -- cases ------------------------------------------------------------------------------------

    def _by_cases(self, e: sp.Expr, scope: Scope) -> Tensor:
        if isinstance(e, sp.KroneckerDelta):
            return self._delta(e, scope)
        if isinstance(e, sp.sign):
            zero = self.arithmetic.exact(0)
            return self.arithmetic.sign_of_difference(self.tensor(e.args[0], scope), zero)
        if isinstance(e, (sp.Max, sp.Min)):
            return self._extreme(e, scope)
        if isinstance(e, sp.Piecewise):
            return self._piecewise(e, scope)
        if isinstance(e, sp.Derivative):
            raise EvaluationError(f"{e}: carry out the derivative first")
        raise EvaluationError(f"there is no rule to evaluate {e.func.__name__}: {e}")

    def _delta(self, e: sp.KroneckerDelta, scope: Scope) -> Tensor:
        sides = []
        for index in e.args[:2]:
            along, where = self._positions(index, scope)
            sides.append(self.arithmetic.exact(where, along))
        return self._compare(sp.Eq, *sides)

    def _extreme(self, e: sp.Expr, scope: Scope) -> Tensor:
        relation = sp.Ge if isinstance(e, sp.Max) else sp.Le
        best, *rest = e.args
        result = self.tensor(best, scope)
        for candidate in (self.tensor(a, scope) for a in rest):
            condition = self._compare(relation, result, candidate)
            result = self.arithmetic.select(condition, result, candidate)
        return result

    def _piecewise(self, e: sp.Piecewise, scope: Scope) -> Tensor:
        *cases, (last, otherwise) = e.args
        if otherwise is not sp.true:
            raise EvaluationError(f"{e}: the last case must hold always")
        result = self.tensor(last, scope)
        for value, condition in reversed(cases):
            holds = self._condition(condition, scope)
            result = self.arithmetic.select(holds, self.tensor(value, scope), result)
        return result

    def _condition(self, condition: Any, scope: Scope) -> Tensor:
        """Return 1 where a relation between two expressions holds and 0 elsewhere."""
        if not isinstance(condition, sp.core.relational.Relational):
            raise EvaluationError(f"there is no rule for the condition {condition}")
        sides = (self.tensor(a, scope) for a in condition.args)
        return self._compare(condition.func, *sides)

    def _compare(self, relation: Any, a: Tensor, b: Tensor) -> Tensor:
        sign = self.arithmetic.sign_of_difference(a, b)
        truth = _HOLDS[relation](np.asarray(sign.values, dtype=np.float64))
        exact = self.arithmetic.exact(truth.astype(int), sign.axes)
        return Tensor(sign.axes, exact.values, sign.error)


_HOLDS: dict[Any, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]]] = {
    sp.Eq: lambda sign: sign == 0,
    sp.Ne: lambda sign: sign != 0,
    sp.Ge: lambda sign: sign >= 0,
    sp.Gt: lambda sign: sign > 0,
    sp.Le: lambda sign: sign <= 0,
    sp.Lt: lambda sign: sign < 0,
}


def _hull(where: Integers) -> range:
    """Return the smallest range that holds every integer."""
    return range(int(where.min()), int(where.max()) + 1) if where.size else range(0)


def _delta_of(index: sp.Symbol, term: sp.Expr) -> bool:
    return any(
        isinstance(f, sp.KroneckerDelta) and index in f.args[:2] for f in sp.Mul.make_args(term)
    )
