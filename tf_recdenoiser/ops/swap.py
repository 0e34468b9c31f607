"""Stochastic shared embeddings: ids replaced by others at random."""

from __future__ import annotations

import tensorflow as tf


def swap(
    ids: tf.Tensor, rate: float, count: int, seed: tf.Tensor, start: tf.Tensor | int = 0
) -> tf.Tensor:
    """Replace each id, with probability `rate`, by one drawn uniformly from 1 to `count`.

    SSE-SE of Wu et al. 2019 (Stochastic Shared Embeddings). 0 stays 0. What happens to a
    batch's first rows does not depend on how many rows follow.

    Parameters
    ----------
    ids
        Integers of any shape, batch first.
    rate
        In [0, 1].
    count
        The highest id.
    seed
        Integers `[2]`, as `tf.random.stateless_uniform` takes them.
    start
        How many ids of the batch come before these, where they are a part of it; 0 by default.

    Examples
    --------
    >>> seed = tf.constant([1, 2])
    >>> swap(tf.constant([0, 5]), 0.0, 9, seed).numpy()
    array([0, 5], dtype=int32)
    """
    which, whom = tf.unstack(tf.random.split(seed, 2))
    drawn = [start + tf.size(ids)]
    chance = tf.random.stateless_uniform(drawn, which)[start:]
    others = tf.random.stateless_uniform(drawn, whom, 1, count + 1, ids.dtype)[start:]
    chance, others = (tf.reshape(values, tf.shape(ids)) for values in (chance, others))
    return tf.where((chance < rate) & (ids > 0), others, ids)
