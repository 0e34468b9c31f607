"""A forward pass in training computes, and changes nothing: a train step assigns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_model
from tf_recdenoiser.layers import GATES, Gates
from tf_recdenoiser.layers.sample import Evaluation, Sample

pytestmark = pytest.mark.both_keras

X = {"item_ids": tf.constant(item_ids(3))}


def values(model: Any) -> list[np.ndarray]:
    return [np.array(variable) for variable in model.variables]


@pytest.mark.parametrize("settings", [{"beta": 0.1}, {"target_density": 0.5}], ids=str)
@pytest.mark.parametrize("kind", GATES.values(), ids=GATES)
def test_no_variable_is_assigned(kind: type[Gates], settings: dict[str, float]) -> None:
    model = toy_model(3, gates=kind(**settings), dropout=0.3, gamma=0.01)
    model.compile(loss="mse", estimator="ar", seed=1)
    before = values(model)
    for run in (model, tf.function(model)):
        with Evaluation(Sample(tf.constant([1, 2]), model.estimator)):
            run(X, training=True)
        if "beta" in settings:
            run(X, training=True)
        for one, other in zip(values(model), before, strict=True):
            np.testing.assert_array_equal(one, other)
    model.loss_gradients(X, tf.ones([2, 3, 1]), None, tf.constant([1, 2]))
    assert any(np.any(one != other) for one, other in zip(values(model), before, strict=True))
