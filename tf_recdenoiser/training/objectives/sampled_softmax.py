"""Cross-entropy over a sample of the catalogue, corrected for how it was drawn."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers.sampled_softmax import SampledLogProbability
from tf_recdenoiser.training.objectives.cross_entropy import LikelihoodObjective
from tf_recdenoiser.training.objectives.sampled import SampledObjective


@dataclasses.dataclass(frozen=True)
class SampledSoftmax(LikelihoodObjective, SampledObjective):
    """Cross-entropy whose sum over the catalogue is estimated from m draws.

    -log [ exp(s_x) / (exp(s_x) + (U_u / m) sum_{j = 1 … m} exp(s_j)) ]

    Negatives are drawn with replacement, uniformly from the U_u items that the user has not seen
    in training (see `layers.SampledLogProbability`). The true item is in the sample always and
    once; its score needs no correction.

    With every other item drawn once, and U = m = I - 1, it is `CrossEntropy`.

    Parameters
    ----------
    negatives
        m; 256 by default.
    share_negatives
        As in `SampledObjective`; True by default.
    noise_rate
        See `NoiseAwareObjective`: -log [(1 - rho) p(x) + rho q(x)], p(x) being what is
        estimated above.
    """

    negatives: int = 256
    share_negatives: bool = True

    def inputs(self, max_length: int) -> dict[str, Any]:
        counts = keras.Input([], dtype="int32", name="unseen_counts")
        return {**super().inputs(max_length), "unseen_counts": counts}

    def scores(self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]) -> Any:
        true, drawn = self.candidate_scores(backbone, hidden, inputs)
        scores = SampledLogProbability()(true, drawn, inputs["unseen_counts"])
        observed = self.mixture(backbone.item_count)
        if observed is not None:
            scores = observed(scores, inputs["positives"])
        return keras.layers.Reshape(scores.shape[1:2], name="scores", dtype="float32")(scores)

    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        x, y, weights = super().example(inputs, targets)
        return {**x, "unseen_counts": targets["unseen_counts"]}, y, weights
