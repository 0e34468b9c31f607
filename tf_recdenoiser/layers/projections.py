"""The projections of attention, into heads and out of them."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers.place import length_of


class IntoHeads(keras.layers.EinsumDense):
    """`[B, n, d]` to `[B, H, n, k]`: Keras' weights, but one plain matrix product.

    The Jacobian penalty takes the second derivative, which is slower for einsums
    (`benchmarks/RESULTS.md`).
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return into_heads([self], inputs)[0]


def into_heads(projections: Sequence[IntoHeads], inputs: tf.Tensor) -> list[tf.Tensor]:
    """What projections of one shape make of `[B, n, d]`, each `[B, H, n, k]`, by one product.

    A matrix product three times as wide takes two thirds of the time of three.
    """
    hidden_dim, num_heads, size = projections[0].kernel.shape
    count, width = len(projections), num_heads * size
    kernels = [tf.reshape(layer.kernel, [hidden_dim, width]) for layer in projections]
    flat = tf.matmul(tf.reshape(inputs, [-1, hidden_dim]), _joined(kernels))
    if projections[0].bias is not None:
        biases = _joined([tf.reshape(layer.bias, [width]) for layer in projections])
        flat = tf.nn.bias_add(flat, biases)
    shape = [-1, length_of(inputs), count, num_heads, size]
    return tf.unstack(tf.transpose(tf.reshape(flat, shape), [2, 0, 3, 1, 4]), num=count)


def _joined(parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)


class OutOfHeads(keras.layers.EinsumDense):
    """`[B, H, n, k]` to `[B, n, d]`, in the same manner."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        num_heads, size, hidden_dim = self.kernel.shape
        flat = tf.matmul(
            tf.reshape(tf.transpose(inputs, [0, 2, 1, 3]), [-1, num_heads * size]),
            tf.reshape(self.kernel, [num_heads * size, hidden_dim]),
        )
        if self.bias is not None:
            flat = tf.nn.bias_add(flat, self.bias)
        length = tf.shape(inputs)[2] if inputs.shape[2] is None else inputs.shape[2]
        return tf.reshape(flat, [-1, length, hidden_dim])
