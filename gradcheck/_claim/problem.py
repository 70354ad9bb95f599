"""f and one claimed derivative, in flat coordinates: every call counted, every contract looked after.

f and the claim get copies, which are compared with the originals after the first call.  A claim
that breaks its contract (structure, shape, dtype, NaN, mutation, an exception) raises `Violation`,
which becomes the report.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from gradcheck._case.call import misfit
from gradcheck._case.case import ClaimKind, SecondKind
from gradcheck._case.domain import Array
from gradcheck._case.inputs import Inputs
from gradcheck._case.numbers import NotANumberError, is_sparse, numeric
from gradcheck._case.tree import (
    Layout,
    Slot,
    copied,
    describe,
    first_change,
    leaves,
    leaves_like,
    like,
    mapped,
)
from gradcheck._claim.blame import place_of
from gradcheck._claim.finding import failure, undecided
from gradcheck._claim.overlooked import claimed_along_integers, notes_on
from gradcheck._claim.parts import array_of, check_array, misshapen
from gradcheck._estimate.batch import NotBatchedError
from gradcheck._estimate.forward import Forward
from gradcheck._estimate.line import Counter, Line, project, rounding
from gradcheck._report.report import Reason, WrongEntry

_ASIDE = 2.0**-10  # of x's size


class Problem(Forward):
    """f at x and a claim about its derivative.

    Parameters
    ----------
    f : callable
        The function.
    inputs : Inputs
        Its arguments.
    kind : str
        ``grad``, ``jac``, ``vjp`` or ``jvp``; ``hess`` or ``hvp``.
    claim : callable
        The claimed derivative.
    bare : bool
        Whether the claim speaks of one argument rather than of a tuple of them.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Inputs,
        kind: ClaimKind | SecondKind,
        claim: Callable[..., Any],
        *,
        bare: bool,
    ) -> None:
        super().__init__(f, inputs)
        self._claim = claim
        self.kind = kind
        self._bare = bare
        self.claim_calls = Counter()
        self.noise = 0.0  # of ⟨v, f⟩, as random directions have shown it
        # notes on what doesn't vary, once the claim has answered
        self.overlooked: tuple[str, ...] | None = None
        # how far each of several outputs has moved along any line; None once nobody asks
        self.moved: Array | None = np.zeros(0)
        self._gradient: Array | None = None
        self._jacobian: list[Any] | None = None

    # -- f ---------------------------------------------------------------------------------------

    def begin(self) -> tuple[Any, ...]:
        """Evaluate f at x for the first time; return the arguments that it was given.

        Raises
        ------
        Violation
            If f raises, mutates its arguments or returns something that isn't numbers.
        """
        try:
            args = super().begin()
        except NotANumberError as error:
            raise undecided(Reason.DTYPE, str(error)) from error
        except NotBatchedError:
            raise  # the call makes no sense; f raised nothing
        except Exception as error:
            self._must_take_x(error)
            kind = self.inputs.foreign_kind
            hint = (
                f" (x is a {kind}, but f is handed NumPy arrays: convert inside f)" if kind else ""
            )
            raise undecided(
                Reason.FUNCTION_RAISED,
                f"f raised {type(error).__name__} at x: {error}{place_of(error)}{hint}",
            ) from error
        changed = self.inputs.mutated(args)
        if changed:
            raise failure(Reason.MUTATION, f"f changes its {changed} in place")
        return args

    def _must_take_x(self, error: Exception) -> None:
        """Raise a TypeError if f takes another number of arguments than x has."""
        count = len(self.inputs.original())
        why = misfit(self._f, self.inputs.original()) if isinstance(error, TypeError) else ""
        if why:
            several = "; if f takes several arguments, give x as a tuple of them, (a, b)"
            one = "; if f takes them as one argument, give x as (x,)"
            raise TypeError(
                f"f is called with {_counted(count, 'argument')}, {_names(count)}, but it is {why}"
                + (several if count == 1 else one)
            ) from error

    def line(self, direction: Array, cotangents: Array) -> Line:
        """Return the curve t ↦ (⟨v, f(x + t·d)⟩ for each row v of `cotangents`)."""
        rows = rounding(cotangents, self.arithmetic.value, self.arithmetic.eps)
        if self.outputs.size == cotangents.size == 1 and cotangents[0, 0] == 1:
            return self._line(direction, lambda y: y, rows, self.noise)

        def view(y: Array) -> Array:
            if self.moved is not None and y.dtype == np.float64:
                self.moved = self._furthest(self.moved, y)
            return project(cotangents, y)

        return self._line(direction, view, rows, self.noise)

    def _furthest(self, before: Array, y: Array) -> Array:
        moved: Array = y - self.arithmetic.value
        np.abs(moved, out=moved)
        return np.fmax(before, moved, out=moved) if before.size else moved

    # -- the claim -------------------------------------------------------------------------------

    def pullback(self, cotangent: Array) -> Array:
        """Return the claimed vᵀJ as a flat vector over the varying leaves (not for a jvp)."""
        match self.kind:
            case "grad":
                if self._gradient is None:
                    self._gradient = self._flat_gradient(self._ask())
                return self._gradient if cotangent[0] == 1 else cotangent[0] * self._gradient
            case "jac":
                # the transpose first: a sparse matrix stays sparse only on the left
                return np.concatenate([np.asarray(b.T @ cotangent) for b in self._blocks()])
            case _:
                return self._flat_gradient(self._ask(self._shaped_output(cotangent)))

    def claimed_beside(self, direction: Array, t: float, cotangent: Array) -> float | None:
        """Return the claimed vᵀJd at x + t·d instead of at x; None where the claim doesn't answer there."""
        with suppress(Exception):
            match self.kind:
                case "grad" | "vjp":
                    gradient = self.pullback_beside(direction, t, cotangent)
                    return None if gradient is None else float((gradient * direction).sum())
                case "jac":
                    out = self._beside(direction, t, cotangent)
                    pullback = [np.asarray(b.T @ cotangent) for b in self._blocks_of(out)]
                    return float((np.concatenate(pullback) * direction).sum())
                case "jvp":
                    out = self._beside(direction, t, direction)
                    moved = self._checked(out, self.output, self.outputs, "the jvp", "f's output")
                    return float((moved * cotangent).sum())
        return None

    def pullback_beside(self, direction: Array, t: float, cotangent: Array) -> Array | None:
        """Return the claimed vᵀJ at x + t·d instead of at x; None where the claim doesn't answer there."""
        if self.kind not in ("grad", "vjp"):
            return None
        with suppress(Exception):
            gradient = self._flat_gradient(self._beside(direction, t, cotangent))
            return float(cotangent[0]) * gradient if self.kind == "grad" else gradient
        return None

    def _notes_on_held(self, out: Any) -> tuple[str, ...]:
        match self.kind:
            case "jvp":
                claimed: list[Any] = claimed_along_integers(self.inputs, self._moves_along)
            case "hess":
                claimed = [None for _ in self.inputs.held(self.inputs.pattern)]
            case _:
                claimed = [a for _, a in self.inputs.held((out,) if self._bare else out)]
        return notes_on(self.inputs, self.kind, claimed)

    def _moves_along(self, direction: tuple[Any, ...]) -> bool:
        """Whether a claimed jvp along what doesn't vary is anything but zero, where it answers."""
        tangent = direction[0] if self._bare else direction
        with suppress(Exception):
            self.claim_calls.calls += 1
            out = self._claim(*self.inputs.original(), tangent)
            return any(np.any(numeric(leaf.value)) for leaf in leaves(out))
        return False

    def answer_beside(self, direction: Array, t: float, probe: Array) -> list[Any] | None:
        """Return what `answer` does, at x + t·d instead of at x; None where the claim doesn't answer there."""
        with suppress(Exception):
            return self._parts(self._beside(direction, t, probe))
        return None

    def answer_elsewhere(self, probe: Array) -> None:
        """Let the claim answer at some other point, whatever it says there."""
        direction = self.inputs.uneven
        self.answer_beside(direction, min(_ASIDE, self.inputs.reach(direction)[1] / 2), probe)

    def _beside(self, direction: Array, t: float, probe: Array) -> Any:
        # what it raises there would be a finding about another point than x
        self.claim_calls.calls += 1
        return self._claim(*self.inputs.mover(direction)(t), *copied(self._last_argument(probe)))

    def _last_argument(self, probe: Array) -> tuple[Any, ...]:
        """Return what the claim takes beside x: a cotangent, a direction, or nothing."""
        match self.kind:
            case "vjp":
                return (self._shaped_output(probe),)
            case "jvp":
                return (self._shaped_input(probe),)
            case _:
                return ()

    def pushforward(self, direction: Array) -> Array:
        """Return the claimed Ju as a flat vector over the outputs (for a jvp)."""
        out = self._ask(self._shaped_input(direction))
        return self._checked(out, self.output, self.outputs, "the jvp", "f's output")

    def hessian_product(self, direction: Array) -> Array:
        """Return the claimed H·u as a flat vector over the varying leaves (of an hvp)."""
        return self._flat_gradient(self._ask(self._shaped_input(direction)))

    def answer(self, probe: Array) -> list[Any]:
        """Return the claim's arrays as they come: at a cotangent, or a direction for a jvp.

        What doesn't depend on either is known from now on.
        """
        out = self._ask(*self._last_argument(probe))
        parts = self._parts(out)
        if self.overlooked is None:
            self.overlooked = () if self.inputs.all_vary else self._notes_on_held(out)
        if self.kind == "grad" and self._gradient is None:
            self._gradient = self._flattened(parts)
        if self.kind == "jac" and self._jacobian is None:
            self._jacobian = self._blocks_of(out)
        return parts

    def _parts(self, out: Any) -> list[Any]:
        claim = f"the {self.kind}"
        jvp = self.kind == "jvp"
        given = [leaf.value for leaf in leaves(out)] if jvp else self._leaves_of(out, claim)
        return [a if is_sparse(a) else array_of(a, f"what {claim} returns") for a in given]

    def _shaped_input(self, direction: Array) -> Any:
        tangent = self.inputs.shaped(direction)
        return tangent[0] if self._bare else tangent

    def jacobian(self) -> Array:
        """Return the claimed Jacobian as a dense (outputs, inputs) array."""
        blocks = [b.toarray() if is_sparse(b) else b for b in self._blocks()]
        return np.concatenate(blocks, axis=1)

    def leaves_out(self, output: int, position: int) -> bool:
        """Whether a sparse claimed Jacobian has nothing stored for an entry."""
        for slot, block in zip(self.inputs.layout.slots, self._blocks(), strict=True):
            if slot.start <= position < slot.stop and is_sparse(block):
                stored = block.tocoo()
                here = (stored.row == output) & (stored.col == position - slot.start)
                return not np.any(here)
        return False

    def place(self, entry: WrongEntry) -> tuple[int, int]:
        """Return a located entry's flat positions in the outputs and in the inputs."""
        column = _position(self.inputs.layout, (entry.argument, entry.path), entry.index)
        column += entry.part == "imag"
        if entry.output is None:
            return 0, column
        return _position(self.outputs, (0, entry.output_path), entry.output), column

    def _blocks(self) -> list[Any]:
        """Return the claimed Jacobian as one (outputs, entries) matrix per leaf, sparse ones as they came."""
        if self._jacobian is None:
            self._jacobian = self._blocks_of(self._ask())
        return self._jacobian

    def _blocks_of(self, out: Any) -> list[Any]:
        if len(self.outputs.slots) != 1 or self.outputs.slots[0].path:
            raise TypeError(
                "jac= needs an f that returns one array or scalar, this one returns "
                f"{describe(self.output)}: let it return one array (np.array), or use vjp="
            )
        if self.outputs.is_complex or self.inputs.layout.is_complex:
            raise TypeError("jac= is for real numbers; for complex ones use vjp= or jvp=")
        claimed = self._leaves_of(out, "the Jacobian")
        pairs = zip(self.inputs.layout.slots, claimed, strict=True)
        return [self._block(slot, leaf) for slot, leaf in pairs]

    def _block(self, slot: Slot, claimed: Any) -> Any:
        where = f"the Jacobian of argument {slot.argument}{slot.path}"
        rows, shape = self.outputs.size, self.outputs.slots[0].shape
        if is_sparse(claimed):
            if claimed.shape != (rows, slot.stop - slot.start):
                expected = (rows, slot.stop - slot.start)
                raise failure(
                    Reason.SHAPE, f"{where} has shape {claimed.shape}, expected {expected}"
                )
            check_array(np.asarray(claimed.tocoo().data), None, where, "real")
            return claimed.tocsr().astype(np.float64)
        block = array_of(claimed, where)
        check_array(block, (*shape, *slot.shape), where, "real")
        return block.reshape(rows, -1).astype(np.float64)

    def _ask(self, *extra: Any) -> Any:
        args = self.inputs.guarded()
        given = tuple(copied(e) for e in extra)
        self.claim_calls.calls += 1
        try:
            out = self._claim(*args, *given)
        except Exception as error:
            why = misfit(self._claim, (*args, *given)) if isinstance(error, TypeError) else ""
            if why:
                raise TypeError(f"the {self._usage()}, but it is {why}") from error
            usage = f" (the {self._usage()})" if extra else ""
            raise failure(
                Reason.CLAIM_RAISED,
                f"the {self.kind} raised {type(error).__name__}: {error}{place_of(error)}{usage}",
            ) from error
        changed = self.inputs.mutated(args)
        if changed:
            raise failure(Reason.MUTATION, f"the {self.kind} changes its {changed} in place")
        for before, after in zip(extra, given, strict=True):
            if first_change(leaves(before), leaves(after)) is not None:
                raise failure(
                    Reason.MUTATION, f"the {self.kind} changes its last argument in place"
                )
        return out

    def _usage(self) -> str:
        last = {"vjp": ", v", "jvp": ", u", "hvp": ", u"}.get(self.kind, "")
        names = _names(len(self.inputs.original()))
        return f"{self.kind} is called as {self.kind}({names}{last})"

    def _flat_gradient(self, out: Any) -> Array:
        return self._flattened(self._leaves_of(out, f"the {self.kind}"))

    def _flattened(self, gradient: list[Any]) -> Array:
        parts = []
        for slot, leaf in zip(self.inputs.layout.slots, gradient, strict=True):
            what = f"the gradient of argument {slot.argument}{slot.path}"
            a = array_of(leaf, what)
            check_array(a, slot.shape, what, _numbers_of(slot))
            parts.append(a)
        return self.inputs.layout.flatten(parts)

    def _leaves_of(self, out: Any, what: str) -> list[Any]:
        trees = (out,) if self._bare else out
        varying = self.inputs.varying(trees)
        if varying is None:
            expected = self.inputs.pattern[0] if self._bare else self.inputs.pattern
            raise misshapen(what, out, "x", expected, self._hint(out))
        for slot, leaf in zip(self.inputs.layout.slots, varying, strict=True):
            if leaf is None:
                alone = self._bare and not slot.path
                where = "" if alone else f" for argument {slot.argument}{slot.path}"
                raise failure(Reason.SHAPE, f"{what} returns nothing (None){where}")
        return varying

    def _hint(self, out: Any) -> str:
        """Say how x is to be given for a claim that returns one thing, if x is several."""
        first = not self._bare and leaves_like(self.inputs.pattern[0], out) is not None
        if out is None or (isinstance(out, (dict, list, tuple)) and not first):
            return ""
        if not self._bare:
            return "; argnums=0 is for a claim that differentiates in the first argument alone"
        if isinstance(self.inputs.pattern[0], (list, tuple)):
            return "; give x as one array (np.array) if f takes that"
        return ""

    def _checked(self, out: Any, pattern: Any, layout: Layout, what: str, where: str) -> Array:
        given = leaves_like(pattern, out)
        if given is None:
            raise misshapen(what, out, where, pattern)
        parts = [array_of(a, what) for a in given]
        for a, slot in zip(parts, layout.slots, strict=True):
            check_array(a, slot.shape, f"{what}{slot.path}", _numbers_of(slot))
        return layout.flatten(parts)

    def _shaped_output(self, cotangent: Array) -> Any:
        parts = iter(self.outputs.split(cotangent))
        return mapped(lambda value: like(next(parts), value), self.output)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _names(count: int) -> str:
    return ", ".join(f"x{k}" for k in range(count)) if count > 1 else "x"


def _numbers_of(slot: Slot) -> str:
    return "complex" if slot.parts == 2 else "real"


def _position(layout: Layout, leaf: tuple[int, str], index: tuple[int, ...]) -> int:
    slot = next(s for s in layout.slots if (s.argument, s.path) == leaf)
    within = int(np.ravel_multi_index(index, slot.shape)) if index else 0
    return slot.start + within * slot.parts
