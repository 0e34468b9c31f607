"""Gates taken over from another model."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.layers import ItemGates, PositionalGates
from tf_recdenoiser.training import BinaryCrossEntropy, Recommender, fix_gates

N = 4
BATCH = (
    {"item_ids": tf.constant([[0, 1, 2, 3], [4, 5, 6, 7]])},
    {
        "positives": tf.constant([[0, 2, 3, 4], [5, 6, 7, 1]]),
        "negatives": tf.constant([[[0], [9], [8], [7]], [[1], [2], [3], [4]]]),
        "unseen_counts": tf.constant([5, 5]),
        "weights": tf.constant([[0.0, 1, 1, 1], [1, 1, 1, 1]]),
    },
)


def recommender(gates: Any, num_layers: int = 2, estimator: str = "disarm") -> Recommender:
    model = Recommender(
        SASRec(9, max_length=N, hidden_dim=8, num_layers=num_layers, gates=gates),
        BinaryCrossEntropy(),
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        gate_optimizer=keras.optimizers.Adam(0.1),
        estimator=estimator,
        credit=True,
        seed=3,
    )
    return model


def logits(model: Recommender) -> list[np.ndarray]:
    return [np.asarray(layer.logits) for layer in model.gate_layers]


@pytest.mark.parametrize("estimator", only("arm".__eq__, ["arm", "straight_through"]))
def test_training_leaves_fixed_gates_alone_and_trains_the_rest(estimator: str) -> None:
    source = recommender(PositionalGates(initial_keep=0.7))
    model = recommender(PositionalGates(trainable=False), estimator=estimator)
    fix_gates(model, source)
    before = [np.copy(np.asarray(variable)) for variable in model.trainable_variables]
    model.fit(tf.data.Dataset.from_tensors(BATCH).map(model.objective.example), verbose=0)
    for fixed in logits(model):
        np.testing.assert_allclose(fixed, np.log(0.7 / 0.3), rtol=1e-6)
    assert all(
        (np.asarray(now) != old).any()
        for now, old in zip(model.trainable_variables, before, strict=True)
        if "bias" not in now.name
    )


def test_one_evaluation_is_enough_where_no_gate_learns() -> None:
    fixed = recommender(PositionalGates(trainable=False), estimator="disarm")
    calls = 0

    class Counting(Recommender):
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            nonlocal calls
            calls += 1
            return super().call(inputs, training=training)

    model = Counting(fixed.backbone, BinaryCrossEntropy())
    model.compile(keras.optimizers.Adam(0.01), estimator="disarm", credit=True, run_eagerly=True)
    example = model.objective.example(*BATCH)
    model.loss_gradients(*keras.utils.unpack_x_y_sample_weight(example), tf.constant([0, 1]))
    assert calls == 1


def test_shuffled_rows_of_all_positions_where_the_model_is_not_causal() -> None:
    source = recommender("positional", num_layers=1)
    rows = np.arange(N * N, dtype=np.float32).reshape(N, N)
    source.gate_layers[0].logits.assign(rows)
    model = recommender(PositionalGates(trainable=False), num_layers=1)
    fix_gates(model, source, shuffled=True, seed=1, causal=False)
    (shuffled,) = logits(model)
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), rows)
    assert (shuffled != rows).any(axis=1).sum() >= 2


@pytest.mark.parametrize(
    ("gates", "source", "shuffled", "message"),
    [
        (PositionalGates(trainable=False), (None, 2), False, "0 of them for 2"),
        (PositionalGates(trainable=False), ("positional", 1), False, "1 of them for 2"),
        (PositionalGates(trainable=False), ("relative", 2), False, "RelativeGates"),
        ("positional", ("positional", 2), False, "trainable=False"),
        (ItemGates(trainable=False), ("item", 2), True, "positional gates"),
    ],
)
def test_what_cannot_be_taken_over_is_named(
    gates: Any, source: tuple[Any, int], shuffled: bool, message: str
) -> None:
    model, other = recommender(gates), recommender(source[0], num_layers=source[1])
    with pytest.raises(ValueError, match=re.escape(message)):
        fix_gates(model, other, shuffled)
