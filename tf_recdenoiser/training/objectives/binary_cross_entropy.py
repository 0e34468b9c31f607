"""Binary cross-entropy with sampled negatives."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers import CandidateScores
from tf_recdenoiser.training.objectives.base import Objective


@register
class CandidateCrossentropy(keras.losses.Loss):
    """-log sigma(s_0) - sum over c >= 1 of log(1 - sigma(s_c)): candidate 0 is the true one.

    `y_true` is the number of the true candidate, `[B, n]` (always 0 here); `y_pred` are
    scores `[B, n, C]`.

    Examples
    --------
    >>> loss = CandidateCrossentropy().call(tf.zeros([1, 1]), tf.zeros([1, 1, 2]))
    >>> loss.numpy().round(3)
    array([[1.386]], dtype=float32)
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        scores = tf.cast(y_pred, tf.float32)
        truth = tf.one_hot(tf.cast(y_true, tf.int32), tf.shape(scores)[-1])
        losses = tf.nn.sigmoid_cross_entropy_with_logits(truth, scores)
        return tf.reduce_sum(losses, axis=-1)


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(Objective):
    """The objective of SASRec and of the paper (Eq. 6): each true item against m unseen ones.

    Parameters
    ----------
    negatives
        m; 1 by default, as in SASRec.
    """

    negatives: int = 1

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise ValueError(
                f"`negatives` must be at least 1. Received: negatives={self.negatives}"
            )

    def inputs(self, max_length: int) -> dict[str, Any]:
        shape = [max_length, 1 + self.negatives]
        return {"candidates": keras.Input(shape, dtype="int32", name="candidates")}

    def scores(self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]) -> Any:
        vectors = backbone.item_embedding(inputs["candidates"])
        return CandidateScores(name="scores", dtype="float32")(hidden, vectors)

    @property
    def loss(self) -> Any:
        return CandidateCrossentropy()

    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        positives = targets["positives"]
        candidates = tf.concat([positives[..., tf.newaxis], targets["negatives"]], axis=-1)
        inputs = {**inputs, "candidates": candidates}
        return inputs, tf.zeros_like(positives), targets["weights"]
