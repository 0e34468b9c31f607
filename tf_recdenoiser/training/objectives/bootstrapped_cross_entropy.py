"""Binary cross-entropy with targets that the model itself has a say in."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class BootstrappedCrossentropy(keras.losses.Loss):
    """-sum over c of t_c log p_c + (1 - t_c) log(1 - p_c), t_c = share y_c + (1 - share) p_c.

    p_c = sigma(s_c); y_0 = 1, as candidate 0 is the true one, and y_c = 0 for the others. `y_true`
    is not looked at; `y_pred` are scores `[B, n, C]`.

    Parameters
    ----------
    label_share
        From 0 to 1; with 1 it is `CandidateCrossentropy`. 0.95 by default.

    Examples
    --------
    >>> loss = BootstrappedCrossentropy().call(tf.zeros([1, 1]), tf.zeros([1, 1, 2]))
    >>> loss.numpy().round(3)
    array([[1.386]], dtype=float32)
    """

    def __init__(self, label_share: float = 0.95, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_share = label_share

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        scores = tf.concat([true, others], axis=-1)
        labels = tf.concat([tf.ones_like(true), tf.zeros_like(others)], axis=-1)
        targets = self.label_share * labels + (1.0 - self.label_share) * tf.sigmoid(scores)
        of_candidates = targets * tf.math.softplus(-scores) + (1.0 - targets) * tf.math.softplus(
            scores
        )
        return tf.reduce_sum(of_candidates, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_share": self.label_share}


@dataclasses.dataclass(frozen=True)
class BootstrappedCrossEntropy(SampledObjective):
    """Soft bootstrapping: the target of a candidate is its label and what the model makes of it.

    -sum_{j = 0 … m} t_j log p_j + (1 - t_j) log(1 - p_j), t_j = share y_j + (1 - share) p_j

    (Reed et al. 2015, arXiv 1412.6596, Eq. 6, for yes or no.) What the model does not believe pulls
    less on it.

    Parameters
    ----------
    negatives, share_negatives
        m, 1 by default, and as in `SampledObjective`.
    label_share
        Of the label, from 0 to 1; 0.95 by default, as the authors have it.

    Raises
    ------
    ValueError
        If `label_share` is out of its range, or `negatives` below 1.
    """

    log_ratios: ClassVar[bool] = False
    label_share: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.label_share <= 1, "label_share", self.label_share, "be from 0 to 1")

    def loss(self, item_count: int) -> Any:
        return BootstrappedCrossentropy(self.label_share)
