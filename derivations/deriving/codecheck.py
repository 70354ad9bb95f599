"""The printed code at random points: `gradcheck`'s verdict, and its error against many digits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import gradcheck
from derivations.text import reading

if TYPE_CHECKING:
    from derivations.deriving.numpy_code import Code
    from derivations.deriving.sampler import Place
    from derivations.text.grammar import Tree

_CLOSE = 1000.0  # roundings within which code and truth agree
_FLOOR = 1e-90  # of a rounding: the truth itself errs by about 1e-100
_DIGITS = 150  # a saturated function, such as tanh(60), needs them
_SLOPE, _CONDITION = 50, 20  # decimal digits of the steps: of a derivative, and of its effect


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """What was found out about the printed code.

    Parameters
    ----------
    points : int
        How many points of the domain were used.
    outcomes : Mapping of str to int
        The verdicts of `gradcheck.check`, one for each point.
    value_error, derivative_error : float
        The largest error, in roundings of result and arguments: 1 is what rounding the exact result
        and the arguments once would cost (or 1e-90 where that is less).  NaN if it is known
        nowhere.
    failures : tuple of str
        What is wrong, with the point.  A value is that does not agree with the exact one; a
        derivative that neither does nor passes `gradcheck`.
    reason : str
        Why nothing was decided; empty if it was.  An inconclusive verdict of `gradcheck` (the
        function is too flat there to differ by more than its rounding) counts as a doubt unless the
        code agrees with the exact derivative at that point; so does a failure if the code agrees
        with exact value and derivative, for then one of the two is wrong; and so does a point where
        these cannot be computed.
    """

    points: int
    outcomes: Mapping[str, int]
    value_error: float
    derivative_error: float
    failures: tuple[str, ...] = ()
    reason: str = ""


def check_code(
    code: Code, tree: Tree, wanted: Sequence[str], places: Sequence[Place], seed: int
) -> CodeCheck:
    """Check value and derivatives of the code at every place.

    Parameters
    ----------
    code : Code
        The printed functions; they are run as printed.
    tree : Tree
        The expression as it was given: the truth, evaluated without SymPy.
    wanted : sequence of str
        The variables that the derivatives are by, in the order of ``code.partials``.
    places : sequence of Place
        Where; boxes in the domain.
    seed : int
        Of the directions of `gradcheck`.
    """
    if not places:
        return CodeCheck(0, {}, math.nan, math.nan, (), "no point of the domain was found")
    functions = code.functions()
    outcomes: Counter[str] = Counter()
    failures, doubts, errors = [], [], []
    for number, place in enumerate(places):
        report = _checked(functions, code, wanted, place, seed + number)
        outcomes[str(report.outcome)] += 1
        value, slope = _errors(functions, code, tree, wanted, place)
        errors.append((value, slope))
        fails = report.outcome is gradcheck.Outcome.FAIL
        if math.isinf(value) or math.isinf(slope):
            failures.append(f"the code gives no finite number at {_at(place)}")
            continue
        if math.isnan(value) or math.isnan(slope):
            unknown = "the exact value or derivative cannot be computed"
            doubts.append(f"at {_at(place)}: {unknown}: gradcheck: {report.message}")
            continue
        if value > _CLOSE:
            failures.append(f"the value is {value:.2g} roundings off at {_at(place)}")
        if fails and slope > _CLOSE:
            failures.append(f"gradcheck fails the code at {_at(place)}: {report.message}")
        elif fails and value <= _CLOSE:
            contradiction = "gradcheck fails what agrees with the exact derivative"
            doubts.append(f"at {_at(place)}: {contradiction}: {report.message}")
        elif not report and slope > _CLOSE:
            doubts.append(f"at {_at(place)}: {report.message}")
    reason = f"{len(doubts)} of {len(places)} points inconclusive, {doubts[0]}" if doubts else ""
    if not outcomes["pass"] and not failures and not reason:
        reason = "gradcheck was inconclusive at every point"
    return CodeCheck(
        len(places),
        dict(outcomes),
        *_largest(errors),
        tuple(failures),
        reason,
    )


def _at(place: Place) -> str:
    return ", ".join(f"{name} = {x!r}" for name, x in place.at.items())


def _checked(
    functions: Mapping[str, Callable[..., Any]],
    code: Code,
    wanted: Sequence[str],
    place: Place,
    seed: int,
) -> gradcheck.Report:
    names = list(place.at)
    numbers = tuple(names.index(name) for name in wanted)

    def gradient(*arguments: Any) -> tuple[Any, ...]:
        return tuple(functions[name](*arguments) for name in code.partials)

    sides = {k: place.at[names[k]] for k in numbers}
    domain = {k: gradcheck.Interval(x - place.radius, x + place.radius) for k, x in sides.items()}
    with np.errstate(all="ignore"):  # what is not finite is a verdict
        return gradcheck.check(
            functions[code.value],
            tuple(np.float64(x) for x in place.at.values()),
            grad=gradient,
            argnums=numbers,
            domain=domain,
            rng=seed,
            name=code.value,
        )


def _errors(
    functions: Mapping[str, Callable[..., Any]],
    code: Code,
    tree: Tree,
    wanted: Sequence[str],
    place: Place,
) -> tuple[float, float]:
    """Return the errors of value and derivatives, in roundings of result and arguments."""
    ctx = reading.context(_DIGITS)
    at = place.values(ctx)
    arguments = [np.float64(x) for x in place.at.values()]

    def f(point: Mapping[str, Any]) -> Any:
        return reading.value(tree, point, ctx)

    with np.errstate(all="ignore"):
        value = float(functions[code.value](*arguments))
        slopes = [float(functions[name](*arguments)) for name in code.partials]
    value_error = _roundings(value, f, at, ctx)
    slope_errors = []
    for slope, name in zip(slopes, wanted, strict=True):

        def derivative(point: Mapping[str, Any], name: str = name) -> Any:
            return _slope(f, point, name, _SLOPE, ctx)

        slope_errors.append(_roundings(slope, derivative, at, ctx))
    unknown = any(map(math.isnan, slope_errors))
    return value_error, math.nan if unknown else max(slope_errors, default=0.0)


def _largest(errors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the largest errors that are known, of values and of derivatives."""
    values, slopes = ([e for e in each if not math.isnan(e)] for each in zip(*errors, strict=True))
    return max(values, default=math.nan), max(slopes, default=math.nan)


def _slope(
    f: Callable[[Mapping[str, Any]], Any], at: Mapping[str, Any], name: str, digits: int, ctx: Any
) -> Any:
    step = ctx.mpf(10) ** -digits
    up, down = (f({**at, name: at[name] + moved}) for moved in (step, -step))
    return (up - down) / (2 * step)


def _roundings(
    computed: float,
    exact: Callable[[Mapping[str, Any]], Any],
    at: Mapping[str, Any],
    ctx: Any,
) -> float:
    """Return an error in units of what rounding the exact result and the arguments costs.

    It is infinite for what is not finite, and NaN where there is no exact result to compare with.
    """
    if not math.isfinite(computed):
        return math.inf
    try:
        truth = exact(at)
        moved = sum(abs(x * _slope(exact, at, name, _CONDITION, ctx)) for name, x in at.items())
    except reading.UndefinedError:
        return math.nan
    unit = (abs(truth) + moved) * np.finfo(float).eps / 2 + _FLOOR
    return float(abs(ctx.mpf(computed) - truth) / unit)


def error_of(
    code: Code, tree: Tree, wanted: Sequence[str], places: Sequence[Place]
) -> tuple[float, float]:
    """Return the largest errors of value and derivatives over places, as in `CodeCheck`."""
    functions = code.functions()
    return _largest([_errors(functions, code, tree, wanted, place) for place in places])


def is_finite(code: Code, far: Sequence[Place]) -> bool:
    """Whether every function of the code is finite at every place."""
    functions = code.functions()
    with np.errstate(all="ignore"):
        return all(
            bool(np.isfinite(function(*map(np.float64, place.at.values()))))
            for function in functions.values()
            for place in far
        )
