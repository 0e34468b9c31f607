"""Probabilities of noise against laws for which they are known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tf_recdenoiser.noise import noise_probability, noise_rate, with_feedback


def normal_density(x: np.ndarray, mean: float) -> np.ndarray:
    return np.exp(-((x - mean) ** 2) / 2)


def mixture(rate: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items, which of them are noise, and noise alone; clean ones lie at 2, noise at -2."""
    rng = np.random.default_rng(seed)
    is_noise = rng.random(count) < rate
    return rng.normal(np.where(is_noise, -2, 2)), is_noise, rng.normal(-2, 1, count)


def log_ratio(x: np.ndarray, rate: float) -> np.ndarray:
    noise, clean = normal_density(x, -2), normal_density(x, 2)
    return np.log((1 - rate) * clean + rate * noise) - np.log(noise)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.6])
def test_probability_is_bayes_rule(rate: float) -> None:
    x = np.linspace(-4, 4, 50)
    noise, clean = normal_density(x, -2), normal_density(x, 2)
    bayes = rate * noise / (rate * noise + (1 - rate) * clean)
    np.testing.assert_allclose(noise_probability(log_ratio(x, rate), rate), bayes)


@given(st.floats(-1e6, 1e6), st.floats(0, 1))
def test_it_is_a_probability(ratio: float, rate: float) -> None:
    assert 0 <= noise_probability(np.array([ratio]), rate)[0] <= 1


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_the_rate_is_found(rate: float) -> None:
    items, _, noise = mixture(rate, 40_000)
    found = noise_rate(log_ratio(items, rate), log_ratio(noise, rate))
    assert found == pytest.approx(rate, abs=0.02)


def test_the_rate_does_not_depend_on_the_scale_of_scores() -> None:
    items, _, noise = mixture(0.25, 10_000)
    assert noise_rate(items, noise) == noise_rate(np.exp(items), np.exp(noise))


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.sampled_from([0, 0.5, 1, np.nan]))))
def test_what_is_known_of_noise_is_certain_in_arrays_and_tensors(
    pairs: list[tuple[float, float]],
) -> None:
    expected = [{1: 1.0, 0.5: 0.0, 0: 0.0}.get(said, estimate) for estimate, said in pairs]
    estimates, disliked = np.array(pairs, np.float32).reshape(-1, 2).T
    for module in (np.array, tf.constant):
        found = with_feedback(module(estimates), module(disliked))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.array(expected, np.float32))
