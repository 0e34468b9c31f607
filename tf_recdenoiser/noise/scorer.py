"""The probability that an item of a history is noise."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.noise.network import judged, log_ratios
from tf_recdenoiser.noise.posterior import noise_probability, with_feedback


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

    @property
    def reads_feedback(self) -> bool:
        """Whether detectors read what is known of how items were liked."""
        return any("disliked" in detector.input for detector in self.detectors)

    def __call__(self, item_ids: np.ndarray, disliked: np.ndarray | None = None) -> np.ndarray:
        """P(noise) of each item of some histories `[B, n]`, 0 where padded.

        Parameters
        ----------
        item_ids
            Left-padded with 0.
        disliked
            What is known of how the items were liked, `[B, n]`: 1 where they were disliked, which
            makes them noise, 0 or 0.5 where they were not, NaN where nothing is known. None
            (default): nothing.
        """
        each = [log_ratios(detector, item_ids, None, disliked) for detector in self.detectors]
        found = noise_probability(np.mean(each, axis=0), self.rate)
        if disliked is not None:
            found = with_feedback(found, disliked)
        return found * (item_ids > 0)

    def probabilities(self, item_ids: tf.Tensor, disliked: tf.Tensor | None = None) -> tf.Tensor:
        """The same for tensors, in a graph."""
        given = {"item_ids": item_ids, "candidates": item_ids}
        if disliked is not None:
            given["disliked"] = disliked
        log_ratio = tf.reduce_mean([judged(detector, given) for detector in self.detectors], 0)
        found = noise_probability(log_ratio, self.rate)
        if disliked is not None:
            found = with_feedback(found, disliked)
        return tf.where(item_ids > 0, found, 0.0)
