"""The best items of a catalogue."""

from __future__ import annotations

import tensorflow as tf

_BLOCK = 32  # how many columns are looked at or left together
_FEW = 1024  # how many columns are not worth it

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
    # Codes alone, of which rows may have far fewer than the longest.
    places = tf.where(excluded > 0)
    codes = tf.cast(tf.gather_nd(excluded, places), tf.int64)
    left_out = tf.concat([_padding(scores), tf.stack([places[:, 0], codes], axis=1)], axis=0)
    scores = tf.tensor_scatter_nd_update(
        scores, left_out, tf.fill(tf.shape(left_out)[:1], NO_SCORE)
    )
    columns = tf.maximum(tf.reduce_max(k), 0)  # the maximum of an empty batch is negative
    best, codes = _largest(scores, tf.minimum(columns, tf.shape(scores)[1]))
    lacking = [[0, 0], [0, columns - tf.shape(best)[1]]]
    best = tf.pad(best, lacking, constant_values=NO_SCORE)
    best = tf.where(tf.range(columns) < k[:, tf.newaxis], best, NO_SCORE)
    return tf.where(best > NO_SCORE, tf.pad(codes, lacking), 0), best


def _padding(scores: tf.Tensor) -> tf.Tensor:
    """The indices of column 0, int64 `[B, 2]`."""
    rows = tf.range(tf.shape(scores, tf.int64)[0])
    return tf.stack([rows, tf.zeros_like(rows)], axis=1)


def _largest(scores: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`tf.math.top_k`, which looks closely only at k blocks of columns where there are many.

    They are those with the largest maxima, the first of equal ones. The k largest scores are all
    there: every other block, and so every score in it, comes after k maxima. Blocks stay in their
    order, so that of equal scores the first comes first.
    """
    width = scores.shape[1]
    if width is None or width < _FEW:
        return tf.math.top_k(scores, k)
    lacking = -width % _BLOCK
    padded = tf.pad(scores, [[0, 0], [0, lacking]], constant_values=NO_SCORE)
    count = (width + lacking) // _BLOCK
    blocks = tf.reshape(padded, [-1, count, _BLOCK])
    chosen = tf.math.top_k(tf.reduce_max(blocks, axis=2), tf.minimum(k, count)).indices
    chosen = -tf.math.top_k(-chosen, tf.shape(chosen)[1]).values
    left = tf.gather(blocks, chosen, batch_dims=1)
    columns = chosen[:, :, tf.newaxis] * _BLOCK + tf.range(_BLOCK)
    flat = [tf.shape(scores)[0], tf.shape(chosen)[1] * _BLOCK]
    best, places = tf.math.top_k(tf.reshape(left, flat), k)
    return best, tf.gather(tf.reshape(columns, flat), places, batch_dims=1)
