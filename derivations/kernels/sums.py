"""Rules for finite sums with symbolic bounds, and for replacing one index by another.

R1  finite sums are linear
R2  Σ_{j=1..n} c = n·c, and a factor free of j leaves the sum
R3  Σ_{j=1..n} δ_ja f(j) = f(a), only when a is known to lie in 1 … n
R6  the order and the names of bound indices do not matter, nor the order of summation
R10 a hypothesis Σ_j f(j) = e, given by the caller, replaces that sum

Each is an equality of real numbers for all sizes ≥ 1 and all index values in range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from derivations.kernels import terms
from derivations.kernels.algebra import Algebra
from derivations.kernels.terms import Atom, FrozenPoly, Index, Monomial, OutOfClassError, Poly
from derivations.kernels.vocabulary import Vocabulary

_Names = Mapping[str, Index]  # opened bound indices and their upper limits


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a hypothesis says: the atom has the value, whatever its schematic indices are."""

    atom: Atom
    value: FrozenPoly
    schematic: frozenset[Index]


class Summation(Algebra):
    """Arithmetic with sums.

    Parameters
    ----------
    vocabulary : Vocabulary
        What is known about the symbols.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self.replacements: list[Replacement] = []

    def sum_over(self, names: _Names, poly: Poly) -> Poly:
        """R1: sum every term over all the names."""
        if not names:
            return poly
        parts = (terms.scale(self._sum_monomial(names, m), c) for m, c in poly.items())
        return terms.add(*parts)

    def _sum_monomial(self, names: _Names, monomial: Monomial) -> Poly:
        sifted = self._sift(names, monomial)
        if sifted is not None:
            return sifted
        flat, more = self._flatten(names, monomial)
        if more:
            return self.sum_over({**names, **more}, self.reduce(flat))
        out = terms.constant(1)
        rest = monomial
        for group in _components(names, monomial):
            inside = _depending(group, rest)
            rest = tuple(factor for factor in rest if factor not in inside)
            if inside:
                out = self.multiply(out, self._component({v: names[v] for v in group}, inside))
            else:  # R2
                (alone,) = group
                out = self.multiply(out, self.value(names[alone]))
        return self.multiply(out, {rest: 1})  # R2

    def _sift(self, names: _Names, monomial: Monomial) -> Poly | None:
        """R3: a delta removes a summed index, if the other one is known to be in range."""
        for atom, _ in monomial:
            if atom[0] != "delta":
                continue
            for here, there in (atom[1:], atom[:0:-1]):
                if here[0] != "f" or here[1] not in names or terms.occurs(here, there):
                    continue
                upper = names[here[1]]
                if not self.vocabulary.in_range(there, upper):
                    shown, limit = self.show(self.value(there)), self.show(self.value(upper))
                    raise OutOfClassError(f"{shown} is not known to lie in 1 … {limit}")
                rest = terms.merge(monomial, ((atom, -1),))
                others = {name: u for name, u in names.items() if name != here[1]}
                return self.sum_over(others, self.substitute(rest, here, there))
        return None

    def _flatten(self, names: _Names, monomial: Monomial) -> tuple[Monomial, dict[str, Index]]:
        """R6: open the sums inside a sum, every copy with fresh names."""
        factors: list[Monomial] = []
        more: dict[str, Index] = {}
        for atom, exponent in monomial:
            positive_power = isinstance(exponent, int) and exponent > 0
            inside = any(terms.occurs(("f", name), atom) for name in names)
            if atom[0] == "sum" and positive_power and inside:
                for _ in range(int(exponent)):
                    opened, new = self._open(atom)
                    more |= new
                    factors.append(opened)
            else:
                factors.append(((atom, exponent),))
        return terms.merge(*factors), more

    def _open(self, atom: Atom) -> tuple[Monomial, dict[str, Index]]:
        names = {self.vocabulary.fresh(upper): upper for upper in atom[1]}
        return terms.open_sum(atom, tuple(names)), names

    def _component(self, names: _Names, monomial: Monomial) -> Poly:
        """Close a sum whose indices are entangled, unless a part of it is known (R6, R10)."""
        for name in names if len(names) > 1 else ():
            inside = _depending((name,), monomial)
            inner = terms.close({name: names[name]}, inside)
            rest = tuple(factor for factor in monomial if factor not in inside)
            value = self._known(inner)
            if value is None and dict(rest).get(inner, 0) < 0:  # it cancels a denominator
                value = terms.single(inner)
            if value is not None:
                others = {other: upper for other, upper in names.items() if other != name}
                return self.sum_over(others, self.multiply({rest: 1}, value))
        closed = terms.close(names, monomial)
        value = self._known(closed)
        return terms.single(closed) if value is None else value

    def _known(self, atom: Atom) -> Poly | None:
        """R10: what a hypothesis says a sum is."""
        for replacement in self.replacements:
            found = _match(replacement.atom, atom, replacement.schematic, {})
            if found is None or not all(self._fits(p, actual) for p, actual in found.items()):
                continue
            value = dict(replacement.value)
            for pattern, actual in found.items():
                value = self._substitute_poly(value, pattern, actual)
            return value
        return None

    def _fits(self, pattern: Index, actual: Index) -> bool:
        upper = self.vocabulary.range(pattern)
        return upper is not None and self.vocabulary.in_range(actual, upper)

    # --- replacing one index by another --------------------------------------------------------

    def substitute(self, monomial: Monomial, old: Index, new: Index) -> Poly:
        """Replace an index and normalise again, because factors may have become equal."""
        parts = []
        for atom, exponent in monomial:
            if terms.occurs(old, atom):
                parts.append(self.power(self._substitute_atom(atom, old, new), exponent))
            else:
                parts.append(terms.single(atom, exponent))
        return self.multiply(*parts)

    def _substitute_poly(self, poly: Poly, old: Index, new: Index) -> Poly:
        parts = (terms.scale(self.substitute(m, old, new), c) for m, c in poly.items())
        return terms.add(*parts)

    def _substitute_atom(self, atom: Atom, old: Index, new: Index) -> Poly:
        tag = atom[0]
        if tag == "at":
            return self.value(self._substitute_index(atom[1], old, new))
        if tag == "delta":
            a, b = (self._substitute_index(index, old, new) for index in atom[1:])
            return self.delta(a, b)
        if tag == "sum":
            body, names = self._open(atom)
            return self.sum_over(names, self.substitute(body, old, new))
        if tag == "exp":
            return self.exp(self.substitute(atom[1], old, new))
        if tag == "fun":
            parts = (self._substitute_poly(dict(part), old, new) for part in atom[2])
            return terms.single(("fun", atom[1], tuple(map(terms.freeze, parts))))
        inner = self._substitute_poly(dict(atom[1]), old, new)
        if tag == "root":
            return self.root(inner)
        return self.log(inner) if tag == "log" else self.reciprocal(inner)

    def _substitute_index(self, index: Index, old: Index, new: Index) -> Index:
        if index == old:
            return new
        if index[0] == "e":
            parts = tuple(self._substitute_index(part, old, new) for part in index[2])
            return self.vocabulary.resolve(("e", index[1], parts))
        return index


def _depending(names: Iterable[str], monomial: Monomial) -> Monomial:
    indices = [("f", name) for name in names]
    return tuple(factor for factor in monomial if any(terms.occurs(x, factor) for x in indices))


def _components(names: Iterable[str], monomial: Monomial) -> list[set[str]]:
    """Group the names that occur together in a factor."""
    groups: list[set[str]] = [{name} for name in names]
    for factor in monomial:
        linked = [g for g in groups if any(terms.occurs(("f", name), factor) for name in g)]
        if len(linked) > 1:
            groups = [g for g in groups if g not in linked] + [set().union(*linked)]
    return groups


def _match(
    pattern: object, target: object, schematic: frozenset[Index], found: dict[Index, Index]
) -> dict[Index, Index] | None:
    """Return what the schematic indices must be for the pattern to be the target, or None."""
    if isinstance(pattern, tuple) and pattern in schematic:
        is_index = isinstance(target, tuple) and target and target[0] in ("f", "e", "i")
        if not is_index or _has_bound(target) or found.get(pattern, target) != target:
            return None
        return {**found, pattern: target}  # type: ignore[dict-item]  # a tuple, by is_index
    if not isinstance(pattern, tuple) or not isinstance(target, tuple):
        return found if pattern == target else None
    if len(pattern) != len(target):
        return None
    current: dict[Index, Index] | None = found
    for a, b in zip(pattern, target, strict=True):
        if current is None:
            return None
        current = _match(a, b, schematic, current)
    return current


def _has_bound(obj: object) -> bool:
    return isinstance(obj, tuple) and (obj[:1] == ("b",) or any(map(_has_bound, obj)))
