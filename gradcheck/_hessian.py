"""Second derivatives of f from f alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck._curvature import second_derivative
from gradcheck._domain import Domain
from gradcheck._estimate import Estimate, assemble, at_point, direction_in
from gradcheck._ladder import Component
from gradcheck._line import quiet
from gradcheck._search import Goal

DEFAULT_RTOL = 1e-8


def curvature(
    f: Callable[[Any], Any],
    x: Any,
    direction: Any = None,
    *,
    domain: Domain | None = None,
    rtol: float = DEFAULT_RTOL,
) -> Estimate:
    """TODO."""
    forward = at_point(f, x, domain=domain)
    if not rtol > 0:
        raise ValueError(f"rtol must be positive, got {rtol!r}")
    along = direction_in(forward, direction)
    with quiet():
        forward.begin()
        forward.seek_float64()
        line = forward.curve(along)
        goal = Goal(rtol)
        found = [second_derivative(Component(line, i), goal) for i in range(line.origin.size)]
    return assemble(forward, found)
