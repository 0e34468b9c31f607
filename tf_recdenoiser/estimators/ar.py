"""AR: ARM with one evaluation of the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_recdenoiser.estimators.base import BaselineEstimator


@dataclasses.dataclass(frozen=True)
class Ar(BaselineEstimator):
    """f(1[u < sigma(phi)]) (1 - 2u).

    Eq. 11 of the paper. As printed its variance is a million times ARM's, because f is not
    centred; `use_baseline` (on by default) subtracts the running mean of f, which leaves the
    expectation as it is, since E[1 - 2u] = 0. Off, it is the literal form.

    Examples
    --------
    >>> Ar().gradient(tf.zeros([1]), tf.constant([[0.25]]), [2.0]).numpy()
    array([1.], dtype=float32)
    """

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        return losses[0] * (1.0 - 2.0 * uniform[0])
