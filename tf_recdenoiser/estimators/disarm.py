"""DisARM, also known as U2G."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser.estimators.arm import Arm, antithetic_gates
from tf_recdenoiser.estimators.base import as_float


@dataclasses.dataclass(frozen=True)
class DisArm(Arm):
    """1/2 (f(b) - f(b~)) (-1)^b~ 1[b != b~] sigma(|phi|).

    With b = 1[u > sigma(-phi)] and b~ = 1[u < sigma(phi)]. Dong, Mnih and Tucker (2020),
    arXiv 2006.10680: ARM with u integrated out given both gates, so never of more variance.
    Two evaluations.

    Examples
    --------
    >>> DisArm().gradient(tf.zeros([1]), tf.constant([[0.9]]), [1.0, 3.0]).numpy()
    array([0.5], dtype=float32)
    """

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        lower, mirrored = antithetic_gates(logits, uniform)
        loss_lower, loss_mirrored = losses
        differ = as_float(tf.not_equal(lower, mirrored), logits)
        sign = 1.0 - 2.0 * lower
        return 0.5 * (loss_mirrored - loss_lower) * sign * differ * tf.sigmoid(tf.abs(logits))
