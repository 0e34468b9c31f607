"""Settings refuse what cannot be, and tell two runs apart."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tf_recdenoiser.noise import CORRECTIONS
from tf_recdenoiser.runs import Settings


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("max_length", 0, "at least 1"),
        ("epochs", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("validate_every", 0, "at least 1"),
        ("patience", -1, "at least 0"),
        ("seed", -1, "at least 0"),
        ("k_core", -1, "at least 0"),
        ("gate_delay", -1, "at least 0"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("gate_learning_rate", -0.1, "above 0"),
        ("least_weight", 1.5, "in [0, 1]"),
        ("least_weight", -0.1, "in [0, 1]"),
        ("mend", "x", f"one of {', '.join(CORRECTIONS)}"),
    ],
)
def test_what_is_out_of_range_is_refused(name: str, value: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=name) as error:
        Settings("log.csv", **{name: value})
    assert str(error.value) == f"`{name}` must be {rule}. Received: {name}={value}"


def test_plain_is_the_same_without_the_denoiser() -> None:
    settings = Settings("log.csv", hidden_dim=8, gates="relative", gamma=0.1, seed=3)
    assert settings.plain().differences(settings) == {
        "gates": ("none", settings.gates),
        "gamma": (0.0, settings.gamma),
        "detect": ("none", settings.detect),
    }


def test_differences_go_from_here_to_there() -> None:
    here, there = Settings("a.csv", hidden_dim=8), Settings("b.csv", hidden_dim=9)
    assert here.differences(there) == {"data": ("a.csv", "b.csv"), "hidden_dim": (8, 9)}
    assert here.differences(dataclasses.replace(here)) == {}
