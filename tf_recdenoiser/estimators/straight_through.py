"""Straight-through: hard gates forward, the probability's gradient backward."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_recdenoiser.estimators.base import PathwiseEstimator, as_float


@dataclasses.dataclass(frozen=True)
class StraightThrough(PathwiseEstimator):
    """b + sigma(phi) - stop_gradient(sigma(phi)), with b ~ Bernoulli(sigma(phi)).

    Bengio, Léonard and Courville (2013), arXiv 1308.3432. Biased; one evaluation.

    Examples
    --------
    >>> gates = StraightThrough().gates(tf.zeros([2]), tf.constant([[0.25, 0.75]]))
    >>> gates[0].numpy()
    array([1., 0.], dtype=float32)
    """

    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        probability = tf.sigmoid(logits)
        hard = as_float(uniform[0] < probability, logits)
        return (hard + (probability - tf.stop_gradient(probability)),)
