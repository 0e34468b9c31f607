"""Cross-entropy over a sample of the catalogue, corrected for how it was drawn."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class SampledCrossentropy(keras.losses.Loss):
    """-log [exp(s_0) / (exp(s_0) + sum over c >= 1 of exp(s_c - y))]: candidate 0 is the true one.

    `y_true` is y = log m q, `[B, n]`: the logarithm of how often each of the others is
    expected in a sample. `y_pred` are scores `[B, n, C]`.

    Examples
    --------
    >>> loss = SampledCrossentropy().call(tf.zeros([1, 1]), tf.zeros([1, 1, 4]))
    >>> loss.numpy().round(3)
    array([[1.386]], dtype=float32)
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        of_others = tf.reduce_logsumexp(others, axis=-1) - tf.cast(y_true, tf.float32)
        return tf.math.softplus(of_others - true[..., 0])


@dataclasses.dataclass(frozen=True)
class SampledSoftmax(SampledObjective):
    """Cross-entropy whose sum over the catalogue is estimated from m draws.

    -log [ exp(s_x) / (exp(s_x) + sum_{j = 1 … m} exp(s_j - log m q_j)) ]

    Importance sampling makes the second sum an unbiased estimate of that over all items that
    can be drawn (Bengio and Senécal 2008); in logits it is the logQ correction (Yi et al. 2019).
    Negatives are drawn with replacement, uniformly from the U_u items that the user has not seen
    in training, so that q = 1 / U_u exactly. The true item is in the sample always and once;
    its logit needs no correction.

    With every other item drawn once, and q = 1 / (I - 1), it is `CrossEntropy`.

    Parameters
    ----------
    negatives
        m; 256 by default.
    share_negatives
        As in `SampledObjective`; True by default.
    """

    negatives: int = 256
    share_negatives: bool = True

    def loss(self, item_count: int) -> Any:
        return SampledCrossentropy()

    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        x, _, weights = super().example(inputs, targets)
        expected = self.negatives / tf.cast(targets["unseen_counts"], tf.float32)
        return x, tf.math.log(expected)[:, tf.newaxis] * tf.ones_like(weights), weights
