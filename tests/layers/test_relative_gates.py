"""Gates by distance: positional gates whose logits are the same along each diagonal."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_loss, toy_model, valid
from tests.layers.reference import normal
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import PositionalGates, RelativeGates
from tf_recdenoiser.training import DenoisingModel

N, M = 4, 3
QUERY, KEY = normal(2, N, 5), normal(2, M, 5)
X, Y, WEIGHTS = {"item_ids": item_ids(3)}, np.ones([2, 3], np.float32), valid(3)


def test_the_logit_of_an_edge_is_that_of_its_offset() -> None:
    gates = RelativeGates(inference="expectation", sharpness=2.0)
    gates.build(QUERY.shape, KEY.shape)
    by_offset = dict(zip(range(1 - M, N), normal(N + M - 1, seed=3), strict=True))
    gates.logits.assign([*by_offset.values()])
    expected = [[1 / (1 + np.exp(-2 * by_offset[u - v])) for v in range(M)] for u in range(N)]
    np.testing.assert_allclose(gates(QUERY, KEY, training=False), expected, rtol=1e-5)


def as_positional(model: DenoisingModel, gates: PositionalGates) -> DenoisingModel:
    """The same model with a logit for each pair, equal along each diagonal."""
    other = toy_model(3, gates=gates, dropout=0.2)
    pairs = zip(other.trainable_variables, model.trainable_variables, strict=True)
    for variable, value in ((variable, value.numpy()) for variable, value in pairs):
        if variable.shape != value.shape:
            value = [[value[u - v + 2] for v in range(3)] for u in range(3)]
        variable.assign(value)
    return other


@pytest.mark.parametrize("penalty", ["entries", "edges"])
@pytest.mark.parametrize("credit", [False, True])
@pytest.mark.parametrize("estimator", ["disarm", "ar", "straight_through"])
def test_the_gradient_of_an_offset_is_the_sum_over_its_edges(
    estimator: str, credit: bool, penalty: str
) -> None:
    """That of positional gates, by the chain rule; exactly 0 for offsets that cannot occur."""
    options = {"beta": 0.3, "penalty": penalty}
    relative = toy_model(3, gates=RelativeGates(**options), dropout=0.2)
    found, losses = [], []
    for model in (relative, as_positional(relative, PositionalGates(**options))):
        model.compile("sgd", loss=toy_loss, estimator=estimator, credit=credit)
        gradients, _, parts = model.loss_gradients(X, Y, WEIGHTS, tf.constant([4, 7]))
        found.append([np.asarray(tf.convert_to_tensor(g)) for g in gradients])
        losses.append([float(parts[name]) for name in ("loss", "data", "sparsity")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*found, strict=True):
        if one.shape != other.shape:
            other = [np.trace(other, offset) for offset in range(2, -3, -1)]
            assert not one[:2].any() and np.abs(one[2:]).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_offsets_that_cannot_occur_do_not_move() -> None:
    model = toy_model(3, gates="relative")
    model.compile(
        loss=toy_loss,
        credit=True,
        gate_optimizer=keras.optimizers.Adam(0.1),
        run_eagerly=True,
        seed=0,
    )
    before = [layer.logits.numpy() for layer in model.gate_layers]
    # A step moves an offset only where the two gates that were drawn for it differ.
    for _ in range(20):
        model.train_on_batch(X, Y, sample_weight=WEIGHTS)
    for layer, old in zip(model.gate_layers, before, strict=True):
        np.testing.assert_array_equal(layer.logits.numpy()[:2], old[:2])
        assert np.all(layer.logits.numpy()[2:] != old[2:])
