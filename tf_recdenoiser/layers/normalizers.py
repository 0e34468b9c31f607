"""How the scores of attention become weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops import entmax, entmax15, sparsemax
from tf_recdenoiser.ops.softmax import visible_softmax

# The gradient in alpha grows without bound towards 1, where the softmax lies.
_LEAST_ALPHA = 1.01


@register
class LearnedEntmax(keras.layers.Layer):
    """Alpha-entmax with a learned alpha = 1 + sigma(a) for each head, in (1, 2).

    Correia, Niculae and Martins 2019, arXiv 1909.00015. It starts at 1.5, and is kept above 1.01.
    Called with scores `[B, H, n, m]` and a mask that is broadcast to them, or None.

    Attributes
    ----------
    alpha_logits
        a, `[H, 1, 1]`.

    Examples
    --------
    >>> LearnedEntmax()(tf.constant([[[[1.0, 1.0, -9.0]]]])).numpy().round(3)
    array([[[[0.5, 0.5, 0. ]]]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        # In a narrow type alpha could not move; scores are cast where they are used.
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.supports_masking = True

    def build(self, scores_shape: Any) -> None:
        self.alpha_logits = self.add_weight(
            name="alpha_logits", shape=(scores_shape[1], 1, 1), initializer="zeros", trainable=True
        )
        self.built = True

    @property
    def alpha(self) -> tf.Tensor:
        """Of each head, `[H, 1, 1]`."""
        logits = tf.convert_to_tensor(self.alpha_logits)
        return tf.maximum(1.0 + tf.sigmoid(logits), _LEAST_ALPHA)

    def call(self, scores: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        return entmax(scores, self.alpha, visible)


Normalizer = Callable[[tf.Tensor, "tf.Tensor | None"], tf.Tensor]

NORMALIZERS: dict[str, Callable[[], Normalizer]] = {
    "softmax": lambda: visible_softmax,
    "entmax15": lambda: entmax15,
    "sparsemax": lambda: sparsemax,
    "entmax": LearnedEntmax,
}
"""What makes each function, or layer, from scores `[B, H, n, m]` and a mask to weights."""
