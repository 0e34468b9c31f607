"""What is drawn for a sequence, whichever part of a batch it is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser.layers import Dropout
from tf_recdenoiser.layers.part import WHOLE, Part
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.layers.swap import Swap

SEED = tf.constant([4, 2])
IDS = tf.reshape(tf.range(1, 36), [5, 7])


def noisy(layer: Any, x: tf.Tensor, part: Part = WHOLE) -> np.ndarray:
    with Evaluation(Sample(SEED, part=part)):
        return np.asarray(layer(x, training=True))


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda: Dropout(0.5), tf.ones([5, 7])),
        (lambda: Dropout(0.5), tf.ones([5, 3, 7])),
        (lambda: Swap(0.5, 99), IDS),
    ],
    ids=["dropout", "dropout of positions", "swap"],
)
@pytest.mark.parametrize(("first", "rows"), [(0, 2), (2, 3), (4, 1), (5, 0)])
def test_a_part_has_the_noise_of_the_whole(
    make: Callable[[], Any], x: tf.Tensor, first: int, rows: int
) -> None:
    expected = noisy(make(), x)[first : first + rows]
    found = noisy(make(), x[first : first + rows], Part(first, rows, 5))
    np.testing.assert_array_equal(found, expected)


def test_rows_of_positions_are_told_apart_from_rows_of_a_batch() -> None:
    """A layer may be called with all positions of a batch in one axis."""
    expected = noisy(Dropout(0.5), tf.ones([5, 3, 7])).reshape(15, 7)[6:]
    found = noisy(Dropout(0.5), tf.ones([9, 7]), Part(2, 3, 5))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_draw_for_the_whole_is_cut(axis: int) -> None:
    def draw(shape: Any) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, SEED)

    shape = [2, 2, 3]
    whole = np.asarray(draw([5, 2, 3] if axis == 0 else [2, 5, 3]))
    found = Part(3, 2, 5).of(draw, tf.constant(shape), axis)
    np.testing.assert_array_equal(found, np.take(whole, [3, 4], axis))
    np.testing.assert_array_equal(WHOLE.of(draw, tf.constant(shape), axis), draw(shape))
