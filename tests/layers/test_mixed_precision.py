"""Layers under mixed precision: what must stay float32 does, and the numbers agree roughly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    PositionalGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D = 2, 4, 6
X = normal(B, N, D)
NARROW = {"mixed_float16": tf.float16, "mixed_bfloat16": tf.bfloat16}


@pytest.fixture(params=sorted(NARROW))
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    keras.mixed_precision.set_global_policy(before)


def both_precisions(make) -> tuple:
    """A layer under the policy, and one of float32 with the same weights."""
    narrow, wide = make(dtype=None), make(dtype="float32")
    for layer in (narrow, wide):
        layer.build((None, N, D))
    randomize(wide)
    narrow.set_weights(wide.get_weights())
    return narrow, wide


def test_the_block_computes_in_the_narrow_type_and_its_gates_in_float32(policy: str) -> None:
    narrow, wide = both_precisions(
        lambda dtype: TransformerBlock(num_heads=2, gates=PositionalGates(), dtype=dtype)
    )
    found, expected = narrow(X, training=False), wide(X, training=False)
    assert found.dtype == NARROW[policy] and expected.dtype == tf.float32
    np.testing.assert_allclose(tf.cast(found, tf.float32), expected, atol=0.15)
    with Evaluation(Sample(tf.constant([0, 0]))) as recorder:
        narrow(X, training=True)
    (record,) = recorder.gates.values()
    assert record.gates[0].dtype == record.logits.dtype == tf.float32
    assert all(variable.dtype == "float32" for variable in narrow.trainable_variables)


def test_scores_beyond_float16_are_hidden_by_the_mask(policy: str) -> None:
    """-1e9 is minus infinity in float16, and a row of it would be NaN."""
    layer = DenoisingMultiHeadAttention(2, 3)
    mask = tf.constant([[True] * N, [False] * N])
    output = layer(X, X, value_mask=mask, use_causal_mask=True, training=False)
    assert np.all(np.isfinite(tf.cast(output, tf.float32)))


def test_the_jacobian_penalty_is_float32_and_about_the_same(policy: str) -> None:
    narrow, wide = both_precisions(
        lambda dtype: JacobianRegularizedBlock(
            keras.layers.Dense(1, activation="tanh", dtype=dtype), 0.5, dtype=dtype
        )
    )
    for layer in (narrow, wide):
        layer(X, training=True)
    (found,), (expected,) = narrow.losses, wide.losses
    assert found.dtype == tf.float32
    assert float(found) == pytest.approx(float(expected), rel=0.05)
