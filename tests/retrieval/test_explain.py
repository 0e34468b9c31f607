"""What was kept of a history, against the gates and the attention in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.retrieval.reference import Array, random_recommender
from tf_recdenoiser._keras import register
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.layers import Gates, PositionalGates
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.explain import explain

ITEM_IDS = np.array([[0, 0, 3, 7, 1], [2, 4, 6, 8, 10], [0, 0, 0, 0, 5], [0, 0, 0, 0, 0]], np.int32)
IS_ITEM = (ITEM_IDS > 0).astype(np.float32)


@register
class InputGates(Gates):
    """Gates that differ from sequence to sequence: logits [B, H, n, m] or [B, 1, n, m]."""

    def __init__(self, num_heads: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        return tf.stack(
            [(-1.5) ** head * logits(query, key) for head in range(self.num_heads)], axis=1
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}


def logits(query: Any, key: Any) -> Any:
    """[B, n, m] from the first number of each position's vector."""
    return query[:, :, tf.newaxis, 0] - 0.5 * key[:, tf.newaxis, :, 0]


def clipped(phi: Array) -> Array:
    probability = 1 / (1 + np.exp(-phi))
    return np.where(probability > 0.5, probability, 0)


def attention(model: Recommender, block: int) -> Any:
    """The attention layer of a block, inside or outside its Jacobian penalty."""
    if model.backbone.get_config()["gamma"] > 0:
        return model.backbone.get_layer(f"jacobian_{block}").block.attention
    return model.backbone.get_layer(f"block_{block}").attention


def array(variable: Any) -> Array:
    return np.array(tf.convert_to_tensor(variable))


def gate_logits(model: Recommender) -> Array:
    """Phi of both blocks, [2, n, n] or [2, H, n, n]."""
    return np.stack([array(attention(model, block).gates.logits) for block in (1, 2)])


def first_input(model: Recommender) -> Array:
    """What the first block attends to, [B, n, d] (with post-norm: the embeddings)."""
    table = model.item_vectors()
    positions = array(model.backbone.get_layer("positions").positions)
    return (table[ITEM_IDS] * np.sqrt(table.shape[1]) + positions) * IS_ITEM[..., None]


def test_positional_gates_are_those_of_the_last_row() -> None:
    model = random_recommender()
    got = explain(model, ITEM_IDS)
    rows = clipped(gate_logits(model)[:, -1])  # [layers, n]
    assert 0 < np.count_nonzero(rows) < rows.size  # some are pruned and some are not
    np.testing.assert_allclose(got.kept_per_layer, rows * IS_ITEM[:, None], rtol=1e-6)
    np.testing.assert_allclose(got.kept, rows.mean(0) * IS_ITEM, rtol=1e-6)
    assert got.attention_per_layer.shape == (4, 2, 5)


def test_gates_of_each_head_are_averaged() -> None:
    model = random_recommender(gates=PositionalGates(num_heads=2))
    expected = clipped(gate_logits(model)[:, :, -1]).mean(1) * IS_ITEM[:, None]
    np.testing.assert_allclose(explain(model, ITEM_IDS).kept_per_layer, expected, rtol=1e-6)


@pytest.mark.parametrize("num_heads", [1, 2])
def test_gates_of_each_sequence(num_heads: int) -> None:
    model = random_recommender(gates=InputGates(num_heads), norm="post")
    x = first_input(model)
    newest = np.array(logits(x, x))[:, -1]
    expected = np.mean([clipped((-1.5) ** head * newest) for head in range(num_heads)], axis=0)
    got = explain(model, ITEM_IDS).kept_per_layer[:, 0]
    np.testing.assert_allclose(got, expected * IS_ITEM, rtol=1e-5)
    assert len({*map(tuple, (expected * IS_ITEM)[:2])}) == 2  # they do differ


@pytest.mark.parametrize("gates", [None, "positional"])
def test_attention_of_the_first_layer(gates: str | None) -> None:
    model = random_recommender(gates=gates, norm="post", gamma=0.1 if gates else 0.0)
    layer = attention(model, 1)
    x = first_input(model)

    def project(dense: Any) -> Array:
        kernel, bias = (array(variable) for variable in dense.variables)
        return np.einsum("bnd,dhk->bhnk", x, kernel) + bias[:, None]

    queries, keys = project(layer.query_dense), project(layer.key_dense)
    scores = np.einsum("bhk,bhmk->bhm", queries[:, :, -1], keys) / np.sqrt(keys.shape[-1])
    weights = np.exp(scores) * IS_ITEM[:, None]
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-30)
    if gates:
        weights *= clipped(array(layer.gates.logits)[-1])
    got = explain(model, ITEM_IDS).attention_per_layer
    np.testing.assert_allclose(got[:, 0], weights.mean(1), rtol=1e-4, atol=1e-6)


def test_without_gates_every_item_is_kept() -> None:
    got = explain(random_recommender(gates=None), ITEM_IDS)
    np.testing.assert_array_equal(got.kept, IS_ITEM)
    np.testing.assert_array_equal(got.kept_per_layer, np.stack([IS_ITEM, IS_ITEM], axis=1))
    np.testing.assert_allclose(got.attention_per_layer.sum(-1)[:3], 1, rtol=1e-5)
    np.testing.assert_array_equal(got.attention_per_layer[3], 0)


def test_without_attention_every_item_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_recommender(gates=None)
    monkeypatch.setattr("tf_recdenoiser.layers.gated_attention.current_evaluation", lambda: None)
    got = explain(model, ITEM_IDS)
    np.testing.assert_array_equal(got.kept, IS_ITEM)
    assert got.kept_per_layer.shape == got.attention_per_layer.shape == (4, 0, 5)


def test_a_pruned_item_does_not_change_the_scores() -> None:
    """In one block the gates are the only way from an older item to the newest position.

    But for the softmax, to whose sum a pruned item still belongs: without queries that is
    the same for all items.
    """
    model = random_recommender(num_layers=1)
    for variable in attention(model, 1).query_dense.variables:
        variable.assign(np.zeros(variable.shape))
    kept = explain(model, ITEM_IDS[1:2]).kept[0, :-1]
    assert 0 < np.count_nonzero(kept) < len(kept)
    before = model.score(ITEM_IDS[1:2])
    for position, share in enumerate(kept):
        changed = ITEM_IDS[1:2].copy()
        changed[0, position] = 12
        same = np.allclose(model.score(changed), before, rtol=1e-6, atol=1e-6)
        assert same == (share == 0), position


def test_all_gates_are_told_of() -> None:
    model = Recommender(SASRec(item_count=12, max_length=5, hidden_dim=8, gates="positional"))
    for layer in model.gate_layers:
        layer.logits.assign(np.full(layer.logits.shape, -1.0))
    got = explain(model, ITEM_IDS)
    assert (got.kept_per_layer == 0).all(axis=(0, 2)).sum() == len(model.gate_layers) > 0
    assert (got.kept == 0).all()
