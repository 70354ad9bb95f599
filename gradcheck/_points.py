"""A point given as JSON, and the check of a subject there instead of at random points."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradcheck._targets import CommandError, Subject

if TYPE_CHECKING:
    from gradcheck._case import ClaimKind
    from gradcheck._report import Report

Point = tuple[Any, ...]
_EXAMPLE = "[[1.0, 2.0], 0.5] stands for an array of two numbers and a scalar"


def read_point(given: str) -> Point:
    """Return the positional arguments that a JSON list, or ``@`` and the name of a file with one, describes.

    Nested lists become float64 arrays, numbers floats; objects become dicts, lists of objects lists.

    Raises
    ------
    CommandError
        If the file cannot be read, or the text is not a JSON list of such values.

    Examples
    --------
    >>> from gradcheck._points import read_point
    >>> read_point("[[[1, 2], [3, 4]], 0.5]")
    (array([[1., 2.],
           [3., 4.]]), 0.5)
    """
    text = given
    if given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--at {given}: cannot read the file: {error}") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--at is not JSON: {error}; {_EXAMPLE}") from error
    if not isinstance(values, list) or not values:
        raise CommandError(f"--at takes a JSON list with one entry per argument: {_EXAMPLE}")
    return tuple(_value(v, f"argument {k}") for k, v in enumerate(values))


def _value(node: Any, where: str) -> Any:
    if isinstance(node, dict):
        return {key: _value(v, f"{where}[{key!r}]") for key, v in node.items()}
    if isinstance(node, list) and any(isinstance(v, dict) for v in node):
        return [_value(v, f"{where}[{k}]") for k, v in enumerate(node)]
    if not _is_numeric(node):
        raise CommandError(f"--at: {where} holds {node!r:.60}; only numbers can be differentiated in")
    try:
        array = np.array(node, dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"--at: {where} is not a rectangular array of numbers: {error}") from error
    if not np.all(np.isfinite(array)):
        raise CommandError(f"--at: {where} is not finite; there is no derivative to check there")
    return array if isinstance(node, list) else float(array)


def _is_numeric(node: Any) -> bool:
    if isinstance(node, list):
        return all(_is_numeric(v) for v in node)
    return isinstance(node, int | float) and not isinstance(node, bool)


def check_at(
    subject: Subject, point: Point, *, mode: Literal["fast", "full"], seed: int
) -> tuple[Report, ...]:
    """Check every claim of a subject at one point.

    Raises
    ------
    CommandError
        If the point does not fit the function.
    """
    from gradcheck import check

    values = _fitting(subject, point)
    reports = []
    for kind, claim in subject.claims:
        claimed_kind, claimed = _as_claim(subject, kind, claim, values)
        argnums = _argnums(subject, claimed_kind, claimed, values)
        f, bound = _freeze(subject.f, values, argnums), _freeze(claimed, values, argnums)
        x = values[argnums] if isinstance(argnums, int) else tuple(values[k] for k in argnums)
        reports.append(
            check(f, x, **{claimed_kind: bound}, rng=seed, mode=mode, name=subject.name)
        )
    return tuple(reports)
