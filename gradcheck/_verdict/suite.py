"""Checking a table row: draw a point from a case's domains and check each derivative that it claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck._case.case import Case
from gradcheck._report.report import Report
from gradcheck._verdict.check import Mode, Rng, check, seed_of

DEFAULT_SIZE = 5


def check_case(
    case: Case,
    *,
    rng: Rng = None,
    sizes: Mapping[str, int] | None = None,
    mode: Mode = "fast",
) -> tuple[Report, ...]:
    """Check every claim of a case at one random point of its domain.

    Parameters
    ----------
    case : Case
        The row.
    rng : int or numpy.random.Generator, optional
        Chooses the point and the directions; fresh by default.
    sizes : Mapping of str to int, optional
        Values for the case's named sizes; those that aren't given are 5.
    mode : {"fast", "full"}
        As in `check`.

    Returns
    -------
    tuple of Report
        One per claim.  Each report's seed, passed as ``rng=`` with the same sizes, reproduces it,
        point included.

    Raises
    ------
    TypeError
        If `case` or `sizes` is something else.
    ValueError
        If `sizes` names a size that the case doesn't have.

    Examples
    --------
    >>> import numpy as np
    >>> from gradcheck import Argument, Case, Elementwise, Interval, check_case
    >>> case = Case(name="sin", f=np.sin, vjp=Elementwise(np.cos),
    ...             arguments=(Argument("x", Interval(), ("n",)),), source="calculus")
    >>> [str(report.outcome) for report in check_case(case, rng=0)]
    ['pass']
    """
    _must_be_case(case)
    if sizes is not None and not isinstance(sizes, Mapping):
        raise TypeError(f'sizes must be a mapping such as {{"n": 5}}, got {sizes!r:.80}')
    unknown = set(sizes or ()) - set(case.sizes)
    if unknown:
        raise ValueError(f"case {case.name!r} has no size {sorted(unknown)}; it has {case.sizes}")
    seed = seed_of(rng)
    chosen = dict.fromkeys(case.sizes, DEFAULT_SIZE) | dict(sizes or {})
    # a seed of its own: from the directions' the signs of those would be known from x
    x = case.draw(np.random.default_rng([seed, 1]), **chosen)
    return check_claims(case, x, mode=mode, seed=seed)


def check_claims(case: Case, x: tuple[Any, ...], *, mode: Mode, seed: int) -> tuple[Report, ...]:
    """Check every claim of a case at a given point of its domain."""
    domain = {k: case.arguments[k].domain for k in case.argnum_tuple}
    reports = []
    for kind, claim in case.claims:
        given: dict[str, Any] = {kind: claim}  # which of the four claims it is, is data here
        report = check(
            case.f,
            x,
            **given,
            argnums=case.argnums,
            domain=domain,
            mode=mode,
            rng=seed,
            name=case.name,
        )
        reports.append(report)
    return tuple(reports)


def _must_be_case(case: Any) -> None:
    if isinstance(case, Case):
        return
    if isinstance(case, (tuple, list)):
        kind = f"{type(case).__name__} of {len(case)}"
        raise TypeError(f"check_case takes one gradcheck.Case, got a {kind}: call it for each")
    raise TypeError(f"check_case takes a gradcheck.Case, got {case!r:.80}")
