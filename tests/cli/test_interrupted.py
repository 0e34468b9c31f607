"""What a stopped command says leads to what it would have come to."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import SIZES, SYNTHETIC, Outcome, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, resolve

SOUGHT = (*SIZES, "--detector", "surprisal", "--num-layers", 1, "--gamma", 0, "--epochs", 1)


def stop(*_: Any) -> None:
    raise KeyboardInterrupt


def told(outcome: Outcome) -> list[str]:
    """The arguments of the command that the last line names."""
    said, command = outcome.err.splitlines()[-1].split(" Go on with: tf-recdenoiser ")
    assert said == "Stopped after 0 epochs."
    return shlex.split(command)


def test_options_outlive_a_search_for_noise_that_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "my run"
    with monkeypatch.context() as patch:
        patch.setattr("tf_recdenoiser.runs.runner.detect", stop)
        stopped = tf_recdenoiser("train", *SYNTHETIC, "--out", out, *SOUGHT, "--device", "cpu")
    assert (stopped.status, stopped.out) == (130, "")
    command = told(stopped)
    assert command[2:] == ["--out", str(out), "--resume", "--device", "cpu"]
    trained = request.getfixturevalue("untrained")
    for arguments in (command, ["train", *SYNTHETIC, "--out", tmp_path / "straight", *SOUGHT]):
        assert tf_recdenoiser(*arguments).status == 0
    (resumed, _, _), (straight, _, _) = trained
    assert resumed == resolve(straight) == RunDirectory(out).settings()
    assert resumed.model.max_length == 12


def test_before_a_run_is_recorded_the_same_command_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tf_recdenoiser.runs.runner.build", stop)
    stopped = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *SOUGHT)
    assert stopped.status == 130
    assert stopped.err.splitlines()[-1] == (
        "Stopped after 0 epochs. Nothing is recorded yet: give the same command again."
    )
    assert list(tmp_path.iterdir()) == []


def test_to_resume_nothing_is_said_to_be_a_beginning(tmp_path: Path, untrained: list[Any]) -> None:
    out = tmp_path / "run"
    said = f"There is no run in {out} to go on with: one is begun."
    begun = tf_recdenoiser("train", *SYNTHETIC, "--out", out, "--resume")
    assert (begun.status, begun.err.splitlines()[0]) == (0, said)
    resumed = tf_recdenoiser("train", "synthetic", "--out", out, "--resume")
    assert resumed.status == 0 and said not in resumed.err
    assert untrained[0][0] == untrained[1][0]
