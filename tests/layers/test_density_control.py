"""Gates that find the sparsity weight for a target density."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    GATES,
    DenoisingMultiHeadAttention,
    Gates,
    ItemGates,
    JacobianRegularizedBlock,
    PositionalGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.records import GateRecord
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel

B, N, D = 3, 4, 5
X = normal(B, N, D)
IS_ITEM = np.array([[True] * N, [False, True, True, True], [False, False, False, True]])
LIVE = IS_ITEM[:, :, np.newaxis] & IS_ITEM[:, np.newaxis]
USABLE = LIVE & np.tril(np.ones((N, N), bool))

every_kind = pytest.mark.parametrize("kind", GATES.values(), ids=GATES)


def call(gates: Gates, training: bool = True, **options: bool) -> GateRecord:
    with Evaluation(Sample(tf.constant([1, 2]), **options)) as recorder:
        gates(X, X, live=tf.constant(LIVE), use_causal_mask=True, training=training)
    return recorder.gates[gates]


@every_kind
@pytest.mark.parametrize("penalty", ["entries", "edges"])
@pytest.mark.parametrize("target", [0.2, 0.99])
def test_weight_and_penalty_are_those_of_the_formula(
    kind: type[Gates], penalty: str, target: float
) -> None:
    gates = kind(target_density=target, penalty=penalty)
    gates.build((None, N, D))
    randomize(gates, scale=1.0)
    dual = 0.0
    for _ in range(3):
        record = call(gates)
        keep = 1 / (1 + np.exp(-record.logits.numpy().astype(np.float64)))
        keep = np.broadcast_to(keep, (*keep.shape[:-2], N, N))
        if record.per_sequence:
            excess = keep[:, 0][USABLE].mean() - target
        elif penalty == "edges":
            excess = (keep * USABLE).sum() / USABLE.sum() - target
        else:
            excess = keep[np.tril_indices(N)].mean() - target
        dual = max(0.0, dual + 0.003 * excess)
        assert float(record.dual) == pytest.approx(dual, rel=1e-4, abs=1e-7)
        gates.dual.assign(record.dual)  # as a train step does
        (found,) = gates.losses[-1:]
        expected = IS_ITEM.sum() * (dual * excess + excess**2)
        assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert (dual > 0) == (target == 0.2)


def test_the_gradient_is_the_weight_times_that_of_the_mean() -> None:
    """(lambda + 2 e) P sigma'(phi) / entries, lambda being held fixed."""
    gates = PositionalGates(target_density=0.3, initial_keep=0.75)
    gates.build((None, N, D))
    logits = gates.trainable_variables[0]
    variable = logits if isinstance(logits, tf.Variable) else logits.value
    with tf.GradientTape() as tape:
        call(gates)
        (penalty,) = gates.losses
    reachable = np.tril(np.ones((N, N)))
    weight = 0.003 * 0.45 + 2 * 0.45
    expected = weight * IS_ITEM.sum() * 0.75 * 0.25 * reachable / reachable.sum()
    np.testing.assert_allclose(tape.gradient(penalty, variable), expected, rtol=1e-4)


def test_it_does_not_change_but_in_the_first_evaluation_of_a_step() -> None:
    gates = PositionalGates(target_density=0.3)
    assert call(gates, training=False).dual is None
    assert call(gates, with_penalties=False).dual is None
    assert not gates.losses
    assert float(call(gates).dual) > 0


def test_a_plain_model_which_would_not_find_it_is_refused() -> None:
    gates = PositionalGates(target_density=0.3)
    with pytest.raises(ValueError, match=r"`DenoisingModel`\. Received: target_density=0\.3"):
        gates(X, X, training=True)
    block = JacobianRegularizedBlock(TransformerBlock(gates=gates), gamma=1.0)
    with pytest.raises(ValueError, match=r"`DenoisingModel`\. Received: target_density=0\.3"):
        block(X, training=True)


def test_without_a_target_there_is_no_dual_variable() -> None:
    gates = PositionalGates(beta=0.1)
    call(gates)
    assert not hasattr(gates, "dual")


@pytest.mark.parametrize("target", [0.0, 1.0, -0.5])
def test_the_target_must_be_a_share(target: float) -> None:
    with pytest.raises(ValueError, match=rf"`target_density` must .*target_density={target}"):
        PositionalGates(target_density=target)


def test_a_target_and_a_weight_are_too_much() -> None:
    with pytest.raises(
        ValueError, match=r"`target_density` must .* target_density=0\.5, beta=0\.1"
    ):
        PositionalGates(target_density=0.5, beta=0.1)


def controlled(kind: type[Gates], target: float) -> DenoisingModel:
    """A small model, compiled."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input([N, D])
    layer = DenoisingMultiHeadAttention(1, 3, gates=kind(target_density=target))
    outputs = keras.layers.Dense(D)(keras.layers.Flatten()(layer(inputs, inputs)))
    model = DenoisingModel(inputs=inputs, outputs=outputs)
    model.compile(keras.optimizers.Adam(0.01), loss="mse", seed=1)
    return model


@pytest.mark.parametrize(
    ("kind", "target"),
    only(
        lambda kind, target: (kind, target) in {(PositionalGates, 0.5), (ItemGates, 0.7)},
        itertools.product(GATES.values(), [0.5, 0.7]),
    ),
)
def test_the_target_is_reached_and_kept(kind: type[Gates], target: float) -> None:
    """In 240 steps and for 240 more, on data which for themselves would keep every position."""
    model, x = controlled(kind, target), normal(512, N, D)
    history = model.fit(x, x.mean(axis=1), epochs=30, batch_size=32, verbose=0).history
    assert np.all(np.abs(np.array(history["keep_1"][15:]) - target) < 0.06), history["keep_1"]


def test_the_dual_variable_is_saved(tmp_path: Path) -> None:
    model, x = controlled(PositionalGates, 0.5), normal(32, N, D)
    model.fit(x, x[:, 1], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    (gates,), (again,) = model.gate_layers, loaded.gate_layers
    assert again.target_density == 0.5
    assert float(again.dual) == float(gates.dual) > 0
