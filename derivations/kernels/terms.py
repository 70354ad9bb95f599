"""Polynomials over the atoms of finite indexed sums: what the indexed normal form is made of.

Everything is a nested tuple, so that equal means identical and any two can be sorted.

==========  =======================================================================================
Index       ``("f", name)`` free, ``("b", depth, position)`` bound by the sum that is `depth` sums
            out, ``("i", k)`` the number k, ``("e", family, (index, …))`` an entry such as z_i
Atom        ``("at", index)`` the value of an index or entry, ``("delta", a, b)``,
            ``("exp", monomial)``, ``("log", polynomial)``, ``("inv", polynomial)`` one over it,
            ``("root", polynomial)`` its square root,
            ``("fun", name, (polynomial, …))``, ``("sum", (upper, …), monomial)``
Monomial    sorted tuple of ``(atom, exponent)``
Polynomial  sorted tuple of ``(monomial, coefficient)``; while computing a dict, see `Poly`
==========  =======================================================================================

Bound indices carry no names ("locally nameless"): two sums that differ in the name of their index
are the same tuple, and no substitution can capture an index.  The order of the indices that one sum
binds is fixed by taking the smallest of all orders (`canonical_sum`).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Number = Fraction | int
Index = tuple[Any, ...]
Atom = tuple[Any, ...]
Monomial = tuple[tuple[Atom, Number], ...]
Poly = dict[Monomial, Number]
FrozenPoly = tuple[tuple[Monomial, Number], ...]

ONE: Monomial = ()
MAX_BOUND = 6  # indices bound by one sum; the canonical order tries all of their permutations


class OutOfClassError(ValueError):
    """An expression is outside the class that a kernel decides; the message names the part."""


def constant(value: Number) -> Poly:
    """Return a number as a polynomial."""
    return {ONE: value} if value else {}


def single(atom: Atom, exponent: Number = 1) -> Poly:
    """Return a power of one atom as a polynomial."""
    return {((atom, exponent),): 1}


def freeze(poly: Poly) -> FrozenPoly:
    """Return the sorted tuple of a polynomial."""
    return tuple(sorted(poly.items()))


def add(*polys: Poly) -> Poly:
    """Return a sum."""
    out: Poly = {}
    for poly in polys:
        for monomial, coefficient in poly.items():
            total = out.get(monomial, 0) + coefficient
            if total:
                out[monomial] = total
            else:
                out.pop(monomial, None)
    return out


def scale(poly: Poly, factor: Number) -> Poly:
    """Return a multiple."""
    return {monomial: coefficient * factor for monomial, coefficient in poly.items() if factor}


def merge(*monomials: Monomial) -> Monomial:
    """Multiply by adding exponents; what deltas and inverses imply is left to the caller."""
    exponents: dict[Atom, Number] = {}
    for monomial in monomials:
        for atom, exponent in monomial:
            exponents[atom] = exponents.get(atom, 0) + exponent
    return tuple(sorted((a, e) for a, e in exponents.items() if e))


def split(poly: Poly) -> tuple[Fraction, Monomial, Poly]:
    """Write a polynomial as content × monomial × rest, the rest without common factor.

    The content is the positive greatest common divisor of the coefficients; the monomial has the
    smallest exponent of each atom, so 1 + 1/e^z becomes (1/e^z)(e^z + 1).
    """
    numbers = [Fraction(c) for c in poly.values()]
    content = abs(numbers[0])
    for number in numbers[1:]:
        content = _gcd(content, number)
    powers = [dict(monomial) for monomial in poly]
    atoms = {atom for power in powers for atom in power}
    lowest = {atom: min(power.get(atom, 0) for power in powers) for atom in atoms}
    common = tuple(sorted((a, e) for a, e in lowest.items() if e))
    inverse = tuple((a, -e) for a, e in common)
    rest: Poly = {merge(monomial, inverse): c / content for monomial, c in poly.items()}
    return content, common, rest


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    b = abs(b)
    while b:
        a, b = b, a % b
    return a


Change = Callable[[Index, int], Index]


def map_index(index: Index, change: Change, depth: int) -> Index:
    """Rename an index one to one, inside out; `depth` counts the sums that were entered."""
    if index[0] == "e":
        index = ("e", index[1], tuple(map_index(part, change, depth) for part in index[2]))
    return change(index, depth)


def map_atom(atom: Atom, change: Change, depth: int) -> Atom:
    """Rename the indices of an atom one to one, and sort its parts again.

    Indices that become equal would need the rules of multiplication, which renaming does not know.
    """
    tag = atom[0]
    if tag == "at":
        return ("at", map_index(atom[1], change, depth))
    if tag == "delta":
        return ("delta", *sorted(map_index(index, change, depth) for index in atom[1:]))
    if tag == "exp":
        return ("exp", map_monomial(atom[1], change, depth))
    if tag == "fun":
        return ("fun", atom[1], tuple(map_poly(part, change, depth) for part in atom[2]))
    if tag == "sum":
        return canonical_sum(atom[1], map_monomial(atom[2], change, depth + 1))
    return (tag, map_poly(atom[1], change, depth))  # log, inv, root


def map_monomial(monomial: Monomial, change: Change, depth: int = 0) -> Monomial:
    """Rename the indices of a monomial one to one."""
    return tuple(sorted((map_atom(atom, change, depth), e) for atom, e in monomial))


def map_poly(poly: FrozenPoly, change: Change, depth: int) -> FrozenPoly:
    """Rename the indices of a polynomial one to one."""
    return tuple(sorted((map_monomial(monomial, change, depth), c) for monomial, c in poly))


def canonical_sum(uppers: tuple[Index, ...], body: Monomial) -> Atom:
    """Return the sum atom with its bound indices in the order that gives the smallest tuple."""
    count = len(uppers)
    if count > MAX_BOUND:
        raise OutOfClassError(f"a sum over {count} entangled indices; {MAX_BOUND} are the limit")
    if count == 1:
        return ("sum", uppers, body)
    best: Atom | None = None
    for order in permutations(range(count)):
        place = {old: new for new, old in enumerate(order)}

        def move(index: Index, depth: int, place: Mapping[int, int] = place) -> Index:
            if index[0] == "b" and index[1] == depth:
                return ("b", depth, place[index[2]])
            return index

        candidate = ("sum", tuple(uppers[old] for old in order), map_monomial(body, move))
        if best is None or candidate < best:
            best = candidate
    assert best is not None
    return best


def close(names: Mapping[str, Index], body: Monomial) -> Atom:
    """Bind free indices: the sum of `body` over the names, each from 1 to its upper limit."""
    place = {name: position for position, name in enumerate(names)}

    def bind(index: Index, depth: int) -> Index:
        if index[0] == "f" and index[1] in place:
            return ("b", depth, place[index[1]])
        return index

    return canonical_sum(tuple(names.values()), map_monomial(body, bind))


def open_sum(atom: Atom, names: tuple[str, ...]) -> Monomial:
    """Return the body of a sum atom with its bound indices replaced by free names (fresh ones)."""

    def release(index: Index, depth: int) -> Index:
        if index[0] == "b" and index[1] == depth:
            return ("f", names[index[2]])
        return index

    return map_monomial(atom[2], release)


def occurs(index: Index, obj: Any) -> bool:
    """Whether a free index or an entry occurs anywhere inside."""
    if obj == index:
        return True
    return isinstance(obj, tuple) and any(occurs(index, part) for part in obj)
