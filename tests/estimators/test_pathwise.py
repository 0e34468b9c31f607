"""Straight-through and concrete gates against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.exact import exact_gradient
from tf_recdenoiser.estimators import ESTIMATORS, Concrete, PathwiseEstimator, StraightThrough

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(size=7)
UNIFORM = RNG.random((1, 7))
SLOPES = RNG.normal(size=(7, 7))


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def loss(gates: tf.Tensor) -> tf.Tensor:
    """z^T S z: each gate's slope depends on the others."""
    return tf.einsum("i,ij,j->", gates, tf.constant(SLOPES, gates.dtype), gates)


def gradient(estimator: PathwiseEstimator) -> np.ndarray:
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        (gates,) = estimator.gates(logits, tf.constant(UNIFORM))
        value = loss(gates)
    return tape.gradient(value, logits).numpy()


def loss_slope(gates: np.ndarray) -> np.ndarray:
    return (SLOPES + SLOPES.T) @ gates


def test_the_pathwise_ones_say_that_they_are_biased() -> None:
    biased = {name for name, kind in ESTIMATORS.items() if not kind().unbiased}
    assert biased == {"straight_through", "concrete"}
    assert all(issubclass(ESTIMATORS[name], PathwiseEstimator) for name in biased)


def test_straight_through_is_the_slope_at_the_hard_gates_times_that_of_sigma() -> None:
    probability = sigma(LOGITS)
    hard = (UNIFORM[0] < probability).astype(float)
    (gates,) = StraightThrough().gates(tf.constant(LOGITS), tf.constant(UNIFORM))
    np.testing.assert_array_equal(gates.numpy(), hard)
    expected = loss_slope(hard) * probability * (1 - probability)
    np.testing.assert_allclose(gradient(StraightThrough()), expected, rtol=1e-12)


def test_straight_through_is_biased_for_a_loss_that_bends() -> None:
    """f(z) = (z - 0.45)^2: the slope between 0 and 1 is not the mean of those at 0 and 1."""
    probability = sigma(0.5)
    slopes = 2 * (np.array([0.0, 1.0]) - 0.45)
    mean = probability * (1 - probability) * slopes @ [1 - probability, probability]
    exact = exact_gradient(np.array([0.5]), np.array([0.45**2, 0.55**2]))
    assert abs(mean - exact[0]) > 0.05


@pytest.mark.parametrize("temperature", [2 / 3, 0.2])
def test_concrete_gates_and_their_gradient(temperature: float) -> None:
    u = UNIFORM[0]
    expected = sigma((np.log(u / (1 - u)) + LOGITS) / temperature)
    (gates,) = Concrete(temperature).gates(tf.constant(LOGITS), tf.constant(UNIFORM))
    np.testing.assert_allclose(gates.numpy(), expected, rtol=1e-12)
    slope = loss_slope(expected) * expected * (1 - expected) / temperature
    np.testing.assert_allclose(gradient(Concrete(temperature)), slope, rtol=1e-10)


def test_hard_concrete_is_the_stretched_and_clipped_concrete() -> None:
    u = np.linspace(0.001, 0.999, 7)
    relaxed = sigma((np.log(u / (1 - u)) + LOGITS) / 0.5)
    expected = np.clip(1.2 * relaxed - 0.1, 0, 1)
    (gates,) = Concrete(0.5, hard=True).gates(tf.constant(LOGITS), tf.constant(u[np.newaxis]))
    np.testing.assert_allclose(gates.numpy(), expected, atol=1e-12)
    assert {0.0, 1.0} < set(expected)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_concrete_gates_are_finite_at_the_ends_of_the_interval(edge: float) -> None:
    (gates,) = Concrete().gates(tf.zeros([3]), tf.fill([1, 3], edge))
    assert np.all(np.isfinite(gates.numpy()))


@pytest.mark.parametrize(
    "estimator", [StraightThrough(), Concrete()], ids=lambda e: type(e).__name__
)
def test_nothing_is_added_to_the_gradient_that_flows_through_the_gates(estimator) -> None:
    found = estimator.gradient(tf.constant(LOGITS), tf.constant(UNIFORM), [tf.constant(3.0)])
    assert not found.numpy().any()
