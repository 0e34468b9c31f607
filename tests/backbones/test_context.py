"""The context encoder sees every other item of a history, and never the one it stands at."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import ContextEncoder

LENGTH = 6


@pytest.fixture(scope="module")
def encoder() -> ContextEncoder:
    keras.utils.set_random_seed(0)
    return ContextEncoder(item_count=20, max_length=LENGTH, width=8)


def hidden(encoder: ContextEncoder, items: list[int]) -> np.ndarray:
    return encoder({"item_ids": tf.constant([items])}, training=False).numpy()[0]


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_an_item_changes_every_context_but_its_own(encoder: ContextEncoder, place: int) -> None:
    items = [0, 3, 8, 2, 9, 14]
    changed = items.copy()
    changed[place] = 17
    differs = (hidden(encoder, items) != hidden(encoder, changed)).any(axis=-1)
    expected = np.arange(LENGTH) != place
    np.testing.assert_array_equal(differs[1:], expected[1:])


def test_the_order_of_the_other_items_matters(encoder: ContextEncoder) -> None:
    one, other = hidden(encoder, [1, 2, 3, 4, 5, 6]), hidden(encoder, [2, 1, 3, 4, 5, 6])
    assert not np.allclose(one[3], other[3])


def test_an_item_alone_has_a_finite_context(encoder: ContextEncoder) -> None:
    assert np.isfinite(hidden(encoder, [0, 0, 0, 0, 0, 4])).all()


def test_it_is_saved_and_loaded(encoder: ContextEncoder, tmp_path) -> None:
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    items = [0, 3, 8, 2, 9, 14]
    np.testing.assert_array_equal(hidden(encoder, items), hidden(loaded, items))
