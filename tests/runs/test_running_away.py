"""Runs whose loss is not finite, or which would fill the memory, and what a run leaves alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.runs.small import DATASET, history_of, plain, small
from tf_recdenoiser._keras import keras
from tf_recdenoiser.runs import RunDirectory, RunError, train
from tf_recdenoiser.runs.observer import Observer


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"gates.beta": 1e30}, "`fit.learning_rate`"),
        ({"gates.beta": 1e38}, "`gates.beta`"),
        ({"model.gamma": 1e38}, "`model.gamma`"),
        ({"fit.learning_rate": 1e37}, "`fit.learning_rate`"),
    ],
)
def test_a_loss_that_is_not_finite_ends_the_run(
    changes: dict[str, Any], cause: str, tmp_path: Path
) -> None:
    directory = RunDirectory(tmp_path)
    with pytest.raises(RunError, match=rf"epoch \d+, step \d+: lower .*{cause}.*Received: "):
        train(small({**changes, "fit.epochs": 4}), DATASET, directory)
    assert not directory.metrics_file.exists()
    rows = [value for row in history_of(directory) for value in row.values()]
    assert np.isfinite(rows).all()


def test_the_last_good_epoch_stays(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                variable = self.model.trainable_variables[0]
                variable.assign(np.full(variable.shape, np.nan))

    class Spoiling(Observer):
        callbacks = (Spoil(),)

    with pytest.raises(RunError, match="in epoch 2, step 1: lower"):
        train(plain(), DATASET, directory, observer=Spoiling())
    assert [row["epoch"] for row in history_of(directory)] == [1]
    with h5py.File(directory.last) as file:
        assert len(file) > 0
        assert all(np.isfinite(dataset[()]).all() for dataset in file.values())


@pytest.mark.parametrize("shared", [True, False])
def test_so_many_negatives_are_refused_before_any_is_drawn(shared: bool, tmp_path: Path) -> None:
    settings = plain({"objective.negatives": 10**6, "objective.share_negatives": shared})
    with pytest.raises(ValueError, match=r"`negatives` must make at most .* Received: negatives=1"):
        train(settings, DATASET, RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("detector", ["none", "context"])
def test_a_run_leaves_the_global_generators_as_they_were(detector: str, tmp_path: Path) -> None:
    random.seed(3)
    np.random.seed(4)
    before = random.getstate(), np.random.get_state()
    changes = {"fit.epochs": 1, "noise.detector": detector}
    train(plain(changes), DATASET, RunDirectory(tmp_path))
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1][1])
