"""Gates of keys under the estimators: without chance, the mean estimate is the exact gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.exact import gate_states
from tests.estimators.toy import LAYERS, forced, toy_loss, toy_model
from tests.params import only
from tf_recdenoiser.layers.sample import Sample
from tf_recdenoiser.training import DenoisingModel

N = 2
X, Y = {"item_ids": np.array([[4, 1], [2, 5]], np.int32)}, np.array([[0.3, -0.8]] * 2, np.float32)
WEIGHTS = np.array([[1.0, 2.0], [0.5, 1.0]], np.float32)


def keep(model: DenoisingModel) -> np.ndarray:
    """The keep probabilities of layer 1's gates and then layer 2's, `[L n]`."""
    logits = np.concatenate([layer.logits.numpy().ravel() for layer in model.gate_layers])
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def exact_gradient(model: DenoisingModel) -> np.ndarray:
    """The derivative of the sum over all states of probability times loss."""
    chance, total = keep(model), 0.0
    for state in gate_states(LAYERS * N):
        with forced(model, state.reshape(LAYERS, 1, N)):
            losses = toy_loss(Y, model(X, training=True)).numpy()
        probability = np.prod(np.where(state == 1, chance, 1 - chance))
        total += probability * (state - chance) * np.sum(losses * WEIGHTS) / WEIGHTS.sum()
    return total


def mean_estimate(model: DenoisingModel, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Over all uniform numbers: each cell between thresholds by its centre."""
    numbers: dict[int, tf.Tensor] = {}
    monkeypatch.setattr(Sample, "uniform", lambda _, layer, logits, number: numbers[id(layer)])

    @tf.function
    def estimate(uniform: tf.Tensor) -> list[tf.Tensor]:
        for index, layer in enumerate(model.gate_layers):
            numbers[id(layer)] = uniform[:, index]
        gradients, _, _ = model.loss_gradients(X, Y, WEIGHTS, tf.constant([0, 0]))
        return model._split(gradients)[1]

    edges = [np.sort([0.0, p, 1 - p, 1.0]) for p in keep(model)]
    centers, widths = [(e[1:] + e[:-1]) / 2 for e in edges], [np.diff(e) for e in edges]
    mean = np.zeros(LAYERS * N)
    for point, size in zip(itertools.product(*centers), itertools.product(*widths), strict=True):
        uniform = tf.constant(np.reshape(point, (1, LAYERS, 1, N)), tf.float32)
        mean += np.prod(size) * np.concatenate([g.numpy().ravel() for g in estimate(uniform)])
    return mean


@pytest.mark.parametrize(
    ("estimator", "credit"),
    only(
        lambda estimator, credit: credit == (estimator == "disarm"),
        itertools.product(["arm", "disarm", {"name": "ar", "use_baseline": False}], [False, True]),
    ),
)
def test_the_mean_estimate_is_the_exact_gradient(
    estimator: str, credit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy_model(N, gates="key")
    model.compile(loss=toy_loss, estimator=estimator, credit=credit, seed=1)
    expected = exact_gradient(model)
    assert np.abs(expected).min() > 1e-4
    found = mean_estimate(model, monkeypatch)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
