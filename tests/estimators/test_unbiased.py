"""Unbiased estimators have the exact gradient as their mean: proved by enumeration, no chance."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.estimators.exact import exact_gradient
from tests.estimators.toy import Enumerated, Moments, enumerated, moments
from tf_recdenoiser.estimators import ESTIMATORS, Ar, Arm, DisArm, Estimator, Reinforce, Rloo

UNBIASED = [name for name, kind in ESTIMATORS.items() if kind().unbiased]


@functools.cache
def _moments(estimator: Estimator, length: int, credit: bool, centered: bool) -> Moments:
    toy = enumerated(length)
    return moments(estimator, toy, credit, toy.baseline(credit) if centered else 0.0)


def toy_moments(
    estimator: Estimator, length: int = 3, credit: bool = False, centered: bool = False
) -> Moments:
    return _moments(estimator, length, credit, centered)


def total_variance(*args: object, **options: object) -> float:
    return float(toy_moments(*args, **options).variance.sum())


def test_the_paper_s_estimators_are_unbiased() -> None:
    assert UNBIASED == ["arm", "ar", "disarm", "reinforce", "rloo"]


@pytest.mark.parametrize("credit", [False, True], ids=["plain", "credit"])
@pytest.mark.parametrize("name", UNBIASED)
def test_the_mean_is_the_exact_gradient(name: str, credit: bool) -> None:
    estimator = ESTIMATORS[name]()
    # Two positions where several uniform numbers a gate would make too many cells of three.
    length = 3 if estimator.uniforms == 1 else 2
    toy = enumerated(length)
    exact = exact_gradient(toy.logits, toy.losses.sum(-1))
    assert np.abs(exact).min() > 0.05
    np.testing.assert_allclose(toy_moments(estimator, length, credit).mean, exact, atol=1e-10)


@pytest.mark.parametrize("credit", [False, True], ids=["plain", "credit"])
@pytest.mark.parametrize("estimator", [Ar(), Reinforce()], ids=["ar", "reinforce"])
def test_a_baseline_changes_the_variance_and_not_the_mean(
    estimator: Estimator, credit: bool
) -> None:
    without = toy_moments(estimator, credit=credit)
    centered = toy_moments(estimator, credit=credit, centered=True)
    np.testing.assert_allclose(centered.mean, without.mean, atol=1e-10)
    assert centered.variance.sum() < 0.2 * without.variance.sum()


@pytest.mark.parametrize("estimator", [Arm(), DisArm()], ids=["arm", "disarm"])
def test_mirrored_estimators_are_still_where_gates_change_no_loss(estimator: Estimator) -> None:
    toy = enumerated(2)
    flat = Enumerated(toy.length, toy.logits, np.ones_like(toy.losses))
    found = moments(estimator, flat)
    assert not found.mean.any() and not found.variance.any()


def test_credit_and_disarm_each_lower_the_variance_of_arm() -> None:
    arm, disarm = total_variance(Arm()), total_variance(DisArm())
    with_credit = total_variance(Arm(), credit=True)
    both = total_variance(DisArm(), credit=True)
    assert disarm < 0.9 * arm
    assert with_credit < 0.7 * arm
    assert both < 0.9 * min(disarm, with_credit)


def test_disarm_has_less_variance_than_arm_in_every_gate() -> None:
    assert np.all(toy_moments(DisArm()).variance < toy_moments(Arm()).variance)


def test_ar_without_a_baseline_is_far_worse_than_arm() -> None:
    assert total_variance(Ar()) > 10 * total_variance(Arm())
    assert total_variance(Ar(), centered=True) < 3 * total_variance(Arm())


def test_leaving_one_out_lowers_the_variance_of_reinforce() -> None:
    # Half of it would be due to there being two samples.
    assert total_variance(Rloo(2), 2) < 0.4 * total_variance(Reinforce(), 2)
