"""Settings are a tree that refuses what cannot be, and can be written down and read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tf_recdenoiser import _settings
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.layers import DROPPING, GATES
from tf_recdenoiser.noise import CORRECTIONS, DETECTORS
from tf_recdenoiser.runs import (
    PRESETS,
    Settings,
    SettingsError,
    as_toml,
    assignment,
    read_settings,
    resolve,
)
from tf_recdenoiser.training import OBJECTIVES

LEFT_OPEN = {"gates.estimator.name": "disarm", "noise.detector.name": "context"}
ALL = _settings.all_paths(Settings)


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("fit.epochs", 0, "at least 1"),
        ("fit.batch_size", 0, "at least 1"),
        ("evaluation.validate_every", 0, "at least 1"),
        ("fit.patience", -1, "at least 0"),
        ("seed", -1, "at least 0"),
        ("log.k_core", -1, "at least 0"),
        ("fit.learning_rate", 0.0, "above 0"),
        ("fit.learning_rate", float("nan"), "above 0"),
        ("noise.injection.rate", 1.0, "at least 0 and below 1"),
    ],
)
def test_what_is_out_of_range_is_refused(path: str, value: Any, rule: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.of("log.csv", {path: value})
    name = path.rpartition(".")[2]
    assert str(error.value) == f"`{name}` must be {rule}. Received: {name}={value}"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("fit.epochs", "many", "`fit.epochs` must be a whole number. Received: fit.epochs='many'"),
        ("fit.epochs", 1.5, "`fit.epochs` must be a whole number. Received: fit.epochs=1.5"),
        ("fit.epochs", True, "`fit.epochs` must be a whole number. Received: fit.epochs=True"),
        ("fit", 3, "`fit` has settings of its own. Received: fit=3"),
        ("model", "no", f"`model` must be one of {', '.join(BACKBONES)}. Received: model='no'"),
        (
            "noise.correction",
            "no",
            f"`noise.correction` must be one of {', '.join(CORRECTIONS)}. "
            "Received: noise.correction='no'",
        ),
    ],
)
def test_a_wrong_value_is_answered_with_what_it_must_be(
    path: str, value: Any, message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        Settings().replace({path: value})
    assert str(error.value) == message


def test_a_whole_number_is_a_number_too() -> None:
    rate = Settings().replace({"fit.learning_rate": 1}).fit.learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("fit.epochs", np.int64(3), 3),
        ("fit.learning_rate", np.float32(0.5), 0.5),
        ("log.path", Path("a/log.csv"), "a/log.csv"),
    ],
)
def test_values_of_numpy_and_paths_are_taken(path: str, value: Any, expected: Any) -> None:
    found = Settings.of(Path("log.csv"), {path: value}).paths()[path]
    assert (found, type(found)) == (expected, type(expected))


# --- Paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL)
def test_every_setting_can_be_set_by_its_path(path: str) -> None:
    """To the value it has, or one it may have, in Python and as `--set` is given it."""
    chosen = Settings().replace(_settings.enabling(path, Settings))
    value = {**chosen.paths(), **LEFT_OPEN}.get(path)
    written = str(value).lower() if type(value) in (bool, type(None)) else str(value) or '""'
    for one in (value, assignment(f"{path}={written}")[1]):
        assert chosen.replace({path: one}).paths()[path] == value


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("model.hiden_dim", "model.hidden_dim"),
        ("hidden_dim", "model.hidden_dim"),
        ("epoch", "fit.epochs"),
        ("fit.learningrate", "fit.learning_rate"),
        ("noise.injektion.rate", "noise.injection.rate"),
        ("gates.betta", "gates.beta"),
    ],
)
def test_a_path_that_is_none_is_answered_with_the_nearest(path: str, nearest: str) -> None:
    with pytest.raises(SettingsError, match=rf"no setting `{path}`\. Did you mean .*{nearest}"):
        Settings().replace({path: 1})


def test_a_path_that_is_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(SettingsError) as error:
        Settings().replace({"xyzzy": 1})
    assert str(error.value) == "There is no setting `xyzzy`. Received: xyzzy"


def test_a_setting_of_another_name_says_which_names_have_it() -> None:
    with pytest.raises(SettingsError) as error:
        Settings().replace({"model.mask_share": 0.3})
    assert str(error.value) == (
        "`model.mask_share` has no effect here: it goes with model bert4rec. "
        "Received: model.mask_share"
    )


@pytest.mark.parametrize(
    ("where", "table"),
    [
        ("model", BACKBONES),
        ("gates", {**GATES, **DROPPING}),
        ("objective", OBJECTIVES),
        ("noise.correction", CORRECTIONS),
        ("noise.detector", DETECTORS),
    ],
)
def test_each_table_s_names_can_be_chosen(where: str, table: dict[str, Any]) -> None:
    for name in table:
        settings = Settings().replace({where: name})
        assert settings.paths()[f"{where}.name"] == name
        assert settings == Settings().replace({f"{where}.name": name})


def test_another_name_keeps_the_settings_it_takes_too() -> None:
    settings = Settings.of("log.csv", {"model.hidden_dim": 8, "model.norm": "post"})
    changed = settings.replace({"model": "gru4rec"})
    assert changed.model.hidden_dim == 8
    assert not hasattr(changed.model, "norm")
    # What had its default has the default of the new name.
    assert changed.model.dropout == Settings().replace({"model": "gru4rec"}).model.dropout


def test_what_is_left_open_can_be_left_open_again() -> None:
    settings = Settings().replace({"noise.detector": "oracle", "gates": "relative"})
    assert settings.replace({"noise.detector": None}).detector is None
    arm = settings.replace({"gates.estimator": "arm"})
    assert arm != settings == arm.replace({"gates.estimator": None})


def test_the_order_of_changes_does_not_matter() -> None:
    changes = {"gates.estimator.samples": 4, "gates.estimator": "rloo", "gates": "relative"}
    settings = Settings().replace(changes)
    assert settings == Settings().replace(dict(reversed(changes.items())))
    assert settings.gates.estimator.samples == 4


# --- Files ------------------------------------------------------------------------------------

SOME = st.sampled_from(
    [
        {},
        PRESETS["paper"],
        PRESETS["plain"],
        {"model": "bert4rec", "model.attention": "sliding_window", "model.attention.width": 3},
        {"gates": "relative", "gates.estimator": "rloo", "gates.credit": False},
        {"noise.detector": "context", "noise.correction": "targets"},
        {"noise.injection": {"rate": 0.25, "seed": 7}, "noise.detector": "oracle"},
        {"gates": "layer_drop", "gates.rate": 0.5, "objective": "gbce"},
    ]
)


@hypothesis_settings(deadline=None)
@given(changes=SOME, log=st.sampled_from(["synthetic", "log.csv", 'a "b" #ü.txt']))
def test_a_file_holds_all_settings(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], log: str
) -> None:
    path = tmp_path_factory.mktemp("settings") / "run.toml"
    for settings in (one := Settings.of(log, changes), resolve(one)):
        path.write_text(as_toml(settings), encoding="utf-8")
        assert Settings().replace(read_settings(path)) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fit = [", r"run\.toml must be TOML\. Received: "),
        ("[fit]\nepoch = 3\n", r"no setting `fit\.epoch`\. Did you mean fit\.epochs"),
        ("[fit]\nepochs = 0\n", "`epochs` must be at least 1"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        Settings().replace(read_settings(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must be there\. Received: .*run\.toml"):
        read_settings(tmp_path / "run.toml")


@pytest.mark.parametrize("text", ["fit.epochs", "=3", "fit.epochs=", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="written PATH=VALUE"):
        assignment(text)


# --- Two of them ------------------------------------------------------------------------------


def test_plain_is_the_same_without_the_denoiser() -> None:
    changes = {"model.hidden_dim": 8, "model.gamma": 0.1, "seed": 3}
    settings = Settings.of("log.csv", {**changes, "noise.detector": "context"})
    assert settings.plain().differences(settings) == {
        "model.gamma": (0.0, 0.1),
        "noise.detector.name": ("none", "context"),
    }
    assert settings.replace({"gates": "relative"}).plain() == settings.plain()


def test_differences_go_from_here_to_there() -> None:
    here = Settings.of("a.csv", {"model.hidden_dim": 8})
    there = Settings.of("b.csv", {"model.hidden_dim": 9})
    assert here.differences(there) == {
        "log.path": ("a.csv", "b.csv"),
        "model.hidden_dim": (8, 9),
    }
    assert here.differences(dataclasses.replace(here)) == {}
