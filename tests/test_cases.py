"""Every row of `reference.CASES`: its claims pass on random inputs of many shapes and magnitudes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from gradcheck import Case, Outcome, Reason, check_case

CASES = {case.name: case for case in reference.CASES}

# n from one to hundreds; small ones more often, because they shrink well and run fast
SIZES = st.one_of(st.integers(1, 9), st.integers(1, 60), st.sampled_from([1, 128, 300]))


every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def sizes_of(case: Case, data: st.DataObject) -> dict[str, int]:
    """Draw sizes whose product stays affordable."""
    sizes: dict[str, int] = {}
    budget = 3000
    for name in case.sizes:
        sizes[name] = min(data.draw(SIZES, label=name), max(1, budget))
        budget //= sizes[name]
    return sizes


@every_case
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_claims_pass(case: Case, data: st.DataObject, seed: int) -> None:
    """Random shapes, batch sizes and magnitudes; a pass states an error that it would have seen."""
    sizes = sizes_of(case, data)
    for report in check_case(case, rng=seed, sizes=sizes):
        assert report.outcome is Outcome.PASS, str(report)
        assert report.resolution < 1e-3, str(report)


@every_case
def test_claims_pass_entry_by_entry(case: Case) -> None:
    sizes = dict(zip(case.sizes, (3, 4, 2, 3, 2, 2), strict=False))
    for report in check_case(case, rng=20, sizes=sizes, mode="full"):
        assert report.outcome is Outcome.PASS, str(report)


def stretched(case: Case, scale: float) -> Case:
    """Draw the differentiated arguments on the real line `scale` times as widely."""
    arguments = tuple(
        replace(a, domain=replace(a.domain, spread=scale * a.domain.spread))
        if k in case.argnum_tuple and np.isinf(a.domain.low) and np.isinf(a.domain.high)
        else a
        for k, a in enumerate(case.arguments)
    )
    return replace(case, arguments=arguments)


@every_case
def test_claims_pass_at_small_magnitudes(case: Case) -> None:
    for seed in range(5):
        for report in check_case(stretched(case, 1e-3), rng=seed):
            assert report.outcome is Outcome.PASS, str(report)


@every_case
def test_claims_are_not_accused_where_saturated(case: Case) -> None:
    """At ±60 the values of a sigmoid hide its derivative: saying so is right, accusing it isn't."""
    for seed in range(5):
        for report in check_case(stretched(case, 30.0), rng=seed):
            hidden = report.reason is Reason.NOISE and report.resolution > 1e-2
            assert report.outcome is Outcome.PASS or hidden, str(report)


@every_case
def test_case_pickles(case: Case) -> None:
    """Rows hold named functions only, so that they can be sent to other processes."""
    again = pickle.loads(pickle.dumps(case))
    assert [r.to_dict() for r in check_case(again, rng=3)] == [
        r.to_dict() for r in check_case(case, rng=3)
    ]


def test_names_are_unique() -> None:
    assert len(CASES) == len(reference.CASES)
