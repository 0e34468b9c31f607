"""The recommender and its objective: a backbone trained and read through its item table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.training import BinaryCrossEntropy, Recommender
from tf_recdenoiser.training.objectives.binary_cross_entropy import CandidateCrossentropy

pytestmark = pytest.mark.both_keras

ITEMS, N, D = 9, 4, 6
IDS = np.array([[3, 1, 4, 1], [0, 0, 2, 6], [0, 5, 9, 2]], np.int32)
POSITIVES = np.array([[1, 4, 1, 8], [0, 0, 6, 7], [0, 9, 2, 1]], np.int32)


def recommender(negatives: int = 2, **options: object) -> Recommender:
    backbone = SASRec(ITEMS, N, D, gates="positional", dropout=0.0, **options)
    model = Recommender(backbone, BinaryCrossEntropy(negatives))
    randomize(model)
    return model


def example(negatives: int = 2) -> tuple:
    unseen = np.random.default_rng(0).integers(1, ITEMS + 1, (*IDS.shape, negatives), np.int32)
    targets = {
        "positives": tf.constant(POSITIVES),
        "negatives": tf.constant(unseen),
        "weights": tf.constant((POSITIVES > 0).astype(np.float32)),
    }
    return BinaryCrossEntropy(negatives).example({"item_ids": tf.constant(IDS)}, targets)


def test_an_example_sets_the_true_item_against_the_unseen_ones() -> None:
    x, y, weights = example()
    np.testing.assert_array_equal(x["item_ids"], IDS)
    np.testing.assert_array_equal(x["positives"][..., 0], POSITIVES)
    assert x["negatives"].shape == (3, N, 2)
    np.testing.assert_array_equal(weights, POSITIVES > 0)
    assert not np.any(y)


def test_scores_are_inner_products_with_the_item_table() -> None:
    model = recommender()
    x, _, _ = example()
    hidden = model.backbone({"item_ids": IDS}, training=False).numpy()
    table = np.asarray(model.backbone.item_embedding.embeddings)
    candidates = np.concatenate([x["positives"], x["negatives"]], axis=-1)
    expected = np.einsum("bnd,bncd->bnc", hidden, table[candidates])
    np.testing.assert_allclose(model(x, training=False), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.encode(IDS), hidden[:, -1], rtol=1e-5)
    np.testing.assert_array_equal(model.item_vectors(), table)
    whole = hidden[:, -1] @ table.T
    np.testing.assert_allclose(model.score(IDS), whole, rtol=1e-4, atol=1e-5)
    candidates = np.array([[1, 2], [3, 4], [5, 6]])
    np.testing.assert_allclose(
        model.score(IDS, candidates), np.take_along_axis(whole, candidates, 1), rtol=1e-4, atol=1e-5
    )


def test_fit_and_evaluate_use_the_objective() -> None:
    model = recommender()
    model.compile(keras.optimizers.Adam(0.05), seed=1)
    x, y, weights = example()
    assert model.credit
    before = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)["loss"]
    losses = CandidateCrossentropy().call(y, model(x, training=False)).numpy()
    assert before == pytest.approx(np.sum(losses * weights) / np.sum(weights), rel=1e-5)
    model.fit(x, y, sample_weight=weights, epochs=10, verbose=0)
    after = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)["loss"]
    assert after < 0.8 * before


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model = recommender(negatives=3)
    model.compile(estimator="arm", seed=4, run_eagerly=True)
    x, y, weights = example(negatives=3)
    model.train_on_batch(x, y, sample_weight=weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, Recommender) and type(loaded.backbone) is SASRec
    assert loaded.objective == BinaryCrossEntropy(3) and loaded.seed == 4 and loaded.credit
    np.testing.assert_array_equal(loaded.score(IDS), model.score(IDS))
    loaded.run_eagerly = True
    for kind in (model, loaded):
        kind.train_on_batch(x, y, sample_weight=weights)
    np.testing.assert_allclose(loaded.score(IDS), model.score(IDS), rtol=1e-5, atol=1e-6)
