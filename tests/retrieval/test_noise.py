"""What an exported model says and does about noise, against the same in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.retrieval.reference import random_noise_scorer
from tests.serving import c_loader
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec, TiSASRec
from tf_recdenoiser.noise import Cleaning, NoiseScorer
from tf_recdenoiser.noise.detectors.surprisal import build_surprisal_detector
from tf_recdenoiser.retrieval import ServingModule, export_saved_model
from tf_recdenoiser.training import Recommender, explain

ITEMS, LENGTH = 12, 6
RAW = np.array([f"i{number}" for number in range(1, ITEMS + 1)])
CODES = np.random.default_rng(0).permuted(np.tile(np.arange(1, 13), [5, 1]), axis=1)[:, :LENGTH]
CODES = CODES.astype(np.int32)

# Thresholds that untrained detectors reach.
CLEANING = Cleaning(above=0.6, newest_above=0.5)


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    keras.utils.set_random_seed(1)
    return Recommender(SASRec(ITEMS, LENGTH, hidden_dim=8))


@pytest.fixture(scope="module")
def noise() -> NoiseScorer:
    return random_noise_scorer(item_count=ITEMS, length=LENGTH)


@pytest.fixture(scope="module")
def module(recommender: Recommender, noise: NoiseScorer) -> ServingModule:
    return ServingModule(recommender, RAW, max_k=ITEMS, noise=noise, cleaning=CLEANING)


def raw(codes: np.ndarray) -> tf.Tensor:
    return tf.constant(np.concatenate([[""], RAW])[codes].astype(object))


def best(recommender: Recommender, histories: np.ndarray) -> np.ndarray:
    scores = recommender.score(histories)
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, CODES, -np.inf, axis=1)
    return np.argsort(-scores, axis=1, kind="stable")[:, :3]


def test_probabilities_are_explained(module: ServingModule, noise: NoiseScorer) -> None:
    found = module.explain(raw(CODES))["noise"].numpy()
    expected = noise(CODES)
    assert (expected > 0.5).any() and (expected <= 0.5).any()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("clean", [True, False])
def test_what_the_model_reads_is_explained(
    module: ServingModule, recommender: Recommender, noise: NoiseScorer, clean: bool
) -> None:
    found = module.explain(raw(CODES), clean_history=tf.constant([clean]))
    stays = CODES > 0
    if clean:
        stays = CLEANING.stays(tf.constant(CODES), tf.constant(noise(CODES))).numpy()
        assert not stays.all()
    for row, codes in enumerate(CODES):
        read = codes[stays[row]]
        padded = np.pad(read, [(LENGTH - len(read), 0)])[np.newaxis]
        seen = explain(recommender, padded).attention_per_layer[0, :, LENGTH - len(read) :]
        expected = np.zeros([seen.shape[0], LENGTH])
        expected[:, stays[row]] = seen
        np.testing.assert_allclose(found["attention_per_layer"][row], expected, atol=1e-6)
        np.testing.assert_array_equal(found["kept"][row] > 0, stays[row])


@pytest.mark.parametrize("clean", [True, False])
def test_histories_are_cleaned_on_request(
    module: ServingModule, recommender: Recommender, noise: NoiseScorer, clean: bool
) -> None:
    answer = module.recommend(raw(CODES), k=tf.constant([3]), clean_history=tf.constant([clean]))
    cleaned = CLEANING({"item_ids": CODES}, noise(CODES))["item_ids"]
    read = cleaned if clean else CODES
    assert clean == bool((read == 0).any())
    codes = best(recommender, read)
    np.testing.assert_array_equal(answer["item_ids"].numpy().astype(str), RAW[codes - 1])


@pytest.mark.skipif(not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only")
def test_an_export_holds_the_detectors(
    recommender: Recommender, noise: NoiseScorer, module: ServingModule, tmp_path: Path
) -> None:
    path = export_saved_model(
        recommender, RAW, tmp_path / "model", noise=noise, cleaning=CLEANING, max_k=ITEMS
    )
    histories = {"histories": raw(CODES).numpy(), "lengths": np.array([-1], np.int32)}
    choices = {"k": np.array([3], np.int32)}
    choices |= {name: np.array([True]) for name in ("exclude_seen", "clean_history")}
    found = c_loader.run_in_process(path, "serving_default", {**histories, **choices})
    expected = module.recommend(raw(CODES), k=tf.constant([3]))
    np.testing.assert_array_equal(found["item_ids"], expected["item_ids"].numpy())
    np.testing.assert_allclose(found["scores"], expected["scores"].numpy(), rtol=1e-4)
    clean = {"clean_history": np.array([True])}
    explained = c_loader.run_in_process(path, "explain", {**histories, **clean})
    np.testing.assert_allclose(explained["noise"], noise(CODES), rtol=1e-4)


def test_times_and_users_stay_with_what_is_not_cleaned_away(noise: NoiseScorer) -> None:
    timed = Recommender(TiSASRec(ITEMS, LENGTH, hidden_dim=8))
    times = 1.5e9 + np.cumsum(np.random.default_rng(1).integers(1, 9, CODES.shape), axis=1)
    module = ServingModule(timed, RAW, max_k=ITEMS, noise=noise, cleaning=CLEANING)
    answer = module.recommend(raw(CODES), tf.constant(times), exclude_seen=tf.constant([False]))
    read = CLEANING({"item_ids": CODES, "times": times}, noise(CODES))
    assert (read["times"] == 0).any()
    scores = timed.score(**read)[:, 1:]
    np.testing.assert_allclose(answer["scores"][:, 0], scores.max(axis=1), rtol=1e-4)


def test_a_detector_by_surprisal_is_served_too(recommender: Recommender) -> None:
    keras.utils.set_random_seed(3)
    surprised = build_surprisal_detector(recommender, np.arange(ITEMS + 1))
    noise = NoiseScorer((surprised,), rate=0.5)
    module = ServingModule(recommender, RAW, max_k=ITEMS, noise=noise)
    found = module.explain(raw(CODES))["noise"].numpy()
    np.testing.assert_allclose(found, noise(CODES), rtol=1e-4)


@pytest.mark.parametrize("clean", [True, False])
def test_a_model_that_softens_is_told_what_is_meant(noise: NoiseScorer, clean: bool) -> None:
    softening = Recommender(SASRec(ITEMS, LENGTH, hidden_dim=8, soften="everywhere"))
    module = ServingModule(softening, RAW, max_k=ITEMS, noise=noise)
    answer = module.recommend(
        raw(CODES), clean_history=tf.constant([clean]), exclude_seen=tf.constant([False])
    )
    meant = 1 - noise(CODES) if clean else np.ones(CODES.shape)
    scores = softening.score(CODES, clean_probability=meant)[:, 1:]
    np.testing.assert_allclose(answer["scores"][:, 0], scores.max(axis=1), rtol=1e-4)


def test_without_detectors_there_is_nothing_to_clean(recommender: Recommender) -> None:
    module = ServingModule(recommender, RAW, max_k=3)
    names = [spec.name for spec in module.recommend.input_signature]
    assert "clean_history" not in names
    assert "noise" not in module.explain(raw(CODES))
