"""Wrong derivatives on purpose: every case, mutated in every way that applies, must be reported wrong.

The kill rate is printed (`pytest tests/test_mutants.py -rP`) and must be 100 %.  A mutation that
leaves a claim as it was (a transposed symmetric matrix, say) is no mutant and is not counted; that
each kind applies somewhere is a test of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import reference
from gradcheck import Case, Outcome, check_case
from gradcheck._case.tree import leaves, rebuild

SEED = 5
SIZES = (4, 6, 5, 3, 5, 4)  # none equal to its neighbour, so that swapped axes show


def scaled(factor: float) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    return lambda arrays: [a * factor for a in arrays]


def one_entry(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Make the entry of median size ten per cent too large."""
    out = [np.array(a, dtype=float) for a in arrays]
    k = max(range(len(out)), key=lambda i: out[i].size)
    flat = out[k].reshape(-1)
    order = np.argsort(np.abs(flat))
    order = order[flat[order] != 0]
    if order.size:
        flat[order[order.size // 2]] *= 1.1
    return out


def rolled(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [np.roll(a, 1) for a in arrays]


def transposed(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Swap the axes of matrices but keep the shape, as reading a buffer in the wrong order does."""
    return [a.T.reshape(a.shape) if np.ndim(a) == 2 else a for a in arrays]


OUTPUT_MUTATIONS = {
    "sign": scaled(-1.0),
    "zero": scaled(0.0),
    "doubled": scaled(2.0),
    "off by 1e-6": scaled(1.0 + 1e-6),
    "one entry": one_entry,
    "rolled": rolled,
    "transposed": transposed,
}


@dataclass(frozen=True)
class Mutated:
    """A claim whose answer is changed."""

    claim: Callable[..., Any]
    change: Callable[[list[np.ndarray]], list[np.ndarray]]

    def __call__(self, *args: Any) -> Any:
        out = self.claim(*args)
        changed = self.change([np.asarray(leaf.value) for leaf in leaves(out)])
        return rebuild(out, iter(changed))


@dataclass(frozen=True)
class UpstreamIgnored:
    """A vjp (or jvp) that takes ones for its last argument, whatever it is given."""

    claim: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        *x, v = args
        ones = rebuild(v, (np.ones_like(leaf.value) for leaf in leaves(v)))
        return self.claim(*x, ones)


@dataclass(frozen=True)
class DiagonalOnly:
    """A vjp or Jacobian that forgets how outputs depend on the other entries of the input."""

    claim: Callable[..., Any]
    kind: str

    def __call__(self, *args: Any) -> Any:
        if self.kind == "jac":
            full = self.claim(*args)
            m = math.isqrt(full.size)
            return (full.reshape(m, m) * np.eye(m)).reshape(full.shape)
        *x, v = args
        v = np.asarray(v)
        out = np.zeros_like(v)
        for k in np.ndindex(*v.shape):
            unit = np.zeros_like(v)
            unit[k] = v[k]
            out[k] = np.asarray(self.claim(*x, unit))[k]
        return out


def mutants(case: Case) -> Iterator[tuple[str, Case]]:
    """Yield (mutation, case with one mutated claim) for everything that applies to a case."""
    args = case.draw(np.random.default_rng(SEED), **sizes_of(case))
    y = np.asarray(case.f(*args))
    for kind, claim in case.claims:
        alone = replace(case, **{k: None for k, _ in case.claims if k != kind})
        for label, change in OUTPUT_MUTATIONS.items():
            yield f"{kind}: {label}", replace(alone, **{kind: Mutated(claim, change)})
        if kind in ("vjp", "jvp"):
            yield f"{kind}: upstream ignored", replace(alone, **{kind: UpstreamIgnored(claim)})
        same_shape = y.ndim and y.shape == np.shape(args[0]) and case.argnums == 0
        if kind in ("vjp", "jac", "jvp") and same_shape:
            yield f"{kind}: diagonal only", replace(alone, **{kind: DiagonalOnly(claim, kind)})
        if y.ndim == 0 and kind in ("grad", "vjp") and "N" in case.sizes:
            n = float(sizes_of(case)["N"])
            yield f"{kind}: 1/N missing", replace(alone, **{kind: Mutated(claim, scaled(n))})


def sizes_of(case: Case) -> dict[str, int]:
    return dict(zip(case.sizes, SIZES, strict=False))


def differs(case: Case, mutant: Case, sizes: dict[str, int]) -> bool:
    """Whether the mutation changes what is claimed at the point that will be checked."""
    rng = np.random.default_rng(SEED)
    args = case.draw(rng, **sizes)
    ((kind, claim),) = mutant.claims
    original = getattr(case, kind)
    extra: tuple[Any, ...] = ()
    if kind in ("vjp", "jvp"):
        pattern = case.f(*args) if kind == "vjp" else args[0]
        extra = (np.asarray(rng.standard_normal(np.shape(pattern))),)
    a = [np.asarray(leaf.value) for leaf in leaves(original(*args, *extra))]
    b = [np.asarray(leaf.value) for leaf in leaves(claim(*args, *extra))]
    return not all(p.shape == q.shape and np.array_equal(p, q) for p, q in zip(a, b, strict=True))


every_case = pytest.mark.parametrize("case", reference.CASES, ids=lambda c: c.name)


@every_case
def test_every_mutant_is_killed(case: Case, record_property: Callable[[str, object], None]) -> None:
    sizes = sizes_of(case)
    killed, survived = [], []
    for label, mutant in mutants(case):
        if not differs(case, mutant, sizes):
            continue
        (report,) = check_case(mutant, rng=SEED, sizes=sizes)
        (killed if report.outcome is Outcome.FAIL else survived).append(f"{label}: {report}")
    total = len(killed) + len(survived)
    print(f"{case.name}: {len(killed)} of {total} mutants killed")
    record_property("mutants_killed", len(killed))
    record_property("mutants", total)
    assert total >= 5, "hardly any mutation applies: the case isn't tested by them"
    assert not survived, "\n".join(survived)


@every_case
def test_mutants_are_the_only_ones_reported(case: Case) -> None:
    """The same point and directions, unmutated, pass: the kills are due to the mutations."""
    for report in check_case(case, rng=SEED, sizes=sizes_of(case)):
        assert report.outcome is Outcome.PASS, str(report)


def test_every_kind_of_mutation_applies_somewhere() -> None:
    applied = {
        label.split(": ")[1]
        for case in reference.CASES
        for label, mutant in mutants(case)
        if differs(case, mutant, sizes_of(case))
    }
    assert applied == {*OUTPUT_MUTATIONS, "upstream ignored", "diagonal only", "1/N missing"}
