"""Losses of several outputs, beside plain Keras; ids that are no items; runs away in `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
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


@pytest.mark.parametrize("by_name", [True, False])
def test_losses_of_several_outputs_are_those_of_keras(by_name: bool, tmp_path: Path) -> None:
    loss, factors, y = {"a": "mse", "b": "mae"}, {"a": 2.0, "b": 0.5}, Y
    if not by_name:
        loss, factors, y = (list(one.values()) for one in (loss, factors, y))
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


def test_loss_weights_have_the_structure_of_the_loss() -> None:
    with pytest.raises(ValueError, match=r"`loss_weights` must have .* Received: loss_weights=\[1"):
        two_outputs(DenoisingModel, True).compile(loss={"a": "mse"}, loss_weights=[1.0])


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
