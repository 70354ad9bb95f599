"""Where every random number of a report comes from: one seed, split by name.

A claim or a comparison asks for `generator("its name")`; two names never share a stream, and the
seed that the report prints reproduces all of them, whichever part is run alone.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sampled, and from which seed.

    Parameters
    ----------
    seed : int
        Where every stream starts; non-negative.
    points : int
        Number of random inputs per case; the first of several has every size 1.
    largest : int
        Bound on the product of the sizes of an input.

    Raises
    ------
    ValueError
        If the seed is negative, or a number is below one: sampling nothing shows nothing.
    """

    seed: int = 20240229
    points: int = 4
    largest: int = 300

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, got {self.seed}")
        for name in ("points", "largest"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


_CURRENT: ContextVar[Plan] = ContextVar("plan")


def current() -> Plan:
    """Return the plan in force."""
    return _CURRENT.get(Plan())


@contextmanager
def using(plan: Plan) -> Iterator[Plan]:
    """Put a plan in force for the duration of a ``with`` block.

    Examples
    --------
    >>> with using(Plan(seed=1)):
    ...     current().seed
    1
    """
    token = _CURRENT.set(plan)
    try:
        yield plan
    finally:
        _CURRENT.reset(token)


def generator(name: str) -> np.random.Generator:
    """Return the stream of the given name under the plan in force.

    Examples
    --------
    >>> bool(generator("A4").random() == generator("A4").random())
    True
    >>> bool(generator("A4").random() == generator("A5").random())
    False
    """
    return np.random.default_rng([current().seed, zlib.crc32(name.encode())])
