"""One evaluation's random numbers: repeated by the seed, the same for all that share it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal
from tf_recdenoiser.estimators import Arm, DisArm, Rloo
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    Dropout,
    PositionalGates,
)
from tf_recdenoiser.layers.records import GateRecord, Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample, current_evaluation

SEED, OTHER = tf.constant([1, 2]), tf.constant([1, 3])
X = tf.constant(normal(2, 6, 4))


def noise(count: int = 1) -> list[np.ndarray]:
    """The dropout noise of `count` layers, one after the other."""
    return [Dropout(0.5)(tf.ones([40]), training=True).numpy() for _ in range(count)]


def test_the_seed_decides_the_noise() -> None:
    with Evaluation(Sample(SEED)):
        first = noise(2)
    with Evaluation(Sample(SEED)):
        again = noise(2)
    with Evaluation(Sample(OTHER)):
        other = noise(2)
    np.testing.assert_array_equal(first, again)
    assert np.any(first[0] != first[1])
    assert np.any(first[0] != other[0])


def test_evaluations_share_dropout_noise_and_uniform_numbers_and_differ_in_gates() -> None:
    gates = PositionalGates(initial_keep=0.6)
    drawn, dropped, uniform = [], [], []
    for index in (0, 1):
        with Evaluation(Sample(SEED, Arm(), index)) as recorder:
            drawn.append(gates(X, X, training=True))
            dropped += noise()
        uniform.append(recorder.gates[gates].uniform.numpy())
    np.testing.assert_array_equal(*uniform)
    np.testing.assert_array_equal(*dropped)
    keep = tf.sigmoid(gates.logits).numpy()
    np.testing.assert_array_equal(drawn[0], uniform[0][0] < keep)
    np.testing.assert_array_equal(drawn[1], uniform[0][0] > 1 - keep)
    assert np.any(drawn[0].numpy() != drawn[1].numpy())


def test_each_gate_layer_has_uniform_numbers_of_its_own() -> None:
    layers = [PositionalGates(), PositionalGates()]
    with Evaluation(Sample(SEED, Rloo(3))) as recorder:
        for layer in layers:
            layer(X, X, training=True)
    first, second = (recorder.gates[layer].uniform.numpy() for layer in layers)
    assert first.shape == (3, 6, 6)
    assert np.all(first != second) and np.all(first[0] != first[1])


def test_a_layer_called_twice_in_one_evaluation_has_the_same_gates() -> None:
    gates = PositionalGates(initial_keep=0.6)
    with Evaluation(Sample(SEED)):
        first = gates(X, X, training=True)
        np.testing.assert_array_equal(gates(X, X, training=True), first)


def test_how_many_gate_layers_there_are_does_not_change_the_dropout_noise() -> None:
    with Evaluation(Sample(SEED)):
        plain = noise()
    with Evaluation(Sample(SEED)):
        PositionalGates()(X, X, training=True)
        gated = noise()
    np.testing.assert_array_equal(plain, gated)


def test_a_branch_repeats_the_gates_and_shifts_no_noise() -> None:
    gates = PositionalGates(initial_keep=0.6)
    with Evaluation(Sample(SEED)):
        plain = noise(2)
    sample = Sample(SEED, DisArm(), index=1)
    with Evaluation(sample) as recorder:
        drawn = gates(X, X, training=True)
        before = noise()
        branch = sample.branch(recorder.count_branch())
        with Evaluation(branch, Recorder(dict(recorder.gates))):
            np.testing.assert_array_equal(gates(X, X, training=True), drawn)
            np.testing.assert_array_equal(noise(), np.ones((1, 40)))
        after = noise()
    np.testing.assert_array_equal([*before, *after], plain)
    assert not branch.with_penalties


def test_they_nest_and_end_even_by_an_error() -> None:
    assert current_evaluation() is None
    outer, inner = Evaluation(Sample(SEED)), Evaluation(Sample(OTHER))
    with outer:
        with pytest.raises(RuntimeError), inner:
            assert current_evaluation() is inner
            raise RuntimeError
        assert current_evaluation() is outer
    assert current_evaluation() is None


def test_without_an_evaluation_tensorflow_s_own_seed_decides() -> None:
    runs = []
    for seed in (5, 5, 6):
        tf.random.set_seed(seed)
        runs.append(noise(2))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0][0] != runs[0][1]) and np.any(runs[0][0] != runs[2][0])


def test_records_tell_density_and_mean_keep_of_reachable_gates() -> None:
    layer = DenoisingMultiHeadAttention(2, 3)
    layer(X, X)
    logits = normal(6, 6, seed=4)
    layer.gates.logits.assign(logits)
    with Evaluation(Sample(SEED)) as recorder:
        layer(X, X, use_causal_mask=True, training=False)
    (record,) = recorder.gates.values()
    rows, columns = np.tril_indices(6)
    reachable = logits[rows, columns]
    assert float(record.density) == pytest.approx(np.mean(reachable > 0))
    assert float(record.mean_keep) == pytest.approx(np.mean(1 / (1 + np.exp(-reachable))), rel=1e-5)
    keep = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(record.gates[0], np.where(keep > 0.5, keep, 0), rtol=1e-5)
    assert record.uniform is None


def test_the_share_over_heads_counts_every_head() -> None:
    values = normal(2, 3, 3)
    reachable = np.tril(np.ones((3, 3), bool))
    record = GateRecord(None, tf.constant(values), tf.constant(reachable), None, ())
    assert float(record.share(record.logits)) == pytest.approx(
        values[:, reachable].mean(), rel=1e-5
    )


def test_a_sample_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sample(SEED).index = 1
