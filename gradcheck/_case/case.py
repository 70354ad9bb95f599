"""A case: one function, the derivatives claimed for it, where its arguments live, and where the formula is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gradcheck._case.domain import Array, Domain, Sizes, must_be_domain
from gradcheck._case.options import is_whole, positions

ClaimKind = Literal["grad", "jac", "vjp", "jvp"]
CLAIM_KINDS: tuple[ClaimKind, ...] = get_args(ClaimKind)
SecondKind = Literal["hess", "hvp"]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """The vjp of a function that acts entry by entry: upstream times the derivative of each entry.

    Parameters
    ----------
    derivative : callable
        ``derivative(x)`` has the shape of ``x`` and holds f'(x) of each entry.

    Raises
    ------
    TypeError
        If it isn't callable.

    Examples
    --------
    >>> import numpy as np
    >>> vjp = Elementwise(np.cos)
    >>> vjp(np.array([0.0, np.pi]), np.array([2.0, 3.0]))
    array([ 2., -3.])
    """

    derivative: Callable[[Any], Any]

    def __post_init__(self) -> None:
        _must_be_callable(self.derivative, "Elementwise's derivative")

    def __call__(self, x: Any, v: Any) -> Any:
        """Return ``v * derivative(x)``."""
        return v * self.derivative(x)


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument of a case.

    Parameters
    ----------
    name : str
        What errors about the case call it.
    domain : Domain
        The set that its values come from.
    shape : tuple of str and int
        Sizes by name (5, unless a run gives others) or by number; ``()`` is a scalar.

    Raises
    ------
    TypeError, ValueError
        If the name is empty, or one of these is something else.
    """

    name: str
    domain: Domain
    shape: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        _must_be_text(self.name, "an argument needs a name")
        must_be_domain(self.domain, f"the domain of argument {self.name!r}")
        _must_be_sizes(self.shape, f"the shape of argument {self.name!r}")

    def resolve(self, sizes: Sizes) -> tuple[int, ...]:
        """Return the shape with every named size replaced by its value."""
        return tuple(sizes[s] if isinstance(s, str) else s for s in self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One claimed derivative, as a row of a table.

    Parameters
    ----------
    name : str
        Unique in its table.
    f : callable
        The function, called with one positional value per argument.
    arguments : tuple of Argument
        What those values are.
    source : str
        Where the formula is written down; never empty.
    grad, jac, vjp, jvp : callable, optional
        The claimed derivatives, at least one; conventions as in `gradcheck.check`.
    argnums : int or tuple of int
        The arguments that the claims differentiate in.  With an int a claim returns one gradient,
        with a tuple a tuple of them.

    Raises
    ------
    TypeError
        If one of these is of another type: a claim that isn't callable, say.
    ValueError
        If a name or the source is empty, no claim is given, or `argnums` names an argument that
        does not exist or is not differentiable.

    Examples
    --------
    >>> import numpy as np
    >>> from gradcheck import Argument, Case, Elementwise, Interval
    >>> case = Case(name="sin", f=np.sin, vjp=Elementwise(np.cos),
    ...             arguments=(Argument("x", Interval(), ("n",)),), source="calculus")
    >>> case.sizes, case.claims[0][0]
    (('n',), 'vjp')
    """

    name: str
    f: Callable[..., Any]
    arguments: tuple[Argument, ...]
    source: str
    grad: Callable[..., Any] | None = None
    jac: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    jvp: Callable[..., Any] | None = None
    argnums: int | tuple[int, ...] = 0

    def __post_init__(self) -> None:
        _must_be_text(self.name, "a case needs a name")
        of = f"case {self.name!r}"
        _must_be_text(self.source, f"{of} needs a source: where is its formula written down?")
        _must_be_callable(self.f, f"{of}: f")
        _must_be_arguments(self.arguments, of)
        if not self.claims:
            raise ValueError(f"{of} claims nothing: give grad, jac, vjp or jvp")
        for kind, claim in self.claims:
            _must_be_callable(claim, f"{of}: {kind}")
        try:
            numbers = positions(self.argnums, len(self.arguments))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{of}: {error}") from None
        for k in numbers:
            if not self.arguments[k].domain.differentiable:
                raise ValueError(f"{of}: argument {self.arguments[k].name!r} is not differentiable")

    @property
    def argnum_tuple(self) -> tuple[int, ...]:
        """The differentiated arguments, always as a tuple."""
        return positions(self.argnums, len(self.arguments))

    @property
    def claims(self) -> tuple[tuple[ClaimKind, Callable[..., Any]], ...]:
        """The claims that are given, as (kind, callable)."""
        given = ((kind, getattr(self, kind)) for kind in CLAIM_KINDS)
        return tuple((kind, claim) for kind, claim in given if claim is not None)

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes, in order of appearance."""
        return tuple(
            dict.fromkeys(s for a in self.arguments for s in a.shape if isinstance(s, str))
        )

    def draw(self, rng: np.random.Generator, **sizes: int) -> tuple[Array, ...]:
        """Draw one value for every argument.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        **sizes : int
            A value for each name in `Case.sizes`.

        Raises
        ------
        TypeError
            If `rng` isn't a generator.
        ValueError
            If a size is missing, unknown, negative or no int.
        """
        _must_be_generator(rng)
        if set(sizes) != set(self.sizes):
            raise ValueError(f"case {self.name!r} needs the sizes {self.sizes}, got {tuple(sizes)}")
        if not all(is_whole(size) and size >= 0 for size in sizes.values()):
            raise ValueError(f"the sizes of case {self.name!r} must be ints from 0 on, got {sizes}")
        return tuple(a.domain.sample(rng, a.resolve(sizes), sizes) for a in self.arguments)


def _must_be_text(text: Any, otherwise: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{otherwise} (a str, got {text!r:.80})")
    if not text.strip():
        raise ValueError(otherwise)


def _must_be_callable(function: Any, what: str) -> None:
    if not callable(function):
        raise TypeError(f"{what} must be callable, got {type(function).__name__}: {function!r:.80}")


def _must_be_arguments(arguments: Any, of: str) -> None:
    if not isinstance(arguments, (tuple, list)) or not all(
        isinstance(a, Argument) for a in arguments
    ):
        raise TypeError(
            f"{of}: arguments must be a tuple of gradcheck.Argument, got {arguments!r:.80}"
        )
    if not arguments:
        raise ValueError(f"{of}: arguments is empty; give one gradcheck.Argument for each of f's")


def _must_be_sizes(shape: Any, what: str) -> None:
    if not isinstance(shape, (tuple, list)) or not all(
        isinstance(s, str) or is_whole(s) for s in shape
    ):
        raise TypeError(
            f'{what} must be a tuple of names and ints such as ("n", 3), got {shape!r:.80}'
        )
    if any(not s.strip() if isinstance(s, str) else s < 0 for s in shape):
        raise ValueError(f"{what} must hold no empty name and nothing negative, got {shape!r:.80}")


def _must_be_generator(rng: Any) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"draw takes a numpy Generator, got {rng!r:.80}: write np.random.default_rng(0)"
        )
