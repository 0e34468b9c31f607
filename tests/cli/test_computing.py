"""Where commands compute, and that all of them can answer programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import PLAIN, SYNTHETIC, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, load_run

TUNED = ("--objective", "bce", "--learning-rate", 0.01, "--search", "model.dropout=[0.0, 0.3]")


@pytest.mark.parametrize("command", ["train", "evaluate", "recommend", "explain", "tune"])
def test_threads_and_device_are_set_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    given: list[tuple[str, object]] = []
    for kind in ("intra", "inter"):
        name = f"tensorflow.config.threading.set_{kind}_op_parallelism_threads"
        monkeypatch.setattr(name, lambda count, kind=kind: given.append((kind, count)))
    monkeypatch.setattr(
        "tensorflow.config.set_visible_devices", lambda devices, kind: given.append((kind, devices))
    )
    needed = {"recommend": ("--history", "1"), "explain": ("--history", "1")}.get(command, ())
    path = tmp_path / "nothing"
    where = (
        ("synthetic", "--set", "no.such=1", "--out", path)
        if command in ("train", "tune")
        else (path,)
    )
    outcome = tf_recdenoiser(command, *where, *needed, "--threads", 3, "--device", "cpu")
    assert outcome.status == 1
    assert given == [("GPU", []), ("intra", 3), ("inter", 3)]


def test_a_device_that_is_not_there_is_named(trained: RunDirectory) -> None:
    outcome = tf_recdenoiser("evaluate", trained.path, "--device", "gpu:7")
    assert outcome.status == 1
    assert "`--device` must be one of cpu" in outcome.err and "Received: 'gpu:7'" in outcome.err


def test_train_and_tune_answer_in_json(tmp_path: Path) -> None:
    run, search = tmp_path / "run", tmp_path / "search"
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", run, *PLAIN, "--json")
    assert json.loads(outcome.out) == {"run": str(run), **load_run(run).directory.metrics()}
    command = ("tune", *SYNTHETIC, "--out", search, *PLAIN, *TUNED, "--trials", 2, "--json")
    found = json.loads(tf_recdenoiser(*command).out)
    assert [one["number"] for one in found["trials"]] == [1, 2]
    best = max(found["trials"], key=lambda one: one["ndcg@10"])
    assert found["best"] == best["number"]
    assert found["metrics"] == RunDirectory(search / "best").metrics()


def test_completion_is_written_for_the_shell() -> None:
    """As a shell asks for it: in a process of its own, by variables of the environment."""
    asked = {"_TF_RECDENOISER_COMPLETE": "complete_bash", "COMP_WORDS": "tf-recdenoiser rec"}
    done = subprocess.run(
        [sys.executable, "-m", "tf_recdenoiser"],
        env={**os.environ, **asked, "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["recommend"]


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"COLUMNS": "40"}, {"TERM": "dumb"}])
def test_tables_are_whole_without_colour_and_on_narrow_terminals(
    trained: RunDirectory, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    outcome = tf_recdenoiser("recommend", trained.path, "--history", "c00-i000,c00-i001", "-k", 3)
    assert outcome.status == 0
    assert "\x1b" not in outcome.out and "…" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= int(changes.get("COLUMNS", 200))
