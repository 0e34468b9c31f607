"""Users' vectors, and those of items with the user's beside them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class UserEmbedding(keras.layers.Layer):
    """Vectors `[B, d]` of users `[B]`; the mean of all of them for the id 0."""

    def __init__(self, count: int, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.hidden_dim = hidden_dim

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.count, self.hidden_dim),
            initializer="glorot_normal",
            trainable=True,
        )
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        table = tf.convert_to_tensor(self.embeddings)
        # Without a gradient: every user occurs in training, and the gradient would be dense.
        anyone = tf.stop_gradient(tf.reduce_mean(table, axis=0))
        known = (inputs > 0)[:, tf.newaxis]
        return tf.where(known, tf.gather(table, tf.maximum(inputs - 1, 0)), anyone)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.hidden_dim)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count, "hidden_dim": self.hidden_dim}


@register
class BesideUser(keras.layers.Layer):
    """[v; u] at each position, from items' vectors `[B, n, d]` and their user's `[B, d']`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, items: tf.Tensor, users: tf.Tensor) -> tf.Tensor:
        shape = [*tf.unstack(tf.shape(items)[:2]), users.shape[-1]]
        return tf.concat([items, tf.broadcast_to(users[:, tf.newaxis], shape)], axis=-1)
