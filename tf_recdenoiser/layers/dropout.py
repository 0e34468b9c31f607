"""Dropout whose noise is the same in every evaluation of one step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.sample import noise_seed, part_at_hand
from tf_recdenoiser.ops import dropout
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.ops.dropout import dropout_noise


@register
class Dropout(keras.layers.Layer):
    """Dropout that repeats its noise in every evaluation of the loss of one step.

    An estimator that compares two losses sees the difference between the gates alone; with
    noise of their own the gradient's variance was 8 to 17 times higher. Masks pass through.

    Parameters
    ----------
    rate
        Probability of dropping an entry, in [0, 1).

    Examples
    --------
    >>> Dropout(0.5)(tf.ones([2]), training=False).numpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require(0 <= rate < 1, "rate", rate, "be in [0, 1)")
        self.rate = rate
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        seed = noise_seed()
        if seed is None:
            return inputs
        return dropout(inputs, self.rate, seed, part_at_hand().start(tf.size(inputs)))

    def noise(
        self, shape: tf.Tensor, training: bool | None = None
    ) -> tuple[tf.Tensor | None, float]:
        """What entries of this shape are multiplied by, in two factors, as `ops.dropout_noise`."""
        seed = noise_seed() if training and self.rate > 0 else None
        if seed is None:
            return None, 1.0
        start = part_at_hand().start(tf.reduce_prod(shape))
        return dropout_noise(shape, self.rate, seed, self.compute_dtype, start)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
