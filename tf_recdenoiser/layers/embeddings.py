"""From item ids to the input vectors of a sequence encoder."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register


@register
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each position of items scaled by sqrt(d), as SASRec does.

    y = sqrt(d) x + P, with P in R^{n x d} (Kang and McAuley 2018, section 3.1, and its
    code for the scaling); padded positions become zero. The mask passes through.

    Parameters
    ----------
    scale
        Whether to multiply x by sqrt(d); True by default.

    Examples
    --------
    >>> tuple(PositionEmbedding()(tf.zeros([2, 5, 8])).shape)
    (2, 5, 8)
    """

    def __init__(self, scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.positions = self.add_weight(
            name="positions", shape=tuple(input_shape[1:]), initializer="uniform", trainable=True
        )
        self.built = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        factor = math.sqrt(inputs.shape[-1]) if self.scale else 1.0
        outputs = inputs * factor + tf.cast(self.positions, inputs.dtype)
        if mask is None:
            return outputs
        return outputs * tf.cast(mask, outputs.dtype)[..., tf.newaxis]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


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
