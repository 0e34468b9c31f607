"""Noise scores in NumPy and in a graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.noise.vectors import unit_vectors
from tf_recdenoiser.noise import NoiseScorer, noise_probability
from tf_recdenoiser.noise.detectors.context import build_detector
from tf_recdenoiser.noise.detectors.feedback import build_feedback_detector
from tf_recdenoiser.noise.network import log_ratios

IDS = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5], [0, 0, 0, 0, 6]], np.int32)
N = np.nan
DISLIKED = np.array([[N, N, 1, N, 0.5], [N, 0, N, 1, N], [1, 1, N, 0, N]], np.float32)


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


def test_what_is_known_of_dislikes_is_certain_whatever_judges_the_rest(detectors: tuple) -> None:
    scorer = NoiseScorer(detectors, rate=0.3)
    assert not scorer.reads_feedback
    expected = np.where(np.isnan(DISLIKED), scorer(IDS), DISLIKED == 1) * (IDS > 0)
    np.testing.assert_allclose(scorer(IDS, DISLIKED), expected, rtol=1e-6)
    graph = tf.function(scorer.probabilities)(tf.constant(IDS), tf.constant(DISLIKED))
    np.testing.assert_allclose(graph.numpy(), expected, rtol=1e-5)


def test_a_detector_of_dislikes_reads_what_is_known_of_them() -> None:
    rng = np.random.default_rng(1)
    detector = build_feedback_detector(unit_vectors(rng, 9))
    features = detector.get_layer("features")
    answers = rng.integers(0, 5, 10)
    features.remember(unit_vectors(rng, 9), answers + 2, answers, answers / 3)
    weights, bias = rng.normal(size=9), 0.4
    detector.get_layer("network").set_weights([weights[:, np.newaxis], np.array([bias])])
    detector.get_layer("log_ratio").remember(0.3)
    scorer = NoiseScorer((detector,), rate=0.3)
    assert scorer.reads_feedback
    for disliked in (None, DISLIKED):
        said = np.full_like(DISLIKED, N) if disliked is None else disliked
        logits = features(tf.constant(IDS), tf.constant(said)).numpy() @ weights + bias
        expected = np.where(np.isnan(said), 1 / (1 + np.exp(-logits)), said == 1) * (IDS > 0)
        np.testing.assert_allclose(scorer(IDS, disliked), expected, rtol=1e-4, atol=1e-6)
        given = None if disliked is None else tf.constant(disliked)
        graph = tf.function(scorer.probabilities)(tf.constant(IDS), given)
        np.testing.assert_allclose(graph.numpy(), expected, rtol=1e-4, atol=1e-6)
    # The answer to one item changes what is said of another.
    assert (scorer(IDS, DISLIKED) != scorer(IDS))[np.isnan(DISLIKED) & (IDS > 0)].any()
