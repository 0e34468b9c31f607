"""Gates of each sequence: their logits written out in loops, their penalty, parts of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tf_recdenoiser.estimators import DisArm, Rloo
from tf_recdenoiser.layers import (
    Gates,
    ItemGates,
    JacobianRegularizedBlock,
    PairwiseGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.part import WHOLE
from tf_recdenoiser.layers.records import GateRecord, Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D = 3, 4, 5
X = normal(B, N, D)
IS_ITEM = np.array([[True] * N, [False, True, True, True], [False, False, False, True]])
LIVE = IS_ITEM[:, :, np.newaxis] & IS_ITEM[:, np.newaxis]
SEED = tf.constant([1, 2])
both_ways = pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])
every_kind = pytest.mark.parametrize("kind", [PairwiseGates, ItemGates])


def random_gates(kind: type[Gates], **options: object) -> Gates:
    gates = kind(rank=3, **options)
    gates.build((None, N, D))
    randomize(gates, scale=1.0)
    return gates


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def pairwise(gates: PairwiseGates, b: int, u: int, v: int, seen: list[int]) -> float:
    first, second, phi = (
        w.numpy() for w in (gates.first_kernel, gates.second_kernel, gates.logits)
    )
    return phi[u - v + N - 1] + (unit(X[b, u]) @ first) @ (unit(X[b, v]) @ second)


def item(gates: ItemGates, b: int, u: int, v: int, seen: list[int]) -> float:
    if u == v:
        return 20.0
    others = [unit(X[b, w]) for w in seen if w != v]
    mean = np.mean(others, axis=0) if others else np.zeros(D)
    first, second = gates.first_kernel.numpy(), gates.second_kernel.numpy()
    return gates.constant.numpy() + (unit(X[b, v]) @ first) @ (mean @ second)


LOGITS: dict[type[Gates], Callable] = {PairwiseGates: pairwise, ItemGates: item}


def edges(causal: bool) -> list[tuple[int, int, int, list[int]]]:
    """Sequence, querying and attended position, and all that the querying position sees."""
    found = []
    for b, u in np.argwhere(IS_ITEM):
        seen = [w for w in range(N) if IS_ITEM[b, w] and (w <= u or not causal)]
        found += [(b, u, v, seen) for v in seen]
    return found


def drawn(gates: Gates, causal: bool) -> GateRecord:
    with Evaluation(Sample(SEED, DisArm())) as recorder:
        gates(X, X, live=tf.constant(LIVE), use_causal_mask=causal, training=True)
    return recorder.gates[gates]


@every_kind
@both_ways
def test_logits_are_those_of_the_formula(kind: type[Gates], causal: bool) -> None:
    gates = random_gates(kind)
    record = drawn(gates, causal)
    assert record.logits.shape == (B, 1, N, N) and record.per_sequence
    expected = np.full((B, 1, N, N), np.nan)
    for b, u, v, seen in edges(causal):
        expected[b, 0, u, v] = LOGITS[kind](gates, b, u, v, seen)
    np.testing.assert_array_equal(record.reachable, ~np.isnan(expected))
    usable = ~np.isnan(expected)
    np.testing.assert_allclose(record.logits.numpy()[usable], expected[usable], 1e-4, 1e-5)
    assert np.ptp(expected[:, 0, 3, 2][np.isfinite(expected[:, 0, 3, 2])]) > 0.05


@every_kind
@both_ways
@pytest.mark.parametrize("penalty", ["entries", "edges"])
def test_the_penalty_counts_each_edge_in_use(kind: type[Gates], causal: bool, penalty: str) -> None:
    gates = random_gates(kind, beta=0.3, penalty=penalty, sharpness=0.5)
    record = drawn(gates, causal)
    logits = record.logits.numpy()[:, 0]
    total = sum(1 / (1 + np.exp(-logits[b, u, v])) for b, u, v, _ in edges(causal))
    expected = 0.3 * (total if penalty == "edges" else total / B)
    assert float(gates.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_a_position_s_own_item_is_open_and_teaches_nothing() -> None:
    gates = random_gates(ItemGates, sharpness=2.0)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = gates.gate_logits(x, x, tf.ones([1, N, N], tf.bool))[:, 0]
        own = tf.reduce_sum(tf.linalg.diag_part(logits))
    np.testing.assert_array_equal(tf.linalg.diag_part(logits), np.full((B, N), 10.0))
    assert not np.any(tape.gradient(own, x))


def test_item_gates_are_for_self_attention() -> None:
    with pytest.raises(ValueError, match=r"self-attention.* Received: 4 queries and 3 keys"):
        ItemGates().build((None, 4, D), (None, 3, D))


@every_kind
def test_the_rank_must_be_a_number_of_columns(kind: type[Gates]) -> None:
    with pytest.raises(ValueError, match=r"`rank` must .*Received: rank=0"):
        kind(rank=0)


@every_kind
def test_the_first_sequences_are_drawn_by_the_same_numbers_again(kind: type[Gates]) -> None:
    gates = random_gates(kind)
    sample = Sample(SEED, Rloo(3))
    with Evaluation(sample) as recorder:
        gates(X, X, training=True)
    (record,) = recorder.gates.values()
    for index in range(3):
        with Evaluation(sample.again(index, recorder)) as again:
            found = gates(X[:2], X[:2], training=True)
        np.testing.assert_array_equal(found, record.gates[index][:2])
        (repeated,) = again.gates.values()
        np.testing.assert_array_equal(repeated.uniform, record.uniform[:, :2])
    assert len({gate.numpy().tobytes() for gate in record.gates}) == 3


def test_evaluations_can_change_one_layer_alone() -> None:
    first, second = (random_gates(PairwiseGates) for _ in range(2))

    def run(evaluation: Evaluation) -> list[np.ndarray]:
        with evaluation:
            return [gates(X, X, training=True).numpy() for gates in (first, second)]

    evaluation = Evaluation(Sample(SEED, DisArm()))
    sample, earlier = evaluation.sample, evaluation.recorder
    usual = run(evaluation)
    mirrored = run(Evaluation(sample.again(1, earlier)))
    changed = run(Evaluation(sample.again(1, earlier, changed=second)))
    np.testing.assert_array_equal(changed[0], usual[0])
    np.testing.assert_array_equal(changed[1], mirrored[1])
    assert all(np.any(one != other) for one, other in zip(usual, mirrored, strict=True))


@every_kind
def test_the_jacobian_of_a_part_of_the_batch_is_under_its_own_gates(kind: type[Gates]) -> None:
    """One projection of one sequence, against the same with that sequence's gates forced."""
    block = TransformerBlock(num_heads=1, gates=kind(initial_keep=0.6, rank=2), epsilon=1e-3)
    layer = JacobianRegularizedBlock(block, gamma=1.0, batch_size=1)
    layer.build((None, N, D))
    randomize(layer)
    chosen = set()
    for step in range(8):
        with Evaluation(Sample(tf.constant([step, 0]))) as recorder:
            layer(X, training=True)
        (record,) = recorder.gates.values()
        branch = Sample(tf.constant([step, 0])).branch(1)
        row = int(tf.argsort(tf.random.stateless_uniform([B], branch.noise_seed(1)))[0])
        projection = layer._projection(tf.constant([1, N, D]), branch.noise_seed(2), WHOLE)
        expected = B / D * squared_projection(block, record.gates[0][row], X[row], projection)
        assert float(tf.add_n(layer.losses)) == pytest.approx(expected, rel=1e-3)
        chosen.add(row)
    assert len(chosen) > 1


def squared_projection(
    block: TransformerBlock, gates: tf.Tensor, row: np.ndarray, projection: tf.Tensor
) -> float:
    """||v^T J||^2 of the block for one sequence alone, its gates held to be these."""
    x = tf.constant(row[np.newaxis])
    layer = block.attention.gates
    record = GateRecord(layer, gates, tf.ones([], bool), None, (gates,))
    evaluation = Evaluation(Sample(SEED, with_dropout=False), Recorder({layer: record}))
    with evaluation, tf.GradientTape() as tape:
        tape.watch(x)
        outputs = block(x, training=True)
    product = tape.gradient(outputs, x, output_gradients=tf.cast(projection, tf.float32))
    return float(tf.reduce_sum(product**2))
