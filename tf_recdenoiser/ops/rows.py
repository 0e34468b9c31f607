"""Tensors as matrices, whose products TensorFlow does with bias and activation in one operation."""

from __future__ import annotations

import tensorflow as tf


def to_rows(x: tf.Tensor) -> tf.Tensor:
    """`[..., d]` as `[N, d]`."""
    return tf.reshape(x, [-1, x.shape[-1]])


def from_rows(rows: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """`[N, e]` as `[..., e]`, with all axes but the last those of `like`, `[..., d]`.

    Examples
    --------
    >>> x = tf.zeros([2, 3, 4])
    >>> tuple(from_rows(to_rows(x)[:, :1], x).shape)
    (2, 3, 1)
    """
    axes, width = like.shape[:-1], rows.shape[-1]
    if all(size is not None for size in axes[1:]):
        return tf.reshape(rows, [-1, *axes[1:], width])
    shape = tf.concat([tf.shape(like)[:-1], [width]], axis=0)
    return tf.ensure_shape(tf.reshape(rows, shape), [*axes, width])
