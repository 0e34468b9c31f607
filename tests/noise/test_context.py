"""The detector against laws for which the density ratio is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.noise.vectors import unit_vectors
from tf_recdenoiser._keras import keras
from tf_recdenoiser.noise.detectors.context import build_detector
from tf_recdenoiser.noise.network import NetworkTrainer, context_features, log_ratios

FEATURES = 31


def detector_of(units: int = 64) -> keras.Model:
    rng = np.random.default_rng(0)
    return build_detector(unit_vectors(rng, 9), rng.integers(1, 9, 10), max_length=5, units=units)


def judged(detector: keras.Model, features: np.ndarray) -> np.ndarray:
    """What the detector makes of features `[M, n, F]`."""
    normalized = detector.get_layer("normalization")(features)
    return detector.get_layer("network")(normalized).numpy()


def test_fitted_networks_give_the_log_of_the_density_ratio() -> None:
    keras.utils.set_random_seed(1)
    trainer, rng = NetworkTrainer(), np.random.default_rng(1)

    def drawn(feature: int, mean: float, count: int = 60_000) -> np.ndarray:
        features = rng.normal(size=[count, FEATURES])
        features[:, feature] += mean
        return features.astype(np.float32)

    # The second is trained where the first was, and must know nothing of it.
    detectors = {feature: detector_of() for feature in (3, 5)}
    for one, detector in detectors.items():
        watched = drawn(one, 1.0, 12_000), drawn(one, -1.0, 12_000)
        trainer.fit(detector, drawn(one, 1.0), drawn(one, -1.0), watched)
    for one, detector in detectors.items():
        seen = drawn(one, 0.0, 2000)
        found = judged(detector, seen[:, np.newaxis])[:, 0]
        # The log ratio of N(1, 1) and N(-1, 1) at x is 2 x.
        slope, shift = np.polyfit(seen[:, one], found, 1)
        assert slope == pytest.approx(2.0, abs=0.25)
        assert shift == pytest.approx(0.0, abs=0.15)
        assert np.corrcoef(seen[:, one], found)[0, 1] > 0.95


def test_a_trainer_starts_each_network_anew() -> None:
    trainer, rng = NetworkTrainer(epochs=3), np.random.default_rng(2)
    features = rng.normal(size=[4, 40, FEATURES]).astype(np.float32)
    features[0] += 1
    first, again = detector_of(units=8), detector_of(units=8)
    again.set_weights(first.get_weights())
    found = []
    for detector in (first, again):
        # One batch an epoch: its order does not matter.
        trainer.fit(detector, features[0], features[1], (features[2], features[3]))
        found.append(judged(detector, features))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_log_ratios_are_the_networks_of_the_features() -> None:
    detector = detector_of()
    ids = np.array([[0, 0, 3, 7, 2], [1, 2, 3, 4, 5]], np.int32)
    other = ids[:, ::-1].copy()
    for candidates in (ids, other):
        features = context_features(detector, ids, candidates)
        assert features.shape == (2, 5, FEATURES)
        np.testing.assert_allclose(
            log_ratios(detector, ids, candidates), judged(detector, features), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_array_equal(log_ratios(detector, ids), log_ratios(detector, ids, ids))


@pytest.mark.parametrize("count", [1, 700])
def test_any_number_of_histories_is_judged_row_by_row(count: int) -> None:
    detector, rng = detector_of(units=8), np.random.default_rng(2)
    ids = rng.integers(0, 10, [count, 5]).astype(np.int32)
    found = log_ratios(detector, ids)
    assert found.shape == (count, 5)
    np.testing.assert_allclose(log_ratios(detector, ids[-1:]), found[-1:], rtol=1e-4, atol=1e-5)


def test_it_is_saved_with_its_vectors(tmp_path: Path) -> None:
    detector = detector_of()
    detector.save(tmp_path / "detector.keras")
    loaded = keras.models.load_model(tmp_path / "detector.keras")
    ids = np.array([[0, 0, 3, 7, 2]], np.int32)
    np.testing.assert_allclose(log_ratios(loaded, ids), log_ratios(detector, ids), rtol=1e-5)
