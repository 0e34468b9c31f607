"""Small runs that several tests look at; a test that changes one takes a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import GATED, PLAIN, SYNTHETIC, Outcome, tf_recdenoiser
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import Observer, RunDirectory, Settings


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RunDirectory]:
    """What `train` wrote, to the shell and to its run directory: text ids, two gated layers."""
    path = tmp_path_factory.mktemp("cli") / "run"
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", path, *GATED, "--epochs", 2)
    return outcome, RunDirectory(path)


@pytest.fixture(scope="session")
def trained(finished: tuple[Outcome, RunDirectory]) -> RunDirectory:
    """The run directory of `finished`. Not to be written to."""
    return finished[1]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RunDirectory, Path]:
    """A run without gates on a CSV file with number ids, bad rows and users with few rows."""
    folder = tmp_path_factory.mktemp("shop")
    log = folder / "shop.csv"
    lines = [
        f"{user},{100 + (user * 7 + step * 3) % 20},{step}"
        for user in range(12)
        for step in range(6)
    ]
    log.write_text("\n".join(["userId,movieId,timestamp", *lines, "3,,9", "50,101,1", "", "4,105"]))
    outcome = tf_recdenoiser(
        *("train", log, "--out", folder / "run", *PLAIN),
        *("--on-bad-row", "skip", "--tensorboard"),
    )
    return outcome, RunDirectory(folder / "run"), log


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[RunDirectory], RunDirectory]:
    """A copy of a run that a test may do as it likes with."""

    def copied(directory: RunDirectory) -> RunDirectory:
        return RunDirectory(shutil.copytree(directory.path, tmp_path / directory.path.name))

    return copied


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, Dataset, bool]]:
    """Lets `train` begin a run without training; what it was asked to train is listed here."""
    asked: list[tuple[Settings, Dataset, bool]] = []
    metric = dict.fromkeys(("hit@1", "hit@5", "hit@10", "ndcg@5", "ndcg@10"), 0.5)

    def begin(
        settings: Settings,
        dataset: Dataset,
        directory: RunDirectory,
        resume: bool,
        observer: Observer,
        titles: Any = None,
        cluster: Any = None,
    ) -> dict[str, Any]:
        asked.append((settings, dataset, resume))
        if not directory.exists():
            directory.create(settings, dataset)
        return {"test": {"full": metric}, "density": [], "best_epoch": 1, "epochs": 1}

    monkeypatch.setattr("tf_recdenoiser.cli.train.train_run", begin)
    return asked
