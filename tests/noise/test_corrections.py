"""What every correction keeps to; a new one in `CORRECTIONS` is tested without an edit."""

from __future__ import annotations

import numpy as np
import pytest

from tf_recdenoiser.backbones import SOFTENED
from tf_recdenoiser.noise import CORRECTIONS, Cleaning, Softening

NOISE = np.linspace(0, 1, 11)
every_correction = pytest.mark.parametrize("name", CORRECTIONS)


@every_correction
@pytest.mark.parametrize("least", [0.0, 0.3, 1.0])
def test_targets_weigh_what_is_probably_meant_and_no_less_than_the_least(
    name: str, least: float
) -> None:
    correction = CORRECTIONS[name]
    weights = correction.target_weights(NOISE, least)
    assert (weights is not None) == correction.weighs_targets == (name in ("targets", "everywhere"))
    if weights is not None:
        expected = [max(1 - probability, least) for probability in NOISE.tolist()]
        assert weights.tolist() == pytest.approx(expected)


@every_correction
@pytest.mark.parametrize("least", [-0.1, 1.5])
def test_the_least_weight_must_be_a_share(name: str, least: float) -> None:
    with pytest.raises(ValueError, match=rf"`least_weight` must be in .*least_weight={least}"):
        CORRECTIONS[name].target_weights(NOISE, least)


@every_correction
def test_each_changes_something(name: str) -> None:
    one = CORRECTIONS[name]
    assert one.weighs_targets or one.leaves_items_out or one.softens or one.mixes_noise
    assert one.softens in (None, *SOFTENED)


@every_correction
def test_histories_are_softened_where_the_backbone_softens_and_cleaned_elsewhere(name: str) -> None:
    cleaning = Cleaning(0.7, 0.4)
    treatment = CORRECTIONS[name].treatment(cleaning)
    assert treatment == (cleaning if CORRECTIONS[name].softens is None else Softening())
