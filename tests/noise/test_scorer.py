"""Noise scores in NumPy and in a graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.noise.vectors import unit_vectors
from tf_recdenoiser.noise import NoiseScorer, noise_probability
from tf_recdenoiser.noise.detectors.context import build_detector
from tf_recdenoiser.noise.network import log_ratios

IDS = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5], [0, 0, 0, 0, 6]], np.int32)


@pytest.fixture(scope="module")
def detectors() -> tuple:
    rng = np.random.default_rng(0)
    return tuple(
        build_detector(unit_vectors(rng, 9), rng.integers(1, 9, 10), max_length=5) for _ in range(2)
    )


def test_a_scorer_averages_log_ratios(detectors: tuple) -> None:
    scorer = NoiseScorer(detectors, rate=0.3)
    mean = (log_ratios(detectors[0], IDS) + log_ratios(detectors[1], IDS)) / 2
    expected = np.where(IDS > 0, noise_probability(mean, 0.3), 0)
    np.testing.assert_allclose(scorer(IDS), expected, rtol=1e-5)
    graph = tf.function(scorer.probabilities)(tf.constant(IDS))
    np.testing.assert_allclose(graph.numpy(), expected, rtol=1e-5)
