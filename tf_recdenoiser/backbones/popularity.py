"""Popularity: the same items for everybody, those that occur most often."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    model_inputs,
    scored_table,
)
from tf_recdenoiser.backbones.sasrec import SASRec


@register
class Popularity(Backbone):
    """What every table should start with: items by how often they occur in training.

    Item i, which occurs c_i times where the average item occurs c times, scores

        log((c_i + 1) / (c + 1))

    whatever the history. So scores are those that make binary cross-entropy with one negative
    least, and by their softmax items are as probable as they are popular, but for the ones
    added, which keep an item that does not occur in training from being ruled out. The output is 1,
    `[B, n, 1]`. It has no trained weights, only the counts (`adapt`).

    Parameters
    ----------
    item_count, max_length
        As `SASRec` takes them.

    Examples
    --------
    >>> encoder = Popularity(item_count=3, max_length=4)
    >>> encoder.adapt(np.array([0, 1, 7, 1]))
    >>> encoder.item_vectors().numpy()[1:, 0].round(3)
    array([-0.693,  0.693, -0.693], dtype=float32)
    """

    causal = True
    gated = False

    def __init__(
        self,
        item_count: int,
        max_length: int = default(SASRec, "max_length"),
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(max_length)
        items = scored_table(item_count, 1, "zeros")
        items.trainable = False
        super().__init__(inputs=inputs, outputs=One(name="one")(inputs["item_ids"]), name=name)
        self._set(items)

    def adapt(self, counts: np.ndarray) -> None:
        """Take the scores from how often each item occurs, `[item_count + 1]`; row 0 is none."""
        counts = np.asarray(counts, np.float64)
        scores = np.log((counts + 1) / (counts[1:].mean() + 1)) * (np.arange(len(counts)) > 0)
        self.item_embedding.set_weights([scores[:, np.newaxis]])


@register
class One(keras.layers.Layer):
    """The vector [1] at each position, `[B, n, 1]`, whatever the ids `[B, n]`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.ones_like(inputs, self.compute_dtype)[..., tf.newaxis]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, 1)
