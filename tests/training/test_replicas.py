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

pytestmark = pytest.mark.both_keras

SCRIPT = """
import json
import numpy as np
import tensorflow as tf

device = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(device, two)

from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import DenoisingMultiHeadAttention, PositionalGates
from tf_recdenoiser.training import DenoisingModel

STRATEGIES = [tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(n)]) for n in (1, 2)]
RNG = np.random.default_rng(0)
X = RNG.normal(size=[4, 3, 2]).astype(np.float32)
WEIGHTS = np.tile([[1.0], [2.0], [3.0], [4.0]], (1, 3))

def stepped(strategy, gates, weights, optimizer, l2, estimator="disarm", epochs=1):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = x = keras.Input([3, 2])
        if gates is not None:
            how = {"kernel_initializer": "ones", "use_bias": False}
            x = DenoisingMultiHeadAttention(1, 2, gates=gates, **how)(x, x)
        dense = keras.layers.Dense(1, kernel_initializer="ones")
        model = DenoisingModel(inputs=inputs, outputs=dense(x))
        model.compile(
            optimizer(), loss="mse", gate_optimizer=optimizer(), l2=l2, seed=0, estimator=estimator
        )
    before = [variable.numpy() for variable in model.trainable_variables]
    how = {"sample_weight": weights, "batch_size": 4, "verbose": 0, "shuffle": False}
    history = model.fit(X, np.ones([4, 3, 1]), epochs=epochs, **how).history
    pairs = zip(model.trainable_variables, before)
    moved = [(variable.numpy() - old).ravel().tolist() for variable, old in pairs]
    return {"moved": sum(moved, []), "history": history}

sgd, adam = (lambda: keras.optimizers.SGD(0.01)), (lambda: keras.optimizers.Adam(0.01))
edges = PositionalGates(beta=0.3, penalty="edges")
CASES = {
    "plain": (None, None, sgd, 0.0),
    "weighted": (None, WEIGHTS, sgd, 0.1),
    "entries": (PositionalGates(beta=0.3), None, sgd, 0.1),
    "edges": (edges, WEIGHTS, sgd, 0.0),
    "adam": (PositionalGates(target_density=0.5), None, adam, 0.0, "ar", 2),
}
print(json.dumps({n: [stepped(s, *case) for s in STRATEGIES] for n, case in CASES.items()}))
"""


@pytest.fixture(scope="module")
def found() -> Any:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["plain", "weighted", "entries", "edges", "adam"])
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
