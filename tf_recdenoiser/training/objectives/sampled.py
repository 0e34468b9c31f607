"""What the objectives have in common that set a true item against drawn ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers.scores import CandidateScores
from tf_recdenoiser.training.objectives.base import Objective


def true_and_others(scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The scores `[B, n, 1 + m]` of the true item, `[B, n, 1]`, and of the others, in float32."""
    # Not by slices: the gradient of a split is one copy, and theirs two and a sum.
    true, others = tf.split(tf.cast(scores, tf.float32), [1, -1], axis=-1)
    return true, others


@dataclasses.dataclass(frozen=True)
class SampledObjective(Objective):
    """Each true item against m that the user has not seen, drawn uniformly.

    Scores are `[B, n, 1 + m]`, the true item's first.

    Parameters
    ----------
    negatives
        m.
    share_negatives
        Draw m items for each sequence, which all its positions share, rather than for each
        position. Every position still sees m uniform draws, so the expected loss is the same;
        but the draws of a sequence's positions are no longer independent. Scores are then a
        matrix product, and for many negatives the only affordable way: for B = 128, n = 50,
        m = 256 and d = 50 their vectors take 7 MB and not 330.

    Raises
    ------
    ValueError
        If `negatives` is below 1.
    """

    negatives: int = 1
    share_negatives: bool = False

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise ValueError(
                f"`negatives` must be at least 1. Received: negatives={self.negatives}"
            )

    def inputs(self, max_length: int) -> dict[str, Any]:
        drawn = [self.negatives] if self.share_negatives else [max_length, self.negatives]
        return {
            "positives": keras.Input([max_length, 1], dtype="int32", name="positives"),
            "negatives": keras.Input(drawn, dtype="int32", name="negatives"),
        }

    def candidate_scores(
        self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """The model's scores of the true items, `[B, n, 1]`, and of those drawn, `[B, n, m]`."""
        return tuple(
            CandidateScores(dtype="float32")(hidden, backbone.item_embedding(inputs[name]))
            for name in ("positives", "negatives")
        )

    def scores(self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]) -> Any:
        true, drawn = self.candidate_scores(backbone, hidden, inputs)
        observed = self.mixture(backbone.item_count)
        if observed is not None:
            true = observed(true, inputs["positives"])
            drawn = observed(drawn, inputs["negatives"])
        return keras.layers.Concatenate(name="scores", dtype="float32")([true, drawn])

    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        positives = targets["positives"]
        drawn = {"positives": positives[..., tf.newaxis], "negatives": targets["negatives"]}
        return {**inputs, **drawn}, tf.zeros_like(positives), targets["weights"]
