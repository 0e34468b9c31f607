"""A last block's newest position alone, against the last row of the whole block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tf_recdenoiser.layers import ATTENTIONS, DROPPING, GATES, PositionalGates, TransformerBlock
from tf_recdenoiser.layers.newest import newest_alone
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D = 4, 6, 6
# No padding, some, all but the newest, and nothing else.
MASK = np.arange(N) >= np.array([[0], [2], [N - 1], [N]])
OPTIONS: list[dict[str, Any]] = [
    *({"gates": gates} for gates in (*GATES, *DROPPING)),
    *({"attention": attention} for attention in ATTENTIONS),
    {"attention": "linear", "gates": "key"},
    {"attention": "sliding_window", "gates": "pairwise", "norm": "pre"},
    {"gates": "positional", "causal": False, "norm": "pre", "intermediate_dim": 5},
    {"gates": PositionalGates(num_heads=2)},
]


def last_block(**options: Any) -> TransformerBlock:
    block = TransformerBlock(**{"num_heads": 2, "dropout": 0.5, "epsilon": 1e-5, **options})
    block.build((None, N, D))
    randomize(block)
    block.is_last = True
    return block


@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
def test_it_is_the_last_row(options: dict[str, Any], mask: np.ndarray | None) -> None:
    block, x = last_block(**options), tf.constant(normal(B, N, D))
    given = {"mask": None if mask is None else tf.constant(mask), "training": False}
    for weights in (None, tf.constant(np.abs(normal(B, N, seed=1)))):
        with Evaluation(Sample(tf.zeros([2], tf.int32))) as of_whole:
            whole = block(x, key_weights=weights, **given)
        with newest_alone(), Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
            newest = block(x, key_weights=weights, **given)
        np.testing.assert_allclose(newest, whole[:, -1:], rtol=1e-5, atol=1e-5)
        (expected,), (found,) = of_whole.attention, recorder.attention
        np.testing.assert_allclose(
            found.weights[:, :, -1], expected.weights[:, :, -1], rtol=1e-5, atol=1e-6
        )


def test_a_block_that_trains_or_is_not_the_last_gives_all_positions() -> None:
    block, x = last_block(), tf.zeros([B, N, D])
    with newest_alone():
        assert block(x, training=True).shape == (B, N, D)
        block.is_last = False
        assert block(x, training=False).shape == (B, N, D)


@pytest.mark.both_keras
def test_gates_from_outside() -> None:
    block, x = last_block(), tf.constant(normal(B, N, D))
    gates = tf.constant(np.abs(normal(B, 1, N, N, seed=2)))
    with newest_alone():
        newest = block(x, gates=gates, training=False)
    whole = block(x, gates=gates, training=False)
    np.testing.assert_allclose(newest, whole[:, -1:], rtol=1e-5, atol=1e-5)
