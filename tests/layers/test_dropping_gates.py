"""Gates that drop whole layers or heads at random: what they drop, how often, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import array, attention, dense, normal, randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    DROPPING,
    DenoisingMultiHeadAttention,
    DroppingGates,
    HeadDrop,
    JacobianRegularizedBlock,
    LayerDrop,
    TransformerBlock,
    get_gates,
)
from tf_recdenoiser.layers.records import Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D, HEADS = 2, 4, 6, 3
X = normal(B, N, D)

every_kind = pytest.mark.parametrize("kind", DROPPING.values(), ids=DROPPING)


def seeded(number: int, **options: bool) -> Evaluation:
    return Evaluation(Sample(tf.constant([number, 0]), **options))


def attended(gates: Any) -> DenoisingMultiHeadAttention:
    layer = DenoisingMultiHeadAttention(HEADS, 2, gates=gates)
    layer(X, X)
    randomize(layer)
    return layer


def of_heads(layer: DenoisingMultiHeadAttention, factors: np.ndarray) -> np.ndarray:
    """The output as the sum over heads, each times its factor."""
    _, weights = attention(layer, X, X)
    values = dense(layer.value_dense, X, "bnd,dhk->bnhk")
    kernel = array(layer.output_dense.kernel)
    return array(layer.output_dense.bias) + sum(
        factor * weights[:, head] @ values[:, :, head] @ kernel[head]
        for head, factor in enumerate(factors)
    )


def gates_of(layer: DenoisingMultiHeadAttention, number: int) -> np.ndarray:
    """What the gate layer draws from the first seed of an evaluation."""
    with seeded(number):
        return layer.gates(X, num_heads=HEADS, training=True).numpy().ravel()


@every_kind
def test_in_training_it_is_the_sum_over_the_heads_that_are_left(kind: type[DroppingGates]) -> None:
    layer, seen = attended(kind(rate=0.5)), set()
    for number in range(12):
        gates = gates_of(layer, number)
        with seeded(number):
            found = layer(X, X, training=True)
        factors = np.broadcast_to(gates, (HEADS,))
        np.testing.assert_allclose(found, of_heads(layer, factors), rtol=1e-3, atol=1e-4)
        seen.add(tuple(gates.round(3)))
    assert len(seen) > 1


@every_kind
def test_otherwise_every_gate_is_open(kind: type[DroppingGates]) -> None:
    layer = attended(kind(rate=0.5))
    plain = attended(None)
    np.testing.assert_array_equal(layer(X, X, training=False), plain(X, X, training=False))
    with seeded(0, with_dropout=False):
        np.testing.assert_array_equal(layer(X, X, training=True), plain(X, X, training=True))


@every_kind
@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_a_part_is_dropped_as_often_as_the_rate_says(
    kind: type[DroppingGates], rate: float
) -> None:
    """Within four standard deviations of a binomial share."""
    gates = kind(rate=rate)
    draw = tf.function(lambda number: gates.draw(HEADS, tf.stack([number, 0])))
    drawn = np.stack([draw(tf.constant(number)).numpy().ravel() for number in range(600)])
    deviation = np.sqrt(rate * (1 - rate) / drawn.size)
    assert abs(np.mean(drawn == 0) - rate) <= 4 * deviation


def test_layers_are_kept_as_they_are_and_heads_made_up_for() -> None:
    for number in range(20):
        seed = tf.constant([number, 1])
        assert set(LayerDrop(0.5).draw(HEADS, seed).numpy().ravel()) <= {0.0, 1.0}
        heads = HeadDrop(0.5).draw(HEADS, seed).numpy().ravel()
        assert heads.sum() == pytest.approx(HEADS if heads.any() else 0)
        assert len(set(heads[heads > 0])) <= 1


@every_kind
def test_evaluations_of_one_step_drop_the_same(kind: type[DroppingGates]) -> None:
    layer = attended(kind(rate=0.5))
    for number in range(4):
        with seeded(number):
            first = layer(X, X, training=True)
        with Evaluation(Sample(tf.constant([number, 0])).again(1, Recorder())):
            np.testing.assert_array_equal(layer(X, X, training=True), first)


@every_kind
def test_the_jacobian_penalty_is_worked_out_without_it(kind: type[DroppingGates]) -> None:
    def penalty(gates: Any) -> float:
        block = JacobianRegularizedBlock(TransformerBlock(HEADS, gates=gates), gamma=1.0)
        block.build((None, N, D))
        randomize(block)
        with seeded(3):
            block(X, training=True)
        return float(block.losses[0])

    assert penalty(kind(rate=0.9)) == pytest.approx(penalty(kind(rate=0.0)), rel=1e-5)


@every_kind
def test_it_is_made_again_from_its_name_or_configuration(kind: type[DroppingGates]) -> None:
    (name,) = (name for name, listed in DROPPING.items() if listed is kind)
    assert type(get_gates(name)) is kind
    again = get_gates(keras.layers.serialize(kind(rate=0.25)))
    assert type(again) is kind and again.rate == 0.25
    copy = get_gates(again)
    assert copy is not again and copy.rate == 0.25
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\)\. Received: rate=1\.0"):
        kind(rate=1.0)


def test_a_kind_that_does_not_say_what_it_drops_says_so() -> None:
    with pytest.raises(TypeError, match="`draw`"):
        DroppingGates()(tf.zeros([1, 2, 3]), num_heads=1, training=True)
