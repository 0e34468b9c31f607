"""The log-sum-exp of inner products with a table, without the products' gradient in memory."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.custom_gradient
def log_sum_exp_of_products(vectors: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """For each row h_r of `vectors`, log sum_i exp(h_r · t_i).

    With e_ri = exp(h_r · t_i - max) and z_r = sum_i e_ri, the gradient of row r, of weight g_r,
    is (g_r / z_r) sum_i e_ri t_i in h_r and adds (g_r / z_r) e_ri h_r to that in t_i. So e is the
    only tensor of shape `[R, I]` that is kept, and its scale g / z goes into the factors of the
    two matrix products. First derivatives only.

    Parameters
    ----------
    vectors
        `[R, d]` float32.
    table
        `[I, d]` float32.

    Returns
    -------
    `[R]` float32.

    Examples
    --------
    >>> log_sum_exp_of_products(tf.zeros([1, 3]), tf.ones([4, 3])).numpy().round(3)
    array([1.386], dtype=float32)
    """
    products = tf.matmul(vectors, table, transpose_b=True)
    top = tf.reduce_max(products, axis=-1, keepdims=True)
    powers = tf.exp(products - top)
    total = tf.reduce_sum(powers, axis=-1, keepdims=True)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = upstream[:, tf.newaxis] / total
        in_vectors = scale * tf.matmul(powers, table)
        return in_vectors, tf.matmul(powers, scale * vectors, transpose_a=True)

    return tf.squeeze(top + tf.math.log(total), axis=-1), gradient
