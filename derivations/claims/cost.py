"""What a numerical gradient costs, beside back-propagation, as networks grow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

import reference
from derivations.plan import generator

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Layer sizes of the measured networks.
IMAGES = (784, 50, 10)  # the usual small network for images of 28×28 digits
NETWORKS = ((4, 5, 3), (16, 16, 8), (32, 64, 10), IMAGES, (784, 126, 10))
_BATCH = 100
_IN_FULL = 500  # parameters up to which every difference is really taken
_REPEATS = 5
_SHORTEST = 4e-3  # seconds of CPU time below which a single timing says little
_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Cost:
    """The CPU time of both gradients of one network.

    Parameters
    ----------
    sizes : tuple of int
        Units from input to output.
    parameters : int
        Entries of all weights and biases.
    evaluations : int
        Calls of the loss that central differences take: two for each parameter.
    numerical, analytic : float
        Seconds of CPU time.
    extrapolated : bool
        Whether `numerical` is the number of evaluations times the measured time of one.
    """

    sizes: tuple[int, ...]
    parameters: int
    evaluations: int
    numerical: float
    analytic: float
    extrapolated: bool

    @property
    def ratio(self) -> float:
        """How many times the analytic gradient the numerical one costs."""
        return self.numerical / self.analytic


def measure(sizes: tuple[int, ...]) -> Cost:
    """Return the cost of both gradients for a network with the given units and a batch of 100.

    Parameters
    ----------
    sizes : tuple of int
        Units from input to output.
    """
    rng = generator(f"cost {sizes}")
    network = reference.Network(activation="sigmoid")
    parameters = reference.initial_parameters(sizes, rng)
    x = rng.standard_normal((_BATCH, sizes[0]))
    labels = rng.integers(0, sizes[-1], _BATCH)
    count = sum(array.size for layer in parameters for array in layer.values())

    def loss() -> Any:
        return network.loss(x, labels, parameters)

    def gradient() -> Any:
        return network.backward(x, labels, parameters)

    if count <= _IN_FULL:
        numerical, analytic = _cpu_times(lambda: _differences(loss, parameters), gradient)
    else:
        one, analytic = _cpu_times(loss, gradient)
        numerical = 2 * count * one
    return Cost(sizes, count, 2 * count, numerical, analytic, count > _IN_FULL)


def _differences(loss: Callable[[], Any], parameters: list[dict[str, Array]]) -> list[Array]:
    """Return central differences in every parameter, one at a time."""
    gradients = []
    for layer in parameters:
        for array in layer.values():
            flat, gradient = array.reshape(-1), np.empty(array.size)
            for q in range(flat.size):
                kept = flat[q]
                flat[q] = kept + _STEP
                above = loss()
                flat[q] = kept - _STEP
                gradient[q] = (above - loss()) / (2 * _STEP)
                flat[q] = kept
            gradients.append(gradient.reshape(array.shape))
    return gradients


def _cpu_times(*actions: Callable[[], Any]) -> list[float]:
    """Return the median CPU time of each action, repeated until a timing means something.

    The actions take turns, so that a busy machine slows all of them alike, and the clock is that of
    this thread, because waiting threads of a linear algebra library burn time too.
    """
    calls = [_calls(action) for action in actions]
    timings: list[list[float]] = [[] for _ in actions]
    for _ in range(_REPEATS):
        for action, count, timed in zip(actions, calls, timings, strict=True):
            started = time.thread_time()
            for _ in range(count):
                action()
            timed.append((time.thread_time() - started) / count)
    return [median(timed) for timed in timings]


def _calls(action: Callable[[], Any]) -> int:
    """Return how many calls take long enough to be timed; the first call warms up."""
    action()
    started = time.thread_time()
    action()
    return max(1, round(_SHORTEST / max(time.thread_time() - started, 1e-9)))


def hours_with(ratio: float, hours: float) -> str:
    """Return in words what `hours` of numerical differentiation become at a ratio of costs.

    Examples
    --------
    >>> hours_with(10_000, 27.7)
    '10 seconds'
    """
    seconds = hours * 3600 / ratio
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def seconds(time_taken: float) -> str:
    """Format a time to the digits that mean something.

    Examples
    --------
    >>> seconds(1234.5), seconds(0.0123), seconds(4.56)
    ('1234 s', '12.3 ms', '4.56 s')
    """
    if time_taken < 0.1:
        return f"{1e3 * time_taken:.3g} ms"
    return f"{time_taken:.0f} s" if time_taken >= 100 else f"{time_taken:.3g} s"
