"""Attention with weights of keys: as if each key stood there so many times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import array, normal, randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    KeyGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.soften import Soften

N, D = 4, 6
COUNTS = np.array([[2, 0, 1, 3], [1, 1, 0, 1]], np.float32)


def made(attention: str, **options: object) -> DenoisingMultiHeadAttention:
    options = {"num_heads": 2, "key_dim": 3, "gates": None, **options}
    if attention == "linear":
        layer: Any = DenoisingLinearAttention(**options)
    else:
        layer = DenoisingMultiHeadAttention(attention=attention, **options)
    x = normal(2, N, D)
    layer(x, x)
    randomize(layer)
    return layer


@pytest.mark.parametrize("attention", ["softmax", "linear"])
def test_a_weight_counts_a_key_so_many_times(attention: str) -> None:
    layer, x = made(attention), normal(2, N, D)
    found = layer(x, x, key_weights=tf.constant(COUNTS))
    for row, counts in enumerate(COUNTS.astype(int)):
        keys = np.repeat(x[row : row + 1], counts, axis=1)
        np.testing.assert_allclose(
            found[row], layer(x[row : row + 1], keys)[0], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("attention", ["softmax", "linear"])
@pytest.mark.parametrize("causal", [True, False])
def test_what_weighs_nothing_is_as_if_masked(attention: str, causal: bool) -> None:
    layer, x = made(attention), normal(2, N, D)
    # The first key is there, since a row that sees nothing differs: zeros are not renormalised.
    weights = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], np.float32)
    found = layer(x, x, key_weights=tf.constant(weights), use_causal_mask=causal)
    masked = layer(x, x, value_mask=tf.constant(weights > 0), use_causal_mask=causal)
    np.testing.assert_allclose(found, masked, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("attention", ["sparsemax", "entmax15"])
def test_other_normalisations_are_weighed_after_them(attention: str) -> None:
    layer, x = made(attention), normal(2, N, D)
    _, plain = layer(x, x, return_attention_scores=True)
    _, found = layer(x, x, key_weights=tf.constant(COUNTS), return_attention_scores=True)
    weighed = array(plain) * COUNTS[:, np.newaxis, np.newaxis]
    total = weighed.sum(-1, keepdims=True)
    expected = np.divide(weighed, total, out=np.zeros_like(weighed), where=total > 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_gates_act_on_what_was_weighed() -> None:
    layer, x = made("softmax", gates=KeyGates(initial_keep=0.7)), normal(2, N, D)
    keep = 1 / (1 + np.exp(-array(layer.gates.logits)))
    gates = np.where(keep > 0.5, keep, 0.0)
    options = {"key_weights": tf.constant(COUNTS), "return_attention_scores": True}
    _, found = layer(x, x, **options)
    layer.gates.logits.assign(np.full(layer.gates.logits.shape, 100.0))  # all open
    _, weighed = layer(x, x, **options)
    np.testing.assert_allclose(found, array(weighed) * gates, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("training", [True, False])
def test_a_block_hands_them_on_under_the_jacobian_penalty_too(norm: str, training: bool) -> None:
    x, hidden = normal(3, N, D), np.ones([3, N], np.float32)
    hidden[:, 1] = 0
    block = JacobianRegularizedBlock(TransformerBlock(2, norm=norm), gamma=0.1, batch_size=2)
    outputs = [
        block(tf.constant(part), key_weights=tf.constant(hidden), training=training).numpy()
        for part in (x, np.where(np.arange(N)[:, np.newaxis] == 1, 9.0, x).astype(np.float32))
    ]
    others = [0, 2, 3]
    np.testing.assert_allclose(outputs[0][:, others], outputs[1][:, others], rtol=1e-4, atol=1e-6)
    assert len(block.losses) == int(training)


def test_softened_vectors_keep_their_mask() -> None:
    ids = keras.Input([3], dtype="int32")
    meant = keras.Input([3])
    items = keras.layers.Embedding(5, 2, mask_zero=True)(ids)
    model = keras.Model([ids, meant], keras.layers.LSTM(2)(Soften()(items, meant)))
    randomize(model)
    ones = np.ones([1, 3], np.float32)
    # An LSTM passes over what is masked: it ends where it ended without the last, padded item.
    found = model([np.array([[1, 2, 0]]), ones])
    np.testing.assert_allclose(found, model([np.array([[0, 1, 2]]), ones]), rtol=1e-5)
