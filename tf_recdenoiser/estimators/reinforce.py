"""REINFORCE, the score-function estimator."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser.estimators.base import BaselineEstimator


@dataclasses.dataclass(frozen=True)
class Reinforce(BaselineEstimator):
    """(f(b) - c) (b - sigma(phi)), with b ~ Bernoulli(sigma(phi)).

    Williams (1992). The baseline c is the running mean of f (`use_baseline`, on by default).

    Examples
    --------
    >>> Reinforce().gradient(tf.zeros([1]), tf.constant([[0.25]]), [2.0]).numpy()
    array([1.], dtype=float32)
    """

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        (gates,) = self.gates(logits, uniform)
        return losses[0] * (gates - tf.sigmoid(logits))
