"""TiSASRec against NumPy: intervals, and what they and positions add to keys and values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.reference import array, dense, normalize, randomize, softmax, transformer_block
from tf_recdenoiser.backbones import TiSASRec
from tf_recdenoiser.layers import TimeAwareAttention
from tf_recdenoiser.layers.time_aware import TimeContext
from tf_recdenoiser.ops.intervals import personal_intervals

ITEMS, N, D, HEADS, K = 9, 6, 4, 2, 5
IDS = np.array([[3, 1, 4, 1, 5, 9], [0, 0, 0, 2, 6, 5]], np.int32)
START = 1.6e9
TIMES = START + np.array([[0, 60, 60, 200, 1e6, 1e6 + 61], [0, 0, 0, 7, 9, 14]])
TIMES = np.where(IDS > 0, TIMES, 0.0)


def intervals(times: np.ndarray, is_item: np.ndarray, largest: int) -> np.ndarray:
    """By the definition, pair by pair."""
    found = np.zeros((*times.shape, times.shape[1]), int)
    for row, (clock, real) in enumerate(zip(times.tolist(), is_item, strict=True)):
        pairs = [(i, j) for i, j in itertools.product(range(len(clock)), repeat=2) if real[i]]
        pairs = [(i, j) for i, j in pairs if real[j]]
        gaps = [abs(clock[i] - clock[j]) for i, j in pairs]
        least = min((gap for gap in gaps if gap > 0), default=np.inf)
        for (i, j), gap in zip(pairs, gaps, strict=True):
            found[row, i, j] = min(gap // least, largest)
    return found


def attention(context: TimeContext) -> Any:
    """Eq. 6 to 8 with a vector for each pair, as the paper writes them."""

    def attend(
        layer: Any, query: np.ndarray, value: np.ndarray, visible: np.ndarray, gates: Any = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        q = dense(layer.query_dense, query, "bnd,dhk->bnhk")
        k = dense(layer.key_dense, value, "bnd,dhk->bnhk")
        v = dense(layer.value_dense, value, "bnd,dhk->bnhk")
        heads = q.shape[2:]

        def pairs(of_intervals: np.ndarray, of_positions: np.ndarray) -> np.ndarray:
            vectors = np.stack([t[r] for t, r in zip(of_intervals, context.intervals, strict=True)])
            return (vectors + of_positions[:, np.newaxis]).reshape(*vectors.shape[:3], *heads)

        rk = k[:, np.newaxis] + pairs(context.interval_keys, context.position_keys)
        rv = v[:, np.newaxis] + pairs(context.interval_values, context.position_values)
        e = np.einsum("bihk,bijhk->bhij", q, rk) / np.sqrt(heads[1])
        seen = np.broadcast_to(visible, (len(e), *e.shape[2:]))
        weights = softmax(e, seen[:, np.newaxis]) * gates
        z = np.einsum("bhij,bijhk->bihk", weights, rv)
        return dense(layer.output_dense, z, "bnhk,hkd->bnd"), weights

    return attend


def encoder(**options: Any) -> TiSASRec:
    model = TiSASRec(ITEMS, N, D, num_heads=HEADS, max_interval=K, **options)
    randomize(model)
    return model


def context_of(model: TiSASRec) -> TimeContext:
    interval_keys, interval_values, position_keys, position_values = (
        np.repeat(array(table)[np.newaxis], len(IDS), axis=0)
        for table in model.get_layer("times_and_positions").tables
    )
    r = intervals(TIMES, IDS > 0, K)
    return TimeContext(r, interval_keys, interval_values, position_keys, position_values)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_output_is_that_of_the_equations(norm: str) -> None:
    model = encoder(norm=norm, dropout=0.5)
    found = model({"item_ids": IDS, "times": TIMES}, training=False).numpy()
    x, mask = array(model.item_embedding.embeddings)[IDS], IDS > 0
    attend = attention(context_of(model))
    for index in range(2):
        x = transformer_block(model.get_layer(f"block_{index + 1}"), x, mask, attention=attend)
    expected = normalize(model.get_layer("last_norm"), x)
    np.testing.assert_allclose(found[mask], expected[mask], rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("gates", [None, "positional"])
def test_the_attention_is_that_of_the_equations(gates: str | None) -> None:
    """One layer, whose intervals' and positions' terms are as large as the items'."""
    rng = np.random.default_rng(0)
    layer = TimeAwareAttention(HEADS, D // HEADS, gates=gates)
    x = rng.normal(size=(2, N, D)).astype(np.float32)
    tables = [rng.normal(size=(2, size, D)).astype(np.float32) for size in (K + 1, K + 1, N, N)]
    context = TimeContext(intervals(TIMES, IDS > 0, K).astype(np.int32), *tables)
    causal = np.tril(np.ones((N, N), bool))
    layer(x, x, context=context)
    randomize(layer)
    found, weights = layer(
        x, x, use_causal_mask=True, return_attention_scores=True, context=context
    )
    phi = np.zeros(1) if gates is None else array(layer.gates.logits)
    keep = 1 / (1 + np.exp(-phi))
    z = 1.0 if gates is None else np.where(keep > 0.5, keep, 0.0)
    expected, its_weights = attention(context)(layer, x, x, visible=causal, gates=z)
    np.testing.assert_allclose(weights, its_weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for index in range(1, 5):  # every term counts
        without = context._replace(**{context._fields[index]: 0 * tables[index - 1]})
        assert not np.allclose(layer(x, x, use_causal_mask=True, context=without), found)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.integers(0, 40), min_size=5, max_size=5).map(sorted), min_size=1, max_size=4
    ),
    unit=st.sampled_from([1, 7, 86_400]),
    padded=st.integers(0, 5),
    largest=st.integers(1, 12),
)
def test_intervals_are_personal_and_clipped(
    rows: list[list[int]], unit: int, padded: int, largest: int
) -> None:
    is_item = np.tile(np.arange(5) >= padded, [len(rows), 1])
    times = np.where(is_item, START + unit * np.array(rows), 0.0)
    found = personal_intervals(tf.constant(times), tf.constant(is_item), largest).numpy()
    np.testing.assert_array_equal(found, intervals(times, is_item, largest))


@pytest.mark.parametrize("proportions", [[1.0, -1.0], [1.0, -1.0, 0.0, 0.5], [-1.0, -1.0]])
def test_intervals_of_any_two_times(proportions: list[float]) -> None:
    """The difference of the first two is more than the largest float64."""
    rows = np.array([proportions])
    is_item = np.ones(rows.shape, bool)
    found = personal_intervals(tf.constant(2.0**1023 * rows), tf.constant(is_item), K).numpy()
    np.testing.assert_array_equal(found, intervals(rows, is_item, K))


def test_only_the_proportions_of_a_history_count() -> None:
    model = encoder()
    found = [
        model({"item_ids": IDS, "times": times}, training=False).numpy()[IDS > 0]
        for times in (TIMES, np.where(IDS > 0, 5 * (TIMES - START) + 3 * START, 0.0))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    stretched = TIMES + np.array([0, 0, 0, 0, 0, 4.0])
    other = model({"item_ids": IDS, "times": stretched}, training=False).numpy()[IDS > 0]
    assert not np.allclose(other, found[0])


def test_seconds_of_today_are_told_apart() -> None:
    """In float32 the clock would stand still for two minutes."""
    model = encoder()
    apart = np.where(IDS > 0, START + np.array([0, 1, 2, 3, 4, 5]), 0.0)
    together = np.where(IDS > 0, START, 0.0)
    found = [
        model({"item_ids": tf.constant(IDS), "times": tf.constant(times)}, training=False).numpy()
        for times in (apart, together)
    ]
    assert not np.allclose(found[0][:, -1], found[1][:, -1])


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(ValueError, match=r"`max_interval` must be .*Received: max_interval=0"):
        TiSASRec(5, 4, 4, max_interval=0)
