"""BERT4Rec against NumPy, its training task, and the mask that is never recommended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.reference import array, dense, gelu, randomize, transformer_block
from tf_recdenoiser.backbones import BERT4Rec
from tf_recdenoiser.backbones.bert4rec import MASK, MaskedItems
from tf_recdenoiser.training import Recommender

ITEMS, N, D, HEADS = 9, 6, 4, 2
READ = np.array([[3, MASK, 4, 1, 5, MASK], [0, 0, 0, 2, 6, MASK]], np.int32)


def encoder(**options: Any) -> BERT4Rec:
    model = BERT4Rec(ITEMS, N, D, num_heads=HEADS, **options)
    randomize(model)
    return model


def reference(model: BERT4Rec, ids: np.ndarray) -> np.ndarray:
    mask = ids != 0
    table = array(model.item_embedding.embeddings)[:, :-1]
    vector = array(model.get_layer("maskable_items").mask_vector)
    x = np.where((ids == MASK)[..., None], vector, table[np.maximum(ids, 0)])
    x = (x + array(model.get_layer("positions").positions)) * mask[..., None]
    for index in range(2):
        block = model.get_layer(f"block_{index + 1}")
        assert block.inner.kernel.shape == (D, 4 * D)
        x = transformer_block(block, x, mask)
    told = gelu(dense(model.get_layer("projection"), x))
    return np.concatenate([told, np.ones_like(told[..., :1])], axis=-1)


def test_the_output_is_that_of_the_equations() -> None:
    model = encoder(dropout=0.5)
    found = model({"item_ids": READ}, training=False).numpy()
    expected = reference(model, READ)
    np.testing.assert_allclose(found[READ != 0], expected[READ != 0], rtol=1e-2, atol=2e-3)


def test_scores_are_those_at_the_mask_after_the_newest_item() -> None:
    model = encoder()
    ids = np.array([[7, 3, 1, 4, 1, 5], [0, 0, 0, 0, 2, 6]], np.int32)
    asked = np.array([[3, 1, 4, 1, 5, MASK], [0, 0, 0, 2, 6, MASK]], np.int32)
    told = reference(model, asked)[:, -1, :-1]
    table = array(model.item_embedding.embeddings)
    expected = told @ table[:, :-1].T + table[:, -1]
    found = Recommender(model).score(ids)
    assert found.shape == (2, ITEMS + 1)  # a column for each item and padding, none for the mask
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("gates", [None, "positional"])
def test_every_item_changes_every_output(gates: str | None) -> None:
    model = encoder(gates=gates)
    ids = np.array([[3, 1, 4, 1, 5, 9]], np.int32)
    before = model({"item_ids": ids}, training=False).numpy()
    for position in range(N):
        changed = ids.copy()
        changed[:, position] = 7
        after = model({"item_ids": changed}, training=False).numpy()
        assert (np.abs(after - before).max(-1) > 1e-5).all()


def test_its_gates_are_the_whole_matrix() -> None:
    model = encoder(gates="positional")
    recommender = Recommender(model)
    recommender.compile(seed=1)
    assert recommender.credit is False
    layers = recommender.gate_layers
    assert [tuple(layer.logits.shape) for layer in layers] == [(N, N)] * 2
    with pytest.raises(ValueError, match=r"`credit` must be False with BERT4Rec"):
        recommender.compile(credit=True)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=6),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 9),
)
def test_the_masked_items_are_what_is_told(lengths: list[int], share: float, seed: int) -> None:
    ids = np.array([[0] * (8 - n) + [*range(1, n + 1)] for n in lengths], np.int32)
    weights = np.where(ids > 0, ids / 10, 0)
    read, told, its = MaskedItems(share, 0.0)(
        {"item_ids": ids}, weights, np.random.default_rng(seed)
    )
    masked = read["item_ids"] == MASK
    np.testing.assert_array_equal(told, np.where(masked, ids, 0))
    np.testing.assert_array_equal(read["item_ids"][~masked], ids[~masked])
    np.testing.assert_array_equal(its, np.where(masked, weights, 0))
    expected = [max(1, round(share * n)) if n else 0 for n in lengths]
    assert masked.sum(1).tolist() == expected


def test_a_share_of_windows_has_the_newest_item_alone_masked() -> None:
    ids = np.tile(np.arange(1, 11, dtype=np.int32), [4000, 1])
    read, _, _ = MaskedItems(0.5, 0.25)({"item_ids": ids}, ids / 1.0, np.random.default_rng(0))
    masked = read["item_ids"] == MASK
    only_last = masked[:, -1] & (masked.sum(1) == 1)
    assert only_last.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(masked[~only_last].mean(0), 0.5, atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_share": 0.0}, r"`mask_share` must be .*Received: mask_share=0.0"),
        ({"mask_share": 1.0}, r"`mask_share` must be .*Received: mask_share=1.0"),
        ({"last_share": 1.1}, r"`last_share` must be .*Received: last_share=1.1"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(**options)


def test_the_bias_of_items_starts_at_zero() -> None:
    table = array(BERT4Rec(ITEMS, N, D).item_embedding.embeddings)
    assert table.shape == (ITEMS + 1, D + 1)
    assert (table[:, -1] == 0).all() and (table[:, :-1] != 0).all()
    assert tf.is_tensor(BERT4Rec(ITEMS, N, D).item_vectors())
