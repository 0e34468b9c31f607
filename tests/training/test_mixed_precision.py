"""Training under mixed precision: finite, and the gates' gradient free of the loss scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_loss, toy_model, valid
from tf_recdenoiser._keras import keras, loss_scale
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.training import DenoisingModel

X, Y, WEIGHTS = {"item_ids": item_ids(3)}, np.zeros([2, 3], np.float32), valid(3)
SEED = tf.constant([1, 2])


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    keras.mixed_precision.set_global_policy(before)


def compiled(**options: object) -> DenoisingModel:
    gates = PositionalGates(beta=0.2)
    # Larger weights overflow float16 at the first loss scale: then steps are left out.
    model = toy_model(3, spread=0.3, gates=gates, dropout=0.2, gamma=0.01)
    options = {"estimator": "disarm", "credit": True, "seed": 5, "run_eagerly": True, **options}
    model.compile(keras.optimizers.Adam(0.01), loss=toy_loss, **options)
    return model


@pytest.mark.both_keras
def test_a_float16_model_scales_its_loss(policy: str) -> None:
    scale = float(loss_scale(compiled().optimizer))
    assert scale > 100 if policy == "mixed_float16" else scale == 1


@pytest.mark.parametrize("estimator", ["disarm", "straight_through"])
def test_steps_are_finite_and_change_every_weight(policy: str, estimator: str) -> None:
    model = compiled(estimator=estimator)
    before = [variable.numpy() for variable in model.trainable_variables]
    history = model.fit(X, Y, sample_weight=WEIGHTS, epochs=2, verbose=0).history
    assert all(np.all(np.isfinite(values)) for values in history.values())
    assert all(np.isfinite(value.numpy()).all() for value in model.trainable_variables)
    changed = [
        np.any(variable.numpy() != old)
        for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    # Softmax is blind to what a key's bias adds to a whole row; all else moves.
    assert sum(changed) >= len(changed) - 2


@pytest.mark.both_keras
def test_the_gates_gradient_is_free_of_the_loss_scale(policy: str) -> None:
    """One step of gradient descent moves them by the rate times what the formula gives."""
    model = compiled(gate_optimizer=keras.optimizers.SGD(1.0))
    gradients, *_ = model.loss_gradients(X, Y, WEIGHTS, model._step_seed())
    scale = float(loss_scale(model.optimizer))
    by_id = {
        id(v): tf.convert_to_tensor(g).numpy() / scale
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    }
    before = [layer.logits.numpy() for layer in model.gate_layers]
    model.train_on_batch(X, Y, sample_weight=WEIGHTS)
    for layer, old in zip(model.gate_layers, before, strict=True):
        moved = old - layer.logits.numpy()
        assert 1e-3 < np.abs(moved).max() < 10
        np.testing.assert_allclose(moved, by_id[id(layer.logits)], rtol=0.02, atol=1e-4)


def test_float16_finds_about_the_gradients_of_float32() -> None:
    keras.mixed_precision.set_global_policy("float32")
    wide = compiled()
    expected, _, parts = wide.loss_gradients(X, Y, WEIGHTS, SEED)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        narrow = compiled()
        found, _, narrow_parts = narrow.loss_gradients(X, Y, WEIGHTS, SEED)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    scale = float(loss_scale(narrow.optimizer))
    for name, value in parts.items():
        assert float(narrow_parts[name]) == pytest.approx(float(value), rel=0.05)
    for one, other in zip(expected, found, strict=True):
        one, other = (tf.convert_to_tensor(g).numpy().ravel() for g in (one, other))
        assert np.linalg.norm(other / scale - one) < 0.1 * np.linalg.norm(one) + 1e-2
