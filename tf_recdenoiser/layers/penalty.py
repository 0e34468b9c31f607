"""A part of the loss that a layer adds while training."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, layers_of, replica_count
from tf_recdenoiser.layers.records import Recorder
from tf_recdenoiser.layers.sample import current_evaluation


class Penalty(keras.layers.Layer):
    """Called with a penalty, a scalar, adds it to the loss.

    A layer with a penalty has one of these, by which a train step finds the parts of the loss.

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
        evaluation = current_evaluation()
        if evaluation is not None and evaluation.is_of_step and replica_count() > 1:
            # Keras 3 has one list of added losses for all replicas, each in a thread of its own.
            evaluation.recorder.penalties.setdefault(self.part, []).append(penalty)
        else:
            self.add_loss(penalty)
        return penalty


def penalties_of(model: Any, recorder: Recorder) -> dict[str, list[tf.Tensor]]:
    """The penalties that the layers of `model` added in its latest call, by part of the loss.

    `recorder` is that of the evaluation in which it was called.
    """
    if replica_count() > 1:
        return recorder.penalties
    found: dict[str, list[tf.Tensor]] = {}
    for layer in layers_of(model):
        if isinstance(layer, Penalty):
            found.setdefault(layer.part, []).extend(layer.losses)
    return found
