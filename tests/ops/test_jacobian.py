"""The Jacobian norm against the Jacobian itself, written out entry by entry."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser.ops import jacobian_frobenius, masked_softmax

B, N, D, OUT = 2, 2, 2, 2
RNG = np.random.default_rng(5)
INPUTS = tf.constant(RNG.normal(size=(B, N, D)), tf.float32)
WEIGHTS = tf.constant(RNG.normal(size=(D, OUT)), tf.float32)
MASK = tf.constant([[True, True], [False, True]])


def block(x: tf.Tensor, weights: tf.Tensor = WEIGHTS) -> tf.Tensor:
    """A small attention block, so that positions depend on each other: `[B, n, d']`."""
    attended = masked_softmax(x @ tf.transpose(x, [0, 2, 1])) @ x
    return tf.tanh(attended @ weights) + x


def exact(mask: np.ndarray | None = None, weights: tf.Tensor = WEIGHTS) -> np.ndarray:
    """||J||_F^2 of each sequence, `[B]`, from its full Jacobian."""
    with tf.GradientTape() as tape:
        tape.watch(INPUTS)
        outputs = block(INPUTS, weights)
    jacobian = tape.batch_jacobian(outputs, INPUTS).numpy()  # [B, n, d', n, d]
    if mask is not None:
        jacobian = jacobian * mask[:, :, None, None, None] * mask[:, None, None, :, None]
    return np.sum(jacobian**2, axis=(1, 2, 3, 4))


def listed(vectors: np.ndarray) -> Callable[[int, tf.Tensor], tf.Tensor]:
    """The k-th of `vectors` `[K, n, d']` for every sequence."""

    def project(index: int, outputs: tf.Tensor) -> tf.Tensor:
        return tf.broadcast_to(tf.constant(vectors[index], outputs.dtype), tf.shape(outputs))

    return project


UNITS = np.eye(N * OUT).reshape(-1, N, OUT)
SIGNS = np.array(list(itertools.product((-1.0, 1.0), repeat=N * OUT))).reshape(-1, N, OUT)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
def test_unit_vectors_add_up_to_the_norm(mask: tf.Tensor | None) -> None:
    found = jacobian_frobenius(block, INPUTS, listed(UNITS), len(UNITS), mask)
    expected = exact(None if mask is None else mask.numpy())
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found * len(UNITS), expected, rtol=1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
def test_the_mean_over_all_sign_vectors_is_the_norm(mask: tf.Tensor | None) -> None:
    found = jacobian_frobenius(block, INPUTS, listed(SIGNS), len(SIGNS), mask)
    expected = exact(None if mask is None else mask.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_one_projection_is_the_squared_norm_of_one_row_combination() -> None:
    with tf.GradientTape() as tape:
        tape.watch(INPUTS)
        outputs = block(INPUTS)
    jacobian = tape.batch_jacobian(outputs, INPUTS).numpy().reshape(B, N * OUT, N * D)
    expected = np.sum((SIGNS[3].ravel() @ jacobian) ** 2, axis=-1)
    found = jacobian_frobenius(block, INPUTS, listed(SIGNS[3:4]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_padding_is_left_out_on_both_sides() -> None:
    assert np.all(exact(MASK.numpy())[1] < 0.8 * exact()[1])
    np.testing.assert_allclose(exact(MASK.numpy())[0], exact()[0])


def test_its_gradient_is_that_of_the_norm() -> None:
    """By central differences of the exact norm, in every weight."""
    with tf.GradientTape() as tape:
        tape.watch(WEIGHTS)
        norms = jacobian_frobenius(
            lambda x: block(x, WEIGHTS), INPUTS, listed(SIGNS), len(SIGNS), MASK
        )
        total = tf.reduce_sum(norms)
    mask, step = MASK.numpy(), 1e-2
    expected = np.zeros((D, OUT))
    for index in np.ndindex(D, OUT):
        change = np.zeros((D, OUT), np.float32)
        change[index] = step
        upper, lower = exact(mask, WEIGHTS + change), exact(mask, WEIGHTS - change)
        expected[index] = (upper - lower).sum() / (2 * step)
    np.testing.assert_allclose(tape.gradient(total, WEIGHTS), expected, rtol=2e-3, atol=2e-3)


def test_its_gradient_reaches_through_the_inputs() -> None:
    """The norm depends on where the block is evaluated, and on all that came before it."""
    with tf.GradientTape() as tape:
        tape.watch(INPUTS)
        norms = jacobian_frobenius(block, INPUTS, listed(UNITS), len(UNITS))
    assert np.abs(tape.gradient(norms, INPUTS)).max() > 0.1


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_narrow_types_are_summed_in_float32(dtype: tf.DType) -> None:
    """The squares of a Jacobian with entries of 300 overflow float16."""
    x = tf.ones([1, 2, 3], dtype)
    norm = jacobian_frobenius(
        lambda x: x * tf.constant(300.0, dtype), x, lambda k, y: tf.ones([1, 2, 3])
    )
    assert norm.dtype == tf.float32
    np.testing.assert_allclose(norm, [6 * 300.0**2], rtol=0.01)
