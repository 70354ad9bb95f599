"""Derivation, closed form and finite differences against each other on random inputs.

Three roads lead to every derivative: the symbolic derivation evaluated at 50 digits, the closed
form in NumPy, and the numerical derivative of the function.  They share no formula, so where they
agree a mistake would have to be made three times.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import mpmath
import numpy as np

import gradcheck
import reference
from derivations.comparison import Comparison, PointComparison
from derivations.plan import current, generator, using
from derivations.records import Evidence, Finding, Standing
from derivations.rows import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt

    from derivations.plan import Plan
    from derivations.records import Witness
    from derivations.rows.row import Row
    from gradcheck import Case

    Array = npt.NDArray[Any]

T = TypeVar("T")
_ROUNDINGS = 4  # of all arguments: one may change nothing by accident, where two changes cancel
_SMALLEST = mpmath.mpf(2) ** -1075  # half of the smallest positive float64


def compare(name: str) -> Comparison:
    """Return the comparison of one case under the sampling plan in force.

    Parameters
    ----------
    name : str
        A row of ``reference.CASES`` that has a derivation.

    Raises
    ------
    KeyError
        If there is no such case or no derivation for it.
    """
    return _compare(name, current())


@functools.cache
def _compare(name: str, plan: Plan) -> Comparison:
    case, row = case_named(name), row_named(name)
    with using(plan):
        rng = generator(f"confront {name}")
        points = tuple(
            _compare_at(case, row, sizes, rng) for sizes in draw_sizes(case.sizes, plan, rng)
        )
    return Comparison(name, points)


def backed(
    evidence: tuple[Evidence, ...],
    *cases: str,
    show: tuple[str, ...] = (),
    witness: Witness | None = None,
    table: tuple[tuple[str, ...], ...] = (),
) -> Finding:
    """Return a finding with the comparisons of cases that bear on it, and their derivations.

    Parameters
    ----------
    evidence : tuple of Evidence
        At least one for every part of the claim.
    *cases : str
        Rows of ``reference.CASES``.
    show : tuple of str
        Names of derivations of these cases.
    witness, table
        As in `Finding`.

    Notes
    -----
    Where derivation, code and finite differences of a case disagree, one of them is wrong, and the
    claim is left undecided.

    Raises
    ------
    KeyError
        If there is no such case, or none of the cases has a derivation of that name.
    """
    known = {d.name: d for name in cases for d in row_named(name).derive()}
    disagreements = tuple(
        Evidence(Standing.UNDECIDED, "comparison of the three ways", name, problem)
        for name in cases
        for problem in compare(name).problems
    )
    return Finding(
        evidence=(*evidence, *disagreements),
        derivations=tuple(_by_name(known, name, "the derivations of these cases") for name in show),
        confrontations=tuple(compare(name).confrontation for name in cases),
        witness=witness,
        table=table,
    )


def case_named(name: str) -> Case:
    """Return the row of ``reference.CASES``; KeyError if there is none."""
    return _by_name({c.name: c for c in reference.CASES}, name, "reference.CASES")


def row_named(name: str) -> Row:
    """Return the derivation row of a case; KeyError if there is none."""
    return _by_name({r.case: r for r in catalogue.ROWS}, name, "the catalogue of derivations")


def _by_name(table: Mapping[str, T], name: str, where: str) -> T:
    if name not in table:
        raise KeyError(f"no {name!r} in {where}; known are {', '.join(table)}")
    return table[name]


def draw_sizes(names: Iterable[str], plan: Plan, rng: np.random.Generator) -> list[dict[str, int]]:
    """Draw sizes for every point: all 1 first, then growing up to the plan's largest product.

    A single point has the largest: of sizes that are all 1, half of a formula cannot be seen.

    Parameters
    ----------
    names : iterable of str
        The named sizes of a case.
    plan : Plan
        How many points, and how large.
    rng : numpy.random.Generator
        The source of randomness.

    Returns
    -------
    list of dict
        One for each point.

    Examples
    --------
    >>> import numpy as np
    >>> from derivations.plan import Plan
    >>> draw_sizes(("n",), Plan(points=3, largest=100), np.random.default_rng(0))
    [{'n': 1}, {'n': 10}, {'n': 100}]
    """
    names = tuple(names)
    drawn = []
    for k in range(plan.points):
        # The product grows geometrically from 1 to the largest; its factors are shared out at
        # random.
        logarithm = math.log(plan.largest) * (k / (plan.points - 1) if plan.points > 1 else 1.0)
        shares = rng.dirichlet(np.full(len(names), 4.0)) if names else ()
        drawn.append(
            {
                name: max(1, math.floor(math.exp(logarithm * share) + 1e-9))
                for name, share in zip(names, shares, strict=True)
            }
        )
    return drawn


def _compare_at(
    case: Case, row: Row, sizes: dict[str, int], rng: np.random.Generator
) -> PointComparison:
    arguments = case.draw(rng, **sizes)
    value = np.asarray(case.f(*arguments))
    cotangent = np.asarray(rng.standard_normal(value.shape))
    derived = row.vjp(arguments, cotangent)
    claimed = pull_back(case, arguments, cotangent)
    value_conditioning = derivative_conditioning = 0.0
    for other in _other_roundings(case, arguments, rng):
        other_value = np.asarray(case.f(*other))
        other_claimed = pull_back(case, other, _rounded_otherwise(cotangent, rng))
        value_conditioning = max(value_conditioning, ulps(other_value, value))
        moved = max(map(ulps, other_claimed, claimed))
        derivative_conditioning = max(derivative_conditioning, moved)
    reports = gradcheck.check_case(case, rng=int(rng.integers(2**31)), sizes=sizes)
    return PointComparison(
        sizes=sizes,
        value_ulps=ulps(value, row.value(arguments)),
        derivative_ulps=max(map(ulps, claimed, derived)),
        value_conditioning=value_conditioning,
        derivative_conditioning=derivative_conditioning,
        entry_error=max(map(entry_error, claimed, derived)),
        radii=_radii(case, arguments, cotangent, derived, rng),
        outcomes=dict(Counter(str(r.outcome) for r in reports)),
    )


def _other_roundings(
    case: Case, arguments: tuple[Array, ...], rng: np.random.Generator
) -> Iterator[tuple[Array, ...]]:
    """Yield the arguments with each one rounded otherwise alone, and then with all of them."""
    rounded = [k for k, x in enumerate(arguments) if k in case.argnum_tuple or _is_rounded(x)]
    for moved in (*([k] for k in rounded), *[rounded] * _ROUNDINGS):
        other = list(arguments)
        for k in moved:
            move = _rounded_otherwise if k in case.argnum_tuple else _rounded_down
            other[k] = move(arguments[k], rng)
        yield tuple(other)


def _is_rounded(x: Array) -> bool:
    """Whether data may stand for other numbers than these: whole ones are labels."""
    return np.asarray(x).dtype.kind == "f" and bool(np.any(x != np.round(x)))


def _rounded_otherwise(x: Array, rng: np.random.Generator) -> Array:
    """Move every entry by about one ulp, up or down at random."""
    return np.asarray(x * (1 + rng.choice([-1.0, 1.0], np.shape(x)) * np.finfo(float).eps))


def _rounded_down(x: Array, rng: np.random.Generator) -> Array:
    """Move entries of data by about one ulp towards zero, or not at all: labels stay probabilities."""
    return np.asarray(x * (1 - rng.choice([0.0, 1.0], np.shape(x)) * np.finfo(float).eps))


def pull_back(case: Case, arguments: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
    """Return the claimed derivative of ⟨cotangent, f⟩, one array per differentiated argument."""
    if case.vjp is not None:
        claimed = case.vjp(*arguments, cotangent)
    elif case.grad is not None:
        gradients = case.grad(*arguments)
        gradients = (gradients,) if isinstance(case.argnums, int) else gradients
        claimed = tuple(cotangent * g for g in gradients)
    elif case.jac is not None and isinstance(case.argnums, int):
        claimed = np.tensordot(cotangent, case.jac(*arguments), axes=cotangent.ndim)
    else:
        raise ValueError(f"case {case.name!r} claims no vjp, gradient or Jacobian to compare")
    parts = claimed if isinstance(claimed, tuple) else (claimed,)
    return tuple(np.asarray(part) for part in parts)


def ulps(computed: Array, exact: Any) -> float:
    """Return the largest error in ulps of the largest exact entry.

    Parameters
    ----------
    computed : ndarray of float64
        From NumPy.
    exact : array_like of mpmath.mpf
        The same shape.

    Returns
    -------
    float
        inf if an entry is not finite or the shapes differ; 0 if everything is exactly zero.

    Examples
    --------
    >>> import mpmath, numpy as np
    >>> ulps(np.array([1.0, 2.0]), [mpmath.mpf(1), mpmath.mpf(2) + mpmath.mpf(2) ** -51])
    1.0
    """
    exact = np.asarray(exact, dtype=object)
    if computed.shape != exact.shape or not np.all(np.isfinite(computed)):
        return math.inf
    if computed.size == 0:
        return 0.0
    with mpmath.workdps(60):
        errors = [abs(mpmath.mpf(float(c)) - e) for c, e in _entries(computed, exact)]
        largest = max(abs(e) for e in exact.flat)
        return float(max(errors) / math.ulp(float(largest)))


def entry_error(computed: Array, exact: Any) -> float:
    """Return the largest relative error of a single entry that float64 can tell from zero."""
    exact = np.asarray(exact, dtype=object)
    with mpmath.workdps(60):
        errors = (
            abs((mpmath.mpf(float(c)) - e) / e)
            for c, e in _entries(computed, exact)
            if abs(e) > _SMALLEST
        )
        return float(max(errors, default=0.0))


def _entries(computed: Array, exact: Array) -> Iterable[tuple[Any, Any]]:
    return zip(np.ravel(computed), np.ravel(exact), strict=True)


def _radii(
    case: Case,
    arguments: tuple[Array, ...],
    cotangent: Array,
    derived: tuple[Any, ...],
    rng: np.random.Generator,
) -> float:
    """Differentiate ⟨cotangent, f⟩ numerically along a random direction of each argument."""
    worst = 0.0
    for k, exact in zip(case.argnum_tuple, derived, strict=True):
        x, domain = np.asarray(arguments[k]), case.arguments[k].domain
        direction = np.asarray(domain.tangent(x, rng.standard_normal(x.shape)))
        if not np.any(direction):
            continue  # a simplex of one point has no direction

        def along(moved: Array, k: int = k) -> float:
            return float(np.sum(cotangent * case.f(*arguments[:k], moved, *arguments[k + 1 :])))

        estimate = gradcheck.differentiate(along, x, direction, domain=domain)
        with mpmath.workdps(60):
            pairs = zip(np.ravel(np.asarray(exact, dtype=object)), np.ravel(direction), strict=True)
            truth = mpmath.fsum(e * mpmath.mpf(float(d)) for e, d in pairs)
            error = float(abs(mpmath.mpf(float(estimate.value)) - truth))
        radius = float(estimate.radius)
        worst = max(worst, error / radius if radius > 0 else (math.inf if error else 0.0))
    return worst
