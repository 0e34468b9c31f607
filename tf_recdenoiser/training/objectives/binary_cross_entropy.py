"""Binary cross-entropy with sampled negatives."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.training.objectives.noise_aware import NoiseAwareObjective
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class CandidateCrossentropy(keras.losses.Loss):
    """-w log sigma(s_0) - sum over c >= 1 of log(1 - sigma(s_c)): candidate 0 is the true one.

    `y_true` is not looked at; `y_pred` are scores `[B, n, C]`.

    Parameters
    ----------
    positive_weight
        w; 1 by default.

    Examples
    --------
    >>> loss = CandidateCrossentropy().call(tf.zeros([1, 1]), tf.zeros([1, 1, 2]))
    >>> loss.numpy().round(3)
    array([[1.386]], dtype=float32)
    """

    def __init__(self, positive_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.positive_weight = positive_weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        of_true = self.positive_weight * tf.math.softplus(-true[..., 0])
        return of_true + tf.reduce_sum(tf.math.softplus(others), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "positive_weight": self.positive_weight}


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(NoiseAwareObjective, SampledObjective):
    """The objective of SASRec and of the paper (Eq. 6): each true item against m unseen ones.

    -log sigma(s_x) - sum_{j = 1 … m} log(1 - sigma(s_j))

    It is least for s_i = log p(i | history) / (m q(i)).

    Parameters
    ----------
    negatives
        m; 1 by default, as in SASRec.
    share_negatives
        As in `SampledObjective`; False by default.
    noise_rate
        See `NoiseAwareObjective`.
    """

    log_ratios: ClassVar[bool] = True

    def neutral_score(self, item_count: int) -> float:
        return -math.log(self.negatives)

    def loss(self, item_count: int) -> Any:
        return CandidateCrossentropy()
