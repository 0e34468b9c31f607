"""Models with a `call` of their own train as functional ones do, by `compile` and `fit` alone."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.params import only
from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers import PositionalGates, TransformerBlock
from tf_recdenoiser.training import DenoisingModel

pytestmark = pytest.mark.both_keras

B, N, D = 6, 3, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=[B, N, D]).astype(np.float32)
Y = RNG.normal(size=[B, N, 1]).astype(np.float32)


@register
class Own(DenoisingModel):
    """Its block makes its gates in its first call."""

    def __init__(self, num_heads: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.block = TransformerBlock(num_heads, dropout=0.2, gates=PositionalGates(beta=0.1))
        self.scores = keras.layers.Dense(1)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.scores(self.block(inputs, training=training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}


@register
class Made(DenoisingModel):
    """Its constructor makes the graph."""

    def __init__(self, num_heads: int, name: str | None = None) -> None:
        inputs = keras.Input([N, D])
        block = TransformerBlock(num_heads, dropout=0.2, gates=PositionalGates(beta=0.1))
        outputs = keras.layers.Dense(1)(block(inputs))
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.num_heads = num_heads

    def get_config(self) -> dict[str, Any]:
        return {"num_heads": self.num_heads, "name": self.name}


def functional() -> DenoisingModel:
    inputs = keras.Input([N, D])
    block = TransformerBlock(2, dropout=0.2, gates=PositionalGates(beta=0.1))
    return DenoisingModel(inputs=inputs, outputs=keras.layers.Dense(1)(block(inputs)))


def fitted(model: DenoisingModel, optimizer: str = "adam") -> dict[str, list[float]]:
    model.compile(optimizer, "mse", seed=3, estimator="ar")
    return model.fit(X, Y, batch_size=3, shuffle=False, verbose=0).history


def test_it_trains_without_a_call_before() -> None:
    """Also after a functional model was made, which Keras lets change the class for good."""
    functional()
    history = fitted(Own())
    assert set(history) == set(fitted(functional()))
    assert {"density_1", "keep_1"} < set(history)
    assert np.isfinite([*history.values()]).all()


def test_it_may_be_evaluated_first() -> None:
    model = Own()
    model.compile("adam", "mse")
    report = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert report["keep_1"] == pytest.approx(0.9) and report["data"] > 0


@pytest.mark.parametrize(
    "called", only(lambda called: not called, [True, False]), ids=["called", "built"]
)
def test_its_numbers_are_those_of_a_functional_model(called: bool) -> None:
    one, other, made = functional(), Own(), Made(2)
    if called:
        other(X)
    else:
        other.compile("sgd", "mse")
        other.evaluate(X, Y, verbose=0)
    for model in (other, made):
        model.set_weights(one.get_weights())
    # Not Adam, which makes steps of the rounding errors that are the gradient of a key's bias.
    expected = fitted(one, "sgd")
    for model in (other, made):
        found = fitted(model, "sgd")
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-5), name
        for mine, theirs in zip(model.get_weights(), one.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", only(lambda make: make is Own, [Own, Made, functional]))
def test_it_is_saved_and_loaded_and_goes_on(make: Any, tmp_path: Path) -> None:
    model = make() if make is not Made else make(2)
    fitted(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, DenoisingModel if make is functional else make)
    assert type(loaded).__name__ == type(model).__name__
    np.testing.assert_array_equal(loaded(X), model(X))
    for one in (model, loaded):
        one.fit(X, Y, batch_size=3, shuffle=False, verbose=0)
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_weights_alone_are_loaded_into_another(tmp_path: Path) -> None:
    one, other = Own(), Own()
    one(X), other(X)
    one.save_weights(tmp_path / "of.weights.h5")
    other.load_weights(tmp_path / "of.weights.h5")
    np.testing.assert_array_equal(other(X), one(X))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_it_is_copied_and_pickled(copied: Any) -> None:
    for model in (functional(), Made(2)):
        again = copied(model)
        assert isinstance(again, DenoisingModel) and type(again).__name__ == type(model).__name__
        np.testing.assert_array_equal(again(X), model(X))
    assert isinstance(keras.models.clone_model(functional()), DenoisingModel)


def test_classes_stay_what_they_are() -> None:
    bases = DenoisingModel.__bases__, Made.__bases__
    made, model = Made(2), functional()
    assert (DenoisingModel.__bases__, Made.__bases__) == bases
    assert isinstance(made, Made) and isinstance(model, type(keras.Model(*graph())))
    assert keras.utils.get_registered_name(type(made)) == keras.utils.get_registered_name(Made)


def graph() -> tuple[Any, Any]:
    inputs = keras.Input([2])
    return inputs, keras.layers.Dense(1)(inputs)
