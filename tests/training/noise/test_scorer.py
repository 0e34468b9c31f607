"""Noise scores in NumPy and in a graph; histories closed up, against lists."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.noise.vectors import unit_vectors
from tf_recdenoiser.training.noise import (
    NoiseScorer,
    build_detector,
    log_ratios,
    noise_probability,
    without_noise,
)

IDS = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5], [0, 0, 0, 0, 6]], np.int32)
EIGHTHS = st.integers(0, 8).map(lambda number: number / 8)


@pytest.fixture(scope="module")
def detectors() -> tuple:
    rng = np.random.default_rng(0)
    return tuple(
        build_detector(unit_vectors(rng, 9), rng.integers(1, 9, 10), max_length=5) for _ in range(2)
    )


def test_a_scorer_averages_log_ratios(detectors: tuple) -> None:
    scorer = NoiseScorer(detectors, rate=0.3)
    mean = (log_ratios(detectors[0], IDS) + log_ratios(detectors[1], IDS)) / 2
    expected = np.where(IDS > 0, noise_probability(mean, 0.3), 0)
    np.testing.assert_allclose(scorer(IDS), expected, rtol=1e-5)
    graph = tf.function(scorer.probabilities)(tf.constant(IDS))
    np.testing.assert_allclose(graph.numpy(), expected, rtol=1e-5)


@given(
    rows=st.lists(
        # Eighths: TensorFlow takes the smallest floats for 0, NumPy does not.
        st.lists(st.tuples(st.integers(0, 9), EIGHTHS), min_size=4, max_size=4),
        min_size=1,
        max_size=5,
    ),
    above=EIGHTHS,
)
@settings(max_examples=50, deadline=None)
def test_histories_are_closed_up(rows: list[list[tuple[int, float]]], above: float) -> None:
    item_ids = np.array([[item for item, _ in row] for row in rows], np.int32)
    probability = np.array([[p for _, p in row] for row in rows], np.float32)
    times = item_ids * 1.5e9
    users = np.arange(len(rows))
    inputs = {"item_ids": item_ids, "times": times, "user_ids": users}
    cleaned = without_noise(inputs, probability, above)
    for row, chances, found in zip(item_ids, probability, cleaned["item_ids"], strict=True):
        items = [(item, p) for item, p in zip(row, chances, strict=True) if item > 0]
        least = min((p for _, p in items), default=0)
        kept = [item for item, p in items if p <= np.float32(above) or p == least]
        assert found.tolist() == [0] * (4 - len(kept)) + kept
    np.testing.assert_array_equal(cleaned["times"], cleaned["item_ids"] * 1.5e9)
    np.testing.assert_array_equal(cleaned["user_ids"], users)
