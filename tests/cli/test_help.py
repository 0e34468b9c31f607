"""Help that a newcomer can work from."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from typing import get_args

import pytest

from tests.cli.shell import Outcome, tf_recdenoiser, words
from tf_recdenoiser import __version__
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import READERS, WINDOWS, OnBadRow
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.layers import ATTENTIONS, DROPPING, GATES
from tf_recdenoiser.layers.gates.base import PENALTIES
from tf_recdenoiser.layers.transformer import NORMS
from tf_recdenoiser.ops import INFERENCE_GATES
from tf_recdenoiser.runs import PARTS, PRESETS, Settings
from tf_recdenoiser.training import OBJECTIVES
from tf_recdenoiser.tuning import TUNERS

EXPERIMENTS = ("noise", "gates", "models")
COMMANDS = ("train", "tune", "evaluate", "recommend", "explain", "export", "demo")
CHOICES = {
    ("train", "--preset"): PRESETS,
    ("train", "--format"): READERS,
    ("train", "--on-bad-row"): get_args(OnBadRow),
    ("train", "--backbone"): BACKBONES,
    ("train", "--norm"): NORMS,
    ("train", "--attention"): ATTENTIONS,
    ("train", "--gates"): [*GATES, *DROPPING, "none"],
    ("train", "--penalty"): PENALTIES,
    ("train", "--inference"): INFERENCE_GATES,
    ("train", "--estimator"): ESTIMATORS,
    ("train", "--windows"): WINDOWS,
    ("train", "--objective"): OBJECTIVES,
    ("tune", "--tuner"): TUNERS,
    ("tune", "--protocol"): PROTOCOLS,
    ("tune", "--estimator"): ESTIMATORS,
    ("evaluate", "--protocol"): PROTOCOLS,
    ("evaluate", "--split"): PARTS,
}


def option_of(setting: str) -> str:
    return "--" + setting.replace("_", "-")


@functools.cache
def _help_of(command: str, columns: str | None) -> Outcome:
    return tf_recdenoiser(*command.split(), "--help")


def help_of(command: str) -> Outcome:
    """What `--help` of a command is in a terminal as wide as it is now, rendered once."""
    return _help_of(command, os.environ.get("COLUMNS"))


@pytest.fixture(params=[80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal, in characters."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


@pytest.mark.parametrize("asked", [("--help",), ("-h",), ()])
def test_the_commands_are_listed(asked: tuple[str, ...], width: int) -> None:
    outcome = tf_recdenoiser(*asked)
    assert outcome.status == (0 if asked else 2)
    assert outcome.err.strip() == ""
    assert set(COMMANDS) <= set(words(outcome.out))


@pytest.mark.parametrize("command", [*COMMANDS, *(f"experiment {name}" for name in EXPERIMENTS)])
def test_every_command_has_help(command: str, width: int) -> None:
    outcome = help_of(command)
    assert outcome.status == 0
    assert outcome.err == ""
    assert f"Usage: tf-recdenoiser {command}" in " ".join(words(outcome.out))
    # Nothing is cut short; "ID,ID,…" is how a history is written, and other lists are.
    whole = re.sub(r"(ID|NAME|N),\1,…", "", " ".join(words(outcome.out)))
    assert "…" not in whole
    assert max(map(len, outcome.out.splitlines())) <= width


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_without_arguments_a_command_shows_its_help(command: str) -> None:
    outcome = tf_recdenoiser(command)
    assert outcome.status == 2
    assert words(outcome.out) == words(help_of(command).out)


@pytest.mark.parametrize("command", ["train", "tune"])
def test_every_setting_has_an_option(command: str, width: int) -> None:
    shown = set(words(help_of(command).out))
    names = {field.name for field in dataclasses.fields(Settings)} - {"data"}
    assert {option_of(name) for name in names} <= shown
    assert {"data", "--no-credit", "--out", "--resume"} <= shown
    assert ("--tensorboard" in shown) == (command == "train")


def test_defaults_are_those_of_the_settings(width: int) -> None:
    # An option stands at the left edge of its box; what is said of it, further right.
    options = re.split(r"│ (?=--)", help_of("train").out)
    shown = {words(option)[0]: " ".join(words(option)) for option in options}
    for field in dataclasses.fields(Settings):
        if field.name != "data":
            text = shown[option_of(field.name)]
            is_said = field.default is not None and field.default is not False
            default = f"[default: {field.default}]" if is_said else ""
            assert default in text
            assert ("[default" in text) == bool(default)


@pytest.mark.parametrize(("command", "option"), CHOICES)
def test_help_names_every_choice(command: str, option: str, width: int) -> None:
    shown = " ".join(words(help_of(command).out))
    assert f"One of: {', '.join(CHOICES[command, option])}." in shown


@pytest.mark.parametrize(("command", "option"), CHOICES)
def test_a_wrong_choice_is_answered_with_the_right_ones(command: str, option: str) -> None:
    out = ("--out", "unused") if command in ("train", "tune") else ()
    outcome = tf_recdenoiser(command, "unused", *out, option, "[/best]")
    assert outcome.status == 2
    assert outcome.out == ""
    assert (
        f"'{option}': '[/best]' is not one of {', '.join(CHOICES[command, option])}."
        in " ".join(words(outcome.err))
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("train", "log.csv"),
        ("train", "log.csv", "--out", "unused", "--no-such-option"),
        ("train", "log.csv", "--out", "unused", "--epochs", "0"),
        ("train", "log.csv", "--out", "unused", "--epochs", "many"),
        ("train", "log.csv", "--out", "unused", "--dropout", "1"),
        ("train", "log.csv", "--out", "unused", "--beta", "nan"),
        ("tune", "log.csv", "--out", "unused", "--trials", "0"),
        ("evaluate", "unused", "--seed", "-1"),
        ("recommend", "unused"),
        ("recommend", "unused", "--history", "1", "-k", "0"),
        ("explain", "unused"),
        ("export", "unused"),
        ("export", "unused", "--to", "unused", "--version", "0"),
        ("demo", "--users", "9"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_one_sentence(arguments: tuple[str, ...]) -> None:
    outcome = tf_recdenoiser(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert "Error: " in outcome.err
    assert "Traceback" not in outcome.err


def test_the_version_is_that_of_the_package() -> None:
    assert tf_recdenoiser("--version") == (0, __version__ + "\n", "")
