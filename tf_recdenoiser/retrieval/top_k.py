"""The best items of a catalogue."""

from __future__ import annotations

import tensorflow as tf

from tf_recdenoiser.ops.slots import with_rows

NO_SCORE = float("-inf")
"""The score of an answer's column that holds no item."""


def top_items(scores: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The codes and scores of each row's best items, best first.

    Of equal scores the lower code comes first. A row that asks for fewer items than the widest
    one, or has fewer to offer, ends in columns with code 0 and score -inf.

    Parameters
    ----------
    scores
        float32 `[B, item_count + 1]`; column 0, padding, is never returned.
    excluded
        Codes that are not to be returned, int32 `[B, M]`; 0 for none.
    k
        How many items each row asks for, int32 `[B]`.

    Returns
    -------
    Codes int32 `[B, max(k)]` and scores float32 `[B, max(k)]`.

    Examples
    --------
    >>> scores = tf.constant([[9.0, 1.0, 3.0, 2.0]])
    >>> codes, best = top_items(scores, excluded=tf.constant([[2]]), k=tf.constant([3]))
    >>> codes.numpy(), best.numpy()
    (array([[3, 1, 0]], dtype=int32), array([[  2.,   1., -inf]], dtype=float32))
    """
    excluded = tf.pad(excluded, [[0, 0], [1, 0]])  # and padding, whatever else
    scores = tf.tensor_scatter_nd_update(
        scores, with_rows(excluded), tf.fill(tf.shape(excluded), NO_SCORE)
    )
    columns = tf.maximum(tf.reduce_max(k), 0)  # the maximum of an empty batch is negative
    best, codes = tf.math.top_k(scores, tf.minimum(columns, tf.shape(scores)[1]))
    lacking = [[0, 0], [0, columns - tf.shape(best)[1]]]
    best = tf.pad(best, lacking, constant_values=NO_SCORE)
    best = tf.where(tf.range(columns) < k[:, tf.newaxis], best, NO_SCORE)
    return tf.where(best > NO_SCORE, tf.pad(codes, lacking), 0), best
