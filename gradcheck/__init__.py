"""Is this derivative right?  Verdicts with evidence for hand-written gradients.

`check` compares a claimed derivative with a numerical one and reports ``pass``, ``fail`` or
``inconclusive``; `assert_gradient` is the same as an assertion for tests; `differentiate` returns a
numerical derivative with an error bar.  The names below are the whole public surface; they are
imported on first use, so that ``import gradcheck`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck._case import Argument, Case, Elementwise
    from gradcheck._check import assert_gradient, check
    from gradcheck._domain import (
        Classes,
        Domain,
        Interval,
        PositiveDefinite,
        Simplex,
        Symmetric,
    )
    from gradcheck._estimate import Estimate, differentiate
    from gradcheck._hessian import curvature, hessian_vector
    from gradcheck._jacobian import jacobian
    from gradcheck._report import GradientError, Outcome, Reason, Report
    from gradcheck._suite import check_case

_HOME = {
    "Argument": "_case",
    "Case": "_case",
    "Classes": "_domain",
    "Domain": "_domain",
    "Elementwise": "_case",
    "Estimate": "_estimate",
    "GradientError": "_report",
    "Interval": "_domain",
    "Outcome": "_report",
    "PositiveDefinite": "_domain",
    "Reason": "_report",
    "Report": "_report",
    "Simplex": "_domain",
    "Symmetric": "_domain",
    "assert_gradient": "_check",
    "check": "_check",
    "check_case": "_suite",
    "curvature": "_hessian",
    "differentiate": "_estimate",
    "hessian_vector": "_hessian",
    "jacobian": "_jacobian",
}

__all__ = [
    "Argument",
    "Case",
    "Classes",
    "Domain",
    "Elementwise",
    "Estimate",
    "GradientError",
    "Interval",
    "Outcome",
    "PositiveDefinite",
    "Reason",
    "Report",
    "Simplex",
    "Symmetric",
    "assert_gradient",
    "check",
    "check_case",
    "curvature",
    "differentiate",
    "hessian_vector",
    "jacobian",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = getattr(import_module(f"gradcheck.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
