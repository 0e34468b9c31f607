"""Detectors under Keras' dtype policies: they compute in float32 under any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.noise.vectors import unit_vectors
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.noise import NoiseScorer
from tf_recdenoiser.noise.detectors.context import build_detector
from tf_recdenoiser.noise.detectors.feedback import build_feedback_detector
from tf_recdenoiser.noise.detectors.surprisal import build_surprisal_detector
from tf_recdenoiser.noise.network import NetworkTrainer, context_features, log_ratios
from tf_recdenoiser.training import Recommender

pytestmark = pytest.mark.both_keras

IDS = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5], [0, 9, 8, 6, 6]], np.int32)
COUNTS = np.arange(10)


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float64"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    keras.mixed_precision.set_global_policy("float32")


def context_detector() -> keras.Model:
    return build_detector(unit_vectors(np.random.default_rng(0), 9), COUNTS, max_length=5, units=8)


def surprisal_detector() -> keras.Model:
    recommender = Recommender(SASRec(9, 5, hidden_dim=4, num_heads=1, dropout=0.0))
    return build_surprisal_detector(recommender, COUNTS)


def trained(detector: keras.Model) -> None:
    items, noise = (
        context_features(detector, IDS, candidates).reshape(15, -1)
        for candidates in (IDS, np.maximum(10 - IDS, 1) % 10)
    )
    NetworkTrainer(epochs=1).fit(detector, items, noise, (items, noise))


def test_detectors_learn_and_judge_in_float32(policy: str, tmp_path: Path) -> None:
    detector = context_detector()
    trained(detector)
    keras.mixed_precision.set_global_policy("float32")
    detector.save(tmp_path / "detector.keras")
    same = keras.models.load_model(tmp_path / "detector.keras")
    found = log_ratios(detector, IDS)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, log_ratios(same, IDS))
    probabilities = NoiseScorer((detector,), 0.2).probabilities(tf.constant(IDS))
    np.testing.assert_allclose(probabilities, NoiseScorer((same,), 0.2)(IDS), rtol=1e-5)


def test_surprisal_reads_a_recommender_of_any_policy(policy: str, tmp_path: Path) -> None:
    detector = surprisal_detector()
    trained(detector)
    found = log_ratios(detector, IDS)
    assert found.dtype == np.float32 and np.isfinite(found).all()
    detector.save(tmp_path / "detector.keras")
    loaded = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(log_ratios(loaded, IDS), found)


def test_dislikes_are_read_in_float32_under_any_policy(policy: str) -> None:
    vectors = unit_vectors(np.random.default_rng(0), 9)
    narrow = build_feedback_detector(vectors)
    narrow.get_layer("features").remember(vectors, COUNTS, COUNTS, COUNTS / 4)
    keras.mixed_precision.set_global_policy("float32")
    wide = build_feedback_detector(vectors)
    wide.set_weights(narrow.get_weights())
    disliked = np.where(IDS % 3 == 0, np.nan, IDS % 2).astype(np.float32)
    found, expected = (log_ratios(one, IDS, disliked=disliked) for one in (narrow, wide))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
