"""The boxes that a formula is made of, before it is MathML or LaTeX."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What a piece of text in a formula is; it decides its face and spacing."""

    IDENTIFIER = "identifier"
    NUMBER = "number"
    OPERATOR = "operator"
    FUNCTION = "function"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of text: a name, a number, an operator."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Boxes side by side."""

    items: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Fraction:
    """A numerator over a denominator."""

    numerator: Box
    denominator: Box


@dataclass(frozen=True, slots=True)
class Script:
    """A base with a subscript, a superscript, or both."""

    base: Box
    lower: Box | None = None
    upper: Box | None = None


@dataclass(frozen=True, slots=True)
class BigOperator:
    """A sign such as ∑ with what stands below and above it."""

    sign: str
    lower: Box
    upper: Box


@dataclass(frozen=True, slots=True)
class Fence:
    """A box between stretching brackets; `right` may be empty."""

    left: str
    body: Box
    right: str


@dataclass(frozen=True, slots=True)
class Root:
    """A square root."""

    body: Box


@dataclass(frozen=True, slots=True)
class Cases:
    """Values with their conditions, one pair a line."""

    lines: tuple[tuple[Box, Box], ...]


Box = Atom | Row | Fraction | Script | BigOperator | Fence | Root | Cases


def mi(text: str) -> Atom:
    """Return an identifier."""
    return Atom(Kind.IDENTIFIER, text)


def mn(text: str) -> Atom:
    """Return a number."""
    return Atom(Kind.NUMBER, text)


def mo(text: str) -> Atom:
    """Return an operator."""
    return Atom(Kind.OPERATOR, text)


def words(text: str) -> Atom:
    """Return upright text."""
    return Atom(Kind.TEXT, text)


def row(*items: Box) -> Box:
    """Return boxes side by side, flattened; one alone is itself."""
    flat = tuple(b for item in items for b in (item.items if isinstance(item, Row) else (item,)))
    return flat[0] if len(flat) == 1 else Row(flat)


def fenced(body: Box) -> Fence:
    """Return a box in round brackets."""
    return Fence("(", body, ")")


def separated(boxes: list[Box], separator: Box) -> Box:
    """Return boxes with a separator between them."""
    items = [boxes[0]]
    for box in boxes[1:]:
        items += [separator, box]
    return row(*items)
