"""Derivatives of layers that pick entries by number: embedding, max-pooling, convolution.

A layer that picks is linear in what it picks from, and its derivative adds up, for each entry, what
arrives at the places where it was picked: a sum of Kronecker deltas.  This is proved for every map
from places to entries, so that neither stride nor padding nor repetition needs a case of its own.
"""

from __future__ import annotations

import functools
import math

import mpmath
import numpy as np
import sympy as sp

from derivations.expressions.language import (
    D,
    K,
    N,
    delta,
    derivative,
    family,
    index,
    j,
    k,
    label_family,
    m,
    plus,
    positive,
    r,
    real,
    size,
    total,
)
from derivations.records import Derivation
from derivations.rows.row import Array, Evaluation, Formula, Numbers, Row
from derivations.steps.build import Builder

ENTRIES, WINDOWS, PIXELS, WORDS = size("F"), size("L"), size("P"), size("V")
f, w = index("f"), index("l")
TABLE, IMAGE, FILTER, BIAS, G = family("W"), family("x"), family("w"), family("b"), family("G")
CHOSEN, WINNER, PLACE = label_family("c"), label_family("p"), label_family("s")
_TERM_BY_TERM = "differentiate the sums term by term"
_DIGITS = 60

# --- the embedding -------------------------------------------------------------------------------


@functools.cache
def embedding() -> tuple[Derivation, ...]:
    """Derive dW_rk = Σ_m [c_m = r] G_mk."""
    return (
        Builder(
            "embedding_table",
            "The embedding: a row receives what all its uses receive",
            derivative(total(total(G[m, j] * TABLE[CHOSEN[m], j], j, D), m, N), TABLE[r, k]),
            ranges={r: WORDS, k: D, CHOSEN: WORDS},
            remark="c_m is the row that sample m uses; rows may be used any number of times.",
        )
        .step(
            _TERM_BY_TERM,
            total(total(G[m, j] * delta(CHOSEN[m], r) * delta(j, k), j, D), m, N),
        )
        .step("the delta selects j = k", total(delta(CHOSEN[m], r) * G[m, k], m, N))
        .done(),
    )


def _embedding_value() -> Formula:
    return Formula(TABLE[CHOSEN[m], j], {m: N, j: D})


def _embedding_gradient() -> tuple[Formula, ...]:
    return (Formula(embedding()[0].result, {r: WORDS, k: D}),)


# --- max-pooling ---------------------------------------------------------------------------------

_GAP, _SECOND = positive("g"), real("a")


@functools.cache
def max_pool2d() -> tuple[Derivation, ...]:
    """Derive dx_k = Σ_l [p_l = k] G_l, p_l the winner of window l."""
    tie = (
        "Where two entries are equally large there is no derivative: any division of 1 between "
        "them is a subgradient, and by convention the first one gets everything."
    )
    larger = sp.Max(_SECOND + _GAP, _SECOND, evaluate=False)
    return (
        Builder(
            "max_pool2d_image",
            "Max-pooling: a pixel receives what the windows receive that it wins",
            derivative(total(G[w] * IMAGE[WINNER[w]], w, WINDOWS), IMAGE[k]),
            ranges={k: PIXELS, WINNER: PIXELS},
            remark="p_l is the pixel that is strictly the largest of window l.  It stays so nearby, "
            "so that there the largest entry is x_{p_l}.",
        )
        .step(_TERM_BY_TERM, total(G[w] * delta(WINNER[w], k), w, WINDOWS))
        .done(),
        Builder(
            "max_pool2d_winner",
            "Only the winner moves the largest entry",
            derivative(larger, _GAP),
            remark="a is the second largest entry and a + g the largest.  " + tie,
        )
        .step("max(a + g, a) = a + g where g > 0", derivative(_SECOND + _GAP, _GAP))
        .step("da/dg = 0, dg/dg = 1", sp.Integer(1))
        .done(),
    )


def _pooled(x: Array) -> tuple[Array, Array]:
    """Return the first largest pixel of every window, as places in the whole array, and shape."""
    images, channels, height, width = x.shape
    windows = _windows(height, width, stride=2)
    winners = []
    for n, c in np.ndindex(images, channels):
        offset = (n * channels + c) * height * width
        for window in windows:
            pixels = [offset + y * width + z for y, z in window if y >= 0]
            winners.append(max(pixels, key=lambda p: (x.flat[p], -p)))
    rows, columns = (math.ceil(length / 2) for length in (height, width))
    return np.array(winners, dtype=np.int64), np.array((images, channels, rows, columns))


def _windows(height: int, width: int, stride: int) -> list[list[tuple[int, int]]]:
    """Return the pixels of every 3×3 window around every `stride`-th pixel; (−1, −1) is padding."""
    around = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    out = []
    for y in range(0, height, stride):
        for x in range(0, width, stride):
            pixels = [(y + a, x + b) for a, b in around]
            inside = [0 <= p < height and 0 <= q < width for p, q in pixels]
            out.append([p if i else (-1, -1) for p, i in zip(pixels, inside, strict=True)])
    return out


def _pool_value(arguments: tuple[Array, ...]) -> Numbers:
    (x,) = arguments
    winners, shape = _pooled(x)
    return _POOL.value_at((np.ravel(x), winners)).reshape(tuple(shape))


def _pool_vjp(arguments: tuple[Array, ...], v: Array) -> tuple[Numbers, ...]:
    (x,) = arguments
    winners, _ = _pooled(x)
    (gradient,) = _POOL.vjp_at((np.ravel(x), winners), np.ravel(v))
    return (gradient.reshape(x.shape),)


_POOL = Evaluation(
    ((IMAGE, (PIXELS,)), (WINNER, (WINDOWS,))),
    lambda: Formula(IMAGE[WINNER[w]], {w: WINDOWS}),
    lambda: (Formula(max_pool2d()[0].result, {k: PIXELS}),),
    G,
)


# --- convolution by im2col -----------------------------------------------------------------------

_OUTPUT = total(IMAGE[PLACE[w, f]] * FILTER[f, k], f, ENTRIES) + BIAS[k]


def _arriving(term: sp.Expr) -> sp.Expr:
    return total(total(G[w, k] * term, k, K), w, WINDOWS)


@functools.cache
def to_image() -> Derivation:
    """Derive dx_r = Σ_l Σ_f [s_lf = r] Σ_k G_lk w_fk."""
    inner = total(delta(PLACE[w, f], r) * FILTER[f, k], f, ENTRIES)
    column = total(G[w, k] * FILTER[f, k], k, K)
    return (
        Builder(
            "conv2d_image",
            "Convolution: what is passed down to a pixel (col2im)",
            derivative(_arriving(_OUTPUT), IMAGE[r]),
            ranges={r: PIXELS, PLACE: PIXELS},
            remark="s_lf is the pixel that stands at place f of window l (im2col).  Padding is one "
            "more pixel, which is 0.",
        )
        .step(_TERM_BY_TERM, _arriving(inner))
        .step(
            "exchange the sums",
            total(total(delta(PLACE[w, f], r) * column, f, ENTRIES), w, WINDOWS),
        )
        .done()
    )


@functools.cache
def to_filters() -> Derivation:
    """Derive dw_rj = Σ_l x_{s_lr} G_lj."""
    inner = total(IMAGE[PLACE[w, f]] * delta(f, r) * delta(k, j), f, ENTRIES)
    return (
        Builder(
            "conv2d_filters",
            "Convolution: what is passed down to the filters",
            derivative(_arriving(_OUTPUT), FILTER[r, j]),
            ranges={r: ENTRIES, j: K, PLACE: PIXELS},
        )
        .step(_TERM_BY_TERM, _arriving(inner))
        .step("the deltas select f = r and k = j", total(IMAGE[PLACE[w, r]] * G[w, j], w, WINDOWS))
        .done()
    )


@functools.cache
def to_biases() -> Derivation:
    """Derive db_j = Σ_l G_lj."""
    return (
        Builder(
            "conv2d_biases",
            "Convolution: what is passed down to the biases",
            derivative(_arriving(plus(_OUTPUT)), BIAS[j]),
            ranges={j: K, PLACE: PIXELS},
        )
        .step(_TERM_BY_TERM, _arriving(delta(k, j)))
        .step("the delta selects k = j", total(G[w, j], w, WINDOWS))
        .done()
    )


def conv2d() -> tuple[Derivation, ...]:
    """Return the derivations of the convolution."""
    return to_image(), to_filters(), to_biases()


def _flat(arguments: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    """Return image with a pixel of padding, places, filters and biases; and the output's shape."""
    x, filters, biases = arguments
    images, channels, height, width = x.shape
    places = []
    for n in range(images):
        for window in _windows(height, width, stride=1):
            row = []
            for c in range(channels):
                offset = (n * channels + c) * height * width
                row += [x.size if y < 0 else offset + y * width + z for y, z in window]
            places.append(row)
    flat = np.append(np.ravel(x), 0.0)
    columns = filters.reshape(len(filters), -1).T
    return (flat, np.array(places), columns, biases), (images, height, width, len(filters))


_AXES = {w: WINDOWS, k: K}
_CONVOLUTION = Evaluation(
    (
        (IMAGE, (PIXELS,)),
        (PLACE, (WINDOWS, ENTRIES)),
        (FILTER, (ENTRIES, K)),
        (BIAS, (K,)),
    ),
    lambda: Formula(_OUTPUT, _AXES),
    lambda: (
        Formula(_column_of(to_image().result), {w: WINDOWS, f: ENTRIES}),
        Formula(to_filters().result, {r: ENTRIES, j: K}),
        Formula(to_biases().result, {j: K}),
    ),
    G,
)


def _column_of(result: sp.Expr) -> sp.Expr:
    """Return what col2im adds up: the result's terms without their deltas."""
    ((chosen,), term) = _delta_and_rest(result.args[0])
    assert chosen == delta(PLACE[w, f], r)
    return term


def _delta_and_rest(product: sp.Expr) -> tuple[list[sp.Expr], sp.Expr]:
    while isinstance(product, sp.Sum):
        product = product.function
    factors = sp.Mul.make_args(product)
    chosen = [a for a in factors if isinstance(a, sp.KroneckerDelta)]
    return chosen, sp.Mul(*(a for a in factors if a not in chosen))


def _conv_value(arguments: tuple[Array, ...]) -> Numbers:
    flat, shape = _flat(arguments)
    return np.moveaxis(_CONVOLUTION.value_at(flat).reshape(shape), -1, 1)


def _conv_vjp(arguments: tuple[Array, ...], v: Array) -> tuple[Numbers, ...]:
    x, filters, _ = arguments
    flat, shape = _flat(arguments)
    columns, in_filters, in_biases = _CONVOLUTION.vjp_at(
        flat, np.moveaxis(v, 1, -1).reshape(-1, shape[3])
    )
    sums: list[list[mpmath.mpf]] = [[] for _ in range(x.size + 1)]
    for place, term in zip(flat[1].ravel(), columns.ravel(), strict=True):
        sums[int(place)].append(term)
    with mpmath.workdps(_DIGITS):
        in_image = np.array([mpmath.fsum(terms) for terms in sums[:-1]], dtype=object)
    return in_image.reshape(x.shape), in_filters.T.reshape(filters.shape), in_biases


ROWS: tuple[Row, ...] = (
    Evaluation(((TABLE, (WORDS, D)), (CHOSEN, (N,))), _embedding_value, _embedding_gradient, G).row(
        "embedding", embedding
    ),
    Row("max_pool2d", max_pool2d, _pool_value, _pool_vjp),
    Row("conv2d", conv2d, _conv_value, _conv_vjp),
)
