"""Softmax over the positions that a mask leaves visible."""

from __future__ import annotations

import tensorflow as tf

_HIDDEN = -1e9


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
    weights = visible_softmax(logits, mask)
    return weights if mask is None else weights * rows_with_some(mask, weights.dtype)


def visible_softmax(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """As `masked_softmax`, but a row that is hidden altogether is as it comes, and finite.

    Examples
    --------
    >>> visible_softmax(tf.zeros([2, 2]), tf.constant([[True, False], [False, False]])).numpy()
    array([[1. , 0. ],
           [0.5, 0.5]], dtype=float32)
    """
    scores = tf.cast(logits, tf.float32)
    if mask is not None:
        # A sum, whose gradient costs nothing; and no -inf, which would make NaN of hidden rows.
        scores += tf.where(mask, 0.0, _HIDDEN)
    return tf.cast(tf.nn.softmax(scores), logits.dtype)


def rows_with_some(mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """1 for rows `[..., 1]` of a boolean mask `[..., n]` that show something, and 0 for others."""
    return tf.cast(tf.reduce_any(mask, axis=-1, keepdims=True), dtype)
