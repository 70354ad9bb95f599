"""Every row, three ways on random inputs: derivation at 50 digits, closed form, finite differences.

The three share no formula.  A wrong closed form disagrees with the derivation in ulps and with the
finite differences in radii; `tests/derivations/test_confront.py` shows each of them failing.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from derivations.confrontation.confront import compare
from derivations.plan import Plan, using

SEEDS = st.integers(0, 2**32 - 1)
LARGEST = st.integers(1, 400)
every_case = pytest.mark.parametrize("name", [case.name for case in reference.CASES])


def assert_agreement(name: str, seed: int, largest: int) -> None:
    with using(Plan(seed=seed, points=2, largest=largest)):
        comparison = compare(name)
    assert not comparison.problems, comparison.problems
    assert len(comparison.points) == 2


@every_case
@settings(max_examples=4)
@given(seed=SEEDS, largest=LARGEST)
def test_derivation_closed_form_and_differences_agree(name: str, seed: int, largest: int) -> None:
    assert_agreement(name, seed, largest)


@pytest.mark.nightly
@every_case
@settings(max_examples=60)
@given(seed=SEEDS, largest=LARGEST)
def test_they_agree_on_many_inputs(name: str, seed: int, largest: int) -> None:
    assert_agreement(name, seed, largest)
