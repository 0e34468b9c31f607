"""Calibration by numbers worked out by hand, and by a loop."""

from __future__ import annotations

import numpy as np
import pytest

from tf_recdenoiser.reports.calibration import calibration_of


def test_numbers_worked_out_by_hand() -> None:
    probability = np.array([0.1, 0.3, 0.8, 0.8, 1.0])
    is_noise = np.array([False, True, True, False, True])
    found = calibration_of(probability, is_noise, bins=2)
    assert found.counts.tolist() == [2, 3]
    np.testing.assert_allclose(found.said, [0.2, 2.6 / 3])
    np.testing.assert_allclose(found.found, [0.5, 2 / 3])
    assert found.brier == pytest.approx((0.01 + 0.49 + 0.04 + 0.64 + 0.0) / 5)
    assert found.base_brier == pytest.approx(0.6 * 0.4)
    assert found.error == pytest.approx(2 / 5 * 0.3 + 3 / 5 * 0.2)


def test_many_numbers_against_a_loop_over_bins() -> None:
    rng = np.random.default_rng(0)
    probability, is_noise = rng.random(999), rng.random(999) < 0.3
    found = calibration_of(probability, is_noise)
    error = 0.0
    for b in range(10):
        inside = (probability >= b / 10) & (probability < (b + 1) / 10)
        assert found.counts[b] == inside.sum()
        error += abs(probability[inside].mean() - is_noise[inside].mean()) * inside.mean()
    assert found.error == pytest.approx(error)


def test_who_is_right_has_no_error_and_who_says_the_share_has_its_spread() -> None:
    is_noise = np.array([True, False, False, True])
    right = calibration_of(is_noise.astype(float), is_noise)
    assert right.brier == right.error == 0
    share = calibration_of(np.full(4, 0.5), is_noise)
    assert share.brier == share.base_brier == 0.25 and share.error == 0
    assert np.isnan(share.said).sum() == 9
