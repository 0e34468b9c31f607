"""Gates that the blocks of a backbone share: what they are told, and that all blocks use them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.backbones.test_contract import (
    IDS,
    Answers,
    N,
    a_step_reaches_every_weight,
    encode,
    every_gated_backbone,
    every_loader,
    inputs_of,
    made,
)
from tests.layers.reference import attention, normal, randomize
from tf_recdenoiser.backbones import Backbone, BERT4Rec, SASRec
from tf_recdenoiser.layers import (
    AttentionKind,
    DenoisingMultiHeadAttention,
    ItemGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.retrieval import export_saved_model
from tf_recdenoiser.training import Recommender, explain


def item_gates(model: Backbone, vectors: np.ndarray) -> np.ndarray:
    """Keep probabilities `[B, n, n]` by the formula, from the items' vectors; NaN at no edge."""
    (gates,) = Recommender(model).gate_layers
    constant, first, second = (
        weight.numpy() for weight in (gates.constant, gates.first_kernel, gates.second_kernel)
    )
    found = np.full((len(IDS), N, N), np.nan)
    for b, u in np.argwhere(IDS > 0):
        seen = [w for w in range(N) if IDS[b, w] and (w <= u or not model.causal)]
        for v in seen:
            others = [vectors[b, w] for w in seen if w != v]
            mean = np.mean(others, axis=0) if others else np.zeros(vectors.shape[-1])
            logit = 20.0 if u == v else constant + (vectors[b, v] @ first) @ (mean @ second)
            found[b, u, v] = 1 / (1 + np.exp(-logit))
    return found


def item_vectors(model: Any) -> np.ndarray:
    """Of `IDS`, divided by their lengths."""
    vectors = model.item_vectors().numpy()[IDS]
    # BERT4Rec and SSE-PT score by a further column, which nothing is read by.
    vectors = vectors[..., : model.get_config()["hidden_dim"]]
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@every_gated_backbone
def test_every_block_uses_the_gates_of_the_items(kind: type[Backbone]) -> None:
    model = made(kind, gates=ItemGates(inference="expectation"))
    with Evaluation(Sample(tf.constant([0, 0]))) as recorder:
        model(inputs_of(kind, IDS), training=False)
    assert len(recorder.attention) == 2 and len(recorder.gates) == 1
    expected = item_gates(model, item_vectors(model))
    edges = ~np.isnan(expected)
    for record in recorder.attention:
        found = tf.broadcast_to(record.gates, [len(IDS), 1, N, N])[:, 0].numpy()
        np.testing.assert_allclose(found[edges], expected[edges], rtol=1e-4, atol=1e-5)
    assert np.ptp(expected[edges]) > 0.05


@every_gated_backbone
@pytest.mark.parametrize("estimator", ["straight_through", "disarm", "rloo"])
def test_a_step_reaches_every_weight(kind: type[Backbone], estimator: str) -> None:
    model = Recommender(made(kind, gates=ItemGates(beta=0.1), gamma=0.01, jacobian_batch_size=1))
    model.compile(estimator=estimator, estimator_batch_size=1, seed=6)  # with a Jacobian penalty
    parts = a_step_reaches_every_weight(model)
    assert {name for name in parts if name.startswith("density")} == {"density_1"}
    assert float(parts["jacobian"]) > 0 and float(parts["sparsity"]) > 0


def test_gates_made_elsewhere_multiply_the_weights() -> None:
    layer = DenoisingMultiHeadAttention(2, 3, gates=None)
    x, z = normal(2, N, 6), np.random.default_rng(0).random((2, 1, N, N), np.float32)
    layer(x, x)
    randomize(layer)
    found, weights = layer(x, x, gates=tf.constant(z), return_attention_scores=True)
    expected, its_weights = attention(layer, x, x, gates=z)
    np.testing.assert_allclose(weights, its_weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_block_s_own_gates_and_others_exclude_each_other() -> None:
    block = TransformerBlock(gates="positional")
    x = tf.ones([1, 3, 4])
    with pytest.raises(ValueError, match=r"`gates` must be None in a call .*Received: a tensor"):
        block(x, gates=tf.ones([1, 1, 3, 3]))


def test_linear_attention_takes_gates_of_keys_alone() -> None:
    x = tf.random.stateless_normal([2, 3, 4], [1, 2])
    block = TransformerBlock(attention="linear")
    open_ones = block(x, gates=tf.ones([2, 1, 1, 3]))
    np.testing.assert_allclose(open_ones, block(x), rtol=1e-5)
    with pytest.raises(ValueError, match="the same for every query"):
        block(x, gates=tf.ones([2, 1, 3, 3]))
    with pytest.raises(ValueError, match=r"use key gates\. Received: gates=ItemGates"):
        SASRec(9, 4, 8, gates="item", attention="linear")


def test_links_that_a_pattern_leaves_out_have_no_price() -> None:
    pattern = AttentionKind(pattern="sliding_window", options={"width": 1})
    gates = ItemGates(beta=2.0, penalty="edges", initial_keep=0.75)
    model = made(SASRec, randomly=False, gates=gates, attention=pattern)
    with Evaluation(Sample(tf.constant([0, 0]))):
        encode(model, IDS, training=True)
    # Of six items and of three: each is linked to itself, and each but the first to one before.
    expected = 2.0 * (6 + 5 * 0.75 + 3 + 2 * 0.75)
    assert float(tf.add_n(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_bert4rec_s_mask_is_told_of_by_its_own_vector() -> None:
    model = made(BERT4Rec, gates=ItemGates(inference="expectation"))
    asked = model.prediction_inputs(inputs_of(BERT4Rec, IDS))
    found = []
    for change in (0.0, 1.0):
        mask_vector = next(v for v in model.trainable_variables if "mask_vector" in v.name)
        mask_vector.assign(mask_vector.numpy() + change)
        with Evaluation(Sample(tf.constant([0, 0]))) as recorder:
            model(asked, training=False)
        found.append(recorder.attention[0].gates.numpy())
    assert np.abs(found[0] - found[1])[:, 0, -1, :-1].max() > 1e-4


@every_loader
def test_a_server_explains_by_them(
    loaded: Callable[[Path], AbstractContextManager[Answers]], tmp_path: Path
) -> None:
    model = Recommender(made(SASRec, gates=ItemGates(inference="expectation")))
    version = export_saved_model(model, np.arange(1, 10), tmp_path / "model", max_k=3)
    with loaded(version) as answers:
        asked = {"histories": IDS.astype(np.int64), "lengths": np.array([-1], np.int32)}
        served = answers("explain", asked)
    expected = explain(model, IDS).kept_per_layer
    np.testing.assert_allclose(served["kept_per_layer"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(expected[:, 0], expected[:, 1])
    assert 0 < expected[0, 0, 0] < 1
