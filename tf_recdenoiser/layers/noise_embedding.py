"""Items marked as noise."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class NoiseEmbedding(keras.layers.Layer):
    """Adds a trained vector e to items by the probability p that each is clean: x + (1 - p) e.

    So what is noise, such as an item that its user disliked, is read as such, and not as an item
    like any other. Items are `[B, n, d]`, probabilities `[B, n]`. e is 0 at first. The mask of the
    items passes through.

    Examples
    --------
    >>> import numpy as np
    >>> layer = NoiseEmbedding()
    >>> layer.build([1, 2, 1])
    >>> layer.set_weights([np.array([8.0])])
    >>> layer(tf.ones([1, 2, 1]), tf.constant([[1.0, 0.25]])).numpy()
    array([[[1.],
            [7.]]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, items_shape: Any, clean_probability_shape: Any = None) -> None:
        self._embedding = self.add_weight(
            name="embedding", shape=(items_shape[-1],), initializer="zeros"
        )
        super().build(items_shape)

    def call(self, items: tf.Tensor, clean_probability: tf.Tensor) -> tf.Tensor:
        noise = tf.cast(1.0 - clean_probability, items.dtype)[..., tf.newaxis]
        return items + noise * tf.cast(tf.convert_to_tensor(self._embedding), items.dtype)
