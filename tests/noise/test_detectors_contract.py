"""What every way of finding noise promises."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.noise.rated import ITEMS, mostly_hidden, rated_log
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.data import DataError, Histories
from tf_recdenoiser.noise import DETECTORS, Detection, NoiseModel
from tf_recdenoiser.training import Recommender

TRAIN, _ = mostly_hidden(rated_log(users=40), 0.3)
N = 8


def recommender(*_: Any) -> Recommender:
    keras.utils.set_random_seed(0)
    return Recommender(SASRec(ITEMS, N, hidden_dim=4, num_heads=1))


def model_of(name: str) -> NoiseModel:
    return DETECTORS[name](
        ITEMS, N, hidden_dim=4, fit_recommender=recommender, new_recommender=recommender
    )


@pytest.fixture(scope="module", params=only("feedback".__eq__, DETECTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(name: str) -> Detection:
    return model_of(name).cross_fit(TRAIN, rounds=1, seed=3)


def test_every_item_is_judged(name: str, found: Detection) -> None:
    assert len(found.scorer.detectors) == model_of(name).detectors
    assert found.log_ratios.dtype == np.float32
    assert found.log_ratios.shape == TRAIN.items.shape
    assert np.isfinite(found.log_ratios).all()
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert 0 <= found.scorer.rate <= 1 and 0 <= found.roc_auc <= 1
    assert found.scorer.reads_feedback == (name == "feedback")


def test_the_same_seed_finds_the_same(name: str, found: Detection) -> None:
    before = np.random.get_state()[1].tolist()
    again = model_of(name).cross_fit(TRAIN, rounds=1, seed=3)
    np.testing.assert_array_equal(again.log_ratios, found.log_ratios)
    assert (again.scorer.rate, again.roc_auc) == (found.scorer.rate, found.roc_auc)
    assert np.random.get_state()[1].tolist() == before


def test_empty_detectors_take_the_weights_of_what_was_found(name: str, found: Detection) -> None:
    empty = [model_of(name).empty() for _ in found.scorer.detectors]
    for one, detector in zip(empty, found.scorer.detectors, strict=True):
        one.set_weights(detector.get_weights())
    read = dataclasses.replace(found.scorer, detectors=tuple(empty))
    ids, disliked = TRAIN.last(N), TRAIN.last_disliked(N)
    for given in ((ids,), (ids, disliked)):
        np.testing.assert_array_equal(read(*given), found.scorer(*given))


def test_probabilities_in_a_graph_are_the_same(found: Detection) -> None:
    ids, disliked = TRAIN.last(N), TRAIN.last_disliked(N)
    for given in ((ids,), (ids, disliked)):
        graph = tf.function(found.scorer.probabilities)(*map(tf.constant, given))
        np.testing.assert_allclose(graph, found.scorer(*given), rtol=1e-4, atol=1e-6)


def test_where_there_is_too_little_to_learn_from_it_says_so(name: str) -> None:
    few: Histories = TRAIN.prefixes([0, 1], [2, 1])
    assert DETECTORS[name].can_learn(TRAIN) and not DETECTORS[name].can_learn(few)
    DETECTORS[name].check(TRAIN)
    for refused in (DETECTORS[name].check, model_of(name).cross_fit):
        with pytest.raises(DataError, match=r"`--detector .*Received: \d"):
            refused(few)
