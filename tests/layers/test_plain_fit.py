"""Gated attention in a plain Keras model with a plain `fit`: straight-through, with its penalty."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import DenoisingMultiHeadAttention, PositionalGates
from tf_recdenoiser.layers.gates import base
from tf_recdenoiser.training import DenoisingModel

pytestmark = pytest.mark.both_keras

B, N, D = 4, 3, 4
X = normal(B, N, D)
REACHABLE = np.tril(np.ones((N, N), bool))


def attention_model(beta: float = 0.0, causal: bool = False) -> tuple[keras.Model, PositionalGates]:
    inputs = keras.Input([N, D])
    layer = DenoisingMultiHeadAttention(
        2, 2, output_shape=1, gates=PositionalGates(beta=beta, initial_keep=0.75)
    )
    model = keras.Model(inputs, layer(inputs, inputs, use_causal_mask=causal))
    randomize(model)
    layer.gates.logits.assign(tf.fill([N, N], 1.0))
    return model, layer.gates


def nothing(y: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
    """A loss that asks for nothing of the data."""
    return tf.reduce_mean(0.0 * prediction, axis=[1, 2])


def test_the_penalty_alone_closes_the_gates() -> None:
    """One step of gradient descent on (beta/N) sum sigma(phi), N the positions."""
    model, gates = attention_model(beta=2.0, causal=True)
    model.compile(keras.optimizers.SGD(1.0), loss=nothing)
    model.fit(X, np.zeros([B, N, 1]), batch_size=B, verbose=0)
    keep = 1 / (1 + np.exp(-1.0))
    expected = 1.0 - REACHABLE * 2.0 / (B * N) * keep * (1 - keep)
    np.testing.assert_allclose(gates.logits.numpy(), expected, rtol=1e-5)


def test_the_reported_loss_holds_the_penalty() -> None:
    model, gates = attention_model(beta=2.0)
    model.compile(keras.optimizers.SGD(0.0), loss=nothing)
    history = model.fit(X, np.zeros([B, N, 1]), batch_size=B, verbose=0).history
    keep = 1 / (1 + np.exp(-gates.logits.numpy()))
    assert history["loss"][0] == pytest.approx(2.0 * keep.sum() / (B * N), rel=1e-5)


def test_beta_counts_positions_and_not_losses_and_a_warning_says_so() -> None:
    """With one loss for a sequence of N positions, a `DenoisingModel` has N times the penalty."""
    plain, gates = attention_model(beta=2.0)
    model = DenoisingModel(inputs=plain.inputs, outputs=plain.outputs[0])
    keep = 1 / (1 + np.exp(-gates.logits.numpy()))
    for one, count in ((plain, B * N), (model, B)):
        base._warn_of_plain_training.cache_clear()
        one.compile(keras.optimizers.SGD(0.0), loss=nothing)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            losses = one.fit(X, np.zeros([B, N, 1]), batch_size=B, verbose=0).history["loss"]
            if one is plain:
                one(X, training=True)
        assert losses[0] == pytest.approx(2.0 * keep.sum() / count, rel=1e-5)
        said = [str(found.message) for found in seen if "sparsity weight" in str(found.message)]
        assert len(said) == (one is plain) and all("DenoisingModel" in text for text in said)


def test_without_a_sparsity_weight_nothing_is_said() -> None:
    base._warn_of_plain_training.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        attention_model()[0](X, training=True)
        attention_model(beta=1.0)[0](X, training=False)
    assert not [one for one in said if str(one.message).startswith("Gates with a sparsity weight")]


@pytest.mark.parametrize("wanted", ["open", "shut"])
def test_the_data_open_and_shut_gates(wanted: str) -> None:
    """Targets made by the model itself with its gates all open, or all shut."""
    model, gates = attention_model()
    gates.logits.assign(tf.fill([N, N], 30.0 if wanted == "open" else -30.0))
    targets = model(X, training=True).numpy()
    gates.logits.assign(tf.zeros([N, N]))
    for layer in model.layers:
        for part in ("query_dense", "key_dense", "value_dense", "output_dense"):
            if hasattr(layer, part):
                getattr(layer, part).trainable = False
    model.compile(keras.optimizers.Adam(0.1), loss="mse")
    model.fit(
        np.tile(X, (8, 1, 1)), np.tile(targets, (8, 1, 1)), epochs=30, batch_size=8, verbose=0
    )
    keep = tf.sigmoid(gates.logits).numpy()
    mean = keep.mean()
    assert mean > 0.75 if wanted == "open" else mean < 0.25


def test_every_batch_draws_new_gates() -> None:
    model, _ = attention_model()
    draws = [model(X, training=True).numpy() for _ in range(20)]
    assert len({draw.tobytes() for draw in draws}) > 10
    still = [model(X, training=False).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*still)
    np.testing.assert_array_equal(still[0], model.predict(X, verbose=0))
