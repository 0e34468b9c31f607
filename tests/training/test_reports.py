"""What `fit` and `evaluate` report over several batches, beside plain Keras and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.layers import DenoisingMultiHeadAttention, PairwiseGates, PositionalGates
from tf_recdenoiser.training import DenoisingModel

pytestmark = pytest.mark.both_keras

X = np.array([[1.0], [2.0], [3.0], [4.0], [8.0]], np.float32)
Y = np.zeros([5, 1], np.float32)
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0], np.float32)


def linear(kind: Any, **compiled: Any) -> Any:
    """y = x, of which the squared errors are those of X."""
    inputs = keras.Input([1])
    outputs = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)(inputs)
    model = kind(inputs=inputs, outputs=outputs)
    model.compile(keras.optimizers.SGD(0.0), loss="mse", **compiled)
    return model


@pytest.mark.parametrize("size", [5, 4, 1])
def test_batches_count_as_in_keras(size: int) -> None:
    ours, usual = (linear(kind, metrics=["mae"]) for kind in (DenoisingModel, keras.Model))
    how = {"batch_size": size, "verbose": 0}
    expected = usual.evaluate(X, Y, **how, return_dict=True)
    found = ours.evaluate(X, Y, **how, return_dict=True)
    assert found["loss"] == found["data"] == pytest.approx(94 / 5)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    trained = ours.fit(X, Y, **how).history
    assert trained["loss"] == trained["data"] == pytest.approx([94 / 5])
    assert usual.fit(X, Y, **how).history["loss"] == pytest.approx([94 / 5])


@pytest.mark.parametrize("size", [5, 4, 1])
def test_batches_count_by_their_weights(size: int) -> None:
    """N is the sum of the weights, as of Keras' weighted metrics; the loss of Keras has B."""
    metrics = {"weighted_metrics": [keras.metrics.MeanSquaredError(name="square")]}
    ours, usual = (linear(kind, **metrics) for kind in (DenoisingModel, keras.Model))
    how = {"sample_weight": WEIGHTS, "batch_size": size, "verbose": 0}
    square = float(np.average(X[:, 0] ** 2, weights=WEIGHTS))
    of_keras = usual.evaluate(X, Y, **how, return_dict=True)
    assert of_keras["square"] == pytest.approx(square)
    assert of_keras["loss"] == pytest.approx(square * WEIGHTS.sum() / 5)
    found = ours.evaluate(X, Y, **how, return_dict=True)
    assert [found["loss"], found["square"]] == pytest.approx([square, square])
    assert ours.fit(X, Y, **how).history["data"] == pytest.approx([square])


def test_parts_count_by_valid_targets() -> None:
    """With two batches, beta sum sigma / N is their sum over all targets."""
    inputs = keras.Input([2, 1])
    gated = DenoisingMultiHeadAttention(1, 1, gates=PositionalGates(beta=0.6, initial_keep=0.8))
    model = DenoisingModel(inputs=inputs, outputs=gated(inputs, inputs))
    still = {"optimizer": keras.optimizers.SGD(0.0), "gate_optimizer": keras.optimizers.SGD(0.0)}
    model.compile(loss="mse", seed=0, **still)
    x = np.ones([5, 2, 1], np.float32)
    history = model.fit(x, x, batch_size=4, verbose=0).history
    # Two steps, each with 0.6 * 4 * 0.8 beside the sum of its 8 and 2 losses.
    assert history["sparsity"] == pytest.approx([2 * 0.6 * 4 * 0.8 / 10], rel=1e-5)
    assert history["loss"][0] == pytest.approx(history["data"][0] + history["sparsity"][0])


@pytest.mark.parametrize("size", [5, 4, 1])
def test_gates_of_each_sequence_count_each(size: int) -> None:
    """Means over all edges between items, however many a batch has."""
    inputs = keras.Input([3], dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    gated = DenoisingMultiHeadAttention(1, 4, gates=PairwiseGates())
    model = DenoisingModel(inputs=inputs, outputs=gated(x, x))
    rng = np.random.default_rng(4)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    model.compile(loss="mse")
    ids = np.array([[1, 2, 3], [0, 4, 5], [0, 0, 6], [7, 8, 1], [0, 0, 2]], np.int32)
    y = np.zeros([5, 3, 4], np.float32)
    found, whole = (
        model.evaluate(ids, y, batch_size=one, verbose=0, return_dict=True) for one in (size, 5)
    )
    assert found == pytest.approx(whole, rel=1e-5)
    assert 0 < whole["density_1"] < 1


def test_a_batch_without_targets_does_not_count() -> None:
    model = linear(DenoisingModel)
    weights = np.array([1, 1, 1, 1, 0], np.float32)
    found = model.evaluate(X, Y, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(30 / 4)


@pytest.mark.parametrize("of_gates", [False, True])
def test_moving_averages_take_the_place_of_what_each_optimizer_trained(of_gates: bool) -> None:
    """In a model whose gates have the shape of a weight that comes after them."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input([2, 2])
    x = DenoisingMultiHeadAttention(1, 2)(inputs, inputs)
    model = DenoisingModel(inputs=inputs, outputs=keras.layers.Dense(2, use_bias=False)(x))
    kept = {"use_ema": True, "ema_momentum": 0.5}
    model.compile(
        keras.optimizers.Adam(0.1, **kept),
        loss="mse",
        gate_optimizer=keras.optimizers.Adam(0.1, **(kept if of_gates else {})),
        seed=0,
    )
    model.build_optimizers()
    data = np.random.default_rng(0).normal(size=[2, 4, 2, 2]).astype(np.float32)
    weights = model.trainable_variables
    # Averages begin with the first values in tf_keras, and with those after a step in Keras 3.
    seen = [] if IS_KERAS_3 else [[variable.numpy() for variable in weights]]

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append([variable.numpy() for variable in weights])

    model.fit(*data, epochs=3, verbose=0, callbacks=[Watch()])
    gate = {id(v) for layer in model.gate_layers for v in layer.trainable_variables}
    for index, variable in enumerate(weights):
        steps = [step[index] for step in seen]
        averaged = of_gates or id(variable) not in gate
        expected = _average(steps) if averaged else steps[-1]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-6)


def _average(steps: list[np.ndarray]) -> np.ndarray:
    """m <- (m + value) / 2, from the first value on."""
    mean = steps[0]
    for step in steps[1:]:
        mean = (mean + step) / 2
    return mean
