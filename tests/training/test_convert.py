"""`denoise`: the outputs of Keras' own layers with gates open, and what becomes of each layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser._keras import IS_KERAS_3, keras, layers_of
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    Dropout,
    JacobianRegularizedBlock,
    PairwiseGates,
    PositionalGates,
)
from tf_recdenoiser.training import DenoisingModel, denoise

N, D, HEADS = 4, 6, 2
OPEN = PositionalGates(initial_keep=1.0)
X = np.random.default_rng(0).normal(size=[5, N, D]).astype(np.float32)
IDS = np.array([[3, 1, 4, 2], [0, 0, 5, 1], [0, 2, 2, 5]], np.int32)


def attention(name: str | None = None, **options: Any) -> Any:
    return keras.layers.MultiHeadAttention(HEADS, 3, name=name, **options)


class Made(keras.layers.Layer):
    """A block whose parts are made by its constructor, and which has no `build`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention("inside")
        self.drop = keras.layers.Dropout(0.3)
        self.norm = keras.layers.LayerNormalization()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        found = self.attention(inputs, inputs, use_causal_mask=True, training=training)
        return self.norm(inputs + self.drop(found, training=training))


class Built(keras.layers.Layer):
    """A block whose parts are made by `build`, as keras-hub's are; some are in a list."""

    def build(self, input_shape: Any) -> None:
        self._self_attention_layer = attention()
        self._self_attention_layer.build(input_shape, input_shape) if IS_KERAS_3 else None
        self._blocks = [Made(), Made()]
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs + self._self_attention_layer(inputs, inputs, training=training)
        for block in self._blocks:
            x = block(x, training=training)
        return x


class Held(keras.layers.Layer):
    """A block whose parts are in a dict of tuples, beside what is no layer; given a mask."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = {"first": (attention("held"), 1.0), "second": (attention("too"), 0.5)}

    def call(self, inputs: Any, allowed: Any = None) -> Any:
        for part, factor in self.parts.values():
            inputs += factor * part(inputs, inputs, attention_mask=allowed)
        return inputs


class InFunction(keras.layers.Layer):
    """A block that hides its attention where nothing can be put in its place."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._hidden = [Hiding()]

    def call(self, inputs: Any) -> Any:
        return self._hidden[0](inputs)


class Hiding(keras.Model):
    """A functional model with a call of its own."""

    def __init__(self, **_: Any) -> None:
        inputs = keras.Input([N, D])
        super().__init__(inputs, attention("hidden")(inputs, inputs))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return 2.0 * super().call(inputs, training=training, mask=mask)


class Careless(keras.layers.Layer):
    """A block that cannot be made from its configuration."""

    def __init__(self, heads: int) -> None:
        super().__init__(name="careless")
        self.attention = keras.layers.MultiHeadAttention(heads, 3)

    def call(self, inputs: Any) -> Any:
        return self.attention(inputs, inputs)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Forgetful(keras.Model):
    """A model that Keras cannot make again, and that does not keep what it was made with."""

    def __init__(self, heads: Any) -> None:
        super().__init__(name="forgetful")
        self.attention = attention(name=None)
        self.num_heads = [heads]

    def call(self, inputs: Any) -> Any:
        return self.attention(inputs, inputs)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError


class OwnAttention(keras.layers.MultiHeadAttention):
    """Not Keras' own: it may attend in any way."""


def self_attention() -> Any:
    inputs = keras.Input([N, D])
    x = attention("first", dropout=0.1)(inputs, inputs, use_causal_mask=True)
    x = keras.layers.LayerNormalization()(keras.layers.Dropout(0.2)(x) + inputs)
    return keras.Model(inputs, keras.layers.Dense(D, name="mix")(x), name="own")


def shared_and_crossed() -> Any:
    """One layer called twice, one that attends to another tensor, by a key of its own."""
    inputs = keras.Input([N, D])
    shared = attention("shared", use_bias=False, value_dim=5, output_shape=D)
    x = shared(shared(inputs, inputs), inputs)
    half = keras.layers.Dense(D + 1)(keras.layers.MaxPooling1D(2)(inputs))
    return keras.Model(inputs, attention("cross")(x, half, keras.layers.Dense(D)(half)))


def nested() -> Any:
    inputs = keras.Input([N, D])
    x = keras.Sequential([keras.Input([N, D]), Made(name="made")], name="inner")(inputs)
    return keras.Model(inputs, self_attention()(x))


def custom() -> Any:
    inputs = keras.Input([N, D])
    return keras.Model(inputs, Built(name="built")(Made(name="made")(inputs)))


def held() -> Any:
    """Masks, where tf_keras allows it by position: ours has another argument there."""
    inputs = keras.Input([N, D])
    allowed = keras.layers.Lambda(lambda x: tf.linalg.band_part(x[:, :, :N] > -9, -1, 0))(inputs)
    x = Held(name="held_parts")(inputs, allowed)
    if IS_KERAS_3:
        return keras.Model(inputs, attention("by_name")(x, x, attention_mask=allowed))
    return keras.Model(inputs, attention("by_position")(x, x, None, allowed))


def pooled() -> Any:
    inputs = keras.Input([N, D])
    x = attention()(inputs, inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling1D(name="pool")(x))


def twice() -> Any:
    """A block that is called twice."""
    inputs = keras.Input([N, D])
    block = Made(name="twice")
    return keras.Model(inputs, block(block(inputs)))


def sequential() -> Any:
    return keras.Sequential([keras.Input([N, D]), Made(), keras.layers.Dense(3)])


def outputs(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model(x, training=False))


def attention_count(model: Any) -> int:
    return sum(isinstance(layer, keras.layers.MultiHeadAttention) for layer in layers_of(model))


def shaken(model: Any) -> Any:
    """`model` with no weight at what it starts with."""
    rng = np.random.default_rng(1)
    model.set_weights([value + 0.1 * rng.normal(size=value.shape) for value in model.get_weights()])
    return model


@pytest.mark.both_keras
@pytest.mark.parametrize(
    "make", [self_attention, shared_and_crossed, nested, custom, held, sequential]
)
def test_with_open_gates_the_outputs_are_those_of_keras_attention(make: Any) -> None:
    model = shaken(make())
    expected, weights = outputs(model, X), model.get_weights()
    converted = denoise(model, OPEN)
    assert isinstance(converted, DenoisingModel)
    assert len(converted.gate_layers) == attention_count(model)
    assert attention_count(converted) == 0
    np.testing.assert_allclose(outputs(converted, X), expected, rtol=1e-4, atol=1e-5)

    of_gates = sum(len(layer.weights) for layer in converted.gate_layers)
    assert len(converted.weights) == len(weights) + of_gates
    converted.compile("sgd", "mse", seed=0, run_eagerly=True)
    converted.train_on_batch(X, expected + 1.0)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)  # nothing is shared


def test_padding_is_hidden_from_attention_and_passed_on() -> None:
    inputs = keras.Input([N], dtype="int32")
    x = keras.layers.Embedding(6, D, mask_zero=True)(inputs)
    pooled = keras.layers.GlobalAveragePooling1D()(attention()(x, x))
    model = keras.Model(inputs, pooled)
    np.testing.assert_allclose(
        outputs(denoise(model, OPEN), IDS), outputs(model, IDS), rtol=1e-4, atol=1e-5
    )


def test_inputs_and_outputs_by_name_and_attention_scores() -> None:
    inputs = {
        "one": keras.Input([N, D], name="one"),
        "other": keras.Input([N + 1, D], name="other"),
    }
    x, scores = attention()(inputs["one"], inputs["other"], return_attention_scores=True)
    model = shaken(keras.Model(inputs, {"vectors": x, "scores": scores}))
    given = {"one": X, "other": np.random.default_rng(2).normal(size=[5, N + 1, D])}
    expected, found = (one(given, training=False) for one in (model, denoise(model, OPEN)))
    assert found.keys() == expected.keys() == {"vectors", "scores"}
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.both_keras
def test_half_precision_and_what_is_frozen_stay() -> None:
    inputs = keras.Input([N, D])
    layer = attention("half", dtype="mixed_bfloat16", trainable=False)
    converted = denoise(keras.Model(inputs, layer(inputs, inputs))).get_layer("half")
    assert converted.compute_dtype == "bfloat16"
    assert converted.variable_dtype == "float32"
    assert [id(v) for v in converted.trainable_variables] == [id(converted.gates.logits)]


@pytest.mark.both_keras
def test_names_gates_and_dropout() -> None:
    converted = denoise(self_attention(), PairwiseGates(beta=0.5))
    layer = converted.get_layer("first")
    assert isinstance(layer, DenoisingMultiHeadAttention)
    assert isinstance(layer.gates, PairwiseGates)
    assert layer.gates.beta == 0.5
    assert layer.dropout == 0.1
    assert [part.rate for part in converted.layers if isinstance(part, Dropout)] == [0.2]
    assert isinstance(denoise(self_attention()).get_layer("first").gates, PositionalGates)
    assert denoise(self_attention(), gates=None).get_layer("first").gates is None


@pytest.mark.parametrize(
    ("make", "blocks", "names"),
    [
        (self_attention, ["mix"], {"mix"}),
        (nested, "made", {"made"}),
        (nested, lambda layer: layer.name in ("inner", "own"), {"inner", "own"}),
        (custom, ["made", "built"], {"made", "built"}),
        (held, ["held_parts"], {"held_parts"}),
        (twice, ["twice"], {"twice"}),
    ],
)
def test_chosen_blocks_are_regularised(make: Any, blocks: Any, names: set[str]) -> None:
    model = shaken(make())
    converted = denoise(model, OPEN, blocks=blocks, gamma=0.1, jacobian_batch_size=2)
    wrapped = [part for part in layers_of(converted) if isinstance(part, JacobianRegularizedBlock)]
    assert {part.name for part in wrapped} == names
    assert {(part.gamma, part.batch_size) for part in wrapped} == {(0.1, 2)}
    np.testing.assert_allclose(outputs(converted, X), outputs(model, X), rtol=1e-4, atol=1e-5)
    converted.compile("adam", "mse", estimator="arm", seed=0, run_eagerly=True)
    logs = converted.train_on_batch(X, np.zeros_like(X), return_dict=True)
    assert logs["jacobian"] > 0
    assert 0 < logs["density_1"] <= 1


def test_a_plain_keras_model_of_its_parts_trains() -> None:
    converted = denoise(self_attention(), blocks=["mix"], gamma=0.01)
    plain = keras.Model(converted.inputs, converted.outputs)
    logits = converted.get_layer("first").gates.logits
    before = tf.convert_to_tensor(logits).numpy()
    plain.compile("adam", "mse")
    plain.fit(X, np.ones_like(X), batch_size=3, verbose=0)
    reachable = np.tril(np.ones([N, N], bool))
    assert np.all((tf.convert_to_tensor(logits).numpy() != before)[reachable])


@pytest.mark.both_keras
def test_saved_and_loaded(tmp_path: Path) -> None:
    converted = shaken(denoise(self_attention(), blocks=["mix"], gamma=0.01))
    converted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, DenoisingModel)
    expected = outputs(converted, X)
    np.testing.assert_allclose(outputs(loaded, X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.both_keras
def test_custom_layers_are_saved_by_their_weights(tmp_path: Path) -> None:
    model = custom()
    converted = shaken(denoise(model))
    converted.save_weights(tmp_path / "model.weights.h5")
    again = denoise(model)
    again.load_weights(tmp_path / "model.weights.h5")
    expected = outputs(converted, X)
    np.testing.assert_allclose(outputs(again, X), expected, rtol=1e-5, atol=1e-6)


def with_layer(layer: Any) -> Any:
    inputs = keras.Input([N, D])
    arguments = [inputs] * (2 if isinstance(layer, keras.layers.MultiHeadAttention) else 1)
    return keras.Model(inputs, keras.layers.Dense(D, name="mix")(layer(*arguments)))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: with_layer(InFunction()), {}, r"`model` must .*Received: hidden"),
        (lambda: with_layer(Careless(2)), {}, r"`careless` \(Careless\) cannot be copied; give"),
        (lambda: with_layer(OwnAttention(1, 2, name="own")), {}, r"Received: own \(OwnAttention"),
        (
            lambda: with_layer(attention("wide", output_shape=(2, 3))),
            {},
            r"`wide` cannot be converted: `output_shape` must .*Received: output_shape=\(2, 3\)",
        ),
        (lambda: with_layer(Forgetful(2)), {}, r"`forgetful` .* copied; .*no plain value of heads"),
        (lambda: with_layer(keras.layers.Dense(2)), {}, "`model` must hold .*holds neither"),
        (lambda: Made(name="made"), {}, r"`model` must be a functional .*Received: made \(Made\)"),
        (self_attention, {"gates": "sideways"}, "`gates` must be .*Received: gates='sideways'"),
        (self_attention, {"blocks": ["mix"]}, "`gamma` must be above 0 .*Received: gamma=0"),
        (self_attention, {"blocks": ["x", "mix"], "gamma": 1.0}, "`blocks` must .*Received: x$"),
        (self_attention, {"blocks": ["first"], "gamma": 1.0}, r"`blocks` .*Received: first \(M"),
        (pooled, {"blocks": ["pool"], "gamma": 1.0}, r"`blocks` .*Received: pool \(GlobalAverage"),
    ],
)
def test_what_cannot_be_converted_is_named(make: Any, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){message}"):
        denoise(make(), **options)


@pytest.mark.both_keras
@pytest.mark.skipif(IS_KERAS_3, reason="Keras 3 has no such layers")
def test_a_loss_in_the_graph_is_not_lost_in_silence() -> None:
    model = self_attention()
    model.add_loss(tf.reduce_sum(model.output))
    with pytest.raises(ValueError, match=r"`model` must have only layers .*Received: add_loss"):
        denoise(model)


def test_lengths_that_vary_are_for_what_is_of_no_position() -> None:
    inputs = keras.Input([None, D])
    model = shaken(keras.Model(inputs, attention("open_ended")(inputs, inputs)))
    with pytest.raises(ValueError, match=r"`open_ended` cannot be converted: .*Received"):
        denoise(model)
    converted = denoise(model, "layer_drop")
    np.testing.assert_allclose(outputs(converted, X), outputs(model, X), rtol=1e-4, atol=1e-5)
