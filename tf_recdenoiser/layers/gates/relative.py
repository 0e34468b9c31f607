"""Gates by distance: one for each offset between two positions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.gates.base import Gates, fixed_lengths


@register
class RelativeGates(Gates):
    """Phi_uv = phi_{u-v}: one logit for each offset, shared by all rows and by all users.

    phi has n + m - 1 entries, for the offsets from -(m-1) to n-1, which a causal model uses
    from 0 on. Each gate (u, v) is drawn by itself, and the gradients of those with one offset
    are summed: every row teaches the newest one, which alone recommends. What an offset costs is,
    by default, what its edges cost that are in use (`penalty="edges"`).

    Parameters
    ----------
    kwargs
        See `Gates`: `beta`, `penalty`, `initial_keep`, `sharpness`, `inference`.

    Attributes
    ----------
    logits
        phi, `[n + m - 1]`, by rising offset.

    Examples
    --------
    >>> gates = RelativeGates(inference="expectation")
    >>> gates.build((None, 2, 4))
    >>> gates.logits.assign([-100.0, 0.0, 100.0])  # the next position, the same, the last
    <...>
    >>> gates(tf.zeros([1, 2, 4]), tf.zeros([1, 2, 4])).numpy().round(2)
    array([[0.5, 0. ],
           [1. , 0.5]], dtype=float32)
    """

    default_penalty = "edges"

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        self.logits = add_offset_logits(self, query_shape, key_shape)
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        return by_offset(tf.convert_to_tensor(self.logits), tf.shape(query)[1], tf.shape(key)[1])


def add_offset_logits(layer: Gates, query_shape: Any, key_shape: Any) -> Any:
    """A new weight of `layer`: one logit for each offset, `[n + m - 1]`."""
    return layer.add_weight(
        name="logits",
        shape=(sum(fixed_lengths(query_shape, key_shape)) - 1,),
        initializer=keras.initializers.Constant(layer.initial_logit),
        trainable=True,
    )


def by_offset(values: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """`[n, m]` with the value of the offset u - v at (u, v), from `[n + m - 1]`.

    Examples
    --------
    >>> by_offset(tf.constant([-1.0, 0.0, 1.0, 2.0]), 3, 2).numpy()
    array([[ 0., -1.],
           [ 1.,  0.],
           [ 2.,  1.]], dtype=float32)
    """
    offsets = tf.range(rows)[:, tf.newaxis] - tf.range(columns)
    # The product makes the gradient dense: optimizers let unused rows of a sparse one drift.
    return tf.gather(1.0 * values, offsets + columns - 1)
