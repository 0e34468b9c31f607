"""Gate layers: what they start at, how they are drawn, what they cost."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.reference import normal
from tf_recdenoiser._keras import keras
from tf_recdenoiser.estimators import Arm
from tf_recdenoiser.layers import GATES, DenoisingMultiHeadAttention, Gates, PositionalGates
from tf_recdenoiser.layers.gates import get_gates
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, M, D = 3, 4, 5, 2
QUERY, KEY = tf.constant(normal(B, N, D)), tf.constant(normal(B, M, D, seed=1))
SEED = tf.constant([1, 2])


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def random_gates(**options: object) -> tuple[PositionalGates, np.ndarray]:
    """Built gates with random logits, and their keep probabilities."""
    gates = PositionalGates(**options)
    gates.build(QUERY.shape, KEY.shape)
    logits = np.random.default_rng(0).normal(size=gates.logits.shape)
    gates.logits.assign(logits)
    return gates, sigma(gates.sharpness * logits)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.51, 0.999), st.floats(0.2, 7))
def test_they_start_at_the_keep_probability_asked_for(keep: float, sharpness: float) -> None:
    gates = PositionalGates(initial_keep=keep, sharpness=sharpness, inference="expectation")
    assert sigma(sharpness * gates.initial_logit) == pytest.approx(keep, rel=1e-6)
    np.testing.assert_allclose(gates(QUERY, QUERY, training=False), keep, rtol=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 7.0])
def test_gates_that_start_at_1_are_open_in_every_draw(sharpness: float) -> None:
    gates = PositionalGates(initial_keep=1.0, sharpness=sharpness, num_heads=50)
    for training in (True, False):
        drawn = gates(tf.zeros([1, 20, 1]), tf.zeros([1, 20, 1]), training=training)
        assert np.all(drawn.numpy() == 1)


@pytest.mark.parametrize("num_heads", [None, 3])
def test_there_is_one_logit_for_each_edge(num_heads: int | None) -> None:
    gates, _ = random_gates(num_heads=num_heads)
    expected = (N, M) if num_heads is None else (num_heads, N, M)
    assert tuple(gates.logits.shape) == expected
    assert tuple(gates(QUERY, KEY, training=True).shape) == expected


def test_in_training_each_is_open_with_its_keep_probability() -> None:
    gates, keep = random_gates(sharpness=2.0)
    drawn = []
    for step in range(300):
        with Evaluation(Sample(tf.constant([step, 0]))):
            drawn.append(gates(QUERY, KEY, training=True).numpy())
    assert set(np.unique(drawn)) == {0.0, 1.0}
    spread = np.sqrt(keep * (1 - keep) / 300)
    assert np.all(np.abs(np.mean(drawn, axis=0) - keep) < 4.5 * spread)


@pytest.mark.parametrize(
    ("inference", "rule"),
    [
        ("clip", lambda p: np.where(p > 0.5, p, 0)),
        ("hard", lambda p: p > 0.5),
        ("expectation", lambda p: p),
    ],
)
def test_at_inference_they_are_not_drawn(inference: str, rule) -> None:
    gates, keep = random_gates(inference=inference, sharpness=2.0)
    for arguments in ({"training": False}, {}):
        np.testing.assert_allclose(gates(QUERY, KEY, **arguments), rule(keep), rtol=1e-5)


LIVE = np.random.default_rng(3).random((B, N, M)) < 0.6


@pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])
@pytest.mark.parametrize("live", [None, LIVE], ids=["all live", "padding"])
@pytest.mark.parametrize("penalty", ["entries", "edges"])
def test_the_penalty_is_its_formula(penalty: str, live: np.ndarray | None, causal: bool) -> None:
    gates, keep = random_gates(beta=0.3, penalty=penalty, sharpness=2.0)
    with Evaluation(Sample(SEED)):
        mask = None if live is None else tf.constant(live)
        gates(QUERY, KEY, live=mask, use_causal_mask=causal, training=True)

    edges = np.ones((B, N, M), bool) if live is None else live
    reachable = np.tril(np.ones((N, M), bool)) if causal else np.ones((N, M), bool)
    if penalty == "edges":
        total = sum((keep * (sequence & reachable)).sum() for sequence in edges)
    else:
        total = (keep * reachable).sum()
    positions = sum(row.any() for sequence in edges for row in sequence)
    (found,) = gates.losses
    assert float(found) == pytest.approx(0.3 * total, rel=1e-5)
    gates(QUERY, KEY, live=mask, use_causal_mask=causal, training=True)
    assert float(gates.losses[0]) == pytest.approx(0.3 * total / positions, rel=1e-5)


def test_a_penalty_for_each_head_counts_each_head() -> None:
    gates, keep = random_gates(beta=0.3, num_heads=2)
    gates(QUERY, KEY, training=True)
    assert float(gates.losses[0]) == pytest.approx(0.3 * keep.sum() / (B * N), rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_there_is_no_penalty_at_inference_nor_in_further_evaluations(beta: float) -> None:
    gates, _ = random_gates(beta=beta)
    gates(QUERY, KEY, training=False)
    assert not gates.losses
    with Evaluation(Sample(SEED, with_penalties=False)):
        gates(QUERY, KEY, training=True)
    assert not gates.losses
    gates(QUERY, KEY, training=True)
    assert len(gates.losses) == (beta > 0)


class NearGates(Gates):
    """Gates of each sequence, from the distance of query and key: as a user might write them."""

    def build(self, query_shape, key_shape=None) -> None:
        self.radius = self.add_weight(name="radius", shape=(), initializer="ones", trainable=True)
        super().build(query_shape, key_shape)

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        difference = query[:, :, tf.newaxis] - key[:, tf.newaxis]
        near = tf.convert_to_tensor(self.radius) - tf.reduce_sum(tf.square(difference), axis=-1)
        return near[:, tf.newaxis]


def test_a_new_kind_of_gate_is_one_method() -> None:
    gates = NearGates(inference="hard", beta=1.0)
    layer = DenoisingMultiHeadAttention(2, 3, gates=gates)
    _, weights = layer(QUERY, KEY, return_attention_scores=True, training=False)
    distance = np.sum((QUERY.numpy()[:, :, np.newaxis] - KEY.numpy()[:, np.newaxis]) ** 2, axis=-1)
    expected = np.broadcast_to((distance < 1)[:, np.newaxis], weights.shape)
    np.testing.assert_array_equal(weights.numpy() > 0, expected)
    with Evaluation(Sample(SEED, Arm())) as recorder:
        layer(QUERY, KEY, training=True)
    (record,) = recorder.gates.values()
    assert record.uniform.shape == (1, B, 1, N, M)
    keep = sigma(1 - distance)
    assert float(record.mean_keep) == pytest.approx(keep.mean(), rel=1e-5)
    assert float(layer.losses[0]) == pytest.approx(keep.sum() / B, rel=1e-5)


def test_a_kind_without_logits_says_so() -> None:
    with pytest.raises(TypeError, match="`gate_logits`"):
        Gates()(QUERY, KEY)


def test_they_are_named_configured_or_given() -> None:
    assert get_gates(None) is None
    for name, kind in GATES.items():
        assert type(get_gates(name)) is kind
    prototype = PositionalGates(beta=0.25, num_heads=2)
    for identifier in (prototype, keras.layers.serialize(prototype)):
        copy = get_gates(identifier)
        assert copy is not prototype and (copy.beta, copy.num_heads) == (0.25, 2)


def test_they_compute_in_float32_whatever_the_policy() -> None:
    gates = PositionalGates(dtype="mixed_float16")
    drawn = gates(tf.cast(QUERY, tf.float16), tf.cast(KEY, tf.float16), training=True)
    assert drawn.dtype == tf.float32 and gates.logits.dtype == "float32"


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"beta": -1.0}, "beta"),
        ({"penalty": "weights"}, "penalty"),
        ({"initial_keep": 0.5}, "initial_keep"),
        ({"initial_keep": 1.1}, "initial_keep"),
        ({"sharpness": 0.0}, "sharpness"),
        ({"inference": "soft"}, "inference"),
        ({"num_heads": 0}, "num_heads"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: {argument}="):
        PositionalGates(**options)


def test_positional_gates_need_a_length() -> None:
    with pytest.raises(ValueError, match=r"max_length=50.* Received: .*\(None, None\)"):
        PositionalGates().build((None, None, D))
