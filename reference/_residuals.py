"""Losses of one number per entry: their mean, their sum, or each by itself, with the gradient.

The formulas write their result into ``out``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference._blocks import Formula, averaged, elementwise_into, reduced_entries
from reference._validate import Array, Reduction, reduction_name, sample_count


def loss_of(formula: Formula, x: Array, targets: Array, reduction: Reduction) -> Any:
    """Return the reduced losses ``formula(x, targets)``, rounded to the dtype of `x`."""
    sample_count(x.size, reduction_name(reduction))
    return reduced_entries(formula, x, targets, reduction=reduction, dtype=x.dtype)


def gradient_of(
    formula: Formula,
    x: Array,
    targets: Array,
    reduction: Reduction,
    smaller: Callable[..., tuple[Array, ...]] | None = None,
) -> Any:
    """Return the slopes ``formula(x, targets)``, divided by their number if the loss is a mean.

    What `smaller` is stands in `averaged`.
    """
    samples = sample_count(x.size, reduction_name(reduction))
    formula = averaged(formula, samples, reduction, smaller)
    return elementwise_into(formula, x, targets, dtype=x.dtype)
