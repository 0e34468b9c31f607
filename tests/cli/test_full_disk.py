"""A disk without room is said to be so before work begins, or costs nothing that was done."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import PLAIN, SYNTHETIC, tf_recdenoiser
from tests.runs.small import DATASET, history_of, metrics_of, plain
from tf_recdenoiser._keras import keras
from tf_recdenoiser.runs import Observer, RunDirectory, load_run, train

MEGABYTES = 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with little room."""
    path = tmp_path / "disk"
    path.mkdir()
    size = f"size={MEGABYTES}m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no room at all."""
    file = disk / "full"
    with pytest.raises(OSError, match="No space left"), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"0" * 1024)
    return file


class Fill(keras.callbacks.Callback):
    """Fills a disk when an epoch begins, counted from 1."""

    def __init__(self, disk: Path, epoch: int) -> None:
        super().__init__()
        self._disk = disk
        self._epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch + 1 == self._epoch:
            fill(self._disk)


def test_a_model_too_large_for_the_disk_is_not_trained(disk: Path) -> None:
    out = disk / "run"
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", out, *PLAIN, "--hidden-dim", 512)
    assert outcome.status == 1
    assert f"Error: {out} must have room for " in outcome.err
    assert f"Received: {MEGABYTES}.0 MB that are free" in outcome.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "option"),
    [("train", "--out"), ("tune", "--out"), ("export", "--to"), ("experiment ablation", "--out")],
)
def test_a_full_disk_is_said_to_be_so_before_anything_is_read(
    disk: Path, command: str, option: str
) -> None:
    fill(disk)
    for folder in (disk / "new", disk):
        outcome = tf_recdenoiser(*command.split(), "no-such-log", option, folder)
        assert outcome.status == 1
        assert outcome.err.startswith(f"Error: {folder} must ")
        assert "Received: 0.0 MB that are free" in outcome.err or "No space left" in outcome.err
        assert "TRACEBACK" not in outcome.err


def test_a_disk_that_fills_up_costs_one_epoch(disk: Path, tmp_path: Path) -> None:
    settings = plain({"fit.epochs": 3})
    straight, run = RunDirectory(tmp_path / "straight"), RunDirectory(disk / "run")
    train(settings, DATASET, straight)
    observer = Observer()
    observer.callbacks = [Fill(disk, epoch=3)]
    with pytest.raises(OSError, match="No space left"):
        train(settings, DATASET, run, observer=observer)
    assert history_of(run) == history_of(straight)[:2]
    load_run(run.path)
    (disk / "full").unlink()
    train(settings, DATASET, run, resume=True)
    assert history_of(run) == history_of(straight)
    assert metrics_of(run) == metrics_of(straight)
