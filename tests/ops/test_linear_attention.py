"""Linear attention against the double sum over pairs that it avoids."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops import linear_attention
from tf_recdenoiser.ops.linear_attention import linear_weights, positive_features


def weights_of(queries: np.ndarray, keys: np.ndarray, causal: bool) -> np.ndarray:
    weights = np.zeros((*queries.shape[:-1], keys.shape[-2]))
    for index in np.ndindex(weights.shape):
        *row, u, v = index
        if not causal or v <= u:
            weights[index] = queries[(*row, u)] @ keys[(*row, v)]
    total = weights.sum(-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), causal=st.booleans(), hidden=st.floats(0, 1))
def test_it_mixes_by_the_weights_of_pairs(seed: int, causal: bool, hidden: float) -> None:
    rng = np.random.default_rng(seed)
    queries, keys = rng.exponential(size=(2, 2, 3, 5, 4))
    keys[rng.random((2, 3, 5)) < hidden] = 0
    values = rng.normal(size=(2, 3, 5, 6))
    expected = weights_of(queries, keys, causal)
    narrow = [tf.constant(x, tf.float32) for x in (queries, keys, values)]
    np.testing.assert_allclose(linear_weights(*narrow[:2], causal), expected, atol=1e-5)
    found = linear_attention(*narrow, causal)
    np.testing.assert_allclose(found, expected @ values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 150])
def test_long_sequences_are_summed_chunk_by_chunk(length: int) -> None:
    rng = np.random.default_rng(1)
    queries, keys, values = (rng.exponential(size=(length, 3)) for _ in range(3))
    narrow = [tf.constant(x, tf.float32) for x in (queries, keys, values)]
    expected = weights_of(queries, keys, True) @ values
    for function in (linear_attention, tf.function(linear_attention)):
        np.testing.assert_allclose(function(*narrow, True), expected, rtol=1e-4)


def test_without_a_causal_mask_there_may_be_more_keys() -> None:
    rng = np.random.default_rng(0)
    queries, keys, values = (rng.exponential(size=(n, 4)) for n in (3, 5, 5))
    narrow = [tf.constant(x, tf.float32) for x in (queries, keys, values)]
    expected = weights_of(queries, keys, False) @ values
    np.testing.assert_allclose(linear_attention(*narrow, causal=False), expected, rtol=1e-5)


def test_the_features_are_elu_plus_1() -> None:
    x = np.array([-3.0, -0.5, 0.0, 2.0], np.float32)
    expected = np.where(x > 0, x + 1, np.exp(np.minimum(x, 0.0)))
    np.testing.assert_allclose(positive_features(x), expected, rtol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_narrow_types_are_summed_in_float32(causal: bool, dtype: tf.DType) -> None:
    """A thousand equal terms, whose sum float16 and bfloat16 would not hold."""
    ones = positive_features(tf.zeros([1000, 1], dtype))
    assert ones.dtype == tf.float32
    mixed = linear_attention(ones, ones, tf.fill([1000, 1], tf.constant(100.0, dtype)), causal)
    assert mixed.dtype == dtype
    np.testing.assert_allclose(tf.cast(mixed, tf.float32), np.full((1000, 1), 100.0), rtol=0.01)
