"""TOP1: the true item above each drawn one, whose score is held near zero."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class RelativeRank(keras.losses.Loss):
    """sigma(s_c - s_0) + sigma(s_c^2), averaged over c >= 1: candidate 0 is the true one.

    `y_true` is not looked at; `y_pred` are scores `[B, n, C]`.

    Examples
    --------
    >>> RelativeRank().call(tf.zeros([1, 1]), tf.zeros([1, 1, 3])).numpy()
    array([[1.]], dtype=float32)
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        rank_and_size = tf.sigmoid(others - true) + tf.sigmoid(tf.square(others))
        return tf.reduce_mean(rank_and_size, axis=-1)


@dataclasses.dataclass(frozen=True)
class Top1(SampledObjective):
    """TOP1, which GRU4Rec was published with (Hidasi et al. 2016), averaged over m unseen items.

    (1/m) sum_{j = 1 … m} sigma(s_j - s_x) + sigma(s_j^2)

    The first term is a smooth share of items ranked above the true one. In the paper the
    negatives are the true items of the batch's other sessions, so that popular ones come more
    often; here they are drawn uniformly.

    Parameters
    ----------
    negatives
        m; 1 by default, as for `BayesianPersonalizedRanking`.
    share_negatives
        As in `SampledObjective`; False by default.
    """

    def loss(self, item_count: int) -> Any:
        return RelativeRank()
