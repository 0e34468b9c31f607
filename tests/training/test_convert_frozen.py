"""`denoise` keeps what is not in constructors: what trains, what was adapted, what is shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser._keras import keras, layers_of
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.training import denoise

pytestmark = pytest.mark.both_keras

N, D = 3, 4
OPEN = PositionalGates(initial_keep=1.0)
X = np.random.default_rng(0).normal(size=[5, N, D]).astype(np.float32)


class Block(keras.layers.Layer):
    """Attention, a projection and a weight of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(2, 2, name="attention")
        self.dense = keras.layers.Dense(D, name="dense")

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=(D,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.dense(self.attention(inputs, inputs)) * self.scale


def made() -> keras.Model:
    """Attention and a projection in the model, in a model in it, and in a layer."""
    x = inner_inputs = keras.Input([N, D])
    x = keras.layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    inner = keras.Model(inner_inputs, keras.layers.Dense(D, name="inner_dense")(x), name="inner")
    inputs = keras.Input([N, D])
    x = keras.layers.MultiHeadAttention(2, 2, name="first")(inputs, inputs)
    x = Block(name="block")(inner(x))
    return keras.Model(inputs, keras.layers.Dense(1, name="last")(x))


def part(model: Any, *names: str) -> Any:
    for name in names:
        own = getattr(model, name, None)
        model = own if isinstance(own, keras.layers.Layer) else model.get_layer(name)
    return model


def freeze(*names: str) -> Callable[[Any], None]:
    def frozen(model: Any) -> None:
        part(model, *names).trainable = False

    return frozen


def freeze_kernels(model: Any) -> None:
    model.get_layer("first")._key_dense.trainable = False
    model.get_layer("block").attention._output_dense.trainable = False


CASES = {
    "nothing": lambda model: None,
    "first": freeze("first"),
    "inner": freeze("inner"),
    "inner attention": freeze("inner", "attention"),
    "inner dense": freeze("inner", "inner_dense"),
    "block": freeze("block"),
    "block attention": freeze("block", "attention"),
    "block dense": freeze("block", "dense"),
    "last": freeze("last"),
    "all": freeze(),
    "single projections": freeze_kernels,
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_frozen_stays_so_and_gates_train(name: str) -> None:
    model = made()
    CASES[name](model)
    converted = denoise(model, OPEN)
    gates = {id(v) for layer in converted.gate_layers for v in layer.variables}
    assert len(gates) == 3
    trained = [v for v in converted.trainable_variables if id(v) not in gates]
    assert len(converted.trainable_variables) == len(trained) + 3
    kept = sorted(float(np.abs(v.numpy()).sum()) for v in model.trainable_variables)
    assert sorted(float(np.abs(v.numpy()).sum()) for v in trained) == pytest.approx(kept)
    assert len(trained) == len(model.trainable_variables)
    np.testing.assert_allclose(
        converted.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_frozen_weights_do_not_move_and_gates_do() -> None:
    model = made()
    model.trainable = False
    converted = denoise(model)
    before = [variable.numpy() for variable in converted.variables]
    converted.compile("adam", "mse", seed=0, l2=0.1)
    converted.fit(X, np.ones([5, N, 1]), verbose=0)
    gates = {id(v) for layer in converted.gate_layers for v in layer.variables}
    named = {id(v) for layer in layers_of(converted) for v in layer.weights}
    for variable, old in zip(converted.variables, before, strict=False):
        if id(variable) in named:
            moved = bool(np.any(variable.numpy() != old))
            assert moved == (id(variable) in gates), variable.name


def test_gates_that_were_made_frozen_stay_so() -> None:
    converted = denoise(made(), PositionalGates(trainable=False))
    assert len(converted.trainable_variables) == len(made().trainable_variables)


def test_what_was_adapted_is_kept() -> None:
    words = keras.layers.StringLookup(name="words")
    words.adapt(np.array([["a", "b", "b"]]))
    normal = keras.layers.Normalization(name="normal")
    normal.adapt(5 + 3 * X)
    inputs = {"x": keras.Input([N, D], name="x"), "id": keras.Input([N], dtype="string", name="id")}
    x = normal(inputs["x"]) + keras.layers.Embedding(3, D)(words(inputs["id"]))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(1, 2)(x, x))
    given = {"x": tf.constant(X), "id": tf.constant([["b", "a", "c"]] * 5)}
    np.testing.assert_allclose(denoise(model, OPEN)(given), model(given), rtol=1e-4, atol=1e-5)


def test_names_policies_regularizers_and_sharing_are_kept() -> None:
    inputs = keras.Input([N, D])
    shared = keras.layers.Dense(
        D,
        kernel_regularizer=keras.regularizers.L2(0.1),
        kernel_constraint=keras.constraints.NonNeg(),
        name="shared",
        dtype="mixed_bfloat16",
    )
    both = keras.layers.MultiHeadAttention(1, 2, name="both", kernel_regularizer="l1")
    x = shared(both(shared(inputs), shared(inputs)))
    model = keras.Model(inputs, both(x, x), name="whole")
    converted = denoise(model, OPEN)
    assert converted.name == "whole"
    layer = converted.get_layer("shared")
    assert layer.compute_dtype == "bfloat16"
    assert isinstance(layer.kernel_constraint, keras.constraints.NonNeg)
    assert len(converted.trainable_variables) == len(model.trainable_variables) + 1
    of_both = [sum(map(float, one.losses)) for one in (converted, model)]
    assert of_both[0] == pytest.approx(of_both[1], rel=1e-4)
