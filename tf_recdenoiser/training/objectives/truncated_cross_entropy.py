"""Binary cross-entropy without the true items that cost most."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class TruncatedCrossentropy(keras.losses.Loss):
    """-log sigma(s_0) - sum over c >= 1 of log(1 - sigma(s_c)), the first part only of some.

    Of the N valid positions of a batch, the first part of those floor(eps N) counts for nothing
    whose candidate 0, the true one, costs most; of equals all count.

    `y_true` `[B, n]` is 1 + eps at valid positions, eps being the same for all, and 0 at others.
    `y_pred` are scores `[B, n, C]`.

    Examples
    --------
    >>> scores = tf.constant([[[0.0, -99.0], [1.0, -99.0]]])
    >>> TruncatedCrossentropy().call(tf.fill([1, 2], 1.5), scores).numpy().round(3)
    array([[0.   , 0.313]], dtype=float32)
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        of_true = tf.math.softplus(-true[..., 0])
        y_true = tf.cast(y_true, tf.float32)
        valid = y_true >= 1.0
        count = tf.reduce_sum(tf.cast(valid, tf.float32))
        # A little more than eps N, since a product such as 0.29 * 100 may fall short of 29.
        dropped = tf.cast((tf.reduce_max(y_true) - 1.0) * count + 1e-4, tf.int32)
        costs = tf.sort(tf.reshape(tf.where(valid, of_true, -1.0), [-1]), direction="DESCENDING")
        most = costs[tf.clip_by_value(dropped, 0, tf.size(costs) - 1)]
        kept = tf.where(valid & (of_true > most), 0.0, of_true)
        return kept + tf.reduce_sum(tf.math.softplus(others), axis=-1)


@dataclasses.dataclass(frozen=True)
class TruncatedCrossEntropy(SampledObjective):
    """T-CE, the truncated loss of "Denoising Implicit Feedback for Recommendation".

    -[kept] log sigma(s_x) - sum_{j = 1 … m} log(1 - sigma(s_j))

    (Wang et al., WSDM 2021, arXiv 2006.04153.) In each batch the share eps of the true items that
    cost most is taken for noise. eps grows from 0 to `drop_rate` over the first `gradual_epochs`,
    since at first a model finds everything hard.

    Gates are trained as if what is taken for noise did not depend on them.

    Parameters
    ----------
    negatives, share_negatives
        m, 1 by default, and as in `SampledObjective`.
    drop_rate
        The share that eps comes to, from 0 to below 1; 0.1 by default.
    gradual_epochs
        Over how many epochs it grows, above 0; 10 by default.

    Raises
    ------
    ValueError
        If one of them is out of its range.
    """

    log_ratios: ClassVar[bool] = False
    drop_rate: float = 0.1
    gradual_epochs: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.drop_rate < 1, "drop_rate", self.drop_rate, "be from 0 to below 1")
        require(self.gradual_epochs > 0, "gradual_epochs", self.gradual_epochs, "be above 0")

    def loss(self, item_count: int) -> Any:
        return TruncatedCrossentropy()

    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        x, _, weights = super().example(inputs, targets)
        grown = tf.minimum(tf.cast(targets["epoch"], tf.float32) / self.gradual_epochs, 1.0)
        valid = tf.cast(weights > 0, tf.float32)
        return x, valid * (1.0 + self.drop_rate * grown)[:, tf.newaxis], weights
