"""What a row of the corpus is: a function, a derivative claimed for it, the points, and the right answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Points = Callable[[np.random.Generator], Sequence[Array]]
Truth = Literal["wrong", "right", "convention"]

TEXTBOOK = "textbook"  # a known mistake or difficulty without a bug report of its own

# What a checker may answer where the row doesn't say otherwise.
_EXPECTED = {"wrong": ("fail",), "right": ("pass",), "convention": ("pass", "inconclusive")}


@dataclass(frozen=True, slots=True)
class Claim:
    """A function, the derivative claimed for it, and where to look.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a scalar or an array.
    vjp : callable
        ``vjp(x, v)`` with v shaped like ``f(x)`` (1.0 where that is a scalar), returns an array like x.
    points : callable
        ``points(rng)`` returns the arrays x.
    """

    f: Callable[[Any], Any]
    vjp: Callable[[Any, Any], Any]
    points: Points


@dataclass(frozen=True, slots=True)
class CorpusCase:
    """One row.

    Parameters
    ----------
    build : callable
        Returns a fresh `Claim`: some claims remember their calls.  Its name is the row's name.
    truth : {"wrong", "right", "convention"}
        Whether the claimed derivative is right; ``convention`` where f has none at a point.
    source : str
        The bug report, as ``owner/repository#number``, or `TEXTBOOK`.
    about : str
        What is wrong with it, or what is difficult about it.
    mistake : str
        The kind of `gradcheck.Report.diagnosis` that names it, where it is one of those that are
        recognised; empty otherwise.
    also : tuple of str
        Further kinds that are true of it.
    expected : tuple of str
        The outcomes that are right; by default what `truth` says.
    conduct : bool
        Whether it is wrong in how it behaves: it may well return the right values.
    batch : int
        When it was written.  A batch is written before the checker is run on it and scored by
        itself, for a checker is only ever improved on the batches that are known.
    """

    build: Callable[[], Claim]
    truth: Truth
    source: str
    about: str
    mistake: str = ""
    also: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    conduct: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        if not (self.source.strip() and self.about.strip()):
            raise ValueError(f"corpus case {self.name!r} needs a source and a description")

    @property
    def name(self) -> str:
        """The row's name."""
        return self.build.__name__

    @property
    def allowed(self) -> tuple[str, ...]:
        """The outcomes that are right."""
        return self.expected or _EXPECTED[self.truth]

    @property
    def url(self) -> str:
        """Where the bug report is; empty if there is none."""
        repository, _, number = self.source.partition("#")
        return f"https://github.com/{repository}/issues/{number}" if number.isdigit() else ""


def normal(
    *shapes: int | tuple[int, ...],
    scale: float = 1.0,
    shift: float = 0.0,
    dtype: type[np.floating[Any]] = np.float64,
) -> Points:
    """Return points of normally distributed numbers, one of each shape."""

    def points(rng: np.random.Generator) -> Sequence[Array]:
        return [(shift + scale * rng.standard_normal(s)).astype(dtype) for s in shapes]

    return points


def fixed(*values: Any, dtype: type[np.floating[Any]] = np.float64) -> Points:
    """Return these points, as new arrays every time."""

    def points(_rng: np.random.Generator) -> Sequence[Array]:
        return [np.array(v, dtype=dtype) for v in values]

    return points
