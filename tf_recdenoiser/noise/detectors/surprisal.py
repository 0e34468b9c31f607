"""Detection by surprisal: which items a recommender of other users did not expect."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.data import Histories
from tf_recdenoiser.layers.catalogue import CatalogueLogProbability
from tf_recdenoiser.noise.detectors.density_ratio import DensityRatioModel
from tf_recdenoiser.noise.network import judging
from tf_recdenoiser.training.recommender import Recommender


def next_item_log_ratios(
    backbone: Backbone, before: dict[str, tf.Tensor], item_ids: tf.Tensor, log_ratios: bool
) -> tf.Tensor:
    """Log p(x | items before) / q(x) of each item x up to a constant, q uniform: `[B, n]`.

    Parameters
    ----------
    backbone
        Causal, so that its score of an item does not know it.
    before
        The backbone's inputs: in each place what stands one place before.
    item_ids
        The items, `[B, n]`.
    log_ratios
        Whether scores are such log ratios as they are; see `Objective`. Otherwise a softmax
        over all items makes them so.
    """
    hidden = backbone(before, training=False)
    table = backbone.item_vectors()
    if log_ratios:
        return tf.reduce_sum(tf.cast(hidden, tf.float32) * tf.gather(table, item_ids), axis=-1)
    return CatalogueLogProbability(dtype="float32")(hidden, table[1:], item_ids)


@register
class SurprisalFeatures(keras.layers.Layer):
    """Features `[B, n, 3]` of each candidate of `candidates` `[B, n]` in its place of `item_ids`.

    The candidate's log ratio by what a recommender makes of the items before it
    (`next_item_log_ratios`), and the logs of its count and of the number of items before it.

    Parameters
    ----------
    backbone
        The recommender's: causal, and a reader of items alone. It is not trained.
    log_ratios
        See `next_item_log_ratios`.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> layer = SurprisalFeatures(SASRec(item_count=9, max_length=3, hidden_dim=4), log_ratios=True)
    >>> ids = tf.constant([[0, 3, 7]])
    >>> layer(ids, ids).shape
    TensorShape([1, 3, 3])
    """

    def __init__(self, backbone: Backbone, log_ratios: bool, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        backbone.trainable = False
        self.backbone = backbone
        self.log_ratios = log_ratios
        self._counts = self.add_weight(
            name="counts", shape=(backbone.item_count + 1,), initializer="zeros", trainable=False
        )

    def remember(self, counts: np.ndarray) -> None:
        """Set the counts `[I + 1]` of the items."""
        self._counts.assign(tf.cast(counts, tf.float32))

    def call(self, item_ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        before = tf.pad(item_ids[:, :-1], [[0, 0], [1, 0]])
        found = next_item_log_ratios(
            self.backbone, {"item_ids": before}, candidates, self.log_ratios
        )
        counts = tf.gather(tf.convert_to_tensor(self._counts), candidates)
        earlier = tf.cumsum(tf.cast(before > 0, tf.float32), axis=1)
        return tf.stack([found, tf.math.log1p(counts), tf.math.log1p(earlier)], axis=-1)

    def compute_output_shape(self, item_ids_shape: Any, candidates_shape: Any = None) -> Any:
        return (*item_ids_shape, 3)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "backbone": keras.utils.serialize_keras_object(self.backbone),
            "log_ratios": self.log_ratios,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SurprisalFeatures:
        config = dict(config)
        return cls(keras.utils.deserialize_keras_object(config.pop("backbone")), **config)


def build_surprisal_detector(recommender: Recommender, counts: np.ndarray) -> Any:
    """An untrained detector of noise, as `build_detector` makes one, of a recommender's surprisal.

    Parameters
    ----------
    recommender
        Trained, with a causal backbone that reads items alone. The detector holds this backbone,
        which from here on cannot be trained.
    counts
        How often each item occurs, `[I + 1]`.
    """
    backbone = recommender.backbone
    features = SurprisalFeatures(backbone, recommender.objective.log_ratios, name="features")
    detector = judging(features, backbone.max_length)
    features.remember(counts)
    return detector


class SurprisalModel(DensityRatioModel):
    """Judges an item by how little the items before it lead to it.

    One half of the users trains the recommender that judges the other half; a small network learns
    from its scores to tell the log's items from drawn noise. In each further round items count in
    training by their clean probability, an expectation-maximisation of who is noise;
    each takes as long as it takes to train on all users.
    """

    folds = 2
    rounds = 1

    def detector(self, others: Histories, weights: np.ndarray, fold: int) -> Any:
        recommender = self.fit_recommender(others, weights, fold)
        counts = np.bincount(others.items, weights, minlength=self.item_count + 1)
        return build_surprisal_detector(recommender, counts)

    def empty(self) -> Any:
        return build_surprisal_detector(self.new_recommender(), np.zeros(self.item_count + 1))
