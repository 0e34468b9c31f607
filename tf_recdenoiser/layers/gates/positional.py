"""The paper's gates: one for each pair of positions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.gates.base import Gates
from tf_recdenoiser.ops.checks import require


@register
class PositionalGates(Gates):
    """Phi in R^{n x m}, one logit for each pair of positions, shared by all users (Eq. 7).

    Parameters
    ----------
    num_heads
        None (default, the paper's): one matrix for all heads. A number H: one for each head.
    kwargs
        See `Gates`: `beta`, `penalty`, `initial_keep`, `sharpness`, `inference`, `max_length`.

    Examples
    --------
    >>> gates = PositionalGates(initial_keep=0.75, inference="expectation")
    >>> gates(tf.zeros([1, 2, 4]), tf.zeros([1, 2, 4])).numpy().round(2)
    array([[0.75, 0.75],
           [0.75, 0.75]], dtype=float32)

    Sequences of any length up to one:

    >>> gates = PositionalGates(max_length=50)
    >>> [tuple(gates(x, x).shape) for x in (tf.zeros([1, 12, 4]), tf.zeros([1, 7, 4]))]
    [(12, 12), (7, 7)]
    """

    def __init__(self, num_heads: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        holds = num_heads is None or num_heads >= 1
        require(holds, "num_heads", num_heads, "be None or at least 1")
        self.num_heads = num_heads

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        lengths = self.longest(query_shape, key_shape)
        shape = lengths if self.num_heads is None else (self.num_heads, *lengths)
        self.logits = self.add_weight(
            name="logits",
            shape=shape,
            initializer=keras.initializers.Constant(self.initial_logit),
            trainable=True,
        )
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        return tf.convert_to_tensor(self.logits)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}
