"""Backbones that soften items by the probability that they are meant."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.backbones.test_contract import IDS, ITEMS, inputs_of, made
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import BACKBONES, SOFTENED, Backbone
from tf_recdenoiser.training import Recommender

SOFTENING = {
    name: kind for name, kind in BACKBONES.items() if "soften" in inspect.signature(kind).parameters
}
every_softening = pytest.mark.parametrize("kind", SOFTENING.values(), ids=SOFTENING)
everywhere = pytest.mark.parametrize("soften", SOFTENED)
PLACE = 3  # of an item that is in both rows of IDS, neither the first nor the newest


def read(model: Backbone, ids: np.ndarray, meant: np.ndarray) -> np.ndarray:
    inputs = {**inputs_of(type(model), ids), "clean_probability": tf.constant(meant, tf.float32)}
    return model(inputs, training=False).numpy()


def share_weights(plain: Backbone, softened: Backbone) -> None:
    """Give a backbone that softens those of a plain one; a mark is a weight of its own."""
    marks = {id(one) for layer in softened.layers if layer.name == "noise" for one in layer.weights}
    values = iter(plain.get_weights())
    softened.set_weights(
        [
            own if id(weight) in marks else next(values)
            for weight, own in zip(softened.weights, softened.get_weights(), strict=True)
        ]
    )


def another_item(ids: np.ndarray) -> np.ndarray:
    changed = ids.copy()
    changed[:, PLACE] = changed[:, PLACE] % ITEMS + 1
    return changed


@every_softening
@everywhere
def test_where_all_is_meant_nothing_changes(kind: type[Backbone], soften: str) -> None:
    plain, softened = made(kind, gates="positional"), made(kind, soften=soften, gates="positional")
    share_weights(plain, softened)
    assert softened.extra_inputs == (*kind.extra_inputs, "clean_probability")
    found = read(softened, IDS, np.ones(IDS.shape))
    expected = plain(inputs_of(kind, IDS), training=False).numpy()
    is_item = IDS > 0
    np.testing.assert_allclose(found[is_item], expected[is_item], rtol=1e-4, atol=1e-5)


@every_softening
@pytest.mark.parametrize("soften", [where for where in SOFTENED if where != "mark"])
def test_what_is_certainly_noise_is_not_seen(kind: type[Backbone], soften: str) -> None:
    """Neither in the input, by any position, nor through attention, by the others."""
    model = made(kind, soften=soften)
    meant = np.ones(IDS.shape)
    meant[:, PLACE] = 0
    one, other = (read(model, ids, meant) for ids in (IDS, another_item(IDS)))
    others = np.arange(IDS.shape[1]) != PLACE
    np.testing.assert_allclose(one[:, others], other[:, others], rtol=1e-4, atol=1e-5)
    same = np.allclose(one[:, PLACE], other[:, PLACE], rtol=1e-4, atol=1e-5)
    assert same == (soften != "attention")


def test_a_mark_makes_another_item_of_what_is_noise() -> None:
    """As if there were a further item, whose vector is that of the marked one and the mark."""
    marking, plain = (made(SOFTENING["sasrec"], soften=soften) for soften in ("mark", None))
    mark = np.random.default_rng(0).normal(size=marking.get_layer("noise").weights[0].shape)
    marking.get_layer("noise").set_weights([mark])
    (table,) = marking.get_layer("items").get_weights()
    share_weights(plain, marking)
    ids, meant = IDS % (ITEMS - 1) + (IDS > 0), np.ones(IDS.shape)
    ids[:, PLACE], meant[:, PLACE] = ITEMS, 0
    plain.get_layer("items").set_weights([np.vstack([table[:-1], table[-1] + mark])])
    expected = plain(inputs_of(type(plain), ids), training=False).numpy()
    is_item = ids > 0
    np.testing.assert_allclose(
        read(marking, ids, meant)[is_item], expected[is_item], rtol=1e-4, atol=1e-5
    )
    assert not np.allclose(read(marking, ids, np.ones(IDS.shape))[is_item], expected[is_item])


@every_softening
def test_the_more_meant_the_more_of_it_is_seen(kind: type[Backbone]) -> None:
    model = made(kind, soften="everywhere")
    differences = []
    for weight in (0.0, 0.5, 1.0):
        meant = np.ones(IDS.shape)
        meant[:, PLACE] = weight
        one, other = (read(model, ids, meant)[:, -1] for ids in (IDS, another_item(IDS)))
        differences.append(np.abs(one - other).sum())
    assert differences == sorted(differences)
    assert differences[0] < 1e-4 < differences[1]


def test_all_is_meant_unless_it_is_said_otherwise() -> None:
    model = Recommender(made(SOFTENING["sasrec"], soften="input"))
    doubtful = np.full(IDS.shape, 0.5, np.float32)
    np.testing.assert_array_equal(
        model.score(IDS), model.score(IDS, clean_probability=np.ones(IDS.shape))
    )
    assert not np.allclose(model.score(IDS), model.score(IDS, clean_probability=doubtful))


@everywhere
def test_it_is_saved_and_loaded(soften: str, tmp_path: Path) -> None:
    model = Recommender(made(SOFTENING["sasrec"], soften=soften))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    doubtful = np.full(IDS.shape, 0.5, np.float32)
    np.testing.assert_allclose(
        loaded.score(IDS, clean_probability=doubtful),
        model.score(IDS, clean_probability=doubtful),
        rtol=1e-5,
    )


def test_an_unknown_place_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"`soften` must be None or one of input.*'output'"):
        made(SOFTENING["sasrec"], soften="output")
