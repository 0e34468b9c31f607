"""Adam in one operation against NumPy, on dense weights and on rows of a table."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser._keras import keras, raw_variable
from tf_recdenoiser.training import Adam, LazyAdam

pytestmark = pytest.mark.both_keras

RATE, BETA_1, BETA_2, EPSILON = 0.1, 0.8, 0.95, 1e-3


class Table(keras.layers.Layer):
    """Has one weight, made as Keras makes them."""

    def build(self, _: object) -> None:
        self.table = self.add_weight(name="table", shape=(4, 2), initializer="ones")
        self.built = True


def built() -> Table:
    layer = Table()
    layer.build(None)
    return layer


def reference(gradients: list[np.ndarray]) -> np.ndarray:
    """The algorithm as its authors print it."""
    weight = np.ones([4, 2])
    first, second = np.zeros([4, 2]), np.zeros([4, 2])
    for step, gradient in enumerate(gradients, start=1):
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        rate = RATE * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        weight = weight - rate * first / (np.sqrt(second) + EPSILON)
    return weight


def lazy_reference(steps: list[tuple[list[int], np.ndarray]]) -> np.ndarray:
    """The same, where rows that a step does not read keep their weight."""
    weight = np.ones([4, 2])
    first, second = np.zeros([4, 2]), np.zeros([4, 2])
    for step, (indices, values) in enumerate(steps, start=1):
        gradient = np.zeros([4, 2])
        np.add.at(gradient, indices, values)
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        rate = RATE * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        moved = weight - rate * first / (np.sqrt(second) + EPSILON)
        weight[indices] = moved[indices]
    return weight


def optimizer(kind: type[Adam] = Adam, **options: object) -> Adam:
    return kind(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON, **options)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("options", [{}, {"clipnorm": 1e6}, {"amsgrad": True}])
def test_it_is_adam(rows: bool, options: dict[str, object]) -> None:
    """A row that comes twice counts twice, and one that does not come moves on."""
    gradients, used = [], optimizer(**options)
    weight = built().table
    used.build([weight])

    @tf.function
    def step(values: tf.Tensor, indices: tf.Tensor) -> None:
        gradient = tf.IndexedSlices(values, indices, tf.constant([4, 2]))
        used.apply_gradients([(gradient if rows else tf.convert_to_tensor(gradient), weight)])

    for indices in ([0, 1, 0], [3, 3, 3], [0, 2, 1]):
        values = np.full([3, 2], 2.0) + np.arange(6).reshape(3, 2)
        step(tf.constant(values, tf.float32), tf.constant(indices))
        gradients.append(np.zeros([4, 2]))
        np.add.at(gradients[-1], indices, values)
    expected = reference(gradients)
    if "amsgrad" not in options:  # Keras' own, of which the last step here says nothing else
        np.testing.assert_allclose(raw_variable(weight), expected, rtol=1e-5)
    else:
        assert np.all(raw_variable(weight).numpy() != 1.0)


@given(
    reads=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_lazily_only_rows_that_are_read_move(reads: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = [(indices, rng.normal(size=[len(indices), 2])) for indices in reads]
    weight, used = built().table, optimizer(LazyAdam)
    used.build([weight])
    for indices, values in steps:
        rows = tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(indices))
        used.apply_gradients([(rows, weight)])
    np.testing.assert_allclose(raw_variable(weight), lazy_reference(steps), rtol=1e-4)


def test_lazily_whole_weights_move_as_ever() -> None:
    found = []
    for kind in (Adam, LazyAdam):
        weight, used = built().table, optimizer(kind)
        for _ in range(3):
            used.apply_gradients([(tf.ones([4, 2]), weight)])
        found.append(raw_variable(weight).numpy())
    np.testing.assert_array_equal(*found)


def test_it_steps_as_keras_does_with_a_schedule() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.0, 0.1])
    found = []
    for kind in (Adam, keras.optimizers.Adam):
        weight, used = built().table, kind(schedule)
        for _ in range(3):
            used.apply_gradients([(tf.ones([4, 2]), weight)])
        found.append(raw_variable(weight).numpy())
    np.testing.assert_allclose(*found, rtol=1e-6)
    assert np.all(found[0] < 1)


@pytest.mark.parametrize("kind", [Adam, LazyAdam])
def test_it_is_saved_by_name(kind: type[Adam]) -> None:
    used = optimizer(kind)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(used))
    assert type(again) is kind
    assert again.get_config() == used.get_config()
