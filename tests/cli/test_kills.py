"""Whatever moment a command is killed at, the same command with `--resume` comes to the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.cli.killed import killed, touches
from tests.cli.shell import SIZES, SYNTHETIC, tf_recdenoiser
from tests.runs.small import history_of, metrics_of
from tf_recdenoiser.runs import RunDirectory
from tf_recdenoiser.tuning import load_search

pytestmark = pytest.mark.slow
MOMENTS = 20
QUICK = (*SIZES, "--gamma", 0, "--num-layers", 1)
TRAIN = ("train", *SYNTHETIC, *QUICK, "--detector", "surprisal", "--epochs", 3)
TUNE = ("tune", *SYNTHETIC, *QUICK, "--detector", "none", "--objective", "bce")
TUNED = ("--learning-rate", 0.01, "--trials", 3, "--epochs", 2)


def moments(count: int) -> list[int]:
    """Numbers of touches, from the first to the last, evenly."""
    assert count >= MOMENTS
    return sorted({round(one) for one in np.linspace(1, count, MOMENTS)})


def whole(folder: Path) -> None:
    """Nothing unfinished is left."""
    assert not list(folder.rglob(".*.unfinished"))


def same_run(path: Path, expected: Path) -> None:
    ours, theirs = RunDirectory(path), RunDirectory(expected)
    assert ours.settings() == theirs.settings()
    assert history_of(ours) == history_of(theirs)
    assert metrics_of(ours) == metrics_of(theirs)
    ours.verify()
    for name in ("best", "last"):
        assert getattr(ours, name).read_bytes() == getattr(theirs, name).read_bytes()


def test_train(tmp_path: Path) -> None:
    straight = tmp_path / "straight"
    count = touches([*TRAIN, "--out", straight], straight)
    for moment in moments(count):
        out = tmp_path / str(moment)
        assert killed([*TRAIN, "--out", out], out, moment)
        # By the record alone where there is one, as the command says that was stopped.
        again = ("train", "synthetic") if RunDirectory(out).exists() else TRAIN
        outcome = tf_recdenoiser(*again, "--out", out, "--resume")
        assert outcome.status == 0, (moment, outcome.err)
        same_run(out, straight)
        whole(out)


def test_train_killed_again_and_again(tmp_path: Path) -> None:
    straight, out = tmp_path / "straight", tmp_path / "out"
    assert touches([*TRAIN, "--out", straight], straight)
    kills = 0
    while killed([*TRAIN, "--out", out, "--resume"], out, 6 * (kills + 1)):
        kills += 1
    assert kills >= 4
    same_run(out, straight)
    whole(out)


def test_tune(tmp_path: Path) -> None:
    straight = tmp_path / "straight"
    count = touches([*TUNE, *TUNED, "--out", straight], straight)
    for moment in moments(count):
        out = tmp_path / str(moment)
        assert killed([*TUNE, *TUNED, "--out", out], out, moment)
        again = ("tune", "synthetic") if load_search(out) else (*TUNE, *TUNED)
        outcome = tf_recdenoiser(*again, "--out", out, "--resume")
        assert outcome.status == 0, (moment, outcome.err)
        for run in ("trials/1", "trials/2", "trials/3", "best"):
            same_run(out / run, straight / run)
        whole(out)


def test_export(tmp_path: Path) -> None:
    run, straight = tmp_path / "run", tmp_path / "straight"
    assert tf_recdenoiser(*TRAIN, "--epochs", 1, "--out", run).status == 0
    for _ in range(2):
        count = touches(["export", run, "--to", straight, "--keep", 1], straight)
    for moment in moments(count):
        to = tmp_path / str(moment)
        shutil.copytree(straight, to)
        assert killed(["export", run, "--to", to, "--keep", 1], to, moment)
        versions = [path for path in to.iterdir() if path.name.isdecimal()]
        assert versions
        for version in versions:  # each that can be seen is whole
            assert set(tf.saved_model.load(str(version)).signatures) == {
                "serving_default",
                "explain",
            }
        outcome = tf_recdenoiser("export", run, "--to", to, "--keep", 1)
        assert outcome.status == 0, outcome.err
        assert len([path for path in to.iterdir() if path.name.isdecimal()]) == 1
        whole(to)
