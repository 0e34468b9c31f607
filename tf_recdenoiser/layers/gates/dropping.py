"""What random gates without logits share: they drop parts of attention while training."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers.sample import noise_seed


class DroppingGates(keras.layers.Layer):
    """Base of the gates that are drawn with a fixed rate, and open when not training.

    They are the special case of the paper's gates in which whole matrices or heads are shut
    together and nothing is learned. As for `layers.Dropout`, the noise is the same in every
    evaluation of one step, and the Jacobian penalty is worked out without it. A subclass says in
    `draw` what is dropped.

    Parameters
    ----------
    rate
        Probability of dropping a part, in [0, 1); 0.1 by default.
    """

    same_in_every_row: ClassVar[bool] = True

    def __init__(self, rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1). Received: rate={rate}")
        self.rate = rate
        self.supports_masking = True

    def draw(self, num_heads: int, seed: tf.Tensor) -> tf.Tensor:
        """The gates of one batch, `[1 or H, 1, 1]`, from `seed`, integers `[2]`."""
        raise TypeError(f"{type(self).__name__} must define `draw`.")

    def kept(self, parts: int, seed: tf.Tensor) -> tf.Tensor:
        """For each of so many parts 1 with probability 1 - `rate`, else 0: `[parts, 1, 1]`."""
        uniform = tf.random.stateless_uniform([parts, 1, 1], seed)
        return tf.cast(uniform >= self.rate, tf.float32)

    def call(self, query: tf.Tensor, num_heads: int, training: bool | None = None) -> tf.Tensor:
        """The gates, broadcastable to attention weights `[B, H, n, m]`.

        Parameters
        ----------
        query
            Not looked at; a layer is called with a tensor.
        num_heads
            H.
        """
        everything_open = tf.ones([1, 1, 1])
        if not training:
            return everything_open
        seed = noise_seed()
        return everything_open if seed is None else self.draw(num_heads, seed)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: gates belong to pairs of positions."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
