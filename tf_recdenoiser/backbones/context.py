"""What stands around an item: the encoder by which noise is told from signal."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.backbones.base import Backbone
from tf_recdenoiser.layers import Dropout, PositionEmbedding, TransformerBlock


@register
class ContextEncoder(Backbone):
    """A vector of each position's context: all items of the history but the one that stands there.

    One causal Transformer reads the history forwards and another one backwards; position t
    takes the first's state at t - 1 and the second's at t + 1, and a small network merges them
    into the item table's space:

        h_t = W_1 c_t + W_2 relu(W_3 c_t),   c_t = [forward_{t-1}, backward_{t+1}]

    The inner product of h_t with an item's vector says how well the item fits there. The
    encoder recommends nothing: it is trained to tell a history's items from noise
    (`NoiseDetector`).

    Parameters
    ----------
    item_count
        Number of items; ids run from 1 to it.
    max_length
        n; 50 by default.
    width
        d; 50 by default.
    blocks
        Transformer blocks in each direction; 2 by default.
    heads
        Attention heads; 2 by default.
    dropout
        Rate; 0.2 by default.

    Examples
    --------
    >>> encoder = ContextEncoder(item_count=9, max_length=4, width=8)
    >>> one, other = (encoder({"item_ids": tf.constant([[0, 3, i, 7]])}) for i in (1, 2))
    >>> bool(tf.reduce_all(one[:, 2] == other[:, 2])), bool(tf.reduce_all(one[:, 3] == other[:, 3]))
    (True, False)
    """

    causal = False

    def __init__(
        self,
        item_count: int,
        max_length: int = 50,
        width: int = 50,
        blocks: int = 2,
        heads: int = 2,
        dropout: float = 0.2,
        name: str | None = None,
    ) -> None:
        item_ids = keras.Input([max_length], dtype="int32", name="item_ids")
        items = keras.layers.Embedding(
            item_count + 1,
            width,
            mask_zero=True,
            embeddings_initializer="glorot_normal",
            name="items",
        )

        def encode(x: Any, direction: str) -> Any:
            x = PositionEmbedding(name=f"{direction}_positions")(x)
            x = Dropout(dropout)(x)
            for index in range(blocks):
                x = TransformerBlock(heads, dropout=dropout, name=f"{direction}_{index + 1}")(x)
            return keras.layers.LayerNormalization(epsilon=1e-8, name=f"{direction}_norm")(x)

        forward = encode(items(item_ids), "forward")
        # Ids and not vectors are reversed, so that the mask is made from them.
        backward = encode(items(ReversedTime(name="reversed")(item_ids)), "backward")
        around = AroundEach(name="around")(forward, backward)
        hidden = keras.layers.Dense(2 * width, activation="relu", name="inner")(around)
        outputs = keras.layers.Add(name="context")(
            [
                keras.layers.Dense(width, name="direct")(around),
                keras.layers.Dense(width, use_bias=False, name="outer")(hidden),
            ]
        )
        super().__init__(inputs={"item_ids": item_ids}, outputs=outputs, name=name)
        self._set(
            items,
            item_count=item_count,
            max_length=max_length,
            width=width,
            blocks=blocks,
            heads=heads,
            dropout=dropout,
        )


@register
class ReversedTime(keras.layers.Layer):
    """Ids `[B, n]` from the newest position to the oldest."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reverse(inputs, axis=[1])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@register
class AroundEach(keras.layers.Layer):
    """What was read before and after each position: `[B, n, 2 d]`.

    Called with the states of a forward reader and of a backward one, which begins at the newest
    position. Beyond the ends stand zeros.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, forward: tf.Tensor, backward: tf.Tensor) -> tf.Tensor:
        before = tf.pad(forward[:, :-1], [[0, 0], [1, 0], [0, 0]])
        after = tf.pad(tf.reverse(backward, axis=[1])[:, 1:], [[0, 0], [0, 1], [0, 0]])
        return tf.concat([before, after], axis=-1)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: padded positions are left out by the sample weights."""

    def compute_output_shape(self, forward_shape: Any, backward_shape: Any = None) -> Any:
        return (*forward_shape[:-1], 2 * forward_shape[-1])
