"""Binary cross-entropy in which what the model doubts counts less."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.training.objectives.sampled import SampledObjective, true_and_others


@register
class ReweightedCrossentropy(keras.losses.Loss):
    """-p_0^a log p_0 - sum over c >= 1 of (1 - p_c)^a log(1 - p_c), with p_c = sigma(s_c).

    Candidate 0 is the true one. The powers are weights, through which no gradient flows. `y_true`
    is not looked at; `y_pred` are scores `[B, n, C]`.

    Parameters
    ----------
    exponent
        a, at least 0; with 0 it is `CandidateCrossentropy`. 0.25 by default.

    Examples
    --------
    >>> loss = ReweightedCrossentropy(exponent=1.0).call(tf.zeros([1, 1]), tf.zeros([1, 1, 2]))
    >>> loss.numpy().round(3)
    array([[0.693]], dtype=float32)
    """

    def __init__(self, exponent: float = 0.25, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exponent = exponent

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, others = true_and_others(y_pred)
        # log p of what is right: of candidate 0 that it is true, of the others that they are not.
        right = tf.concat([-tf.math.softplus(-true), -tf.math.softplus(others)], axis=-1)
        weights = tf.stop_gradient(tf.exp(self.exponent * right))
        return 0.0 - tf.reduce_sum(weights * right, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "exponent": self.exponent}


@dataclasses.dataclass(frozen=True)
class ReweightedCrossEntropy(SampledObjective):
    """R-CE, the reweighted loss of "Denoising Implicit Feedback for Recommendation".

    -p^a log p - sum_{j = 1 … m} (1 - p_j)^a log(1 - p_j), with p = sigma(s)

    (Wang et al., WSDM 2021, arXiv 2006.04153.) What the model does not believe counts less, since
    what is noise is hard to believe; so does what is true and hard.

    Parameters
    ----------
    negatives, share_negatives
        m, 1 by default, and as in `SampledObjective`.
    exponent
        a, at least 0; 0.25 by default, as the authors have it for one of their logs.

    Raises
    ------
    ValueError
        If `exponent` is negative, or `negatives` below 1.
    """

    log_ratios: ClassVar[bool] = False
    exponent: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.exponent >= 0, "exponent", self.exponent, "be at least 0")

    def loss(self, item_count: int) -> Any:
        return ReweightedCrossentropy(self.exponent)
