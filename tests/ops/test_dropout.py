"""Stateless dropout: its mean, its rate, and that its noise is a function of the seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops import dropout
from tf_recdenoiser.ops.dropout import _random_bytes

SEED = tf.constant([3, 4])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.99))
def test_survivors_are_scaled_so_that_the_mean_is_exact(rate: float) -> None:
    """Kept with probability 1 - k/256 and then divided by it, k/256 the nearest to the rate."""
    kept = 1 - round(256 * rate) / 256
    values = np.unique(dropout(tf.ones([5000]), rate, SEED))
    np.testing.assert_allclose(values, [0, 1 / kept], rtol=1e-6)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(rate: float) -> None:
    count = 200_000
    share = np.mean(dropout(tf.ones([count]), rate, SEED).numpy() == 0)
    assert abs(share - rate) < 1 / 512 + 4 * np.sqrt(rate * (1 - rate) / count)


def test_entries_are_dropped_independently_of_their_neighbours() -> None:
    """Four noises come from one random word: pairs must still be as rare as independent ones."""
    dropped = dropout(tf.ones([200_000]), 0.5, SEED).numpy() == 0
    for lag in (1, 2, 3, 4):
        both = np.mean(dropped[lag:] & dropped[:-lag])
        assert abs(both - 0.25) < 0.006


def test_every_byte_is_as_frequent_as_another_whatever_the_seed() -> None:
    """Chi-squared of 256 bytes over 400,000 draws, of seeds near each other and of one after it."""
    for seed in ([0, 0], [0, 1], [1, 0], [-5, 2**31 - 1]):
        drawn = _random_bytes(tf.constant(400_000), tf.constant(seed), 0).numpy()
        expected = len(drawn) / 256
        chi_squared = np.sum((np.bincount(drawn, minlength=256) - expected) ** 2) / expected
        assert abs(chi_squared - 255) < 5 * np.sqrt(2 * 255)


def test_noises_of_two_seeds_have_nothing_to_do_with_each_other() -> None:
    def bits(seed: list[int]) -> np.ndarray:
        return np.unpackbits(_random_bytes(tf.constant(100_000), tf.constant(seed), 0).numpy())

    for one, other in (([0, 0], [0, 1]), ([0, 0], [1, 0]), ([7, 9], [9, 7])):
        assert abs(np.mean(bits(one) == bits(other)) - 0.5) < 5 * 0.5 / np.sqrt(800_000)


def test_the_noise_is_a_function_of_the_seed() -> None:
    x = tf.random.stateless_normal([4, 7], [0, 0])
    again, other = dropout(x, 0.5, SEED), dropout(x, 0.5, tf.constant([3, 5]))
    np.testing.assert_array_equal(dropout(x, 0.5, SEED), again)
    assert np.any(again.numpy() != other.numpy())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 7))
def test_more_rows_leave_the_noise_of_the_first_as_it_is(rows: int, more: int, width: int) -> None:
    first = dropout(tf.ones([rows, width]), 0.5, SEED)
    longer = dropout(tf.ones([rows + more, width]), 0.5, SEED)
    np.testing.assert_array_equal(first, longer[:rows])


def test_the_gradient_is_what_each_entry_was_multiplied_by() -> None:
    x = tf.random.stateless_normal([50], [0, 0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = dropout(x, 0.25, SEED)
    np.testing.assert_allclose(tape.gradient(y, x), y / x, rtol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_the_type_is_kept(dtype: tf.DType) -> None:
    y = dropout(tf.ones([100], dtype), 0.5, SEED)
    assert y.dtype == dtype
    assert set(np.unique(tf.cast(y, tf.float32))) == {0.0, 2.0}


def test_rate_zero_is_the_identity_and_the_graph_agrees_with_eager() -> None:
    x = tf.random.stateless_normal([6, 5], [0, 0])
    np.testing.assert_array_equal(dropout(x, 0.0, SEED), x)
    traced = tf.function(
        lambda x: dropout(x, 0.3, SEED), input_signature=[tf.TensorSpec([None, 5])]
    )
    np.testing.assert_array_equal(traced(x), dropout(x, 0.3, SEED))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
def test_a_wrong_rate_is_named(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"`rate` must be in \[0, 1\)\. Received: rate={rate}$"):
        dropout(tf.ones([1]), rate, SEED)


@pytest.mark.parametrize("first", range(6))
def test_a_part_of_a_batch_has_the_noise_it_has_there(first: int) -> None:
    """Also where a part begins within a word of the generator's."""
    x = tf.ones([9, 3])
    whole = dropout(x, 0.4, SEED)
    part = dropout(x[first : first + 3], 0.4, SEED, start=3 * first)
    np.testing.assert_array_equal(part, whole[first : first + 3])
    np.testing.assert_array_equal(
        dropout(x[:3], 0.4, SEED, start=tf.constant(3 * first)), whole[first : first + 3]
    )
