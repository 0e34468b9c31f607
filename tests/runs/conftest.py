"""Small runs that several tests look at; a test that changes one takes a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.small import DATASET, small
from tf_recdenoiser.runs import RunDirectory, train


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Four epochs in one go. Not to be written to."""
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "unbroken")
    train(small({"fit.epochs": 4}), DATASET, directory)
    return directory


@pytest.fixture(scope="session")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Two epochs, which is what `unbroken` was after its second. Not to be written to."""
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "halfway")
    train(small({"fit.epochs": 2}), DATASET, directory)
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[RunDirectory], RunDirectory]:
    """A copy of a run that a test may do as it likes with."""

    def copied(directory: RunDirectory) -> RunDirectory:
        return RunDirectory(shutil.copytree(directory.path, tmp_path / directory.path.name))

    return copied
