"""A report says how many points f was evaluated at, whichever way it was asked."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from gradcheck import Interval, Outcome, check
from gradcheck._case.inputs import Inputs
from gradcheck._estimate.forward import Forward

X = np.linspace(0.5, 2.0, 60)


class Spy:
    """A sum of squares that counts its points, and raises at some of them."""

    def __init__(self, *, raises_above: float = np.inf) -> None:
        self.points = 0
        self._raises_above = raises_above
        self._lock = threading.Lock()

    def __call__(self, x: Any) -> Any:
        return self._at(x, 1, tuple(range(x.ndim)))

    def rows(self, x: Any) -> Any:
        """Answer for a batch, all or nothing."""
        return self._at(x, len(x), tuple(range(1, x.ndim)))

    def _at(self, x: Any, points: int, axes: tuple[int, ...]) -> Any:
        with self._lock:
            self.points += points
        if np.max(x) > self._raises_above:
            raise ValueError("too large")
        return np.sum(x**2, axis=axes)


@pytest.mark.parametrize("raises_above", [np.inf, 2.0001], ids=["everywhere", "not everywhere"])
@pytest.mark.parametrize(
    ("x", "options"),
    [
        (X, {"mode": "fast"}),
        (X, {"mode": "full"}),
        (X, {"mode": "full", "workers": 3}),
        (X, {"mode": "full", "vectorized": True}),
        (X, {"mode": "full", "vectorized": True, "workers": 3}),
        (np.asfortranarray(X.reshape(6, 10)), {"mode": "full"}),
        (X, {"mode": "full", "domain": Interval(0)}),
    ],
)
def test_every_point_is_counted(x: Any, options: dict[str, Any], raises_above: float) -> None:
    spy = Spy(raises_above=raises_above)
    f = spy.rows if options.get("vectorized") else spy
    report = check(f, x, grad=lambda x: 2 * x, rng=0, **options)
    assert report.outcome is Outcome.PASS
    assert report.evaluations == spy.points


def test_a_row_is_missing_where_f_answers_otherwise_than_at_x() -> None:
    answers = iter([np.ones(3), 2.0, np.ones(2), None, np.full(3, 4.0)])
    forward = Forward(lambda _: next(answers), Inputs((X,), (0,), {}))
    forward.begin()
    rows = forward.values_at((X,) for _ in range(4))
    np.testing.assert_array_equal(rows, [[np.nan] * 3] * 3 + [[4.0] * 3])
    assert forward.calls.calls == 5
