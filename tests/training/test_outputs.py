"""Losses of several outputs, beside plain Keras; ids that are no items; runs away in `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.layers import DenoisingMultiHeadAttention
from tf_recdenoiser.training import DenoisingModel, Recommender

pytestmark = pytest.mark.both_keras

RNG = np.random.default_rng(0)
X = RNG.normal(size=[5, 4]).astype(np.float32)
Y = {"a": RNG.normal(size=[5, 1]).astype(np.float32), "b": RNG.normal(size=[5, 2, 4])}


def two_outputs(kind: Any, by_name: bool) -> Any:
    inputs = keras.Input([4])
    outputs = {
        "a": keras.layers.Dense(1, kernel_initializer="ones", name="a")(inputs),
        "b": keras.layers.RepeatVector(2, name="b")(inputs),
    }
    return kind(inputs=inputs, outputs=outputs if by_name else list(outputs.values()))


LOSS, FACTORS = {"a": "mse", "b": "mae"}, {"a": 2.0, "b": 0.5}


def listed(values: dict[str, Any]) -> list[Any]:
    return [*values.values()]


@pytest.mark.parametrize(
    ("by_name", "loss", "factors", "y"),
    [
        (True, LOSS, FACTORS, Y),
        (False, listed(LOSS), listed(FACTORS), listed(Y)),
        (False, LOSS, FACTORS, listed(Y)),
        (False, ["mse", None], None, listed(Y)),
    ],
    ids=["names", "lists", "names of a list", "one of two"],
)
def test_losses_of_several_outputs_are_those_of_keras(
    by_name: bool, loss: Any, factors: Any, y: Any, tmp_path: Path
) -> None:
    expected, found = [], []
    for kind, losses in ((keras.Model, expected), (DenoisingModel, found)):
        model = two_outputs(kind, by_name)
        model.compile(keras.optimizers.SGD(0.1), loss=loss, loss_weights=factors)
        for _ in range(2):
            losses += model.fit(X, y, batch_size=5, verbose=0).history["loss"]
        losses.append(model.evaluate(X, y, batch_size=4, verbose=0, return_dict=True)["loss"])
    assert found == pytest.approx(expected, rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(X, y, verbose=0, return_dict=True)["loss"] == pytest.approx(found[-1])


@pytest.mark.eager
def test_one_loss_is_for_all_outputs_and_names_may_be_left_out() -> None:
    a, b = (np.mean((Y[name] - two_outputs(keras.Model, True)(X)[name]) ** 2) for name in "ab")
    weights = {"a": np.arange(5.0), "b": np.ones(5)}
    rows = np.mean((Y["a"] - two_outputs(keras.Model, True)(X)["a"]) ** 2, axis=1)
    for options, given, expected in (
        ({"loss": "mse"}, {}, a + b),
        ({"loss": "mse", "loss_weights": 3.0}, {}, 3 * (a + b)),
        ({"loss": {"b": "mse"}}, {}, b),
        # As everywhere here, divided by the sum of the weights.
        ({"loss": "mse"}, {"sample_weight": weights}, rows @ weights["a"] / 10 + b),
    ):
        model = two_outputs(DenoisingModel, True)
        model.compile(**options)
        found = model.evaluate(X, Y, verbose=0, return_dict=True, **given)["loss"]
        assert found == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.eager
@pytest.mark.parametrize("estimator", ["arm", "disarm", "straight_through"])
def test_gates_answer_for_the_weighted_sum_of_all_outputs(estimator: str) -> None:
    """As with one output that holds both, and the weighted sum as its loss."""
    x = RNG.normal(size=[6, 3, 4]).astype(np.float32)
    y = {"a": np.ones([6, 3, 4], np.float32), "b": np.ones([6], np.float32)}
    seed, found = tf.constant([3, 4]), []
    for joined in (False, True):
        inputs = keras.Input([3, 4])
        attention = DenoisingMultiHeadAttention(2, 2, name="a", kernel_initializer="ones")
        a = attention(inputs, inputs, use_causal_mask=True)
        b = keras.layers.Dense(1, name="b", kernel_initializer="ones")(keras.layers.Flatten()(a))
        if joined:
            both = keras.layers.Concatenate()([keras.layers.Flatten()(a), b])
            model = DenoisingModel(inputs=inputs, outputs=both)
            model.compile(loss=weighted_sum, estimator=estimator)
            gradients, *_ = model.loss_gradients(x, y["b"], None, seed)
        else:
            model = DenoisingModel(inputs=inputs, outputs=[a, b])
            options = {"loss": {"a": "mse", "b": "mae"}, "loss_weights": {"a": 2.0, "b": 0.5}}
            model.compile(estimator=estimator, **options)
            gradients, *_ = model.loss_gradients(x, listed(y), None, seed)
        found.append([np.asarray(tf.convert_to_tensor(gradient)) for gradient in gradients])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
        assert np.any(one) or one.shape != (3, 3)


def weighted_sum(y: tf.Tensor, both: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_mean(tf.square(both[:, :-1] - 1.0), axis=1)
    return 2.0 * squares + 0.5 * tf.abs(both[:, -1] - 1.0)


@pytest.mark.eager
def test_what_belongs_to_no_output_is_named() -> None:
    with pytest.raises(ValueError, match=r"`loss_weights` must have .* Received: loss_weights=\[1"):
        two_outputs(DenoisingModel, True).compile(loss={"a": "mse"}, loss_weights=[1.0])
    for options, y, message in (
        ({"loss": {"a": "mse", "c": "mse"}}, Y, r"`loss` must .*, a, b, .* Received: a, c"),
        ({"loss": ["mse"]}, Y, r"`loss` must have one for each output, a, b\. Received: 1"),
        ({"loss": "mse"}, {"a": Y["a"]}, r"`y` must be a dict by .*Received: a"),
        ({"loss": "mse"}, Y["a"], r"`y` must be a dict or a list .*Received"),
        ({"loss": "mse", "credit": True}, Y, r"`credit=True` needs .* Received"),
        ({"loss": None}, Y, "`compile` needs a `loss`. Received: loss=None"),
    ):
        model = two_outputs(DenoisingModel, True)
        if "credit" in options:
            inputs = keras.Input([2, 4])
            a = DenoisingMultiHeadAttention(1, 2)(inputs, inputs)
            model = DenoisingModel(inputs=inputs, outputs={"a": a, "b": a})
            x, y = np.ones([5, 2, 4]), {"a": Y["b"], "b": Y["b"]}
        else:
            x = X
        model.compile(**options)
        with pytest.raises(ValueError, match=message):
            model.train_on_batch(x, y)


@pytest.mark.parametrize("wrong", [-1, 10, 2.5])
def test_ids_must_be_of_items(wrong: float) -> None:
    model = Recommender(SASRec(item_count=9, max_length=3, hidden_dim=4))
    good, bad = np.array([[0, 3, 9]]), np.array([[0, 3, wrong]])
    message = rf"must be item ids from 1 to 9, or 0 .* Received: {wrong}"
    with pytest.raises(ValueError, match=f"`item_ids` {message}"):
        model.score(bad)
    with pytest.raises(ValueError, match=f"`candidates` {message}"):
        model.score(good, bad)
    assert model.score(good, good).shape == (1, 3)


def test_terminate_on_nan_ends_a_fit() -> None:
    inputs = keras.Input([4])
    model = DenoisingModel(inputs=inputs, outputs=keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(float("inf")), loss="mse")
    stop = keras.callbacks.TerminateOnNaN()
    history = model.fit(X, Y["a"], batch_size=1, epochs=3, verbose=0, callbacks=[stop])
    assert len(history.epoch) == 1
