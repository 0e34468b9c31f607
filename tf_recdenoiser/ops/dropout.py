"""Stateless dropout: the noise is a function of a seed, so that it can be drawn twice."""

from __future__ import annotations

import tensorflow as tf

_LEVELS = 256


def dropout(
    inputs: tf.Tensor, rate: float, seed: tf.Tensor, start: tf.Tensor | int = 0
) -> tf.Tensor:
    """Zero each entry with probability `rate` and rescale the rest to keep the mean.

    The noise comes from 8-bit integers compared with a threshold: `rate` is rounded to a
    multiple of 1/256 and the survivors are scaled by the rounded value, so the mean is exact. The
    noise of a batch's first rows does not depend on how many rows follow.

    Parameters
    ----------
    inputs
        Floats of any shape, batch first.
    rate
        Probability of dropping an entry, in [0, 1).
    seed
        Integers `[2]`, as `tf.random.stateless_uniform` takes them.
    start
        How many entries of the batch come before these, where they are a part of it; 0 by default.

    Examples
    --------
    >>> seed = tf.constant([1, 2])
    >>> first, second = dropout(tf.ones([8]), 0.5, seed), dropout(tf.ones([8]), 0.5, seed)
    >>> bool(tf.reduce_all(first == second))
    True
    """
    kept, scale = dropout_noise(tf.shape(inputs), rate, seed, inputs.dtype, start)
    # A product rather than `tf.where`: its gradient is one multiplication.
    return inputs if kept is None else inputs * (kept * scale)


def dropout_noise(
    shape: tf.Tensor,
    rate: float,
    seed: tf.Tensor,
    dtype: tf.DType = tf.float32,
    start: tf.Tensor | int = 0,
) -> tuple[tf.Tensor | None, float]:
    """What `dropout` multiplies entries by, in two factors.

    Parameters
    ----------
    shape
        Of the entries, batch first.
    rate, seed
        As `dropout` takes them.
    dtype
        Of the noise; float32 by default.
    start
        As `dropout` takes it.

    Returns
    -------
    1 for each entry that is kept and 0 for the others, and what those that are kept are scaled
    by. None and 1 where `rate` is so low that nothing is dropped.

    Examples
    --------
    >>> kept, scale = dropout_noise([4], 0.5, tf.constant([1, 2]))
    >>> bool(tf.reduce_all((kept == 0) | (kept == 1))), scale
    (True, 2.0)
    """
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be in [0, 1). Received: rate={rate}")
    dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    if dropped == 0:
        return None, 1.0
    noise = tf.reshape(_random_bytes(tf.reduce_prod(shape), seed, start), shape)
    kept = tf.cast(noise >= tf.constant(dropped, tf.uint8), dtype)
    return kept, _LEVELS / (_LEVELS - dropped)


def _random_bytes(count: tf.Tensor, seed: tf.Tensor, start: tf.Tensor | int) -> tf.Tensor:
    words = _random_words(tf.range(start // 4, (start + count + 3) // 4), seed)
    cut = start % 4
    return tf.reshape(tf.bitcast(words, tf.uint8), [-1])[cut : cut + count]


def _random_words(places: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """For each place, an int32, a word of 32 random bits: a hash of the place and of the seed.

    Multiplications and shifts in turn spread every bit of a place over the word (multipliers and
    shifts of github.com/skeeto/hash-prospector, which searched for those that do it best). On a CPU
    that takes two fifths of the time of TensorFlow's generator, whose quality dropout has no use
    for.
    """
    # That generator makes the two keys, so that seeds near each other have nothing in common.
    first, second = tf.unstack(
        tf.random.stateless_uniform([2], seed, minval=None, maxval=None, dtype=tf.uint32)
    )
    words = tf.bitcast(places, tf.uint32) * tf.constant(0x9E3779B9, tf.uint32) + first
    words = _mixed(words, 16) * tf.constant(0x21F0AAAD, tf.uint32) + second
    words = _mixed(words, 15) * tf.constant(0x735A2D97, tf.uint32)
    return _mixed(words, 15)


def _mixed(words: tf.Tensor, bits: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(words, tf.constant(bits, tf.uint32))
    return tf.bitwise.bitwise_xor(words, shifted)
