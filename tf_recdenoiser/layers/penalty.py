"""A part of the loss that a layer adds while training."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, layers_of


class Penalty(keras.layers.Layer):
    """Called with a penalty, a scalar, adds it to the loss.

    A layer with a penalty has one of these, so that a train step can tell parts of the loss apart.

    Parameters
    ----------
    part
        The part of the loss: `"sparsity"` or `"jacobian"`.
    """

    def __init__(self, part: str, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.part = part
        self.built = True

    def call(self, penalty: tf.Tensor) -> tf.Tensor:
        self.add_loss(penalty)
        return penalty


def penalties_of(model: Any) -> dict[str, list[tf.Tensor]]:
    """The penalties that the layers of `model` added in its latest call, by part of the loss."""
    found: dict[str, list[tf.Tensor]] = {}
    for layer in layers_of(model):
        if isinstance(layer, Penalty):
            found.setdefault(layer.part, []).extend(layer.losses)
    return found
