"""Scores of what is observed where some of it is noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops.checks import require


@register
class NoiseMixture(keras.layers.Layer):
    """log [(1 - rho) exp(s_i) + rho exp(c) I q(i)]: an item's score where noise may have put it.

    With s_i the log ratio of a user's own choice to a uniform distribution, up to a constant c,
    this is the log ratio of what is observed, a share rho of which is noise, drawn from q whatever
    came before. A model trained on these scores need not explain what noise explains better, and
    its own s_i are those of users' choices.

    Called with scores `[B, n, C]` or `[B, n]` and the ids of the items scored, in the same shape
    or, where the positions of a sequence share them, `[B, C]`; returns float32 in the scores'
    shape.

    Parameters
    ----------
    rate
        rho, in [0, 1).
    item_count
        I.
    offset
        c: s_i of an item that is as probable as in a uniform distribution; 0 by default.

    Attributes
    ----------
    log_distribution
        log I q(i), `[I + 1]`, 0 at first: q is uniform until `assume` says otherwise.

    Examples
    --------
    >>> mixture = NoiseMixture(rate=0.5, item_count=2)
    >>> mixture(tf.math.log([[[3.0, 1.0]]]), tf.constant([[[1, 2]]])).numpy().round(3)
    array([[[0.693, 0.   ]]], dtype=float32)
    """

    def __init__(self, rate: float, item_count: int, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        require(0 <= rate < 1, "rate", rate, "be in [0, 1)")
        self.rate, self.item_count, self.offset = rate, item_count, offset
        self.supports_masking = True
        self.log_distribution = self.add_weight(
            name="log_distribution", shape=(item_count + 1,), initializer="zeros", trainable=False
        )

    def assume(self, shares: np.ndarray) -> None:
        """Noise is item i with probability `shares[i]` / I; `[I + 1]`, above 0 but for padding."""
        self.log_distribution.assign(np.log(np.maximum(shares, np.finfo(np.float32).tiny)))

    def call(self, scores: tf.Tensor, item_ids: tf.Tensor) -> tf.Tensor:
        scores = tf.cast(scores, tf.float32)
        if self.rate == 0:
            return scores
        of_noise = tf.gather(tf.convert_to_tensor(self.log_distribution), item_ids)
        if of_noise.shape.rank < scores.shape.rank:
            of_noise = of_noise[:, tf.newaxis]
        clean_probability = math.log(1 - self.rate) + scores
        noise = math.log(self.rate) + self.offset + of_noise
        return clean_probability + tf.math.softplus(noise - clean_probability)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: which positions count is said by the sample weights."""

    def compute_output_shape(self, scores_shape: Any, item_ids_shape: Any = None) -> Any:
        return scores_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "item_count": self.item_count,
            "offset": self.offset,
        }
