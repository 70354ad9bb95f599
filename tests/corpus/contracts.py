"""How a claim behaves: caches, buffers, changed arguments, shapes, layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
from corpus.records import TEXTBOOK, Claim, CorpusCase, fixed, normal


def state_cache_first_call() -> Claim:
    cache: dict[str, Any] = {}

    def f(x):
        y = np.tanh(x)
        cache.setdefault("y", np.array(y, dtype=float))
        return (y * y).sum()

    def vjp(x, v):
        y = cache.get("y")
        if y is None or y.shape != x.shape:
            y = np.tanh(x)
        return v * 2 * y * (1 - y * y)

    return Claim(f, vjp, normal(5, 5))


def state_accumulates() -> Claim:
    total: dict[tuple[int, ...], Any] = {}

    def vjp(x, v):
        total[x.shape] = total.get(x.shape, 0) + v * np.cos(x)
        return total[x.shape].copy()

    return Claim(lambda x: np.sin(x).sum(), vjp, normal(5, 5))


def state_mutates_x() -> Claim:
    def f(x):
        return (np.maximum(x, 0 * x) ** 2 + 0.3 * x).sum()

    def vjp(x, v):
        x[x < 0] = 0
        x *= 2
        return v * (x + 0.3)

    return Claim(f, vjp, normal(6, 6))


def state_shared_buffer() -> Claim:
    buffers: dict[tuple[int, ...], Any] = {}

    def vjp(x, v):
        b = buffers.setdefault(x.shape, np.empty_like(x))
        b[...] = v * np.exp(x)
        return b

    return Claim(np.exp, vjp, normal(4, 4))


def ok_size_one_shapes() -> Claim:
    def vjp(x, v):
        return np.asarray(v * np.exp(x) * (1 + x))

    return Claim(
        lambda x: np.exp(x) * x,
        vjp,
        lambda rng: [np.array([0.3]), np.array([[[-1.2]]]), np.array(0.7)],
    )


def ok_not_contiguous() -> Claim:
    w = np.random.default_rng(73).standard_normal((4, 3))

    def points(rng):
        return [rng.standard_normal((3, 4)).T, rng.standard_normal((8, 6))[::2, ::2]]

    return Claim(lambda x: (w * np.cos(x)).sum(), lambda x, v: -v * w * np.sin(x), points)


def ok_view_of_v() -> Claim:
    return Claim(lambda x: x * 1.0, lambda x, v: v, normal(4, (2, 3)))


# -- batch 2 -------------------------------------------------------------------------------------


def shape_row_for_vector() -> Claim:
    return Claim(lambda x: (x**3).sum(), lambda x, v: (v * 3 * x**2)[None, :], normal(4, 4))


def shape_summed_over_batch() -> Claim:
    def vjp(x, v):
        return (v * np.cos(x)).sum(0)

    return Claim(np.sin, vjp, normal((3, 4), (2, 4)))


def state_mutates_upstream() -> Claim:
    def vjp(x, v):
        v *= 2
        v *= x
        return v

    return Claim(lambda x: x * x, vjp, normal(5, (2, 3)))


def state_random_backward() -> Claim:
    r = np.random.default_rng(151)

    def vjp(x, v):
        return v * np.cos(x) * (1 + 1e-3 * r.standard_normal(x.shape))

    return Claim(np.sin, vjp, normal(5, 5))


def state_forward_of_last_call() -> Claim:
    last: dict[str, Any] = {}

    def f(x):
        last["x"] = np.array(x, dtype=float)
        return (x**3).sum()

    def vjp(x, v):
        seen = last.get("x", x)
        return v * 3 * (seen if np.shape(seen) == np.shape(x) else x) ** 2

    return Claim(f, vjp, normal(5, 5))


def upstream_by_sign() -> Claim:
    def vjp(x, v):
        return np.sign(v) * np.exp(x)

    return Claim(np.exp, vjp, normal(5, 5))


def ok_read_only_views() -> Claim:
    def points(rng):
        a = rng.standard_normal(6)
        a.flags.writeable = False
        return [a, np.broadcast_to(np.array([0.4, -1.0]), (3, 2))]

    return Claim(lambda x: np.sin(x) * x, lambda x, v: v * (np.sin(x) + x * np.cos(x)), points)


def ok_memoised_forward() -> Claim:
    memo: dict[bytes, Any] = {}

    def f(x):
        key = np.ascontiguousarray(x).tobytes()
        if key not in memo:
            memo[key] = np.log1p(x * x)
        return memo[key]

    return Claim(f, lambda x, v: v * 2 * x / (1 + x * x), fixed([0.3, -1.0, 4.0]))


CASES = (
    CorpusCase(
        state_cache_first_call, "wrong", TEXTBOOK,
        "the first forward pass is remembered for ever: wrong at every later point", conduct=True,
    ),
    CorpusCase(
        state_accumulates, "wrong", "pytorch/pytorch#33999",
        "the gradient's buffer is never reset: the second call returns the sum", conduct=True,
    ),
    CorpusCase(
        state_mutates_x, "wrong", "linkedin/Liger-Kernel#254",
        "the right gradient, computed inside the caller's x", conduct=True,
    ),
    CorpusCase(
        state_shared_buffer, "wrong", TEXTBOOK,
        "every call returns the same array, so that earlier results change", conduct=True,
    ),
    CorpusCase(ok_size_one_shapes, "right", TEXTBOOK, "shapes (1,), (1, 1, 1) and ()"),
    CorpusCase(ok_not_contiguous, "right", TEXTBOOK, "transposed and strided x"),
    CorpusCase(ok_view_of_v, "right", TEXTBOOK, "the identity, whose vjp returns v itself"),
    CorpusCase(
        shape_row_for_vector, "wrong", "pytorch/pytorch#65244",
        "a gradient of shape (1, n) for n entries, which broadcasting forgives", conduct=True, batch=2,
    ),
    CorpusCase(
        shape_summed_over_batch, "wrong", "apache/tvm#2465",
        "the gradient of x summed over an axis that x has", conduct=True, batch=2,
    ),
    CorpusCase(
        state_mutates_upstream, "wrong", "pytorch/pytorch#30454",
        "the right gradient, computed inside the upstream one", conduct=True, batch=2,
    ),
    CorpusCase(
        state_random_backward, "wrong", "thuml/Xlearn#12",
        "a backward pass with noise of its own, 0.1 %", conduct=True, batch=2,
    ),
    CorpusCase(
        state_forward_of_last_call, "wrong", TEXTBOOK,
        "backward at the point of the last forward pass, wherever that was", conduct=True, batch=2,
    ),
    CorpusCase(
        upstream_by_sign, "wrong", "pytorch/pytorch#2710",
        "the upstream gradient's sign for its value: right for ±1", mistake="upstream", conduct=True, batch=2,
    ),
    CorpusCase(
        ok_read_only_views, "right", TEXTBOOK, "read-only x, one of them broadcast", batch=2
    ),
    CorpusCase(
        ok_memoised_forward, "right", TEXTBOOK,
        "f hands out its remembered results, the same arrays again", batch=2,
    ),
)  # fmt: skip
