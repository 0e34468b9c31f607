"""The masked softmax against a loop over the visible entries."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops import masked_softmax


def reference(logits: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weights = np.zeros(logits.shape)
    for index in np.ndindex(logits.shape[:-1]):
        visible = mask[index]
        if visible.any():
            powers = np.exp(logits[index][visible] - logits[index][visible].max())
            weights[index][visible] = powers / powers.sum()
    return weights


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1.0, 30.0]), st.floats(0, 1))
def test_it_is_a_softmax_over_what_is_visible(seed: int, scale: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(2, 3, 4))
    mask = rng.random((2, 3, 4)) < share
    weights = masked_softmax(tf.constant(logits, tf.float32), tf.constant(mask)).numpy()
    np.testing.assert_allclose(weights, reference(logits, mask), atol=1e-6)
    assert not weights[~mask].any()


def test_without_a_mask_everything_is_visible() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 5))
    expected = reference(logits, np.ones_like(logits, bool))
    np.testing.assert_allclose(masked_softmax(tf.constant(logits, tf.float32)), expected, atol=1e-6)


def test_the_mask_is_broadcast() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    mask = np.tril(np.ones((4, 4), bool))
    expected = reference(logits, np.broadcast_to(mask, logits.shape))
    found = masked_softmax(tf.constant(logits, tf.float32), tf.constant(mask))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_row_that_is_hidden_altogether_is_zero_and_passes_no_gradient() -> None:
    logits = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    mask = tf.constant([[False, False], [True, True]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        weights = masked_softmax(logits, mask)
        first = tf.reduce_sum(weights[:, 0])
    gradient = tape.gradient(first, logits).numpy()
    assert not weights[0].numpy().any() and not gradient[0].any()
    assert np.all(np.isfinite(gradient)) and gradient[1].any()


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_narrow_types_are_computed_in_float32(dtype: tf.DType) -> None:
    """1,000 equal scores: float16's sum of a thousand terms would be off."""
    weights = masked_softmax(tf.fill([1, 1000], tf.constant(11.0, dtype)))
    assert weights.dtype == dtype
    expected = tf.cast(tf.constant(1e-3, tf.float32), dtype)
    assert np.all(weights.numpy() == expected.numpy())
