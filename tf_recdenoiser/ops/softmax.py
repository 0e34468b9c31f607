"""Softmax over the positions that a mask leaves visible."""

from __future__ import annotations

import tensorflow as tf


def masked_softmax(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Softmax over the last axis, in float32, with hidden entries exactly zero.

    Parameters
    ----------
    logits
        Scores `[..., n]`, any float type.
    mask
        Boolean, broadcastable to `logits`; False hides an entry. A row that is hidden
        altogether comes out as zeros rather than as a uniform distribution. `None` hides
        nothing.

    Returns
    -------
    Weights `[..., n]` in the type of `logits`.

    Examples
    --------
    >>> masked_softmax(tf.zeros([2, 2]), tf.constant([[True, False], [False, False]])).numpy()
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """
    scores = tf.cast(logits, tf.float32)
    if mask is None:
        return tf.cast(tf.nn.softmax(scores), logits.dtype)
    # A finite floor instead of -inf: a row that is hidden altogether would become NaN.
    weights = tf.nn.softmax(tf.where(mask, scores, tf.constant(-1e9, tf.float32)))
    any_visible = tf.cast(tf.reduce_any(mask, axis=-1, keepdims=True), tf.float32)
    return tf.cast(weights * any_visible, logits.dtype)
