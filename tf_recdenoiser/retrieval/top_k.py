"""The best items of a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

_BLOCK = 32  # how many columns are looked at or left together
_FEW = 1024  # how many columns are not worth it
_LARGE = 2**16  # how many columns make rows be gone through in parts
_MOST_SCORES = 2**26  # how many scores are in memory at a time, if they are of several rows

NO_SCORE = float("-inf")
"""The score of an answer's column that holds no item."""


def nearest_items(
    vectors: tf.Tensor,
    table: tf.Tensor,
    excluded: tf.Tensor,
    k: tf.Tensor,
    added: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The items with the largest inner products of their vectors with those of each row.

    Scores are u_b . v_i + a_i. Of a large catalogue, those of few rows are in memory at a time.

    Parameters
    ----------
    vectors
        u, `[B, d]`.
    table
        v, `[item_count + 1, d]`, for padding first.
    excluded, k
        As `top_items` takes them, which see for what is returned.
    added
        a, `[item_count + 1]`, -inf for what is not to be returned; None (default) for 0.

    Examples
    --------
    >>> table = tf.constant([[0.0], [1.0], [3.0], [2.0]])
    >>> codes, scores = nearest_items(
    ...     tf.constant([[2.0], [-1.0]]),
    ...     table,
    ...     excluded=tf.constant([[2], [0]]),
    ...     k=tf.constant([2, 2]),
    ... )
    >>> codes.numpy()
    array([[3, 1],
           [1, 3]], dtype=int32)
    """
    columns = _columns(k)

    def best(vectors: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.matmul(vectors, table, transpose_b=True)
        return top_items(scores if added is None else scores + added, excluded, k, columns)

    width = table.shape[0]
    if width is None or width < _LARGE:
        return best(vectors, excluded, k)
    return _in_parts(best, (vectors, excluded, k), max(_MOST_SCORES // width, 1))


def _in_parts(
    best: Callable[..., tuple[tf.Tensor, tf.Tensor]], arguments: Sequence[tf.Tensor], size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """What `best` has of all rows of its arguments, from `size` of them at a time."""
    parts = tf.maximum((tf.shape(arguments[0])[0] + size - 1) // size, 1)

    def add(part: tf.Tensor, *found: tf.TensorArray) -> tuple[Any, ...]:
        rows = slice(part * size, (part + 1) * size)
        new = best(*(argument[rows] for argument in arguments))
        return part + 1, *(one.write(part, values) for one, values in zip(found, new, strict=True))

    empty = [
        tf.TensorArray(dtype, parts, element_shape=[None, None], infer_shape=False)
        for dtype in (tf.int32, tf.float32)
    ]
    _, codes, scores = tf.while_loop(
        lambda part, *_: part < parts, add, [tf.constant(0), *empty], parallel_iterations=1
    )
    return codes.concat(), scores.concat()


def top_items(
    scores: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor, columns: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
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
    columns
        K, at least the largest k; None (default) for the largest k.

    Returns
    -------
    Codes int32 `[B, K]` and scores float32 `[B, K]`.

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
    columns = _columns(k) if columns is None else columns
    best, codes = _largest(scores, tf.minimum(columns, tf.shape(scores)[1]))
    lacking = [[0, 0], [0, columns - tf.shape(best)[1]]]
    best = tf.pad(best, lacking, constant_values=NO_SCORE)
    best = tf.where(tf.range(columns) < k[:, tf.newaxis], best, NO_SCORE)
    return tf.where(best > NO_SCORE, tf.pad(codes, lacking), 0), best


def _columns(k: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.reduce_max(k), 0)  # the maximum of an empty batch is negative


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
