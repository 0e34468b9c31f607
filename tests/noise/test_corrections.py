"""What every correction keeps to; a new one in `CORRECTIONS` is tested without an edit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_recdenoiser.backbones import SOFTENED
from tf_recdenoiser.noise import CORRECTIONS, Cleaning, Softening

NOISE = np.linspace(0, 1, 11)
WEIGHING = ("targets", "everywhere", "mark")
every_correction = pytest.mark.parametrize("name", CORRECTIONS)


def takes(name: str, setting: str) -> bool:
    return setting in {field.name for field in dataclasses.fields(CORRECTIONS[name])}


@every_correction
def test_targets_weigh_1_if_they_are_clean_and_less_the_more_they_are_noise(name: str) -> None:
    weights = CORRECTIONS[name]().target_weights(NOISE)
    if weights is not None:
        assert weights[0] == 1 and 0 <= weights[-1] < 1
        assert (np.diff(weights) <= 0).all()


@pytest.mark.parametrize("name", WEIGHING)
@pytest.mark.parametrize("least", [0.0, 0.3, 1.0])
def test_targets_weigh_their_clean_probability_and_no_less_than_the_least(
    name: str, least: float
) -> None:
    weights = CORRECTIONS[name](least_weight=least).target_weights(NOISE)
    expected = [max(1 - probability, least) for probability in NOISE.tolist()]
    assert weights is not None and weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", WEIGHING)
@pytest.mark.parametrize("least", [-0.1, 1.5])
def test_the_least_weight_must_be_a_share(name: str, least: float) -> None:
    with pytest.raises(ValueError, match=rf"`least_weight` must be in .*least_weight={least}"):
        CORRECTIONS[name](least_weight=least)


@every_correction
def test_each_changes_something(name: str) -> None:
    one = CORRECTIONS[name]()
    weighs = one.target_weights(NOISE) is not None
    assert weighs or one.leaves_items_out or one.softens or one.mixes_noise
    assert one.softens in (None, *SOFTENED)


@every_correction
def test_histories_are_softened_where_the_backbone_softens_and_cleaned_elsewhere(name: str) -> None:
    kind = CORRECTIONS[name]
    assert takes(name, "clean_above") == (kind.softens is None)
    if kind.softens is None:
        assert kind(clean_above=0.7, clean_newest_above=0.4).treatment() == Cleaning(0.7, 0.4)
    else:
        assert kind().treatment() == Softening()


@every_correction
def test_a_threshold_below_0_is_refused(name: str) -> None:
    if CORRECTIONS[name].softens is None:
        with pytest.raises(ValueError, match=r"`clean_above` must be at least 0. Received: "):
            CORRECTIONS[name](clean_above=-0.1)
