"""Context features against loops over places."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser.layers.context import ContextFeatures

ITEMS, VIEWS, WIDTH = 20, 2, 4


def vectors_and_counts() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=[ITEMS + 1, VIEWS, WIDTH])
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[0] = 0
    return vectors, rng.integers(0, 50, ITEMS + 1)


def layer_of() -> ContextFeatures:
    layer = ContextFeatures(ITEMS, (VIEWS, WIDTH))
    layer.remember(*vectors_and_counts())
    return layer


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def features_of(row: np.ndarray, place: int, candidate: int) -> list[float]:
    """What the docstring says, place by place."""
    vectors, counts = vectors_and_counts()
    others = [at for at in range(len(row)) if row[at] and at != place]
    means, largest, usual = [], [], []
    for view in range(VIEWS):
        cosine = {at: vectors[candidate, view] @ vectors[row[at], view] for at in others}
        for side in (1, -1):
            for most in (1, 2, 4, 8, len(row)):
                near = [at for at in others if 0 < side * (place - at) <= most]
                means.append(mean([cosine[at] for at in near]))
        best = sorted([*cosine.values(), *[-1.0] * 5], reverse=True)[:5]
        largest += [best[0], best[1], mean(best)]
        usual.append(
            mean([vectors[candidate, view] @ vectors[i, view] for i in range(1, ITEMS + 1)])
        )
    before = sum(at < place for at in others)
    sizes = [counts[candidate], before, len(others) - before]
    return [*means, *largest, *usual, *np.log1p(sizes)]


@pytest.mark.parametrize("length", [1, 3, 12])
def test_features_are_what_their_description_says(length: int) -> None:
    rng = np.random.default_rng(length)
    ids = rng.integers(1, ITEMS + 1, [4, length])
    ids[0, : length // 2] = 0
    candidates = np.where(rng.random(ids.shape) < 0.5, ids, rng.integers(1, ITEMS + 1, ids.shape))
    found = layer_of()(tf.constant(ids, tf.int32), tf.constant(candidates, tf.int32)).numpy()
    for row in range(4):
        for place in np.flatnonzero(ids[row]):
            expected = features_of(ids[row], place, candidates[row, place])
            np.testing.assert_allclose(found[row, place], expected, rtol=1e-4, atol=1e-5)


def test_an_item_does_not_vouch_for_itself() -> None:
    layer = layer_of()
    ids = tf.constant([[4, 9, 2]])
    other = tf.constant([[4, 7, 2]])
    np.testing.assert_array_equal(layer(ids, other)[0, 1], layer(other, other)[0, 1])


def test_it_has_nothing_to_train() -> None:
    assert not layer_of().trainable_weights
