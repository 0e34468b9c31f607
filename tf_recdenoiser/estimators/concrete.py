"""Concrete and hard concrete: gates relaxed to the interval from 0 to 1."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_recdenoiser.estimators.base import PathwiseEstimator
from tf_recdenoiser.ops.checks import require

_STRETCH_LOW, _STRETCH_HIGH = -0.1, 1.1


@dataclasses.dataclass(frozen=True)
class Concrete(PathwiseEstimator):
    """sigma((log u - log(1 - u) + phi) / temperature).

    Maddison, Mnih and Teh (2017), arXiv 1611.00712. With `hard`, stretched to (-0.1, 1.1) and
    clipped to [0, 1], so that gates can be exactly 0 or 1 (hard concrete; Louizos, Welling
    and Kingma 2018, arXiv 1712.01312). Biased; one evaluation. The default temperature, 2/3,
    is the one both papers recommend.

    Examples
    --------
    >>> Concrete().gates(tf.zeros([1]), tf.constant([[0.5]]))[0].numpy()
    array([0.5], dtype=float32)
    """

    temperature: float = 2 / 3
    hard: bool = False

    def __post_init__(self) -> None:
        require(self.temperature > 0, "temperature", self.temperature, "be above 0")

    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Below the smallest step of float32 the logistic noise would be infinite.
        u = tf.clip_by_value(uniform[0], 1e-6, 1 - 1e-6)
        noise = tf.math.log(u) - tf.math.log1p(-u)
        relaxed = tf.sigmoid((noise + logits) / self.temperature)
        if not self.hard:
            return (relaxed,)
        stretched = relaxed * (_STRETCH_HIGH - _STRETCH_LOW) + _STRETCH_LOW
        return (tf.clip_by_value(stretched, 0.0, 1.0),)
