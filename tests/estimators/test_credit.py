"""Causal credit leaves out exactly what a gate cannot change."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.exact import gate_states
from tests.estimators.toy import LAYERS, enumerated, held_to_account, vector
from tf_recdenoiser.estimators import causal_credit

LENGTH = 3
PER_LAYER = LENGTH * (LENGTH + 1) // 2


def credited(losses: np.ndarray) -> np.ndarray:
    """`causal_credit` of both layers as one number for each gate."""
    layers = [
        causal_credit(tf.constant(losses), last_layer=layer == LAYERS - 1)
        for layer in range(LAYERS)
    ]
    return vector([np.broadcast_to(layer, [LENGTH, LENGTH]) for layer in layers], LENGTH)


def test_it_is_the_loss_at_the_row_for_the_last_layer_and_from_the_row_on_for_others() -> None:
    losses = np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(credited(losses), held_to_account(losses, LENGTH))
    np.testing.assert_array_equal(
        credited(losses), [111, 110, 110, 100, 100, 100, 1, 10, 10, 100, 100, 100]
    )


@pytest.mark.parametrize("gate", range(LAYERS * PER_LAYER))
def test_what_it_leaves_out_does_not_depend_on_the_gate(gate: int) -> None:
    toy = enumerated(LENGTH)
    is_open = gate_states(LAYERS * PER_LAYER)[:, gate] == 1
    kept = np.stack([credited(losses)[gate] for losses in toy.losses[::97]])
    np.testing.assert_allclose(kept, toy.accountable(np.arange(4096)[::97], True)[:, gate])
    left_out = toy.losses.sum(-1) - toy.accountable(np.arange(4096), credit=True)[:, gate]
    np.testing.assert_allclose(left_out[is_open], left_out[~is_open], atol=1e-5)


@pytest.mark.parametrize("gate", range(LAYERS * PER_LAYER))
def test_what_it_keeps_depends_on_the_gate(gate: int) -> None:
    kept = enumerated(LENGTH).accountable(np.arange(4096), credit=True)[:, gate]
    is_open = gate_states(LAYERS * PER_LAYER)[:, gate] == 1
    assert np.abs(kept[is_open] - kept[~is_open]).max() > 0.01
