"""Every row of the corpus."""

from __future__ import annotations

from corpus import (
    activations,
    contracts,
    functions,
    kinks,
    layers,
    linear_algebra,
    losses,
    networks,
    numerics,
    small_errors,
)

FAMILIES = (
    activations,
    contracts,
    functions,
    kinks,
    layers,
    linear_algebra,
    losses,
    networks,
    numerics,
    small_errors,
)
CASES = tuple(case for family in FAMILIES for case in family.CASES)
