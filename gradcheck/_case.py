"""A case: one function, the derivatives claimed for it, where its arguments live, and where the formula is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gradcheck._domain import Array, Domain, Sizes

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

    Examples
    --------
    >>> import numpy as np
    >>> vjp = Elementwise(np.cos)
    >>> vjp(np.array([0.0, np.pi]), np.array([2.0, 3.0]))
    array([ 2., -3.])
    """

    derivative: Callable[[Any], Any]

    def __call__(self, x: Any, v: Any) -> Any:
        """Return ``v * derivative(x)``."""
        return v * self.derivative(x)


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument of a case.

    Parameters
    ----------
    name : str
        How reports call it.
    domain : Domain
        The set that its values come from.
    shape : tuple of str and int
        Sizes by name (drawn anew for each run) or by number; ``()`` is a scalar.
    """

    name: str
    domain: Domain
    shape: tuple[str | int, ...] = ()

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
        if not self.name.strip():
            raise ValueError("a case needs a name")
        if not self.source.strip():
            raise ValueError(
                f"case {self.name!r} needs a source: where is its formula written down?"
            )
        if not self.claims:
            raise ValueError(f"case {self.name!r} claims nothing: give grad, jac, vjp or jvp")
        for k in self.argnum_tuple:
            if not 0 <= k < len(self.arguments):
                raise ValueError(
                    f"case {self.name!r}: argnums names argument {k}, but there are "
                    f"{len(self.arguments)} (0 … {len(self.arguments) - 1})"
                )
            if not self.arguments[k].domain.differentiable:
                raise ValueError(
                    f"case {self.name!r}: argument {self.arguments[k].name!r} is not differentiable"
                )

    @property
    def argnum_tuple(self) -> tuple[int, ...]:
        """The differentiated arguments, always as a tuple."""
        return (self.argnums,) if isinstance(self.argnums, int) else self.argnums

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
        ValueError
            If a size is missing or unknown.
        """
        if set(sizes) != set(self.sizes):
            raise ValueError(f"case {self.name!r} needs the sizes {self.sizes}, got {tuple(sizes)}")
        return tuple(a.domain.sample(rng, a.resolve(sizes), sizes) for a in self.arguments)
