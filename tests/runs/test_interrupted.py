"""A run that is stopped while noise is looked for is a run already, and goes on as one."""

from __future__ import annotations

import os
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.params import only
from tests.runs.small import DATASET, history_of, metrics_of, plain
from tf_recdenoiser._files import FolderError
from tf_recdenoiser.runs import Observer, RunDirectory, RunError, load_run, train

LOOKED_FOR = plain({"noise.detector": "surprisal", "fit.epochs": 1})


class Stop(Observer):
    """Ctrl-C at the first report of the search for noise."""

    def report(self, text: str) -> None:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run in one go. Not to be written to."""
    directory = RunDirectory(tmp_path_factory.mktemp("interrupted") / "whole")
    train(LOOKED_FOR, DATASET, directory)
    return directory


def files(directory: RunDirectory) -> dict[str, bytes]:
    """All files of a run but those that tell times, with their content."""
    return {
        path.relative_to(directory.path).as_posix(): path.read_bytes()
        for path in directory.path.rglob("*")
        if path.is_file() and path.name not in ("history.jsonl", "metrics.json", "manifest.json")
    }


def goes_on(run: RunDirectory, whole: RunDirectory) -> None:
    """By its own settings, which are all that is left of the command, to the same run."""
    train(run.settings(), DATASET, run, resume=True)
    assert history_of(run) == history_of(whole)
    assert metrics_of(run) == metrics_of(whole)
    assert files(run) == files(whole)
    run.verify()


def test_settings_are_written_before_noise_is_looked_for(
    whole: RunDirectory, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(LOOKED_FOR, DATASET, run, observer=Stop())
    assert run.settings() == whole.settings()
    assert not run.has_begun_training() and not run.is_finished()
    with pytest.raises(RunError, match=r"no validated epoch yet.* --resume"):
        load_run(run.path)
    with pytest.raises(RunError, match="already holds a run"):
        train(LOOKED_FOR, DATASET, run)
    with pytest.raises(RunError, match=r"keeps its settings.*model\.hidden_dim: 4, was 8"):
        train(LOOKED_FOR.replace({"model.hidden_dim": 4}), DATASET, run, resume=True)
    goes_on(run, whole)


@pytest.mark.parametrize(
    "name",
    only(
        lambda name: name in ("detector_2.h5", "noise.json"),
        ["detector_2.h5", "noise.npy", "noise.json", "model.json"],
    ),
)
def test_half_a_search_is_dropped(
    whole: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def unless_named(write: Callable[..., None]) -> Callable[..., None]:
        def written(path: Path, *what: Any, **how: Any) -> None:
            if path.name == name:
                raise KeyboardInterrupt
            write(path, *what, **how)

        return written

    run = RunDirectory(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        for one in ("write_checkpoint", "write_json", "np.save"):
            target = f"tf_recdenoiser.runs.directory.{one}"
            patch.setattr(target, unless_named(pkgutil.resolve_name(target)))
        train(LOOKED_FOR, DATASET, run)
    assert run.exists() and not run.has_begun_training()
    goes_on(run, whole)


def test_what_is_left_of_another_run_is_not_taken_over(whole: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(shutil.copytree(whole.path, tmp_path / "run"))
    (run.path / "settings.toml").unlink()
    assert not run.exists()
    train(plain({"fit.epochs": 1}), DATASET, run)
    assert not run.has_detection() and len(run.history()) == 1
    load_run(run.path)


def test_one_process_at_a_time_trains_in_a_directory(whole: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with run.locked(), pytest.raises(FolderError, match=f"process {os.getpid()} "):
        train(LOOKED_FOR, DATASET, run)
    assert not run.path.exists()
    copy = RunDirectory(shutil.copytree(whole.path, tmp_path / "copy"))
    with copy.locked():
        load_run(copy.path)  # who only reads need not wait
        with pytest.raises(FolderError, match=f"process {os.getpid()} "):
            train(copy.settings(), DATASET, copy, resume=True)
    copy.verify()


def test_a_full_disk_is_found_before_noise_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=10_000))
    with pytest.raises(FolderError, match=r"must have room for 0\.\d MB.*0\.0 MB that are free"):
        train(LOOKED_FOR, DATASET, tmp_path / "run", observer=Stop())
    assert not (tmp_path / "run").exists()
