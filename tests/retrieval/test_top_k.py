"""The best items, against a sort in Python."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.retrieval import nearest_items, top_items


@given(
    items=st.integers(1, 7),
    asked=st.lists(st.integers(1, 9), max_size=4),
    seen=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_the_best_items_come_first(items: int, asked: list[int], seen: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few different scores, so that many are equal, and padding's is the highest.
    scores = rng.integers(-2, 3, [len(asked), items + 1]).astype(np.float32)
    scores[:, 0] = 9
    excluded = rng.integers(0, items + 1, [len(asked), seen], np.int32)
    codes, best = top_items(
        tf.constant(scores, shape=scores.shape),
        tf.constant(excluded, shape=excluded.shape),
        tf.constant(asked, tf.int32),
    )
    width = max(asked, default=0)
    assert codes.shape == best.shape == (len(asked), width)
    for row, k in enumerate(asked):
        left = sorted({*range(1, items + 1)} - {*excluded[row]}, key=lambda c: (-scores[row, c], c))
        expected = left[:k] + [0] * (width - len(left[:k]))
        assert codes[row].numpy().tolist() == expected
        assert best[row].numpy().tolist() == [scores[row, c] if c else -np.inf for c in expected]


@given(
    items=st.integers(1_020, 1_100),
    k=st.sampled_from([1, 3, 40, 1_000, 1_200]),
    kinds=st.sampled_from([2, 30, 10**6]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_of_a_large_catalogue_too(items: int, k: int, kinds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, kinds, [2, items + 1]).astype(np.float32)
    excluded = rng.integers(0, items + 1, [2, 50], np.int32)
    codes, best = top_items(tf.constant(scores), tf.constant(excluded), tf.constant([k]))
    for row in range(2):
        left = np.setdiff1d(np.arange(1, items + 1), excluded[row])
        expected = left[np.argsort(-scores[row, left], kind="stable")][:k]
        none = [0] * (k - len(expected))
        assert codes[row].numpy().tolist() == [*expected, *none]
        np.testing.assert_array_equal(best[row, : len(expected)], scores[row, expected])


@given(
    asked=st.lists(st.integers(1, 9), max_size=5),
    at_once=st.integers(1, 40),
    is_added=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_a_large_catalogue_is_gone_through_some_rows_at_a_time(
    asked: list[int], at_once: int, is_added: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors, table = (rng.normal(size=[rows, 3]).astype("f") for rows in (len(asked), 12))
    excluded = rng.integers(0, 12, [len(asked), 4], np.int32)
    added = rng.choice([0.0, -np.inf], 12).astype("f") if is_added else None
    arguments = [
        tf.constant(vectors, shape=vectors.shape),
        tf.constant(table),
        tf.constant(excluded, shape=excluded.shape),
        tf.constant(asked, tf.int32),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tf_recdenoiser.retrieval.top_k._LARGE", 12)
        patch.setattr("tf_recdenoiser.retrieval.top_k._MOST_SCORES", at_once)
        codes, best = nearest_items(*arguments, added)
    scores = vectors @ table.T + (0 if added is None else added)
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, excluded, -np.inf, axis=1)
    assert codes.shape == best.shape == (len(asked), max(asked, default=0))
    for row, k in enumerate(asked):
        order = np.argsort(-scores[row], kind="stable")[:k]
        expected = order[np.isfinite(scores[row, order])]
        assert codes[row, : len(expected)].numpy().tolist() == expected.tolist()
        assert not np.any(codes[row, len(expected) :])
        np.testing.assert_allclose(best[row, : len(expected)], scores[row, expected], rtol=1e-5)
