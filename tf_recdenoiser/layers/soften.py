"""Items weighted by the probability that they are no noise."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class Soften(keras.layers.Layer):
    """Multiplies the vectors `[B, n, d]` of items by the probability `[B, n]` that each is clean.

    An item that is certainly noise becomes a zero vector at its position. The mask of the vectors
    passes through.

    Examples
    --------
    >>> Soften()(tf.ones([1, 2, 1]), tf.constant([[1.0, 0.25]])).numpy()
    array([[[1.  ],
            [0.25]]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, items: tf.Tensor, clean_probability: tf.Tensor) -> tf.Tensor:
        return items * tf.cast(clean_probability, items.dtype)[..., tf.newaxis]
