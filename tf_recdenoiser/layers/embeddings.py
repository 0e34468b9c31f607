"""From item ids to the input vectors of a sequence encoder."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.place import check_length, length_of
from tf_recdenoiser.ops.checks import require


@register
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each position of items scaled by sqrt(d), as SASRec does.

    y = sqrt(d) x + P, with P in R^{n x d} (Kang and McAuley 2018, section 3.1, and its
    code for the scaling); padded positions become zero. The mask passes through.

    Parameters
    ----------
    scale
        Whether to multiply x by sqrt(d); True by default.
    max_length
        n of P, where the length of sequences is not known when the layer is built or later ones
        are longer; shorter ones have the last positions. None (default): the length then.

    Examples
    --------
    >>> tuple(PositionEmbedding()(tf.zeros([2, 5, 8])).shape)
    (2, 5, 8)
    """

    def __init__(self, scale: bool = True, max_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        fits = max_length is None or max_length >= 1
        require(fits, "max_length", max_length, "be None or at least 1")
        self.max_length = max_length
        self.scale = scale
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        length, hidden_dim = input_shape[1:]
        longest = length if self.max_length is None else self.max_length
        rule = "be the length of the longest sequences, where their length varies"
        require(longest is not None, "max_length", self.max_length, rule)
        self.positions = self.add_weight(
            name="positions", shape=(longest, hidden_dim), initializer="uniform", trainable=True
        )
        self.built = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        factor = math.sqrt(inputs.shape[-1]) if self.scale else 1.0
        positions = tf.cast(self.positions, inputs.dtype)
        length, longest = length_of(inputs), positions.shape[0]
        if not isinstance(length, int) or length != longest:
            check_length(length, longest, "position vectors")
            positions = positions[-length:]
        outputs = inputs * factor + positions
        if mask is None:
            return outputs
        return outputs * tf.cast(mask, outputs.dtype)[..., tf.newaxis]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "max_length": self.max_length}


@register
class AppendOne(keras.layers.Layer):
    """`[..., d]` to `[..., d + 1]`: appends a 1, which multiplies a bias in the other vector.

    So scores with a bias are inner products. The mask passes through.

    Examples
    --------
    >>> AppendOne()(tf.zeros([1, 2])).numpy()
    array([[0., 0., 1.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.concat([inputs, tf.ones_like(inputs[..., :1])], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], input_shape[-1] + 1)
