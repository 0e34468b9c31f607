"""Gates contain LayerDrop and DropHead: a matrix or a head of zeros is what those drop."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import forced
from tests.layers.reference import (
    array,
    attention,
    dense,
    feed_forward,
    normal,
    normalize,
    randomize,
)
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import DenoisingMultiHeadAttention, PositionalGates, TransformerBlock
from tf_recdenoiser.training import DenoisingModel

B, N, D, HEADS = 2, 4, 6, 3


def two_blocks(norm: str, heads: int | None = None) -> tuple[DenoisingModel, list]:
    inputs = keras.Input([N, D])
    blocks = [
        TransformerBlock(HEADS, norm=norm, gates=PositionalGates(num_heads=heads)) for _ in "12"
    ]
    outputs = blocks[1](blocks[0](inputs))
    model = DenoisingModel(inputs=inputs, outputs=outputs)
    randomize(model)
    return model, blocks


def without_attention(block: TransformerBlock, x: np.ndarray) -> np.ndarray:
    """The block with its attention sublayer left out, but for the bias of its output."""
    bias = array(block.attention.output_dense.bias)
    if block.norm == "pre":
        x = x + bias
        return x + feed_forward(block, normalize(block.feedforward_norm, x))
    x = normalize(block.attention_norm, x + bias)
    return normalize(block.feedforward_norm, x + feed_forward(block, x))


@pytest.mark.parametrize("dropped", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_matrix_of_zeros_is_layer_drop(norm: str, dropped: tuple[bool, bool]) -> None:
    model, blocks = two_blocks(norm)
    x = normal(B, N, D)
    gates = [np.zeros((N, N)) if drop else np.ones((N, N)) for drop in dropped]
    with forced(model, gates):
        found = model(x, training=True).numpy()
    expected = x.astype(np.float64)
    for block, drop in zip(blocks, dropped, strict=True):
        if drop:
            expected = without_attention(block, expected)
        else:
            with forced(model, [np.ones((N, N))] * 2):
                expected = block(tf.constant(expected, tf.float32), training=True).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("head", range(HEADS))
def test_a_head_of_zeros_is_drop_head(head: int) -> None:
    inputs = keras.Input([N, D])
    layer = DenoisingMultiHeadAttention(HEADS, 2, gates=PositionalGates(num_heads=HEADS))
    model = DenoisingModel(inputs=inputs, outputs=layer(inputs, inputs))
    randomize(model)
    gates = np.ones((HEADS, N, N))
    gates[head] = 0
    x = normal(B, N, D)
    with forced(model, [gates]):
        found = model(x, training=True)
    _, weights = attention(layer, x, x)
    values = dense(layer.value_dense, x, "bnd,dhk->bnhk")
    kernel = array(layer.output_dense.kernel)
    expected = array(layer.output_dense.bias) + sum(
        weights[:, h] @ values[:, :, h] @ kernel[h] for h in range(HEADS) if h != head
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
