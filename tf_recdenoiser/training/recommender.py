"""A backbone with a training objective, as one Keras model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.training.denoising_model import DenoisingModel
from tf_recdenoiser.training.objectives import OBJECTIVES, BinaryCrossEntropy, Objective


@register
class Recommender(DenoisingModel):
    """A sequence encoder that is trained to score items, and scores them.

    Trained as any `DenoisingModel`, on examples that `objective.example` makes of windows.
    Scores are inner products with the item table.

    Parameters
    ----------
    backbone
        The sequence encoder.
    objective
        `BinaryCrossEntropy()` by default.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> model = Recommender(SASRec(item_count=9, max_length=4, width=8))
    >>> model.score(np.array([[0, 0, 3, 7]], np.int32)).shape
    (1, 10)
    """

    def __init__(
        self, backbone: Backbone, objective: Objective | None = None, name: str | None = None
    ) -> None:
        objective = objective or BinaryCrossEntropy()
        own = {
            input_name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=input_name)
            for input_name, tensor in backbone.input.items()
        }
        added = objective.inputs(backbone.max_length)
        scores = objective.scores(backbone, backbone(own), added)
        super().__init__(inputs={**own, **added}, outputs=scores, name=name)
        self.backbone = backbone
        self.objective = objective
        self._encode = tf.function(
            lambda inputs: tf.cast(backbone(inputs, training=False)[:, -1], tf.float32),
            reduce_retracing=True,
        )

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """As `DenoisingModel.compile`, with the objective's loss.

        `credit` follows the backbone: on if it is causal.
        """
        kwargs.setdefault("credit", self.backbone.causal)
        super().compile(optimizer, self.objective.loss if loss is None else loss, **kwargs)

    def encode(self, item_ids: np.ndarray, **extra: np.ndarray) -> np.ndarray:
        """The vector of each history as seen from its newest item, `[B, d]` float32.

        Parameters
        ----------
        item_ids
            `[B, n]`, left-padded with 0.
        extra
            The backbone's further inputs.
        """
        inputs = {"item_ids": item_ids, **extra}
        return self._encode({k: tf.constant(v) for k, v in inputs.items()}).numpy()

    def item_vectors(self) -> np.ndarray:
        """The item table, `[item_count + 1, d]` float32; row 0 is padding."""
        table = _keras.raw_variable(self.backbone.item_embedding.embeddings)
        return tf.cast(table, tf.float32).numpy()

    def score(self, item_ids: np.ndarray, candidates: np.ndarray | None = None) -> np.ndarray:
        """Scores of the next item after each history.

        Parameters
        ----------
        item_ids
            Histories `[B, n]`, left-padded with 0.
        candidates
            Items to score, `[B, C]`; None (default) for the whole catalogue.

        Returns
        -------
        `[B, C]`, or `[B, item_count + 1]` with a column for each item id.
        """
        vectors, table = self.encode(item_ids), self.item_vectors()
        if candidates is None:
            return vectors @ table.T
        return np.einsum("bd,bcd->bc", vectors, table[candidates])

    def get_config(self) -> dict[str, Any]:
        names = {kind: name for name, kind in OBJECTIVES.items()}
        return {
            "name": self.name,
            "backbone": keras.utils.serialize_keras_object(self.backbone),
            "objective": {
                "name": names[type(self.objective)],
                **dataclasses.asdict(self.objective),
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Recommender:
        config = dict(config)
        options = dict(config["objective"])
        config["objective"] = OBJECTIVES[options.pop("name")](**options)
        config["backbone"] = keras.utils.deserialize_keras_object(config["backbone"])
        return cls(**config)
