"""SSE-PT against NumPy: users beside items, their term in the scores, and swapped ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import array, normalize, randomize, transformer_block
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SSEPT
from tf_recdenoiser.layers import Swap
from tf_recdenoiser.layers.records import Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import BinaryCrossEntropy, Recommender

ITEMS, USERS, N, D, DU, HEADS = 9, 4, 6, 4, 2, 2
IDS = np.array([[3, 1, 4, 1, 5, 9], [0, 0, 0, 2, 6, 5], [0, 7, 7, 2, 8, 1]], np.int32)
WHO = np.array([2, 4, 0], np.int32)


def encoder(**options: Any) -> SSEPT:
    model = SSEPT(ITEMS, USERS, N, D, DU, num_heads=HEADS, **options)
    randomize(model)
    return model


def user_vectors(model: SSEPT, who: np.ndarray) -> np.ndarray:
    table = array(model.get_layer("users").embeddings)
    return np.concatenate([table.mean(0, keepdims=True), table])[who]


def hidden(model: SSEPT, ids: np.ndarray, who: np.ndarray) -> np.ndarray:
    """F `[B, n, d_i + d_u]` of the concatenated vectors of items and their user."""
    mask = ids > 0
    users = np.repeat(user_vectors(model, who)[:, np.newaxis], N, axis=1)
    x = np.concatenate([array(model.get_layer("items").embeddings)[ids], users], axis=-1)
    x = (x * np.sqrt(D + DU) + array(model.get_layer("positions").positions)) * mask[..., None]
    for index in range(2):
        x = transformer_block(model.get_layer(f"block_{index + 1}"), x, mask)
    return normalize(model.get_layer("last_norm"), x)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_output_is_that_of_the_equations(norm: str) -> None:
    model = encoder(norm=norm)
    found = model({"item_ids": IDS, "user_ids": WHO}, training=False).numpy()
    f = hidden(model, IDS, WHO)
    term = np.einsum("bnu,bu->bn", f[..., D:], user_vectors(model, WHO))
    expected = np.concatenate([f[..., :D], term[..., None]], axis=-1)
    np.testing.assert_allclose(found[IDS > 0], expected[IDS > 0], rtol=1e-2, atol=2e-3)


def test_scores_compare_with_item_and_user_concatenated() -> None:
    """r_itl = F · [v_l; u_i], the user's part included: the paper's Eq. 3."""
    model = encoder()
    recommender = Recommender(model)
    newest = hidden(model, IDS, WHO)[:, -1]
    table = array(model.get_layer("items").embeddings)
    users = user_vectors(model, WHO)
    expected = [
        [f @ np.concatenate([v, u]) for v in table] for f, u in zip(newest, users, strict=True)
    ]
    found = recommender.score(IDS, user_ids=WHO)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=5e-3)
    some = np.array([[1, 2], [3, 4], [5, 6]])
    np.testing.assert_allclose(
        recommender.score(IDS, some, user_ids=WHO), np.take_along_axis(found, some, 1), rtol=1e-4
    )


def test_swapping_everything_draws_ids_and_padding_stays() -> None:
    ids = np.array([[0, 3, 5], [0, 0, 2]], np.int32)
    with Evaluation(Sample(tf.constant([1, 2]))):
        swapped = Swap(1.0, count=9)(ids, training=True).numpy()
    assert (swapped[ids == 0] == 0).all() and (swapped[ids > 0] > 0).all()
    assert (swapped[ids > 0] != ids[ids > 0]).any()
    np.testing.assert_array_equal(Swap(1.0, count=9)(ids, training=False), ids)


def test_ids_are_swapped_as_often_as_asked_and_uniformly() -> None:
    ids = tf.fill([400, 100], 3)
    with Evaluation(Sample(tf.constant([1, 2]))):
        swapped = Swap(0.25, count=5)(ids, training=True).numpy()
    shares = np.bincount(swapped.ravel(), minlength=6) / swapped.size
    # Standard deviations are below 0.0022.
    np.testing.assert_allclose(shares, [0, 0.05, 0.05, 0.8, 0.05, 0.05], atol=0.01)


def test_the_first_rows_are_swapped_alike_in_a_part_of_the_batch() -> None:
    ids = tf.fill([8, 10], 3)
    swap = Swap(0.5, count=9)
    sample = Sample(tf.constant([1, 2]))
    with Evaluation(sample):
        whole = swap(ids, training=True).numpy()
    with Evaluation(sample.again(1, Recorder())):
        part = swap(ids[:3], training=True).numpy()
    np.testing.assert_array_equal(part, whole[:3])


@pytest.mark.parametrize("which", ["user_swap", "item_swap", "target_swap"])
def test_each_swap_acts_in_training_alone_and_where_it_should(which: str) -> None:
    swaps = {"user_swap": 0.0, "item_swap": 0.0, "target_swap": 0.0, which: 1.0}
    model = encoder(dropout=0.0, **swaps)
    inputs = {"item_ids": tf.constant(IDS[:2]), "user_ids": tf.constant(WHO[:2])}
    with Evaluation(Sample(tf.constant([5, 6]))):
        trained = model(inputs, training=True).numpy()
        scored = model.item_embedding(inputs["item_ids"], training=True).numpy()
    plain = model(inputs, training=False).numpy()
    table = array(model.item_embedding.embeddings)
    is_item = IDS[:2] > 0
    assert np.allclose(trained[is_item], plain[is_item], atol=1e-5) == (which == "target_swap")
    assert np.allclose(scored, table[IDS[:2]], atol=1e-5) == (which != "target_swap")
    np.testing.assert_array_equal(scored[..., -1], 1.0)


def test_both_evaluations_of_an_estimator_see_the_same_swaps() -> None:
    """With open gates in both, ARM's two losses are the same, and so its gradient is zero."""
    model = encoder(gates="positional", dropout=0.3)
    recommender = Recommender(model, BinaryCrossEntropy())
    recommender.compile(estimator="arm", seed=1)
    for layer in recommender.gate_layers:
        layer.logits.assign(tf.fill(layer.logits.shape, 20.0))
    scored = dict.fromkeys(("positives", "negatives"), np.ones([2, N, 1], np.int32))
    inputs = {"item_ids": IDS[:2], "user_ids": WHO[:2], **scored}
    x = {name: tf.constant(values) for name, values in inputs.items()}
    weights = tf.cast(x["item_ids"] > 0, tf.float32)
    gradients, _, _ = recommender.loss_gradients(
        x, tf.zeros([2, N], tf.int32), weights, tf.constant([3, 4])
    )
    gates = {id(v) for layer in recommender.gate_layers for v in layer.trainable_variables}
    found = [
        gradient.numpy()
        for variable, gradient in zip(recommender.trainable_variables, gradients, strict=True)
        if id(variable) in gates
    ]
    assert len(found) == 2
    for gradient in found:
        np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user_count": 0}, r"`user_count` must be at least 1. Received: user_count=0"),
        ({"user_dim": 0}, r"`user_dim` must be at least 1"),
        ({"user_swap": 1.5}, r"`rate` must be in \[0, 1\]. Received: rate=1.5"),
        ({"hidden_dim": 4, "user_dim": 3}, r"`num_heads` must divide"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SSEPT(**{"item_count": 5, "user_count": 3, "max_length": 4, **options})


def test_it_is_saved_and_loaded_with_a_recommender(tmp_path) -> None:
    recommender = Recommender(encoder(gates="positional", gamma=0.1))
    recommender.compile()
    recommender.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.score(IDS, user_ids=WHO), recommender.score(IDS, user_ids=WHO)
    )
