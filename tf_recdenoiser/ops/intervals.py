"""Time intervals between the items of a history."""

from __future__ import annotations

import tensorflow as tf


def personal_intervals(times: tf.Tensor, is_item: tf.Tensor, largest: int) -> tf.Tensor:
    """r_ij = min(floor(|t_i - t_j| / r_min), k), with r_min the history's least interval above 0.

    The personalised, clipped intervals of TiSASRec (Li et al. 2020, section 3.2). All are 0
    where all items of a history have one time, and between an item and padding.

    Parameters
    ----------
    times
        float64 `[B, n]`, in any unit.
    is_item
        Boolean `[B, n]`, False at padding.
    largest
        k.

    Returns
    -------
    int32 `[B, n, n]`.

    Examples
    --------
    >>> times = tf.constant([[0.0, 100.0, 130.0, 250.0]], tf.float64)
    >>> personal_intervals(times, times > 0, largest=4).numpy()[0]
    array([[0, 0, 0, 0],
           [0, 0, 1, 4],
           [0, 1, 0, 4],
           [0, 4, 4, 0]], dtype=int32)
    """
    # Only their ratios count, and the difference of halves is finite for any two times.
    times = times / 2
    gaps = tf.abs(times[:, :, tf.newaxis] - times[:, tf.newaxis])
    both = is_item[:, :, tf.newaxis] & is_item[:, tf.newaxis]
    infinity = tf.constant(float("inf"), gaps.dtype)
    least = tf.reduce_min(tf.where(both & (gaps > 0), gaps, infinity), [1, 2], keepdims=True)
    scaled = tf.minimum(tf.floor(gaps / least), float(largest))
    return tf.where(both, tf.cast(scaled, tf.int32), 0)
