"""Gates that are all open, with beta = gamma = 0, change nothing: bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.estimators.toy import ITEMS, toy_loss
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.layers import GATES, Gates, ItemGates, PositionalGates
from tf_recdenoiser.training import DenoisingModel

N, BATCH = 6, 8
RNG = np.random.default_rng(2)
ITEM_IDS = RNG.integers(1, ITEMS + 1, size=(BATCH, N)).astype(np.int32)
ITEM_IDS[: BATCH // 2, :3] = 0
X, Y, WEIGHTS = {"item_ids": ITEM_IDS}, np.zeros((BATCH, N), np.float32), (ITEM_IDS > 0) * 1.0


def model(gates: Gates | None) -> DenoisingModel:
    keras.utils.set_random_seed(7)
    backbone = SASRec(ITEMS, N, hidden_dim=6, num_heads=2, dropout=0.3, gates=gates)
    scores = keras.layers.Dense(1)(backbone.output)
    model = DenoisingModel(inputs=backbone.input, outputs=scores)
    model.compile(keras.optimizers.Adam(0.01), loss=toy_loss, credit=True, l2=0.01, seed=1)
    return model


def weights(model: DenoisingModel) -> list[np.ndarray]:
    gates = {id(variable) for layer in model.gate_layers for variable in layer.variables}
    return [v.numpy() for v in model.trainable_variables if id(v) not in gates]


@pytest.mark.parametrize(
    "kind", only(lambda kind: kind in (PositionalGates, ItemGates), GATES.values())
)
def test_three_steps_end_with_the_same_bits(kind: type[Gates]) -> None:
    plain, gated = model(None), model(kind(initial_keep=1.0))
    gates = [v for layer in gated.gate_layers for v in layer.trainable_variables]
    gates_before = [v.numpy() for v in gates]
    gated_variables = {id(v) for layer in gated.gate_layers for v in layer.variables}
    # Each layer draws its initial weights by itself, so the gated model is given the plain one's.
    others = [v for v in gated.trainable_variables if id(v) not in gated_variables]
    for variable, value in zip(others, weights(plain), strict=True):
        variable.assign(value)
    before = weights(plain)

    for step in range(3):
        for kind in (plain, gated):
            kind.train_on_batch(X, Y, sample_weight=WEIGHTS)
        for one, other in zip(weights(plain), weights(gated), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"step {step}")

    assert all(np.any(new != old) for new, old in zip(weights(plain)[:2], before[:2], strict=True))
    np.testing.assert_array_equal(
        plain.predict(X, verbose=0), gated.predict(X, verbose=0), strict=True
    )
    for variable, value in zip(gates, gates_before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
