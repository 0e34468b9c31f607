"""Gates of attended positions: one for each key, whoever asks."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.gates.base import Gates


@register
class KeyGates(Gates):
    """Phi_uv = phi_v: one logit for each attended position, shared by all rows and by all users.

    A position is open or shut in the whole layer, for every query at once. Such gates can be
    taken into the sum over keys before the query is known, so that they are what is left of the
    paper's gates in linear attention. In a causal model a gate answers for the losses of all
    positions from its own on.

    Parameters
    ----------
    kwargs
        See `Gates`: `beta`, `penalty`, `initial_keep`, `sharpness`, `inference`, `max_length`.

    Attributes
    ----------
    logits
        phi, `[1, m]`.

    Examples
    --------
    >>> gates = KeyGates(initial_keep=0.75, inference="expectation")
    >>> gates(tf.zeros([1, 2, 4]), tf.zeros([1, 2, 4])).numpy().round(2)
    array([[0.75, 0.75]], dtype=float32)
    """

    same_in_every_row: ClassVar[bool] = True

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        _, keys = self.longest(query_shape, key_shape)
        self.logits = self.add_weight(
            name="logits",
            shape=(1, keys),
            initializer=keras.initializers.Constant(self.initial_logit),
            trainable=True,
        )
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        return tf.convert_to_tensor(self.logits)
