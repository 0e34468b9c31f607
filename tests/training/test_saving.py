"""A `.keras` file holds all that training goes on from: weights, both optimizers, baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_model, valid
from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.estimators import Arm, Estimator, Rloo
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.training import DenoisingModel

pytestmark = pytest.mark.both_keras

X, Y, WEIGHTS = {"item_ids": item_ids(3)}, np.ones([2, 3, 1], np.float32), valid(3)


@register
class PositionLoss(keras.losses.Loss):
    """Squared error of each position, `[B, n]`."""

    def call(self, y_true, y_pred):
        return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1)


def compiled(**options: object) -> DenoisingModel:
    model = toy_model(3, gates=PositionalGates(beta=0.1, num_heads=2), dropout=0.3, gamma=0.01)
    options = {"estimator": "disarm", "credit": True, **options}
    model.compile(
        keras.optimizers.Adam(0.01),
        loss=PositionLoss(),
        gate_optimizer=keras.optimizers.Adam(0.05),
        l2=0.001,
        seed=3,
        run_eagerly=True,
        **options,
    )
    return model


def saved_and_loaded(model: DenoisingModel, folder: Path) -> DenoisingModel:
    path = folder / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    loaded.run_eagerly = True
    return loaded


def train(model: DenoisingModel, steps: int) -> None:
    for _ in range(steps):
        model.train_on_batch(X, Y, sample_weight=WEIGHTS)


def state(model: DenoisingModel) -> list[np.ndarray]:
    of_baselines = [variable for mean in model._baselines for variable in mean.variables]
    return [variable.numpy() for variable in [*model.variables, *of_baselines]]


@pytest.mark.parametrize("estimator", ["disarm", "ar"])
def test_training_goes_on_as_if_it_had_not_been_broken(estimator: str, tmp_path: Path) -> None:
    model = compiled(estimator=estimator)
    train(model, 2)
    loaded = saved_and_loaded(model, tmp_path)
    for one, other in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = state(loaded)
    train(model, 2)
    train(loaded, 2)
    for one, other in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(one != other) for one, other in zip(fresh, state(loaded), strict=True))


def test_a_file_without_the_optimizers_state_would_not_pass_the_test_above(tmp_path: Path) -> None:
    model = compiled()
    train(model, 2)
    loaded = saved_and_loaded(model, tmp_path)
    loaded.compile(
        keras.optimizers.Adam(0.01),
        loss=PositionLoss(),
        credit=True,
        l2=0.001,
        seed=3,
        run_eagerly=True,
    )
    train(model, 1)
    train(loaded, 1)
    assert any(np.any(a != b) for a, b in zip(state(model), state(loaded), strict=True))


@pytest.mark.parametrize("estimator", [Arm(), Rloo(3)], ids=["arm", "rloo"])
def test_how_it_was_compiled_is_kept(estimator: Estimator, tmp_path: Path) -> None:
    model = compiled(estimator=estimator, credit=False, estimator_batch_size=1, baseline_decay=0.5)
    model.train_on_batch(X, Y)
    loaded = saved_and_loaded(model, tmp_path)
    kept = ("estimator", "credit", "estimator_batch_size", "l2", "baseline_decay", "seed")
    assert {name: getattr(loaded, name) for name in kept} == {
        name: getattr(model, name) for name in kept
    }
    assert float(np.asarray(loaded.gate_optimizer.learning_rate)) == pytest.approx(0.05)
    assert float(np.asarray(loaded.optimizer.learning_rate)) == pytest.approx(0.01)
    assert type(loaded.gate_layers[0]) is PositionalGates and loaded.gate_layers[0].beta == 0.1


def test_predictions_and_gates_are_kept(tmp_path: Path) -> None:
    model = compiled()
    train(model, 1)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded(X, training=False), model(X, training=False))
    for one, other in zip(model.gate_layers, loaded.gate_layers, strict=True):
        np.testing.assert_array_equal(one.logits.numpy(), other.logits.numpy())


def test_weights_alone_are_saved_and_loaded(tmp_path: Path) -> None:
    model, other = compiled(), toy_model(3, seed=9, gates=PositionalGates(beta=0.1, num_heads=2))
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    target = compiled()
    for variable, value in zip(target.trainable_variables, other.trainable_variables, strict=True):
        variable.assign(value.numpy())
    target.load_weights(path)
    np.testing.assert_array_equal(target(X, training=False), model(X, training=False))
