"""Steps that two replicas take together, beside those of one device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tf_recdenoiser._keras import IS_KERAS_3

pytestmark = pytest.mark.both_keras

CASES = ("plain", "entries", "adam", "per_sequence", "recommender", "drawn", "density")

SCRIPT = """
import contextlib
import json
import numpy as np
import tensorflow as tf

device = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(device, two)

from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.estimators.base import Estimator
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention, ItemGates, PairwiseGates, PositionalGates
)
from tf_recdenoiser.training import DenoisingModel, Recommender

STRATEGIES = [None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])]
RNG = np.random.default_rng(0)
X = RNG.normal(size=[4, 3, 2]).astype(np.float32)
WEIGHTS = np.tile([[1.0], [2.0], [3.0], [4.0]], (1, 3))
IDS = RNG.integers(1, 10, size=[4, 3]).astype(np.int32)

# Two evaluations: of the keep probabilities, and of their opposites.
class WithoutChance(Estimator):
    evaluations = 2

    def gates(self, logits, uniform):
        return tf.sigmoid(logits), 1.0 - tf.sigmoid(logits)

    def gradient(self, logits, uniform, losses):
        return tf.ones_like(logits) * (losses[0] - losses[1])

# Where variables are made, and how a model of them is compiled: graphs on two devices alone.
def on(strategy):
    keras.utils.set_random_seed(0)
    if strategy is None:
        return contextlib.nullcontext(), {"seed": 0, "run_eagerly": True}
    return strategy.scope(), {"seed": 0}

def changes(model, fit):
    before = [variable.numpy() for variable in model.trainable_variables]
    history = fit(model)
    pairs = zip(model.trainable_variables, before)
    moved = [(variable.numpy() - old).ravel().tolist() for variable, old in pairs]
    return {"moved": sum(moved, []), "history": history.history}

def stepped(strategy, gates, weights, optimizer, l2, estimator="disarm", epochs=1):
    scope, how = on(strategy)
    with scope:
        inputs = x = keras.Input([3, 2])
        if gates is not None:
            plain = {"kernel_initializer": "ones", "use_bias": False}
            x = DenoisingMultiHeadAttention(1, 2, gates=gates, **plain)(x, x)
        dense = keras.layers.Dense(1, kernel_initializer="ones")
        model = DenoisingModel(inputs=inputs, outputs=dense(x))
        how |= {"gate_optimizer": optimizer(), "l2": l2, "estimator": estimator}
        model.compile(optimizer(), loss="mse", **how)
    how = {"sample_weight": weights, "batch_size": 4, "verbose": 0, "shuffle": False}
    return changes(model, lambda model: model.fit(X, np.ones([4, 3, 1]), epochs=epochs, **how))

def recommending(strategy, gates, rows=4, estimator=None, **options):
    scope, how = on(strategy)
    ids = np.random.default_rng(0).integers(1, 10, size=[rows, 3]).astype(np.int32)
    with scope:
        sizes = {"item_count": 9, "max_length": 3, "hidden_dim": 4, "num_layers": 1}
        model = Recommender(SASRec(**sizes, **{"dropout": 0.0, **options}, gates=gates))
        model.compile(sgd(), gate_optimizer=sgd(), estimator=estimator or WithoutChance(), **how)
    sizes = [rows, *model.input["negatives"].shape[1:]]
    drawn = np.random.default_rng(1).integers(1, 10, size=sizes)
    weights = 1.0 + np.arange(rows)[:, None] + np.zeros([rows, 3], np.float32)
    targets = {"positives": ids[:, ::-1], "weights": weights, "negatives": drawn}
    targets["unseen_counts"] = np.full(rows, 6, np.int32)
    data = tf.data.Dataset.from_tensor_slices(({"item_ids": ids}, targets)).batch(4)
    return changes(model, lambda model: model.fit(data.map(model.objective.example), verbose=0))

def retrieving(strategy, rows):
    from tf_recdenoiser.retrieval.denoising_retrieval import DenoisingRetrieval

    scope, how = on(strategy)
    with scope:
        sizes = {"item_count": 9, "max_length": 3, "hidden_dim": 4, "num_layers": 1}
        model = DenoisingRetrieval(SASRec(**sizes, dropout=0.0, gates="pairwise"))
        model.compile(sgd(), gate_optimizer=sgd(), estimator=WithoutChance(), **how)
    batch = {"item_ids": IDS[rows], "candidate": np.array([4, 7, 1, 5])[rows]}
    data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
    return changes(model, lambda model: model.fit(data, verbose=0))

sgd, adam = (lambda: keras.optimizers.SGD(0.01)), (lambda: keras.optimizers.Adam(0.01))
CASES = {
    "plain": (None, None, sgd, 0.0),
    "entries": (PositionalGates(beta=0.3), WEIGHTS, sgd, 0.1),
    "adam": (PositionalGates(target_density=0.5, penalty="edges"), None, adam, 0.0, "ar", 2),
    "per_sequence": (PairwiseGates(beta=0.3), WEIGHTS, sgd, 0.0, WithoutChance()),
}
found = {name: [stepped(one, *case) for one in STRATEGIES] for name, case in CASES.items()}
found["recommender"] = [
    recommending(strategy, ItemGates(beta=0.3, penalty="edges")) for strategy in STRATEGIES
]
# The second batch has one row, so that the second replica has none.
random = {"rows": 5, "estimator": "arm", "dropout": 0.4, "gamma": 1e-4, "jacobian_batch_size": 3}
found["drawn"] = [
    recommending(strategy, PairwiseGates(beta=0.3), **random) for strategy in STRATEGIES
]
found["density"] = [
    recommending(strategy, ItemGates(target_density=0.5, penalty="edges"), **random)
    for strategy in STRATEGIES
]
if not IS_KERAS_3:
    halves = [retrieving(None, rows) for rows in (slice(0, 2), slice(2, 4))]
    found["retrieval"] = [*halves, retrieving(STRATEGIES[1], slice(0, 4))]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> Any:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", CASES)
def test_two_replicas_step_as_one_device(found: Any, name: str) -> None:
    """With penalties that count once, by N of the whole batch."""
    one, two = found[name]
    np.testing.assert_allclose(two["moved"], one["moved"], rtol=2e-3, atol=1e-5)
    assert np.any(one["moved"])
    assert two["history"].keys() == one["history"].keys()
    for part, values in one["history"].items():
        assert two["history"][part] == pytest.approx(values, rel=1e-3), part


def test_the_first_step_is_that_of_plain_keras(found: Any) -> None:
    """-0.01 times the gradient of the mean square, of y = x_1 + x_2 where 1 is wanted."""
    x = np.random.default_rng(0).normal(size=[4, 3, 2])
    slope = 2 * (x.sum(axis=-1, keepdims=True) - 1) / 12
    expected = [*-0.01 * np.sum(slope * x, axis=(0, 1)), -0.01 * slope.sum()]
    for one in found["plain"]:
        np.testing.assert_allclose(one["moved"], expected, rtol=1e-4)


@pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")
def test_queries_have_their_replicas_candidates_as_negatives(found: Any) -> None:
    """The loss is a sum over queries: the step is the sum of those of both halves of the batch."""
    first, second, both = found["retrieval"]
    expected = np.add(first["moved"], second["moved"])
    np.testing.assert_allclose(both["moved"], expected, rtol=2e-3, atol=1e-6)
    for part in ("loss", "total_loss"):
        of_halves = [one["history"][part][0] for one in (first, second)]
        assert both["history"][part][0] == pytest.approx(sum(of_halves), rel=1e-4)
