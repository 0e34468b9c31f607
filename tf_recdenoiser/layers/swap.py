"""Stochastic shared embeddings as a layer."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.sample import noise_seed, part_at_hand
from tf_recdenoiser.ops import swap
from tf_recdenoiser.ops.checks import require


@register
class Swap(keras.layers.Layer):
    """Replaces ids by others at random while training (`ops.swap`), before they are looked up.

    As `Dropout`, it does the same in every evaluation of the loss of one step.

    Parameters
    ----------
    rate
        Probability of replacing an id, in [0, 1].
    count
        The highest id; 0 is padding and stays.

    Examples
    --------
    >>> Swap(1.0, count=1)(tf.constant([0, 3, 5]), training=True).numpy()
    array([0, 1, 1], dtype=int32)
    """

    def __init__(self, rate: float, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require(0 <= rate <= 1, "rate", rate, "be in [0, 1]")
        self.rate = rate
        self.count = count

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        seed = noise_seed()
        if seed is None:
            return inputs
        start = part_at_hand().start(tf.size(inputs))
        return swap(inputs, self.rate, self.count, seed, start)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "count": self.count}
