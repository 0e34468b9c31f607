"""Gates of each sequence's own pairs of positions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import register
from tf_recdenoiser.layers.gates.low_rank import LowRankGates, unit
from tf_recdenoiser.layers.gates.relative import add_offset_logits, logits_by_offset


@register
class PairwiseGates(LowRankGates):
    """Phi_buv = phi_{u-v} + (q_bu W_1) · (k_bv W_2): a gate for each pair of each sequence.

    q and k are the attention's inputs at the querying and the attended position, divided by
    their lengths; phi is as in `RelativeGates`. The logits are `[B, 1, n, m]`.

    Parameters
    ----------
    kwargs
        See `LowRankGates`: `rank`; and `Gates`: `beta`, `penalty`, `initial_keep`,
        `sharpness`, `inference`, `max_length`.

    Attributes
    ----------
    logits
        phi, `[n + m - 1]`, by rising offset.

    Examples
    --------
    >>> gates = PairwiseGates(initial_keep=0.75, inference="expectation")
    >>> x = tf.random.normal([3, 2, 4])
    >>> gates(x, x).numpy().round(2)[0]
    array([[[0.75, 0.75],
            [0.75, 0.75]]], dtype=float32)
    """

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        self.logits = add_offset_logits(self, query_shape, key_shape)
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        queries, keys = self.projected(unit(query), unit(key))
        position = logits_by_offset(self, tf.shape(query)[1], tf.shape(key)[1])
        return (position + tf.matmul(queries, keys, transpose_b=True))[:, tf.newaxis]
