"""The Transformer block against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize, transformer_block
from tf_recdenoiser.layers import PositionalGates, TransformerBlock

B, N, D = 3, 5, 6
MASK = np.array([[True] * N, [False, False, True, True, True], [False] * 4 + [True]])


def random_block(**options: object) -> TransformerBlock:
    block = TransformerBlock(**options)
    block.build((None, N, D))
    randomize(block)
    return block


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "both ways"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_the_formula(norm: str, causal: bool, mask: np.ndarray | None) -> None:
    block = random_block(
        num_heads=2, intermediate_dim=7, norm=norm, causal=causal, dropout=0.5, epsilon=1e-5
    )
    x = normal(B, N, D)
    found = block(x, mask=None if mask is None else tf.constant(mask), training=False)
    expected = transformer_block(block, x.astype(np.float64), mask)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gates_are_on_its_attention(norm: str) -> None:
    block = random_block(num_heads=3, norm=norm, gates=PositionalGates(inference="expectation"))
    x = normal(B, N, D)
    keep = 1 / (1 + np.exp(-block.attention.gates.logits.numpy().astype(float)))
    expected = transformer_block(block, x.astype(np.float64), gates=keep)
    np.testing.assert_allclose(block(x, training=False), expected, rtol=1e-3, atol=1e-4)


def test_the_intermediate_width_is_that_of_the_input_unless_given() -> None:
    assert tuple(random_block().inner.kernel.shape) == (D, D)
    assert tuple(random_block(intermediate_dim=9).inner.kernel.shape) == (D, 9)


def test_another_activation() -> None:
    block = random_block(activation="sigmoid")
    x = normal(B, N, D)
    linear = random_block(activation="linear")
    linear.set_weights(block.get_weights())
    assert np.abs(block(x) - linear(x)).max() > 0.1


def test_a_copy_of_the_gates_is_used() -> None:
    gates = PositionalGates(initial_keep=0.7)
    blocks = [random_block(gates=gates) for _ in range(2)]
    first, second = (block.attention.gates for block in blocks)
    assert first is not gates and first is not second and not gates.built
    assert first.initial_keep == second.initial_keep == 0.7


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"norm": "middle"}, "norm"),
        ({"num_heads": 4}, "num_heads"),
        ({"num_heads": 0}, "num_heads"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: {argument}="):
        random_block(**options)
