"""Mini-batch stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from reference._products import wide
from reference._validate import Array, as_array, finite, integer, number, real
from reference.networks import Network, Parameters

Seed = int | np.random.Generator | None


@dataclass(frozen=True, slots=True)
class Training:
    """What `train` returns.

    Parameters
    ----------
    parameters : list of dict
        The trained parameters.
    losses : tuple of float
        The mean loss over the samples of each epoch, each taken before the step that used it.
    """

    parameters: list[dict[str, Array]]
    losses: tuple[float, ...]


def initial_parameters(sizes: Sequence[int], rng: Seed = None) -> list[dict[str, Array]]:
    """Return random parameters for a network.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units from the input to the output; L+1 sizes make L layers.
    rng : int, numpy.random.Generator or None
        Where the random numbers come from; an int makes them reproducible.

    Returns
    -------
    list of dict
        For each layer ``"W"``, normal with variance 2/(inputs + outputs), and ``"b"``, zero.

    Raises
    ------
    ValueError
        If there are fewer than two sizes or one is not positive.

    Notes
    -----
    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010.

    Examples
    --------
    >>> [layer["W"].shape for layer in initial_parameters([4, 10, 3], rng=0)]
    [(4, 10), (10, 3)]
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be at least two positive numbers, got {tuple(sizes)}")
    generator = np.random.default_rng(rng)
    return [
        {
            "W": generator.normal(0.0, np.sqrt(2 / (inputs + outputs)), (inputs, outputs)),
            "b": np.zeros(outputs),
        }
        for inputs, outputs in pairwise(sizes)
    ]


def minibatches(samples: int, batch_size: int, rng: Seed = None) -> Iterator[Array]:
    """Return the batches of one epoch: every sample once, in random order.

    Parameters
    ----------
    samples : int
        The number of samples.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    rng : int, numpy.random.Generator or None
        Where the order comes from.

    Returns
    -------
    iterator of array of int
        Indices of the samples of each batch.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Source: document A, claim A11.

    Examples
    --------
    >>> [len(batch) for batch in minibatches(10, 4, rng=0)]
    [4, 4, 2]
    """
    if integer("samples", samples) < 1 or integer("batch_size", batch_size) < 1:
        raise ValueError(f"samples and batch_size must be positive, got {samples} and {batch_size}")
    order = np.random.default_rng(rng).permutation(samples)
    return (order[start : start + batch_size] for start in range(0, samples, batch_size))


def sgd_step(
    parameters: Parameters, gradient: Parameters, learning_rate: float
) -> list[dict[str, Array]]:
    """Return the parameters after one step against the gradient: θ − η·∂E/∂θ.

    Parameters
    ----------
    parameters, gradient : sequence of mapping
        One mapping for each layer, with the same keys and shapes in both.
    learning_rate : float
        η.

    Returns
    -------
    list of dict
        New arrays in the dtypes of `parameters`; the arguments keep their values.

    Raises
    ------
    TypeError
        If an array does not hold real numbers, or `learning_rate` is not one real number.
    ValueError
        If the structures differ or `learning_rate` is not finite.

    Notes
    -----
    Source: document A, claim A11; document E, claim E3.

    Examples
    --------
    >>> sgd_step([{"b": np.array([1.0])}], [{"b": np.array([2.0])}], 0.25)
    [{'b': array([0.5])}]
    """
    learning_rate = finite("learning_rate", learning_rate)
    if [set(layer) for layer in parameters] != [set(layer) for layer in gradient]:
        raise ValueError("parameters and gradient must have the same layers with the same keys")
    return [
        {key: _step(layer[key], slope[key], learning_rate) for key in layer}
        for layer, slope in zip(parameters, gradient, strict=True)
    ]


def train(
    network: Network,
    parameters: Parameters,
    x: Any,
    labels: Any,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rng: Seed = None,
) -> Training:
    """Train a network by mini-batch stochastic gradient descent.

    Parameters
    ----------
    network : Network
        What is trained.
    parameters : sequence of mapping
        Where training starts; left as they are.
    x : array_like, shape (N, D)
        The samples.
    labels : array_like
        Their labels; the first axis has length N.
    epochs : int
        How often every sample is used.
    batch_size : int
        Samples for each step, whose mean gradient it follows; typically 50 to 200.
    learning_rate : float
        η.
    rng : int, numpy.random.Generator or None
        Where the order of the samples comes from; an int makes training reproducible.

    Returns
    -------
    Training
        The trained parameters and the loss of each epoch.

    Raises
    ------
    TypeError
        If an array has an unsuitable dtype.
    ValueError
        If a number is not positive, the numbers of samples and labels differ, or the shapes do not
        fit.

    Notes
    -----
    Source: document A, claim A11.

    Examples
    --------
    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> start = [{"W": np.zeros((1, 2)), "b": np.zeros(2)}]
    >>> run = train(Network(), start, x, labels, epochs=50, batch_size=1, learning_rate=1.0, rng=0)
    >>> run.losses[0] > 10 * run.losses[-1]
    True
    """
    x, labels = real("x", x), as_array("labels", labels)
    if x.ndim != 2 or labels.ndim == 0 or len(labels) != len(x):
        raise ValueError(
            f"x must have the shape (N, D) and labels N entries, got {x.shape} and {labels.shape}"
        )
    if integer("epochs", epochs) < 1 or not 0 < number("learning_rate", learning_rate) < np.inf:
        raise ValueError(
            f"epochs and learning_rate must be positive, got {epochs} and {learning_rate}"
        )
    generator = np.random.default_rng(rng)
    current = [{key: real(key, layer[key]) for key in layer} for layer in parameters]
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in minibatches(len(x), batch_size, generator):
            total += len(batch) * float(network.loss(x[batch], labels[batch], current))
            gradient = network.backward(x[batch], labels[batch], current).parameters
            current = sgd_step(current, gradient, learning_rate)
        losses.append(total / len(x))
    return Training(parameters=current, losses=tuple(losses))


def _step(value: Any, slope: Any, learning_rate: float) -> Array:
    value, slope = real("parameters", value), real("gradient", slope)
    if value.shape != slope.shape:
        raise ValueError(
            f"a parameter of shape {value.shape} cannot follow a gradient of shape {slope.shape}"
        )
    return np.asarray((wide(value) - learning_rate * wide(slope)).astype(value.dtype, copy=False))
