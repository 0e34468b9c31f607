"""The probability of an item among all items, estimated from a sample of the others."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class SampledLogProbability(keras.layers.Layer):
    """How probable items are by a softmax over the catalogue, whose sum a sample stands for.

    log p_c = s_c - log [exp(s_c) + (U / m) sum_{j = 1 … m} exp(s_j)]

    With each s_j that of an item drawn uniformly from U others, the second sum is an unbiased
    estimate of that over all of them: importance sampling (Bengio and Senécal 2008), in logits
    the logQ correction (Yi et al. 2019).

    Called with the scores `[B, n, C]` of items and of those drawn, `[B, n, m]`, and with U,
    `[B]`; returns `[B, n, C]`, float32.

    Examples
    --------
    >>> log_p = SampledLogProbability()(tf.zeros([1, 1, 1]), tf.zeros([1, 1, 2]), tf.constant([3]))
    >>> log_p.numpy().round(3)
    array([[[-1.386]]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.supports_masking = True

    def call(self, scores: tf.Tensor, drawn: tf.Tensor, unseen_counts: tf.Tensor) -> tf.Tensor:
        scores, drawn = tf.cast(scores, tf.float32), tf.cast(drawn, tf.float32)
        repeats = tf.cast(unseen_counts, tf.float32) / tf.cast(tf.shape(drawn)[-1], tf.float32)
        of_others = tf.reduce_logsumexp(drawn, axis=-1, keepdims=True)
        of_others += tf.math.log(repeats)[:, tf.newaxis, tf.newaxis]
        return 0.0 - tf.math.softplus(of_others - scores)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: which positions count is said by the sample weights."""

    def compute_output_shape(
        self, scores_shape: Any, drawn_shape: Any = None, unseen_counts_shape: Any = None
    ) -> Any:
        return scores_shape
