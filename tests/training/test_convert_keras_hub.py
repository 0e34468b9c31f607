"""`denoise` of models made of keras-hub's layers, and of a SASRec as keras-rs' users write it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.params import only
from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import denoise

if not IS_KERAS_3:
    pytest.skip("keras-hub needs Keras 3", allow_module_level=True)
keras_hub = pytest.importorskip("keras_hub")

ITEMS, N, D, HEADS = 7, 5, 6, 2
OPEN = PositionalGates(initial_keep=1.0)
X = np.random.default_rng(0).normal(size=[3, N, D]).astype(np.float32)
IDS = np.array([[3, 1, 4, 2, 7], [5, 1, 6, 0, 0], [2, 2, 0, 0, 0]], np.int32)  # padded at the end
HISTORIES = {"item_ids": IDS, "padding_mask": IDS != 0}


def shaken(model: Any) -> Any:
    """`model` with no weight at what it starts with."""
    rng = np.random.default_rng(1)
    model.set_weights([value + 0.3 * rng.normal(size=value.shape) for value in model.get_weights()])
    return model


def assert_same(model: Any, converted: Any, x: Any, rows: Any = slice(None)) -> None:
    expected, found = (np.asarray(one(x, training=False)) for one in (model, converted))
    np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-4, atol=1e-5)


def encoder(**options: Any) -> Any:
    return keras_hub.layers.TransformerEncoder(8, HEADS, **options)


def decoder(**options: Any) -> Any:
    return keras_hub.layers.TransformerDecoder(8, HEADS, **options)


@pytest.mark.eager
def test_encoders_and_decoders() -> None:
    source, target = keras.Input([N + 1, D]), keras.Input([N, D])
    encoded = encoder(name="encoder")(encoder(dropout=0.1)(source))
    x = decoder(name="causal")(target)
    x = decoder(name="crossing", normalize_first=True)(x, encoded)
    model = shaken(keras.Model([source, target], x))
    converted = denoise(model, OPEN, blocks=["encoder", "causal"], gamma=0.1)
    assert len(converted.gate_layers) == 2 + 1 + 2
    sources = np.random.default_rng(2).normal(size=[3, N + 1, D]).astype(np.float32)
    assert_same(model, converted, [sources, X])

    converted.compile("adam", "mse", seed=0)
    logs = converted.train_on_batch([sources, X], np.zeros_like(X), return_dict=True)
    assert logs["jacobian"] > 0


class SASRec(keras.Model):
    """A recommender of the usual kind: a class of its own, without a configuration."""

    def __init__(self, items: int, length: int, width: int, depth: int, dtype: Any = None) -> None:
        super().__init__(dtype=dtype)
        self.items, self.length, self.width, self.depth = items, length, width, depth
        self.item_table = keras_hub.layers.ReversibleEmbedding(items + 1, width)
        self.positions = keras_hub.layers.PositionEmbedding(length)
        self.drop = keras.layers.Dropout(0.2)
        self.blocks = [decoder(normalize_first=True, dropout=0.1) for _ in range(depth)]
        self.norm = keras.layers.LayerNormalization()

    def build(self, input_shape: Any) -> None:
        self.item_table.build((None, self.length))
        for part in (self.positions, *self.blocks, self.norm):
            part.build((None, self.length, self.width))
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.item_table(inputs["item_ids"])
        x = self.drop(x + self.positions(x), training=training)
        for block in self.blocks:
            x = block(x, decoder_padding_mask=inputs["padding_mask"], training=training)
        x = self.norm(x)
        return {"vectors": x, "scores": self.item_table(x, reverse=True)}


def history_inputs() -> dict[str, Any]:
    return {
        "item_ids": keras.Input([N], dtype="int32", name="item_ids"),
        "padding_mask": keras.Input([N], dtype="bool", name="padding_mask"),
    }


def subclassed() -> Any:
    inputs = history_inputs()
    return keras.Model(inputs, SASRec(ITEMS, N, D, depth=2)(inputs)["scores"])


def functional() -> Any:
    inputs = history_inputs()
    items = keras_hub.layers.ReversibleEmbedding(ITEMS + 1, D)
    x = items(inputs["item_ids"])
    x = keras.layers.Dropout(0.2)(x + keras_hub.layers.PositionEmbedding(N)(x))
    for index in range(2):
        block = decoder(normalize_first=True, dropout=0.1, name=f"block_{index + 1}")
        x = block(x, decoder_padding_mask=inputs["padding_mask"])
    return keras.Model(inputs, items(keras.layers.LayerNormalization()(x), reverse=True))


@pytest.mark.eager
@pytest.mark.parametrize("make", only(lambda make: make is subclassed, [subclassed, functional]))
def test_a_sasrec(make: Any) -> None:
    model = shaken(make())
    assert_same(model, denoise(model, OPEN), HISTORIES, rows=IDS != 0)

    blocks, gamma = (("block_1", "block_2"), 1e-3) if make is functional else ((), 0.0)
    converted = denoise(model, PositionalGates(beta=0.01), blocks, gamma, jacobian_batch_size=2)
    keras.utils.set_random_seed(0)
    converted.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none"),
        credit=True,
        seed=0,
    )
    before = [np.asarray(layer.logits) for layer in converted.gate_layers]
    history = converted.fit(HISTORIES, IDS, sample_weight=1.0 * (IDS != 0), epochs=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for layer, old in zip(converted.gate_layers, before, strict=True):
        trained = np.asarray(layer.logits) != old
        # The decoder hides the future by a mask, beyond which gates do not train.
        np.testing.assert_array_equal(trained, np.tril(np.ones([N, N], bool)))
    assert (history.history["jacobian"][-1] > 0) == (make is functional)


def test_weights_are_saved_and_loaded(tmp_path: Any) -> None:
    model = functional()
    converted = shaken(denoise(model))
    converted.save_weights(tmp_path / "model.weights.h5")
    again = denoise(model)
    again.load_weights(tmp_path / "model.weights.h5")
    assert_same(converted, again, HISTORIES)


def test_a_cache_is_refused() -> None:
    inputs = keras.Input([N, D])
    converted = denoise(keras.Model(inputs, decoder(name="decoder")(inputs)))
    cache = tf.zeros([3, 2, N, HEADS, D // HEADS])
    with pytest.raises(ValueError, match=r"`cache` must be None .*Received: .*3, 2, 5, 2, 3"):
        converted.get_layer("decoder")(
            X[:, :1], self_attention_cache=cache, self_attention_cache_update_index=0
        )


def test_the_gates_of_a_decoder_are_reported_without_the_future() -> None:
    inputs = keras.Input([N, D])
    converted = denoise(keras.Model(inputs, decoder()(inputs)))
    with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
        converted(X, training=False)
    (record,) = recorder.gates.values()
    np.testing.assert_array_equal(record.reachable, np.tril(np.ones([N, N], bool)))
