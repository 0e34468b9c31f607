"""Entries of a raw history find their slots in the model's input, and back."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops.slots import from_slots, history_inputs, model_slots, to_slots

ROWS = st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))


def random_codes(rows: int, columns: int, seed: int) -> np.ndarray:
    """Codes [rows, columns], about half of them 0."""
    codes = np.random.default_rng(seed).integers(-5, 6, [rows, columns], np.int32)
    return np.maximum(codes, 0)


@given(ROWS)
@settings(max_examples=50, deadline=None)
def test_the_model_reads_the_newest_known_entries(shape: tuple[int, int, int, int]) -> None:
    rows, columns, length, seed = shape
    codes = random_codes(rows, columns, seed)
    slots = model_slots(tf.constant(codes > 0, shape=codes.shape), length)
    got = to_slots(tf.constant(codes, shape=codes.shape), slots, length).numpy()
    times = tf.constant(1e9 + codes, tf.float64, codes.shape)
    inputs, same = history_inputs(tf.constant(codes, shape=codes.shape), length, times)
    np.testing.assert_array_equal(same, slots)
    np.testing.assert_array_equal(inputs["item_ids"], got)
    np.testing.assert_array_equal(inputs["times"], np.where(got > 0, 1e9 + got, 0))
    expected = np.zeros([rows, length], np.int32)
    for row in range(rows):
        newest = [code for code in codes[row] if code][-length:]
        expected[row, length - len(newest) :] = newest
    np.testing.assert_array_equal(got, expected, strict=True)


@given(ROWS)
@settings(max_examples=50, deadline=None)
def test_what_is_said_of_a_slot_is_said_of_its_entry(shape: tuple[int, int, int, int]) -> None:
    rows, columns, length, seed = shape
    codes = random_codes(rows, columns, seed)
    slots = model_slots(tf.constant(codes > 0, shape=codes.shape), length)
    values = np.random.default_rng(seed).normal(size=[rows, 3, length]).astype(np.float32)
    got = from_slots(tf.constant(values, shape=values.shape), slots).numpy()
    expected = np.zeros([rows, 3, columns], np.float32)
    for row in range(rows):
        read = [column for column in range(columns) if codes[row, column]][-length:]
        for slot, column in zip(range(length - len(read), length), read, strict=True):
            expected[row, :, column] = values[row, :, slot]
    np.testing.assert_array_equal(got, expected, strict=True)
