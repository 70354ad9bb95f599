"""Is this derivative right?  Verdicts with evidence for hand-written gradients.

`check` compares a claimed derivative with a numerical one and reports ``pass``, ``fail`` or
``inconclusive``; `assert_gradient` is the same as an assertion for tests; `differentiate` returns a
numerical derivative with an error bar.  The names below are the whole public surface; they are
imported on first use, so that ``import gradcheck`` costs nothing.

A check flows through the folders in this order: ``_case`` (what is given), ``_estimate`` (what the
derivative is), ``_claim`` (what is claimed), ``_diagnosis`` (what is wrong with it), ``_verdict``
(the answer), ``_report`` (how it is said); ``_command`` is the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck._case.case import Argument, Case, Elementwise
    from gradcheck._case.domain import (
        Classes,
        Domain,
        Interval,
        PositiveDefinite,
        Simplex,
        Symmetric,
    )
    from gradcheck._estimate.differentiate import Estimate, differentiate
    from gradcheck._estimate.hessian import curvature, hessian_vector
    from gradcheck._estimate.jacobian import jacobian
    from gradcheck._report.report import GradientError, Outcome, Reason, Report
    from gradcheck._verdict.check import assert_gradient, check
    from gradcheck._verdict.suite import check_case

_HOME = {
    "Argument": "_case.case",
    "Case": "_case.case",
    "Classes": "_case.domain",
    "Domain": "_case.domain",
    "Elementwise": "_case.case",
    "Estimate": "_estimate.differentiate",
    "GradientError": "_report.report",
    "Interval": "_case.domain",
    "Outcome": "_report.report",
    "PositiveDefinite": "_case.domain",
    "Reason": "_report.report",
    "Report": "_report.report",
    "Simplex": "_case.domain",
    "Symmetric": "_case.domain",
    "assert_gradient": "_verdict.check",
    "check": "_verdict.check",
    "check_case": "_verdict.suite",
    "curvature": "_estimate.hessian",
    "differentiate": "_estimate.differentiate",
    "hessian_vector": "_estimate.hessian",
    "jacobian": "_estimate.jacobian",
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
