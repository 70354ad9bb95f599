"""f and one claimed derivative, in flat coordinates: every call counted, every contract looked after.

f and the claim get copies, which are compared with the originals after the first call.  A claim
that breaks its contract (structure, shape, dtype, NaN, mutation, an exception) raises `Violation`,
which becomes the report.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck._case import ClaimKind
from gradcheck._domain import Array
from gradcheck._estimate import spacing
from gradcheck._inputs import Inputs
from gradcheck._line import Counter, Line, project, rounding
from gradcheck._report import Outcome, Reason
from gradcheck._tree import (
    Layout,
    copied,
    describe,
    identical,
    in_order_of,
    leaves,
    like,
    rebuild,
    same_structure,
)

_FLOAT64 = np.dtype(np.float64)
_SAME_FUNCTION = 1e4  # ulps by which a coarse evaluation may differ from one in float64


class Violation(Exception):  # noqa: N818 -- a finding about the user's code, not an error of ours
    """A finding that ends a check."""

    def __init__(self, outcome: Outcome, reason: Reason, message: str) -> None:
        # a report's first line is the whole verdict: what others wrote over several lines becomes one
        message = " ".join(message.split())
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason
        self.message = message


def failure(reason: Reason, message: str) -> Violation:
    """Return the finding that a claim is wrong."""
    return Violation(Outcome.FAIL, reason, message)


def undecided(reason: Reason, message: str) -> Violation:
    """Return the finding that nothing can be told."""
    return Violation(Outcome.INCONCLUSIVE, reason, message)


@dataclass(frozen=True, slots=True)
class Oracle:
    """Where the numerical side evaluates f: as it is given, or in a finer arithmetic.

    Parameters
    ----------
    inputs : Inputs
        The point in that arithmetic.
    value : ndarray
        f there, flat.
    eps : float
        Relative spacing of f's values.
    """

    inputs: Inputs
    value: Array
    eps: float


class Problem:
    """f at x and a claim about its derivative.

    Parameters
    ----------
    f : callable
        The function.
    inputs : Inputs
        Its arguments.
    kind : str
        ``grad``, ``jac``, ``vjp`` or ``jvp``.
    claim : callable
        The claimed derivative.
    bare : bool
        Whether the claim speaks of one argument rather than of a tuple of them.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Inputs,
        kind: ClaimKind,
        claim: Callable[..., Any],
        *,
        bare: bool,
    ) -> None:
        self._f = f
        self._claim = claim
        self.inputs = inputs
        self.kind = kind
        self._bare = bare
        self.calls = Counter()
        self.claim_calls = Counter()
        self._output: Any = None
        self.outputs = Layout(())
        self.value = np.zeros(0)
        self.oracle = Oracle(inputs, self.value, spacing(_FLOAT64))
        self.noise = 0.0  # of ⟨v, f⟩, as random directions have shown it
        self._gradient: Array | None = None
        self._jacobian: Array | None = None

    # -- f ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Evaluate f at x for the first time.

        Raises
        ------
        Violation
            If f raises, mutates its arguments or returns something that isn't real numbers.
        """
        y = self._first_value()
        self._output = y
        self.outputs = Layout.of((0, leaf.path, np.asarray(leaf.value)) for leaf in leaves(y))
        self.value = self._flat_output(y)
        eps = max((spacing(slot.dtype) for slot in self.outputs.slots), default=spacing(_FLOAT64))
        self.oracle = Oracle(self.inputs, self.value, eps)

    def seek_precision(self) -> str:
        """Let the numerical side evaluate f in float64 where x is coarser and f allows it.

        Returns
        -------
        str
            A note for the report if it does, else empty.
        """
        if self.inputs.eps <= spacing(_FLOAT64):
            return ""
        wide = self.inputs.widened()
        try:
            y = self._call(wide.original())
        except Exception:  # noqa: BLE001 -- an f that takes no float64 is checked in its own precision
            return ""
        parts = [np.asarray(leaf.value) for leaf in leaves(y)]
        if [a.shape for a in parts] != [slot.shape for slot in self.outputs.slots]:
            return ""
        if any(a.dtype != _FLOAT64 for a in parts):
            return ""
        value = self._flat_output(y)
        size = float(np.max(np.abs(self.value), initial=0.0))
        if (
            not np.max(np.abs(value - self.value), initial=0.0)
            <= _SAME_FUNCTION * self.oracle.eps * size
        ):
            return ""
        native = max(self.inputs.layout.slots, key=lambda slot: spacing(slot.dtype)).dtype
        self.oracle = Oracle(wide, value, spacing(_FLOAT64))
        return f"f was evaluated in float64 for the numerical side; x is {native}"

    def _first_value(self) -> Any:
        args = self.inputs.guarded()
        try:
            y = self._call(args)
        except Exception as error:
            raise undecided(
                Reason.FUNCTION_RAISED, f"f raised {type(error).__name__} at x: {error}"
            ) from error
        changed = self.inputs.mutated(args)
        if changed:
            raise failure(Reason.MUTATION, f"f changes its {changed} in place")
        for leaf in leaves(y):
            dtype = np.asarray(leaf.value).dtype
            if dtype.kind not in "fiub":
                raise undecided(
                    Reason.DTYPE,
                    f"f returns {dtype} values{leaf.path and ' at ' + leaf.path}, "
                    "which can't be compared as real numbers",
                )
        return copied(y)  # f may reuse the buffer that it returned

    def _call(self, args: tuple[Any, ...]) -> Any:
        self.calls.calls += 1
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._f(*args)

    def _flat_output(self, y: Any) -> Array:
        return self.outputs.flatten(np.asarray(leaf.value) for leaf in leaves(y))

    def again(self) -> Array:
        """Evaluate f at x once more."""
        return self._flat_output(self._call(self.inputs.original()))

    def unit(self, direction: Array) -> float:
        """Return the t at which x + t·d is about x's own size away from x."""
        inputs = self.oracle.inputs
        return inputs.unit(direction, inputs.reach(direction))

    @property
    def scalar(self) -> bool:
        """Whether f returns one number."""
        return self.outputs.size == 1 and self.outputs.slots[0].shape == ()

    def line(self, direction: Array, cotangents: Array) -> Line:
        """Return the curve t ↦ (⟨v, f(x + t·d)⟩ for each row v of `cotangents`)."""
        rows = rounding(cotangents, self.oracle.value, self.oracle.eps)
        return self._line(direction, lambda y: project(cotangents, y), max(rows, self.noise))

    def curve(self, direction: Array) -> Line:
        """Return the curve t ↦ f(x + t·d), all outputs."""
        return self._line(direction, lambda y: y, 0.0)

    def _line(self, direction: Array, view: Callable[[Array], Array], noise: float) -> Line:
        oracle = self.oracle

        def at(t: float) -> Array:
            flat = self._flat_output(self._f(*oracle.inputs.moved(direction, t)))
            if flat.size != self.outputs.size:
                raise ValueError(f"f returns {flat.size} values here, {self.outputs.size} at x")
            return view(flat)

        reach = oracle.inputs.reach(direction)
        return Line(
            at=at,
            origin=view(oracle.value),
            unit=oracle.inputs.unit(direction, reach),
            reach=reach,
            eps=oracle.eps,
            argument_noise=oracle.inputs.eps * oracle.inputs.unit(direction, (math.inf, math.inf)),
            depth=oracle.inputs.depth(direction),
            noise=noise,
            counter=self.calls,
        )

    # -- the claim -------------------------------------------------------------------------------

    def pullback(self, cotangent: Array) -> Array:
        """Return the claimed vᵀJ as a flat vector over the varying leaves (not for a jvp)."""
        match self.kind:
            case "grad":
                if self._gradient is None:
                    self._gradient = self._flat_gradient(self._ask())
                return float(cotangent[0]) * self._gradient
            case "jac":
                return np.asarray(cotangent @ self.jacobian())
            case _:
                return self._flat_gradient(self._ask(self._shaped_output(cotangent)))

    def pushforward(self, direction: Array) -> Array:
        """Return the claimed Ju as a flat vector over the outputs (for a jvp)."""
        out = self._ask(self._shaped_input(direction))
        return self._checked(out, self._output, self.outputs, "the jvp", "f's output")

    def answer(self, probe: Array) -> list[Any]:
        """Return the claim's arrays as they come: at a cotangent, or a direction for a jvp."""
        match self.kind:
            case "vjp":
                out = self._ask(self._shaped_output(probe))
            case "jvp":
                return [leaf.value for leaf in leaves(self._ask(self._shaped_input(probe)))]
            case _:
                out = self._ask()
        return self._leaves_of(out, f"the {self.kind}")

    def _shaped_input(self, direction: Array) -> Any:
        tangent = self.inputs.shaped(direction)
        return tangent[0] if self._bare else tangent

    def jacobian(self) -> Array:
        """Return the claimed Jacobian as a dense (outputs, inputs) array."""
        if self._jacobian is None:
            if len(self.outputs.slots) != 1 or self.outputs.slots[0].path:
                raise TypeError("jac= needs an f that returns one array or scalar; use vjp=")
            claimed = self._ask()
            rows = self.outputs.size
            shape = self.outputs.slots[0].shape
            parts = []
            for slot, leaf in zip(
                self.inputs.layout.slots, self._leaves_of(claimed, "the Jacobian"), strict=True
            ):
                block = leaf.toarray() if hasattr(leaf, "toarray") else np.asarray(leaf)
                where = f"the Jacobian of argument {slot.argument}{slot.path}"
                _check_array(block, (*shape, *slot.shape), where)
                parts.append(block.reshape(rows, -1).astype(np.float64))
            self._jacobian = np.concatenate(parts, axis=1)
        return self._jacobian

    def _ask(self, *extra: Any) -> Any:
        args = self.inputs.guarded()
        given = tuple(copied(e) for e in extra)
        self.claim_calls.calls += 1
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out = self._claim(*args, *given)
        except Exception as error:
            raise failure(
                Reason.CLAIM_RAISED,
                f"the {self.kind} raised {type(error).__name__}: {error}",
            ) from error
        changed = self.inputs.mutated(args)
        if changed:
            raise failure(Reason.MUTATION, f"the {self.kind} changes its {changed} in place")
        for before, after in zip(extra, given, strict=True):
            pairs = zip(leaves(before), leaves(after), strict=True)
            if not all(identical(p.value, q.value) for p, q in pairs):
                raise failure(
                    Reason.MUTATION, f"the {self.kind} changes its last argument in place"
                )
        return out

    def _flat_gradient(self, out: Any) -> Array:
        parts = []
        for slot, leaf in zip(
            self.inputs.layout.slots, self._leaves_of(out, f"the {self.kind}"), strict=True
        ):
            a = np.asarray(leaf)
            _check_array(a, slot.shape, f"the gradient of argument {slot.argument}{slot.path}")
            parts.append(a)
        return self.inputs.layout.flatten(parts)

    def _leaves_of(self, out: Any, what: str) -> list[Any]:
        trees = (out,) if self._bare else out
        if not same_structure(self.inputs.pattern, trees):
            expected = self.inputs.pattern[0] if self._bare else self.inputs.pattern
            raise failure(
                Reason.SHAPE, f"{what} returns {describe(out)} where x is {describe(expected)}"
            )
        varying = self.inputs.varying(trees)
        if any(leaf is None for leaf in varying):
            raise failure(Reason.SHAPE, f"{what} returns nothing (None)")
        return varying

    def _checked(self, out: Any, pattern: Any, layout: Layout, what: str, where: str) -> Array:
        if not same_structure(pattern, out):
            raise failure(
                Reason.SHAPE,
                f"{what} returns {describe(out)} where {where} is {describe(pattern)}",
            )
        parts = [np.asarray(a) for a in in_order_of(pattern, out)]
        for a, slot in zip(parts, layout.slots, strict=True):
            _check_array(a, slot.shape, f"{what}{slot.path}")
        return layout.flatten(parts)

    def _shaped_output(self, cotangent: Array) -> Any:
        parts = iter(self.outputs.split(cotangent))
        return rebuild(
            self._output, (like(next(parts), leaf.value) for leaf in leaves(self._output))
        )


def _check_array(a: Array, shape: tuple[int, ...], what: str) -> None:
    if a.dtype.kind not in "fiub":
        raise failure(Reason.DTYPE, f"{what} has dtype {a.dtype}, expected real numbers")
    if a.shape != shape:
        raise failure(Reason.SHAPE, f"{what} has shape {a.shape}, expected {shape}")
    if not np.all(np.isfinite(a)):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        place = f" at {list(index)}" if index else ""
        raise failure(Reason.NONFINITE_CLAIM, f"{what} is {a[index]}{place}")
