"""The probability that an item of a history is noise."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.training.noise.detector import log_ratios
from tf_recdenoiser.training.noise.posterior import noise_probability

CLEAN_ABOVE = 0.5
"""The probability of noise above which an item is left out, if nothing else is said."""


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseScorer:
    """Detectors whose log ratios are averaged, and what makes probabilities of them.

    Attributes
    ----------
    detectors
        As `build_detector` makes them.
    rate
        The share of noise.

    Examples
    --------
    >>> from tf_recdenoiser.training.noise import build_detector
    >>> vectors = np.random.default_rng(0).normal(size=[10, 2, 8])
    >>> scorer = NoiseScorer((build_detector(vectors, np.ones(10), max_length=4),), rate=0.25)
    >>> scorer(np.array([[0, 0, 3, 7]], np.int32)).shape
    (1, 4)
    """

    detectors: tuple[Any, ...]
    rate: float

    def __call__(self, item_ids: np.ndarray) -> np.ndarray:
        """P(noise) of each item of some histories `[B, n]`, 0 where padded."""
        found = np.mean([log_ratios(detector, item_ids) for detector in self.detectors], axis=0)
        return noise_probability(found, self.rate) * (item_ids > 0)

    def probabilities(self, item_ids: tf.Tensor) -> tf.Tensor:
        """The same for a tensor, in a graph."""
        inputs = {"item_ids": item_ids, "candidates": item_ids}
        found = tf.reduce_mean([detector(inputs, training=False) for detector in self.detectors], 0)
        probability = tf.minimum(self.rate * tf.exp(-tf.maximum(found, -50.0)), 1.0)
        return tf.where(item_ids > 0, probability, 0.0)


def without_noise(
    inputs: dict[str, np.ndarray], probability: np.ndarray, above: float = CLEAN_ABOVE
) -> dict[str, np.ndarray]:
    """Histories without the items that are probably noise, closed up towards the newest.

    Parameters
    ----------
    inputs
        A backbone's: `item_ids` `[B, n]`, left-padded with 0; what else there is of each item
        moves with it.
    probability
        P(noise) of each, `[B, n]`.
    above
        See `is_meant`.

    Examples
    --------
    >>> inputs = {"item_ids": np.array([[0, 3, 7, 5]]), "user_ids": np.array([1])}
    >>> without_noise(inputs, np.array([[0.0, 0.1, 0.2, 0.9]]))
    {'item_ids': array([[0, 0, 3, 7]]), 'user_ids': array([1])}
    """
    kept = is_meant(tf.constant(inputs["item_ids"]), tf.constant(probability), above).numpy()
    order = np.argsort(kept, axis=1, kind="stable")
    return {
        name: np.take_along_axis(values * kept, order, axis=1) if values.ndim == 2 else values
        for name, values in inputs.items()
    }


def is_meant(item_ids: tf.Tensor, probability: tf.Tensor, above: float) -> tf.Tensor:
    """Which items of histories are kept, bool `[B, n]`.

    Those whose probability of noise is not above `above`, and the item of each history with
    the least probability, so that none becomes empty.
    """
    of_items = tf.where(item_ids > 0, tf.cast(probability, tf.float32), np.inf)
    least = tf.reduce_min(of_items, axis=1, keepdims=True)
    return of_items <= tf.maximum(tf.cast(above, least.dtype), tf.minimum(least, 1e9))
