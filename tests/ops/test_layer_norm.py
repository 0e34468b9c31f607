"""Layer normalisation against NumPy, and its two derivatives against differences."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.layers.reference import normal
from tf_recdenoiser.ops.layer_norm import layer_norm

N, D = 3, 5
SCALE, OFFSET = normal(D) + 2.0, normal(D)


def reference(x: np.ndarray, epsilon: float) -> np.ndarray:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * SCALE + OFFSET


def test_it_is_layer_normalisation() -> None:
    x = normal(2, N, D)
    found = layer_norm(tf.constant(x), tf.constant(SCALE), tf.constant(OFFSET), 0.01)
    np.testing.assert_allclose(found, reference(x, 0.01), rtol=1e-5, atol=1e-6)


def by_operations(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """The formula by operations that TensorFlow differentiates itself."""
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    return centred / tf.sqrt(variance + 0.01) * scale + offset


def derivatives(function: object, graph: bool) -> list[tf.Tensor]:
    """The gradients of a scalar, and those of a norm of its gradient in the inputs."""
    weights = tf.constant(normal(2, N, D))
    inputs = [tf.constant(value) for value in (normal(2, N, D), SCALE, OFFSET)]

    def both(*inputs: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                scalar = tf.reduce_sum(weights * tf.tanh(function(*inputs)))  # type: ignore[operator]
            first = inner.gradient(scalar, inputs)
            norm = tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in first])
        return [*first, *outer.gradient(norm, inputs)]

    return (tf.function(both) if graph else both)(*inputs)


def test_its_first_and_second_derivatives_are_those_of_the_formula() -> None:
    for graph in (False, True):
        found = derivatives(lambda *given: layer_norm(*given, 0.01), graph)
        expected = derivatives(by_operations, graph)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
