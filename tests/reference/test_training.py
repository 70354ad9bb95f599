"""Mini-batch gradient descent: epochs, steps, reproducibility, and two real data sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference


@given(st.integers(1, 200), st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_an_epoch_uses_every_sample_once(samples: int, batch_size: int, seed: int) -> None:
    batches = list(reference.minibatches(samples, batch_size, seed))
    assert sorted(np.concatenate(batches)) == list(range(samples))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size


def test_epochs_are_shuffled_anew() -> None:
    rng = np.random.default_rng(3)
    first, second = (np.concatenate(list(reference.minibatches(50, 7, rng))) for _ in range(2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(50))


def toy() -> tuple[np.ndarray, np.ndarray, list[dict[str, np.ndarray]]]:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((30, 4))
    return x, rng.integers(0, 3, 30), reference.initial_parameters([4, 5, 3], rng)


def test_training_is_steps_along_the_mean_gradient_of_batches() -> None:
    """By hand: the same batches, the gradient of the mean loss, θ − ηg."""
    x, labels, start = toy()
    network = reference.Network()
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 0.5}
    run = reference.train(network, start, x, labels, rng=7, **options)
    rng, parameters = np.random.default_rng(7), start
    for _ in range(2):
        for batch in reference.minibatches(30, 8, rng):
            mean = [{key: np.zeros_like(layer[key]) for key in layer} for layer in start]
            for k in batch:
                slopes = network.backward(x[k], labels[k], parameters).parameters
                for total, slope in zip(mean, slopes, strict=True):
                    for key in total:
                        total[key] += slope[key] / len(batch)
            parameters = [
                {key: layer[key] - 0.5 * slope[key] for key in layer}
                for layer, slope in zip(parameters, mean, strict=True)
            ]
    for got, expected in zip(run.parameters, parameters, strict=True):
        for key in expected:
            np.testing.assert_allclose(got[key], expected[key], rtol=1e-10, atol=1e-14)


def test_training_is_reproducible_and_leaves_its_start_alone() -> None:
    x, labels, start = toy()
    before = [{key: layer[key].copy() for key in layer} for layer in start]
    options = {"epochs": 3, "batch_size": 8, "learning_rate": 0.5}
    runs = [
        reference.train(reference.Network(), start, x, labels, rng=seed, **options)
        for seed in (1, 1, 2)
    ]
    assert runs[0].losses == runs[1].losses != runs[2].losses
    for layer, old in zip(start, before, strict=True):
        for key in old:
            np.testing.assert_array_equal(layer[key], old[key])


@pytest.mark.parametrize("learning_rate", [0.5, np.float64(0.5), np.array(0.5)])
def test_float32_stays_float32(learning_rate: float) -> None:
    x, labels, start = toy()
    single = [{key: layer[key].astype(np.float32) for key in layer} for layer in start]
    run = reference.train(
        reference.Network(),
        single,
        x.astype(np.float32),
        labels,
        epochs=1,
        batch_size=8,
        learning_rate=learning_rate,
        rng=1,
    )
    assert {layer[key].dtype for layer in run.parameters for key in layer} == {np.dtype(np.float32)}


@pytest.mark.parametrize("rate", [1e-8, np.float64(1e-8), np.array(1e-8)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_step_keeps_the_dtype_and_rounds_once(dtype: type, rate: float) -> None:
    """In float16 the learning rate alone would be zero."""
    start, slope = np.array([0.0, 0.25], dtype), np.array([6e4, -3e3])
    for gradient in (slope, slope.astype(dtype)):
        (layer,) = reference.sgd_step([{"b": start}], [{"b": gradient}], rate)
        assert layer["b"].dtype == dtype
        expected = (start.astype(float) - 1e-8 * gradient.astype(float)).astype(dtype)
        np.testing.assert_array_equal(layer["b"], expected)
        assert layer["b"][0] != 0


def accuracy(
    network: reference.Network,
    parameters: list[dict[str, np.ndarray]],
    x: np.ndarray,
    t: np.ndarray,
) -> float:
    return float(np.mean(network.forward(x, parameters).argmax(axis=1) == t))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_handwritten_digits(activation: str) -> None:
    """64 → 32 → 10 on 1797 images of digits: 95 % of the 450 that it has not seen."""
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, t = images[order] / 16, labels[order]
    network = reference.Network(activation)
    start = reference.initial_parameters([64, 32, 10], rng=1)
    run = reference.train(
        network, start, x[450:], t[450:], epochs=30, batch_size=50, learning_rate=0.5, rng=2
    )
    assert accuracy(network, start, x[:450], t[:450]) < 0.3
    assert accuracy(network, run.parameters, x[:450], t[:450]) > 0.95
    assert run.losses[-1] < 0.1 * run.losses[0]


def test_iris_with_smoothed_labels() -> None:
    """A linear classifier on 150 flowers with soft labels: 95 % right."""
    datasets = pytest.importorskip("sklearn.datasets")
    flowers, labels = datasets.load_iris(return_X_y=True)
    x = (flowers - flowers.mean(axis=0)) / flowers.std(axis=0)
    smooth = 0.9 * np.eye(3)[labels] + 0.1 / 3
    network = reference.Network()
    start = reference.initial_parameters([4, 3], rng=1)
    run = reference.train(
        network, start, x, smooth, epochs=100, batch_size=50, learning_rate=0.5, rng=2
    )
    assert accuracy(network, run.parameters, x, labels) > 0.95
