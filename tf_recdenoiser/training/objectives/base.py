"""What every training objective provides."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers.noise_mixture import NoiseMixture


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC):
    """What a recommender is asked to score while training, and the loss of those scores.

    It turns a batch of windows into what `DenoisingModel.fit` takes, `(x, y, weights)`, adds
    the inputs it needs to the model, and maps hidden vectors to scores. Its settings are the
    fields of the dataclass.

    Attributes
    ----------
    log_ratios
        Whether the scores that make the loss least are log p(x | history) / q(x), q uniform,
        up to one constant for all histories. Otherwise the constant is another one for each
        history, and a softmax over all items removes it.
    """

    log_ratios: ClassVar[bool] = False

    def mixture(self, item_count: int) -> NoiseMixture | None:
        """The layer from scores of clean items to those of observed ones; None without noise."""
        return None

    @property
    @abc.abstractmethod
    def negatives(self) -> int:
        """m: how many unseen items a batch must bring for each position; 0 for none."""

    @property
    @abc.abstractmethod
    def share_negatives(self) -> bool:
        """Whether they are the same for all positions of a sequence."""

    @abc.abstractmethod
    def inputs(self, max_length: int) -> dict[str, Any]:
        """Keras inputs beyond the backbone's own."""

    @abc.abstractmethod
    def scores(self, backbone: Backbone, hidden: Any, inputs: dict[str, Any]) -> Any:
        """What the loss is of, from hidden vectors `[B, n, d]`, as Keras layers.

        `[B, n, C]`, or `[B, n]`.
        """

    @abc.abstractmethod
    def loss(self, item_count: int) -> Any:
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
            As `data.TrainingBatches` brings them: `positives` `[B, n]`, the next items (0
            where padded); `negatives`, items the user has not seen, `[B, n, m]`, or `[B, m]`
            if shared; `unseen_counts` `[B]`, the number of items these are drawn from;
            `weights` `[B, n]`, those of the positives (0 where padded); `epoch` `[B]`, how many
            epochs came before, the part of this one included.
        """
