"""The projections of attention, into heads and out of them."""

from __future__ import annotations

import tensorflow as tf

from tf_recdenoiser._keras import keras


class IntoHeads(keras.layers.EinsumDense):
    """`[B, n, d]` to `[B, H, n, k]`: Keras' weights, but one plain matrix product.

    The Jacobian penalty takes the second derivative, which is slower for einsums
    (`benchmarks/RESULTS.md`).
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        hidden_dim, num_heads, size = self.kernel.shape
        flat = tf.matmul(
            tf.reshape(inputs, [-1, hidden_dim]),
            tf.reshape(self.kernel, [hidden_dim, num_heads * size]),
        )
        if self.bias is not None:
            flat += tf.reshape(self.bias, [num_heads * size])
        batch, length = tf.shape(inputs)[0], tf.shape(inputs)[1]
        return tf.transpose(tf.reshape(flat, [batch, length, num_heads, size]), [0, 2, 1, 3])


class OutOfHeads(keras.layers.EinsumDense):
    """`[B, H, n, k]` to `[B, n, d]`, in the same manner."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        num_heads, size, hidden_dim = self.kernel.shape
        flat = tf.matmul(
            tf.reshape(tf.transpose(inputs, [0, 2, 1, 3]), [-1, num_heads * size]),
            tf.reshape(self.kernel, [num_heads * size, hidden_dim]),
        )
        if self.bias is not None:
            flat += self.bias
        return tf.reshape(flat, [tf.shape(inputs)[0], tf.shape(inputs)[2], hidden_dim])
