"""HDF5 files hold each weight by its name: none has that of another, and all come back."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import randomize
from tests.params import only
from tf_recdenoiser._keras import IS_KERAS_3, keras, register
from tf_recdenoiser.backbones import BACKBONES, Backbone, GRU4Rec, SASRec
from tf_recdenoiser.layers import (
    DROPPING,
    GATES,
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    TransformerBlock,
)
from tf_recdenoiser.training import DenoisingModel, Recommender, denoise

pytestmark = pytest.mark.both_keras

ITEMS, USERS, N, D = 9, 4, 3, 4
SIZES = {"item_count": ITEMS, "user_count": USERS, "max_length": N, "hidden_dim": D}
WEIGHTS_FILES = ["w.weights.h5"] if IS_KERAS_3 else ["w.weights.h5", "w.h5"]
X = np.random.default_rng(0).normal(size=[2, N, D]).astype(np.float32)


def names_of(model: Any) -> list[str]:
    """Of weights, once each, that are no metric's."""
    weights = {id(weight): weight for layer in model.layers for weight in layer.weights}
    return [weight.path if IS_KERAS_3 else weight.name for weight in weights.values()]


def assert_names_differ(model: Any) -> None:
    names = Counter(names_of(model))
    assert [name for name, count in names.items() if count > 1] == []


def assert_weights_come_back(model: Any, other: Any, x: Any, path: Path) -> None:
    """From a file, into `other`, whose weights are 0 before."""
    model.save_weights(path)
    for variable in other.weights:
        variable.assign(tf.zeros_like(variable))
    other.load_weights(path)
    found = other(x, training=False)
    np.testing.assert_array_equal(found, model(x, training=False))
    assert np.any(found) or not model.trainable_weights


def recommender(kind: type[Backbone], gates: str | None) -> Recommender:
    options = {**SIZES, "gates": gates, "gamma": 0.0 if gates else 0.1}
    taken = inspect.signature(kind).parameters
    model = Recommender(kind(**{name: options[name] for name in options if name in taken}))
    randomize(model)
    return model


def with_layers(gates: str | None) -> Any:
    """A plain Keras model with two layers of each kind."""
    x = inputs = keras.Input([N, D])
    for _ in range(2):
        x = DenoisingMultiHeadAttention(2, 2, gates=gates, attention="entmax")(x, x)
        block = TransformerBlock(2, gates=gates)
        x = JacobianRegularizedBlock(block, gamma=0.1)(x)
        x = DenoisingLinearAttention(2, 2, gates=gates if gates == "key" else None)(x, x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    randomize(model)
    return model


@pytest.mark.parametrize(
    "kind", only(lambda kind: kind in (SASRec, GRU4Rec), [*BACKBONES.values()]), ids=BACKBONES
)
def test_no_two_weights_have_one_name(kind: type[Backbone]) -> None:
    for gates in (None, *((*GATES, *DROPPING) if kind.gated else ())):
        assert_names_differ(recommender(kind, gates))


@pytest.mark.parametrize(
    ("kind", "gates"),
    only(
        lambda kind, gates: gates == "pairwise" or not kind.gated,
        [
            (kind, gates)
            for kind in BACKBONES.values()
            for gates in (None, *((*GATES, *DROPPING) if kind.gated else ()))
        ],
    ),
)
def test_weights_of_a_recommender_come_back(
    kind: type[Backbone], gates: str | None, tmp_path: Path
) -> None:
    model, other = recommender(kind, gates), recommender(kind, gates)
    x = {name: tf.ones([2, *t.shape[1:]], t.dtype) for name, t in model.input.items()}
    for name in WEIGHTS_FILES:
        assert_weights_come_back(model, other, x, tmp_path / name)


@pytest.mark.parametrize("gates", [None, *GATES, *DROPPING])
def test_a_keras_model_with_our_layers_comes_back(gates: str | None, tmp_path: Path) -> None:
    model = with_layers(gates)
    assert_names_differ(model)
    model.save(tmp_path / "m.h5")
    loaded = keras.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(loaded(X, training=False), model(X, training=False))


def test_weights_of_a_denoising_model_come_back(tmp_path: Path) -> None:
    models = []
    for _ in range(2):
        plain = with_layers("positional")
        model = DenoisingModel(plain.input, plain.output)
        model.compile("adam", "mse", estimator="ar")
        model.build_optimizers()
        models.append(model)
    model, other = models
    for name in WEIGHTS_FILES:
        assert_weights_come_back(model, other, X, tmp_path / name)


def test_a_whole_model_with_a_class_of_its_own_is_saved_as_keras(tmp_path: Path) -> None:
    """Loading would not find the class, and the second optimizer would be lost."""
    model = recommender(SASRec, "positional")
    plain = with_layers(None)
    for one in (model, model.backbone, DenoisingModel(plain.inputs, plain.outputs)):
        for name in ("m.h5", "m.hdf5"):
            with pytest.raises(ValueError, match=rf"must end in `\.keras`.*Received: .*{name}"):
                one.save(tmp_path / name)
    if not IS_KERAS_3:
        with pytest.raises(ValueError, match=r"must end in `\.keras`"):
            model.save(tmp_path / "m", save_format="h5")
    assert not list(tmp_path.iterdir())


@register
class _TwoBlocks(keras.layers.Layer):
    """Attention twice, under one name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blocks = [_Block(name="first"), _Block(name="second")]

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return x


@register
class _Block(keras.layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(2, 2, name="attention")

    def call(self, x: Any) -> Any:
        return self.attention(x, x)


def test_converted_attention_is_named_as_what_it_stands_for() -> None:
    inputs = keras.Input([N, D])
    model = keras.Model(inputs, _TwoBlocks(name="two")(inputs))
    assert_names_differ(model)
    before = names_of(model)
    converted = denoise(model)
    assert_names_differ(converted)
    assert set(before) < set(names_of(converted))
