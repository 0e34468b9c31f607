"""Feedback features against loops over users and items, log ratios against their closed form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.reference import randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers.feedback import FeedbackFeatures, LogRatioOfLogit, _among_like

pytestmark = pytest.mark.both_keras

ITEMS, VIEWS, WIDTH = 9, 2, 3
OF_ITEMS = 3 + VIEWS
"""How many features are of items; those after them are of users."""


class Known(NamedTuple):
    """What is known of items, as `remember` takes it."""

    vectors: np.ndarray
    counts: np.ndarray
    answers: np.ndarray
    disliked: np.ndarray


def known_of(seed: int) -> Known:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=[ITEMS + 1, VIEWS, WIDTH])
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[[0, 4]] = 0
    answers = np.append(0, rng.integers(0, 6, ITEMS))
    disliked = rng.integers(0, 2 * answers + 1) / 2
    return Known(vectors, np.append(0, answers[1:] + rng.integers(0, 9, ITEMS)), answers, disliked)


def layer_of(known: Known) -> FeedbackFeatures:
    layer = FeedbackFeatures(ITEMS, (VIEWS, WIDTH))
    layer.remember(*known)
    return layer


def features_of(known: Known, row: np.ndarray, said: np.ndarray, place: int) -> list[float]:
    """What the docstring says, sum by sum."""
    vectors, counts, answers, disliked = known
    items = range(1, ITEMS + 1)
    mean = sum(disliked) / sum(answers) if sum(answers) else 0.0
    one = row[place]

    def likeness(view: int, i: int, j: int) -> float:
        return (vectors[i, view] @ vectors[j, view]) ** 2

    def rate(i: int) -> float:
        return (disliked[i] - mean * answers[i]) / (answers[i] + 5)

    others = [at for at in range(len(row)) if at != place and row[at] and not np.isnan(said[at])]
    bias = sum(said[at] - mean - rate(row[at]) for at in others) / (len(others) + 5)
    of_like, alike = [], []
    for view in range(VIEWS):
        like = {j: likeness(view, one, j) for j in items}
        excess = sum(like[j] * (disliked[j] - mean * answers[j]) for j in items)
        of_like.append(excess / (sum(like[j] * answers[j] for j in items) + 5))
        left = sum(like[row[at]] * (said[at] - mean - rate(row[at]) - bias) for at in others)
        alike.append(left / (sum(like[row[at]] for at in others) + 5))
    sizes = np.log1p([counts[one], answers[one], len(others)])
    return [sizes[0], sizes[1], rate(one), *of_like, bias, sizes[2], *alike]


ANSWERS = st.sampled_from([0.0, 0.5, 1.0, np.nan])
ROWS = st.lists(st.tuples(st.integers(0, ITEMS), ANSWERS), min_size=1, max_size=7)


@given(ROWS, st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_features_are_what_their_description_says(row: list[tuple[int, float]], seed: int) -> None:
    known, (ids, said) = known_of(seed), np.array(row).T
    ids = ids.astype(np.int32)
    found = layer_of(known)(tf.constant(ids[None]), tf.constant(said[None])).numpy()[0]
    assert found.shape == (len(ids), 5 + 2 * VIEWS)
    for place in np.flatnonzero(ids):
        expected = features_of(known, ids, said, place)
        np.testing.assert_allclose(found[place], expected, rtol=1e-4, atol=1e-5)


@given(ROWS, ANSWERS, st.data())
@settings(max_examples=20, deadline=None)
def test_what_a_user_says_of_an_item_says_nothing_of_it(
    row: list[tuple[int, float]], other: float, data: st.DataObject
) -> None:
    ids, said = np.array(row).T
    place = data.draw(st.integers(0, len(ids) - 1))
    changed = said.copy()
    changed[place] = other
    both = tf.constant(np.stack([said, changed]))
    found = layer_of(known_of(1))(tf.constant(np.stack([ids, ids]), tf.int32), both).numpy()
    np.testing.assert_allclose(found[0, place], found[1, place], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found[0, :, :OF_ITEMS], found[1, :, :OF_ITEMS])


def test_padding_says_nothing_whatever_stands_beside_it() -> None:
    layer, said = layer_of(known_of(2)), np.array([1.0, 0.0, np.nan])
    short = layer(tf.constant([[3, 7, 2]]), tf.constant([said])).numpy()
    for padding in (np.nan, 1.0):
        wide = np.append([padding] * 2, said)[None]
        found = layer(tf.constant([[0, 0, 3, 7, 2]]), tf.constant(wide)).numpy()
        np.testing.assert_allclose(found[:, 2:], short, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("answers", [np.zeros(ITEMS + 1), known_of(0).answers])
def test_where_nothing_is_known_of_users_their_features_are_zero(answers: np.ndarray) -> None:
    layer = layer_of(known_of(0)._replace(answers=answers, disliked=answers / 2))
    ids, nothing = tf.constant([[0, 3, 7], [1, 2, 3]]), tf.fill([2, 3], np.nan)
    found = layer(ids, nothing).numpy()
    assert np.isfinite(found).all()
    assert not found[..., OF_ITEMS:].any()
    assert found[..., 1].any() == answers.any()


def test_sums_over_like_items_are_those_over_pairs() -> None:
    rng = np.random.default_rng(3)
    vectors, values = rng.normal(size=(30, 4)), rng.normal(size=30)
    pairs = [sum((v @ w) ** 2 * x for w, x in zip(vectors, values, strict=True)) for v in vectors]
    np.testing.assert_allclose(_among_like(vectors, values), pairs)


def test_the_log_ratio_is_that_of_the_share_and_the_logits_probability() -> None:
    layer, logits = LogRatioOfLogit(), np.array([-20.0, -3.0, 0.0, 0.7, 9.0])
    layer.remember(0.3)
    found = layer(tf.constant(logits[None, :, None], tf.float32)).numpy()
    np.testing.assert_allclose(found[0], np.log(0.3 * (1 + np.exp(-logits))), rtol=1e-5)
    extreme = layer(tf.constant([[[-1e4], [1e4]]])).numpy()[0]
    np.testing.assert_allclose(extreme, [1e4 + np.log(0.3), np.log(0.3)], rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_model_of_them_is_saved_and_computes_in_float32(policy: str, tmp_path: Path) -> None:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        ids = keras.Input([None], dtype="int32", name="item_ids")
        said = keras.Input([None], dtype="float32", name="disliked")
        features, log_ratio = layer_of(known_of(4)), LogRatioOfLogit()
        logits = keras.layers.Dense(1, dtype="float32")(features(ids, said))
        model = keras.Model({"item_ids": ids, "disliked": said}, log_ratio(logits))
        randomize(model)
        log_ratio.remember(0.2)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    finally:
        keras.mixed_precision.set_global_policy(before)
    given = {
        "item_ids": tf.constant([[0, 3, 7, 2]]),
        "disliked": tf.constant([[np.nan, 1.0, np.nan, 0.0]]),
    }
    (dense,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    kernel, bias = dense.get_weights()
    logit = features(given["item_ids"], given["disliked"]).numpy() @ kernel + bias
    expected = np.log(0.2 * (1 + np.exp(-logit[..., 0])))
    for one in (model, loaded):
        found = one(given)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_they_have_nothing_to_train() -> None:
    assert not layer_of(known_of(0)).trainable_weights and not LogRatioOfLogit().trainable_weights
