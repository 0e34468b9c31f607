"""A backbone with a training objective, as one Keras model."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, layers_of, register
from tf_recdenoiser.backbones import EXTRA_INPUTS, Backbone
from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.training.denoising_model import DenoisingModel
from tf_recdenoiser.training.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, Objective


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
        The one that `OBJECTIVES` has for `DEFAULT_OBJECTIVE`, `SampledSoftmax()`, by default.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> model = Recommender(SASRec(item_count=9, max_length=4, hidden_dim=8))
    >>> model.score(np.array([[0, 0, 3, 7]], np.int32)).shape
    (1, 10)
    """

    # Backbones end with a block of gated attention, and normalisation at most.
    ends_position_wise = True
    # They have no dropout but `layers.Dropout`.
    repeats_exactly = True

    def __init__(
        self, backbone: Backbone, objective: Objective | None = None, name: str | None = None
    ) -> None:
        objective = objective or OBJECTIVES[DEFAULT_OBJECTIVE]()
        own = {
            input_name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=input_name)
            for input_name, tensor in backbone.input.items()
        }
        added = objective.inputs(backbone.max_length)
        scores = objective.scores(backbone, backbone(own), added)
        super().__init__(inputs={**own, **added}, outputs=scores, name=name)
        self.backbone = backbone
        self.objective = objective
        # TensorFlow counts tracings by code, and warns where many models share it, as a lambda's;
        # a partial has none.
        self._encode = tf.function(functools.partial(_newest, backbone), reduce_retracing=True)

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """As `DenoisingModel.compile`, with the objective's loss.

        `credit` follows the backbone: on if it is causal. ValueError if it is on and the
        backbone is not.
        """
        if kwargs.setdefault("credit", self.backbone.causal) and not self.backbone.causal:
            raise ValueError(
                f"`credit` must be False with {type(self.backbone).__name__}, which is not causal: "
                "each of its gates can change the loss at every position. Received: credit=True"
            )
        if loss is None:
            loss = self.objective.loss(self.backbone.item_count)
        super().compile(optimizer, loss, **kwargs)

    def encode(self, item_ids: np.ndarray, **extra: np.ndarray) -> np.ndarray:
        """The vector of each history as seen from its newest item, `[B, d]` float32.

        Parameters
        ----------
        item_ids
            `[B, n]`, left-padded with 0.
        extra
            The backbone's further inputs; see `EXTRA_INPUTS`.
        """
        return self._encode(self.inputs_of(item_ids, **extra)).numpy()

    def get_build_config(self) -> None:
        """None: a recommender has all its weights from the start, whatever it is called with."""

    def inputs_of(self, item_ids: np.ndarray, **extra: np.ndarray) -> dict[str, tf.Tensor]:
        """The backbone's inputs as tensors.

        Where `clean_probability` is left out, it is 1.

        Raises
        ------
        ValueError
            If `extra` is not what the backbone declares, an id is not in 0 … `item_count` or
            `user_count`, a time is not finite, or an input is of another shape than `EXTRA_INPUTS`
            says: TensorFlow would repeat it until it fits.
        """
        wanted = self.backbone.extra_inputs
        if "clean_probability" in wanted:
            extra = {"clean_probability": np.ones(np.shape(item_ids), np.float32), **extra}
        if set(extra) != set(wanted):
            raise ValueError(
                f"{type(self.backbone).__name__} must be given {', '.join(('item_ids', *wanted))}. "
                f"Received: {', '.join(('item_ids', *extra))}"
            )
        self._check_item_ids("item_ids", item_ids)
        _check_shape("item_ids", item_ids, (len(item_ids), self.backbone.max_length))
        for name in wanted:
            _check_shape(name, extra[name], np.shape(item_ids)[: 1 + EXTRA_INPUTS[name][0]])
        if "user_ids" in wanted:
            last = self.backbone.user_count
            rule = f"user ids from 1 to {last}, or 0 for a user of whom nothing was learned"
            _check_ids("user_ids", extra["user_ids"], last, rule)
        if "times" in wanted and not np.isfinite(extra["times"]).all():
            raise ValueError("`times` must be finite. Received: NaN or an infinite time")
        return {
            "item_ids": tf.constant(item_ids, tf.int32),
            **{name: tf.constant(extra[name], EXTRA_INPUTS[name][1]) for name in wanted},
        }

    def _check_item_ids(self, name: str, ids: np.ndarray) -> None:
        last = self.backbone.item_count
        rule = (
            f"item ids from 1 to {last}, or 0 for padding; map items to the ids that the model was "
            "trained with"
        )
        _check_ids(name, ids, last, rule)

    def assume_noise(self, shares: np.ndarray) -> None:
        """Tell the objective's `NoiseMixture`, if it has one, the distribution of noise.

        Parameters
        ----------
        shares
            I q(i), `[item_count + 1]`: 1 where item i is as often noise as an average item.
        """
        for layer in layers_of(self):
            if isinstance(layer, NoiseMixture):
                layer.assume(shares)

    def item_vectors(self) -> np.ndarray:
        """The item table, `[item_count + 1, d]` float32; row 0 is padding."""
        return self.backbone.item_vectors().numpy()

    def score(
        self, item_ids: np.ndarray, candidates: np.ndarray | None = None, **extra: np.ndarray
    ) -> np.ndarray:
        """Scores of the next item after each history.

        Parameters
        ----------
        item_ids
            Histories `[B, n]`, left-padded with 0.
        candidates
            Items to score, `[B, C]`; None (default) for the whole catalogue.
        extra
            The backbone's further inputs; see `EXTRA_INPUTS`.

        Returns
        -------
        `[B, C]`, or `[B, item_count + 1]` with a column for each item id.

        Raises
        ------
        ValueError
            If an id is not in 0 … `item_count`, or for what `inputs_of` refuses.
        """
        if candidates is not None:
            self._check_item_ids("candidates", candidates)
            _check_shape("candidates", candidates, (len(item_ids), *np.shape(candidates)[-1:]))
        return scores_of(self.encode(item_ids, **extra), self.item_vectors(), candidates)

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


def _newest(backbone: Backbone, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """What each history asks, as seen from its newest item: `[B, d]`."""
    return backbone.newest(inputs)


def scores_of(
    vectors: np.ndarray, table: np.ndarray, candidates: np.ndarray | None = None
) -> np.ndarray:
    """Inner products of `encode`'s vectors `[B, d]` with `item_vectors`, as `score` has them."""
    if candidates is None:
        return vectors @ table.T
    scores: np.ndarray = np.einsum("bd,bcd->bc", vectors, table[candidates])
    return scores


def _check_ids(name: str, ids: np.ndarray, last: int, rule: str) -> None:
    """ValueError, with the rule, unless these are whole numbers from 0 to `last`."""
    ids = np.asarray(ids)
    wrong = ids[(ids < 0) | (ids > last) | (ids % 1 != 0)]
    if wrong.size:
        raise ValueError(f"`{name}` must be {rule}. Received: {wrong.ravel()[0]}")


def _check_shape(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(values) != shape:
        raise ValueError(f"`{name}` must have the shape {shape}. Received: {np.shape(values)}")
