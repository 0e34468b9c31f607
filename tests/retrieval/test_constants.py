"""Graphs whose small variables have become constants say what they said before."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_recdenoiser.retrieval.constants import with_constants

ROWS = tf.TensorSpec([None], tf.int32, "rows")
FACTOR = tf.TensorSpec([None], tf.float32, "factor")


def test_small_variables_that_are_read_whole_are_constants_and_no_others() -> None:
    small, large = (
        tf.Variable([2.0, 3.0]),
        tf.Variable(np.arange(6.0).reshape(3, 2), dtype=tf.float32),
    )
    gathered = tf.Variable([[1.0, 5.0], [7.0, 9.0]])
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([5, 6], [0, 1]), default_value=0
    )

    @tf.function(input_signature=[ROWS, FACTOR])
    def function(rows: tf.Tensor, factor: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.gather(gathered, table.lookup(rows))
        return {"found": found * small, "sums": tf.matmul(found, large, transpose_b=True) * factor}

    constant = tf.function(with_constants(function, largest=5), input_signature=[ROWS, FACTOR])
    rows, factor = tf.constant([6, 5, 4]), tf.constant([0.5])
    before = tf.nest.map_structure(np.array, function(rows, factor))
    tf.nest.map_structure(np.testing.assert_array_equal, constant(rows, factor), before)
    captured = constant.get_concrete_function().captured_inputs
    handles = {id(tensor) for tensor in captured if tensor.dtype == tf.resource}
    assert handles == {id(large.handle), id(gathered.handle), id(table.resource_handle)}
    small.assign([0.0, 0.0])
    large.assign(2 * large)
    np.testing.assert_array_equal(constant(rows, factor)["found"], before["found"])
    np.testing.assert_array_equal(constant(rows, factor)["sums"], 2 * before["sums"])
