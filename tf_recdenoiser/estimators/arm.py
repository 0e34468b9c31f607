"""ARM: augment, REINFORCE, merge."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser.estimators.base import Estimator, as_float


def antithetic_gates(logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """1[u < sigma(logits)] and its mirror image 1[u > sigma(-logits)], with one shared u."""
    u = uniform[0]
    return as_float(u < tf.sigmoid(logits), logits), as_float(u > tf.sigmoid(-logits), logits)


@dataclasses.dataclass(frozen=True)
class Arm(Estimator):
    """(f(1[u > sigma(-phi)]) - f(1[u < sigma(phi)])) (u - 1/2).

    Yin and Zhou (2019), arXiv 1807.11143; Eq. 10 of the paper, whose bracket is the
    difference of both losses. Two evaluations.

    Examples
    --------
    >>> Arm().gradient(tf.zeros([1]), tf.constant([[0.9]]), [1.0, 3.0]).numpy().round(2)
    array([0.8], dtype=float32)
    """

    @property
    def evaluations(self) -> int:
        return 2

    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return antithetic_gates(logits, uniform)

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        lower, mirrored = losses
        return (mirrored - lower) * (uniform[0] - 0.5)
