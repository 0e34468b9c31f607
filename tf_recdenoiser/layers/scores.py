"""Scores of candidate items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class CandidateScores(keras.layers.Layer):
    """The inner product of each position with each of its candidates, in float32.

    Called with hidden vectors `[B, n, d]` and candidates' vectors, `[B, n, C, d]` or, where the
    positions of a sequence share them, `[B, C, d]`; returns `[B, n, C]`.

    Examples
    --------
    >>> CandidateScores()(tf.ones([1, 2, 3]), tf.ones([1, 2, 4, 3])).numpy()[0, 0]
    array([3., 3., 3., 3.], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, hidden: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        hidden, candidates = tf.cast(hidden, tf.float32), tf.cast(candidates, tf.float32)
        if candidates.shape.rank == 3:
            return tf.matmul(hidden, candidates, transpose_b=True)
        # Faster than a matrix product for each position; and not a slice, whose gradient is a copy.
        return tf.reduce_sum(tf.expand_dims(hidden, 2) * candidates, axis=-1)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: which positions count is said by the sample weights."""

    def compute_output_shape(self, hidden_shape: Any, candidates_shape: Any = None) -> Any:
        return (*hidden_shape[:2], candidates_shape[-2])
