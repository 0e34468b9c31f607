"""SASRec against NumPy, and what a causal, padded encoder may not depend on."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.reference import normalize, randomize, transformer_block
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone, SASRec
from tf_recdenoiser.layers import JacobianRegularizedBlock, PositionalGates, TransformerBlock

ITEMS, N, D, HEADS = 9, 6, 4, 2
IDS = np.array([[3, 1, 4, 1, 5, 9], [0, 0, 0, 2, 6, 5]], np.int32)


def encoder(length: int = N, **options: object) -> SASRec:
    model = SASRec(ITEMS, length, D, num_heads=HEADS, **options)
    randomize(model)
    return model


def encode(model: Backbone, ids: np.ndarray, training: bool = False) -> np.ndarray:
    return model({"item_ids": tf.constant(ids)}, training=training).numpy()


def layers_of(model: SASRec, kind: type) -> list:
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def reference(model: SASRec, ids: np.ndarray) -> np.ndarray:
    """Eq. 1 to 4: embeddings, blocks, the last normalisation."""
    mask = ids > 0
    table = np.asarray(model.item_embedding.embeddings, np.float64)
    positions = np.asarray(model.get_layer("positions").positions, np.float64)
    x = (table[ids] * np.sqrt(D) + positions) * mask[..., np.newaxis]
    for block in layers_of(model, TransformerBlock):
        x = transformer_block(block, x, mask)
    return normalize(model.get_layer("last_norm"), x)


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_the_formula(norm: str, blocks: int) -> None:
    model = encoder(norm=norm, num_layers=blocks, dropout=0.5)
    found, items = encode(model, IDS), IDS > 0
    np.testing.assert_allclose(found[items], reference(model, IDS)[items], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("gates", [None, "positional"])
def test_a_later_item_changes_no_earlier_output(gates: str | None) -> None:
    model = encoder(gates=gates)
    before = encode(model, IDS)
    for position in range(N):
        changed = IDS.copy()
        changed[:, position] = 7
        after = encode(model, changed)
        np.testing.assert_array_equal(after[:, :position], before[:, :position])
        assert np.all(np.abs(after[:, position] - before[:, position]).max(-1) > 1e-4)


def test_what_row_0_of_the_item_table_holds_does_not_matter() -> None:
    model = encoder(gates="positional")
    before = encode(model, IDS)
    table = model.item_embedding.embeddings
    changed = np.asarray(table).copy()
    changed[0] = 1e3
    table.assign(changed)
    np.testing.assert_array_equal(encode(model, IDS)[IDS > 0], before[IDS > 0])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, ITEMS), min_size=1, max_size=4), st.integers(0, 3))
def test_padding_before_the_first_item_changes_nothing(items: list[int], more: int) -> None:
    """Positions count from the newest item: a longer model with the same last positions agrees."""
    short, long = _twins(more)
    length = 4
    ids = np.array([[0] * (length - len(items)) + items], np.int32)
    padded = np.concatenate([np.zeros((1, more), np.int32), ids], axis=1)
    found = encode(long, padded)[0, -len(items) :]
    np.testing.assert_allclose(found, encode(short, ids)[0, -len(items) :], rtol=1e-4, atol=1e-5)


@functools.cache
def _twins(more: int) -> tuple[SASRec, SASRec]:
    """Models of lengths 4 and 4 + `more` that share everything but the first positions."""
    short, long = encoder(4), encoder(4 + more)
    for one, other in zip(short.trainable_variables, long.trainable_variables, strict=True):
        added = len(other.numpy()) - len(one.numpy())
        other.assign(np.concatenate([other.numpy()[:added], one.numpy()]))
    return short, long


def test_gamma_wraps_each_block_and_adds_its_penalty_in_training() -> None:
    model = encoder(gamma=0.1, jacobian_batch_size=1)
    wrappers = layers_of(model, JacobianRegularizedBlock)
    # One sequence in a step on average.
    assert [(w.gamma, w.batch_size, w.interval) for w in wrappers] == [(0.1, 4, 4)] * 2
    encode(model, IDS, training=True)
    assert len(model.losses) == 2
    plain = encoder()
    assert not layers_of(plain, JacobianRegularizedBlock)
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(encode(model, IDS), encode(plain, IDS))


def test_each_block_has_gates_of_its_own() -> None:
    prototype = PositionalGates(beta=0.1, initial_keep=0.8)
    gates = layers_of(encoder(gates=prototype), PositionalGates)
    assert len(gates) == 2 and gates[0] is not gates[1] and prototype not in gates
    assert {gate.initial_keep for gate in gates} == {0.8}
    assert not layers_of(encoder(), PositionalGates)


CHANGED = {
    "item_count": 7,
    "max_length": 5,
    "hidden_dim": 6,
    "num_layers": 3,
    "num_heads": 3,
    "dropout": 0.1,
    "norm": "post",
    "gates": PositionalGates(beta=0.2, num_heads=3),
    "gamma": 0.01,
    "jacobian_batch_size": 2,
    "attention": "entmax",
    "name": "mine",
}


def test_its_configuration_makes_it_again() -> None:
    model = SASRec(**CHANGED)
    config = model.get_config()
    assert set(config) == {*CHANGED, "soften"}
    again = SASRec.from_config(config)
    assert again.get_config() == config
    again.set_weights(model.get_weights())
    ids = IDS[:, 1:] % 8
    np.testing.assert_array_equal(encode(again, ids), encode(model, ids))
    (gates, *_) = layers_of(again, PositionalGates)
    assert (gates.beta, gates.num_heads) == (0.2, 3)


@pytest.mark.parametrize("gates", [None, "positional"])
def test_it_is_saved_and_loaded(gates: str | None, tmp_path: Path) -> None:
    model = encoder(gates=gates, gamma=0.1)
    model.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert type(loaded) is SASRec and loaded.item_count == ITEMS
    np.testing.assert_array_equal(encode(loaded, IDS), encode(model, IDS))


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"item_count": 0}, "item_count"),
        ({"max_length": 0}, "max_length"),
        ({"hidden_dim": 0}, "hidden_dim"),
        ({"num_layers": 0}, "num_layers"),
        ({"num_heads": 0}, "num_heads"),
        ({"num_heads": 3, "hidden_dim": 4}, "num_heads"),
        ({"dropout": 1.0}, "rate"),
        ({"norm": "middle"}, "norm"),
        ({"gates": "sideways"}, "gates"),
        ({"gamma": -0.1}, "gamma"),
        ({"gamma": 0.1, "jacobian_batch_size": 0}, "batch_size"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: {argument}="):
        SASRec(**{"item_count": 5, "max_length": 4, "hidden_dim": 4, **options})
