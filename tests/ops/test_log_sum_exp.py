"""The log-sum-exp of products: value and gradients against the formula."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops.log_sum_exp import log_sum_exp_of_products


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 30.0]), st.integers(0, 4))
def test_it_has_the_value_and_the_gradients_of_the_formula(
    seed: int, scale: float, rows: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors, table = scale * rng.normal(size=(rows, 3)), rng.normal(size=(5, 3))
    upstream = rng.normal(size=rows)
    products = vectors @ table.T
    top = products.max(-1, keepdims=True, initial=-np.inf)
    powers = np.exp(products - top)
    share = powers / powers.sum(-1, keepdims=True) * upstream[:, np.newaxis]
    inputs = [tf.constant(value, tf.float32) for value in (vectors, table)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = log_sum_exp_of_products(*inputs)
    gradients = tape.gradient(found, inputs, tf.constant(upstream, tf.float32))
    np.testing.assert_allclose(found, top[:, 0] + np.log(powers.sum(-1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients[0], share @ table, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(gradients[1], share.T @ vectors, rtol=1e-3, atol=1e-4 * scale)
