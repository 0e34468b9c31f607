"""Gates by distance: one for each offset between two positions."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.gates.base import Gates

_LENGTH = 128


@register
class RelativeGates(Gates):
    """Phi_uv = phi_{u-v}: one logit for each offset, shared by all rows and by all users.

    phi has n + m - 1 entries, for the offsets from -(m-1) to n-1, which a causal model uses
    from 0 on. Each gate (u, v) is drawn by itself, and the gradients of those with one offset
    are summed: every row teaches the newest one, which alone recommends. What an offset costs is,
    by default, what its edges cost that are in use (`penalty="edges"`).

    Sequences may be of any length: larger offsets than those have the logit of the largest. Where
    no length is known, n and m are 128.

    Parameters
    ----------
    kwargs
        See `Gates`: `beta`, `penalty`, `initial_keep`, `sharpness`, `inference`, `max_length`.

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

    any_length: ClassVar[bool] = True
    default_penalty = "edges"

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        self.logits = add_offset_logits(self, query_shape, key_shape)
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        return logits_by_offset(self, *tf.unstack(tf.shape(visible)[1:]))


def add_offset_logits(layer: Gates, query_shape: Any, key_shape: Any) -> Any:
    """A new weight of `layer`: one logit for each offset, `[n + m - 1]`."""
    queries, keys = (length or _LENGTH for length in layer.longest(query_shape, key_shape))
    return layer.add_weight(
        name="logits",
        shape=(queries + keys - 1,),
        initializer=keras.initializers.Constant(layer.initial_logit),
        trainable=True,
    )


def logits_by_offset(layer: Any, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """`[n, m]` of the offset logits of `layer`, which is built."""
    keys = layer.lengths[1] or _LENGTH
    return by_offset(tf.convert_to_tensor(layer.logits), rows, columns, keys - 1)


def by_offset(values: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, zero: int) -> tf.Tensor:
    """`[n, m]` with the value of the offset u - v at (u, v); that of offset 0 is number `zero`.

    Offsets beyond the first and the last have the value of these.

    Examples
    --------
    >>> by_offset(tf.constant([-1.0, 0.0, 1.0, 2.0]), 4, 2, zero=1).numpy()
    array([[ 0., -1.],
           [ 1.,  0.],
           [ 2.,  1.],
           [ 2.,  2.]], dtype=float32)
    """
    offsets = tf.range(rows)[:, tf.newaxis] - tf.range(columns)
    places = tf.clip_by_value(offsets + zero, 0, tf.shape(values)[0] - 1)
    # The product makes the gradient dense: optimizers let unused rows of a sparse one drift.
    return tf.gather(1.0 * values, places)
