"""Bernoulli gates: their keep probability and what they are at inference."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def keep_probability(logits: tf.Tensor) -> tf.Tensor:
    """sigma(logits): the probability that a gate is open, shape of `logits`."""
    return tf.sigmoid(logits)


def _clip(probability: tf.Tensor) -> tf.Tensor:
    return tf.where(probability > 0.5, probability, tf.zeros_like(probability))


def _hard(probability: tf.Tensor) -> tf.Tensor:
    return tf.cast(probability > 0.5, probability.dtype)


def weighted_mean(
    values: tf.Tensor,
    weights: tf.Tensor,
    gather: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> tf.Tensor:
    """The mean of `values` with `weights`, each broadcast to the other; 0 if no weight is above 0.

    `gather` makes the sums of which the mean is the ratio from those of what is at hand.

    Examples
    --------
    >>> float(weighted_mean(tf.constant([[1.0, 2.0], [3.0, 9.0]]), tf.constant([True, False])))
    2.0
    """
    weights = tf.cast(weights, values.dtype)
    weights = tf.broadcast_to(
        weights, tf.broadcast_dynamic_shape(*map(tf.shape, (values, weights)))
    )
    total, weight = tf.reduce_sum(values * weights), tf.reduce_sum(weights)
    return tf.math.divide_no_nan(gather(total), gather(weight))


INFERENCE_GATES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "clip": _clip,
    "hard": _hard,
    "expectation": tf.identity,
}
"""The deterministic gates of inference by name; see `inference_gates`."""


def inference_gates(logits: tf.Tensor, how: str = "clip") -> tf.Tensor:
    """The deterministic gates used when not training.

    With p = sigma(logits): `"clip"` sets p <= 0.5 to 0 and keeps p above it (the paper's,
    section 3.4), `"hard"` rounds to {0, 1}, `"expectation"` keeps every p.

    Examples
    --------
    >>> inference_gates(tf.constant([-1.0, 0.0, 2.0])).numpy().round(2)
    array([0.  , 0.  , 0.88], dtype=float32)
    """
    if how not in INFERENCE_GATES:
        raise ValueError(
            f"`inference` must be one of {', '.join(INFERENCE_GATES)}. Received: inference={how!r}"
        )
    return INFERENCE_GATES[how](keep_probability(logits))
