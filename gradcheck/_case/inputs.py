"""The arguments of one check: which leaves vary, which stay, and fresh copies of them on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress, count
from typing import Any, NamedTuple

import numpy as np

from gradcheck._case.constants import in_words, is_constant, is_floating, is_whole
from gradcheck._case.domain import Array, Domain, Interval
from gradcheck._case.numbers import as_array, full_name, is_precise, number_array, numeric
from gradcheck._case.outside import why_outside
from gradcheck._case.steps import depth_of, furthest, natural_size, step_to, unit_of
from gradcheck._case.tree import (
    Layout,
    Leaf,
    copied,
    describe,
    first_change,
    leaves,
    leaves_like,
    like,
    mapped,
    rebuild,
)

_FLOAT64 = np.dtype(np.float64)
_WINDOW = 8  # rungs, without which nothing can be told
_NO_DEPTH = -1
_LARGEST_EXPONENT = 1000.0
_PART = 2.0**-7  # of the largest movement, which another matters beside
_MOST_MOVED = 100  # which fits into every type of integers
_SHOWN_KINDS = 4
_ENDLESS = (math.inf, math.inf)


class Course(NamedTuple):
    """The steps that a direction allows.

    Parameters
    ----------
    reach : tuple of float
        Largest t backward and forward that stay in every domain.
    unit : float
        The t at which x has moved by about its own size, or comes near the end of its reach.
    argument_noise : float
        By how much t is uncertain because x is rounded.
    depth : int
        The finest rung of a ladder that x's precision resolves; negative if it resolves too few.
    """

    reach: tuple[float, float]
    unit: float
    argument_noise: float
    depth: int


class Inputs:
    """Positional arguments with the differentiated leaves marked.

    Floating-point leaves of the differentiated arguments vary.  Integer and boolean leaves are
    labels or indices and stay, unless there is no floating leaf at all: then they are meant as
    numbers and become float64.

    Parameters
    ----------
    args : tuple
        The caller's arguments; they are copied once and never handed out.
    argnums : tuple of int
        The differentiated ones.
    domains : Mapping of int to Domain
        Where arguments live, by position.

    Raises
    ------
    TypeError
        If a leaf to vary isn't made of real or complex numbers.
    ValueError
        If it holds NaN or inf.
    """

    def __init__(
        self, args: tuple[Any, ...], argnums: tuple[int, ...], domains: Mapping[int, Domain]
    ) -> None:
        self._args = tuple(
            copied(_in_floats(k, a) if k in argnums else a) for k, a in enumerate(args)
        )
        self.argnums = argnums
        # the differentiated arguments, for their structure
        self.pattern = tuple(self._args[k] for k in argnums)
        found = [(k, leaf) for k in argnums for leaf in leaves(self._args[k])]
        floating = any(is_floating(leaf.value) for _, leaf in found)
        self._varies = is_floating if floating else is_whole
        self._vary = [self._varies(leaf.value) for _, leaf in found]
        chosen = list(compress(found, self._vary))
        named = [(k, leaf.path, number_array(leaf.value, _label(k, leaf))) for k, leaf in chosen]
        self.layout = Layout.of(named)
        self.point = [a for _, _, a in named]
        self._domains = [domains.get(k) for k, _ in chosen]
        self._free = all(domain is None for domain in self._domains)
        self._bare = [
            k in argnums and isinstance(a, np.ndarray) and self._varies(a)
            for k, a in enumerate(self._args)
        ]
        self._sizes: Array | None = None
        self._depths: list[int] | None = None
        self.all_vary = all(self._vary)
        # whether x is in float64 throughout, so that it can move on into finer and complex numbers
        self.extensible = all(slot.dtype == _FLOAT64 for slot in self.layout.slots)
        # whether the arguments are the arrays that vary, and nothing else
        self._plain = argnums == tuple(range(len(args))) and all(self._bare)
        # the leaves as they are given to f, to compare with
        self._intact = [leaves(a) for a in self._with(self.point)]

    def must_lie_in_domains(self) -> None:
        """Raise a ValueError if a leaf lies outside its domain."""
        for slot, a, domain in zip(self.layout.slots, self.point, self._domains, strict=True):
            if domain is not None and not domain.contains(a):
                why = why_outside(a, domain)
                raise ValueError(
                    f"argument {slot.argument}{slot.path} does not lie in its domain {domain}"
                    + (why and f": {why}")
                )

    def widened(self) -> Inputs:
        """Return the same point with every varying leaf in float64 (complex128)."""
        domains = {
            slot.argument: domain
            for slot, domain in zip(self.layout.slots, self._domains, strict=True)
            if domain is not None
        }
        new = iter(a.astype(np.result_type(a.dtype, np.float64)) for a in self.point)
        args = list(self._args)
        for k in self.argnums:
            args[k] = self._filled(args[k], new, copied)
        return Inputs(tuple(args), self.argnums, domains)

    @property
    def foreign_kind(self) -> str:
        """Name the kind of array of another library that x was given as; empty if none."""
        given = (leaf.value for k in self.argnums for leaf in leaves(self._args[k]))
        converted = (a for a in given if self._varies(a))
        own = (np.ndarray, np.generic, int, float, complex)
        return next((full_name(a) for a in converted if not isinstance(a, own)), "")

    def must_hold_numbers(self) -> None:
        """Raise an error that says what x is, if nothing in it could vary; an array without entries could."""
        if any(self._vary):
            return
        kinds = []
        for label, value in self.held(self.pattern):
            what, advice = in_words(value)
            kinds.append(f"{label} is {what}" + ("" if is_constant(value) else f": {advice}"))
        held = "; ".join(kinds[:_SHOWN_KINDS])
        if not kinds:
            raise ValueError(
                f"x holds no numbers to differentiate in: it is {describe(self.pattern[0])}"
            )
        raise TypeError(f"x holds no numbers to differentiate in: {held}")

    def original(self) -> tuple[Any, ...]:
        """Return fresh copies of all arguments."""
        return self._with([a.copy(order="K") for a in self.point])

    def mover(self, direction: Array) -> Callable[[float], tuple[Any, ...]]:
        """Return t ↦ the arguments at x + t·d, with fresh arrays for the leaves that vary."""
        moves = list(zip(self.point, self.layout.split(direction), strict=True))
        if self._plain and len(moves) == 1:
            ((x, d),) = moves
            return lambda t: (step_to(x, d, t),)
        return lambda t: self._with([step_to(x, d, t) for x, d in moves])

    def extended(self, direction: Array, t: Any) -> tuple[Any, ...]:
        """Return the arguments at x + t·d for a complex or an mpmath number t."""
        moves = zip(self.point, self.layout.split(direction), strict=True)
        if isinstance(t, complex):
            return self._with([_complex_step(x, d, t) for x, d in moves])
        exact = type(t)  # mpf: floats become it without rounding
        lift = np.frompyfunc(lambda a, b: exact(a) + t * exact(b), 2, 1)
        return self._with([np.asarray(lift(x, d), dtype=object) for x, d in moves])

    def _with(self, arrays: list[Array]) -> tuple[Any, ...]:
        if self._plain:  # no tree to walk
            return tuple(arrays)
        new, args = iter(arrays), list(self._args)
        for k in self.argnums:  # in the order that they were given in
            args[k] = next(new) if self._bare[k] else self._filled(args[k], new, copied)
        return tuple(args)

    def _filled(self, tree: Any, new: Iterator[Array], constant: Callable[[Any], Any]) -> Any:
        """Put arrays in the place of the leaves that vary, and `constant(leaf)` in that of the others."""

        def fill(value: Any) -> Any:
            return like(next(new), value) if self._varies(value) else constant(value)

        return mapped(fill, tree)

    def varying(self, trees: Any) -> list[Any] | None:
        """Pick, from values of the structure of `pattern`, the leaves that stand where x varies.

        None if they have another structure.
        """
        given = leaves_like(self.pattern, trees)
        return None if given is None else list(compress(given, self._vary))

    def held(self, trees: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
        """Yield the labels of the leaves that don't vary, with the values that stand there in `trees`.

        These have the structure of `pattern`.
        """
        places = ((k, leaf) for k in self.argnums for leaf in leaves(self._args[k]))
        given = leaves_like(self.pattern, trees) or ()
        for (k, leaf), value, varies in zip(places, given, self._vary, strict=True):
            if not varies:
                yield _label(k, leaf), value

    def shaped(self, flat: Array) -> tuple[Any, ...]:
        """Give a flat vector the structure of `pattern`, with zeros where x doesn't vary."""
        new = iter(self.layout.split(flat))
        return tuple(self._filled(tree, new, np.zeros_like) for tree in self.pattern)

    def along_held(self, moved: Sequence[int]) -> tuple[Any, ...]:
        """Return a direction that moves integers that don't vary, the `moved` of all leaves that don't.

        It has the structure of `pattern`; its numbers differ from place to place, so that they don't cancel.
        """
        places, new = count(), iter(self.layout.split(np.zeros(self.layout.size)))

        def fill(value: Any) -> Any:
            place = next(places)
            if not (is_whole(value) and place in moved):
                return np.zeros_like(value)
            return np.full_like(value, 1 + place % _MOST_MOVED)

        return tuple(self._filled(tree, new, fill) for tree in self.pattern)

    def guarded(self) -> tuple[Any, ...]:
        """Return copies of everything, constants too: for calls after which mutation is looked for."""
        args = self.original()
        return tuple(a if k in self.argnums else copied(a) for k, a in enumerate(args))

    def mutated(self, args: tuple[Any, ...]) -> str:
        """Name the first leaf of `args` that no longer is what was given; empty if none."""
        for k, (a, intact) in enumerate(zip(args, self._intact, strict=True)):
            leaf = first_change(intact, leaves(a))
            if leaf is not None:
                return _label(k, leaf)
        return ""

    def tangent(self, direction: Array) -> Array:
        """Project a flat direction into the domains, leaf by leaf."""
        if self._free:
            return direction
        parts = [
            d if domain is None else domain.tangent(x, d)
            for x, d, domain in zip(
                self.point, self.layout.split(direction), self._domains, strict=True
            )
        ]
        return self.layout.flatten(parts)

    @property
    def can_move(self) -> bool:
        """Whether there is a direction that stays in the domains: there is none in a simplex of one number."""
        if self._free:
            return self.layout.size > 0
        return bool(np.any(self.uneven))

    @property
    def uneven(self) -> Array:
        """A direction that moves all entries by about their sizes, and that no projection removes."""
        return self.tangent(self.sizes * np.linspace(1, 2, self.layout.size))

    def reach(self, direction: Array) -> tuple[float, float]:
        """Largest steps backward and forward along a flat direction that stay in every domain."""
        if self._free:
            return _ENDLESS
        backward = forward = math.inf
        parts = self.layout.split(direction)
        for x, d, domain in zip(self.point, parts, self._domains, strict=True):
            if domain is not None:
                b, f = domain.reach(x, d)
                backward, forward = min(backward, b), min(forward, f)
        return backward, forward

    def reach_alone(self) -> Array:
        """Return how often each number may move by its size either way; NaN where a domain moves others along."""
        reach = np.full(self.layout.size, math.inf)
        if self._free:
            return reach
        for slot, x, domain in zip(self.layout.slots, self.point, self._domains, strict=True):
            part = slice(slot.start, slot.stop)
            if isinstance(domain, Interval):
                reach[part] = domain.reach_alone(x.ravel(), self.sizes[part])
            elif domain is not None:
                reach[part] = math.nan
        return reach

    @property
    def sizes(self) -> Array:
        """How far each number may move: the natural size of its entry, a power of two, as a flat vector."""
        if self._sizes is None:
            pairs = zip(self.layout.slots, map(natural_size, self.point), strict=True)
            flat = [
                np.repeat(s, slot.parts) if slot.parts > 1 else s.reshape(-1) for slot, s in pairs
            ]
            self._sizes = flat[0] if len(flat) == 1 else np.concatenate([np.zeros(0), *flat])
        return self._sizes

    def course(self, direction: Array) -> Course:
        """Say how far, and in how fine steps, x can go along a flat direction."""
        reach = self.reach(direction)
        far = furthest(self.sizes, direction)
        unit = unit_of(far, _ENDLESS)
        if self._depths is None:
            self._depths = [depth_of(x) for x in self.point]
        depths = self._depths
        if len(depths) > 1:
            slots = self.layout.slots
            moves = (direction[s.start : s.stop].any() for s in slots)
            depths = [k for k, moved in zip(depths, moves, strict=True) if moved]
        if reach == _ENDLESS:
            return Course(reach, unit, self.layout.eps * unit, min(depths))
        # where an end is near, so are steps that entries far from zero don't follow any more
        near, coarsest = unit_of(far, reach), self._coarsest(direction)
        lost = max(0, math.ceil(coarsest - math.log2(near)))
        depth = min(depths) - lost
        noise = self.layout.eps * max(unit, 2.0 ** min(coarsest, _LARGEST_EXPONENT))
        return Course(reach, near, noise, depth if depth >= _WINDOW or not lost else _NO_DEPTH)

    def _coarsest(self, direction: Array) -> float:
        """Return log₂ of the t at which the last of the entries that move most has moved by its size."""
        moves = np.abs(direction)
        most = moves >= _PART * np.max(moves)
        moves = moves[most]
        steps = np.log2(self.sizes[most])
        steps -= np.log2(moves, out=moves)
        return float(np.max(steps))


def _complex_step(x: Array, d: Array, t: complex) -> Array:
    moved = np.asarray(t * d)
    moved += x
    return moved


def _in_floats(k: int, tree: Any) -> Any:
    """Round the numbers of mpmath and SymPy in an argument to float64."""
    return rebuild(
        tree, (_in_float(as_array(p.value, _label(k, p)), p.value) for p in leaves(tree))
    )


def _in_float(a: Array, value: Any) -> Any:
    if a.dtype.kind == "O" and a.size and all(map(is_precise, a.flat)):
        return numeric(a) if a.ndim else float(a.item())
    return value


def _label(k: int, leaf: Leaf) -> str:
    return f"argument {k}{leaf.path}"
