"""RLOO: REINFORCE with a leave-one-out baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser.estimators.base import Estimator, as_float


@dataclasses.dataclass(frozen=True)
class Rloo(Estimator):
    """1/K sum_k (f(b_k) - mean_{j != k} f(b_j)) (b_k - sigma(phi)), for K independent b_k.

    Kool, van Hoof and Welling (2019). K = `samples` evaluations, at least two.

    Examples
    --------
    >>> uniform = tf.constant([[0.25], [0.75]])
    >>> Rloo().gradient(tf.zeros([1]), uniform, [2.0, 1.0]).numpy()
    array([0.5], dtype=float32)
    """

    samples: int = 2

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ValueError(
                "`samples` must be at least 2, since each sample's baseline is the mean of "
                f"the others. Received: samples={self.samples}"
            )

    @property
    def evaluations(self) -> int:
        return self.samples

    @property
    def uniforms(self) -> int:
        return self.samples

    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        probability = tf.sigmoid(logits)
        return tuple(as_float(uniform[k] < probability, logits) for k in range(self.samples))

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        mean = sum(losses) / self.samples
        # f_k minus the mean of the others is K / (K - 1) times f_k minus the mean of all.
        scale = 1.0 / (self.samples - 1)
        score = [gates - tf.sigmoid(logits) for gates in self.gates(logits, uniform)]
        return scale * sum((f - mean) * s for f, s in zip(losses, score, strict=True))
