"""The squared Frobenius norm of a block's Jacobian, by random projections."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def _sum_of_squares(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(tf.cast(values, tf.float32)), axis=[1, 2])


def _hide(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return values if mask is None else values * tf.cast(mask, values.dtype)[..., tf.newaxis]


def jacobian_frobenius(
    function: Callable[[tf.Tensor], tf.Tensor],
    inputs: tf.Tensor,
    project: Callable[[int, tf.Tensor], tf.Tensor],
    projections: int = 1,
    mask: tf.Tensor | None = None,
) -> tf.Tensor:
    """An unbiased estimate of ||J||_F^2 for each sequence, differentiable in all it depends on.

    For y = f(x) with Jacobian J, `E ||v^T J||^2 = ||J||_F^2` for every random v with
    E[v v^T] = I (Hutchinson 1990; Hoffman et al. 2019, arXiv 1908.02729; Eq. 12 of the
    paper). Each projection is one vector-Jacobian product.

    Parameters
    ----------
    function
        Maps `[B, n, d]` to `[B, n, d']`, sequence by sequence.
    inputs
        x, `[B, n, d]`.
    project
        `project(k, y)` returns the k-th v, of the shape of y.
    projections
        How many v to average over.
    mask
        Boolean `[B, n]`, False at padding, which is left out on both sides of J.

    Returns
    -------
    Float32 `[B]`.

    Examples
    --------
    A linear map has the same Jacobian everywhere; with v running over the unit vectors the
    sum of the projections is exact.

    >>> weights = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> units = tf.constant([[[[1.0, 0.0]]], [[[0.0, 1.0]]]])
    >>> norm = jacobian_frobenius(
    ...     lambda x: x @ weights, tf.ones([1, 1, 2]), lambda k, y: units[k], projections=2
    ... )
    >>> float(2 * norm[0])  # the mean of two projections, times two
    30.0
    """
    with tf.GradientTape(persistent=projections > 1) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    total = tf.zeros(tf.shape(inputs)[:1], tf.float32)
    for index in range(projections):
        vector = _hide(tf.cast(project(index, outputs), outputs.dtype), mask)
        product = tape.gradient(outputs, inputs, output_gradients=vector)
        total += _sum_of_squares(_hide(product, mask))
    return total / projections
