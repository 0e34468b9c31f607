"""Gates of history items, by how they go with the rest of the history."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.gates.base import LARGEST_LOGIT
from tf_recdenoiser.layers.gates.low_rank import LowRankGates, unit


@register
class ItemGates(LowRankGates):
    """Phi_buv = c + (x_bv W_1) · (m_buv W_2): how item v goes with what else u sees.

    x are the attention's inputs, divided by their lengths, and m_buv is the mean of x over the
    items other than v that position u sees: those up to u in a causal model, all in another.
    Where there is no other, m is 0. A position's own item, v = u, is always open. The logits
    are `[B, 1, n, n]`. For self-attention alone.

    A backbone has one such layer, whose gates all blocks use: x are the items' vectors there.

    Parameters
    ----------
    kwargs
        See `LowRankGates`: `rank`; and `Gates`: `beta`, `penalty`, `initial_keep`,
        `sharpness`, `inference`.

    Attributes
    ----------
    constant
        c, a scalar.

    Examples
    --------
    >>> gates = ItemGates(initial_keep=0.75, inference="expectation")
    >>> x = tf.random.normal([3, 2, 4])
    >>> gates(x, x).numpy().round(2)[0]
    array([[[1.  , 0.75],
            [0.75, 1.  ]]], dtype=float32)
    """

    shared: ClassVar[bool] = True
    default_estimator = "straight_through"
    # A sparsity weight makes them drop redundant items before noise (`benchmarks/RESULTS.md`).
    sparse_by_default = False

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        _check_lengths(*self.longest(query_shape, key_shape))
        self.constant = self.add_weight(
            name="constant",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_logit),
            trainable=True,
        )
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        _check_lengths(query.shape[1], key.shape[1])
        items = unit(key)
        sees = tf.cast(visible, tf.float32)
        # W_2 is applied before the mean, which then is of vectors of width `rank`.
        candidates, context = self.projected(items, items)
        of_all = tf.matmul(candidates, tf.matmul(sees, context), transpose_b=True)
        of_itself = tf.reduce_sum(candidates * context, axis=-1)[:, tf.newaxis]
        agreement = tf.linalg.matrix_transpose(of_all) - sees * of_itself
        others = tf.reduce_sum(sees, axis=-1, keepdims=True) - sees
        logits = self.constant + tf.math.divide_no_nan(agreement, others)
        opened = tf.fill(tf.shape(logits)[:-1], LARGEST_LOGIT / self.sharpness)
        return tf.linalg.set_diag(logits, opened)[:, tf.newaxis]


def _check_lengths(queries: int | None, keys: int | None) -> None:
    if queries != keys:
        raise ValueError(
            "Item gates are for self-attention, in which queries and keys are the same "
            f"positions. Received: {queries} queries and {keys} keys"
        )
