"""A point given as JSON, and the check of a subject there instead of at random points."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck._case.case import Elementwise
from gradcheck._command.targets import CommandError, Subject
from gradcheck._verdict.check import check
from gradcheck._verdict.suite import check_claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradcheck._case.case import Case, ClaimKind
    from gradcheck._report.report import Report
    from gradcheck._verdict.check import Mode

    Claim = Callable[..., Any]

Point = tuple[Any, ...]
_EXAMPLE = "[[1.0, 2.0], 0.5] stands for an array of two numbers and a scalar"


# -- reading ------------------------------------------------------------------------------------


def read_point(given: str) -> Point:
    """Return the positional arguments that are written as a JSON list, or in the file ``@FILE``.

    Nested lists become float64 arrays and numbers floats; objects become dicts, and lists that hold
    objects stay lists.

    Raises
    ------
    CommandError
        If the file cannot be read, or the text is not a JSON list of such values.

    Examples
    --------
    >>> from gradcheck._command.points import read_point
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
        raise CommandError(
            f"--at: {where} holds {node!r:.60}; only numbers can be differentiated in"
        )
    try:
        array = np.array(node, dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"--at: {where} is not a rectangular array of numbers: {error}"
        ) from error
    if not np.all(np.isfinite(array)):
        raise CommandError(f"--at: {where} is not finite; there is no derivative to check there")
    return array if isinstance(node, list) else float(array)


def _is_numeric(node: Any) -> bool:
    if isinstance(node, list):
        return all(_is_numeric(v) for v in node)
    return isinstance(node, int | float) and not isinstance(node, bool)


# -- checking -----------------------------------------------------------------------------------


def check_at(subject: Subject, point: Point, *, mode: Mode, seed: int) -> tuple[Report, ...]:
    """Check every claim of a subject at one point.

    A case says which arguments its claims differentiate in.  A function of a module does not: there
    a claim is about the only argument, or about all if it returns one gradient for each, or about
    the first.  A ``_grad`` that has the shape of both the argument and the result is elementwise.

    Raises
    ------
    CommandError
        If the point does not fit the function.
    """
    values = _fitting(subject, point)
    if subject.case is not None:
        return check_claims(subject.case, values, mode=mode, seed=seed)
    reports = []
    for kind, claim in subject.claims:
        kind, claim = _as_vjp_if_elementwise(subject.f, kind, claim, values)
        argnums = _argnums(subject.f, kind, claim, values)
        given: dict[str, Any] = {kind: claim}  # which of the four claims it is, is data here
        report = check(
            subject.f, values, **given, argnums=argnums, mode=mode, rng=seed, name=subject.name
        )
        reports.append(report)
    return tuple(reports)


def _fitting(subject: Subject, point: Point) -> Point:
    try:
        signature = inspect.signature(subject.f)
    except ValueError:  # some built-in functions have none
        signature = None
    if signature is not None:
        try:
            signature.bind(*point)
        except TypeError as error:
            raise CommandError(
                f"--at gives {len(point)} argument{'s' * (len(point) != 1)}, "
                f"but {subject.name}{signature} does not take them ({error}); {_EXAMPLE}"
            ) from error
    return point if subject.case is None else _in_domain(subject.case, point)


def _in_domain(case: Case, point: Point) -> Point:
    if len(point) != len(case.arguments):
        names = ", ".join(a.name for a in case.arguments)
        raise CommandError(f"--at gives {len(point)} arguments, {case.name!r} takes: {names}")
    values = []
    for argument, given in zip(case.arguments, point, strict=True):
        value = np.asarray(given)
        if not argument.domain.differentiable and np.all(value == np.round(value)):
            value = value.astype(np.int64)  # JSON's 2 was read as 2.0; labels are whole numbers
        if not argument.domain.contains(value):
            raise CommandError(
                f"--at: {argument.name} = {given} is outside of its domain {argument.domain}"
            )
        values.append(value)
    return tuple(values)


def _as_vjp_if_elementwise(
    f: Claim, kind: ClaimKind, claim: Claim, values: Point
) -> tuple[ClaimKind, Claim]:
    if kind != "grad" or len(values) != 1 or np.ndim(values[0]) == 0:
        return kind, claim
    shape = np.shape(values[0])
    try:
        elementwise = np.shape(f(*values)) == shape and np.shape(claim(*values)) == shape
    except Exception:  # noqa: BLE001 -- whatever is wrong with f, the check will report it
        return kind, claim
    return ("vjp", Elementwise(claim)) if elementwise else (kind, claim)


def _argnums(f: Claim, kind: ClaimKind, claim: Claim, values: Point) -> int | tuple[int, ...]:
    everything = tuple(range(len(values)))
    if len(values) == 1:
        return 0
    if kind == "jvp":
        return everything
    try:
        cotangent = (np.ones_like(f(*values)),) if kind == "vjp" else ()
        gradient = claim(*values, *cotangent)
    except Exception:  # noqa: BLE001 -- whatever is wrong with the claim, the check will report it
        return everything
    return everything if isinstance(gradient, tuple) and len(gradient) == len(values) else 0
