"""BPR: the true item above each drawn one."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class PairwiseCrossentropy(keras.losses.Loss):
    """-log sigma(s_0 - s_c), averaged over c >= 1: candidate 0 is the true one.

    `y_true` is not looked at; `y_pred` are scores `[B, n, C]`.

    Examples
    --------
    >>> loss = PairwiseCrossentropy().call(tf.zeros([1, 1]), tf.ones([1, 1, 3]))
    >>> loss.numpy().round(3)
    array([[0.693]], dtype=float32)
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        return tf.reduce_mean(tf.math.softplus(others - true), axis=-1)


@dataclasses.dataclass(frozen=True)
class BayesianPersonalizedRanking(SampledObjective):
    """BPR (Rendle et al. 2009), averaged over m unseen items.

    -(1/m) sum_{j = 1 … m} log sigma(s_x - s_j)

    The paper's penalty on the weights is `l2` of `DenoisingModel.compile`.

    Parameters
    ----------
    negatives
        m; 1 by default, as in the paper.
    share_negatives
        As in `SampledObjective`; False by default.
    """

    def loss(self, item_count: int) -> Any:
        return PairwiseCrossentropy()
