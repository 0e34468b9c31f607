"""Dropout, position embeddings and candidates' scores."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import Dropout, PositionEmbedding
from tf_recdenoiser.layers.catalogue import Catalogue, CatalogueLogProbability
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.layers.scores import CandidateScores
from tf_recdenoiser.ops import dropout

B, N, D = 2, 4, 6


def test_dropout_is_the_stateless_one_with_the_evaluation_s_seed() -> None:
    x = normal(B, N, D)
    with Evaluation(Sample(tf.constant([1, 2]))):
        found = Dropout(0.4)(x, training=True)
    seed = Sample(tf.constant([1, 2])).noise_seed(1)
    np.testing.assert_array_equal(found, dropout(tf.constant(x), 0.4, seed))


@pytest.mark.parametrize("training", [False, None])
def test_dropout_is_the_identity_at_inference(training: bool | None) -> None:
    x = normal(B, N, D)
    np.testing.assert_array_equal(Dropout(0.9)(x, training=training), x)


@pytest.mark.parametrize("rate", [1.0, -0.5])
def test_a_wrong_dropout_rate_is_named(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"`rate` must be in \[0, 1\)\. Received: rate={rate}$"):
        Dropout(rate)


@pytest.mark.parametrize("scale", [True, False])
def test_positions_are_added_to_scaled_items_and_padding_is_zero(scale: bool) -> None:
    x, mask = normal(B, N, D), np.array([[True] * N, [False, False, True, True]])
    layer = PositionEmbedding(scale=scale)
    unmasked = layer(x)
    positions = np.asarray(layer.positions)
    assert positions.shape == (N, D) and np.ptp(positions) > 0
    expected = x * (np.sqrt(D) if scale else 1) + positions
    np.testing.assert_allclose(unmasked, expected, rtol=1e-5)
    masked = layer(x, mask=tf.constant(mask))
    np.testing.assert_allclose(masked, expected * mask[..., np.newaxis], rtol=1e-5)


def test_masks_pass_through_positions_and_dropout() -> None:
    """Seen by a mean over time that heeds the mask."""
    ids = np.array([[1, 2, 3, 4], [0, 0, 3, 1]], np.int32)
    inputs = keras.Input([N], dtype="int32")
    x = PositionEmbedding()(keras.layers.Embedding(5, D, mask_zero=True)(inputs))
    pooled = keras.layers.GlobalAveragePooling1D()(Dropout(0.5)(x))
    both = keras.Model(inputs, [x, pooled])
    vectors, found = (output.numpy() for output in both(ids, training=False))
    items = (ids > 0)[..., np.newaxis]
    np.testing.assert_allclose(found, (vectors * items).sum(1) / items.sum(1), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scores_are_inner_products_in_float32(dtype: str) -> None:
    hidden, candidates = normal(B, N, D).astype(dtype), normal(B, N, 3, D, seed=1).astype(dtype)
    scores = CandidateScores(dtype=dtype)(hidden, candidates)
    expected = np.einsum("bnd,bncd->bnc", *(a.astype(np.float64) for a in (hidden, candidates)))
    assert scores.dtype == tf.float32
    np.testing.assert_allclose(scores, expected, atol=1e-5 if dtype == "float32" else 0.01)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_positions_may_share_their_candidates(dtype: str) -> None:
    hidden, candidates = normal(B, N, D).astype(dtype), normal(B, 3, D, seed=1).astype(dtype)
    scores = CandidateScores(dtype=dtype)(hidden, candidates)
    expected = np.einsum("bnd,bcd->bnc", *(a.astype(np.float64) for a in (hidden, candidates)))
    assert scores.dtype == tf.float32
    np.testing.assert_allclose(scores, expected, atol=1e-5 if dtype == "float32" else 0.01)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_log_probability_is_that_of_a_softmax_over_all_items(dtype: str) -> None:
    hidden, items = normal(B, N, D).astype(dtype), normal(5, D, seed=1).astype(dtype)
    item_ids = np.array([[0, 0, 3, 5], [1, 2, 5, 4]], np.int32)
    found = CatalogueLogProbability(dtype="float32")(hidden, items, item_ids)
    powers = np.exp(hidden.astype(np.float64) @ items.astype(np.float64).T)
    share = np.take_along_axis(powers, item_ids[..., np.newaxis] - 1, -1)[..., 0] / powers.sum(-1)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, np.where(item_ids > 0, np.log(share), 0), atol=1e-4)


def test_the_catalogue_is_every_item_but_padding() -> None:
    np.testing.assert_array_equal(Catalogue(4)(normal(B, N, D)), [1, 2, 3, 4])
