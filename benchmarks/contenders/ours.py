"""This library, used as its command line uses it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.contenders.in_memory import seconds_a_step, step_of_fit
from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Dataset, TrainingBatches
from tf_recdenoiser.runs import RunDirectory, Settings, build_recommender, load_dataset, load_split
from tf_recdenoiser.runs import train as train_run
from tf_recdenoiser.runs.build import build_batches


def settings_of(log: str, sizes: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
    """The settings of a run with these sizes, without a search for noise."""
    return Settings.of(
        log,
        {
            "model.max_length": sizes["length"],
            "model.hidden_dim": sizes["width"],
            "model.num_layers": sizes["layers"],
            "model.num_heads": sizes["heads"],
            "model.dropout": sizes["dropout"],
            "fit.batch_size": sizes["batch"],
            "fit.learning_rate": sizes["learning_rate"],
            "noise.detector": "none",
            **changes,
        },
    )


class Ours:
    """A recommender of some settings; what is not asked for is not made."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
        keras.utils.set_random_seed(0)

    def __del__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.settings)

    @cached_property
    def recommender(self) -> Any:
        return build_recommender(self.settings, self.dataset.item_count)

    @cached_property
    def batches(self) -> TrainingBatches:
        train = load_split(self.settings, self.dataset).split.train
        return build_batches(
            self.settings, train, self.dataset.item_count, self.recommender.backbone
        )

    @cached_property
    def _step_of_fit(self) -> Any:
        rows, example = self.settings.fit.batch_size, self.recommender.objective.example
        return step_of_fit(self.recommender, self.batches.epoch(0), rows, example)

    def step(self, steps: int) -> float:
        """Seconds of an optimizer step."""
        return seconds_a_step(self._step_of_fit, steps)

    def epoch(self) -> float:
        """Seconds of a step within `train`: the second epoch, its batches made on the way."""
        directory = RunDirectory(self.folder / "run")
        shutil.rmtree(directory.path, ignore_errors=True)
        epochs = {"fit.epochs": 2, "evaluation.validate_every": 2}
        train_run(self.settings.replace(epochs), self.dataset, directory)
        return directory.history()[-1]["seconds"] / self.batches.steps_per_epoch


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Ours:
    return Ours(settings_of(log, sizes, options["changes"]))
