"""The running mean of losses that some estimators subtract."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.layers import Gates, KeyGates, PositionalGates, RelativeGates
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


@pytest.mark.parametrize("kind", [PositionalGates, KeyGates])
def test_losses_of_fewer_positions_are_of_the_newest(kind: type[Gates]) -> None:
    """Those before have the mean of what they had; the oldest loss, before they had any."""
    gates = kind(max_length=4)
    gates.build((None, 4, 5))
    baseline, rng = Baseline(gates), np.random.default_rng(0)
    seen: list[np.ndarray] = []
    for length in (2, 4, 3, 6, 2):
        loss = rng.normal(size=length)
        given = loss[np.newaxis] if kind is KeyGates else loss[:, np.newaxis]
        found = np.ravel(baseline.update(tf.constant(given, tf.float32), 0.5))
        weights = 0.5 ** np.arange(len(seen))[::-1]
        mean = weights @ np.array(seen) / weights.sum() if seen else None
        if mean is None:
            expected, seen = loss, [np.array([loss[0], loss[0], *loss])]
        else:
            expected = np.concatenate([[mean[0]] * (length - 4), mean[-length:]])
            seen.append(np.concatenate([mean[:-length] if length < 4 else [], loss[-4:]]))
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_without_a_longest_length_there_is_one_mean() -> None:
    gates = RelativeGates()
    gates.build((None, None, 5))
    baseline = Baseline(gates)
    for loss, expected in (([1.0, 3.0], [1, 3]), ([4.0, 4.0, 4.0], [2, 2, 2])):
        found = baseline.update(tf.constant(loss)[:, tf.newaxis], 0.5)
        np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-5)
