"""The running mean of losses that some estimators subtract."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.layers import KeyGates, PositionalGates
from tf_recdenoiser.training.baseline import Baseline

N = 3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 0.99), st.booleans())
def test_the_baseline_is_the_mean_of_earlier_losses(seed: int, decay: float, row: bool) -> None:
    """Weights decay^age, normalised; the loss itself while there is no earlier one."""
    gates = PositionalGates()
    gates.build((None, N, 5), (None, 4, 5))
    baseline = Baseline(gates)
    losses = np.random.default_rng(seed).normal(size=(5, N, 1) if row else (5, 1, 1))
    for step, loss in enumerate(losses):
        found = baseline.update(tf.constant(loss if row else loss[0, 0], tf.float32), decay)
        ages = np.arange(step)[::-1]
        weight = decay ** ages.astype(float) if step else np.ones(0)
        mean = np.tensordot(weight / weight.sum(), losses[:step], 1) if step else loss
        np.testing.assert_allclose(found, np.broadcast_to(mean, (N, 1)), rtol=1e-3, atol=1e-5)


def test_gates_that_are_the_same_in_every_row_have_one_for_each_key() -> None:
    gates = KeyGates()
    gates.build((None, N, 5), (None, 4, 5))
    assert tuple(Baseline(gates).mean_loss.shape) == (1, 4)
