"""Help that a newcomer can work from."""

from __future__ import annotations

import functools
import os
import re
from typing import get_args

import pytest

from tests.cli.flags import FLAGS
from tests.cli.shell import Outcome, tf_recdenoiser, words
from tf_recdenoiser import __version__
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import OnBadRow, Targets
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.experiments import EXPERIMENTS
from tf_recdenoiser.layers import DROPPING, GATES
from tf_recdenoiser.noise import CORRECTIONS, DETECTORS
from tf_recdenoiser.runs import PRESETS, Settings
from tf_recdenoiser.runs.scoring import PARTS
from tf_recdenoiser.training import OBJECTIVES
from tf_recdenoiser.tuning import TUNERS

COMMANDS = (
    *("prepare", "train", "tune", "settings", "evaluate", "recommend", "explain", "serve"),
    *("export", "demo", "similar", "report"),
)
CHOICES = {
    ("train", "--preset"): PRESETS,
    ("train", "--on-bad-row"): get_args(OnBadRow),
    ("train", "--backbone"): BACKBONES,
    ("train", "--gates"): ["none", *GATES, *DROPPING],
    ("train", "--estimator"): ESTIMATORS,
    ("train", "--objective"): OBJECTIVES,
    ("train", "--detector"): ["none", *DETECTORS, "oracle"],
    ("train", "--correction"): CORRECTIONS,
    ("train", "--targets"): get_args(Targets),
    ("tune", "--tuner"): TUNERS,
    ("tune", "--protocol"): PROTOCOLS,
    ("tune", "--estimator"): ESTIMATORS,
    ("evaluate", "--protocol"): PROTOCOLS,
    ("evaluate", "--split"): PARTS,
}


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
    whole = re.sub(r"(ID|NAME|N),\1,…|DATA…", "", " ".join(words(outcome.out)))
    assert "…" not in whole
    assert max(map(len, outcome.out.splitlines())) <= width


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("demo", "settings")])
def test_without_arguments_a_command_shows_its_help(command: str) -> None:
    outcome = tf_recdenoiser(command)
    assert outcome.status == 2
    assert words(outcome.out) == words(help_of(command).out)


def test_the_help_of_train_fits_on_two_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert len(help_of("train").out.splitlines()) <= 2 * 50


@pytest.mark.parametrize("command", ["train", "tune"])
def test_help_says_how_other_settings_are_set(command: str, width: int) -> None:
    shown = " ".join(words(help_of(command).out))
    assert {"[log]", "--config", "--set", "--out", "--resume"} <= set(shown.split())
    assert "tf-recdenoiser settings lists them all" in shown
    assert ("--tensorboard" in shown) == (command == "train")


def test_defaults_are_those_of_the_settings(width: int) -> None:
    # An option stands at the left edge of its box; what is said of it, further right.
    options = re.split(r"│ (?=--)", help_of("train").out)
    shown = {words(option)[0]: " ".join(words(option)) for option in options}
    defaults = Settings().paths()
    for flag, (_, path) in FLAGS.items():
        default = defaults.get(path)
        assert ("Default:" in shown[flag]) == (default is not None), flag
        if default is not None:
            assert f"Default: {default}." in shown[flag]


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
        ("train", "log.csv", "--out", "unused", "--epochs", "many"),
        ("tune", "log.csv", "--out", "unused", "--trials", "0"),
        ("evaluate", "unused", "--seed", "-1"),
        ("recommend", "unused"),
        ("recommend", "unused", "--history", "1", "-k", "0"),
        ("explain", "unused"),
        ("serve", "unused", "--port", "65536"),
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
