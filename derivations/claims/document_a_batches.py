"""The examination of claim A11: mini-batches, and training with them."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

import reference
from derivations.claims.examine import Setting, exactly, for_every_size, measured
from derivations.confrontation.confront import backed
from derivations.expressions.language import family, index, r, size, total
from derivations.plan import generator
from derivations.records import Evidence, Finding

if TYPE_CHECKING:
    import numpy.typing as npt


def minibatches() -> Finding:
    """Examine claim A11."""
    g, m = family("g"), index("m")
    batches, per_batch = size("B"), size("M")
    partition = for_every_size(
        total(total(g[r, m], m, per_batch), r, batches) / (batches * per_batch),
        total(total(g[r, m], m, per_batch) / per_batch, r, batches) / batches,
        Setting(ranges={}, scope="every number B of batches and every batch size M"),
        "the mean over an epoch of the batches' mean gradients is the gradient over all samples",
    )
    losses, training = _training()
    table = (("epoch", "mean loss"), *((str(e), f"{v:.4f}") for e, v in enumerate(losses, 1)))
    evidence = (partition, _unbiased(), _one_epoch(), _one_step(), training)
    return backed(evidence, table=table)


def _unbiased() -> Evidence:
    """Every sample must lie in the same number of batches: then their mean is the mean of all."""
    largest = 60
    counts = all(
        math.comb(samples - 1, batch - 1) * samples == math.comb(samples, batch) * batch
        for samples in range(1, largest + 1)
        for batch in range(1, samples + 1)
    )
    gradients = [sp.Integer(3 * q * q - 7) for q in range(7)]
    means = [sp.Add(*b) / 3 for b in combinations(gradients, 3)]
    listed = sp.Add(*means) / len(means) == sp.Add(*gradients) / len(gradients)
    return exactly(
        counts and bool(listed),
        "counting in integers",
        f"every batch size up to N, every N ≤ {largest}",
        "each sample lies in the same number of batches, so the mean gradient of a random batch is "
        "unbiased; listed in full for 3 of 7",
    )


def _one_epoch() -> Evidence:
    rng = generator("A11 epoch")
    epochs = [np.concatenate(list(reference.minibatches(1000, 96, rng))) for _ in range(3)]
    once = all(np.array_equal(np.sort(e), np.arange(1000)) for e in epochs)
    shuffled = not np.array_equal(epochs[0], epochs[1])
    return measured(
        once and shuffled,
        "counting",
        "3 epochs of 1000 samples in batches of 96",
        "every sample comes up once in an epoch, in an order that changes",
    )


def _problem() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return 600 points of three overlapping classes in the plane."""
    rng = generator("A11 data")
    labels = rng.integers(0, 3, 600)
    centres = np.array([[1.5, 0.0], [-1.0, 1.3], [-1.0, -1.3]])
    return centres[labels] + rng.standard_normal((600, 2)), labels


def _one_step() -> Evidence:
    points, labels = _problem()
    network = reference.Network()
    start = reference.initial_parameters([2, 8, 3], generator("A11 start"))
    run = reference.train(
        network,
        start,
        points,
        labels,
        epochs=1,
        batch_size=len(labels),
        learning_rate=0.5,
        rng=generator("A11 order"),
    )
    gradient = network.backward(points, labels, start).parameters
    expected = reference.sgd_step(start, gradient, 0.5)
    worst = max(
        float(np.abs(a[key] - e[key]).max())
        for a, e in zip(run.parameters, expected, strict=True)
        for key in a
    )
    return measured(
        worst < 1e-14,
        "comparison of parameters",
        "one batch of 600 samples",
        f"training takes the step θ − η·(mean gradient), within {worst:.0e}",
    )


def _training() -> tuple[tuple[float, ...], Evidence]:
    points, labels = _problem()
    network = reference.Network()
    start = reference.initial_parameters([2, 8, 3], generator("A11 start"))
    run = reference.train(
        network,
        start,
        points,
        labels,
        epochs=8,
        batch_size=100,
        learning_rate=0.5,
        rng=generator("A11 order"),
    )
    # of all samples before and after: a first epoch may have learnt most of it
    before, after = (float(network.loss(points, labels, p)) for p in (start, run.parameters))
    return run.losses, measured(
        after < 0.8 * before,
        "a run of mini-batch SGD",
        "600 samples, batches of 100, 8 epochs, a network with 8 hidden units",
        f"the mean loss falls from {before:.3f} to {after:.3f}",
    )
