"""The probability that an item of a history is noise."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.noise.network import log_ratios
from tf_recdenoiser.noise.posterior import noise_probability


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
    >>> from tf_recdenoiser.noise.detectors.context import build_detector
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
        return tf.where(item_ids > 0, noise_probability(found, self.rate), 0.0)
