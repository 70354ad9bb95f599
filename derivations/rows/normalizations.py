"""Derivatives of layer, root-mean-square and batch normalization, for every shape.

Layer and batch normalization differ only in what a lane is, a row or a column, and in what the
scale belongs to; `Lanes` holds that difference.  Lanes do not mix, which is where δ_mr comes from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from derivations.expressions.language import (
    D,
    N,
    delta,
    derivative,
    family,
    i,
    j,
    k,
    m,
    n,
    plus,
    positive,
    positive_family,
    r,
    times,
    total,
    v,
)
from derivations.records import Definition, Derivation
from derivations.rows.row import Evaluation, Formula, Row
from derivations.steps.build import Builder

X, GAMMA, BETA = family("x"), family("gamma"), family("beta")
MEAN, ROOT, SHARE = family("mu"), positive_family("s"), family("h")
EPSILON = positive("epsilon")
_TERM_BY_TERM = "differentiate the sums term by term"


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is normalized together.

    Parameters
    ----------
    name, title : str
        Of the layer.
    entry : callable
        ``entry(base, lane, place)``: an entry of an array with the shape of the input.
    scale : callable
        ``scale(base, lane, place)``: the entry of the scale (or shift) that belongs to it.
    lanes, length : sympy.Symbol
        How many lanes there are, and how long each is.
    mean_free : bool
        Whether the mean is taken off.
    eps : str
        The value of ε in the case, as the float that it is.
    """

    name: str
    title: str
    entry: Callable[[sp.IndexedBase, sp.Expr, sp.Expr], sp.Expr]
    scale: Callable[[sp.IndexedBase, sp.Expr, sp.Expr], sp.Expr]
    lanes: sp.Symbol
    length: sp.Symbol
    mean_free: bool
    eps: float

    def deviation(self, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
        """Return x, its mean taken off if that is done."""
        x = self.entry(X, lane, place)
        return x - MEAN[lane] if self.mean_free else x

    def share(self, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
        """Return the normalized entry."""
        return self.entry(SHARE, lane, place)

    def mean_of(self, term: sp.Expr, over: sp.Symbol) -> sp.Expr:
        """Return the mean over a lane."""
        return total(term, over, self.length) / self.length

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Mean, root and normalized entry, each by those before it."""
        place = (m, i) if self.entry(X, m, i) == X[m, i] else (i, m)
        square = "(x − μ)²" if self.mean_free else "x²"
        mean = Definition(MEAN, (m,), self.mean_of(self.entry(X, m, j), j), "μ = the mean of x")
        root = Definition(
            ROOT,
            (m,),
            sp.sqrt(self.mean_of(self.deviation(m, j) ** 2, j) + EPSILON),
            f"s = √(the mean of {square} + ε)",
        )
        share = Definition(
            SHARE,
            place,
            self.deviation(m, i) / ROOT[m],
            "h = (x − μ)/s" if self.mean_free else "h = x/s",
        )
        return (mean, root, share) if self.mean_free else (root, share)

    @property
    def ranges(self) -> dict[sp.Basic, sp.Expr]:
        """The free indices: an entry of x in lane r at place k."""
        return {r: self.lanes, k: self.length}


def _row(base: sp.IndexedBase, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
    return base[lane, place]


def _column(base: sp.IndexedBase, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
    return base[place, lane]


def _of_place(base: sp.IndexedBase, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
    del lane
    return base[place]


def _of_lane(base: sp.IndexedBase, lane: sp.Expr, place: sp.Expr) -> sp.Expr:
    del place
    return base[lane]


LAYER = Lanes("layer_norm", "Layer normalization", _row, _of_place, N, n, True, 1e-5)
RMS = Lanes("rms_norm", "RMS normalization", _row, _of_place, N, n, False, 1e-6)
BATCH = Lanes("batch_norm", "Batch normalization", _column, _of_lane, D, N, True, 1e-5)


# --- the Jacobian of a lane ----------------------------------------------------------------------


@functools.cache
def root(lanes: Lanes) -> Derivation:
    """Derive ∂s_m/∂x_rk = δ_mr h_rk/n."""
    inner = lanes.deviation(m, j)
    because = ", and ∂μ_m/∂x_rk = δ_mr/n" if lanes.mean_free else ""
    slope = delta(j, k) - 1 / lanes.length if lanes.mean_free else delta(j, k)
    return (
        Builder(
            f"{lanes.name}_root",
            f"{lanes.title}: the derivative of the root",
            derivative(ROOT[m], lanes.entry(X, r, k)),
            definitions=lanes.definitions,
            ranges={m: lanes.lanes, **lanes.ranges},
        )
        .step(
            "(√a)′ = a′/(2√a)",
            derivative(lanes.mean_of(inner**2, j), lanes.entry(X, r, k)) / (2 * ROOT[m]),
        )
        .step(
            f"power rule{because}",
            delta(m, r) * lanes.mean_of(times(inner, slope), j) / ROOT[m],
        )
        .step(
            "deviations from the mean sum to 0; definition of h"
            if lanes.mean_free
            else "the delta selects j = k; definition of h",
            _root_slope(lanes),
        )
        .done()
    )


def _root_slope(lanes: Lanes) -> sp.Expr:
    return delta(m, r) * lanes.share(r, k) / lanes.length


@functools.cache
def jacobian(lanes: Lanes) -> Derivation:
    """Derive ∂h_mi/∂x_rk = δ_mr(δ_ik − 1/n − h_ri h_rk/n)/s_r, without 1/n for RMS."""
    x, h = lanes.entry(X, r, k), lanes.share(m, i)
    own = delta(m, r) * delta(i, k)
    if lanes.mean_free:
        own = plus(own, -delta(m, r) / lanes.length)
    return (
        Builder(
            f"{lanes.name}_jacobian",
            f"{lanes.title}: the Jacobian of the normalized entries",
            derivative(h, x),
            definitions=lanes.definitions,
            ranges={m: lanes.lanes, i: lanes.length, **lanes.ranges},
        )
        .step(
            "quotient rule",
            plus(
                derivative(lanes.deviation(m, i), x) / ROOT[m],
                -h * derivative(ROOT[m], x) / ROOT[m],
            ),
        )
        .step("the derivative of the root", plus(own / ROOT[m], -h * _root_slope(lanes) / ROOT[m]))
        .step("factor", times(delta(m, r) / ROOT[r], _across(lanes)))
        .done()
    )


def _across(lanes: Lanes) -> sp.Expr:
    product = lanes.share(r, i) * lanes.share(r, k) / lanes.length
    if lanes.mean_free:
        return plus(delta(i, k), -1 / lanes.length, -product)
    return plus(delta(i, k), -product)


# --- what is passed down -------------------------------------------------------------------------


def _arriving(lanes: Lanes, term: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> sp.Expr:
    """Return Σ v·term over the whole batch."""
    inner = total(lanes.entry(v, m, i) * term(m, i), i, lanes.length)
    return total(inner, m, lanes.lanes)


def _output(lanes: Lanes) -> Callable[[sp.Expr, sp.Expr], sp.Expr]:
    def term(lane: sp.Expr, place: sp.Expr) -> sp.Expr:
        scaled = lanes.scale(GAMMA, lane, place) * lanes.share(lane, place)
        return scaled + lanes.scale(BETA, lane, place) if lanes.mean_free else scaled

    return term


@functools.cache
def to_input(lanes: Lanes) -> Derivation:
    """Derive dx = (g − mean g − h·mean(g·h))/s with g = γ·v, without the mean of g for RMS."""
    x = lanes.entry(X, r, k)

    def g(place: sp.Expr) -> sp.Expr:
        return lanes.scale(GAMMA, r, place) * lanes.entry(v, r, place)

    along = lanes.share(r, k) * lanes.mean_of(g(i) * lanes.share(r, i), i)
    terms = [g(k), -lanes.mean_of(g(i), i), -along] if lanes.mean_free else [g(k), -along]
    return (
        Builder(
            f"{lanes.name}_input",
            f"{lanes.title}: what is passed down to the input",
            derivative(_arriving(lanes, _output(lanes)), x),
            definitions=lanes.definitions,
            ranges=lanes.ranges,
            remark="Each subtraction takes out a direction in which the output does not change.",
        )
        .step(
            _TERM_BY_TERM,
            _arriving(
                lanes,
                lambda lane, place: times(
                    lanes.scale(GAMMA, lane, place), derivative(lanes.share(lane, place), x)
                ),
            ),
        )
        .step(
            "the Jacobian; the delta selects lane m = r",
            total(times(g(i), _across(lanes)), i, lanes.length) / ROOT[r],
        )
        .step("multiply out; the delta selects i = k", plus(*terms) / ROOT[r])
        .done()
    )


@functools.cache
def to_parameter(lanes: Lanes, parameter: sp.IndexedBase) -> Derivation:
    """Derive dγ = Σ v·h or dβ = Σ v, over everything that the parameter is used for."""
    entry = lanes.scale(parameter, r, k)
    of_lane = entry == parameter[r]
    lane, place = (r, i) if of_lane else (m, k)
    over, upto = (i, lanes.length) if of_lane else (m, lanes.lanes)
    factor = lanes.share(lane, place) if parameter == GAMMA else sp.Integer(1)
    name = "scale" if parameter == GAMMA else "shift"
    chosen = delta(m, r) if of_lane else delta(i, k)

    def slope(at_lane: sp.Expr, at_place: sp.Expr) -> sp.Expr:
        used = lanes.share(at_lane, at_place) if parameter == GAMMA else sp.Integer(1)
        return times(chosen, used)

    return (
        Builder(
            f"{lanes.name}_{name}",
            f"{lanes.title}: what is passed down to the {name}",
            derivative(_arriving(lanes, _output(lanes)), entry),
            definitions=lanes.definitions,
            ranges={r: lanes.lanes} if of_lane else {k: lanes.length},
        )
        .step(_TERM_BY_TERM, _arriving(lanes, slope))
        .step("the delta selects", total(lanes.entry(v, lane, place) * factor, over, upto))
        .done()
    )


# --- rows ----------------------------------------------------------------------------------------


def _derive(lanes: Lanes) -> tuple[Derivation, ...]:
    parameters = (GAMMA, BETA) if lanes.mean_free else (GAMMA,)
    passed = tuple(to_parameter(lanes, parameter) for parameter in parameters)
    return to_input(lanes), *passed, jacobian(lanes), root(lanes)


@functools.cache
def layer_norm() -> tuple[Derivation, ...]:
    """Return the derivations of layer normalization."""
    return _derive(LAYER)


@functools.cache
def rms_norm() -> tuple[Derivation, ...]:
    """Return the derivations of root-mean-square normalization."""
    return _derive(RMS)


@functools.cache
def batch_norm() -> tuple[Derivation, ...]:
    """Return the derivations of batch normalization in training."""
    return _derive(BATCH)


def _evaluation(lanes: Lanes, derive: Callable[[], tuple[Derivation, ...]]) -> Evaluation:
    epsilon = Definition(EPSILON, (), sp.Rational(lanes.eps), f"ε = {lanes.eps}")
    definitions = (epsilon, *lanes.definitions)
    row_order = lanes.entry(X, r, k) == X[r, k]

    def axes(first: sp.Symbol, second: sp.Symbol) -> dict[sp.Symbol, sp.Symbol]:
        sizes = {first: lanes.lanes, second: lanes.length}
        order = (first, second) if row_order else (second, first)
        return {symbol: sizes[symbol] for symbol in order}

    def derivatives() -> tuple[Formula, ...]:
        dx, *parameters = derive()[: 3 if lanes.mean_free else 2]
        of_parameter = {k: n} if row_order else {r: lanes.lanes}
        return (
            Formula(dx.result, axes(r, k), definitions),
            *(Formula(d.result, of_parameter, definitions) for d in parameters),
        )

    shape = (N, n) if row_order else (N, D)
    arguments = ((X, shape), (GAMMA, shape[1:]), (BETA, shape[1:]))
    return Evaluation(
        arguments if lanes.mean_free else arguments[:2],
        lambda: Formula(_output(lanes)(m, i), axes(m, i), definitions),
        derivatives,
        v,
    )


ROWS: tuple[Row, ...] = (
    _evaluation(LAYER, layer_norm).row("layer_norm", layer_norm),
    _evaluation(RMS, rms_norm).row("rms_norm", rms_norm),
    _evaluation(BATCH, batch_norm).row("batch_norm", batch_norm),
)
