"""Comparisons against the textbook's formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from tf_recdenoiser.experiments import compare


def test_errors_and_p_value_are_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    baseline = rng.random([5, 40])
    model = baseline + 0.05 + 0.1 * rng.normal(size=[5, 40])
    found = compare(model, baseline)
    differences = model - baseline
    seeds, users = differences.mean(1), differences.mean(0)
    assert found.difference == pytest.approx(differences.mean())
    assert found.seed_error == pytest.approx(np.std(seeds, ddof=1) / math.sqrt(5))
    assert found.user_error == pytest.approx(np.std(users, ddof=1) / math.sqrt(40))
    # The t distribution's tail is an incomplete beta function.
    t, freedom = found.difference / found.seed_error, 4
    tail = special.betainc(freedom / 2, 0.5, freedom / (freedom + t * t))
    assert found.p_value == pytest.approx(tail)
    t, freedom = found.difference / found.user_error, 39
    tail = special.betainc(freedom / 2, 0.5, freedom / (freedom + t * t))
    assert found.user_p_value == pytest.approx(tail)


def test_the_gains_interval_is_the_textbooks() -> None:
    """With four degrees of freedom Student's t leaves 2.5 % above 2.776; the normal above 1.96."""
    rng = np.random.default_rng(0)
    baseline = 0.2 + 0.1 * rng.random([5, 40])
    found = compare(baseline + 0.01 + 0.01 * rng.normal(size=[5, 40]), baseline)
    gain, whole = 100 * found.difference / baseline.mean(), 100 / baseline.mean()
    assert found.gain == pytest.approx(gain)
    half = 2.776445 * found.seed_error * whole
    assert found.gain_interval == pytest.approx((gain - half, gain + half))
    single = compare(baseline[:1] + 0.01 * rng.normal(size=[1, 40]), baseline[:1])
    half = 1.959964 * single.user_error * 100 / baseline[0].mean()
    assert single.gain_interval == pytest.approx((single.gain - half, single.gain + half))


def test_one_seed_says_nothing_of_seeds() -> None:
    found = compare(np.array([[0.1, 0.2, 0.3]]), np.array([[0.0, 0.2, 0.1]]))
    assert math.isnan(found.seed_error) and math.isnan(found.p_value)
    assert found.difference == pytest.approx(0.1)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"seeds by users.*Received: shapes"):
        compare(np.zeros([2, 3]), np.zeros([2, 4]))
