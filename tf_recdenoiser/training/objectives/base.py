"""What every training objective provides."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import tensorflow as tf

from tf_recdenoiser.backbones import Backbone


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC):
    """What a recommender is asked to score while training, and the loss of those scores.

    It turns a batch of windows into what `DenoisingModel.fit` takes, `(x, y, weights)`, adds
    the inputs it needs to the model, and maps hidden vectors to scores.
    """

    @property
    @abc.abstractmethod
    def negatives(self) -> int:
        """How many unseen items a batch must bring for each position."""

    @abc.abstractmethod
    def inputs(self, max_length: int) -> dict[str, Any]:
        """Keras inputs beyond the backbone's own."""

    @abc.abstractmethod
    def scores(self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]) -> Any:
        """Scores `[B, n, C]` of hidden vectors `[B, n, d]`, as Keras layers."""

    @property
    @abc.abstractmethod
    def loss(self) -> Any:
        """The Keras loss of `(y, scores)`, one number for each position."""

    @abc.abstractmethod
    def example(
        self, inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        """`(x, y, weights)` of a batch of windows.

        Parameters
        ----------
        inputs
            The backbone's, such as `item_ids` `[B, n]`.
        targets
            `positives` `[B, n]`, the next items (0 where padded), `negatives` `[B, n, m]`,
            items the user has not seen, and `weights` `[B, n]`, those of the positives (0
            where padded).
        """
