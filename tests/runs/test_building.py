"""Every setting reaches the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.runs.small import plain, small
from tf_recdenoiser.runs import build_gates, build_recommender


def test_the_encoder_is_as_the_settings_say() -> None:
    settings = small(blocks=3, heads=4, norm="post", dropout=0.4, jacobian_rows=7, gamma=0.25)
    config = build_recommender(settings, item_count=40).backbone.get_config()
    expected = {
        "item_count": 40,
        "max_length": 12,
        "width": 8,
        "blocks": 3,
        "heads": 4,
        "norm": "post",
        "dropout": 0.4,
        "gamma": 0.25,
        "jacobian_rows": 7,
    }
    assert {name: config[name] for name in expected} == expected


def test_the_gates_are_as_the_settings_say() -> None:
    choices = {"beta": 0.7, "penalty": "links", "initial_keep": 0.8, "inference": "hard"}
    gates = build_gates(small(**choices))
    assert gates is not None
    config = gates.get_config()
    assert {name: config[name] for name in choices} == choices
    recommender = build_recommender(small(**choices, blocks=2), item_count=5)
    assert len(recommender.gate_layers) == 2
    for layer in recommender.gate_layers:
        config = layer.get_config()
        assert {name: config[name] for name in choices} == choices
        np.testing.assert_allclose(layer.logits, np.log(0.8 / 0.2), rtol=1e-6)


def test_a_target_density_takes_the_place_of_beta() -> None:
    gates = build_gates(small(beta=0.7, target_density=0.25))
    assert gates is not None and (gates.beta, gates.target_density) == (0.0, 0.25)


def test_without_gates_there_are_none() -> None:
    assert build_gates(plain()) is None
    assert build_recommender(plain(), item_count=5).gate_layers == []


@pytest.mark.parametrize(("credit", "expected"), [(None, True), (True, True), (False, False)])
def test_credit_follows_the_backbone_unless_given(credit: bool | None, expected: bool) -> None:
    assert build_recommender(small(credit=credit), item_count=5).credit is expected


def test_training_is_as_the_settings_say() -> None:
    settings = small(
        estimator="rloo",
        estimator_rows=9,
        l2=0.125,
        seed=11,
        negatives=3,
        learning_rate=0.25,
        gate_learning_rate=0.5,
    )
    recommender = build_recommender(settings, item_count=5)
    assert recommender.get_compile_config()["estimator"]["name"] == "rloo"
    assert recommender.estimator_rows == 9
    assert recommender.l2 == 0.125
    assert recommender.seed == 11
    assert recommender.objective.negatives == 3
    assert float(recommender.optimizer.learning_rate) == 0.25
    assert float(recommender.gate_optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "no"}, r"`backbone` must be one of sasrec.*backbone='no'"),
        ({"gates": "no"}, r"`gates` must be one of none, positional, .*gates='no'"),
        ({"objective": "no"}, r"`objective` must be one of bce.*objective='no'"),
    ],
)
def test_unknown_names_are_refused_with_those_there_are(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_recommender(small(**changes), item_count=5)
