"""What every gradient estimator for Bernoulli gates provides."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Estimator(abc.ABC):
    """An estimator of d E[f(Z)] / d logits for Z ~ Bernoulli(sigma(logits)), elementwise.

    An estimator is a pure function of tensors: `gates` turns uniform numbers into the gates
    of its `evaluations` evaluations of the loss f, and `gradient` turns the losses found with
    them into the gradient. The weights' gradient is taken from the first evaluation.
    """

    @property
    def evaluations(self) -> int:
        """K, the number of evaluations of the loss."""
        return 1

    @property
    def uniforms(self) -> int:
        """S, the number of independent uniform numbers a gate needs."""
        return 1

    @property
    def unbiased(self) -> bool:
        """Whether the expectation of `gradient` is the exact gradient."""
        return True

    @property
    def baseline(self) -> bool:
        """Whether losses should have their running mean subtracted before `gradient`."""
        return False

    @abc.abstractmethod
    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The gates of each evaluation.

        Parameters
        ----------
        logits
            Any shape G.
        uniform
            `[S, *G]`, independent and uniform on (0, 1).

        Returns
        -------
        K tensors of shape G.
        """

    @abc.abstractmethod
    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The estimate, in the shape of `logits`.

        Parameters
        ----------
        logits, uniform
            As given to `gates`.
        losses
            For each evaluation the loss a gate is held to account for, broadcastable to
            `logits`: one number, or one for each gate (see `causal_credit`). For the
            estimators with one evaluation any constant may be subtracted first.
        """


@dataclasses.dataclass(frozen=True)
class PathwiseEstimator(Estimator):
    """A biased estimator that differentiates through the gates themselves."""

    @property
    def unbiased(self) -> bool:
        return False

    def gradient(
        self, logits: tf.Tensor, uniform: tf.Tensor, losses: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Zero: the gradient has already flowed through the gates."""
        return tf.zeros_like(logits)


@dataclasses.dataclass(frozen=True)
class BaselineEstimator(Estimator):
    """An estimator with one evaluation, at 1[u < sigma(phi)], and a running mean to subtract.

    Parameters
    ----------
    use_baseline
        Whether it is subtracted from the losses; True by default.
    """

    use_baseline: bool = True

    @property
    def baseline(self) -> bool:
        return self.use_baseline

    def gates(self, logits: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (as_float(uniform[0] < tf.sigmoid(logits), logits),)


def as_float(condition: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """1 where `condition` holds and 0 elsewhere, in the type of `like`."""
    return tf.cast(condition, like.dtype)
