"""A recommender's surprisal against its own vectors in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.data import Histories
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.noise import SurprisalModel
from tf_recdenoiser.noise.detectors.surprisal import (
    SurprisalFeatures,
    build_surprisal_detector,
    next_item_log_ratios,
)
from tf_recdenoiser.noise.network import log_ratios
from tf_recdenoiser.training import CrossEntropy, Recommender

ITEMS, N = 9, 5
IDS = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5]], np.int32)
CANDIDATES = np.array([[0, 0, 5, 7, 1], [9, 2, 8, 4, 5]], np.int32)
BEFORE = np.pad(IDS[:, :-1], [(0, 0), (1, 0)])
COUNTS = np.arange(ITEMS + 1)


@pytest.fixture(scope="module")
def backbone() -> SASRec:
    model = SASRec(ITEMS, N, hidden_dim=4, num_heads=1)
    randomize(model)
    return model


@pytest.fixture(scope="module")
def products(backbone: SASRec) -> np.ndarray:
    """Of each position's vector with every item's, `[B, n, I + 1]`."""
    hidden = backbone({"item_ids": tf.constant(BEFORE)}, training=False).numpy()
    return hidden @ backbone.item_vectors().numpy().T


@pytest.mark.parametrize("as_they_are", [True, False])
def test_scores_are_log_ratios_as_they_are_or_by_a_softmax(
    backbone: SASRec, products: np.ndarray, as_they_are: bool
) -> None:
    before = {"item_ids": tf.constant(BEFORE)}
    found = next_item_log_ratios(backbone, before, tf.constant(CANDIDATES), as_they_are).numpy()
    if not as_they_are:
        products = products - np.log(np.exp(products[:, :, 1:]).sum(axis=2, keepdims=True))
    expected = np.take_along_axis(products, CANDIDATES[:, :, np.newaxis], axis=2)[:, :, 0]
    is_item = CANDIDATES > 0
    np.testing.assert_allclose(found[is_item], expected[is_item], rtol=1e-4, atol=1e-5)


def test_features_are_the_log_ratio_the_count_and_what_was_before(
    backbone: SASRec, products: np.ndarray
) -> None:
    layer = SurprisalFeatures(backbone, log_ratios=True)
    layer.remember(COUNTS)
    found = layer(tf.constant(IDS), tf.constant(CANDIDATES)).numpy()
    of_candidates = np.take_along_axis(products, CANDIDATES[:, :, np.newaxis], axis=2)[:, :, 0]
    is_item = CANDIDATES > 0
    np.testing.assert_allclose(found[..., 0][is_item], of_candidates[is_item], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[..., 1], np.log1p(CANDIDATES), rtol=1e-6)
    earlier = np.array([[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]])
    np.testing.assert_allclose(found[..., 2], np.log1p(earlier), rtol=1e-6)


def test_what_stands_there_or_comes_later_says_nothing(backbone: SASRec) -> None:
    layer = SurprisalFeatures(backbone, log_ratios=True)
    changed = IDS.copy()
    changed[:, 3:] = [[1, 6], [8, 9]]
    one, other = (layer(tf.constant(ids), tf.constant(CANDIDATES)) for ids in (IDS, changed))
    np.testing.assert_allclose(one[:, :4], other[:, :4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", [None, CrossEntropy()])
def test_a_detector_is_saved_with_its_recommender(
    objective: CrossEntropy | None, tmp_path: Path
) -> None:
    recommender = Recommender(SASRec(ITEMS, N, hidden_dim=4, num_heads=1), objective)
    detector = build_surprisal_detector(recommender, COUNTS)
    expected = log_ratios(detector, IDS, CANDIDATES)
    trained = {id(variable) for variable in detector.get_layer("network").trainable_variables}
    assert {id(variable) for variable in detector.trainable_variables} == trained
    detector.save(tmp_path / "detector.keras")
    loaded = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_allclose(log_ratios(loaded, IDS, CANDIDATES), expected, rtol=1e-5)


def test_without_what_trains_a_recommender_there_is_none_to_be_surprised() -> None:
    train = Histories(offsets_of([3] * 8), np.tile(np.arange(1, 4, dtype=np.int32), 8))
    with pytest.raises(ValueError, match="`fit_recommender` must be given"):
        SurprisalModel(item_count=5, max_length=3).cross_fit(train)
